/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reservation_helper.h - what the tests of vm reservations share
 *
 * Tests of the address space itself are skipped on valgrind: it adds areas of its own, has other
 * errors for lengths beyond any limit, and does not list reserved memory.
 */
#ifndef PMEM2FS_TEST_RESERVATION_HELPER_H
#define PMEM2FS_TEST_RESERVATION_HELPER_H

#include "helper.h"

typedef struct pmem2_vm_reservation reservation;

static inline reservation *reserve(size_t size)
{
	reservation *rsv;

	assert_ok(pmem2_vm_reservation_new(&rsv, NULL, size));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), size);
	return rsv;
}

static inline char *start_of(reservation *rsv)
{
	return pmem2_vm_reservation_get_address(rsv);
}

static inline void unreserve(reservation *rsv)
{
	assert_ok(pmem2_vm_reservation_delete(&rsv));
	assert_null(rsv);
}

/* Maps a source into a reservation; it is freed. On failure *map is checked to be NULL. */
static inline int map_into(struct pmem2_map **map, reservation *rsv, size_t offset,
			   struct pmem2_source *source, enum pmem2_sharing_type sharing)
{
	struct pmem2_config *config = page_config();
	int ret;

	*map = (struct pmem2_map *)1;
	assert_ok(pmem2_config_set_sharing(config, sharing));
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, offset));
	ret = pmem2_map_new(map, config, source);
	if (ret)
		assert_null(*map);
	else
		assert_ptr_equal(pmem2_map_get_address(*map), start_of(rsv) + offset);
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return ret;
}

static inline struct pmem2_map *anon_into(reservation *rsv, size_t offset, size_t size)
{
	struct pmem2_map *map;

	assert_ok(map_into(&map, rsv, offset, anon_source(size), PMEM2_PRIVATE));
	return map;
}

/* How many areas this process has. */
static inline size_t count_areas(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	size_t count = 0;
	int c;

	assert_non_null(file);
	while ((c = getc(file)) != EOF)
		count += c == '\n';
	fclose(file);
	return count;
}

/*
 * How many bytes of [start, end) the kernel lists: with the permissions that begin with `like`
 * ("---": reserved; "": any).
 */
static inline size_t bytes_listed(const char *start, const char *end, const char *like)
{
	FILE *file = fopen("/proc/self/maps", "re");
	uintptr_t from = (uintptr_t)start;
	char line[512];
	size_t bytes = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *rest;
		uintptr_t begin = strtoul(line, &rest, 16);
		uintptr_t behind = strtoul(rest + 1, &rest, 16);

		if (begin < from)
			begin = from;
		if (behind > (uintptr_t)end)
			behind = (uintptr_t)end;
		if (begin < behind && strncmp(rest + 1, like, strlen(like)) == 0)
			bytes += behind - begin;
	}
	fclose(file);
	return bytes;
}

/* There is no hole in it, and all but `mapped` bytes are inaccessible. */
static inline void assert_whole(reservation *rsv, size_t mapped)
{
	char *start = start_of(rsv);
	size_t size = pmem2_vm_reservation_get_size(rsv);

	assert_int_equal(bytes_listed(start, start + size, ""), size);
	assert_int_equal(bytes_listed(start, start + size, "---"), size - mapped);
}

/* Makes the library's permanent allocations of the first mapping before the test begins. */
static inline int make_first_mapping(void **state)
{
	struct pmem2_map *map = map_anon(PAGE, PMEM2_PRIVATE);

	(void)state;
	return pmem2_unmap(&map);
}

/* A range of free address space between areas that cannot be mistaken for reserved memory. */
struct clearing {
	char *start;
	size_t size;
};

#define FENCE MIB

static inline struct clearing make_clearing(size_t size)
{
	char *p = mmap(NULL, size + 2 * FENCE + 2 * MIB, PROT_READ,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct clearing clearing = {.size = size};

	assert_ptr_not_equal(p, MAP_FAILED);
	clearing.start = (char *)(((uintptr_t)p + FENCE + 2 * MIB - 1) & ~(2 * MIB - 1));
	assert_ok(munmap(p, (size_t)(clearing.start - FENCE - p)));
	assert_ok(munmap(clearing.start, size));
	p += size + 2 * FENCE + 2 * MIB;
	if (p > clearing.start + size + FENCE)
		assert_ok(munmap(clearing.start + size + FENCE,
				 (size_t)(p - clearing.start - size - FENCE)));
	return clearing;
}

/* Checks that nothing is mapped in it and that its fences are there, and unmaps these. */
static inline void free_clearing(struct clearing clearing)
{
	char *end = clearing.start + clearing.size;

	assert_int_equal(bytes_listed(clearing.start, end, ""), 0);
	assert_int_equal(bytes_listed(clearing.start - FENCE, clearing.start, "r--"), FENCE);
	assert_int_equal(bytes_listed(end, end + FENCE, "r--"), FENCE);
	assert_ok(munmap(clearing.start - FENCE, clearing.size + 2 * FENCE));
}

/* The flags of the area at an address, from smaps. */
static inline void read_flags(const char *address, char *flags, size_t size)
{
	FILE *file = fopen("/proc/self/smaps", "re");
	char line[512];
	bool here = false;

	flags[0] = '\0';
	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		char *rest;
		uintptr_t begin = strtoul(line, &rest, 16);

		if (*rest == '-')
			here = begin <= (uintptr_t)address &&
			       (uintptr_t)address < strtoul(rest + 1, NULL, 16);
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			snprintf(flags, size, "%s", line);
	}
	fclose(file);
}

#endif
