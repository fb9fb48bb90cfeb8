/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * create.h - the operations that write a request to a new file, and those that try to write to a
 * mapping
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

/* A mapping is never written to: EEXIST. */
void create_refuse_write(fuse_req_t req, const struct version *version);

/* Nobody has written that draft for long. */
void create_expired(void *filesystem, const struct draft *draft);

#endif
