// SPDX-License-Identifier: BSD-3-Clause
/*
 * report.c - what pmem2ctl says: results on stdout, failures on stderr
 *
 * All results go through output(), which notices a write that fails. Calls text.c.
 */
#include "ctl/pmem2ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report(const char *object, const char *format, ...)
{
	va_list arguments;
	char *text;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		needed(NULL);
	va_end(arguments);

	char *safe_object = text_display(object ? object : "", NULL);
	char *safe_text = text_display(text, NULL);
	fprintf(stderr, "pmem2ctl: %s%s%s\n", safe_object, object ? ": " : "", safe_text);
	free(safe_text);
	free(safe_object);
	free(text);
}

void *needed(void *memory)
{
	if (!memory) {
		fputs("pmem2ctl: out of memory\n", stderr);
		exit(STATUS_FAILURE);
	}
	return memory;
}

/* Only the first failure is told: what stdio still holds fails again at the end. */
static int output_failed(void)
{
	static bool told;
	int error = errno;

	if (!told)
		report("standard output", "%s", strerror(error));
	told = true;
	return -error;
}

int output(const char *bytes, size_t length)
{
	return fwrite(bytes, 1, length, stdout) == length ? 0 : output_failed();
}

int output_text(const char *text)
{
	return output(text, strlen(text));
}

int output_flush(void)
{
	return fflush(stdout) == 0 ? 0 : output_failed();
}
