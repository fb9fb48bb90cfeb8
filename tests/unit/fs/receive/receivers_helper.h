/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * receivers_helper.h - real receiver processes, and a connection with packets for them
 */
#ifndef TESTS_RECEIVERS_HELPER_H
#define TESTS_RECEIVERS_HELPER_H

#include "base/clock.h"
#include "base/container_of.h"
#include "base/fd_watch.h"
#include "base/time_quota.h"
#include "packet.h"
#include "receive/message.h"
#include "receive/packets.h"
#include "receive/receiver_processes.h"
#include "receive/receivers.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define UID 12345

struct place {
	struct quota loop_time;
	struct receivers *receivers;
	int epoll;
	int ours, theirs; /* a connection */
	struct receive receive;
	struct receive_result result; /* of the last packet */
	unsigned results;
	int fd;
};

static inline void received(struct receive *receive, const struct receive_result *result,
			    const char *packet, int fd)
{
	struct place *place = container_of(receive, struct place, receive);

	place->result = *result;
	place->results++;
	place->fd = fd;
	if (result->size > 0)
		assert_int_equal(packet[0], '!');
}

static inline int begin(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	int ends[2];

	*state = place;
	place->epoll = epoll_create1(EPOLL_CLOEXEC);
	place->loop_time.share = 4;
	place->receivers = receivers_new(place->epoll, place->epoll, rig_daemon, &place->loop_time);
	assert_non_null(place->receivers);
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(packets_prepare(ends[0]), 0);
	place->ours = ends[0];
	place->theirs = ends[1];
	place->receive.received = received;
	place->fd = -1;
	return 0;
}

/* With another program for the receivers. */
static inline void begin_again(struct place *place, const char *program)
{
	receivers_free(place->receivers);
	place->receivers = receivers_new(place->epoll, place->epoll, program, &place->loop_time);
	assert_non_null(place->receivers);
}

static inline int end(void **state)
{
	struct place *place = *state;

	receivers_free(place->receivers);
	if (place->ours >= 0)
		close(place->ours);
	if (place->theirs >= 0)
		close(place->theirs);
	close(place->epoll);
	quota_clear(&place->loop_time);
	free(place);
	return 0;
}

static inline void wait_for_event(const struct place *place, int timeout)
{
	struct epoll_event event;

	if (epoll_wait(place->epoll, &event, 1, timeout) == 1) {
		struct watch *watch = event.data.ptr;

		watch->ready(watch, event.events);
	}
}

/* One round of the loop; `late`: of the time as well. */
static inline void turn(struct place *place, int timeout, uint64_t late)
{
	receivers_expire(place->receivers, clock_now() + late);
	wait_for_event(place, timeout);
}

static inline void take(struct place *place, uid_t uid)
{
	unsigned results = place->results;

	assert_int_equal(
		receivers_take(place->receivers, place->ours, uid, getpid(), &place->receive), 0);
	while (place->results == results)
		turn(place, -1, 0);
}

/* The end of a pipe whose other end sees when all copies are closed. */
static inline int new_pipe(int *reader)
{
	int ends[2];

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	*reader = ends[0];
	return ends[1];
}

static inline void expect_closed(int reader)
{
	char byte;

	assert_int_equal(read(reader, &byte, 1), 0);
	close(reader);
}

/* Passes a descriptor whose closing hangs. The answer does not wait for that. */
static inline int hang_receiver(struct place *place, uid_t uid)
{
	int peer, lingerer = packet_lingerer(&peer);

	packet_send(place->theirs, "!", 1, lingerer, 1);
	close(lingerer); /* the packet has it */
	take(place, uid);
	assert_int_equal(place->result.refused, -EOPNOTSUPP);
	return peer;
}

/* Has a writer closed, without waiting for it. */
static inline void close_file(struct place *place, int writer, uid_t uid, uint64_t until)
{
	receivers_close_file(place->receivers, writer, uid, until, &place->receive);
}

/*
 * A receiver that says that it is done and sends no result. With SILENT set it says nothing, and
 * ends when its socket is closed.
 */
static inline int fake_receiver(void)
{
	const struct receive_result done = {.done = true};
	struct pollfd end = {.fd = RECEIVER_FD};
	struct receive_command command;

	if (getenv("SILENT"))
		return poll(&end, 1, -1) != 1;
	while (recv(RECEIVER_FD, &command, sizeof(command), 0) == sizeof(command))
		send(RECEIVER_FD, &done, sizeof(done), 0);
	return 0;
}

#endif
