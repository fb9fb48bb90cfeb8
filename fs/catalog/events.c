/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c - see events.h
 */
#include "catalog/events.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include "base/json_text.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct events {
	struct subscriber *subscribers;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
	free(events);
}

/* The place in the list that points to the subscriber, or to the end. */
static struct subscriber **place_of(struct events *events, const struct subscriber *subscriber)
{
	struct subscriber **at = &events->subscribers;

	while (*at && *at != subscriber)
		at = &(*at)->next;
	return at;
}

void events_subscribe(struct events *events, struct subscriber *subscriber)
{
	if (*place_of(events, subscriber))
		return;
	subscriber->lost = 0;
	subscriber->next = events->subscribers;
	events->subscribers = subscriber;
}

void events_unsubscribe(struct events *events, struct subscriber *subscriber)
{
	struct subscriber **at = place_of(events, subscriber);

	if (*at)
		*at = subscriber->next;
}

bool events_wanted(const struct events *events)
{
	return events->subscribers != NULL;
}

static json_t *event_new(const char *what)
{
	json_t *event = json_pack("{s:s}", "event", what);
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	json_field_time(event, "time", (uint64_t)now.tv_sec * CLOCK_SECOND + (uint64_t)now.tv_nsec);
	return event;
}

/* False: the reader is too slow. That it has gone is noticed by its connection. */
static bool send_text(const struct subscriber *subscriber, const char *text)
{
	return text &&
	       (send(subscriber->socket, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
		(errno != EAGAIN && errno != ENOBUFS));
}

static bool is_for(const struct subscriber *subscriber, uid_t uid)
{
	return !subscriber->uid || subscriber->uid == uid;
}

/*
 * To be called for each event of a user, before it is made. Counts it for subscribers that lose it.
 * Returns whether anybody can take it.
 */
static bool begin_event(struct events *events, uid_t uid)
{
	bool taken = false;

	for (struct subscriber *s = events->subscribers; s; s = s->next) {
		if (!is_for(s, uid))
			continue;
		if (s->lost)
			s->lost++;
		else
			taken = true;
	}
	return taken;
}

/* Sends to root and to the user whose event it is. Takes ownership of the event. */
static void send_event(struct events *events, json_t *event, uid_t uid)
{
	char *text;

	json_object_set_new(event, "uid", json_integer(uid));
	text = json_text(event, JSON_COMPACT);
	for (struct subscriber *s = events->subscribers; s; s = s->next) {
		if (!is_for(s, uid) || s->lost || send_text(s, text))
			continue;
		s->lost = 1;
		s->full(s);
	}
	free(text);
	json_decref(event);
}

void events_writable(struct subscriber *subscriber)
{
	json_t *event;
	char *text;

	if (!subscriber->lost)
		return;
	event = event_new("lost");
	json_object_set_new(event, "count", json_integer((json_int_t)subscriber->lost));
	text = json_text(event, JSON_COMPACT);
	if (send_text(subscriber, text))
		subscriber->lost = 0;
	free(text);
	json_decref(event);
}

/* Takes ownership of `more` (may be NULL): further members of the event. */
static void send_mapping_event(struct events *events, const char *what,
			       const struct mapping *mapping, json_t *more)
{
	struct pmem2fs_record record;
	char address[24];
	json_t *event;

	version_record(mapping_version(mapping), &record);
	event = event_new(what);
	json_field_bytes(event, "name", mapping_name(mapping));
	snprintf(address, sizeof(address), "0x%llx", (unsigned long long)record.address);
	json_object_set_new(event, "address", json_string(address));
	json_object_set_new(event, "length", json_integer((json_int_t)record.length));
	json_object_update(event, more);
	json_decref(more);
	send_event(events, event, record.uid);
}

/* As begin_event, for an event of a mapping. */
static bool begin_mapping_event(struct events *events, const struct mapping *mapping)
{
	struct pmem2fs_record record;

	if (!events->subscribers)
		return false;
	version_record(mapping_version(mapping), &record);
	return begin_event(events, record.uid);
}

void events_mapped(struct events *events, const struct mapping *mapping)
{
	if (begin_mapping_event(events, mapping))
		send_mapping_event(events, "map", mapping, NULL);
}

void events_unmapped(struct events *events, const struct mapping *mapping)
{
	if (begin_mapping_event(events, mapping))
		send_mapping_event(events, "unmap", mapping, NULL);
}

void events_unmapped_range(struct events *events, const struct mapping *mapping, uint64_t offset,
			   uint64_t length)
{
	if (begin_mapping_event(events, mapping))
		send_mapping_event(events, "unmap_range", mapping,
				   json_pack("{s:{s:I, s:I}}", "range", "offset",
					     (json_int_t)offset, "length", (json_int_t)length));
}

void events_renamed(struct events *events, const struct mapping *mapping, const char *old_name)
{
	json_t *more;

	if (!begin_mapping_event(events, mapping))
		return;
	more = json_object();
	json_field_bytes(more, "old_name", old_name);
	send_mapping_event(events, "rename", mapping, more);
}

static json_t *badblocks_of(const struct version *version)
{
	json_t *array;

	if (!version->badblocks_known)
		return json_null();
	array = json_array();
	for (uint32_t i = 0; i < version->badblock_count; i++)
		json_array_append_new(array,
				      json_pack("{s:I, s:I}", "offset",
						(json_int_t)version->badblocks[i].offset, "length",
						(json_int_t)version->badblocks[i].length));
	return array;
}

void events_changed(struct events *events, const struct mapping *mapping)
{
	const struct version *version = mapping_version(mapping);

	if (begin_mapping_event(events, mapping))
		send_mapping_event(events, "change", mapping,
				   json_pack("{s:s, s:o}", "state", version_state(version),
					     "badblocks", badblocks_of(version)));
}

void events_failed(struct events *events, const char *operation, const char *name, uid_t uid,
		   int error, const char *why)
{
	json_t *event;

	if (!begin_event(events, uid))
		return;
	event = event_new("failed");
	json_object_set_new(event, "operation", json_string(operation));
	json_field_bytes(event, "name", name);
	json_object_set_new(event, "errno", json_integer(error));
	json_field_bytes(event, "message", why);
	send_event(events, event, uid);
}
