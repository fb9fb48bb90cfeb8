// SPDX-License-Identifier: BSD-3-Clause
/*
 * map.c - map and unmap: ours, mmap and munmap, the other library
 *
 * Owns the cases and their targets. Calls map_workload.c and message.c.
 */
#include "bench/map.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/map_workload.h"
#include "bench/message.h"
#include "bench/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <unistd.h>

#define RAW_TARGET         1.2
#define RAW_TARGET_FRESH   1.5
#define RAW_TARGET_THREADS 1.4
#define OTHER_TARGET       0.25
#define OTHER_TARGET_FRESH 0.5
#define FLAT_TARGET        1.25
#define TWO_TARGET         1.0 /* two threads together and one alone */
#define MANY               50000
#define OTHER_AREAS        1000 /* of a process, at most, besides its live mappings */

#define TWO_THREADS  (2 * MAP_ORDER_THREAD)
#define FOUR_THREADS (4 * MAP_ORDER_THREAD)

/* Not for the sides: the kernel's own share is more than the target leaves. */
#define NO_OTHER_TARGET (1u << 31)

/* A file without a name, so that nothing stays behind. */
static int open_scratch_file(struct report *report)
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
	if (ftruncate(fd, MAP_WORKLOAD_LENGTH) || fstatfs(fd, &fs)) {
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

static const struct map_case {
	size_t live;
	enum { TMPFS, SCRATCH_FILE, ANONYMOUS } kind;
	struct setting settings[9];
} cases[] = {
	{1,
	 TMPFS,
	 {{"map reused",
	   "map_new + map_delete of 1 MiB of a tmpfs file, shared, rw, with one other mapping; "
	   "source and configuration are there",
	   0},
	  {"map fresh", "the same, each with a new source and configuration", MAP_ORDER_FRESH},
	  {"map reused 2t",
	   "as map reused, by two threads at the same time, each with a source and a "
	   "configuration of its own",
	   TWO_THREADS},
	  {"map shared 2t", "as map reused 2t, all with the same source and configuration",
	   TWO_THREADS | MAP_ORDER_SHARED},
	  {"map fresh 2t", "as map fresh, by two threads at the same time",
	   TWO_THREADS | MAP_ORDER_FRESH},
	  {"map reused 4t", "the same by four threads", FOUR_THREADS},
	  {"map shared 4t", NULL, FOUR_THREADS | MAP_ORDER_SHARED},
	  {"map fresh 4t", NULL, FOUR_THREADS | MAP_ORDER_FRESH}}},
	{1,
	 SCRATCH_FILE,
	 {{"map file", "as map reused, of a file in --scratch", 0},
	  {"map file fresh", "as map fresh, of that file", MAP_ORDER_FRESH}}},
	{1,
	 ANONYMOUS,
	 {{"map anon", "as map reused, of anonymous shared memory", NO_OTHER_TARGET}}},
	{10000,
	 TMPFS,
	 {{"map reused 10k", "as above, with 10,000 other mappings in the process", 0},
	  {"map fresh 10k", NULL, MAP_ORDER_FRESH},
	  {"map reused 10k 2t", NULL, TWO_THREADS},
	  {"map fresh 10k 2t", NULL, TWO_THREADS | MAP_ORDER_FRESH}}},
	{MANY,
	 TMPFS,
	 {{"map reused 50k", "as above, with 50,000 other mappings in the process", 0},
	  {"map fresh 50k", NULL, MAP_ORDER_FRESH},
	  {"map reused 50k 2t", NULL, TWO_THREADS},
	  {"map fresh 50k 2t", NULL, TWO_THREADS | MAP_ORDER_FRESH}}},
};

static int measure_setting(struct map_workload *workload, const struct setting *setting,
			   bool have_other)
{
	bool fresh = setting->order & MAP_ORDER_FRESH;
	bool threads = setting->order >= MAP_ORDER_THREAD && !(setting->order & NO_OTHER_TARGET);
	double raw = fresh ? RAW_TARGET_FRESH : RAW_TARGET;
	double other = fresh ? OTHER_TARGET_FRESH : OTHER_TARGET;

	if (threads)
		raw = fresh ? 0 : RAW_TARGET_THREADS;
	return map_workload_measure(
		workload,
		(struct comparison_plan){
			.name = setting->name,
			.what = setting->what,
			.peers = {{.name = "mmap", .target = raw},
				  {.name = have_other ? "libpmem2" : NULL,
				   .target = setting->order & NO_OTHER_TARGET ? 0 : other}},
		},
		setting->order & ~NO_OTHER_TARGET);
}

static int measure_case(struct map_workload *workload, const struct map_case *map_case,
			const struct library *ours, const struct library *other, int fd)
{
	const struct map_side sides[] = {{.library = ours, .live = map_case->live},
					 {.live = map_case->live},
					 {.library = other, .live = map_case->live}};
	bool have_other = other->handle;
	int err;

	err = map_workload_start(workload, sides, 2u + have_other, fd);
	for (const struct setting *setting = map_case->settings; !err && setting->name; setting++) {
		if (setting->order >= MAP_ORDER_THREAD && CPU_COUNT(workload->cpus) < 2)
			continue;
		err = measure_setting(workload, setting, have_other);
		/* Debian's libpmem2 1.12.1 is not safe from its own threads. */
		if (err == -EPIPE && workload->dead == 2) {
			message_error("%s: libpmem2 crashed; measured without it", setting->name);
			map_workload_stop(workload);
			have_other = false;
			workload->report->skipped = true;
			err = map_workload_start(workload, sides, 2, fd);
			if (!err)
				err = measure_setting(workload, setting, false);
		}
	}
	map_workload_stop(workload);
	return err;
}

/* One library, or mmap, beside itself: two threads and one. */
static int measure_two(struct map_workload *workload, const struct library *library, int fd)
{
	const struct map_side sides[] = {{.library = library, .live = 1},
					 {.library = library, .live = 1, .alone = true}};
	const struct setting settings[] = {
		{library ? "2t ours" : "2t mmap",
		 library ? "map reused 2t; the peer is ours too, with one thread"
			 : "the same of mmap + munmap: the kernel's own share",
		 TWO_THREADS},
		{library ? "2t ours fresh" : NULL, "the same of map fresh 2t",
		 TWO_THREADS | MAP_ORDER_FRESH},
	};
	int err;

	err = map_workload_start(workload, sides, 2, fd);
	for (unsigned i = 0; !err && i < 2 && settings[i].name; i++)
		err = map_workload_measure(
			workload,
			(struct comparison_plan){
				.name = settings[i].name,
				.what = settings[i].what,
				.peers = {{.name = "1 thread", .target = library ? TWO_TARGET : 0}},
			},
			settings[i].order);
	map_workload_stop(workload);
	return err;
}

/* One library, or mmap, beside itself: with many mappings and with one. */
static int measure_flat(struct map_workload *workload, const struct library *library, int fd)
{
	const struct map_side sides[] = {{.library = library, .live = MANY},
					 {.library = library, .live = 1}};
	int err;

	err = map_workload_start(workload, sides, 2, fd);
	if (err)
		return err;
	err = map_workload_measure(
		workload,
		(struct comparison_plan){
			.name = library ? "flat ours" : "flat mmap",
			.what = library ? "map reused 50k; the peer is map reused, which is "
					  "ours too"
					: "the same of mmap + munmap: the kernel's own share",
			.peers = {{.name = "1 other", .target = library ? FLAT_TARGET : 0}},
		},
		0);
	map_workload_stop(workload);
	return err;
}

int map_measure(const struct library *ours, const struct library *other, const cpu_set_t *cpus,
		struct report *report)
{
	struct map_workload workload = {.report = report, .cpus = cpus};
	int fds[] = {-1, -1, -1}, err;
	size_t limit = live_limit();

	if (CPU_COUNT(cpus) < 2)
		message_error("rows of threads are skipped: there is one CPU");
	fds[SCRATCH_FILE] = open_scratch_file(report);
	if (fds[SCRATCH_FILE] < 0)
		return fds[SCRATCH_FILE];
	fds[TMPFS] = map_workload_file();
	err = fds[TMPFS] < 0 ? fds[TMPFS] : 0;
	for (size_t i = 0; !err && i < sizeof(cases) / sizeof(*cases); i++)
		if (cases[i].live <= limit)
			err = measure_case(&workload, &cases[i], ours, other, fds[cases[i].kind]);
	if (!err && CPU_COUNT(cpus) > 1)
		err = measure_two(&workload, ours, fds[TMPFS]);
	if (!err && CPU_COUNT(cpus) > 1)
		err = measure_two(&workload, NULL, fds[TMPFS]);
	if (!err && MANY <= limit)
		err = measure_flat(&workload, ours, fds[TMPFS]);
	if (!err && MANY <= limit)
		err = measure_flat(&workload, NULL, fds[TMPFS]);
	if (fds[TMPFS] >= 0)
		close(fds[TMPFS]);
	close(fds[SCRATCH_FILE]);
	return err;
}
