/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * leftovers.h - versions that only the kernel still knows
 *
 * The kernel keeps what it has looked up until it is looked up again or the memory is needed for
 * something else. Versions of mappings that come and go would pile up meanwhile: a leftover that is
 * due is to be invalidated (invalidate.h). It is due at once if its mapping belongs to another
 * process and the kernel may still use its entry without asking (struct version, `cached`).
 * Linked through the versions; used by the request loop alone.
 */
#ifndef PMEM2FS_CATALOG_LEFTOVERS_H
#define PMEM2FS_CATALOG_LEFTOVERS_H

#include "base/clock.h"
#include "catalog/document_version.h"
#include <stdint.h>

/* The kernel has so long to forget a leftover by itself, as after unlink, before it is due. */
#define LEFTOVERS_AGE CLOCK_SECOND

/* The kernel may cache the entry of a mapping of another process for this time at most. */
#define LEFTOVERS_CACHED (CLOCK_SECOND / 10)

/* All zero at first. Sorted by the time when they are due. */
struct leftovers {
	struct version *first, *last;
	struct version *last_cached; /* NULL: no leftover is cached */
};

void leftovers_add(struct leftovers *leftovers, struct version *version, uint64_t now);

/* Has no effect on a version that is not among them. */
void leftovers_remove(struct leftovers *leftovers, struct version *version);

/* When a leftover is due. */
uint64_t leftover_due(const struct version *version);

/* When the first one is due, UINT64_MAX for never. */
uint64_t leftovers_due(const struct leftovers *leftovers);

/* When the first cached leftover was added, UINT64_MAX: there is none. */
uint64_t leftovers_cached(const struct leftovers *leftovers);

#endif
