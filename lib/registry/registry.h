/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h - the live mappings of this process, by token and by address
 */
#ifndef PMEM2FS_LIB_REGISTRY_REGISTRY_H
#define PMEM2FS_LIB_REGISTRY_REGISTRY_H

#include "registry/interval_index.h"
#include "registry/mapping.h"

/*
 * Registers a mapping, shows it in the table and makes its token. If another registered mapping
 * overlaps, the result depends on who made this one: for an adopted mapping it is an error; a new
 * mapping of the library proves that the program has unmapped that part of the other by itself, so
 * the other loses it. Errors: PMEM2_E_MAP_EXISTS, -ENOMEM.
 */
int registry_add(const struct mapping_info *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token);

/* Whether a registered mapping lies within a page before or behind a range. */
bool registry_has_neighbour(uintptr_t address, size_t length);

/* Finds the lowest mapped interval that overlaps [from, end); it may begin and end outside. */
bool registry_find_interval(uintptr_t from, uintptr_t end, struct interval *interval);

/*
 * Reads the properties that the getters return. Takes no lock and is safe with any pointer value.
 * False: there is no such mapping.
 */
bool registry_lookup(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		     enum pmem2_granularity *granularity);

/* Copies all that is known of a live mapping. Errors: PMEM2_E_MAPPING_NOT_FOUND. */
int registry_facts(const struct pmem2_map *token, struct mapping_info *mapping);

/*
 * Unmapping a whole mapping. begin makes it unusable for all other calls, hides it from the table
 * and reports its first piece as registry_next_piece does (an empty one if there is none). Then
 * either finish ends the object, or cancel restores it without the pieces that were removed. Errors
 * of begin: PMEM2_E_MAPPING_NOT_FOUND.
 */
int registry_begin_unmap(const struct pmem2_map *token, struct mapping_info *mapping,
			 struct interval *piece);
void registry_finish_unmap(const struct pmem2_map *token);
void registry_cancel_unmap(const struct pmem2_map *token);

/*
 * Unmapping a part. Between begin and finish other threads that would unmap the mapping wait; all
 * other calls work. Errors of begin: PMEM2_E_MAPPING_NOT_FOUND.
 */
int registry_begin_unmap_part(const struct pmem2_map *token, struct mapping_info *mapping);
void registry_finish_unmap_part(const struct pmem2_map *token);

/*
 * For the thread between begin and finish (or cancel). next_piece finds the lowest contiguous piece
 * of [from, end) that is still mapped; false: there is none. remove takes a piece out after it was
 * unmapped. Before a piece that begins or ends inside an interval is removed, split divides the
 * intervals at its ends. Errors of split: -ENOMEM.
 */
int registry_split(const struct pmem2_map *token, const struct interval *range);
bool registry_next_piece(const struct pmem2_map *token, uintptr_t from, uintptr_t end,
			 struct interval *piece);
void registry_remove(const struct pmem2_map *token, const struct interval *piece);

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length);
int registry_table_slot(const struct pmem2_map *token, uint32_t *slot);

/*
 * Sets the release handler of a mapping (NULL: none); and finds the handler and the token of the
 * mapping that the table with this inode number shows in a slot with this generation. Errors:
 * PMEM2_E_MAPPING_NOT_FOUND; of find, without a message, -ENOENT (the slot shows another mapping or
 * none) and PMEM2_E_NOSUPP (no handler).
 */
int registry_set_release(const struct pmem2_map *token, pmem2fs_release_handler handler, void *arg);
int registry_find_release(uint64_t table, uint32_t slot_number, uint64_t generation,
			  struct pmem2_map **token, pmem2fs_release_handler *handler, void **arg);

/*
 * For reservations: takes a range that the kernel has just reserved out of all mappings. Their
 * memory there is gone: it is being unmapped, or the program has unmapped it by itself.
 * The library's lock is held from before the range is reserved, so that no mapping gets there
 * meanwhile. Places that are occupied for ever (see reservation_move_in) stay so. Errors: -ENOMEM.
 */
int registry_displace(const struct interval *range);

/*
 * For reservations. occupy, with the library's lock held, takes a range for a mapping that is about
 * to be made there, and makes its token, which names nothing yet. Then, without the lock, either
 * establish shows the mapping or abandon gives the range back. Errors: PMEM2_E_MAPPING_EXISTS
 * (another registered mapping overlaps), -ENOMEM.
 */
int registry_occupy(uintptr_t address, size_t length, struct pmem2_map **token);
int registry_establish(const struct pmem2_map *token, const struct mapping_info *mapping,
		       const char *label, size_t label_length);
void registry_abandon(const struct pmem2_map *token);

/* In the child of a fork, where the threads that were unmapping parts do not exist. */
void registry_after_fork(void);

#endif
