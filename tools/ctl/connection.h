/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.h - the daemon's socket
 */
#ifndef PMEM2FS_CTL_CONNECTION_H
#define PMEM2FS_CTL_CONNECTION_H

#include <jansson.h>

/*
 * Connects to the daemon: at `path`, or where path is NULL, at the places where a daemon listens.
 * Returns a descriptor that the caller closes, or -1 after a message.
 */
int connection_open(const char *path);

enum answer {
	ANSWER_LOST = -1,   /* the connection is of no more use */
	ANSWER_SUCCESS = 0, /* *answer is the caller's */
	ANSWER_REFUSED = 1,
};

/*
 * Sends one request, of which it takes ownership, and waits for the answer. The descriptor `fd`
 * goes along where it is not -1. `object` is what a failure is reported of; `answer` may be NULL.
 */
enum answer connection_ask(int connection, const char *object, json_t *request, int fd,
			   json_t **answer);

/* Waits for the next packet. Returns it, or NULL after a message. */
json_t *connection_receive(int connection, const char *object);

enum scan_result {
	SCAN_FAILED,      /* after a message */
	SCAN_UNSUPPORTED, /* the daemon is too old to scan other processes */
	SCAN_PARTIAL,     /* there may be mappings that the daemon cannot see */
	SCAN_COMPLETE,
};

/* Has the daemon scan all processes now. */
enum scan_result connection_scan(int connection);

#endif
