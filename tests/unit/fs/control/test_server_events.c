/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server_events.c - events over the socket
 */
#include "server_helper.h"

static void tells_events(void **state)
{
	struct place *place = *state;
	int listener = reach(place, 0), fd = reach(place, 0);
	json_t *event;

	assert_int_equal(ask(place, listener, "{\"events\":1}", NULL), 0);
	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	event = wait_for(place, listener);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "map");
	json_decref(event);
	assert_int_equal(ask(place, listener, "{\"hello\":1}", NULL), 0);
	close(listener);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", NULL), 0);
	close(fd);
}

/*
 * A reader that was too slow gets the number of lost events as soon as it reads, not with the next
 * event.
 */
static void tells_what_was_lost(void **state)
{
	struct place *place = *state;
	int listener = reach(place, 0);
	unsigned got = 0, made = 0;
	bool lost = false;
	json_t *event;

	assert_int_equal(ask(place, listener, "{\"events\":1}", NULL), 0);
	for (; made < 5000; made++)
		events_failed(place->rig->modules.events, "map", "x", 0, EIO, "why");
	while (!lost) {
		event = wait_for(place, listener);
		lost = json_object_get(event, "count");
		got += lost ? (unsigned)json_integer_value(json_object_get(event, "count")) : 1;
		json_decref(event);
	}
	assert_int_equal(got, made);
	rig_poll(place->rig);
	assert_null(packet_next(listener));
	events_failed(place->rig->modules.events, "map", "x", 0, EIO, "why");
	json_decref(wait_for(place, listener));
	assert_int_equal(ask(place, listener, "{\"hello\":1}", NULL), 0);
	close(listener);
}

/*
 * A second subscription has no effect, also when the connection ends and another one gets its
 * descriptor.
 */
static void asks_for_events_twice(void **state)
{
	struct place *place = *state;
	int listener = reach(place, 0), fd = reach(place, 0), next;
	json_t *event;

	assert_int_equal(ask(place, listener, "{\"events\":1}", NULL), 0);
	assert_int_equal(ask(place, listener, "{\"events\":1}", NULL), 0);
	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"x\"}", NULL), 0);
	event = wait_for(place, listener);
	json_decref(event);
	assert_null(packet_next(listener));
	close(listener);
	rig_poll(place->rig);
	next = reach(place, 0);
	rig_poll(place->rig);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", NULL), 0);
	assert_null(packet_next(next));
	close(next);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(tells_events, begin, end),
		cmocka_unit_test_setup_teardown(tells_what_was_lost, begin, end),
		cmocka_unit_test_setup_teardown(asks_for_events_twice, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
