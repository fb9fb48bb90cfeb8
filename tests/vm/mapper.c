/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper.c - a process whose device is taken away, for case_lost*.sh
 *
 * usage: mapper [--plain] PATH
 *
 * Maps the first 2 MiB of PATH with the library, or with mmap alone, and carries out the commands
 * that it reads, a line each: "again" maps once more, "unmap" unmaps, "exit" ends. Prints the
 * result of each. Never accesses the memory.
 */
#include "libpmem2.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define SIZE (2 << 20)

static struct pmem2_config *config;
static struct pmem2_source *source;

static void say(int error, const char *why)
{
	printf("%s\n", error ? why : "done");
	fflush(stdout);
}

/* Reads the next command. False: the end. */
static bool next(char line[16])
{
	return fgets(line, 16, stdin) && strcmp(line, "exit\n") != 0;
}

static int map(struct pmem2_map **made)
{
	int error = pmem2_map_new(made, config, source);

	say(error, pmem2_errormsg());
	return error;
}

static int begin(int fd)
{
	int error = pmem2_config_new(&config);

	if (!error)
		error = pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE);
	if (!error)
		error = pmem2_config_set_length(config, SIZE);
	if (!error)
		error = pmem2_source_from_fd(&source, fd);
	return error;
}

static int plain(int fd)
{
	void *p = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	char line[16];

	say(p == MAP_FAILED, strerror(errno));
	while (p != MAP_FAILED && next(line))
		if (!strcmp(line, "unmap\n"))
			say(munmap(p, SIZE), strerror(errno));
	return p == MAP_FAILED;
}

int main(int argc, char **argv)
{
	struct pmem2_map *first = NULL, *more = NULL;
	bool without = argc == 3 && !strcmp(argv[1], "--plain");
	int fd = argc > 1 ? open(argv[argc - 1], O_RDWR) : -1;
	char line[16];

	if (fd < 0)
		return 2;
	if (without)
		return plain(fd);
	if (begin(fd) || map(&first))
		return 1;
	while (next(line)) {
		if (!strcmp(line, "again\n"))
			map(&more);
		else if (!strcmp(line, "unmap\n"))
			say(pmem2_unmap(&first), pmem2_errormsg());
	}
	return 0;
}
