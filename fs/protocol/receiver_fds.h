/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receiver_fds.h - the descriptors that a receiver process finds open when it starts
 */
#ifndef PMEM2FS_PROTOCOL_RECEIVER_FDS_H
#define PMEM2FS_PROTOCOL_RECEIVER_FDS_H

enum receiver_fd {
	RECEIVER_FD = 3,       /* its end of the pair of message.h */
	RECEIVER_FD_INHERITED, /* a socket or a file, if it was started for that */
	RECEIVER_FD_END,
	RECEIVER_FDS = RECEIVER_FD_END - RECEIVER_FD,
};

/*
 * The argument behind --receiver says what is to be done with it: what a command RECEIVE_REST or
 * RECEIVE_FILE would say.
 */
#define RECEIVER_REST "rest"
#define RECEIVER_FILE "file"

#endif
