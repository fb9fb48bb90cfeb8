/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper.h - makes mappings through the keeper
 *
 * The same for requests that were written to a file and for those from the socket. Used by the
 * request loop alone; a thread of the pool opens the source, unless that makes nobody wait. Calls
 * the keeper's link, the catalog and its events.
 */
#ifndef PMEM2FS_CHANGE_MAPPER_H
#define PMEM2FS_CHANGE_MAPPER_H

#include "change/completion.h"
#include "change/mapping_limits.h"
#include "host/identity.h"
#include "protocol/request.h"
#include <sys/types.h>

struct catalog;
struct events;
struct facts_cache;
struct keeper_link;
struct pmem2fs_table;
struct pool;
struct quick_opener;
struct receivers;

/* What is needed to make mappings. All is borrowed. */
struct mapper {
	struct catalog *catalog;
	struct events *events;
	struct facts_cache *facts_cache; /* knows the process of the keeper */
	struct keeper_link *keeper;
	struct pmem2fs_table *table; /* the keeper's */
	struct pool *openers;        /* its lanes are users */
	struct quick_opener *quick_opener;
	struct receivers *receivers; /* close what users have given */
	const struct limits *limits;
};

/* A mapping that is being made. */
struct map_job;

/*
 * Makes a mapping under `name` for the user and group given. Takes ownership of what `*request`
 * has. The source is opened with the rights of `identity`; or process `peer` has passed it, open,
 * as `fd` (-1: it has not). Takes ownership of both. Calls `finished` exactly once, at once or
 * later, unless mapper_abandon is called. *job (`job` may be NULL) is what mapper_abandon takes,
 * and becomes NULL with the end.
 */
void mapper_map(const struct mapper *mapper, const char *name, struct request *request, uid_t uid,
		gid_t gid, struct identity *identity, int fd, pid_t peer, completion *finished,
		void *arg, struct map_job **job);

/* Nobody waits for it now: `finished` is not called, and nothing stays mapped. */
void mapper_abandon(struct map_job *job);

/* Shows what the keeper holds already, at the start of a worker. Returns 0 or a negative errno. */
int mapper_load(const struct mapper *mapper);

#endif
