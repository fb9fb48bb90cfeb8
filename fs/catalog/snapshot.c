/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshot.c - see snapshot.h
 *
 * The snapshot has the version that each mapping had at its moment. A version that is still current
 * was there if its serial number is at most `newest`. A version that was replaced or removed
 * since, before the snapshot came to its name, is in `gone`.
 */
#include "catalog/snapshot.h"
#include "base/clock.h"
#include "catalog/mapping_fields.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define PORTION 32 /* names, between two looks at the clock */

int snapshot_begin(struct snapshot *snapshot, struct catalog *catalog)
{
	struct snapshots *snapshots = catalog_snapshots(catalog);
	struct catalog_totals totals = catalog_totals(catalog);

	snapshot->versions = calloc(totals.entries + totals.foreign + 1, sizeof(struct version *));
	if (!snapshot->versions)
		return -ENOMEM;
	snapshot->count = 0;
	snapshot->removed = catalog_removed(catalog);
	snapshot->newest = snapshots->last_serial;
	snapshot->passed[0] = '\0';
	snapshot->gone = (struct name_tree){.name_of = gone_version_name};
	snapshot->failed = false;
	snapshot->taking = true;
	LIST_INSERT_HEAD(&snapshots->list, snapshot, others);
	return 0;
}

static bool is_wanted(const struct snapshot *snapshot, const struct version *version)
{
	return !snapshot->wanted || snapshot->wanted(snapshot->arg, version);
}

static void take_gone(struct snapshot *snapshot, struct catalog *catalog, struct gone_version *gone)
{
	name_tree_remove(&snapshot->gone, &gone->entry);
	if (is_wanted(snapshot, gone->version))
		snapshot->versions[snapshot->count++] = gone->version;
	else
		version_release(catalog, gone->version);
	free(gone);
}

static void take_current(struct snapshot *snapshot, const struct mapping *mapping)
{
	struct version *version = mapping->version;

	if (version && version->serial <= snapshot->newest && !mapping->ended &&
	    is_wanted(snapshot, version))
		snapshot->versions[snapshot->count++] = version_hold(version);
}

/*
 * Passes the next name, which *passed points to until the portion ends. Returns whether there was
 * one.
 */
static bool pass_name(struct snapshot *snapshot, struct catalog *catalog, struct mapping **next,
		      const char **passed)
{
	struct name_entry *gone = name_tree_above(&snapshot->gone, "");
	const struct mapping *mapping = *next;

	if (!mapping && !gone)
		return false;
	if (!mapping || (gone && strcmp(gone_version_name(gone), mapping_name(mapping)) < 0)) {
		strcpy(snapshot->passed, gone_version_name(gone));
		*passed = snapshot->passed;
		take_gone(snapshot, catalog, gone_version_of(gone));
	} else { /* a version with this name that has gone is next */
		take_current(snapshot, mapping);
		*passed = mapping_name(mapping);
		*next = catalog_next_name(mapping);
	}
	return true;
}

/* No more is to be given to it. */
static void leave(struct snapshot *snapshot)
{
	LIST_REMOVE(snapshot, others);
	snapshot->taking = false;
}

int snapshot_work(struct snapshot *snapshot, struct catalog *catalog, uint64_t until)
{
	struct mapping *next = catalog_above_name(catalog, snapshot->passed);
	const char *passed;

	for (unsigned i = 1; pass_name(snapshot, catalog, &next, &passed); i++) {
		if (i % PORTION || clock_now() < until)
			continue;
		if (passed != snapshot->passed)
			strcpy(snapshot->passed, passed);
		return snapshot->failed ? -ENOMEM : -EAGAIN;
	}
	leave(snapshot);
	return snapshot->failed ? -ENOMEM : 0;
}

void snapshot_clear(struct snapshot *snapshot, struct catalog *catalog)
{
	struct name_entry *entry;

	if (snapshot->taking)
		leave(snapshot);
	while ((entry = snapshot->gone.root)) {
		struct gone_version *gone = gone_version_of(entry);

		name_tree_remove(&snapshot->gone, entry);
		version_release(catalog, gone->version);
		free(gone);
	}
	free(snapshot->versions);
	snapshot->versions = NULL;
}
