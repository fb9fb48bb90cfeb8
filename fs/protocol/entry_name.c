/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * entry_name.c - see entry_name.h
 */
#include "protocol/entry_name.h"
#include "base/escape.h"
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Characters of a command's name that neither a shell nor a terminal gives a meaning. */
static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_-+:@,", c));
}

/* "COMM.PID." Returns its length. */
static size_t put_process(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid)
{
	size_t n = 0;

	for (; comm[n] && n < 16; n++)
		name[n] = is_plain(comm[n]) && (n || comm[n] != '-') ? comm[n] : '_';
	if (!n)
		name[n++] = '_';
	return n + (size_t)sprintf(name + n, ".%d.", (int)pid);
}

/* The bytes of the printable UTF-8 character at `at` (terminated); 0: there is none. */
static size_t shown_length(const char *at)
{
	const unsigned char *c = (const unsigned char *)at;
	size_t length = escape_utf8_length(at);

	if (*c < ' ' || *c == 0x7f || *c == '/' || (*c == 0xc2 && length == 2 && c[1] < 0xa0))
		return 0;
	return length;
}

void entry_name_of_label(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			 const uint8_t *label, size_t length)
{
	char text[ENTRY_NAME_SIZE];
	size_t n = put_process(name, comm, pid);

	if (length >= sizeof(text))
		length = sizeof(text) - 1;
	memcpy(text, label, length);
	text[length] = '\0';
	for (size_t i = 0; i < length;) {
		size_t shown = shown_length(text + i);

		if (n + (shown ? shown : 1) >= ENTRY_NAME_SIZE)
			break;
		if (shown)
			memcpy(name + n, text + i, shown);
		else
			name[n] = '_';
		n += shown ? shown : 1;
		i += shown ? shown : 1;
	}
	name[n] = '\0';
}

void entry_name_of_address(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			   uint64_t address, uint64_t more)
{
	size_t n = put_process(name, comm, pid);

	n += (size_t)sprintf(name + n, "0x%" PRIx64, address);
	if (more)
		sprintf(name + n, ".%" PRIu64, more);
}

bool entry_name_pid(const char *name, pid_t *pid)
{
	const char *at = strchr(name, '.');
	unsigned long number;
	char *end;

	if (!at || at == name || at[1] < '1' || at[1] > '9')
		return false;
	number = strtoul(at + 1, &end, 10);
	if (*end != '.' || number > INT_MAX)
		return false;
	*pid = (pid_t)number;
	return true;
}
