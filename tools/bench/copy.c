// SPDX-License-Identifier: BSD-3-Clause
/*
 * copy.c - persist, memcpy, memmove and memset of two libraries
 *
 * All sides map the same file in memory, so that they work on the same pages, and say that it has
 * each granularity in turn, because the environment says so. The other library has a second side,
 * with mappings of its own: how much its times differ from the first's is the noise.
 *
 * Small sizes walk through a window of addresses, as a log does: writing the same line again and
 * again would measure how long a line that is being flushed cannot be written.
 * Calls comparison.c, copy_results.c, library.c and message.c.
 */
#include "bench/copy.h"
#include "base/clock.h"
#include "bench/comparison.h"
#include "bench/copy_results.h"
#include "bench/interrupt.h"
#include "bench/library.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/report.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB         ((size_t)1024)
#define MIB         (1024 * KIB)
#define LARGEST     (64 * MIB)
#define BUFFER      (LARGEST + LARGEST / 2 + MIB) /* room to move the largest by half of it */
#define WINDOW      MIB                           /* where small sizes walk */
#define LINE        ((size_t)64)
#define SAMPLE_NS   50000 /* of one side and round, at least; a larger size is done once */
#define CALLS_MAX   100000
#define TRIALS      3
#define DEST_SKEW   5 /* of unaligned addresses */
#define SOURCE_SKEW 11
#define PAGE        ((uintptr_t)4096)

enum {
	SIDE_OURS,
	SIDE_OTHER,
	SIDE_OTHER_AGAIN,
	SIDE_MSYNC,
	SIDE_OURS_IDLE = SIDE_MSYNC, /* not measured; gives both libraries as many mappings */
	LIBRARY_SIDES,
};

static const size_t sizes[] = {
	8,         16,        32,      64,      100,     128,      256,      512,      1000,
	1 * KIB,   2 * KIB,   4 * KIB, 8 * KIB, 10000,   16 * KIB, 32 * KIB, 64 * KIB, 128 * KIB,
	256 * KIB, 512 * KIB, 1 * MIB, 2 * MIB, 4 * MIB, 8 * MIB,  16 * MIB, 32 * MIB, 64 * MIB,
};

/* The flags are measured at these only. */
static const size_t flag_sizes[] = {64, 512, 4 * KIB, 64 * KIB, 4 * MIB};

#define PERSIST_SMALLEST 64
#define PERSIST_LARGEST  MIB

/* One library's mapping of the file, with one granularity. */
struct copy_mapping {
	struct pmem2_map *map;
	char *address;
	pmem2_persist_fn persist;
	pmem2_memmove_fn copy, move;
	pmem2_memset_fn set;
};

struct copy_run {
	const struct library *libraries[LIBRARY_SIDES];
	struct copy_mapping mappings[LIBRARY_SIDES][3]; /* by side and granularity */
	char *source;                                   /* of memcpy; ordinary memory */
	const struct copy_result *result;
	size_t calls; /* per side and round */
};

static int map_granularity(const struct library *library, int fd,
			   enum pmem2_granularity granularity, struct copy_mapping *mapping)
{
	static const char *const names[] = {"BYTE", "CACHE_LINE", "PAGE"};
	struct pmem2_config *config = NULL;
	struct pmem2_source *source = NULL;
	const char *what;
	int err;

	setenv("PMEM2_FORCE_GRANULARITY", names[granularity], 1);
	what = "config_new";
	err = library->config_new(&config);
	if (err)
		goto out;
	library->config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE);
	what = "source_from_fd";
	err = library->source_from_fd(&source, fd);
	if (err)
		goto out;
	what = "map_new";
	err = library->map_new(&mapping->map, config, source);
	if (err)
		goto out;
	mapping->address = library->map_get_address(mapping->map);
	mapping->persist = library->get_persist_fn(mapping->map);
	mapping->copy = library->get_memcpy_fn(mapping->map);
	mapping->move = library->get_memmove_fn(mapping->map);
	mapping->set = library->get_memset_fn(mapping->map);
out:
	if (err)
		err = library_failed(library, what, err);
	if (!err && library->map_get_store_granularity(mapping->map) != granularity) {
		message_error("%s: has not the granularity that was forced", library->path);
		err = -EINVAL;
	}
	library->source_delete(&source);
	library->config_delete(&config);
	return err;
}

/* No call that is measured is to be the first on its page. */
static void touch(char *address, size_t length)
{
	for (size_t i = 0; i < length; i += PAGE)
		((volatile char *)address)[i] = 1;
}

/* In another order for each trial, so that the kernel's choice of addresses favours none. */
static int map_all(struct copy_run *run, int fd, unsigned trial)
{
	int err = 0;

	for (unsigned i = 0; !err && i < LIBRARY_SIDES; i++) {
		unsigned side = (i + trial) % LIBRARY_SIDES;

		for (unsigned g = 0; !err && g < 3; g++) {
			struct copy_mapping *mapping = &run->mappings[side][g];

			err = map_granularity(run->libraries[side], fd, (enum pmem2_granularity)g,
					      mapping);
			if (!err)
				touch(mapping->address, BUFFER);
			if (!err && interrupt_pending)
				err = -EINTR;
		}
	}
	unsetenv("PMEM2_FORCE_GRANULARITY");
	return err;
}

static void unmap_all(struct copy_run *run)
{
	for (unsigned i = 0; i < LIBRARY_SIDES; i++)
		for (unsigned g = 0; g < 3; g++)
			if (run->mappings[i][g].map)
				run->libraries[i]->map_delete(&run->mappings[i][g].map);
}

/* Where the calls of one sample go. */
struct walk {
	size_t step, end, at;
};

/* A call touches `extent` bytes. */
static struct walk walk_new(size_t extent)
{
	size_t step = (extent + LINE - 1) / LINE * LINE;

	return (struct walk){.step = step, .end = step > WINDOW ? 1 : WINDOW - step + 1};
}

static size_t walk_next(struct walk *walk)
{
	size_t at = walk->at;

	walk->at += walk->step;
	if (walk->at >= walk->end)
		walk->at = 0;
	return at;
}

/* Writes to each line, which is as much work for all sides, and makes that persistent. */
static void call_persist(const struct copy_run *run, const struct copy_mapping *mapping, bool raw)
{
	size_t size = run->result->size;
	size_t skew = copy_variants[run->result->variant].unaligned ? DEST_SKEW : 0;
	struct walk walk = walk_new(size + skew);

	for (size_t i = 0; i < run->calls; i++) {
		char *dest = mapping->address + walk_next(&walk) + skew;

		for (size_t at = 0; at < size; at += LINE)
			((volatile char *)dest)[at] = (char)i;
		if (raw) {
			uintptr_t begin = (uintptr_t)dest / PAGE * PAGE;

			msync((void *)begin, (uintptr_t)dest + size - begin, MS_SYNC);
		} else {
			mapping->persist(dest, size);
		}
	}
}

static void call_memcpy(const struct copy_run *run, const struct copy_mapping *mapping)
{
	const struct copy_variant *variant = &copy_variants[run->result->variant];
	size_t size = run->result->size;
	char *dest = mapping->address + (variant->unaligned ? DEST_SKEW : 0);
	const char *source = run->source + (variant->unaligned ? SOURCE_SKEW : 0);
	struct walk walk = walk_new(size + SOURCE_SKEW);

	for (size_t i = 0; i < run->calls; i++) {
		size_t at = walk_next(&walk);

		mapping->copy(dest + at, source + at, size, variant->flags);
	}
}

/* Moves by half of the size, up and down in turn: so the ranges overlap, which copy's never do. */
static void call_memmove(const struct copy_run *run, const struct copy_mapping *mapping)
{
	const struct copy_variant *variant = &copy_variants[run->result->variant];
	size_t size = run->result->size;
	size_t half = size >= 2 * LINE ? size / 2 / LINE * LINE : size / 2;
	size_t shift = variant->unaligned ? half | 1 : half;
	char *low = mapping->address + (variant->unaligned ? DEST_SKEW : 0);
	struct walk walk = walk_new(size + shift + DEST_SKEW);

	for (size_t i = 0; i < run->calls; i++) {
		char *from = low + walk_next(&walk), *to = from + shift;

		if (i & 1)
			mapping->move(from, to, size, variant->flags);
		else
			mapping->move(to, from, size, variant->flags);
	}
}

static void call_memset(const struct copy_run *run, const struct copy_mapping *mapping)
{
	const struct copy_variant *variant = &copy_variants[run->result->variant];
	size_t size = run->result->size;
	char *dest = mapping->address + (variant->unaligned ? DEST_SKEW : 0);
	struct walk walk = walk_new(size + DEST_SKEW);

	for (size_t i = 0; i < run->calls; i++)
		mapping->set(dest + walk_next(&walk), (int)i, size, variant->flags);
}

static void do_calls(const struct copy_run *run, unsigned side)
{
	const struct copy_mapping *mapping =
		&run->mappings[side == SIDE_MSYNC ? SIDE_OTHER : side]
			      [copy_variants[run->result->variant].granularity];

	switch (run->result->function) {
	case MEASURE_PERSIST:
		call_persist(run, mapping, side == SIDE_MSYNC);
		break;
	case MEASURE_MEMCPY:
		call_memcpy(run, mapping);
		break;
	case MEASURE_MEMMOVE:
		call_memmove(run, mapping);
		break;
	default:
		call_memset(run, mapping);
		break;
	}
}

/*
 * Only the second time counts: what the caches hold is by then what the side itself leaves there,
 * not what the one before left.
 */
static int time_calls(void *context, unsigned side, size_t round, struct sample *sample)
{
	const struct copy_run *run = context;
	uint64_t start;

	(void)round;
	do_calls(run, side);
	start = clock_now();
	do_calls(run, side);
	*sample = (struct sample){.ns = clock_now() - start, .operations = run->calls};
	return 0;
}

/* How many calls make a sample that is long enough for the clock. */
static void choose_calls(struct copy_run *run)
{
	struct sample sample;

	run->calls = 1;
	for (;;) {
		time_calls(run, SIDE_OTHER, 0, &sample);
		if (sample.ns >= SAMPLE_NS || run->calls >= CALLS_MAX)
			return;
		run->calls *= 2;
	}
}

static int measure_result(struct copy_run *run, const struct options *options,
			  struct copy_result *result)
{
	bool with_msync = result->function == MEASURE_PERSIST &&
			  copy_variants[result->variant].granularity == PMEM2_GRANULARITY_PAGE;
	struct comparison_plan plan = {
		.name = "copy",
		.peers = {{.name = "libpmem2"},
			  {.name = "libpmem2", .again = true},
			  {.name = with_msync ? "msync" : NULL}},
		.warm_up = 1,
		.rounds = (options->rounds + 2) / 3,
		.ns = (uint64_t)(options->seconds * 1e9 / 60),
		.work = time_calls,
		.context = run,
	};
	struct comparison_row rows[COMPARISON_PEERS_MAX];
	int err;

	run->result = result;
	choose_calls(run);
	err = comparison_run(&plan, rows);
	if (err == -ENOMEM)
		message_error("%s: %s", plan.name, strerror(ENOMEM));
	if (err)
		return err;
	result->row = rows[0];
	result->equal = rows[1].ratio;
	result->raw = with_msync ? rows[2].ratio.median : 0;
	result->trials++;
	return 0;
}

static bool has_size(enum measurement function, unsigned variant, size_t size)
{
	if (function == MEASURE_PERSIST)
		return variant < COPY_PLAIN_VARIANTS && size >= PERSIST_SMALLEST &&
		       size <= PERSIST_LARGEST;
	for (size_t i = 0; i < sizeof(flag_sizes) / sizeof(*flag_sizes); i++)
		if (flag_sizes[i] == size)
			return true;
	return variant < COPY_PLAIN_VARIANTS;
}

static int measure_function(struct copy_run *run, enum measurement function, struct report *report)
{
	struct copy_results *results = report->copies;
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(sizes) / sizeof(*sizes); i++)
		for (unsigned variant = 0; !err && variant < COPY_VARIANTS; variant++) {
			struct copy_result *result = &results->list[results->count];

			if (!has_size(function, variant, sizes[i]))
				continue;
			*result = (struct copy_result){
				.function = function, .variant = variant, .size = sizes[i]};
			err = measure_result(run, report->options, result);
			if (!err)
				results->count++;
		}
	return err;
}

/* Each of the wanted functions once. */
static int measure_all(struct copy_run *run, struct report *report)
{
	int err = 0;

	for (int function = MEASURE_PERSIST; !err && function <= MEASURE_MEMSET; function++)
		if (options_want(report->options, (enum measurement)function))
			err = measure_function(run, (enum measurement)function, report);
	return err;
}

/*
 * Those that seem to be slower, at other addresses: of hundreds of results some are unlucky once.
 * The noise of the run stays that of the first trial.
 */
static int measure_slower_again(struct copy_run *run, struct report *report)
{
	struct copy_results *results = report->copies;
	int err = 0;

	for (size_t i = 0; !err && i < results->count; i++)
		if (copy_result_is_slower(results, &results->list[i]))
			err = measure_result(run, report->options, &results->list[i]);
	return err;
}

/* A file in memory, all of which is there. */
static int buffer_file(void)
{
	int fd = memfd_create("bench", MFD_CLOEXEC), err;

	if (fd >= 0 && !ftruncate(fd, (off_t)BUFFER) && !fallocate(fd, 0, 0, (off_t)BUFFER))
		return fd;
	err = -errno;
	message_error("memfd of %zu bytes: %m", BUFFER);
	if (fd >= 0)
		close(fd);
	return err;
}

int copy_measure(const struct library *ours, const struct library *other, struct report *report)
{
	struct copy_run run = {.libraries = {[SIDE_OURS] = ours,
					     [SIDE_OTHER] = other,
					     [SIDE_OTHER_AGAIN] = other,
					     [SIDE_OURS_IDLE] = ours}};
	int fd, err = 0;

	fd = buffer_file();
	if (fd < 0)
		return fd;
	run.source = mmap(NULL, LARGEST + MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (run.source == MAP_FAILED) {
		err = -errno;
		message_error("%zu bytes: %m", LARGEST);
		goto close;
	}
	touch(run.source, LARGEST + MIB);
	for (unsigned trial = 0; !err && trial < TRIALS; trial++) {
		if (trial && !copy_results_slower(report->copies))
			break;
		err = map_all(&run, fd, trial);
		if (!err && trial)
			err = measure_slower_again(&run, report);
		else if (!err)
			err = measure_all(&run, report);
		if (!trial)
			copy_results_note_noise(report->copies);
		unmap_all(&run);
	}
	munmap(run.source, LARGEST + MIB);
close:
	close(fd);
	return err;
}
