// SPDX-License-Identifier: BSD-3-Clause
/*
 * map_workload.c - sides that map and unmap, each in a process with live mappings of its own
 *
 * Each side has a process with as many live mappings as the others'. mmap asks the kernel for the
 * same as the libraries do: same file, offset, length, protection and flags. That it is the same is
 * not assumed: what /proc/self/smaps shows of each side's mappings is compared first, so a library
 * that maps differently one day fails here instead of comparing unequal things. Calls
 * side_process.c, library.c, report.c, threads.c and message.c.
 */
#include "bench/map_workload.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/library.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/report.h"
#include "bench/side_process.h"
#include "bench/threads.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAIRS          100u /* per round and side: half a millisecond and more */
#define WARM_UP_PAIRS  10u  /* before them: another process had the CPU */
#define WARM_UP_ROUNDS 5

/* What a side is to do, beside how it is to map. */
enum {
	ORDER_DESCRIBE = 0,
	ORDER_PAIRS = 1 << 0,
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
struct side_state {
	const struct library *library; /* NULL: mmap and munmap */
	struct subject subject;
	const cpu_set_t *cpus;
	size_t live;
	enum map_publishing publishing;
	bool alone;
	struct objects objects[THREADS_MAX];
	unsigned order;
};

static int objects_new(const struct side_state *side, struct objects *objects)
{
	const struct library *library = side->library;
	int err;

	err = library->config_new(&objects->config);
	if (err)
		return library_failed(library, "config_new", err);
	library->config_set_required_store_granularity(objects->config, PMEM2_GRANULARITY_PAGE);
	err = side->subject.fd < 0
		      ? library->source_from_anon(&objects->source, MAP_WORKLOAD_LENGTH)
		      : library->source_from_fd(&objects->source, side->subject.fd);
	if (err) {
		err = library_failed(library, "source", err);
		library->config_delete(&objects->config);
	}
	return err;
}

static void objects_delete(const struct side_state *side, struct objects *objects)
{
	side->library->source_delete(&objects->source);
	side->library->config_delete(&objects->config);
}

static int map_one(const struct side_state *side, struct pmem2_map **map, void **address)
{
	int err;

	if (!side->library) {
		*address = mmap(NULL, MAP_WORKLOAD_LENGTH, PROT_READ | PROT_WRITE,
				side->subject.flags, side->subject.fd, 0);
		if (*address != MAP_FAILED)
			return 0;
		err = -errno;
		message_error("mmap: %m");
		return err;
	}
	err = side->library->map_new(map, side->objects[0].config, side->objects[0].source);
	if (err)
		return library_failed(side->library, "map_new", err);
	*address = side->library->map_get_address(*map);
	return 0;
}

/* Describes, by /proc/self/smaps, the area at `address` and of how many there are of the same file.
 */
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

/* Whether this process publishes its mappings. */
static bool has_table(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	bool found = false;

	while (maps && !found && fgets(line, sizeof(line), maps))
		found = strstr(line, "/memfd:pmem2fs ");
	if (maps)
		fclose(maps);
	return found;
}

/* Makes the live mappings, which end with the process, and describes the last one. */
static int prepare(struct side_state *side, struct side_answer *answer)
{
	struct pmem2_map *map;
	void *address = NULL;
	int err = 0;

	if (side->publishing == MAP_PUBLISHING_OFF)
		setenv("PMEM2FS", "off", 1);
	for (unsigned i = 0; side->library && !err && i < THREADS_MAX; i++)
		err = objects_new(side, &side->objects[i]);
	for (size_t i = 0; !err && i < side->live; i++)
		err = map_one(side, &map, &address);
	if (err)
		return err;
	err = describe(address, answer->text, sizeof(answer->text));
	if (err)
		message_error("/proc/self/smaps: %s", strerror(-err));
	if (!err && side->publishing != MAP_PUBLISHING_ANY &&
	    has_table() != (side->publishing == MAP_PUBLISHING_ON)) {
		message_error("a side %s its mappings",
			      side->publishing == MAP_PUBLISHING_ON ? "hides" : "shows");
		err = -EINVAL;
	}
	return err;
}

static int raw_pairs(const struct side_state *side, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		void *address = mmap(NULL, MAP_WORKLOAD_LENGTH, PROT_READ | PROT_WRITE,
				     side->subject.flags, side->subject.fd, 0);

		if (address == MAP_FAILED || munmap(address, MAP_WORKLOAD_LENGTH)) {
			int err = -errno;

			message_error("mmap and munmap: %m");
			return err;
		}
	}
	return 0;
}

static int library_pairs(const struct side_state *side, const struct objects *objects,
			 unsigned count)
{
	const struct library *library = side->library;

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
			return library_failed(library, "map_new", err);
		err = library->map_delete(&map);
		if (err)
			return library_failed(library, "map_delete", err);
		if (!objects)
			objects_delete(side, &fresh);
	}
	return 0;
}

static int pairs(const struct side_state *side, unsigned thread, unsigned count)
{
	const struct objects *own = &side->objects[side->order & MAP_ORDER_SHARED ? 0 : thread];

	if (!side->library)
		return raw_pairs(side, count);
	return library_pairs(side, side->order & MAP_ORDER_FRESH ? NULL : own, count);
}

static int timed_pairs(const struct side_state *side, struct sample *sample)
{
	int err = pairs(side, 0, WARM_UP_PAIRS);
	uint64_t start = clock_now();

	if (!err)
		err = pairs(side, 0, PAIRS);
	*sample = (struct sample){.ns = clock_now() - start, .operations = PAIRS};
	return err;
}

static int one_pair(void *context, unsigned thread)
{
	return pairs(context, thread, 1);
}

static int serve_map_order(void *context, unsigned order, struct side_answer *answer)
{
	struct side_state *side = context;
	unsigned threads = order / MAP_ORDER_THREAD;

	if (!(order & ORDER_PAIRS))
		return prepare(side, answer);
	side->order = order;
	if (!threads)
		return timed_pairs(side, &answer->sample);
	return threads_measure(side->alone ? 1 : threads, side->cpus, one_pair, side,
			       &answer->sample);
}

static int ask_side(void *context, unsigned side, size_t round, struct sample *sample)
{
	struct map_workload *workload = context;
	struct side_answer answer = {0};
	int err = side_process_ask(&workload->sides[side], workload->order, &answer);

	(void)round;
	if (err == -EPIPE)
		workload->dead = side;
	*sample = answer.sample;
	return err;
}

void map_workload_stop(struct map_workload *workload)
{
	for (unsigned i = 0; i < MAP_SIDES_MAX; i++)
		side_process_stop(&workload->sides[i]);
}

int map_workload_start(struct map_workload *workload, const struct map_side *sides, unsigned count,
		       int fd)
{
	struct side_answer first, answer;
	int err = 0;

	for (unsigned i = 0; !err && i < count; i++) {
		struct side_state side = {
			.library = sides[i].library,
			.subject = {.fd = fd, .flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0)},
			.cpus = workload->cpus,
			.live = sides[i].live,
			.publishing = sides[i].publishing,
			.alone = sides[i].alone,
		};

		/* The process has a copy of its own. */
		err = side_process_start(&workload->sides[i], serve_map_order, &side);
		if (!err)
			err = side_process_ask(&workload->sides[i], ORDER_DESCRIBE,
					       i ? &answer : &first);
		if (!err && i && sides[i].live == sides[0].live &&
		    strcmp(first.text, answer.text)) {
			message_error("the sides do not map the same: %s; %s", first.text,
				      answer.text);
			err = -EINVAL;
		}
	}
	if (err)
		map_workload_stop(workload);
	return err;
}

int map_workload_measure(struct map_workload *workload, struct comparison_plan plan, unsigned order)
{
	const struct options *options = workload->report->options;

	workload->order = ORDER_PAIRS | order;
	plan.per_second = order >= MAP_ORDER_THREAD;
	plan.warm_up = WARM_UP_ROUNDS;
	plan.rounds = options->rounds;
	plan.ns = (uint64_t)(options->seconds * 1e9 / 2);
	plan.work = ask_side;
	plan.context = workload;
	return report_measure(workload->report, &plan);
}

int map_workload_file(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC), err;

	if (fd >= 0 && !ftruncate(fd, MAP_WORKLOAD_LENGTH))
		return fd;
	err = -errno;
	message_error("memfd: %m");
	if (fd >= 0)
		close(fd);
	return err;
}
