/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_facts_cache.c - the facts that the kernel has about mapped files
 *
 * This process is the keeper: it has the files mapped.
 */
#include "base/clock.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "catalog/mapping_fields.h"
#include "change/mapper.h"
#include "facts/facts_cache.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

static struct capture capture;

static int begin(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	*state = rig_new();
	return 0;
}

static int end(void **state)
{
	rig_free(*state);
	capture_end(&capture);
	return 0;
}

static void finished(void *arg, int error, const char *why)
{
	if (error)
		fail_msg("%s", why);
	*(bool *)arg = true;
}

/* Maps the file at `path`, or anonymous memory where that is NULL. */
static struct mapping *map_range(struct rig *rig, const char *name, const char *path,
				 uint64_t offset, uint64_t length)
{
	struct request request = {
		.anonymous = !path,
		.path = path ? strdup(path) : NULL,
		.offset = offset,
		.length = length,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
	struct identity *identity = calloc(1, sizeof(*identity));
	bool done = false;

	identity->uid = geteuid();
	identity->gid = getegid();
	identity->capabilities = ~0ull;
	mapper_map(&rig->modules.mapper, name, &request, 0, 0, identity, -1, 0, finished, &done,
		   NULL);
	rig_run(rig, &done);
	return catalog_find(rig->modules.catalog, name);
}

static struct mapping *map(struct rig *rig, const char *name, const char *path)
{
	return map_range(rig, name, path, 0, path ? 0 : 4096);
}

struct test_waiter {
	struct waiter waiter; /* first */
	bool woken;
	int times;
	unsigned order;
};

static unsigned wakes;

static void wake(struct waiter *waiter)
{
	struct test_waiter *test = (struct test_waiter *)waiter;

	test->woken = true;
	test->times++;
	test->order = ++wakes;
}

static struct test_waiter new_waiter(void)
{
	return (struct test_waiter){.waiter.wake = wake};
}

static const struct version *ask(struct rig *rig, struct mapping *mapping, unsigned more)
{
	struct test_waiter waiter = new_waiter();

	assert_int_equal(
		facts_cache_request(rig->modules.facts_cache, mapping, more, &waiter.waiter), 0);
	assert_false(waiter.woken); /* never during the call */
	rig_run(rig, &waiter.woken);
	assert_int_equal(waiter.times, 1);
	assert_true(clock_now() - mapping_checked(mapping) < FACTS_CACHE_FRESH);
	assert_false(mapping_is_queried(mapping));
	return mapping_version(mapping);
}

/* The areas that were read serve for a moment: repeats until the facts are newer than the call. */
static const struct version *scan(struct rig *rig, struct mapping *mapping, unsigned more)
{
	uint64_t before = clock_now();

	do
		ask(rig, mapping, more);
	while (mapping_checked(mapping) < before);
	return mapping_version(mapping);
}

static void knows_the_file(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file();
	struct mapping *mapping = map(rig, "x", path);
	const struct version *version;

	assert_false(facts_cache_is_fresh(mapping, clock_now()));
	version = scan(rig, mapping, 0);
	assert_string_equal(version->path, path);
	assert_false(version->deleted);
	assert_true(version->size_known);
	assert_int_equal(version->size, 16384);
	assert_null(version->device);
	unlink(path);
	free(path);
}

static void sees_what_happens_to_the_file(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file(), other[64];
	struct mapping *mapping = map(rig, "x", path);
	const struct version *version, *before;

	before = scan(rig, mapping, 0);
	assert_ptr_equal(scan(rig, mapping, 0), before); /* nothing has changed */
	assert_int_equal(truncate(path, 20000), 0);
	version = scan(rig, mapping, 0);
	assert_int_equal(version->size, 20000);
	assert_int_equal(truncate(path, 0), 0); /* the pages must not be accessed now */
	assert_int_equal(scan(rig, mapping, 0)->size, 0);
	assert_int_equal(truncate(path, 16384), 0);

	snprintf(other, sizeof(other), "%s-moved", path);
	assert_int_equal(rename(path, other), 0);
	version = scan(rig, mapping, 0);
	assert_string_equal(version->path, other);
	assert_false(version->deleted);
	unlink(other);
	version = scan(rig, mapping, 0);
	if (geteuid()) {
		assert_null(version->path); /* whether the name was removed cannot be found out */
	} else {
		assert_string_equal(version->path, other);
		assert_true(version->deleted && version->size_known);
	}
	free(path);
}

/* The kernel's mark "(deleted)" is no part of the path, and a path may end like the mark. */
static void a_name_like_the_mark(void **state)
{
	struct rig *rig = *state;
	char *path, other[64];
	const struct version *version;
	struct mapping *mapping;

	if (geteuid())
		skip();
	path = rig_new_file();
	snprintf(other, sizeof(other), "%s (deleted)", path);
	assert_int_equal(rename(path, other), 0);
	mapping = map(rig, "x", other);
	version = scan(rig, mapping, 0);
	assert_string_equal(version->path, other);
	assert_false(version->deleted);
	unlink(other);
	version = scan(rig, mapping, 0);
	assert_string_equal(version->path, other);
	assert_true(version->deleted);
	free(path);
}

static void any_bytes_are_a_path(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file(), other[64];

	snprintf(other, sizeof(other), "%s\n\xff\\ ", path);
	assert_int_equal(rename(path, other), 0);
	assert_string_equal(scan(rig, map(rig, "x", other), 0)->path, other);
	unlink(other);
	free(path);
}

static void memory_has_no_file(void **state)
{
	struct rig *rig = *state;
	const struct version *version = scan(rig, map(rig, "x", NULL), 0);

	assert_null(version->path);
	assert_true(version->size_known);
	assert_int_equal(version->size, 4096);
	assert_false(version->deleted);
}

/* The address at `offset` bytes into the mapping, by its record. */
static unsigned char *at(const struct mapping *mapping, uint64_t offset)
{
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	return (unsigned char *)(uintptr_t)(record.address + offset);
}

/*
 * Unmaps a part of the mapping by putting other memory at its addresses at once, so that no other
 * thread gets them and the clean-up after a test unmaps nothing else.
 */
static void lose(const struct mapping *mapping, uint64_t offset, size_t length)
{
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);

	assert_true(mmap(at(mapping, offset), length, PROT_NONE, MAP_PRIVATE | MAP_FIXED, fd,
			 20480) != MAP_FAILED);
	close(fd);
}

static void expect_part(const struct version *version, size_t count, size_t i, uint64_t offset,
			uint64_t length)
{
	assert_non_null(version->extents);
	assert_int_equal(version->extents->count, count);
	assert_int_equal(version->extents->list[i].offset, offset);
	assert_int_equal(version->extents->list[i].length, length);
}

/* Also a part that was unmapped without the library, here by the test. */
static void sees_what_is_left(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file();
	struct mapping *mapping = map(rig, "x", path);
	const struct version *version = scan(rig, mapping, 0);

	assert_null(version->extents);
	lose(mapping, 4096, 4096);
	version = scan(rig, mapping, 0);
	expect_part(version, 2, 0, 0, 4096);
	expect_part(version, 2, 1, 8192, 8192);
	assert_string_equal(version->path, path); /* from the part that is left */
	assert_true(version->size_known);
	assert_ptr_equal(scan(rig, mapping, 0), version);
	lose(mapping, 0, 4096);
	version = scan(rig, mapping, 0);
	expect_part(version, 1, 0, 8192, 8192);
	assert_string_equal(version->path, path);
	lose(mapping, 0, 16384);
	version = scan(rig, mapping, 0);
	assert_int_equal(version->extents->count, 0);
	assert_null(version->path); /* nothing keeps the file */
	assert_false(version->size_known);
	unlink(path);
	free(path);
}

/* The kernel has no link in map_files for the whole range then, but all of it is mapped. */
static void a_cut_area_is_the_whole(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file();
	struct mapping *mapping = map(rig, "x", path);
	const struct version *version = scan(rig, mapping, 0);

	assert_int_equal(mprotect(at(mapping, 4096), 4096, PROT_READ), 0);
	assert_ptr_equal(scan(rig, mapping, 0), version);
	assert_null(version->extents);
	assert_string_equal(version->path, path);
	unlink(path);
	free(path);
}

/* At the same addresses, so that the kernel has a link of that name in map_files. */
static void sees_that_it_is_another_file(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file(), *other = rig_new_file();
	struct mapping *mapping = map(rig, "x", path);
	int fd = open(other, O_RDWR | O_CLOEXEC);
	const struct version *version;

	scan(rig, mapping, 0);
	assert_true(mmap(at(mapping, 0), 16384, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
		    MAP_FAILED);
	version = scan(rig, mapping, 0);
	assert_non_null(version->extents);
	assert_int_equal(version->extents->count, 0);
	assert_null(version->path);
	close(fd);
	unlink(other);
	unlink(path);
	free(other);
	free(path);
}

static void sees_what_is_left_of_memory(void **state)
{
	struct rig *rig = *state;
	struct mapping *shared = map_range(rig, "s", NULL, 0, 12288), *private;
	struct request request = {
		.anonymous = true,
		.length = 12288,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.sharing = PMEM2_PRIVATE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
	bool done = false;

	mapper_map(&rig->modules.mapper, "p", &request, 0, 0, NULL, -1, 0, finished, &done, NULL);
	rig_run(rig, &done);
	private = catalog_find(rig->modules.catalog, "p");
	scan(rig, shared, 1);
	assert_null(mapping_version(shared)->extents);
	assert_null(mapping_version(private)->extents);
	lose(shared, 0, 4096);
	lose(private, 8192, 4096);
	scan(rig, shared, 0);
	scan(rig, private, 0);
	expect_part(mapping_version(shared), 1, 0, 4096, 8192);
	expect_part(mapping_version(private), 1, 0, 0, 8192);
	assert_true(mapping_version(shared)->size_known);
	assert_int_equal(mapping_version(shared)->size, 12288);
}

/* The areas were read before this mapping was there. */
static void a_new_mapping_is_no_part(void **state)
{
	struct rig *rig = *state;
	struct request request = {
		.anonymous = true,
		.length = 4096,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.sharing = PMEM2_PRIVATE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
	char name[8];

	for (int i = 0; i < 20; i++) {
		struct request again = request;
		struct mapping *mapping;
		bool done = false;

		snprintf(name, sizeof(name), "m%d", i);
		mapper_map(&rig->modules.mapper, name, &again, 0, 0, NULL, -1, 0, finished, &done,
			   NULL);
		rig_run(rig, &done);
		mapping = catalog_find(rig->modules.catalog, name);
		assert_null(ask(rig, mapping, 0)->extents);
	}
}

static void knows_the_owner(void **state)
{
	struct rig *rig = *state;
	const struct process_info *owner = facts_cache_keeper(rig->modules.facts_cache);
	struct mapping *mapping = map(rig, "x", NULL);
	char exe[256] = "", comm[32] = "";
	struct timespec now;
	uint64_t day;
	FILE *file = fopen("/proc/self/comm", "re");

	clock_gettime(CLOCK_REALTIME, &now);
	day = (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec;
	assert_int_equal(fscanf(file, "%31s", comm), 1);
	fclose(file);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_ptr_equal(mapping_version(mapping)->owner, owner);
	assert_int_equal(owner->is.pid, getpid());
	assert_string_equal(owner->is.comm, comm);
	assert_string_equal(owner->is.exe, exe);
	assert_true(owner->is.started < day && owner->is.started > day - 600 * CLOCK_SECOND);
	assert_ptr_equal(scan(rig, mapping, 0)->owner, owner);
}

static void reads_the_facts_of_neighbours_too(void **state)
{
	struct rig *rig = *state;
	struct mapping *mappings[5];
	char name[8];

	for (int i = 0; i < 5; i++) {
		snprintf(name, sizeof(name), "m%d", i);
		mappings[i] = map(rig, name, NULL);
	}
	scan(rig, mappings[1], 2);
	assert_int_equal(mapping_checked(mappings[0]), 0);
	assert_true(mapping_checked(mappings[2]) && mapping_checked(mappings[3]));
	assert_int_equal(mapping_checked(mappings[4]), 0);
	scan(rig, mappings[3], 1000);
	assert_true(mapping_checked(mappings[4]));
}

/* Queries that come while the thread is busy are answered by the next batch. */
static void each_waiter_is_woken_once(void **state)
{
	enum { COUNT = 50 };
	struct rig *rig = *state;
	struct test_waiter waiters[COUNT];
	struct mapping *one = map(rig, "a", NULL), *two = map(rig, "b", NULL);

	wakes = 0;
	for (int i = 0; i < COUNT; i++) {
		waiters[i] = new_waiter();
		assert_int_equal(facts_cache_request(rig->modules.facts_cache, i % 2 ? one : two,
						     i % 3, &waiters[i].waiter),
				 0);
	}
	assert_true(mapping_is_queried(one) && mapping_is_queried(two));
	rig_run(rig, &waiters[COUNT - 1].woken);
	for (unsigned i = 0; i < COUNT; i++) {
		assert_int_equal(waiters[i].times, 1);
		assert_int_equal(waiters[i].order, i + 1);
	}
	assert_false(mapping_is_queried(one) || mapping_is_queried(two));
}

struct asking_waiter {
	struct test_waiter test; /* first */
	struct rig *rig;
	struct mapping *mapping;
	struct test_waiter *then;
};

static void wake_and_ask(struct waiter *waiter)
{
	struct asking_waiter *asking = (struct asking_waiter *)waiter;

	wake(waiter);
	assert_int_equal(facts_cache_request(asking->rig->modules.facts_cache, asking->mapping, 0,
					     &asking->then->waiter),
			 0);
}

static void a_woken_waiter_may_ask_again(void **state)
{
	struct rig *rig = *state;
	struct test_waiter then = new_waiter();
	struct asking_waiter asking = {
		.test.waiter.wake = wake_and_ask,
		.rig = rig,
		.mapping = map(rig, "a", NULL),
		.then = &then,
	};

	assert_int_equal(facts_cache_request(rig->modules.facts_cache, asking.mapping, 0,
					     &asking.test.waiter),
			 0);
	rig_run(rig, &then.woken);
	assert_int_equal(asking.test.times, 1);
	assert_int_equal(then.times, 1);
}

/* One mapping is removed while its facts are read, another one is renamed. */
static void what_changes_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct catalog *catalog = rig->modules.catalog;
	struct mapping *gone = map(rig, "gone", NULL), *moved, *reserved;
	struct test_waiter waiter = new_waiter();
	char *path = rig_new_file();

	moved = map(rig, "moved", path);
	assert_int_equal(facts_cache_request(rig->modules.facts_cache, gone, 1, &waiter.waiter), 0);
	catalog_remove(catalog, gone);
	assert_int_equal(catalog_reserve(catalog, "new", 0, &reserved), 0);
	assert_int_equal(catalog_rename(catalog, moved, reserved), 0);
	rig_run(rig, &waiter.woken);
	assert_null(catalog_find(catalog, "gone"));
	assert_string_equal(mapping_name(moved), "new");
	assert_string_equal(mapping_version(moved)->path, path);
	unlink(path);
	free(path);
}

static void a_second_is_fresh(void **state)
{
	const struct mapping never = {0}, once = {.checked = 5};

	(void)state;
	assert_false(facts_cache_is_fresh(&never, 1));
	assert_true(facts_cache_is_fresh(&once, 5));
	assert_true(facts_cache_is_fresh(&once, 5 + FACTS_CACHE_FRESH - 1));
	assert_false(facts_cache_is_fresh(&once, 5 + FACTS_CACHE_FRESH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(knows_the_file, begin, end),
		cmocka_unit_test_setup_teardown(sees_what_happens_to_the_file, begin, end),
		cmocka_unit_test_setup_teardown(a_name_like_the_mark, begin, end),
		cmocka_unit_test_setup_teardown(any_bytes_are_a_path, begin, end),
		cmocka_unit_test_setup_teardown(memory_has_no_file, begin, end),
		cmocka_unit_test_setup_teardown(sees_what_is_left, begin, end),
		cmocka_unit_test_setup_teardown(a_cut_area_is_the_whole, begin, end),
		cmocka_unit_test_setup_teardown(sees_that_it_is_another_file, begin, end),
		cmocka_unit_test_setup_teardown(sees_what_is_left_of_memory, begin, end),
		cmocka_unit_test_setup_teardown(a_new_mapping_is_no_part, begin, end),
		cmocka_unit_test_setup_teardown(knows_the_owner, begin, end),
		cmocka_unit_test_setup_teardown(reads_the_facts_of_neighbours_too, begin, end),
		cmocka_unit_test_setup_teardown(each_waiter_is_woken_once, begin, end),
		cmocka_unit_test_setup_teardown(a_woken_waiter_may_ask_again, begin, end),
		cmocka_unit_test_setup_teardown(what_changes_meanwhile, begin, end),
		cmocka_unit_test(a_second_is_fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
