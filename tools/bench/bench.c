// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench.c - pmem2fs beside tmpfs, the library beside mmap and the other libpmem2, in one run
 *
 * Owns the order of things and the exit status. Calls all other files.
 */
#include "bench/busy.h"
#include "bench/copy.h"
#include "bench/copy_results.h"
#include "bench/crowd_rows.h"
#include "bench/files.h"
#include "bench/fixture.h"
#include "bench/holders.h"
#include "bench/library.h"
#include "bench/map.h"
#include "bench/message.h"
#include "bench/options.h"
#include "bench/publish.h"
#include "bench/report.h"
#include "bench/supervisor.h"
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_MEASURED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISSED = 3 };

/* A file of the build that this program is of, else `otherwise`. */
static const char *beside(char path[PATH_MAX], const char *file, const char *otherwise)
{
	ssize_t length = readlink("/proc/self/exe", path, PATH_MAX - 1);
	char *slash;

	if (length < 0)
		return otherwise;
	path[length] = '\0';
	slash = strrchr(path, '/');
	length = slash + 1 - path;
	if (snprintf(slash + 1, PATH_MAX - (size_t)length, "%s", file) >= PATH_MAX - length)
		return otherwise;
	return path;
}

/* Stays on the CPU where it runs, so that no move between CPUs falls into a round. */
static void stay_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Measurements of the library, which need no daemon. */
#define OF_COPY                                                                                    \
	(1u << MEASURE_PERSIST | 1u << MEASURE_MEMCPY | 1u << MEASURE_MEMMOVE |                    \
	 1u << MEASURE_MEMSET)
#define OF_LIBRARY (1u << MEASURE_MAP | OF_COPY)

static int measure_library(const cpu_set_t *cpus, struct report *report)
{
	const struct options *options = report->options;
	struct library ours = {0}, other = {0};
	int err;

	err = library_open_ours(&ours, options->library);
	if (err)
		return err;
	err = library_open_other(&other, options->libpmem2);
	if (err)
		goto close_ours;
	snprintf(report->library, sizeof(report->library), "%s", ours.path);
	snprintf(report->libpmem2, sizeof(report->libpmem2), "%s", other.path);
	if (options_want(options, MEASURE_MAP))
		err = map_measure(&ours, &other, cpus, report);
	report->skipped |= !other.handle;
	if (!err && other.handle && options->wanted & OF_COPY)
		err = copy_measure(&ours, &other, report);
	library_close(&other);
close_ours:
	library_close(&ours);
	return err;
}

/* The sides inherit the environment, and so publish to the daemon of the fixture. */
static int measure_publishing(const struct fixture *fixture, const cpu_set_t *cpus,
			      struct report *report)
{
	struct library ours = {0};
	int err = library_open_ours(&ours, report->options->library);

	if (err)
		return err;
	fixture_use_socket(fixture);
	snprintf(report->library, sizeof(report->library), "%s", ours.path);
	err = publish_measure(&ours, cpus, report);
	library_close(&ours);
	return err;
}

static int measure_crowd(const struct fixture *fixture, struct report *report)
{
	struct library ours = {0};
	int err = library_open_ours(&ours, report->options->library);

	if (err)
		return err;
	err = crowd_rows_measure(fixture, &ours, report);
	library_close(&ours);
	return err;
}

/* Measures all that is wanted. *stopped: 0, or why the daemon did not end well after that. */
static int measure_wanted(const char *folder, struct report *report, int *stopped)
{
	const struct options *options = report->options;
	struct fixture fixture;
	static struct busy busy;
	cpu_set_t cpus;
	int err = 0;

	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	report->cpu = sched_getcpu();
	if (options->pin)
		stay_on(report->cpu);
	if (options->busy) {
		err = busy_start(&busy, &cpus, report->cpu);
		report->busy_cpus = busy.count;
	}
	if (!err && options->wanted & ~OF_LIBRARY) {
		err = fixture_start(&fixture, folder, options);
		/* Only now: the daemon must not inherit it. */
		stay_on(report->cpu);
		if (!err && options->wanted & ~(OF_LIBRARY | 1u << MEASURE_CROWD |
						1u << MEASURE_PUBLISH | 1u << MEASURE_HOLDERS))
			err = files_measure(&fixture, report);
		if (!err && options_want(options, MEASURE_CROWD) && fixture.keeper)
			err = measure_crowd(&fixture, report);
		if (!err && options_want(options, MEASURE_PUBLISH))
			err = measure_publishing(&fixture, &cpus, report);
		if (!err && options_want(options, MEASURE_HOLDERS) && fixture.keeper)
			err = holders_measure(&fixture, options->pmem2ctl, report);
		*stopped = fixture_stop(&fixture);
	}
	stay_on(report->cpu);
	if (!err && options->wanted & OF_LIBRARY)
		err = measure_library(&cpus, report);
	busy_stop(&busy);
	if (err == -EINTR)
		message_error("interrupted");
	return err;
}

static int measure_and_print(const char *folder, void *context)
{
	const struct options *options = context;
	static struct copy_results copies;
	struct report report = {.options = options, .copies = &copies};
	int stopped = 0;

	report.complete = !measure_wanted(folder, &report, &stopped);
	if (report.complete || report.row_count || copies.count)
		stopped |= report_print(&report);
	if (!report.complete || stopped)
		return EXIT_FAILED;
	return options->check && (report_missed(&report) || report.skipped) ? EXIT_MISSED
									    : EXIT_MEASURED;
}

int main(int argc, char **argv)
{
	static char daemon_path[PATH_MAX], pmem2ctl[PATH_MAX], library[PATH_MAX];
	struct options options = {
		.daemon = beside(daemon_path, "../fs/pmem2fs", "pmem2fs"),
		.pmem2ctl = beside(pmem2ctl, "pmem2ctl", "pmem2ctl"),
		.library = beside(library, "../lib/libpmem2fs.so", "libpmem2fs.so"),
		.scratch = "/var/tmp",
		.mappings = 10000,
		.rounds = 30,
		.seconds = 3,
	};
	struct supervisor_job job = {.work = measure_and_print, .context = &options};

	switch (options_parse(argc, argv, &options)) {
	case OPTIONS_MEASURE:
		job.apart = options.wanted & ~OF_LIBRARY;
		return supervisor_run(&job);
	case OPTIONS_HELP_PRINTED:
		return EXIT_MEASURED;
	default:
		return EXIT_USAGE;
	}
}
