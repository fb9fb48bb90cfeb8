/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.h - what the kernel asks, translated
 */
#ifndef PMEM2FS_FUSE_OPERATIONS_H
#define PMEM2FS_FUSE_OPERATIONS_H

extern const struct fuse_lowlevel_ops operations;

#endif
