/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvdimm.c - contexts and regions of libndctl
 *
 * Owns nothing. Calls libndctl and base/error.
 */
#include "device/nvdimm.h"
#include "base/error.h"

#include <daxctl/libdaxctl.h>
#include <string.h>

/* The program owns stderr, to which the libraries would write. */
int nvdimm_open(struct ndctl_ctx **ctx)
{
	int error = ndctl_new(ctx);

	if (error)
		return error_set(error, "libndctl: %s", strerror(-error));
	ndctl_set_log_priority(*ctx, 0);
	daxctl_set_log_priority(ndctl_get_daxctl_ctx(*ctx), 0);
	return 0;
}

struct ndctl_region *nvdimm_find_region(struct ndctl_ctx *ctx, const char *name)
{
	struct ndctl_region *region;
	struct ndctl_bus *bus;

	ndctl_bus_foreach (ctx, bus)
		ndctl_region_foreach (bus, region)
			if (!strcmp(ndctl_region_get_devname(region), name))
				return region;
	return NULL;
}
