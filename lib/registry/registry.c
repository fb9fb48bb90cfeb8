/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.c - the live mappings of this process, by token and by address
 *
 * Owns the contents of the handles. Calls handles.c, interval_index.c and publication.c with the
 * library's lock held.
 *
 * fork: the lock is held across it. A mapping that another thread was making or unmapping stays
 * unusable in the child, because its addresses may belong to something else by now.
 */
#include "registry/registry.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/page.h"
#include "registry/handles.h"
#include "registry/publication.h"
#include "registry/table_writer.h"
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint32_t handles_held;

bool registry_lookup(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		     enum pmem2_granularity *granularity)
{
	struct handle *handle = handle_of(token);
	uint64_t before;
	uintptr_t a;
	size_t l;
	uint8_t g;

	if (!handle)
		return false;
	before = atomic_load_explicit(&handle->state, memory_order_acquire);
	if (before < handle_state_word(token_generation(token), HANDLE_LIVE) ||
	    before > handle_state_word(token_generation(token), HANDLE_UNMAPPING))
		return false;
	/*
	 * Acquire order keeps the second load of the state behind these loads. A thread that stored
	 * a newer value here, with release order, had changed the generation before.
	 */
	a = atomic_load_explicit(&handle->address, memory_order_acquire);
	l = atomic_load_explicit(&handle->length, memory_order_acquire);
	g = atomic_load_explicit(&handle->granularity, memory_order_acquire);
	if (atomic_load_explicit(&handle->state, memory_order_relaxed) >> HANDLE_STATE_BITS !=
	    token_generation(token))
		return false;
	*address = a;
	*length = l;
	*granularity = g;
	return true;
}

/* The first byte behind the range of the mapping. */
static uintptr_t handle_end(const struct handle *handle)
{
	size_t length = handle_length(handle);

	return handle_address(handle) + (handle->facts.adopted ? length : page_round_up(length));
}

/* The threads that were unmapping parts do not exist in the child. */
void registry_after_fork(void)
{
	for (uint32_t i = 0; handles_held && i < handle_count(); i++) {
		if (handle_state(handle_at(i)) != HANDLE_HELD)
			continue;
		handle_set_state(handle_at(i), HANDLE_UNMAPPING);
		handles_held--;
	}
}

static void fill_handle(struct handle *handle, const struct mapping_info *mapping)
{
	atomic_store_explicit(&handle->address, mapping->address, memory_order_release);
	atomic_store_explicit(&handle->length, mapping->length, memory_order_release);
	atomic_store_explicit(&handle->granularity, mapping->granularity, memory_order_release);
	handle->facts = mapping->facts;
	handle->displaced = false;
	handle->leaving = (struct interval){0};
}

static int replace_label(struct handle *handle, const char *label, size_t length)
{
	char *copy = NULL;

	if (length) {
		copy = malloc(length);
		if (!copy)
			return error_set(-ENOMEM, "out of memory for a label");
		memcpy(copy, label, length);
	}
	free(handle->label);
	handle->label = copy;
	handle->label_length = (uint8_t)length;
	return 0;
}

static int split_range(struct handle *handle, const struct interval *range)
{
	if (interval_index_split(&handle->intervals, range->begin) ||
	    interval_index_split(&handle->intervals, range->end))
		return error_set(-ENOMEM, "out of memory for parts of the mapping at 0x%zx",
				 handle_address(handle));
	return 0;
}

/* Takes a range, at both ends of which the mapping has been split, out of a mapping. */
static void remove_range(struct handle *handle, const struct interval *range)
{
	interval_index_remove(&handle->intervals, range);
	if (!handle->intervals.list) {
		handle->displaced = true;
		publication_hide(handle);
	}
}

/* Takes a range out of a mapping: the kernel has given these addresses to another owner. */
static int displace_mapping(struct handle *handle, const struct interval *range)
{
	int ret = split_range(handle, range);

	if (!ret)
		remove_range(handle, range);
	return ret;
}

/* Which registered mappings have to give way to a new one that overlaps them. */
enum displace {
	DISPLACE_NONE,
	DISPLACE_LEAVING, /* those being unmapped: the program has memory of its own there */
	DISPLACE_ALL, /* all: the kernel has just mapped there, so the program had unmapped them */
};

/* Whether a piece of a mapping gives way to memory that the program has mapped itself. */
static bool is_leaving(const struct handle *handle, const struct interval *piece)
{
	return (handle_state(handle) == HANDLE_UNMAPPING || handle_state(handle) == HANDLE_HELD) &&
	       piece->begin >= handle->leaving.begin && piece->end <= handle->leaving.end;
}

/* Finds the lowest piece, of any mapping, in [from, end). NULL: there is none. */
static struct handle *lowest_piece(uintptr_t from, uintptr_t end, struct interval *piece)
{
	const struct indexed_interval *found = interval_index_lowest(from, end);

	if (found)
		interval_index_next_piece(&found->owner->intervals, from, end, piece);
	return found ? found->owner : NULL;
}

/*
 * Has the pieces of other mappings in a range give way to the handle. If one of them does not, or
 * memory runs out, all of them stay: their mappings are still to be unmapped there.
 */
static int displace_pieces(const struct handle *handle, const struct interval *range,
			   enum displace displaced)
{
	struct interval piece = {0};
	struct handle *other;
	int ret;

	for (uintptr_t from = range->begin; (other = lowest_piece(from, range->end, &piece));
	     from = piece.end) {
		if (displaced == DISPLACE_NONE ||
		    (displaced == DISPLACE_LEAVING && !is_leaving(other, &piece)))
			return error_set(PMEM2_E_MAP_EXISTS,
					 "%zu bytes at 0x%zx overlap the mapping at 0x%zx",
					 handle_length(handle), handle_address(handle),
					 handle_address(other));
		ret = split_range(other, &piece);
		if (ret)
			return ret;
	}
	while ((other = lowest_piece(range->begin, range->end, &piece)))
		remove_range(other, &piece);
	return 0;
}

static int index_handle(struct handle *handle, enum displace displaced)
{
	const struct interval range = {handle_address(handle), handle_end(handle)};
	int ret;

	if (!interval_index_insert(&handle->intervals, handle, &range))
		return 0;
	ret = displace_pieces(handle, &range, displaced);
	return ret ? ret : interval_index_insert(&handle->intervals, handle, &range);
}

int registry_add(const struct mapping_info *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token)
{
	struct handle *handle;
	int ret;

	publication_lock();
	handle = handle_allocate();
	if (!handle) {
		ret = error_set(-ENOMEM, "out of memory for a mapping");
		goto unlock;
	}
	fill_handle(handle, mapping);
	ret = replace_label(handle, label, label_length);
	if (ret)
		goto free_handle;
	ret = index_handle(handle, mapping->facts.adopted ? DISPLACE_LEAVING : DISPLACE_ALL);
	if (ret)
		goto free_handle;

	handle_set_state(handle, HANDLE_LIVE);
	publication_show(handle);
	*token = token_of(handle);
	library_unlock();
	return 0;

free_handle:
	handle_free(handle);
unlock:
	library_unlock();
	return ret;
}

int registry_displace(const struct interval *range)
{
	const struct indexed_interval *found;
	uintptr_t from = range->begin;
	int ret = 0;

	while (!ret && (found = interval_index_lowest(from, range->end))) {
		from = found->range.end;
		if (handle_state(found->owner) != HANDLE_OCCUPIED)
			ret = displace_mapping(found->owner, range);
	}
	return ret;
}

int registry_occupy(uintptr_t address, size_t length, struct pmem2_map **token)
{
	const struct mapping_info mapping = {.address = address, .length = length};
	struct handle *handle = handle_allocate();
	int ret;

	if (!handle)
		return error_set(-ENOMEM, "out of memory for a mapping");
	fill_handle(handle, &mapping);
	ret = index_handle(handle, DISPLACE_NONE);
	if (ret) {
		handle_free(handle);
		return ret == PMEM2_E_MAP_EXISTS ? PMEM2_E_MAPPING_EXISTS : ret;
	}
	handle_set_state(handle, HANDLE_OCCUPIED);
	*token = token_of(handle);
	return 0;
}

int registry_establish(const struct pmem2_map *token, const struct mapping_info *mapping,
		       const char *label, size_t label_length)
{
	struct handle *handle = handle_of(token);
	int ret;

	publication_lock();
	fill_handle(handle, mapping);
	ret = replace_label(handle, label, label_length);
	if (!ret) {
		handle_set_state(handle, HANDLE_LIVE);
		publication_show(handle);
	}
	library_unlock();
	return ret;
}

void registry_abandon(const struct pmem2_map *token)
{
	library_lock();
	handle_free(handle_of(token));
	library_unlock();
}

bool registry_has_neighbour(uintptr_t address, size_t length)
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

/* With the lock held: the handle of a live mapping, or NULL. */
static struct handle *live_handle(const struct pmem2_map *token)
{
	struct handle *handle = handle_of(token);

	if (!handle || handle_generation(handle) != token_generation(token) ||
	    !handle_is_live(handle))
		return NULL;
	return handle;
}

static void copy_mapping(const struct handle *handle, struct mapping_info *mapping)
{
	mapping->address = handle_address(handle);
	mapping->length = handle_length(handle);
	mapping->granularity = atomic_load_explicit(&handle->granularity, memory_order_relaxed);
	mapping->facts = handle->facts;
}

int registry_facts(const struct pmem2_map *token, struct mapping_info *mapping)
{
	const struct handle *handle;

	library_lock();
	handle = live_handle(token);
	if (handle)
		copy_mapping(handle, mapping);
	library_unlock();
	return handle ? 0 : not_found(token);
}

/*
 * As live_handle, but waits until no thread unmaps a part of the mapping. Releases the lock while
 * it waits.
 */
static struct handle *unheld_handle(const struct pmem2_map *token)
{
	struct handle *handle;

	while ((handle = live_handle(token)) && handle_state(handle) == HANDLE_HELD)
		library_wait();
	return handle;
}

int registry_begin_unmap(const struct pmem2_map *token, struct mapping_info *mapping,
			 struct interval *piece)
{
	struct handle *handle;

	publication_lock();
	handle = unheld_handle(token);
	if (!handle) {
		library_unlock();
		return not_found(token);
	}
	copy_mapping(handle, mapping);
	if (!interval_index_next_piece(&handle->intervals, handle_address(handle),
				       handle_end(handle), piece))
		*piece = (struct interval){0};
	handle->leaving = *piece;
	handle_set_state(handle, HANDLE_UNMAPPING);
	publication_hide(handle);
	library_unlock();
	return 0;
}

/*
 * The handle's intervals stay in the index while they are unmapped. A mapping or a reservation that
 * gets these addresses before this call displaces them, and after a failed munmap there is nothing
 * to put back.
 */
void registry_finish_unmap(const struct pmem2_map *token)
{
	library_lock();
	handle_free(handle_of(token));
	table_count_change();
	library_unlock();
}

void registry_cancel_unmap(const struct pmem2_map *token)
{
	struct handle *handle = handle_of(token);

	library_lock();
	handle->leaving = (struct interval){0};
	handle_set_state(handle, HANDLE_LIVE);
	publication_show(handle);
	library_unlock();
}

int registry_begin_unmap_part(const struct pmem2_map *token, struct mapping_info *mapping)
{
	struct handle *handle;

	library_lock();
	handle = unheld_handle(token);
	if (handle) {
		copy_mapping(handle, mapping);
		handle_set_state(handle, HANDLE_HELD);
		handles_held++;
	}
	library_unlock();
	return handle ? 0 : not_found(token);
}

void registry_finish_unmap_part(const struct pmem2_map *token)
{
	library_lock();
	handle_of(token)->leaving = (struct interval){0};
	handle_set_state(handle_of(token), HANDLE_LIVE);
	handles_held--;
	table_count_change();
	library_wake();
	library_unlock();
}

int registry_split(const struct pmem2_map *token, const struct interval *range)
{
	int ret;

	library_lock();
	ret = split_range(handle_of(token), range);
	library_unlock();
	return ret;
}

bool registry_next_piece(const struct pmem2_map *token, uintptr_t from, uintptr_t end,
			 struct interval *piece)
{
	bool found;

	library_lock();
	found = interval_index_next_piece(&handle_of(token)->intervals, from, end, piece);
	if (found)
		handle_of(token)->leaving = *piece;
	library_unlock();
	return found;
}

void registry_remove(const struct pmem2_map *token, const struct interval *piece)
{
	library_lock();
	interval_index_remove(&handle_of(token)->intervals, piece);
	library_unlock();
}

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length)
{
	struct handle *handle;
	int ret;

	publication_lock();
	handle = live_handle(token);
	if (!handle) {
		library_unlock();
		return not_found(token);
	}
	ret = replace_label(handle, label, length);
	if (!ret && handle->published) {
		publication_hide(handle);
		publication_show(handle);
	}
	library_unlock();
	return ret;
}

int registry_table_slot(const struct pmem2_map *token, uint32_t *slot_number)
{
	struct handle *handle;
	int ret = 0;

	publication_lock();
	handle = live_handle(token);
	if (!handle)
		ret = not_found(token);
	else if (!handle->published)
		ret = error_set(-ENOENT, "mapping %p is in no table", (const void *)token);
	else
		*slot_number = handle->index;
	library_unlock();
	return ret;
}

int registry_set_release(const struct pmem2_map *token, pmem2fs_release_handler handler, void *arg)
{
	struct handle *handle;

	library_lock();
	handle = live_handle(token);
	if (handle) {
		handle->handler = handler;
		handle->handler_arg = arg;
	}
	library_unlock();
	return handle ? 0 : not_found(token);
}

int registry_find_release(uint64_t table, uint32_t slot_number, uint64_t generation,
			  struct pmem2_map **token, pmem2fs_release_handler *handler, void **arg)
{
	const struct handle *handle;
	uint64_t published;
	int ret = -ENOENT;

	library_lock();
	handle = slot_number < handle_count() ? handle_at(slot_number) : NULL;
	if (handle && handle->published && table == table_inode() &&
	    table_slot_generation(slot_number, &published) && published == generation)
		ret = handle->handler ? 0 : PMEM2_E_NOSUPP;
	if (!ret) {
		*token = token_of(handle);
		*handler = handle->handler;
		*arg = handle->handler_arg;
	}
	library_unlock();
	return ret;
}
