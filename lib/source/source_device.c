/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source_device.c - facts about the hardware below a source: id, shutdown count, NUMA node
 *
 * Owns nothing. Calls device/locate, device/nvdimm and libndctl. Every call reads sysfs for the
 * region of the source and creates its own libndctl context for facts about the region. A DAX node
 * without a region (CXL, hmem) is not looked up in libndctl, which does not know it.
 *
 * As in libpmem2, errors of the source come before that of a missing out-parameter.
 */
#include "base/error.h"
#include "device/locate.h"
#include "device/nvdimm.h"
#include "source/source.h"

#include <errno.h>
#include <string.h>

/*
 * Finds the device of a source, whose descriptor may be closed by now. If it is no pmem or DAX
 * device, `region` is empty.
 */
static int locate_device(const struct pmem2_source *src, struct pmem2fs_device *device)
{
	bool node;
	int error;

	if (!src)
		return error_set(-EINVAL, "no source given");
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS)
		return error_set(PMEM2_E_NOSUPP, "anonymous memory is on no device");
	node = src->type == PMEM2FS_SOURCE_DEVDAX;
	error = device_locate(node ? src->rdev : src->dev, !node, device);
	if (error == -ENODEV)
		*device = (struct pmem2fs_device){.numa_node = PMEM2FS_INAPPLICABLE};
	else if (error)
		return error_set(error, "cannot find the device: %s", strerror(-error));
	return 0;
}

static int no_node(void)
{
	return error_set(-EINVAL, "no place for the node given");
}

/* On success the caller owns the context. */
static int open_region(const struct pmem2fs_device *device, struct ndctl_ctx **ctx,
		       struct ndctl_region **region)
{
	int error = nvdimm_open(ctx);

	if (error)
		return error;
	*region = nvdimm_find_region(*ctx, device->region);
	if (*region)
		return 0;
	ndctl_unref(*ctx);
	return error_set(-ENODEV, "%s is gone", device->region);
}

/* Opens the region of a source, or sets the reason why it has none. */
static int open_region_of(const struct pmem2_source *src, struct ndctl_ctx **ctx,
			  struct ndctl_region **region)
{
	struct pmem2fs_device device;
	int error = locate_device(src, &device);

	if (error)
		return error;
	if (!device.region[0])
		return error_set(PMEM2_E_NOSUPP, "the source is not on NVDIMMs");
	return open_region(&device, ctx, region);
}

/* The length of all ids together, without a terminator. */
static int id_length(struct ndctl_region *region, size_t *length)
{
	struct ndctl_dimm *dimm;
	size_t sum = 0;

	ndctl_dimm_foreach_in_region (region, dimm) {
		const char *id = ndctl_dimm_get_unique_id(dimm);

		if (!id)
			return error_set(PMEM2_E_NOSUPP, "%s does not tell its id",
					 ndctl_dimm_get_devname(dimm));
		sum += strlen(id);
	}
	*length = sum;
	return 0;
}

int pmem2_source_device_id(const struct pmem2_source *src, char *id, size_t *len)
{
	struct ndctl_region *region;
	struct ndctl_dimm *dimm;
	struct ndctl_ctx *ctx;
	size_t length = 0;
	int error;

	error = open_region_of(src, &ctx, &region);
	if (error)
		return error;
	error = id_length(region, &length);
	if (error)
		goto unref_ctx;
	if (!len) {
		error = error_set(-EINVAL, "no length given");
		goto unref_ctx;
	}
	if (!id) {
		*len = length + 1;
		goto unref_ctx;
	}
	if (*len < length + 1) {
		error = error_set(PMEM2_E_BUFFER_TOO_SMALL, "the id takes %zu bytes, not %zu",
				  length + 1, *len);
		goto unref_ctx;
	}
	*id = '\0';
	ndctl_dimm_foreach_in_region (region, dimm)
		id = stpcpy(id, ndctl_dimm_get_unique_id(dimm));
unref_ctx:
	ndctl_unref(ctx);
	return error;
}

int pmem2_source_device_usc(const struct pmem2_source *src, uint64_t *usc)
{
	struct ndctl_region *region;
	struct ndctl_dimm *dimm;
	struct ndctl_ctx *ctx;
	uint64_t sum = 0;
	int error;

	error = open_region_of(src, &ctx, &region);
	if (error)
		return error;
	if (!usc) {
		error = error_set(-EINVAL, "no place for the count given");
		goto unref_ctx;
	}
	ndctl_dimm_foreach_in_region (region, dimm) {
		long long count = ndctl_dimm_get_dirty_shutdown(dimm);

		if (count < 0) {
			error = error_set(PMEM2_E_NOSUPP, "%s does not count unsafe shutdowns",
					  ndctl_dimm_get_devname(dimm));
			goto unref_ctx;
		}
		sum += (uint64_t)count;
	}
	*usc = sum;
unref_ctx:
	ndctl_unref(ctx);
	return error;
}

int pmem2_source_numa_node(const struct pmem2_source *src, int *numa_node)
{
	struct pmem2fs_device device;
	struct ndctl_region *region;
	struct ndctl_ctx *ctx;
	int error = locate_device(src, &device);

	if (error)
		return error;
	if (!device.region[0]) {
		if (src->type != PMEM2FS_SOURCE_DEVDAX)
			return error_set(PMEM2_E_DAX_REGION_NOT_FOUND,
					 "the file is not on persistent memory");
		if (!device.chardev[0])
			return error_set(PMEM2_E_DAX_REGION_NOT_FOUND,
					 "the device-DAX node is gone");
		if (!numa_node)
			return no_node();
		*numa_node = device.numa_node < 0 ? -1 : (int)device.numa_node;
		return 0;
	}
	if (!numa_node)
		return no_node();
	error = open_region(&device, &ctx, &region);
	if (error)
		return error;
	*numa_node = ndctl_region_get_numa_node(region);
	ndctl_unref(ctx);
	return 0;
}
