/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.c - the live mappings of this process, by token and by address
 *
 * Owns what the slots say. Calls slots.c, interval_index.c and table.c with the library's lock
 * held.
 *
 * fork: the lock is held across it. A mapping that another thread was making or unmapping at that
 * moment stays unusable in the child, for nobody can tell whether its addresses are its own still.
 */
#include "registry/registry.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/page.h"
#include "publish/announce.h"
#include "publish/sandbox.h"
#include "registry/slots.h"
#include "registry/table.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t slots_held;
static bool examining; /* a thread finds out whether there may be a table */

bool registry_look(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		   enum pmem2_granularity *granularity)
{
	struct slot *slot = slot_of(token);
	uint64_t before;
	uintptr_t a;
	size_t l;
	uint8_t g;

	if (!slot)
		return false;
	before = atomic_load_explicit(&slot->state, memory_order_acquire);
	if (before < slot_state_word(token_generation(token), SLOT_LIVE) ||
	    before > slot_state_word(token_generation(token), SLOT_UNMAPPING))
		return false;
	/*
	 * Acquire keeps the second look at the state behind these. Whoever stored a newer value
	 * here (release) had changed the generation before.
	 */
	a = atomic_load_explicit(&slot->address, memory_order_acquire);
	l = atomic_load_explicit(&slot->length, memory_order_acquire);
	g = atomic_load_explicit(&slot->granularity, memory_order_acquire);
	if (atomic_load_explicit(&slot->state, memory_order_relaxed) >> STATE_BITS !=
	    token_generation(token))
		return false;
	*address = a;
	*length = l;
	*granularity = g;
	return true;
}

static uintptr_t slot_address(const struct slot *slot)
{
	return atomic_load_explicit(&slot->address, memory_order_relaxed);
}

static size_t slot_length(const struct slot *slot)
{
	return atomic_load_explicit(&slot->length, memory_order_relaxed);
}

/* The first byte behind what the mapping occupies. */
static uintptr_t slot_end(const struct slot *slot)
{
	size_t length = slot_length(slot);

	return slot_address(slot) + (slot->facts.adopted ? length : page_round_up(length));
}

/* The bytes behind the label are 0, and were behind the one before. */
static void fill_label(struct pmem2fs_record *record, const struct slot *slot)
{
	if (record->label_length > slot->label_length)
		memset(record->label, 0, record->label_length);
	if (slot->label_length)
		memcpy(record->label, slot->label, slot->label_length);
	record->label_length = slot->label_length;
}

static void publish(struct slot *slot)
{
	const struct mapping_facts *facts = &slot->facts;
	struct pmem2fs_record *record;

	/* A table shows whole pages; pmem2_map_from_existing takes any range. */
	if (slot_address(slot) % page_size() || slot->displaced)
		return;
	record = table_begin(slot->index);
	slot->published = record;
	if (!record)
		return;
	record->address = slot_address(slot);
	record->length = slot_length(slot);
	record->offset = facts->offset;
	record->source_size = facts->source_size;
	record->source_dev = facts->source_dev;
	record->source_rdev = facts->source_rdev;
	record->source_inode = facts->source_inode;
	record->created = facts->created;
	record->uid = facts->uid;
	record->gid = facts->gid;
	record->alignment = facts->alignment;
	record->source_type = facts->source_type;
	record->granularity = atomic_load_explicit(&slot->granularity, memory_order_relaxed);
	record->required = facts->required;
	record->sharing = facts->sharing;
	record->protection = facts->protection;
	record->flags = facts->map_sync ? PMEM2FS_RECORD_MAP_SYNC : 0;
	fill_label(record, slot);
	table_end(slot->index);
}

static void retire(struct slot *slot)
{
	if (slot->published)
		table_retire(slot->index);
	slot->published = false;
}

/* Makes the table, in place of one that is there, and shows in it what there is to be shown. */
static int make_table(int *fd)
{
	int ret = table_make(fd);

	if (ret && table_exists())
		return ret;
	for (uint32_t i = 0; i < slots_made(); i++) {
		struct slot *slot = slot_at(i);

		slot->published = false;
		if (slot_is_live(slot))
			publish(slot);
	}
	table_drop_old();
	return ret;
}

/* The threads that held objects are not there, nor those that found something out. */
void registry_after_fork(void)
{
	examining = false;
	for (uint32_t i = 0; slots_held && i < slots_made(); i++) {
		if (slot_state(slot_at(i)) != SLOT_HELD)
			continue;
		slot_set_state(slot_at(i), SLOT_UNMAPPING);
		slots_held--;
	}
}

static bool is_to_be_made(bool again)
{
	return table_missing() || (again && !table_exists());
}

/*
 * As library_lock. 0: the table is still to be made, and may be; or, again, although that has
 * failed before. To find it out may take a while, in which nobody waits but who needs the table.
 * Otherwise the reason why not.
 */
static int lock_before_table(bool again)
{
	int ret;

	library_lock();
	while (examining)
		library_wait();
	if (!is_to_be_made(again))
		return -EALREADY;
	examining = true;
	library_unlock();
	ret = table_switched_off() ? 0 : sandbox_examine();
	library_lock();
	examining = false;
	library_wake();
	/* A signal handler may have forked, and this is the child. */
	if (!is_to_be_made(again))
		return -EALREADY;
	if (ret) {
		table_give_up();
		announce_done();
	}
	return ret;
}

/* As library_lock, and sees to it that there is a table if there can be. */
static void lock_with_table(void)
{
	if (lock_before_table(false))
		return;
	if (make_table(NULL))
		announce_done();
	else
		announce_wanted();
}

/* The other end: who has made the table tells of it, when it shows what was to be shown. */
static void unlock_with_table(void)
{
	library_unlock();
	announce_first();
}

static void fill_slot(struct slot *slot, const struct mapping *mapping)
{
	atomic_store_explicit(&slot->address, mapping->address, memory_order_release);
	atomic_store_explicit(&slot->length, mapping->length, memory_order_release);
	atomic_store_explicit(&slot->granularity, mapping->granularity, memory_order_release);
	slot->facts = mapping->facts;
	slot->displaced = false;
	slot->leaving = (struct interval){0};
}

static int set_label(struct slot *slot, const char *label, size_t length)
{
	char *copy = NULL;

	if (length) {
		copy = malloc(length);
		if (!copy)
			return error_set(-ENOMEM, "out of memory for a label");
		memcpy(copy, label, length);
	}
	free(slot->label);
	slot->label = copy;
	slot->label_length = (uint8_t)length;
	return 0;
}

static int cut(struct slot *slot, const struct interval *range)
{
	if (interval_index_split(&slot->intervals, range->begin) ||
	    interval_index_split(&slot->intervals, range->end))
		return error_set(-ENOMEM, "out of memory for parts of the mapping at 0x%zx",
				 slot_address(slot));
	return 0;
}

/* Another mapping is in a range that this one still had. */
static int displace(struct slot *slot, const struct interval *range)
{
	int ret = cut(slot, range);

	if (ret)
		return ret;
	interval_index_remove(&slot->intervals, range);
	if (!slot->intervals.list) {
		slot->displaced = true;
		retire(slot);
	}
	return 0;
}

/* Which of those that overlap a new mapping have to give way. */
enum displace {
	DISPLACE_NONE,
	DISPLACE_LEAVING, /* the program has memory of its own there: theirs is gone already */
	DISPLACE_ALL,     /* the kernel has just mapped there: they were unmapped by the program */
};

/* Whether a mapping gives way to one that the program has made itself. */
static bool is_leaving(const struct slot *slot, const struct interval *range)
{
	return (slot_state(slot) == SLOT_UNMAPPING || slot_state(slot) == SLOT_HELD) &&
	       range->begin >= slot->leaving.begin && range->end <= slot->leaving.end;
}

static int index_slot(struct slot *slot, enum displace displaced)
{
	const struct interval range = {slot_address(slot), slot_end(slot)};
	struct slot *other;
	int ret;

	while ((ret = interval_index_insert(&slot->intervals, slot, &range, &other)) == -EEXIST) {
		if (displaced == DISPLACE_NONE ||
		    (displaced == DISPLACE_LEAVING && !is_leaving(other, &range)))
			return error_set(PMEM2_E_MAP_EXISTS,
					 "%zu bytes at 0x%zx overlap the mapping at 0x%zx",
					 slot_length(slot), slot_address(slot),
					 slot_address(other));
		ret = displace(other, &range);
		if (ret)
			return ret;
	}
	return ret ? error_set(ret, "out of memory for a mapping") : 0;
}

int registry_add(const struct mapping *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token)
{
	struct slot *slot;
	int ret;

	lock_with_table();
	slot = slot_take();
	if (!slot) {
		ret = error_set(-ENOMEM, "out of memory for a mapping");
		goto unlock;
	}
	fill_slot(slot, mapping);
	ret = set_label(slot, label, label_length);
	if (ret)
		goto give_slot;
	ret = index_slot(slot, mapping->facts.adopted ? DISPLACE_LEAVING : DISPLACE_ALL);
	if (ret)
		goto give_slot;

	slot_set_state(slot, SLOT_LIVE);
	publish(slot);
	*token = token_of(slot);
	unlock_with_table();
	return 0;

give_slot:
	slot_give(slot);
unlock:
	unlock_with_table();
	return ret;
}

int registry_occupy(uintptr_t address, size_t length, struct pmem2_map **token)
{
	const struct mapping mapping = {.address = address, .length = length};
	struct slot *slot = slot_take();
	int ret;

	if (!slot)
		return error_set(-ENOMEM, "out of memory for a mapping");
	fill_slot(slot, &mapping);
	ret = index_slot(slot, DISPLACE_NONE);
	if (ret) {
		slot_give(slot);
		return ret == PMEM2_E_MAP_EXISTS ? PMEM2_E_MAPPING_EXISTS : ret;
	}
	slot_set_state(slot, SLOT_OCCUPIED);
	*token = token_of(slot);
	return 0;
}

int registry_establish(const struct pmem2_map *token, const struct mapping *mapping,
		       const char *label, size_t label_length)
{
	struct slot *slot = slot_of(token);
	int ret;

	lock_with_table();
	fill_slot(slot, mapping);
	ret = set_label(slot, label, label_length);
	if (!ret) {
		slot_set_state(slot, SLOT_LIVE);
		publish(slot);
	}
	unlock_with_table();
	return ret;
}

void registry_abandon(const struct pmem2_map *token)
{
	library_lock();
	slot_give(slot_of(token));
	library_unlock();
}

bool registry_touches(uintptr_t address, size_t length)
{
	bool touches;

	library_lock();
	touches = interval_index_any(address - page_size(), address) ||
		  interval_index_any(address + length, address + length + page_size());
	library_unlock();
	return touches;
}

bool registry_find_interval(uintptr_t from, uintptr_t end, struct interval *interval)
{
	const struct indexed_interval *found;

	library_lock();
	found = interval_index_lowest(from, end);
	if (found)
		*interval = found->range;
	library_unlock();
	return found;
}

static int not_found(const struct pmem2_map *token)
{
	return error_set(PMEM2_E_MAPPING_NOT_FOUND, "no mapping %p: %s", (const void *)token,
			 token ? "it was unmapped already or never was one" : "it is NULL");
}

/* With the lock held: the slot of a live mapping, or NULL. */
static struct slot *live_slot(const struct pmem2_map *token)
{
	struct slot *slot = slot_of(token);

	if (!slot || slot_generation(slot) != token_generation(token) || !slot_is_live(slot))
		return NULL;
	return slot;
}

static void copy_mapping(const struct slot *slot, struct mapping *mapping)
{
	mapping->address = slot_address(slot);
	mapping->length = slot_length(slot);
	mapping->granularity = atomic_load_explicit(&slot->granularity, memory_order_relaxed);
	mapping->facts = slot->facts;
}

int registry_facts(const struct pmem2_map *token, struct mapping *mapping)
{
	const struct slot *slot;

	library_lock();
	slot = live_slot(token);
	if (slot)
		copy_mapping(slot, mapping);
	library_unlock();
	return slot ? 0 : not_found(token);
}

/* As live_slot, of a mapping that nobody holds. Waiting for that gives up the lock meanwhile. */
static struct slot *unheld_slot(const struct pmem2_map *token)
{
	struct slot *slot;

	while ((slot = live_slot(token)) && slot_state(slot) == SLOT_HELD)
		library_wait();
	return slot;
}

int registry_claim(const struct pmem2_map *token, struct mapping *mapping, struct interval *piece)
{
	struct slot *slot;

	lock_with_table();
	slot = unheld_slot(token);
	if (!slot) {
		unlock_with_table();
		return not_found(token);
	}
	copy_mapping(slot, mapping);
	if (!interval_index_next_piece(&slot->intervals, slot_address(slot), slot_end(slot), piece))
		*piece = (struct interval){0};
	slot->leaving = *piece;
	slot_set_state(slot, SLOT_UNMAPPING);
	retire(slot);
	unlock_with_table();
	return 0;
}

/*
 * The slot stays in the index while its range is unmapped: a mapping that gets these addresses
 * before this call displaces it, and if munmap fails there is nothing to put back.
 */
void registry_release(const struct pmem2_map *token)
{
	library_lock();
	slot_give(slot_of(token));
	library_unlock();
}

void registry_restore(const struct pmem2_map *token)
{
	struct slot *slot = slot_of(token);

	library_lock();
	slot->leaving = (struct interval){0};
	slot_set_state(slot, SLOT_LIVE);
	publish(slot);
	library_unlock();
}

int registry_hold(const struct pmem2_map *token, struct mapping *mapping)
{
	struct slot *slot;

	library_lock();
	slot = unheld_slot(token);
	if (slot) {
		copy_mapping(slot, mapping);
		slot_set_state(slot, SLOT_HELD);
		slots_held++;
	}
	library_unlock();
	return slot ? 0 : not_found(token);
}

void registry_unhold(const struct pmem2_map *token)
{
	library_lock();
	slot_of(token)->leaving = (struct interval){0};
	slot_set_state(slot_of(token), SLOT_LIVE);
	slots_held--;
	library_wake();
	library_unlock();
}

int registry_split(const struct pmem2_map *token, const struct interval *range)
{
	int ret;

	library_lock();
	ret = cut(slot_of(token), range);
	library_unlock();
	return ret;
}

bool registry_next_piece(const struct pmem2_map *token, uintptr_t from, uintptr_t end,
			 struct interval *piece)
{
	bool found;

	library_lock();
	found = interval_index_next_piece(&slot_of(token)->intervals, from, end, piece);
	if (found)
		slot_of(token)->leaving = *piece;
	library_unlock();
	return found;
}

void registry_remove(const struct pmem2_map *token, const struct interval *piece)
{
	library_lock();
	interval_index_remove(&slot_of(token)->intervals, piece);
	library_unlock();
}

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length)
{
	struct slot *slot;
	int ret;

	lock_with_table();
	slot = live_slot(token);
	if (!slot) {
		unlock_with_table();
		return not_found(token);
	}
	ret = set_label(slot, label, length);
	if (!ret && slot->published) {
		retire(slot);
		publish(slot);
	}
	unlock_with_table();
	return ret;
}

int registry_table_slot(const struct pmem2_map *token, uint32_t *slot_number)
{
	struct slot *slot;
	int ret = 0;

	lock_with_table();
	slot = live_slot(token);
	if (!slot)
		ret = not_found(token);
	else if (!slot->published)
		ret = error_set(-ENOENT, "mapping %p is in no table", (const void *)token);
	else
		*slot_number = slot->index;
	unlock_with_table();
	return ret;
}

int registry_export_table(int *fd)
{
	int ret = lock_before_table(true);

	if (!ret) {
		ret = make_table(fd);
		announce_done();
	}
	library_unlock();
	return ret;
}

int registry_table(uint64_t *inode, int *fd)
{
	int ret;

	lock_with_table();
	ret = table_exists() ? 0 : -ENOENT;
	if (!ret && fd)
		ret = make_table(fd);
	if (!ret)
		*inode = table_inode();
	library_unlock();
	return ret;
}

int registry_set_release(const struct pmem2_map *token, pmem2fs_release_handler handler, void *arg)
{
	struct slot *slot;

	library_lock();
	slot = live_slot(token);
	if (slot) {
		slot->handler = handler;
		slot->handler_arg = arg;
	}
	library_unlock();
	return slot ? 0 : not_found(token);
}

int registry_find_release(uint64_t table, uint32_t slot_number, uint64_t generation,
			  struct pmem2_map **token, pmem2fs_release_handler *handler, void **arg)
{
	const struct slot *slot;
	uint64_t published;
	int ret = -ENOENT;

	library_lock();
	slot = slot_number < slots_made() ? slot_at(slot_number) : NULL;
	if (slot && slot->published && table == table_inode() &&
	    table_slot_generation(slot_number, &published) && published == generation)
		ret = slot->handler ? 0 : PMEM2_E_NOSUPP;
	if (!ret) {
		*token = token_of(slot);
		*handler = slot->handler;
		*arg = slot->handler_arg;
	}
	library_unlock();
	return ret;
}
