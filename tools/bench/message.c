// SPDX-License-Identifier: BSD-3-Clause
/*
 * message.c - the messages of the bench, on stderr
 *
 * Calls nothing of the bench.
 */
#include "bench/message.h"
#include <stdarg.h>
#include <stdio.h>

void message_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("bench: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}
