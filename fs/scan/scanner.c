/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner.c - see scanner.h
 *
 * Owns the processes that are known, by pid. A process is the one that its pidfd, opened before the
 * first look, stands for; what a look found counts only if that one lived on to the look's end.
 */
#include "scan/scanner.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/dax.h"
#include "host/proc.h"
#include "scan/quota.h"
#include "scan/scanned_process.h"
#include <errno.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Mappings that are told of. A table has a slot for each mapping that the kernel allows. */
#define PROCESS_MAX 70000 /* what vm.max_map_count allows, and some */
#define USER_MAX    262144
#define TOTAL_MAX   1000000
#define ROOT_SHARE  250000 /* of that: left to root */

/* Time spent on a process that is not known, from which on it is put down to its user: ns. */
#define WORTH_CHARGING 200000

/* Inode numbers in /proc of the first name spaces, part of the kernel's interface. */
#define INIT_PID_NS  0xeffffffcu
#define INIT_USER_NS 0xeffffffdu

struct scanner {
	const struct scan_exclusions *skip;
	_Atomic pid_t at;
	struct dax *dax;
	uint64_t seed;
	uint64_t processes, numbers; /* last ones given */
	uint64_t scan_queue;
	struct quota users;
	size_t mappings;
	size_t count, room;
	struct scanned_process **list; /* by pid */
	pid_t begin_at;                /* SCAN_ALL begins with the first process that had to wait */
	struct scan_report **end;      /* of the look's news */
};

struct scanner *scanner_new(const struct scan_exclusions *skip)
{
	struct scanner *scanner = calloc(1, sizeof(*scanner));

	if (!scanner)
		return NULL;
	scanner->skip = skip;
	scanner->dax = dax_new();
	/* So that nobody can make two records of one digest. */
	if (scanner->dax &&
	    getrandom(&scanner->seed, sizeof(scanner->seed), 0) == sizeof(scanner->seed))
		return scanner;
	scanner_free(scanner);
	return NULL;
}

void scanner_free(struct scanner *scanner)
{
	if (!scanner)
		return;
	for (size_t i = 0; i < scanner->count; i++)
		scanned_process_free(scanner->list[i]);
	free(scanner->list);
	quota_clear(&scanner->users);
	dax_free(scanner->dax);
	free(scanner);
}

pid_t scanner_current_process(struct scanner *scanner)
{
	return atomic_load_explicit(&scanner->at, memory_order_relaxed);
}

static bool is_own(const struct scanner *scanner, pid_t pid)
{
	return pid == scanner->skip->own[0] || pid == scanner->skip->own[1];
}

/* --- the known processes --- */

static size_t place_of(const struct scanner *scanner, pid_t pid)
{
	size_t low = 0, high = scanner->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (scanner->list[middle]->pid < pid)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct scanned_process *find(const struct scanner *scanner, pid_t pid)
{
	size_t i = place_of(scanner, pid);

	return i < scanner->count && scanner->list[i]->pid == pid ? scanner->list[i] : NULL;
}

/* `pidfd` is used up; -1: to be opened here. NULL: there is no such process, or no memory. */
static struct scanned_process *add(struct scanner *scanner, pid_t pid, int pidfd)
{
	size_t i = place_of(scanner, pid);
	struct scanned_process *process;

	if (array_reserve(scanner->list, &scanner->room, scanner->count + 1, 64))
		goto close_pidfd;
	if (pidfd < 0)
		pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return NULL;
	process = scanned_process_new(scanner->processes + 1, pid, pidfd);
	if (!process)
		goto close_pidfd;
	scanner->processes++;
	memmove(scanner->list + i + 1, scanner->list + i,
		(scanner->count - i) * sizeof(*scanner->list));
	scanner->list[i] = process;
	scanner->count++;
	return process;

close_pidfd:
	if (pidfd >= 0)
		close(pidfd);
	return NULL;
}

/* In the order of events: one process may be gone and another have its pid. */
static void append(struct scanner *scanner, struct scan_report *report)
{
	*scanner->end = report;
	scanner->end = &report->next;
}

/* False: its end cannot be told, so that it stays. */
static bool forget(struct scanner *scanner, struct scanned_process *process)
{
	size_t i = place_of(scanner, process->pid), count = scanned_process_count(process);
	struct user_quota *user = quota_of(&scanner->users, process->uid);
	struct scan_report *report = scanned_process_gone(process);

	if (!user || (process->told && !report))
		return false;
	if (report)
		append(scanner, report);
	user->mappings -= count;
	scanner->mappings -= count;
	scanner->count--;
	memmove(scanner->list + i, scanner->list + i + 1,
		(scanner->count - i) * sizeof(*scanner->list));
	scanned_process_free(process);
	return true;
}

/* --- one process --- */

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t left(size_t max, size_t used)
{
	return used < max ? max - used : 0;
}

static void tell_full(struct user_quota *user, const struct scanned_process *process)
{
	if (user->warned)
		return;
	user->warned = true;
	log_warning("process %d of user %u: not all of its mappings are shown, there are too many",
		    (int)process->pid, (unsigned)user->uid);
}

/* 0 or a negative errno, with everything as before. */
static int look_known(struct scanner *scanner, struct scan *scan, struct scanned_process *process,
		      struct scan_report **report)
{
	size_t before = scanned_process_count(process), after;
	struct user_quota *old_user = quota_of(&scanner->users, process->uid), *user;
	struct scan_context sight = {
		.dax = scanner->dax,
		.seed = scanner->seed,
		.numbers = scanner->numbers,
	};
	int error = proc_ids(process->pid, &sight.uid, &sight.gid);

	if (error)
		return error;
	user = quota_of(&scanner->users, sight.uid);
	if (!user || !old_user)
		return -ENOMEM;
	old_user->mappings -= before;
	scanner->mappings -= before;
	sight.room = least(PROCESS_MAX, left(TOTAL_MAX, scanner->mappings));
	if (sight.uid) {
		sight.room = least(sight.room, left(USER_MAX, user->mappings));
		sight.room = least(sight.room, left(TOTAL_MAX - ROOT_SHARE, scanner->mappings));
	}
	error = scanned_process_scan(process, &sight, report);
	if (error)
		user = old_user;
	after = scanned_process_count(process);
	user->mappings += after;
	scanner->mappings += after;
	scanner->numbers = sight.numbers;
	if (error)
		return error;
	if (sight.left_out) {
		tell_full(user, process);
		scan->complete = false;
	}
	return 0;
}

static bool no_rights(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Whether a look's error says that there is nothing more to be seen of the process. */
static bool is_out_of_sight(int error)
{
	return error == -ESRCH || error == -ENOENT || no_rights(error);
}

static void look_at_known(struct scanner *scanner, struct scan *scan,
			  struct scanned_process *process)
{
	struct scan_report *report = NULL;
	bool done;
	int error;

	process->looked = scanner->scan_queue;
	process->fresh = false;
	error = look_known(scanner, scan, process, &report);
	if (error && error != -ESRCH)
		scan->complete = false;
	done = error ? is_out_of_sight(error)
		     : !process->table_count && !scanned_process_count(process);
	if (done && forget(scanner, process))
		scan_report_free(report); /* its being gone says it all */
	else if (report)
		append(scanner, report);
}

/* True: his time is used up, and this has to wait. */
static bool must_wait(struct scanner *scanner, uid_t uid)
{
	struct user_quota *user = quota_of(&scanner->users, uid);

	return user && !quota_has_credit(user, clock_now());
}

static void charge(struct scanner *scanner, uid_t uid, uint64_t begun)
{
	struct user_quota *user = quota_of(&scanner->users, uid);
	uint64_t now = clock_now();

	if (user)
		quota_charge(&scanner->users, user, now, now - begun);
}

/* Of processes that are not known only few are worth more than a glance. True: it has to wait. */
static bool look_at_stranger(struct scanner *scanner, struct scan *scan, pid_t pid)
{
	uint64_t begun = clock_now();
	struct scanned_process *process;
	int interest;
	uid_t uid = 0;
	gid_t gid;

	if (scan->kind != SCAN_ONE && begun < scanner->users.debts_until &&
	    !proc_ids(pid, &uid, &gid) && must_wait(scanner, uid))
		return true;
	interest = scanned_process_is_of_interest(pid, scanner->dax);
	if (no_rights(interest) || interest == -ENOMEM || interest == -EMFILE)
		scan->complete = false;
	if (interest > 0) {
		process = add(scanner, pid, -1);
		if (process)
			look_at_known(scanner, scan, process);
		else if (errno != ESRCH)
			scan->complete = false;
	}
	if (clock_now() - begun > WORTH_CHARGING && !proc_ids(pid, &uid, &gid))
		charge(scanner, uid, begun);
	return false;
}

/* False: it has to wait. */
static bool look_at(struct scanner *scanner, struct scan *scan, pid_t pid)
{
	struct scanned_process *process = find(scanner, pid);
	bool waits = false;

	if (is_own(scanner, pid))
		return true;
	if (stuck_threads_has(&scanner->skip->stuck_threads, pid)) {
		scan->complete = false;
		return true;
	}
	atomic_store_explicit(&scanner->at, pid, memory_order_relaxed);
	if (process && !scanned_process_is_alive(process) && forget(scanner, process))
		process = NULL; /* the pid may be another one's by now */
	if (!process) {
		waits = look_at_stranger(scanner, scan, pid);
	} else if (scan->kind != SCAN_ONE && must_wait(scanner, process->uid)) {
		process->looked = scanner->scan_queue;
		waits = true;
	} else {
		uint64_t begun = clock_now();
		uid_t uid = process->uid;

		look_at_known(scanner, scan, process);
		charge(scanner, uid, begun);
	}
	atomic_store_explicit(&scanner->at, 0, memory_order_relaxed);
	if (waits)
		scan->complete = false;
	return !waits;
}

/* --- tables that were handed over --- */

static bool has_ended(int pidfd)
{
	struct pollfd pollfd = {.fd = pidfd, .events = POLLIN};

	return poll(&pollfd, 1, 0) != 0;
}

static void take_table(struct scanner *scanner, struct scan *scan, struct passed_table *given)
{
	struct scanned_process *process = find(scanner, given->pid);

	if (given->pid <= 0 || is_own(scanner, given->pid) ||
	    stuck_threads_has(&scanner->skip->stuck_threads, given->pid))
		return;
	if (given->pidfd >= 0 && has_ended(given->pidfd))
		return;
	/* Of two that live, only one can have the pid. */
	if (process && !scanned_process_is_alive(process) && forget(scanner, process))
		process = NULL;
	if (!process) {
		process = add(scanner, given->pid, given->pidfd);
		given->pidfd = -1;
	}
	if (!process) {
		scan->complete = false;
		return;
	}
	if (given->fd >= 0)
		scanned_process_pass_table(process, given->fd);
	process->fresh = true;
}

static void take_tables(struct scanner *scanner, struct scan *scan)
{
	struct passed_table *given;

	while ((given = scan->tables)) {
		scan->tables = given->next;
		atomic_store_explicit(&scanner->at, given->pid, memory_order_relaxed);
		take_table(scanner, scan, given);
		atomic_store_explicit(&scanner->at, 0, memory_order_relaxed);
		if (given->pidfd >= 0)
			close(given->pidfd);
		if (given->fd >= 0)
			close(given->fd);
		free(given);
	}
}

/* --- looks --- */

/* The pids of known processes, or only of those for which `wanted` holds. To be freed. */
static pid_t *pids_of(const struct scanner *scanner,
		      bool (*wanted)(const struct scanner *, const struct scanned_process *),
		      size_t *count)
{
	pid_t *pids = malloc((scanner->count + 1) * sizeof(*pids));

	*count = 0;
	for (size_t i = 0; pids && i < scanner->count; i++)
		if (wanted(scanner, scanner->list[i]))
			pids[(*count)++] = scanner->list[i]->pid;
	return pids;
}

static bool is_any(const struct scanner *scanner, const struct scanned_process *process)
{
	(void)scanner;
	(void)process;
	return true;
}

static bool is_fresh(const struct scanner *scanner, const struct scanned_process *process)
{
	(void)scanner;
	return process->fresh;
}

static bool was_missed(const struct scanner *scanner, const struct scanned_process *process)
{
	return process->looked != scanner->scan_queue;
}

/* Looking changes the list of those that are known. */
static void look_at_those(struct scanner *scanner, struct scan *scan,
			  bool (*wanted)(const struct scanner *, const struct scanned_process *))
{
	size_t count;
	pid_t *pids = pids_of(scanner, wanted, &count);

	if (!pids)
		scan->complete = false;
	for (size_t i = 0; pids && i < count; i++)
		look_at(scanner, scan, pids[i]);
	free(pids);
}

static void look_at_all(struct scanner *scanner, struct scan *scan)
{
	size_t count, first = 0;
	pid_t *pids = proc_pids(&count), waiting = 0;

	scan->complete = pids && scanner_sees_all();
	while (pids && first < count && pids[first] < scanner->begin_at)
		first++;
	for (size_t i = 0; pids && i < count; i++) {
		pid_t pid = pids[(first + i) % count];

		if (!look_at(scanner, scan, pid) && !waiting)
			waiting = pid;
	}
	scanner->begin_at = waiting;
	if (pids)
		look_at_those(scanner, scan, was_missed);
	free(pids);
}

void scanner_scan(struct scanner *scanner, struct scan *scan)
{
	scanner->scan_queue++;
	dax_forget(scanner->dax);
	scan->report = NULL;
	scanner->end = &scan->report;
	scan->complete = true;
	take_tables(scanner, scan);
	switch (scan->kind) {
	case SCAN_ONE:
		look_at(scanner, scan, scan->pid);
		break;
	case SCAN_KNOWN:
		look_at_those(scanner, scan, is_any);
		break;
	case SCAN_ALL:
		look_at_all(scanner, scan);
		break;
	}
	look_at_those(scanner, scan, is_fresh);
	if (dax_left_out(scanner->dax))
		scan->complete = false;
	if (scan->kind != SCAN_ONE)
		dax_forget_kept(scanner->dax);
	dax_forget(scanner->dax);
}

/* --- rights --- */

static bool is_in(const char *path, ino_t inode)
{
	struct stat st;

	return !stat(path, &st) && st.st_ino == inode;
}

bool scanner_sees_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];
	uint64_t has;

	if (syscall(SYS_capget, &header, data))
		return false;
	has = data[0].effective | (uint64_t)data[1].effective << 32;
	return is_in("/proc/self/ns/pid", INIT_PID_NS) &&
	       is_in("/proc/self/ns/user", INIT_USER_NS) && has >> CAP_SYS_PTRACE & 1 &&
	       (has >> CAP_DAC_READ_SEARCH & 1 || has >> CAP_DAC_OVERRIDE & 1) &&
	       (has >> CAP_CHECKPOINT_RESTORE & 1 || has >> CAP_SYS_ADMIN & 1);
}
