/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h - answers what is asked over the socket (control.h has the protocol)
 */
#ifndef PMEM2FS_SERVER_H
#define PMEM2FS_SERVER_H

#include "service.h"

struct server;

/* Accepts on `listener` from now on, watched through `epoll`; both are borrowed. NULL when memory
 * runs out. */
struct server *server_new(struct service *service, int epoll, int listener);
void server_free(struct server *server);

/* Frees the connections that have ended; to be called between two rounds of the loop. */
void server_sweep(struct server *server);

#endif
