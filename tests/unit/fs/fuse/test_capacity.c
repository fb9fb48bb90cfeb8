/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_capacity.c - a thread finds out what df shows, and no more often than needed
 */
#include "base/container_of.h"
#include "base/thread_pool.h"
#include "fuse/capacity.h"
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#define LANE    3
#define WAITING 2 /* tasks of a lane */

static _Atomic int readings, error;
static _Atomic uint64_t on_this_host;
static _Atomic int gate = -1; /* where a read waits */

int pmem2fs_host_capacity(uint64_t *bytes);

/* In place of the library's. */
int pmem2fs_host_capacity(uint64_t *bytes)
{
	eventfd_t count;

	readings++;
	if (gate >= 0)
		eventfd_read(gate, &count);
	*bytes = on_this_host;
	return error;
}

struct scene {
	struct catalog *catalog;
	struct pool *pool;
	struct capacity *capacity;
	int wake;
};

struct known_query {
	struct capacity_query query;
	int calls;
};

static int begin(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));

	*state = scene;
	readings = error = 0;
	on_this_host = 1000;
	scene->wake = eventfd(0, EFD_CLOEXEC);
	scene->pool = pool_new(scene->wake, &(struct share){.total = 4, .user = 1, .sure = 1},
			       WAITING, 0);
	scene->catalog = catalog_new(0);
	scene->capacity = capacity_new(scene->catalog, scene->pool, LANE);
	return !scene->pool || !scene->catalog || !scene->capacity;
}

static int end(void **state)
{
	struct scene *scene = *state;

	pool_close(scene->pool);
	capacity_free(scene->capacity);
	catalog_free(scene->catalog);
	close(scene->wake);
	free(scene);
	return 0;
}

static void count_call(struct capacity_query *query)
{
	container_of(query, struct known_query, query)->calls++;
}

static struct known_query new_query(void)
{
	return (struct known_query){.query = {.known = count_call}};
}

static void finish(struct scene *scene, const struct known_query *query)
{
	eventfd_t count;

	while (!query->calls) {
		assert_int_equal(eventfd_read(scene->wake, &count), 0);
		pool_finish(scene->pool);
	}
}

static void what_was_read_lately_is_not_read_again(void **state)
{
	struct scene *scene = *state;
	struct known_query first = new_query(), second = new_query();

	assert_int_equal(capacity_request(scene->capacity, &first.query), 0);
	assert_int_equal(first.calls, 0);
	finish(scene, &first);
	assert_int_equal(first.calls, 1);
	assert_true(first.query.bytes == 1000);
	on_this_host = 2000;
	/*
	 * On a slow machine more than a second may pass between the two: then there is another
	 * read.
	 */
	assert_int_equal(capacity_request(scene->capacity, &second.query), 0);
	if (second.calls)
		assert_true(second.query.bytes == 1000);
	finish(scene, &second);
	assert_int_equal(second.calls, 1);
	assert_int_equal(readings, second.query.bytes / 1000);
}

static void what_was_read_long_ago_is_read_again(void **state)
{
	struct scene *scene = *state;
	struct known_query first = new_query(), second = new_query();

	assert_int_equal(capacity_request(scene->capacity, &first.query), 0);
	finish(scene, &first);
	on_this_host = 2000;
	poll(NULL, 0, 1100);
	assert_int_equal(capacity_request(scene->capacity, &second.query), 0);
	assert_int_equal(second.calls, 0);
	finish(scene, &second);
	assert_true(second.query.bytes == 2000);
	assert_int_equal(readings, 2);
}

static void what_cannot_be_read_is_nothing(void **state)
{
	struct scene *scene = *state;
	struct known_query query = new_query();

	error = -EIO;
	assert_int_equal(capacity_request(scene->capacity, &query.query), 0);
	finish(scene, &query);
	assert_true(query.query.bytes == 0);
}

static struct mapping *map(struct scene *scene, const char *name, uint64_t offset, uint64_t length)
{
	static struct process_info owner = {.references = 1};
	const struct pmem2fs_record record = {
		.offset = offset,
		.length = length,
		.source_type = PMEM2FS_SOURCE_DEVDAX,
		.source_rdev = 7,
	};
	struct mapping *mapping = NULL;

	assert_int_equal(catalog_reserve(scene->catalog, name, 0, &mapping), 0);
	assert_int_equal(catalog_show(scene->catalog, mapping, 0, &record, NULL, &owner), 0);
	return mapping;
}

static uint64_t ask_mapped(struct scene *scene)
{
	struct known_query query = new_query();

	assert_int_equal(capacity_request(scene->capacity, &query.query), 0);
	finish(scene, &query);
	assert_true(query.query.bytes == on_this_host);
	return query.query.mapped;
}

static void what_is_mapped_counts_at_once(void **state)
{
	struct scene *scene = *state;
	struct mapping *one;

	assert_int_equal(ask_mapped(scene), 0);
	one = map(scene, "one", 0, 400);
	assert_int_equal(ask_mapped(scene), 400);
	map(scene, "two", 0, 400);
	assert_int_equal(ask_mapped(scene), 400);
	map(scene, "three", 300, 200);
	assert_int_equal(ask_mapped(scene), 500);
	assert_int_equal(ask_mapped(scene), 500);
	catalog_remove(scene->catalog, one);
	assert_int_equal(ask_mapped(scene), 500);
	catalog_remove(scene->catalog, catalog_find(scene->catalog, "two"));
	assert_int_equal(ask_mapped(scene), 200);
	map(scene, "more", 0, 2000); /* more than the host has */
	assert_int_equal(ask_mapped(scene), on_this_host);
}

static void what_did_not_change_is_not_counted_again(void **state)
{
	struct scene *scene = *state;
	struct known_query query = new_query();

	map(scene, "one", 0, 400);
	ask_mapped(scene);
	poll(NULL, 0, 1100); /* until the size must be read again */
	assert_int_equal(capacity_request(scene->capacity, &query.query), 0);
	assert_true(query.query.read);
	assert_false(query.query.count);
	finish(scene, &query);
	assert_true(query.query.mapped == 400);
}

static void too_many_are_refused(void **state)
{
	struct scene *scene = *state;
	struct known_query queries[2 + WAITING];

	gate = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	for (int i = 0; i < 2 + WAITING; i++)
		queries[i] = new_query();
	assert_int_equal(capacity_request(scene->capacity, &queries[0].query), 0);
	while (!readings)
		poll(NULL, 0, 1);
	for (int i = 1; i <= WAITING; i++)
		assert_int_equal(capacity_request(scene->capacity, &queries[i].query), 0);
	assert_int_equal(capacity_request(scene->capacity, &queries[1 + WAITING].query), -ENOMEM);
	assert_int_equal(eventfd_write(gate, 1 + WAITING), 0);
	for (int i = 0; i <= WAITING; i++)
		finish(scene, &queries[i]);
	assert_int_equal(queries[1 + WAITING].calls, 0);
	close(gate);
	gate = -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_was_read_lately_is_not_read_again, begin, end),
		cmocka_unit_test_setup_teardown(what_was_read_long_ago_is_read_again, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_nothing, begin, end),
		cmocka_unit_test_setup_teardown(what_is_mapped_counts_at_once, begin, end),
		cmocka_unit_test_setup_teardown(what_did_not_change_is_not_counted_again, begin,
						end),
		cmocka_unit_test_setup_teardown(too_many_are_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
