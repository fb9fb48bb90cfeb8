/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.h - memory that pmem2ctl cannot do without
 *
 * pmem2ctl is a short-lived program that holds nothing that a sudden end would damage: without
 * memory it ends with a message, so that no caller has to.
 */
#ifndef PMEM2FS_CTL_MEMORY_H
#define PMEM2FS_CTL_MEMORY_H

#include "base/array.h"
#include <stdarg.h>

_Noreturn void memory_exhausted(void);

/* Returns `memory`, or ends the program when it is NULL. */
void *memory_require(void *memory);

/* A formatted text, for the caller to free. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
char *memory_vformat(const char *format, va_list arguments) __attribute__((format(printf, 1, 0)));

/* array_reserve, but without memory the program ends. */
#define memory_reserve(array, room, count, first)                                                  \
	do {                                                                                       \
		if (array_reserve(array, room, count, first))                                      \
			memory_exhausted();                                                        \
	} while (0)

#endif
