/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * create.h - CREATE and WRITE: a request for a mapping is written to a new file
 *
 * Writing to a mapping's file is refused here as well.
 */
#ifndef PMEM2FS_FUSE_CREATE_H
#define PMEM2FS_FUSE_CREATE_H

#include "catalog/catalog.h"
#include "fuse/drafts.h"
#include <fuse_lowlevel.h>

void create_file(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		 struct fuse_file_info *fi);
void create_write(fuse_req_t req, fuse_ino_t id, const char *text, size_t size, off_t offset,
		  struct fuse_file_info *fi);

/* Replies EEXIST and reports the failure: the file of a mapping is never written. */
void create_refuse_write(fuse_req_t req, const struct version *version);

/*
 * For drafts_expire; the first argument is the struct filesystem. Reports that the draft was not
 * finished in time, and has the kernel forget it.
 */
void create_expired(void *filesystem, const struct draft *draft);

#endif
