/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * quota.h - the share that each user has in what the scanner does: time, and room for mappings
 *
 * Time is a credit that grows as time passes and is spent by looking at the user's processes. Root
 * needs none.
 */
#ifndef PMEM2FS_QUOTA_H
#define PMEM2FS_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct user_quota {
	uid_t uid;
	int64_t credit; /* ns, as of `at` */
	uint64_t at;
	size_t mappings; /* of his processes, told of */
	bool warned;
};

struct quota {
	void *tree;
	uint64_t debts_until; /* when everybody has credit again */
};

void quota_clear(struct quota *users);

/* NULL when memory runs out. */
struct user_quota *quota_of(struct quota *users, uid_t uid);

/* Whether there is time for him; and time was spent for him. */
bool quota_has_credit(struct user_quota *user, uint64_t now);
void quota_charge(struct quota *users, struct user_quota *user, uint64_t now, uint64_t spent);

#endif
