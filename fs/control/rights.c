/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rights.c - see rights.h
 *
 * A user can be in 65536 groups, those of its own user namespaces, and a question compares the
 * group of every mapping with them: they are sorted.
 */
#include "control/rights.h"
#include "catalog/document_version.h"
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int compare_groups(const void *left, const void *right)
{
	gid_t a = *(const gid_t *)left, b = *(const gid_t *)right;

	return (a > b) - (a < b);
}

/* The kernel keeps them sorted by the numbers that they have in the first user namespace. */
static void sort_groups(struct rights *rights)
{
	for (size_t i = 1; i < rights->group_count; i++) {
		if (rights->groups[i - 1] <= rights->groups[i])
			continue;
		qsort(rights->groups, rights->group_count, sizeof(gid_t), compare_groups);
		return;
	}
}

void rights_get(struct rights *rights, const struct ucred *peer, int socket)
{
	socklen_t size = 64 * sizeof(gid_t);
	gid_t *groups = malloc(size);

	*rights = (struct rights){.uid = peer->uid, .gid = peer->gid};
	while (groups && getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, groups, &size)) {
		gid_t *more = errno == ERANGE ? realloc(groups, size) : NULL;

		if (!more)
			free(groups);
		groups = more;
	}
	rights->groups = groups;
	rights->group_count = groups ? size / sizeof(gid_t) : 0;
	sort_groups(rights);
}

void rights_clear(struct rights *rights)
{
	free(rights->groups);
	rights->groups = NULL;
	rights->group_count = 0;
}

static bool is_in_group(const struct rights *rights, gid_t gid)
{
	return rights->gid == gid ||
	       (rights->group_count &&
		bsearch(&gid, rights->groups, rights->group_count, sizeof(gid), compare_groups));
}

bool rights_allow(const struct rights *rights, uid_t uid, gid_t gid, unsigned mode, unsigned want)
{
	if (!rights->uid)
		return true;
	/*
	 * Here a user's daemon gives documents to, and maps for, nobody but its user and root, also
	 * where allow_other lets others into its mount: they should neither rely on its word nor
	 * pass it files.
	 */
	if (geteuid() && rights->uid != geteuid())
		return false;
	if (rights->uid == uid)
		mode >>= 6;
	else if (is_in_group(rights, gid))
		mode >>= 3;
	return (mode & want) == want;
}

bool rights_allow_version(const struct rights *rights, const struct version *version, unsigned mode)
{
	struct pmem2fs_record record;

	version_record(version, &record);
	return rights_allow(rights, record.uid, record.gid, mode, S_IROTH);
}
