/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log_limit.c - see log_limit.h
 */
#include "base/log_limit.h"
#include <inttypes.h>
#include <stdio.h>

/* The places in the array of allowances of a topic. */
enum { ROOT, OTHERS, FIRST_USER, PLACES = FIRST_USER + LOG_LIMIT_USERS };

static const char *const topics[] = {
	[LOG_TOPIC_REQUESTS] = "failed requests",
	[LOG_TOPIC_CONNECTIONS] = "connections",
	[LOG_TOPIC_PROCESSES] = "processes",
	[LOG_TOPIC_DAEMON] = "the daemon",
};

/* Whether another user can get the allowance: it owes nothing, and no report is due. */
static bool is_free(const struct log_allowance *allowance, uint64_t now)
{
	return allowance->paid <= now && !allowance->left_out;
}

static struct log_allowance *find_allowance(struct log_allowance *allowances, uid_t uid,
					    uint64_t now)
{
	struct log_allowance *found = NULL;

	if (!uid)
		return &allowances[ROOT];
	for (size_t i = FIRST_USER; i < PLACES; i++) {
		if (allowances[i].uid == uid)
			return &allowances[i];
		if (!found && is_free(&allowances[i], now))
			found = &allowances[i];
	}
	if (!found)
		return &allowances[OTHERS];
	found->uid = uid;
	return found;
}

bool log_limit_take(struct log_limit *limit, enum log_topic topic, uid_t uid, uint64_t now)
{
	struct log_allowance *allowance = find_allowance(limit->allowances[topic], uid, now);

	if (allowance->paid <= now + (LOG_LIMIT_BURST - 1) * LOG_LIMIT_PERIOD) {
		allowance->paid =
			(allowance->paid > now ? allowance->paid : now) + LOG_LIMIT_PERIOD;
		return true;
	}
	if (!allowance->left_out++)
		allowance->report_by = now + LOG_LIMIT_REPORT;
	return false;
}

/* Sets *topic and *place to those of the report that is due first. Returns when it is due. */
static uint64_t find_due(const struct log_limit *limit, size_t *topic, size_t *place)
{
	uint64_t due = UINT64_MAX;

	for (size_t i = 0; i < LOG_TOPICS; i++)
		for (size_t k = 0; k < PLACES; k++) {
			const struct log_allowance *allowance = &limit->allowances[i][k];

			if (!allowance->left_out || allowance->report_by >= due)
				continue;
			due = allowance->report_by;
			*topic = i;
			*place = k;
		}
	return due;
}

uint64_t log_limit_due(const struct log_limit *limit)
{
	size_t topic, place;

	return find_due(limit, &topic, &place);
}

bool log_limit_report(struct log_limit *limit, uint64_t now, char text[LOG_LIMIT_TEXT])
{
	struct log_allowance *allowance;
	size_t topic = 0, place = 0;
	uint64_t due = find_due(limit, &topic, &place);
	char user[32];

	if (due == UINT64_MAX || due > now)
		return false;
	allowance = &limit->allowances[topic][place];
	snprintf(user, sizeof(user), "user %u", (unsigned)allowance->uid);
	snprintf(text, LOG_LIMIT_TEXT, "lines left out on %s of %s: %" PRIu64, topics[topic],
		 place == OTHERS ? "other users" : user, allowance->left_out);
	allowance->left_out = 0;
	return true;
}
