/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server_patience.c - what a peer costs that takes documents slowly, and for how long
 *
 * The clock runs ahead by as much as the tests say.
 */
#include "base/clock.h"
#include "facts/facts_cache.h"
#include "protocol/control.h"
#include "server_helper.h"
#include <malloc.h>

#define MANY 6000 /* so many that ten minutes are not enough at the pace of the test */

static time_t ahead; /* seconds */

int __real_clock_gettime(clockid_t id, struct timespec *now);
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	int result = __real_clock_gettime(id, now);

	now->tv_sec += ahead;
	return result;
}

static void add_many(struct place *place)
{
	const struct pmem2fs_record record = {
		.address = 0x10000, .length = 4096, .source_type = PMEM2FS_SOURCE_ANONYMOUS};
	struct catalog *catalog = place->rig->modules.catalog;
	struct mapping *mapping;
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%04d", i);
		assert_int_equal(catalog_reserve(catalog, name, 0, &mapping), 0);
		assert_int_equal(catalog_show(catalog, mapping, 4000, &record, NULL,
					      facts_cache_keeper(place->rig->modules.facts_cache)),
				 0);
	}
}

static int begin_list(struct place *place)
{
	int fd = reach(place, 0);
	json_t *answer;

	put(fd, "{\"list\":1}");
	answer = wait_for(place, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), MANY);
	json_decref(answer);
	rig_poll(place->rig);
	return fd;
}

/* A packet every 25 seconds is not too slow, but all of them have ten minutes. */
static void a_slow_peer_has_ten_minutes(void **state)
{
	struct place *place = *state;
	static char packet[CONTROL_MAX_BYTES];
	unsigned taken = 0;
	ssize_t length;
	int fd;

	add_many(place);
	fd = begin_list(place);
	while ((length = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0) {
		taken++;
		ahead += 25;
		rig_poll(place->rig);
		if (taken == 600 / 25)
			break;
	}
	assert_int_equal(taken, 600 / 25);
	while ((length = recv(fd, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		;
	assert_true(length == 0 || errno == ECONNRESET);
	close(fd);
}

static size_t memory_used(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Each mapping gets another document. */
static void change_all(struct place *place)
{
	static uint64_t size;
	struct catalog *catalog = place->rig->modules.catalog;
	struct mapping *mapping;
	size_t at;

	size++;
	for (mapping = catalog_after(catalog, 0, &at); mapping;
	     mapping = catalog_next(catalog, &at)) {
		struct facts facts = {
			.size = size,
			.size_known = true,
			.owner = process_info_get(
				facts_cache_keeper(place->rig->modules.facts_cache)),
		};

		catalog_learn(catalog, mapping, &facts, clock_now());
	}
}

/*
 * For a peer that does not read, one old version of each mapping is kept, however often these
 * change, and is freed with the connection.
 */
static void a_dead_peer_costs_one_version_of_each_mapping(void **state)
{
	struct place *place = *state;
	size_t before, once, often;
	int fd;

	add_many(place);
	change_all(place);
	fd = begin_list(place);
	before = memory_used();
	change_all(place);
	once = memory_used();
	for (int i = 0; i < 20; i++)
		change_all(place);
	often = memory_used();
	assert_true(often <= once + (once - before) / 2);
	close(fd);
	rig_poll(place->rig);
	rig_poll(place->rig);
	assert_true(memory_used() <= before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_slow_peer_has_ten_minutes, begin, end),
		cmocka_unit_test_setup_teardown(a_dead_peer_costs_one_version_of_each_mapping,
						begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
