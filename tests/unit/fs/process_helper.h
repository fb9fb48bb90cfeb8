/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_helper.h - scans of a process that publishes what the test says, true or not
 */
#ifndef PMEM2FS_TEST_PROCESS_HELPER_H
#define PMEM2FS_TEST_PROCESS_HELPER_H

#include "dax_fake.h"
#include "publisher.h"
#include "scan/process_scan.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define RW (PROT_READ | PROT_WRITE)

static int plain;
static struct scanned_process *process;
static struct publisher publisher;
static struct scan_context context;

static inline int begin(void **state)
{
	(void)state;
	plain = publisher_file(FILE_PAGES * PAGE);
	dax_file = publisher_file(FILE_PAGES * PAGE);
	other = publisher_file(FILE_PAGES * PAGE);
	context = (struct scan_context){.seed = 5, .room = 1000000, .uid = 12, .gid = 34};
	return 0;
}

static inline int end(void **state)
{
	(void)state;
	close(plain);
	close(dax_file);
	close(other);
	return 0;
}

static inline void start(void (*step)(unsigned number))
{
	int pidfd;

	publisher_start(&publisher, step);
	pidfd = (int)syscall(SYS_pidfd_open, publisher.pid, 0);
	assert_true(pidfd >= 0);
	process = scanned_process_new(77, publisher.pid, pidfd);
	assert_non_null(process);
}

static inline void stop(void)
{
	struct scan_report *report;

	publisher_stop(&publisher);
	assert_int_equal(process_scan(process, &context, &report), -ESRCH);
	assert_null(report);
	scanned_process_free(process);
}

/* The next scan, whose report must have that many entries. */
static inline struct scan_report *scan(size_t count)
{
	struct scan_report *report;

	assert_int_equal(process_scan(process, &context, &report), 0);
	if (!count) {
		assert_null(report);
		return NULL;
	}
	assert_non_null(report);
	assert_int_equal(report->count, count);
	assert_int_equal(report->process, 77);
	assert_int_equal(report->uid, 12);
	assert_int_equal(report->gid, 34);
	return report;
}

static inline void step(void)
{
	publisher_step(&publisher);
}

static inline void assert_told(const struct scan_report *report, size_t i,
			       enum scan_event_kind kind, enum origin origin, size_t page,
			       size_t pages)
{
	const struct scan_event *event = &report->list[i];

	assert_int_equal(event->kind, kind);
	assert_int_equal(event->origin, origin);
	if (kind == SCAN_EVENT_GONE)
		return;
	assert_int_equal(event->record.address, (uintptr_t)place + page * PAGE);
	assert_int_equal(event->record.length, pages * PAGE);
	assert_int_equal(event->record.uid, 12);
	assert_int_equal(event->record.gid, 34);
}

#define NEW(report, i, page, pages)                                                                \
	assert_told(report, i, SCAN_EVENT_NEW, ORIGIN_PUBLISHED, page, pages)
#define CHANGED(report, i, page, pages)                                                            \
	assert_told(report, i, SCAN_EVENT_CHANGED, ORIGIN_PUBLISHED, page, pages)
#define GONE(report, i) assert_told(report, i, SCAN_EVENT_GONE, ORIGIN_PUBLISHED, 0, 0)

static struct table_header *table;

static inline void make_table(uint32_t slots)
{
	table = forge_table("pmem2fs", TABLE_VERSION, slots, TABLE_SEALS);
}

static inline void claim(uint32_t slot, size_t page, size_t pages, int fd, size_t file_page)
{
	struct pmem2fs_record record = truth(page, pages, fd, file_page);

	publish(table, slot, &record);
}

#endif
