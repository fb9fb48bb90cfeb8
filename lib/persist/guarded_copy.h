/* SPDX-License-Identifier: BSD-3-Clause */
/* guarded_copy.h - copying from and to memory whose device may fail during the copy */
#ifndef PMEM2FS_LIB_PERSIST_GUARDED_COPY_H
#define PMEM2FS_LIB_PERSIST_GUARDED_COPY_H

#include "libpmem2.h"

/*
 * Copies `length` bytes between device memory and a buffer: with `persist`, to the device, where it
 * makes the bytes persistent; otherwise from it. No signal reaches the program. Errors:
 * PMEM2_E_IO_FAIL (the device cannot read or store a part), -EFAULT (the buffer is not all mapped),
 * -ENOMEM, -EAGAIN and others of clone. After an error a part may have been copied.
 */
int guarded_copy(void *to, const void *from, size_t length, pmem2_persist_fn persist);

#endif
