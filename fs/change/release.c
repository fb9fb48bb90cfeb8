/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release.c - see release.h
 *
 * A request ends in what the kernel shows, not in what the peer says: when the peer has spoken its
 * last word on it, or has gone, the process is looked at. What leaves the name space meanwhile
 * ends it as well, at once (struct mapping_observer).
 *
 * A request that has begun stays on until the peer is done with it or has gone, also when nobody
 * waits any more: so long nobody else can ask for the same mapping. Every packet of a peer costs
 * at most one look or one packet, and it may send two for each request.
 */
#include "change/release.h"
#include "base/clock.h"
#include "base/container_of.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/watch.h"
#include "catalog/catalog.h"
#include "format/wire.h"
#include "scan/process_table.h"
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77 /* Linux 6.5 */
#endif

#define PEERS_MAX      4096
#define PEERS_PER_USER 1024 /* other than root */
#define REQUESTS_MAX   64   /* under way at one peer */
#define WHY_LENGTH     256

/* Of the time, what processes of a user other than root may hold others up: at once, and a share.
 */
#define HOLD_UP_BURST (2 * CLOCK_SECOND)
#define HOLD_UP_SHARE 50
#define HOLD_UP_USERS 16 /* that are told apart */

LIST_HEAD(releases_of_peer, release);
LIST_HEAD(releases_waiting, release);
LIST_HEAD(peers, peer);

/* A connection of a library that may be asked. */
struct peer {
	struct watch watch;
	struct releases *releases;
	LIST_ENTRY(peer) others;
	struct releases_of_peer requests;
	unsigned count;     /* of them */
	unsigned allowance; /* packets that it may still send */
	struct ucred who;
	uint64_t table;
	bool silent; /* has let a request time out, and answered nothing since */
	bool gone;   /* to be freed between two rounds */
};

enum stage {
	STAGE_ASKED, /* nothing has happened, and nothing will without WIRE_GO */
	STAGE_BEGUN, /* WIRE_GO has been sent */
	STAGE_LOOK,  /* the process is being looked at */
};

struct release {
	struct waiter waiter; /* of the look */
	struct mapping_observer observer;
	struct releases *releases;
	struct peer *peer;           /* until the look */
	LIST_ENTRY(release) of_peer; /* while there is one */
	LIST_ENTRY(release) waiting; /* while somebody waits */
	enum stage stage;
	uint64_t request; /* number of it on the wire */
	uint64_t mapping; /* number of it */
	uint64_t asked, answer_by;
	bool holds_up; /* others, while somebody waits */
	uid_t uid;     /* of the process */
	int error;     /* what it ends with when the mapping is still there, and why */
	char who[64], why[WHY_LENGTH];
	completion *finished; /* NULL: nobody waits */
	void *arg;
	struct release **handle;
};

struct releases {
	struct catalog *catalog;
	struct process_table *process_table;
	int epoll;
	uint64_t last_request;
	uint64_t hold_up_paid[HOLD_UP_USERS]; /* when that of these users is */
	struct peers peers;
	struct releases_waiting waiting;
	bool gone; /* some peers are */
};

/* The peer is busy with something else, or stopped, when there is no room. That it is gone, reading
 * tells. */
static bool tell(struct peer *peer, const struct release *release, enum wire_type type,
		 const struct scan_state *state)
{
	struct wire_message message = {
		.magic = WIRE_MAGIC,
		.type = type,
		.table = peer->table,
		.request = release->request,
	};

	if (state) {
		message.slot = state->slot;
		message.generation = state->generation;
	}
	return send(peer->watch.fd, &message, sizeof(message), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
}

/* Keeps the reason for which the mapping is still there, if it is at the end. */
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

/* Users that share one are refused too early, and no number of users gets more than all of them. */
static uint64_t *hold_up_of(struct releases *releases, uid_t uid)
{
	return &releases->hold_up_paid[uid % HOLD_UP_USERS];
}

static bool may_hold_up(struct releases *releases, uid_t uid)
{
	return !uid ||
	       *hold_up_of(releases, uid) < clock_now() + (HOLD_UP_SHARE - 1) * HOLD_UP_BURST;
}

static void stop_waiting(struct release *release)
{
	uint64_t now = clock_now(), *paid = hold_up_of(release->releases, release->uid);

	release->finished = NULL;
	LIST_REMOVE(release, waiting);
	*release->handle = NULL;
	if (release->holds_up && release->uid)
		*paid = (*paid > release->asked ? *paid : release->asked) +
			(now - release->asked) * HOLD_UP_SHARE;
}

/* Whoever waits hears, once. */
static void answer(struct release *release, int error)
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
	release->peer->count--;
	release->peer = NULL;
}

static struct mapping *find_mapping(const struct release *release)
{
	return catalog_find_number(release->releases->catalog, release->mapping);
}

/* It has ended; its mapping can be asked for again. */
static void end(struct release *release, int error)
{
	struct mapping *mapping = find_mapping(release);

	if (mapping)
		mapping_set_observer(mapping, NULL);
	leave_peer(release);
	answer(release, error);
	free(release);
}

static void looked(struct waiter *waiter)
{
	struct release *release = container_of(waiter, struct release, waiter);

	end(release, find_mapping(release) ? release->error : 0);
}

/* Nothing more is to come from the peer: let the kernel tell. */
static void scan(struct release *release, pid_t pid)
{
	leave_peer(release);
	release->stage = STAGE_LOOK;
	release->waiter.wake = looked;
	if (process_table_scan_pid(release->releases->process_table, pid, &release->waiter))
		looked(&release->waiter);
}

static void end_peer(struct peer *peer)
{
	struct release *release;

	peer->gone = true;
	peer->releases->gone = true;
	epoll_ctl(peer->releases->epoll, EPOLL_CTL_DEL, peer->watch.fd, NULL);
	close(peer->watch.fd);
	while ((release = LIST_FIRST(&peer->requests))) {
		set_reason(release, EBUSY, "has hung up without releasing it");
		scan(release, peer->who.pid);
	}
}

/* Nobody waits any more. What has begun goes on to its end. */
static void give_up(struct release *release, int error)
{
	if (release->stage == STAGE_ASKED) {
		tell(release->peer, release, WIRE_WITHDRAWN, NULL);
		end(release, error);
	} else {
		answer(release, error);
	}
}

static void overdue(struct release *release)
{
	if (release->stage == STAGE_ASKED) {
		release->peer->silent = true;
		set_reason(release, EBUSY, "does not answer");
	} else if (release->stage == STAGE_BEGUN) {
		set_reason(release, EBUSY, "has begun, but has not released it in time");
	}
	give_up(release, release->error);
}

static void ready(struct peer *peer, struct release *release)
{
	if (release->stage != STAGE_ASKED)
		return;
	if (release->answer_by <= clock_now())
		overdue(release);
	else if (tell(peer, release, WIRE_GO, NULL))
		release->stage = STAGE_BEGUN;
	else
		end_peer(peer); /* it talks and does not listen */
}

static void done(struct peer *peer, struct release *release, int error)
{
	int number = error < 0 ? errors_to_errno(error) : 0;

	if (!error)
		set_reason(release, EBUSY, "says that it is released, but it still shows");
	else if (error == PMEM2_E_NOSUPP)
		set_reason(release, EBUSY, "has no release handler for it");
	else if (number == ENOENT)
		set_reason(release, EBUSY, "has changed it meanwhile");
	else if (number > 0 && number <= EHWPOISON)
		set_reason(release, number, "refused: %s", strerror(number));
	else
		set_reason(release, EBUSY, "refused");
	scan(release, peer->who.pid);
}

static struct release *find_request(const struct peer *peer, uint64_t request)
{
	struct release *release;

	LIST_FOREACH(release, &peer->requests, of_peer)
	if (release->request == request)
		break;
	return release;
}

/* False: garbage, or more than was asked for. */
static bool take(struct peer *peer, const struct wire_message *message)
{
	struct release *release;

	if (message->type != WIRE_READY && message->type != WIRE_DONE)
		return message->type != WIRE_TABLE;
	if (!peer->allowance)
		return false;
	peer->allowance--;
	release = find_request(peer, message->request);
	if (!release) {
		const struct release withdrawn = {.request = message->request};

		if (message->type == WIRE_READY)
			tell(peer, &withdrawn, WIRE_WITHDRAWN, NULL);
	} else if (message->type == WIRE_READY) {
		ready(peer, release);
	} else {
		done(peer, release, message->error);
	}
	peer->silent = false;
	return true;
}

static bool is_message(const struct wire_message *message, ssize_t size)
{
	return size == (ssize_t)sizeof(*message) && message->magic == WIRE_MAGIC;
}

static void peer_ready(struct watch *watch, uint32_t epoll_events)
{
	struct peer *peer = container_of(watch, struct peer, watch);
	struct wire_message message;
	ssize_t n;

	(void)epoll_events;
	if (peer->gone)
		return;
	/* Descriptors that come along are dropped by the kernel: there is no room for them. */
	n = recv(watch->fd, &message, sizeof(message), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (!is_message(&message, n) || !take(peer, &message))
		end_peer(peer);
}

static struct peer *find_peer(const struct releases *releases, pid_t pid, uint64_t table)
{
	struct peer *peer;

	LIST_FOREACH(peer, &releases->peers, others)
	if (!peer->gone && peer->who.pid == pid && peer->table == table)
		break;
	return peer;
}

static bool has_room(const struct releases *releases, uid_t uid)
{
	unsigned all = 0, own = 0;
	const struct peer *peer;

	LIST_FOREACH(peer, &releases->peers, others)
	{
		all += !peer->gone;
		own += !peer->gone && peer->who.uid == uid;
	}
	/* The last places are root's. */
	return !uid ? all < PEERS_MAX : own < PEERS_PER_USER && all < PEERS_MAX - PEERS_PER_USER;
}

/* The connection stays. False: it cannot, and is still the caller's. */
static bool keep(struct releases *releases, int socket, const struct ucred *who, uint64_t table)
{
	struct peer *peer = find_peer(releases, who->pid, table);
	struct epoll_event event = {.events = EPOLLIN};

	if (peer)
		end_peer(peer);
	if (!has_room(releases, who->uid)) {
		log_debug("process %d cannot be asked to release mappings: too many can",
			  (int)who->pid);
		return false;
	}
	peer = calloc(1, sizeof(*peer));
	if (!peer)
		return false;
	*peer = (struct peer){
		.watch = {.fd = socket, .ready = peer_ready},
		.releases = releases,
		.who = *who,
		.table = table,
	};
	event.data.ptr = &peer->watch;
	if (epoll_ctl(releases->epoll, EPOLL_CTL_ADD, socket, &event)) {
		free(peer);
		return false;
	}
	LIST_INSERT_HEAD(&releases->peers, peer, others);
	return true;
}

/*
 * The process at the other end. Its number may be another one's by now, which a kernel that gives
 * out its pidfd rules out. Negative: it has gone.
 */
static int open_peer(int socket, pid_t pid)
{
	int fd = -1;
	socklen_t size = sizeof(fd);

	if (!getsockopt(socket, SOL_SOCKET, SO_PEERPIDFD, &fd, &size))
		return fd;
	return errno == ENOPROTOOPT ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
}

void releases_take(struct releases *releases, int socket, const struct ucred *who,
		   const void *packet, size_t size, int fd)
{
	struct wire_message message;
	int pidfd = -1;

	if (size != sizeof(message))
		goto drop;
	memcpy(&message, packet, sizeof(message));
	/* Who is in no pid namespace of ours has no number. */
	if (!is_message(&message, sizeof(message)) || message.type != WIRE_TABLE || !who->pid)
		goto drop;
	pidfd = open_peer(socket, who->pid);
	if (pidfd < 0 && errno != ENOSYS)
		goto drop;
	process_table_pass_table(releases->process_table, who->pid, pidfd, fd);
	fd = -1;
	if (message.flags & WIRE_STAYS && keep(releases, socket, who, message.table))
		return;
drop:
	if (fd >= 0)
		close(fd);
	close(socket);
}

/* False: it cannot be asked, and why. */
static bool ask(struct release *release, struct peer *peer, const struct scan_state *state)
{
	if (!peer)
		set_reason(release, EBUSY, "has no release handler");
	else if (release->holds_up && peer->silent)
		set_reason(release, EBUSY, "does not answer");
	else if (release->holds_up && !may_hold_up(release->releases, peer->who.uid))
		set_reason(release, EBUSY,
			   "or another process of user %u has made others wait too long: "
			   "pmem2ctl unmap can wait for it",
			   peer->who.uid);
	else if (peer->count >= REQUESTS_MAX)
		set_reason(release, EBUSY, "is being asked for %u mappings already", REQUESTS_MAX);
	else if (!tell(peer, release, WIRE_ASK, state)) {
		set_reason(release, EBUSY, "does not answer");
		peer->silent = true;
	} else {
		return true;
	}
	return false;
}

static void leave(struct release *release, int error)
{
	if (release->stage == STAGE_BEGUN)
		end(release, error);
	else
		give_up(release, error);
}

static struct release *observing_release(struct mapping_observer *observer)
{
	return (struct release *)((char *)observer - offsetof(struct release, observer));
}

static void mapping_leaving(struct mapping_observer *observer)
{
	leave(observing_release(observer), 0);
}

static void mapping_replaced(struct mapping_observer *observer)
{
	struct release *release = observing_release(observer);

	if (release->stage != STAGE_LOOK)
		set_reason(release, EBUSY, "has changed it meanwhile");
	leave(release, release->error);
}

void release_begin(struct releases *releases, struct mapping *mapping, uint64_t patience,
		   completion *finished, void *arg, struct release **handle)
{
	const struct scan_state *state = mapping_scan_state(mapping);
	const struct process *process = state->process;
	struct release *release = calloc(1, sizeof(*release));
	struct peer *peer = find_peer(releases, process->pid, state->table);

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
	if (!ask(release, peer, state)) {
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
	peer->count++;
	peer->allowance += 2;
	release->observer =
		(struct mapping_observer){.leaving = mapping_leaving, .replaced = mapping_replaced};
	mapping_set_observer(mapping, &release->observer);
}

void release_withdraw(struct release *release)
{
	stop_waiting(release);
	give_up(release, 0);
}

uint64_t releases_expire(struct releases *releases, uint64_t now)
{
	struct release *release, *next_release;
	struct peer *peer, *next_peer;
	uint64_t next = UINT64_MAX;

	for (release = LIST_FIRST(&releases->waiting); release; release = next_release) {
		next_release = LIST_NEXT(release, waiting);
		if (release->answer_by <= now)
			overdue(release);
		else if (release->answer_by < next)
			next = release->answer_by;
	}
	for (peer = releases->gone ? LIST_FIRST(&releases->peers) : NULL; peer; peer = next_peer) {
		next_peer = LIST_NEXT(peer, others);
		if (!peer->gone)
			continue;
		LIST_REMOVE(peer, others);
		free(peer);
	}
	releases->gone = false;
	return next;
}

struct releases *releases_new(struct catalog *catalog, struct process_table *process_table,
			      int epoll)
{
	struct releases *releases = calloc(1, sizeof(*releases));

	if (!releases)
		return NULL;
	releases->catalog = catalog;
	releases->process_table = process_table;
	releases->epoll = epoll;
	return releases;
}

void releases_free(struct releases *releases)
{
	struct release *release;
	struct peer *peer;

	while (releases && (peer = LIST_FIRST(&releases->peers))) {
		while ((release = LIST_FIRST(&peer->requests))) {
			release->finished = NULL;
			leave_peer(release);
			free(release);
		}
		if (!peer->gone)
			close(peer->watch.fd);
		LIST_REMOVE(peer, others);
		free(peer);
	}
	free(releases);
}
