/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reservation.c - address space kept free for mappings
 *
 * Owns struct pmem2_vm_reservation. All of [address, address + size + slack) belongs to the
 * reservation from new to delete: each page is either inaccessible memory that costs nothing, or
 * part of a registered mapping. There is never a hole, in which the kernel could place a mapping of
 * another thread. Only memory that is known to belong to the reservation is ever replaced.
 *
 * The library's lock (library_lock) guards the bounds. It is held during the system calls that
 * reserve and free address space, which are rare, so that the child of a fork gets consistent
 * bounds; not during those that move mappings in and out. Calls the registry.
 */
#include "map/reservation.h"
#include "base/error.h"
#include "base/lock.h"
#include "base/mmap_error.h"
#include "base/page.h"
#include "registry/address_order.h"
#include "registry/registry.h"
#include "source/config.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define MIB (1ull << 20)
#define GIB (1ull << 30)

/* Not counted as used memory, never populated, and merged with adjacent memory of its kind. */
#define RESERVED (MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static int no_reservation(void)
{
	return error_set(-EINVAL, "no reservation given");
}

/* The error of the system call `what`, with its reason. */
static int address_space_refused(const char *what, uintptr_t address, size_t length, int error)
{
	char reason[128];

	mmap_error_explain(-error, length, reason, sizeof(reason));
	return error_set(error == -EEXIST ? PMEM2_E_MAPPING_EXISTS : error,
			 "cannot %s %zu bytes at 0x%zx: %s", what, length, address, reason);
}

static int out_of_range(const struct pmem2_vm_reservation *reservation, size_t offset,
			size_t length)
{
	return error_set(PMEM2_E_LENGTH_OUT_OF_RANGE,
			 "%zu bytes at offset %zu do not fit in a reservation of %zu", length,
			 offset, reservation->size);
}

/* Reserves free address space. Errors: -EEXIST (a part is occupied), others of mmap. */
static int reserve_at(uintptr_t address, size_t length)
{
	void *p = mmap((void *)address, length, PROT_NONE, RESERVED | MAP_FIXED_NOREPLACE, -1, 0);

	if (p == MAP_FAILED)
		return -errno;
	if (p != (void *)address) {
		/* Before Linux 4.17 the address was only a hint. */
		munmap(p, length);
		return -EEXIST;
	}
	return 0;
}

/*
 * As reserve_at, with *slack more bytes behind if they are free; otherwise *slack becomes 0. If the
 * length is 0, it fails unless the slack is free.
 */
static int reserve_with_slack(uintptr_t address, size_t length, size_t *slack)
{
	int ret = reserve_at(address, length + *slack);

	if (!ret || !length)
		return ret;
	*slack = 0;
	return reserve_at(address, length);
}

/*
 * For a range that the kernel has just reserved: mappings that the index still has there are taken
 * out of it. If that fails, the range is unmapped again.
 */
static int take_over(uintptr_t address, size_t length)
{
	const struct interval range = {address, address + length};
	int ret = registry_displace(&range);

	if (ret)
		munmap((void *)address, length);
	return ret;
}

/*
 * The error for a length of 0, or for a range that does not fit or wraps around. As in libpmem2,
 * PMEM2_E_MAPPING_EXISTS comes first, for the range that the sums give, wrapped or not.
 */
static int refuse_place(const struct pmem2_vm_reservation *reservation, size_t offset,
			size_t length, size_t rounded)
{
	uintptr_t begin = reservation->address + (rounded ? 0 : offset);
	uintptr_t end = reservation->address + offset + (rounded ? rounded : 1);

	if (address_order_occupied(begin, end))
		return error_set(PMEM2_E_MAPPING_EXISTS, "offset %zu in the reservation is taken",
				 offset);
	if (rounded)
		return out_of_range(reservation, offset, length);
	return error_set(length ? -ENOMEM : -EINVAL, "%zu bytes cannot be mapped", length);
}

int reservation_occupy(struct pmem2_vm_reservation *reservation, size_t offset, size_t length,
		       size_t alignment, uintptr_t *address, struct pmem2_map **token)
{
	size_t rounded = page_round_up(length);
	uintptr_t place;
	int ret;

	library_lock();
	place = reservation->address + offset;
	if (offset % page_size())
		ret = error_set(PMEM2_E_OFFSET_UNALIGNED,
				"offset %zu in the reservation is not a multiple of %zu", offset,
				page_size());
	else if (offset + rounded > reservation->size)
		ret = out_of_range(reservation, offset, length);
	else if (place % alignment)
		ret = error_set(PMEM2_E_ADDRESS_UNALIGNED,
				"offset %zu in the reservation is address 0x%zx, which is not a "
				"multiple of the source's alignment %zu",
				offset, place, alignment);
	else if (offset + rounded <= offset)
		ret = refuse_place(reservation, offset, length, rounded);
	else
		ret = registry_occupy(place, rounded, token);
	library_unlock();
	if (!ret)
		*address = place;
	return ret;
}

/* Whether a page is not mapped. MS_ASYNC has no other effect than to report that. */
static bool has_hole(uintptr_t address, size_t length)
{
	return msync((void *)address, length, MS_ASYNC) && errno == ENOMEM;
}

int reservation_move_in(uintptr_t place, uintptr_t address, size_t length)
{
	size_t rounded = page_round_up(length);
	int ret;

	if (mremap((void *)address, length, length, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)place) !=
	    MAP_FAILED)
		return 0;
	ret = -errno;
	/*
	 * The kernel may have unmapped the place before it failed. What another thread has mapped
	 * there since belongs to that thread.
	 */
	if (reserve_at(place, rounded) && has_hole(place, rounded))
		return -EEXIST;
	return ret;
}

int reservation_give_back(uintptr_t begin, uintptr_t end)
{
	int ret;

	if (mmap((void *)begin, end - begin, PROT_NONE, RESERVED | MAP_FIXED, -1, 0) != MAP_FAILED)
		return 0;
	ret = -errno;
	/*
	 * Normally the mapping still exists. If the kernel removed it before it failed, the place
	 * is reserved here.
	 */
	return reserve_at(begin, end - begin) ? ret : 0;
}

/* The unit to which addresses and sizes are rounded: the largest page size that could be used. */
static size_t granule_of(size_t size)
{
	return size >= 2 * GIB ? GIB : 2 * MIB;
}

/* The bytes from `size` up to the next granule. */
static size_t remainder_of(size_t size)
{
	return -size & (granule_of(size) - 1);
}

/* Reserves length bytes at a multiple of the granule: from more than that, the ends are cut off. */
static int reserve_aligned(size_t length, size_t granule, uintptr_t *address)
{
	size_t size = length + granule - page_size();
	uintptr_t start;
	uintptr_t end;
	void *p;
	int ret;

	p = mmap(NULL, size, PROT_NONE, RESERVED, -1, 0);
	if (p == MAP_FAILED)
		return -errno;
	start = (uintptr_t)p;
	end = start + size;
	*address = (start + granule - 1) & ~(granule - 1);
	if (*address + length < end) {
		if (munmap((void *)(*address + length), end - *address - length))
			goto give_up;
		end = *address + length;
	}
	if (start < *address && munmap((void *)start, *address - start))
		goto give_up;
	return 0;

give_up:
	ret = -errno;
	munmap((void *)start, end - start);
	return ret;
}

/* Returns the error of libpmem2, which adds a granule to the size before it looks for a place. */
static int beyond_address_space(uintptr_t address, size_t size)
{
	bool wraps = size > SIZE_MAX - granule_of(size);
	bool occupied = wraps && address && address <= SIZE_MAX / 2;

	return error_set(occupied ? PMEM2_E_MAPPING_EXISTS : -ENOMEM,
			 "%zu bytes at 0x%zx are beyond the address space", size, address);
}

int pmem2_vm_reservation_new(struct pmem2_vm_reservation **rsv_ptr, void *addr, size_t size)
{
	struct pmem2_vm_reservation *new;
	size_t granule = granule_of(size);
	int displaced = 0;
	int ret;

	if (!rsv_ptr)
		return error_set(-EINVAL, "no place for the reservation given");
	*rsv_ptr = NULL;
	if ((uintptr_t)addr % page_size())
		return error_set(PMEM2_E_ADDRESS_UNALIGNED, "address %p is not a multiple of %zu",
				 addr, page_size());
	if (size % page_size())
		return error_set(PMEM2_E_LENGTH_UNALIGNED,
				 "a reservation's size %zu is not a multiple of %zu", size,
				 page_size());
	if (size > SIZE_MAX / 2 || (uintptr_t)addr > SIZE_MAX / 2)
		return beyond_address_space((uintptr_t)addr, size);

	new = malloc(sizeof(*new));
	if (!new)
		return error_set(-ENOMEM, "out of memory for a reservation");
	new->address = (uintptr_t)addr;
	new->size = size;
	new->slack = remainder_of(size) + granule;
	library_lock();
	if (addr)
		ret = reserve_with_slack(new->address, size, &new->slack);
	else
		ret = reserve_aligned(size + new->slack, granule, &new->address);
	if (!ret)
		displaced = take_over(new->address, size + new->slack);
	library_unlock();
	if (ret || displaced) {
		free(new);
		return displaced ? displaced
				 : address_space_refused("reserve", (uintptr_t)addr, size, ret);
	}
	*rsv_ptr = new;
	return 0;
}

int pmem2_vm_reservation_delete(struct pmem2_vm_reservation **rsv_ptr)
{
	struct pmem2_vm_reservation *rsv;
	struct pmem2_vm_reservation was;
	bool empty;
	int ret = 0;

	if (!rsv_ptr || !*rsv_ptr)
		return no_reservation();
	rsv = *rsv_ptr;
	library_lock();
	was = *rsv;
	empty = !address_order_occupied(was.address, was.address + was.size);
	if (empty && munmap((void *)was.address, was.size + was.slack))
		ret = -errno;
	library_unlock();
	if (!empty)
		return error_set(PMEM2_E_VM_RESERVATION_NOT_EMPTY,
				 "there are mappings in the reservation at 0x%zx", was.address);
	if (ret)
		return address_space_refused("unmap", was.address, was.size + was.slack, ret);
	free(rsv);
	*rsv_ptr = NULL;
	return 0;
}

void *pmem2_vm_reservation_get_address(struct pmem2_vm_reservation *rsv)
{
	uintptr_t address;

	if (!rsv) {
		no_reservation();
		return NULL;
	}
	library_lock();
	address = rsv->address;
	library_unlock();
	return (void *)address;
}

size_t pmem2_vm_reservation_get_size(struct pmem2_vm_reservation *rsv)
{
	size_t size;

	if (!rsv) {
		no_reservation();
		return 0;
	}
	library_lock();
	size = rsv->size;
	library_unlock();
	return size;
}

int pmem2_vm_reservation_extend(struct pmem2_vm_reservation *rsv, size_t size)
{
	uintptr_t end;
	size_t missing;
	size_t slack;
	int displaced = 0;
	int ret = 0;

	if (size % page_size())
		return error_set(PMEM2_E_LENGTH_UNALIGNED,
				 "%zu bytes to extend by are not a multiple of %zu", size,
				 page_size());
	if (!rsv)
		return no_reservation();
	library_lock();
	end = rsv->address + rsv->size + rsv->slack;
	missing = size > rsv->slack ? size - rsv->slack : 0;
	slack = missing ? remainder_of(missing) : rsv->slack - size;
	if (missing > SIZE_MAX / 2 - end)
		ret = -ENOMEM;
	else if (missing)
		ret = reserve_with_slack(end, missing, &slack);
	if (!ret && missing)
		displaced = take_over(end, missing + slack);
	if (!ret && !displaced) {
		rsv->size += size;
		rsv->slack = slack;
	}
	library_unlock();
	return ret ? address_space_refused("reserve", end, missing, ret) : displaced;
}

/* With the lock held: checks whether [offset, offset + size) may be removed. */
static int check_shrink(const struct pmem2_vm_reservation *rsv, size_t offset, size_t size)
{
	uintptr_t begin = rsv->address + offset;

	if (offset >= rsv->size)
		return error_set(PMEM2_E_OFFSET_OUT_OF_RANGE,
				 "offset %zu is beyond the reservation's %zu bytes", offset,
				 rsv->size);
	/* As in libpmem2, a sum that wraps around is not checked here: PMEM2_E_NOSUPP below. */
	if (!size || offset + size > rsv->size)
		return error_set(PMEM2_E_LENGTH_OUT_OF_RANGE,
				 "%zu bytes to shrink by, at offset %zu of %zu", size, offset,
				 rsv->size);
	if (size == rsv->size || (offset && offset + size != rsv->size))
		return error_set(PMEM2_E_NOSUPP, "a reservation cannot shrink %s",
				 offset ? "in its middle" : "to nothing");
	if (address_order_occupied(begin, begin + size))
		return error_set(PMEM2_E_VM_RESERVATION_NOT_EMPTY,
				 "there are mappings in the %zu bytes at offset %zu", size, offset);
	return 0;
}

/* With the lock held: removes the end in whole granules; the remainder becomes slack. */
static int shrink_end(struct pmem2_vm_reservation *rsv, size_t size)
{
	size_t left = rsv->size - size;
	size_t behind = size + rsv->slack;
	size_t slack = remainder_of(left);

	if (slack < behind) {
		if (munmap((void *)(rsv->address + left + slack), behind - slack))
			return -errno;
		behind = slack;
	}
	rsv->size = left;
	rsv->slack = behind;
	return 0;
}

static int shrink_start(struct pmem2_vm_reservation *rsv, size_t size)
{
	if (munmap((void *)rsv->address, size))
		return -errno;
	rsv->address += size;
	rsv->size -= size;
	return 0;
}

int pmem2_vm_reservation_shrink(struct pmem2_vm_reservation *rsv, size_t offset, size_t size)
{
	uintptr_t begin;
	int ret;

	if (offset % page_size())
		return error_set(PMEM2_E_OFFSET_UNALIGNED,
				 "offset %zu in the reservation is not a multiple of %zu", offset,
				 page_size());
	if (size % page_size())
		return error_set(PMEM2_E_LENGTH_UNALIGNED,
				 "%zu bytes to shrink by are not a multiple of %zu", size,
				 page_size());
	if (!rsv)
		return no_reservation();
	library_lock();
	ret = check_shrink(rsv, offset, size);
	if (ret) {
		library_unlock();
		return ret;
	}
	begin = rsv->address + offset;
	ret = offset ? shrink_end(rsv, size) : shrink_start(rsv, size);
	library_unlock();
	return ret ? address_space_refused("unmap", begin, size, ret) : 0;
}

static int bad_find_arguments(const struct pmem2_vm_reservation *rsv)
{
	return rsv ? error_set(-EINVAL, "no place for the mapping given") : no_reservation();
}

static int return_found(struct pmem2_map *map, struct pmem2_map **place)
{
	*place = map;
	return map ? 0 : error_set(PMEM2_E_MAPPING_NOT_FOUND, "no such mapping in the reservation");
}

int pmem2_vm_reservation_map_find(struct pmem2_vm_reservation *rsv, size_t reserv_offset,
				  size_t len, struct pmem2_map **map)
{
	struct pmem2_map *lowest = NULL;
	uintptr_t from;
	size_t behind;

	if (!rsv || !map)
		return bad_find_arguments(rsv);
	library_lock();
	if (reserv_offset < rsv->size) {
		from = rsv->address + reserv_offset;
		behind = rsv->size - reserv_offset;
		/* A length of 0 finds the mapping that contains the offset. */
		if (!len)
			len = 1;
		/* As in libpmem2, a range that wraps around finds only what begins at `from`. */
		if (from + len < from)
			lowest = address_order_lowest_start(rsv, from, from + 1);
		else
			lowest = address_order_lowest(rsv, from,
						      from + (len < behind ? len : behind));
	}
	library_unlock();
	return return_found(lowest, map);
}

int pmem2_vm_reservation_map_find_first(struct pmem2_vm_reservation *rsv, struct pmem2_map **map)
{
	struct pmem2_map *first;

	if (!rsv || !map)
		return bad_find_arguments(rsv);
	library_lock();
	first = address_order_lowest_start(rsv, rsv->address, rsv->address + rsv->size);
	library_unlock();
	return return_found(first, map);
}

int pmem2_vm_reservation_map_find_last(struct pmem2_vm_reservation *rsv, struct pmem2_map **map)
{
	struct pmem2_map *last;

	if (!rsv || !map)
		return bad_find_arguments(rsv);
	library_lock();
	last = address_order_highest_start(rsv, rsv->address, rsv->address + rsv->size);
	library_unlock();
	return return_found(last, map);
}

int pmem2_vm_reservation_map_find_next(struct pmem2_vm_reservation *rsv, struct pmem2_map *map,
				       struct pmem2_map **next_map)
{
	struct pmem2_map *next = NULL;
	uintptr_t start;

	if (!rsv || !next_map)
		return bad_find_arguments(rsv);
	library_lock();
	if (address_order_start(map, &start)) {
		if (start < rsv->address)
			start = rsv->address - 1;
		next = address_order_lowest_start(rsv, start + 1, rsv->address + rsv->size);
	}
	library_unlock();
	return return_found(next, next_map);
}

int pmem2_vm_reservation_map_find_prev(struct pmem2_vm_reservation *rsv, struct pmem2_map *map,
				       struct pmem2_map **prev_map)
{
	struct pmem2_map *previous = NULL;
	uintptr_t end;

	if (!rsv || !prev_map)
		return bad_find_arguments(rsv);
	library_lock();
	if (address_order_start(map, &end)) {
		if (end > rsv->address + rsv->size)
			end = rsv->address + rsv->size;
		previous = address_order_highest_start(rsv, rsv->address, end);
	}
	library_unlock();
	return return_found(previous, prev_map);
}
