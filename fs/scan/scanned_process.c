/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scanned_process.c - see scanned_process.h
 *
 * A table is recognized by the inode of its memfd: once among the record's tables it is not opened
 * again.
 */
#include "scan/scanned_process.h"
#include "base/log.h"
#include "base/pidfd.h"
#include "host/proc_maps.h"
#include "host/shared_tables.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Files that look like new tables, and are opened to see, per scan. */
#define TRIED_MAX 8

struct scanned_process *scanned_process_new(uint64_t number, pid_t pid, int pidfd)
{
	struct scanned_process *process = calloc(1, sizeof(*process));

	if (!process)
		return NULL;
	process->number = number;
	process->pid = pid;
	process->pidfd = pidfd;
	return process;
}

void scanned_process_free(struct scanned_process *process)
{
	if (!process)
		return;
	for (size_t i = 0; i < process->table_count; i++) {
		pmem2fs_table_close(&process->tables[i].reader);
		reported_mappings_clear(&process->tables[i].reported);
	}
	reported_mappings_clear(&process->observed);
	close(process->pidfd);
	free(process);
}

bool scanned_process_is_alive(const struct scanned_process *process)
{
	return pidfd_is_alive(process->pidfd);
}

size_t scanned_process_count(const struct scanned_process *process)
{
	size_t count = process->observed.count;

	for (size_t i = 0; i < process->table_count; i++)
		count += process->tables[i].reported.count;
	return count;
}

/* --- tables --- */

static struct scanned_table *find_table(struct scanned_process *process, uint64_t inode)
{
	for (size_t i = 0; i < process->table_count; i++)
		if (process->tables[i].inode == inode)
			return &process->tables[i];
	return NULL;
}

bool scanned_process_has_table(struct scanned_process *process, uint64_t inode)
{
	return find_table(process, inode);
}

static void add_table(struct scanned_process *process, struct pmem2fs_table *reader, uint64_t inode)
{
	process->tables[process->table_count++] =
		(struct scanned_table){.inode = inode, .reader = reader};
}

static void warn_of_version(struct scanned_process *process, int error)
{
	if (error != -EPROTONOSUPPORT || process->warned_version)
		return;
	process->warned_version = true;
	log_of_user(LOG_TOPIC_PROCESSES, process->uid, LOG_WARNING,
		    "process %d: its table is of a version that is not known here",
		    (int)process->pid);
}

uint64_t scanned_process_pass_table(struct scanned_process *process, int fd)
{
	struct pmem2fs_table *reader;
	uint64_t inode;
	int error = tables_open(fd, &reader, &inode);

	if (error)
		warn_of_version(process, error);
	else if (process->table_count == SCANNED_TABLES_MAX || find_table(process, inode))
		pmem2fs_table_close(&reader);
	else
		add_table(process, reader, inode);
	return error ? 0 : inode;
}

static bool may_be_table(const struct maps_area *area, dev_t shmem)
{
	return area->name == MAPS_TABLE && area->dev == shmem;
}

void scanned_process_find_tables(struct scanned_process *process, const struct maps *maps,
				 dev_t shmem)
{
	unsigned tried = 0;

	for (size_t i = 0; i < process->table_count; i++)
		process->tables[i].mapped = false;
	for (size_t i = 0; i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		struct scanned_table *table;
		struct pmem2fs_table *reader;
		int error;

		if (area->dev != shmem || !area->inode)
			continue;
		/* A table that was passed may have any name. */
		table = find_table(process, area->inode);
		if (table)
			table->mapped = true;
		if (table || !may_be_table(area, shmem))
			continue;
		if (process->table_count == SCANNED_TABLES_MAX || tried++ == TRIED_MAX)
			continue;
		error = tables_open_area(maps, area, &reader);
		if (error) {
			warn_of_version(process, error);
			continue;
		}
		add_table(process, reader, area->inode);
		process->tables[process->table_count - 1].mapped = true;
	}
}

uint64_t scanned_table_changes(const struct scanned_table *table)
{
	uint64_t changes;

	return pmem2fs_table_changes(table->reader, &changes) ? 0 : changes;
}

bool scanned_process_has_changed(const struct scanned_process *process)
{
	for (size_t i = 0; i < process->table_count; i++) {
		const struct scanned_table *table = &process->tables[i];

		if (!table->changes || table->changes != scanned_table_changes(table))
			return true;
	}
	return !scanned_process_is_alive(process);
}

struct scan_report *scanned_process_gone(const struct scanned_process *process)
{
	struct scan_report *report = process->reported ? calloc(1, sizeof(*report)) : NULL;

	if (report) {
		report->process = process->number;
		report->pid = process->pid;
		report->uid = process->uid;
		report->gone = true;
		report->pidfd = -1;
	}
	return report;
}

int scanned_process_is_of_interest(pid_t pid, struct dax *dax)
{
	struct maps maps;
	int error = maps_read(&maps, pid);
	bool found = false;

	if (error)
		return error;
	for (size_t i = 0; !found && i < maps.count; i++)
		found = may_be_table(&maps.list[i], dax_shmem(dax)) ||
			dax_find(dax, &maps, &maps.list[i]);
	maps_clear(&maps);
	return found;
}
