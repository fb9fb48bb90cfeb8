/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address_order.h - which mappings lie where, for reservations
 *
 * Every function is called with the library's lock held.
 */
#ifndef PMEM2FS_LIB_REGISTRY_ADDRESS_ORDER_H
#define PMEM2FS_LIB_REGISTRY_ADDRESS_ORDER_H

#include "libpmem2fs.h"
#include <stdbool.h>
#include <stdint.h>

/* Whether a mapping that is registered or being made overlaps [from, end). */
bool address_order_occupied(uintptr_t from, uintptr_t end);

/* The live mapping in `reservation` that has the lowest mapped byte of [from, end), or NULL. */
struct pmem2_map *address_order_lowest(const struct pmem2_vm_reservation *reservation,
				       uintptr_t from, uintptr_t end);

/*
 * Mappings are ordered by the start of what is left of each: one may lie in a gap of another. These
 * find the live mappings with the lowest and the highest start in [from, end), or NULL; and where a
 * mapping starts (where it started, if nothing is left of it), or false if there is no such
 * mapping.
 */
struct pmem2_map *address_order_lowest_start(const struct pmem2_vm_reservation *reservation,
					     uintptr_t from, uintptr_t end);
struct pmem2_map *address_order_highest_start(const struct pmem2_vm_reservation *reservation,
					      uintptr_t from, uintptr_t end);
bool address_order_start(const struct pmem2_map *token, uintptr_t *start);

#endif
