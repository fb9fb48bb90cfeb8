// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_bench_engine.c - the arithmetic of bench, on times that are made up
 *
 * No clock is involved: the work says how long it took.
 */
#include "bench.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

volatile sig_atomic_t bench_interrupted;

static void quartiles_lie_between_neighbours(void **state)
{
	double even[] = {4, 1, 3, 2}, odd[] = {50, 10, 40, 20, 30}, one[] = {7};
	struct bench_spread spread;

	(void)state;
	spread = bench_quartiles(even, 4);
	assert_true(spread.low == 1.75 && spread.median == 2.5 && spread.high == 3.25);
	spread = bench_quartiles(odd, 5);
	assert_true(spread.low == 20 && spread.median == 30 && spread.high == 40);
	spread = bench_quartiles(one, 1);
	assert_true(spread.low == 7 && spread.median == 7 && spread.high == 7);
}

struct fake {
	unsigned calls;
	unsigned fail_at; /* call that fails, 0: none */
	unsigned signal_at;
	int (*answer)(unsigned side, size_t round, struct bench_sample *sample);
};

static int fake_work(void *context, unsigned side, size_t round, struct bench_sample *sample)
{
	struct fake *fake = context;

	assert_int_equal(side, fake->calls % 2);
	assert_int_equal(round, fake->calls / 2);
	fake->calls++;
	if (fake->calls == fake->signal_at)
		bench_interrupted = 1;
	return fake->calls == fake->fail_at ? -EBUSY : fake->answer(side, round, sample);
}

/* The machine gets slower and slower; our side always takes twice as long. */
static int drifting(unsigned side, size_t round, struct bench_sample *sample)
{
	*sample =
		(struct bench_sample){.ns = (round + 1) * 1000 * (side ? 1 : 2), .operations = 10};
	return 0;
}

static void drift_does_not_move_the_ratio(void **state)
{
	struct fake fake = {.answer = drifting};
	struct bench_row row;

	(void)state;
	assert_int_equal(bench_measure(&(struct bench_plan){.name = "x",
							    .rounds = 1001,
							    .work = fake_work,
							    .context = &fake},
				       &row),
			 0);
	assert_int_equal(row.rounds, 1001);
	assert_int_equal(fake.calls, 2002);
	assert_true(row.ratio.low == 2 && row.ratio.median == 2 && row.ratio.high == 2);
	assert_true(row.overall == 2);
	assert_true(row.median_ns[0] == 100200 && row.median_ns[1] == 50100);
}

/* Every tenth round of ours is a hundred times slower, and the sides do different amounts of work.
 */
static int sometimes_slow(unsigned side, size_t round, struct bench_sample *sample)
{
	if (side)
		*sample = (struct bench_sample){.ns = 500, .operations = 5};
	else
		*sample = (struct bench_sample){.ns = round % 10 ? 1000 : 100000, .operations = 10};
	return 0;
}

static void rare_slow_rounds_show_in_overall_only(void **state)
{
	struct fake fake = {.answer = sometimes_slow};
	struct bench_row row;

	(void)state;
	assert_int_equal(bench_measure(&(struct bench_plan){.name = "x",
							    .rounds = 100,
							    .work = fake_work,
							    .context = &fake},
				       &row),
			 0);
	assert_true(row.ratio.low == 1 && row.ratio.median == 1 && row.ratio.high == 1);
	assert_true(row.overall > 10.89 && row.overall < 10.91);
}

/* The first two rounds are strange. */
static int strange_first(unsigned side, size_t round, struct bench_sample *sample)
{
	*sample = (struct bench_sample){.ns = round < 2 && side ? 1 : 100, .operations = 1};
	return 0;
}

static void warm_up_does_not_count_and_time_is_reached(void **state)
{
	struct fake fake = {.answer = strange_first};
	struct bench_row row;

	(void)state;
	assert_int_equal(bench_measure(&(struct bench_plan){.name = "x",
							    .warm_up = 2,
							    .rounds = 3,
							    .ns = 1000,
							    .work = fake_work,
							    .context = &fake},
				       &row),
			 0);
	assert_int_equal(row.rounds, 5);
	assert_true(row.ratio.high == 1 && row.overall == 1);
}

static void a_failure_ends_it_and_leaves_the_row(void **state)
{
	struct fake failing = {.answer = drifting, .fail_at = 4};
	struct fake signalled = {.answer = drifting, .signal_at = 3};
	struct bench_plan plan = {.name = "x", .rounds = 9, .work = fake_work, .context = &failing};
	struct bench_row row = {.rounds = 77};

	(void)state;
	assert_int_equal(bench_measure(&plan, &row), -EBUSY);
	assert_int_equal(failing.calls, 4);
	plan.context = &signalled;
	assert_int_equal(bench_measure(&plan, &row), -EINTR);
	assert_int_equal(signalled.calls, 3);
	bench_interrupted = 0;
	assert_int_equal(row.rounds, 77);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(quartiles_lie_between_neighbours),
		cmocka_unit_test(drift_does_not_move_the_ratio),
		cmocka_unit_test(rare_slow_rounds_show_in_overall_only),
		cmocka_unit_test(warm_up_does_not_count_and_time_is_reached),
		cmocka_unit_test(a_failure_ends_it_and_leaves_the_row),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
