// SPDX-License-Identifier: BSD-3-Clause
/*
 * libpmem2_program.c - a program that uses libpmem2 only, and was linked with Debian's
 *
 * usage: libpmem2_program FILE
 *
 * Maps the file, prints the address, unmaps when its input ends.
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
	int fd = argc == 2 ? open(argv[1], O_RDWR) : -1;
	char byte;

	if (fd < 0 || pmem2_source_from_fd(&source, fd) || pmem2_config_new(&config) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	    pmem2_map_new(&map, config, source)) {
		pmem2_perror("libpmem2_program");
		return 1;
	}
	printf("mapped %lx\n", (unsigned long)pmem2_map_get_address(map));
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	return pmem2_map_delete(&map) != 0;
}
