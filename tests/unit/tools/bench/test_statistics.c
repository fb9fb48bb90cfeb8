// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_statistics.c - the arithmetic of bench
 */
#include "bench/statistics.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void quartiles_lie_between_neighbours(void **state)
{
	double even[] = {4, 1, 3, 2}, odd[] = {50, 10, 40, 20, 30}, one[] = {7};
	struct quartiles spread;

	(void)state;
	spread = statistics_quartiles(even, 4);
	assert_true(spread.low == 1.75 && spread.median == 2.5 && spread.high == 3.25);
	spread = statistics_quartiles(odd, 5);
	assert_true(spread.low == 20 && spread.median == 30 && spread.high == 40);
	spread = statistics_quartiles(one, 1);
	assert_true(spread.low == 7 && spread.median == 7 && spread.high == 7);
}

/* The geometric mean of the ratios: twice as slow and twice as fast cancel out. */
static void geometric_mean_weighs_ratios(void **state)
{
	double even[] = {4, 0.25, 2, 0.5}, three[] = {1, 10, 100}, one[] = {7}, many[100];

	(void)state;
	assert_float_equal(statistics_geometric_mean(even, 4), 1, 1e-9);
	assert_float_equal(statistics_geometric_mean(three, 3), 10, 1e-9);
	assert_float_equal(statistics_geometric_mean(one, 1), 7, 1e-9);
	/* Their product would overflow a double. */
	for (size_t i = 0; i < 100; i++)
		many[i] = 1e10;
	assert_float_equal(statistics_geometric_mean(many, 100) / 1e10, 1, 1e-9);
}

static void noise_is_the_farther_quartile_of_equal_sides(void **state)
{
	(void)state;
	assert_float_equal(statistics_noise(&(struct quartiles){0.98, 1.0, 1.05}), 0.05, 1e-9);
	assert_float_equal(statistics_noise(&(struct quartiles){0.9, 1.0, 1.05}), 0.1, 1e-9);
	/* A constant difference of equal sides, as by their addresses, is noise too. */
	assert_float_equal(statistics_noise(&(struct quartiles){1.03, 1.04, 1.05}), 0.05, 1e-9);
	assert_float_equal(statistics_noise(&(struct quartiles){0.8, 0.9, 0.95}), 0.2, 1e-9);
}

static void slower_is_beyond_the_noise(void **state)
{
	const struct quartiles spread = {1.04, 1.3, 1.5}, faster = {0.5, 0.6, 0.7};

	(void)state;
	assert_true(statistics_slower(&spread, 0));
	assert_true(statistics_slower(&spread, 0.03));
	assert_false(statistics_slower(&spread, 0.05));
	assert_false(statistics_slower(&faster, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quartiles_lie_between_neighbours),
		cmocka_unit_test(geometric_mean_weighs_ratios),
		cmocka_unit_test(noise_is_the_farther_quartile_of_equal_sides),
		cmocka_unit_test(slower_is_beyond_the_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
