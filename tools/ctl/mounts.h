/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mounts.h - the mounts of all mount namespaces
 */
#ifndef PMEM2FS_CTL_MOUNTS_H
#define PMEM2FS_CTL_MOUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A line of a mount table. Ids are those of the whole host. */
struct mount {
	char *line; /* has the texts */
	char *root, *path, *type, *source, *options;
	uint64_t id, parent;
	dev_t dev;              /* of the file system, as in /proc/PID/maps */
	unsigned group, master; /* its peer group, and that from which it gets mounts; 0: none */
	size_t view;            /* index in `views`: who sees it */
};

/*
 * A view of the mounts. Processes have the same view if they have the same mount namespace and root
 * directory: they see the mounts below it.
 */
struct mount_view {
	ino_t namespace;
	uint64_t root_mount;
	ino_t root;
	pid_t pid; /* the first process that has this view; 0: this one */
	char *comm;
	char *directory; /* a path to the root directory, or "" for this process */
	int root_fd;     /* kept open for `directory`, or -1 */
};

struct mounts {
	struct mount *list;
	size_t count, room;
	struct mount_view *views;
	size_t view_count, view_room;
};

/*
 * Adds the mounts that a thread sees, unless its view was read before; and all mounts of its
 * namespace, some of which no process may see that has another root directory. `directory` is the
 * folder of the thread in /proc, `pid` its process, 0 for this one. The calling thread enters
 * other namespaces meanwhile. Returns 0 or a negative errno.
 */
int mounts_read(struct mounts *mounts, const char *directory, pid_t pid);

/* To be called after the last mounts_read and before mounts_find. */
void mounts_sort(struct mounts *mounts);

/* The mount with that id in the first view that has it, or NULL. */
const struct mount *mounts_find(const struct mounts *mounts, uint64_t id);

/* Whether a view of that mount namespace was read. */
bool mounts_know_namespace(const struct mounts *mounts, ino_t namespace);

void mounts_clear(struct mounts *mounts);

#endif
