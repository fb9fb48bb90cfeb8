/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * uses.h - who holds an object otherwise than by a mapping
 */
#ifndef PMEM2FS_CTL_USES_H
#define PMEM2FS_CTL_USES_H

#include "ctl/object.h"
#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

enum use_kind {
	USE_MOUNT,     /* a file system: type, path */
	USE_STACKED,   /* part of another block device: name, label */
	USE_SWAP,      /* path */
	USE_LOOP,      /* behind a loop device: name, path */
	USE_MEMORY,    /* of this host */
	USE_OPEN,      /* in a process, without a mapping: path */
	USE_EXCLUSIVE, /* by the kernel, for what cannot be seen */
};

struct use {
	enum use_kind kind;
	const struct object_device *device; /* the object's; NULL: of a file or mount point */
	char *type, *path, *name, *label;   /* NULL where it does not apply */
	pid_t pid; /* open: who has; mount: of another mount namespace, somebody in that; or 0 */
	char *comm;
};

struct uses {
	struct use *list;
	size_t count, room;
	bool blind; /* there may be uses that we could not see */
};

/*
 * Finds all uses. Opens in processes for which `maps` is true are left out: they are known for
 * their mappings.
 */
void uses_find(struct uses *uses, const struct object *object,
	       bool (*maps)(const void *context, pid_t pid), const void *context);

/* Adds a copy of `use` whose texts are copied. */
void uses_add(struct uses *uses, const struct use *use);

/* One line, for the caller to free. */
char *use_text(const struct use *use);

json_t *use_json(const struct use *use);

void uses_clear(struct uses *uses);

/* uses_proc.c: mounts and opens, in all processes */
void uses_find_in_processes(struct uses *uses, const struct object *object,
			    bool (*maps)(const void *context, pid_t pid), const void *context);

#endif
