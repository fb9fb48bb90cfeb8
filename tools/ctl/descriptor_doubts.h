/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptor_doubts.h - descriptors that may keep an object in use unseen
 */
#ifndef PMEM2FS_CTL_DESCRIPTOR_DOUBTS_H
#define PMEM2FS_CTL_DESCRIPTOR_DOUBTS_H

#include "ctl/look.h"
#include <sys/stat.h>
#include <sys/types.h>

/*
 * Notes doubts about a descriptor that is not itself part of the object. `thread` is the opened
 * folder of a thread in /proc, `name` the descriptor's number, `status` what statx says of it.
 */
void descriptor_doubts(struct look *look, pid_t pid, int thread, const char *name,
		       const struct statx *status);

#endif
