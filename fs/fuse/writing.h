/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * writing.h - the operations that write a request to a new file, and those that try to write to a
 * mapping
 */
#ifndef PMEM2FS_WRITING_H
#define PMEM2FS_WRITING_H

#include "catalog/catalog.h"
#include "fuse/drafts.h"
#include "service.h"
#include <fuse_lowlevel.h>

void writing_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
		    struct fuse_file_info *fi);
void writing_write(fuse_req_t req, fuse_ino_t id, const char *text, size_t size, off_t offset,
		   struct fuse_file_info *fi);

/* A mapping is never written to: EEXIST. */
void writing_refuse(fuse_req_t req, const struct version *version);

/* Nobody has written that draft for long. */
void writing_expired(void *service, const struct draft *draft);

#endif
