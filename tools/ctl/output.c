// SPDX-License-Identifier: BSD-3-Clause
/*
 * output.c - the results of pmem2ctl, on stdout
 *
 * All results go through output_bytes, which notices a write that fails. Calls report.c,
 * memory.c and base/json_text.c.
 */
#include "ctl/output.h"
#include "base/json_text.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Only the first failure is reported: what stdio still holds fails again at the end. */
static int output_failed(void)
{
	static bool reported;
	int error = errno;

	if (!reported)
		report("standard output", "%s", strerror(error));
	reported = true;
	return -error;
}

int output_bytes(const char *bytes, size_t length)
{
	return fwrite(bytes, 1, length, stdout) == length ? 0 : output_failed();
}

int output_text(const char *text)
{
	return output_bytes(text, strlen(text));
}

int output_line(const char *text)
{
	int error = output_text(text);

	return error ? error : output_text("\n");
}

int output_json(const json_t *value, size_t flags)
{
	char *text = memory_require(json_text(value, flags));
	int error = output_line(text);

	free(text);
	return error;
}

int output_flush(void)
{
	return fflush(stdout) == 0 ? 0 : output_failed();
}
