/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * comparison.h - ours and its peers, measured in turn
 *
 * Ours and one peer or several are the sides of a comparison. They are measured in turn in many
 * short rounds of one run, so that whatever drifts in the machine drifts for all. Only the ratio of
 * two sides is a result.
 */
#ifndef PMEM2FS_BENCH_COMPARISON_H
#define PMEM2FS_BENCH_COMPARISON_H

#include "bench/statistics.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The work of one side in one round. */
struct sample {
	uint64_t ns;
	uint64_t cpu_ns; /* that CPUs were busy with it, 0: not measured */
	size_t operations;
};

/* What ours is compared with. */
struct comparison_peer {
	const char *name; /* NULL: no more peers */
	double target;    /* the highest ratio that is good enough, 0: none was set */
	/*
	 * The peer before this one, once more: its row compares these two. What differs there is
	 * noise.
	 */
	bool again;
};

#define COMPARISON_PEERS_MAX 3
#define COMPARISON_SIDES_MAX (1 + COMPARISON_PEERS_MAX)

struct comparison_plan {
	const char *name;
	const char *what;  /* what one operation is; NULL: see the rows before */
	const char *group; /* where it is measured, if not all rows are measured there, or NULL */
	struct comparison_peer peers[COMPARISON_PEERS_MAX];
	bool per_second; /* operations per second are shown, not the time of one */
	size_t warm_up;  /* rounds that do not count */
	size_t rounds;   /* at least */
	uint64_t ns;     /* at least, of all sides together */
	/*
	 * Does one round's work on one side (0: ours, then the peers) and fills in *sample.
	 * Returns 0 or a negative errno after a message.
	 */
	int (*work)(void *context, unsigned side, size_t round, struct sample *sample);
	void *context;
};

/* Ours and one peer. */
struct comparison_row {
	const char *name;
	const char *what;
	const char *group;
	const char *peer;
	double target;
	bool per_second;
	size_t rounds;
	double median_ns[2];    /* of one operation on each side */
	double cpu_ns[2];       /* the median of its CPU time, 0: not measured */
	struct quartiles ratio; /* of the ratios that the rounds gave */
	double overall;         /* ratio of the means: rare slow rounds have their weight */
};

/*
 * Carries a plan out; fills a row for each peer. Returns 0, -ENOMEM, -EINTR, or the error of its
 * work.
 */
int comparison_run(const struct comparison_plan *plan, struct comparison_row *rows);

/* The row that is worst against its target, NULL: none has a target. */
const struct comparison_row *comparison_worst(const struct comparison_row *rows, size_t count);

#endif
