/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_scan_parts.c - scans of one process between the parts of a scan of all
 */
#include "process_table_helper.h"

static void ask(struct fixture *fixture, struct wait *wait, pid_t pid)
{
	*wait = (struct wait){.waiter.wake = wake};
	assert_int_equal(process_table_scan_pid(fixture->process_table, pid, &wait->waiter), 0);
}

static void run(struct fixture *fixture, const struct wait *wait)
{
	while (!wait->woken) {
		rig_poll(fixture->rig);
		process_table_expire(fixture->process_table, clock_now());
	}
}

/* Has a scan of all begun, whose thread waits in its first part. */
static void begin_all(struct fixture *fixture, struct wait *wait)
{
	fake.newest->stops = true;
	fake.endless = true;
	*wait = (struct wait){.waiter.wake = wake};
	scan_for_user(fixture, wait);
}

static void go_on(void)
{
	fake.newest->stops = false;
	sem_post(&fake.newest->go);
}

static void end_all(struct fixture *fixture, const struct wait *wait)
{
	fake.endless = false;
	run(fixture, wait);
}

static void one_process_does_not_wait_for_all(void **state)
{
	struct fixture *fixture = *state;
	struct wait all, one, other;

	begin_all(fixture, &all);
	ask(fixture, &one, 17);
	ask(fixture, &other, 18);
	go_on();
	run(fixture, &one);
	run(fixture, &other);
	assert_false(all.woken);
	assert_int_equal(fake.scan_queue[SCAN_ONE], 2);
	end_all(fixture, &all);
}

/* A scan of all processes makes progress although a scan of one process always waits. */
static void all_do_not_wait_for_those_of_one_process(void **state)
{
	struct fixture *fixture = *state;
	struct wait all, ones[2];

	begin_all(fixture, &all);
	ask(fixture, &ones[0], 17);
	ask(fixture, &ones[1], 18);
	go_on();
	for (int i = 0; fake.scan_queue[SCAN_ALL] < 4; i = !i) {
		run(fixture, &ones[i]);
		ask(fixture, &ones[i], 17 + i);
	}
	assert_false(all.woken);
	run(fixture, &ones[0]);
	run(fixture, &ones[1]);
	end_all(fixture, &all);
}

/* What a part has found is shown before the scan has ended. */
static void a_part_is_shown_at_once(void **state)
{
	struct fixture *fixture = *state;
	struct wait all, one;
	size_t place;

	fake.next = news_new(fixture, 1, 1);
	begin_all(fixture, &all);
	ask(fixture, &one, 17);
	go_on();
	run(fixture, &one);
	assert_false(all.woken);
	assert_non_null(catalog_after(fixture->rig->modules.catalog, 0, &place));
	end_all(fixture, &all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_process_does_not_wait_for_all, begin, end),
		cmocka_unit_test_setup_teardown(all_do_not_wait_for_those_of_one_process, begin,
						end),
		cmocka_unit_test_setup_teardown(a_part_is_shown_at_once, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
