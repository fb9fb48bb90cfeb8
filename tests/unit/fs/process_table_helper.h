/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table_helper.h - a process table with a scanner that is played by the test
 *
 * The scanner reports what the test has prepared, and waits where the test wants it to.
 */
#ifndef PMEM2FS_TEST_PROCESS_TABLE_HELPER_H
#define PMEM2FS_TEST_PROCESS_TABLE_HELPER_H

#include "base/clock.h"
#include "catalog/catalog.h"
#include "rig.h"
#include "scan/process_table.h"
#include "scan/scan_rights.h"
#include "scan/scanner.h"
#include <fcntl.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct scanner {
	const struct scan_exclusions *skip;
	_Atomic bool stops; /* in the next scan */
	sem_t go;
	_Atomic pid_t at;
};

/*
 * What the scanners have done, and what is reported next. Used while no scan is under way, but for
 * what is atomic.
 */
static struct {
	struct scanner *newest;
	_Atomic unsigned alive;
	_Atomic unsigned scan_queue[4]; /* scans, or parts */
	bool changed;                   /* what scanner_has_changed says */
	pid_t asked;                    /* of which process it was asked last */
	unsigned asks;                  /* how often it was asked */
	uint64_t ask_time;              /* how long it takes to ask, ns */
	unsigned heard;                 /* how often the socket was listened to */
	pid_t last_pid;
	size_t tables;
	size_t behind;    /* users, in the last scan */
	bool user_behind; /* user 7 */
	struct scan_report *next;
	bool incomplete;
	bool leaves_out;      /* a SCAN_ONE leaves its process out */
	pid_t passes_over;    /* in scans of all */
	bool blind;           /* scanners see no table that is not passed */
	bool unwanted;        /* no process has the tables that are passed */
	_Atomic bool endless; /* after this part of a scan of all there is another one */
	bool suspended;       /* it is between two of them */
} fake;

struct scanner *scanner_new(const struct scan_exclusions *skip)
{
	struct scanner *scanner = calloc(1, sizeof(*scanner));

	scanner->skip = skip;
	sem_init(&scanner->go, 0, 0);
	fake.newest = scanner;
	fake.alive++;
	return scanner;
}

void scanner_free(struct scanner *scanner)
{
	fake.alive--;
	sem_destroy(&scanner->go);
	free(scanner);
}

bool scanner_has_changed(const struct scanner *scanner, pid_t pid, size_t most, uint64_t until)
{
	uint64_t begun = clock_now();

	assert_ptr_equal(scanner, fake.newest);
	assert_true(most > 0 && until > begun);
	fake.asked = pid;
	fake.asks++;
	while (clock_now() < begun + fake.ask_time)
		usleep(1000);
	return fake.changed;
}

pid_t scanner_current_process(struct scanner *scanner)
{
	return scanner->at;
}

bool scan_rights_find_tables(void)
{
	return !fake.blind;
}

void scanner_scan(struct scanner *scanner, struct scan *scan)
{
	struct passed_table *table, *next;

	if (scanner->stops)
		while (sem_wait(&scanner->go))
			;
	fake.scan_queue[scan->kind]++;
	fake.last_pid = scan->pid;
	fake.behind = scan->behind.count;
	fake.user_behind = user_set_has(&scan->behind, 7);
	for (table = scan->tables; table; table = next) {
		next = table->next;
		table->next = scan->seen;
		table->wanted = !fake.unwanted;
		scan->seen = table;
		fake.tables++;
	}
	scan->report = fake.next;
	fake.next = NULL;
	scan->complete = !fake.incomplete;
	assert_int_equal(scan->between, scan->kind == SCAN_ONE && fake.suspended);
	scan->more = scan->kind == SCAN_ALL && fake.endless;
	if (scan->kind == SCAN_ALL)
		fake.suspended = scan->more;
	if (scan->kind == SCAN_ALL && !scan->more) {
		scan->came_through = true;
		scan->passed_over = malloc(sizeof(*scan->passed_over));
		scan->passed_over[0] = fake.passes_over;
		scan->passed_count = 1;
	}
	scan->looked = scan->pid && !fake.leaves_out;
}

static struct quota loop_time = {.share = 4};

struct fixture {
	struct rig *rig;
	struct process_table *process_table;
	pid_t child;
	uint64_t numbers;
};

/* A waiter. */
struct wait {
	struct waiter waiter; /* first */
	struct user_scan user_scan;
	bool woken;
};

static inline void wake(struct waiter *waiter)
{
	((struct wait *)waiter)->woken = true;
}

static inline void user_scan_done(struct user_scan *user_scan, int error)
{
	assert_int_equal(error, 0);
	((struct wait *)((char *)user_scan - offsetof(struct wait, user_scan)))->woken = true;
}

/* Asks for a scan of all processes, as root. */
static inline void scan_for_user(struct fixture *fixture, struct wait *wait)
{
	wait->user_scan = (struct user_scan){.done = user_scan_done};
	process_table_scan_for_user(fixture->process_table, &wait->user_scan);
}

static inline void hear(void *arg)
{
	assert_ptr_equal(arg, &fake);
	fake.heard++;
}

static inline struct process_table *new_process_table(const struct fixture *fixture, bool observe)
{
	const struct modules *modules = &fixture->rig->modules;

	return process_table_new(&(struct process_table_config){
		.catalog = modules->catalog,
		.events = modules->events,
		.pool = modules->helpers,
		.first_lane = LANE_SCAN,
		.epoll = fixture->rig->epoll,
		.keeper = getppid(),
		.receivers = modules->receivers,
		.loop_time = &loop_time,
		.observe = observe,
		.hear = hear,
		.arg = &fake,
	});
}

static inline int begin(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	memset(&fake, 0, sizeof(fake));
	*state = fixture;
	fixture->rig = rig_new();
	fixture->process_table = new_process_table(fixture, true);
	fixture->child = fork();
	if (!fixture->child)
		for (;;)
			pause();
	return !fixture->process_table || fixture->child < 0;
}

static inline void end_child(struct fixture *fixture)
{
	if (!fixture->child)
		return;
	kill(fixture->child, SIGKILL);
	waitpid(fixture->child, NULL, 0);
	fixture->child = 0;
}

struct last_task {
	struct task task; /* first */
	bool done;
};

static inline void run_last(struct task *task)
{
	(void)task;
}

static inline void last_done(struct task *task)
{
	((struct last_task *)task)->done = true;
}

/* Waits for the end of a scan that is under way: its waiters may have been woken before its end. */
static inline void end_scans(struct fixture *fixture)
{
	struct last_task last = {.task = {.lane = LANE_SCAN, .run = run_last, .done = last_done}};

	assert_int_equal(pool_submit(fixture->rig->modules.helpers, &last.task), 0);
	rig_run(fixture->rig, &last.done);
}

static inline int end(void **state)
{
	struct fixture *fixture = *state;

	end_child(fixture);
	end_scans(fixture);
	process_table_free(fixture->process_table);
	quota_clear(&loop_time);
	assert_int_equal(fake.alive, 0);
	rig_free(fixture->rig);
	free(fixture);
	return 0;
}

/* Makes a report of the child. */
static inline struct scan_report *news_new(struct fixture *fixture, uint64_t process, size_t count)
{
	struct scan_report *report = calloc(1, sizeof(*report));

	report->process = process;
	report->pid = fixture->child;
	report->born = true;
	report->pidfd = (int)syscall(SYS_pidfd_open, fixture->child, 0);
	assert_true(report->pidfd >= 0);
	strcpy(report->comm, "a.out");
	report->count = count;
	report->list = calloc(count ? count : 1, sizeof(*report->list));
	for (size_t i = 0; i < count; i++)
		report->list[i] = (struct scan_event){
			.kind = SCAN_EVENT_NEW,
			.origin = ORIGIN_PUBLISHED,
			.number = ++fixture->numbers,
			.record = {.address = 0x10000 * fixture->numbers,
				   .length = 4096,
				   .alignment = 4096,
				   .uid = 7,
				   .source_type = PMEM2FS_SOURCE_ANONYMOUS},
		};
	return report;
}

/* Makes a report of a process that was reported before. */
static inline struct scan_report *more_news(struct fixture *fixture, uint64_t process, size_t count)
{
	struct scan_report *report = news_new(fixture, process, count);

	report->born = false;
	close(report->pidfd);
	report->pidfd = -1;
	return report;
}

/* Makes a scan of all processes, now. */
static inline void scan(struct fixture *fixture, struct scan_report *report)
{
	struct wait wait = {.waiter.wake = wake};

	fake.next = report;
	scan_for_user(fixture, &wait);
	rig_run(fixture->rig, &wait.woken);
}

static inline struct mapping *find(struct fixture *fixture, const char *format)
{
	char name[300];

	snprintf(name, sizeof(name), format, (int)fixture->child);
	return catalog_find(fixture->rig->modules.catalog, name);
}

static inline uint64_t shown(struct fixture *fixture)
{
	return catalog_totals(fixture->rig->modules.catalog).foreign;
}

#endif
