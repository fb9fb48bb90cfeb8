/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bench.h - what the parts of bench share
 */
#ifndef PMEM2FS_BENCH_H
#define PMEM2FS_BENCH_H

#include "bench/comparison.h"
#include "bench/options.h"
#include <limits.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_ROWS_MAX 64

struct bench_cells;

/* Resident memory of one process: without mappings, with all of them, after they are removed. */
struct bench_memory {
	uint64_t rss[3], pss[3]; /* bytes */
};

struct bench_report {
	const struct options *options;
	int cpu;                 /* that bench runs on */
	char scratch_fs[32];     /* kind of file system of options.scratch */
	char library[PATH_MAX];  /* file that ours was; empty: none was needed */
	char libpmem2[PATH_MAX]; /* file that the other library was; empty: there is none */
	size_t document_size;    /* bytes of the first document */
	size_t busy;             /* times that rm said EBUSY and was repeated */
	bool complete;           /* all that was wanted was measured */
	bool skipped;            /* but for what needs the other library, which is not there */
	struct comparison_row rows[BENCH_ROWS_MAX];
	size_t row_count;
	struct bench_cells *cells; /* of cells.h */
	bool have_memory;
	struct bench_memory keeper, worker;
};

/* Measures and adds the rows. */
int bench_report_measure(struct bench_report *report, const struct comparison_plan *plan);

/* Prints the report as a table or as JSON. Returns 0, or -ENOMEM, or -EIO. */
int bench_report_print(const struct bench_report *report);

/* How many targets were missed. */
unsigned bench_report_missed(const struct bench_report *report);

/* guard.c: an orderly end in all cases */

struct bench_job {
	/* Is given an empty folder to mount on. Returns the exit status. */
	int (*work)(const char *folder, void *context);
	void *context;
	bool apart; /* in name spaces of its own, which needs root */
};

/*
 * Does the job in a process of its own and removes the folder and all processes that it leaves
 * behind. Returns the exit status of the work, or 1.
 */
int bench_guard(const struct bench_job *job);

/* side.c: a process for each side */

struct bench_side {
	pid_t pid; /* 0: none */
	int socket;
};

struct bench_answer {
	int err;
	struct sample sample;
	char text[256];
};

/* Carries an order out, in the side's process. Returns 0 or a negative errno after a message. */
typedef int bench_side_serve(void *context, unsigned order, struct bench_answer *answer);

/* Starts a process that serves. Returns 0 or a negative errno after a message. */
int bench_side_start(struct bench_side *side, bench_side_serve *serve, void *context);

/* Has an order carried out. Returns what `serve` did, -EINTR, or -EPIPE after a message. */
int bench_side_ask(const struct bench_side *side, unsigned order, struct bench_answer *answer);

void bench_side_stop(struct bench_side *side);

/* stage.c: where the file systems are compared */

struct bench_stage {
	char root[128];    /* a tmpfs of our own */
	char side[2][320]; /* folders with the mappings and with the files of tmpfs */
	char source[320];  /* the file that is mapped */
	bool mounted;      /* the tmpfs is there */
	bool peer;         /* side[0] is a folder that was made on another file system */
	pid_t keeper;      /* 0: no daemon */
};

/*
 * Sets the stage up on `folder`, with a daemon unless options.peer, in a job that is apart. After a
 * failure, too, it wants bench_stage_stop.
 */
int bench_stage_start(struct bench_stage *stage, const char *folder, const struct options *options);

/* Ends the daemon and removes what the end of this process does not. Returns 0 or -EIO. */
int bench_stage_stop(struct bench_stage *stage);

/* Shows the end of the daemon's log on stderr. */
void bench_stage_show_log(const struct bench_stage *stage);

/* fs.c: mappings as files, against files on tmpfs */
int bench_fs(const struct bench_stage *stage, struct bench_report *report);

struct bench_library;

/* crowd.c: a listing of the mappings of many processes, against a folder of tmpfs */
int bench_crowd(const struct bench_stage *stage, const struct bench_library *ours,
		struct bench_report *report);

/*
 * map.c: our library, against mmap and munmap and, if it is there, the other library. May use
 * all of `cpus`.
 */
int bench_map(const struct bench_library *ours, const struct bench_library *other,
	      const cpu_set_t *cpus, struct bench_report *report);

/* publish.c: our library, showing its mappings to a daemon or not */
int bench_publish(const struct bench_library *ours, const cpu_set_t *cpus,
		  struct bench_report *report);

/* copy.c: persist, memcpy, memmove and memset, against the other library */
int bench_copy(const struct bench_library *ours, const struct bench_library *other,
	       struct bench_report *report);

/* memory.c: what the daemon's processes occupy */

/* Takes sample `when` (0..2) of the keeper and its worker. */
int bench_memory_sample(pid_t keeper, unsigned when, struct bench_report *report);

#endif
