/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count_requests.c - a library to be preloaded, which counts the kernel's requests
 *
 * The file $PMEM2FS_TEST_REQUESTS is an array of counters, one for each kind of request (enum
 * fuse_opcode). Requests for the root directory itself count as kind 0.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "count_requests.h"

static _Atomic unsigned *counters;

static void open_counters(void)
{
	const char *path = getenv("PMEM2FS_TEST_REQUESTS");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0)
		return;
	counters = mmap(NULL, REQUEST_KINDS * sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	close(fd);
}

static void count(const struct fuse_in_header *header)
{
	bool of_root = header->opcode == FUSE_GETATTR && header->nodeid == FUSE_ROOT_ID;

	if (!counters)
		open_counters();
	if (counters && counters != MAP_FAILED && header->opcode < REQUEST_KINDS)
		counters[of_root ? 0 : header->opcode]++;
}

ssize_t read(int fd, void *buffer, size_t size)
{
	ssize_t (*next)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");
	ssize_t got = next(fd, buffer, size);
	struct fuse_in_header header;

	/* Nothing else is read with so much room and has its length at its begin. */
	if (size >= FUSE_MIN_READ_BUFFER && got >= (ssize_t)sizeof(header)) {
		memcpy(&header, buffer, sizeof(header));
		if (header.len == (size_t)got)
			count(&header);
	}
	return got;
}
