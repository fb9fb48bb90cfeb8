/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unix_sockets.h - the UNIX sockets of all network namespaces
 */
#ifndef PMEM2FS_CTL_UNIX_SOCKETS_H
#define PMEM2FS_CTL_UNIX_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct unix_socket {
	ino_t inode;     /* of the socket; 0: a connection that was not accepted yet */
	ino_t namespace; /* the network namespace in which it was read */
	dev_t dev;       /* of the file system that it is bound in; 0: it is not */
	char *path;      /* the path to which it was bound, or NULL */
	bool unread;     /* a connection that was not accepted and has data */
};

struct unix_sockets {
	struct unix_socket *list;
	size_t count, room;
	ino_t *namespaces;
	size_t namespace_count, namespace_room;
	int error; /* a negative errno: the sockets of some namespace could not be read */
};

/*
 * Adds the sockets of the network namespace of a thread, whose opened folder in /proc is `thread`.
 * Does nothing if the namespace was read before; with `again`, its sockets replace those read
 * before. Returns 0, or a negative errno if the namespace of the thread cannot be found out.
 */
int unix_sockets_read(struct unix_sockets *sockets, int thread, bool again);

/* The socket with that inode, or NULL. */
const struct unix_socket *unix_sockets_find(const struct unix_sockets *sockets, ino_t inode);

void unix_sockets_clear(struct unix_sockets *sockets);

#endif
