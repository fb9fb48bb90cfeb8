/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * release_helper.h - a process that publishes, whose library the test plays: it is the test itself
 */
#ifndef PMEM2FS_TEST_RELEASE_HELPER_H
#define PMEM2FS_TEST_RELEASE_HELPER_H

#include "base/clock.h"
#include "base/pidfd.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "change/changes.h"
#include "change/release.h"
#include "format/wire.h"
#include "libpmem2fs.h"
#include "process_table_fake.h"
#include "receive/packets.h"
#include "receive/receivers.h"
#include "rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define UID      1000
#define PID      getpid()
#define TABLE    77
#define PATIENCE (1000 * CLOCK_SECOND) /* no test waits that long */

struct result {
	int calls, error;
	char why[COMPLETION_WHY_LENGTH];
	struct change_job *job;
};

struct place {
	struct rig *rig;
	struct receivers *receivers;
	struct releases *releases;
	struct process_table process_table;
	struct process process;
	struct capture capture;
};

static inline void finished(void *arg, int error, const char *why)
{
	struct result *result = arg;

	result->calls++;
	result->error = error;
	snprintf(result->why, sizeof(result->why), "%s", why);
}

static inline void sweep(void *arg)
{
	struct place *place = arg;

	releases_expire(place->releases, 0);
	receivers_expire(place->receivers, clock_now());
}

static inline int begin(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	struct modules *modules;

	*state = place;
	capture_begin(&place->capture, STDERR_FILENO);
	place->rig = rig_new();
	modules = &place->rig->modules;
	place->process.pid = PID;
	place->process.watch.fd = pidfd_open_pid(PID);
	assert_true(place->process.watch.fd >= 0);
	strcpy(place->process.comm, "prog");
	place->receivers = receivers_new(place->rig->epoll, place->rig->epoll, rig_daemon,
					 &modules->loop_time);
	assert_non_null(place->receivers);
	place->releases = releases_new(modules->catalog, &place->process_table, place->receivers,
				       &modules->hold_up, place->rig->epoll, place->rig->epoll);
	modules->changes.releases = place->releases;
	assert_non_null(place->releases);
	place->rig->swept = sweep;
	place->rig->arg = place;
	return 0;
}

static inline int end(void **state)
{
	struct place *place = *state;

	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table);
	place->rig->swept = NULL;
	releases_free(place->releases);
	receivers_free(place->receivers);
	rig_free(place->rig);
	close(place->process.watch.fd);
	capture_end(&place->capture);
	free(place);
	return 0;
}

/* The time of all requests that are under way has passed. */
static inline void overdue(struct place *place)
{
	releases_expire(place->releases, clock_now() + PATIENCE);
}

/* Adds a mapping of the process, in that slot, to the catalog. */
static inline struct mapping *enter(struct place *place, uint32_t slot, enum origin origin)
{
	const struct pmem2fs_record record = {
		.address = 0x10000,
		.length = 4096,
		.source_type = PMEM2FS_SOURCE_FILE,
		.uid = UID,
		.gid = UID,
		.protection = 3,
	};
	const struct scan_state state = {
		.process = &place->process,
		.table = TABLE,
		.slot = slot,
		.generation = 1000 + slot,
	};
	struct extents *extents = NULL;
	struct mapping *mapping;
	char name[32];

	snprintf(name, sizeof(name), "prog.%d.%u", PID, slot);
	assert_int_equal(catalog_show_scanned(place->rig->modules.catalog, name, origin, &record,
					      &extents, &state, NULL, &mapping),
			 0);
	return mapping;
}

static inline struct mapping *publish(struct place *place, uint32_t slot)
{
	return enter(place, slot, ORIGIN_PUBLISHED);
}

/* Removes a mapping as the process table does when the kernel no longer shows it. */
static inline void vanish(struct place *place, struct mapping *mapping)
{
	struct mapping_observer *observer = mapping_observer(mapping);

	if (observer)
		observer->leaving(observer);
	catalog_remove(place->rig->modules.catalog, mapping);
}

/*
 * Makes a connection that the daemon accepts with this as its first packet; returns the library's
 * end.
 */
static inline int present(struct place *place, pid_t pid, uid_t uid, const void *packet,
			  size_t size, int fd)
{
	const struct ucred who = {.pid = pid, .uid = uid, .gid = uid};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(packets_prepare(ends[1]), 0);
	releases_take(place->releases, ends[1], &who, pidfd_open_pid(PID), packet, size, fd);
	return ends[0];
}

static inline int stay(struct place *place, pid_t pid, uid_t uid, uint64_t table)
{
	const struct wire_message message = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS, .table = table};

	return present(place, pid, uid, &message, sizeof(message), -1);
}

static inline int library(struct place *place)
{
	return stay(place, PID, UID, TABLE);
}

static inline void ask_for(struct place *place, struct mapping *mapping, uint64_t patience,
			   struct result *result)
{
	*result = (struct result){0};
	changes_unmap(&place->rig->modules.changes, mapping, 0, patience, finished, result,
		      &result->job);
}

static inline void say(struct place *place, int fd, enum wire_type type, uint64_t request,
		       int error)
{
	const struct wire_message message = {.magic = WIRE_MAGIC,
					     .type = type,
					     .table = TABLE,
					     .request = request,
					     .error = error};

	assert_int_equal(send(fd, &message, sizeof(message), MSG_NOSIGNAL), sizeof(message));
	rig_poll(place->rig);
}

/* The daemon's next message; 0: none now, -1: it has hung up. */
static inline int hear(struct place *place, int fd, struct wire_message *message)
{
	ssize_t n;

	rig_poll(place->rig);
	n = recv(fd, message, sizeof(*message), MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0)
		return -1;
	assert_int_equal(n, sizeof(*message));
	assert_true(message->magic == WIRE_MAGIC);
	return (int)message->type;
}

static inline void expect(struct place *place, int fd, int type)
{
	struct wire_message message;

	assert_int_equal(hear(place, fd, &message), type);
}

static inline uint64_t expect_ask(struct place *place, int fd, struct mapping *mapping)
{
	struct wire_message message;

	assert_int_equal(hear(place, fd, &message), WIRE_ASK);
	assert_int_equal(message.table, TABLE);
	assert_int_equal(message.slot, mapping_scan_state(mapping)->slot);
	assert_int_equal(message.generation, mapping_scan_state(mapping)->generation);
	return message.request;
}

/* What a message says of the process, with the text before and behind its number and name. */
static inline const char *prog(const char *before, const char *behind)
{
	static char text[COMPLETION_WHY_LENGTH];

	snprintf(text, sizeof(text), "%s%d (prog)%s", before, (int)PID, behind);
	return text;
}

static inline void expect_result(const struct result *result, int error, const char *text)
{
	assert_int_equal(result->calls, 1);
	assert_int_equal(result->error, error);
	if (error)
		assert_non_null(strstr(result->why, text));
	assert_null(result->job);
}

/* Brings a request to the point where the release has begun. */
static inline uint64_t go(struct place *place, int fd, struct mapping *mapping,
			  struct result *result)
{
	uint64_t request;

	ask_for(place, mapping, PATIENCE, result);
	request = expect_ask(place, fd, mapping);
	say(place, fd, WIRE_READY, request, 0);
	expect(place, fd, WIRE_GO);
	return request;
}

/* Closes the library's end, and ends the requests that are under way there. */
static inline void hang_up(struct place *place, int fd)
{
	close(fd);
	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table);
}

#endif
