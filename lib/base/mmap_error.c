/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mmap_error.c - why the kernel refused memory
 *
 * Reads /proc after the failure, for error messages only: other threads may have mapped or unmapped
 * memory since. Owns nothing; calls base/attribute and libc.
 */
#include "base/mmap_error.h"
#include "base/attribute.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define DEFAULT_MAX_MAP_COUNT 65530

/* mremap fails unless this many more areas are allowed; mmap and munmap need fewer. */
#define SPARE_AREAS 4

size_t mmap_error_max_map_count(void)
{
	uint64_t count = 0;

	attribute_read_number("/proc/sys/vm/max_map_count", 10, &count);
	return count ? (size_t)count : DEFAULT_MAX_MAP_COUNT;
}

static size_t count_areas(void)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	char text[4096];
	size_t count = 0;
	ssize_t n;

	if (fd < 0)
		return 0;
	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			count += text[i] == '\n';
	}
	close(fd);
	return count;
}

static size_t address_space_used(void)
{
	char text[64];

	if (attribute_read("/proc/self/statm", text, sizeof(text)) <= 0)
		return 0;
	return (size_t)strtoull(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE);
}

void mmap_error_explain(int error, size_t length, char *text, size_t size)
{
	struct rlimit limit;
	size_t max;

	if (error != ENOMEM) {
		snprintf(text, size, "%s", strerror(error));
		return;
	}
	max = mmap_error_max_map_count();
	if (count_areas() + SPARE_AREAS >= max) {
		snprintf(text, size, "vm.max_map_count (%zu) is reached", max);
		return;
	}
	if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
	    (length > limit.rlim_cur || address_space_used() > limit.rlim_cur - length)) {
		snprintf(text, size, "the address space limit RLIMIT_AS (%llu bytes) is reached",
			 (unsigned long long)limit.rlim_cur);
		return;
	}
	snprintf(text, size, "not enough memory for %zu bytes", length);
}
