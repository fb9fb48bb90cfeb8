/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_job.c - see scan_job.h
 */
#include "scan/scan_job.h"
#include "base/clock.h"
#include "base/container_of.h"
#include <stdlib.h>

void scan_job_run(struct task *task)
{
	struct scan_job *job = container_of(task, struct scan_job, task);
	uint64_t begun = clock_now();

	if (!job->begun)
		job->begun = begun;
	scanner_scan(job->scanner, &job->scan);
	job->cost += clock_now() - begun;
}

void scan_job_drop_reports(struct scan_job *job)
{
	struct scan_report *report;

	while ((report = job->scan.report)) {
		job->scan.report = report->next;
		scan_report_free(report);
	}
}

void scan_job_free(struct scan_job *job)
{
	user_set_clear(&job->scan.behind);
	free(job->scan.passed_over);
	free(job->scan.pids);
	free(job);
}
