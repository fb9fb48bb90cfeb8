// SPDX-License-Identifier: BSD-3-Clause
/*
 * comparison.c - ours and its peers, measured in turn
 *
 * Does not know what is measured, and takes no time itself: the work reports how long it took. The
 * result of a round is the ratio of two sides, which ran within milliseconds of each other; the
 * result of the run is the median of these ratios. So neither a slow drift of the machine nor a
 * disturbed round moves it. Each round begins with another side, so that being the first or the
 * last favours no side. Calls statistics.c and interrupt.c.
 */
#include "bench/comparison.h"
#include "bench/interrupt.h"
#include "bench/statistics.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What the rounds gave so far: per operation on each side, and all together. */
struct series {
	double *values[COMPARISON_SIDES_MAX];
	double *cpu[COMPARISON_SIDES_MAX];
	size_t count, room;
	uint64_t ns[COMPARISON_SIDES_MAX], total_ns;
	size_t operations[COMPARISON_SIDES_MAX];
};

static int grow(double **values, size_t room)
{
	double *grown = reallocarray(*values, room, sizeof(*grown));

	if (!grown)
		return -ENOMEM;
	*values = grown;
	return 0;
}

static int series_add(struct series *series, const struct sample *samples, unsigned sides)
{
	if (series->count == series->room) {
		size_t room = series->room ? series->room * 2 : 256;

		for (unsigned i = 0; i < sides; i++)
			if (grow(&series->values[i], room) || grow(&series->cpu[i], room))
				return -ENOMEM;
		series->room = room;
	}
	for (unsigned i = 0; i < sides; i++) {
		/* A clock too coarse for the work must not give a ratio of 0 or infinity. */
		uint64_t ns = samples[i].ns ? samples[i].ns : 1;

		series->values[i][series->count] = (double)ns / (double)samples[i].operations;
		series->cpu[i][series->count] =
			(double)samples[i].cpu_ns / (double)samples[i].operations;
		series->ns[i] += ns;
		series->total_ns += ns;
		series->operations[i] += samples[i].operations;
	}
	series->count++;
	return 0;
}

static double series_mean(const struct series *series, unsigned side)
{
	return (double)series->ns[side] / (double)series->operations[side];
}

static double median_of(const double *values, size_t count, double *scratch)
{
	memcpy(scratch, values, count * sizeof(*values));
	return statistics_quartiles(scratch, count).median;
}

/* Compares two sides. `scratch` has room for a value per round. */
static void compare_sides(const struct series *series, unsigned side, unsigned peer,
			  double *scratch, struct comparison_row *row)
{
	const unsigned both[2] = {side, peer};

	row->rounds = series->count;
	row->overall = series_mean(series, side) / series_mean(series, peer);
	for (unsigned i = 0; i < 2; i++) {
		row->median_ns[i] = median_of(series->values[both[i]], series->count, scratch);
		row->cpu_ns[i] = median_of(series->cpu[both[i]], series->count, scratch);
	}
	for (size_t round = 0; round < series->count; round++)
		scratch[round] = series->values[side][round] / series->values[peer][round];
	row->ratio = statistics_quartiles(scratch, series->count);
}

static unsigned count_peers(const struct comparison_plan *plan)
{
	unsigned peers = 0;

	while (peers < COMPARISON_PEERS_MAX && plan->peers[peers].name)
		peers++;
	return peers;
}

/* Runs all rounds. */
static int run_rounds(const struct comparison_plan *plan, unsigned sides, struct series *series)
{
	for (size_t round = 0;
	     series->count < plan->rounds || !series->count || series->total_ns < plan->ns;
	     round++) {
		struct sample samples[COMPARISON_SIDES_MAX] = {0};
		int err = 0;

		for (unsigned turn = 0; turn < sides; turn++) {
			unsigned side = (unsigned)((round + turn) % sides);

			err = plan->work(plan->context, side, round, &samples[side]);
			if (!err && interrupt_pending)
				err = -EINTR;
			if (err)
				return err;
		}
		if (round >= plan->warm_up)
			err = series_add(series, samples, sides);
		if (err)
			return err;
	}
	return 0;
}

int comparison_run(const struct comparison_plan *plan, struct comparison_row *rows)
{
	unsigned peers = count_peers(plan);
	struct series series = {0};
	double *scratch = NULL;
	int err;

	err = run_rounds(plan, 1 + peers, &series);
	if (err)
		goto free_series;
	scratch = calloc(series.count, sizeof(*scratch));
	if (!scratch) {
		err = -ENOMEM;
		goto free_series;
	}
	for (unsigned i = 0; i < peers; i++) {
		const struct comparison_peer *peer = &plan->peers[i];

		rows[i] = (struct comparison_row){
			.name = plan->name,
			.what = i ? NULL : plan->what,
			.group = plan->group,
			.peer = peer->name,
			.target = peer->target,
			.per_second = plan->per_second,
		};
		compare_sides(&series, peer->again ? 1 + i : 0, peer->again ? i : 1 + i, scratch,
			      &rows[i]);
	}
free_series:
	free(scratch);
	for (unsigned i = 0; i < COMPARISON_SIDES_MAX; i++) {
		free(series.values[i]);
		free(series.cpu[i]);
	}
	return err;
}

const struct comparison_row *comparison_worst(const struct comparison_row *rows, size_t count)
{
	const struct comparison_row *worst = NULL;

	for (size_t i = 0; i < count; i++)
		if (rows[i].target > 0 && (!worst || rows[i].ratio.median / rows[i].target >
							     worst->ratio.median / worst->target))
			worst = &rows[i];
	return worst;
}
