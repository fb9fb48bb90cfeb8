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
	struct subscriber subscriber; /* at `near` */
	int near, far;
};

/* Calls by events.c. */
static unsigned sent, serialized, full;

ssize_t send(int fd, const void *bytes, size_t length, int flags)
{
	sent++;
	return sendto(fd, bytes, length, flags, NULL, 0);
}

char *json_dumps(const json_t *json, size_t flags)
{
	size_t size = json_dumpb(json, NULL, 0, flags);
	char *text = calloc(1, size + 1);

	serialized++;
	assert_non_null(text);
	json_dumpb(json, text, size, flags);
	return text;
}

static void is_full(struct subscriber *subscriber)
{
	(void)subscriber;
	full++;
}

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
	rig->subscriber = (struct subscriber){.socket = rig->near, .full = is_full};
	sent = serialized = full = 0;
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

static void subscribe(struct rig *rig, uid_t uid)
{
	rig->subscriber.uid = uid;
	events_subscribe(rig->events, &rig->subscriber);
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
	subscribe(rig, 0);
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
	subscribe(rig, 1000);
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
	events_unsubscribe(rig->events, &rig->subscriber);
	assert_false(events_wanted(rig->events));
}

static void odd_names_are_escaped(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a\\\xff", 0);

	subscribe(rig, 0);
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

	subscribe(rig, 1000);
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

/* Reads events of that kind, and returns how many there were. */
static unsigned read_all(int fd, const char *kind)
{
	unsigned count = 0;
	json_t *event;

	for (; (event = packet_next(fd)); count++) {
		assert_string_equal(json_string_value(json_object_get(event, "event")), kind);
		json_decref(event);
	}
	return count;
}

static void a_slow_reader_hears_how_many_it_lost(void **state)
{
	enum { COUNT = 5000 };
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 0);
	unsigned got;
	json_t *event;

	subscribe(rig, 0);
	for (int i = 0; i < COUNT; i++)
		events_mapped(rig->events, mapping);
	assert_int_equal(full, 1);
	got = sent - 1;
	assert_int_equal(read_all(rig->far, "map"), got);
	assert_true(got > 0 && got < COUNT);
	events_unmapped(rig->events, mapping); /* is lost, too */
	expect_nothing(rig->far);
	events_writable(&rig->subscriber);
	event = packet_next(rig->far);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "lost");
	assert_int_equal(got + json_integer_value(json_object_get(event, "count")), COUNT + 1);
	json_decref(event);
	events_unmapped(rig->events, mapping);
	events_unmapped(rig->events, mapping);
	events_writable(&rig->subscriber);
	assert_int_equal(read_all(rig->far, "unmap"), 2);
	assert_int_equal(full, 1);
}

/* The socket is still full when it is said to be writable: nothing is forgotten. */
static void loses_more_while_it_is_full(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 0);
	uint64_t lost;

	subscribe(rig, 0);
	while (!full)
		events_mapped(rig->events, mapping);
	events_writable(&rig->subscriber);
	events_mapped(rig->events, mapping);
	lost = rig->subscriber.lost;
	assert_int_equal(lost, 2);
	/* The next subscription, of another connection, has lost nothing. */
	events_unsubscribe(rig->events, &rig->subscriber);
	subscribe(rig, 0);
	assert_int_equal(rig->subscriber.lost, 0);
}

static void an_event_is_made_once_for_all(void **state)
{
	enum { COUNT = 60 };
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 5);
	struct subscriber others[COUNT];

	subscribe(rig, 0);
	for (int i = 0; i < COUNT; i++) {
		others[i] = (struct subscriber){.socket = rig->near, .uid = 5, .full = is_full};
		events_subscribe(rig->events, &others[i]);
	}
	events_mapped(rig->events, mapping);
	assert_int_equal(serialized, 1);
	assert_int_equal(read_all(rig->far, "map"), COUNT + 1);
}

/* No event is made for subscribers that cannot take it. */
static void who_does_not_read_costs_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 5);
	struct subscriber others[2];
	unsigned made, tried;
	int other[2];

	subscribe(rig, 5);
	while (!full)
		events_mapped(rig->events, mapping);
	made = serialized;
	tried = sent;
	for (int i = 0; i < 1000; i++)
		events_mapped(rig->events, mapping);
	events_failed(rig->events, "map", "log", 5, EIO, "why");
	assert_int_equal(serialized, made);
	assert_int_equal(sent, tried);
	/* Others hear of it as ever. */
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other), 0);
	for (int i = 0; i < 2; i++) {
		others[i] = (struct subscriber){.socket = other[i], .full = is_full};
		events_subscribe(rig->events, &others[i]);
	}
	events_mapped(rig->events, mapping);
	assert_int_equal(read_all(other[0], "map"), 1);
	assert_int_equal(read_all(other[1], "map"), 1);
	assert_int_equal(sent, tried + 2);
	assert_int_equal(rig->subscriber.lost, 1 + 1000 + 1 + 1);
	close(other[0]);
	close(other[1]);
}

/* One of several unsubscribes; the others still receive events. */
static void unsubscribes(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "log", 0);
	struct subscriber second = {.full = is_full};
	int other[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, other), 0);
	second.socket = other[0];
	subscribe(rig, 0);
	events_subscribe(rig->events, &second);
	events_subscribe(rig->events, &second); /* has no effect */
	events_unsubscribe(rig->events, &rig->subscriber);
	events_unsubscribe(rig->events, &rig->subscriber);
	events_mapped(rig->events, mapping);
	expect_nothing(rig->far);
	assert_int_equal(read_all(other[1], "map"), 1);
	close(other[1]); /* a closed connection causes no SIGPIPE */
	events_mapped(rig->events, mapping);
	assert_int_equal(full, 0);
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
		cmocka_unit_test_setup_teardown(loses_more_while_it_is_full, begin, end),
		cmocka_unit_test_setup_teardown(an_event_is_made_once_for_all, begin, end),
		cmocka_unit_test_setup_teardown(who_does_not_read_costs_nothing, begin, end),
		cmocka_unit_test_setup_teardown(unsubscribes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
