/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announce.h - telling the daemon of this process's table
 */
#ifndef PMEM2FS_LIB_PUBLISH_ANNOUNCE_H
#define PMEM2FS_LIB_PUBLISH_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Hand the table over if that is still to be done: once, for the call that has made it; and again,
 * not more than once a second when there is nobody to take it, for calls that make sources. Those
 * need system calls of this kind anyway; a program may map and unmap with no other left to it than
 * mmap and munmap. They never fail, wait for nothing, and leave errno and the error message alone.
 */
void announce_first(void);
void announce_again(void);

/*
 * Hands the table over on a connection that daemon_connect has made, with these flags (wire.h).
 * The descriptor goes along if the daemon cannot do without; the table is then another one.
 * Errors, without a message: -EBUSY (another thread is at it), -ENOENT (there is no table), others
 * of making one and of sendmsg.
 */
int announce_table(int daemon, bool is_root, uint32_t flags);

#endif
