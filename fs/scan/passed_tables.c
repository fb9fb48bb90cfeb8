/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * passed_tables.c - see passed_tables.h
 */
#include "scan/passed_tables.h"
#include "base/pidfd.h"
#include "receive/receivers.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

const struct share passed_tables_share = {
	.what = "tables that are kept",
	.total = 640,
	.root = 64,
	.user = 256,
	.sure = PASSED_EACH,
};

void passed_table_drop(struct receivers *receivers, struct passed_table *passed)
{
	if (passed->fd >= 0)
		receivers_close_file(receivers, passed->fd, passed->uid, 0, NULL);
	if (passed->pidfd >= 0)
		close(passed->pidfd);
	free(passed);
}

void passed_tables_drop(struct receivers *receivers, struct passed_table **list)
{
	struct passed_table *passed;

	while ((passed = *list)) {
		*list = passed->next;
		passed_table_drop(receivers, passed);
	}
}

unsigned passed_tables_move(struct passed_table **from, struct passed_table **to)
{
	struct passed_table *passed;
	unsigned count = 0;

	for (; (passed = *from); count++) {
		*from = passed->next;
		passed->next = *to;
		*to = passed;
	}
	return count;
}

/* NULL: there is no descriptor to spare, or no memory. */
static struct passed_table *copy_table(const struct passed_table *passed)
{
	struct passed_table *copy = calloc(1, sizeof(*copy));

	if (!copy)
		return NULL;
	*copy = (struct passed_table){.pid = passed->pid, .uid = passed->uid, .fd = -1};
	copy->pidfd = fcntl(passed->pidfd, F_DUPFD_CLOEXEC, 0);
	if (copy->pidfd >= 0)
		copy->fd = fcntl(passed->fd, F_DUPFD_CLOEXEC, 0);
	if (copy->fd >= 0)
		return copy;
	if (copy->pidfd >= 0)
		close(copy->pidfd);
	free(copy);
	return NULL;
}

void passed_tables_copy(struct passed_table *tables, struct passed_table **copies)
{
	for (struct passed_table *passed = tables; passed; passed = passed->next) {
		passed->copy = passed->fd >= 0 ? copy_table(passed) : NULL;
		if (!passed->copy)
			continue;
		passed->copy->next = *copies;
		*copies = passed->copy;
	}
}

static void drop_ended(struct receivers *receivers, struct passed_table **kept)
{
	struct passed_table **at = kept, *old;

	while ((old = *at)) {
		if (pidfd_is_alive(old->pidfd)) {
			at = &old->next;
			continue;
		}
		*at = old->next;
		passed_table_drop(receivers, old);
	}
}

/*
 * Drops the same table if it is kept, and the oldest one of the process if these are PASSED_EACH.
 * False: its user has too many.
 */
static bool make_room(struct receivers *receivers, const struct passed_table *copy,
		      struct passed_table **kept)
{
	struct share_use use = {.uid = copy->uid};
	struct passed_table **at = kept, *old;
	unsigned each = 0;

	while ((old = *at)) {
		bool same = old->pid == copy->pid;

		if (!same || (!(old->inode && old->inode == copy->inode) && ++each < PASSED_EACH)) {
			at = &old->next;
			share_count(&use, old->uid, 1);
			continue;
		}
		*at = old->next;
		passed_table_drop(receivers, old);
	}
	return share_room(&passed_tables_share, &use);
}

void passed_tables_keep(struct receivers *receivers, const struct passed_table *seen,
			struct passed_table **copies, struct passed_table **kept)
{
	struct passed_table *copy;

	for (; seen; seen = seen->next) {
		if (!seen->copy)
			continue;
		seen->copy->wanted = seen->wanted;
		seen->copy->inode = seen->inode;
	}
	drop_ended(receivers, kept);
	while ((copy = *copies)) {
		*copies = copy->next;
		if (!copy->wanted || !make_room(receivers, copy, kept)) {
			passed_table_drop(receivers, copy);
			continue;
		}
		copy->next = *kept;
		*kept = copy;
	}
}
