/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_table.c - see process_table.h
 *
 * Makes mappings in the catalog of what the scanner reports; scan_queue.c has it scan.
 *
 * A scanner that hangs is replaced by another one, which knows nothing. The mappings of a process
 * that the former scanner has reported are shown until the present one has scanned the process, or
 * leaves it out because threads are stuck in it.
 */
#include "scan/process_table.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "protocol/entry_name.h"
#include "scan/processes.h"
#include "scan/scan_queue.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define FRESH      CLOCK_SECOND
#define SHARE      10
#define NAME_TRIES 16

struct process_table {
	struct process_table_config config;
	struct scan_queue *scan_queue;
	struct user_scans user_scans;
	struct processes processes;
	uint64_t came_through; /* when the last scan began that has come to all but `passed_over` */
};

static struct process_table *table_of(const struct process *process)
{
	return container_of(process->processes, struct process_table, processes);
}

/* Shows a mapping under the first free one of the names that it can have. */
static int enter_in_catalog(struct process *process, struct scan_event *event,
			    struct mapping **mapping)
{
	const struct pmem2fs_record *record = &event->record;
	struct catalog *catalog = table_of(process)->config.catalog;
	const struct scan_state state = {
		.process = process,
		.number = event->number,
		.table = event->table,
		.generation = event->generation,
		.slot = event->slot,
	};
	char name[ENTRY_NAME_SIZE];
	uint64_t more = 0;
	int error = -EEXIST;

	if (record->label_length) {
		entry_name_of_label(name, process->comm, process->pid, record->label,
				    record->label_length);
		error = catalog_show_scanned(catalog, name, event->origin, record, &event->extents,
					     &state, process->info, mapping);
	}
	/* Random: nobody can have taken all these names before. */
	for (int i = 0; error == -EEXIST && i < NAME_TRIES; i++) {
		if (i && getrandom(&more, sizeof(more), 0) < 0)
			break;
		entry_name_of_address(name, process->comm, process->pid, record->address, more);
		error = catalog_show_scanned(catalog, name, event->origin, record, &event->extents,
					     &state, process->info, mapping);
	}
	return error;
}

static void take_new(struct process *process, struct scan_event *event)
{
	struct process_table *process_table = table_of(process);
	struct mapping *mapping;

	if (event->origin == ORIGIN_OBSERVED && !process_table->config.observe)
		return;
	if (enter_in_catalog(process, event, &mapping)) {
		processes_note_missed(&process_table->processes, process->pid);
		return;
	}
	if (!process_add_mapping(process, mapping_scan_state(mapping))) {
		catalog_remove(process_table->config.catalog, mapping);
		processes_note_missed(&process_table->processes, process->pid);
		return;
	}
	events_mapped(process_table->config.events, mapping);
}

static void take_event(struct process *process, struct scan_event *event)
{
	struct process_table *process_table = table_of(process);
	struct mapping *mapping;
	const char *state;

	if (event->kind == SCAN_EVENT_NEW) {
		take_new(process, event);
		return;
	}
	mapping = processes_find_mapping(&process_table->processes, event->number);
	if (!mapping)
		return;
	state = version_state(mapping_version(mapping));
	if (catalog_update_scanned(process_table->config.catalog, mapping, &event->record,
				   &event->extents))
		processes_note_missed(&process_table->processes, process->pid);
	else if (strcmp(state, version_state(mapping_version(mapping))))
		events_changed(process_table->config.events, mapping);
}

/* Whether the event is of that mapping, which a former scanner has reported. */
static bool is_former(const struct process *process, struct mapping *mapping,
		      const struct scan_event *event)
{
	const struct scan_state *state = mapping_scan_state(mapping);
	struct pmem2fs_record record;

	if (state->process != process || state->number ||
	    mapping_version(mapping)->origin != event->origin)
		return false;
	if (event->origin == ORIGIN_PUBLISHED)
		return state->table == event->table && state->slot == event->slot &&
		       state->generation == event->generation;
	version_record(mapping_version(mapping), &record);
	return record.address == event->record.address && record.offset == event->record.offset &&
	       record.source_dev == event->record.source_dev &&
	       record.source_inode == event->record.source_inode;
}

/*
 * If a former scanner has reported the mapping as well, the mapping stays, and the event becomes a
 * change of it. The mapping is looked up by the two names that it can have. If it has another name,
 * since both were taken, it is removed and shown again.
 */
static void keep_mapping(struct process *process, struct scan_event *event)
{
	const struct pmem2fs_record *record = &event->record;
	struct process_table *process_table = table_of(process);
	char names[2][ENTRY_NAME_SIZE] = {""};

	if (record->label_length)
		entry_name_of_label(names[0], process->comm, process->pid, record->label,
				    record->label_length);
	entry_name_of_address(names[1], process->comm, process->pid, record->address, 0);
	for (int i = 0; i < 2; i++) {
		struct mapping *mapping = catalog_find(process_table->config.catalog, names[i]);

		if (!mapping || !is_former(process, mapping, event))
			continue;
		event->kind = SCAN_EVENT_CHANGED;
		if (!process_keep_mapping(mapping_scan_state(mapping), event->number))
			processes_note_missed(&process_table->processes, process->pid);
		return;
	}
}

/*
 * Whether a mapping that goes comes again: under another label, or as one that its process no
 * longer publishes.
 */
static bool comes_again(const struct scan_report *report, const struct mapping *mapping)
{
	struct pmem2fs_record old;

	version_record(mapping_version(mapping), &old);
	for (size_t i = 0; i < report->count; i++) {
		const struct scan_event *event = &report->list[i];
		const struct pmem2fs_record *now = &event->record;

		if (event->kind == SCAN_EVENT_NEW && now->source_dev == old.source_dev &&
		    now->source_inode == old.source_inode &&
		    now->address - now->offset == old.address - old.offset &&
		    now->address < old.address + old.length &&
		    old.address < now->address + now->length &&
		    (event->origin == ORIGIN_OBSERVED || now->created == old.created))
			return true;
	}
	return false;
}

static void forget_or_replace(struct mapping *mapping, const struct scan_report *report)
{
	struct mapping_observer *observer = mapping_observer(mapping);

	if (observer && comes_again(report, mapping))
		observer->replaced(observer);
	process_forget_mapping(mapping);
}

static void take_gone(struct process *process, const struct scan_event *event,
		      const struct scan_report *report)
{
	struct mapping *mapping = processes_find_mapping(process->processes, event->number);

	if (mapping)
		forget_or_replace(mapping, report);
}

/*
 * A report is gone through twice. The first time frees names: mappings that are gone are removed,
 * and those of a former scanner are kept or removed. The second time shows what is new.
 */
static void take_next_event(struct process *process, struct scan_report *report)
{
	struct scan_event *event = &report->list[report->taken % report->count];
	bool first = report->taken < report->count;

	if (report->taken == report->count && process->former_mappings) {
		forget_or_replace(scan_state_mapping(process->former_mappings), report);
		return;
	}
	report->taken++;
	if (first && event->kind == SCAN_EVENT_GONE)
		take_gone(process, event, report);
	else if (first && event->kind == SCAN_EVENT_NEW && process->former_mappings)
		keep_mapping(process, event);
	else if (!first && event->kind != SCAN_EVENT_GONE)
		take_event(process, event);
}

static bool take_report(void *arg, struct scan_report *report, size_t *room)
{
	struct process_table *process_table = arg;
	struct process *process = processes_find(&process_table->processes, report->process);

	--*room;
	if (report->gone)
		return !process || process_end_some(process, room);
	if (report->pidfd >= 0 && /* a new process */
	    !process_begin(&process_table->processes, report, room, &process))
		return false;
	if (!process || process->ending) /* it has ended since, or cannot be shown */
		return true;
	process->uid = report->uid;
	memcpy(process->comm, report->comm, sizeof(process->comm));
	for (; *room && report->taken < 2 * report->count; --*room)
		take_next_event(process, report);
	return report->taken == 2 * report->count;
}

static void note_scan(void *arg, pid_t pid, uint64_t begun, uint64_t cost, bool looked)
{
	struct process_table *process_table = arg;
	struct process *process = processes_find_pid(&process_table->processes, pid);

	if (!process)
		return;
	if (looked && !process->number && !process->ending && !process->found) {
		process_leave(process, true);
		return;
	}
	process->scanned = begun;
	if (looked)
		process->looked = begun;
	process->cost = cost;
}

static void note_found(void *arg, pid_t pid)
{
	struct process_table *process_table = arg;
	struct process *process = processes_find_pid(&process_table->processes, pid);

	if (process)
		process->found = true;
}

/*
 * After a scan of all: notes which processes it has come to, and removes those that the present
 * scanner would have reported by now.
 */
static void note_scan_of_all(void *arg, const struct scan *scan)
{
	struct process_table *process_table = arg;
	struct processes *processes = &process_table->processes;
	struct process *process, *next;
	uint64_t begun = scan_queue_times(process_table->scan_queue).all;
	bool looked, leaves;

	if (!scan->came_through)
		return;
	process_table->came_through = begun;
	for (size_t i = 0; i < scan->passed_count; i++) {
		process = processes_find_pid(processes, scan->passed_over[i]);
		if (process)
			process->passed_over = begun;
	}
	for (process = LIST_FIRST(&processes->former); process; process = next) {
		next = LIST_NEXT(process, former);
		looked = process->passed_over != begun;
		leaves = looked || scan_queue_leaves_out(process_table->scan_queue, process->pid,
							 process->uid);
		if (!process->ending && !process->found && leaves)
			process_leave(process, looked);
	}
}

static bool is_younger(uint64_t scanned_at, uint64_t age, uint64_t now)
{
	return scanned_at && now - scanned_at < age;
}

static void scanner_replaced(void *arg)
{
	struct process_table *process_table = arg;

	processes_begin_anew(&process_table->processes);
}

/* The scanner reports again what was missed, when it begins anew. */
static void repair(struct process_table *process_table)
{
	if (process_table->processes.missed && scan_queue_restart(process_table->scan_queue))
		process_table->processes.missed = false;
}

/*
 * Whether tables are asked for changes for that user, which is charged for that by its caller.
 * First hears of processes that have begun to publish.
 */
static bool may_ask(struct process_table *process_table, uid_t uid)
{
	struct process_table_config *config = &process_table->config;
	struct user_quota *user = quota_of(config->loop_time, uid);

	if (user && !quota_has_credit(config->loop_time, user, clock_now()))
		return false;
	if (config->hear)
		config->hear(config->arg);
	return true;
}

/* The kind of scan that is due since the last one was too long ago; SCAN_CHANGED: none. */
static enum scan_kind scan_that_is_due(const struct process_table *process_table)
{
	const struct scan_queue *scan_queue = process_table->scan_queue;
	const struct processes *processes = &process_table->processes;
	struct scan_times times = scan_queue_times(scan_queue);
	bool all = process_table->config.observe || !LIST_EMPTY(&processes->former);
	uint64_t now = clock_now();

	if (scan_queue_scans_all(scan_queue) ||
	    is_younger(all ? times.all : times.known, FRESH, now))
		return SCAN_CHANGED;
	if (all)
		return SCAN_ALL;
	/* Programs unmap by themselves, too, which no table counts. */
	return processes->count ? SCAN_KNOWN : SCAN_CHANGED;
}

int process_table_scan(struct process_table *process_table, uid_t uid, struct waiter *waiter)
{
	struct scan_queue *scan_queue = process_table->scan_queue;
	bool asks = may_ask(process_table, uid);
	enum scan_kind kind;

	repair(process_table);
	kind = scan_that_is_due(process_table);
	if (kind == SCAN_CHANGED && (!asks || !scan_queue_has_changed(scan_queue, 0)))
		return 1;
	return scan_queue_request(scan_queue, kind, 0, waiter);
}

void process_table_scan_for_user(struct process_table *process_table, struct user_scan *user_scan)
{
	may_ask(process_table, user_scan->uid);
	repair(process_table);
	user_scans_add(&process_table->user_scans, user_scan, clock_now());
}

/* Of a process that has no mappings in the catalog: it may have a table nevertheless. */
static int scan_unknown(struct process_table *process_table, pid_t pid, struct waiter *waiter)
{
	struct scan_queue *scan_queue = process_table->scan_queue;
	uint64_t all = scan_queue_times(scan_queue).all;

	if (scan_queue_has_table(scan_queue, pid) ||
	    (process_table->config.observe && !is_younger(all, FRESH, clock_now())))
		return scan_queue_request(scan_queue, SCAN_ONE, pid, waiter);
	/* One scan for all such names that are asked for meanwhile. */
	if (scan_queue_has_changed(scan_queue, pid))
		return scan_queue_request(scan_queue, SCAN_CHANGED, 0, waiter);
	return 1;
}

/*
 * Whether a scan within the last second has found what is there: its tables have not changed since.
 * What the process unmaps by itself shows after that second.
 */
static bool is_as_scanned(const struct process_table *process_table, const struct process *process)
{
	uint64_t known = scan_queue_times(process_table->scan_queue).known;
	uint64_t scanned = process->scanned > known ? process->scanned : known;

	return is_younger(scanned, FRESH, clock_now()) &&
	       !scan_queue_has_changed(process_table->scan_queue, process->pid);
}

/* For a user who may not ask: scans of a process take one part in SHARE of the time. */
static bool is_fresh(const struct process *process)
{
	uint64_t age = process->cost < FRESH / SHARE ? process->cost * SHARE : FRESH;

	return is_younger(process->scanned, age, clock_now());
}

int process_table_scan_name(struct process_table *process_table, uid_t uid, const char *name,
			    struct waiter *waiter)
{
	const struct process *process;
	bool asks;
	pid_t pid;

	if (!entry_name_pid(name, &pid))
		return 1;
	asks = may_ask(process_table, uid);
	process = processes_find_pid(&process_table->processes, pid);
	if (!process)
		return asks ? scan_unknown(process_table, pid, waiter) : 1;
	if (asks ? is_as_scanned(process_table, process) : is_fresh(process))
		return 1;
	return scan_queue_request(process_table->scan_queue, SCAN_ONE, pid, waiter);
}

int process_table_scan_pid(struct process_table *process_table, pid_t pid, struct waiter *waiter)
{
	return scan_queue_request(process_table->scan_queue, SCAN_ONE, pid, waiter);
}

uint64_t process_table_seen(const struct process_table *process_table,
			    const struct mapping *mapping)
{
	const struct process *process = mapping_process(mapping);
	uint64_t known = scan_queue_times(process_table->scan_queue).known;

	return process->scanned > known ? process->scanned : known;
}

bool process_table_has_found(const struct process_table *process_table,
			     const struct process *process, uint64_t since)
{
	uint64_t all = process_table->came_through;

	if (process->passed_over == all)
		all = 0;
	return process->number && (all >= since || process->looked >= since) &&
	       !scan_queue_has_report(process_table->scan_queue, process->number);
}

bool process_table_shows(const struct process_table *process_table, pid_t pid, uint64_t since)
{
	const struct process *process = processes_find_pid(&process_table->processes, pid);

	/* Without a number, reports of the process that wait cannot be found. */
	return !process || (process->number && process->looked >= since &&
			    !scan_queue_has_report(process_table->scan_queue, process->number));
}

void process_table_pass_table(struct process_table *process_table, const struct ucred *who,
			      int pidfd, int table)
{
	scan_queue_pass_table(process_table->scan_queue, who, pidfd, table);
}

bool process_table_complete(const struct process_table *process_table)
{
	return scan_queue_complete(process_table->scan_queue) && process_table->config.observe &&
	       !process_table->processes.missed;
}

uint64_t process_table_expire(struct process_table *process_table, uint64_t now)
{
	uint64_t scans, user_scans, ends;

	process_table->processes.ends_cost = 0;
	processes_free_ended(&process_table->processes);
	/* A user may have a scan made, which is then watched; at its end, others may wait. */
	user_scans_expire(&process_table->user_scans, now);
	scans = scan_queue_expire(process_table->scan_queue, now);
	user_scans = user_scans_due(&process_table->user_scans);
	ends = processes_end_leaving(&process_table->processes);
	if (user_scans < scans)
		scans = user_scans;
	return ends < scans ? ends : scans;
}

struct process_table *process_table_new(const struct process_table_config *config)
{
	struct process_table *process_table = calloc(1, sizeof(*process_table));
	const struct scan_listener listener = {.report = take_report,
					       .scanned_one = note_scan,
					       .scanned_all = note_scan_of_all,
					       .found = note_found,
					       .restarted = scanner_replaced,
					       .arg = process_table};

	if (!process_table)
		return NULL;
	process_table->config = *config;
	process_table->processes = (struct processes){
		.catalog = config->catalog,
		.events = config->events,
		.loop_time = config->loop_time,
		.epoll = config->epoll,
	};
	process_table->scan_queue = scan_queue_new(config->pool, config->first_lane, config->keeper,
						   config->receivers, config->loop_time, &listener);
	if (!process_table->scan_queue) {
		free(process_table);
		return NULL;
	}
	user_scans_begin(&process_table->user_scans, process_table->scan_queue,
			 config->observe ? SCAN_ALL : SCAN_KNOWN);
	return process_table;
}

void process_table_free(struct process_table *process_table)
{
	struct process *process;

	if (!process_table)
		return;
	processes_begin_anew(&process_table->processes);
	while ((process = LIST_FIRST(&process_table->processes.former)) ||
	       (process = LIST_FIRST(&process_table->processes.leaving)))
		process_end(process);
	processes_free_ended(&process_table->processes);
	user_scans_end(&process_table->user_scans);
	scan_queue_free(process_table->scan_queue);
	free(process_table);
}
