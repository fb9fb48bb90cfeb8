/* SPDX-License-Identifier: BSD-3-Clause */
/* nvdimm.h - contexts and regions of libndctl */
#ifndef PMEM2FS_LIB_DEVICE_NVDIMM_H
#define PMEM2FS_LIB_DEVICE_NVDIMM_H

#include <ndctl/libndctl.h>

/*
 * Creates a context that writes nothing to stderr; the caller frees it with ndctl_unref. Each call
 * of the library uses its own: contexts are not thread-safe, and cache what they read.
 */
int nvdimm_open(struct ndctl_ctx **ctx);

/* The region of this name, which the context owns; NULL: there is none. */
struct ndctl_region *nvdimm_find_region(struct ndctl_ctx *ctx, const char *name);

#endif
