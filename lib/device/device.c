/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device.c - facts about the pmem or DAX device below a source
 *
 * Owns nothing. Calls locate.c, nvdimm.c, badlist.c, libndctl and libdaxctl. Every call creates its
 * own libndctl or libdaxctl context, since contexts are not thread-safe and cache what they read.
 * locate.c finds the disk, the node and the region; only this region is searched with the
 * libraries.
 */
#include "base/error.h"
#include "device/badlist.h"
#include "device/locate.h"
#include "device/nvdimm.h"

#include <daxctl/libdaxctl.h>
#include <errno.h>
#include <linux/ndctl.h>
#include <ndctl/libndctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

static void copy_text(char *to, size_t size, const char *from)
{
	snprintf(to, size, "%s", from);
}

static bool same_text(const char *text, const char *other)
{
	return text && !strcmp(text, other);
}

/* Maps the kernel's -1 for no node, and the libraries' value for an absent attribute. */
static int64_t node_or_none(int node)
{
	return node < 0 ? PMEM2FS_INAPPLICABLE : node;
}

static void format_uuid(char text[40], const unsigned char uuid[16])
{
	static const uuid_t none;

	if (!memcmp(uuid, none, sizeof(none)))
		return;
	for (int i = 0; i < 16; i++)
		text += sprintf(text, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x",
				uuid[i]);
}

static struct ndctl_namespace *find_by_disk(struct ndctl_region *region, const char *disk)
{
	struct ndctl_namespace *ndns;

	ndctl_namespace_foreach (region, ndns) {
		struct ndctl_btt *btt = ndctl_namespace_get_btt(ndns);
		struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
		const char *name;

		if (btt)
			name = ndctl_btt_get_block_device(btt);
		else if (pfn)
			name = ndctl_pfn_get_block_device(pfn);
		else
			name = ndctl_namespace_get_block_device(ndns);
		if (same_text(name, disk))
			return ndns;
	}
	return NULL;
}

static struct daxctl_dev *find_dev(struct daxctl_region *region, dev_t dev)
{
	struct daxctl_dev *node;

	daxctl_dev_foreach (region, node)
		if (daxctl_dev_get_major(node) == (int)major(dev) &&
		    daxctl_dev_get_minor(node) == (int)minor(dev))
			return node;
	return NULL;
}

static struct ndctl_namespace *find_by_node(struct ndctl_region *region, dev_t dev,
					    struct daxctl_dev **node)
{
	struct ndctl_dax *dax;

	ndctl_dax_foreach (region, dax) {
		struct daxctl_region *dax_region = ndctl_dax_get_daxctl_region(dax);

		*node = dax_region ? find_dev(dax_region, dev) : NULL;
		if (*node)
			return ndctl_dax_get_namespace(dax);
	}
	return NULL;
}

static const char *mode_name(struct ndctl_namespace *ndns)
{
	switch (ndctl_namespace_get_mode(ndns)) {
	case NDCTL_NS_MODE_FSDAX:
		return "fsdax";
	case NDCTL_NS_MODE_DEVDAX:
		return "devdax";
	case NDCTL_NS_MODE_SECTOR:
		return "sector";
	case NDCTL_NS_MODE_RAW:
		return "raw";
	default:
		return "";
	}
}

/*
 * As in ndctl: the layer on top of the namespace provides the uuid; only a labelled namespace has a
 * uuid of its own.
 */
static void get_uuid(struct ndctl_namespace *ndns, uuid_t uuid)
{
	struct ndctl_btt *btt = ndctl_namespace_get_btt(ndns);
	struct ndctl_pfn *pfn = ndctl_namespace_get_pfn(ndns);
	struct ndctl_dax *dax = ndctl_namespace_get_dax(ndns);

	if (btt)
		ndctl_btt_get_uuid(btt, uuid);
	else if (pfn)
		ndctl_pfn_get_uuid(pfn, uuid);
	else if (dax)
		ndctl_dax_get_uuid(dax, uuid);
	else if (ndctl_namespace_get_type(ndns) != ND_DEVICE_NAMESPACE_IO)
		ndctl_namespace_get_uuid(ndns, uuid);
}

static void describe_namespace(struct ndctl_namespace *ndns, struct pmem2fs_device *device)
{
	uuid_t uuid = {0};

	copy_text(device->namespace_name, sizeof(device->namespace_name),
		  ndctl_namespace_get_devname(ndns));
	copy_text(device->mode, sizeof(device->mode), mode_name(ndns));
	get_uuid(ndns, uuid);
	format_uuid(device->uuid, uuid);
	device->numa_node = node_or_none(ndctl_namespace_get_numa_node(ndns));
	device->target_node = node_or_none(ndctl_namespace_get_target_node(ndns));
}

static const char *persistence_domain(struct ndctl_region *region)
{
	switch (ndctl_region_get_persistence_domain(region)) {
	case PERSISTENCE_CPU_CACHE:
		return "cpu_cache";
	case PERSISTENCE_MEM_CTRL:
		return "memory_controller";
	default:
		return "";
	}
}

/* If one DIMM has no count, the sum of the others means nothing. */
static int64_t unsafe_shutdowns(struct ndctl_region *region)
{
	int64_t sum = PMEM2FS_UNKNOWN;
	struct ndctl_dimm *dimm;

	ndctl_dimm_foreach_in_region (region, dimm) {
		long long count = ndctl_dimm_get_dirty_shutdown(dimm);

		if (count < 0)
			return PMEM2FS_UNKNOWN;
		sum = sum < 0 ? count : sum + count;
	}
	return sum;
}

/* Describes a device on an NVDIMM region. */
static int describe_nvdimm(dev_t dev, bool block, struct pmem2fs_device *device)
{
	struct ndctl_namespace *ndns;
	struct daxctl_dev *node = NULL;
	struct ndctl_region *region;
	struct ndctl_ctx *ctx;
	int error;

	error = nvdimm_open(&ctx);
	if (error)
		return error;
	region = nvdimm_find_region(ctx, device->region);
	if (!region) {
		error = -ENODEV;
		goto unref_ctx;
	}
	ndns = block ? find_by_disk(region, device->blockdev) : find_by_node(region, dev, &node);
	if (!ndns) {
		error = -ENODEV;
		goto unref_ctx;
	}
	describe_namespace(ndns, device);
	if (node)
		device->target_node = node_or_none(daxctl_dev_get_target_node(node));
	copy_text(device->persistence_domain, sizeof(device->persistence_domain),
		  persistence_domain(region));
	device->unsafe_shutdowns = unsafe_shutdowns(region);
unref_ctx:
	ndctl_unref(ctx);
	return error;
}

/* Describes a DAX node of other memory (CXL, hmem), which libndctl does not know. */
static int describe_dax(dev_t dev, struct pmem2fs_device *device)
{
	struct daxctl_region *region;
	struct daxctl_dev *node = NULL;
	struct daxctl_ctx *ctx;
	int error;

	error = daxctl_new(&ctx);
	if (error)
		return error_set(error, "libdaxctl: %s", strerror(-error));
	daxctl_set_log_priority(ctx, 0);
	daxctl_region_foreach (ctx, region) {
		node = find_dev(region, dev);
		if (node)
			break;
	}
	if (node) {
		copy_text(device->mode, sizeof(device->mode), "devdax");
		device->target_node = node_or_none(daxctl_dev_get_target_node(node));
	} else {
		error = -ENODEV;
	}
	daxctl_unref(ctx);
	return error;
}

static int get_device(dev_t dev, bool block, struct pmem2fs_device *device)
{
	struct pmem2fs_device found;
	uint64_t sysfs_inode;
	int error;

	error = device_locate(dev, block, &found);
	if (error)
		return error;
	if (found.region[0])
		error = describe_nvdimm(dev, block, &found);
	else
		error = describe_dax(dev, &found);
	if (error)
		return error;
	/*
	 * Devices can be replaced at any time: the facts may be those of two devices with the same
	 * number.
	 */
	error = pmem2fs_device_identity(dev, block, &sysfs_inode);
	if (error)
		return error;
	if (sysfs_inode != found.sysfs_inode)
		return -EAGAIN;
	*device = found;
	return 0;
}

int pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device)
{
	int error = device ? get_device(dev, block, device) : -EINVAL;

	if (error)
		error_set(error, "%s device %u:%u: %s", block ? "block" : "DAX", major(dev),
			  minor(dev), strerror(pmem2_err_to_errno(error)));
	return error;
}

int pmem2fs_device_badblock_count(const struct pmem2fs_device *device, size_t *count)
{
	struct badlist list;
	uint64_t begin = 0;
	int error;

	if (!device || !count)
		return error_set(-EINVAL, "no %s given", device ? "place" : "device");
	if (!device->badblocks_path[0])
		return error_set(PMEM2_E_NOSUPP, "no list of bad blocks applies to %s%s",
				 device->blockdev, device->chardev);
	/* A disk has its own list; a node has a part of its region's list. */
	if (device->chardev[0]) {
		if (device->badblocks_start < 0)
			return error_set(PMEM2_E_CANNOT_READ_BOUNDS,
					 "%s: where it lies in %s is not known", device->chardev,
					 device->region);
		begin = (uint64_t)device->badblocks_start;
	}
	error = badlist_read(device->badblocks_path, begin, begin + device->size, &list);
	if (error)
		return error_set(error, "%s: %s", device->badblocks_path, strerror(-error));
	*count = list.count;
	badlist_free(&list);
	return 0;
}

int pmem2fs_host_capacity(uint64_t *bytes)
{
	struct ndctl_region *region;
	struct ndctl_ctx *ctx;
	struct ndctl_bus *bus;
	uint64_t sum = 0;
	int error;

	if (!bytes)
		return error_set(-EINVAL, "no place for the capacity given");
	error = nvdimm_open(&ctx);
	if (error)
		return error;
	ndctl_bus_foreach (ctx, bus)
		ndctl_region_foreach (bus, region)
			if (ndctl_region_get_type(region) == ND_DEVICE_REGION_PMEM)
				sum += ndctl_region_get_size(region);
	ndctl_unref(ctx);
	*bytes = sum;
	return 0;
}
