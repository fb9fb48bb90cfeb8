/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptor.h - packets with a descriptor
 *
 * Owns no data. The packets of all sockets of the daemon carry one descriptor at most.
 */
#ifndef PMEM2FS_BASE_DESCRIPTOR_H
#define PMEM2FS_BASE_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * recvmsg(2) of one packet with at most one descriptor, close-on-exec; *fd is -1 where none came.
 * Of several, none is kept. Returns the packet's length or a negative errno: -EMSGSIZE (the
 * packet is longer than `size`), -EMFILE (more than one descriptor, or no room for one), those of
 * recvmsg. 0 is the end of the connection, or an empty packet, which no part of pmem2fs sends.
 */
ssize_t descriptor_receive(int socket, void *buffer, size_t size, int flags, int *fd);

/* sendmsg(2) of one packet, with the descriptor `fd` unless that is -1; `fd` stays open. Returns 0
 * or a negative errno. */
int descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);

/* Lets this process have a million descriptors, or without root as many as it may. */
void descriptor_raise_limit(void);

#endif
