/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * catalog.c - see catalog.h
 *
 * Mappings are found by name in a tree, which no choice of names makes slow, and by number in an
 * array that is sorted because numbers only grow. Removed ones leave holes in it, which are closed
 * when they are half of it.
 */
#include "catalog/catalog.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/shared_text.h"
#include "base/spare_memory.h"
#include "catalog/mapping_fields.h"
#include "catalog/name_tree.h"
#include "catalog/shown_times.h"
#include "catalog/snapshots.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct catalog {
	struct nodes *nodes;
	struct leftovers leftovers;
	struct name_tree by_name;
	struct mapping **order; /* by number; NULL: removed */
	uint64_t *numbers;      /* of order, holes included */
	size_t used, room;
	uint64_t last_number;
	uint64_t removed; /* how many shown mappings have been removed */
	struct snapshots snapshots;
	struct shown_times times;
	struct totals totals;
	/* The document that was rendered last: its size and its content are asked for in turn. */
	char *document;
	size_t document_length;
	const struct version *document_of;
};

static struct mapping *mapping_of(const struct name_entry *entry)
{
	return container_of((struct name_entry *)entry, struct mapping, by_name);
}

static const char *name_of(const struct name_entry *entry)
{
	return mapping_name(mapping_of(entry));
}

/* Of a mapping in the tree; NULL: none. */
static struct mapping *entry_mapping(struct name_entry *entry)
{
	return entry ? mapping_of(entry) : NULL;
}

struct mapping *catalog_above_name(const struct catalog *catalog, const char *name)
{
	return entry_mapping(name_tree_above(&catalog->by_name, name));
}

struct mapping *catalog_next_name(const struct mapping *mapping)
{
	return entry_mapping(name_tree_next(&mapping->by_name));
}

struct catalog *catalog_new(uint64_t base)
{
	struct catalog *catalog = calloc(1, sizeof(*catalog));

	if (!catalog)
		return NULL;
	catalog->by_name.name_of = name_of;
	catalog->last_number = base + CATALOG_FIRST - 1;
	shown_times_begin(&catalog->times);
	catalog->nodes = nodes_new();
	if (!catalog->nodes) {
		free(catalog);
		return NULL;
	}
	return catalog;
}

struct nodes *catalog_nodes(struct catalog *catalog)
{
	return catalog->nodes;
}

struct leftovers *catalog_leftovers(struct catalog *catalog)
{
	return &catalog->leftovers;
}

struct snapshots *catalog_snapshots(struct catalog *catalog)
{
	return &catalog->snapshots;
}

void version_free(struct catalog *catalog, struct version *version)
{
	leftovers_remove(&catalog->leftovers, version);
	if (catalog->document_of == version)
		catalog->document_of = NULL;
	version_drop(version);
}

/*
 * A version that neither its mapping nor anybody else holds stays while the kernel knows its node.
 */
void version_release(struct catalog *catalog, struct version *version)
{
	if (--version->node.held)
		return;
	if (version->node.lookups)
		leftovers_add(&catalog->leftovers, version, clock_now());
	else
		version_free(catalog, version);
}

void catalog_free(struct catalog *catalog)
{
	struct mapping *mapping;
	size_t place;

	if (!catalog)
		return;
	for (size_t i = 0; i < catalog->used; i++)
		if (catalog->order[i])
			catalog->order[i]->ended = false;     /* so that the walk finds it */
	while ((mapping = catalog_after(catalog, 0, &place))) /* the array moves meanwhile */
		catalog_remove(catalog, mapping);
	free(catalog->order);
	free(catalog->numbers);
	free(catalog->document);
	nodes_free(catalog->nodes);
	free(catalog);
}

struct mapping *catalog_find(const struct catalog *catalog, const char *name)
{
	struct mapping *mapping = entry_mapping(name_tree_find(&catalog->by_name, name));

	return mapping && mapping->version && !mapping->ended ? mapping : NULL;
}

/* The place of the first number above this one. */
static size_t place_after(const struct catalog *catalog, uint64_t number)
{
	size_t low = 0, high = catalog->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (catalog->numbers[middle] > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct mapping *catalog_next(const struct catalog *catalog, size_t *place)
{
	while (*place < catalog->used) {
		struct mapping *mapping = catalog->order[(*place)++];

		if (mapping && !mapping->ended)
			return mapping;
	}
	return NULL;
}

struct mapping *catalog_after(const struct catalog *catalog, uint64_t number, size_t *place)
{
	*place = place_after(catalog, number);
	return catalog_next(catalog, place);
}

struct mapping *catalog_find_number(const struct catalog *catalog, uint64_t number)
{
	size_t i = place_after(catalog, number);

	return i && catalog->numbers[i - 1] == number ? catalog->order[i - 1] : NULL;
}

unsigned catalog_count_of(const struct catalog *catalog, uid_t uid)
{
	return totals_of_user(&catalog->totals, uid);
}

/* Makes a mapping that has only a name. With `scan_state` it is of another process. */
static int take_name(struct catalog *catalog, const char *name, uid_t uid,
		     const struct scan_state *scan_state, struct mapping **mapping_ptr)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	int error = -ENOMEM;

	if (!mapping)
		return -ENOMEM;
	if (scan_state)
		mapping->scan_state = *scan_state;
	mapping->uid = uid;
	mapping->reserved = strdup(name);
	if (!mapping->reserved)
		goto free_mapping;
	error = -EEXIST;
	if (!name_tree_add(&catalog->by_name, &mapping->by_name))
		goto free_mapping;
	error = scan_state ? 0 : totals_add_name(&catalog->totals, uid);
	if (error) {
		name_tree_remove(&catalog->by_name, &mapping->by_name);
		goto free_mapping;
	}
	catalog->totals.all.reserved++;
	*mapping_ptr = mapping;
	return 0;
free_mapping:
	free(mapping->reserved);
	free(mapping);
	return error;
}

int catalog_reserve(struct catalog *catalog, const char *name, uid_t uid, struct mapping **mapping)
{
	return take_name(catalog, name, uid, NULL, mapping);
}

static int order_append(struct catalog *catalog, struct mapping *mapping)
{
	size_t room = catalog->room;

	/* Both arrays have the same room. */
	if (array_reserve(catalog->order, &room, catalog->used + 1, 64) ||
	    array_reserve(catalog->numbers, &catalog->room, catalog->used + 1, 64))
		return -ENOMEM;
	mapping->number = ++catalog->last_number;
	catalog->order[catalog->used] = mapping;
	catalog->numbers[catalog->used++] = mapping->number;
	return 0;
}

static void order_remove(struct catalog *catalog, const struct mapping *mapping)
{
	size_t kept = 0;

	catalog->order[place_after(catalog, mapping->number) - 1] = NULL;
	if (catalog->used < 64 ||
	    catalog->totals.all.entries + catalog->totals.all.foreign > catalog->used / 2)
		return;
	for (size_t i = 0; i < catalog->used; i++) {
		if (!catalog->order[i])
			continue;
		catalog->order[kept] = catalog->order[i];
		catalog->numbers[kept++] = catalog->numbers[i];
	}
	catalog->used = kept;
}

/* For totals.h: whose quota a mapping counts for. */
static const uid_t *user_of(const struct mapping *mapping)
{
	return mapping->scan_state.process ? NULL : &mapping->uid;
}

/* Makes a new version the current one. The caller releases the old one. */
static void set_version(struct catalog *catalog, struct mapping *mapping, struct version *version)
{
	if (mapping->version && !mapping->ended)
		snapshots_keep(&catalog->snapshots, mapping->version);
	version->serial = ++catalog->snapshots.last_serial;
	mapping->version = version;
}

/*
 * Shows a mapping that has only a name. `time` is when it was made or found. Takes ownership of the
 * facts. Returns 0 or -ENOMEM.
 */
static int show_mapping(struct catalog *catalog, struct mapping *mapping, uint64_t time,
			enum origin origin, const struct pmem2fs_record *record,
			struct facts *facts)
{
	struct version *version = version_new(
		mapping->reserved, catalog->last_number + 1,
		shown_time_after(shown_times_of_name(&catalog->times, mapping->reserved), time),
		origin, record, facts);

	if (!version)
		return -ENOMEM;
	if (order_append(catalog, mapping)) {
		version_free(catalog, version);
		return -ENOMEM;
	}
	set_version(catalog, mapping, version);
	free(mapping->reserved);
	mapping->reserved = NULL;
	catalog->totals.all.reserved--;
	shown_times_change(&catalog->times);
	totals_add_version(&catalog->totals, version, user_of(mapping));
	return 0;
}

int catalog_show(struct catalog *catalog, struct mapping *mapping, uint32_t slot,
		 const struct pmem2fs_record *record, const char *path, struct process_info *owner)
{
	struct facts facts = {
		.owner = process_info_get(owner),
		.size = record->source_size,
		.size_known = true,
		.pending = true,
	};

	facts.path = path ? shared_text_new(path) : NULL;
	mapping->slot = slot;
	return show_mapping(catalog, mapping,
			    shown_times_of_mapping(&catalog->times, record->created),
			    ORIGIN_PMEM2FS, record, &facts);
}

int catalog_show_scanned(struct catalog *catalog, const char *name, enum origin origin,
			 const struct pmem2fs_record *record, struct extents **extents,
			 const struct scan_state *scan_state, struct process_info *owner,
			 struct mapping **mapping)
{
	struct facts facts = {.owner = owner, .pending = true};
	int error = take_name(catalog, name, record->uid, scan_state, mapping);

	if (error)
		return error;
	process_info_get(owner);
	facts.extents = *extents;
	*extents = NULL;
	/* Now: when it was mapped is not known, or only its process says so. */
	error = show_mapping(catalog, *mapping, clock_time_of_day(), origin, record, &facts);
	if (error)
		catalog_remove(catalog, *mapping);
	return error;
}

int catalog_rename(struct catalog *catalog, struct mapping *mapping, struct mapping *reserved)
{
	struct version *version, *old = mapping->version;
	struct facts facts;
	uint64_t last = shown_times_of_name(&catalog->times, mapping_name(reserved)), since;

	if (version_facts(old, &facts))
		return -ENOMEM;
	since = shown_time_after(last > old->since ? last : old->since, clock_time_of_day());
	version = version_new(reserved->reserved, mapping->number, since, (enum origin)old->origin,
			      old->record, &facts);
	if (!version)
		return -ENOMEM;
	/* In the tree, the mapping takes the place of the reserved one, which has the new name. */
	name_tree_remove(&catalog->by_name, &mapping->by_name);
	name_tree_remove(&catalog->by_name, &reserved->by_name);
	set_version(catalog, mapping, version);
	name_tree_add(&catalog->by_name, &mapping->by_name);
	shown_times_change(&catalog->times);
	shown_times_free_name(&catalog->times, old->text, old->since);
	version_release(catalog, old);
	catalog->totals.all.reserved--;
	totals_remove_name(&catalog->totals, reserved->uid);
	free(reserved->reserved);
	free(reserved);
	return 0;
}

void catalog_end(struct catalog *catalog, struct mapping *mapping)
{
	if (!mapping->ended)
		snapshots_keep(&catalog->snapshots, mapping->version);
	mapping->ended = true;
}

void catalog_remove(struct catalog *catalog, struct mapping *mapping)
{
	if (mapping->version)
		catalog_end(catalog, mapping);
	name_tree_remove(&catalog->by_name, &mapping->by_name);
	if (mapping->version) {
		totals_remove_version(&catalog->totals, mapping->version, user_of(mapping));
		order_remove(catalog, mapping);
		shown_times_change(&catalog->times);
		catalog->removed++;
		shown_times_free_name(&catalog->times, mapping->version->text,
				      mapping->version->since);
		version_release(catalog, mapping->version);
	} else {
		catalog->totals.all.reserved--;
	}
	if (!mapping->scan_state.process)
		totals_remove_name(&catalog->totals, mapping->uid);
	spare_memory_note(sizeof(*mapping) + sizeof(*mapping->version));
	free(mapping->left);
	free(mapping->reserved);
	free(mapping);
}

/*
 * Makes a new version if the document differs. Its time is now, or with `now` false that of the old
 * version. `record` begins as a struct pmem2fs_record. Takes ownership of the facts. On -ENOMEM the
 * old version stays.
 */
static int set_facts(struct catalog *catalog, struct mapping *mapping, const void *record,
		     struct facts *facts, bool now)
{
	struct version *version, *old = mapping->version;

	if (version_says(old, record, facts)) {
		facts_clear(facts);
		return 0;
	}
	version = version_new(old->text, mapping->number,
			      now ? shown_time_after(old->since, clock_time_of_day()) : old->since,
			      (enum origin)old->origin, record, facts);
	if (!version)
		return -ENOMEM;
	totals_remove_version(&catalog->totals, old, user_of(mapping));
	totals_add_version(&catalog->totals, version, user_of(mapping));
	/* The name in the new version is the same: the tree stays as it is. */
	set_version(catalog, mapping, version);
	version_release(catalog, old);
	return 0;
}

/*
 * What the kernel shows at addresses that the keeper has unmapped may be a newer mapping of the
 * same source, and what it shows no longer while an unmap is under way is taken in when that is
 * answered.
 */
static int limit_extents(const struct mapping *mapping, struct facts *facts)
{
	/* What is mapped of another process's mapping is what the scan of that process found. */
	bool known = mapping->changing || mapping->scan_state.process;
	const struct extents *seen = known ? mapping->version->extents : facts->extents;
	struct extents *extents;

	if (extents_intersect(seen, mapping->left, &extents))
		return -ENOMEM;
	free(facts->extents);
	facts->extents = extents;
	return 0;
}

static bool is_nothing(const struct extents *extents)
{
	return extents && !extents->count;
}

/*
 * Nothing keeps the file of a mapping with no page left: the facts may be those of another file
 * with its inode number, or of a newer mapping at its address.
 */
static void forget_source(struct facts *facts)
{
	shared_text_put(facts->path);
	facts->path = NULL;
	facts->deleted = false;
	facts->size_known = false;
	facts->size = 0;
}

bool catalog_learn(struct catalog *catalog, struct mapping *mapping, struct facts *facts,
		   uint64_t checked)
{
	const struct version *version = mapping->version;
	bool gone = is_nothing(facts->extents), changed, begun;

	if (limit_extents(mapping, facts)) {
		facts_clear(facts);
		return false; /* the old version stays, and stays out of date */
	}
	/* The mapping has gone, and the catalog does not know that yet: nothing could be read. */
	if (gone && !is_nothing(facts->extents)) {
		facts_clear(facts);
		catalog_set_pending(catalog, mapping);
		mapping->checked = checked;
		return false;
	}
	if (is_nothing(facts->extents))
		forget_source(facts);
	changed = !version_is_as_healthy(version, facts);
	/* The first facts are no change if the document without them was never read, nor will be.
	 */
	begun = !mapping->learnt && !version->seen &&
		!snapshots_want(&catalog->snapshots, version) &&
		version_is_completed_by(version, facts);
	if (set_facts(catalog, mapping, version->record, facts, !begun))
		return false;
	mapping->learnt = true;
	mapping->checked = checked;
	return changed;
}

void catalog_set_pending(struct catalog *catalog, struct mapping *mapping)
{
	struct facts facts;

	if (mapping->version->pending || version_facts(mapping->version, &facts))
		return;
	facts.pending = true;
	set_facts(catalog, mapping, mapping->version->record, &facts, true);
}

int catalog_update_scanned(struct catalog *catalog, struct mapping *mapping,
			   const struct pmem2fs_record *record, struct extents **extents)
{
	struct facts facts;

	if (version_facts(mapping->version, &facts))
		return -ENOMEM;
	free(facts.extents);
	facts.extents = *extents;
	*extents = NULL;
	/* The bad blocks within the changed extents are not known. */
	facts.pending |= !version_says(mapping->version, record, &facts);
	mapping->checked = 0;
	return set_facts(catalog, mapping, record, &facts, true);
}

int catalog_cut(struct catalog *catalog, struct mapping *mapping, uint64_t begin, uint64_t end)
{
	struct extents *left;
	struct pmem2fs_record record;
	struct facts facts;

	version_record(mapping->version, &record);
	if (extents_remove(mapping->left, extents_whole(record.length), begin, end, &left))
		return -ENOMEM;
	if (version_facts(mapping->version, &facts))
		goto free_left;
	free(facts.extents);
	facts.extents = NULL;
	if (extents_intersect(mapping->version->extents, left, &facts.extents)) {
		facts_clear(&facts);
		goto free_left;
	}
	/* The bad blocks within what is left are not known. */
	facts.pending |= !version_says(mapping->version, mapping->version->record, &facts);
	if (set_facts(catalog, mapping, mapping->version->record, &facts, true))
		goto free_left;
	free(mapping->left);
	mapping->left = left;
	mapping->checked = 0;
	return 0;
free_left:
	free(left);
	return -ENOMEM;
}

struct timespec catalog_changed(const struct catalog *catalog)
{
	return clock_timespec(catalog->times.changed);
}

uint64_t catalog_newest(const struct catalog *catalog)
{
	return catalog->last_number;
}

uint64_t catalog_removed(const struct catalog *catalog)
{
	return catalog->removed;
}

const char *version_document(struct catalog *catalog, struct version *version, size_t *length)
{
	if (catalog->document_of != version) {
		free(catalog->document);
		catalog->document_of = NULL;
		catalog->document = version_render(version, &catalog->document_length);
		if (!catalog->document)
			return NULL;
		catalog->document_of = version;
		version->document_size = (uint32_t)catalog->document_length;
		version->seen = true;
	}
	*length = catalog->document_length;
	return catalog->document;
}

size_t version_document_size(struct catalog *catalog, struct version *version)
{
	size_t length;

	if (!version->document_size && !version_document(catalog, version, &length))
		return 0;
	return version->document_size;
}

struct catalog_totals catalog_totals(const struct catalog *catalog)
{
	return catalog->totals.all;
}
