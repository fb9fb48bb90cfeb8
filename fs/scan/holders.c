/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * holders.c - see holders.h
 *
 * What the scanner tells becomes entries of the name space here; looks.c has it look.
 */
#include "scan/holders.h"
#include "base/clock.h"
#include "base/log.h"
#include "catalog/events.h"
#include "catalog/namespace.h"
#include "change/release.h"
#include "protocol/entry_name.h"
#include "scan/looks.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#define SEARCH_FRESH CLOCK_SECOND
#define SHARE        10 /* looks at what is known take the tenth part of the time */
#define NAME_TRIES   16

struct holders {
	struct service *service;
	int epoll;
	struct looks *looks;
	size_t count;
	bool missed;
	void *processes, *pids; /* struct holder */
	void *sightings;        /* struct mapping */
	struct holder *ended;   /* to be freed when no event of theirs can come any more */
};

static int compare_processes(const void *a, const void *b)
{
	uint64_t x = ((const struct holder *)a)->process, y = ((const struct holder *)b)->process;

	return x < y ? -1 : x > y;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = ((const struct holder *)a)->pid, y = ((const struct holder *)b)->pid;

	return x < y ? -1 : x > y;
}

static int compare_sightings(const void *a, const void *b)
{
	uint64_t x = ((const struct mapping *)a)->foreign.sighting;
	uint64_t y = ((const struct mapping *)b)->foreign.sighting;

	return x < y ? -1 : x > y;
}

static struct mapping *find_sighting(const struct holders *holders, uint64_t number)
{
	const struct mapping key = {.foreign.sighting = number};
	struct mapping **found = tfind(&key, &holders->sightings, compare_sightings);

	return found ? *found : NULL;
}

static void forget_mapping(struct mapping *mapping)
{
	struct foreign *foreign = &mapping->foreign;
	struct holders *holders = foreign->holder->all;
	struct service *service = holders->service;

	tdelete(mapping, &holders->sightings, compare_sightings);
	if (foreign->previous)
		foreign->previous->foreign.next = foreign->next;
	else
		foreign->holder->mappings = foreign->next;
	if (foreign->next)
		foreign->next->foreign.previous = foreign->previous;
	events_unmapped(service->events, mapping);
	clock_gettime(CLOCK_REALTIME, &service->changed);
	release_gone(mapping);
	namespace_remove(service->names, mapping);
}

static void end_holder(struct holder *holder)
{
	struct holders *holders = holder->all;

	while (holder->mappings)
		forget_mapping(holder->mappings);
	tdelete(holder, &holders->processes, compare_processes);
	tdelete(holder, &holders->pids, compare_pids);
	holders->count--;
	/* The scanner has another descriptor of it, so that closing ours alone ends nothing. */
	epoll_ctl(holders->epoll, EPOLL_CTL_DEL, holder->watch.fd, NULL);
	close(holder->watch.fd);
	holder->watch.fd = -1;
	owner_put(holder->owner);
	holder->owner = NULL;
	holder->next = holders->ended;
	holders->ended = holder;
}

static void process_ended(struct watch *watch, uint32_t events)
{
	struct holder *holder = (struct holder *)watch;

	(void)events;
	if (watch->fd >= 0)
		end_holder(holder);
}

static struct holder *find_process(const struct holders *holders, uint64_t process)
{
	const struct holder key = {.process = process};
	struct holder **found = tfind(&key, &holders->processes, compare_processes);

	return found ? *found : NULL;
}

static struct holder *find_pid(const struct holders *holders, pid_t pid)
{
	const struct holder key = {.pid = pid};
	struct holder **found = tfind(&key, &holders->pids, compare_pids);

	return found ? *found : NULL;
}

/* Something was told that is not shown: it can be heard only from a scanner that begins anew. */
static void miss(struct holders *holders, pid_t pid)
{
	log_error("process %d: out of memory: not all that it has mapped is shown", (int)pid);
	holders->missed = true;
}

/* Its pidfd is used up. NULL when it cannot be watched, and so cannot be shown. */
static struct holder *begin_holder(struct holders *holders, const struct news *news)
{
	struct holder *former = find_pid(holders, news->pid);
	struct holder *holder = calloc(1, sizeof(*holder));
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = holder};

	if (former) /* its end has not been heard of yet */
		end_holder(former);
	if (!holder)
		goto close_pidfd;
	holder->watch = (struct watch){.fd = news->pidfd, .ready = process_ended};
	holder->all = holders;
	holder->process = news->process;
	holder->pid = news->pid;
	holder->owner = owner_new(news->pid, news->comm);
	if (!holder->owner || !tsearch(holder, &holders->processes, compare_processes))
		goto free_holder;
	if (!tsearch(holder, &holders->pids, compare_pids))
		goto forget_process;
	if (epoll_ctl(holders->epoll, EPOLL_CTL_ADD, news->pidfd, &event))
		goto forget_pid;
	holders->count++;
	return holder;
forget_pid:
	tdelete(holder, &holders->pids, compare_pids);
forget_process:
	tdelete(holder, &holders->processes, compare_processes);
free_holder:
	owner_put(holder->owner);
	free(holder);
close_pidfd:
	close(news->pidfd);
	miss(holders, news->pid);
	return NULL;
}

/* Enters a mapping under the first of the names that it can have which is free. */
static int enter(struct holder *holder, struct sighting *sighting, struct mapping **mapping)
{
	const struct pmem2fs_record *record = &sighting->record;
	struct name_space *names = holder->all->service->names;
	const struct foreign foreign = {
		.holder = holder,
		.sighting = sighting->number,
		.table = sighting->table,
		.generation = sighting->generation,
		.slot = sighting->slot,
	};
	char name[ENTRY_NAME_SIZE];
	uint64_t more = 0;
	int error = -EEXIST;

	if (record->label_length) {
		entry_name_of_label(name, holder->comm, holder->pid, record->label,
				    record->label_length);
		error = namespace_enter(names, name, sighting->origin, record, &sighting->extents,
					&foreign, holder->owner, mapping);
	}
	/* Whoever would take all these names beforehand cannot guess them. */
	for (int i = 0; error == -EEXIST && i < NAME_TRIES; i++) {
		if (i && getrandom(&more, sizeof(more), 0) < 0)
			break;
		entry_name_of_address(name, holder->comm, holder->pid, record->address, more);
		error = namespace_enter(names, name, sighting->origin, record, &sighting->extents,
					&foreign, holder->owner, mapping);
	}
	return error;
}

static void see_new(struct holder *holder, struct sighting *sighting)
{
	struct holders *holders = holder->all;
	struct service *service = holders->service;
	struct mapping *mapping;

	if (sighting->origin == ORIGIN_OBSERVED && !service->options->observe)
		return;
	if (enter(holder, sighting, &mapping)) {
		miss(holders, holder->pid);
		return;
	}
	if (!tsearch(mapping, &holders->sightings, compare_sightings)) {
		namespace_remove(service->names, mapping);
		miss(holders, holder->pid);
		return;
	}
	mapping->foreign.next = holder->mappings;
	if (holder->mappings)
		holder->mappings->foreign.previous = mapping;
	holder->mappings = mapping;
	clock_gettime(CLOCK_REALTIME, &service->changed);
	events_mapped(service->events, mapping);
}

static void see(struct holder *holder, struct sighting *sighting)
{
	struct holders *holders = holder->all;
	struct mapping *mapping;
	const char *state;

	if (sighting->kind == SIGHTING_NEW) {
		see_new(holder, sighting);
		return;
	}
	mapping = find_sighting(holders, sighting->number);
	if (!mapping)
		return;
	if (sighting->kind == SIGHTING_GONE) {
		forget_mapping(mapping);
		return;
	}
	state = version_state(mapping->version);
	if (namespace_see(holders->service->names, mapping, &sighting->record, &sighting->extents))
		miss(holders, holder->pid);
	else if (strcmp(state, version_state(mapping->version)))
		events_changed(holders->service->events, mapping);
}

/*
 * Whether a mapping that goes comes again: under another label, or as one that its process tells
 * nothing of any more.
 */
static bool comes_again(const struct news *news, const struct mapping *mapping)
{
	struct pmem2fs_record old;

	version_record(mapping->version, &old);
	for (size_t i = 0; i < news->count; i++) {
		const struct sighting *sighting = &news->list[i];
		const struct pmem2fs_record *now = &sighting->record;

		if (sighting->kind == SIGHTING_NEW && now->source_dev == old.source_dev &&
		    now->source_inode == old.source_inode &&
		    now->address - now->offset == old.address - old.offset &&
		    now->address < old.address + old.length &&
		    old.address < now->address + now->length &&
		    (sighting->origin == ORIGIN_OBSERVED || now->created == old.created))
			return true;
	}
	return false;
}

static void see_gone(struct holder *holder, struct sighting *sighting, const struct news *news)
{
	struct mapping *mapping = find_sighting(holder->all, sighting->number);

	if (mapping && mapping->release && comes_again(news, mapping))
		release_changed(mapping);
	see(holder, sighting);
}

/* What goes is heard first: it makes room for the names of what comes. */
static void hear_next(struct holder *holder, struct news *news)
{
	struct sighting *sighting = &news->list[news->heard % news->count];
	bool first = news->heard++ < news->count;

	if (first && sighting->kind == SIGHTING_GONE)
		see_gone(holder, sighting, news);
	else if (!first && sighting->kind != SIGHTING_GONE)
		see(holder, sighting);
}

static bool hear(void *arg, struct news *news, size_t *room)
{
	struct holders *holders = arg;
	struct holder *holder = find_process(holders, news->process);

	--*room;
	if (news->gone) {
		if (holder)
			end_holder(holder);
		return true;
	}
	if (news->pidfd >= 0) { /* it is new */
		holder = begin_holder(holders, news);
		news->pidfd = -1;
	}
	if (!holder) /* it has ended meanwhile */
		return true;
	memcpy(holder->comm, news->comm, sizeof(holder->comm));
	for (; *room && news->heard < 2 * news->count; --*room)
		hear_next(holder, news);
	return news->heard == 2 * news->count;
}

static void looked(void *arg, pid_t pid, uint64_t begun, uint64_t cost)
{
	struct holder *holder = find_pid(arg, pid);

	if (!holder)
		return;
	holder->looked = begun;
	holder->cost = cost;
}

static void forget(void *arg)
{
	struct holders *holders = arg;

	while (holders->processes)
		end_holder(*(struct holder **)holders->processes);
}

static bool is_fresh(uint64_t looked_at, uint64_t cost, uint64_t now)
{
	uint64_t good = cost < SEARCH_FRESH / SHARE ? cost * SHARE : SEARCH_FRESH;

	return looked_at && now - looked_at < good;
}

int holders_look(struct holders *holders, bool now, struct waiter *waiter)
{
	struct looks *looks = holders->looks;
	struct looks_times times;
	bool searching = looks_searching(looks);
	uint64_t time = clock_now();

	if (holders->missed && looks_anew(looks))
		holders->missed = false;
	times = looks_times(looks);
	if (holders->service->options->observe &&
	    (now || (!searching && !is_fresh(times.searched, SEARCH_FRESH, time))))
		return looks_want(looks, LOOK_ALL, 0, waiter);
	/* A search that has begun already may have passed by what has come since. */
	if (!searching && !looks_given(looks, 0) &&
	    (!holders->count || (!now && is_fresh(times.known, times.known_cost, time))))
		return 1;
	return looks_want(looks, LOOK_KNOWN, 0, waiter);
}

int holders_look_for(struct holders *holders, const char *name, struct waiter *waiter)
{
	struct looks_times times = looks_times(holders->looks);
	const struct holder *holder;
	uint64_t now = clock_now();
	pid_t pid;

	if (!entry_name_pid(name, &pid))
		return 1;
	holder = find_pid(holders, pid);
	if (!looks_given(holders->looks, pid)) {
		if (!holder && (!holders->service->options->observe ||
				is_fresh(times.searched, SEARCH_FRESH, now)))
			return 1;
		if (holder && (is_fresh(holder->looked, holder->cost, now) ||
			       is_fresh(times.known, times.known_cost, now)))
			return 1;
	}
	return looks_want(holders->looks, LOOK_ONE, pid, waiter);
}

int holders_look_at(struct holders *holders, pid_t pid, struct waiter *waiter)
{
	return looks_want(holders->looks, LOOK_ONE, pid, waiter);
}

void holders_give(struct holders *holders, pid_t pid, int pidfd, int table)
{
	looks_give(holders->looks, pid, pidfd, table);
}

bool holders_complete(const struct holders *holders)
{
	return looks_complete(holders->looks) && holders->service->options->observe &&
	       !holders->missed;
}

static void free_ended(struct holders *holders)
{
	struct holder *holder;

	while ((holder = holders->ended)) {
		holders->ended = holder->next;
		free(holder);
	}
}

uint64_t holders_expire(struct holders *holders, uint64_t now)
{
	free_ended(holders);
	return looks_expire(holders->looks, now);
}

struct holders *holders_new(struct service *service, int epoll)
{
	struct holders *holders = calloc(1, sizeof(*holders));
	const struct looks_ear ear = {
		.hear = hear, .looked = looked, .forget = forget, .arg = holders};

	if (!holders)
		return NULL;
	holders->service = service;
	holders->epoll = epoll;
	holders->looks = looks_new(service->helpers, &ear);
	if (!holders->looks) {
		free(holders);
		return NULL;
	}
	return holders;
}

void holders_free(struct holders *holders)
{
	if (!holders)
		return;
	forget(holders);
	free_ended(holders);
	looks_free(holders->looks);
	free(holders);
}
