/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_reservation.c - vm reservations and mapping into them
 */
#include "compare.h"

static struct pmem2_vm_reservation *new_reservation(size_t size)
{
	struct pmem2_vm_reservation *rsv;

	NEED(lib.vm_reservation_new(&rsv, NULL, size) == 0);
	return rsv;
}

static void describe(struct pmem2_vm_reservation *rsv)
{
	char *address = lib.vm_reservation_get_address(rsv);
	size_t size = lib.vm_reservation_get_size(rsv);

	print_value("size", "%#zx", size);
	print_areas("areas", address, size);
}

static void new_and_delete(void)
{
	static const size_t sizes[] = {1,       4095,    4096,      4097,      MIB,       2 * MIB,
				       3 * MIB, 1 << 30, 2ul << 30, 3ul << 30, 1ul << 60, SIZE_MAX};
	static const size_t shifts[] = {0, 1, 4095, 4096, 8192, MIB};
	struct pmem2_vm_reservation *const stale = (struct pmem2_vm_reservation *)16;
	size_t i;
	size_t j;

	for (i = 0; i < COUNT(sizes); i++) {
		struct pmem2_vm_reservation *rsv = stale;
		char *address;

		about("%#zx anywhere", sizes[i]);
		if (CALL(lib.vm_reservation_new(&rsv, NULL, sizes[i]))) {
			print_value("rsv", "%d", !!rsv);
			continue;
		}
		address = lib.vm_reservation_get_address(rsv);
		print_value("aligned", "%d", (uintptr_t)address % (2 * MIB) == 0);
		if (sizes[i] >= 2ul << 30)
			print_value("aligned to 1 GiB", "%d", (uintptr_t)address % (1 << 30) == 0);
		describe(rsv);
		CALL(lib.vm_reservation_delete(&rsv));
		print_value("rsv", "%d", !!rsv);
		print_areas("areas after", address, sizes[i]);
	}
	for (i = 0; i < COUNT(sizes) - 5; i++)
		for (j = 0; j < COUNT(shifts); j++) {
			struct pmem2_vm_reservation *rsv = stale;
			/* room for the slack of libpmem2 */
			char *address = hole(sizes[i] / PAGE * PAGE + 8 * MIB) + shifts[j];

			about("%#zx at +%#zx", sizes[i], shifts[j]);
			if (CALL(lib.vm_reservation_new(&rsv, address, sizes[i]))) {
				print_value("rsv", "%d", !!rsv);
				continue;
			}
			print_value("where", "%d",
				    lib.vm_reservation_get_address(rsv) == (void *)address);
			describe(rsv);
			CALL(lib.vm_reservation_delete(&rsv));
			print_areas("areas after", address, sizes[i]);
		}
	{
		struct pmem2_vm_reservation *rsv = stale;
		char *address = hole(8 * MIB);

		about("occupied");
		CALL(lib.vm_reservation_new(&rsv, address + 8 * MIB, PAGE));
		print_value("rsv", "%d", !!rsv);
		about("partly occupied");
		CALL(lib.vm_reservation_new(&rsv, address, 9 * MIB));
		about("partly occupied below");
		CALL(lib.vm_reservation_new(&rsv, address - 2 * MIB, 4 * MIB));
		print_areas("areas", address, 8 * MIB);
		about("exactly fitting");
		if (CALL(lib.vm_reservation_new(&rsv, address, 8 * MIB)) == 0)
			CALL(lib.vm_reservation_delete(&rsv));
	}
}

static void extend(void)
{
	static const size_t more[] = {0, 1, 4096, 5000, MIB, 2 * MIB, 4 * MIB, 1ul << 46};
	struct pmem2_vm_reservation *rsv;
	char *address;
	size_t i;

	for (i = 0; i < COUNT(more); i++) {
		NEED(lib.vm_reservation_new(&rsv, hole(8 * MIB), 2 * MIB) == 0);
		about("%#zx", more[i]);
		CALL(lib.vm_reservation_extend(rsv, more[i]));
		describe(rsv);
		CALL(lib.vm_reservation_delete(&rsv));
	}
	about("into a hole");
	address = hole(16 * MIB);
	NEED(lib.vm_reservation_new(&rsv, address, 2 * MIB) == 0);
	CALL(lib.vm_reservation_extend(rsv, 10 * MIB));
	describe(rsv);
	CALL(lib.vm_reservation_extend(rsv, 10 * MIB));
	describe(rsv);
	CALL(lib.vm_reservation_delete(&rsv));
}

/* A reservation of 0 bytes can be made, and can be used once it is extended. */
static void extend_nothing(void)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_source *src = new_anon(2 * MIB);
	struct pmem2_vm_reservation *rsv;
	struct pmem2_map *map;

	CALL(lib.vm_reservation_new(&rsv, NULL, 0));
	describe(rsv);
	CALL(lib.config_set_vm_reservation(cfg, rsv, 0));
	CALL(lib.map_new(&map, cfg, src));
	CALL(lib.vm_reservation_map_find_first(rsv, &map));
	CALL(lib.vm_reservation_shrink(rsv, 0, PAGE));
	about("extended");
	CALL(lib.vm_reservation_extend(rsv, 2 * MIB));
	describe(rsv);
	CALL(lib.map_new(&map, cfg, src));
	describe(rsv);
	CALL(lib.vm_reservation_delete(&rsv));
	CALL(lib.map_delete(&map));
	CALL(lib.vm_reservation_shrink(rsv, 0, 2 * MIB));
	CALL(lib.vm_reservation_delete(&rsv));
}

static void shrink(void)
{
	static const size_t numbers[] = {0,        1,
					 4096,     MIB,
					 MIB + 1,  2 * MIB,
					 4 * MIB,  5 * MIB,
					 SIZE_MAX, SIZE_MAX - 4095,
					 3 * MIB,  4 * MIB - PAGE};
	struct pmem2_vm_reservation *rsv;
	size_t i;
	size_t j;

	for (i = 0; i < COUNT(numbers); i++)
		for (j = 0; j < COUNT(numbers); j++) {
			char *address;

			rsv = new_reservation(4 * MIB);
			address = lib.vm_reservation_get_address(rsv);
			about("offset %#zx, size %#zx", numbers[i], numbers[j]);
			CALL(lib.vm_reservation_shrink(rsv, numbers[i], numbers[j]));
			print_value(
				"moved by", "%#zx",
				(size_t)((char *)lib.vm_reservation_get_address(rsv) - address));
			describe(rsv);
			print_areas("all areas", address, 4 * MIB);
			CALL(lib.vm_reservation_delete(&rsv));
			print_areas("areas after", address, 4 * MIB);
		}
}

static void map_into(void)
{
	static const size_t offsets[] = {0,       1,       4096,     2 * MIB, 4 * MIB - 4096,
					 4 * MIB, 5 * MIB, SIZE_MAX, 4095};
	static const size_t lengths[] = {0, 1, 4096, 2 * MIB, 4 * MIB, 6 * MIB};
	static const struct {
		const char *name;
		enum pmem2_sharing_type sharing;
		unsigned protection;
	} ways[] = {
		{"shared", PMEM2_SHARED, PMEM2_PROT_READ | PMEM2_PROT_WRITE},
		{"private", PMEM2_PRIVATE, PMEM2_PROT_READ | PMEM2_PROT_WRITE},
		{"inaccessible", PMEM2_SHARED, PMEM2_PROT_NONE},
	};
	struct pmem2_source *sources[3];
	size_t count = 0;
	size_t i;
	size_t j;
	size_t k;
	size_t s;

	if (place == NOWHERE) {
		sources[count++] = new_anon(5000);
		sources[count++] = new_anon(6 * MIB);
	} else {
		sources[count++] = new_source(new_file(5000));
		if (place != DEVDAX)
			sources[count++] = new_source(new_file(6 * MIB));
	}
	for (s = 0; s < count; s++)
		for (k = 0; k < (place == DEVDAX ? 1 : COUNT(ways)); k++)
			for (i = 0; i < COUNT(offsets); i++)
				for (j = 0; j < COUNT(lengths); j++) {
					struct pmem2_vm_reservation *rsv = new_reservation(4 * MIB);
					char *address = lib.vm_reservation_get_address(rsv);
					struct pmem2_config *cfg = new_config();
					struct pmem2_map *map = (struct pmem2_map *)16;

					lib.config_set_sharing(cfg, ways[k].sharing);
					lib.config_set_protection(cfg, ways[k].protection);
					lib.config_set_length(cfg, lengths[j]);
					about("source %zu, %s, offset %#zx, length %#zx", s,
					      ways[k].name, offsets[i], lengths[j]);
					CALL(lib.config_set_vm_reservation(cfg, rsv, offsets[i]));
					if (CALL(lib.map_new(&map, cfg, sources[s])) == 0) {
						print_value(
							"at", "%#zx",
							(size_t)((char *)lib.map_get_address(map) -
								 address));
						print_value("size", "%zu", lib.map_get_size(map));
						print_areas("areas", address, 4 * MIB);
						CALL(lib.vm_reservation_delete(&rsv));
						CALL(lib.map_delete(&map));
					}
					print_value("map", "%d", !!map);
					print_areas("areas after", address, 4 * MIB);
					CALL(lib.vm_reservation_delete(&rsv));
					lib.config_delete(&cfg);
				}
}

static struct pmem2_vm_reservation *rsv;
static struct pmem2_map *maps[4];

static const char *name_of(const struct pmem2_map *map)
{
	static char name[2];
	size_t i;

	if (!map)
		return "NULL";
	for (i = 0; i < COUNT(maps); i++)
		if (maps[i] == map) {
			name[0] = (char)('a' + i);
			return name;
		}
	return "another";
}

#define FIND(call)                                                                                 \
	do {                                                                                       \
		struct pmem2_map *found = (struct pmem2_map *)16;                                  \
		CALL(call);                                                                        \
		print_value(#call " gave", "%s", name_of(found));                                  \
	} while (0)

/* Maps [0,2) [2,4) [6,8) [10,10+page) MiB of a reservation of 12 MiB. */
static void populate(void)
{
	static const size_t starts[] = {0, 2 * MIB, 6 * MIB, 10 * MIB};
	static const size_t lengths[] = {2 * MIB, 2 * MIB, 2 * MIB, PAGE};
	struct pmem2_source *src =
		place == NOWHERE ? new_anon(2 * MIB) : new_source(new_file(2 * MIB));
	struct pmem2_config *cfg = new_config();
	size_t i;

	/* with free addresses behind it, not by chance */
	NEED(lib.vm_reservation_new(&rsv, hole(16 * MIB), 12 * MIB) == 0);
	for (i = 0; i < COUNT(maps); i++) {
		NEED(lib.config_set_vm_reservation(cfg, rsv, starts[i]) == 0);
		NEED(lib.config_set_length(cfg, place == DEVDAX ? 2 * MIB : lengths[i]) == 0);
		maps[i] = new_map(cfg, src);
	}
}

static void occupied(void)
{
	static const size_t offsets[] = {0, MIB, 2 * MIB, 3 * MIB, 4 * MIB, 5 * MIB, 8 * MIB};
	struct pmem2_source *src = new_source(new_file(4 * MIB));
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *map;
	size_t i;

	populate();
	for (i = 0; i < COUNT(offsets); i++) {
		about("at %#zx", offsets[i]);
		lib.config_set_vm_reservation(cfg, rsv, offsets[i]);
		lib.config_set_length(cfg, 2 * MIB);
		if (CALL(lib.map_new(&map, cfg, src)) == 0) {
			print_areas("areas", lib.vm_reservation_get_address(rsv), 12 * MIB);
			CALL(lib.map_delete(&map));
		}
	}
	about("everything");
	print_areas("areas", lib.vm_reservation_get_address(rsv), 12 * MIB);
	CALL(lib.vm_reservation_delete(&rsv));
	CALL(lib.vm_reservation_shrink(rsv, 0, 2 * MIB));
	CALL(lib.vm_reservation_shrink(rsv, 8 * MIB, 4 * MIB));
	CALL(lib.vm_reservation_extend(rsv, PAGE));
	describe(rsv);
	CALL(lib.map_delete(&maps[0]));
	CALL(lib.vm_reservation_shrink(rsv, 0, 2 * MIB));
	about("its start cut off");
	describe(rsv);
	FIND(lib.vm_reservation_map_find(rsv, 0, 1, &found));
	FIND(lib.vm_reservation_map_find_first(rsv, &found));
	for (i = 1; i < COUNT(maps); i++) {
		about("delete %zu", i);
		CALL(lib.map_delete(&maps[i]));
		describe(rsv);
	}
	CALL(lib.vm_reservation_delete(&rsv));
}

static void finds(void)
{
	static const size_t offsets[] = {0,        1,        2 * MIB - 1, 2 * MIB, 4 * MIB - 1,
					 4 * MIB,  5 * MIB,  6 * MIB,     8 * MIB, 9 * MIB,
					 10 * MIB, 11 * MIB, 12 * MIB,    16 * MIB};
	static const size_t lengths[] = {0, 1, MIB, 2 * MIB, 3 * MIB, 12 * MIB, 1ul << 40};
	size_t i;
	size_t j;

	populate();
	for (i = 0; i < COUNT(offsets); i++)
		for (j = 0; j < COUNT(lengths); j++) {
			about("at %#zx +%#zx", offsets[i], lengths[j]);
			FIND(lib.vm_reservation_map_find(rsv, offsets[i], lengths[j], &found));
		}
	about("ends");
	FIND(lib.vm_reservation_map_find_first(rsv, &found));
	FIND(lib.vm_reservation_map_find_last(rsv, &found));
	for (i = 0; i < COUNT(maps); i++) {
		about("from %zu", i);
		FIND(lib.vm_reservation_map_find_next(rsv, maps[i], &found));
		FIND(lib.vm_reservation_map_find_prev(rsv, maps[i], &found));
	}
	CALL(lib.map_delete(&maps[1]));
	about("without 1");
	FIND(lib.vm_reservation_map_find(rsv, 2 * MIB, 2 * MIB, &found));
	FIND(lib.vm_reservation_map_find(rsv, MIB, 10 * MIB, &found));
	FIND(lib.vm_reservation_map_find_next(rsv, maps[0], &found));
	FIND(lib.vm_reservation_map_find_prev(rsv, maps[2], &found));
	NEED(lib.map_delete(&maps[0]) == 0 && lib.map_delete(&maps[2]) == 0);
	NEED(lib.map_delete(&maps[3]) == 0);
	about("empty");
	FIND(lib.vm_reservation_map_find(rsv, 0, 12 * MIB, &found));
	FIND(lib.vm_reservation_map_find_first(rsv, &found));
	FIND(lib.vm_reservation_map_find_last(rsv, &found));
	CALL(lib.vm_reservation_delete(&rsv));
}

/* A mapping that fails late leaves the reservation as it was. */
static void failing(void)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_source *src = new_source(new_file(2 * MIB));
	struct pmem2_map *map;
	char *address;

	rsv = new_reservation(4 * MIB);
	address = lib.vm_reservation_get_address(rsv);
	NEED(lib.config_set_vm_reservation(cfg, rsv, 0) == 0);
	NEED(lib.config_set_length(cfg, 2 * MIB) == 0);
	setenv("PMEM2_FORCE_GRANULARITY", "PAGE", 1);
	NEED(lib.config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_BYTE) == 0);
	CALL(lib.map_new(&map, cfg, src));
	print_areas("areas", address, 4 * MIB);
	FIND(lib.vm_reservation_map_find_first(rsv, &found));
	unsetenv("PMEM2_FORCE_GRANULARITY");
	NEED(lib.config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_PAGE) == 0);
	about("then");
	CALL(lib.map_new(&map, cfg, src));
	print_areas("areas", address, 4 * MIB);
	CALL(lib.map_delete(&map));
	CALL(lib.config_set_vm_reservation(cfg, NULL, 0));
	about("outside");
	CALL(lib.map_new(&map, cfg, src));
	print_value("outside", "%d",
		    (char *)lib.map_get_address(map) < address ||
			    (char *)lib.map_get_address(map) >= address + 4 * MIB);
	CALL(lib.map_delete(&map));
	CALL(lib.vm_reservation_delete(&rsv));
}

const struct test_case reservation_cases[] = {
	{.name = "reservation_new", .run = new_and_delete, .places = AT(NOWHERE)},
	{.name = "reservation_extend", .run = extend, .places = AT(NOWHERE)},
	{.name = "reservation_extend_nothing", .run = extend_nothing, .places = AT(NOWHERE)},
	{.name = "reservation_shrink", .run = shrink, .places = AT(NOWHERE)},
	{.name = "reservation_map", .run = map_into, .places = AT(NOWHERE) | ANY_SOURCE},
	{.name = "reservation_occupied", .run = occupied, .places = ANY_SOURCE},
	{.name = "reservation_find", .run = finds, .places = AT(NOWHERE) | ANY_SOURCE},
	{.name = "reservation_failing", .run = failing, .places = ANY_SOURCE},
	{0},
};
