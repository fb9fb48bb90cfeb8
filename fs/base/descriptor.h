/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * descriptor.h - a descriptor that comes along with a message
 */
#ifndef PMEM2FS_DESCRIPTOR_H
#define PMEM2FS_DESCRIPTOR_H

#include <stddef.h>
#include <sys/types.h>

/*
 * recvmsg(2) of one packet with at most one descriptor, close-on-exec; *fd is -1 where none came.
 * Of several, none is kept. Returns the packet's length or a negative errno: -EMSGSIZE (it is
 * longer than `size`), -EMFILE (more than one descriptor, or no room for one), those of recvmsg. 0
 * is the end, or an empty packet, which nobody here sends.
 */
ssize_t descriptor_receive(int socket, void *buffer, size_t size, int flags, int *fd);

/* sendmsg(2) of one packet, with a descriptor unless `fd` is -1. Returns 0 or a negative errno. */
int descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);

#endif
