/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * time_quota.h - the share that each user has in what a thread does: time, and room for mappings
 *
 * Time is a credit that grows as time passes and is spent by what is done for the user. Root needs
 * none. Owned and used by one thread.
 */
#ifndef PMEM2FS_BASE_TIME_QUOTA_H
#define PMEM2FS_BASE_TIME_QUOTA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct user_quota {
	uid_t uid;
	int64_t credit; /* ns, as of `at` */
	uint64_t at;
	size_t mappings; /* of the user's processes that are shown */
	bool warned;     /* that some are not */
};

struct quota {
	void *tree;
	uint64_t debts_until; /* when everybody has credit again */
};

void quota_clear(struct quota *quota);

/* NULL when memory runs out. */
struct user_quota *quota_of(struct quota *quota, uid_t uid);

/* Whether the user has credit left; and charges the user for time that was spent. */
bool quota_has_credit(struct user_quota *user, uint64_t now);
void quota_charge(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent);

#endif
