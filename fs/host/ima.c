/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ima.c - see ima.h
 */
#include "host/ima.h"
#include <stdio.h>
#include <string.h>

/* The begin of a file, as a string; "" when it cannot be read. */
static void read_begin(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t length = 0;

	if (file) {
		length = fread(text, 1, size - 1, file);
		fclose(file);
	}
	text[length] = '\0';
}

bool ima_reads_files(const char *command_line, const char *count)
{
	char text[4096];
	long measured = 0;

	read_begin(command_line, text, sizeof(text));
	if (!strncmp(text, "ima_", 4) || strstr(text, " ima_"))
		return true;
	read_begin(count, text, sizeof(text));
	return sscanf(text, "%ld", &measured) == 1 && measured > 1;
}
