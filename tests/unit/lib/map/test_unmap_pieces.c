/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_unmap_pieces.c - unmapping parts when something goes wrong, or happens at the same time
 */
#include "parts.h"
#include <pthread.h>
#include <stdatomic.h>

static int munmap_error; /* what munmap is made to fail with, 0: nothing */
static int munmaps_before_error;
static int munmaps;
static void (*before_munmap)(void);
static bool unmapped_already; /* by the function called before */

int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

int __wrap_munmap(void *address, size_t length)
{
	__atomic_add_fetch(&munmaps, 1, __ATOMIC_RELAXED);
	if (before_munmap)
		before_munmap();
	if (unmapped_already) {
		unmapped_already = false;
		return 0;
	}
	if (munmap_error && munmaps_before_error-- <= 0) {
		errno = munmap_error;
		return -1;
	}
	return __real_munmap(address, length);
}

static void test_U4_errors_change_nothing(void **state)
{
	static const int errors[] = {EINVAL, ENOMEM, EPERM};
	struct pmem2_map *map = map_pages(PAGES);
	struct pmem2_map *copy = map;
	int before;

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		munmap_error = errors[i];
		assert_int_equal(pmem2_unmap_range(map, (1 + i) * page, 2 * page, 0), -errors[i]);
		assert_int_equal(pmem2_unmap(&map), -errors[i]);
		munmap_error = 0;
		assert_ptr_equal(map, copy);
		check(map, "xxxxxxxx");
	}
	/* and it is still one area */
	before = munmaps;
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(munmaps, before + 1);
}

/* Pieces are unmapped one by one: after an error the others can be unmapped later. */
static void test_U2_failure_between_pieces(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	struct pmem2_map *copy = map;
	char *address = pmem2_map_get_address(map);
	void *foreign;

	(void)state;
	assert_ok(pmem2_unmap_range(map, 3 * page, page, 0));
	munmap_error = ENOMEM;
	assert_int_equal(pmem2_unmap(&map), -ENOMEM);
	munmap_error = 0;
	assert_ptr_equal(map, copy);
	check(map, "xxx-xxxx");
	assert_ok(pmem2_unmap_range(map, 0, page, 0));
	check(map, "-xx-xxxx");
	/*
	 * Unmapping the second piece fails: from then on the addresses of the first one may be used
	 * by others.
	 */
	munmap_error = ENOMEM;
	munmaps_before_error = 1;
	assert_int_equal(pmem2_unmap(&map), -ENOMEM);
	munmap_error = 0;
	munmaps_before_error = 0;
	assert_ptr_equal(map, copy);
	check(map, "----xxxx");
	foreign = map_there(page_of(map, 1));
	assert_ok(pmem2_unmap(&map));
	for (size_t i = 0; i < PAGES; i++)
		assert_int_equal(is_mapped(address + i * page), i == 1);
	assert_ok(munmap(foreign, page));
}

/* Whether anything of the source is mapped; other memory at its addresses does not count. */
static bool source_is_mapped(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, node ? node : "/dev/zero (deleted)");
	fclose(file);
	return found;
}

#define CONTENDER_MS 60000 /* until it must wait or have ended */

static struct pmem2_map *contested;
static pthread_t contender;
static _Atomic pid_t contender_tid; /* 0: it has not begun */
static atomic_bool contender_done;

static void *unmap_contested(void *arg)
{
	int ret;

	(void)arg;
	contender_tid = gettid();
	ret = pmem2_unmap(&contested);
	contender_done = true;
	return (void *)(intptr_t)ret;
}

/* Whether the contender sleeps in a futex call, where a lock waits. */
static bool contender_waits(void)
{
	char path[64];
	FILE *file;
	long number = -1;

	snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)contender_tid);
	file = fopen(path, "re");
	if (!file)
		return false;
	if (fscanf(file, "%ld", &number) != 1) /* "running" */
		number = -1;
	fclose(file);
	return number == SYS_futex;
}

/* Starts the contender, and returns when it waits or has ended. */
static void start_contender(void)
{
	contender_tid = 0;
	contender_done = false;
	assert_ok(pthread_create(&contender, NULL, unmap_contested, NULL));
	for (int i = 0; i < CONTENDER_MS && !contender_done; i++) {
		if (contender_tid && contender_waits())
			return;
		usleep(1000);
	}
	assert_true(contender_done);
}

static void contend(void)
{
	before_munmap = NULL;
	start_contender();
	assert_false(contender_done);
}

/* An unmap of the object waits while a part of it is being unmapped, and then succeeds. */
static void test_I5_unmap_waits_for_unmap_range(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);
	void *ret;

	(void)state;
	contested = map;
	before_munmap = contend;
	assert_ok(pmem2_unmap_range(map, page, page, 0));
	assert_ok(pthread_join(contender, &ret));
	assert_null(ret);
	assert_null(contested);
	assert_false(source_is_mapped());
	assert_int_equal(pmem2_unmap(&map), PMEM2_E_MAPPING_NOT_FOUND);
}

static void test_U4_sealed(void **state)
{
	struct pmem2_map *map = map_anon(PAGES * PAGE, PMEM2_SHARED);

	(void)state;
	if (syscall(SYS_mseal, pmem2_map_get_address(map), PAGE, 0ul)) {
		assert_int_equal(errno, ENOSYS);
		assert_ok(pmem2_unmap(&map));
		skip();
	}
	assert_int_equal(pmem2_unmap_range(map, 0, 2 * PAGE, 0), -EPERM);
	assert_ok(pmem2_unmap_range(map, 2 * PAGE, PAGE, 0));
	assert_int_equal(pmem2_unmap_range(map, 0, PAGES * PAGE, 0), -EPERM);
	assert_true(is_mapped(page_of(map, 0)));
	assert_int_equal(pmem2_unmap(&map), -EPERM);
}

static void test_U4_too_many_areas(void **state)
{
	struct pmem2_map *map;
	size_t length;
	int middle, tail;
	void *hog;

	(void)state;
	if (!can_use_up_areas())
		skip();
	map = map_pages(PAGES);
	hog = use_up_areas(&length);
	middle = pmem2_unmap_range(map, 3 * page, page, 0);
	tail = pmem2_unmap_range(map, 7 * page, page, 0);
	assert_ok(__real_munmap(hog, length));
	/* Unmapping a middle makes two areas of one. */
	assert_int_equal(middle, -ENOMEM);
	assert_ok(tail);
	check(map, "xxxxxxx-");
	assert_ok(pmem2_unmap_range(map, 3 * page, page, 0));
	check(map, "xxx-xxx-");
	assert_ok(pmem2_unmap(&map));
}

#define UNMAPPERS 4

struct contest {
	pthread_barrier_t start;
	struct pmem2_map *map;
	atomic_int won, lost, wrong;
};

static void *unmap_parts(void *arg)
{
	struct contest *contest = arg;
	struct pmem2_map *copy = contest->map;
	int ret;

	pthread_barrier_wait(&contest->start);
	for (size_t i = 0; i < PAGES; i++) {
		ret = pmem2_unmap_range(copy, i * page, page, 0);
		if (ret && ret != PMEM2_E_MAPPING_NOT_FOUND)
			contest->wrong++;
	}
	ret = pmem2_unmap(&copy);
	if (ret == 0)
		contest->won++;
	else if (ret == PMEM2_E_MAPPING_NOT_FOUND)
		contest->lost++;
	return NULL;
}

static void test_I5_concurrent_unmapping_of_one_object(void **state)
{
	(void)state;
	for (int round = 0; round < 100; round++) {
		struct contest contest = {.map = map_pages(PAGES)};
		pthread_t threads[UNMAPPERS];

		assert_true(source_is_mapped());
		assert_ok(pthread_barrier_init(&contest.start, NULL, UNMAPPERS));
		for (int i = 0; i < UNMAPPERS; i++)
			assert_ok(pthread_create(&threads[i], NULL, unmap_parts, &contest));
		for (int i = 0; i < UNMAPPERS; i++)
			assert_ok(pthread_join(threads[i], NULL));
		assert_int_equal(contest.won, 1);
		assert_int_equal(contest.lost, UNMAPPERS - 1);
		assert_int_equal(contest.wrong, 0);
		assert_false(source_is_mapped());
		assert_ok(pthread_barrier_destroy(&contest.start));
	}
}

static void cancel_contender(void)
{
	before_munmap = NULL;
	start_contender();
	assert_ok(pthread_cancel(contender));
	usleep(50000); /* a cancellation that does not wait for the lock happens by then */
}

/* A cancelled thread leaves no lock held, and no object in an unusable state. */
static void test_cancelled_while_waiting(void **state)
{
	struct pmem2_map *map = map_pages(PAGES);

	(void)state;
	contested = map;
	before_munmap = cancel_contender;
	assert_ok(pmem2_unmap_range(map, page, page, 0));
	assert_ok(pthread_join(contender, NULL));
	assert_int_equal(pmem2_unmap(&map), PMEM2_E_MAPPING_NOT_FOUND);
	map = map_pages(PAGES);
	assert_ok(pmem2_unmap_range(map, 0, page, PMEM2_UNMAP_STRICT));
	assert_ok(pmem2_unmap(&map));
}

static struct pmem2_map *leaving;
static struct pmem2_map *newcomer;
static char *new_memory;

/* Played by another thread as soon as the pages are unmapped. */
static void adopt_the_place(void)
{
	struct pmem2_source *source = anon_source(PAGE);
	char *address = pmem2_map_get_address(leaving);

	before_munmap = NULL;
	unmapped_already = true;
	assert_ok(__real_munmap(address, PAGES * page));
	new_memory = map_there(address);
	assert_ok(pmem2_map_from_existing(&newcomer, source, new_memory, page, 0));
	assert_ok(pmem2_source_delete(&source));
}

/* Addresses whose pages have just been unmapped may be adopted before the unmap has ended. */
static void test_adopted_while_unmapping(void **state)
{
	struct pmem2_map *copy = leaving = map_pages(PAGES);

	(void)state;
	before_munmap = adopt_the_place;
	assert_ok(pmem2_unmap(&copy));
	assert_ptr_equal(pmem2_map_get_address(newcomer), new_memory);
	assert_true(is_mapped(new_memory));
	assert_ok(pmem2_unmap(&newcomer));
	assert_ok(munmap(new_memory, page));
}

static void adopt_a_part(void)
{
	struct pmem2_source *source = anon_source(PAGE);
	char *part = page_of(leaving, 2);
	struct pmem2_map *refused;

	before_munmap = NULL;
	unmapped_already = true;
	assert_int_equal(pmem2_map_from_existing(&refused, source, page_of(leaving, 1), page, 0),
			 PMEM2_E_MAP_EXISTS);
	assert_ok(__real_munmap(part, page));
	new_memory = map_there(part);
	assert_ok(pmem2_map_from_existing(&newcomer, source, new_memory, page, 0));
	assert_ok(pmem2_source_delete(&source));
}

static void test_adopted_while_unmapping_a_part(void **state)
{
	struct pmem2_map *copy = leaving = map_pages(PAGES);

	(void)state;
	before_munmap = adopt_a_part;
	assert_ok(pmem2_unmap_range(leaving, 2 * page, page, 0));
	assert_ok(pmem2_unmap(&copy));
	assert_true(is_mapped(new_memory));
	assert_ok(pmem2_unmap(&newcomer));
	assert_ok(munmap(new_memory, page));
}

static struct pmem2_map *forked;
static pid_t child;

/*
 * A child forked while the parent unmaps must neither hang nor unmap addresses that may have
 * another use.
 */
static void fork_once(void)
{
	before_munmap = NULL;
	child = fork();
	if (child == 0) {
		struct pmem2_map *copy = forked;

		if (pmem2_unmap_range(copy, 0, page, 0) != PMEM2_E_MAPPING_NOT_FOUND)
			_exit(2);
		if (pmem2_unmap(&copy) != PMEM2_E_MAPPING_NOT_FOUND)
			_exit(3);
		forked = map_pages(1);
		_exit(pmem2_unmap_range(forked, 0, page, 0) || pmem2_unmap(&forked));
	}
}

static void test_fork_during_unmap_range(void **state)
{
	int status;

	(void)state;
	forked = map_pages(PAGES);
	before_munmap = fork_once;
	assert_ok(pmem2_unmap_range(forked, page, page, 0));
	assert_true(child > 0);
	assert_true(waitpid(child, &status, 0) == child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	check(forked, "x-xxxxxx");
	assert_ok(pmem2_unmap(&forked));
}

/* On device DAX the kernel refuses a hint that is in use. */
static void test_map_below_what_is_taken(void **state)
{
	struct pmem2_map *maps[PAGES];
	void *taken = NULL;

	(void)state;
	for (int i = 0; i < PAGES; i++) {
		maps[i] = map_pages(1);
		if (i == 3)
			taken = map_there(page_of(maps[i], 0) - 2 * page);
	}
	/* The refusal was not mistaken for one of MAP_SYNC. */
	for (int i = PAGES - 1; i >= 0; i--) {
		assert_int_equal(pmem2_map_get_store_granularity(maps[i]),
				 pmem2_map_get_store_granularity(maps[0]));
		assert_ok(pmem2_unmap(&maps[i]));
	}
	assert_ok(munmap(taken, page));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_U2_failure_between_pieces),
		cmocka_unit_test(test_U4_errors_change_nothing),
		cmocka_unit_test(test_U4_too_many_areas),
		cmocka_unit_test(test_I5_unmap_waits_for_unmap_range),
		cmocka_unit_test(test_I5_concurrent_unmapping_of_one_object),
		cmocka_unit_test(test_map_below_what_is_taken),
		cmocka_unit_test(test_cancelled_while_waiting),
		cmocka_unit_test(test_adopted_while_unmapping),
		cmocka_unit_test(test_adopted_while_unmapping_a_part),
		cmocka_unit_test(test_fork_during_unmap_range),
		cmocka_unit_test(test_U4_sealed), /* last: sealed memory stays */
	};

	choose_node();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
