/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helper.h - what the test programs for the virtual machine share
 */
#ifndef PMEM2FS_VM_HELPER_H
#define PMEM2FS_VM_HELPER_H

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Returns the variable's value; skips the test when it is not set. */
static inline const char *variable(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		skip();
	return value;
}

/* The first word of a sysfs file, "" when it cannot be read. */
static inline const char *attribute(const char *format, ...) __attribute__((format(printf, 1, 2)));
static inline const char *attribute(const char *format, ...)
{
	static char text[64];
	char path[PATH_MAX];
	FILE *file;
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	text[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return text;
	if (fscanf(file, "%63s", text) != 1)
		text[0] = '\0';
	fclose(file);
	return text;
}

#endif
