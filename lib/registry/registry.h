/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * registry.h - the live mappings of this process, by token and by address
 */
#ifndef PMEM2FS_LIB_REGISTRY_REGISTRY_H
#define PMEM2FS_LIB_REGISTRY_REGISTRY_H

#include "registry/interval_index.h"
#include "registry/mapping.h"

/*
 * Enters a mapping, shows it in the table and makes its token. A registered mapping that overlaps
 * is an error for an adopted one; a mapping fresh from the kernel shows that the program unmapped
 * that part of the other by itself, which loses it.
 * Errors: PMEM2_E_MAP_EXISTS, -ENOMEM.
 */
int registry_add(const struct mapping_info *mapping, const char *label, size_t label_length,
		 struct pmem2_map **token);

/* Whether a registered mapping lies right before or behind a range. */
bool registry_touches(uintptr_t address, size_t length);

/* Finds the lowest mapped interval that has a byte of [from, end); it may begin and end outside. */
bool registry_find_interval(uintptr_t from, uintptr_t end, struct interval *interval);

/*
 * Reads what the getters tell. Takes no lock and is safe with any pointer value. False: no such
 * object.
 */
bool registry_look(const struct pmem2_map *token, uintptr_t *address, size_t *length,
		   enum pmem2_granularity *granularity);

/* Copies all that is known of a live mapping. Errors: PMEM2_E_MAPPING_NOT_FOUND. */
int registry_facts(const struct pmem2_map *token, struct mapping_info *mapping);

/*
 * Unmapping: claim takes the object from all others and its slot out of the table, and tells the
 * first piece as registry_next_piece does (an empty one if there is none); then either release ends
 * it or restore makes everything as it was (without what was dropped meanwhile).
 */
int registry_claim(const struct pmem2_map *token, struct mapping_info *mapping,
		   struct interval *piece);
void registry_release(const struct pmem2_map *token);
void registry_restore(const struct pmem2_map *token);

/*
 * Unmapping a part: hold makes the others who would unmap the object wait until unhold. All else
 * works meanwhile.
 */
int registry_hold(const struct pmem2_map *token, struct mapping_info *mapping);
void registry_unhold(const struct pmem2_map *token);

/*
 * For who has claimed or holds an object. next_piece tells the lowest contiguous piece of [from,
 * end) that is still mapped, false if there is none; drop says that one is not any more. cut comes
 * before: it makes a range of it droppable. Errors: -ENOMEM.
 */
int registry_split(const struct pmem2_map *token, const struct interval *range);
bool registry_next_piece(const struct pmem2_map *token, uintptr_t from, uintptr_t end,
			 struct interval *piece);
void registry_remove(const struct pmem2_map *token, const struct interval *piece);

int registry_set_label(const struct pmem2_map *token, const char *label, size_t length);
int registry_table_slot(const struct pmem2_map *token, uint32_t *slot);

/*
 * Gives a mapping its release handler (NULL: none); finds it, and the token, of what the table with
 * that inode number has in a slot with that generation. Errors: PMEM2_E_MAPPING_NOT_FOUND; without
 * a message -ENOENT (something else is there, or nothing), PMEM2_E_NOSUPP (no handler).
 */
int registry_set_release(const struct pmem2_map *token, pmem2fs_release_handler handler, void *arg);
int registry_find_release(uint64_t table, uint32_t slot_number, uint64_t generation,
			  struct pmem2_map **token, pmem2fs_release_handler *handler, void **arg);

/*
 * With the library's lock held: takes a range for a mapping that is about to be made there, and
 * makes its token, which names nothing yet. Then, without the lock, either registry_establish shows
 * the mapping or registry_abandon gives the range back. Errors: PMEM2_E_MAPPING_EXISTS (another
 * registered mapping overlaps), -ENOMEM.
 */
int registry_occupy(uintptr_t address, size_t length, struct pmem2_map **token);
int registry_establish(const struct pmem2_map *token, const struct mapping_info *mapping,
		       const char *label, size_t label_length);
void registry_abandon(const struct pmem2_map *token);

/* In the child of a fork: the threads that held mappings do not exist there. */
void registry_after_fork(void);

#endif
