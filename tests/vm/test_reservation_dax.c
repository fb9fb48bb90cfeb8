/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_reservation_dax.c - mapping into vm reservations on real DAX, for the virtual machine
 *
 * usage: test_reservation_dax cache_line|page PATH
 *
 * PATH is a file or a device-DAX node of at least 8 MiB, which has that granularity.
 */
#include "../unit/lib/reservation_helper.h"
#include <pthread.h>

#define ROUNDS 300

static enum pmem2_granularity granularity;
static int fd;
static size_t piece; /* the smallest mapping: the source's alignment */
static reservation *rsv;
static _Atomic bool stop;

/* A new source each time, which does not know yet that it cannot have MAP_SYNC. */
static int map_piece(struct pmem2_map **map, size_t at, size_t offset, size_t length,
		     enum pmem2_granularity required)
{
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_config *config = page_config();
	int ret;

	assert_ok(pmem2_config_set_required_store_granularity(config, required));
	assert_ok(pmem2_config_set_offset(config, offset));
	assert_ok(pmem2_config_set_length(config, length));
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, at));
	ret = pmem2_map_new(map, config, source);
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return ret;
}

/* Whether the area at an address is a MAP_SYNC one. */
static bool is_synchronous(const char *address)
{
	char flags[512];

	read_flags(address, flags, sizeof(flags));
	return strstr(flags, " sf ");
}

static void test_filling(void **state)
{
	struct pmem2_map *maps[4];
	struct pmem2_map *all;
	char *memory;

	(void)state;
	rsv = reserve(4 * piece);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(map_piece(&maps[i], i * piece, (3 - i) * piece, piece, granularity));
		assert_int_equal(pmem2_map_get_store_granularity(maps[i]), granularity);
		memory = pmem2_map_get_address(maps[i]);
		assert_ptr_equal(memory, start_of(rsv) + i * piece);
		/* Device DAX is always synchronous, but smaps need not show it. */
		if (piece == PAGE)
			assert_int_equal(is_synchronous(memory),
					 granularity == PMEM2_GRANULARITY_CACHE_LINE);
		memset(memory, 'a' + (int)i, piece);
	}
	assert_whole(rsv, 4 * piece);
	for (size_t i = 0; i < 4; i++) {
		assert_ok(pmem2_unmap(&maps[i]));
		assert_whole(rsv, (3 - i) * piece);
	}
	assert_ok(map_piece(&all, 0, 0, 4 * piece, granularity));
	memory = pmem2_map_get_address(all);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(memory[i * piece], 'd' - (int)i);
		assert_int_equal(memory[(i + 1) * piece - 1], 'd' - (int)i);
	}
	assert_ok(pmem2_unmap_range(all, piece, piece, 0));
	assert_whole(rsv, 3 * piece);
	assert_ok(map_piece(&maps[0], piece, 0, piece, granularity));
	assert_int_equal(*(char *)pmem2_map_get_address(maps[0]), 'd');
	assert_ok(pmem2_unmap(&all));
	assert_whole(rsv, piece);
	assert_ok(pmem2_unmap(&maps[0]));
	unreserve(rsv);
}

static void test_refusals(void **state)
{
	struct pmem2_map *map;

	(void)state;
	rsv = reserve(4 * piece);
	if (piece > PAGE) {
		assert_int_equal(map_piece(&map, PAGE, 0, piece, granularity),
				 PMEM2_E_ADDRESS_UNALIGNED);
		assert_int_equal(map_piece(&map, 3 * piece + PAGE, 0, piece, granularity),
				 PMEM2_E_LENGTH_OUT_OF_RANGE);
		assert_int_equal(map_piece(&map, PAGE / 2, 0, piece, granularity),
				 PMEM2_E_OFFSET_UNALIGNED);
		/* The address must be aligned, not the offset. */
		assert_ok(pmem2_vm_reservation_shrink(rsv, 0, PAGE));
		assert_int_equal(map_piece(&map, 0, 0, piece, granularity),
				 PMEM2_E_ADDRESS_UNALIGNED);
		assert_ok(map_piece(&map, piece - PAGE, 0, piece, granularity));
		assert_ok(pmem2_unmap(&map));
		unreserve(rsv);
		rsv = reserve(4 * piece);
	}
	assert_int_equal(map_piece(&map, 4 * piece, 0, piece, granularity),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(map_piece(&map, 2 * piece, 0, piece, PMEM2_GRANULARITY_BYTE),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_null(map);
	assert_whole(rsv, 0);
	unreserve(rsv);
}

/*
 * Maps and unmaps other memory at full speed: it is never in the reservation, and keeps its
 * contents.
 */
static void *stranger(void *arg)
{
	char *begin = start_of(rsv);
	char *areas[4] = {NULL};

	for (size_t i = 0; !stop; i++) {
		char **area = &areas[i % 4];

		if (*area) {
			assert_int_equal(**area, 's');
			assert_ok(munmap(*area, piece));
		}
		*area = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			     0);
		assert_ptr_not_equal(*area, MAP_FAILED);
		assert_false(*area + piece > begin && *area < begin + 2 * piece);
		assert_int_equal(**area, 0);
		**area = 's';
	}
	return arg;
}

static void test_among_strangers(void **state)
{
	pthread_t threads[2];
	struct pmem2_map *map;

	(void)state;
	rsv = reserve(2 * piece);
	stop = false;
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_create(&threads[i], NULL, stranger, NULL));
	for (size_t i = 0; i < ROUNDS; i++) {
		assert_ok(map_piece(&map, i % 2 * piece, 0, piece, granularity));
		*(char *)pmem2_map_get_address(map) = 'm';
		assert_ok(pmem2_unmap(&map));
		/* Mapped and unmapped again, since the granularity is known only then. */
		assert_int_equal(map_piece(&map, 0, 0, 2 * piece, granularity - 1),
				 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	}
	stop = true;
	for (int i = 0; i < 2; i++)
		assert_ok(pthread_join(threads[i], NULL));
	assert_whole(rsv, 0);
	unreserve(rsv);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filling),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_among_strangers),
	};
	struct pmem2_source *source;

	if (argc != 3) {
		fprintf(stderr, "usage: test_reservation_dax cache_line|page PATH\n");
		return 2;
	}
	granularity = strcmp(argv[1], "page") == 0 ? PMEM2_GRANULARITY_PAGE
						   : PMEM2_GRANULARITY_CACHE_LINE;
	fd = open(argv[2], O_RDWR | O_CLOEXEC);
	if (fd < 0 || pmem2_source_from_fd(&source, fd) || pmem2_source_alignment(source, &piece)) {
		perror(argv[2]);
		return 1;
	}
	pmem2_source_delete(&source);
	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
