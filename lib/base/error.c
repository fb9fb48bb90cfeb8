/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - the text of the last error, per thread
 *
 * Owns the text of the calling thread. Calls libc only.
 */
#include "base/error.h"
#include "libpmem2.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static _Thread_local char message[512];

int error_set(int error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (error < 0 && error > PMEM2_E_UNKNOWN)
		errno = -error;
	return error;
}

const char *pmem2_errormsg(void)
{
	return message;
}

void pmem2_perror(const char *format, ...)
{
	va_list args;

	flockfile(stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, ": %s\n", message);
	funlockfile(stderr);
}

int pmem2_err_to_errno(int err)
{
	if (err == PMEM2_E_NOSUPP)
		return ENOTSUP;
	if (err > 0 || err <= PMEM2_E_UNKNOWN)
		return EINVAL;
	return -err;
}
