/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmap_error.h - why the kernel refused memory
 */
#ifndef PMEM2FS_LIB_BASE_MMAP_ERROR_H
#define PMEM2FS_LIB_BASE_MMAP_ERROR_H

#include <stddef.h>

/* vm.max_map_count: how many areas (VMAs) a process may have. */
size_t mmap_error_max_map_count(void);

/*
 * Writes the reason for an errno of mmap, mremap or munmap to `text`: for ENOMEM, which limit is
 * reached and its value; otherwise the text of strerror. `length` is the requested length.
 */
void mmap_error_explain(int error, size_t length, char *text, size_t size);

#endif
