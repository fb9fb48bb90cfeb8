/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * looks.c - see looks.h
 */
#include "scan/looks.h"
#include "base/clock.h"
#include "base/log.h"
#include "service.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK       (CLOCK_SECOND / 2)
#define PATIENCE    (2 * CLOCK_SECOND)  /* with one process */
#define STUCK_AFTER (4 * CLOCK_SECOND)  /* at one process */
#define LOOK_MAX    (10 * CLOCK_SECOND) /* that anybody waits for a look */
#define GIVEN_MAX   64                  /* tables that wait before we look by ourselves */
#define GIVEN_FULL  1024                /* beyond that they are dropped */
#define GIVEN_EACH  4                   /* the same, of one process */
#define HEARD_MAX   1000                /* sightings that are heard in one round of the loop */

/* A look that is under way. */
struct job {
	struct task task; /* first */
	struct looks *looks;
	struct scanner *scanner;
	struct look look;
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
	enum look_kind kind;
	pid_t pid;
	struct waiter *waiters;
};

struct looks {
	struct pool *pool;
	struct looks_ear ear;
	struct scanner *scanner;
	struct skip skip;
	struct job *job;
	struct wanted *queue;
	struct given_table *given;
	unsigned given_count;
	struct looks_times times;
	bool complete;
};

static void wake_all(struct waiter **waiters)
{
	struct waiter *waiter = *waiters, *next;

	*waiters = NULL;
	for (; waiter; waiter = next) {
		next = waiter->next;
		waiter->wake(waiter);
	}
}

static void run_look(struct task *task)
{
	struct job *job = (struct job *)task;

	job->begun = clock_now();
	scanner_look(job->scanner, &job->look);
	job->ended = clock_now();
}

static void take_times(struct looks *looks, const struct job *job)
{
	uint64_t cost = job->ended - job->begun;

	switch (job->look.kind) {
	case LOOK_ONE:
		looks->ear.looked(looks->ear.arg, job->look.pid, job->begun, cost);
		break;
	case LOOK_KNOWN:
		looks->times.known = job->begun;
		looks->times.known_cost = cost;
		break;
	case LOOK_ALL:
		looks->times.known = looks->times.searched = job->begun;
		looks->complete = job->look.complete;
		break;
	}
}

static void start(struct looks *looks);

static void drop_news(struct job *job)
{
	struct news *news = job->look.news;

	job->look.news = news->next;
	news_free(news);
}

/* A look may tell of more than the loop can take in without keeping everybody waiting. */
static void hear(struct looks *looks)
{
	struct job *job = looks->job;
	struct waiter *waiters = job->waiters;
	size_t room = HEARD_MAX;

	while (job->look.news && room) {
		if (looks->ear.hear(looks->ear.arg, job->look.news, &room))
			drop_news(job);
	}
	if (job->look.news)
		return;
	take_times(looks, job);
	looks->job = NULL;
	free(job);
	start(looks);
	wake_all(&waiters);
}

static void look_done(struct task *task)
{
	struct job *job = (struct job *)task;

	if (!job->abandoned) {
		job->told = true;
		hear(job->looks);
		return;
	}
	/* It is not stuck any more, nor will be whoever gets the pid. */
	lanes_return(&job->looks->skip.lanes, job->lane);
	while (job->look.news)
		drop_news(job);
	scanner_free(job->scanner);
	free(job);
}

/* Begins the look that waits first, unless one is under way. */
static void start(struct looks *looks)
{
	struct wanted *wanted = looks->queue;
	int error = -ENOMEM;
	struct job *job;

	if (looks->job || !wanted)
		return;
	looks->queue = wanted->next;
	job = calloc(1, sizeof(*job));
	if (job) {
		job->task = (struct task){.lane = LANE_LOOK + looks->skip.lanes.now,
					  .run = run_look,
					  .done = look_done};
		job->looks = looks;
		job->lane = looks->skip.lanes.now;
		job->scanner = looks->scanner;
		progress_begin(&job->progress, clock_now());
		job->look = (struct look){
			.kind = wanted->kind, .pid = wanted->pid, .tables = looks->given};
		job->waiters = wanted->waiters;
		error = pool_submit(looks->pool, &job->task);
	}
	if (error) {
		log_error("out of memory: other processes cannot be looked at");
		free(job);
		wake_all(&wanted->waiters);
	} else {
		looks->job = job;
		looks->given = NULL;
		looks->given_count = 0;
	}
	free(wanted);
}

/* Whether that look is as good as one that is wanted. One at what is known takes tables, too. */
static bool covers(const struct wanted *wanted, enum look_kind kind, pid_t pid)
{
	if (kind == LOOK_ONE && wanted->kind != LOOK_ALL)
		return wanted->kind == LOOK_ONE && wanted->pid == pid;
	return wanted->kind >= kind;
}

int looks_want(struct looks *looks, enum look_kind kind, pid_t pid, struct waiter *waiter)
{
	struct wanted **at = &looks->queue, *wanted;

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
	start(looks);
	return 0;
}

static void drop_given(struct given_table *given)
{
	if (given->fd >= 0)
		close(given->fd);
	if (given->pidfd >= 0)
		close(given->pidfd);
	free(given);
}

static bool has_room(const struct looks *looks, pid_t pid)
{
	unsigned own = 0;

	for (const struct given_table *given = looks->given; given; given = given->next)
		own += given->pid == pid;
	return looks->given_count < GIVEN_FULL && own < GIVEN_EACH;
}

void looks_give(struct looks *looks, pid_t pid, int pidfd, int table)
{
	struct given_table *given = calloc(1, sizeof(*given));

	if (!given) {
		if (table >= 0)
			close(table);
		if (pidfd >= 0)
			close(pidfd);
		return;
	}
	*given =
		(struct given_table){.next = looks->given, .pid = pid, .pidfd = pidfd, .fd = table};
	if (!has_room(looks, pid)) { /* root finds it in /proc all the same */
		drop_given(given);
		looks->complete = false;
		return;
	}
	looks->given = given;
	/* Processes come and go while nobody looks: what they left behind must not pile up. */
	if (++looks->given_count >= GIVEN_MAX && !looks->queue)
		looks_want(looks, LOOK_KNOWN, 0, NULL);
}

bool looks_given(const struct looks *looks, pid_t pid)
{
	const struct given_table *given = looks->given;

	while (pid && given && given->pid != pid)
		given = given->next;
	return given;
}

bool looks_searching(const struct looks *looks)
{
	return looks->job && looks->job->look.kind == LOOK_ALL;
}

struct looks_times looks_times(const struct looks *looks)
{
	return looks->times;
}

bool looks_complete(const struct looks *looks)
{
	return looks->complete;
}

bool looks_anew(struct looks *looks)
{
	struct scanner *scanner = looks->job ? NULL : scanner_new(&looks->skip);

	if (!scanner)
		return false;
	scanner_free(looks->scanner);
	looks->scanner = scanner;
	looks->times = (struct looks_times){0};
	looks->ear.forget(looks->ear.arg);
	return true;
}

/* Leaves the scanner behind that is stuck, with all that it knew. */
static void abandon(struct looks *looks)
{
	struct scanner *scanner = scanner_new(&looks->skip);
	struct job *job = looks->job;

	if (!scanner || !lanes_leave(&looks->skip.lanes, job->progress.at)) {
		scanner_free(scanner);
		return; /* what is known stays as it is */
	}
	log_error("process %d cannot be looked at: it is left out as long as that is so",
		  (int)job->progress.at);
	looks->scanner = scanner;
	looks->times = (struct looks_times){0};
	job->abandoned = true;
	looks->job = NULL;
	looks->ear.forget(looks->ear.arg);
	start(looks);
}

/* Better what is known than nothing. */
static void wake_everybody(struct looks *looks)
{
	looks->complete = false;
	wake_all(&looks->job->waiters);
	for (struct wanted *wanted = looks->queue; wanted; wanted = wanted->next)
		wake_all(&wanted->waiters);
}

uint64_t looks_expire(struct looks *looks, uint64_t now)
{
	struct job *job = looks->job;
	struct progress *progress;

	if (job && job->told)
		hear(looks);
	job = looks->job;
	if (!job)
		return UINT64_MAX;
	if (job->told)
		return now;
	progress = &job->progress;
	if (now - progress->checked < CHECK)
		return progress->checked + CHECK;
	progress_see(progress, scanner_at(job->scanner), now);
	if (now - progress->at_since >= PATIENCE || now - progress->since >= LOOK_MAX)
		wake_everybody(looks);
	if (progress->at && now - progress->at_since >= STUCK_AFTER)
		abandon(looks);
	return now + CHECK;
}

struct looks *looks_new(struct pool *pool, const struct looks_ear *ear)
{
	struct looks *looks = calloc(1, sizeof(*looks));

	if (!looks)
		return NULL;
	looks->pool = pool;
	looks->ear = *ear;
	/* Our own mappings are not looked for. */
	looks->skip.own[0] = getppid();
	looks->skip.own[1] = getpid();
	looks->scanner = scanner_new(&looks->skip);
	if (!looks->scanner) {
		free(looks);
		return NULL;
	}
	return looks;
}

void looks_free(struct looks *looks)
{
	struct wanted *wanted;
	struct given_table *given;

	if (!looks)
		return;
	if (looks->job && looks->job->told) {
		while (looks->job->look.news)
			drop_news(looks->job);
		free(looks->job);
	}
	while ((wanted = looks->queue)) {
		looks->queue = wanted->next;
		free(wanted);
	}
	while ((given = looks->given)) {
		looks->given = given->next;
		drop_given(given);
	}
	scanner_free(looks->scanner);
	free(looks);
}
