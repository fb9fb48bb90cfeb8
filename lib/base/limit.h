/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * limit.h - why the kernel refused memory
 */
#ifndef PMEM2FS_LIMIT_H
#define PMEM2FS_LIMIT_H

#include <stddef.h>

/* vm.max_map_count: how many areas a process may have. */
size_t limit_max_map_count(void);

/*
 * Writes the reason for an errno of mmap, mremap or munmap to `text`: which limit ENOMEM is about
 * and its value, else what strerror says. `length` is what was asked for.
 */
void limit_explain(int error, size_t length, char *text, size_t size);

#endif
