/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * other_holders.h - who holds an object otherwise than by a mapping
 */
#ifndef PMEM2FS_CTL_OTHER_HOLDERS_H
#define PMEM2FS_CTL_OTHER_HOLDERS_H

#include "ctl/object.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum other_holder_kind {
	HOLDER_MOUNT,     /* a file system: type, path */
	HOLDER_STACKED,   /* part of another block device: name, label */
	HOLDER_SWAP,      /* path */
	HOLDER_LOOP,      /* behind a loop device: name, path */
	HOLDER_MEMORY,    /* of this host */
	HOLDER_OPEN,      /* in a process, without a mapping: path */
	HOLDER_EXCLUSIVE, /* by the kernel, for what cannot be seen */
};

struct other_holder {
	enum other_holder_kind kind;
	const struct object_device *device; /* the object's; NULL: of a file or mount point */
	char *type, *path, *name, *label;   /* NULL where it does not apply */
	/*
	 * open: the process that has it open; mount: a process of another mount namespace; or 0.
	 */
	pid_t pid;
	char *comm;
};

struct other_holders {
	struct other_holder *list;
	size_t count, room;
	bool incomplete; /* there may be holders that could not be seen */
};

/* Adds a copy of `holder`, with copies of its texts. */
void other_holders_add(struct other_holders *holders, const struct other_holder *holder);

/* One line, for the caller to free. */
char *other_holder_text(const struct other_holder *holder);

json_t *other_holder_json(const struct other_holder *holder);

void other_holders_clear(struct other_holders *holders);

#endif
