/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h - events for subscribers at the socket (control.h has the form)
 *
 * An event is made once for all subscribers. A subscriber whose socket is full costs nothing until
 * there is room again, and then gets the number of events that it has lost. Used by the request
 * loop alone.
 */
#ifndef PMEM2FS_CATALOG_EVENTS_H
#define PMEM2FS_CATALOG_EVENTS_H

#include "catalog/catalog.h"
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct events;

/* Part of its owner's struct, and linked into a list while it is subscribed. */
struct subscriber {
	/* Set by the owner. */
	int socket; /* borrowed while it is subscribed */
	uid_t uid;  /* root gets all events */
	/* The socket takes no more: events_writable is to be called when it does. */
	void (*full)(struct subscriber *subscriber);

	/* Set by events.c. */
	struct subscriber *next;
	uint64_t lost; /* events since the socket was full; 0: it is not */
};

struct events *events_new(void);
void events_free(struct events *events);

/* A second call has no effect. */
void events_subscribe(struct events *events, struct subscriber *subscriber);
void events_unsubscribe(struct events *events, struct subscriber *subscriber);

/* The socket of a subscriber takes something: sends how many events it has lost. */
void events_writable(struct subscriber *subscriber);

/* Whether there is any subscriber. */
bool events_wanted(const struct events *events);

void events_mapped(struct events *events, const struct mapping *mapping);
void events_unmapped(struct events *events, const struct mapping *mapping);
/* A part of it, in bytes from its start. */
void events_unmapped_range(struct events *events, const struct mapping *mapping, uint64_t offset,
			   uint64_t length);
void events_renamed(struct events *events, const struct mapping *mapping, const char *old_name);
/* Its state or its bad blocks have changed. */
void events_changed(struct events *events, const struct mapping *mapping);
void events_failed(struct events *events, const char *operation, const char *name, uid_t uid,
		   int error, const char *why);

#endif
