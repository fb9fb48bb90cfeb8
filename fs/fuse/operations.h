/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.h - the table of handlers of the kernel's requests
 *
 * Needs a struct filesystem as the session's userdata.
 */
#ifndef PMEM2FS_FUSE_OPERATIONS_H
#define PMEM2FS_FUSE_OPERATIONS_H

extern const struct fuse_lowlevel_ops operations;

#endif
