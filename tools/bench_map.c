// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench_map.c - map and unmap: ours, mmap and munmap, the other library
 *
 * Each side has a process with as many live mappings as the others'. mmap asks the kernel for the
 * same as the libraries do: same file, offset, length, protection and flags. That it is the same is
 * not assumed: what the kernel says of each side's mappings is compared first, so a library that
 * maps differently one day fails here instead of comparing unequal things.
 */
#include "bench.h"
#include "bench_library.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Untouched pages cost nothing, so the length does not matter; below a huge page to keep it so. */
#define LENGTH         (1024u * 1024)
#define PAIRS          100u /* per round, side and thread: half a millisecond and more */
#define WARM_UP_PAIRS  10u  /* before them: another process had the CPU */
#define WARM_UP_ROUNDS 5
#define RAW_TARGET     1.4
#define OTHER_TARGET   0.25
#define FLAT_TARGET    1.25
#define MANY           50000
#define OTHER_AREAS    1000 /* of a process, at most, besides its live mappings */

/* What a side is asked for. */
enum {
	ORDER_DESCRIBE = 0,
	ORDER_PAIRS = 1 << 0,
	ORDER_FRESH = 1 << 1,  /* with a source and a configuration made for each pair */
	ORDER_TWO = 1 << 2,    /* by two threads at the same time */
	ORDER_SHARED = 1 << 3, /* which use the same source and configuration */
	/* Not for the side: the kernel's own share is more than the target leaves. */
	NO_OTHER_TARGET = 1 << 4,
};

struct subject {
	int fd;    /* -1: anonymous */
	int flags; /* for mmap */
};

struct objects {
	struct pmem2_config *config;
	struct pmem2_source *source;
};

/* A side, in its own process. */
struct side {
	const struct bench_library *library; /* NULL: mmap and munmap */
	struct subject subject;
	const cpu_set_t *cpus;
	size_t live;
	struct objects objects[2]; /* one per thread */
	pthread_barrier_t barrier; /* where both threads begin and end */
	bool second_runs;
	unsigned order;
	struct bench_sample samples[2];
	int errors[2];
};

static int objects_new(const struct side *side, struct objects *objects)
{
	const struct bench_library *library = side->library;
	int err;

	err = library->config_new(&objects->config);
	if (err)
		return bench_library_failed(library, "config_new", err);
	library->config_set_required_store_granularity(objects->config, PMEM2_GRANULARITY_PAGE);
	err = side->subject.fd < 0 ? library->source_from_anon(&objects->source, LENGTH)
				   : library->source_from_fd(&objects->source, side->subject.fd);
	if (err) {
		err = bench_library_failed(library, "source", err);
		library->config_delete(&objects->config);
	}
	return err;
}

static void objects_delete(const struct side *side, struct objects *objects)
{
	side->library->source_delete(&objects->source);
	side->library->config_delete(&objects->config);
}

static int make(const struct side *side, struct pmem2_map **map, void **address)
{
	int err;

	if (!side->library) {
		*address = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, side->subject.flags,
				side->subject.fd, 0);
		if (*address != MAP_FAILED)
			return 0;
		err = -errno;
		bench_error("mmap: %m");
		return err;
	}
	err = side->library->map_new(map, side->objects[0].config, side->objects[0].source);
	if (err)
		return bench_library_failed(side->library, "map_new", err);
	*address = side->library->map_get_address(*map);
	return 0;
}

/* What the kernel says of the area at `address` and of how many there are of the same file. */
static int describe(const void *address, char *text, size_t size)
{
	FILE *smaps = fopen("/proc/self/smaps", "re");
	unsigned long start, end, inode, wanted = 0;
	size_t areas = 0, length = 0;
	char line[512], flags[128] = "";
	int err = -ENOENT;

	if (!smaps)
		return -errno;
	/* Twice, as the areas before that one count too. */
	for (unsigned pass = 0; pass < 2; pass++) {
		bool inside = false;

		rewind(smaps);
		while (fgets(line, sizeof(line), smaps)) {
			if (sscanf(line, "%lx-%lx %*s %*s %*s %lu", &start, &end, &inode) == 3) {
				inside = (uintptr_t)address == start;
				if (inside) {
					wanted = inode;
					length = end - start;
				}
				areas += pass == 1 && inode == wanted;
			}
			if (inside && !strncmp(line, "VmFlags:", 8)) {
				snprintf(flags, sizeof(flags), "%.*s", (int)strcspn(line, "\n"),
					 line);
				err = 0;
			}
		}
	}
	fclose(smaps);
	snprintf(text, size, "%zu times %zu bytes, %s", areas, length, flags);
	return err;
}

/* Makes the live mappings, which end with the process, and says what the last one is. */
static int prepare(struct side *side, struct bench_answer *answer)
{
	struct pmem2_map *map;
	void *address = NULL;
	int err = 0;

	for (unsigned i = 0; side->library && !err && i < 2; i++)
		err = objects_new(side, &side->objects[i]);
	for (size_t i = 0; !err && i < side->live; i++)
		err = make(side, &map, &address);
	if (err)
		return err;
	err = describe(address, answer->text, sizeof(answer->text));
	if (err)
		bench_error("/proc/self/smaps: %s", strerror(-err));
	return err;
}

static int raw_pairs(const struct side *side, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		void *address = mmap(NULL, LENGTH, PROT_READ | PROT_WRITE, side->subject.flags,
				     side->subject.fd, 0);

		if (address == MAP_FAILED || munmap(address, LENGTH)) {
			int err = -errno;

			bench_error("mmap and munmap: %m");
			return err;
		}
	}
	return 0;
}

static int library_pairs(const struct side *side, const struct objects *objects, unsigned count)
{
	const struct bench_library *library = side->library;

	for (unsigned i = 0; i < count; i++) {
		struct objects fresh;
		struct pmem2_map *map;
		int err = 0;

		if (!objects) {
			err = objects_new(side, &fresh);
			if (err)
				return err;
		}
		err = library->map_new(&map, objects ? objects->config : fresh.config,
				       objects ? objects->source : fresh.source);
		if (err)
			return bench_library_failed(library, "map_new", err);
		err = library->map_delete(&map);
		if (err)
			return bench_library_failed(library, "map_delete", err);
		if (!objects)
			objects_delete(side, &fresh);
	}
	return 0;
}

static int pairs(const struct side *side, unsigned thread, unsigned count)
{
	const struct objects *own = &side->objects[side->order & ORDER_SHARED ? 0 : thread];

	if (!side->library)
		return raw_pairs(side, count);
	return library_pairs(side, side->order & ORDER_FRESH ? NULL : own, count);
}

static int timed_pairs(struct side *side, unsigned thread)
{
	int err = pairs(side, thread, WARM_UP_PAIRS);
	uint64_t start = bench_now();

	if (!err)
		err = pairs(side, thread, PAIRS);
	side->samples[thread] =
		(struct bench_sample){.ns = bench_now() - start, .operations = PAIRS};
	return err;
}

/* Moves the calling thread to one of the CPUs that bench may use. */
static void move_to(const cpu_set_t *cpus, int which)
{
	cpu_set_t set;
	int cpu = -1;

	do {
		cpu++;
	} while (!CPU_ISSET(cpu, cpus) || which--);
	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

static void *second_thread(void *context)
{
	struct side *side = context;

	move_to(side->cpus, 1);
	for (;;) {
		pthread_barrier_wait(&side->barrier);
		side->errors[1] = timed_pairs(side, 1);
		pthread_barrier_wait(&side->barrier);
	}
	return NULL;
}

/* The second thread waits at the barrier between the rounds, and ends with the process. */
static int start_second(struct side *side)
{
	pthread_t thread;
	int err;

	move_to(side->cpus, 0);
	err = pthread_barrier_init(&side->barrier, NULL, 2);
	if (!err)
		err = pthread_create(&thread, NULL, second_thread, side);
	if (err)
		bench_error("a second thread: %s", strerror(err));
	side->second_runs = !err;
	return -err;
}

static int serve(void *context, unsigned order, struct bench_answer *answer)
{
	struct side *side = context;
	int err;

	if (!(order & ORDER_PAIRS))
		return prepare(side, answer);
	side->order = order;
	if (!(order & ORDER_TWO)) {
		err = timed_pairs(side, 0);
		answer->sample = side->samples[0];
		return err;
	}
	err = side->second_runs ? 0 : start_second(side);
	if (err)
		return err;
	pthread_barrier_wait(&side->barrier);
	side->errors[0] = timed_pairs(side, 0);
	pthread_barrier_wait(&side->barrier);
	answer->sample.ns = side->samples[0].ns + side->samples[1].ns;
	answer->sample.operations = side->samples[0].operations + side->samples[1].operations;
	return side->errors[0] ? side->errors[0] : side->errors[1];
}

/* What a side uses and how many live mappings it has. */
struct contender {
	const struct bench_library *library;
	size_t live;
};

#define CONTENDERS_MAX 3

/* Contenders that map the same subject, each in a process of its own. */
struct arena {
	struct bench_report *report;
	const cpu_set_t *cpus;
	size_t live_limit;
	struct bench_side sides[CONTENDERS_MAX];
	unsigned order; /* for all of them */
};

static int arena_work(void *context, unsigned side, size_t round, struct bench_sample *sample)
{
	const struct arena *arena = context;
	struct bench_answer answer = {0};
	int err = bench_side_ask(&arena->sides[side], arena->order, &answer);

	(void)round;
	*sample = answer.sample;
	return err;
}

static void arena_close(struct arena *arena)
{
	for (unsigned i = 0; i < CONTENDERS_MAX; i++)
		bench_side_stop(&arena->sides[i]);
}

static int arena_open(struct arena *arena, const struct contender *contenders, unsigned count,
		      int fd)
{
	struct bench_answer first, answer;
	int err = 0;

	for (unsigned i = 0; !err && i < count; i++) {
		struct side side = {
			.library = contenders[i].library,
			.subject = {.fd = fd, .flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0)},
			.cpus = arena->cpus,
			.live = contenders[i].live,
		};

		/* The process has a copy of its own. */
		err = bench_side_start(&arena->sides[i], serve, &side);
		if (!err)
			err = bench_side_ask(&arena->sides[i], ORDER_DESCRIBE,
					     i ? &answer : &first);
		if (!err && i && contenders[i].live == contenders[0].live &&
		    strcmp(first.text, answer.text) != 0) {
			bench_error("the sides do not map the same: %s; %s", first.text,
				    answer.text);
			err = -EINVAL;
		}
	}
	if (err)
		arena_close(arena);
	return err;
}

/* Carries the plan out, of which name, what and peers are set. */
static int measure(struct arena *arena, struct bench_plan plan, unsigned order)
{
	const struct bench_options *options = arena->report->options;

	arena->order = ORDER_PAIRS | order;
	plan.warm_up = WARM_UP_ROUNDS;
	plan.rounds = options->rounds;
	plan.ns = (uint64_t)(options->seconds * 1e9 / 2);
	plan.work = arena_work;
	plan.context = arena;
	return bench_report_measure(arena->report, &plan);
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
		bench_error("more than %lu live mappings are skipped: vm.max_map_count is %lu",
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
	  {"map fresh", "the same, each with a new source and configuration", ORDER_FRESH},
	  {"map reused 2t", "as map reused, by two threads at the same time", ORDER_TWO},
	  {"map shared 2t", "as map reused 2t, both with the same source and configuration",
	   ORDER_TWO | ORDER_SHARED},
	  {"map fresh 2t", "as map fresh, by two threads at the same time",
	   ORDER_TWO | ORDER_FRESH}}},
	{1, SCRATCH_FILE, {{"map file", "as map reused, of a file in --scratch", 0}}},
	{1,
	 ANONYMOUS,
	 {{"map anon", "as map reused, of anonymous shared memory", NO_OTHER_TARGET}}},
	{10000,
	 TMPFS,
	 {{"map reused 10k", "as above, with 10,000 other mappings in the process", 0},
	  {"map fresh 10k", NULL, ORDER_FRESH},
	  {"map reused 10k 2t", NULL, ORDER_TWO},
	  {"map fresh 10k 2t", NULL, ORDER_TWO | ORDER_FRESH}}},
	{MANY,
	 TMPFS,
	 {{"map reused 50k", "as above, with 50,000 other mappings in the process", 0},
	  {"map fresh 50k", NULL, ORDER_FRESH},
	  {"map reused 50k 2t", NULL, ORDER_TWO},
	  {"map fresh 50k 2t", NULL, ORDER_TWO | ORDER_FRESH}}},
};

static int measure_scene(struct arena *arena, const struct scene *scene,
			 const struct bench_library *ours, const struct bench_library *other,
			 int fd)
{
	const struct contender contenders[] = {
		{ours, scene->live}, {NULL, scene->live}, {other, scene->live}};
	bool have_other = other->handle;
	int err;

	if (scene->live > arena->live_limit)
		return 0;
	err = arena_open(arena, contenders, 2u + have_other, fd);
	if (err)
		return err;
	for (const struct setting *setting = scene->settings; !err && setting->name; setting++) {
		bool reused = !(setting->order & ORDER_FRESH);
		bool other_target = reused && !(setting->order & NO_OTHER_TARGET);

		if (setting->order & ORDER_TWO && CPU_COUNT(arena->cpus) < 2)
			continue;
		err = measure(arena,
			      (struct bench_plan){
				      .name = setting->name,
				      .what = setting->what,
				      .peers = {{.name = "mmap", .target = reused ? RAW_TARGET : 0},
						{.name = have_other ? "libpmem2" : NULL,
						 .target = other_target ? OTHER_TARGET : 0}},
			      },
			      setting->order);
	}
	arena_close(arena);
	return err;
}

/* One contender beside itself: with many mappings and with one. */
static int measure_flat(struct arena *arena, const struct bench_library *library, int fd)
{
	const struct contender contenders[] = {{library, MANY}, {library, 1}};
	int err;

	if (MANY > arena->live_limit)
		return 0;
	err = arena_open(arena, contenders, 2, fd);
	if (err)
		return err;
	err = measure(arena,
		      (struct bench_plan){
			      .name = library ? "flat ours" : "flat mmap",
			      .what = library ? "map reused 50k; the peer is map reused, which is "
						"ours too"
					      : "the same of mmap + munmap: the kernel's own share",
			      .peers = {{.name = "1 other", .target = library ? FLAT_TARGET : 0}},
		      },
		      0);
	arena_close(arena);
	return err;
}

int bench_map(const struct bench_library *ours, const struct bench_library *other,
	      const cpu_set_t *cpus, struct bench_report *report)
{
	struct arena arena = {.report = report, .cpus = cpus, .live_limit = live_limit()};
	int fds[] = {-1, -1, -1}, err = 0;

	if (CPU_COUNT(cpus) < 2)
		bench_error("two threads are skipped: there is one CPU");
	fds[SCRATCH_FILE] = scratch_file(report);
	if (fds[SCRATCH_FILE] < 0)
		return fds[SCRATCH_FILE];
	fds[TMPFS] = memfd_create("bench", MFD_CLOEXEC);
	if (fds[TMPFS] < 0 || ftruncate(fds[TMPFS], LENGTH)) {
		err = -errno;
		bench_error("memfd: %m");
	}
	for (size_t i = 0; !err && i < sizeof(scenes) / sizeof(*scenes); i++)
		err = measure_scene(&arena, &scenes[i], ours, other, fds[scenes[i].kind]);
	if (!err)
		err = measure_flat(&arena, ours, fds[TMPFS]);
	if (!err)
		err = measure_flat(&arena, NULL, fds[TMPFS]);
	if (fds[TMPFS] >= 0)
		close(fds[TMPFS]);
	close(fds[SCRATCH_FILE]);
	return err;
}
