/* SPDX-License-Identifier: BSD-3-Clause */
/* announce.h - announcing the table of this process to the daemon */
#ifndef PMEM2FS_LIB_PUBLISH_ANNOUNCE_H
#define PMEM2FS_LIB_PUBLISH_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Announce the table if that is still to be done. first does it once, for the call that has made
 * the table. again repeats it, at most once a second while no daemon accepts it; it is for calls
 * that make sources, which need system calls of this kind anyway: a program that maps and unmaps
 * may be allowed nothing but mmap and munmap. Both are called without a lock. They never fail or
 * wait, and leave errno and the error message alone.
 */
void announce_first(void);
void announce_again(void);

/*
 * Announces the table on a connection of daemon_connect, with these flags (wire.h). If the daemon
 * needs the descriptor, it is sent along, and the table is made anew for that. Errors, without a
 * message: -EBUSY (another thread is announcing), -ENOENT (there is no table), those of making one
 * and of sendmsg.
 */
int announce_table(int daemon, bool is_root, uint32_t flags);

#endif
