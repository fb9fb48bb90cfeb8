/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * namespace.c - see namespace.h
 *
 * Mappings are found by name in a balanced tree (tsearch), so that no choice of names makes it
 * slow, and by number in an array that is sorted because numbers only grow; removed ones leave
 * holes there, which are closed when they are the half.
 */
#include "catalog/namespace.h"
#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

struct user {
	struct user *next;
	uid_t uid;
	unsigned count, gaps;
};

struct name_space {
	struct nodes *nodes;
	void *by_name;
	struct mapping **order; /* by number; NULL: removed */
	uint64_t *numbers;      /* of order, holes included */
	size_t used, room;
	uint64_t last_number;
	struct namespace_totals totals;
	struct user *users; /* those with a mapping */
	/* The document that was rendered last, since sizes and contents are asked for in turn. */
	char *document;
	size_t document_length;
	const struct version *document_of;
};

const char *mapping_name(const struct mapping *mapping)
{
	return mapping->version ? mapping->version->text : mapping->reserved;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(mapping_name(a), mapping_name(b));
}

struct name_space *namespace_new(uint64_t base)
{
	struct name_space *names = calloc(1, sizeof(*names));

	if (!names)
		return NULL;
	names->last_number = base + NAMESPACE_FIRST - 1;
	names->nodes = nodes_new();
	if (!names->nodes) {
		free(names);
		return NULL;
	}
	return names;
}

struct nodes *namespace_nodes(struct name_space *names)
{
	return names->nodes;
}

void version_free(struct name_space *names, struct version *version)
{
	if (names->document_of == version)
		names->document_of = NULL;
	version_drop(version);
}

/* A version that is not current any more stays only for the kernel. */
static void let_go(struct name_space *names, struct version *version)
{
	version->node.held = false;
	if (!version->node.lookups)
		version_free(names, version);
}

void namespace_free(struct name_space *names)
{
	struct mapping *mapping;
	size_t place;

	if (!names)
		return;
	while ((mapping = namespace_after(names, 0, &place))) /* the array moves meanwhile */
		namespace_remove(names, mapping);
	free(names->order);
	free(names->numbers);
	free(names->document);
	nodes_free(names->nodes);
	free(names);
}

struct mapping *namespace_find(const struct name_space *names, const char *name)
{
	struct mapping key = {.reserved = (char *)name};
	struct mapping **found = tfind(&key, (void *const *)&names->by_name, compare_names);

	return found && (*found)->version ? *found : NULL;
}

/* The place of the first number above this one. */
static size_t place_after(const struct name_space *names, uint64_t number)
{
	size_t low = 0, high = names->used;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (names->numbers[middle] > number)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

struct mapping *namespace_next(const struct name_space *names, size_t *place)
{
	while (*place < names->used) {
		struct mapping *mapping = names->order[(*place)++];

		if (mapping)
			return mapping;
	}
	return NULL;
}

struct mapping *namespace_after(const struct name_space *names, uint64_t number, size_t *place)
{
	*place = place_after(names, number);
	return namespace_next(names, place);
}

struct mapping *namespace_find_number(const struct name_space *names, uint64_t number)
{
	size_t i = place_after(names, number);

	return i && names->numbers[i - 1] == number ? names->order[i - 1] : NULL;
}

unsigned namespace_count_of(const struct name_space *names, uid_t uid)
{
	for (const struct user *user = names->users; user; user = user->next)
		if (user->uid == uid)
			return user->count + user->gaps;
	return 0;
}

static int count_user(struct name_space *names, uid_t uid)
{
	struct user *user = names->users;

	while (user && user->uid != uid)
		user = user->next;
	if (!user) {
		user = calloc(1, sizeof(*user));
		if (!user)
			return -ENOMEM;
		user->uid = uid;
		user->next = names->users;
		names->users = user;
	}
	user->count++;
	return 0;
}

static void discount_user(struct name_space *names, uid_t uid)
{
	struct user **at = &names->users, *user;

	while ((*at)->uid != uid)
		at = &(*at)->next;
	user = *at;
	if (--user->count)
		return;
	*at = user->next;
	free(user);
}

/* A mapping that only has a name yet: with `foreign`, of another process. */
static int take_name(struct name_space *names, const char *name, uid_t uid,
		     const struct foreign *foreign, struct mapping **mapping_ptr)
{
	struct mapping *mapping = calloc(1, sizeof(*mapping));
	struct mapping **found;
	int error = -ENOMEM;

	if (!mapping)
		return -ENOMEM;
	if (foreign)
		mapping->foreign = *foreign;
	mapping->uid = uid;
	mapping->reserved = strdup(name);
	if (!mapping->reserved)
		goto free_mapping;
	found = tsearch(mapping, &names->by_name, compare_names);
	if (!found)
		goto free_mapping;
	error = -EEXIST;
	if (*found != mapping)
		goto free_mapping;
	error = foreign ? 0 : count_user(names, uid);
	if (error) {
		tdelete(mapping, &names->by_name, compare_names);
		goto free_mapping;
	}
	names->totals.reserved++;
	*mapping_ptr = mapping;
	return 0;
free_mapping:
	free(mapping->reserved);
	free(mapping);
	return error;
}

int namespace_reserve(struct name_space *names, const char *name, uid_t uid,
		      struct mapping **mapping)
{
	return take_name(names, name, uid, NULL, mapping);
}

static int order_append(struct name_space *names, struct mapping *mapping)
{
	if (names->used == names->room) {
		size_t room = names->room ? names->room * 2 : 64;
		struct mapping **order = realloc(names->order, room * sizeof(*order));
		uint64_t *numbers;

		if (!order)
			return -ENOMEM;
		names->order = order;
		numbers = realloc(names->numbers, room * sizeof(*numbers));
		if (!numbers)
			return -ENOMEM;
		names->numbers = numbers;
		names->room = room;
	}
	mapping->number = ++names->last_number;
	names->order[names->used] = mapping;
	names->numbers[names->used++] = mapping->number;
	return 0;
}

static void order_remove(struct name_space *names, const struct mapping *mapping)
{
	size_t kept = 0;

	names->order[place_after(names, mapping->number) - 1] = NULL;
	if (names->used < 64 || names->totals.entries + names->totals.foreign > names->used / 2)
		return;
	for (size_t i = 0; i < names->used; i++) {
		if (!names->order[i])
			continue;
		names->order[kept] = names->order[i];
		names->numbers[kept++] = names->numbers[i];
	}
	names->used = kept;
}

/* The totals after a version came (sign 1) or went (-1). */
static void add_up(struct name_space *names, const struct mapping *mapping,
		   const struct version *version, int sign)
{
	uint64_t bytes = version_mapped(version);
	size_t gaps = version->extents && version->extents->count ? version->extents->count - 1 : 0;
	struct user *user = names->users;
	struct pmem2fs_record record;

	if (sign < 0) {
		bytes = -bytes;
		gaps = -gaps;
	}
	version_record(version, &record);
	names->totals.bytes += bytes;
	if (record.source_type == PMEM2FS_SOURCE_FSDAX ||
	    record.source_type == PMEM2FS_SOURCE_DEVDAX)
		names->totals.pmem_bytes += bytes;
	if (mapping->foreign.process) {
		names->totals.foreign += (uint64_t)sign;
		return;
	}
	while (user->uid != mapping->uid)
		user = user->next;
	user->gaps += (unsigned)gaps;
	names->totals.gaps += gaps;
	names->totals.entries += (uint64_t)sign;
}

/* Shows a mapping that has a name only. The facts are used up. -ENOMEM. */
static int show(struct name_space *names, struct mapping *mapping, enum origin origin,
		const struct pmem2fs_record *record, struct facts *facts)
{
	struct version *version =
		version_new(mapping->reserved, names->last_number + 1, origin, record, facts);

	if (!version)
		return -ENOMEM;
	if (order_append(names, mapping)) {
		version_free(names, version);
		return -ENOMEM;
	}
	mapping->version = version;
	free(mapping->reserved);
	mapping->reserved = NULL;
	names->totals.reserved--;
	add_up(names, mapping, version, 1);
	return 0;
}

int namespace_show(struct name_space *names, struct mapping *mapping, uint32_t slot,
		   const struct pmem2fs_record *record, const char *path,
		   struct process_info *owner)
{
	struct facts facts = {
		.owner = process_info_get(owner),
		.size = record->source_size,
		.size_known = true,
	};

	facts.path = path ? strdup(path) : NULL;
	mapping->slot = slot;
	return show(names, mapping, ORIGIN_PMEM2FS, record, &facts);
}

int namespace_enter(struct name_space *names, const char *name, enum origin origin,
		    const struct pmem2fs_record *record, struct extents **extents,
		    const struct foreign *foreign, struct process_info *owner,
		    struct mapping **mapping)
{
	struct facts facts = {.owner = owner};
	int error = take_name(names, name, record->uid, foreign, mapping);

	if (error)
		return error;
	process_info_get(owner);
	facts.extents = *extents;
	*extents = NULL;
	error = show(names, *mapping, origin, record, &facts);
	if (error)
		namespace_remove(names, *mapping);
	return error;
}

int namespace_rename(struct name_space *names, struct mapping *mapping, struct mapping *reserved)
{
	struct version *version, *old = mapping->version;
	struct facts facts;
	struct mapping **place;

	if (version_facts(old, &facts))
		return -ENOMEM;
	version = version_new(reserved->reserved, mapping->number, (enum origin)old->origin,
			      old->record, &facts);
	if (!version)
		return -ENOMEM;
	/* The place of the reserved one in the tree has the new name already. */
	tdelete(mapping, &names->by_name, compare_names);
	place = tfind(reserved, &names->by_name, compare_names);
	*place = mapping;
	mapping->version = version;
	let_go(names, old);
	names->totals.reserved--;
	discount_user(names, reserved->uid);
	free(reserved->reserved);
	free(reserved);
	return 0;
}

void namespace_remove(struct name_space *names, struct mapping *mapping)
{
	tdelete(mapping, &names->by_name, compare_names);
	if (mapping->version) {
		add_up(names, mapping, mapping->version, -1);
		order_remove(names, mapping);
		let_go(names, mapping->version);
	} else {
		names->totals.reserved--;
	}
	if (!mapping->foreign.process)
		discount_user(names, mapping->uid);
	free(mapping->left);
	free(mapping->reserved);
	free(mapping);
}

/* `record` begins as a record. The facts are used up. On -ENOMEM the old version stays. */
static int set_facts(struct name_space *names, struct mapping *mapping, const void *record,
		     struct facts *facts)
{
	struct version *version, *old = mapping->version;

	if (version_says(old, record, facts)) {
		facts_clear(facts);
		return 0;
	}
	version = version_new(old->text, mapping->number, (enum origin)old->origin, record, facts);
	if (!version)
		return -ENOMEM;
	add_up(names, mapping, old, -1);
	add_up(names, mapping, version, 1);
	/* The tree compares through the version, and the name in it is the same. */
	mapping->version = version;
	let_go(names, old);
	return 0;
}

/*
 * What the kernel shows at the addresses of a part that we unmapped may be a newer mapping of the
 * same source, and what it does not show of one that is being unmapped is gone with the answer.
 */
static int limit_extents(const struct mapping *mapping, struct facts *facts)
{
	/* What is left of another process's mapping is what its holder was seen to have. */
	bool known = mapping->busy || mapping->foreign.process;
	const struct extents *seen = known ? mapping->version->extents : facts->extents;
	struct extents *extents;

	if (extents_intersect(seen, mapping->left, &extents))
		return -ENOMEM;
	free(facts->extents);
	facts->extents = extents;
	return 0;
}

/* The kernel names nothing any more: what it said last makes the document a request. */
static int keep_path(const struct version *version, struct facts *facts)
{
	if (!facts->extents || facts->extents->count || facts->path || !version->path)
		return 0;
	facts->path = strdup(version->path);
	facts->deleted = version->deleted;
	return facts->path ? 0 : -ENOMEM;
}

bool namespace_learn(struct name_space *names, struct mapping *mapping, struct facts *facts,
		     uint64_t checked)
{
	bool changed;

	if (limit_extents(mapping, facts) || keep_path(mapping->version, facts)) {
		facts_clear(facts);
		return false; /* the old version stays, and stays out of date */
	}
	changed = !version_is_as_healthy(mapping->version, facts);
	if (set_facts(names, mapping, mapping->version->record, facts))
		return false;
	mapping->checked = checked;
	return changed;
}

int namespace_see(struct name_space *names, struct mapping *mapping,
		  const struct pmem2fs_record *record, struct extents **extents)
{
	struct facts facts;

	if (version_facts(mapping->version, &facts))
		return -ENOMEM;
	free(facts.extents);
	facts.extents = *extents;
	*extents = NULL;
	mapping->checked = 0; /* which bad blocks are in it is not known */
	return set_facts(names, mapping, record, &facts);
}

int namespace_cut(struct name_space *names, struct mapping *mapping, uint64_t begin, uint64_t end)
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
	if (set_facts(names, mapping, mapping->version->record, &facts))
		goto free_left;
	free(mapping->left);
	mapping->left = left;
	mapping->checked = 0; /* which bad blocks are left is not known */
	return 0;
free_left:
	free(left);
	return -ENOMEM;
}

uint64_t namespace_newest(const struct name_space *names)
{
	return names->last_number;
}

const char *version_document(struct name_space *names, struct version *version, size_t *length)
{
	if (names->document_of != version) {
		free(names->document);
		names->document_of = NULL;
		names->document = version_render(version, &names->document_length);
		if (!names->document)
			return NULL;
		names->document_of = version;
		version->document_size = (uint32_t)names->document_length;
	}
	*length = names->document_length;
	return names->document;
}

size_t version_document_size(struct name_space *names, struct version *version)
{
	size_t length;

	if (!version->document_size && !version_document(names, version, &length))
		return 0;
	return version->document_size;
}

struct namespace_totals namespace_totals(const struct name_space *names)
{
	return names->totals;
}
