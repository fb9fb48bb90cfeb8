/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_diff.c - see scan_diff.h
 */
#include "scan/scan_diff.h"
#include "base/array.h"
#include "scan/observed_ranges.h"
#include "scan/published_ranges.h"
#include <errno.h>
#include <stdlib.h>

bool scan_diff_is_same(const struct reported_mapping *old, const struct published_range *range)
{
	return old->place == range->slot && old->identity == range->generation &&
	       old->digest == range->digest && extents_equal(old->extents, range->extents);
}

static int add_event(struct scan_diff *diff, struct scan_event event)
{
	if (array_reserve(diff->list, &diff->room, diff->count + 1, 4))
		return -ENOMEM;
	diff->list[diff->count++] = event;
	return 0;
}

static int add_gone(struct scan_diff *diff, const struct reported_mapping *old, enum origin origin)
{
	return add_event(diff, (struct scan_event){
				       .kind = SCAN_EVENT_GONE,
				       .origin = origin,
				       .number = old->number,
			       });
}

static int copy_extents(const struct extents *extents, struct extents **copy)
{
	*copy = NULL;
	return extents ? extents_intersect(extents, NULL, copy) : 0;
}

/* Reports as gone what was reported before that place and is not there now. */
static int add_gone_before(struct scan_diff *diff, const struct reported_mapping **old,
			   const struct reported_mapping *old_end, uint64_t place,
			   uint64_t identity, enum origin origin)
{
	for (; *old < old_end; ++*old) {
		int error;

		if ((*old)->place > place ||
		    ((*old)->place == place && (*old)->identity == identity))
			return 0;
		error = add_gone(diff, *old, origin);
		if (error)
			return error;
	}
	return 0;
}

static bool is_at(const struct reported_mapping *old, const struct reported_mapping *old_end,
		  uint64_t place)
{
	return old < old_end && old->place == place;
}

static int add_published(struct scan_diff *diff, const struct published_range *range,
			 enum scan_event_kind kind, uint64_t number)
{
	struct scan_event event = {
		.kind = kind,
		.origin = ORIGIN_PUBLISHED,
		.number = number,
		.record = diff->published->records[range->record],
		.table = diff->process->tables[range->table].inode,
		.generation = range->generation,
		.slot = range->slot,
	};
	int error = copy_extents(range->extents, &event.extents);

	if (!error)
		error = add_event(diff, event);
	if (error)
		free(event.extents);
	return error;
}

static int compare_published(struct scan_diff *diff, struct published_range *range,
			     struct reported_mappings *now, const struct reported_mapping **old,
			     const struct reported_mapping *old_end)
{
	struct reported_mapping *mapping = &now->list[now->count];
	int error = add_gone_before(diff, old, old_end, range->slot, range->generation,
				    ORIGIN_PUBLISHED);

	if (error)
		return error;
	*mapping = (struct reported_mapping){
		.place = range->slot,
		.identity = range->generation,
		.digest = range->digest,
		.begin = range->begin,
		.end = range->end,
	};
	if (is_at(*old, old_end, range->slot)) {
		mapping->number = (*old)->number;
		if (!scan_diff_is_same(*old, range))
			error = add_published(diff, range, SCAN_EVENT_CHANGED, mapping->number);
		++*old;
	} else {
		mapping->number = ++diff->context->numbers;
		error = add_published(diff, range, SCAN_EVENT_NEW, mapping->number);
	}
	if (error)
		return error;
	mapping->extents = range->extents;
	range->extents = NULL;
	now->count++;
	return 0;
}

/* The ranges of one table; *next is its first one, and then that of the next table. */
static int compare_table(struct scan_diff *diff, uint32_t number, size_t *next)
{
	const struct scanned_table *table = &diff->process->tables[number];
	const struct reported_mapping *old = table->reported.list;
	const struct reported_mapping *old_end = old ? old + table->reported.count : NULL;
	struct published_ranges *published = diff->published;
	struct reported_mappings *now = &diff->tables_now[number];
	size_t next_table = *next;
	int error = 0;

	while (next_table < published->count && published->list[next_table].table == number)
		next_table++;
	now->list = malloc((next_table - *next + 1) * sizeof(*now->list));
	if (!now->list)
		return -ENOMEM;
	for (; !error && *next < next_table; ++*next)
		if (!published->list[*next].refused)
			error = compare_published(diff, &published->list[*next], now, &old,
						  old_end);
	for (; !error && old < old_end; old++)
		error = add_gone(diff, old, ORIGIN_PUBLISHED);
	return error;
}

static int compare_observed(struct scan_diff *diff)
{
	const struct reported_mapping *old = diff->process->observed.list;
	const struct reported_mapping *old_end = old ? old + diff->process->observed.count : NULL;
	const struct observed_ranges *observed = diff->observed;
	struct reported_mappings *now = &diff->observed_now;
	int error = 0;

	now->list = malloc((observed->count + 1) * sizeof(*now->list));
	if (!now->list)
		return -ENOMEM;
	for (size_t i = 0; !error && i < observed->count; i++) {
		const struct observed_range *range = &observed->list[i];
		struct scan_event event = {.kind = SCAN_EVENT_NEW, .origin = ORIGIN_OBSERVED};
		struct reported_mapping mapping = {.place = range->begin,
						   .identity = range->identity};

		error = add_gone_before(diff, &old, old_end, range->begin, range->identity,
					ORIGIN_OBSERVED);
		if (error)
			break;
		observed_ranges_record(range, diff->published, &event.record);
		mapping.digest = published_ranges_digest(diff->context->seed, &event.record);
		if (is_at(old, old_end, range->begin)) {
			event.kind = SCAN_EVENT_CHANGED;
			mapping.number = old->number;
		} else {
			mapping.number = ++diff->context->numbers;
		}
		event.number = mapping.number;
		if (event.kind == SCAN_EVENT_NEW || old->digest != mapping.digest)
			error = add_event(diff, event);
		if (event.kind == SCAN_EVENT_CHANGED)
			old++;
		now->list[now->count++] = mapping;
	}
	for (; !error && old < old_end; old++)
		error = add_gone(diff, old, ORIGIN_OBSERVED);
	return error;
}

int scan_diff_compute(struct scan_diff *diff)
{
	size_t next = 0;
	int error = 0;

	for (uint32_t i = 0; !error && i < diff->process->table_count; i++)
		error = compare_table(diff, i, &next);
	diff->of_tables = diff->count;
	for (size_t i = 0; i < diff->of_tables; i++)
		diff->outdated += diff->list[i].kind != SCAN_EVENT_NEW;
	return error ? error : compare_observed(diff);
}

void scan_diff_clear(struct scan_diff *diff)
{
	for (size_t i = 0; i < diff->count; i++)
		free(diff->list[i].extents);
	free(diff->list);
	for (size_t i = 0; i < SCANNED_TABLES_MAX; i++)
		reported_mappings_clear(&diff->tables_now[i]);
	reported_mappings_clear(&diff->observed_now);
}
