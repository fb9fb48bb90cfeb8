/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_reservation_maps.c - mapping into vm reservations, and finding the mappings in them
 */
#include "reservation_helper.h"
#include <sys/wait.h>

static void test_every_page(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *maps[8];
	struct pmem2_map *map;

	(void)state;
	for (size_t at = 0; at < 8; at++) {
		for (size_t pages = 1; at + pages <= 8; pages++) {
			map = anon_into(rsv, at * PAGE, pages * PAGE);
			assert_int_equal(pmem2_map_get_size(map), pages * PAGE);
			memset(pmem2_map_get_address(map), 'm', pages * PAGE);
			assert_whole(rsv, pages * PAGE);
			assert_ok(pmem2_unmap(&map));
			assert_whole(rsv, 0);
		}
	}
	/* Maps all pieces, then unmaps each and maps it again. */
	for (size_t i = 0; i < 8; i++)
		maps[i] = anon_into(rsv, i * PAGE, PAGE);
	assert_whole(rsv, 8 * PAGE);
	for (size_t i = 0; i < 8; i++) {
		assert_ok(pmem2_unmap(&maps[i]));
		assert_whole(rsv, 7 * PAGE);
		maps[i] = anon_into(rsv, i * PAGE, PAGE);
	}
	for (size_t i = 0; i < 8; i++)
		assert_ok(pmem2_unmap(&maps[i]));
	assert_whole(rsv, 0);
	unreserve(rsv);
}

static void test_areas_come_back(void **state)
{
	size_t before = count_areas();
	reservation *rsv = reserve(2 * MIB);
	size_t reserved = count_areas();

	(void)state;
	if (on_valgrind())
		skip();
	for (size_t i = 0; i < 100; i++) {
		struct pmem2_map *map = anon_into(rsv, i * PAGE, 2 * PAGE);

		assert_ok(pmem2_unmap(&map));
	}
	assert_int_equal(count_areas(), reserved);
	unreserve(rsv);
	assert_int_equal(count_areas(), before);
}

static void test_checks_in_order(void **state)
{
	static const struct {
		size_t offset;
		int error;
	} cases[] = {
		{PAGE / 2, PMEM2_E_OFFSET_UNALIGNED},     {SIZE_MAX, PMEM2_E_OFFSET_UNALIGNED},
		{15 * PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE}, {16 * PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{1ul << 40, PMEM2_E_LENGTH_OUT_OF_RANGE}, {-PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{-2 * PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE}, {3 * PAGE, PMEM2_E_MAPPING_EXISTS},
		{4 * PAGE, PMEM2_E_MAPPING_EXISTS},       {5 * PAGE, PMEM2_E_MAPPING_EXISTS},
	};
	reservation *rsv = reserve(16 * PAGE);
	struct pmem2_map *there = anon_into(rsv, 4 * PAGE, 2 * PAGE);
	struct pmem2_map *map;
	char *memory = pmem2_map_get_address(there);

	(void)state;
	*memory = 't';
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(
			map_into(&map, rsv, cases[i].offset, anon_source(2 * PAGE), PMEM2_PRIVATE),
			cases[i].error);
		assert_whole(rsv, 2 * PAGE);
	}
	/* Errors of the source come first. */
	assert_int_equal(map_into(&map, rsv, PAGE / 2, anon_source(0), PMEM2_PRIVATE),
			 PMEM2_E_SOURCE_EMPTY);
	/* The whole source is larger than the reservation. */
	assert_int_equal(map_into(&map, rsv, 0, anon_source(17 * PAGE), PMEM2_PRIVATE),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(map_into(&map, rsv, 0, anon_source(-PAGE), PMEM2_PRIVATE),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(*memory, 't');
	assert_ok(pmem2_unmap(&there));
	unreserve(rsv);
}

static void test_odd_length(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	int fd = make_file(5000);
	struct pmem2_map *odd;
	struct pmem2_map *next;
	struct pmem2_map *found;

	(void)state;
	assert_int_equal(map_into(&odd, rsv, 3 * PAGE, fd_source(fd), PMEM2_SHARED),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_ok(map_into(&odd, rsv, 0, fd_source(fd), PMEM2_SHARED));
	assert_int_equal(pmem2_map_get_size(odd), 5000);
	assert_whole(rsv, 2 * PAGE);
	assert_int_equal(map_into(&next, rsv, PAGE, anon_source(PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
	next = anon_into(rsv, 2 * PAGE, PAGE);
	assert_ok(pmem2_vm_reservation_map_find_next(rsv, odd, &found));
	assert_ptr_equal(found, next);
	assert_ok(pmem2_vm_reservation_map_find(rsv, 5000, 1, &found));
	assert_ptr_equal(found, odd);
	assert_ok(pmem2_unmap(&odd));
	assert_ok(pmem2_unmap(&next));
	assert_whole(rsv, 0);
	unreserve(rsv);
	close(fd);
}

static void test_sharing(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	int fd = make_file(PAGE);
	struct pmem2_map *shared;
	struct pmem2_map *private;
	char *memory[2];

	(void)state;
	assert_ok(map_into(&shared, rsv, 0, fd_source(fd), PMEM2_SHARED));
	assert_ok(map_into(&private, rsv, PAGE, fd_source(fd), PMEM2_PRIVATE));
	assert_int_equal(pmem2_map_get_store_granularity(private), PMEM2_GRANULARITY_BYTE);
	memory[0] = pmem2_map_get_address(shared);
	memory[1] = pmem2_map_get_address(private);
	*memory[0] = 's';
	assert_int_equal(*memory[1], 's');
	*memory[1] = 'p';
	assert_int_equal(*memory[0], 's');
	assert_ok(pmem2_unmap(&private));
	assert_ok(pmem2_unmap(&shared));
	assert_int_equal(pread(fd, memory, 1, 0), 1);
	assert_int_equal(*(char *)memory, 's');
	unreserve(rsv);
	close(fd);
}

static int map_with_granularity(struct pmem2_map **map, reservation *rsv, int fd,
				enum pmem2_granularity granularity)
{
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_config *config = page_config();
	int ret;

	assert_ok(pmem2_config_set_required_store_granularity(config, granularity));
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, PAGE));
	ret = pmem2_map_new(map, config, source);
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return ret;
}

static void test_granularity(void **state)
{
	reservation *rsv = reserve(3 * PAGE);
	int fd = make_file(PAGE);
	struct pmem2_map *map;

	(void)state;
	assert_int_equal(map_with_granularity(&map, rsv, fd, PMEM2_GRANULARITY_CACHE_LINE),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_null(map);
	assert_whole(rsv, 0);
	setenv("PMEM2_FORCE_GRANULARITY", "byte", 1);
	assert_ok(map_with_granularity(&map, rsv, fd, PMEM2_GRANULARITY_CACHE_LINE));
	assert_int_equal(pmem2_map_get_store_granularity(map), PMEM2_GRANULARITY_BYTE);
	assert_ok(pmem2_unmap(&map));
	setenv("PMEM2_FORCE_GRANULARITY", "page", 1);
	assert_int_equal(map_with_granularity(&map, rsv, fd, PMEM2_GRANULARITY_BYTE),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	unsetenv("PMEM2_FORCE_GRANULARITY");
	assert_whole(rsv, 0);
	unreserve(rsv);
	close(fd);
}

static void test_configuration(void **state)
{
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = anon_source(PAGE);
	reservation *rsv = reserve(2 * PAGE);
	struct pmem2_map *map;

	(void)state;
	assert_int_equal(pmem2_config_set_vm_reservation(NULL, rsv, 0), -EINVAL);
	/* The offset is checked when mapping only. */
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, 123));
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, 0));
	assert_ok(pmem2_map_new(&map, config, source));
	assert_ptr_equal(pmem2_map_get_address(map), start_of(rsv));
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_config_set_vm_reservation(config, NULL, 123));
	assert_ok(pmem2_map_new(&map, config, source));
	assert_whole(rsv, 0);
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	unreserve(rsv);
}

static void test_unmap_range(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *map = anon_into(rsv, PAGE, 6 * PAGE);
	struct pmem2_map *inner;
	struct pmem2_map *found;
	char *memory = pmem2_map_get_address(map);

	(void)state;
	memory[0] = memory[5 * PAGE] = 'm';
	assert_ok(pmem2_unmap_range(map, 2 * PAGE, 2 * PAGE, 0));
	assert_whole(rsv, 4 * PAGE);
	assert_int_equal(pmem2_vm_reservation_map_find(rsv, 3 * PAGE, 2 * PAGE, &found),
			 PMEM2_E_MAPPING_NOT_FOUND);
	/*
	 * The place is free again; unmapping the first object does not unmap the new mapping there.
	 */
	inner = anon_into(rsv, 3 * PAGE, 2 * PAGE);
	*(char *)pmem2_map_get_address(inner) = 'i';
	assert_ok(pmem2_vm_reservation_map_find(rsv, 3 * PAGE, 2 * PAGE, &found));
	assert_ptr_equal(found, inner);
	assert_whole(rsv, 6 * PAGE);
	assert_int_equal(memory[0], 'm');
	assert_int_equal(memory[5 * PAGE], 'm');
	assert_ok(pmem2_unmap(&map));
	assert_whole(rsv, 2 * PAGE);
	assert_int_equal(*(char *)pmem2_map_get_address(inner), 'i');

	/*
	 * An object whose pages are all unmapped does not keep the reservation from being deleted.
	 */
	assert_ok(pmem2_unmap_range(inner, 0, 2 * PAGE, 0));
	unreserve(rsv);
	assert_ok(pmem2_unmap(&inner));
}

static void test_delete_not_empty(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	reservation *copy = rsv;
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *map = anon_into(rsv, 3 * PAGE, PAGE);

	(void)state;
	assert_int_equal(pmem2_vm_reservation_delete(&rsv), PMEM2_E_VM_RESERVATION_NOT_EMPTY);
	assert_ptr_equal(rsv, copy);
	assert_whole(rsv, PAGE);
	assert_ok(pmem2_unmap(&map));
	/*
	 * Memory that the program has mapped there by itself and registered is not unmapped either.
	 */
	assert_ok(pmem2_map_from_existing(&map, source, start_of(rsv), PAGE, 2));
	assert_int_equal(pmem2_vm_reservation_delete(&rsv), PMEM2_E_VM_RESERVATION_NOT_EMPTY);
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);
	assert_ok(pmem2_source_delete(&source));
}

static void test_moving_bounds(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	struct pmem2_map *map = anon_into(rsv, 2 * PAGE, PAGE);
	struct pmem2_map *behind;
	struct pmem2_map *found;

	(void)state;
	/* Offsets count from the current start. */
	assert_ok(pmem2_vm_reservation_shrink(rsv, 0, 2 * PAGE));
	assert_ok(pmem2_vm_reservation_map_find(rsv, 0, PAGE, &found));
	assert_ptr_equal(found, map);
	assert_int_equal(map_into(&behind, rsv, 2 * PAGE, anon_source(PAGE), PMEM2_PRIVATE),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_ok(pmem2_vm_reservation_extend(rsv, PAGE));
	behind = anon_into(rsv, 2 * PAGE, PAGE);
	assert_ok(pmem2_vm_reservation_map_find_last(rsv, &found));
	assert_ptr_equal(found, behind);
	assert_whole(rsv, 2 * PAGE);
	assert_ok(pmem2_unmap(&behind));
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);
}

#define FIND(expected, function, ...)                                                              \
	do {                                                                                       \
		struct pmem2_map *found_ = (struct pmem2_map *)1;                                  \
		struct pmem2_map *expected_ = (expected);                                          \
                                                                                                   \
		assert_int_equal(pmem2_vm_reservation_map_##function(__VA_ARGS__, &found_),        \
				 expected_ ? 0 : PMEM2_E_MAPPING_NOT_FOUND);                       \
		assert_ptr_equal(found_, expected_);                                               \
	} while (0)

/* PMEM2_E_MAPPING_EXISTS comes before the errors for a range that does not fit or is empty. */
static void test_what_wraps_around_does_not_fit(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *stays = anon_into(rsv, 0, 2 * PAGE);
	struct pmem2_map *map;

	(void)state;
	assert_int_equal(map_into(&map, rsv, -PAGE, anon_source(2 * PAGE), PMEM2_SHARED),
			 PMEM2_E_MAPPING_EXISTS);
	assert_int_equal(map_into(&map, rsv, -PAGE, anon_source(PAGE), PMEM2_SHARED),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(map_into(&map, rsv, -2 * PAGE, anon_source(PAGE), PMEM2_SHARED),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(SIZE_MAX), PMEM2_SHARED),
			 PMEM2_E_MAPPING_EXISTS);
	assert_int_equal(map_into(&map, rsv, 2 * PAGE, anon_source(SIZE_MAX), PMEM2_SHARED),
			 -ENOMEM);
	assert_int_equal(map_into(&map, rsv, 9 * PAGE, anon_source(SIZE_MAX), PMEM2_SHARED),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_whole(rsv, 2 * PAGE);
	assert_ok(pmem2_unmap(&stays));
	unreserve(rsv);
}

static void test_find(void **state)
{
	reservation *rsv = reserve(16 * PAGE);
	reservation *other = reserve(16 * PAGE);
	struct pmem2_map *a = anon_into(rsv, PAGE, 4 * PAGE);
	struct pmem2_map *b = anon_into(rsv, 5 * PAGE, PAGE);
	struct pmem2_map *c = anon_into(rsv, 12 * PAGE, 3 * PAGE);
	struct pmem2_map *foreign = anon_into(other, 4 * PAGE, PAGE);

	(void)state;
	FIND(NULL, find, rsv, 0, PAGE);
	FIND(NULL, find, rsv, 0, 0);
	FIND(a, find, rsv, 0, PAGE + 1);
	FIND(a, find, rsv, PAGE, 0);
	FIND(a, find, rsv, PAGE, 1);
	FIND(a, find, rsv, 2 * PAGE, 0);
	FIND(a, find, rsv, 5 * PAGE - 1, 1);
	FIND(a, find, rsv, 5 * PAGE - 1, PAGE);
	FIND(b, find, rsv, 5 * PAGE, PAGE);
	FIND(NULL, find, rsv, 6 * PAGE, 6 * PAGE);
	FIND(c, find, rsv, 6 * PAGE, 6 * PAGE + 1);
	FIND(NULL, find, rsv, 6 * PAGE, SIZE_MAX); /* wraps around */
	FIND(NULL, find, rsv, 2 * PAGE, SIZE_MAX);
	FIND(a, find, rsv, PAGE, SIZE_MAX);
	FIND(NULL, find, rsv, 0, SIZE_MAX);
	FIND(a, find, rsv, 0, 1ul << 40);
	FIND(NULL, find, rsv, 15 * PAGE, SIZE_MAX);
	FIND(NULL, find, rsv, 16 * PAGE, PAGE);
	FIND(NULL, find, rsv, 1 << 30, 1 << 30);
	FIND(NULL, find, rsv, SIZE_MAX, SIZE_MAX);
	FIND(NULL, find, rsv, SIZE_MAX, 6 * PAGE);

	FIND(a, find_first, rsv);
	FIND(c, find_last, rsv);
	FIND(b, find_next, rsv, a);
	FIND(c, find_next, rsv, b);
	FIND(NULL, find_next, rsv, c);
	FIND(b, find_prev, rsv, c);
	FIND(a, find_prev, rsv, b);
	FIND(NULL, find_prev, rsv, a);

	/*
	 * A mapping outside may be adjacent; its address shows that it does not belong to the
	 * reservation.
	 */
	if (start_of(other) < start_of(rsv)) {
		FIND(a, find_next, rsv, foreign);
		FIND(NULL, find_prev, rsv, foreign);
		FIND(foreign, find_prev, other, a);
		FIND(NULL, find_next, other, a);
	} else {
		FIND(NULL, find_next, rsv, foreign);
		FIND(c, find_prev, rsv, foreign);
		FIND(NULL, find_prev, other, a);
		FIND(foreign, find_next, other, a);
	}

	assert_ok(pmem2_unmap(&a));
	assert_ok(pmem2_unmap(&b));
	assert_ok(pmem2_unmap(&c));
	assert_ok(pmem2_unmap(&foreign));
	FIND(NULL, find_first, rsv);
	FIND(NULL, find_last, rsv);
	unreserve(rsv);
	unreserve(other);
}

/* Each mapping is found exactly once, also those that lie in a gap of another. */
static void test_find_in_gaps(void **state)
{
	reservation *rsv = reserve(16 * PAGE);
	struct pmem2_map *around = anon_into(rsv, PAGE, 10 * PAGE);
	struct pmem2_map *inner[2];

	(void)state;
	assert_ok(pmem2_unmap_range(around, 2 * PAGE, PAGE, 0));
	assert_ok(pmem2_unmap_range(around, 5 * PAGE, PAGE, 0));
	inner[0] = anon_into(rsv, 3 * PAGE, PAGE);
	inner[1] = anon_into(rsv, 6 * PAGE, PAGE);
	FIND(around, find_first, rsv);
	FIND(inner[0], find_next, rsv, around);
	FIND(inner[1], find_next, rsv, inner[0]);
	FIND(NULL, find_next, rsv, inner[1]);
	FIND(inner[1], find_last, rsv);
	FIND(inner[0], find_prev, rsv, inner[1]);
	FIND(around, find_prev, rsv, inner[0]);
	FIND(NULL, find_prev, rsv, around);
	FIND(around, find, rsv, 4 * PAGE, PAGE);
	FIND(inner[0], find, rsv, 3 * PAGE, PAGE);

	/* The rest of the mapping starts between the others now, and then behind them. */
	assert_ok(pmem2_unmap_range(around, 0, 5 * PAGE, 0));
	FIND(inner[0], find_first, rsv);
	FIND(inner[1], find_next, rsv, inner[0]);
	FIND(around, find_next, rsv, inner[1]);
	FIND(NULL, find_next, rsv, around);
	FIND(inner[1], find_prev, rsv, around);
	/* A mapping of which nothing is left is not found; the search can start from it. */
	assert_ok(pmem2_unmap_range(around, 0, 10 * PAGE, 0));
	FIND(inner[1], find_last, rsv);
	FIND(inner[0], find_next, rsv, around);
	for (int i = 0; i < 2; i++)
		assert_ok(pmem2_unmap(&inner[i]));
	assert_ok(pmem2_unmap(&around));
	unreserve(rsv);
}

static void test_find_with_no_mapping(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	struct pmem2_map *map = anon_into(rsv, PAGE, PAGE);
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *wild[] = {NULL, (struct pmem2_map *)1, (struct pmem2_map *)&source, map};
	struct pmem2_map *stays = anon_into(rsv, 2 * PAGE, PAGE);

	(void)state;
	assert_ok(pmem2_unmap(&map));
	for (size_t i = 0; i < 4; i++) {
		FIND(NULL, find_next, rsv, wild[i]);
		FIND(NULL, find_prev, rsv, wild[i]);
	}
	assert_int_equal(pmem2_vm_reservation_map_find(NULL, 0, 1, &map), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_first(NULL, &map), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_last(NULL, &map), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_next(NULL, stays, &map), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_prev(NULL, stays, &map), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find(rsv, 0, 1, NULL), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_first(rsv, NULL), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_last(rsv, NULL), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_next(rsv, stays, NULL), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_map_find_prev(rsv, stays, NULL), -EINVAL);
	/* An adopted mapping occupies its addresses, but does not belong to the reservation. */
	assert_ok(pmem2_map_from_existing(&map, source, start_of(rsv), PAGE, 2));
	FIND(stays, find_first, rsv);
	FIND(stays, find_next, rsv, map);
	FIND(NULL, find_prev, rsv, stays);
	assert_int_equal(map_into(&wild[0], rsv, 0, anon_source(PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
	assert_ok(pmem2_unmap(&map));
	assert_ok(pmem2_unmap(&stays));
	assert_ok(pmem2_source_delete(&source));
	unreserve(rsv);
}

static void test_fork(void **state)
{
	reservation *rsv = reserve(4 * PAGE);
	struct pmem2_map *map = anon_into(rsv, PAGE, PAGE);
	char *memory = pmem2_map_get_address(map);
	struct pmem2_map *found;
	int status;
	pid_t pid;

	(void)state;
	*memory = 'p';
	pid = fork();
	if (pid == 0) {
		struct pmem2_config *config = page_config();
		struct pmem2_source *source = anon_source(2 * PAGE);
		struct pmem2_map *own;

		if (pmem2_vm_reservation_map_find_first(rsv, &found) || found != map ||
		    *memory != 'p' || pmem2_config_set_vm_reservation(config, rsv, 2 * PAGE) ||
		    pmem2_map_new(&own, config, source) ||
		    pmem2_vm_reservation_delete(&rsv) != PMEM2_E_VM_RESERVATION_NOT_EMPTY ||
		    pmem2_unmap(&map) || pmem2_unmap(&own) ||
		    pmem2_vm_reservation_extend(rsv, 2 * MIB) || pmem2_vm_reservation_delete(&rsv))
			_exit(1);
		_exit(is_mapped(memory) ? 2 : 0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	assert_whole(rsv, PAGE);
	assert_int_equal(*memory, 'p');
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_page),
		cmocka_unit_test(test_areas_come_back),
		cmocka_unit_test(test_checks_in_order),
		cmocka_unit_test(test_odd_length),
		cmocka_unit_test(test_sharing),
		cmocka_unit_test(test_granularity),
		cmocka_unit_test(test_configuration),
		cmocka_unit_test(test_unmap_range),
		cmocka_unit_test(test_delete_not_empty),
		cmocka_unit_test(test_moving_bounds),
		cmocka_unit_test(test_what_wraps_around_does_not_fit),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_find_in_gaps),
		cmocka_unit_test(test_find_with_no_mapping),
		cmocka_unit_test(test_fork),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
