// SPDX-License-Identifier: BSD-3-Clause
/*
 * owner.c - the processes of the churn program that have mappings
 *
 * Each maps, unmaps by itself, serves release requests (by a thread or in its own loop), forks,
 * execs and exits, at random. Its own unmapping is not synchronized with that of the handler: the
 * library guarantees that exactly one of both succeeds.
 */
#include "../sanitizers.h"
#include "churn.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORK_SECONDS 60

struct place {
	bool used;
	unsigned number; /* of the entry */
	struct pmem2_map *map;
	unsigned *touch; /* accessible, unless others may unmap it: NULL */
	unsigned value;
};

static struct place place[PER_OWNER];
static struct process *self;
static unsigned self_number;
static struct pmem2_source *file, *memory;
static bool serves; /* requests, in its own loop */
static pthread_mutex_t allocator = PTHREAD_MUTEX_INITIALIZER;

static void ok_(const char *source, int line, const char *what, int ret)
{
	if (ret)
		broken(source, line, what, "returned %d: %s", ret, pmem2_errormsg());
}
#define ok(call) ok_(__FILE__, __LINE__, #call, call)

static void take_number(void)
{
	self_number = atomic_fetch_add(&arena->processes, 1);
	must(self_number < sizeof(arena->process) / sizeof(*arena->process));
	self = &arena->process[self_number];
	self->pid = getpid();
}

static unsigned new_entry(void)
{
	unsigned number = atomic_fetch_add(&arena->entries, 1);

	must(number < arena->capacity);
	arena->entry[number].process = self_number;
	return number;
}

/* With FORK_WHEN_QUIET the handler's thread unmaps before or after a fork. */
static void lock_allocator(void)
{
	if (FORK_WHEN_QUIET)
		pthread_mutex_lock(&allocator);
}

static void unlock_allocator(void)
{
	if (FORK_WHEN_QUIET)
		pthread_mutex_unlock(&allocator);
}

/* Tries to unmap and returns whether this call has unmapped it. */
static bool unmap(struct pmem2_map *map, struct entry *entry)
{
	int ret;

	lock_allocator();
	ret = pmem2_unmap(&map);
	unlock_allocator();
	must(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND, "pmem2_unmap: %d", ret);
	if (ret)
		return false;
	must(atomic_fetch_add(&entry->unmapped, 1) == 0, "unmapped twice");
	return true;
}

static int handler(struct pmem2_map *map, void *arg)
{
	struct entry *entry = arg;

	atomic_fetch_add(&entry->handler_runs, 1);
	must(self == &arena->process[entry->process], "another process's mapping");
	must(entry->handler_runs <= entry->asked, "nobody asked");
	if (dice(16) == 0)
		nap(1000 * dice(50));
	if (entry->refuses)
		return -REFUSAL;
	if (!unmap(map, entry))
		return PMEM2_E_MAPPING_NOT_FOUND;
	count(&arena->released);
	return 0;
}

static int set_label(const struct place *at)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "e%u", at->number);

	return pmem2fs_map_set_label(at->map, text, (size_t)length);
}

static void map_at(struct place *at)
{
	bool anonymous = dice(4) == 0;
	bool silent = dice(4) == 0;
	struct pmem2_config *config;
	struct entry *entry;
	char text[16];

	at->number = new_entry();
	entry = &arena->entry[at->number];
	entry->refuses = dice(2) == 0; /* so often that a short run has some */
	ok(pmem2_config_new(&config));
	ok(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE));
	ok(pmem2_config_set_length(config, 2 * PAGE));
	if (!anonymous)
		ok(pmem2_config_set_offset(config, dice(8) * PAGE));
	if (silent)
		ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	snprintf(text, sizeof(text), "e%u", at->number);
	if (dice(2))
		ok(pmem2fs_config_set_label(config, text, strlen(text)));
	ok(pmem2_map_new(&at->map, config, anonymous ? memory : file));
	ok(pmem2_config_delete(&config));
	entry->address = (uintptr_t)pmem2_map_get_address(at->map);
	at->touch = NULL;
	if (silent) {
		at->touch = pmem2_map_get_address(at->map);
		at->value = *at->touch = at->number;
	} else {
		ok(pmem2fs_map_set_release_handler(at->map, handler, entry));
	}
	ok(set_label(at));
	entry->mapped = true;
	at->used = true;
}

static void unmap_at(struct place *at)
{
	struct entry *entry = &arena->entry[at->number];

	entry->own_begun = true;
	if (at->touch)
		must(*at->touch == at->value, "the mapping of e%u has changed", at->number);
	if (unmap(at->map, entry))
		count(&arena->own);
	else
		must(entry->handler_runs > 0, "e%u was unmapped by nobody", at->number);
	at->used = false;
}

static void cut_at(struct place *at)
{
	int ret = pmem2_unmap_range(at->map, PAGE, PAGE, 0);

	must(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND, "pmem2_unmap_range: %d", ret);
	if (ret == 0) {
		arena->entry[at->number].partial = true;
		count(&arena->cuts);
	}
}

static void begin_to_serve(bool in_thread)
{
	if (in_thread)
		ok(pmem2fs_start_thread());
	else
		must(pmem2fs_get_fd() >= 0);
	serves = !in_thread;
}

/* Takes over the inherited mappings, under labels of this process. */
static void inherit(void)
{
	take_number();
	for (unsigned i = 0; i < PER_OWNER; i++) {
		struct place *at = &place[i];
		const struct entry *before = &arena->entry[at->number];
		struct entry *entry;
		int ret;

		if (!at->used)
			continue;
		at->number = new_entry();
		entry = &arena->entry[at->number];
		entry->refuses = before->refuses;
		entry->partial = before->partial;
		entry->address = (uintptr_t)pmem2_map_get_address(at->map);
		ret = at->touch ? 0 : pmem2fs_map_set_release_handler(at->map, handler, entry);
		if (!ret)
			ret = set_label(at);
		/* The handler's thread was unmapping it when this process was forked. */
		must(!ret || (ret == PMEM2_E_MAPPING_NOT_FOUND && !at->touch),
		     "an inherited mapping: %d", ret);
		at->used = !ret;
		entry->mapped = !ret;
	}
	/* Under TSan the child of a process with threads cannot start a thread. */
	begin_to_serve(!ON_TSAN && dice(2));
}

/*
 * Makes a child whose parent is not an owner. A mapping that the handler's thread was unmapping at
 * the fork can be in either state in the child.
 */
static void fork_child(void)
{
	pid_t middle;
	int status;

	if (arena->live >= 3 * OWNERS)
		return;
	/* Valid until the tester counts again; too high until then if the fork fails. */
	atomic_fetch_add(&arena->live, 1);
	lock_allocator();
	middle = fork();
	unlock_allocator();
	must(middle >= 0);
	if (middle == 0) {
		pid_t child = fork();

		if (child != 0)
			_exit(child < 0);
		inherit();
		return;
	}
	await(waitpid(middle, &status, WNOHANG) == middle, FORK_SECONDS,
	      "the middle process of a fork does not end");
	must(status == 0, "the middle process of a fork: wait status %#x", status);
	count(&arena->forks);
}

static _Noreturn void exec_idle(void)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", self_number);
	self->ending = true;
	count(&arena->execs);
	execl("/proc/self/exe", "churn", "--idle", number, (char *)NULL);
	broken(__FILE__, __LINE__, "exec", "%s", strerror(errno));
}

static void serve(void)
{
	struct pollfd fd = {.fd = pmem2fs_get_fd(), .events = POLLIN};

	must(fd.fd >= 0);
	if (poll(&fd, 1, 0) == 1)
		ok(pmem2fs_dispatch());
}

static bool pause_is_over(void)
{
	if (serves)
		serve();
	return !arena->pause || arena->stop;
}

static void one_round(void)
{
	struct place *at = &place[dice(PER_OWNER)];

	if (at->used && arena->entry[at->number].unmapped)
		at->used = false;
	if (!at->used) {
		if (atomic_fetch_sub(&arena->rounds_left, 1) > 0)
			map_at(at);
	} else if (dice(2)) {
		unmap_at(at);
	} else if (dice(4) == 0) {
		cut_at(at);
	}
	if (dice(100) == 0)
		fork_child();
	else if (dice(150) == 0)
		exec_idle();
	else if (dice(150) == 0) {
		self->ending = true;
		count(&arena->exits);
		_exit(0);
	}
	if (serves)
		serve();
	if (dice(3) == 0)
		nap(dice(1000));
}

_Noreturn void run_owner(void)
{
	int fd = open(arena->file, O_RDWR | O_CLOEXEC);

	must(fd >= 0 && prctl(PR_SET_NAME, COMM) == 0);
	take_number();
	ok(pmem2_source_from_fd(&file, fd));
	ok(pmem2_source_from_anon(&memory, 2 * PAGE));
	begin_to_serve(dice(2));
	while (!arena->stop) {
		one_round();
		if (arena->pause)
			await(pause_is_over(), REST_SECONDS, "the pause does not end");
	}
	self->ending = true;
	_exit(0);
}

_Noreturn void run_idle(unsigned process)
{
	arena->process[process].dead = true;
	nap(1000 * dice(300));
	_exit(0);
}
