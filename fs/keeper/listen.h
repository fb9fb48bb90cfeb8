/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.h - the place where pmem2ctl and programs find the daemon
 */
#ifndef PMEM2FS_KEEPER_LISTEN_H
#define PMEM2FS_KEEPER_LISTEN_H

/*
 * Listens at `path`, making its folder (mode 0755) where that is missing. A socket that nobody
 * serves any more is replaced; one that is served is left alone (-EADDRINUSE). Everybody may
 * connect: what one may do depends on who one is. Returns the descriptor or a negative errno,
 * after saying why.
 */
int listen_begin(const char *path);

#endif
