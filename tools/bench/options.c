// SPDX-License-Identifier: BSD-3-Clause
/*
 * options.c - the command line of the bench
 *
 * Owns the names of the measurements and the text of --help. Calls message.c.
 */
#include "bench/options.h"
#include "bench/message.h"
#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPINGS_MAX 1000000

static const char *const measurements[MEASUREMENTS] = {
	[MEASURE_CREATE] = "create",   [MEASURE_STAT] = "stat",       [MEASURE_READ] = "read",
	[MEASURE_LIST] = "ls-U",       [MEASURE_LIST_SORTED] = "ls",  [MEASURE_EXPIRED] = "expired",
	[MEASURE_LIST_LONG] = "ls-l",  [MEASURE_REMOVE] = "rm",       [MEASURE_MEMORY] = "memory",
	[MEASURE_CROWD] = "crowd",     [MEASURE_PUBLISH] = "publish", [MEASURE_HOLDERS] = "holders",
	[MEASURE_MAP] = "map",         [MEASURE_PERSIST] = "persist", [MEASURE_MEMCPY] = "memcpy",
	[MEASURE_MEMMOVE] = "memmove", [MEASURE_MEMSET] = "memset",
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
	"  crowd    ls -U, first ls -l, pmem2ctl list and   against tmpfs, cat of all maps in\n"
	"           holders with the mappings of many       /proc, lsof and fuser\n"
	"           processes\n"
	"  publish  map + unmap, with 1 and 10,000 others   against the same with PMEM2FS=off\n"
	"  holders  pmem2ctl holders among 1,000 processes  against fuser -m and lsof together\n"
	"  map      map + unmap, with 1, 10,000 and 50,000  against mmap + munmap and libpmem2\n"
	"           others, one thread and two\n"
	"  persist  of 64 B to 1 MiB                        against libpmem2 and msync\n"
	"  memcpy, memmove, memset  of 8 B to 64 MiB        against libpmem2\n"
	"Without MEASUREMENT: all. The first twelve need root and start a daemon of their own,\n"
	"in name spaces of their own.\n"
	"\n"
	"      --daemon PATH    the pmem2fs to measure (default: ../fs/pmem2fs beside bench)\n"
	"  -o OPTIONS           more mount options for it\n"
	"      --library PATH   our library (default: ../lib/libpmem2fs.so beside bench)\n"
	"      --libpmem2 PATH  the other one (default: the system's libpmem2.so.1); with the\n"
	"                       same PATH for both every ratio must be about 1\n"
	"  -n, --mappings N     how many mappings the daemon holds (default 10000)\n"
	"      --crowd SHAPE    the processes of crowd: PROCESSESxMAPPINGS, or\n"
	"                       PROCESSESxMAPPINGSxFILES, where the mappings of each are of so\n"
	"                       many files, not of one (default: --crowd 1000x100 and\n"
	"                       --crowd 100x1000x1000); up to four times\n"
	"  -r, --rounds N       at least N rounds each (default 30; 10 where each must wait, and\n"
	"                       for each size)\n"
	"  -s, --seconds S      and at least S seconds each (default 3; half of it for each line\n"
	"                       of map, a 60th for each size)\n"
	"      --pin            daemon and bench on one CPU (default: only bench on one)\n"
	"      --busy           keep all other CPUs busy meanwhile\n"
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

static enum options_outcome refuse(const char *reason, const char *what)
{
	message_error("%s %s (bench --help tells more)", reason, what);
	return OPTIONS_WRONG;
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

/* PROCESSESxMAPPINGS[xFILES] */
static bool add_crowd(struct options *options, const char *text)
{
	struct crowd_shape *shape = &options->crowds[options->crowd_count];
	size_t numbers[] = {0, 0, 1}, count = 0;
	char *end;

	do {
		if (count == 3 || !isdigit((unsigned char)*text))
			return false;
		numbers[count] = strtoul(text, &end, 10);
		if (!numbers[count] || numbers[count++] > MAPPINGS_MAX)
			return false;
		text = end + 1;
	} while (*end == 'x');
	if (*end || count < 2 || numbers[0] * numbers[1] > MAPPINGS_MAX || numbers[2] > numbers[1])
		return false;
	*shape = (struct crowd_shape){
		.processes = numbers[0], .mappings = numbers[1], .files = numbers[2]};
	snprintf(shape->text, sizeof(shape->text),
		 "crowd of %zu process%s with %zu mapping%s each, of %zu file%s", shape->processes,
		 shape->processes > 1 ? "es" : "", shape->mappings, shape->mappings > 1 ? "s" : "",
		 shape->files, shape->files > 1 ? "s" : "");
	options->crowd_count++;
	return true;
}

enum {
	OPTION_DAEMON = 256,
	OPTION_CROWD,
	OPTION_PIN,
	OPTION_BUSY,
	OPTION_SCRATCH,
	OPTION_PEER,
	OPTION_LIBRARY,
	OPTION_LIBPMEM2,
	OPTION_JSON,
	OPTION_CHECK,
};

enum options_outcome options_parse(int argc, char **argv, struct options *options)
{
	static const struct option longs[] = {
		{"daemon", required_argument, NULL, OPTION_DAEMON},
		{"mappings", required_argument, NULL, 'n'},
		{"crowd", required_argument, NULL, OPTION_CROWD},
		{"rounds", required_argument, NULL, 'r'},
		{"seconds", required_argument, NULL, 's'},
		{"pin", no_argument, NULL, OPTION_PIN},
		{"busy", no_argument, NULL, OPTION_BUSY},
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
				return refuse("too long:", optarg);
			options->mount_options = optarg;
			break;
		case 'n':
			if (!parse_count(optarg, MAPPINGS_MAX, &options->mappings))
				return refuse("not a number of mappings:", optarg);
			break;
		case OPTION_CROWD:
			if (options->crowd_count == OPTIONS_CROWDS_MAX)
				return refuse("one crowd too many:", optarg);
			if (!add_crowd(options, optarg))
				return refuse("not a crowd:", optarg);
			break;
		case 'r':
			if (!parse_count(optarg, 1000000, &options->rounds))
				return refuse("not a number of rounds:", optarg);
			break;
		case 's':
			if (!parse_number(optarg, 0, 3600, &options->seconds))
				return refuse("not a number of seconds:", optarg);
			break;
		case OPTION_PIN:
			options->pin = true;
			break;
		case OPTION_BUSY:
			options->busy = true;
			break;
		case OPTION_SCRATCH:
			options->scratch = optarg;
			break;
		case OPTION_PEER:
			if (strlen(optarg) > 256)
				return refuse("a path too long:", optarg);
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
			return OPTIONS_HELP_PRINTED;
		default:
			return OPTIONS_WRONG;
		}
	}
	for (; optind < argc; optind++) {
		unsigned which = 0;

		while (which < MEASUREMENTS && strcmp(argv[optind], measurements[which]))
			which++;
		if (which == MEASUREMENTS)
			return refuse("no such measurement:", argv[optind]);
		options->wanted |= 1u << which;
	}
	if (!options->crowd_count) {
		add_crowd(options, "1000x100");
		add_crowd(options, "100x1000x1000");
	}
	if (!options->wanted)
		options->wanted = (1u << MEASUREMENTS) - 1;
	return OPTIONS_MEASURE;
}
