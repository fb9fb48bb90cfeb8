/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_event.c - see scan_event.h
 */
#include "scan/scan_event.h"
#include "base/spare_memory.h"
#include <stdlib.h>
#include <unistd.h>

void scan_report_free(struct scan_report *report)
{
	if (!report)
		return;
	for (size_t i = 0; i < report->count; i++)
		free(report->list[i].extents);
	free(report->list);
	spare_memory_note(report->count * sizeof(*report->list));
	if (report->pidfd >= 0)
		close(report->pidfd);
	free(report);
}
