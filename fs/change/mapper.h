/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper.h - makes, removes and renames mappings through the keeper
 *
 * The same for requests that were written to a file and for those from the socket. Every call
 * ends in exactly one call of `finished`, in the loop, at once or later.
 */
#ifndef PMEM2FS_MAPPER_H
#define PMEM2FS_MAPPER_H

#include "base/clock.h"
#include "catalog/catalog.h"
#include "host/identity.h"
#include "protocol/request.h"
#include "service.h"

#define MAPPER_WHY_LENGTH 1536

/* The patience of a call for which the kernel holds up whoever else changes the directory. */
#define MAPPER_RESPITE (CLOCK_SECOND * 3 / 10)

/* What came of it: 0 or a positive errno, with the text that names the object and the reason. */
typedef void (*mapper_finished)(void *arg, int error, const char *why);

/* A mapping that is being made. */
struct map_job;

/*
 * Makes a mapping under `name` for the user and group given. `request` is used up. The source is
 * opened with the rights of `identity`, which is used up; or `fd` (-1: none), used up as well, was
 * passed by process `peer`. `job` (may be NULL) is set to what mapper_abandon takes until
 * `finished`.
 */
void mapper_map(struct service *service, const char *name, struct request *request, uid_t uid,
		gid_t gid, struct identity *identity, int fd, pid_t peer, mapper_finished finished,
		void *arg, struct map_job **job);

/* Nobody waits any more: `finished` is not called, and nothing stays mapped. */
void mapper_abandon(struct map_job *job);

/* Whether that user may have one area more; else a positive errno, and why. */
int mapper_check_room(struct service *service, uid_t uid, char why[MAPPER_WHY_LENGTH]);

/* A change of a mapping. */
struct change_job;

/*
 * Removes a mapping, on behalf of `uid`. It is begun within `patience` nanoseconds or not at all.
 * When it has not ended by then the answer is EBUSY; the mapping goes later if the keeper, or the
 * process that published it, had begun. `job` (may be NULL) is set to what mapper_withdraw takes,
 * while there is something to withdraw: a process that is being asked.
 */
void mapper_unmap(struct service *service, struct mapping *mapping, uid_t uid, uint64_t patience,
		  mapper_finished finished, void *arg, struct change_job **job);

/* Nobody waits any more: `finished` is not called, and what has not begun never will. */
void mapper_withdraw(struct change_job *job);

/*
 * Unmaps the pages with any of the `length` bytes (MAPPER_TO_THE_END: all the rest) from `offset`
 * on, counted from the mapping's start, by the same rules. The mapping stays, also when nothing is
 * left of it.
 */
#define MAPPER_TO_THE_END UINT64_MAX
void mapper_unmap_range(struct service *service, struct mapping *mapping, uint64_t offset,
			uint64_t length, uid_t uid, uint64_t patience, mapper_finished finished,
			void *arg);

/* Gives a mapping another name, by the same rules. */
void mapper_rename(struct service *service, struct mapping *mapping, const char *name, uid_t uid,
		   uint64_t patience, mapper_finished finished, void *arg);

/* Writes a failure to the log and tells the subscribers. `why` names the object and the reason. */
void mapper_failed(struct service *service, const char *operation, const char *name, uid_t uid,
		   int error, const char *why);

/* Shows what the keeper holds already, at the start of a worker. Returns 0 or a negative errno. */
int mapper_load(struct service *service);

#endif
