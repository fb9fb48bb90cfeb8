// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench_engine.c - two sides in turn, and what their times say
 *
 * Knows nothing of what is measured, and takes no time itself: the work says how long it took. The
 * result of a round is the ratio of its two sides, which ran within milliseconds of each other; the
 * result of the run is the median of these ratios. So neither a slow drift of the machine nor a
 * disturbed round moves it.
 */
#include "bench.h"
#include <errno.h>
#include <stdlib.h>
#include <time.h>

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

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

/* What the rounds gave so far: per operation on each side, and their ratio. */
struct series {
	double *values[3];
	size_t count, room;
};

static int series_add(struct series *series, const double values[3])
{
	if (series->count == series->room) {
		size_t room = series->room ? series->room * 2 : 256;

		for (unsigned i = 0; i < 3; i++) {
			double *grown = reallocarray(series->values[i], room, sizeof(*grown));

			if (!grown)
				return -ENOMEM;
			series->values[i] = grown;
		}
		series->room = room;
	}
	for (unsigned i = 0; i < 3; i++)
		series->values[i][series->count] = values[i];
	series->count++;
	return 0;
}

int bench_measure(const struct bench_plan *plan, struct bench_row *row)
{
	struct series series = {0};
	uint64_t ns[2] = {0};
	size_t operations[2] = {0};
	int err = 0;

	for (size_t round = 0;
	     series.count < plan->rounds || !series.count || ns[0] + ns[1] < plan->ns; round++) {
		double each[3];

		for (unsigned side = 0; side < 2; side++) {
			struct bench_sample sample = {0};

			err = plan->work(plan->context, side, round, &sample);
			if (!err && bench_interrupted)
				err = -EINTR;
			if (err)
				goto free_series;
			each[side] =
				(double)(sample.ns ? sample.ns : 1) / (double)sample.operations;
			if (round < plan->warm_up)
				continue;
			ns[side] += sample.ns;
			operations[side] += sample.operations;
		}
		if (round < plan->warm_up)
			continue;
		each[2] = each[0] / each[1];
		err = series_add(&series, each);
		if (err)
			goto free_series;
	}
	*row = (struct bench_row){
		.name = plan->name,
		.what = plan->what,
		.target = plan->target,
		.rounds = series.count,
		.median_ns = {bench_quartiles(series.values[0], series.count).median,
			      bench_quartiles(series.values[1], series.count).median},
		.ratio = bench_quartiles(series.values[2], series.count),
		.overall = (double)ns[0] / (double)operations[0] /
			   ((double)(ns[1] ? ns[1] : 1) / (double)operations[1]),
	};
free_series:
	for (unsigned i = 0; i < 3; i++)
		free(series.values[i]);
	return err;
}
