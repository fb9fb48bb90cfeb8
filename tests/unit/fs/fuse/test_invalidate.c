/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_invalidate.c - which names the kernel is asked to forget, and when
 */
#include "base/clock.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include "fuse/invalidate.h"
#include <poll.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

struct fuse_session;

struct rig {
	struct catalog *catalog;
	struct invalidate invalidate;
	int wake;
};

/* Written by the thread of the pool, one task after the other. */
static char last_name[NAME_LENGTH_MAX + 1];
static unsigned asked;
/* The task with the name BLOCKS posts the first when it runs, and waits for the second. */
static sem_t runs, go;

#define BLOCKS "blocks"

int fuse_lowlevel_notify_inval_entry(struct fuse_session *session, uint64_t parent,
				     const char *name, size_t length);

int fuse_lowlevel_notify_inval_entry(struct fuse_session *session, uint64_t parent,
				     const char *name, size_t length)
{
	(void)session;
	assert_int_equal(parent, CATALOG_ROOT);
	assert_int_equal(strlen(name), length);
	if (!strcmp(name, BLOCKS)) {
		sem_post(&runs);
		sem_wait(&go);
	}
	strcpy(last_name, name);
	asked++;
	return 0;
}

static int begin(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	*state = rig;
	rig->catalog = catalog_new(0);
	rig->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rig->invalidate.helpers =
		pool_new(rig->wake, &(struct share){.total = 1, .user = 1, .sure = 1}, 2, 0);
	asked = 0;
	return !rig->catalog || !rig->invalidate.helpers;
}

static int end(void **state)
{
	struct rig *rig = *state;

	pool_close(rig->invalidate.helpers);
	catalog_free(rig->catalog);
	close(rig->wake);
	free(rig);
	return 0;
}

static struct mapping *add(struct rig *rig, const char *name)
{
	const struct pmem2fs_record record = {.length = 4096,
					      .source_type = PMEM2FS_SOURCE_ANONYMOUS};
	struct mapping *mapping;

	assert_int_equal(catalog_reserve(rig->catalog, name, 0, &mapping), 0);
	assert_int_equal(catalog_show(rig->catalog, mapping, 0, &record, NULL, NULL), 0);
	return mapping;
}

/* Makes a mapping that the kernel looks up and that then goes. */
static struct version *leave(struct rig *rig, const char *name)
{
	struct mapping *mapping = add(rig, name);
	struct version *version = mapping_version(mapping);

	assert_int_equal(nodes_lookup(catalog_nodes(rig->catalog), &version->node), 0);
	catalog_remove(rig->catalog, mapping);
	return version;
}

static void forget(struct rig *rig, struct version *version)
{
	assert_true(nodes_forget(catalog_nodes(rig->catalog), &version->node, 1));
	version_free(rig->catalog, version);
}

static void finish_task(struct rig *rig)
{
	struct pollfd pollfd = {.fd = rig->wake, .events = POLLIN};
	eventfd_t count;

	assert_int_equal(poll(&pollfd, 1, -1), 1);
	eventfd_read(rig->wake, &count);
	pool_finish(rig->invalidate.helpers);
}

/* A round of the loop at that time. */
static uint64_t expire(struct rig *rig, uint64_t now)
{
	return invalidate_leftovers(&rig->invalidate, catalog_leftovers(rig->catalog), now);
}

static void what_only_the_kernel_knows(void **state)
{
	struct rig *rig = *state;
	struct version *version;
	uint64_t now, due;

	assert_true(expire(rig, clock_now()) == UINT64_MAX);
	catalog_remove(rig->catalog, add(rig, "unknown"));
	assert_true(expire(rig, UINT64_MAX - 1) == UINT64_MAX);
	now = clock_now();
	version = leave(rig, "known");
	due = expire(rig, now);
	assert_true(due >= now + LEFTOVERS_AGE);
	expire(rig, due - 1);
	expire(rig, due);
	assert_true(expire(rig, due) == UINT64_MAX); /* once */
	finish_task(rig);
	assert_int_equal(asked, 1);
	assert_string_equal(last_name, "known");
	assert_true(expire(rig, due) == UINT64_MAX);
	forget(rig, version);
}

/* The kernel forgets what was removed through the mount, and what it looks up again. */
static void what_the_kernel_forgets_by_itself(void **state)
{
	struct rig *rig = *state;
	struct version *versions[3] = {leave(rig, "a"), leave(rig, "b"), leave(rig, "c")};

	forget(rig, versions[1]);
	forget(rig, versions[0]);
	expire(rig, leftovers_due(catalog_leftovers(rig->catalog)));
	finish_task(rig);
	assert_int_equal(asked, 1);
	assert_string_equal(last_name, "c");
	forget(rig, versions[2]);
	versions[0] = leave(rig, "a");
	forget(rig, versions[0]);
	assert_true(leftovers_due(catalog_leftovers(rig->catalog)) == UINT64_MAX);
}

static void what_somebody_holds(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a");
	struct version *version = version_hold(mapping_version(mapping));

	assert_int_equal(nodes_lookup(catalog_nodes(rig->catalog), &version->node), 0);
	catalog_remove(rig->catalog, mapping);
	assert_true(leftovers_due(catalog_leftovers(rig->catalog)) == UINT64_MAX);
	version_release(rig->catalog, version);
	assert_true(leftovers_due(catalog_leftovers(rig->catalog)) < UINT64_MAX);
	forget(rig, version);
}

/* The version before a change of the document, under a name that is still shown. */
static void old_versions(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = add(rig, "a");
	struct version *version = mapping_version(mapping);
	struct facts facts = {.lost = true};

	assert_int_equal(nodes_lookup(catalog_nodes(rig->catalog), &version->node), 0);
	assert_true(catalog_learn(rig->catalog, mapping, &facts, 1));
	assert_ptr_equal(catalog_leftovers(rig->catalog)->first, version);
	forget(rig, version);
}

/* Makes a leftover of another process's mapping that the kernel caches. */
static struct version *leave_cached(struct rig *rig, const char *name)
{
	struct mapping *mapping = add(rig, name);
	struct version *version = mapping_version(mapping);

	assert_int_equal(nodes_lookup(catalog_nodes(rig->catalog), &version->node), 0);
	version->cached = true;
	catalog_remove(rig->catalog, mapping);
	return version;
}

/* They are due at once, the first one before the others, and before what left earlier. */
static void what_the_kernel_caches(void **state)
{
	struct rig *rig = *state;
	struct leftovers *leftovers = catalog_leftovers(rig->catalog);
	struct version *old[2] = {leave(rig, "old"), leave(rig, "older")};
	struct version *cached[3];
	uint64_t left = clock_now();

	cached[0] = leave_cached(rig, "a");
	cached[1] = leave_cached(rig, "b");
	cached[2] = leave_cached(rig, "c");
	assert_true(leftovers_due(leftovers) >= left && leftovers_due(leftovers) <= clock_now());
	assert_ptr_equal(leftovers->first, cached[0]);
	forget(rig, cached[2]);
	forget(rig, cached[0]);
	assert_int_equal(leftovers_cached(leftovers), cached[1]->left_at);
	expire(rig, clock_now());
	finish_task(rig);
	assert_int_equal(asked, 1);
	assert_string_equal(last_name, "b");
	assert_true(leftovers_cached(leftovers) == UINT64_MAX);
	assert_ptr_equal(leftovers->first, old[0]);
	assert_true(expire(rig, clock_now()) == old[0]->left_at + LEFTOVERS_AGE);
	forget(rig, cached[1]);
	forget(rig, old[0]);
	forget(rig, old[1]);
}

struct wait {
	struct waiter waiter; /* first */
	unsigned woken;
	unsigned asked; /* how many names the kernel had been asked to forget by then */
};

static void wake(struct waiter *waiter)
{
	struct wait *wait = (struct wait *)waiter;

	wait->woken++;
	wait->asked = asked;
}

static int wait_begin(struct rig *rig, struct wait *wait)
{
	*wait = (struct wait){.waiter.wake = wake};
	return invalidate_wait(&rig->invalidate, catalog_leftovers(rig->catalog), &wait->waiter);
}

static void who_waits_until_the_kernel_knows(void **state)
{
	struct rig *rig = *state;
	struct version *old = leave(rig, "old"), *versions[2];
	struct wait first, second, third;

	assert_int_equal(wait_begin(rig, &first), 1); /* the kernel caches nothing */
	versions[0] = leave_cached(rig, "a");
	assert_int_equal(wait_begin(rig, &first), 0);
	expire(rig, clock_now());
	assert_int_equal(wait_begin(rig, &second), 0); /* an invalidation is under way */
	versions[1] = leave_cached(rig, "b");
	assert_int_equal(wait_begin(rig, &third), 0);
	assert_int_equal(first.woken, 0);
	finish_task(rig);
	expire(rig, clock_now());
	assert_int_equal(first.woken, 1);
	assert_int_equal(first.asked, 1);
	assert_int_equal(second.woken, 1);
	assert_int_equal(third.woken, 0);
	finish_task(rig);
	expire(rig, clock_now());
	assert_int_equal(first.woken, 1);
	assert_int_equal(second.woken, 1);
	assert_int_equal(third.woken, 1);
	assert_int_equal(third.asked, 2);
	assert_int_equal(wait_begin(rig, &first), 1);
	forget(rig, versions[0]);
	forget(rig, versions[1]);
	forget(rig, old);
}

/* The invalidation hangs, but by then the kernel has dropped the entry by itself. */
static void nobody_waits_longer_than_it_caches(void **state)
{
	struct rig *rig = *state;
	struct version *version = leave_cached(rig, BLOCKS);
	struct wait wait;
	uint64_t since;

	assert_int_equal(sem_init(&runs, 0, 0), 0);
	assert_int_equal(sem_init(&go, 0, 0), 0);
	assert_int_equal(wait_begin(rig, &wait), 0);
	since = wait.waiter.since;
	assert_true(expire(rig, since) == since + LEFTOVERS_CACHED);
	sem_wait(&runs);
	assert_true(expire(rig, since + LEFTOVERS_CACHED - 1) == since + LEFTOVERS_CACHED);
	assert_int_equal(wait.woken, 0);
	assert_true(expire(rig, since + LEFTOVERS_CACHED) == UINT64_MAX);
	assert_int_equal(wait.woken, 1);
	sem_post(&go);
	finish_task(rig);
	forget(rig, version);
	sem_destroy(&go);
	sem_destroy(&runs);
}

/* However many they are, none is left out, and they are few tasks. */
static void a_churn(void **state)
{
	enum { COUNT = 20000 };
	struct rig *rig = *state;
	struct version **versions = calloc(COUNT, sizeof(struct version *));
	unsigned tasks = 0;
	char name[32];

	assert_non_null(versions);
	for (int i = 0; i < COUNT; i++) {
		snprintf(name, sizeof(name), "name%d", i);
		versions[i] = leave(rig, name);
	}
	for (uint64_t now = clock_now() + LEFTOVERS_AGE; catalog_leftovers(rig->catalog)->first;
	     tasks++) {
		expire(rig, now);
		finish_task(rig);
	}
	assert_int_equal(asked, COUNT);
	assert_true(tasks < COUNT / 100);
	for (int i = 0; i < COUNT; i++)
		forget(rig, versions[i]);
	free(versions);
}

/* Names that need not be forgotten at once wait for one another, and become one task. */
static void what_can_wait(void **state)
{
	struct rig *rig = *state;
	char name[NAME_LENGTH_MAX + 1];
	unsigned tasks = 0, sent = 0;
	uint64_t due;

	invalidate_soon(&rig->invalidate, "first");
	invalidate_soon(&rig->invalidate, "second");
	due = expire(rig, clock_now() - INVALIDATE_SOON);
	assert_true(due != UINT64_MAX);
	assert_int_equal(expire(rig, due - 1), due);
	assert_int_equal(asked, 0);
	assert_int_equal(expire(rig, due), UINT64_MAX);
	finish_task(rig);
	assert_int_equal(asked, 2);
	assert_string_equal(last_name, "second");

	/* When there are too many for a task, it does not wait. */
	memset(name, 'x', NAME_LENGTH_MAX);
	name[NAME_LENGTH_MAX] = '\0';
	for (asked = 0; !asked && sent < 1000; sent++) {
		struct pollfd pollfd = {.fd = rig->wake, .events = POLLIN};

		invalidate_soon(&rig->invalidate, name);
		if (!rig->invalidate.soon) { /* it has been sent */
			finish_task(rig);
			tasks++;
		}
		assert_int_equal(poll(&pollfd, 1, 0), 0);
	}
	assert_int_equal(tasks, 1);
	assert_int_equal(asked, sent);
	assert_true(asked > 10);
}

/* A task that the pool does not take is tried again. */
static void a_full_pool(void **state)
{
	struct rig *rig = *state;
	struct version *version = leave(rig, "left");
	uint64_t now = clock_now() + LEFTOVERS_AGE;

	assert_int_equal(sem_init(&runs, 0, 0), 0);
	assert_int_equal(sem_init(&go, 0, 0), 0);
	invalidate_name(&rig->invalidate, BLOCKS);
	sem_wait(&runs); /* now all free places are in the queue */
	for (int i = 0; i < 5; i++)
		invalidate_name(&rig->invalidate, "other");
	assert_int_equal(expire(rig, now), now + CLOCK_SECOND);
	assert_ptr_equal(catalog_leftovers(rig->catalog)->first, version);
	sem_post(&go);
	while (expire(rig, now) != UINT64_MAX)
		finish_task(rig);
	while (rig->invalidate.busy)
		finish_task(rig);
	assert_string_equal(last_name, "left");
	forget(rig, version);
	sem_destroy(&go);
	sem_destroy(&runs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_only_the_kernel_knows, begin, end),
		cmocka_unit_test_setup_teardown(what_the_kernel_forgets_by_itself, begin, end),
		cmocka_unit_test_setup_teardown(what_somebody_holds, begin, end),
		cmocka_unit_test_setup_teardown(old_versions, begin, end),
		cmocka_unit_test_setup_teardown(what_the_kernel_caches, begin, end),
		cmocka_unit_test_setup_teardown(who_waits_until_the_kernel_knows, begin, end),
		cmocka_unit_test_setup_teardown(nobody_waits_longer_than_it_caches, begin, end),
		cmocka_unit_test_setup_teardown(a_churn, begin, end),
		cmocka_unit_test_setup_teardown(what_can_wait, begin, end),
		cmocka_unit_test_setup_teardown(a_full_pool, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
