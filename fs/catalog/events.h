/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * events.h - events for subscribers at the socket (control.h has the form)
 *
 * A subscriber that reads too slowly loses events; the next one says how many. Owns the list of
 * subscribers, not their sockets. Used by the request loop alone.
 */
#ifndef PMEM2FS_CATALOG_EVENTS_H
#define PMEM2FS_CATALOG_EVENTS_H

#include "catalog/catalog.h"
#include <stdbool.h>
#include <sys/types.h>

struct events;

struct events *events_new(void);
void events_free(struct events *events);

/* The socket is borrowed until events_unsubscribe. Root gets all events. Returns 0 or -ENOMEM. */
int events_subscribe(struct events *events, int socket, uid_t uid);
void events_unsubscribe(struct events *events, int socket);

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
