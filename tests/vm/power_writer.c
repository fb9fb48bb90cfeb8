/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power_writer.c - writes to a file before a power failure, and reports what survived it
 *
 * power_writer make FILE: makes FILE with blocks that are allocated and not yet written.
 *
 * power_writer sync PART FILE: maps a part of FILE through libpmem2fs, with MAP_SYNC or not at all.
 * power_writer plain PART FILE: maps it with MAP_SHARED alone, and makes the library believe that
 * it has MAP_SYNC. Both store to each block of the part, make that persistent with the library's
 * functions (the copy kernel is that of the environment), and stay until they are killed.
 *
 * power_writer count FILE: prints how many blocks of each part have their contents.
 *
 * The caches of an emulated processor are not lost, so this is not about flushing: it is about the
 * file system's own record of which blocks hold data, which only MAP_SYNC makes durable in time.
 */
#include <err.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PARTS      3u
#define BLOCKS     64u
#define BLOCK_SIZE 4096u
#define PART_SIZE  ((size_t)BLOCKS * BLOCK_SIZE)

/* Small and large sizes, of whole words and cache lines or not. */
static const struct {
	size_t at, size;
} ranges[] = {{0, 8}, {0, BLOCK_SIZE}, {64, 64}, {1, 7}, {100, 333}, {8, 2000}};

#define RANGES (sizeof(ranges) / sizeof(ranges[0]))

/* No byte of a block that was never written has this value. */
static unsigned char content(unsigned part, unsigned block)
{
	return (unsigned char)(1 + (part * BLOCKS + block) % 255);
}

static struct pmem2_map *map_sync(int fd, unsigned part)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;

	if (pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_CACHE_LINE) ||
	    pmem2_config_set_offset(config, part * PART_SIZE) ||
	    pmem2_config_set_length(config, PART_SIZE) || pmem2_source_from_fd(&source, fd) ||
	    pmem2_map_new(&map, config, source))
		errx(1, "%s", pmem2_errormsg());
	return map;
}

static struct pmem2_map *map_plain(int fd, unsigned part)
{
	off_t offset = (off_t)(part * PART_SIZE);
	void *address = mmap(NULL, PART_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, offset);
	struct pmem2_source *source;
	struct pmem2_map *map;

	if (address == MAP_FAILED)
		err(1, "mmap");
	if (pmem2_source_from_fd(&source, fd) ||
	    pmem2_map_from_existing(&map, source, address, PART_SIZE, PMEM2_GRANULARITY_CACHE_LINE))
		errx(1, "%s", pmem2_errormsg());
	return map;
}

static void make_file(int fd)
{
	int dir;

	if (fallocate(fd, 0, 0, PARTS * PART_SIZE) || fsync(fd))
		err(1, "allocating");
	dir = open(".", O_RDONLY | O_DIRECTORY);
	if (dir < 0 || fsync(dir))
		err(1, "the folder");
}

static void write_blocks(struct pmem2_map *map, unsigned part)
{
	char *address = pmem2_map_get_address(map);
	pmem2_memcpy_fn copy = pmem2_get_memcpy_fn(map);
	pmem2_memset_fn fill = pmem2_get_memset_fn(map);
	static char source[BLOCK_SIZE];

	for (unsigned block = 0; block < BLOCKS; block++) {
		char *to = address + block * BLOCK_SIZE + ranges[block % RANGES].at;
		size_t size = ranges[block % RANGES].size;

		memset(source, content(part, block), sizeof(source));
		switch (block / RANGES % 4) {
		case 0:
			copy(to, source, size, 0);
			break;
		case 1:
			fill(to, source[0], size, 0);
			break;
		case 2:
			copy(to, source, size, PMEM2_F_MEM_NODRAIN);
			pmem2_get_drain_fn(map)();
			break;
		default:
			fill(to, source[0], size, PMEM2_F_MEM_NOFLUSH);
			pmem2_get_persist_fn(map)(to, size);
			break;
		}
	}
}

static void count_blocks(int fd)
{
	unsigned char *address = mmap(NULL, PARTS * PART_SIZE, PROT_READ, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		err(1, "mmap");
	for (unsigned part = 0; part < PARTS; part++) {
		unsigned count = 0;

		for (unsigned block = 0; block < BLOCKS; block++) {
			const unsigned char *bytes = address + part * PART_SIZE +
						     block * BLOCK_SIZE + ranges[block % RANGES].at;
			size_t i = 0;

			while (i < ranges[block % RANGES].size && bytes[i] == content(part, block))
				i++;
			count += i == ranges[block % RANGES].size;
		}
		printf("%u%s", count, part + 1 < PARTS ? " " : "\n");
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	const char *path = argv[argc - 1];
	unsigned part = argc > 3 ? (unsigned)atoi(argv[2]) : 0;
	int fd;

	if (argc < 3)
		errx(2, "usage: power_writer make|count FILE, power_writer sync|plain PART FILE");
	fd = open(path, strcmp(what, "make") ? O_RDWR : O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0)
		err(1, "%s", path);
	if (!strcmp(what, "make")) {
		make_file(fd);
	} else if (!strcmp(what, "count")) {
		count_blocks(fd);
	} else {
		write_blocks(strcmp(what, "sync") ? map_plain(fd, part) : map_sync(fd, part), part);
		puts("written");
		fflush(stdout);
		pause();
		return 1;
	}
	return 0;
}
