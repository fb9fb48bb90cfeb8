// SPDX-License-Identifier: BSD-3-Clause
/*
 * tester.c - the process of the churn program that makes the others, kills and reaps them
 *
 * Owns what is known of processes that have ended, and the comparison of the mount with what the
 * owners have.
 */
#include "churn.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PAUSES        4 /* in a run, at least */
#define PAUSE_SECONDS 20

static pid_t keeper;

static pid_t spawn(void (*run)(void))
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
	}
	return pid;
}

/* The newest process with that pid, or NULL. */
static struct process *process_of(pid_t pid)
{
	for (unsigned i = arena->processes; i-- > 0;) {
		if (arena->process[i].pid == pid)
			return &arena->process[i];
	}
	return NULL;
}

/* Takes in who has ended. Returns whether there was one, which is then no owner any more. */
static bool reap(void)
{
	struct process *process;
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	must(pid != keeper, "the daemon ended, wait status %#x", status);
	process = process_of(pid);
	if (!process) {
		must(status == 0 || status == SIGKILL, "process %d: wait status %#x", (int)pid,
		     status);
		return true;
	}
	must(status == 0 || (status == SIGKILL && process->ending), "process %d: wait status %#x",
	     (int)pid, status);
	process->ending = true;
	process->dead = true;
	atomic_fetch_sub(&arena->live, 1);
	return true;
}

static void kill_one(void)
{
	unsigned processes = arena->processes;

	/* The newest are most likely alive. */
	for (unsigned i = 1; i <= processes && i <= 4 * OWNERS; i++) {
		struct process *process = &arena->process[processes - i];

		if (!process->pid || process->ending || dice(3))
			continue;
		process->ending = true;
		must(kill(process->pid, SIGKILL) == 0 || errno == ESRCH);
		count(&arena->kills);
		return;
	}
}

static bool expected(unsigned number)
{
	const struct entry *entry = &arena->entry[number];

	return entry->mapped && !surely_gone(entry);
}

/* Whether the mount holds exactly what the owners have; else *what is one that is too many (+) or
 * missing (-). */
static bool agrees(char *what, size_t size)
{
	unsigned entries = arena->entries;
	bool *shown = calloc(entries + 1, sizeof(*shown));
	DIR *dir = opendir(arena->mount);
	struct dirent *d;
	bool same = true;

	must(shown && dir);
	while ((errno = 0, d = readdir(dir))) {
		struct entry *entry;
		unsigned number;
		pid_t pid;

		if (strncmp(d->d_name, COMM ".", strlen(COMM) + 1) != 0)
			continue;
		entry = entry_of(d->d_name, &pid);
		number = entry ? (unsigned)(entry - arena->entry) : entries;
		if (number >= entries || !expected(number) || shown[number] ||
		    strcmp(d->d_name, name_of(number)) != 0) {
			snprintf(what, size, "+%s", d->d_name);
			same = false;
		} else {
			shown[number] = true;
		}
	}
	must(errno == 0);
	closedir(dir);
	for (unsigned i = 0; i < entries && same; i++) {
		if (expected(i) && !shown[i]) {
			snprintf(what, size, "-%s", name_of(i));
			same = false;
		}
	}
	free(shown);
	return same;
}

static void compare(void)
{
	time_t end = time(NULL) + PAUSE_SECONDS;
	char what[300] = "";
	bool same;

	do {
		while (reap())
			;
		nap(20000);
		look();
		same = agrees(what, sizeof(what));
	} while (!same && time(NULL) < end);
	must(same, "the mount differs from what the owners have: %s", what);
}

/* A short run goes on until it has. */
static bool all_was_tested(void)
{
	return arena->released && arena->removed && arena->refused && arena->busy && arena->read &&
	       arena->checked && arena->forks && arena->execs && arena->kills;
}

void run_tester(unsigned long rounds, pid_t daemon)
{
	unsigned long interval = rounds / PAUSES + 1;
	long next = (long)(rounds - interval);
	pid_t lookers[LOOKERS + 1];

	keeper = daemon;
	for (unsigned i = 0; i < LOOKERS; i++)
		lookers[i] = spawn(run_looker);
	lookers[LOOKERS] = spawn(run_checker);
	while (arena->rounds_left > 0 || !all_was_tested()) {
		if (arena->rounds_left <= 0 && arena->entries < arena->capacity / 2)
			atomic_store(&arena->rounds_left, 10);
		while (arena->live < OWNERS) {
			atomic_fetch_add(&arena->live, 1);
			spawn(run_owner);
		}
		while (reap())
			;
		if (dice(30) == 0)
			kill_one();
		if (arena->rounds_left < next) {
			next -= (long)interval;
			arena->pause = true;
			compare();
			arena->pause = false;
		}
		nap(2000);
	}
	arena->pause = true;
	compare();
	arena->stop = true;
	for (unsigned left = 1; left;) {
		if (!reap())
			nap(1000);
		left = arena->live;
		for (unsigned i = 0; i <= LOOKERS; i++)
			left += kill(lookers[i], 0) == 0;
	}
	compare();
}
