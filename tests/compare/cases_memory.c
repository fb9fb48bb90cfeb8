/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_memory.c - flushing and copying
 */
#include "compare.h"

#define ROOM (1 * MIB)

static const char *const granularities[] = {"BYTE", "CACHE_LINE", "PAGE"};

/* Makes a mapping of that granularity of a new file, or of the beginning of the devdax node. */
static struct pmem2_map *new_map_of(enum pmem2_granularity granularity, size_t size, int *fd)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_source *src;
	struct pmem2_map *map;

	*fd = new_file(size);
	src = new_source(*fd);
	if (place == DEVDAX)
		NEED(lib.config_set_length(cfg, 2 * MIB) == 0);
	setenv("PMEM2_FORCE_GRANULARITY", granularities[granularity], 1);
	map = new_map(cfg, src);
	unsetenv("PMEM2_FORCE_GRANULARITY");
	NEED(lib.map_get_store_granularity(map) == granularity);
	return map;
}

/* Which of the functions are equal. */
static void which_functions(void)
{
	struct pmem2_map *maps[2 * COUNT(granularities)];
	size_t i;
	size_t j;
	int fd;

	for (i = 0; i < COUNT(maps); i++)
		maps[i] = new_map_of((enum pmem2_granularity)(i / 2), 2 * MIB, &fd);
	for (i = 0; i < COUNT(maps); i++) {
		about("map %zu", i);
		print_value("memcpy is memmove", "%d",
			    (void *)lib.get_memcpy_fn(maps[i]) ==
				    (void *)lib.get_memmove_fn(maps[i]));
		print_value("persist is flush", "%d",
			    lib.get_persist_fn(maps[i]) == lib.get_flush_fn(maps[i]));
		print_value("all are set", "%d",
			    lib.get_persist_fn(maps[i]) && lib.get_flush_fn(maps[i]) &&
				    lib.get_drain_fn(maps[i]) && lib.get_memcpy_fn(maps[i]) &&
				    lib.get_memset_fn(maps[i]) && lib.get_memmove_fn(maps[i]));
		for (j = 0; j < i; j++) {
			about("maps %zu and %zu", i, j);
			print_value("same persist", "%d",
				    lib.get_persist_fn(maps[i]) == lib.get_persist_fn(maps[j]));
			print_value("same flush", "%d",
				    lib.get_flush_fn(maps[i]) == lib.get_flush_fn(maps[j]));
			print_value("same drain", "%d",
				    lib.get_drain_fn(maps[i]) == lib.get_drain_fn(maps[j]));
			print_value("same memcpy", "%d",
				    lib.get_memcpy_fn(maps[i]) == lib.get_memcpy_fn(maps[j]));
			print_value("same memset", "%d",
				    lib.get_memset_fn(maps[i]) == lib.get_memset_fn(maps[j]));
		}
	}
}

static unsigned long long hash(const unsigned char *bytes, size_t length)
{
	unsigned long long h = 14695981039346656037ull;
	unsigned long long word;
	size_t i;

	for (i = 0; i + sizeof(word) <= length; i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		h = (h ^ word) * 1099511628211ull;
		h ^= h >> 32;
	}
	return h;
}

static void fill(unsigned char *bytes, size_t length)
{
	unsigned x = 12345;
	size_t i;

	for (i = 0; i < length; i++) {
		x = x * 1103515245 + 12345;
		bytes[i] = (unsigned char)(x >> 16);
	}
}

static const unsigned flag_sets[] = {
	0,
	PMEM2_F_MEM_NODRAIN,
	PMEM2_F_MEM_NONTEMPORAL,
	PMEM2_F_MEM_TEMPORAL,
	PMEM2_F_MEM_WC,
	PMEM2_F_MEM_WB,
	PMEM2_F_MEM_NOFLUSH,
	PMEM2_F_MEM_NOFLUSH | PMEM2_F_MEM_NONTEMPORAL,
	PMEM2_F_MEM_NODRAIN | PMEM2_F_MEM_NONTEMPORAL,
	PMEM2_F_MEM_NODRAIN | PMEM2_F_MEM_TEMPORAL,
	PMEM2_F_MEM_VALID_FLAGS,
};

/*
 * Copies and sets of many lengths, alignments, distances and flags on the same buffer, and the
 * contents after each round.
 */
static void copies(void)
{
	static const size_t lengths[] = {0,   1,    2,    3,    4,    5,    7,     8,     9,
					 15,  16,   17,   31,   32,   33,   63,    64,    65,
					 100, 127,  128,  129,  255,  256,  257,   511,   512,
					 513, 1000, 1024, 2047, 4096, 4097, 65537, 200000};
	static const long distances[] = {300000, -300000, 1,  -1,   8,     -8, 63,
					 64,     -64,     65, 4096, -4097, 0};
	static unsigned char source[300000];
	unsigned g;
	int fd;

	fill(source, sizeof(source));
	for (g = 0; g < COUNT(granularities); g++) {
		struct pmem2_map *map = new_map_of((enum pmem2_granularity)g, ROOM, &fd);
		pmem2_memmove_fn move = lib.get_memmove_fn(map);
		pmem2_memcpy_fn copy = lib.get_memcpy_fn(map);
		pmem2_memset_fn set = lib.get_memset_fn(map);
		unsigned char *base = lib.map_get_address(map);
		size_t d;
		size_t f;
		size_t l;

		fill(base, ROOM);
		for (f = 0; f < COUNT(flag_sets); f += place == DEVDAX ? 4 : 1)
			for (l = 0; l < COUNT(lengths); l++) {
				size_t length = lengths[l];
				bool returned = true;

				about("%s, flags %#x, %zu bytes", granularities[g], flag_sets[f],
				      length);
				for (d = 0; d < COUNT(distances); d++) {
					unsigned char *to = base + 400000 + d % 3 * 21;

					returned &= move(to, to + distances[d], length,
							 flag_sets[f]) == to;
				}
				for (d = 0; d < 64; d += 7) {
					unsigned char *to = base + 700000 + d;

					returned &= copy(to, source + d / 2, length,
							 flag_sets[f]) == to;
					to = base + 100000 - d;
					returned &= set(to, (int)(0x100 + d), length,
							flag_sets[f]) == to;
				}
				print_value("returned", "%d", returned);
				/* all of it where it matters, otherwise around the places */
				if (length > 4096 || l % 8 == 0)
					print_value("contents", "%llx", hash(base, ROOM));
				else
					print_value("contents", "%llx %llx %llx",
						    hash(base + 399000, 12000),
						    hash(base + 699000, 8000),
						    hash(base + 99000, 8000));
			}
		CALL(lib.map_delete(&map));
	}
}

/* Flushed data is visible to read, and nothing else changes; lengths and places of any kind. */
static void flushes(void)
{
	static const size_t lengths[] = {0, 1, 63, 64, 65, 4095, 4096, 4097, 100000};
	unsigned g;
	int fd;

	for (g = 0; g < COUNT(granularities); g++) {
		struct pmem2_map *map = new_map_of((enum pmem2_granularity)g, ROOM, &fd);
		char *base = lib.map_get_address(map);
		size_t l;

		about("%s", granularities[g]);
		for (l = 0; l < COUNT(lengths); l++) {
			memset(base + l * 1000, (int)('a' + l), 1000);
			errno = 4242;
			lib.get_persist_fn(map)(base + l * 1000 + l, lengths[l]);
			lib.get_flush_fn(map)(base + l * 1000 + l, lengths[l]);
			lib.get_drain_fn(map)();
			print_value("errno", "%d", errno);
		}
		print_value("contents", "%llx", hash((unsigned char *)base, ROOM));
		if (place != DEVDAX) {
			char bytes[9000];

			NEED(pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
			print_value("file", "%d", memcmp(bytes, base, sizeof(bytes)));
		}
		CALL(lib.map_delete(&map));
	}
}

/* Page flushes skip addresses without a mapping, and reach over several mappings. */
static void flush_beyond(void)
{
	struct pmem2_source *src;
	struct pmem2_config *cfg = new_config();
	struct pmem2_vm_reservation *rsv;
	struct pmem2_map *maps[2];
	struct pmem2_map *page;
	char *address;
	int fd;

	page = new_map_of(PMEM2_GRANULARITY_PAGE, 2 * MIB, &fd);
	src = new_source(new_file(2 * MIB));
	NEED(lib.vm_reservation_new(&rsv, NULL, 8 * MIB) == 0);
	NEED(lib.config_set_length(cfg, 2 * MIB) == 0);
	setenv("PMEM2_FORCE_GRANULARITY", "PAGE", 1);
	NEED(lib.config_set_vm_reservation(cfg, rsv, 0) == 0);
	maps[0] = new_map(cfg, src);
	NEED(lib.config_set_vm_reservation(cfg, rsv, 4 * MIB) == 0);
	maps[1] = new_map(cfg, src);
	address = lib.map_get_address(maps[0]);
	strcpy(address, "one");
	strcpy(address + 4 * MIB, "two");
	errno = 4242;
	lib.get_persist_fn(maps[0])(address, 8 * MIB);
	print_value("over a gap", "%d %s %s", errno, address, address + 4 * MIB);
	lib.get_persist_fn(maps[0])(address + 3 * MIB, 100);
	print_value("in a gap", "%d", errno);
	lib.get_persist_fn(page)((void *)16, 100);
	print_value("nothing", "%d", errno);
	lib.get_persist_fn(page)(address, 100);
	print_value("another mapping", "%d", errno);
	lib.get_persist_fn(page)((void *)-PAGE, PAGE - 1);
	print_value("end of the address space", "%d", errno);
}

/* Memory that the program has mapped; for page granularity see existing_page_flush. */
static void flush_existing(void)
{
	char *memory =
		mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *map;
	unsigned g;

	NEED(memory != MAP_FAILED);
	for (g = PMEM2_GRANULARITY_BYTE; g <= PMEM2_GRANULARITY_CACHE_LINE; g++) {
		about("%s", granularities[g]);
		NEED(lib.map_from_existing(&map, src, memory + 100, 2 * PAGE,
					   (enum pmem2_granularity)g) == 0);
		lib.get_memset_fn(map)(memory + 100, (int)('a' + g), 5000, 0);
		lib.get_persist_fn(map)(memory, 4 * PAGE);
		lib.get_memmove_fn(map)(memory + 200, memory + 100, 4000, PMEM2_F_MEM_NODRAIN);
		lib.get_drain_fn(map)();
		print_value("contents", "%llx", hash((unsigned char *)memory, 4 * PAGE));
		CALL(lib.map_delete(&map));
	}
}

static void deep_flush(void)
{
	static const struct {
		long offset;
		size_t length;
	} ranges[] = {
		{0, 0},        {0, 1},       {1, 1},       {100, 5000},  {0, 4096},
		{0, MIB},      {MIB, 0},     {MIB, 1},     {-1, 0},      {-1, 1},
		{-4096, 64},   {MIB - 1, 1}, {MIB - 1, 2}, {0, MIB + 1}, {0, SIZE_MAX},
		{1, SIZE_MAX}, {2 * MIB, 1}, {2 * MIB, 0},
	};
	unsigned g;
	size_t i;
	int fd;

	for (g = 0; g < COUNT(granularities); g++) {
		struct pmem2_map *map = new_map_of((enum pmem2_granularity)g, MIB, &fd);
		char *base = lib.map_get_address(map);

		for (i = 0; i < COUNT(ranges); i++) {
			about("%s, offset %ld, length %zu", granularities[g], ranges[i].offset,
			      ranges[i].length);
			CALL(lib.deep_flush(map, base + ranges[i].offset, ranges[i].length));
		}
		about("%s, closed", granularities[g]);
		close(fd);
		CALL(lib.deep_flush(map, base, 64));
		CALL(lib.map_delete(&map));
	}
}

static void deep_flush_anon(void)
{
	struct pmem2_map *map = new_map(new_config(), new_anon(MIB));
	char *base = lib.map_get_address(map);
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *existing;
	unsigned g;

	CALL(lib.deep_flush(map, base, 64));
	CALL(lib.deep_flush(map, base, 0));
	CALL(lib.deep_flush(map, base + MIB, 1));
	for (g = 0; g < COUNT(granularities); g++) {
		about("existing, %s", granularities[g]);
		NEED(lib.map_from_existing(&existing, src, (void *)0x10000, PAGE,
					   (enum pmem2_granularity)g) == 0);
		CALL(lib.deep_flush(existing, (void *)0x10000, 64));
		CALL(lib.deep_flush(existing, (void *)0x10000, PAGE + 1));
		CALL(lib.map_delete(&existing));
	}
}

/* The environment changes which instructions are used, and nothing else. */
#define VARIANT(suffix, setting)                                                                   \
	{                                                                                          \
		.name = "copies_" suffix, .run = copies, .places = AT(TMPFS),                      \
		.environment = setting                                                             \
	}

const struct test_case memory_cases[] = {
	{.name = "which_functions", .run = which_functions, .places = ANY_SOURCE},
	{.name = "copies", .run = copies, .places = ANY_SOURCE},
	VARIANT("no_clwb", "PMEM_NO_CLWB=1"),
	VARIANT("no_clflushopt", "PMEM_NO_CLFLUSHOPT=1"),
	VARIANT("no_movnt", "PMEM_NO_MOVNT=1"),
	VARIANT("movnt_always", "PMEM_MOVNT_THRESHOLD=0"),
	VARIANT("movnt_late", "PMEM_MOVNT_THRESHOLD=100000"),
	VARIANT("movnt_wrong", "PMEM_MOVNT_THRESHOLD=-5"),
	VARIANT("no_avx", "PMEM_AVX=0"),
	VARIANT("avx512f", "PMEM_AVX512F=1"),
	VARIANT("no_avx512f", "PMEM_AVX512F=0"),
	VARIANT("movdir64b", "PMEM_MOVDIR64B=1"),
	VARIANT("wc", "PMEM_WC_WORKAROUND=1"),
	VARIANT("generic", "PMEM_NO_GENERIC_MEMCPY=1"),
	{.name = "flushes", .run = flushes, .places = ANY_SOURCE},
	{.name = "flush_beyond", .run = flush_beyond, .places = ANY_FILE},
	{.name = "flush_existing", .run = flush_existing, .places = AT(NOWHERE)},
	{.name = "deep_flush", .run = deep_flush, .places = ANY_SOURCE},
	{.name = "deep_flush_anon", .run = deep_flush_anon, .places = AT(NOWHERE)},
	{0},
};
