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

void reported_mappings_clear(struct reported_mappings *entries)
{
	for (size_t i = 0; i < entries->count; i++)
		free(entries->list[i].extents);
	free(entries->list);
	*entries = (struct reported_mappings){0};
}

bool scan_diff_is_same(const struct reported_mapping *old, const struct published_range *claim)
{
	return old->place == claim->slot && old->identity == claim->generation &&
	       old->digest == claim->digest && extents_equal(old->extents, claim->extents);
}

const struct reported_mapping *scan_diff_find_observed(const struct scanned_process *process,
						       const struct observed_range *run)
{
	size_t low = 0, high = process->observed.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct reported_mapping *entry = &process->observed.list[middle];

		if (entry->place == run->begin)
			return entry->identity == run->identity ? entry : NULL;
		if (entry->place < run->begin)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static int tell(struct scan_diff *change, struct scan_event event)
{
	if (array_reserve(change->list, &change->room, change->count + 1, 4))
		return -ENOMEM;
	change->list[change->count++] = event;
	return 0;
}

static int tell_gone(struct scan_diff *change, const struct reported_mapping *old,
		     enum origin origin)
{
	return tell(change, (struct scan_event){
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

/* Of the entries before, passes over those that are gone by now. */
static int pass(struct scan_diff *change, const struct reported_mapping **old,
		const struct reported_mapping *behind, uint64_t place, uint64_t identity,
		enum origin origin)
{
	for (; *old < behind; ++*old) {
		int error;

		if ((*old)->place > place ||
		    ((*old)->place == place && (*old)->identity == identity))
			return 0;
		error = tell_gone(change, *old, origin);
		if (error)
			return error;
	}
	return 0;
}

static bool is_at(const struct reported_mapping *old, const struct reported_mapping *behind,
		  uint64_t place)
{
	return old < behind && old->place == place;
}

static int tell_claim(struct scan_diff *change, const struct published_range *claim,
		      enum scan_event_kind kind, uint64_t number)
{
	struct scan_event event = {
		.kind = kind,
		.origin = ORIGIN_PUBLISHED,
		.number = number,
		.record = change->claims->records[claim->record],
		.table = change->process->tables[claim->table].inode,
		.generation = claim->generation,
		.slot = claim->slot,
	};
	int error = copy_extents(claim->extents, &event.extents);

	if (!error)
		error = tell(change, event);
	if (error)
		free(event.extents);
	return error;
}

static int compare_claim(struct scan_diff *change, struct published_range *claim,
			 struct reported_mappings *now, const struct reported_mapping **old,
			 const struct reported_mapping *behind)
{
	struct reported_mapping *entry = &now->list[now->count];
	int error = pass(change, old, behind, claim->slot, claim->generation, ORIGIN_PUBLISHED);

	if (error)
		return error;
	*entry = (struct reported_mapping){
		.place = claim->slot,
		.identity = claim->generation,
		.digest = claim->digest,
	};
	if (is_at(*old, behind, claim->slot)) {
		entry->number = (*old)->number;
		if (!scan_diff_is_same(*old, claim))
			error = tell_claim(change, claim, SCAN_EVENT_CHANGED, entry->number);
		++*old;
	} else {
		entry->number = ++change->sight->numbers;
		error = tell_claim(change, claim, SCAN_EVENT_NEW, entry->number);
	}
	if (error)
		return error;
	entry->extents = claim->extents;
	claim->extents = NULL;
	now->count++;
	return 0;
}

/* Those of one table; *next is its first claim, and then that of the next table. */
static int compare_table(struct scan_diff *change, uint32_t number, size_t *next)
{
	const struct scanned_table *table = &change->process->tables[number];
	const struct reported_mapping *old = table->told.list;
	const struct reported_mapping *behind = old ? old + table->told.count : NULL;
	struct published_ranges *claims = change->claims;
	struct reported_mappings *now = &change->tables[number];
	size_t end = *next;
	int error = 0;

	while (end < claims->count && claims->list[end].table == number)
		end++;
	now->list = malloc((end - *next + 1) * sizeof(*now->list));
	if (!now->list)
		return -ENOMEM;
	for (; !error && *next < end; ++*next)
		if (!claims->list[*next].refused)
			error = compare_claim(change, &claims->list[*next], now, &old, behind);
	for (; !error && old < behind; old++)
		error = tell_gone(change, old, ORIGIN_PUBLISHED);
	return error;
}

static int compare_runs(struct scan_diff *change)
{
	const struct reported_mapping *old = change->process->observed.list;
	const struct reported_mapping *behind = old ? old + change->process->observed.count : NULL;
	const struct observed_ranges *runs = change->runs;
	struct reported_mappings *now = &change->observed;
	int error = 0;

	now->list = malloc((runs->count + 1) * sizeof(*now->list));
	if (!now->list)
		return -ENOMEM;
	for (size_t i = 0; !error && i < runs->count; i++) {
		const struct observed_range *run = &runs->list[i];
		struct scan_event event = {.kind = SCAN_EVENT_NEW, .origin = ORIGIN_OBSERVED};
		struct reported_mapping entry = {.place = run->begin, .identity = run->identity};

		error = pass(change, &old, behind, run->begin, run->identity, ORIGIN_OBSERVED);
		if (error)
			break;
		observed_ranges_record(run, change->claims, &event.record);
		entry.digest = published_ranges_digest(change->sight->seed, &event.record);
		if (is_at(old, behind, run->begin)) {
			event.kind = SCAN_EVENT_CHANGED;
			entry.number = old->number;
		} else {
			entry.number = ++change->sight->numbers;
		}
		event.number = entry.number;
		if (event.kind == SCAN_EVENT_NEW || old->digest != entry.digest)
			error = tell(change, event);
		if (event.kind == SCAN_EVENT_CHANGED)
			old++;
		now->list[now->count++] = entry;
	}
	for (; !error && old < behind; old++)
		error = tell_gone(change, old, ORIGIN_OBSERVED);
	return error;
}

int scan_diff_compute(struct scan_diff *change)
{
	size_t next = 0;
	int error = 0;

	for (uint32_t i = 0; !error && i < change->process->table_count; i++)
		error = compare_table(change, i, &next);
	return error ? error : compare_runs(change);
}

void scan_diff_clear(struct scan_diff *change)
{
	for (size_t i = 0; i < change->count; i++)
		free(change->list[i].extents);
	free(change->list);
	for (size_t i = 0; i < SCANNED_TABLES_MAX; i++)
		reported_mappings_clear(&change->tables[i]);
	reported_mappings_clear(&change->observed);
}
