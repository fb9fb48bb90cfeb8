// SPDX-License-Identifier: BSD-3-Clause
/*
 * set_uid.c - maps a file as a set-uid program
 *
 * usage: set_uid FILE
 */
#include <fcntl.h>
#include <libpmem2.h>
#include <stdio.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;
	int fd = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0 || geteuid() == getuid())
		return 1;
	return pmem2_source_from_fd(&source, fd) || pmem2_config_new(&config) ||
	       pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	       pmem2_map_new(&map, config, source) || pmem2_map_delete(&map) ||
	       pmem2_config_delete(&config) || pmem2_source_delete(&source);
}
