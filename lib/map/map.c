/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * map.c - making mappings, and their properties
 *
 * Owns nothing. Checks a request, maps, and registers the mapping: from then on the registry owns
 * the object. Calls source/, device/devdax, placement.c, reservation.c, registry/ and, for the
 * table that the registry may have made, publish/announce. Changes nothing of the process but its
 * address space.
 */
#include "base/cancel.h"
#include "base/error.h"
#include "base/mmap_error.h"
#include "base/page.h"
#include "device/devdax.h"
#include "map/placement.h"
#include "map/reservation.h"
#include "publish/announce.h"
#include "registry/publication.h"
#include "registry/registry.h"
#include "source/config.h"
#include "source/granularity.h"
#include "source/source.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* A configuration applied to a source. */
struct plan {
	size_t source_size;
	size_t alignment;
	size_t offset;
	size_t length;
};

static int check_range(const struct pmem2_config *cfg, const struct pmem2_source *src,
		       struct plan *plan)
{
	size_t offset = cfg->offset;
	size_t size = plan->source_size;
	size_t length = cfg->length;

	if (size == 0)
		return error_set(PMEM2_E_SOURCE_EMPTY, "the source is empty");
	if (length % plan->alignment)
		return error_set(PMEM2_E_LENGTH_UNALIGNED, "length %zu is not a multiple of %zu",
				 length, plan->alignment);
	if (offset > size || length > size - offset)
		return error_set(PMEM2_E_MAP_RANGE,
				 "offset %zu and length %zu are beyond the source's %zu bytes",
				 offset, length, size);
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS) {
		/* Anonymous memory has no offsets: the configured one is ignored. */
		plan->offset = 0;
		plan->length = length ? length : size;
		return 0;
	}
	plan->offset = offset;
	plan->length = length ? length : size - offset;
	return 0;
}

static int make_plan(const struct pmem2_config *cfg, const struct pmem2_source *src,
		     struct plan *plan)
{
	int ret;

	if (!cfg->has_granularity)
		return error_set(PMEM2_E_GRANULARITY_NOT_SET, "no granularity is required");
	if (!src)
		return error_set(-EINVAL, "no source given");
	ret = src->type == PMEM2FS_SOURCE_DEVDAX ? devdax_check(src->rdev) : 0;
	if (ret)
		return ret;
	ret = pmem2_source_alignment(src, &plan->alignment);
	if (ret)
		return ret;
	ret = pmem2_source_size(src, &plan->source_size);
	if (ret)
		return ret;
	if (cfg->offset % plan->alignment)
		return error_set(PMEM2_E_OFFSET_UNALIGNED, "offset %zu is not a multiple of %zu",
				 cfg->offset, plan->alignment);
	if (src->type == PMEM2FS_SOURCE_DEVDAX && cfg->sharing == PMEM2_PRIVATE)
		return error_set(PMEM2_E_SRC_DEVDAX_PRIVATE,
				 "device DAX cannot be mapped with private sharing");
	return check_range(cfg, src, plan);
}

static int mmap_protection(unsigned protection)
{
	return (protection & PMEM2_PROT_READ ? PROT_READ : 0) |
	       (protection & PMEM2_PROT_WRITE ? PROT_WRITE : 0) |
	       (protection & PMEM2_PROT_EXEC ? PROT_EXEC : 0);
}

static uint8_t record_protection(unsigned protection)
{
	return (protection & PMEM2_PROT_READ ? 1 : 0) | (protection & PMEM2_PROT_WRITE ? 2 : 0) |
	       (protection & PMEM2_PROT_EXEC ? 4 : 0);
}

static int map_error(int error, const struct plan *plan)
{
	char reason[128];

	mmap_error_explain(-error, plan->length, reason, sizeof(reason));
	switch (-error) {
	case EACCES:
		error = PMEM2_E_NO_ACCESS;
		break;
	case EOPNOTSUPP:
		error = PMEM2_E_NOSUPP;
		break;
	case EEXIST:
		error = PMEM2_E_MAPPING_EXISTS;
		break;
	default:
		break;
	}
	return error_set(error, "cannot map %zu bytes at offset %zu: %s", plan->length,
			 plan->offset, reason);
}

/*
 * A mapping for a reservation is made elsewhere first. If it were made in place, there would be a
 * hole in the reservation while the kernel decides whether it grants MAP_SYNC.
 */
static int place_mapping(const struct pmem2_config *cfg, const struct placement_request *request,
			 uintptr_t *address)
{
	return cfg->reservation ? placement_map_anywhere(request, address)
				: placement_map(request, address);
}

/* Maps, with MAP_SYNC if the kernel grants it. */
static int map_area(const struct pmem2_config *cfg, const struct pmem2_source *src,
		    const struct plan *plan, uintptr_t *address, bool *map_sync)
{
	bool anonymous = src->type == PMEM2FS_SOURCE_ANONYMOUS;
	struct placement_request request = {
		.length = plan->length,
		.alignment = plan->alignment,
		.prot = mmap_protection(cfg->protection),
		.fd = anonymous ? -1 : src->fd,
		.offset = (off_t)plan->offset,
	};
	struct pmem2_source *cache = source_cache(src);
	bool try_sync = cfg->sharing == PMEM2_SHARED && !anonymous &&
			!atomic_load_explicit(&cache->sync_refused, memory_order_relaxed);
	int ret;

	/* The offset is the end of the source: returns the kernel's error for no bytes. */
	if (!plan->length) {
		mmap(NULL, 0, request.prot, MAP_SHARED, request.fd, 0);
		return -errno;
	}
	if (try_sync) {
		request.flags = MAP_SHARED_VALIDATE | MAP_SYNC;
		ret = place_mapping(cfg, &request, address);
		if (!ret)
			*map_sync = true;
		if (ret != -EINVAL && ret != -EOPNOTSUPP)
			return ret;
	}
	request.flags = (cfg->sharing == PMEM2_PRIVATE ? MAP_PRIVATE : MAP_SHARED) |
			(anonymous ? MAP_ANONYMOUS : 0);
	ret = place_mapping(cfg, &request, address);
	if (ret)
		return ret;
	*map_sync = false;
	if (try_sync)
		atomic_store_explicit(&cache->sync_refused, true, memory_order_relaxed);
	return 0;
}

static uint64_t time_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void describe_source(const struct pmem2_source *src, struct mapping_facts *facts)
{
	facts->source_type = src->type;
	facts->source_dev = src->dev;
	facts->source_rdev = src->rdev;
	facts->source_inode = src->inode;
	facts->created = time_now();
}

static int check_granularity(const struct pmem2_config *cfg, const struct mapping_info *mapping)
{
	if (mapping->granularity <= cfg->granularity)
		return 0;
	return error_set(PMEM2_E_GRANULARITY_NOT_SUPPORTED,
			 "granularity %s is required, the source has only %s",
			 granularity_name(cfg->granularity),
			 granularity_name(mapping->granularity));
}

/* Maps at any address and describes the mapping. */
static int make_mapping(const struct pmem2_config *cfg, const struct pmem2_source *src,
			const struct plan *plan, struct mapping_info *mapping)
{
	struct mapping_facts *facts = &mapping->facts;
	int ret;

	ret = map_area(cfg, src, plan, &mapping->address, &facts->map_sync);
	if (ret)
		return map_error(ret, plan);
	mapping->length = plan->length;
	mapping->granularity = granularity_of(src, cfg->sharing, facts->map_sync);
	ret = check_granularity(cfg, mapping);
	if (ret) {
		munmap((void *)mapping->address, mapping->length);
		return ret;
	}
	describe_source(src, facts);
	facts->offset = plan->offset;
	facts->source_size = plan->source_size;
	facts->alignment = (uint32_t)plan->alignment;
	facts->has_owner = cfg->has_owner;
	facts->uid = cfg->uid;
	facts->gid = cfg->gid;
	facts->required = cfg->granularity;
	facts->sharing = cfg->sharing;
	facts->protection = record_protection(cfg->protection);
	facts->reservation = cfg->reservation;
	return 0;
}

static int map_in_reservation(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
			      const struct pmem2_source *src, const struct plan *plan)
{
	struct mapping_info mapping = {0};
	struct pmem2_map *map;
	size_t length = page_round_up(plan->length);
	uintptr_t address;
	int ret;

	ret = reservation_occupy(cfg->reservation, cfg->reservation_offset, plan->length,
				 plan->alignment, &address, &map);
	if (ret)
		return ret;
	ret = make_mapping(cfg, src, plan, &mapping);
	if (ret)
		goto abandon;
	ret = reservation_move_in(address, mapping.address, length);
	if (ret) {
		munmap((void *)mapping.address, length);
		/*
		 * -EEXIST: another thread has mapped a part of the place, which stays occupied for
		 * ever.
		 */
		if (ret == -EEXIST)
			return map_error(ret, plan);
		ret = map_error(ret, plan);
		goto abandon;
	}
	mapping.address = address;
	ret = registry_establish(map, &mapping, cfg->label, cfg->label_length);
	announce_first();
	if (ret)
		goto give_back;
	*map_ptr = map;
	return 0;

give_back:
	/* If the mapping cannot be removed, its place stays occupied. */
	if (reservation_give_back(address, address + length))
		return ret;
abandon:
	registry_abandon(map);
	return ret;
}

static int map_new(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
		   const struct pmem2_source *src)
{
	struct mapping_info mapping = {0};
	struct plan plan = {0};
	int ret;

	if (!map_ptr)
		return error_set(-EINVAL, "no place for the mapping given");
	*map_ptr = NULL;
	if (!cfg)
		return error_set(-EINVAL, "no configuration given");
	ret = make_plan(cfg, src, &plan);
	if (ret)
		return ret;
	if (cfg->reservation)
		return map_in_reservation(map_ptr, cfg, src, &plan);

	ret = make_mapping(cfg, src, &plan, &mapping);
	if (ret)
		return ret;
	ret = registry_add(&mapping, cfg->label, cfg->label_length, map_ptr);
	announce_first();
	if (ret)
		munmap((void *)mapping.address, mapping.length);
	return ret;
}

int pmem2_map_new(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
		  const struct pmem2_source *src)
{
	int state = cancel_disable();
	int ret = map_new(map_ptr, cfg, src);

	cancel_restore(state);
	return ret;
}

int pmem2_map(struct pmem2_map **map_ptr, const struct pmem2_config *cfg,
	      const struct pmem2_source *src)
{
	return pmem2_map_new(map_ptr, cfg, src);
}

static int check_existing(struct pmem2_map **map_ptr, const struct pmem2_source *src,
			  const struct mapping_info *mapping)
{
	if (!map_ptr || !src)
		return error_set(-EINVAL, "no %s given", src ? "place for the mapping" : "source");
	if (!mapping->address)
		return error_set(PMEM2_E_ADDRESS_NULL, "the address is NULL");
	if (!mapping->length)
		return error_set(-EINVAL, "the length is 0");
	if (mapping->length > UINTPTR_MAX - mapping->address)
		return error_set(PMEM2_E_MAP_RANGE, "%zu bytes at 0x%zx leave the address space",
				 mapping->length, mapping->address);
	if ((unsigned)mapping->granularity > PMEM2_GRANULARITY_PAGE)
		return error_set(PMEM2_E_GRANULARITY_NOT_SUPPORTED, "unknown granularity %u",
				 (unsigned)mapping->granularity);
	return 0;
}

/* Returns PMEM2_E_MAP_EXISTS, as libpmem2 does, if a mapping overlaps the range; else `error`. */
static int refuse_existing(const struct mapping_info *mapping, int error)
{
	struct interval taken;

	if (!registry_find_interval(mapping->address, mapping->address + mapping->length, &taken))
		return error;
	return error_set(PMEM2_E_MAP_EXISTS, "%zu bytes at 0x%zx overlap the mapping at 0x%zx",
			 mapping->length, mapping->address, taken.begin);
}

int pmem2_map_from_existing(struct pmem2_map **map_ptr, const struct pmem2_source *src, void *addr,
			    size_t len, enum pmem2_granularity gran)
{
	struct mapping_info mapping = {
		.address = (uintptr_t)addr,
		.length = len,
		.granularity = gran,
		.facts.adopted = true,
		.facts.required = gran,
		.facts.sharing = PMEM2_SHARED,
		.facts.protection = record_protection(PMEM2_PROT_READ | PMEM2_PROT_WRITE),
	};
	size_t alignment;
	size_t size;
	int ret;

	ret = check_existing(map_ptr, src, &mapping);
	if (!ret)
		ret = pmem2_source_alignment(src, &alignment);
	if (!ret)
		ret = pmem2_source_size(src, &size);
	if (ret)
		return refuse_existing(&mapping, ret);

	describe_source(src, &mapping.facts);
	mapping.facts.source_size = size;
	mapping.facts.alignment = (uint32_t)alignment;
	ret = registry_add(&mapping, NULL, 0, map_ptr);
	announce_first();
	return ret;
}

static void get_live_mapping(const struct pmem2_map *map, uintptr_t *address, size_t *length,
			     enum pmem2_granularity *granularity)
{
	*address = 0;
	*length = 0;
	*granularity = PMEM2_GRANULARITY_PAGE;
	if (!registry_lookup(map, address, length, granularity))
		error_set(PMEM2_E_MAPPING_NOT_FOUND, "no mapping %p", (const void *)map);
}

void *pmem2_map_get_address(struct pmem2_map *map)
{
	enum pmem2_granularity granularity;
	uintptr_t address;
	size_t length;

	get_live_mapping(map, &address, &length, &granularity);
	return (void *)address;
}

size_t pmem2_map_get_size(struct pmem2_map *map)
{
	enum pmem2_granularity granularity;
	uintptr_t address;
	size_t length;

	get_live_mapping(map, &address, &length, &granularity);
	return length;
}

enum pmem2_granularity pmem2_map_get_store_granularity(struct pmem2_map *map)
{
	enum pmem2_granularity granularity;
	uintptr_t address;
	size_t length;

	get_live_mapping(map, &address, &length, &granularity);
	return granularity;
}

int pmem2fs_map_set_label(struct pmem2_map *map, const char *label, size_t length)
{
	int ret = config_check_label(label, length);

	if (ret)
		return ret;
	ret = registry_set_label(map, label, length);
	announce_first();
	return ret;
}

int pmem2fs_map_get_slot(struct pmem2_map *map, uint32_t *slot)
{
	int ret;

	if (!slot)
		return error_set(-EINVAL, "no place for the slot given");
	ret = registry_table_slot(map, slot);
	announce_first();
	return ret;
}

int pmem2fs_table_export(int *fd)
{
	int ret;

	if (!fd)
		return error_set(-EINVAL, "no place for the descriptor given");
	ret = publication_export(fd);
	return ret ? error_set(ret, "no table to hand over: %s", strerror(-ret)) : 0;
}
