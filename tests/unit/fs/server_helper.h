/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server_helper.h - a server with clients on a real socket
 *
 * With root, clients may be other users: a client's user is that of the calling thread at connect.
 */
#ifndef PMEM2FS_TEST_SERVER_HELPER_H
#define PMEM2FS_TEST_SERVER_HELPER_H

#include "base/clock.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "change/release.h"
#include "control/question.h"
#include "control/server.h"
#include "keeper/listen.h"
#include "packet.h"
#include "process_table_fake.h"
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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#define UID 12345

struct place {
	struct rig *rig;
	struct question_means means;
	struct server *server;
	struct receivers *receivers;
	struct releases *releases;
	struct process_table process_table;
	struct quota loop_time;
	char folder[32], path[64];
	int listener;
};

static struct capture capture;

static inline void sweep(void *arg)
{
	struct place *place = arg;

	/* A user may have to wait for time; a list is made in portions. */
	while (!server_expire(place->server, clock_now()))
		;
	server_sweep(place->server);
	releases_expire(place->releases, 0);
	receivers_expire(place->receivers, clock_now());
}

static inline int begin_with(void **state, const char *receiver)
{
	struct place *place = calloc(1, sizeof(*place));

	*state = place;
	capture_begin(&capture, STDERR_FILENO);
	place->rig = rig_new();
	strcpy(place->folder, "/tmp/server-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	assert_int_equal(chmod(place->folder, 0755), 0);
	snprintf(place->path, sizeof(place->path), "%s/socket", place->folder);
	place->listener = listen_begin(place->path);
	assert_true(place->listener >= 0);
	place->rig->modules.process_table = &place->process_table;
	place->loop_time.share = 4;
	place->receivers =
		receivers_new(place->rig->epoll, place->rig->epoll, receiver, &place->loop_time);
	assert_non_null(place->receivers);
	place->releases =
		releases_new(place->rig->modules.catalog, &place->process_table, place->receivers,
			     &place->rig->modules.hold_up, place->rig->epoll, place->rig->epoll);
	assert_non_null(place->releases);
	place->rig->modules.changes.releases = place->releases;
	place->rig->modules.changes.receivers = place->receivers;
	place->rig->modules.mapper.receivers = place->receivers;
	place->means = (struct question_means){
		.mapper = &place->rig->modules.mapper,
		.changes = &place->rig->modules.changes,
		.catalog = place->rig->modules.catalog,
		.events = place->rig->modules.events,
		.facts_cache = place->rig->modules.facts_cache,
		.process_table = &place->process_table,
		.receivers = place->receivers,
		.loop_time = &place->loop_time,
		.invalidate = &place->rig->modules.invalidate,
		.mountpoint = "/mnt",
		.pool = place->rig->modules.helpers,
		.lane = LANE_DEVICE_MONITOR,
		.mode = 0400,
		.rootmode = 0755,
	};
	place->server = server_new(&place->means, place->releases, place->receivers,
				   place->rig->epoll, place->rig->epoll, place->listener);
	assert_non_null(place->server);
	place->rig->swept = sweep;
	place->rig->arg = place;
	return 0;
}

static inline int begin(void **state)
{
	return begin_with(state, rig_daemon);
}

static inline int end(void **state)
{
	struct place *place = *state;

	place->rig->keeper_off = false;
	rig_poll(place->rig);
	place->rig->swept = NULL;
	server_free(place->server);
	releases_free(place->releases);
	receivers_free(place->receivers);
	close(place->listener);
	quota_clear(&place->loop_time);
	rig_free(place->rig);
	unlink(place->path);
	rmdir(place->folder);
	free(place);
	capture_end(&capture);
	return 0;
}

static inline int reach(struct place *place, uid_t uid)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), error;

	strcpy(address.sun_path, place->path);
	/* System calls, which change the calling thread alone. */
	if (uid != geteuid()) {
		syscall(SYS_setresgid, -1, uid, -1);
		syscall(SYS_setresuid, -1, uid, -1);
	}
	error = connect(fd, (struct sockaddr *)&address, sizeof(address));
	syscall(SYS_setresuid, -1, getuid(), -1);
	syscall(SYS_setresgid, -1, getgid(), -1);
	assert_int_equal(error, 0);
	return fd;
}

static inline void put(int fd, const char *text)
{
	packet_send(fd, text, strlen(text), -1, 0);
}

static inline json_t *wait_for(struct place *place, int fd)
{
	json_t *answer;

	while (!(answer = packet_next(fd)))
		rig_poll(place->rig);
	return answer;
}

/* The errno of the next answer; its message must hold `message`. */
static inline int answered(struct place *place, int fd, const char *message)
{
	json_t *answer = wait_for(place, fd);
	int number = (int)json_integer_value(json_object_get(answer, "errno"));

	assert_non_null(json_object_get(answer, "errno"));
	if (message)
		assert_non_null(
			strstr(json_string_value(json_object_get(answer, "message")), message));
	else
		assert_null(json_object_get(answer, "message"));
	json_decref(answer);
	return number;
}

static inline int ask(struct place *place, int fd, const char *text, const char *message)
{
	put(fd, text);
	return answered(place, fd, message);
}

/* Checks that the connection ends next. */
static inline void expect_end(struct place *place, int fd)
{
	char byte;
	ssize_t n;

	while ((n = recv(fd, &byte, 1, MSG_DONTWAIT)) < 0 && errno == EAGAIN)
		rig_poll(place->rig);
	assert_true(n == 0 || errno == ECONNRESET);
}

/* Waits until this process has that many descriptors. */
static inline void expect_descriptors(struct place *place, unsigned count)
{
	while (rig_descriptors() != count)
		rig_poll(place->rig);
}

/* Starts root's receiver, which takes one descriptor of this process. */
static inline void start_receiver(struct place *place)
{
	int fd = reach(place, 0);

	packet_send(fd, "{\"hello\":1}", 11, fd, 1);
	assert_int_equal(answered(place, fd, NULL), 0);
	close(fd);
	rig_poll(place->rig);
}

#define ANONYMOUS "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}"

#endif
