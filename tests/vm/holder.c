// SPDX-License-Identifier: BSD-3-Clause
/*
 * holder.c - a process that holds a file or device until it is killed, for case_holders.sh
 *
 * usage: holder plain|open|published FILE SIZE
 *
 * plain: mmap, as a program without the library; open: only open(2); published: through the
 * library, released on request. Prints a line when that is done. The mapping is read again and
 * again, so that this program dies of SIGBUS when the memory goes.
 */
#include <fcntl.h>
#include <libpmem2fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static volatile const char *memory; /* NULL: no longer mapped; under the lock */

static int release(struct pmem2_map *map, void *argument)
{
	(void)argument;
	pthread_mutex_lock(&lock);
	int error = pmem2_unmap(&map);
	if (!error)
		memory = NULL;
	pthread_mutex_unlock(&lock);
	return error;
}

static int publish(int fd, size_t size)
{
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	struct pmem2_map *map = NULL;

	if (pmem2_source_from_fd(&source, fd) || pmem2_config_new(&config) ||
	    pmem2_config_set_length(config, size) ||
	    pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) ||
	    pmem2fs_config_set_label(config, "data", 4) || pmem2_map_new(&map, config, source) ||
	    pmem2fs_map_set_release_handler(map, release, NULL) || pmem2fs_start_thread()) {
		pmem2_perror("holder");
		return -1;
	}
	memory = pmem2_map_get_address(map);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc != 4)
		return 2;
	size_t size = strtoull(argv[3], NULL, 0);
	int fd = open(argv[2], O_RDWR);
	if (fd < 0) {
		perror(argv[2]);
		return 1;
	}
	if (strcmp(argv[1], "plain") == 0) {
		void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

		if (address == MAP_FAILED) {
			perror("mmap");
			return 1;
		}
		memory = address;
	} else if (strcmp(argv[1], "published") == 0 && publish(fd, size)) {
		return 1;
	}
	if (strcmp(argv[1], "open") != 0)
		close(fd);
	puts("ready");
	fflush(stdout);
	for (;;) {
		pthread_mutex_lock(&lock);
		if (memory)
			(void)*memory;
		pthread_mutex_unlock(&lock);
		usleep(20000);
	}
}
