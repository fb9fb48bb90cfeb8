/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * readdir.h - ls: OPENDIR, READDIR, READDIRPLUS and RELEASEDIR of the root directory
 *
 * The cookie of an entry is the number of its mapping, which is never used again: a listing that is
 * read in parts misses and repeats no mapping that stays. It ends with the newest mapping that
 * there is when it begins.
 */
#ifndef PMEM2FS_FUSE_READDIR_H
#define PMEM2FS_FUSE_READDIR_H

#include <stdint.h>
#include <sys/types.h>

struct fuse_req;
struct fuse_file_info;

void readdir_open(struct fuse_req *req, uint64_t id, struct fuse_file_info *fi);
void readdir_release(struct fuse_req *req, uint64_t id, struct fuse_file_info *fi);
void readdir_plain(struct fuse_req *req, uint64_t id, size_t size, off_t offset,
		   struct fuse_file_info *fi);
void readdir_plus(struct fuse_req *req, uint64_t id, size_t size, off_t offset,
		  struct fuse_file_info *fi);

#endif
