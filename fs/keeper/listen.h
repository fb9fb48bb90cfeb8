/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.h - the socket at which pmem2ctl and programs find the daemon
 *
 * Made by the keeper, so that it stays while workers come and go.
 */
#ifndef PMEM2FS_KEEPER_LISTEN_H
#define PMEM2FS_KEEPER_LISTEN_H

/*
 * Listens at `path`; makes its folder (mode 0755) where that is missing. A socket that nobody
 * serves is replaced; one that is served is left alone (-EADDRINUSE). Everybody may connect: what a
 * peer may do depends on its user. Returns the descriptor, or a negative errno after logging why.
 */
int listen_begin(const char *path);

#endif
