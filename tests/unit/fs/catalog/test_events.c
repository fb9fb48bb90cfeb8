/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_events.c - the events that subscribers receive
 */
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "packet.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

struct rig {
	struct events *events;
	struct catalog *catalog;
	int near, far;
};

static int begin(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int ends[2];

	*state = rig;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	rig->near = ends[0];
	rig->far = ends[1];
	rig->events = events_new();
	rig->catalog = catalog_new(0);
	return !rig->events || !rig->catalog;
}

static int end(void **state)
{
	struct rig *rig = *state;

	events_free(rig->events);
	catalog_free(rig->catalog);
	close(rig->near);
	close(rig->far);
	free(rig);
	return 0;
}

static struct mapping *add(struct rig *rig, const char *name, uid_t uid)
{
	const struct pmem2fs_record record = {
		.address = 0x7f5a40000000,
		.length = 67108864,
		.uid = uid,
		.source_type = PMEM2FS_SOURCE_ANONYMOUS,
	};
	struct mapping *mapping = NULL;

	assert_int_equal(catalog_reserve(rig->catalog, name, uid, &mapping), 0);
	assert_int_equal(catalog_show(rig->catalog, mapping, 0, &record, NULL, NULL), 0);
	return mapping;
}

/* The next event is `expected`, apart from its time, which must be a valid one. */
static void expect(int fd, const char *expected)
{
	json_t *event = packet_next(fd), *wanted = json_loads(expected, 0, NULL);
	int year;

	assert_non_null(event);
	assert_int_equal(sscanf(json_string_value(json_object_get(event, "time")), "%4d-", &year),
			 1);
	assert_true(year >= 2020);
	json_object_del(event, "time");
	if (!json_equal(event, wanted))
		fail_msg("%s instead of %s", json_dumps(event, 0), expected);
	json_decref(event);
	json_decref(wanted);
}

static void expect_nothing(int fd)
{
	assert_null(packet_next(fd));
}

static void says_what_happened(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 1000);

	events_mapped(rig->events, mapping); /* there is no subscriber yet */
	assert_int_equal(events_subscribe(rig->events, rig->near, 0), 0);
	expect_nothing(rig->far);
	events_mapped(rig->events, mapping);
	expect(rig->far, "{\"event\":\"map\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864}");
	events_renamed(rig->events, mapping, "old");
	expect(rig->far, "{\"event\":\"rename\",\"name\":\"log\",\"old_name\":\"old\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864}");
	events_unmapped_range(rig->events, mapping, 4096, 8192);
	expect(rig->far, "{\"event\":\"unmap_range\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864,"
			 "\"range\":{\"offset\":4096,\"length\":8192}}");
	events_unmapped(rig->events, mapping);
	expect(rig->far, "{\"event\":\"unmap\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864}");
	events_failed(rig->events, "map", "log", 4294967294u, EEXIST, "log: the name is taken");
	expect(rig->far, "{\"event\":\"failed\",\"operation\":\"map\",\"name\":\"log\","
			 "\"uid\":4294967294,\"errno\":17,"
			 "\"message\":\"log: the name is taken\"}");
}

static void learn(struct rig *rig, struct mapping *mapping, bool lost, uint32_t bad)
{
	struct facts facts = {.lost = lost, .badblocks_known = !lost, .badblock_count = bad};

	if (bad)
		facts.badblocks = calloc(bad, sizeof(*facts.badblocks));
	for (uint32_t i = 0; i < bad; i++)
		facts.badblocks[i] = (struct pmem2_badblock){i * 8192ull, 4096};
	catalog_learn(rig->catalog, mapping, &facts, 1);
	events_changed(rig->events, mapping);
}

static void says_what_has_changed(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 1000);

	assert_false(events_wanted(rig->events));
	learn(rig, mapping, false, 0);
	assert_int_equal(events_subscribe(rig->events, rig->near, 1000), 0);
	assert_true(events_wanted(rig->events));
	learn(rig, mapping, false, 2);
	expect(rig->far, "{\"event\":\"change\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864,"
			 "\"state\":\"active\",\"badblocks\":[{\"offset\":0,\"length\":4096},"
			 "{\"offset\":8192,\"length\":4096}]}");
	learn(rig, mapping, false, 0);
	expect(rig->far, "{\"event\":\"change\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864,"
			 "\"state\":\"active\",\"badblocks\":[]}");
	learn(rig, mapping, true, 0);
	expect(rig->far, "{\"event\":\"change\",\"name\":\"log\",\"uid\":1000,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864,"
			 "\"state\":\"lost\",\"badblocks\":null}");
	learn(rig, add(rig, "other", 1001), true, 0);
	expect_nothing(rig->far);
	events_unsubscribe(rig->events, rig->near);
	assert_false(events_wanted(rig->events));
}

static void odd_names_are_escaped(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a\\\xff", 0);

	assert_int_equal(events_subscribe(rig->events, rig->near, 0), 0);
	events_renamed(rig->events, mapping, "\xfe\n");
	expect(rig->far, "{\"event\":\"rename\",\"name\":\"a\\\\x5c\\\\xff\","
			 "\"name_encoding\":\"escaped\",\"old_name\":\"\\\\xfe\\n\","
			 "\"old_name_encoding\":\"escaped\",\"uid\":0,"
			 "\"address\":\"0x7f5a40000000\",\"length\":67108864}");
	events_failed(rig->events, "map", "\xff", 0, EIO, "\xff: bad");
	expect(rig->far, "{\"event\":\"failed\",\"operation\":\"map\",\"name\":\"\\\\xff\","
			 "\"name_encoding\":\"escaped\",\"uid\":0,\"errno\":5,"
			 "\"message\":\"\\\\xff: bad\",\"message_encoding\":\"escaped\"}");
}

static void users_hear_their_own(void **state)
{
	struct rig *rig = *state;
	struct mapping *own = add(rig, "own", 1000), *other = add(rig, "other", 1001),
		       *roots = add(rig, "roots", 0);
	json_t *event;

	assert_int_equal(events_subscribe(rig->events, rig->near, 1000), 0);
	events_mapped(rig->events, other);
	events_mapped(rig->events, roots);
	events_renamed(rig->events, other, "own");
	events_failed(rig->events, "map", "own", 1001, EIO, "why");
	expect_nothing(rig->far);
	events_mapped(rig->events, own);
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "name")), "own");
	json_decref(event);
	events_failed(rig->events, "map", "other", 1000, EIO, "why");
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "name")), "other");
	json_decref(event);
}

static void a_slow_reader_hears_how_many_it_lost(void **state)
{
	enum { COUNT = 5000 };
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 0);
	json_int_t got = 0, lost;
	json_t *event;

	assert_int_equal(events_subscribe(rig->events, rig->near, 0), 0);
	for (int i = 0; i < COUNT; i++)
		events_mapped(rig->events, mapping);
	while ((event = packet_next(rig->far))) {
		assert_string_equal(json_string_value(json_object_get(event, "event")), "map");
		json_decref(event);
		got++;
	}
	assert_true(got > 0 && got < COUNT);
	events_unmapped(rig->events, mapping);
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "lost");
	lost = json_integer_value(json_object_get(event, "count"));
	assert_int_equal(got + lost, COUNT);
	json_decref(event);
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "unmap");
	json_decref(event);
	events_unmapped(rig->events, mapping);
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "unmap");
	json_decref(event);
	expect_nothing(rig->far);
}

/* One of several unsubscribes; the others still receive events. */
static void unsubscribes(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 0);
	int other[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other), 0);
	assert_int_equal(events_subscribe(rig->events, rig->near, 0), 0);
	assert_int_equal(events_subscribe(rig->events, other[0], 0), 0);
	events_unsubscribe(rig->events, rig->near);
	events_unsubscribe(rig->events, 12345);
	events_mapped(rig->events, mapping);
	expect_nothing(rig->far);
	json_decref(packet_next(other[1]));
	close(other[1]); /* a closed connection causes no SIGPIPE */
	events_mapped(rig->events, mapping);
	close(other[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(says_what_happened, begin, end),
		cmocka_unit_test_setup_teardown(says_what_has_changed, begin, end),
		cmocka_unit_test_setup_teardown(odd_names_are_escaped, begin, end),
		cmocka_unit_test_setup_teardown(users_hear_their_own, begin, end),
		cmocka_unit_test_setup_teardown(a_slow_reader_hears_how_many_it_lost, begin, end),
		cmocka_unit_test_setup_teardown(unsubscribes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
