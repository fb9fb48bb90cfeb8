// SPDX-License-Identifier: BSD-3-Clause
/*
 * map.c - map and unmap: ours, mmap and munmap, the other library
 */
#include "bench/arena.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/message.h"
#include "bench/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define RAW_TARGET   1.4
#define OTHER_TARGET 0.25
#define FLAT_TARGET  1.25
#define MANY         50000
#define OTHER_AREAS  1000 /* of a process, at most, besides its live mappings */

/* Not for the sides: the kernel's own share is more than the target leaves. */
#define NO_OTHER_TARGET (1u << 31)

/* A file without a name, so that nothing stays behind. */
static int scratch_file(struct report *report)
{
	const char *folder = report->options->scratch;
	struct statfs fs;
	char path[4096];
	int fd, err;

	if (snprintf(path, sizeof(path), "%s/bench.XXXXXX", folder) >= (int)sizeof(path)) {
		message_error("%.64s...: %s", folder, strerror(ENAMETOOLONG));
		return -ENAMETOOLONG;
	}
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0) {
		err = -errno;
		message_error("%s: %m", path);
		return err;
	}
	unlink(path);
	if (ftruncate(fd, BENCH_ARENA_LENGTH) || fstatfs(fd, &fs)) {
		err = -errno;
		message_error("%s: %m", path);
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

/* How many live mappings a process may have. */
static size_t live_limit(void)
{
	unsigned long limit = 0, left;
	FILE *file = fopen("/proc/sys/vm/max_map_count", "re");

	if (!file || fscanf(file, "%lu", &limit) != 1)
		limit = 65530;
	if (file)
		fclose(file);
	left = limit > OTHER_AREAS ? limit - OTHER_AREAS : 0;
	if (left < MANY)
		message_error("more than %lu live mappings are skipped: vm.max_map_count is %lu",
			      left, limit);
	return left;
}

struct setting {
	const char *name;
	const char *what;
	unsigned order;
};

/* Two threads come last: they move a side to other CPUs. */
static const struct scene {
	size_t live;
	enum { TMPFS, SCRATCH_FILE, ANONYMOUS } kind;
	struct setting settings[6];
} scenes[] = {
	{1,
	 TMPFS,
	 {{"map reused",
	   "map_new + map_delete of 1 MiB of a tmpfs file, shared, rw, with one other mapping; "
	   "source and configuration are there",
	   0},
	  {"map fresh", "the same, each with a new source and configuration", BENCH_ORDER_FRESH},
	  {"map reused 2t", "as map reused, by two threads at the same time", BENCH_ORDER_TWO},
	  {"map shared 2t", "as map reused 2t, both with the same source and configuration",
	   BENCH_ORDER_TWO | BENCH_ORDER_SHARED},
	  {"map fresh 2t", "as map fresh, by two threads at the same time",
	   BENCH_ORDER_TWO | BENCH_ORDER_FRESH}}},
	{1, SCRATCH_FILE, {{"map file", "as map reused, of a file in --scratch", 0}}},
	{1,
	 ANONYMOUS,
	 {{"map anon", "as map reused, of anonymous shared memory", NO_OTHER_TARGET}}},
	{10000,
	 TMPFS,
	 {{"map reused 10k", "as above, with 10,000 other mappings in the process", 0},
	  {"map fresh 10k", NULL, BENCH_ORDER_FRESH},
	  {"map reused 10k 2t", NULL, BENCH_ORDER_TWO},
	  {"map fresh 10k 2t", NULL, BENCH_ORDER_TWO | BENCH_ORDER_FRESH}}},
	{MANY,
	 TMPFS,
	 {{"map reused 50k", "as above, with 50,000 other mappings in the process", 0},
	  {"map fresh 50k", NULL, BENCH_ORDER_FRESH},
	  {"map reused 50k 2t", NULL, BENCH_ORDER_TWO},
	  {"map fresh 50k 2t", NULL, BENCH_ORDER_TWO | BENCH_ORDER_FRESH}}},
};

static int measure_scene(struct bench_arena *arena, const struct scene *scene,
			 const struct library *ours, const struct library *other, int fd)
{
	const struct bench_contender contenders[] = {{.library = ours, .live = scene->live},
						     {.live = scene->live},
						     {.library = other, .live = scene->live}};
	bool have_other = other->handle;
	int err;

	err = bench_arena_open(arena, contenders, 2u + have_other, fd);
	if (err)
		return err;
	for (const struct setting *setting = scene->settings; !err && setting->name; setting++) {
		bool reused = !(setting->order & BENCH_ORDER_FRESH);
		bool other_target = reused && !(setting->order & NO_OTHER_TARGET);

		if (setting->order & BENCH_ORDER_TWO && CPU_COUNT(arena->cpus) < 2)
			continue;
		err = bench_arena_measure(
			arena,
			(struct comparison_plan){
				.name = setting->name,
				.what = setting->what,
				.peers = {{.name = "mmap", .target = reused ? RAW_TARGET : 0},
					  {.name = have_other ? "libpmem2" : NULL,
					   .target = other_target ? OTHER_TARGET : 0}},
			},
			setting->order & ~NO_OTHER_TARGET);
	}
	bench_arena_close(arena);
	return err;
}

/* One contender beside itself: with many mappings and with one. */
static int measure_flat(struct bench_arena *arena, const struct library *library, int fd)
{
	const struct bench_contender contenders[] = {{.library = library, .live = MANY},
						     {.library = library, .live = 1}};
	int err;

	err = bench_arena_open(arena, contenders, 2, fd);
	if (err)
		return err;
	err = bench_arena_measure(
		arena,
		(struct comparison_plan){
			.name = library ? "flat ours" : "flat mmap",
			.what = library ? "map reused 50k; the peer is map reused, which is "
					  "ours too"
					: "the same of mmap + munmap: the kernel's own share",
			.peers = {{.name = "1 other", .target = library ? FLAT_TARGET : 0}},
		},
		0);
	bench_arena_close(arena);
	return err;
}

int bench_map(const struct library *ours, const struct library *other, const cpu_set_t *cpus,
	      struct report *report)
{
	struct bench_arena arena = {.report = report, .cpus = cpus};
	int fds[] = {-1, -1, -1}, err;
	size_t limit = live_limit();

	if (CPU_COUNT(cpus) < 2)
		message_error("two threads are skipped: there is one CPU");
	fds[SCRATCH_FILE] = scratch_file(report);
	if (fds[SCRATCH_FILE] < 0)
		return fds[SCRATCH_FILE];
	fds[TMPFS] = bench_arena_file();
	err = fds[TMPFS] < 0 ? fds[TMPFS] : 0;
	for (size_t i = 0; !err && i < sizeof(scenes) / sizeof(*scenes); i++)
		if (scenes[i].live <= limit)
			err = measure_scene(&arena, &scenes[i], ours, other, fds[scenes[i].kind]);
	if (!err && MANY <= limit)
		err = measure_flat(&arena, ours, fds[TMPFS]);
	if (!err && MANY <= limit)
		err = measure_flat(&arena, NULL, fds[TMPFS]);
	if (fds[TMPFS] >= 0)
		close(fds[TMPFS]);
	close(fds[SCRATCH_FILE]);
	return err;
}
