/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_log.c - log lines
 *
 * The tests that need the log's own thread come last: once started, it runs until the end.
 */
#include "base/log.h"
#include "base/log_limit.h"
#include "capture.h"
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
#include <unistd.h>

#include <cmocka.h>

static void expect_line(const char *expected, const char *given)
{
	struct capture capture;
	char *text;

	capture_begin(&capture, STDERR_FILENO);
	log_warning("%s", given);
	text = capture_text(&capture);
	capture_end(&capture);
	assert_string_equal(text, expected);
	free(text);
}

static void spells_control_characters(void **state)
{
	(void)state;
	expect_line("pmem2fs: plain \xc3\xa9\n", "plain \xc3\xa9");
	expect_line("pmem2fs: a\\x0apmem2fs: forged\n", "a\npmem2fs: forged");
	expect_line("pmem2fs: \\x1b[31m\\x7f\\x01\\x09\n", "\x1b[31m\x7f\x01\t");
	expect_line("pmem2fs: \\xc2\\x9b\\xe2\\x80\\xae\\xff\n", "\xc2\x9b\xe2\x80\xae\xff");
	expect_line("pmem2fs: %s%n\n", "%s%n");
	expect_line("pmem2fs: \n", "");
}

static void a_long_line_is_cut(void **state)
{
	struct capture capture;
	char *long_text = malloc(100001), *text;

	(void)state;
	for (int control = 0; control < 2; control++) {
		memset(long_text, control ? '\n' : 'x', 100000);
		long_text[100000] = '\0';
		capture_begin(&capture, STDERR_FILENO);
		log_warning("%s", long_text);
		text = capture_text(&capture);
		capture_end(&capture);
		assert_true(strlen(text) > 1000 && strlen(text) < 5000);
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		free(text);
	}
	free(long_text);
}

static void keeps_errno(void **state)
{
	struct capture capture;

	(void)state;
	capture_begin(&capture, STDERR_FILENO);
	errno = EXDEV;
	log_error("%d", 1);
	assert_int_equal(errno, EXDEV);
	capture_end(&capture);
}

static void debug_lines_only_when_wanted(void **state)
{
	struct capture capture;
	char *text;

	(void)state;
	capture_begin(&capture, STDERR_FILENO);
	log_debug("hidden");
	log_open(true, true);
	log_debug("shown");
	log_open(true, false);
	log_info("info");
	text = capture_text(&capture);
	capture_end(&capture);
	assert_string_equal(text, "pmem2fs: shown\npmem2fs: info\n");
	free(text);
}

static size_t count(const char *text, const char *wanted)
{
	size_t found = 0;

	while ((text = strstr(text, wanted))) {
		found++;
		text++;
	}
	return found;
}

static void a_user_cannot_flood_it(void **state)
{
	struct capture capture;
	char *text;

	(void)state;
	capture_begin(&capture, STDERR_FILENO);
	for (int i = 0; i < 1000; i++) {
		errno = EXDEV;
		log_of_user(LOG_TOPIC_REQUESTS, 7, LOG_WARNING, "flood %d\n", i);
		assert_int_equal(errno, EXDEV);
	}
	log_of_user(LOG_TOPIC_REQUESTS, 8, LOG_WARNING, "other user");
	log_of_user(LOG_TOPIC_PROCESSES, 7, LOG_WARNING, "other topic");
	log_warning("the daemon's own");
	log_close();
	log_close();
	text = capture_text(&capture);
	capture_end(&capture);
	/* One more each ten seconds, if the test is that slow. */
	assert_in_range(count(text, "flood"), LOG_LIMIT_BURST, LOG_LIMIT_BURST + 60);
	assert_int_equal(count(text, "pmem2fs: other user\npmem2fs: other topic\n"
				     "pmem2fs: the daemon's own\npmem2fs: lines left out on failed "
				     "requests of user 7: "),
			 1);
	assert_int_equal(count(text, "left out"), 1);
	free(text);
}

#define THREADS 4
#define LINES   200

static void *write_lines(void *arg)
{
	for (int i = 0; i < LINES; i++)
		log_info("thread %c line %03d", *(char *)arg, i);
	return NULL;
}

/* All lines of all threads are written, each whole, those of one thread in order. */
static void threads_write_whole_lines(void **state)
{
	pthread_t threads[THREADS];
	int next[THREADS] = {0};
	char names[] = "abcd", *text, *line, *rest;
	struct capture capture;

	(void)state;
	capture_begin(&capture, STDERR_FILENO);
	log_start_thread();
	for (int i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, write_lines, &names[i]);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	log_close();
	text = capture_text(&capture);
	capture_end(&capture);
	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		char name;
		int number;

		assert_int_equal(sscanf(line, "pmem2fs: thread %c line %d", &name, &number), 2);
		assert_int_equal(number, next[name - 'a']++);
	}
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(next[i], LINES);
	free(text);
}

/* With a stuck reader lines are dropped and counted, and no thread waits. */
static void drops_what_cannot_be_written(void **state)
{
	enum { COUNT = 5000 };
	int ends[2], saved = dup(STDERR_FILENO), seen = 0;
	unsigned dropped = 0, more;
	char line[256];
	FILE *file;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	/* A pipe of one page takes some hundred lines at most, the queue a thousand. */
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	for (int i = 0; i < COUNT; i++)
		log_info("line %d", i);
	file = fdopen(ends[0], "r");
	while (seen + (int)dropped < COUNT) {
		int number;

		assert_non_null(fgets(line, sizeof(line), file));
		if (sscanf(line, "pmem2fs: line %d", &number) == 1) {
			assert_true(number >= seen);
			seen++;
		} else {
			assert_int_equal(sscanf(line, "pmem2fs: %u log lines dropped", &more), 1);
			dropped += more;
		}
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(dropped > 0);
	assert_int_equal(seen + (int)dropped, COUNT);
	log_close();
	fclose(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spells_control_characters),
		cmocka_unit_test(a_long_line_is_cut),
		cmocka_unit_test(keeps_errno),
		cmocka_unit_test(debug_lines_only_when_wanted),
		cmocka_unit_test(a_user_cannot_flood_it),
		cmocka_unit_test(threads_write_whole_lines),
		cmocka_unit_test(drops_what_cannot_be_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
