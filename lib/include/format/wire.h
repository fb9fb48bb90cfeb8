/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.h - the messages between a process that maps and the daemon
 *
 * They go over the daemon's SOCK_SEQPACKET socket, one struct wire_message per packet. The library
 * begins with WIRE_TABLE. Without WIRE_STAYS it then closes the connection; with it, the daemon may
 * ask for mappings to be released:
 *
 *   daemon            library
 *   WIRE_ASK    --->
 *               <---  WIRE_READY      the program serves requests; nothing has happened yet
 *   WIRE_GO     --->                  from now on the handler may run
 *               <---  WIRE_DONE       the mapping is unmapped, or the error
 *
 * WIRE_WITHDRAWN in place of WIRE_GO ends the request: it is never carried out later. A request
 * that is refused at once (no handler, no such mapping) is answered with WIRE_DONE in place of
 * WIRE_READY. What is really unmapped is what the kernel and the table show. Several requests may
 * be pending at once. Unknown types are ignored. The connection is that of the process that has
 * made it, which sends all messages itself: it ends with the process, and by a message that another
 * process sends, as a child can that has inherited the socket.
 */
#ifndef PMEM2FS_LIB_FORMAT_WIRE_H
#define PMEM2FS_LIB_FORMAT_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC 0x3065726977326670ull /* no JSON text begins like this */

enum wire_type {
	WIRE_TABLE = 1, /* flags, table; the table's memfd comes along, unless only root can ask */
	WIRE_ASK,       /* request, slot, generation */
	WIRE_READY,     /* request */
	WIRE_GO,        /* request */
	WIRE_WITHDRAWN, /* request */
	WIRE_DONE,      /* request, error */
};

#define WIRE_STAYS 1u /* the library listens for requests */

struct wire_message {
	uint64_t magic;
	uint32_t type; /* enum wire_type */
	uint32_t flags;
	uint64_t table;      /* inode number of the table's memfd */
	uint64_t request;    /* the daemon's number for it, unique on this connection */
	uint64_t generation; /* of the slot; another generation is another mapping */
	uint32_t slot;
	/*
	 * 0: released. -ENOENT: no such mapping. PMEM2_E_NOSUPP: the mapping has no handler.
	 * Others: the handler refused.
	 */
	int32_t error;
};

_Static_assert(sizeof(struct wire_message) == 48, "the message's layout is fixed");

#endif
