// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_copy_results.c - when bench reports a size as slower, with invented ratios
 */
#include "bench/copy_results.h"
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void add(struct copy_results *results, double ratio, double noise)
{
	results->list[results->count++] = (struct copy_result){
		.function = MEASURE_MEMCPY,
		.size = 64,
		.row.ratio = {ratio, ratio, ratio},
		.equal = {1 - noise / 2, 1, 1 + noise},
		.trials = 1,
	};
}

/* Five results with little noise and another one, which does not determine the noise of the run. */
static void setup(struct copy_results *results, double ratio, double noise)
{
	static const double quiet[] = {0.02, 0.005, 0.02, 0.01, 0.02};

	results->count = 0;
	for (unsigned i = 0; i < 5; i++)
		add(results, 0.5, quiet[i]);
	add(results, ratio, noise);
	copy_results_note_noise(results);
	assert_float_equal(results->noise, 0.02, 1e-9);
}

static void a_size_that_is_slower_is_missed(void **state)
{
	static struct copy_results results;

	(void)state;
	setup(&results, 1.03, 0.001);
	assert_true(copy_result_is_slower(&results, &results.list[5]));
	assert_false(copy_result_is_slower(&results, &results.list[0]));
	assert_int_equal(copy_results_missed(&results), 1);
}

/* The noise of a result is at least that of the run. */
static void the_noise_of_the_run_is_the_least(void **state)
{
	static struct copy_results results;

	(void)state;
	setup(&results, 1.015, 0.001);
	assert_false(copy_result_is_slower(&results, &results.list[5]));
	assert_int_equal(copy_results_missed(&results), 0);
}

static void a_noisy_size_has_its_own_noise(void **state)
{
	static struct copy_results results;

	(void)state;
	setup(&results, 1.3, 0.4);
	assert_false(copy_result_is_slower(&results, &results.list[5]));
	setup(&results, 1.5, 0.4);
	assert_true(copy_result_is_slower(&results, &results.list[5]));
}

static void the_mean_must_be_faster(void **state)
{
	static struct copy_results results;

	(void)state;
	assert_int_equal(copy_results_missed(&results), 0); /* nothing was measured */
	add(&results, 0.5, 0.1);
	add(&results, 2, 1.5);
	copy_results_note_noise(&results);
	assert_int_equal(copy_results_missed(&results), 1); /* the mean is 1 */
	add(&results, 0.9, 0.1);
	assert_int_equal(copy_results_missed(&results), 0);
}

static void json_tells_all(void **state)
{
	static struct copy_results results;
	json_t *json, *result;

	(void)state;
	setup(&results, 1.5, 0.001);
	json = copy_results_json(&results);
	assert_non_null(json);
	assert_int_equal(json_array_size(json_object_get(json, "cells")), 6);
	assert_true(json_is_false(json_object_get(json, "ok")));
	assert_int_equal(json_integer_value(json_object_get(json, "slower")), 1);
	result = json_array_get(json_object_get(json, "cells"), 5);
	assert_string_equal(json_string_value(json_object_get(result, "function")), "memcpy");
	assert_true(json_is_true(json_object_get(result, "slower")));
	assert_float_equal(json_real_value(json_object_get(result, "ratio")), 1.5, 1e-9);
	assert_float_equal(json_real_value(json_object_get(result, "noise")), 0.02, 1e-9);
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
