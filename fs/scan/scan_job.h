/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_job.h - a scan that is under way, as a task of the pool
 *
 * Part of scan_queue.c, which decides what is done next: each part is a run of the task.
 */
#ifndef PMEM2FS_SCAN_SCAN_JOB_H
#define PMEM2FS_SCAN_SCAN_JOB_H

#include "base/stuck_threads.h"
#include "base/thread_pool.h"
#include "base/waiter.h"
#include "scan/scanner.h"
#include <stdbool.h>
#include <stdint.h>

struct scan_queue;

struct scan_job {
	struct task task;
	struct scan_queue *scan_queue;
	struct scanner *scanner;
	struct scan scan;
	struct progress progress;
	uint64_t begun, cost; /* clock_now(), and the time of all parts: set by the thread */
	unsigned lane;
	bool abandoned;              /* the thread is stuck, and another scanner is in use */
	bool done;                   /* this part has ended, and its reports are being taken in */
	struct passed_table *copies; /* of the tables that it looks at */
	struct waiter *waiters;
};

/* Makes a part of the scan, in the thread. */
void scan_job_run(struct task *task);

void scan_job_drop_reports(struct scan_job *job);

/* All but tables, copies of tables, reports and waiters. */
void scan_job_free(struct scan_job *job);

#endif
