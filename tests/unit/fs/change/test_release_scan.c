/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release_scan.c - what a scan shows decides whether a mapping was released
 */
#include "release_helper.h"

static void only_the_look_decides(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result;
	uint64_t request;
	int fd = library(place);

	/* The process reports a release that a scan does not confirm. */
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, 0);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, prog(": cannot unmap: ", " says that it is released, but"));

	/* The scan fails, or is not needed. */
	for (int i = 0; i < 2; i++) {
		place->process_table.result = i ? 1 : -ENOMEM;
		request = go(place, fd, mapping, &result);
		say(place, fd, WIRE_DONE, request, 0);
		expect_result(&result, EBUSY, "says that it is released, but");
	}
	place->process_table.result = 0;

	/* The process refuses, but the mapping is gone. */
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, -EPERM);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);

	/* The same when the mapping is removed from the catalog without a call of its observer. */
	mapping = publish(place, 5);
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, -EPERM);
	catalog_remove(place->rig->modules.catalog, mapping);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, 0, NULL);
	close(fd);
}

static void withdrawn_while_it_is_looked_at(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request = go(place, fd, mapping, &result);

	say(place, fd, WIRE_DONE, request, 0);
	changes_withdraw(result.job);
	assert_null(result.job);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(result.calls, 0);
	assert_null(mapping_observer(mapping));
	close(fd);
}

/* The scan takes too long: the result is the process's answer. */
static void overdue_while_it_is_looked_at(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request = go(place, fd, mapping, &result);

	say(place, fd, WIRE_DONE, request, -EPERM);
	overdue(place);
	expect_result(&result, EPERM, "refused");
	assert_non_null(mapping_observer(mapping));
	process_table_fake_wake(&place->process_table);
	assert_null(mapping_observer(mapping));
	close(fd);
}

/* The process says that it has released the mapping, and the scan is late or leaves the process
 * out. */
static void what_a_late_scan_shows_counts(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request, now;

	/* The scan is late: rm waits for it for SHORT_PATIENCE more, and then gives up. */
	ask_for(place, mapping, SHORT_PATIENCE, &result);
	request = expect_ask(place, fd, mapping);
	say(place, fd, WIRE_READY, request, 0);
	expect(place, fd, WIRE_GO);
	place->rig->swept = NULL;
	now = clock_now();
	assert_true(releases_expire(place->releases, 0) <= now + SHORT_PATIENCE);
	say(place, fd, WIRE_DONE, request, 0);
	assert_true(releases_expire(place->releases, 0) >= now + SHORT_PATIENCE);
	assert_int_equal(result.calls, 0);
	overdue(place);
	expect_result(&result, EBUSY,
		      prog("", " says that it is released, but whether it is, is not known yet"));
	vanish(place, mapping);
	process_table_fake_wake(&place->process_table);

	/* Scans leave the process out, until one shows that the mapping is gone. */
	mapping = publish(place, 5);
	place->process_table.behind = true;
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, 0);
	for (unsigned scans = 2; scans < 5; scans++) {
		assert_int_equal(place->process_table.pid_scans, scans);
		process_table_fake_wake(&place->process_table);
		assert_int_equal(result.calls, 0);
		assert_true(releases_expire(place->releases, 0) <
			    clock_now() + PATIENCE / 2); /* to scan again */
		now = clock_now() + CLOSE_PATIENCE;
		assert_true(releases_expire(place->releases, now) <= now);
		assert_true(releases_expire(place->releases, now) <= now + PATIENCE);
	}
	vanish(place, mapping);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, 0, NULL);

	/* Scans leave the process out, until one shows that the mapping is still there. */
	mapping = publish(place, 5);
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, 0);
	process_table_fake_wake(&place->process_table);
	releases_expire(place->releases, clock_now() + CLOSE_PATIENCE);
	place->process_table.behind = false;
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, "says that it is released, but it still shows");
	assert_null(mapping_observer(mapping));
	close(fd);
}

/*
 * Brings a request to the point where the process has said that it is done, and the scan has left
 * the process out, so that it is to be scanned again. The next scans leave it out as well.
 */
static void wait_for_next_scan(struct place *place, int fd, struct mapping *mapping,
			       struct result *result)
{
	uint64_t request;

	place->rig->swept = NULL;
	place->process_table.behind = true;
	request = go(place, fd, mapping, result);
	say(place, fd, WIRE_DONE, request, 0);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(result->calls, 0);
}

/* Nothing is under way, and what the process says of itself when asked again needs no scan. */
static void expect_end(struct place *place, int fd, struct mapping *mapping)
{
	struct result result;
	uint64_t request;

	assert_null(mapping_observer(mapping));
	assert_int_equal(releases_expire(place->releases, 0), UINT64_MAX);
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_DONE, request, -EPERM);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EPERM, "refused");
	assert_null(mapping_observer(mapping));
	assert_int_equal(releases_expire(place->releases, 0), UINT64_MAX);
	close(fd);
}

static void it_goes_before_the_next_scan(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;

	wait_for_next_scan(place, fd, mapping, &result);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	expect_end(place, fd, publish(place, 5));
}

static void withdrawn_before_the_next_scan(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;

	wait_for_next_scan(place, fd, mapping, &result);
	changes_withdraw(result.job);
	assert_int_equal(result.calls, 0);
	expect_end(place, fd, mapping);
}

static void overdue_before_the_next_scan(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;

	wait_for_next_scan(place, fd, mapping, &result);
	overdue(place);
	expect_result(&result, EBUSY, "is not known yet");
	expect_end(place, fd, mapping);
}

static void a_refusal_needs_no_next_scan(void **state)
{
	struct place *place = *state;

	place->rig->swept = NULL;
	place->process_table.behind = true;
	expect_end(place, library(place), publish(place, 5));
}

static void it_has_hung_up_before_the_next_scan(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;

	place->rig->swept = NULL;
	place->process_table.behind = true;
	go(place, fd, mapping, &result);
	hang_up(place, fd);
	assert_int_equal(result.calls, 0);
	overdue(place);
	expect_result(&result, EBUSY, "has hung up, and whether it has released it is not known");
	expect_end(place, library(place), mapping);
}

/* The request is freed at the end of the test. */
static void all_ends_before_the_next_scan(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result = {0};
	int fd = library(place);
	struct release *last;

	place->rig->swept = NULL;
	place->process_table.behind = true;
	release_begin(place->releases, mapping, PATIENCE, finished, &result, &last);
	say(place, fd, WIRE_DONE, expect_ask(place, fd, mapping), 0);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(result.calls, 0);
	assert_non_null(last);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_the_look_decides, begin, end),
		cmocka_unit_test_setup_teardown(withdrawn_while_it_is_looked_at, begin, end),
		cmocka_unit_test_setup_teardown(overdue_while_it_is_looked_at, begin, end),
		cmocka_unit_test_setup_teardown(what_a_late_scan_shows_counts, begin, end),
		cmocka_unit_test_setup_teardown(it_goes_before_the_next_scan, begin, end),
		cmocka_unit_test_setup_teardown(withdrawn_before_the_next_scan, begin, end),
		cmocka_unit_test_setup_teardown(overdue_before_the_next_scan, begin, end),
		cmocka_unit_test_setup_teardown(a_refusal_needs_no_next_scan, begin, end),
		cmocka_unit_test_setup_teardown(it_has_hung_up_before_the_next_scan, begin, end),
		cmocka_unit_test_setup_teardown(all_ends_before_the_next_scan, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
