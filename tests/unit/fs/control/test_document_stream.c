/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_document_stream.c - lists of many mappings take many rounds of the loop
 *
 * The clock goes on by a whole round whenever it is read.
 */
#include "base/clock.h"
#include "control/document_stream.h"
#include "shown_mapping.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define COUNT 300

static const struct list_terms all;
static uint64_t now = 1;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	(void)clock;
	now += DOCUMENT_STREAMS_ROUND;
	*time = clock_timespec(now);
	return 0;
}

static void add_all(struct catalog *catalog)
{
	char name[16];

	for (uint32_t i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "m%03u", i);
		add(catalog, name, i, &record);
	}
}

static struct document_stream *stream_of(struct document_streams *streams, struct catalog *catalog)
{
	struct rights rights = {.uid = 1000};
	struct document_stream *stream = document_stream_new(streams, catalog, &rights, 0444, &all);

	assert_non_null(stream);
	return stream;
}

static void removes_one(struct catalog *catalog, unsigned i)
{
	char name[16];

	snprintf(name, sizeof(name), "m%03u", i);
	catalog_remove(catalog, catalog_find(catalog, name));
}

static void collects_in_portions(void **state)
{
	struct document_streams streams = {0};
	struct document_stream *stream;
	unsigned portions = 0;
	size_t length, lines = 0;
	int error;

	add_all(*state);
	stream = stream_of(&streams, *state);
	while ((error = document_stream_collect(stream)) == -EAGAIN)
		removes_one(*state, COUNT - ++portions);
	assert_int_equal(error, 0);
	assert_true(portions > 3);
	assert_int_equal(document_stream_counts(stream).count, COUNT);
	assert_int_equal(document_stream_counts(stream).removed, 0);
	for (;;) {
		const char *text = document_stream_text(stream, &length);

		assert_non_null(text);
		if (!length)
			break;
		for (size_t i = 0; i < length; i++)
			lines += text[i] == '\n';
		document_stream_sent(stream, length);
	}
	assert_int_equal(lines, COUNT);
	document_stream_free(stream);
	assert_false(document_streams_work(&streams));
}

static void fill(struct document_streams *streams, struct catalog *catalog)
{
	for (unsigned i = 0; i < document_streams_share.user; i++) {
		struct document_stream *stream = stream_of(streams, catalog);

		while (document_stream_collect(stream) == -EAGAIN)
			;
	}
}

static void note_wake(struct waiter *waiter)
{
	waiter->since++;
}

/* Until all is released, the stream counts for its user. */
static void releases_in_portions(void **state)
{
	struct document_streams streams = {0};
	struct waiter waiter = {.wake = note_wake};
	unsigned portions = 0;

	add_all(*state);
	fill(&streams, *state);
	assert_false(document_streams_have_room(&streams, 1000));
	document_streams_wait(&streams, &waiter);
	document_stream_free(streams.list);
	while (document_streams_work(&streams)) {
		assert_false(document_streams_have_room(&streams, 1000));
		assert_int_equal(waiter.since, 0);
		portions++;
	}
	assert_true(portions > 2);
	assert_true(document_streams_have_room(&streams, 1000));
	assert_int_equal(waiter.since, 1);
	while (streams.list)
		document_stream_free(streams.list);
	document_streams_close(&streams);
}

/* Also one whose collection has not ended. */
static void a_stream_ends_while_it_collects(void **state)
{
	struct document_streams streams = {0};
	struct document_stream *stream;

	add_all(*state);
	stream = stream_of(&streams, *state);
	assert_int_equal(document_stream_collect(stream), -EAGAIN);
	removes_one(*state, COUNT - 1);
	document_stream_free(stream);
	while (document_streams_work(&streams))
		;
	removes_one(*state, COUNT - 2);
}

/* In turn, one in each round. */
static void who_pauses_goes_on(void **state)
{
	struct document_streams streams = {0};
	struct waiter waiters[3] = {{.wake = note_wake}, {.wake = note_wake}, {.wake = note_wake}};

	(void)state;
	assert_false(document_streams_work(&streams));
	for (int i = 0; i < 3; i++)
		document_streams_pause(&streams, &waiters[i]);
	for (unsigned round = 0; round < 3; round++) {
		assert_int_equal(document_streams_work(&streams), round < 2);
		for (unsigned i = 0; i < 3; i++)
			assert_int_equal(waiters[i].since, i <= round);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(collects_in_portions, begin, end),
		cmocka_unit_test_setup_teardown(releases_in_portions, begin, end),
		cmocka_unit_test_setup_teardown(a_stream_ends_while_it_collects, begin, end),
		cmocka_unit_test(who_pauses_goes_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
