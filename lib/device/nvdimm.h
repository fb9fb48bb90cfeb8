/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nvdimm.h - libndctl, as this library uses it
 */
#ifndef PMEM2FS_LIB_DEVICE_NVDIMM_H
#define PMEM2FS_LIB_DEVICE_NVDIMM_H

#include <ndctl/libndctl.h>

/*
 * Gives a context that says nothing on standard error, to be given back with ndctl_unref. A call of
 * ours makes one for itself: contexts are not thread-safe, and remember what they have once read.
 */
int nvdimm_open(struct ndctl_ctx **ctx);

/* The region of that name, which belongs to the context; NULL: there is none. */
struct ndctl_region *nvdimm_find_region(struct ndctl_ctx *ctx, const char *name);

#endif
