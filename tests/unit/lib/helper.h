/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helper.h - what the unit tests of the library share
 */
#ifndef PMEM2FS_TEST_HELPER_H
#define PMEM2FS_TEST_HELPER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../sanitizers.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)

#define assert_ok(call) assert_int_equal((call), 0)

/* An unlinked file of that size on a real file system. */
static inline int make_file(size_t size)
{
	char path[] = "/var/tmp/pmem2fs-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_ok(unlink(path));
	assert_ok(ftruncate(fd, (off_t)size));
	return fd;
}

static inline struct pmem2_source *fd_source(int fd)
{
	struct pmem2_source *source;

	assert_ok(pmem2_source_from_fd(&source, fd));
	return source;
}

static inline struct pmem2_source *anon_source(size_t size)
{
	struct pmem2_source *source;

	assert_ok(pmem2_source_from_anon(&source, size));
	return source;
}

/* A configuration that page granularity is enough for. */
static inline struct pmem2_config *page_config(void)
{
	struct pmem2_config *config;

	assert_ok(pmem2_config_new(&config));
	assert_ok(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE));
	return config;
}

/* Maps, and deletes source and configuration: a mapping needs neither. */
static inline struct pmem2_map *map_source(struct pmem2_source *source,
					   enum pmem2_sharing_type sharing)
{
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;

	assert_ok(pmem2_config_set_sharing(config, sharing));
	assert_ok(pmem2_map_new(&map, config, source));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return map;
}

static inline struct pmem2_map *map_fd(int fd)
{
	return map_source(fd_source(fd), PMEM2_SHARED);
}

static inline struct pmem2_map *map_anon(size_t size, enum pmem2_sharing_type sharing)
{
	return map_source(anon_source(size), sharing);
}

/* The number after `key` in a file of /proc, in its own unit. */
static inline size_t proc_number(const char *path, const char *key)
{
	FILE *file = fopen(path, "re");
	char line[512];
	size_t value = SIZE_MAX;

	assert_non_null(file);
	while (value == SIZE_MAX && fgets(line, sizeof(line), file)) {
		if (strncmp(line, key, strlen(key)) == 0)
			value = strtoul(line + strlen(key), NULL, 10);
	}
	fclose(file);
	assert_true(value != SIZE_MAX);
	return value;
}

static inline size_t status_kib(const char *key)
{
	return proc_number("/proc/self/status", key);
}

/* The area that holds an address, as the kernel lists it. */
static inline bool find_area(const void *address, uintptr_t *start, uintptr_t *end)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	assert_non_null(file);
	while (!found && fgets(line, sizeof(line), file)) {
		char *rest;

		*start = strtoul(line, &rest, 16);
		*end = strtoul(rest + 1, NULL, 16);
		found = *start <= (uintptr_t)address && (uintptr_t)address < *end;
	}
	fclose(file);
	return found;
}

static inline bool is_mapped(const void *address)
{
	uintptr_t start;
	uintptr_t end;

	return find_area(address, &start, &end);
}

/* Valgrind's address space is not the kernel's: it follows no hints and has fewer areas. */
static inline bool on_valgrind(void)
{
	const char *preloaded = getenv("LD_PRELOAD");

	return preloaded && strstr(preloaded, "valgrind");
}

#endif
