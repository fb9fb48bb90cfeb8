/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deep_flush.c - stores to real DAX with every function of the library, and deep flush
 *
 * usage: deep_flush byte|cache_line PATH RESULT
 *
 * Maps PATH, which must have that granularity, and expects RESULT of a deep flush.
 */
#include <err.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct pmem2_map *map_path(const char *path)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(1, "%s", path);
	if (pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	    pmem2_source_from_fd(&source, fd) || pmem2_map_new(&map, config, source))
		errx(1, "%s", pmem2_errormsg());
	return map;
}

static void store(struct pmem2_map *map, char *address)
{
	static const char text[1000] = "stored";

	pmem2_get_memcpy_fn(map)(address + 3, text, sizeof(text), 0);
	pmem2_get_memmove_fn(map)(address + 5000, address + 3, 100, PMEM2_F_MEM_NODRAIN);
	pmem2_get_memset_fn(map)(address + 6000, 7, 2000, PMEM2_F_MEM_NOFLUSH);
	pmem2_get_flush_fn(map)(address + 6000, 2000);
	pmem2_get_drain_fn(map)();
	pmem2_get_persist_fn(map)(address, 8192);
	if (memcmp(address + 3, text, sizeof(text)) || strcmp(address + 5000, text) ||
	    address[7999] != 7)
		errx(1, "what was stored is not there");
}

int main(int argc, char **argv)
{
	struct pmem2_map *map;
	char *address;
	size_t size;
	int result;

	if (argc != 4)
		errx(2, "usage: deep_flush byte|cache_line PATH RESULT");
	map = map_path(argv[2]);
	address = pmem2_map_get_address(map);
	size = pmem2_map_get_size(map);
	if (pmem2_map_get_store_granularity(map) !=
	    (strcmp(argv[1], "byte") ? PMEM2_GRANULARITY_CACHE_LINE : PMEM2_GRANULARITY_BYTE))
		errx(1, "%s: the granularity is not %s", argv[2], argv[1]);
	store(map, address);
	for (size_t offset = 0; offset < size; offset += size / 2) {
		result = pmem2_deep_flush(map, address + offset, 5000);
		if (result != atoi(argv[3]))
			errx(1, "%s: deep flush gave %d: %s", argv[2], result, pmem2_errormsg());
	}
	if (pmem2_deep_flush(map, address + size, 1) != PMEM2_E_DEEP_FLUSH_RANGE)
		errx(1, "%s: more than there is was flushed", argv[2]);
	return 0;
}
