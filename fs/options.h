/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * options.h - the command line of the daemon
 */
#ifndef PMEM2FS_OPTIONS_H
#define PMEM2FS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

struct options {
	char *source;      /* shown by mount(8) and df */
	char *mountpoint;  /* absolute */
	char *socket;      /* absolute; the place where pmem2ctl looks, unless given */
	char *worker;      /* what the keeper tells its worker; never given by people */
	unsigned mode;     /* of the files */
	unsigned rootmode; /* of the root directory */
	double timeout;    /* seconds that the kernel may believe an entry */
	unsigned max;      /* mappings in total */
	unsigned max_user; /* mappings of one user other than root */
	bool observe;      /* look for mappings of other processes in /proc */
	int foreground, debug;
	int help, version;
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_FAILED, OPTIONS_WRONG };

/* Says on stdout or stderr what there is to say when the answer is not OPTIONS_RUN. */
enum options_result options_parse(struct options *options, int argc, char **argv);
void options_free(struct options *options);

#endif
