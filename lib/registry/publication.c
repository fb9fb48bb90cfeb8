/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publication.c - the mappings of this process in its table
 *
 * Decides when a table is made and fills its records from the handles. Owns the right to probe for
 * seccomp filters, which one thread has at a time. Calls handles.c, table_writer.c, seccomp_probe.c
 * and announcement.c.
 */
#include "registry/publication.h"
#include "base/lock.h"
#include "base/page.h"
#include "registry/announcement.h"
#include "registry/seccomp_probe.h"
#include "registry/table_writer.h"
#include <errno.h>
#include <string.h>

/* A thread runs the seccomp probe, without the library's lock. */
static bool probing;

/* Keeps the bytes behind the label 0, as they were behind the previous label. */
static void fill_label(struct pmem2fs_record *record, const struct handle *handle)
{
	if (record->label_length > handle->label_length)
		memset(record->label, 0, record->label_length);
	if (handle->label_length)
		memcpy(record->label, handle->label, handle->label_length);
	record->label_length = handle->label_length;
}

void publication_show(struct handle *handle)
{
	const struct mapping_facts *facts = &handle->facts;
	struct pmem2fs_record *record;

	/* A record describes whole pages; pmem2_map_from_existing takes any range. */
	if (handle_address(handle) % page_size() || handle->displaced)
		return;
	record = table_begin(handle->index);
	handle->published = record;
	if (!record)
		return;
	record->address = handle_address(handle);
	record->length = handle_length(handle);
	record->offset = facts->offset;
	record->source_size = facts->source_size;
	record->source_dev = facts->source_dev;
	record->source_rdev = facts->source_rdev;
	record->source_inode = facts->source_inode;
	record->created = facts->created;
	if (facts->has_owner) {
		record->uid = facts->uid;
		record->gid = facts->gid;
	}
	record->alignment = facts->alignment;
	record->source_type = facts->source_type;
	record->granularity = atomic_load_explicit(&handle->granularity, memory_order_relaxed);
	record->required = facts->required;
	record->sharing = facts->sharing;
	record->protection = facts->protection;
	record->flags = facts->map_sync ? PMEM2FS_RECORD_MAP_SYNC : 0;
	fill_label(record, handle);
	table_end(handle->index);
}

void publication_hide(struct handle *handle)
{
	if (handle->published)
		table_retire(handle->index);
	handle->published = false;
}

/* Makes a table, which replaces an existing one, and shows all live mappings in it. */
static int make_table(int *fd)
{
	int ret = table_make(fd);

	if (ret && table_exists())
		return ret;
	for (uint32_t i = 0; i < handle_count(); i++) {
		struct handle *handle = handle_at(i);

		handle->published = false;
		if (handle_is_live(handle))
			publication_show(handle);
	}
	table_drop_old();
	return ret;
}

static bool is_to_be_made(bool again)
{
	return table_missing() || (again && !table_exists());
}

/*
 * Takes the library's lock. Returns 0 if a table is missing and may be made; with `again`, also if
 * making one has failed before. -EALREADY: no table is to be made; others: none may be made.
 *
 * The lock is free during the probe, which may take a while: only threads that need the table wait.
 */
static int lock_before_table(bool again)
{
	int ret;

	library_lock();
	while (probing)
		library_wait();
	if (!is_to_be_made(again))
		return -EALREADY;
	probing = true;
	library_unlock();
	ret = table_switched_off() ? 0 : seccomp_probe_run();
	library_lock();
	probing = false;
	library_wake();
	/* This may be the child of a signal handler that forked meanwhile. */
	if (!is_to_be_made(again))
		return -EALREADY;
	if (ret) {
		table_give_up();
		announcement_withdraw();
	}
	return ret;
}

void publication_lock(void)
{
	if (lock_before_table(false))
		return;
	if (make_table(NULL))
		announcement_withdraw();
	else
		announcement_request();
}

int publication_export(int *fd)
{
	int ret = lock_before_table(true);

	if (!ret) {
		ret = make_table(fd);
		announcement_withdraw();
	}
	library_unlock();
	return ret;
}

int publication_table(uint64_t *inode, int *fd)
{
	int ret;

	publication_lock();
	ret = table_exists() ? 0 : -ENOENT;
	if (!ret && fd)
		ret = make_table(fd);
	if (!ret)
		*inode = table_inode();
	library_unlock();
	return ret;
}

void publication_after_fork(void)
{
	probing = false;
}
