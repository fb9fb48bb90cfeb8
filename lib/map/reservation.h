/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reservation.h - address space kept free for mappings
 */
#ifndef PMEM2FS_LIB_MAP_RESERVATION_H
#define PMEM2FS_LIB_MAP_RESERVATION_H

#include "libpmem2fs.h"

/* The library's lock (library_lock) guards the bounds. */
struct pmem2_vm_reservation {
	uintptr_t address;
	size_t size;  /* bytes, whole pages */
	size_t slack; /* bytes reserved behind the end, for extending */
};

/*
 * Occupies the place for a mapping of `length` bytes (rounded up to pages here) at `offset` and
 * makes its token (see registry_occupy); *address becomes the place. Errors, in this order:
 * PMEM2_E_OFFSET_UNALIGNED (not on a page), PMEM2_E_LENGTH_OUT_OF_RANGE (does not fit),
 * PMEM2_E_ADDRESS_UNALIGNED (`alignment` is the source's), PMEM2_E_MAPPING_EXISTS, -ENOMEM.
 */
int reservation_occupy(struct pmem2_vm_reservation *reservation, size_t offset, size_t length,
		       size_t alignment, uintptr_t *address, struct pmem2_map **token);

/*
 * Moves a new mapping to its place in the reservation, atomically for all other threads. After an
 * error the mapping is where it was. Errors: those of mremap; -EEXIST: the place is lost, because
 * the kernel failed halfway and another thread has mapped a part of it. Such a place must stay
 * occupied for ever (no registry_abandon), so that nothing is moved onto what is there.
 */
int reservation_move_in(uintptr_t place, uintptr_t address, size_t length);

/*
 * Makes a piece of a reservation free again, atomically for all other threads. Errors: those of
 * mmap; the piece is unchanged.
 */
int reservation_give_back(uintptr_t begin, uintptr_t end);

#endif
