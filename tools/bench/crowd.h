/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crowd.h - many processes with mappings
 */
#ifndef PMEM2FS_BENCH_CROWD_H
#define PMEM2FS_BENCH_CROWD_H

#include "bench/fixture.h"
#include "bench/library.h"
#include "bench/options.h"
#include <stddef.h>
#include <sys/types.h>

#define CROWD_PATH_SIZE 352

struct crowd {
	const struct fixture *fixture;
	const struct library *library;
	const struct crowd_shape *shape;
	char folder[320]; /* of the files that they map */
	pid_t *pid;
	size_t started;
};

/* How many mappings it has. */
static inline size_t crowd_size(const struct crowd *crowd)
{
	return crowd->shape->processes * crowd->shape->mappings;
}

/*
 * Starts the processes, and waits until all their mappings show in the mount. After a failure, too,
 * crowd_stop must be called. Returns 0 or a negative errno after a message.
 */
int crowd_start(struct crowd *crowd, const struct fixture *fixture, const struct library *library,
		const struct crowd_shape *shape);

/* The path of a file that all its processes map. */
void crowd_file(const struct crowd *crowd, size_t number, char path[CROWD_PATH_SIZE]);

/* Ends the processes, and waits until the mount is empty. Returns as crowd_start. */
int crowd_stop(struct crowd *crowd);

#endif
