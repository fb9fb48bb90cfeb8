/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.c - see release.h
 *
 * The states of a request. It ends by what the kernel shows, not by what the peer says: when the
 * peer has sent its last message about it, or has ended, the process is scanned. When the mapping
 * leaves the catalog meanwhile, that ends the request at once (struct mapping_observer). A scan
 * leaves the process out while reports of its user wait, and its tables in a pause: then it is
 * scanned again, as long as the caller waits.
 *
 * A request that has begun stays until the peer is done with it or has ended, also when its caller
 * has stopped waiting: until then, nobody else can ask for the same mapping. Every message of a
 * peer costs at most one scan of one process or one message.
 */
#include "change/release.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/errors.h"
#include "catalog/catalog.h"
#include "change/hold_up.h"
#include "change/release_peer.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#define REQUESTS_MAX 64 /* under way at one peer */
#define WHY_LENGTH   256
#define SCAN_AGAIN   (CLOCK_SECOND / 20) /* after a scan that has not read the tables */

LIST_HEAD(releases_waiting, release);

enum stage {
	STAGE_ASKED, /* nothing has happened, and nothing will without WIRE_GO */
	STAGE_BEGUN, /* WIRE_GO has been sent */
	STAGE_SCAN,  /* the process is being scanned */
	STAGE_AGAIN, /* it is to be scanned again; somebody waits */
};

struct release {
	struct waiter waiter; /* for the scan */
	struct mapping_observer observer;
	struct releases *releases;
	struct release_peer *peer;   /* until the scan */
	LIST_ENTRY(release) of_peer; /* while there is one */
	LIST_ENTRY(release) waiting; /* while somebody waits */
	enum stage stage;
	uint64_t request; /* its number on the wire */
	uint64_t mapping; /* its number */
	uint64_t asked, answer_by;
	pid_t pid;     /* of the process, from the scan on */
	uint64_t scan; /* when the scan was asked for, or is to be asked for again */
	/* Replaces `why` if no scan has read the tables in time. NULL: `why` stays. */
	const char *unknown;
	bool holds_up; /* others, while somebody waits */
	uid_t uid;     /* of the process */
	char who[64];  /* the process, for messages */
	/* What it ends with if the mapping is still there. */
	int error;
	char why[WHY_LENGTH];
	completion *finished; /* NULL: nobody waits */
	void *arg;
	struct release **handle;
};

struct releases {
	struct catalog *catalog;
	struct process_table *process_table;
	struct release_peers peers;
	uint64_t last_request;
	struct hold_up *hold_up; /* borrowed */
	struct releases_waiting waiting;
};

/* The result for the case that the mapping is still there at the end. */
static __attribute__((__format__(__printf__, 3, 4))) void
set_reason(struct release *release, int error, const char *format, ...)
{
	int n = snprintf(release->why, sizeof(release->why), "%s ", release->who);
	va_list args;

	va_start(args, format);
	vsnprintf(release->why + n, sizeof(release->why) - (size_t)n, format, args);
	va_end(args);
	release->error = error;
}

static void stop_waiting(struct release *release)
{
	release->finished = NULL;
	LIST_REMOVE(release, waiting);
	*release->handle = NULL;
	if (release->holds_up)
		hold_up_charge(release->releases->hold_up, HOLD_UP_RM, release->uid, release->asked,
			       clock_now());
}

/* Calls `finished`, once. */
static void answer_waiter(struct release *release, int error)
{
	completion *finished = release->finished;

	if (!finished)
		return;
	stop_waiting(release);
	finished(release->arg, error, error ? release->why : "");
}

static void leave_peer(struct release *release)
{
	if (!release->peer)
		return;
	LIST_REMOVE(release, of_peer);
	release->peer->request_count--;
	release->peer = NULL;
}

static struct mapping *find_released_mapping(const struct release *release)
{
	return catalog_find_number(release->releases->catalog, release->mapping);
}

/* Frees the request; its mapping can be asked for again. */
static void release_end(struct release *release, int error)
{
	struct mapping *mapping = find_released_mapping(release);

	if (mapping)
		mapping_set_observer(mapping, NULL);
	leave_peer(release);
	answer_waiter(release, error);
	free(release);
}

/* No scan has read the tables of the process in time. */
static void set_unknown(struct release *release)
{
	if (release->unknown)
		set_reason(release, EBUSY, "%s", release->unknown);
}

static void scan_done(struct waiter *waiter)
{
	struct release *release = container_of(waiter, struct release, waiter);
	struct process_table *process_table = release->releases->process_table;

	if (!find_released_mapping(release)) {
		release_end(release, 0);
	} else if (release->unknown && release->finished &&
		   !process_table_shows(process_table, release->pid, release->scan)) {
		release->stage = STAGE_AGAIN;
		release->scan = clock_now() + SCAN_AGAIN;
	} else {
		release_end(release, release->error);
	}
}

static void begin_scan(struct release *release)
{
	release->stage = STAGE_SCAN;
	release->scan = clock_now();
	release->waiter.wake = scan_done;
	if (!process_table_scan_pid(release->releases->process_table, release->pid,
				    &release->waiter))
		return;
	set_unknown(release);
	release_end(release, find_released_mapping(release) ? release->error : 0);
}

/*
 * The peer is done; a scan shows whether the mapping has gone. If it says that it has, the scan has
 * SHORT_PATIENCE of its own.
 */
static void scan_process(struct release *release, pid_t pid)
{
	uint64_t until = clock_now() + SHORT_PATIENCE;

	leave_peer(release);
	release->pid = pid;
	if (release->unknown && release->answer_by < until)
		release->answer_by = until;
	begin_scan(release);
}

static void peer_ended(struct release_peer *peer)
{
	struct release *release;

	while ((release = LIST_FIRST(&peer->requests))) {
		set_reason(release, EBUSY, "has hung up without releasing it");
		release->unknown = "has hung up, and whether it has released it is not known yet";
		scan_process(release, peer->who.pid);
	}
}

/* Ends the wait. What has begun goes on to its end. */
static void give_up(struct release *release, int error)
{
	if (release->stage == STAGE_ASKED) {
		release_peer_send(release->peer, WIRE_WITHDRAWN, release->request, 0, 0);
		release_end(release, error);
	} else if (release->stage == STAGE_AGAIN) { /* it would scan again only for a waiter */
		release_end(release, error);
	} else {
		answer_waiter(release, error);
	}
}

static void release_overdue(struct release *release)
{
	if (release->stage == STAGE_ASKED) {
		release->peer->silent = true;
		set_reason(release, EBUSY, "does not answer");
	} else if (release->stage == STAGE_BEGUN) {
		set_reason(release, EBUSY, "has begun, but has not released it in time");
	} else {
		set_unknown(release);
	}
	give_up(release, release->error);
}

static void peer_is_ready(struct release_peer *peer, struct release *release)
{
	if (release->stage != STAGE_ASKED)
		return;
	if (release->answer_by <= clock_now())
		release_overdue(release);
	else if (release_peer_send(peer, WIRE_GO, release->request, 0, 0))
		release->stage = STAGE_BEGUN;
	else
		release_peer_hang_up(peer); /* it talks and does not listen */
}

static void peer_is_done(struct release_peer *peer, struct release *release, int error)
{
	int number = error < 0 ? errors_to_errno(error) : 0;

	if (!error) {
		release->unknown = "says that it is released, but whether it is, is not known yet";
		set_reason(release, EBUSY, "says that it is released, but it still shows");
	} else if (error == PMEM2_E_NOSUPP)
		set_reason(release, EBUSY, "has no release handler for it");
	else if (number == ENOENT)
		set_reason(release, EBUSY, "has changed it meanwhile");
	else if (number > 0 && number <= EHWPOISON)
		set_reason(release, number, "refused: %s", strerror(number));
	else
		set_reason(release, EBUSY, "refused");
	scan_process(release, peer->who.pid);
}

static struct release *find_request(const struct release_peer *peer, uint64_t request)
{
	struct release *release;

	LIST_FOREACH(release, &peer->requests, of_peer)
	if (release->request == request)
		break;
	return release;
}

static void message_received(struct release_peer *peer, const struct wire_message *message)
{
	struct release *release = find_request(peer, message->request);

	if (release && message->type == WIRE_READY)
		peer_is_ready(peer, release);
	else if (release)
		peer_is_done(peer, release, message->error);
	else if (message->type == WIRE_READY)
		release_peer_send(peer, WIRE_WITHDRAWN, message->request, 0, 0);
	peer->silent = false;
}

void releases_take(struct releases *releases, int socket, const struct ucred *who, int pidfd,
		   const void *packet, size_t size, int fd)
{
	release_peers_accept(&releases->peers, socket, who, pidfd, packet, size, fd);
}

/* False: it cannot be asked, and why. */
static bool ask_peer(struct release *release, struct release_peer *peer,
		     const struct scan_state *state)
{
	if (!peer)
		set_reason(release, EBUSY, "has no release handler");
	else if (release->holds_up && peer->silent)
		set_reason(release, EBUSY, "does not answer");
	else if (release->holds_up &&
		 !hold_up_may(release->releases->hold_up, HOLD_UP_RM, peer->who.uid, clock_now()))
		set_reason(
			release, EBUSY,
			"or another process, of user %u or of one of many users, has made others "
			"wait too long: pmem2ctl unmap can wait for it",
			peer->who.uid);
	else if (peer->request_count >= REQUESTS_MAX)
		set_reason(release, EBUSY, "is being asked for %u mappings already", REQUESTS_MAX);
	else if (!release_peer_send(peer, WIRE_ASK, release->request, state->slot,
				    state->generation)) {
		set_reason(release, EBUSY, "does not answer");
		peer->silent = true;
	} else {
		return true;
	}
	return false;
}

static void mapping_is_gone(struct release *release, int error)
{
	if (release->stage == STAGE_BEGUN)
		release_end(release, error);
	else
		give_up(release, error);
}

static struct release *observing_release(struct mapping_observer *observer)
{
	return container_of(observer, struct release, observer);
}

static void mapping_leaving(struct mapping_observer *observer)
{
	mapping_is_gone(observing_release(observer), 0);
}

static void mapping_replaced(struct mapping_observer *observer)
{
	struct release *release = observing_release(observer);

	if (release->stage == STAGE_ASKED || release->stage == STAGE_BEGUN)
		set_reason(release, EBUSY, "has changed it meanwhile");
	mapping_is_gone(release, release->error);
}

/*
 * The peer that is to be asked for the mapping, or NULL. A process that was not root's when it
 * connected, and is another user's by now, runs a set-uid program: that program has not made the
 * connection, and may not know of it.
 */
static struct release_peer *find_peer(const struct releases *releases, struct mapping *mapping)
{
	const struct scan_state *state = mapping_scan_state(mapping);
	struct release_peer *peer =
		release_peers_find(&releases->peers, state->process, state->table);
	struct pmem2fs_record record;

	version_record(mapping_version(mapping), &record);
	return peer && (!peer->who.uid || peer->who.uid == record.uid) ? peer : NULL;
}

void release_begin(struct releases *releases, struct mapping *mapping, uint64_t patience,
		   completion *finished, void *arg, struct release **handle)
{
	const struct scan_state *state = mapping_scan_state(mapping);
	const struct process *process = state->process;
	struct release *release = calloc(1, sizeof(*release));
	struct release_peer *peer = find_peer(releases, mapping);

	*handle = NULL;
	if (!release) {
		finished(arg, ENOMEM, "out of memory");
		return;
	}
	release->releases = releases;
	release->request = ++releases->last_request;
	release->mapping = mapping_number(mapping);
	release->asked = clock_now();
	release->answer_by = release->asked + patience;
	release->holds_up = patience <= SHORT_PATIENCE;
	snprintf(release->who, sizeof(release->who), "%d (%s)", (int)process->pid, process->comm);
	if (!ask_peer(release, peer, state)) {
		finished(arg, release->error, release->why);
		free(release);
		return;
	}
	release->finished = finished;
	release->arg = arg;
	release->handle = handle;
	*handle = release;
	LIST_INSERT_HEAD(&releases->waiting, release, waiting);
	release->peer = peer;
	release->uid = peer->who.uid;
	LIST_INSERT_HEAD(&peer->requests, release, of_peer);
	peer->request_count++;
	release->observer =
		(struct mapping_observer){.leaving = mapping_leaving, .replaced = mapping_replaced};
	mapping_set_observer(mapping, &release->observer);
}

void release_withdraw(struct release *release)
{
	stop_waiting(release);
	give_up(release, 0);
}

static uint64_t due(const struct release *release)
{
	return release->stage == STAGE_AGAIN ? clock_earlier(release->scan, release->answer_by)
					     : release->answer_by;
}

uint64_t releases_expire(struct releases *releases, uint64_t now)
{
	struct release *release, *next_release;
	uint64_t next = UINT64_MAX;

	for (release = LIST_FIRST(&releases->waiting); release; release = next_release) {
		next_release = LIST_NEXT(release, waiting);
		if (release->answer_by <= now) {
			release_overdue(release);
		} else if (release->stage == STAGE_AGAIN && release->scan <= now) {
			begin_scan(release);
			next = now; /* the loop asks again what is due: the scan is watched, too */
		} else {
			next = clock_earlier(next, due(release));
		}
	}
	release_peers_sweep(&releases->peers);
	return next;
}

struct releases *releases_new(struct catalog *catalog, struct process_table *process_table,
			      struct receivers *receivers, struct hold_up *hold_up, int first,
			      int users)
{
	struct releases *releases = calloc(1, sizeof(*releases));

	if (!releases)
		return NULL;
	releases->catalog = catalog;
	releases->process_table = process_table;
	releases->hold_up = hold_up;
	releases->peers = (struct release_peers){
		.process_table = process_table,
		.receivers = receivers,
		.first = first,
		.users = users,
		.received = message_received,
		.ended = peer_ended,
	};
	return releases;
}

void releases_free(struct releases *releases)
{
	struct release_peer *peer;
	struct release *release, *next;

	if (!releases)
		return;
	for (release = LIST_FIRST(&releases->waiting); release; release = next) {
		next = LIST_NEXT(release, waiting);
		if (release->stage == STAGE_AGAIN)
			free(release);
	}
	LIST_FOREACH(peer, &releases->peers.list, others)
	while ((release = LIST_FIRST(&peer->requests))) {
		leave_peer(release);
		free(release);
	}
	release_peers_clear(&releases->peers);
	free(releases);
}
