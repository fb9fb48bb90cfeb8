// SPDX-License-Identifier: BSD-3-Clause
/*
 * bench.c - pmem2fs beside tmpfs, the library beside mmap and the other libpmem2, in one run
 *
 * Owns the command line, the order of things and the exit status.
 */
#include "bench/bench.h"
#include "bench/cells.h"
#include "bench/library.h"
#include "bench/message.h"
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_MEASURED = 0, EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_MISSED = 3 };

#define MAPPINGS_MAX 1000000

static const char *const measurements[BENCH_MEASUREMENTS] = {
	[BENCH_CREATE] = "create",   [BENCH_STAT] = "stat",       [BENCH_READ] = "read",
	[BENCH_LIST] = "ls-U",       [BENCH_LIST_SORTED] = "ls",  [BENCH_EXPIRED] = "expired",
	[BENCH_LIST_LONG] = "ls-l",  [BENCH_REMOVE] = "rm",       [BENCH_MEMORY] = "memory",
	[BENCH_CROWD] = "crowd",     [BENCH_PUBLISH] = "publish", [BENCH_MAP] = "map",
	[BENCH_PERSIST] = "persist", [BENCH_MEMCPY] = "memcpy",   [BENCH_MEMMOVE] = "memmove",
	[BENCH_MEMSET] = "memset",
};

static const char help[] =
	"Usage: bench [OPTION]... [MEASUREMENT]...\n"
	"Measures pmem2fs and the library beside their peers in one run and prints ratios.\n"
	"\n"
	"  create   open + write + close of a request       against files on tmpfs\n"
	"  stat     fstatat of all names, again and again\n"
	"  read     open + read + close of all documents\n"
	"  ls-U     a listing of all names\n"
	"  ls       the same, sorted\n"
	"  expired  stat of names that the kernel must look up again\n"
	"  ls-l     the first listing with lstat of each name\n"
	"  rm       unlink\n"
	"  memory   resident memory of keeper and worker for each mapping\n"
	"  crowd    ls -U of the mappings of 1,001 processes, 160,000 in all\n"
	"  publish  map + unmap, with 1 and 10,000 others   against the same with PMEM2FS=off\n"
	"  map      map + unmap, with 1, 10,000 and 50,000  against mmap + munmap and libpmem2\n"
	"           others, one thread and two\n"
	"  persist  of 64 B to 1 MiB                        against libpmem2 and msync\n"
	"  memcpy, memmove, memset  of 8 B to 64 MiB        against libpmem2\n"
	"Without MEASUREMENT: all. The first eleven need root and start a daemon of their own,\n"
	"in name spaces of their own.\n"
	"\n"
	"      --daemon PATH    the pmem2fs to measure (default: ../fs/pmem2fs beside bench)\n"
	"  -o OPTIONS           more mount options for it\n"
	"      --library PATH   our library (default: ../lib/libpmem2fs.so beside bench)\n"
	"      --libpmem2 PATH  the other one (default: the system's libpmem2.so.1); with the\n"
	"                       same PATH for both every ratio must be about 1\n"
	"  -n, --mappings N     how many mappings the daemon holds (default 10000)\n"
	"  -r, --rounds N       at least N rounds each (default 30; 10 where each must wait, and\n"
	"                       for each size)\n"
	"  -s, --seconds S      and at least S seconds each (default 3; half of it for each line\n"
	"                       of map, a 60th for each size)\n"
	"      --pin            daemon and bench on one CPU (default: only bench on one)\n"
	"      --scratch DIR    where to map a file (default: /var/tmp)\n"
	"      --peer DIR       measure files in DIR instead of pmem2fs: with a DIR on tmpfs\n"
	"                       every ratio must be about 1\n"
	"      --json           machine-readable output\n"
	"      --check          exit status 3 when a target is missed or skipped\n"
	"  -h, --help           this text\n"
	"\n"
	"The sizes of persist, memcpy, memmove and memset: ours is slower when the lower\n"
	"quartile of its ratios is above 1 + noise, in three trials at other addresses each.\n"
	"libpmem2 has a second side in all rounds. How far from 1 the farther quartile of its\n"
	"ratios to itself is, is the noise of a size; the noise of the run is what three sizes\n"
	"out of four do not exceed; the larger one counts.\n"
	"\n"
	"Exit status: 0 measured, 1 failed, 2 wrong usage, 3 target missed (with --check).\n";

static int usage(const char *reason, const char *what)
{
	message_error("%s %s (bench --help tells more)", reason, what);
	return EXIT_USAGE;
}

static bool parse_number(const char *text, double low, double high, double *number)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= low && value <= high))
		return false;
	*number = value;
	return true;
}

static bool parse_count(const char *text, size_t high, size_t *count)
{
	double number;

	if (!parse_number(text, 1, (double)high, &number) ||
	    strspn(text, "0123456789") != strlen(text))
		return false;
	*count = (size_t)number;
	return true;
}

enum {
	OPTION_DAEMON = 256,
	OPTION_PIN,
	OPTION_SCRATCH,
	OPTION_PEER,
	OPTION_LIBRARY,
	OPTION_LIBPMEM2,
	OPTION_JSON,
	OPTION_CHECK,
};

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct bench_options *options)
{
	static const struct option longs[] = {
		{"daemon", required_argument, NULL, OPTION_DAEMON},
		{"mappings", required_argument, NULL, 'n'},
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"pin", no_argument, NULL, OPTION_PIN},
		{"scratch", required_argument, NULL, OPTION_SCRATCH},
		{"peer", required_argument, NULL, OPTION_PEER},
		{"library", required_argument, NULL, OPTION_LIBRARY},
		{"libpmem2", required_argument, NULL, OPTION_LIBPMEM2},
		{"json", no_argument, NULL, OPTION_JSON},
		{"check", no_argument, NULL, OPTION_CHECK},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "o:n:r:s:h", longs, NULL)) != -1) {
		switch (option) {
		case OPTION_DAEMON:
			options->daemon = optarg;
			break;
		case 'o':
			if (strlen(optarg) > 512)
				return usage("too long:", optarg);
			options->mount_options = optarg;
			break;
		case 'n':
			if (!parse_count(optarg, MAPPINGS_MAX, &options->mappings))
				return usage("not a number of mappings:", optarg);
			break;
		case 'r':
			if (!parse_count(optarg, 1000000, &options->rounds))
				return usage("not a number of rounds:", optarg);
			break;
		case 's':
			if (!parse_number(optarg, 0, 3600, &options->seconds))
				return usage("not a number of seconds:", optarg);
			break;
		case OPTION_PIN:
			options->pin = true;
			break;
		case OPTION_SCRATCH:
			options->scratch = optarg;
			break;
		case OPTION_PEER:
			if (strlen(optarg) > 256)
				return usage("a path too long:", optarg);
			options->peer = optarg;
			break;
		case OPTION_LIBRARY:
			options->library = optarg;
			break;
		case OPTION_LIBPMEM2:
			options->libpmem2 = optarg;
			break;
		case OPTION_JSON:
			options->json = true;
			break;
		case OPTION_CHECK:
			options->check = true;
			break;
		case 'h':
			fputs(help, stdout);
			return EXIT_MEASURED;
		default:
			return EXIT_USAGE;
		}
	}
	for (; optind < argc; optind++) {
		unsigned which = 0;

		while (which < BENCH_MEASUREMENTS && strcmp(argv[optind], measurements[which]) != 0)
			which++;
		if (which == BENCH_MEASUREMENTS)
			return usage("no such measurement:", argv[optind]);
		options->wanted |= 1u << which;
	}
	if (!options->wanted)
		options->wanted = (1u << BENCH_MEASUREMENTS) - 1;
	return -1;
}

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

/* What the library is asked for, not the daemon. */
#define OF_COPY                                                                                    \
	(1u << BENCH_PERSIST | 1u << BENCH_MEMCPY | 1u << BENCH_MEMMOVE | 1u << BENCH_MEMSET)
#define OF_LIBRARY (1u << BENCH_MAP | OF_COPY)

static int measure_library(const cpu_set_t *cpus, struct bench_report *report)
{
	const struct bench_options *options = report->options;
	struct bench_library ours = {0}, other = {0};
	int err;

	err = bench_library_open_ours(&ours, options->library);
	if (err)
		return err;
	err = bench_library_open_other(&other, options->libpmem2);
	if (err)
		goto close_ours;
	snprintf(report->library, sizeof(report->library), "%s", ours.path);
	snprintf(report->libpmem2, sizeof(report->libpmem2), "%s", other.path);
	if (bench_wants(options, BENCH_MAP))
		err = bench_map(&ours, &other, cpus, report);
	report->skipped = !other.handle;
	if (!err && other.handle && options->wanted & OF_COPY)
		err = bench_copy(&ours, &other, report);
	bench_library_close(&other);
close_ours:
	bench_library_close(&ours);
	return err;
}

/* The sides are to find this daemon and no other. */
static int measure_publishing(const struct bench_stage *stage, const cpu_set_t *cpus,
			      struct bench_report *report)
{
	struct bench_library ours = {0};
	char socket[sizeof(stage->root) + sizeof("/socket")];
	int err = bench_library_open_ours(&ours, report->options->library);

	if (err)
		return err;
	snprintf(socket, sizeof(socket), "%s/socket", stage->root);
	setenv("PMEM2FS_SOCKET", socket, 1);
	snprintf(report->library, sizeof(report->library), "%s", ours.path);
	err = bench_publish(&ours, cpus, report);
	bench_library_close(&ours);
	return err;
}

static int measure_crowd(const struct bench_stage *stage, struct bench_report *report)
{
	struct bench_library ours = {0};
	int err = bench_library_open_ours(&ours, report->options->library);

	if (err)
		return err;
	err = bench_crowd(stage, &ours, report);
	bench_library_close(&ours);
	return err;
}

/* Measures all that is wanted. *stopped: 0, or why the daemon did not end well after that. */
static int measure(const char *folder, struct bench_report *report, int *stopped)
{
	const struct bench_options *options = report->options;
	struct bench_stage stage;
	cpu_set_t cpus;
	int err = 0;

	CPU_ZERO(&cpus);
	sched_getaffinity(0, sizeof(cpus), &cpus);
	report->cpu = sched_getcpu();
	if (options->pin)
		stay_on(report->cpu);
	if (options->wanted & ~OF_LIBRARY) {
		err = bench_stage_start(&stage, folder, options);
		/* Only now: the daemon must not inherit it. */
		stay_on(report->cpu);
		if (!err &&
		    options->wanted & ~(OF_LIBRARY | 1u << BENCH_CROWD | 1u << BENCH_PUBLISH))
			err = bench_fs(&stage, report);
		if (!err && bench_wants(options, BENCH_CROWD) && stage.keeper)
			err = measure_crowd(&stage, report);
		if (!err && bench_wants(options, BENCH_PUBLISH))
			err = measure_publishing(&stage, &cpus, report);
		*stopped = bench_stage_stop(&stage);
	}
	stay_on(report->cpu);
	if (!err && options->wanted & OF_LIBRARY)
		err = measure_library(&cpus, report);
	if (err == -EINTR)
		message_error("interrupted");
	return err;
}

static int measure_and_print(const char *folder, void *context)
{
	const struct bench_options *options = context;
	static struct bench_cells cells;
	struct bench_report report = {.options = options, .cells = &cells};
	int stopped = 0;

	report.complete = !measure(folder, &report, &stopped);
	if (report.complete || report.row_count || cells.count)
		stopped |= bench_report_print(&report);
	if (!report.complete || stopped)
		return EXIT_FAILED;
	return options->check && (bench_report_missed(&report) || report.skipped) ? EXIT_MISSED
										  : EXIT_MEASURED;
}

int main(int argc, char **argv)
{
	static char daemon_path[PATH_MAX], library[PATH_MAX];
	struct bench_options options = {
		.daemon = beside(daemon_path, "../fs/pmem2fs", "pmem2fs"),
		.library = beside(library, "../lib/libpmem2fs.so", "libpmem2fs.so"),
		.scratch = "/var/tmp",
		.mappings = 10000,
		.rounds = 30,
		.seconds = 3,
	};
	struct bench_job job = {.work = measure_and_print, .context = &options};
	int status = parse(argc, argv, &options);

	job.apart = options.wanted & ~OF_LIBRARY;
	return status >= 0 ? status : bench_guard(&job);
}
