// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_cells.c - when bench says that a size is slower, on ratios that are made up
 */
#include "bench/cells.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void add(struct bench_cells *cells, double ratio, double noise)
{
	cells->cells[cells->count++] = (struct bench_cell){
		.function = MEASURE_MEMCPY,
		.size = 64,
		.row.ratio = {ratio, ratio, ratio},
		.equal = {1 - noise / 2, 1, 1 + noise},
		.trials = 1,
	};
}

/* Five quiet cells and another one, which does not decide the noise of the run. */
static void setup(struct bench_cells *cells, double ratio, double noise)
{
	static const double quiet[] = {0.02, 0.005, 0.02, 0.01, 0.02};

	cells->count = 0;
	for (unsigned i = 0; i < 5; i++)
		add(cells, 0.5, quiet[i]);
	add(cells, ratio, noise);
	bench_cells_take_noise(cells);
	assert_float_equal(cells->noise, 0.02, 1e-9);
}

static void a_size_that_is_slower_is_missed(void **state)
{
	static struct bench_cells cells;

	(void)state;
	setup(&cells, 1.03, 0.001);
	assert_true(bench_cell_slower(&cells, &cells.cells[5]));
	assert_false(bench_cell_slower(&cells, &cells.cells[0]));
	assert_int_equal(bench_cells_missed(&cells), 1);
}

/* A cell that happens to have no noise is not better than the run. */
static void the_noise_of_the_run_is_the_least(void **state)
{
	static struct bench_cells cells;

	(void)state;
	setup(&cells, 1.015, 0.001);
	assert_false(bench_cell_slower(&cells, &cells.cells[5]));
	assert_int_equal(bench_cells_missed(&cells), 0);
}

static void a_noisy_size_has_its_own_noise(void **state)
{
	static struct bench_cells cells;

	(void)state;
	setup(&cells, 1.3, 0.4);
	assert_false(bench_cell_slower(&cells, &cells.cells[5]));
	setup(&cells, 1.5, 0.4);
	assert_true(bench_cell_slower(&cells, &cells.cells[5]));
}

static void the_mean_must_be_faster(void **state)
{
	static struct bench_cells cells;

	(void)state;
	assert_int_equal(bench_cells_missed(&cells), 0); /* nothing was measured */
	add(&cells, 0.5, 0.1);
	add(&cells, 2, 1.5);
	bench_cells_take_noise(&cells);
	assert_int_equal(bench_cells_missed(&cells), 1); /* the mean is 1 */
	add(&cells, 0.9, 0.1);
	assert_int_equal(bench_cells_missed(&cells), 0);
}

static void json_tells_all(void **state)
{
	static struct bench_cells cells;
	json_t *json, *cell;

	(void)state;
	setup(&cells, 1.5, 0.001);
	json = bench_cells_json(&cells);
	assert_non_null(json);
	assert_int_equal(json_array_size(json_object_get(json, "cells")), 6);
	assert_true(json_is_false(json_object_get(json, "ok")));
	assert_int_equal(json_integer_value(json_object_get(json, "slower")), 1);
	cell = json_array_get(json_object_get(json, "cells"), 5);
	assert_string_equal(json_string_value(json_object_get(cell, "function")), "memcpy");
	assert_true(json_is_true(json_object_get(cell, "slower")));
	assert_float_equal(json_real_value(json_object_get(cell, "ratio")), 1.5, 1e-9);
	assert_float_equal(json_real_value(json_object_get(cell, "noise")), 0.02, 1e-9);
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_size_that_is_slower_is_missed),
		cmocka_unit_test(the_noise_of_the_run_is_the_least),
		cmocka_unit_test(a_noisy_size_has_its_own_noise),
		cmocka_unit_test(the_mean_must_be_faster),
		cmocka_unit_test(json_tells_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
