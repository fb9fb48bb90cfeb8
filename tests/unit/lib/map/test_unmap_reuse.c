/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_unmap_reuse.c - addresses that get another use before the unmap of their mapping has ended
 */
#include "child.h"
#include "map/placement.h"
#include "registry/registry.h"
#include "reservation_helper.h"
#include <errno.h>
#include <sys/wait.h>

#define LENGTH (8 * PAGE)

/*
 * Called when munmap has removed the memory and has not returned yet. It does what another thread
 * could do at this moment.
 */
static void (*after_munmap)(void);

/* The same before munmap, which then fails. */
static void (*before_refusal)(void);

int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);

int __wrap_munmap(void *address, size_t length)
{
	void (*hook)(void) = before_refusal;
	int ret;

	if (hook) {
		before_refusal = NULL;
		hook();
		errno = ENOMEM;
		return -1;
	}
	hook = after_munmap;
	ret = __real_munmap(address, length);
	after_munmap = NULL;
	if (hook)
		hook();
	return ret;
}

static struct pmem2_map *leaving;
static char *place; /* of the mapping that leaves */
static reservation *newcomer;

static void reserve_at_place(size_t size)
{
	assert_ok(pmem2_vm_reservation_new(&newcomer, place, size));
	assert_ptr_equal(start_of(newcomer), place);
}

static void use_reservation(size_t offset)
{
	struct pmem2_map *map = anon_into(newcomer, offset, 2 * PAGE);

	memset(pmem2_map_get_address(map), 'm', 2 * PAGE);
	assert_ok(pmem2_unmap_range(map, PAGE, PAGE, 0));
	assert_ok(pmem2_unmap(&map));
	assert_whole(newcomer, 0);
}

static void leave(void (*meanwhile)(void))
{
	struct pmem2_map *copy = leaving = map_anon(LENGTH, PMEM2_SHARED);

	place = pmem2_map_get_address(leaving);
	after_munmap = meanwhile;
	assert_ok(pmem2_unmap(&copy));
	assert_null(after_munmap);
}

static void reserve_and_map(void)
{
	reserve_at_place(LENGTH);
	use_reservation(PAGE);
}

static void test_mapped_in_new_reservation(void **state)
{
	(void)state;
	leave(reserve_and_map);
	use_reservation(PAGE);
	unreserve(newcomer);
}

static void reserve_and_shrink(void)
{
	reserve_at_place(LENGTH);
	assert_ok(pmem2_vm_reservation_shrink(newcomer, 6 * PAGE, 2 * PAGE));
	assert_ok(pmem2_vm_reservation_shrink(newcomer, 0, 2 * PAGE));
}

static void test_new_reservation_shrunk(void **state)
{
	(void)state;
	leave(reserve_and_shrink);
	assert_whole(newcomer, 0);
	unreserve(newcomer);
}

static void reserve_and_delete(void)
{
	reserve_at_place(LENGTH);
	unreserve(newcomer);
}

static void test_new_reservation_deleted(void **state)
{
	(void)state;
	leave(reserve_and_delete);
	assert_false(is_mapped(place));
}

static void extend_and_shrink(void)
{
	assert_ok(pmem2_vm_reservation_extend(newcomer, 2 * MIB));
	use_reservation(2 * MIB);
	assert_ok(pmem2_vm_reservation_shrink(newcomer, 2 * MIB, 2 * MIB));
	assert_ok(pmem2_vm_reservation_extend(newcomer, 2 * MIB));
}

static void test_reservation_extended(void **state)
{
	struct clearing clearing;
	struct pmem2_map *map;

	(void)state;
	if (on_valgrind())
		skip();
	clearing = make_clearing(4 * MIB);
	placement_released((uintptr_t)clearing.start + 2 * MIB, 2 * MIB);
	map = map_anon(2 * MIB, PMEM2_SHARED);
	assert_ptr_equal(pmem2_map_get_address(map), clearing.start + 2 * MIB);
	assert_ok(pmem2_vm_reservation_new(&newcomer, clearing.start, 2 * MIB));
	after_munmap = extend_and_shrink;
	assert_ok(pmem2_unmap(&map));
	assert_null(after_munmap);
	assert_whole(newcomer, 0);
	unreserve(newcomer);
	free_clearing(clearing);
}

/* The slack of a reservation is reserved with it, and used later without asking the kernel. */
static void reserve_below(void)
{
	assert_ok(pmem2_vm_reservation_new(&newcomer, place - PAGE, PAGE));
	assert_ok(pmem2_vm_reservation_extend(newcomer, LENGTH));
	use_reservation(PAGE);
}

static void test_place_becomes_slack(void **state)
{
	(void)state;
	leave(reserve_below);
	unreserve(newcomer);
}

static void reserve_hole(void)
{
	reserve_at_place(2 * PAGE);
	use_reservation(0);
}

/* Only the pages that are gone are taken from the mapping. */
static void test_reservation_in_place_of_a_part(void **state)
{
	struct pmem2_map *map = map_anon(LENGTH, PMEM2_SHARED);
	char *address = pmem2_map_get_address(map);

	(void)state;
	place = address + 3 * PAGE;
	after_munmap = reserve_hole;
	assert_ok(pmem2_unmap_range(map, 3 * PAGE, 2 * PAGE, 0));
	assert_null(after_munmap);
	assert_whole(newcomer, 0);
	assert_ok(pmem2_unmap_range(map, 2 * PAGE, 4 * PAGE, 0));
	assert_whole(newcomer, 0);
	assert_false(is_mapped(address + 2 * PAGE));
	assert_true(is_mapped(address + PAGE));
	assert_true(is_mapped(address + 6 * PAGE));
	assert_ok(pmem2_unmap(&map));
	assert_false(is_mapped(address));
	assert_false(is_mapped(address + 7 * PAGE));
	assert_whole(newcomer, 0);
	unreserve(newcomer);
}

static pid_t child;

/* In the child the unmapping never ends. */
static void fork_and_reserve(void)
{
	struct pmem2_vm_reservation *rsv;

	child = fork();
	if (child)
		return;
	must(pmem2_vm_reservation_new(&rsv, place, LENGTH) == 0);
	must(pmem2_vm_reservation_shrink(rsv, 0, PAGE) == 0);
	must(pmem2_vm_reservation_delete(&rsv) == 0);
	_exit(0);
}

static void test_reservation_in_a_child(void **state)
{
	int status;

	(void)state;
	leave(fork_and_reserve);
	assert_true(waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
}

/* The child has no table, so the mapping cannot be removed from it. */
static void test_reservation_in_a_child_for_a_whole_range(void **state)
{
	struct pmem2_map *map = map_anon(LENGTH, PMEM2_SHARED);
	uint32_t slot;
	int status;

	(void)state;
	assert_ok(pmem2fs_map_get_slot(map, &slot));
	place = pmem2_map_get_address(map);
	after_munmap = fork_and_reserve;
	assert_ok(pmem2_unmap_range(map, 0, LENGTH, 0));
	assert_null(after_munmap);
	assert_true(waitpid(child, &status, 0) == child);
	assert_int_equal(status, 0);
	assert_ok(pmem2_unmap(&map));
}

/* What the program has unmapped by itself is not unmapped again, where a reservation lies now. */
static void test_P9_reservation_behind_our_back(void **state)
{
	struct pmem2_map *map = map_anon(LENGTH, PMEM2_SHARED);
	struct pmem2_map *inside;
	uint32_t slot;

	(void)state;
	place = pmem2_map_get_address(map);
	assert_ok(__real_munmap(place, LENGTH));
	reserve_at_place(LENGTH);
	assert_int_equal(pmem2fs_map_get_slot(map, &slot), -ENOENT);
	inside = anon_into(newcomer, PAGE, PAGE);
	assert_ok(pmem2_unmap(&map));
	assert_whole(newcomer, PAGE);
	assert_ok(pmem2_unmap(&inside));
	unreserve(newcomer);
}

static void test_reservation_in_place_of_adopted_memory(void **state)
{
	struct pmem2_source *source = anon_source(LENGTH);
	struct pmem2_map *map;

	(void)state;
	place = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(place, MAP_FAILED);
	assert_ok(pmem2_map_from_existing(&map, source, place, LENGTH, PMEM2_GRANULARITY_PAGE));
	assert_ok(__real_munmap(place, LENGTH));
	reserve_at_place(LENGTH);
	use_reservation(0);
	unreserve(newcomer);
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_source_delete(&source));
}

static struct pmem2_map *second;

static void map_at_place(void)
{
	uint32_t slot;

	placement_released((uintptr_t)place, LENGTH);
	second = map_anon(LENGTH, PMEM2_PRIVATE);
	assert_ptr_equal(pmem2_map_get_address(second), place);
	memset(place, 's', LENGTH);
	assert_ok(pmem2_unmap_range(second, 3 * PAGE, PAGE, PMEM2_UNMAP_STRICT));
	assert_ok(pmem2fs_map_get_slot(second, &slot));
}

static void test_mapped_again(void **state)
{
	(void)state;
	if (on_valgrind())
		skip();
	leave(map_at_place);
	assert_int_equal(place[0], 's');
	assert_false(is_mapped(place + 3 * PAGE));
	assert_int_equal(pmem2_unmap_range(second, 3 * PAGE, PAGE, PMEM2_UNMAP_STRICT), -EINVAL);
	assert_ok(pmem2_unmap_range(second, 4 * PAGE, PAGE, PMEM2_UNMAP_STRICT));
	assert_ok(pmem2_unmap(&second));
	assert_false(is_mapped(place));
}

static char *wide;

/* The program gets the place and a page on each side of it. */
static void adopt_more(void)
{
	struct pmem2_source *source = anon_source(PAGE);

	wide = mmap(place - PAGE, LENGTH + 2 * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(wide, place - PAGE);
	assert_ok(pmem2_map_from_existing(&second, source, wide, LENGTH + 2 * PAGE,
					  PMEM2_GRANULARITY_PAGE));
	assert_ok(pmem2_source_delete(&source));
}

static void test_adopted_with_more(void **state)
{
	(void)state;
	leave(adopt_more);
	assert_true(is_mapped(place));
	assert_ok(pmem2_unmap(&second));
	assert_ok(__real_munmap(wide, LENGTH + 2 * PAGE));
}

static void adopt_too_much(void)
{
	struct pmem2_source *source = anon_source(PAGE);

	assert_int_equal(pmem2_map_from_existing(&second, source, place - PAGE, 3 * PAGE,
						 PMEM2_GRANULARITY_PAGE),
			 PMEM2_E_MAP_EXISTS);
	assert_ok(pmem2_source_delete(&source));
}

/* The pages beside the part that leaves are still mapped. */
static void test_adopted_with_pages_that_stay(void **state)
{
	struct pmem2_map *map = map_anon(LENGTH, PMEM2_SHARED);
	char *address = pmem2_map_get_address(map);

	(void)state;
	place = address + 3 * PAGE;
	after_munmap = adopt_too_much;
	assert_ok(pmem2_unmap_range(map, 3 * PAGE, PAGE, 0));
	assert_null(after_munmap);
	assert_ok(pmem2_unmap(&map));
	assert_false(is_mapped(address + 2 * PAGE));
	assert_false(is_mapped(address + 4 * PAGE));
}

static void adopt_whole_place(void)
{
	struct pmem2_source *source = anon_source(PAGE);

	assert_int_equal(
		pmem2_map_from_existing(&second, source, place, LENGTH, PMEM2_GRANULARITY_PAGE),
		PMEM2_E_MAP_EXISTS);
	assert_ok(pmem2_source_delete(&source));
}

/* The mapping keeps the first piece, which leaves, since the second one does not give way. */
static void test_refused_adoption_and_unmap(void **state)
{
	struct pmem2_map *map = map_anon(LENGTH, PMEM2_SHARED);

	(void)state;
	place = pmem2_map_get_address(map);
	assert_ok(pmem2_unmap_range(map, 3 * PAGE, 2 * PAGE, 0));
	before_refusal = adopt_whole_place;
	assert_int_equal(pmem2_unmap(&map), -ENOMEM);
	assert_null(before_refusal);
	assert_true(is_mapped(place));
	assert_ok(pmem2_unmap_range(map, 0, 3 * PAGE, PMEM2_UNMAP_STRICT));
	assert_false(is_mapped(place));
	assert_ok(pmem2_unmap(&map));
	assert_false(is_mapped(place + 5 * PAGE));
}

/* Two mappings of 2 MiB and a gap between them, without which the second one may go elsewhere. */
#define BOTH (6 * MIB)

static struct pmem2_map *upper;

static void adopt_both(void)
{
	struct pmem2_source *source = anon_source(PAGE);

	wide = mmap(place, BOTH, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	assert_ptr_equal(wide, place);
	assert_ok(pmem2_map_from_existing(&second, source, wide, BOTH, PMEM2_GRANULARITY_PAGE));
	assert_ok(pmem2_source_delete(&source));
}

static void leave_upper(void)
{
	after_munmap = adopt_both;
	assert_ok(pmem2_unmap(&upper));
	assert_null(after_munmap);
}

static struct pmem2_map *map_at(char *address)
{
	struct pmem2_map *map;

	placement_released((uintptr_t)address, 2 * MIB);
	map = map_anon(2 * MIB, PMEM2_SHARED);
	assert_ptr_equal(pmem2_map_get_address(map), address);
	return map;
}

/* An adopted mapping gets all of its range, in which two mappings leave. */
static void test_adopted_in_place_of_two(void **state)
{
	struct clearing clearing;
	struct pmem2_map *lower;
	struct interval interval;

	(void)state;
	if (on_valgrind())
		skip();
	clearing = make_clearing(BOTH);
	place = clearing.start;
	upper = map_at(place + BOTH - 2 * MIB);
	lower = map_at(place);
	after_munmap = leave_upper;
	assert_ok(pmem2_unmap(&lower));
	assert_null(after_munmap);
	assert_true(registry_find_interval((uintptr_t)place, (uintptr_t)place + 1, &interval));
	assert_int_equal(interval.begin, (uintptr_t)place);
	assert_int_equal(interval.end, (uintptr_t)place + BOTH);
	assert_int_equal(pmem2_map_get_size(second), BOTH);
	assert_ok(pmem2_unmap(&second));
	assert_false(registry_find_interval((uintptr_t)place, (uintptr_t)place + BOTH, &interval));
	assert_ok(__real_munmap(wide, BOTH));
	free_clearing(clearing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mapped_in_new_reservation),
		cmocka_unit_test(test_new_reservation_shrunk),
		cmocka_unit_test(test_new_reservation_deleted),
		cmocka_unit_test(test_reservation_extended),
		cmocka_unit_test(test_place_becomes_slack),
		cmocka_unit_test(test_reservation_in_place_of_a_part),
		cmocka_unit_test(test_reservation_in_a_child),
		cmocka_unit_test(test_reservation_in_a_child_for_a_whole_range),
		cmocka_unit_test(test_P9_reservation_behind_our_back),
		cmocka_unit_test(test_reservation_in_place_of_adopted_memory),
		cmocka_unit_test(test_mapped_again),
		cmocka_unit_test(test_adopted_with_more),
		cmocka_unit_test(test_adopted_with_pages_that_stay),
		cmocka_unit_test(test_refused_adoption_and_unmap),
		cmocka_unit_test(test_adopted_in_place_of_two),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
