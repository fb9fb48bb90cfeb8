/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_unmap_reuse.c - addresses that get another use before the unmap of their mapping has ended
 */
#include "map/placement.h"
#include "registry/registry.h"
#include "reservation_helper.h"
#include <errno.h>

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

static void leave(void (*meanwhile)(void))
{
	struct pmem2_map *copy = leaving = map_anon(LENGTH, PMEM2_SHARED);

	place = pmem2_map_get_address(leaving);
	after_munmap = meanwhile;
	assert_ok(pmem2_unmap(&copy));
	assert_null(after_munmap);
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
		cmocka_unit_test(test_mapped_again),
		cmocka_unit_test(test_adopted_with_more),
		cmocka_unit_test(test_adopted_with_pages_that_stay),
		cmocka_unit_test(test_refused_adoption_and_unmap),
		cmocka_unit_test(test_adopted_in_place_of_two),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
