/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * deep_flush.c - making stores safe from more than a power failure
 *
 * Owns nothing. Calls the registry, flush.c, device/locate and base/attribute. A flush ends in the
 * memory controller, whose queue is most probably saved when the power fails. A deep flush also
 * empties the queue into the medium, which only the kernel can do.
 */
#include "base/attribute.h"
#include "base/error.h"
#include "base/page.h"
#include "device/locate.h"
#include "persist/flush.h"
#include "registry/registry.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

static int sync_file(uintptr_t begin, uintptr_t end)
{
	int ret;

	begin &= ~(page_size() - 1);
	end = page_round_up(end);
	while (msync((void *)begin, end - begin, MS_SYNC)) {
		if (errno == EINTR)
			continue;
		ret = -errno;
		return error_set(ret, "cannot flush 0x%zx-0x%zx: msync: %s", begin, end,
				 strerror(-ret));
	}
	return 0;
}

/*
 * The attribute is absent where the kernel cannot reach the memory controller, and 0 where the
 * platform does not need it.
 */
static int flush_region(const char *region)
{
	char path[64];
	char state[2];
	ssize_t n;
	int ret;

	snprintf(path, sizeof(path), "/sys/bus/nd/devices/%s/deep_flush", region);
	n = attribute_read(path, state, sizeof(state));
	if (n == 0 || n == -ENOENT)
		return 0;
	if (n > 0)
		ret = state[0] == '0' ? 0 : attribute_write(path, "1");
	else
		ret = (int)n;
	return ret ? error_set(ret, "%s: %s", path, strerror(-ret)) : 0;
}

/*
 * Takes the next mapped piece out of *range. Parts of the mapping itself may be gone; another
 * mapping in their place is flushed as well, which does no harm.
 */
static bool take_piece(struct interval *range, struct interval *piece)
{
	if (!registry_find_interval(range->begin, range->end, piece))
		return false;
	if (piece->begin < range->begin)
		piece->begin = range->begin;
	if (piece->end > range->end)
		piece->end = range->end;
	range->begin = piece->end;
	return true;
}

static int flush_devdax(const struct mapping_info *mapping, struct interval range)
{
	struct pmem2fs_device device;
	struct interval piece;
	int ret;

	while (take_piece(&range, &piece))
		flush_persist_fn(mapping->granularity)((void *)piece.begin,
						       piece.end - piece.begin);
	ret = device_locate(mapping->facts.source_rdev, false, &device);
	if (ret)
		return error_set(ret, "cannot find the device of the mapping at 0x%zx: %s",
				 mapping->address, strerror(-ret));
	return device.region[0] ? flush_region(device.region) : 0;
}

static int sync_pieces(struct interval range)
{
	struct interval piece;
	int ret = 0;

	while (!ret && take_piece(&range, &piece))
		ret = sync_file(piece.begin, piece.end);
	return ret;
}

int pmem2_deep_flush(struct pmem2_map *map, void *ptr, size_t size)
{
	uintptr_t begin = (uintptr_t)ptr;
	struct mapping_info mapping;
	int ret;

	ret = registry_facts(map, &mapping);
	if (ret)
		return ret;
	/* That a sum wraps around is checked later, as in libpmem2 and msync. */
	if (begin < mapping.address || begin + size > mapping.address + mapping.length)
		return error_set(PMEM2_E_DEEP_FLUSH_RANGE,
				 "%zu bytes at %p are not within the mapping", size, ptr);
	if (mapping.granularity != PMEM2_GRANULARITY_PAGE &&
	    mapping.facts.source_type == PMEM2FS_SOURCE_ANONYMOUS)
		return error_set(PMEM2_E_NOSUPP, "anonymous memory has no deep flush");
	if (begin + size < begin)
		return error_set(-ENOMEM, "%zu bytes at %p leave the address space", size, ptr);
	if (mapping.granularity == PMEM2_GRANULARITY_PAGE)
		return 0;
	if (mapping.facts.source_type == PMEM2FS_SOURCE_DEVDAX)
		return flush_devdax(&mapping, (struct interval){begin, begin + size});
	return sync_pieces((struct interval){begin, begin + size});
}
