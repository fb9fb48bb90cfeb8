/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_log_limit.c - how many lines of the log each user may cause
 */
#include "base/log_limit.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define USER  1000u
#define START (500 * CLOCK_SECOND)

static int begin(void **state)
{
	*state = calloc(1, sizeof(struct log_limit));
	return *state ? 0 : -1;
}

static int end(void **state)
{
	free(*state);
	return 0;
}

/* How many of `count` lines are allowed. */
static unsigned allowed(struct log_limit *limit, enum log_topic topic, uid_t uid, uint64_t now,
			unsigned count)
{
	unsigned lines = 0;

	while (count--)
		lines += log_limit_take(limit, topic, uid, now);
	return lines;
}

static void expect_report(struct log_limit *limit, uint64_t now, const char *expected)
{
	char text[LOG_LIMIT_TEXT];

	assert_true(log_limit_report(limit, now, text));
	assert_string_equal(text, expected);
}

static void expect_silence(struct log_limit *limit, uint64_t now)
{
	char text[LOG_LIMIT_TEXT];

	assert_false(log_limit_report(limit, now, text));
}

static void a_burst_and_then_one_for_each_period(void **state)
{
	struct log_limit *limit = *state;

	assert_int_equal(allowed(limit, LOG_TOPIC_REQUESTS, USER, START, 6000), LOG_LIMIT_BURST);
	assert_int_equal(
		allowed(limit, LOG_TOPIC_REQUESTS, USER, START + LOG_LIMIT_PERIOD - 1, 6000), 0);
	assert_int_equal(allowed(limit, LOG_TOPIC_REQUESTS, USER, START + LOG_LIMIT_PERIOD, 6000),
			 1);
	assert_int_equal(
		allowed(limit, LOG_TOPIC_REQUESTS, USER, START + 3 * LOG_LIMIT_PERIOD, 6000), 2);
	/* After a long silence it is a burst again, and no more. */
	assert_int_equal(allowed(limit, LOG_TOPIC_REQUESTS, USER, 100 * START, 6000),
			 LOG_LIMIT_BURST);
}

static void what_is_left_out_is_counted(void **state)
{
	struct log_limit *limit = *state;
	uint64_t later = START + LOG_LIMIT_PERIOD / 2;

	assert_int_equal(log_limit_due(limit), UINT64_MAX);
	allowed(limit, LOG_TOPIC_REQUESTS, USER, START, LOG_LIMIT_BURST);
	expect_silence(limit, UINT64_MAX);
	allowed(limit, LOG_TOPIC_REQUESTS, USER, START, 1);
	allowed(limit, LOG_TOPIC_REQUESTS, USER, later, 41);
	assert_int_equal(log_limit_due(limit), START + LOG_LIMIT_REPORT);
	expect_silence(limit, START + LOG_LIMIT_REPORT - 1);
	expect_report(limit, START + LOG_LIMIT_REPORT,
		      "lines left out on failed requests of user 1000: 42");
	expect_silence(limit, UINT64_MAX);
	assert_int_equal(log_limit_due(limit), UINT64_MAX);
}

/* At the end of the process nothing waits until it is due. */
static void all_can_be_told_at_once(void **state)
{
	struct log_limit *limit = *state;

	allowed(limit, LOG_TOPIC_PROCESSES, USER, START + 1, LOG_LIMIT_BURST + 1);
	allowed(limit, LOG_TOPIC_CONNECTIONS, 0, START, LOG_LIMIT_BURST + 2);
	expect_report(limit, UINT64_MAX, "lines left out on connections of user 0: 2");
	expect_report(limit, UINT64_MAX, "lines left out on processes of user 1000: 1");
	expect_silence(limit, UINT64_MAX);
}

static void users_and_topics_do_not_take_from_each_other(void **state)
{
	struct log_limit *limit = *state;

	allowed(limit, LOG_TOPIC_REQUESTS, USER, START, 6000);
	assert_true(log_limit_take(limit, LOG_TOPIC_PROCESSES, USER, START));
	assert_true(log_limit_take(limit, LOG_TOPIC_REQUESTS, USER + 1, START));
	assert_true(log_limit_take(limit, LOG_TOPIC_REQUESTS, 0, START));
}

/* All user ids of a range that is delegated to containers make lines. */
static void any_number_of_users(void **state)
{
	struct log_limit *limit = *state;
	unsigned lines = 0;

	for (uid_t uid = 100000; uid < 165536; uid++)
		lines += allowed(limit, LOG_TOPIC_REQUESTS, uid, START, 2 * LOG_LIMIT_BURST);
	assert_int_equal(lines, (LOG_LIMIT_USERS + 1) * LOG_LIMIT_BURST);
	assert_int_equal(allowed(limit, LOG_TOPIC_REQUESTS, 0, START, 6000), LOG_LIMIT_BURST);
	lines = 0;
	for (unsigned i = 0; i < LOG_LIMIT_USERS + 2; i++) {
		char text[LOG_LIMIT_TEXT];

		lines += log_limit_report(limit, UINT64_MAX, text);
	}
	assert_int_equal(lines, LOG_LIMIT_USERS + 2);
	expect_silence(limit, UINT64_MAX);
}

static void users_that_share_are_told_of_together(void **state)
{
	struct log_limit *limit = *state;

	for (uid_t uid = 1; uid <= LOG_LIMIT_USERS; uid++)
		assert_true(log_limit_take(limit, LOG_TOPIC_REQUESTS, uid, START));
	allowed(limit, LOG_TOPIC_REQUESTS, USER, START, LOG_LIMIT_BURST);
	assert_false(log_limit_take(limit, LOG_TOPIC_REQUESTS, USER + 1, START));
	expect_report(limit, UINT64_MAX, "lines left out on failed requests of other users: 1");
	/* A user that was silent for long enough makes room for another one. */
	assert_int_equal(
		allowed(limit, LOG_TOPIC_REQUESTS, USER + 1, START + LOG_LIMIT_PERIOD, 6000),
		LOG_LIMIT_BURST);
	/* But a user makes no room on whom a report is still to come. */
	assert_int_equal(allowed(limit, LOG_TOPIC_REQUESTS, USER + 2, 100 * START, 6000),
			 LOG_LIMIT_BURST);
	expect_report(limit, UINT64_MAX, "lines left out on failed requests of user 1001: 5970");
	expect_report(limit, UINT64_MAX, "lines left out on failed requests of user 1002: 5970");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_burst_and_then_one_for_each_period, begin, end),
		cmocka_unit_test_setup_teardown(what_is_left_out_is_counted, begin, end),
		cmocka_unit_test_setup_teardown(all_can_be_told_at_once, begin, end),
		cmocka_unit_test_setup_teardown(users_and_topics_do_not_take_from_each_other, begin,
						end),
		cmocka_unit_test_setup_teardown(any_number_of_users, begin, end),
		cmocka_unit_test_setup_teardown(users_that_share_are_told_of_together, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
