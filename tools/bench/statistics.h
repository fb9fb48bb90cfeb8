/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * statistics.h - what many measured values say together
 */
#ifndef PMEM2FS_BENCH_STATISTICS_H
#define PMEM2FS_BENCH_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

struct quartiles {
	double low, median, high;
};

/* Quartiles of `count` values (at least one), which are sorted on the way. */
struct quartiles statistics_quartiles(double *values, size_t count);

/*
 * How far from 1 the ratio of equal sides lies in one round out of two, at least: the farther one
 * of its quartiles.
 */
double statistics_noise(const struct quartiles *equal);

/* Whether three rounds out of four were slower than the peer's by more than the noise. */
bool statistics_slower(const struct quartiles *ratio, double noise);

/* The geometric mean of `count` values (at least one). */
double statistics_geometric_mean(const double *values, size_t count);

#endif
