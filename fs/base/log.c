/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.c - see log.h
 *
 * One queue of lines. Its lock guards all of it but the atomics.
 */
#include "base/log.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
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
} queue = {
	.foreground = true,
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.changed = PTHREAD_COND_INITIALIZER,
	.last = &queue.first,
	.idle = true,
};

static void write_line(int priority, const char *text)
{
	if (queue.foreground)
		fprintf(stderr, "pmem2fs: %s\n", text);
	else
		syslog(priority, "%s", text);
}

static void *write_queued_lines(void *unused)
{
	(void)unused;
	pthread_mutex_lock(&queue.lock);
	for (;;) {
		struct line *line = queue.first;
		unsigned dropped = queue.dropped;

		if (!line) {
			queue.idle = true;
			pthread_cond_broadcast(&queue.changed);
			pthread_cond_wait(&queue.changed, &queue.lock);
			continue;
		}
		queue.idle = false;
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
	return NULL;
}

void log_open(bool foreground, bool debug)
{
	queue.foreground = foreground;
	queue.debug = debug;
	if (!foreground)
		openlog("pmem2fs", LOG_PID, LOG_DAEMON);
}

void log_leave_terminal(void)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	log_open(false, queue.debug);
	if (null < 0)
		return;
	dup2(null, STDERR_FILENO);
	close(null);
}

void log_start_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, write_queued_lines, NULL))
		return; /* then every thread writes its own lines */
	pthread_detach(thread);
	queue.threaded = true;
}

void log_close(void)
{
	struct timespec until;

	if (!queue.threaded)
		return;
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec++;
	pthread_mutex_lock(&queue.lock);
	while (queue.first || !queue.idle)
		if (pthread_cond_timedwait(&queue.changed, &queue.lock, &until))
			break;
	pthread_mutex_unlock(&queue.lock);
}

/* Makes `from` printable. Keeps bytes above 0x7f, which are UTF-8 mostly. */
static void escape_control(char *to, size_t size, const char *from)
{
	size_t n = 0;

	for (; *from && n + 5 < size; from++) {
		unsigned char c = (unsigned char)*from;

		if (c < 0x20 || c == 0x7f)
			n += (size_t)snprintf(to + n, size - n, "\\x%02x", c);
		else
			to[n++] = (char)c;
	}
	to[n] = '\0';
}

void log_line(int priority, const char *format, ...)
{
	char raw[LOG_LINE_MAX], text[LOG_LINE_MAX * 2];
	int saved = errno;
	struct line *line;
	size_t length;
	va_list args;

	if (priority == LOG_DEBUG && !queue.debug)
		return;
	va_start(args, format);
	vsnprintf(raw, sizeof(raw), format, args);
	va_end(args);
	escape_control(text, sizeof(text), raw);
	if (!queue.threaded) {
		write_line(priority, text);
		errno = saved;
		return;
	}
	length = strlen(text) + 1;
	pthread_mutex_lock(&queue.lock);
	line = queue.queued < LOG_QUEUE_MAX ? malloc(sizeof(*line) + length) : NULL;
	if (line) {
		line->next = NULL;
		line->priority = priority;
		memcpy(line->text, text, length);
		*queue.last = line;
		queue.last = &line->next;
		queue.queued++;
		queue.idle = false;
		pthread_cond_broadcast(&queue.changed);
	} else {
		queue.dropped++;
	}
	pthread_mutex_unlock(&queue.lock);
	errno = saved;
}
