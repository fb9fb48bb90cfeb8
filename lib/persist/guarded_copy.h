/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guarded_copy.h - copying from and to memory that may fail below the copy
 */
#ifndef PMEM2FS_LIB_PERSIST_GUARDED_COPY_H
#define PMEM2FS_LIB_PERSIST_GUARDED_COPY_H

#include "libpmem2.h"

/*
 * Copies `length` bytes between device memory and a buffer: to the device if `persist` is given,
 * which makes persistent what was copied, else from it. No signal reaches the program.
 * Errors: PMEM2_E_IO_FAIL (the device cannot give or take a part of it), -EFAULT (the buffer is not
 * all there), -ENOMEM, -EAGAIN and others of clone. After an error some of it may have been copied.
 */
int guarded_copy(void *to, const void *from, size_t length, pmem2_persist_fn persist);

#endif
