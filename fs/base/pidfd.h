/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pidfd.h - which process it is
 *
 * A pid is given to another process when its process has ended and was waited for. A pidfd stands
 * for one process for ever, but that the kernel gives it out proves nothing: it also does for
 * processes that have ended. So a process is known by its pidfd, which is asked before each use,
 * and whether two of them stand for one process is decided by one rule, which holds with every
 * kernel:
 *
 *   Two pidfds that were opened for the same pid stand for the same process if one of them is
 *   asked and found alive, and then the other is asked and found alive.
 *
 * The second process lived already when the first was asked, and no two processes that live at the
 * same time have the same pid.
 */
#ifndef PMEM2FS_BASE_PIDFD_H
#define PMEM2FS_BASE_PIDFD_H

#include <stdbool.h>
#include <sys/types.h>

/* The process that has this pid now. A new descriptor, or a negative errno: -ESRCH. */
int pidfd_open_pid(pid_t pid);

/*
 * The process that has made a connection, which may have ended; `pid` is its pid by SO_PEERCRED. A
 * new descriptor or a negative errno. To be called as soon as the connection is accepted: before
 * Linux 6.5 it stands for the process that has the pid now, which is another one if the process
 * that connected has ended and was waited for, and all pids were given out once, before that call.
 */
int pidfd_open_peer(int socket, pid_t pid);

/* False: the process has ended, whether or not it was waited for, or there is no descriptor (-1).
 */
bool pidfd_is_alive(int pidfd);

#endif
