/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h - the command line of the daemon
 *
 * Owns the defaults, and the strings of struct options. Only main.c and worker.c include it: the
 * other modules are given the values that they need.
 */
#ifndef PMEM2FS_OPTIONS_H
#define PMEM2FS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	char *source;      /* shown by mount(8) and df */
	char *mountpoint;  /* absolute */
	char *socket;      /* absolute; the place where pmem2ctl looks, unless given */
	char *worker;      /* what the keeper passes to its worker; not for users */
	unsigned mode;     /* of the files */
	unsigned rootmode; /* of the root directory */
	double timeout;    /* seconds for which the kernel may cache an entry */
	unsigned max;      /* mappings in total */
	unsigned max_user; /* mappings of one user other than root */
	bool observe;      /* find mappings that processes do not publish, in /proc */
	int allow_other;   /* a user's mount lets other users in; root's always does */
	int foreground, debug;
	int help, version;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_FAILED, OPTIONS_WRONG };

/*
 * OPTIONS_RUN: go on. The others: end with status 0, 1 or 2 (main.c), after printing the help or
 * what is wrong. options_free is to be called in every case.
 */
enum options_result options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

#endif
