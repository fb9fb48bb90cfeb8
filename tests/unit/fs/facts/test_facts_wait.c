/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_facts_wait.c - readers of documents while reading facts is slow or fails
 *
 * The test chooses at which process the thread that reads facts hangs, what it finds, and what time
 * it is for facts_cache_expire.
 */
#include "base/clock.h"
#include "base/shared_text.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "catalog/mapping_fields.h"
#include "facts/facts_cache.h"
#include "facts/facts_reader.h"
#include "rig.h"
#include "scan/process_table.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define SECOND CLOCK_SECOND

static struct capture capture;

/* What the thread is to do and does; guarded by the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pid_t hangs_at; /* pid of a process; 0: none, -1: all */
static unsigned hanging;
static bool nothing_left;

void __wrap_facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query);

void __wrap_facts_reader_read(struct facts_reader *facts_reader, struct facts_query *query)
{
	(void)facts_reader;
	pthread_mutex_lock(&lock);
	hanging++;
	pthread_cond_broadcast(&changed);
	while (hangs_at == -1 || hangs_at == query->pid)
		pthread_cond_wait(&changed, &lock);
	hanging--;
	query->read_at = clock_now();
	if (nothing_left)
		query->facts.extents = extents_new();
	else
		query->facts.path = shared_text_new("/path");
	pthread_mutex_unlock(&lock);
}

static void hang_at(pid_t pid)
{
	pthread_mutex_lock(&lock);
	hangs_at = pid;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_until_it_hangs(void)
{
	pthread_mutex_lock(&lock);
	while (!hanging)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static pid_t children[2];

static void start_child(unsigned i)
{
	children[i] = fork();
	assert_true(children[i] >= 0);
	if (!children[i]) {
		pause();
		_exit(0);
	}
}

static void end_child(unsigned i)
{
	kill(children[i], SIGKILL);
	waitpid(children[i], NULL, 0);
}

static int begin(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	start_child(0);
	start_child(1);
	*state = rig_new();
	return 0;
}

static int end(void **state)
{
	nothing_left = false;
	hang_at(0);
	rig_free(*state);
	end_child(0);
	end_child(1);
	capture_end(&capture);
	return 0;
}

static const struct pmem2fs_record record = {
	.address = 0x10000,
	.length = 8192,
	.source_size = 8192,
	.source_dev = 77,
	.source_inode = 9,
	.alignment = 4096,
	.source_type = PMEM2FS_SOURCE_FILE,
};

static struct mapping *add(struct rig *rig, const char *name)
{
	struct catalog *catalog = rig->modules.catalog;
	struct mapping *mapping;

	assert_int_equal(catalog_reserve(catalog, name, 0, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, 4000, &record, NULL,
				      facts_cache_keeper(rig->modules.facts_cache)),
			 0);
	return mapping;
}

/* Shows a mapping of a child process. */
static struct mapping *add_foreign(struct rig *rig, const char *name, struct process *process,
				   unsigned child)
{
	const struct scan_state scan_state = {.process = process};
	struct extents *extents = NULL;
	struct mapping *mapping;

	process->pid = children[child];
	if (!process->info)
		process->info = process_info_new(process->pid, "child");
	assert_int_equal(catalog_show_scanned(rig->modules.catalog, name, ORIGIN_OBSERVED, &record,
					      &extents, &scan_state, process->info, &mapping),
			 0);
	return mapping;
}

struct test_waiter {
	struct waiter waiter; /* must be the first member */
	bool woken;
};

static void wake(struct waiter *waiter)
{
	struct test_waiter *test = (struct test_waiter *)waiter;

	assert_false(test->woken);
	test->woken = true;
}

static int ask(struct rig *rig, struct mapping *mapping, unsigned more, struct test_waiter *waiter)
{
	*waiter = (struct test_waiter){.waiter.wake = wake};
	return facts_cache_request(rig->modules.facts_cache, mapping, more, &waiter->waiter);
}

static void expire(struct rig *rig, uint64_t now)
{
	facts_cache_expire(rig->modules.facts_cache, now);
}

static void expect(struct rig *rig, const struct mapping *mapping, bool pending, const char *path)
{
	size_t length;
	const char *text =
		version_document(rig->modules.catalog, mapping_version(mapping), &length);

	assert_int_equal(!!strstr(text, "\"pending\": true"), pending);
	assert_non_null(strstr(text, path ? path : "\"path\": null"));
}

static void waits_for_facts_and_then_says_so(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a");
	struct test_waiter waiter, later;
	uint64_t begun;

	expect(rig, mapping, true, NULL);
	hang_at(-1);
	begun = clock_now();
	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	wait_until_it_hangs();
	expire(rig, begun + SECOND);
	expire(rig, begun + 4 * SECOND);
	assert_false(waiter.woken);
	expire(rig, clock_now() + FACTS_CACHE_PATIENCE);
	assert_true(waiter.woken);
	expect(rig, mapping, true, NULL);
	assert_int_equal(ask(rig, mapping, 0, &later), 0);
	rig_poll(rig);
	assert_false(later.woken);
	hang_at(0);
	rig_run(rig, &later.woken);
	expect(rig, mapping, false, "\"/path\"");
}

/* Old facts are shown with "pending". */
static void old_facts_are_called_so(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a");
	struct test_waiter waiter;

	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, mapping, false, "\"/path\"");
	hang_at(-1);
	mapping->checked = 1; /* its facts are old */
	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	wait_until_it_hangs();
	expect(rig, mapping, false, "\"/path\""); /* not given up: nobody has waited too long */
	expire(rig, clock_now() + FACTS_CACHE_PATIENCE);
	assert_true(waiter.woken);
	expect(rig, mapping, true, "\"/path\"");
	hang_at(0);
	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, mapping, false, "\"/path\"");
}

/* Mappings that are only read along do not become pending: nobody waits for them. */
static void nobody_waits_for_what_is_read_along(void **state)
{
	struct rig *rig = *state;
	struct mapping *asked = add(rig, "a"), *along = add(rig, "b");
	struct test_waiter waiter;

	assert_int_equal(ask(rig, asked, 1, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, along, false, "\"/path\"");
	hang_at(-1);
	asked->checked = along->checked = 1; /* long ago */
	assert_int_equal(ask(rig, asked, 1, &waiter), 0);
	wait_until_it_hangs();
	expire(rig, clock_now() + FACTS_CACHE_PATIENCE);
	assert_true(waiter.woken);
	expect(rig, asked, true, "\"/path\"");
	expect(rig, along, false, "\"/path\"");
	assert_int_equal(ask(rig, along, 0, &waiter), 0);
	expire(rig, clock_now() + 2 * FACTS_CACHE_PATIENCE);
	assert_true(waiter.woken);
	expect(rig, along, true, "\"/path\"");
	hang_at(0);
	assert_int_equal(ask(rig, along, 0, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, asked, false, "\"/path\"");
	expect(rig, along, false, "\"/path\"");
}

/* Patience counts from the request, also for a batch that is not being read yet. */
static void everybody_waits_as_long(void **state)
{
	struct rig *rig = *state;
	struct mapping *first = add(rig, "a"), *second = add(rig, "b");
	struct test_waiter early, late;
	uint64_t between;

	hang_at(-1);
	assert_int_equal(ask(rig, first, 0, &early), 0);
	wait_until_it_hangs();
	between = clock_now();
	while (clock_now() == between)
		;
	assert_int_equal(ask(rig, second, 0, &late), 0);
	expire(rig, between + FACTS_CACHE_PATIENCE);
	assert_true(early.woken);
	assert_false(late.woken);
	hang_at(0);
	rig_run(rig, &late.woken);
	expect(rig, second, false, "\"/path\"");
}

/* Only the mappings of the process in which the thread hangs have documents without facts. */
static void others_do_not_suffer(void **state)
{
	struct rig *rig = *state;
	struct process processes[2] = {0};
	struct mapping *stuck = add_foreign(rig, "stuck", &processes[0], 0);
	struct mapping *other = add_foreign(rig, "other", &processes[1], 1), *own = add(rig, "own");
	struct test_waiter waiter, next, refused;
	uint64_t now;
	char *log;

	hang_at(children[0]);
	assert_int_equal(ask(rig, stuck, 2, &waiter), 0);
	wait_until_it_hangs();
	assert_int_equal(ask(rig, other, 0, &next), 0);
	now = waiter.waiter.since = next.waiter.since = clock_now();
	expire(rig, now + SECOND / 2);
	assert_false(waiter.woken);
	expire(rig,
	       now + SECOND / 2 +
		       4 * SECOND); /* the thread is stuck, but no waiter has waited too long */
	rig_run(rig, &waiter.woken);
	assert_true(next.woken);
	expect(rig, stuck, true, NULL);
	expect(rig, other, false, "\"/path\"");
	expect(rig, own, false, "\"/path\"");
	log = capture_text(&capture);
	assert_non_null(strstr(log, "cannot be looked at"));
	free(log);
	assert_int_equal(ask(rig, stuck, 0, &refused), -EBUSY);
	mapping_set_unchecked(other);
	assert_int_equal(ask(rig, other, 0, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, other, false, "\"/path\"");
	hang_at(0);
	do
		rig_poll(rig);
	while (ask(rig, stuck, 0, &waiter) == -EBUSY);
	rig_run(rig, &waiter.woken);
	expect(rig, stuck, false, "\"/path\"");
	process_info_put(processes[0].info);
	process_info_put(processes[1].info);
}

/* The process has ended or unmapped the mapping since the scan: its facts cannot be read. */
static void what_is_gone_before_it_was_read(void **state)
{
	struct rig *rig = *state;
	struct process processes[2] = {0};
	struct mapping *ended = add_foreign(rig, "ended", &processes[0], 0);
	struct mapping *unmapped = add_foreign(rig, "unmapped", &processes[1], 1);
	struct mapping *own = add(rig, "own");
	struct test_waiter waiter;

	end_child(0);
	nothing_left = true;
	assert_int_equal(ask(rig, ended, 2, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, ended, true, NULL);
	expect(rig, unmapped, true, NULL);
	expect(rig, own, false, NULL); /* nothing is left of the keeper's own mapping */
	nothing_left = false;
	mapping_set_unchecked(unmapped);
	mapping_set_unchecked(own);
	assert_int_equal(ask(rig, unmapped, 1, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, unmapped, false, "\"/path\"");
	mapping_set_changing(own, true); /* the keeper is unmapping it */
	nothing_left = true;
	mapping_set_unchecked(unmapped);
	mapping_set_unchecked(own);
	assert_int_equal(ask(rig, unmapped, 1, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, unmapped, true, "\"/path\"");
	expect(rig, own, true, "\"/path\"");
	start_child(0);
	process_info_put(processes[0].info);
	process_info_put(processes[1].info);
}

/* A scan finds the mapping at another place while its facts are read. */
static void what_has_changed_meanwhile(void **state)
{
	struct rig *rig = *state;
	struct process process = {0};
	struct mapping *mapping = add_foreign(rig, "moved", &process, 0);
	struct pmem2fs_record grown = record;
	struct extents *extents = NULL;
	struct test_waiter waiter;

	grown.length *= 2;
	hang_at(-1);
	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	wait_until_it_hangs();
	assert_int_equal(catalog_update_scanned(rig->modules.catalog, mapping, &grown, &extents),
			 0);
	hang_at(0);
	rig_run(rig, &waiter.woken);
	expect(rig, mapping, true, NULL);
	assert_int_equal(ask(rig, mapping, 0, &waiter), 0);
	rig_run(rig, &waiter.woken);
	expect(rig, mapping, false, "\"/path\"");
	process_info_put(process.info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(waits_for_facts_and_then_says_so, begin, end),
		cmocka_unit_test_setup_teardown(old_facts_are_called_so, begin, end),
		cmocka_unit_test_setup_teardown(nobody_waits_for_what_is_read_along, begin, end),
		cmocka_unit_test_setup_teardown(everybody_waits_as_long, begin, end),
		cmocka_unit_test_setup_teardown(others_do_not_suffer, begin, end),
		cmocka_unit_test_setup_teardown(what_is_gone_before_it_was_read, begin, end),
		cmocka_unit_test_setup_teardown(what_has_changed_meanwhile, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
