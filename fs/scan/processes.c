/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * processes.c - see processes.h
 */
#include "scan/processes.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/pidfd.h"
#include <search.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#define ENDS_AT_ONCE 32 /* mappings of a process that has ended */
#define ENDS_ROUND                                                                                 \
	(CLOCK_SECOND / 1000) /* to remove mappings of ended processes in one round of the loop */

static int compare_processes(const void *a, const void *b)
{
	uint64_t x = ((const struct process *)a)->number, y = ((const struct process *)b)->number;

	return x < y ? -1 : x > y;
}

static int compare_pids(const void *a, const void *b)
{
	pid_t x = ((const struct process *)a)->pid, y = ((const struct process *)b)->pid;

	return x < y ? -1 : x > y;
}

static int compare_numbers(const void *a, const void *b)
{
	uint64_t x = ((const struct scan_state *)a)->number;
	uint64_t y = ((const struct scan_state *)b)->number;

	return x < y ? -1 : x > y;
}

/* For tdestroy: the mappings stay. */
static void leave_node(void *state)
{
	(void)state;
}

struct mapping *processes_find_mapping(const struct processes *processes, uint64_t number)
{
	const struct scan_state key = {.number = number};
	struct scan_state **found = tfind(&key, &processes->mappings, compare_numbers);

	return found ? scan_state_mapping(*found) : NULL;
}

static void link_state(struct scan_state **list, struct scan_state *state)
{
	state->previous = NULL;
	state->next = *list;
	if (state->next)
		state->next->previous = state;
	*list = state;
}

static void unlink_state(struct scan_state **list, struct scan_state *state)
{
	if (state->previous)
		state->previous->next = state->next;
	else
		*list = state->next;
	if (state->next)
		state->next->previous = state->previous;
}

struct scan_state *process_any_mapping(const struct process *process)
{
	return process->mappings ? process->mappings : process->former_mappings;
}

bool process_add_mapping(struct process *process, struct scan_state *state)
{
	if (!tsearch(state, &process->processes->mappings, compare_numbers))
		return false;
	link_state(&process->mappings, state);
	return true;
}

bool process_keep_mapping(struct scan_state *state, uint64_t number)
{
	struct process *process = state->process;

	unlink_state(&process->former_mappings, state);
	state->number = number;
	link_state(&process->mappings, state);
	if (tsearch(state, &process->processes->mappings, compare_numbers))
		return true;
	process_forget_mapping(scan_state_mapping(state));
	return false;
}

void process_forget_mapping(struct mapping *mapping)
{
	struct scan_state *state = mapping_scan_state(mapping);
	struct process *process = state->process;
	struct processes *processes = process->processes;
	struct mapping_observer *observer;

	if (state->number) {
		tdelete(state, &processes->mappings, compare_numbers);
		unlink_state(&process->mappings, state);
	} else {
		unlink_state(&process->former_mappings, state);
	}
	events_unmapped(processes->events, mapping);
	observer = mapping_observer(mapping);
	if (observer)
		observer->leaving(observer);
	catalog_remove(processes->catalog, mapping);
}

void process_end(struct process *process)
{
	struct processes *processes = process->processes;
	struct scan_state *state;

	while ((state = process_any_mapping(process)))
		process_forget_mapping(scan_state_mapping(state));
	if (process->number)
		tdelete(process, &processes->by_number, compare_processes);
	else
		LIST_REMOVE(process, former);
	tdelete(process, &processes->by_pid, compare_pids);
	processes->count--;
	/* The scanner has another descriptor of it: closing this one does not end the watch. */
	epoll_ctl(processes->epoll, EPOLL_CTL_DEL, process->watch.fd, NULL);
	close(process->watch.fd);
	process->watch.fd = -1;
	process_info_put(process->info);
	process->info = NULL;
	process->next = processes->ended;
	processes->ended = process;
}

/*
 * Removes mappings of a process while there is time for that in this round of the loop: others need
 * not wait for all of them. Charges it to the user. Returns whether none is left.
 */
static bool forget_some(struct process *process)
{
	struct processes *processes = process->processes;
	struct user_quota *user = quota_of(processes->loop_time, process->uid);
	uint64_t begun = clock_now(), now = begun;
	struct scan_state *state;

	do {
		for (int i = 0; i < ENDS_AT_ONCE; i++) {
			state = process_any_mapping(process);
			if (!state)
				break;
			process_forget_mapping(scan_state_mapping(state));
		}
		now = clock_now();
	} while (state && processes->ends_cost + (now - begun) < ENDS_ROUND);
	processes->ends_cost += now - begun;
	if (user)
		quota_charge(processes->loop_time, user, now, now - begun);
	return !state;
}

static void show_ended(struct catalog *catalog, struct scan_state *list)
{
	for (struct scan_state *state = list; state; state = state->next)
		catalog_end(catalog, scan_state_mapping(state));
}

static void begin_end(struct process *process)
{
	if (process->ending)
		return;
	show_ended(process->processes->catalog, process->mappings);
	show_ended(process->processes->catalog, process->former_mappings);
	process->ending = true;
}

bool process_end_some(struct process *process, size_t *room)
{
	struct scan_state *state;

	begin_end(process);
	for (; (state = process_any_mapping(process)); --*room) {
		if (!*room)
			return false;
		process_forget_mapping(scan_state_mapping(state));
	}
	process_end(process);
	return true;
}

/* Its descriptor stays readable, so that this is called again in the next round of the loop. */
static void process_ended(struct watch *watch, uint32_t events)
{
	struct process *process = container_of(watch, struct process, watch);

	(void)events;
	if (watch->fd < 0)
		return;
	begin_end(process);
	if (forget_some(process))
		process_end(process);
}

/* Who waits for one of these mappings to be unmapped must not be answered with success. */
static void give_up_observers(struct scan_state *list)
{
	for (struct scan_state *state = list; state; state = state->next) {
		struct mapping_observer *observer = mapping_observer(scan_state_mapping(state));

		if (observer)
			observer->replaced(observer);
	}
}

void process_leave(struct process *process, bool looked)
{
	if (!looked)
		give_up_observers(process->former_mappings);
	show_ended(process->processes->catalog, process->former_mappings);
	process->ending = true;
	LIST_REMOVE(process, former);
	LIST_INSERT_HEAD(&process->processes->leaving, process, former);
}

uint64_t processes_end_leaving(struct processes *processes)
{
	struct process *process;

	while ((process = LIST_FIRST(&processes->leaving))) {
		if (!forget_some(process))
			return 0;
		process_end(process);
	}
	return UINT64_MAX;
}

struct process *processes_find(const struct processes *processes, uint64_t number)
{
	const struct process key = {.number = number};
	struct process **found = tfind(&key, &processes->by_number, compare_processes);

	return found ? *found : NULL;
}

struct process *processes_find_pid(const struct processes *processes, pid_t pid)
{
	const struct process key = {.pid = pid};
	struct process **found = tfind(&key, &processes->by_pid, compare_pids);

	return found ? *found : NULL;
}

void processes_note_missed(struct processes *processes, pid_t pid)
{
	log_of_user(LOG_TOPIC_DAEMON, geteuid(), LOG_ERR,
		    "process %d: out of memory: not all that it has mapped is shown", (int)pid);
	processes->missed = true;
}

/* The process that a former scanner has reported is reported by the present one. */
static struct process *keep_process(struct process *process, const struct scan_report *report)
{
	struct processes *processes = process->processes;

	close(report->pidfd);
	LIST_REMOVE(process, former);
	process->number = report->process;
	if (tsearch(process, &processes->by_number, compare_processes))
		return process;
	process->number = 0;
	LIST_INSERT_HEAD(&processes->former, process, former);
	processes_note_missed(processes, report->pid);
	return NULL;
}

/* Takes ownership of the pidfd. NULL: it cannot be shown. */
static struct process *process_new(struct processes *processes, const struct scan_report *report)
{
	struct process *process = calloc(1, sizeof(*process));
	struct epoll_event event = {.events = EPOLLIN};

	if (!process)
		goto close_pidfd;
	process->watch = (struct watch){.fd = report->pidfd, .ready = process_ended};
	event.data.ptr = &process->watch;
	process->processes = processes;
	process->number = report->process;
	process->pid = report->pid;
	process->uid = report->uid;
	process->info = process_info_new(report->pid, report->comm);
	if (!process->info || !tsearch(process, &processes->by_number, compare_processes))
		goto free_process;
	if (!tsearch(process, &processes->by_pid, compare_pids))
		goto forget_process;
	if (epoll_ctl(processes->epoll, EPOLL_CTL_ADD, report->pidfd, &event))
		goto forget_pid;
	processes->count++;
	return process;
forget_pid:
	tdelete(process, &processes->by_pid, compare_pids);
forget_process:
	tdelete(process, &processes->by_number, compare_processes);
free_process:
	process_info_put(process->info);
	free(process);
close_pidfd:
	close(report->pidfd);
	processes_note_missed(processes, report->pid);
	return NULL;
}

bool process_begin(struct processes *processes, struct scan_report *report, size_t *room,
		   struct process **process)
{
	struct process *former = processes_find_pid(processes, report->pid);

	*process = NULL;
	if (former && former->number > report->process) {
		/* A report of a later process with this pid, of another user, has been taken in
		 * before this one. */
		close(report->pidfd);
	} else if (former && !former->number && !former->ending &&
		   pidfd_is_alive(former->watch.fd) && pidfd_is_alive(report->pidfd)) {
		*process = keep_process(former, report);
	} else {
		/* It has ended, and the loop has not seen that yet. */
		if (former && !process_end_some(former, room))
			return false;
		*process = process_new(processes, report);
	}
	report->pidfd = -1;
	return true;
}

void processes_begin_anew(struct processes *processes)
{
	struct process *process;
	struct scan_state *state;

	tdestroy(processes->mappings, leave_node);
	processes->mappings = NULL;
	while (processes->by_number) {
		process = *(struct process **)processes->by_number;
		tdelete(process, &processes->by_number, compare_processes);
		process->number = 0;
		process->looked = 0;
		LIST_INSERT_HEAD(&processes->former, process, former);
		while ((state = process->mappings)) {
			unlink_state(&process->mappings, state);
			state->number = 0;
			link_state(&process->former_mappings, state);
		}
	}
	/* Reports that wait are dropped. */
	LIST_FOREACH(process, &processes->former, former)
	process->found = false;
}

void processes_free_ended(struct processes *processes)
{
	struct process *process;

	while ((process = processes->ended)) {
		processes->ended = process->next;
		free(process);
	}
}
