/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanner.c - see scanner.h
 *
 * Owns the records of the known processes, by pid. A record is of the process that its pidfd stands
 * for, which is opened before the process is scanned first; the result of a scan counts only if
 * that process is alive at the end of the scan.
 */
#include "scan/scanner.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "base/time_quota.h"
#include "host/dax.h"
#include "host/proc.h"
#include "scan/process_scan.h"
#include "scan/scan_rights.h"
#include "scan/scanned_process.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* Mappings of a process that are shown, at most: what vm.max_map_count allows, and some. A table
 * has a slot for each. */
#define PROCESS_MAX 70000

/* Mappings in the reports of a part: more would take the loop longer than the part has taken. */
#define EVENTS_MANY 1024

#define SHARE 4 /* of the time that passes, a user's processes get one part in so many */

/* Shorter times that an unknown process costs are not charged to its user: ns. */
#define WORTH_CHARGING 200000

struct scanner {
	const struct scan_exclusions *skip;
	_Atomic pid_t at;
	struct dax *dax;
	uint64_t seed;
	uint64_t processes, numbers; /* last ones given */
	uint64_t scans;              /* begun */
	struct quota quota;
	size_t count, room;
	struct scanned_process **list; /* by pid */
	pid_t begin_at;                /* SCAN_ALL begins with the first process that had to wait */
	struct scan_report **end;      /* of the list of reports of this part of a scan */
	size_t events;                 /* in these */
};

struct scanner *scanner_new(const struct scan_exclusions *skip)
{
	struct scanner *scanner = calloc(1, sizeof(*scanner));

	if (!scanner)
		return NULL;
	scanner->skip = skip;
	scanner->quota.share = SHARE;
	scanner->dax = dax_new();
	/* A secret: nobody can make two records that have one digest. */
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
	quota_clear(&scanner->quota);
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

static size_t process_place(const struct scanner *scanner, pid_t pid)
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

static struct scanned_process *find_known(const struct scanner *scanner, pid_t pid)
{
	size_t i = process_place(scanner, pid);

	return i < scanner->count && scanner->list[i]->pid == pid ? scanner->list[i] : NULL;
}

/* Says once for a user what there are too many of. */
static void warn_of_full(struct scanner *scanner, struct user_quota *user, pid_t pid,
			 enum quota_kind kind)
{
	char why[256] = "it has too many";

	if (user->warned)
		return;
	user->warned = true;
	if (!quota_room(&scanner->quota, user, kind))
		quota_refusal(&scanner->quota, user, kind, why, sizeof(why));
	log_of_user(LOG_TOPIC_PROCESSES, user->uid, LOG_WARNING,
		    "process %d: not all of its mappings are shown: %s", (int)pid, why);
}

/* The user of a process that is new, if there is room for it; else NULL. */
static struct user_quota *user_with_room(struct scanner *scanner, pid_t pid)
{
	struct user_quota *user = quota_of(&scanner->quota, proc_user(pid));

	errno = ENOMEM;
	if (!user || quota_room(&scanner->quota, user, QUOTA_PROCESSES))
		return user;
	warn_of_full(scanner, user, pid, QUOTA_PROCESSES);
	return NULL;
}

/*
 * Takes ownership of `pidfd`; -1: it is opened here. NULL: there is no such process (errno is
 * ESRCH), no room for it, or memory or descriptors run out.
 */
static struct scanned_process *add_known(struct scanner *scanner, pid_t pid, int pidfd)
{
	struct user_quota *user = user_with_room(scanner, pid);
	size_t i = process_place(scanner, pid);
	struct scanned_process *process;

	if (!user || array_reserve(scanner->list, &scanner->room, scanner->count + 1, 64))
		goto close_pidfd;
	if (pidfd < 0)
		pidfd = pidfd_open_pid(pid);
	if (pidfd < 0) {
		errno = -pidfd;
		return NULL;
	}
	process = scanned_process_new(scanner->processes + 1, pid, pidfd);
	if (!process)
		goto close_pidfd;
	process->uid = user->uid;
	quota_add(&scanner->quota, user, QUOTA_PROCESSES, 1);
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

/* The order counts: a report may say that one process is gone and the next that another has its
 * pid.
 */
static void append_report(struct scanner *scanner, struct scan_report *report)
{
	*scanner->end = report;
	scanner->end = &report->next;
	scanner->events += report->count;
}

/* False: there is no memory for the report that it is gone, so that the record stays. */
static bool forget_known(struct scanner *scanner, struct scanned_process *process)
{
	size_t i = process_place(scanner, process->pid), count = scanned_process_count(process);
	struct user_quota *user = quota_of(&scanner->quota, process->uid);
	struct scan_report *report = scanned_process_gone(process);

	if (!user || (process->reported && !report))
		return false;
	if (report)
		append_report(scanner, report);
	quota_remove(&scanner->quota, user, QUOTA_MAPPINGS, count);
	quota_remove(&scanner->quota, user, QUOTA_PROCESSES, 1);
	scanner->count--;
	memmove(scanner->list + i, scanner->list + i + 1,
		(scanner->count - i) * sizeof(*scanner->list));
	scanned_process_free(process);
	return true;
}

/* --- one process --- */

/* The process was not scanned, or its tables were not read. */
static void pass_over(struct scan *scan, pid_t pid)
{
	scan->complete = false;
	if (pid == scan->pid)
		scan->looked = false;
	if (scan->kind != SCAN_ALL)
		return;
	if (array_reserve(scan->passed_over, &scan->passed_room, scan->passed_count + 1, 16))
		scan->came_through = false;
	else
		scan->passed_over[scan->passed_count++] = pid;
}

/* Returns 0, or a negative errno after which the record is unchanged. */
static int scan_record(struct scanner *scanner, struct scan *scan, struct scanned_process *process,
		       struct scan_report **report)
{
	size_t before = scanned_process_count(process), after;
	struct user_quota *old_user = quota_of(&scanner->quota, process->uid), *user;
	struct scan_context context = {
		.dax = scanner->dax,
		.now = clock_now(),
		.seed = scanner->seed,
		.numbers = scanner->numbers,
	};
	int error = proc_ids(process->pid, &context.uid, &context.gid);

	if (error)
		return error;
	user = quota_of(&scanner->quota, context.uid);
	if (!user || !old_user)
		return -ENOMEM;
	quota_remove(&scanner->quota, old_user, QUOTA_MAPPINGS, before);
	context.room = quota_room(&scanner->quota, user, QUOTA_MAPPINGS);
	if (user == old_user && context.room < before)
		context.room = before; /* what is shown stays, whatever others have taken since */
	if (context.room > PROCESS_MAX)
		context.room = PROCESS_MAX;
	error = process_scan(process, &context, report);
	if (error)
		user = old_user;
	after = scanned_process_count(process);
	quota_add(&scanner->quota, user, QUOTA_MAPPINGS, after);
	quota_remove(&scanner->quota, old_user, QUOTA_PROCESSES, 1);
	quota_add(&scanner->quota, user, QUOTA_PROCESSES, 1);
	scanner->numbers = context.numbers;
	if (error)
		return error;
	if (context.left_out) {
		warn_of_full(scanner, user, process->pid, QUOTA_MAPPINGS);
		scan->complete = false;
	}
	if (context.unsure)
		pass_over(scan, process->pid);
	if (process->pid == scan->pid && !context.looked)
		scan->looked = false;
	return 0;
}

static bool no_rights(int error)
{
	return error == -EACCES || error == -EPERM;
}

/* Whether the error of a scan means that nothing of the process can be seen. */
static bool is_gone_or_hidden(int error)
{
	return error == -ESRCH || error == -ENOENT || no_rights(error);
}

static void scan_known(struct scanner *scanner, struct scan *scan, struct scanned_process *process)
{
	struct scan_report *report = NULL;
	bool done;
	int error;

	process->scan = scanner->scans;
	process->has_new_table = false;
	error = scan_record(scanner, scan, process, &report);
	if (error == -ENOENT && !scanned_process_is_alive(process))
		error = -ESRCH; /* it has ended meanwhile, and its folder in /proc is gone */
	if (error && error != -ESRCH)
		scan->complete = false;
	if (error && !is_gone_or_hidden(error))
		pass_over(scan, process->pid);
	done = error ? is_gone_or_hidden(error)
		     : !process->table_count && !scanned_process_count(process);
	if (done && forget_known(scanner, process))
		scan_report_free(report); /* that it is gone covers it */
	else if (report)
		append_report(scanner, report);
}

/* Whether the user has no time left, so that this process has to wait. */
static bool is_out_of_credit(struct scanner *scanner, uid_t uid)
{
	struct user_quota *user = quota_of(&scanner->quota, uid);

	return user && !quota_has_credit(&scanner->quota, user, clock_now());
}

static void charge_user(struct scanner *scanner, uid_t uid, uint64_t begun)
{
	struct user_quota *user = quota_of(&scanner->quota, uid);
	uint64_t now = clock_now();

	if (user)
		quota_charge(&scanner->quota, user, now, now - begun);
}

/* A process without a record: of most, one reading of its areas shows nothing. True: it has to
 * wait. */
static bool scan_unknown(struct scanner *scanner, struct scan *scan, pid_t pid)
{
	uint64_t begun = clock_now();
	struct scanned_process *process;
	int interest;
	uid_t uid = 0;
	gid_t gid;

	if (scan->kind != SCAN_ONE && begun < scanner->quota.debts_until &&
	    !proc_ids(pid, &uid, &gid) && is_out_of_credit(scanner, uid))
		return true;
	interest = scanned_process_is_of_interest(pid, scanner->dax);
	if (interest < 0 && interest != -ESRCH && interest != -ENOENT)
		scan->complete = false;
	if (interest < 0 && !is_gone_or_hidden(interest))
		pass_over(scan, pid);
	if (interest > 0) {
		process = add_known(scanner, pid, -1);
		if (process)
			scan_known(scanner, scan, process);
		else if (errno != ESRCH)
			pass_over(scan, pid);
	}
	if (clock_now() - begun > WORTH_CHARGING && !proc_ids(pid, &uid, &gid))
		charge_user(scanner, uid, begun);
	return false;
}

/* Whether a scan must not look at it: threads hang in it, or in other processes of its user. */
static bool is_left_out(const struct scanner *scanner, pid_t pid)
{
	const struct stuck_threads *stuck_threads = &scanner->skip->stuck_threads;

	return stuck_threads_any(stuck_threads) &&
	       stuck_threads_leave_out(stuck_threads, pid, proc_user(pid));
}

/* Whether reports of its user are still to be taken in. */
static bool is_behind(const struct scan *scan, const struct scanned_process *process, pid_t pid)
{
	return scan->behind.count &&
	       user_set_has(&scan->behind, process ? process->uid : proc_user(pid));
}

/* False: it has to wait. */
static bool scan_pid(struct scanner *scanner, struct scan *scan, pid_t pid)
{
	struct scanned_process *process = find_known(scanner, pid);
	bool waits = false;

	if (is_own(scanner, pid))
		return true;
	if (is_left_out(scanner, pid)) {
		pass_over(scan, pid);
		return true;
	}
	atomic_store_explicit(&scanner->at, pid, memory_order_relaxed);
	if (process && !scanned_process_is_alive(process) && forget_known(scanner, process))
		process = NULL; /* another process may have the pid now */
	if (is_behind(scan, process, pid)) {
		if (process)
			process->scan = scanner->scans;
		pass_over(scan, pid);
	} else if (!process) {
		waits = scan_unknown(scanner, scan, pid);
	} else if (scan->kind != SCAN_ONE && is_out_of_credit(scanner, process->uid)) {
		process->scan = scanner->scans;
		waits = true;
	} else {
		uint64_t begun = clock_now();
		uid_t uid = process->uid;

		scan_known(scanner, scan, process);
		charge_user(scanner, uid, begun);
	}
	atomic_store_explicit(&scanner->at, 0, memory_order_relaxed);
	if (waits)
		pass_over(scan, pid);
	return !waits;
}

/* --- passed tables --- */

static void take_table(struct scanner *scanner, struct scan *scan, struct passed_table *passed)
{
	struct scanned_process *process = find_known(scanner, passed->pid);

	if (passed->pid <= 0 || is_own(scanner, passed->pid) || is_left_out(scanner, passed->pid))
		return;
	if (!pidfd_is_alive(passed->pidfd))
		return;
	/* Of two that are alive, pidfd.h says that they are one. */
	if (process && !scanned_process_is_alive(process) && forget_known(scanner, process))
		process = NULL;
	if (!process) {
		process = add_known(scanner, passed->pid, passed->pidfd);
		passed->pidfd = -1;
	}
	if (!process) {
		scan->complete = false;
		return;
	}
	if (passed->fd >= 0)
		passed->inode = scanned_process_pass_table(process, passed->fd);
	process->has_new_table = true;
}

static void take_tables(struct scanner *scanner, struct scan *scan)
{
	struct passed_table *passed;

	while ((passed = scan->tables)) {
		scan->tables = passed->next;
		atomic_store_explicit(&scanner->at, passed->pid, memory_order_relaxed);
		take_table(scanner, scan, passed);
		atomic_store_explicit(&scanner->at, 0, memory_order_relaxed);
		passed->next = scan->seen;
		scan->seen = passed;
	}
}

/* Marks the tables that the next scanner needs, too. */
static void judge_tables(const struct scanner *scanner, struct scan *scan)
{
	for (struct passed_table *passed = scan->seen; passed; passed = passed->next) {
		struct scanned_process *process = find_known(scanner, passed->pid);

		passed->wanted = passed->inode && process &&
				 scanned_process_has_table(process, passed->inode);
		if (is_left_out(scanner, passed->pid))
			passed->wanted = true;
	}
}

/* --- scans --- */

/* The pids of the known processes for which `wanted` holds, to be freed. */
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

static bool has_new_table(const struct scanner *scanner, const struct scanned_process *process)
{
	(void)scanner;
	return process->has_new_table;
}

static bool has_changed(const struct scanner *scanner, const struct scanned_process *process)
{
	(void)scanner;
	return process->has_new_table || scanned_process_has_changed(process);
}

static bool was_missed(const struct scanner *scanner, const struct scanned_process *process)
{
	return process->scan != scanner->scans;
}

/* All pids, beginning where the last scan had to leave processes out. NULL: not known. */
static pid_t *pids_of_all(const struct scanner *scanner, size_t *count)
{
	pid_t *pids = proc_pids(count),
	      *turned = pids ? malloc((*count + 1) * sizeof(*pids)) : NULL;
	size_t first = 0;

	while (turned && first < *count && pids[first] < scanner->begin_at)
		first++;
	for (size_t i = 0; turned && i < *count; i++)
		turned[i] = pids[(first + i) % *count];
	free(pids);
	return turned;
}

static pid_t *pids_of_first_stage(const struct scanner *scanner, struct scan *scan)
{
	pid_t *pids;

	switch (scan->kind) {
	case SCAN_ONE:
		pids = malloc(sizeof(*pids));
		scan->count = pids ? 1 : 0;
		if (pids)
			*pids = scan->pid;
		return pids;
	case SCAN_CHANGED:
		return pids_of(scanner, has_changed, &scan->count);
	case SCAN_KNOWN:
		return pids_of(scanner, is_any, &scan->count);
	default:
		pids = pids_of_all(scanner, &scan->count);
		scan->came_through = pids;
		if (!scan_rights_see_all())
			scan->complete = false;
		return pids;
	}
}

enum scan_stage {
	STAGE_NONE,
	STAGE_FIRST,
	STAGE_MISSED, /* processes that are known, and were not in the list of all */
	STAGE_TABLES, /* processes that have passed a table */
	STAGE_ENDED,
};

/* The pids of a stage are copied first: a scan changes the list of the known processes. */
static void begin_stage(struct scanner *scanner, struct scan *scan)
{
	bool needed = true;

	free(scan->pids);
	scan->pids = NULL;
	scan->count = scan->next = 0;
	switch ((enum scan_stage)++ scan->stage) {
	case STAGE_FIRST:
		scan->pids = pids_of_first_stage(scanner, scan);
		break;
	case STAGE_MISSED:
		needed = scan->kind == SCAN_ALL && scan->came_through;
		if (scan->kind == SCAN_ALL)
			scanner->begin_at = scan->waiting;
		if (needed)
			scan->pids = pids_of(scanner, was_missed, &scan->count);
		break;
	case STAGE_TABLES:
		needed = !scan->between;
		if (needed)
			scan->pids = pids_of(scanner, has_new_table, &scan->count);
		break;
	default:
		needed = false;
		break;
	}
	if (needed && !scan->pids)
		scan->complete = false;
}

static bool part_ends(const struct scanner *scanner, const struct scan *scan, uint64_t until)
{
	return scanner->events >= EVENTS_MANY ||
	       (atomic_load_explicit(&scan->pauses, memory_order_relaxed) && clock_now() >= until);
}

/* One process at least. Returns false when the part ends before the stage does. */
static bool scan_stage(struct scanner *scanner, struct scan *scan, uint64_t until)
{
	while (scan->next < scan->count) {
		pid_t pid = scan->pids[scan->next++];

		if (!scan_pid(scanner, scan, pid) && !scan->waiting && scan->stage == STAGE_FIRST)
			scan->waiting = pid;
		if (scan->next < scan->count && part_ends(scanner, scan, until))
			return false;
	}
	return true;
}

static void begin_scan(struct scanner *scanner, struct scan *scan)
{
	/* One between the parts of another scan counts as a part of that one. */
	if (!scan->between)
		scanner->scans++;
	quota_tidy(&scanner->quota, clock_now());
	scan->complete = true;
	scan->looked = scan->kind == SCAN_ONE;
	take_tables(scanner, scan);
	begin_stage(scanner, scan);
}

void scanner_scan(struct scanner *scanner, struct scan *scan)
{
	uint64_t until = clock_now() + SCAN_PART;

	dax_forget(scanner->dax);
	scan->report = NULL;
	scanner->end = &scan->report;
	scanner->events = 0;
	scan->more = false;
	if (scan->stage == STAGE_NONE)
		begin_scan(scanner, scan);
	while (scan->stage != STAGE_ENDED && !scan->more) {
		scan->more = !scan_stage(scanner, scan, until);
		if (!scan->more)
			begin_stage(scanner, scan);
	}
	if (dax_left_out(scanner->dax))
		scan->complete = false;
	if (!scan->more) {
		judge_tables(scanner, scan);
		if (scan->kind == SCAN_KNOWN || scan->kind == SCAN_ALL)
			dax_forget_kept(scanner->dax);
	}
	dax_forget(scanner->dax);
}

bool scanner_has_changed(const struct scanner *scanner, pid_t pid, size_t most, uint64_t until)
{
	const struct scanned_process *process = pid ? find_known(scanner, pid) : NULL;
	bool changed = false;

	if (pid)
		return process && has_changed(scanner, process);
	if (scanner->count > most)
		return true;
	for (size_t i = 0; !changed && i < scanner->count; i++)
		changed = (i && clock_now() >= until) || has_changed(scanner, scanner->list[i]);
	return changed;
}
