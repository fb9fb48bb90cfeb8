/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receivers.h - takes packets with descriptors from users, and closes what users have given
 *
 * Owns the receiver processes (receiver.h): one for a user, while it has something to do and some
 * time after. A receiver that hangs is left behind and killed, and another one is started; a user
 * with RECEIVERS_STUCK_MAX hanging receivers gets another one when one has ended. Sockets and files
 * that wait for a receiver stay open here, within receivers_share. While a user's receivers have
 * done nothing for a second, these are RECEIVERS_WAITING_MAX of each; further ones are kept by a
 * process that does nothing else. Used by the request loop alone.
 */
#ifndef PMEM2FS_RECEIVE_RECEIVERS_H
#define PMEM2FS_RECEIVE_RECEIVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct share;
struct quota;
struct receivers;
struct receive_result;

/* So many packets, sockets and files of a user may wait while its receivers hang. */
#define RECEIVERS_WAITING_MAX 32

/*
 * How many packets wait for receivers, how many sockets, and how many files: each of 56 users is
 * sure of 64. Sockets and files beyond that are kept elsewhere, if they can be.
 */
extern const struct share receivers_share;

/* A packet that is being received, or a file that is being closed. Part of its owner's struct; zero
 * while there is none. */
struct receive {
	/*
	 * Takes ownership of `fd` (-1: none was passed on). `result` says how long the packet is,
	 * and what was refused; result->size is -ECANCELED if the receiver hung or died. Of a file,
	 * result->size is all that is said: see receivers_close_file.
	 */
	void (*received)(struct receive *receive, const struct receive_result *result,
			 const char *packet, int fd);
	struct receive_job *job; /* receive_jobs.h; NULL: none is under way */
};

/*
 * Receivers are started as `program` with the argument --receiver. Those of root are in the epoll
 * set `first`, and all others in `users`. The time that a start takes, and what a receiver
 * says, is charged to its user in `loop_time`. NULL: out of memory.
 */
struct receivers *receivers_new(int first, int users, const char *program, struct quota *loop_time);
/* Ends the receivers. Sockets that wait are left to the end of the process. */
void receivers_free(struct receivers *receivers);

/*
 * Has the next packet of a socket taken for user `uid`, with its descriptors, and calls `received`,
 * which is set. `peer` is the process at the other end. Returns 0, -ENOMEM or
 * -EAGAIN: too many of the user's packets wait while nothing is done, or of all users, or
 * receivers_are_behind.
 */
int receivers_take(struct receivers *receivers, int socket, uid_t uid, pid_t peer,
		   struct receive *receive);

/*
 * Shuts a socket down and closes it, without waiting. Takes ownership of it. `receive` (NULL: none)
 * is what receivers_take may still be doing with it; it is zero afterwards, and is not called.
 */
void receivers_close(struct receivers *receivers, int socket, uid_t uid, struct receive *receive);

/*
 * Has a file closed that user `uid` has given or had opened. Its last close may take for ever, and
 * is not made here. Takes ownership of `fd`. Calls `received` of `receive` (NULL: nobody waits)
 * once, at once or later: with the size 0 when the file is closed, -ETIMEDOUT when it is not by
 * clock_now() == until, -ECANCELED if a receiver hung or died, or cannot be had.
 */
void receivers_close_file(struct receivers *receivers, int fd, uid_t uid, uint64_t until,
			  struct receive *receive);

/*
 * So many of a user's files wait to be closed, while none is, that it is to give no more of them;
 * or so many of all users, and nothing can keep those of this one. Otherwise, however many wait, a
 * user whose files are being closed may give more.
 */
bool receivers_are_behind(const struct receivers *receivers, uid_t uid);

/* How many sockets of a user wait for a receiver. */
unsigned receivers_waiting(const struct receivers *receivers, uid_t uid);

/*
 * Leaves receivers behind that hang, and ends those with nothing to do. Returns when it is to be
 * called again, UINT64_MAX for never.
 */
uint64_t receivers_expire(struct receivers *receivers, uint64_t now);

#endif
