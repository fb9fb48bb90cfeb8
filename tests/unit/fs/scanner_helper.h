/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner_helper.h - a scanner, and processes of this host that publish
 */
#ifndef PMEM2FS_TEST_SCANNER_HELPER_H
#define PMEM2FS_TEST_SCANNER_HELPER_H

#include "publisher.h"
#include "scan/scanner.h"
#include "whole_scan.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#define RW (PROT_READ | PROT_WRITE)

static struct scanner *scanner;
static struct scan_exclusions skip;
static int file, sockets[2];

static inline int begin(void **state)
{
	(void)state;
	skip = (struct scan_exclusions){.own = {getpid()}};
	scanner = scanner_new(&skip);
	file = publisher_file(16 * PAGE);
	return scanner ? socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) : -1;
}

static inline int end(void **state)
{
	(void)state;
	scanner_free(scanner);
	close(file);
	close(sockets[0]);
	close(sockets[1]);
	return 0;
}

/* What the scanner has seen of the tables that it was given. */
static inline void drop(struct scan *scan)
{
	struct passed_table *table_seen;

	while ((table_seen = scan->seen)) {
		scan->seen = table_seen->next;
		if (table_seen->fd >= 0)
			close(table_seen->fd);
		if (table_seen->pidfd >= 0)
			close(table_seen->pidfd);
		free(table_seen);
	}
}

static inline struct scan_report *look_with(enum scan_kind kind, pid_t pid,
					    struct passed_table *tables)
{
	struct scan scan = {.kind = kind, .pid = pid, .tables = tables};

	scan_whole(scanner, &scan);
	assert_null(scan.tables);
	assert_int_equal(scanner_current_process(scanner), 0);
	drop(&scan);
	free(scan.passed_over);
	return scan.report;
}

/* Checks that the report is that of one process's end. */
static inline void assert_gone(struct scan_report *report, uint64_t process)
{
	bool found = false;

	while (report) {
		struct scan_report *next = report->next;

		if (report->gone && report->process == process) {
			assert_false(found);
			found = true;
			assert_int_equal(report->count, 0);
		}
		scan_report_free(report);
		report = next;
	}
	assert_true(found);
}

static inline int pidfd_of(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	assert_true(fd >= 0);
	return fd;
}

static struct table_header *table;

static inline void publishing(unsigned number)
{
	struct pmem2fs_record record;

	switch (number) {
	case 0:
		table = forge_table("pmem2fs", TABLE_VERSION, 10, TABLE_SEALS);
		put(0, 4, RW, MAP_SHARED, file, 2);
		record = truth(0, 4, file, 2);
		publish(table, 0, &record);
		break;
	case 1:
		retire(table, 0);
		break;
	case 2:
		must(!munmap(table, 2 * PAGE));
		break;
	}
}

#endif
