// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_comparison.c - the results of a comparison, computed from invented times
 *
 * No clock is involved: the fake work reports how long it took.
 */
#include "bench/comparison.h"
#include "bench/interrupt.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct fake {
	unsigned sides;
	unsigned calls;
	unsigned fail_at; /* call that fails, 0: none */
	unsigned signal_at;
	int (*answer)(unsigned side, size_t round, struct sample *sample);
};

static int fake_work(void *context, unsigned side, size_t round, struct sample *sample)
{
	struct fake *fake = context;

	/* Rounds take turns in which side begins. */
	assert_int_equal(round, fake->calls / fake->sides);
	assert_int_equal(side, (round + fake->calls % fake->sides) % fake->sides);
	fake->calls++;
	if (fake->calls == fake->signal_at)
		interrupt_pending = 1;
	return fake->calls == fake->fail_at ? -EBUSY : fake->answer(side, round, sample);
}

/* The machine gets slower and slower; our side always takes twice as long. */
static int drifting(unsigned side, size_t round, struct sample *sample)
{
	*sample = (struct sample){.ns = (round + 1) * 1000 * (side ? 1 : 2), .operations = 10};
	return 0;
}

static void drift_does_not_move_the_ratio(void **state)
{
	struct fake fake = {.sides = 2, .answer = drifting};
	struct comparison_row row;

	(void)state;
	assert_int_equal(comparison_run(&(struct comparison_plan){.name = "x",
								  .peers = {{.name = "peer"}},
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

/*
 * Every tenth round of our side is a hundred times slower, and the sides do different amounts of
 * work.
 */
static int sometimes_slow(unsigned side, size_t round, struct sample *sample)
{
	if (side)
		*sample = (struct sample){.ns = 500, .operations = 5};
	else
		*sample = (struct sample){.ns = round % 10 ? 1000 : 100000, .operations = 10};
	return 0;
}

static void rare_slow_rounds_show_in_overall_only(void **state)
{
	struct fake fake = {.sides = 2, .answer = sometimes_slow};
	struct comparison_row row;

	(void)state;
	assert_int_equal(comparison_run(&(struct comparison_plan){.name = "x",
								  .peers = {{.name = "peer"}},
								  .rounds = 100,
								  .work = fake_work,
								  .context = &fake},
					&row),
			 0);
	assert_true(row.ratio.low == 1 && row.ratio.median == 1 && row.ratio.high == 1);
	assert_true(row.overall > 10.89 && row.overall < 10.91);
}

/* The first two rounds differ from the others. */
static int strange_first(unsigned side, size_t round, struct sample *sample)
{
	*sample = (struct sample){.ns = round < 2 && side ? 1 : 100, .operations = 1};
	return 0;
}

static void warm_up_does_not_count_and_time_is_reached(void **state)
{
	struct fake fake = {.sides = 2, .answer = strange_first};
	struct comparison_row row;

	(void)state;
	assert_int_equal(comparison_run(&(struct comparison_plan){.name = "x",
								  .peers = {{.name = "peer"}},
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
	struct fake failing = {.sides = 2, .answer = drifting, .fail_at = 4};
	struct fake signalled = {.sides = 2, .answer = drifting, .signal_at = 3};
	struct comparison_plan plan = {.name = "x",
				       .peers = {{.name = "peer"}},
				       .rounds = 9,
				       .work = fake_work,
				       .context = &failing};
	struct comparison_row row = {.rounds = 77};

	(void)state;
	assert_int_equal(comparison_run(&plan, &row), -EBUSY);
	assert_int_equal(failing.calls, 4);
	plan.context = &signalled;
	assert_int_equal(comparison_run(&plan, &row), -EINTR);
	assert_int_equal(signalled.calls, 3);
	interrupt_pending = 0;
	assert_int_equal(row.rounds, 77);
}

/* Our side takes 30, its peers 10, 12 and 60, on a machine that gets slower and slower. */
static int three_peers(unsigned side, size_t round, struct sample *sample)
{
	static const uint64_t ns[] = {30, 10, 12, 60};

	*sample = (struct sample){.ns = ns[side] * (round + 1), .operations = 1};
	return 0;
}

static void each_peer_has_a_row(void **state)
{
	struct fake fake = {.sides = 4, .answer = three_peers};
	struct comparison_row rows[COMPARISON_PEERS_MAX + 1] = {
		[COMPARISON_PEERS_MAX] = {.rounds = 77}};

	(void)state;
	assert_int_equal(
		comparison_run(&(struct comparison_plan){.name = "x",
							 .what = "y",
							 .peers = {{.name = "one", .target = 3},
								   {.name = "one", .again = true},
								   {.name = "other"}},
							 .rounds = 9,
							 .work = fake_work,
							 .context = &fake},
			       rows),
		0);
	assert_int_equal(fake.calls, 4 * 9);
	assert_string_equal(rows[0].peer, "one");
	assert_true(rows[0].target == 3);
	assert_true(rows[0].ratio.low == 3 && rows[0].ratio.high == 3 && rows[0].overall == 3);
	/* The second measurement of the peer is compared with the first. */
	assert_float_equal(rows[1].ratio.median, 1.2, 1e-9);
	assert_true(rows[1].median_ns[0] == 60 && rows[1].median_ns[1] == 50);
	assert_string_equal(rows[2].peer, "other");
	assert_true(rows[2].ratio.median == 0.5 && rows[2].overall == 0.5);
	/* The description is in the first row only. */
	assert_string_equal(rows[0].what, "y");
	assert_null(rows[2].what);
	assert_int_equal(rows[3].rounds, 77);
}

/* Our side uses twice as much CPU time as elapsed time. One of the peers has a CPU time as well. */
static int busy(unsigned side, size_t round, struct sample *sample)
{
	static const uint64_t cpu_ns[] = {60, 5, 0};

	*sample = (struct sample){
		.ns = 30, .cpu_ns = cpu_ns[side] * (round == 1 ? 100 : 1), .operations = 10};
	return 0;
}

static void cpu_time_is_that_of_an_operation(void **state)
{
	struct fake fake = {.sides = 3, .answer = busy};
	struct comparison_row rows[2];

	(void)state;
	assert_int_equal(comparison_run(&(struct comparison_plan){.name = "x",
								  .group = "there",
								  .peers = {{.name = "one"},
									    {.name = "two"}},
								  .rounds = 9,
								  .work = fake_work,
								  .context = &fake},
					rows),
			 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_true(rows[i].cpu_ns[0] == 6);
		assert_string_equal(rows[i].group, "there");
	}
	assert_true(rows[0].cpu_ns[1] == 0.5 && rows[1].cpu_ns[1] == 0);
}

static void the_worst_row_is_that_farthest_above_its_target(void **state)
{
	const struct comparison_row rows[] = {
		{.ratio.median = 90},
		{.ratio.median = 5, .target = 6},
		{.ratio.median = 2, .target = 1.5},
		{.ratio.median = 5, .target = 4},
	};

	(void)state;
	assert_ptr_equal(comparison_worst(rows, 4), &rows[2]);
	assert_ptr_equal(comparison_worst(rows, 2), &rows[1]);
	assert_null(comparison_worst(rows, 1));
	assert_null(comparison_worst(rows, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(drift_does_not_move_the_ratio),
		cmocka_unit_test(rare_slow_rounds_show_in_overall_only),
		cmocka_unit_test(warm_up_does_not_count_and_time_is_reached),
		cmocka_unit_test(a_failure_ends_it_and_leaves_the_row),
		cmocka_unit_test(each_peer_has_a_row),
		cmocka_unit_test(cpu_time_is_that_of_an_operation),
		cmocka_unit_test(the_worst_row_is_that_farthest_above_its_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
