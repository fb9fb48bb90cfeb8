/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - see log.h
 *
 * One queue of lines, and what users may still put into it. Its lock guards all of it but the
 * atomics.
 */
#include "base/log.h"
#include "base/clock.h"
#include "base/escape.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define LOG_LINE_MAX  2048
#define LOG_QUEUE_MAX 1000

struct line {
	struct line *next;
	int priority;
	char text[];
};

static struct {
	_Atomic bool foreground, debug,
		threaded; /* set by one thread, read by all; nothing else is published with them */
	bool idle;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct line *first, **last;
	unsigned queued, dropped;
	struct log_limit limit;
	uint64_t wakes; /* when the thread looks for lines that were left out, at the latest */
} queue = {
	.foreground = true,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.last = &queue.first,
	.idle = true,
};

/* Not by stdio: exit writes what its streams hold, and would wait as the thread does. */
static void write_to_stderr(const char *text)
{
	const struct iovec parts[] = {
		{.iov_base = "pmem2fs: ", .iov_len = strlen("pmem2fs: ")},
		{.iov_base = (char *)text, .iov_len = strlen(text)},
		{.iov_base = "\n", .iov_len = 1},
	};

	if (writev(STDERR_FILENO, parts, 3) < 0)
		return; /* the error cannot be reported anywhere */
}

static void write_line(int priority, const char *text)
{
	if (queue.foreground)
		write_to_stderr(text);
	else
		syslog(priority, "%s", text);
}

/* With the lock. */
static void put_line(int priority, const char *text)
{
	size_t length = strlen(text) + 1;
	struct line *line;

	if (!queue.threaded) {
		write_line(priority, text);
		return;
	}
	line = queue.queued < LOG_QUEUE_MAX ? malloc(sizeof(*line) + length) : NULL;
	if (!line) {
		queue.dropped++;
		return;
	}
	line->next = NULL;
	line->priority = priority;
	memcpy(line->text, text, length);
	*queue.last = line;
	queue.last = &line->next;
	queue.queued++;
	queue.idle = false;
	pthread_cond_broadcast(&queue.changed);
}

/* With the lock. */
static void put_reports(uint64_t now)
{
	char text[LOG_LIMIT_TEXT];

	while (log_limit_report(&queue.limit, now, text))
		put_line(LOG_WARNING, text);
}

/* Waits, with the lock, until there is a line or a report is due. */
static void wait_for_lines(void)
{
	struct timespec until;

	queue.idle = true;
	queue.wakes = log_limit_due(&queue.limit);
	pthread_cond_broadcast(&queue.changed);
	until = clock_timespec(queue.wakes);
	if (queue.wakes == UINT64_MAX)
		pthread_cond_wait(&queue.changed, &queue.lock);
	else
		pthread_cond_clockwait(&queue.changed, &queue.lock, CLOCK_MONOTONIC, &until);
}

/* With the lock, which is not held meanwhile. */
static void write_first_line(void)
{
	struct line *line = queue.first;
	unsigned dropped = queue.dropped;

	queue.first = line->next;
	if (!queue.first)
		queue.last = &queue.first;
	queue.queued--;
	queue.dropped = 0;
	pthread_mutex_unlock(&queue.lock);
	write_line(line->priority, line->text);
	if (dropped) {
		char text[64];

		snprintf(text, sizeof(text), "%u log lines dropped", dropped);
		write_line(LOG_WARNING, text);
	}
	free(line);
	pthread_mutex_lock(&queue.lock);
}

static void *write_queued_lines(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		put_reports(clock_now());
		if (queue.first)
			write_first_line();
		else
			wait_for_lines();
	}
	return NULL;
}

void log_open(bool foreground, bool debug)
{
	queue.foreground = foreground;
	queue.debug = debug;
	if (!foreground)
		openlog("pmem2fs", LOG_PID, LOG_DAEMON);
}

void log_start_thread(void)
{
	sigset_t all, before;
	pthread_t thread;

	/* No signal is delivered to this thread: the other threads handle them. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	queue.threaded = !pthread_create(&thread, NULL, write_queued_lines, NULL);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!queue.threaded)
		return;
	pthread_setname_np(thread, "pmem2fs-log");
	pthread_detach(thread);
}

void log_close(void)
{
	const struct timespec until = clock_timespec(clock_now() + CLOCK_SECOND);

	pthread_mutex_lock(&queue.lock);
	put_reports(UINT64_MAX);
	while (queue.threaded && (queue.first || !queue.idle))
		if (pthread_cond_clockwait(&queue.changed, &queue.lock, CLOCK_MONOTONIC, &until))
			break;
	pthread_mutex_unlock(&queue.lock);
}

void log_leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_close();
	log_open(false, queue.debug);
	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	close(null);
}

static void format_line(int priority, const char *format, va_list args)
{
	char raw[LOG_LINE_MAX], text[LOG_LINE_MAX * 2];

	vsnprintf(raw, sizeof(raw), format, args);
	escape_for_terminal(text, sizeof(text), raw);
	pthread_mutex_lock(&queue.lock);
	put_line(priority, text);
	pthread_mutex_unlock(&queue.lock);
}

void log_line(int priority, const char *format, ...)
{
	int saved = errno;
	va_list args;

	if (priority == LOG_DEBUG && !queue.debug)
		return;
	va_start(args, format);
	format_line(priority, format, args);
	va_end(args);
	errno = saved;
}

void log_of_user(enum log_topic topic, uid_t uid, int priority, const char *format, ...)
{
	int saved = errno;
	va_list args;
	bool allowed;

	pthread_mutex_lock(&queue.lock);
	allowed = log_limit_take(&queue.limit, topic, uid, clock_now());
	if (!allowed && log_limit_due(&queue.limit) < queue.wakes)
		pthread_cond_broadcast(&queue.changed);
	pthread_mutex_unlock(&queue.lock);
	if (!allowed)
		return;
	va_start(args, format);
	format_line(priority, format, args);
	va_end(args);
	errno = saved;
}
