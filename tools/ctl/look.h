/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * look.h - what is collected while all processes are looked at once
 */
#ifndef PMEM2FS_CTL_LOOK_H
#define PMEM2FS_CTL_LOOK_H

#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/unix_sockets.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

/* A mount namespace that a process keeps by a descriptor. */
struct kept_namespace {
	ino_t inode;
	pid_t pid;
};

struct look {
	struct other_holders *holders;
	const struct object *object;
	dev_t filesystem; /* that of a file or mount point, as in maps */
	/* The mounts of `filesystem` that were known before this look. */
	uint64_t *mount_ids;
	size_t mount_id_count, mount_id_room;
	struct mounts mounts;
	struct unix_sockets sockets;
	struct kept_namespace *kept;
	size_t kept_count, kept_room;
	dev_t nsfs; /* device number of the file system that namespaces are files of */
};

/*
 * Whether a file is on the file system of the file or mount point that is looked for. Its device
 * number does not tell that alone: each subvolume of a btrfs has another one.
 */
bool look_is_on_filesystem(const struct look *look, const struct statx *status);

/* Whether a file is part of the object; *device then says of which device of it. */
bool look_has(const struct look *look, const struct statx *status,
	      const struct object_device **device);

#endif
