/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders.h - the processes that hold mappings, and their entries in the name space
 *
 * Nothing is looked at while nobody asks. All processes of the host are looked at once a second at
 * most; those that are known to have mappings more often, as long as that takes no more than a
 * tenth of the time. A process that ends is noticed at once.
 */
#ifndef PMEM2FS_HOLDERS_H
#define PMEM2FS_HOLDERS_H

#include "facts.h"
#include "service.h"
#include "watch.h"
#include "witness.h"
#include <stdbool.h>
#include <sys/types.h>

/* One process other than the keeper. */
struct holder {
	struct watch watch; /* first; its pidfd, which tells its end */
	struct holders *all;
	struct holder *next;
	uint64_t process; /* the scanner's number */
	pid_t pid;
	struct owner *owner; /* as it was last seen */
	uint64_t owner_checked;
	void *by_number; /* its mappings, by the sighting's number */
	size_t count;
};

struct holders;

/* `epoll` is borrowed. NULL when memory runs out. */
struct holders *holders_new(struct service *service, int epoll);
void holders_free(struct holders *holders);

/*
 * Looks at all (`now`: even if that was done within the second), or at the process that the name of
 * one of its mappings would have. 0: the waiter is woken when that is done; 1: it was done shortly
 * before, the waiter is not woken; -ENOMEM.
 */
int holders_look(struct holders *holders, bool now, struct waiter *waiter);
int holders_look_for(struct holders *holders, const char *name, struct waiter *waiter);

/* Looks at one process, however shortly before that was done. As holders_look. */
int holders_look_at(struct holders *holders, pid_t pid, struct waiter *waiter);

/* A process hands its table over. Both descriptors are used up; pidfd may be -1. */
void holders_give(struct holders *holders, pid_t pid, int pidfd, int table);

/* Whether the last look at all saw everything that there is. */
bool holders_complete(const struct holders *holders);

#endif
