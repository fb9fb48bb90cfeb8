/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * failure.c - see failure.h
 */
#include "change/failure.h"
#include "base/log.h"
#include "catalog/events.h"

void failure_report(struct events *events, const char *operation, const char *name, uid_t uid,
		    int error, const char *why)
{
	log_of_user(LOG_TOPIC_REQUESTS, uid, LOG_WARNING, "%s", why);
	events_failed(events, operation, name, uid, error, why);
}
