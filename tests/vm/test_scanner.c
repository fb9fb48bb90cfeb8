/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_scanner.c - scans find another process's mappings of a file with DAX and of a device-DAX
 * node
 *
 * PMEM2FS_TEST_FSDAX is a folder on a file system with DAX, PMEM2FS_TEST_PLAIN one on the same kind
 * of device without, PMEM2FS_TEST_DEVDAX a node.
 */
#include "libpmem2fs.h"
#include "scan/scan_rights.h"
#include "scan/scanner.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)
#define AREA (64 * MIB)

/* A child that runs steps, one for each request. */
struct child {
	pid_t pid;
	int to, from;
	unsigned char *base; /* where it maps; the same address in both */
};

static struct scanner *scanner;
static struct scan_exclusions skip;

/* Starts a child that runs a step for each call of step(). */
static void start(struct child *child, void (*const *steps)(unsigned char *), unsigned count)
{
	int to[2], from[2];
	char byte = 0;

	child->base =
		mmap(NULL, AREA, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(child->base != MAP_FAILED);
	child->base += -(uintptr_t)child->base & (2 * MIB - 1);
	assert_int_equal(pipe(to) | pipe(from), 0);
	child->pid = fork();
	assert_true(child->pid >= 0);
	if (!child->pid) {
		close(to[1]);
		for (unsigned i = 0; i < count && read(to[0], &byte, 1) == 1; i++) {
			steps[i](child->base);
			if (write(from[1], &byte, 1) != 1)
				_exit(1);
		}
		pause();
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	child->to = to[1];
	child->from = from[0];
}

static void step(const struct child *child)
{
	char byte = 0;

	assert_int_equal(write(child->to, &byte, 1), 1);
	assert_int_equal(read(child->from, &byte, 1), 1);
}

static struct scan_report *scan(enum scan_kind kind, pid_t pid)
{
	struct scan scan = {.kind = kind, .pid = pid};

	scanner_scan(scanner, &scan);
	assert_true(scan.complete);
	assert_true(!scan.report || !scan.report->next);
	return scan.report;
}

static void stop(const struct child *child)
{
	struct scan_report *report;

	assert_int_equal(kill(child->pid, SIGKILL), 0);
	assert_int_equal(waitpid(child->pid, NULL, 0), child->pid);
	close(child->to);
	close(child->from);
	report = scan(SCAN_KNOWN, 0);
	assert_true(report && report->gone);
	scan_report_free(report);
}

static void must(bool ok)
{
	if (!ok) {
		perror("child");
		_exit(1);
	}
}

static int open_in(const char *variable, const char *name)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", getenv(variable), name);
	fd = open(path, O_RDWR | O_CREAT, 0600);
	must(fd >= 0 && !ftruncate(fd, 8 * MIB));
	return fd;
}

static void map_files(unsigned char *base)
{
	int dax = open_in("PMEM2FS_TEST_FSDAX", "file"),
	    plain = open_in("PMEM2FS_TEST_PLAIN", "file");

	must(mmap(base, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, dax, PAGE) ==
	     base);
	must(mmap(base + 8 * MIB, MIB, PROT_READ, MAP_PRIVATE | MAP_FIXED, dax, 0) ==
	     base + 8 * MIB);
	must(mmap(base + 16 * MIB, MIB, PROT_READ, MAP_SHARED | MAP_FIXED, plain, 0) ==
	     base + 16 * MIB);
	/* Two areas of one mapping. */
	must(!mprotect(base + MIB, MIB, PROT_READ));
	close(dax);
	close(plain);
}

static void shorten(unsigned char *base)
{
	must(!munmap(base + 3 * MIB, MIB));
	must(!munmap(base + 8 * MIB, PAGE));
}

static void files(void **state)
{
	void (*const steps[])(unsigned char *) = {map_files, shorten};
	struct child child;
	struct scan_report *report;
	struct stat st;
	char path[256];

	(void)state;
	start(&child, steps, 2);
	assert_null(scan(SCAN_ALL, 0));
	step(&child);
	report = scan(SCAN_ALL, 0);
	assert_non_null(report);
	assert_int_equal(report->pid, child.pid);
	assert_true(report->born && !report->gone && report->pidfd >= 0);
	assert_int_equal(report->count, 2);
	snprintf(path, sizeof(path), "%s/file", getenv("PMEM2FS_TEST_FSDAX"));
	assert_int_equal(stat(path, &st), 0);
	for (size_t i = 0; i < 2; i++) {
		const struct scan_event *event = &report->list[i];
		const struct pmem2fs_record *record = &event->record;

		assert_int_equal(event->kind, SCAN_EVENT_NEW);
		assert_int_equal(event->origin, ORIGIN_OBSERVED);
		assert_null(event->extents);
		assert_int_equal(record->address, (uintptr_t)child.base + (i ? 8 * MIB : 0));
		assert_int_equal(record->length, i ? MIB : 4 * MIB);
		assert_int_equal(record->offset, i ? 0 : PAGE);
		assert_int_equal(record->source_type, PMEM2FS_SOURCE_FSDAX);
		assert_int_equal(record->source_dev, st.st_dev);
		assert_int_equal(record->source_inode, st.st_ino);
		assert_int_equal(record->source_rdev, 0);
		assert_int_equal(record->source_size, 8 * MIB);
		assert_int_equal(record->alignment, PAGE);
		assert_int_equal(record->sharing, i ? PMEM2_PRIVATE : PMEM2_SHARED);
		assert_int_equal(record->protection, i ? 1 : 3);
		assert_int_equal(record->created, 0);
	}
	scan_report_free(report);
	assert_null(scan(SCAN_ALL, 0));
	assert_null(scan(SCAN_KNOWN, 0));

	/* A range that gets shorter has changed; a range with another beginning is a new one. */
	step(&child);
	report = scan(SCAN_KNOWN, 0);
	assert_non_null(report);
	assert_true(!report->born && report->pidfd < 0);
	assert_int_equal(report->count, 3);
	assert_int_equal(report->list[0].kind, SCAN_EVENT_CHANGED);
	assert_int_equal(report->list[0].record.length, 3 * MIB);
	assert_int_equal(report->list[1].kind, SCAN_EVENT_GONE);
	assert_int_equal(report->list[2].kind, SCAN_EVENT_NEW);
	assert_int_equal(report->list[2].record.offset, PAGE);
	scan_report_free(report);
	stop(&child);
}

static void map_node(unsigned char *base)
{
	int fd = open(getenv("PMEM2FS_TEST_DEVDAX"), O_RDWR);

	must(fd >= 0);
	must(mmap(base, 4 * MIB, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 2 * MIB) ==
	     base);
	close(fd);
}

static void unmap_node(unsigned char *base)
{
	must(!munmap(base, 4 * MIB));
}

static void nodes(void **state)
{
	void (*const steps[])(unsigned char *) = {map_node, unmap_node};
	const struct pmem2fs_record *record;
	struct child child;
	struct scan_report *report;
	struct stat st;

	(void)state;
	assert_int_equal(stat(getenv("PMEM2FS_TEST_DEVDAX"), &st), 0);
	start(&child, steps, 2);
	step(&child);
	report = scan(SCAN_ONE, child.pid);
	assert_non_null(report);
	assert_int_equal(report->count, 1);
	record = &report->list[0].record;
	assert_int_equal(record->source_type, PMEM2FS_SOURCE_DEVDAX);
	assert_int_equal(record->source_dev, st.st_dev);
	assert_int_equal(record->source_inode, st.st_ino);
	assert_int_equal(record->source_rdev, st.st_rdev);
	assert_true(record->source_size >= 64 * MIB);
	assert_int_equal(record->alignment, 2 * MIB);
	assert_int_equal(record->offset, 2 * MIB);
	assert_int_equal(record->length, 4 * MIB);
	scan_report_free(report);
	step(&child);
	report = scan(SCAN_ONE, child.pid);
	assert_true(report && report->gone); /* the process has nothing else */
	scan_report_free(report);
	assert_null(scan(SCAN_ALL, 0));
	assert_int_equal(kill(child.pid, SIGKILL), 0);
	assert_int_equal(waitpid(child.pid, NULL, 0), child.pid);
}

/* A published range is not observed as well, but other mappings of the file are. */
static void map_and_publish(unsigned char *base)
{
	int fd = open_in("PMEM2FS_TEST_FSDAX", "file"), table;
	struct pmem2_source *source = NULL;
	struct pmem2_config *config = NULL;
	struct pmem2_map *map;

	must(!pmem2_source_from_fd(&source, fd));
	must(!pmem2_config_new(&config));
	must(!pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE));
	must(!pmem2_config_set_length(config, 2 * MIB));
	must(!pmem2_map_new(&map, config, source));
	if (!pmem2fs_table_export(&table))
		close(table);
	must(mmap(base, MIB, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 2 * MIB) == base);
	close(fd);
}

static void published(void **state)
{
	void (*const steps[])(unsigned char *) = {map_and_publish};
	struct child child;
	struct scan_report *report;

	(void)state;
	start(&child, steps, 1);
	step(&child);
	report = scan(SCAN_ALL, 0);
	assert_non_null(report);
	assert_int_equal(report->count, 2);
	assert_int_equal(report->list[0].origin, ORIGIN_PUBLISHED);
	assert_int_equal(report->list[0].record.source_type, PMEM2FS_SOURCE_FSDAX);
	assert_int_equal(report->list[0].record.length, 2 * MIB);
	assert_int_equal(report->list[1].origin, ORIGIN_OBSERVED);
	assert_int_equal(report->list[1].record.address, (uintptr_t)child.base);
	assert_int_equal(report->list[1].record.length, MIB);
	scan_report_free(report);
	assert_null(scan(SCAN_ALL, 0));
	stop(&child);
}

static int begin(void **state)
{
	(void)state;
	skip.own[0] = getpid();
	scanner = scanner_new(&skip);
	return scanner && scan_rights_see_all() ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	scanner_free(scanner);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(files, begin, end),
		cmocka_unit_test_setup_teardown(nodes, begin, end),
		cmocka_unit_test_setup_teardown(published, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
