/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_map.c - making mappings, their properties, and unmapping
 */
#include "compare.h"
#include <sys/stat.h>

/* The unit of sizes, which is larger on a device node; file sizes do not matter there. */
static size_t unit(void)
{
	return place == DEVDAX ? 2 * MIB : PAGE;
}

/* Maps, prints the result, and unmaps. */
static void try_map(const struct pmem2_config *cfg, const struct pmem2_source *src)
{
	struct pmem2_map *const stale = (struct pmem2_map *)16;
	struct pmem2_map *map = stale;
	size_t size;
	char *address;

	if (CALL(lib.map_new(&map, cfg, src))) {
		if (map)
			print_value("map", "%s", map == stale ? "stale" : "set");
		return;
	}
	address = lib.map_get_address(map);
	size = lib.map_get_size(map);
	print_value("size", "%zu, granularity %d, aligned %d", size,
		    (int)lib.map_get_store_granularity(map), (uintptr_t)address % (2 * MIB) == 0);
	print_areas("areas", address, size);
	CALL(lib.map_delete(&map));
	if (map)
		print_value("map", "left");
	print_areas("areas after", address, size);
}

/* All offsets and lengths, in files of all sizes: errors in the order in which they are checked. */
static void map_ranges(void)
{
	const size_t u = unit();
	const size_t sizes[] = {0,    1,    4095,    4096,           4097,
				5000, 8192, 2 * MIB, 2 * MIB + 4096, 4 * MIB};
	const size_t offsets[] = {0,       1,         512,       u - 1,
				  u,       u + 1,     2 * u,     2 * MIB,
				  4 * MIB, 1ul << 40, INT64_MAX, (size_t)INT64_MAX + 1 - u};
	const size_t lengths[] = {0,         1,
				  512,       4095,
				  u,         5000,
				  2 * u,     2 * MIB,
				  4 * MIB,   1ul << 40,
				  SIZE_MAX,  SIZE_MAX - u + 1,
				  INT64_MAX, (size_t)INT64_MAX + 1};
	struct pmem2_config *cfg = new_config();
	size_t i;
	size_t j;
	size_t k;

	for (i = 0; i < (place == DEVDAX ? 1 : COUNT(sizes)); i++) {
		int fd = new_file(sizes[i]);
		struct pmem2_source *src = new_source(fd);

		/* each look at a node takes long */
		for (j = 0; j < COUNT(offsets); j += place == DEVDAX ? 2 : 1)
			for (k = 0; k < COUNT(lengths); k += place == DEVDAX ? 2 : 1) {
				NEED(lib.config_set_offset(cfg, offsets[j]) == 0);
				NEED(lib.config_set_length(cfg, lengths[k]) == 0);
				about("%#zx bytes, offset %#zx, length %#zx", sizes[i], offsets[j],
				      lengths[k]);
				try_map(cfg, src);
			}
		NEED(lib.source_delete(&src) == 0);
		close(fd);
	}
}

static void map_ranges_of_anon(void)
{
	static const size_t sizes[] = {0, 1, 4095, 4096, 5000, 2 * MIB, SIZE_MAX};
	static const size_t offsets[] = {0, 1, 4096, 8192, INT64_MAX - 4095};
	static const size_t lengths[] = {0, 1, 4096, 8192, SIZE_MAX - 4095};
	struct pmem2_config *cfg = new_config();
	size_t i;
	size_t j;
	size_t k;

	for (i = 0; i < COUNT(sizes); i++) {
		struct pmem2_source *src = new_anon(sizes[i]);

		for (j = 0; j < COUNT(offsets); j++)
			for (k = 0; k < COUNT(lengths); k++) {
				NEED(lib.config_set_offset(cfg, offsets[j]) == 0);
				NEED(lib.config_set_length(cfg, lengths[k]) == 0);
				about("%#zx bytes, offset %#zx, length %#zx", sizes[i], offsets[j],
				      lengths[k]);
				try_map(cfg, src);
			}
		NEED(lib.source_delete(&src) == 0);
	}
}

/* All combinations of the other settings, and of the environment variables for granularity. */
static void map_settings(void)
{
	static const unsigned protections[] = {
		PMEM2_PROT_NONE,
		PMEM2_PROT_READ,
		PMEM2_PROT_WRITE,
		PMEM2_PROT_EXEC,
		PMEM2_PROT_READ | PMEM2_PROT_WRITE,
		PMEM2_PROT_READ | PMEM2_PROT_EXEC,
		PMEM2_PROT_READ | PMEM2_PROT_WRITE | PMEM2_PROT_EXEC,
	};
	static const char *const forced[] = {NULL,   "BYTE", "CACHE_LINE", "PAGE",  "cacheline",
					     "Page", "",     " PAGE",      "byte ", "1"};
	static const int modes[] = {O_RDWR, O_RDONLY, O_PATH};
	/* each access to a device takes long */
	const bool slow = place == DEVDAX || place == FSDAX;
	const size_t forcings = place == DEVDAX ? 2 : slow ? 4 : COUNT(forced);
	const size_t openings = place == DEVDAX ? 1 : slow ? 2 : COUNT(modes) + 1;
	char name[64];
	int sharing;
	size_t f;
	size_t m;
	size_t p;
	int g;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", new_file(3 * PAGE));
	for (m = 0; m < openings; m++) {
		struct pmem2_source *src =
			m == COUNT(modes) ? new_anon(3 * PAGE) : new_source(open(name, modes[m]));

		for (sharing = PMEM2_SHARED; sharing <= PMEM2_PRIVATE; sharing++)
			for (g = -1; g <= PMEM2_GRANULARITY_PAGE; g++)
				for (p = 0; p < COUNT(protections); p += place == DEVDAX ? 3 : 1)
					for (f = 0; f < forcings; f++) {
						struct pmem2_config *cfg;

						NEED(lib.config_new(&cfg) == 0);
						if (g >= 0)
							lib.config_set_required_store_granularity(
								cfg, (enum pmem2_granularity)g);
						lib.config_set_sharing(
							cfg, (enum pmem2_sharing_type)sharing);
						lib.config_set_protection(cfg, protections[p]);
						if (place == DEVDAX)
							lib.config_set_length(cfg, 2 * MIB);
						if (forced[f])
							setenv("PMEM2_FORCE_GRANULARITY", forced[f],
							       1);
						about("opened %zu, sharing %d, granularity %d, "
						      "protection %#x, forced %s",
						      m, sharing, g, protections[p],
						      forced[f] ? forced[f] : "nothing");
						try_map(cfg, src);
						unsetenv("PMEM2_FORCE_GRANULARITY");
						lib.config_delete(&cfg);
					}
		lib.source_delete(&src);
	}
}

static void map_many(void)
{
	int fd = new_file(4 * MIB);
	struct pmem2_source *src = new_source(fd);
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *maps[8];
	char *address;
	size_t i;

	if (place == DEVDAX)
		NEED(lib.config_set_length(cfg, 4 * MIB) == 0);
	for (i = 0; i < COUNT(maps); i++)
		maps[i] = new_map(cfg, src);
	for (i = 0; i < COUNT(maps); i++)
		((char *)lib.map_get_address(maps[i]))[i] = (char)('a' + i);
	/* the source, its descriptor and the configuration are no longer needed */
	NEED(lib.source_delete(&src) == 0 && lib.config_delete(&cfg) == 0 && close(fd) == 0);
	address = lib.map_get_address(maps[3]);
	print_value("first bytes", "%.8s", address);
	for (i = 0; i < COUNT(maps); i += 2) {
		about("even %zu", i);
		CALL(lib.map_delete(&maps[i]));
	}
	about("the others");
	print_value("first bytes", "%.8s", address);
	print_value("size", "%zu", lib.map_get_size(maps[1]));
	/* unmapped by the program */
	NEED(munmap(lib.map_get_address(maps[1]), 4 * MIB) == 0);
	CALL(lib.map_delete(&maps[1]));
	for (i = 3; i < COUNT(maps); i += 2) {
		about("odd %zu", i);
		CALL(lib.map_delete(&maps[i]));
	}
}

/* A file that is truncated, replaced or closed after the source was made. */
static void map_changed(void)
{
	int fd = new_file(2 * PAGE);
	struct pmem2_source *src = new_source(fd);
	struct pmem2_config *cfg = new_config();

	about("grown");
	NEED(ftruncate(fd, 4 * PAGE) == 0);
	try_map(cfg, src);
	about("emptied");
	NEED(ftruncate(fd, 0) == 0);
	try_map(cfg, src);
	about("closed");
	close(fd);
	try_map(cfg, src);
}

static void map_existing(void)
{
	static const struct {
		uintptr_t address;
		size_t length;
		int granularity;
	} wanted[] = {
		{0xFFFF, 0xFF, 0},      /* as given, aligned or not, mapped or not */
		{0xFFFF, 0xFF, 1},      /* the same */
		{0x10000, 1, 2},        /* within */
		{0xF000, 0x10000, 2},   /* around */
		{0xFFFE, 1, 2},         /* adjacent, below */
		{0xFFFE + 0x100, 1, 2}, /* adjacent, above */
		{0x100FD, 2, 2},        /* the last byte */
		{0x200000, 0x1000, 2},  {0x7f0000000000, 1ul << 30, 1},
	};
	struct pmem2_source *src = place == NOWHERE ? new_anon(PAGE) : new_source(new_file(PAGE));
	struct pmem2_map *maps[COUNT(wanted)];
	struct pmem2_map *const stale = (struct pmem2_map *)16;
	size_t i;

	for (i = 0; i < COUNT(wanted); i++) {
		about("%#zx +%#zx", wanted[i].address, wanted[i].length);
		maps[i] = stale;
		if (CALL(lib.map_from_existing(&maps[i], src, (void *)wanted[i].address,
					       wanted[i].length,
					       (enum pmem2_granularity)wanted[i].granularity))) {
			print_value("map", "%s",
				    maps[i] == stale ? "stale"
				    : maps[i]        ? "set"
						     : "NULL");
			maps[i] = NULL;
			continue;
		}
		print_value("map", "%p +%#zx, granularity %d", lib.map_get_address(maps[i]),
			    lib.map_get_size(maps[i]), (int)lib.map_get_store_granularity(maps[i]));
	}
	for (i = 0; i < COUNT(wanted); i++)
		if (maps[i]) {
			about("%#zx +%#zx", wanted[i].address, wanted[i].length);
			CALL(lib.map_delete(&maps[i]));
			print_value("deleted", "%d", !maps[i]);
		}
}

/* Memory that the program has mapped stays when its object is deleted. */
static void map_existing_memory(void)
{
	size_t length = place == DEVDAX ? 2 * MIB : PAGE;
	int fd = new_file(4 * PAGE);
	struct pmem2_source *src = new_source(fd);
	void *address = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *again;
	struct pmem2_map *map;

	NEED(address != MAP_FAILED);
	CALL(lib.map_from_existing(&map, src, address, length, PMEM2_GRANULARITY_PAGE));
	CALL(lib.map_from_existing(&again, src, address, 1, PMEM2_GRANULARITY_PAGE));
	strcpy(address, "mine");
	CALL(lib.map_delete(&map));
	print_areas("areas", address, length);
	print_value("contents", "%s", (char *)address);
	if (place == DEVDAX)
		NEED(lib.config_set_length(cfg, length) == 0);
	map = new_map(cfg, src);
	about("of a mapping");
	CALL(lib.map_from_existing(&again, src, lib.map_get_address(map), PAGE,
				   PMEM2_GRANULARITY_PAGE));
	CALL(lib.map_delete(&map));
}

const struct test_case map_cases[] = {
	{.name = "map_ranges", .run = map_ranges, .places = ANY_SOURCE},
	{.name = "map_ranges_of_anon", .run = map_ranges_of_anon, .places = AT(NOWHERE)},
	{.name = "map_settings", .run = map_settings, .places = ANY_SOURCE, .unprivileged = true},
	{.name = "map_many", .run = map_many, .places = ANY_SOURCE},
	{.name = "map_changed", .run = map_changed, .places = ANY_FILE},
	{.name = "map_existing", .run = map_existing, .places = AT(NOWHERE) | ANY_FILE},
	{.name = "map_existing_memory", .run = map_existing_memory, .places = ANY_SOURCE},
	{0},
};
