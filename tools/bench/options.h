/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h - the command line of the bench
 */
#ifndef PMEM2FS_BENCH_OPTIONS_H
#define PMEM2FS_BENCH_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

/* What can be measured; each is a bit of options.wanted. */
enum measurement {
	MEASURE_CREATE,
	MEASURE_STAT,
	MEASURE_READ,
	MEASURE_LIST,
	MEASURE_LIST_SORTED,
	MEASURE_EXPIRED,
	MEASURE_LIST_LONG,
	MEASURE_REMOVE,
	MEASURE_MEMORY,
	MEASURE_CROWD,
	MEASURE_PUBLISH,
	MEASURE_HOLDERS,
	MEASURE_MAP,
	MEASURE_PERSIST,
	MEASURE_MEMCPY,
	MEASURE_MEMMOVE,
	MEASURE_MEMSET,
	MEASUREMENTS,
};

/* The processes of a crowd, and what each maps. */
struct crowd_shape {
	size_t processes;
	size_t mappings; /* of each process */
	size_t files;    /* that these are of, in turn */
	char text[128];  /* says all that */
};

#define OPTIONS_CROWDS_MAX 4

struct options {
	const char *daemon;        /* path of pmem2fs */
	const char *pmem2ctl;      /* path of pmem2ctl */
	const char *mount_options; /* for the daemon's -o, or NULL */
	const char *peer;          /* folder to measure instead of a mount of pmem2fs, or NULL */
	const char *scratch;       /* folder for the file that the library maps */
	const char *library;       /* path of our library */
	const char *libpmem2;      /* path of the other one, NULL: the system's */
	struct crowd_shape crowds[OPTIONS_CROWDS_MAX];
	size_t crowd_count;
	size_t mappings;
	size_t rounds;  /* at least this many per measurement */
	double seconds; /* at least this long per measurement that can be repeated freely */
	unsigned wanted;
	bool pin, busy, json, check;
};

enum options_outcome {
	OPTIONS_MEASURE,
	OPTIONS_HELP_PRINTED,
	OPTIONS_WRONG, /* a message says why */
};

/* Changes the defaults that are in `options` to what the arguments say; they stay in use. */
enum options_outcome options_parse(int argc, char **argv, struct options *options);

static inline bool options_want(const struct options *options, enum measurement which)
{
	return options->wanted & 1u << which;
}

#endif
