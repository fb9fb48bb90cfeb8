/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_queue.c - see scan_queue.h
 *
 * While a part of a scan is under way, the thread has its struct scan and the scanner; all else is
 * the loop's. Between two parts the loop takes in reports, and names are looked up: scans of one
 * process are made, for as long as a part lasts, so that neither keeps the other waiting.
 */
#include "scan/scan_queue.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/stuck_threads.h"
#include "host/proc.h"
#include "receive/receivers.h"
#include "scan/passed_tables.h"
#include "scan/report_queue.h"
#include "scan/scan_job.h"
#include "scan/scan_rights.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SCAN_MAX   (10 * CLOCK_SECOND) /* that anybody waits for a scan */
#define PASSED_MAX 64                  /* passed tables that have a scan made though nobody asks */

#define ASKED_MAX  512                 /* processes whose tables the loop asks for changes */
#define ASKED_SLOW (CLOCK_SECOND / 50) /* as when their memory is swapped out */

const struct share scan_queue_share = {
	.what = "tables to look at", .total = 4096, .root = 1024, .user = 1024, .sure = 16};

/* A scan that waits for its turn. */
struct scan_request {
	struct scan_request *next;
	enum scan_kind kind;
	pid_t pid;
	struct waiter *waiters;
};

struct scan_queue {
	struct pool *pool;
	unsigned first_lane;
	struct receivers *receivers;
	struct scan_listener listener;
	struct report_queue reports;
	struct scanner *scanner;
	struct scan_exclusions exclusions; /* the thread reads it */
	struct scan_job *job;
	struct scan_job *suspended; /* a scan between two parts, while `job` scans one process */
	uint64_t suspended_at;      /* clock_now() of the end of its last part */
	struct scan_request *requests;
	struct passed_table *passed; /* for the next scan */
	unsigned passed_count;
	bool keeps_tables;         /* the scanner cannot find them by itself */
	struct passed_table *kept; /* for the scanner that replaces this one */
	struct scan_times times;
	uint64_t ask_again; /* until then the thread asks, not the loop */
	bool complete;
	bool anew; /* the scanner has replaced another one, and has not scanned all */
};

static void note_times(struct scan_queue *scan_queue, const struct scan_job *job)
{
	switch (job->scan.kind) {
	case SCAN_ONE:
		scan_queue->listener.scanned_one(scan_queue->listener.arg, job->scan.pid,
						 job->begun, job->cost, job->scan.looked);
		break;
	case SCAN_CHANGED:
		break;
	case SCAN_KNOWN:
		scan_queue->times.known = job->begun;
		scan_queue->times.known_cost = job->cost;
		break;
	case SCAN_ALL:
		scan_queue->times.known = scan_queue->times.all = job->begun;
		scan_queue->times.all_cost = job->cost;
		scan_queue->complete = job->scan.complete;
		scan_queue->anew = false;
		scan_queue->listener.scanned_all(scan_queue->listener.arg, &job->scan);
		break;
	}
}

static void start_next(struct scan_queue *scan_queue);

/*
 * Takes reports in. A scan has ended when the rest of them waits for the time of their users.
 * Returns when there is more to do.
 */
static uint64_t take_reports(struct scan_queue *scan_queue)
{
	bool more = report_queue_work(&scan_queue->reports);
	struct scan_job *job = scan_queue->job;
	struct waiter *waiters;

	if (more)
		return 0;
	if (job && job->done && job->scan.more) {
		scan_queue->suspended = job;
		scan_queue->suspended_at = clock_now();
		scan_queue->job = NULL;
		start_next(scan_queue);
	} else if (job && job->done) {
		waiters = job->waiters;
		note_times(scan_queue, job);
		scan_queue->job = NULL;
		scan_job_free(job);
		start_next(scan_queue);
		waiters_wake(&waiters);
	}
	return report_queue_due(&scan_queue->reports);
}

static void free_scanner(struct task *task)
{
	scanner_free(container_of(task, struct scan_job, task)->scanner);
}

/* The scanner does not have the tables that are kept, or has left out their process. */
static void pass_kept(struct scan_queue *scan_queue)
{
	scan_queue->passed_count += passed_tables_move(&scan_queue->kept, &scan_queue->passed);
}

static void scanner_retired(struct task *task)
{
	struct scan_job *job = container_of(task, struct scan_job, task);

	/* The thread is no longer stuck, so a process that gets the same pid later is scanned
	 * again. */
	if (job->abandoned) {
		stuck_threads_return(&job->scan_queue->exclusions.stuck_threads, job->lane);
		pass_kept(job->scan_queue);
	}
	scan_job_free(job);
}

/*
 * Has the scanner of a job freed in a thread, and the job afterwards: it closes tables, and the
 * last close of one takes time. False: it cannot be had.
 */
static bool retire_scanner(struct scan_job *job)
{
	job->task.run = free_scanner;
	job->task.done = scanner_retired;
	return !pool_submit(job->scan_queue->pool, &job->task);
}

static void announce_found(const struct scan_job *job)
{
	const struct scan_listener *listener = &job->scan_queue->listener;

	for (const struct scan_report *report = job->scan.report; report; report = report->next)
		if (report->born)
			listener->found(listener->arg, report->pid);
}

static void scan_done(struct task *task)
{
	struct scan_job *job = container_of(task, struct scan_job, task);
	bool more = job->scan.more && !job->abandoned;

	if (!job->abandoned && !more)
		passed_tables_keep(job->scan_queue->receivers, job->scan.seen, &job->copies,
				   &job->scan_queue->kept);
	if (!more)
		passed_tables_drop(job->scan_queue->receivers, &job->scan.seen);
	if (!job->abandoned) {
		job->done = true;
		announce_found(job);
		report_queue_add(&job->scan_queue->reports, job->scan.report);
		job->scan.report = NULL;
		take_reports(job->scan_queue);
		return;
	}
	scan_job_drop_reports(job);
	if (!retire_scanner(job))
		scanner_retired(&job->task); /* it stays: there is no memory */
}

/* A task in the lane of the present scanner. NULL: out of memory. */
static struct scan_job *new_job(struct scan_queue *scan_queue)
{
	struct scan_job *job = calloc(1, sizeof(*job));

	if (!job)
		return NULL;
	job->scan_queue = scan_queue;
	job->scanner = scan_queue->scanner;
	job->lane = scan_queue->exclusions.stuck_threads.now;
	job->task.lane = scan_queue->first_lane + job->lane;
	return job;
}

/* Takes ownership of the request. */
static void start_scan(struct scan_queue *scan_queue, struct scan_request *request)
{
	enum scan_kind kind = request->kind;
	int error = -ENOMEM;
	struct scan_job *job;

	if (kind != SCAN_ONE && scan_queue->anew)
		kind = SCAN_ALL;
	job = new_job(scan_queue);
	if (job) {
		job->task.run = scan_job_run;
		job->task.done = scan_done;
		progress_begin(&job->progress, clock_now());
		job->scan = (struct scan){.kind = kind,
					  .pid = request->pid,
					  .tables = scan_queue->passed,
					  .between = scan_queue->suspended};
		if (scan_queue->keeps_tables)
			passed_tables_copy(scan_queue->passed, &job->copies);
		job->waiters = request->waiters;
		error = report_queue_users(&scan_queue->reports, &job->scan.behind);
	}
	if (!error)
		error = pool_submit(scan_queue->pool, &job->task);
	if (error) {
		if (job)
			passed_tables_drop(scan_queue->receivers, &job->copies);
		log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_ERR,
			    "out of memory: other processes cannot be looked at");
		if (job)
			scan_job_free(job);
		scan_queue->complete = false;
		waiters_wake(&request->waiters);
	} else {
		scan_queue->job = job;
		scan_queue->passed = NULL;
		scan_queue->passed_count = 0;
	}
	free(request);
}

/* Where the first request for one process is in the queue, or the end. */
static struct scan_request **place_of_one(struct scan_queue *scan_queue)
{
	struct scan_request **at = &scan_queue->requests;

	while (*at && (*at)->kind != SCAN_ONE)
		at = &(*at)->next;
	return at;
}

/* The request whose turn it is, taken out of the queue. NULL: none, or the suspended scan's. */
static struct scan_request *take_request(struct scan_queue *scan_queue)
{
	bool between = scan_queue->suspended;
	struct scan_request **at = between ? place_of_one(scan_queue) : &scan_queue->requests;
	struct scan_request *request = *at;

	if (!request || (between && clock_now() - scan_queue->suspended_at >= SCAN_PART))
		return NULL;
	*at = request->next;
	return request;
}

/* A suspended scan cannot go on: what it has not come to is as it was. */
static void give_up_suspended(struct scan_queue *scan_queue)
{
	struct scan_job *job = scan_queue->suspended;
	struct waiter *waiters = job->waiters;

	scan_queue->suspended = NULL;
	scan_queue->complete = false;
	scan_queue->passed_count += passed_tables_move(&job->copies, &scan_queue->passed);
	passed_tables_drop(scan_queue->receivers, &job->scan.seen);
	scan_job_free(job);
	waiters_wake(&waiters);
}

static void resume_scan(struct scan_queue *scan_queue)
{
	struct scan_job *job = scan_queue->suspended;

	job->done = false;
	job->scan.pauses = false;
	job->progress.at = 0;
	job->progress.at_since = clock_now();
	if (pool_submit(scan_queue->pool, &job->task)) {
		give_up_suspended(scan_queue);
		return;
	}
	scan_queue->suspended = NULL;
	scan_queue->job = job;
}

/* Begins what is next, unless a scan is under way. A scan that cannot begin is over. */
static void start_next(struct scan_queue *scan_queue)
{
	while (!scan_queue->job) {
		struct scan_request *request = take_request(scan_queue);

		if (request)
			start_scan(scan_queue, request);
		else if (scan_queue->suspended)
			resume_scan(scan_queue);
		else
			break;
	}
	if (scan_queue->job && *place_of_one(scan_queue))
		atomic_store_explicit(&scan_queue->job->scan.pauses, true, memory_order_relaxed);
}

/*
 * Whether a request in the queue also scans what is asked for. A scan of one process is not to wait
 * for one of many.
 */
static bool request_covers(const struct scan_request *request, enum scan_kind kind, pid_t pid)
{
	if (kind == SCAN_ONE)
		return request->kind == SCAN_ONE && request->pid == pid;
	return request->kind >= kind;
}

int scan_queue_request(struct scan_queue *scan_queue, enum scan_kind kind, pid_t pid,
		       struct waiter *waiter)
{
	struct scan_request **at = &scan_queue->requests, *request;

	while (*at && !request_covers(*at, kind, pid))
		at = &(*at)->next;
	request = *at;
	if (!request) {
		request = calloc(1, sizeof(*request));
		if (!request)
			return -ENOMEM;
		request->kind = kind;
		request->pid = pid;
		*at = request;
	}
	if (waiter) {
		waiter->next = request->waiters;
		request->waiters = waiter;
	}
	start_next(scan_queue);
	return 0;
}

/* Announcements of a table that a receiver brings later take no room from tables. */
static bool has_room_for_table(const struct scan_queue *scan_queue, const struct ucred *who,
			       int table)
{
	struct share_use use = {.uid = who->uid};
	unsigned each = 0;
	char why[256];

	for (const struct passed_table *passed = scan_queue->passed; passed;
	     passed = passed->next) {
		each += passed->pid == who->pid && (passed->fd >= 0) == (table >= 0);
		share_count(&use, passed->uid, 1);
	}
	if (each >= PASSED_EACH)
		return false;
	if (share_room(&scan_queue_share, &use))
		return true;
	share_refusal(&scan_queue_share, &use, why, sizeof(why));
	log_debug("a table of process %d is not taken: %s", (int)who->pid, why);
	return false;
}

void scan_queue_pass_table(struct scan_queue *scan_queue, const struct ucred *who, int pidfd,
			   int table)
{
	struct passed_table *passed = calloc(1, sizeof(*passed));

	if (!passed) {
		if (table >= 0)
			receivers_close_file(scan_queue->receivers, table, who->uid, 0, NULL);
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	*passed = (struct passed_table){.next = scan_queue->passed,
					.pid = who->pid,
					.uid = who->uid,
					.pidfd = pidfd,
					.fd = table};
	if (!has_room_for_table(scan_queue, who, table)) { /* root finds it in /proc nevertheless */
		passed_table_drop(scan_queue->receivers, passed);
		scan_queue->complete = false;
		return;
	}
	scan_queue->passed = passed;
	/* Tables of processes that have ended must not pile up while nobody asks for a scan. */
	if (++scan_queue->passed_count >= PASSED_MAX && !scan_queue->requests)
		scan_queue_request(scan_queue, SCAN_CHANGED, 0, NULL);
}

bool scan_queue_has_table(const struct scan_queue *scan_queue, pid_t pid)
{
	const struct passed_table *passed = scan_queue->passed;

	while (pid && passed && passed->pid != pid)
		passed = passed->next;
	return passed;
}

bool scan_queue_has_changed(struct scan_queue *scan_queue, pid_t pid)
{
	uint64_t begun = clock_now(), now;
	bool changed;

	/* While a scan is under way, the scanner is the thread's. */
	if (scan_queue->job || scan_queue->anew || scan_queue_has_table(scan_queue, pid) ||
	    begun < scan_queue->ask_again)
		return true;
	changed = scanner_has_changed(scan_queue->scanner, pid, ASKED_MAX, begun + ASKED_SLOW);
	now = clock_now();
	if (now - begun >= ASKED_SLOW)
		scan_queue->ask_again = now + CLOCK_SECOND;
	return changed;
}

bool scan_queue_scans_all(const struct scan_queue *scan_queue)
{
	const struct scan_job *job =
		scan_queue->suspended ? scan_queue->suspended : scan_queue->job;

	return job && job->scan.kind == SCAN_ALL;
}

struct scan_times scan_queue_times(const struct scan_queue *scan_queue)
{
	return scan_queue->times;
}

bool scan_queue_has_report(const struct scan_queue *scan_queue, uint64_t process)
{
	return report_queue_has(&scan_queue->reports, process);
}

bool scan_queue_complete(const struct scan_queue *scan_queue)
{
	return scan_queue->complete && report_queue_due(&scan_queue->reports) == UINT64_MAX;
}

bool scan_queue_leaves_out(const struct scan_queue *scan_queue, pid_t pid, uid_t uid)
{
	const struct stuck_threads *stuck_threads = &scan_queue->exclusions.stuck_threads;

	return stuck_threads_any(stuck_threads) && stuck_threads_leave_out(stuck_threads, pid, uid);
}

/* Drops the reports of the former scanner that are not taken in. */
static void use_scanner(struct scan_queue *scan_queue, struct scanner *scanner)
{
	scan_queue->scanner = scanner;
	scan_queue->times = (struct scan_times){0};
	scan_queue->complete = false;
	scan_queue->anew = true;
	pass_kept(scan_queue);
	report_queue_clear(&scan_queue->reports);
	scan_queue->listener.restarted(scan_queue->listener.arg);
}

bool scan_queue_restart(struct scan_queue *scan_queue)
{
	struct scanner *scanner = scan_queue->job ? NULL : scanner_new(&scan_queue->exclusions);
	struct scan_job *job;

	if (!scanner)
		return false;
	job = new_job(scan_queue);
	if (!job || !retire_scanner(job)) {
		free(job);
		scanner_free(scanner);
		return false;
	}
	use_scanner(scan_queue, scanner);
	return true;
}

/* The suspended scan starts again from the beginning. The stuck scanner is replaced before. */
static void restart_suspended(struct scan_queue *scan_queue)
{
	struct scan_request *request = calloc(1, sizeof(*request));

	if (request) {
		*request = (struct scan_request){
			.next = scan_queue->requests,
			.kind = SCAN_ALL,
			.waiters = scan_queue->suspended->waiters,
		};
		scan_queue->suspended->waiters = NULL;
		scan_queue->requests = request;
	}
	give_up_suspended(scan_queue);
}

/* Leaves the stuck scanner behind, with all that it knew. */
static void abandon_stuck(struct scan_queue *scan_queue)
{
	struct scanner *scanner = scanner_new(&scan_queue->exclusions);
	struct scan_job *job = scan_queue->job;

	if (!scanner || !stuck_threads_leave(&scan_queue->exclusions.stuck_threads,
					     job->progress.at, proc_user(job->progress.at),
					     "it is left out as long as that is so")) {
		scanner_free(scanner);
		return; /* what is shown stays as it is */
	}
	job->abandoned = true;
	scan_queue->passed_count += passed_tables_move(&job->copies, &scan_queue->passed);
	scan_queue->job = NULL;
	use_scanner(scan_queue, scanner);
	if (scan_queue->suspended)
		restart_suspended(scan_queue);
	start_next(scan_queue);
}

/* What is shown now is better than no answer. */
static void wake_everybody(struct scan_queue *scan_queue)
{
	scan_queue->complete = false;
	waiters_wake(&scan_queue->job->waiters);
	if (scan_queue->suspended)
		waiters_wake(&scan_queue->suspended->waiters);
	for (struct scan_request *request = scan_queue->requests; request; request = request->next)
		waiters_wake(&request->waiters);
}

uint64_t scan_queue_expire(struct scan_queue *scan_queue, uint64_t now)
{
	uint64_t reports = take_reports(scan_queue), next;
	struct scan_job *job = scan_queue->job;
	enum progress_state state;

	if (!job || job->done)
		return reports;
	if (scan_queue->suspended && now - scan_queue->suspended->progress.since >= SCAN_MAX)
		waiters_wake(&scan_queue->suspended->waiters);
	if (now < progress_due(&job->progress))
		return clock_earlier(reports, progress_due(&job->progress));
	state = progress_check(&job->progress, scanner_current_process(job->scanner), now);
	next = progress_due(&job->progress);
	if (state != PROGRESS_NORMAL || now - job->progress.since >= SCAN_MAX)
		wake_everybody(scan_queue);
	if (state == PROGRESS_STUCK)
		abandon_stuck(scan_queue);
	return clock_earlier(reports, next);
}

struct scan_queue *scan_queue_new(struct pool *pool, unsigned first_lane, pid_t keeper,
				  struct receivers *receivers, struct quota *loop_time,
				  const struct scan_listener *listener)
{
	struct scan_queue *scan_queue = calloc(1, sizeof(*scan_queue));

	if (!scan_queue)
		return NULL;
	scan_queue->pool = pool;
	scan_queue->first_lane = first_lane;
	scan_queue->receivers = receivers;
	scan_queue->listener = *listener;
	scan_queue->reports = (struct report_queue){
		.loop_time = loop_time, .take = listener->report, .arg = listener->arg};
	scan_queue->exclusions.own[0] = keeper;
	scan_queue->exclusions.own[1] = getpid();
	scan_queue->keeps_tables = !scan_rights_find_tables();
	scan_queue->scanner = scanner_new(&scan_queue->exclusions);
	if (!scan_queue->scanner) {
		free(scan_queue);
		return NULL;
	}
	return scan_queue;
}

void scan_queue_free(struct scan_queue *scan_queue)
{
	struct scan_request *request;

	if (!scan_queue)
		return;
	if (scan_queue->job && scan_queue->job->done)
		scan_job_free(scan_queue->job);
	if (scan_queue->suspended)
		give_up_suspended(scan_queue);
	report_queue_clear(&scan_queue->reports);
	while ((request = scan_queue->requests)) {
		scan_queue->requests = request->next;
		free(request);
	}
	passed_tables_drop(scan_queue->receivers, &scan_queue->passed);
	passed_tables_drop(scan_queue->receivers, &scan_queue->kept);
	scanner_free(scan_queue->scanner);
	free(scan_queue);
}
