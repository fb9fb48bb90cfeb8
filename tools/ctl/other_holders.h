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
	HOLDER_OPEN,      /* open in a process, or its working or root directory: path */
	HOLDER_PROGRAM,   /* a process runs it: path */
	HOLDER_MAPPED,    /* mapped in a process: path */
	HOLDER_SOCKET,    /* a socket is bound there: path */
	HOLDER_KERNEL,    /* open in the kernel itself, for the service `name`: path */
	HOLDER_EXCLUSIVE, /* by the kernel, for what cannot be seen */
};

/* Why there may be holders that could not be seen. */
enum holder_doubt {
	DOUBT_PROCESSES, /* not all processes are visible from here */
	DOUBT_KERNEL,    /* the kernel has something open by a path that leads nowhere */
	DOUBT_EXCLUSIVE, /* a disk cannot be opened to try whether it is in use */
	DOUBT_FIRST_OF_LOOK,
	/* Doubts that the next look at the processes may clear up: */
	DOUBT_MOVING = DOUBT_FIRST_OF_LOOK, /* processes came and went */
	DOUBT_REFUSED,                      /* what a process holds may not be read */
	DOUBT_FLIGHT,                       /* descriptors are in the queue of a socket */
	DOUBT_REGISTERED,                   /* an io_uring may keep files or memory */
	DOUBT_PINNED,                       /* a device may keep memory or folders */
	DOUBT_EVENTS,                       /* unread events may keep files open */
	DOUBT_PROBES,                       /* perf events may keep files open */
	DOUBT_SOCKETS,   /* a socket may be bound in a network namespace that cannot be seen */
	DOUBT_NAMESPACE, /* a mount namespace has no process, or no path leads to a mount */
	DOUBT_LAYERS,    /* the layers of a file system cannot be found */
	DOUBT_COUNT,
};

struct other_holder {
	enum other_holder_kind kind;
	const struct object_device *device; /* the object's; NULL: of a file or mount point */
	char *type, *path, *name, *label;   /* NULL where it does not apply */
	/*
	 * The process that holds it. HOLDER_MOUNT: a process of the mount's namespace, if that is
	 * another one. Else 0.
	 */
	pid_t pid;
	char *comm;
};

struct other_holders {
	struct other_holder *list;
	size_t count, room;
	char *doubts[DOUBT_COUNT]; /* the text of each; NULL: no such doubt */
};

/* Adds a copy of `holder`, with copies of its texts. */
void other_holders_add(struct other_holders *holders, const struct other_holder *holder);

/* Notes a doubt. Of several of the same kind, the text of the first is kept. */
void other_holders_doubt(struct other_holders *holders, enum holder_doubt doubt, const char *format,
			 ...) __attribute__((format(printf, 3, 4)));

/* The same about a process: adds its pid and name to the text. */
void other_holders_doubt_process(struct other_holders *holders, enum holder_doubt doubt, pid_t pid,
				 const char *text);

/* Removes the doubts that the last look at the processes has left. */
void other_holders_forget_look(struct other_holders *holders);

/* Whether there is any doubt; with `of_look`, only doubts from looking at processes count. */
bool other_holders_in_doubt(const struct other_holders *holders, bool of_look);

/* Moves all holders and doubts from `from`, which becomes empty. */
void other_holders_move(struct other_holders *holders, struct other_holders *from);

/* One line, for the caller to free. */
char *other_holder_text(const struct other_holder *holder);

json_t *other_holder_json(const struct other_holder *holder);

void other_holders_clear(struct other_holders *holders);

#endif
