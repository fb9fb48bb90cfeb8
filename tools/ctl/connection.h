/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connection.h - the daemon's socket
 */
#ifndef PMEM2FS_CTL_CONNECTION_H
#define PMEM2FS_CTL_CONNECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

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
 * Sends one request, of which it takes ownership. The descriptor `fd` is sent with it unless it is
 * -1. Returns false after a message, which names `object`: the connection is of no more use.
 */
bool connection_send(int connection, const char *object, json_t *request, int fd);

/* Waits for the answer to the oldest request without one. `answer` may be NULL. */
enum answer connection_answer(int connection, const char *object, json_t **answer);

/* Both. */
enum answer connection_ask(int connection, const char *object, json_t *request, int fd,
			   json_t **answer);

/*
 * Waits for the next packet and stores it in `bytes`, which has room for CONTROL_MAX_BYTES. Returns
 * its length, above 0, or -1 after a message.
 */
ssize_t connection_receive_bytes(int connection, const char *object, char *bytes);

/* Waits for the next packet and parses it as JSON. Returns the object, or NULL after a message. */
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
