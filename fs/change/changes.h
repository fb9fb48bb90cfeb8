/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * changes.h - unmaps and renames mappings
 *
 * A mapping of the keeper is changed by a command to it. A mapping that another process has
 * published is released by that process (release.h). All other changes are refused. The same for
 * requests from the file system and for those from the socket. Used by the request loop alone.
 */
#ifndef PMEM2FS_CHANGE_CHANGES_H
#define PMEM2FS_CHANGE_CHANGES_H

#include "change/completion.h"
#include "change/mapping_limits.h"
#include <stdint.h>
#include <sys/types.h>

struct catalog;
struct events;
struct hold_up;
struct keeper_link;
struct mapping;
struct receivers;
struct releases;

/* What is needed to change mappings. All is borrowed. */
struct changes {
	struct catalog *catalog;
	struct events *events;
	struct keeper_link *keeper;
	struct releases *releases;
	struct receivers *receivers; /* close what was mapped */
	struct hold_up *hold_up;     /* charged for files that take long to close */
	const struct limits *limits;
	/*
	 * Called when a name no longer shows what its readers know: it has gone though its caller
	 * was answered that nothing happens, or its document has changed.
	 */
	void (*name_changed)(void *arg, const char *name);
	void *arg;
};

/* A change of a mapping. */
struct change_job;

/*
 * All changes are made on behalf of the user `uid`, and call `finished` exactly once, at once or
 * later. They begin within `patience` nanoseconds or not at all. A change that has not ended by
 * then is answered with EBUSY; it ends later if the keeper, or the process that has published the
 * mapping, had begun it. An unmap ends when the file is closed, too, so that what it is on can be
 * unmounted, but succeeds without that when it takes longer; rm does not wait again and again for
 * a user whose files take long.
 */

/*
 * Removes a mapping. *job (`job` may be NULL) is what changes_withdraw takes while a process is
 * being asked for the mapping, and NULL otherwise.
 */
void changes_unmap(const struct changes *changes, struct mapping *mapping, uid_t uid,
		   uint64_t patience, completion *finished, void *arg, struct change_job **job);

/* Nobody waits for it now: `finished` is not called, and what has not begun never will. */
void changes_withdraw(struct change_job *job);

/*
 * Unmaps the pages with any of the `length` bytes (CHANGES_TO_THE_END: all the rest) from `offset`
 * on, counted from the mapping's start. The mapping stays, also when nothing is left of it.
 */
#define CHANGES_TO_THE_END UINT64_MAX
void changes_unmap_range(const struct changes *changes, struct mapping *mapping, uint64_t offset,
			 uint64_t length, uid_t uid, uint64_t patience, completion *finished,
			 void *arg);

/* Gives a mapping another name. */
void changes_rename(const struct changes *changes, struct mapping *mapping, const char *name,
		    uid_t uid, uint64_t patience, completion *finished, void *arg);

#endif
