/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release.c - requests to processes to release mappings, and all their answers
 */
#include "catalog/events.h"
#include "change/changes.h"
#include "release_helper.h"
#include <limits.h>

static void a_mapping_is_released(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	uint64_t number = mapping_number(mapping), request;
	struct result result;
	int fd = library(place);

	request = go(place, fd, mapping, &result);
	assert_int_equal(place->process_table.pid_scans, 0);
	say(place, fd, WIRE_DONE, request, 0);
	assert_int_equal(place->process_table.pid_scans, 1);
	assert_int_equal(place->process_table.pid, PID);
	assert_int_equal(result.calls, 0); /* the answer alone is not enough */
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, 0, NULL);
	assert_null(catalog_find_number(place->rig->modules.catalog, number));
	assert_int_equal(releases_expire(place->releases, clock_now()), UINT64_MAX);
	expect(place, fd, 0);
	close(fd);
}

static void a_process_that_cannot_be_asked_is_busy(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int others[] = {stay(place, PID, UID, TABLE + 1), stay(place, PID + 1, UID, TABLE)};
	struct result result;
	int fd;

	ask_for(place, mapping, PATIENCE, &result);
	expect_result(&result, EBUSY, prog(": cannot unmap: ", " has no release handler"));
	assert_null(mapping_observer(mapping));
	for (int i = 0; i < 2; i++) {
		expect(place, others[i], 0);
		close(others[i]);
	}
	fd = library(place);
	close(fd);
	rig_poll(place->rig);
	ask_for(place, mapping, PATIENCE, &result);
	expect_result(&result, EBUSY, "has no release handler");
}

static void refusals_are_told(void **state)
{
	struct place *place = *state;
	static const struct {
		int said, error;
		const char *text;
	} answers[] = {
		{-EPERM, EPERM, " refused: Operation not permitted"},
		{-EBUSY, EBUSY, " refused: Device or resource busy"},
		{-ENOENT, EBUSY, " has changed it meanwhile"},
		{PMEM2_E_NOSUPP, EBUSY, " has no release handler"},
		{PMEM2_E_MAPPING_NOT_FOUND, EBUSY, " has changed it meanwhile"},
		{PMEM2_E_NO_ACCESS, EACCES, " refused: Permission denied"},
		{0, EBUSY, " says that it is released"},
		{EPERM, EBUSY, " refused"},
		{-512, EBUSY, " refused"},
		{-1000, EBUSY, " refused"},
		{-99999, EBUSY, " refused"},
		{INT_MIN, EINVAL, " refused"},
		{INT_MAX, EBUSY, " refused"},
	};
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request;

	for (size_t i = 0; i < 2 * sizeof(answers) / sizeof(*answers); i++) {
		if (i % 2) {
			request = go(place, fd, mapping, &result);
		} else { /* at once */
			ask_for(place, mapping, PATIENCE, &result);
			request = expect_ask(place, fd, mapping);
		}
		say(place, fd, WIRE_DONE, request, answers[i / 2].said);
		process_table_fake_wake(&place->process_table);
		expect_result(&result, answers[i / 2].error, prog("", answers[i / 2].text));
		assert_null(mapping_observer(mapping));
		expect(place, fd, 0);
	}
	close(fd);
}

/* A process that does not answer delays an rm only once. */
static void a_silent_process_is_left_alone(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5), *other = publish(place, 6);
	int fd = library(place);
	struct result result, more;
	uint64_t request, first;

	ask_for(place, mapping, PATIENCE, &result);
	first = expect_ask(place, fd, mapping);
	assert_true(releases_expire(place->releases, clock_now()) != UINT64_MAX);
	assert_int_equal(result.calls, 0);
	overdue(place);
	expect_result(&result, EBUSY, prog("", " does not answer"));
	expect(place, fd, WIRE_WITHDRAWN);
	assert_null(mapping_observer(mapping));

	for (int i = 0; i < 3; i++) {
		ask_for(place, i % 2 ? mapping : other, SHORT_PATIENCE, &more);
		expect_result(&more, EBUSY, prog("", " does not answer"));
		expect(place, fd, 0);
	}
	/* A request that delays no other one may wait until the process answers again. */
	ask_for(place, other, PATIENCE, &more);
	expect_ask(place, fd, other);
	assert_int_equal(more.calls, 0);
	changes_withdraw(more.job);
	expect(place, fd, WIRE_WITHDRAWN);
	/* The withdrawn request is not carried out now; a new one is. */
	say(place, fd, WIRE_READY, first, 0);
	expect(place, fd, WIRE_WITHDRAWN);
	request = go(place, fd, mapping, &result);
	assert_true(request != first);
	say(place, fd, WIRE_DONE, request, 0);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	close(fd);
}

/* A user that has held others up too long: rm fails at once, and a request that delays nobody is
 * made. */
static void who_has_held_others_up_is_not_asked(void **state)
{
	struct place *place = *state;
	struct hold_up *hold_up = &place->rig->modules.hold_up;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	uint64_t now = clock_now();
	struct result result;

	hold_up_charge(hold_up, HOLD_UP_RM, UID, now - 3 * CLOCK_SECOND, now);
	ask_for(place, mapping, SHORT_PATIENCE, &result);
	expect_result(&result, EBUSY, "has made others wait too long");
	expect(place, fd, 0);
	go(place, fd, mapping, &result);
	hang_up(place, fd);
}

/* What rm waits for a process is charged to the account that LOOKUP uses, too. */
static void who_is_asked_by_rm_holds_others_up(void **state)
{
	struct place *place = *state;
	struct hold_up *hold_up = &place->rig->modules.hold_up;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;

	ask_for(place, mapping, SHORT_PATIENCE, &result);
	expect_ask(place, fd, mapping);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	assert_int_equal(hold_up->list[0].uid, UID);
	close(fd);
}

/* The process answers too late, but before the deadline was checked. */
static void too_late_is_too_late(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request;

	ask_for(place, mapping, 0, &result);
	request = expect_ask(place, fd, mapping);
	place->rig->swept = NULL;
	say(place, fd, WIRE_READY, request, 0);
	expect_result(&result, EBUSY, "does not answer");
	expect(place, fd, WIRE_WITHDRAWN);
	expect(place, fd, 0);
	go(place, fd, mapping, &result); /* asked again, because it has answered */
	place->rig->swept = sweep;
	hang_up(place, fd);
}

static void one_that_hangs_keeps_its_mapping(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5), *other = publish(place, 6);
	int fd = library(place);
	struct result result, more;
	uint64_t request, next;

	request = go(place, fd, mapping, &result);
	overdue(place);
	expect_result(&result, EBUSY, prog("", " has begun, but has not released it in time"));
	expect(place, fd, 0);
	for (int i = 0; i < 2; i++) {
		ask_for(place, mapping, PATIENCE, &more);
		expect_result(&more, EBUSY, prog("", " is being asked for it already"));
		expect(place, fd, 0);
	}
	ask_for(place, other, PATIENCE, &more); /* a request for another mapping */
	next = expect_ask(place, fd, other);
	say(place, fd, WIRE_DONE, next, -EPERM);
	process_table_fake_wake(&place->process_table);
	expect_result(&more, EPERM, "refused");

	say(place, fd, WIRE_DONE, request, -EBUSY);
	assert_int_equal(place->process_table.pid_scans, 2);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, "has begun");
	go(place, fd, mapping, &result);
	hang_up(place, fd);
}

static void nothing_is_carried_out_after_a_withdrawal(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result, more;
	uint64_t request, next;

	ask_for(place, mapping, PATIENCE, &result);
	request = expect_ask(place, fd, mapping);
	changes_withdraw(result.job);
	assert_null(result.job);
	expect(place, fd, WIRE_WITHDRAWN);
	assert_null(mapping_observer(mapping));
	ask_for(place, mapping, PATIENCE, &more);
	next = expect_ask(place, fd, mapping);
	say(place, fd, WIRE_READY, request, 0);
	expect(place, fd, WIRE_WITHDRAWN);
	say(place, fd, WIRE_READY, next, 0);
	expect(place, fd, WIRE_GO);
	say(place, fd, WIRE_DONE, request, 0); /* answers the first request, not the second */
	assert_int_equal(place->process_table.pid_scans, 0);
	assert_int_equal(more.calls, 0);
	changes_withdraw(more.job);
	expect(place, fd, 0); /* not withdrawn: the release has begun */
	assert_non_null(mapping_observer(mapping));
	say(place, fd, WIRE_DONE, next, 0);
	assert_int_equal(place->process_table.pid_scans, 1);
	vanish(place, mapping);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(result.calls + more.calls, 0);
	close(fd);
}

static void the_end_of_a_connection(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result;
	uint64_t request;
	int fd;

	for (int stage = 0; stage < 4; stage++) {
		bool gone = stage % 2;

		fd = library(place);
		ask_for(place, mapping, PATIENCE, &result);
		request = expect_ask(place, fd, mapping);
		if (stage / 2) {
			say(place, fd, WIRE_READY, request, 0);
			expect(place, fd, WIRE_GO);
		}
		close(fd);
		rig_poll(place->rig);
		assert_int_equal(place->process_table.pid_scans, stage + 1);
		assert_int_equal(result.calls, 0);
		if (gone)
			vanish(place, mapping);
		process_table_fake_wake(&place->process_table);
		expect_result(&result, gone ? 0 : EBUSY, "has hung up without releasing it");
		if (gone)
			mapping = publish(place, 5);
		assert_null(mapping_observer(mapping));
	}
}

/* An answer that was sent before the end of the connection counts. */
static void the_last_word_of_a_connection(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	const struct wire_message words = {
		.magic = WIRE_MAGIC, .type = WIRE_DONE, .request = 1, .error = -EPERM};
	struct result result;
	int fd = library(place);

	assert_int_equal(go(place, fd, mapping, &result), 1);
	assert_int_equal(send(fd, &words, sizeof(words), 0), sizeof(words));
	hang_up(place, fd);
	expect_result(&result, EPERM, "refused");
}

/*
 * The waiting request gets its result as soon as the mapping is gone, before and after the release
 * has begun.
 */
static void a_waiter_is_woken_at_once_when_it_is_gone(void **state)
{
	struct place *place = *state;
	struct mapping *mapping;
	int fd = library(place);
	struct result result;
	uint64_t request;

	mapping = publish(place, 5);
	ask_for(place, mapping, PATIENCE, &result);
	expect_ask(place, fd, mapping);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	expect(place, fd, WIRE_WITHDRAWN);

	mapping = publish(place, 5);
	request = go(place, fd, mapping, &result);
	vanish(place, mapping);
	expect_result(&result, 0, NULL);
	say(place, fd, WIRE_DONE, request, 0);
	assert_int_equal(place->process_table.pid_scans, 0);
	expect(place, fd, 0);

	/* The request was withdrawn. */
	mapping = publish(place, 5);
	go(place, fd, mapping, &result);
	changes_withdraw(result.job);
	vanish(place, mapping);
	assert_int_equal(result.calls, 0);
	close(fd);
}

/*
 * One log line and one event for each refusal, none for a success: the process table reports a
 * mapping that is gone.
 */
static void who_may_ask_for_what(void **state)
{
	struct place *place = *state;
	struct mapping *published = publish(place, 5), *observed = enter(place, 6, ORIGIN_OBSERVED);
	struct modules *modules = &place->rig->modules;
	int fd = library(place), ends[2], events = 0;
	struct subscriber subscriber;
	char event[4096];
	struct result result;
	uint64_t request;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	subscriber = (struct subscriber){.socket = ends[1]};
	events_subscribe(modules->events, &subscriber);
	result = (struct result){0};
	changes_unmap(&modules->changes, published, UID + 1, PATIENCE, finished, &result,
		      &result.job);
	expect_result(&result, EPERM, ": cannot unmap: it belongs to user 1000");
	result = (struct result){0};
	changes_unmap(&modules->changes, observed, UID + 1, PATIENCE, finished, &result,
		      &result.job);
	expect_result(&result, EPERM, ": cannot unmap: it belongs to user 1000");
	result = (struct result){0};
	changes_unmap(&modules->changes, observed, 0, PATIENCE, finished, &result, &result.job);
	expect_result(&result, EPERM, prog("it is only observed: ", " maps it by other means"));
	result = (struct result){0};
	changes_unmap_range(&modules->changes, published, 0, 1, UID, PATIENCE, finished, &result);
	expect_result(&result, EPERM, prog("only ", ", which published it, can do that"));
	result = (struct result){0};
	changes_unmap_range(&modules->changes, observed, 0, 1, 0, PATIENCE, finished, &result);
	expect_result(&result, EPERM, "only observed");
	result = (struct result){0};
	changes_rename(&modules->changes, published, "y", UID, PATIENCE, finished, &result);
	expect_result(&result, EPERM, prog("only ", ", which published it, can do that"));
	expect(place, fd, 0);
	while (recv(ends[0], event, sizeof(event) - 1, MSG_DONTWAIT) > 0) {
		assert_non_null(strstr(event, "\"failed\""));
		events++;
	}
	assert_int_equal(events, 6);

	result = (struct result){0};
	changes_unmap(&modules->changes, published, UID, PATIENCE, finished, &result, NULL);
	request = expect_ask(place, fd, published);
	say(place, fd, WIRE_READY, request, 0);
	expect(place, fd, WIRE_GO);
	say(place, fd, WIRE_DONE, request, 0);
	vanish(place, published);
	expect_result(&result, 0, NULL);
	assert_int_equal(recv(ends[0], event, sizeof(event), MSG_DONTWAIT), -1);
	events_unsubscribe(modules->events, &subscriber);
	close(ends[0]);
	close(ends[1]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mapping_is_released, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_cannot_be_asked_is_busy, begin, end),
		cmocka_unit_test_setup_teardown(refusals_are_told, begin, end),
		cmocka_unit_test_setup_teardown(a_silent_process_is_left_alone, begin, end),
		cmocka_unit_test_setup_teardown(who_has_held_others_up_is_not_asked, begin, end),
		cmocka_unit_test_setup_teardown(who_is_asked_by_rm_holds_others_up, begin, end),
		cmocka_unit_test_setup_teardown(too_late_is_too_late, begin, end),
		cmocka_unit_test_setup_teardown(one_that_hangs_keeps_its_mapping, begin, end),
		cmocka_unit_test_setup_teardown(nothing_is_carried_out_after_a_withdrawal, begin,
						end),
		cmocka_unit_test_setup_teardown(the_end_of_a_connection, begin, end),
		cmocka_unit_test_setup_teardown(the_last_word_of_a_connection, begin, end),
		cmocka_unit_test_setup_teardown(a_waiter_is_woken_at_once_when_it_is_gone, begin,
						end),
		cmocka_unit_test_setup_teardown(who_may_ask_for_what, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
