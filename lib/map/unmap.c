/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unmap.c - removing mappings, whole and in part
 *
 * Owns nothing. Calls the registry, reservation.c, placement.c and publish/announce. Only what the
 * registry reports as still mapped is unmapped: everything else at a mapping's addresses belongs to
 * another owner.
 */
#include "base/cancel.h"
#include "base/error.h"
#include "base/mmap_error.h"
#include "base/page.h"
#include "map/placement.h"
#include "map/reservation.h"
#include "publish/announce.h"
#include "registry/registry.h"
#include <errno.h>
#include <stdint.h>
#include <sys/mman.h>

static int unmap_piece(const struct mapping_info *mapping, const struct interval *piece)
{
	size_t length = piece->end - piece->begin;
	char reason[128];
	int ret = 0;

	if (mapping->facts.reservation)
		ret = reservation_give_back(piece->begin, piece->end);
	else if (munmap((void *)piece->begin, length))
		ret = -errno;
	if (!ret)
		return 0;
	mmap_error_explain(-ret, length, reason, sizeof(reason));
	return error_set(ret, "cannot unmap %zu bytes at 0x%zx: %s", length, piece->begin, reason);
}

/* Unmaps what is left of a mapping, piece by piece. */
static int unmap_all(const struct pmem2_map *map, const struct mapping_info *mapping,
		     struct interval *piece)
{
	uintptr_t end = mapping->address + page_round_up(mapping->length);
	int ret;

	while (piece->begin < piece->end) {
		ret = unmap_piece(mapping, piece);
		if (ret)
			return ret;
		if (piece->end == end)
			break; /* the last piece is removed with the object */
		registry_remove(map, piece);
		if (!registry_next_piece(map, piece->end, end, piece))
			break;
	}
	if (piece->begin == mapping->address && piece->end == end && !mapping->facts.reservation)
		placement_released(mapping->address, end - mapping->address);
	return 0;
}

static int unmap_mapping(struct pmem2_map **map_ptr)
{
	struct mapping_info mapping;
	struct pmem2_map *map;
	struct interval piece;
	int ret;

	if (!map_ptr)
		return error_set(PMEM2_E_MAPPING_NOT_FOUND, "no mapping given");
	/* Another thread may be unmapping through the same variable. */
	map = __atomic_load_n(map_ptr, __ATOMIC_RELAXED);
	ret = registry_begin_unmap(map, &mapping, &piece);
	announce_first();
	if (ret)
		return ret;
	if (!mapping.facts.adopted)
		ret = unmap_all(map, &mapping, &piece);
	if (ret) {
		registry_cancel_unmap(map);
		return ret;
	}
	registry_finish_unmap(map);
	__atomic_store_n(map_ptr, NULL, __ATOMIC_RELAXED);
	return 0;
}

int pmem2_unmap(struct pmem2_map **map_ptr)
{
	int state = cancel_disable();
	int ret = unmap_mapping(map_ptr);

	cancel_restore(state);
	return ret;
}

int pmem2_map_delete(struct pmem2_map **map_ptr)
{
	return pmem2_unmap(map_ptr);
}

/* Converts a range of a mapping to addresses, in whole pages. */
static int find_range(const struct mapping_info *mapping, size_t offset, size_t length,
		      struct interval *range)
{
	size_t page =
		page_size() > mapping->facts.alignment ? page_size() : mapping->facts.alignment;
	size_t size = (mapping->length + page - 1) / page * page;

	if (length == 0)
		return error_set(-EINVAL, "cannot unmap 0 bytes");
	if (offset % page)
		return error_set(-EINVAL, "offset %zu is not a multiple of %zu", offset, page);
	if (offset >= size || length > size - offset)
		return error_set(-EINVAL,
				 "offset %zu and length %zu are beyond the mapping's %zu bytes",
				 offset, length, size);
	range->begin = mapping->address + offset;
	range->end = range->begin + (length + page - 1) / page * page;
	return 0;
}

/* Checks that the whole range is mapped. MS_ASYNC has no other effect than to report gaps. */
static int check_mapped(const struct pmem2_map *map, const struct interval *range)
{
	struct interval piece = {0};

	if (!registry_next_piece(map, range->begin, range->end, &piece) ||
	    piece.begin != range->begin || piece.end != range->end ||
	    (msync((void *)range->begin, range->end - range->begin, MS_ASYNC) && errno == ENOMEM))
		return error_set(-EINVAL, "some of the %zu bytes at 0x%zx are no longer mapped",
				 range->end - range->begin, range->begin);
	return 0;
}

static int unmap_held(const struct pmem2_map *map, const struct mapping_info *mapping,
		      const struct interval *range, unsigned flags)
{
	struct interval piece = {0};
	int ret;

	if (flags & PMEM2_UNMAP_STRICT) {
		ret = check_mapped(map, range);
		if (ret)
			return ret;
	}
	ret = registry_split(map, range);
	while (!ret && registry_next_piece(map, range->begin, range->end, &piece)) {
		ret = unmap_piece(mapping, &piece);
		if (!ret)
			registry_remove(map, &piece);
	}
	return ret;
}

static int unmap_range(struct pmem2_map *map, size_t offset, size_t length, unsigned flags)
{
	struct mapping_info mapping;
	struct interval range;
	int ret;

	if (flags & ~PMEM2_UNMAP_STRICT)
		return error_set(-EINVAL, "unknown flags 0x%x", flags & ~PMEM2_UNMAP_STRICT);
	ret = registry_begin_unmap_part(map, &mapping);
	if (ret)
		return ret;
	ret = find_range(&mapping, offset, length, &range);
	if (!ret && mapping.facts.adopted)
		ret = error_set(PMEM2_E_NOSUPP, "the program made the mapping at 0x%zx itself",
				mapping.address);
	if (!ret)
		ret = unmap_held(map, &mapping, &range, flags);
	registry_finish_unmap_part(map);
	return ret;
}

int pmem2_unmap_range(struct pmem2_map *map, size_t offset, size_t length, unsigned flags)
{
	int state = cancel_disable();
	int ret = unmap_range(map, offset, length, flags);

	cancel_restore(state);
	return ret;
}
