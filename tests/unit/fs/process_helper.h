/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_helper.h - looks at a process that publishes what the test says, true or not
 */
#ifndef PMEM2FS_TEST_PROCESS_HELPER_H
#define PMEM2FS_TEST_PROCESS_HELPER_H

#include "dax_fake.h"
#include "publisher.h"
#include "scan/scanned_process.h"
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
static struct scan_context sight;

static inline int begin(void **state)
{
	(void)state;
	plain = publisher_file(FILE_PAGES * PAGE);
	dax_file = publisher_file(FILE_PAGES * PAGE);
	other = publisher_file(FILE_PAGES * PAGE);
	sight = (struct scan_context){.seed = 5, .room = 1000000, .uid = 12, .gid = 34};
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
	struct news *news;

	publisher_stop(&publisher);
	assert_int_equal(scanned_process_scan(process, &sight, &news), -ESRCH);
	assert_null(news);
	scanned_process_free(process);
}

/* The next look, which finds that many things to tell. */
static inline struct news *scan(size_t count)
{
	struct news *news;

	assert_int_equal(scanned_process_scan(process, &sight, &news), 0);
	if (!count) {
		assert_null(news);
		return NULL;
	}
	assert_non_null(news);
	assert_int_equal(news->count, count);
	assert_int_equal(news->process, 77);
	assert_int_equal(news->uid, 12);
	assert_int_equal(news->gid, 34);
	return news;
}

static inline void step(void)
{
	publisher_step(&publisher);
}

static inline void assert_told(const struct news *news, size_t i, enum sighting_kind kind,
			       enum origin origin, size_t page, size_t pages)
{
	const struct sighting *sighting = &news->list[i];

	assert_int_equal(sighting->kind, kind);
	assert_int_equal(sighting->origin, origin);
	if (kind == SIGHTING_GONE)
		return;
	assert_int_equal(sighting->record.address, (uintptr_t)place + page * PAGE);
	assert_int_equal(sighting->record.length, pages * PAGE);
	assert_int_equal(sighting->record.uid, 12);
	assert_int_equal(sighting->record.gid, 34);
}

#define NEW(news, i, page, pages) assert_told(news, i, SIGHTING_NEW, ORIGIN_PUBLISHED, page, pages)
#define CHANGED(news, i, page, pages)                                                              \
	assert_told(news, i, SIGHTING_CHANGED, ORIGIN_PUBLISHED, page, pages)
#define GONE(news, i) assert_told(news, i, SIGHTING_GONE, ORIGIN_PUBLISHED, 0, 0)

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
