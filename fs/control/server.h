/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.h - answers what is asked over the socket (control.h has the protocol)
 */
#ifndef PMEM2FS_CONTROL_SERVER_H
#define PMEM2FS_CONTROL_SERVER_H

#include "base/share.h"
#include <stdbool.h>
#include <stdint.h>

struct question_means;
struct receivers;
struct releases;
struct server;

/*
 * How many connections there may be, those of libraries not counted: each of 112 users is sure of
 * two. Questions, scans and subscriptions to events are limited with them, since a connection has
 * one of each at most.
 */
extern const struct share server_share;

/*
 * Accepts on `listener` from now on. The epoll `first` watches it and the connections of root, and
 * `users` those of others. Questions are carried out with `means`; the connections of libraries are
 * passed to `releases`. All are borrowed. NULL: out of memory.
 */
struct server *server_new(const struct question_means *means, struct releases *releases,
			  struct receivers *receivers, int first, int users, int listener);
void server_free(struct server *server);

/*
 * Accepts the connections that wait, and takes in the first packets of libraries that have come: a
 * process that has announced its table before this call is known after it, unless its packet has to
 * go through a receiver. No question is carried out. Each connection is charged to its user, and
 * the caller charges the user who asks for all of it.
 */
void server_hear(struct server *server);

/*
 * Closes connections whose peers do not read. Returns when to call it again, UINT64_MAX for never.
 */
uint64_t server_expire(struct server *server, uint64_t now);

/*
 * Frees the connections that have ended; to be called between two rounds of the loop. Returns
 * whether there were any: then others may go on, which waited for their places, so that other
 * modules are to be asked again what is due.
 */
bool server_sweep(struct server *server);

#endif
