// SPDX-License-Identifier: BSD-3-Clause
/*
 * memory.c - memory that pmem2ctl cannot do without
 *
 * Calls nothing of pmem2ctl: whatever prints needs memory itself.
 */
#include "ctl/memory.h"
#include <stdio.h>
#include <stdlib.h>

_Noreturn void memory_exhausted(void)
{
	fputs("pmem2ctl: out of memory\n", stderr);
	exit(EXIT_FAILURE);
}

void *memory_require(void *memory)
{
	if (!memory)
		memory_exhausted();
	return memory;
}

char *memory_vformat(const char *format, va_list arguments)
{
	char *text;

	if (vasprintf(&text, format, arguments) < 0)
		memory_exhausted();
	return text;
}

char *memory_format(const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	text = memory_vformat(format, arguments);
	va_end(arguments);
	return text;
}
