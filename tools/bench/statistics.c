// SPDX-License-Identifier: BSD-3-Clause
/*
 * statistics.c - what many measured values say together
 *
 * Arithmetic only; calls nothing of the bench.
 */
#include "bench/statistics.h"
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

struct quartiles statistics_quartiles(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare_doubles);
	return (struct quartiles){
		.low = quantile(values, count, 0.25),
		.median = quantile(values, count, 0.5),
		.high = quantile(values, count, 0.75),
	};
}

double statistics_noise(const struct quartiles *equal)
{
	return fmax(fabs(equal->low - 1), fabs(equal->high - 1));
}

bool statistics_slower(const struct quartiles *ratio, double noise)
{
	return ratio->low > 1 + noise;
}

double statistics_geometric_mean(const double *values, size_t count)
{
	double sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += log(values[i]);
	return exp(sum / (double)count);
}
