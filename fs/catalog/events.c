/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.c - see events.h
 */
#include "catalog/events.h"
#include "base/clock.h"
#include "base/json_fields.h"
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

struct subscriber {
	struct subscriber *next;
	int socket;
	uid_t uid;
	json_int_t lost;
};

struct events {
	struct subscriber *subscribers;
};

struct events *events_new(void)
{
	return calloc(1, sizeof(struct events));
}

void events_free(struct events *events)
{
	while (events && events->subscribers)
		events_unsubscribe(events, events->subscribers->socket);
	free(events);
}

int events_subscribe(struct events *events, int socket, uid_t uid)
{
	struct subscriber *subscriber;

	for (subscriber = events->subscribers; subscriber; subscriber = subscriber->next)
		if (subscriber->socket == socket)
			return 0;
	subscriber = calloc(1, sizeof(*subscriber));
	if (!subscriber)
		return -ENOMEM;
	subscriber->socket = socket;
	subscriber->uid = uid;
	subscriber->next = events->subscribers;
	events->subscribers = subscriber;
	return 0;
}

void events_unsubscribe(struct events *events, int socket)
{
	struct subscriber **at = &events->subscribers, *subscriber;

	while (*at && (*at)->socket != socket)
		at = &(*at)->next;
	subscriber = *at;
	if (!subscriber)
		return;
	*at = subscriber->next;
	free(subscriber);
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
static bool send_event(int socket, const json_t *event)
{
	char *text = json_dumps(event, JSON_COMPACT);
	bool fits = text && (send(socket, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
			     (errno != EAGAIN && errno != ENOBUFS));

	free(text);
	return fits;
}

static void send_to_subscriber(struct subscriber *subscriber, const json_t *event)
{
	if (subscriber->lost) {
		json_t *lost = event_new("lost");

		json_object_set_new(lost, "count", json_integer(subscriber->lost));
		if (send_event(subscriber->socket, lost))
			subscriber->lost = 0;
		json_decref(lost);
	}
	if (subscriber->lost || !send_event(subscriber->socket, event))
		subscriber->lost++;
}

/* Sends to root and to the user whose event it is. Takes ownership of the event. */
static void send_to_all(struct events *events, json_t *event, uid_t uid)
{
	json_object_set_new(event, "uid", json_integer(uid));
	for (struct subscriber *s = events->subscribers; s; s = s->next)
		if (!s->uid || s->uid == uid)
			send_to_subscriber(s, event);
	json_decref(event);
}

/* Takes ownership of `more` (may be NULL): further members of the event. */
static void send_mapping_event(struct events *events, const char *what,
			       const struct mapping *mapping, json_t *more)
{
	struct pmem2fs_record record;
	char address[24];
	json_t *event;

	if (events->subscribers) {
		version_record(mapping_version(mapping), &record);
		event = event_new(what);
		json_field_bytes(event, "name", mapping_name(mapping));
		snprintf(address, sizeof(address), "0x%llx", (unsigned long long)record.address);
		json_object_set_new(event, "address", json_string(address));
		json_object_set_new(event, "length", json_integer((json_int_t)record.length));
		json_object_update(event, more);
		send_to_all(events, event, record.uid);
	}
	json_decref(more);
}

void events_mapped(struct events *events, const struct mapping *mapping)
{
	send_mapping_event(events, "map", mapping, NULL);
}

void events_unmapped(struct events *events, const struct mapping *mapping)
{
	send_mapping_event(events, "unmap", mapping, NULL);
}

void events_unmapped_range(struct events *events, const struct mapping *mapping, uint64_t offset,
			   uint64_t length)
{
	send_mapping_event(events, "unmap_range", mapping,
			   json_pack("{s:{s:I, s:I}}", "range", "offset", (json_int_t)offset,
				     "length", (json_int_t)length));
}

void events_renamed(struct events *events, const struct mapping *mapping, const char *old_name)
{
	json_t *more = json_object();

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

	if (events->subscribers)
		send_mapping_event(events, "change", mapping,
				   json_pack("{s:s, s:o}", "state", version_state(version),
					     "badblocks", badblocks_of(version)));
}

void events_failed(struct events *events, const char *operation, const char *name, uid_t uid,
		   int error, const char *why)
{
	json_t *event;

	if (!events->subscribers)
		return;
	event = event_new("failed");
	json_object_set_new(event, "operation", json_string(operation));
	json_field_bytes(event, "name", name);
	json_object_set_new(event, "errno", json_integer(error));
	json_field_bytes(event, "message", why);
	send_to_all(events, event, uid);
}
