/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver.h - a process that receives descriptors from the processes of one user
 *
 * A process can pass a descriptor whose closing waits for good: a socket with unsent data, a file
 * on a file system of its own. The kernel closes what is in a packet when the packet is thrown
 * away, too, and a thread that waits so in a file system cannot be killed. So the worker takes no
 * packet with descriptors from a socket. A receiver does, passes on what is known to be harmless (a
 * regular file on a file system that cannot hang, a DAX node, a memfd), and closes the rest. If it
 * hangs then, only its user is concerned. The worker has it close files, too: the last close of one
 * whose name was removed frees its blocks, and may wait for pages that are pinned.
 */
#ifndef PMEM2FS_RECEIVE_RECEIVER_H
#define PMEM2FS_RECEIVE_RECEIVER_H

/*
 * Serves message.h on RECEIVER_FD until the worker closes its end. It begins with what it has
 * inherited as RECEIVER_FD_INHERITED: RECEIVER_REST or RECEIVER_FILE (receiver_fds.h); NULL:
 * nothing. Returns the exit status.
 */
int receiver_run(const char *inherited);

#endif
