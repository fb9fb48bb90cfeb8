// SPDX-License-Identifier: BSD-3-Clause
/*
 * tester.c - the process of the churn program that starts, kills and reaps the others
 *
 * Owns the states of the processes: an owner may be killed at any point, so their number is that of
 * this process's children in the kernel, and only wait shows that one has ended. Fails when a
 * condition does not become true in time.
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

/* Limits for what normally takes moments, on a machine that is busy with other things. */
#define ROUND_SECONDS 90  /* until the next mapping */
#define EXTRA_SECONDS 120 /* after all rounds, until all was tested */

static pid_t keeper;
static pid_t listers[LISTERS + 1]; /* the last is the checker; 0: has ended */

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

static bool is_lister(pid_t pid)
{
	for (unsigned i = 0; i <= LISTERS; i++) {
		if (listers[i] == pid)
			return true;
	}
	return false;
}

static unsigned count_listers(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i <= LISTERS; i++)
		count += listers[i] != 0;
	return count;
}

/*
 * The number of children of this process that are neither the daemon nor listers, including
 * zombies.
 */
static unsigned count_owners(void)
{
	unsigned count = 0;
	char path[64];
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	children = fopen(path, "re");
	must(children, "%s: %s", path, strerror(errno));
	while (fscanf(children, "%d", &pid) == 1)
		count += pid != keeper && !is_lister(pid);
	fclose(children);
	return count;
}

/* Reaps a child that has ended. Returns whether there was one. */
static bool reap(void)
{
	struct process *process;
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	must(pid != keeper, "the daemon ended, wait status %#x", status);
	for (unsigned i = 0; i <= LISTERS; i++) {
		if (listers[i] != pid)
			continue;
		must(status == 0 && arena->stop, "a lister: wait status %#x", status);
		listers[i] = 0;
		return true;
	}
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

/*
 * Whether the mount holds exactly the owners' mappings; otherwise *what is one that is too many (+)
 * or missing (-).
 */
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

/* An operation that a run must include and has not had yet; NULL: none. */
static const char *untested(void)
{
	const struct {
		const char *name;
		unsigned long times;
	} all[] = {
		{"release on request", arena->released},
		{"rm that removes", arena->removed},
		{"rm that is refused", arena->refused},
		{"rm that says EBUSY", arena->busy},
		{"cat", arena->read},
		{"check", arena->checked},
		{"fork", arena->forks},
		{"exec", arena->execs},
		{"kill", arena->kills},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
		if (!all[i].times)
			return all[i].name;
	}
	return NULL;
}

/*
 * Fails when the owners no longer map, or when all rounds are long over and not all operations have
 * happened.
 */
static void check_progress(void)
{
	static long left = -1;
	static uint64_t since, over;
	uint64_t now = now_ms();

	if (left != arena->rounds_left)
		since = now;
	left = arena->rounds_left;
	must(now - since < 1000 * ROUND_SECONDS, "no round for %d s, %ld are left for %u owners",
	     ROUND_SECONDS, left, arena->live);
	if (left > 0 && !over)
		return;
	if (!over)
		over = now;
	must(now - over < 1000 * EXTRA_SECONDS, "%d s after all rounds there was no %s",
	     EXTRA_SECONDS, untested());
}

/* A short run goes on until all operations have happened. */
static bool goes_on(void)
{
	if (arena->rounds_left <= 0 && !untested())
		return false;
	check_progress();
	if (arena->rounds_left <= 0 && arena->entries < arena->capacity / 2)
		atomic_store(&arena->rounds_left, 10);
	return true;
}

static void keep_owners(void)
{
	unsigned live;

	while (reap())
		;
	for (live = count_owners(); live < OWNERS; live++)
		spawn(run_owner);
	arena->live = live;
}

static unsigned reap_all(void)
{
	while (reap())
		;
	return count_owners() + count_listers();
}

void run_tester(unsigned long rounds, pid_t daemon)
{
	unsigned long interval = rounds / PAUSES + 1;
	long next = (long)(rounds - interval);

	keeper = daemon;
	for (unsigned i = 0; i < LISTERS; i++)
		listers[i] = spawn(run_lister);
	listers[LISTERS] = spawn(run_checker);
	while (goes_on()) {
		arena->doing = "waits for rounds";
		keep_owners();
		if (dice(30) == 0)
			kill_one();
		if (arena->rounds_left < next) {
			next -= (long)interval;
			arena->doing = "compares in a pause";
			arena->pause = true;
			compare();
			arena->pause = false;
		}
		nap(2000);
	}
	arena->doing = "compares at the end";
	arena->pause = true;
	compare();
	arena->doing = "waits for all processes to end";
	arena->stop = true;
	await(reap_all() == 0, END_SECONDS, "%u owners and %u listers are still there",
	      count_owners(), count_listers());
	arena->doing = "compares when all have ended";
	compare();
}
