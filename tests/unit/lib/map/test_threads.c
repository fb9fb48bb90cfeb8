/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_threads.c - many threads at once
 */
#include "helper.h"
#include "map/placement.h"
#include <pthread.h>
#include <sys/wait.h>

#define MAPPERS   3
#define STRANGERS 2
#define ROUNDS    (on_valgrind() ? 50u : ON_TSAN ? 500u : 1500u)

static int file;
static uintptr_t occupied; /* an address in use: a hint that cannot be followed */
static _Atomic bool stop;

/* Maps and unmaps with shared configuration and source, and checks what it gets. */
static void *mapper(void *arg)
{
	struct pmem2_source *source = fd_source(file);
	struct pmem2_config *config = page_config();
	struct pmem2_map *maps[4] = {NULL};
	size_t number = (size_t)arg;

	/* Private, so that the memory holds this thread's values only. */
	assert_ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	for (size_t i = 0; i < ROUNDS; i++) {
		struct pmem2_map **map = &maps[i % 4];
		size_t *memory;

		if (*map) {
			memory = pmem2_map_get_address(*map);
			assert_int_equal(memory[0], number);
			assert_int_equal(memory[PAGE / sizeof(*memory)], i - 4);
			assert_ok(pmem2_unmap(map));
		}
		if (i % 2)
			placement_released(occupied, 2 * MIB);
		assert_ok(pmem2_map_new(map, config, source));
		memory = pmem2_map_get_address(*map);
		assert_int_equal((uintptr_t)memory % (2 * MIB), 0);
		assert_int_equal(memory[0], 0);
		memory[0] = number;
		memory[PAGE / sizeof(*memory)] = i;
	}
	for (int i = 0; i < 4; i++)
		assert_ok(pmem2_unmap(&maps[i]));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return NULL;
}

/* Maps and unmaps other memory at full speed: it must keep its contents. */
static void *stranger(void *arg)
{
	static const size_t sizes[] = {PAGE, 3 * PAGE, 2 * MIB, 4 * MIB - PAGE, 64 * PAGE};
	size_t number = (size_t)arg;
	size_t *areas[8] = {NULL};

	for (size_t i = 0; !stop; i++) {
		size_t **area = &areas[i % 8];

		if (*area) {
			assert_int_equal(**area, number);
			assert_ok(munmap(*area, sizes[(i - 8) % 5]));
		}
		*area = mmap(NULL, sizes[i % 5], PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(*area, MAP_FAILED);
		assert_int_equal(**area, 0);
		**area = number;
	}
	return NULL;
}

static void test_mapping_among_strangers(void **state)
{
	pthread_t mappers[MAPPERS];
	pthread_t strangers[STRANGERS];
	struct pmem2_map *there = map_anon(2 * MIB, PMEM2_SHARED);

	(void)state;
	occupied = (uintptr_t)pmem2_map_get_address(there);
	stop = false;
	file = make_file(2 * MIB);
	for (size_t i = 0; i < STRANGERS; i++)
		assert_ok(pthread_create(&strangers[i], NULL, stranger, (void *)(100 + i)));
	for (size_t i = 0; i < MAPPERS; i++)
		assert_ok(pthread_create(&mappers[i], NULL, mapper, (void *)(200 + i)));
	for (int i = 0; i < MAPPERS; i++)
		assert_ok(pthread_join(mappers[i], NULL));
	stop = true;
	for (int i = 0; i < STRANGERS; i++)
		assert_ok(pthread_join(strangers[i], NULL));
	assert_ok(pmem2_unmap(&there));
	close(file);
}

/* A mapping that another thread makes and unmaps, whose properties are read meanwhile. */
static struct pmem2_map *_Atomic shown;

static void *looker(void *arg)
{
	(void)arg;
	while (!stop) {
		struct pmem2_map *map = shown;
		size_t size = pmem2_map_get_size(map);
		uint32_t slot;
		int ret;

		assert_true(size == 0 || size == PAGE || size == 2 * PAGE);
		ret = pmem2fs_map_set_label(map, "seen", 4);
		assert_true(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND);
		ret = pmem2fs_map_get_slot(map, &slot);
		assert_true(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND);
	}
	return NULL;
}

static void test_looking_at_what_goes(void **state)
{
	pthread_t thread;

	(void)state;
	stop = false;
	assert_ok(pthread_create(&thread, NULL, looker, NULL));
	for (size_t i = 0; i < 2 * ROUNDS; i++) {
		struct pmem2_map *map = map_anon((1 + i % 2) * PAGE, PMEM2_SHARED);

		shown = map;
		assert_ok(pmem2_unmap(&map));
	}
	stop = true;
	assert_ok(pthread_join(thread, NULL));
}

static pthread_rwlock_t quiet = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

static void *forker(void *arg)
{
	(void)arg;
	while (!stop) {
		struct pmem2_map *map;

		if (FORK_WHEN_QUIET)
			assert_ok(pthread_rwlock_rdlock(&quiet));
		map = map_anon(PAGE, PMEM2_SHARED);
		assert_ok(pmem2_unmap(&map));
		if (FORK_WHEN_QUIET)
			assert_ok(pthread_rwlock_unlock(&quiet));
	}
	return NULL;
}

static _Noreturn void be_a_child(struct pmem2_map *inherited)
{
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct pmem2_map *map;

	alarm(600);
	if (pmem2_source_from_anon(&source, PAGE) || pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, 2) ||
	    pmem2_map_new(&map, config, source) || pmem2_unmap(&map) || pmem2_unmap(&inherited))
		_exit(1);
	_exit(0);
}

/* A child of a threaded program can use the library at once. */
static void test_fork_while_mapping(void **state)
{
	struct pmem2_map *inherited = map_anon(PAGE, PMEM2_SHARED);
	pthread_t threads[2];

	(void)state;
	stop = false;
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_create(&threads[i], NULL, forker, NULL));
	for (int i = 0; i < (on_valgrind() ? 5 : 50); i++) {
		int status;
		pid_t pid;

		if (FORK_WHEN_QUIET)
			assert_ok(pthread_rwlock_wrlock(&quiet));
		pid = fork();
		if (pid == 0)
			be_a_child(inherited);
		if (FORK_WHEN_QUIET)
			assert_ok(pthread_rwlock_unlock(&quiet));
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_int_equal(status, 0);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_join(threads[i], NULL));
	assert_ok(pmem2_unmap(&inherited));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapping_among_strangers),
		cmocka_unit_test(test_looking_at_what_goes),
		cmocka_unit_test(test_fork_while_mapping),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
