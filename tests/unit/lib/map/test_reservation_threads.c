/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_reservation_threads.c - one vm reservation, many threads
 */
#include "reservation_helper.h"
#include <pthread.h>
#include <sys/wait.h>

#define MAPPERS   3
#define STRANGERS 2
#define ROUNDS    (on_valgrind() ? 50u : ON_TSAN ? 500u : 1500u)

/* Each mapper has a zone of its own; the last zone is shared by all. */
#define ZONE 16ul
#define SIZE ((MAPPERS + 1) * ZONE * PAGE)

static reservation *shared;
static int file;
static _Atomic bool stop;

/* Maps with one configuration per thread and checks what it gets. */
static void *mapper(void *arg)
{
	struct pmem2_source *sources[2] = {fd_source(file), anon_source(3 * PAGE)};
	struct pmem2_config *config = page_config();
	size_t number = (size_t)arg;
	size_t zone = number * ZONE;
	struct pmem2_map *found;
	struct pmem2_map *map;
	size_t *memory;
	int ret;

	/* Private, so that the memory holds this thread's values only. */
	assert_ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	for (size_t i = 0; i < ROUNDS; i++) {
		bool contested = i % 4 == 0;
		size_t page = contested ? MAPPERS * ZONE + i % 5 : zone + i % (ZONE - 2);

		assert_ok(pmem2_config_set_vm_reservation(config, shared, page * PAGE));
		ret = pmem2_map_new(&map, config, sources[i % 2]);
		if (contested && ret == PMEM2_E_MAPPING_EXISTS)
			continue;
		assert_ok(ret);
		memory = pmem2_map_get_address(map);
		assert_int_equal(memory[0], 0);
		memory[0] = number + 1;
		memory[2 * PAGE / sizeof(*memory)] = i;
		assert_ok(pmem2_vm_reservation_map_find(shared, (page + 2) * PAGE, PAGE, &found));
		assert_ptr_equal(found, map);
		assert_int_equal(memory[0], number + 1);
		assert_int_equal(memory[2 * PAGE / sizeof(*memory)], i);
		if (i % 3 == 0)
			assert_ok(pmem2_unmap_range(map, PAGE, PAGE, 0));
		assert_ok(pmem2_unmap(&map));
	}
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&sources[0]));
	assert_ok(pmem2_source_delete(&sources[1]));
	return NULL;
}

/*
 * Maps and unmaps other memory at full speed: it is never in the reservation, and keeps its
 * contents.
 */
static void *mmapper(void *arg)
{
	static const size_t sizes[] = {PAGE, 3 * PAGE, 2 * PAGE, 5 * PAGE};
	char *begin = start_of(shared);
	size_t number = (size_t)arg;
	size_t *areas[8] = {NULL};

	for (size_t i = 0; !stop; i++) {
		size_t **area = &areas[i % 8];

		if (*area) {
			assert_int_equal(**area, number);
			assert_ok(munmap(*area, sizes[i % 4]));
		}
		*area = mmap(NULL, sizes[i % 4], PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(*area, MAP_FAILED);
		assert_false((char *)*area + sizes[i % 4] > begin && (char *)*area < begin + SIZE);
		assert_int_equal(**area, 0);
		**area = number;
	}
	return NULL;
}

/* At any moment the kernel lists the reservation without a hole. */
static void *inspector(void *arg)
{
	char *begin = start_of(shared);

	(void)arg;
	while (!stop && !on_valgrind())
		assert_false(msync(begin, SIZE, MS_ASYNC) && errno == ENOMEM);
	return NULL;
}

static void *finder(void *arg)
{
	(void)arg;
	while (!stop) {
		struct pmem2_map *map;
		struct pmem2_map *next;
		int ret = pmem2_vm_reservation_map_find_first(shared, &map);

		while (ret == 0) {
			size_t size = pmem2_map_get_size(map);

			assert_true(size == 0 || size == 3 * PAGE);
			ret = pmem2_vm_reservation_map_find_next(shared, map, &next);
			map = next;
		}
		assert_int_equal(ret, PMEM2_E_MAPPING_NOT_FOUND);
		ret = pmem2_vm_reservation_map_find_last(shared, &map);
		while (ret == 0) {
			ret = pmem2_vm_reservation_map_find_prev(shared, map, &next);
			map = next;
		}
		assert_int_equal(ret, PMEM2_E_MAPPING_NOT_FOUND);
	}
	return NULL;
}

/*
 * Moves the end of the reservation, within the kept slack and, if other memory allows it, beyond.
 */
static void *stretcher(void *arg)
{
	(void)arg;
	for (size_t i = 0; !stop; i++) {
		size_t size = (1 + i % 1500) * PAGE;
		int ret = pmem2_vm_reservation_extend(shared, size);

		if (ret == PMEM2_E_MAPPING_EXISTS)
			continue;
		assert_ok(ret);
		assert_int_equal(pmem2_vm_reservation_get_size(shared), SIZE + size);
		assert_ok(pmem2_vm_reservation_shrink(shared, SIZE, size));
	}
	return NULL;
}

static void test_one_reservation(void **state)
{
	static void *(*const others[])(void *) = {inspector, finder, stretcher};
	pthread_t threads[MAPPERS + STRANGERS + 3];
	size_t n = 0;

	(void)state;
	stop = false;
	file = make_file(3 * PAGE);
	shared = reserve(SIZE);
	for (size_t i = 0; i < STRANGERS; i++)
		assert_ok(pthread_create(&threads[n++], NULL, mmapper, (void *)(100 + i)));
	for (size_t i = 0; i < 3; i++)
		assert_ok(pthread_create(&threads[n++], NULL, others[i], NULL));
	for (size_t i = 0; i < MAPPERS; i++)
		assert_ok(pthread_create(&threads[n++], NULL, mapper, (void *)i));
	for (size_t i = 0; i < MAPPERS; i++)
		assert_ok(pthread_join(threads[--n], NULL));
	stop = true;
	while (n)
		assert_ok(pthread_join(threads[--n], NULL));
	assert_whole(shared, 0);
	unreserve(shared);
	close(file);
}

/* Makes and deletes reservations, at addresses where other threads try to map. */
static void *reserver(void *arg)
{
	struct pmem2_source *source = anon_source(2 * PAGE);
	struct pmem2_config *config = page_config();
	uintptr_t last = 0;

	(void)arg;
	for (size_t i = 0; i < ROUNDS; i++) {
		size_t size = (2 + i % 7) * PAGE;
		reservation *rsv;
		struct pmem2_map *map;
		int ret = pmem2_vm_reservation_new(&rsv, (void *)(i % 2 ? last : 0), size);

		if (i % 2 && last && ret == PMEM2_E_MAPPING_EXISTS)
			continue;
		assert_ok(ret);
		last = (uintptr_t)start_of(rsv);
		assert_ok(pmem2_config_set_vm_reservation(config, rsv, size - 2 * PAGE));
		assert_ok(pmem2_map_new(&map, config, source));
		*(size_t *)pmem2_map_get_address(map) = i;
		assert_int_equal(pmem2_vm_reservation_delete(&rsv),
				 PMEM2_E_VM_RESERVATION_NOT_EMPTY);
		if (size > 2 * PAGE) {
			assert_ok(pmem2_vm_reservation_shrink(rsv, 0, PAGE));
			assert_ptr_equal(start_of(rsv), (char *)last + PAGE);
		}
		assert_int_equal(*(size_t *)pmem2_map_get_address(map), i);
		assert_ok(pmem2_unmap(&map));
		unreserve(rsv);
	}
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return NULL;
}

static void test_many_reservations(void **state)
{
	pthread_t threads[MAPPERS + STRANGERS];
	size_t n = 0;

	(void)state;
	stop = false;
	shared = reserve(SIZE);
	for (size_t i = 0; i < STRANGERS; i++)
		assert_ok(pthread_create(&threads[n++], NULL, mmapper, (void *)(100 + i)));
	for (size_t i = 0; i < MAPPERS; i++)
		assert_ok(pthread_create(&threads[n++], NULL, reserver, NULL));
	for (size_t i = 0; i < MAPPERS; i++)
		assert_ok(pthread_join(threads[--n], NULL));
	stop = true;
	while (n)
		assert_ok(pthread_join(threads[--n], NULL));
	unreserve(shared);
}

/* The bounds are consistent in a child, whatever the other threads were doing at the fork. */
static void test_fork_while_stretching(void **state)
{
	pthread_t thread;

	(void)state;
	if (on_valgrind())
		skip();
	stop = false;
	shared = reserve(SIZE);
	assert_ok(pthread_create(&thread, NULL, stretcher, NULL));
	for (int i = 0; i < (on_valgrind() ? 5 : 50); i++) {
		int status;
		pid_t pid = fork();

		if (pid == 0) {
			size_t size;

			alarm(600);
			size = pmem2_vm_reservation_get_size(shared);
			if (msync(start_of(shared), size, MS_ASYNC) && errno == ENOMEM)
				_exit(1);
			if (pmem2_vm_reservation_delete(&shared))
				_exit(2);
			_exit(0);
		}
		assert_true(waitpid(pid, &status, 0) == pid);
		assert_int_equal(status, 0);
	}
	stop = true;
	assert_ok(pthread_join(thread, NULL));
	unreserve(shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_reservation),
		cmocka_unit_test(test_many_reservations),
		cmocka_unit_test(test_fork_while_stretching),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
