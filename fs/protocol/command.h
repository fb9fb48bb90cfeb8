/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command.h - what the worker asks of the keeper
 *
 * One struct command is one SOCK_SEQPACKET message, answered by one struct command_reply with the
 * same id; answers may come in another order. COMMAND_MAP of a file carries the opened file as
 * SCM_RIGHTS; the keeper keeps it as long as any of it is mapped. Before its answer to the command
 * that unmaps the last of it, it gives the file back, by a struct command_reply with the same id,
 * and closes it: then the last reference is the worker's. Everything has a fixed size: the keeper
 * parses nothing. keeper/commands.c carries commands out, change/keeper_link.c sends them.
 */
#ifndef PMEM2FS_PROTOCOL_COMMAND_H
#define PMEM2FS_PROTOCOL_COMMAND_H

#include "libpmem2fs.h"
#include <stdint.h>

enum command_op {
	COMMAND_MAP = 1,     /* all fields but slot; answers the slot */
	COMMAND_UNMAP,       /* slot */
	COMMAND_UNMAP_RANGE, /* slot, offset, length, last */
	COMMAND_LABEL,       /* slot, label */
	COMMAND_PING,        /* nothing; answered by a keeper that has a thread to spare */
	COMMAND_READY,       /* the worker serves the mount; not answered */
};

struct command {
	uint64_t id;         /* the worker's, comes back in the answer */
	uint64_t deadline;   /* CLOCK_MONOTONIC, ns: not carried out when begun later; 0 is none */
	uint64_t offset;     /* bytes; into the source, COMMAND_UNMAP_RANGE: into the mapping */
	uint64_t length;     /* bytes; COMMAND_MAP: 0 is to the end; of anonymous memory its size */
	uint32_t slot;       /* in the keeper's table */
	uint32_t op;         /* enum command_op */
	uint32_t protection; /* PMEM2_PROT_ */
	uint32_t uid, gid;
	uint8_t anonymous;
	uint8_t granularity; /* enum pmem2_granularity: the coarsest that will do */
	uint8_t sharing;     /* enum pmem2_sharing_type */
	uint8_t label_length;
	uint8_t last; /* COMMAND_UNMAP_RANGE: nothing is mapped afterwards */
	char label[PMEM2FS_LABEL_MAX + 1];
};

struct command_reply {
	uint64_t id;
	int32_t error;     /* 0, or an error of the library; -ETIMEDOUT: the deadline had passed */
	uint32_t slot;     /* in the keeper's table */
	uint32_t returns;  /* not 0: not the answer, but the file that comes before it */
	char message[300]; /* of the error, terminated */
};

#endif
