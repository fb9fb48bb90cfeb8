/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listing.h - ls: READDIR and READDIRPLUS of the root directory
 *
 * The cookie of an entry is its number, so that a listing goes on rightly whatever comes and goes
 * meanwhile.
 */
#ifndef PMEM2FS_LISTING_H
#define PMEM2FS_LISTING_H

#include <stdint.h>
#include <sys/types.h>

struct fuse_req;
struct fuse_file_info;

void listing_readdir(struct fuse_req *req, uint64_t id, size_t size, off_t offset,
		     struct fuse_file_info *fi);
void listing_readdirplus(struct fuse_req *req, uint64_t id, size_t size, off_t offset,
			 struct fuse_file_info *fi);

#endif
