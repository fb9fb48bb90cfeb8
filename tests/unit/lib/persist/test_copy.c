/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_copy.c - the bytes that the memmove and memset functions store
 *
 * usage: test_copy portable|sse2|avx|avx512
 *
 * Runs once per kernel, which the environment chooses; skipped where the processor does not have
 * it.
 */
#include "helper.h"
#include "persist/copy_kernel.h"
#include "persist/cpu.h"
#include <pthread.h>
#include <stdatomic.h>

#define SIZE_MAX_TRIED 1100u /* larger sizes only repeat the same blocks */
#define AREA           (16 * PAGE)
#define MARGIN         128u
#define GRANULARITIES  3

static const unsigned flag_sets[] = {
	0,
	PMEM2_F_MEM_NODRAIN,
	PMEM2_F_MEM_NOFLUSH,
	PMEM2_F_MEM_NONTEMPORAL,
	PMEM2_F_MEM_TEMPORAL,
	PMEM2_F_MEM_WC | PMEM2_F_MEM_NODRAIN,
	PMEM2_F_MEM_WB | PMEM2_F_MEM_NODRAIN,
};

#define FLAG_SETS (sizeof(flag_sets) / sizeof(flag_sets[0]))

static pmem2_memmove_fn moves[GRANULARITIES];
static pmem2_memset_fn fills[GRANULARITIES];
static unsigned char *area;   /* AREA bytes between inaccessible pages */
static unsigned char *source; /* the same */
static unsigned char expected[AREA];

static unsigned char *guarded_area(void)
{
	unsigned char *address = mmap(NULL, AREA + 2 * PAGE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(address, MAP_FAILED);
	assert_ok(mprotect(address, PAGE, PROT_NONE));
	assert_ok(mprotect(address + PAGE + AREA, PAGE, PROT_NONE));
	return address + PAGE;
}

static void randomize(unsigned char *bytes, size_t size)
{
	static uint64_t state = 88172645463325252u;

	for (size_t i = 0; i < size; i++) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		bytes[i] = (unsigned char)(state >> 32);
	}
}

static int setup(void **state)
{
	(void)state;
	area = guarded_area();
	source = guarded_area();
	randomize(source, AREA);
	for (int g = 0; g < GRANULARITIES; g++) {
		static char bytes[GRANULARITIES];
		struct pmem2_source *anon = anon_source(PAGE);
		struct pmem2_map *map;

		assert_ok(pmem2_map_from_existing(&map, anon, &bytes[g], 1,
						  (enum pmem2_granularity)g));
		moves[g] = pmem2_get_memmove_fn(map);
		fills[g] = pmem2_get_memset_fn(map);
		assert_ptr_equal(moves[g], pmem2_get_memmove_fn(map));
		assert_ptr_equal(moves[g], pmem2_get_memcpy_fn(map));
		assert_ok(pmem2_map_delete(&map));
		/* Addresses without a mapping get page granularity, the safest one. */
		if (g == PMEM2_GRANULARITY_PAGE) {
			assert_ptr_equal(pmem2_get_memmove_fn(map), moves[g]);
			assert_ptr_equal(pmem2_get_memset_fn(NULL), fills[g]);
		}
		assert_ok(pmem2_source_delete(&anon));
	}
	return 0;
}

/* Compares `size` bytes at `at` and the bytes around them with `expected`. */
static void check(size_t at, size_t size)
{
	size_t from = at > MARGIN ? at - MARGIN : 0;
	size_t end = at + size + MARGIN < AREA ? at + size + MARGIN : AREA;

	if (memcmp(area + from, expected + from, end - from)) {
		for (size_t i = from; i < end; i++) {
			if (area[i] != expected[i])
				fail_msg("%zu bytes at %zu: byte %zd is wrong", size, at,
					 (ssize_t)(i - at));
		}
	}
}

/* Computes the expected bytes one by one, as if all were loaded before any is stored. */
static void expect_move(size_t to, const unsigned char *from, size_t size)
{
	static unsigned char copy[AREA];

	for (size_t i = 0; i < size; i++)
		copy[i] = from[i];
	for (size_t i = 0; i < size; i++)
		expected[to + i] = copy[i];
}

static void try_move(size_t to, const unsigned char *from, size_t size, int g, unsigned flags)
{
	expect_move(to, from, size);
	assert_ptr_equal(moves[g](area + to, from, size, flags), area + to);
	check(to, size);
}

static void try_fill(size_t to, int byte, size_t size, int g, unsigned flags)
{
	for (size_t i = 0; i < size; i++)
		expected[to + i] = (unsigned char)byte;
	assert_ptr_equal(fills[g](area + to, byte, size, flags), area + to);
	check(to, size);
}

static void begin(void)
{
	randomize(area, AREA);
	memcpy(expected, area, AREA);
}

/* Every size at every offset in a cache line; source offset, flags and granularity vary. */
static void test_every_size(void **state)
{
	unsigned turn = 0;

	(void)state;
	begin();
	for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
		for (size_t to = 0; to < 64; to++) {
			unsigned flags = flag_sets[turn % FLAG_SETS];
			int g = (int)(turn / FLAG_SETS % GRANULARITIES);
			size_t from = turn * 29u % 97;

			try_move(MARGIN + to, source + from, size, g, flags);
			try_fill(MARGIN + to, (int)(turn * 7), size, g, flags);
			turn++;
		}
	}
}

/* Every size, all flags and granularities, with inaccessible pages on both sides. */
static void test_next_to_guards(void **state)
{
	(void)state;
	begin();
	for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
		for (unsigned i = 0; i < FLAG_SETS * GRANULARITIES; i++) {
			unsigned flags = flag_sets[i % FLAG_SETS];
			int g = (int)(i / FLAG_SETS);
			bool low = (size + i) % 2;

			try_move(low ? 0 : AREA - size, low ? source + AREA - size : source, size,
				 g, flags);
			try_move(low ? 0 : AREA - size, low ? source : source + AREA - size, size,
				 g, flags);
			try_fill(low ? 0 : AREA - size, (int)(size + i), size, g, flags);
		}
	}
}

static void test_overlaps(void **state)
{
	static const size_t distances[] = {0,   1,   3,   7,   8,   15,  16,  17,  31,
					   32,  48,  63,  64,  65,  100, 127, 128, 129,
					   200, 255, 256, 257, 300, 511, 512, 700, 1000};
	unsigned turn = 0;

	(void)state;
	begin();
	for (size_t size = 0; size <= SIZE_MAX_TRIED; size++) {
		for (size_t i = 0; i < sizeof(distances) / sizeof(distances[0]); i++) {
			unsigned flags = flag_sets[turn % FLAG_SETS];
			int g = (int)(turn / FLAG_SETS % GRANULARITIES);
			size_t at = MARGIN + turn % 64;

			turn++;
			try_move(at, area + at + distances[i], size, g, flags);
			try_move(at + distances[i], area + at, size, g, flags);
			if (size % 64 == 0)
				begin();
		}
	}
}

static void test_large(void **state)
{
	static const size_t sizes[] = {4096, 8191, 16384 + 72, 40000, 65000};

	(void)state;
	begin();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned j = 0; j < FLAG_SETS * GRANULARITIES; j++) {
			unsigned flags = flag_sets[j % FLAG_SETS];
			int g = (int)(j / FLAG_SETS);
			size_t space = AREA - sizes[i];

			try_move(j % (space < 64 ? space : 64), source + j * 5, sizes[i], g, flags);
			try_fill(j * 3, (int)j, sizes[i], g, flags);
			begin();
			try_move(0, area + space, sizes[i], g, flags);
			try_move(space, area, sizes[i], g, flags);
			begin();
			try_move(8, area, sizes[i], g, flags);
			try_move(0, area + 72, sizes[i], g, flags);
			begin();
		}
	}
}

/* From this size on, stores bypass the caches even if these are persistent. */
static void test_beyond_caches(void **state)
{
	size_t size = (32ul << 20) + 72;
	unsigned char *to =
		mmap(NULL, size + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned char *from =
		mmap(NULL, size + 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_ptr_not_equal(to, MAP_FAILED);
	assert_ptr_not_equal(from, MAP_FAILED);
	for (size_t i = 0; i < size; i += AREA)
		memcpy(from + i, source, size - i < AREA ? size - i : AREA);
	for (int g = 0; g < GRANULARITIES; g++) {
		to[size + 8] = 77;
		moves[g](to + 8, from, size, 0);
		assert_int_equal(memcmp(to + 8, from, size), 0);
		assert_int_equal(to[size + 8], 77);
		fills[g](to + 3, 5, size, 0);
		for (size_t i = 0; i < size; i++) {
			if (to[3 + i] != 5)
				fail_msg("byte %zu is wrong", i);
		}
	}
	munmap(to, size + 64);
	munmap(from, size + 64);
}

#define WORDS 512u

static uint64_t shared_words[WORDS] __attribute__((aligned(64)));
static atomic_bool writer_done;
static atomic_ulong torn_words;

/* Checks that all bytes of a word are the same at all times. */
static void *read_words(void *unused)
{
	(void)unused;
	while (!atomic_load(&writer_done)) {
		for (unsigned i = 0; i < WORDS; i++) {
			uint64_t word = __atomic_load_n(&shared_words[i], __ATOMIC_RELAXED);

			if (word != (word & 0xff) * 0x0101010101010101u)
				atomic_fetch_add(&torn_words, 1);
		}
	}
	return NULL;
}

static void test_no_torn_words(void **state)
{
	static uint64_t from[2][WORDS];
	static uint64_t striped[WORDS];
	pthread_t reader;

	(void)state;
	if (ON_TSAN)
		skip();
	memset(from[0], 0x0f, sizeof(from[0]));
	memset(from[1], 0xf0, sizeof(from[1]));
	for (unsigned i = 0; i < WORDS; i++)
		striped[i] = from[i % 2][0];
	assert_ok(pthread_create(&reader, NULL, read_words, NULL));
	for (unsigned i = 0; i < 40000; i++) {
		unsigned flags = flag_sets[i % FLAG_SETS];
		unsigned first = i % 11;
		size_t size = (1 + i * 37u % (WORDS - 12)) * sizeof(uint64_t);

		/* From and to which word does not matter, they are all equal. */
		moves[i % 2](&shared_words[first], (char *)from[i / 4 % 2] + i % 8, size - 8,
			     flags);
		moves[i % 2](&shared_words[first], striped, size, flags);
		moves[i % 2](&shared_words[first + 1], &shared_words[first], size - 8, flags);
		fills[i % 2](&shared_words[first], i % 3 ? 0x0f : 0xf0, size, flags);
	}
	atomic_store(&writer_done, true);
	assert_ok(pthread_join(reader, NULL));
	assert_int_equal(atomic_load(&torn_words), 0);
}

int main(int argc, char **argv)
{
	static const char *const kernels[] = {
		[CPU_VECTORS_NONE] = "portable",
		[CPU_VECTORS_SSE2] = "sse2",
		[CPU_VECTORS_AVX] = "avx",
		[CPU_VECTORS_AVX512] = "avx512",
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_size),    cmocka_unit_test(test_next_to_guards),
		cmocka_unit_test(test_overlaps),      cmocka_unit_test(test_large),
		cmocka_unit_test(test_beyond_caches), cmocka_unit_test(test_no_torn_words),
	};

	if (argc != 2 || strcmp(argv[1], kernels[cpu_choice()->vectors]) != 0) {
		puts("skipped: not the kernel that this processor and environment give");
		return 77;
	}
	return cmocka_run_group_tests(tests, setup, NULL);
}
