/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon_socket.h - the connection to the daemon
 */
#ifndef PMEM2FS_LIB_PUBLISH_DAEMON_SOCKET_H
#define PMEM2FS_LIB_PUBLISH_DAEMON_SOCKET_H

#include <stdbool.h>

/*
 * Connects to the daemon that serves this process: root's, or the user's own. Returns a
 * SOCK_SEQPACKET socket, non-blocking and close-on-exec, which the caller owns; *is_root: the
 * daemon is root's. Never waits, and cannot be cancelled. Errors, without a message: -ENOENT and
 * -ECONNREFUSED (no daemon), -EPERM (the peer is not trusted), -EAGAIN (the daemon is busy),
 * -ENAMETOOLONG, others of socket and connect.
 */
int daemon_connect(bool *is_root);

#endif
