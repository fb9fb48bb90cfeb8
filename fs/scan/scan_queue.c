/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_queue.c - see scan_queue.h
 */
#include "scan/scan_queue.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/stuck_threads.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MAX   (10 * CLOCK_SECOND) /* that anybody waits for a look */
#define GIVEN_MAX  64                  /* tables that wait before we look by ourselves */
#define GIVEN_FULL 1024                /* beyond that they are dropped */
#define GIVEN_EACH 4                   /* the same, of one process */
#define HEARD_MAX  1000                /* sightings that are heard in one round of the loop */

/* A look that is under way. */
struct job {
	struct task task;
	struct scan_queue *scan_queue;
	struct scanner *scanner;
	struct scan scan;
	struct progress progress;
	uint64_t begun, ended; /* of the look itself, told by the thread */
	unsigned lane;
	bool abandoned;
	bool told; /* the look has ended, and is being heard */
	struct waiter *waiters;
};

/* Looks that wait for their turn. */
struct wanted {
	struct wanted *next;
	enum scan_kind kind;
	pid_t pid;
	struct waiter *waiters;
};

struct scan_queue {
	struct pool *pool;
	unsigned first_lane;
	struct scan_listener ear;
	struct scanner *scanner;
	struct scan_exclusions skip;
	struct job *job;
	struct wanted *queue;
	struct passed_table *given;
	unsigned given_count;
	struct scan_times times;
	bool complete;
};

static void run_look(struct task *task)
{
	struct job *job = container_of(task, struct job, task);

	job->begun = clock_now();
	scanner_scan(job->scanner, &job->scan);
	job->ended = clock_now();
}

static void take_times(struct scan_queue *scan_queue, const struct job *job)
{
	uint64_t cost = job->ended - job->begun;

	switch (job->scan.kind) {
	case SCAN_ONE:
		scan_queue->ear.looked(scan_queue->ear.arg, job->scan.pid, job->begun, cost);
		break;
	case SCAN_KNOWN:
		scan_queue->times.known = job->begun;
		scan_queue->times.known_cost = cost;
		break;
	case SCAN_ALL:
		scan_queue->times.known = scan_queue->times.searched = job->begun;
		scan_queue->complete = job->scan.complete;
		break;
	}
}

static void start(struct scan_queue *scan_queue);

static void drop_news(struct job *job)
{
	struct scan_report *report = job->scan.report;

	job->scan.report = report->next;
	scan_report_free(report);
}

/* A look may tell of more than the loop can take in without keeping everybody waiting. */
static void hear(struct scan_queue *scan_queue)
{
	struct job *job = scan_queue->job;
	struct waiter *waiters = job->waiters;
	size_t room = HEARD_MAX;

	while (job->scan.report && room) {
		if (scan_queue->ear.hear(scan_queue->ear.arg, job->scan.report, &room))
			drop_news(job);
	}
	if (job->scan.report)
		return;
	take_times(scan_queue, job);
	scan_queue->job = NULL;
	free(job);
	start(scan_queue);
	waiters_wake(&waiters);
}

static void look_done(struct task *task)
{
	struct job *job = container_of(task, struct job, task);

	if (!job->abandoned) {
		job->told = true;
		hear(job->scan_queue);
		return;
	}
	/* It is not stuck any more, nor will be whoever gets the pid. */
	stuck_threads_return(&job->scan_queue->skip.stuck_threads, job->lane);
	while (job->scan.report)
		drop_news(job);
	scanner_free(job->scanner);
	free(job);
}

/* Begins the look that waits first, unless one is under way. */
static void start(struct scan_queue *scan_queue)
{
	struct wanted *wanted = scan_queue->queue;
	int error = -ENOMEM;
	struct job *job;

	if (scan_queue->job || !wanted)
		return;
	scan_queue->queue = wanted->next;
	job = calloc(1, sizeof(*job));
	if (job) {
		job->task = (struct task){.lane = scan_queue->first_lane +
						  scan_queue->skip.stuck_threads.now,
					  .run = run_look,
					  .done = look_done};
		job->scan_queue = scan_queue;
		job->lane = scan_queue->skip.stuck_threads.now;
		job->scanner = scan_queue->scanner;
		progress_begin(&job->progress, clock_now());
		job->scan = (struct scan){
			.kind = wanted->kind, .pid = wanted->pid, .tables = scan_queue->given};
		job->waiters = wanted->waiters;
		error = pool_submit(scan_queue->pool, &job->task);
	}
	if (error) {
		log_error("out of memory: other processes cannot be looked at");
		free(job);
		waiters_wake(&wanted->waiters);
	} else {
		scan_queue->job = job;
		scan_queue->given = NULL;
		scan_queue->given_count = 0;
	}
	free(wanted);
}

/* Whether that look is as good as one that is wanted. One at what is known takes tables, too. */
static bool covers(const struct wanted *wanted, enum scan_kind kind, pid_t pid)
{
	if (kind == SCAN_ONE && wanted->kind != SCAN_ALL)
		return wanted->kind == SCAN_ONE && wanted->pid == pid;
	return wanted->kind >= kind;
}

int scan_queue_request(struct scan_queue *scan_queue, enum scan_kind kind, pid_t pid,
		       struct waiter *waiter)
{
	struct wanted **at = &scan_queue->queue, *wanted;

	while (*at && !covers(*at, kind, pid))
		at = &(*at)->next;
	wanted = *at;
	if (!wanted) {
		wanted = calloc(1, sizeof(*wanted));
		if (!wanted)
			return -ENOMEM;
		wanted->kind = kind;
		wanted->pid = pid;
		*at = wanted;
	}
	if (waiter) {
		waiter->next = wanted->waiters;
		wanted->waiters = waiter;
	}
	start(scan_queue);
	return 0;
}

static void drop_given(struct passed_table *given)
{
	if (given->fd >= 0)
		close(given->fd);
	if (given->pidfd >= 0)
		close(given->pidfd);
	free(given);
}

static bool has_room(const struct scan_queue *scan_queue, pid_t pid)
{
	unsigned own = 0;

	for (const struct passed_table *given = scan_queue->given; given; given = given->next)
		own += given->pid == pid;
	return scan_queue->given_count < GIVEN_FULL && own < GIVEN_EACH;
}

void scan_queue_pass_table(struct scan_queue *scan_queue, pid_t pid, int pidfd, int table)
{
	struct passed_table *given = calloc(1, sizeof(*given));

	if (!given) {
		if (table >= 0)
			close(table);
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	*given = (struct passed_table){
		.next = scan_queue->given, .pid = pid, .pidfd = pidfd, .fd = table};
	if (!has_room(scan_queue, pid)) { /* root finds it in /proc all the same */
		drop_given(given);
		scan_queue->complete = false;
		return;
	}
	scan_queue->given = given;
	/* Processes come and go while nobody looks: what they left behind must not pile up. */
	if (++scan_queue->given_count >= GIVEN_MAX && !scan_queue->queue)
		scan_queue_request(scan_queue, SCAN_KNOWN, 0, NULL);
}

bool scan_queue_has_table(const struct scan_queue *scan_queue, pid_t pid)
{
	const struct passed_table *given = scan_queue->given;

	while (pid && given && given->pid != pid)
		given = given->next;
	return given;
}

bool scan_queue_scans_all(const struct scan_queue *scan_queue)
{
	return scan_queue->job && scan_queue->job->scan.kind == SCAN_ALL;
}

struct scan_times scan_queue_times(const struct scan_queue *scan_queue)
{
	return scan_queue->times;
}

bool scan_queue_complete(const struct scan_queue *scan_queue)
{
	return scan_queue->complete;
}

bool scan_queue_restart(struct scan_queue *scan_queue)
{
	struct scanner *scanner = scan_queue->job ? NULL : scanner_new(&scan_queue->skip);

	if (!scanner)
		return false;
	scanner_free(scan_queue->scanner);
	scan_queue->scanner = scanner;
	scan_queue->times = (struct scan_times){0};
	scan_queue->ear.forget(scan_queue->ear.arg);
	return true;
}

/* Leaves the scanner behind that is stuck, with all that it knew. */
static void abandon(struct scan_queue *scan_queue)
{
	struct scanner *scanner = scanner_new(&scan_queue->skip);
	struct job *job = scan_queue->job;

	if (!scanner || !stuck_threads_leave(&scan_queue->skip.stuck_threads, job->progress.at,
					     "it is left out as long as that is so")) {
		scanner_free(scanner);
		return; /* what is known stays as it is */
	}
	scan_queue->scanner = scanner;
	scan_queue->times = (struct scan_times){0};
	job->abandoned = true;
	scan_queue->job = NULL;
	scan_queue->ear.forget(scan_queue->ear.arg);
	start(scan_queue);
}

/* Better what is known than nothing. */
static void wake_everybody(struct scan_queue *scan_queue)
{
	scan_queue->complete = false;
	waiters_wake(&scan_queue->job->waiters);
	for (struct wanted *wanted = scan_queue->queue; wanted; wanted = wanted->next)
		waiters_wake(&wanted->waiters);
}

uint64_t scan_queue_expire(struct scan_queue *scan_queue, uint64_t now)
{
	struct job *job = scan_queue->job;
	enum progress_state state;
	uint64_t next;

	if (job && job->told)
		hear(scan_queue);
	job = scan_queue->job;
	if (!job)
		return UINT64_MAX;
	if (job->told)
		return now;
	if (now < progress_due(&job->progress))
		return progress_due(&job->progress);
	state = progress_check(&job->progress, scanner_current_process(job->scanner), now);
	next = progress_due(&job->progress);
	if (state != PROGRESS_NORMAL || now - job->progress.since >= LOOK_MAX)
		wake_everybody(scan_queue);
	if (state == PROGRESS_STUCK)
		abandon(scan_queue);
	return next;
}

struct scan_queue *scan_queue_new(struct pool *pool, unsigned first_lane, pid_t keeper,
				  const struct scan_listener *ear)
{
	struct scan_queue *scan_queue = calloc(1, sizeof(*scan_queue));

	if (!scan_queue)
		return NULL;
	scan_queue->pool = pool;
	scan_queue->first_lane = first_lane;
	scan_queue->ear = *ear;
	scan_queue->skip.own[0] = keeper;
	scan_queue->skip.own[1] = getpid();
	scan_queue->scanner = scanner_new(&scan_queue->skip);
	if (!scan_queue->scanner) {
		free(scan_queue);
		return NULL;
	}
	return scan_queue;
}

void scan_queue_free(struct scan_queue *scan_queue)
{
	struct wanted *wanted;
	struct passed_table *given;

	if (!scan_queue)
		return;
	if (scan_queue->job && scan_queue->job->told) {
		while (scan_queue->job->scan.report)
			drop_news(scan_queue->job);
		free(scan_queue->job);
	}
	while ((wanted = scan_queue->queue)) {
		scan_queue->queue = wanted->next;
		free(wanted);
	}
	while ((given = scan_queue->given)) {
		scan_queue->given = given->next;
		drop_given(given);
	}
	scanner_free(scan_queue->scanner);
	free(scan_queue);
}
