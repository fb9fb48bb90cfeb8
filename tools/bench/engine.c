// SPDX-License-Identifier: BSD-3-Clause
/*
 * engine.c - sides in turn, and what their times say
 *
 * Knows nothing of what is measured, and takes no time itself: the work says how long it took. The
 * result of a round is the ratio of two sides, which ran within milliseconds of each other; the
 * result of the run is the median of these ratios. So neither a slow drift of the machine nor a
 * disturbed round moves it. Each round begins with another side, so that being the first or the
 * last is nobody's advantage.
 */
#include "bench/bench.h"
#include "bench/interrupt.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>

static int compare_doubles(const void *left, const void *right)
{
	double a = *(const double *)left, b = *(const double *)right;

	return (a > b) - (a < b);
}

/* The value below which a share of the sorted values lies, between neighbours in proportion. */
static double quantile(const double *sorted, size_t count, double share)
{
	double place = share * (double)(count - 1);
	size_t below = (size_t)place;

	if (below + 1 >= count)
		return sorted[count - 1];
	return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

struct bench_spread bench_quartiles(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return (struct bench_spread){
		.low = quantile(values, count, 0.25),
		.median = quantile(values, count, 0.5),
		.high = quantile(values, count, 0.75),
	};
}

double bench_noise(const struct bench_spread *equal)
{
	return fmax(fabs(equal->low - 1), fabs(equal->high - 1));
}

bool bench_slower(const struct bench_spread *ratio, double noise)
{
	return ratio->low > 1 + noise;
}

double bench_geometric_mean(const double *values, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += log(values[i]);
	return exp(sum / (double)count);
}

/* What the rounds gave so far: per operation on each side, and all together. */
struct series {
	double *values[BENCH_SIDES_MAX];
	size_t count, room;
	uint64_t ns[BENCH_SIDES_MAX], total_ns;
	size_t operations[BENCH_SIDES_MAX];
};

static int series_add(struct series *series, const struct bench_sample *samples, unsigned sides)
{
	if (series->count == series->room) {
		size_t room = series->room ? series->room * 2 : 256;

		for (unsigned i = 0; i < sides; i++) {
			double *grown = reallocarray(series->values[i], room, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			series->values[i] = grown;
		}
		series->room = room;
	}
	for (unsigned i = 0; i < sides; i++) {
		/* A clock too coarse for the work must not give a ratio of 0 or infinity. */
		uint64_t ns = samples[i].ns ? samples[i].ns : 1;

		series->values[i][series->count] = (double)ns / (double)samples[i].operations;
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

/* Compares two sides. `scratch` has room for a value per round. */
static void compare(const struct series *series, unsigned side, unsigned peer, double *scratch,
		    struct bench_row *row)
{
	const unsigned both[2] = {side, peer};

	row->rounds = series->count;
	row->overall = series_mean(series, side) / series_mean(series, peer);
	for (unsigned i = 0; i < 2; i++) {
		for (size_t round = 0; round < series->count; round++)
			scratch[round] = series->values[both[i]][round];
		row->median_ns[i] = bench_quartiles(scratch, series->count).median;
	}
	for (size_t round = 0; round < series->count; round++)
		scratch[round] = series->values[side][round] / series->values[peer][round];
	row->ratio = bench_quartiles(scratch, series->count);
}

static unsigned count_peers(const struct bench_plan *plan)
{
	unsigned peers = 0;

	while (peers < BENCH_PEERS_MAX && plan->peers[peers].name)
		peers++;
	return peers;
}

/* Runs all rounds. */
static int run(const struct bench_plan *plan, unsigned sides, struct series *series)
{
	for (size_t round = 0;
	     series->count < plan->rounds || !series->count || series->total_ns < plan->ns;
	     round++) {
		struct bench_sample samples[BENCH_SIDES_MAX] = {0};
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

int bench_measure(const struct bench_plan *plan, struct bench_row *rows)
{
	unsigned peers = count_peers(plan);
	struct series series = {0};
	double *scratch = NULL;
	int err;

	err = run(plan, 1 + peers, &series);
	if (err)
		goto free_series;
	scratch = calloc(series.count, sizeof(*scratch));
	if (!scratch) {
		err = -ENOMEM;
		goto free_series;
	}
	for (unsigned i = 0; i < peers; i++) {
		const struct bench_peer *peer = &plan->peers[i];

		rows[i] = (struct bench_row){
			.name = plan->name,
			.what = i ? NULL : plan->what,
			.peer = peer->name,
			.target = peer->target,
		};
		compare(&series, peer->again ? 1 + i : 0, peer->again ? i : 1 + i, scratch,
			&rows[i]);
	}
free_series:
	free(scratch);
	for (unsigned i = 0; i < BENCH_SIDES_MAX; i++)
		free(series.values[i]);
	return err;
}
