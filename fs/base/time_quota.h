/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * time_quota.h - the share that each user has in what a thread does: time, and room for what is
 * known
 *
 * Time is a credit that grows as time passes, up to a quarter of a second, and is spent by what is
 * done for the user. However many users spend at the same time, together they get as much as two
 * users would: time is left for root, and a scan of all processes comes to its end. Root and the
 * daemon's own user need no credit. Owned and used by one thread.
 */
#ifndef PMEM2FS_BASE_TIME_QUOTA_H
#define PMEM2FS_BASE_TIME_QUOTA_H

#include "base/share.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What there is only so much room for. */
enum quota_kind {
	QUOTA_PROCESSES, /* that are known: each of 192 users is sure of 256 */
	QUOTA_MAPPINGS,  /* that are shown: each of 187 users is sure of 2000 */
	QUOTA_KINDS,
};
extern const struct share quota_shares[QUOTA_KINDS];

struct user_quota {
	uid_t uid;
	bool free;      /* needs no credit */
	int64_t credit; /* ns, as of `at` */
	uint64_t at;
	uint64_t spent; /* since quota_tidy */
	/* The scanner's: */
	size_t taken[QUOTA_KINDS];
	bool warned;                  /* the log says that not all that the user has is shown */
	struct user_quota *next_idle; /* of quota_tidy */
};

struct quota {
	unsigned share; /* of the time that passes, one or two users get one part in so many each */
	void *tree;
	size_t taken[QUOTA_KINDS];
	uint64_t debts_until; /* from then on every user has credit */
	unsigned spenders;    /* who share the time, as quota_tidy counted them */
	uint64_t tidied;      /* when it did */
};

void quota_clear(struct quota *quota);

/*
 * Counts who spends, and forgets users who spend nothing and have nothing: what quota_of has
 * returned is no longer valid. To be called now and then.
 */
void quota_tidy(struct quota *quota, uint64_t now);

/* NULL when memory runs out. */
struct user_quota *quota_of(struct quota *quota, uid_t uid);

/* Whether the user has credit left; and charges the user for time that was spent. */
bool quota_has_credit(const struct quota *quota, struct user_quota *user, uint64_t now);
void quota_charge(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent);
/*
 * The same for what does not wait for credit. A user who has none owes no more for it, so that what
 * does wait comes soon when the user stops.
 */
void quota_charge_now(struct quota *quota, struct user_quota *user, uint64_t now, uint64_t spent);

/* Counts what the user has taken, or given up. */
void quota_add(struct quota *quota, struct user_quota *user, enum quota_kind kind, size_t count);
void quota_remove(struct quota *quota, struct user_quota *user, enum quota_kind kind, size_t count);

/* How many more places the user may take; and why it may take none, for messages. */
size_t quota_room(struct quota *quota, const struct user_quota *user, enum quota_kind kind);
void quota_refusal(struct quota *quota, const struct user_quota *user, enum quota_kind kind,
		   char *why, size_t size);
/* When the user will have credit, after it was asked for in vain. */
uint64_t quota_due(const struct quota *quota, const struct user_quota *user);

#endif
