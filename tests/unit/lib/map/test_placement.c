/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_placement.c - the addresses of mappings
 */
#include "base/page.h"
#include "helper.h"
#include "map/placement.h"
#include <sched.h>

#define TOP_LEVEL_ENTRY (512ul << 30)

static int mremap_error; /* what mremap is made to fail with, 0: nothing */
static int moved;

void *__real_mremap(void *old, size_t old_length, size_t length, int flags, void *place);
void *__wrap_mremap(void *old, size_t old_length, size_t length, int flags, void *place);

void *__wrap_mremap(void *old, size_t old_length, size_t length, int flags, void *place)
{
	uintptr_t start = 0;
	uintptr_t end = 0;

	if (mremap_error) {
		errno = mremap_error;
		return MAP_FAILED;
	}
	/* The whole place must be reserved already, or another thread could map there. */
	assert_true(flags & MREMAP_FIXED);
	assert_true(find_area(place, &start, &end));
	assert_true(end >= (uintptr_t)place + length);
	moved++;
	return __real_mremap(old, old_length, length, flags, place);
}

static bool like_device_dax;

void *__real_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (like_device_dax && address && is_mapped(address)) {
		errno = EINVAL;
		return MAP_FAILED;
	}
	return __real_mmap64(address, length, prot, flags, fd, offset);
}

static struct placement_request anonymous(size_t length, size_t alignment)
{
	return (struct placement_request){
		.length = length,
		.alignment = alignment,
		.prot = PROT_READ | PROT_WRITE,
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		.fd = -1,
	};
}

static uintptr_t place(size_t length, size_t alignment)
{
	struct placement_request request = anonymous(length, alignment);
	uintptr_t address = 0;

	assert_ok(placement_map(&request, &address));
	return address;
}

/*
 * What the program maps itself, such as the stacks of threads, is not where the next mappings go.
 * This test comes first: it needs a window that is new.
 */
static void test_room_for_the_program(void **state)
{
	uintptr_t addresses[32];
	void *stacks[32];

	(void)state;
	if (on_valgrind())
		skip();
	addresses[0] = place(PAGE, PAGE);
	assert_int_equal(moved, 1);
	for (int i = 1; i < 32; i++) {
		stacks[i] = mmap(NULL, 8 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(stacks[i], MAP_FAILED);
		addresses[i] = place(PAGE, PAGE);
	}
	assert_int_equal(moved, 1);
	/* All under one entry of the highest page table, unless the first one is at its start. */
	if (addresses[0] % TOP_LEVEL_ENTRY > TOP_LEVEL_ENTRY / 128)
		assert_int_equal(addresses[31] / TOP_LEVEL_ENTRY, addresses[0] / TOP_LEVEL_ENTRY);
	for (int i = 0; i < 32; i++) {
		assert_ok(munmap((void *)addresses[i], PAGE));
		if (i > 0)
			assert_ok(munmap(stacks[i], 8 * MIB));
	}
}

static void test_alignment(void **state)
{
	static const struct {
		size_t length;
		size_t source;
		size_t expected;
	} cases[] = {
		{1, PAGE, 2 * MIB},
		{PAGE, PAGE, 2 * MIB},
		{2 * MIB, 2 * MIB, 2 * MIB},
		{2048 * MIB - 1, PAGE, 2 * MIB},
		{2048 * MIB, PAGE, 1024 * MIB},
		{PAGE, 1024 * MIB, 1024 * MIB},
		{PAGE, 4096 * MIB, 4096 * MIB},
	};

	(void)state;
	for (int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
			uintptr_t address = place(cases[i].length, cases[i].source);

			assert_int_equal(address % cases[i].expected, 0);
			assert_ok(munmap((void *)address, cases[i].length));
			placement_released(address, page_round_up(cases[i].length));
		}
	}
}

/* Device DAX refuses to map where a hint is in use; hints for other places are still tried. */
static void test_taken_hint_of_device_dax(void **state)
{
	struct placement_request request = anonymous(2 * MIB, 2 * MIB);
	uintptr_t first = place(2 * MIB, 2 * MIB);
	uintptr_t second = 0;

	(void)state;
	placement_released(first, 2 * MIB); /* which is not true */
	like_device_dax = true;
	assert_ok(placement_map(&request, &second));
	like_device_dax = false;
	assert_int_equal(second % (2 * MIB), 0);
	assert_true(first != second);
	assert_ok(munmap((void *)first, 2 * MIB));
	assert_ok(munmap((void *)second, 2 * MIB));
}

/* Each mapping stays an area of its own, though the kernel would merge neighbours. */
static void test_gap(void **state)
{
	static const size_t lengths[] = {PAGE, 2 * MIB, 2 * MIB - PAGE, 4 * MIB, 2 * MIB + 1};
	struct pmem2_map *maps[50];

	(void)state;
	/* The hint is in use: from now on the following places are not free either. */
	maps[0] = map_anon(PAGE, PMEM2_PRIVATE);
	placement_released((uintptr_t)pmem2_map_get_address(maps[0]), PAGE);
	maps[1] = map_anon(PAGE, PMEM2_PRIVATE);
	assert_ok(pmem2_unmap(&maps[0]));
	assert_ok(pmem2_unmap(&maps[1]));
	for (size_t i = 0; i < 50; i++) {
		maps[i] = map_anon(lengths[i % 5], PMEM2_PRIVATE);
		/* Hints of released places are used as well. */
		if (i % 7 == 6)
			placement_released((uintptr_t)pmem2_map_get_address(maps[i]) + lengths[1],
					   lengths[1]);
	}
	for (size_t i = 0; i < 50; i++) {
		uintptr_t address = (uintptr_t)pmem2_map_get_address(maps[i]);
		uintptr_t start;
		uintptr_t end;

		assert_true(find_area((void *)address, &start, &end));
		assert_int_equal(start, address);
		assert_int_equal(end, address + page_round_up(lengths[i % 5]));
	}
	for (size_t i = 0; i < 50; i++)
		assert_ok(pmem2_unmap(&maps[i]));
}

static void test_freed_place_is_used_again(void **state)
{
	uintptr_t address = place(4 * MIB, PAGE);
	uintptr_t other;

	(void)state;
	assert_ok(munmap((void *)address, 4 * MIB));
	placement_released(address, 4 * MIB);
	/* The gap is too small for this mapping. */
	other = place(6 * MIB, PAGE);
	assert_true(other + 6 * MIB <= address || other >= address + 4 * MIB);
	assert_ok(munmap((void *)other, 6 * MIB));
	if (on_valgrind())
		return;
	assert_int_equal(place(3 * MIB, PAGE), address);
	assert_ok(munmap((void *)address, 3 * MIB));
}

static void move_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	assert_ok(sched_setaffinity(0, sizeof(set), &set));
}

/* Two threads on different CPUs that unmap and map at the same time both get a place back. */
static void test_each_cpu_keeps_a_place(void **state)
{
	uintptr_t addresses[2] = {place(PAGE, PAGE), place(PAGE, PAGE)};
	uintptr_t again[2];
	cpu_set_t before;

	(void)state;
	assert_ok(sched_getaffinity(0, sizeof(before), &before));
	if (on_valgrind() || !CPU_ISSET(0, &before) || !CPU_ISSET(1, &before))
		skip();
	for (int i = 0; i < 2; i++) {
		move_to(i);
		assert_ok(munmap((void *)addresses[i], PAGE));
		placement_released(addresses[i], PAGE);
	}
	again[1] = place(PAGE, PAGE);
	assert_int_equal(again[1], addresses[1]);
	again[0] = place(PAGE, PAGE);
	assert_int_equal(again[0], addresses[0]);
	for (int i = 0; i < 2; i++)
		assert_ok(munmap((void *)again[i], PAGE));
	assert_ok(sched_setaffinity(0, sizeof(before), &before));
}

/* Memory of others at the next place is not overwritten. */
static void test_obstacles_are_not_overwritten(void **state)
{
	char *obstacles[64];

	(void)state;
	for (int i = 0; i < 64; i++) {
		uintptr_t address = place(PAGE, PAGE);
		uintptr_t next;

		/* Obstacles at the following places of the cursor. */
		obstacles[i] = mmap((void *)(address - 2 * MIB), PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		assert_ptr_not_equal(obstacles[i], MAP_FAILED);
		obstacles[i][0] = (char)(i + 1);
		next = place(PAGE, PAGE);
		assert_int_equal(next % (2 * MIB), 0);
		*(char *)next = 'n';
		assert_ok(munmap((void *)next, PAGE));
		assert_ok(munmap((void *)address, PAGE));
	}
	for (int i = 0; i < 64; i++) {
		assert_int_equal(obstacles[i][0], i + 1);
		assert_ok(munmap(obstacles[i], PAGE));
	}
}

static void test_large_obstacle_is_crossed(void **state)
{
	size_t size = 64ul << 30;
	uintptr_t address;
	char *obstacle;

	(void)state;
	if (on_valgrind())
		skip();
	address = place(PAGE, PAGE);
	obstacle = mmap((void *)(address - 2 * MIB - size), size, PROT_NONE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_ptr_not_equal(obstacle, MAP_FAILED);
	for (int i = 0; i < 100; i++)
		place(PAGE, PAGE);
	assert_true(place(PAGE, PAGE) < (uintptr_t)obstacle);
	assert_ok(munmap(obstacle, size));
}

static void test_failures_leave_nothing(void **state)
{
	struct placement_request request = anonymous(2 * MIB, 4096 * MIB);
	struct placement_request wrong = anonymous(2 * MIB, PAGE);
	uintptr_t address = 7;
	uintptr_t obstacle;
	size_t before;

	(void)state;
	if (on_valgrind())
		skip();
	obstacle = place(2 * MIB, 4096 * MIB);
	before = status_kib("VmSize:");
	wrong.flags = MAP_SHARED;
	assert_int_equal(placement_map(&wrong, &address), -EBADF);

	/* The released place is used by another mapping, so this one has to be moved. */
	placement_released(obstacle, 2 * MIB);
	mremap_error = ENOMEM;
	assert_int_equal(placement_map(&request, &address), -ENOMEM);
	mremap_error = 0;
	assert_int_equal(address, 7);
	/* At worst the place itself is leaked. */
	assert_true(status_kib("VmSize:") <= before + 2048);
	request.length = SIZE_MAX;
	assert_int_equal(placement_map(&request, &address), -ENOMEM);
	request.length = SIZE_MAX / 2 + PAGE;
	assert_int_equal(placement_map(&request, &address), -ENOMEM);
	assert_ok(munmap((void *)obstacle, 2 * MIB));
}

/* Maps more address space, one after the other, than the cursor's window has. */
static void test_window_wraps(void **state)
{
	size_t size = 512ul << 30;

	(void)state;
	if (on_valgrind())
		skip();
	for (int i = 0; i < 40; i++) {
		uintptr_t address = place(size, PAGE);
		uintptr_t small = place(PAGE, PAGE);

		assert_int_equal(address % (1024 * MIB), 0);
		assert_ok(munmap((void *)address, size));
		assert_ok(munmap((void *)small, PAGE));
	}
}

/* A mapping is moved to a place that is reserved for it already (see the wrapper). */
static void test_no_hole_while_moving(void **state)
{
	(void)state;
	for (size_t i = 1; i < 20; i++) {
		uintptr_t there = place(i * PAGE, PAGE);
		uintptr_t address;
		int before = moved;

		placement_released(there, i * PAGE);
		address = place(i * PAGE, PAGE);
		assert_int_equal(moved, before + 1);
		assert_ok(munmap((void *)there, i * PAGE));
		assert_ok(munmap((void *)address, i * PAGE));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_room_for_the_program),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_taken_hint_of_device_dax),
		cmocka_unit_test(test_gap),
		cmocka_unit_test(test_freed_place_is_used_again),
		cmocka_unit_test(test_each_cpu_keeps_a_place),
		cmocka_unit_test(test_obstacles_are_not_overwritten),
		cmocka_unit_test(test_large_obstacle_is_crossed),
		cmocka_unit_test(test_failures_leave_nothing),
		cmocka_unit_test(test_window_wraps),
		cmocka_unit_test(test_no_hole_while_moving),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
