/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * worker_fds.h - the descriptors that a worker finds open when it starts
 *
 * The keeper puts them under these numbers when it starts the worker, which owns them from then on.
 */
#ifndef PMEM2FS_PROTOCOL_WORKER_FDS_H
#define PMEM2FS_PROTOCOL_WORKER_FDS_H

enum worker_fd {
	WORKER_FD_FIRST = 3,
	WORKER_FD_FUSE = WORKER_FD_FIRST, /* the connection to the kernel, mounted already */
	WORKER_FD_COMMANDS,               /* its end of the socket of command.h */
	WORKER_FD_LISTENER,               /* the listening socket of control.h */
	WORKER_FD_TABLE,                  /* the library's table of the keeper */
	WORKER_FD_LIFELINE,               /* its first thread holds it (base/lifeline.h) */
	WORKER_FD_END,
	WORKER_FDS = WORKER_FD_END - WORKER_FD_FIRST,
};

#endif
