/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * snapshots.c - see snapshots.h
 */
#include "catalog/snapshots.h"
#include "base/container_of.h"
#include <stdlib.h>
#include <string.h>

struct gone_version *gone_version_of(struct name_entry *entry)
{
	return container_of(entry, struct gone_version, entry);
}

const char *gone_version_name(const struct name_entry *entry)
{
	return gone_version_of((struct name_entry *)entry)->version->text;
}

static bool wants(const struct snapshot *snapshot, const struct version *version)
{
	return version->serial <= snapshot->newest && strcmp(version->text, snapshot->passed) > 0;
}

bool snapshots_want(const struct snapshots *snapshots, const struct version *version)
{
	const struct snapshot *snapshot;

	LIST_FOREACH(snapshot, &snapshots->list, others)
	if (wants(snapshot, version))
		return true;
	return false;
}

void snapshots_keep(struct snapshots *snapshots, struct version *version)
{
	struct gone_version *gone;
	struct snapshot *snapshot;

	LIST_FOREACH(snapshot, &snapshots->list, others)
	{
		if (!wants(snapshot, version))
			continue;
		gone = malloc(sizeof(*gone));
		if (!gone) {
			snapshot->failed = true;
			continue;
		}
		gone->version = version_hold(version);
		name_tree_add(&snapshot->gone, &gone->entry);
	}
}
