/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * power_writer.c - writes to a file whose machine is about to lose power, and says what survived
 *
 * power_writer sync FILE    maps FILE through libpmem2fs, with MAP_SYNC or not at all
 * power_writer plain FILE   maps FILE with MAP_SHARED alone
 *     Makes FILE with blocks that are allocated and not yet written, stores one word in each and
 *     flushes it as one does on persistent memory, with no system call. Stays until it is killed.
 * power_writer count FILE   prints how many of the words are there
 *
 * The caches of an emulated processor are not lost, so this is not about flushing: it is about the
 * file system's own record of which blocks hold data, which only MAP_SYNC makes durable in time.
 */
#include <emmintrin.h>
#include <err.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define BLOCKS     64
#define BLOCK_SIZE 4096
#define SIZE       ((size_t)BLOCKS * BLOCK_SIZE)
#define MAGIC      0x706d656d32667321u

static void *map_sync(int fd)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;

	if (pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_CACHE_LINE) ||
	    pmem2_source_from_fd(&source, fd) || pmem2_map_new(&map, config, source))
		errx(1, "%s", pmem2_errormsg());
	return pmem2_map_get_address(map);
}

static void *map_plain(int fd)
{
	void *address = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	if (address == MAP_FAILED)
		err(1, "mmap");
	return address;
}

static uint64_t *word(char *address, unsigned block)
{
	return (uint64_t *)(address + (size_t)block * BLOCK_SIZE);
}

static void write_words(int fd, void *(*map)(int fd))
{
	char *address;
	int dir;

	if (fallocate(fd, 0, 0, SIZE) || fsync(fd))
		err(1, "allocating");
	dir = open(".", O_RDONLY | O_DIRECTORY);
	if (dir < 0 || fsync(dir))
		err(1, "the folder");
	address = map(fd);
	for (unsigned i = 0; i < BLOCKS; i++) {
		*(volatile uint64_t *)word(address, i) = MAGIC + i;
		_mm_clflush(word(address, i));
	}
	_mm_sfence();
}

static unsigned count_words(int fd)
{
	char *address = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
	unsigned count = 0;

	if (address == MAP_FAILED)
		err(1, "mmap");
	for (unsigned i = 0; i < BLOCKS; i++)
		count += *word(address, i) == MAGIC + i;
	return count;
}

int main(int argc, char **argv)
{
	int fd;

	if (argc != 3)
		errx(2, "usage: power_writer sync|plain|count FILE");
	fd = open(argv[2], strcmp(argv[1], "count") ? O_RDWR | O_CREAT | O_EXCL : O_RDONLY, 0600);
	if (fd < 0)
		err(1, "%s", argv[2]);
	if (!strcmp(argv[1], "count")) {
		printf("%u\n", count_words(fd));
		return 0;
	}
	write_words(fd, strcmp(argv[1], "sync") ? map_plain : map_sync);
	puts("written");
	fflush(stdout);
	pause();
	return 1;
}
