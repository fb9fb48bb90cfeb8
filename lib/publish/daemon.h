/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon.h - the connection to the daemon
 */
#ifndef PMEM2FS_LIB_PUBLISH_DAEMON_H
#define PMEM2FS_LIB_PUBLISH_DAEMON_H

#include <stdbool.h>

/*
 * Connects to the daemon that is to know of this process: that of root, or the user's own. Returns
 * a SOCK_SEQPACKET socket, non-blocking and close-on-exec, which is the caller's; *is_root: it is
 * root's. Waits for nothing and cannot be cancelled; sets no message.
 * Errors: -ENOENT, -ECONNREFUSED (nobody listens), -EPERM (somebody does who is not to be
 * trusted), -EAGAIN (too busy just now), -ENAMETOOLONG, others of socket and
 * connect.
 */
int daemon_connect(bool *is_root);

#endif
