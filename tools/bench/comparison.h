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
	const char *what; /* what one operation is; NULL: see the rows before */
	struct comparison_peer peers[COMPARISON_PEERS_MAX];
	size_t warm_up; /* rounds that do not count */
	size_t rounds;  /* at least */
	uint64_t ns;    /* at least, of all sides together */
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
	const char *peer;
	double target;
	size_t rounds;
	double median_ns[2];    /* of one operation on each side */
	struct quartiles ratio; /* of the ratios that the rounds gave */
	double overall;         /* ratio of the means: rare slow rounds have their weight */
};

/*
 * Carries a plan out; fills a row for each peer. Returns 0, -ENOMEM, -EINTR, or the error of its
 * work.
 */
int comparison_run(const struct comparison_plan *plan, struct comparison_row *rows);

#endif
