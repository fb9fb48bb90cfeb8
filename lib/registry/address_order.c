/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address_order.c - which mappings lie where, for reservations
 *
 * Owns nothing. Calls handles.c and interval_index.c with the library's lock held, as its callers
 * do.
 */
#include "registry/address_order.h"
#include "registry/handles.h"
#include "registry/registry.h"

bool address_order_occupied(uintptr_t from, uintptr_t end)
{
	return interval_index_any(from, end);
}

static bool is_live_in(const struct handle *handle, const struct pmem2_vm_reservation *reservation)
{
	return handle_is_live(handle) && handle->facts.reservation == reservation;
}

struct pmem2_map *address_order_lowest(const struct pmem2_vm_reservation *reservation,
				       uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *found;

	while ((found = interval_index_lowest(from, end)) && !is_live_in(found->owner, reservation))
		from = found->range.end;
	return found ? token_of(found->owner) : NULL;
}

/* Whether an interval is the start of what is left of a mapping in the reservation. */
static bool is_start_in(const struct indexed_interval *interval,
			const struct pmem2_vm_reservation *reservation)
{
	return interval->owner->intervals.list == interval &&
	       is_live_in(interval->owner, reservation);
}

struct pmem2_map *address_order_lowest_start(const struct pmem2_vm_reservation *reservation,
					     uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *found;

	while ((found = interval_index_lowest(from, end)) &&
	       (found->range.begin < from || !is_start_in(found, reservation)))
		from = found->range.end;
	return found ? token_of(found->owner) : NULL;
}

struct pmem2_map *address_order_highest_start(const struct pmem2_vm_reservation *reservation,
					      uintptr_t from, uintptr_t end)
{
	const struct indexed_interval *found;

	while ((found = interval_index_highest(from, end)) &&
	       (found->range.begin < from || !is_start_in(found, reservation)))
		end = found->range.begin;
	return found ? token_of(found->owner) : NULL;
}

bool address_order_start(const struct pmem2_map *token, uintptr_t *start)
{
	enum pmem2_granularity granularity;
	const struct indexed_interval *first;
	size_t length;

	if (!registry_lookup(token, start, &length, &granularity))
		return false;
	first = handle_of(token)->intervals.list;
	if (first)
		*start = first->range.begin;
	return true;
}
