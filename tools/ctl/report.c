// SPDX-License-Identifier: BSD-3-Clause
/*
 * report.c - the messages of pmem2ctl, on stderr
 *
 * Calls text.c and memory.c.
 */
#include "ctl/report.h"
#include "ctl/memory.h"
#include "ctl/text.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void report(const char *object, const char *format, ...)
{
	va_list arguments;
	char *text;
	char *safe_object;
	char *safe_text;

	va_start(arguments, format);
	text = memory_vformat(format, arguments);
	va_end(arguments);

	safe_object = text_display(object ? object : "", NULL);
	safe_text = text_display(text, NULL);
	fprintf(stderr, "pmem2ctl: %s%s%s\n", safe_object, object ? ": " : "", safe_text);
	free(safe_text);
	free(safe_object);
	free(text);
}
