/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * devdax.c - the attributes of a device-DAX node in sysfs
 *
 * Owns nothing. Calls base/attribute, base/error and base/page.
 *
 * Reads /sys/dev/char/MAJOR:MINOR instead of calling libndctl or libdaxctl: every mapping comes
 * here, threads need no lock for it, and a node may belong to no NVDIMM region (CXL, hmem).
 */
#include "device/devdax.h"
#include "base/attribute.h"
#include "base/error.h"
#include "base/page.h"
#include "libpmem2.h"
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define ATTRIBUTE_PATH 64

static void attribute_path(char path[ATTRIBUTE_PATH], dev_t rdev, const char *name)
{
	snprintf(path, ATTRIBUTE_PATH, "/sys/dev/char/%u:%u/%s", major(rdev), minor(rdev), name);
}

/* Whether a link of the node's folder leads to a path that ends like this. */
static bool link_ends_with(dev_t rdev, const char *name, const char *end)
{
	char path[ATTRIBUTE_PATH];
	char target[PATH_MAX];
	ssize_t n;

	attribute_path(path, rdev, name);
	n = readlink(path, target, sizeof(target));
	return n >= (ssize_t)strlen(end) && !memcmp(target + n - strlen(end), end, strlen(end));
}

bool devdax_is(dev_t rdev)
{
	return link_ends_with(rdev, "subsystem", "/dax");
}

int devdax_check(dev_t rdev)
{
	if (link_ends_with(rdev, "driver", "/device_dax"))
		return 0;
	return error_set(-ENODEV, "device %u:%u is disabled, in use as system RAM, or gone",
			 major(rdev), minor(rdev));
}

/* `format_error` is returned when the file does not hold a number. */
static int read_device_number(dev_t rdev, const char *name, int format_error, size_t *number)
{
	char path[ATTRIBUTE_PATH];
	char text[32] = "";
	uint64_t value;
	int ret;

	attribute_path(path, rdev, name);
	ret = attribute_read_number(path, 10, &value);
	if (ret == -EINVAL) {
		attribute_read(path, text, sizeof(text));
		text[strcspn(text, "\n")] = '\0';
		return error_set(format_error, "%s: \"%s\" is not a number", path, text);
	}
	if (ret) {
		ret = ret == -ENOENT ? -ENODEV : ret;
		return error_set(ret, "%s: %s", path, strerror(-ret));
	}
	*number = (size_t)value;
	return 0;
}

int devdax_size(dev_t rdev, size_t *size)
{
	return read_device_number(rdev, "size", PMEM2_E_INVALID_SIZE_FORMAT, size);
}

int devdax_alignment(dev_t rdev, size_t *alignment)
{
	size_t value = 0;
	int ret = read_device_number(rdev, "align", PMEM2_E_INVALID_ALIGNMENT_FORMAT, &value);

	if (ret)
		return ret;
	if (value < page_size() || (value & (value - 1)))
		return error_set(PMEM2_E_INVALID_ALIGNMENT_VALUE,
				 "device %u:%u: alignment %zu is not a power of two of whole pages",
				 major(rdev), minor(rdev), value);
	*alignment = value;
	return 0;
}
