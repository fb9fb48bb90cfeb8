// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench_map.c - the library's map and unmap, against mmap and munmap
 *
 * The peer asks the kernel for the same: same file, offset, length, protection and flags. That it
 * is the same is not assumed: what the kernel says of both mappings is compared first, so a library
 * that maps differently one day fails here instead of comparing unequal things.
 */
#include "bench.h"
#include <errno.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Untouched pages cost nothing, so the length does not matter; below a huge page to keep it so. */
#define LENGTH         (1024u * 1024)
#define PAIRS          200u /* per round and side: a fraction of a millisecond */
#define TARGET         1.5
#define WARM_UP_ROUNDS 5

struct subject {
	struct pmem2_config *config;
	struct pmem2_source *source;
	int fd;    /* -1: anonymous */
	int flags; /* for the peer's mmap */
};

static int map_failed(const char *what, int err)
{
	bench_error("%s: %s", what, pmem2_errormsg());
	return -pmem2_err_to_errno(err);
}

static int map_work(void *context, unsigned side, size_t round, struct bench_sample *sample)
{
	const struct subject *subject = context;
	uint64_t start = bench_now();

	(void)round;
	for (unsigned i = 0; i < PAIRS; i++) {
		if (side == 0) {
			struct pmem2_map *map;
			int err = pmem2_map_new(&map, subject->config, subject->source);

			if (err)
				return map_failed("pmem2_map_new", err);
			err = pmem2_map_delete(&map);
			if (err)
				return map_failed("pmem2_map_delete", err);
		} else {
			void *address = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, subject->flags,
					     subject->fd, 0);

			if (address == MAP_FAILED || munmap(address, LENGTH)) {
				int err = -errno;

				bench_error("mmap and munmap: %m");
				return err;
			}
		}
	}
	*sample = (struct bench_sample){.ns = bench_now() - start, .operations = PAIRS};
	return 0;
}

/* What the kernel says of the area at `address`: its length, and its flags as text. */
static int area_facts(const void *address, size_t *length, char *flags, size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end;
	char line[512];
	bool inside = false;
	int err = -ENOENT;

	if (!smaps)
		return -errno;
	while (err && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)address == start;
		if (!inside)
			continue;
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			*length = end - start;
		if (!strncmp(line, "VmFlags:", 8)) {
			snprintf(flags, size, "%.*s", (int)strcspn(line, "\n"), line);
			err = 0;
		}
	}
	fclose(smaps);
	return err;
}

static int check_same_area(const struct subject *subject)
{
	size_t lengths[2] = {0};
	char flags[2][256] = {"", ""};
	struct pmem2_map *map;
	void *address;
	int err;

	err = pmem2_map_new(&map, subject->config, subject->source);
	if (err)
		return map_failed("pmem2_map_new", err);
	err = area_facts(pmem2_map_get_address(map), &lengths[0], flags[0], sizeof(flags[0]));
	pmem2_map_delete(&map);
	if (err)
		goto unknown;
	address = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, subject->flags, subject->fd, 0);
	if (address == MAP_FAILED) {
		err = -errno;
		bench_error("mmap: %m");
		return err;
	}
	err = area_facts(address, &lengths[1], flags[1], sizeof(flags[1]));
	munmap(address, LENGTH);
	if (err)
		goto unknown;
	if (lengths[0] != lengths[1] || strcmp(flags[0], flags[1]) != 0) {
		bench_error("library and peer do not map the same: %zu bytes %s, %zu bytes %s",
			    lengths[0], flags[0], lengths[1], flags[1]);
		return -EINVAL;
	}
	return 0;
unknown:
	bench_error("/proc/self/smaps: %s", strerror(-err));
	return err;
}

static int subject_open(struct subject *subject, int fd)
{
	int err;

	*subject = (struct subject){.fd = fd, .flags = MAP_SHARED};
	err = pmem2_config_new(&subject->config);
	if (err)
		return map_failed("pmem2_config_new", err);
	pmem2_config_set_required_store_granularity(subject->config, PMEM2_GRANULARITY_PAGE);
	if (fd < 0) {
		subject->flags |= MAP_ANONYMOUS;
		err = pmem2_source_from_anon(&subject->source, LENGTH);
	} else {
		err = pmem2_source_from_fd(&subject->source, fd);
	}
	if (err) {
		err = map_failed("source", err);
		pmem2_config_delete(&subject->config);
	}
	return err;
}

static void subject_close(struct subject *subject)
{
	pmem2_source_delete(&subject->source);
	pmem2_config_delete(&subject->config);
}

/* Measures with `live` other mappings of the same source in place. */
static int measure(struct bench_report *report, const char *name, const char *what, int fd,
		   size_t live)
{
	const struct bench_options *options = report->options;
	struct pmem2_map **maps = NULL;
	struct subject subject;
	size_t made = 0;
	int err;

	err = subject_open(&subject, fd);
	if (err)
		return err;
	err = check_same_area(&subject);
	if (err)
		goto close;
	maps = calloc(live + 1, sizeof(struct pmem2_map *));
	if (!maps) {
		err = -ENOMEM;
		goto close;
	}
	for (; made < live; made++) {
		err = pmem2_map_new(&maps[made], subject.config, subject.source);
		if (err) {
			err = map_failed("pmem2_map_new", err);
			goto unmap;
		}
	}
	err = bench_report_measure(report, &(struct bench_plan){
						   .name = name,
						   .what = what,
						   .target = TARGET,
						   .warm_up = WARM_UP_ROUNDS,
						   .rounds = options->rounds,
						   .ns = (uint64_t)(options->seconds * 1e9),
						   .work = map_work,
						   .context = &subject,
					   });
unmap:
	while (made)
		pmem2_map_delete(&maps[--made]);
	free(maps);
close:
	subject_close(&subject);
	return err;
}

/* A file without a name, so that nothing stays behind. */
static int scratch_file(struct bench_report *report)
{
	const char *folder = report->options->scratch;
	struct statfs fs;
	char path[4096];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/bench.XXXXXX", folder) >= (int)sizeof(path)) {
		bench_error("%.64s...: %s", folder, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		bench_error("%s: %m", path);
		return err;
	}
	unlink(path);
	if (ftruncate(fd, LENGTH) || fstatfs(fd, &fs)) {
		err = -errno;
		bench_error("%s: %m", path);
		close(fd);
		return err;
	}
	snprintf(report->scratch_fs, sizeof(report->scratch_fs), "%s",
		 fs.f_type == 0xef53       ? "ext4"
		 : fs.f_type == 0x58465342 ? "xfs"
		 : fs.f_type == 0x9123683e ? "btrfs"
		 : fs.f_type == 0x794c7630 ? "overlayfs"
		 : fs.f_type == 0x01021994 ? "tmpfs"
					   : "another file system");
	return fd;
}

int bench_map(struct bench_report *report)
{
	int file, shm, err;

	file = scratch_file(report);
	if (file < 0)
		return file;
	shm = memfd_create("bench", MFD_CLOEXEC);
	if (shm < 0 || ftruncate(shm, LENGTH)) {
		err = -errno;
		bench_error("memfd: %m");
		goto close;
	}
	err = measure(
		report, "map+unmap tmpfs",
		"map_new + map_delete against mmap + munmap: 1 MiB of a tmpfs file, shared, rw",
		shm, 0);
	if (!err)
		err = measure(report, "map+unmap file", "the same, of a file in --scratch", file,
			      0);
	if (!err)
		err = measure(report, "map+unmap anon", "the same, of anonymous shared memory", -1,
			      0);
	if (!err)
		err = measure(report, "map+unmap many",
			      "as map+unmap tmpfs, with --mappings others in the process", shm,
			      report->options->mappings);
close:
	if (shm >= 0)
		close(shm);
	close(file);
	return err;
}
