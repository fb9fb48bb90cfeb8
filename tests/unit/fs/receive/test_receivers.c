/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_receivers.c - packets with descriptors, taken by real receiver processes
 */
#include "capture.h"
#include "receivers_helper.h"
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

static bool too_deep; /* nothing can be passed on */

int __real_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);
int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);

int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd)
{
	const struct receive_command *command = packet;
	static int file;

	if (command->kind == RECEIVE_FILE)
		file = fd;
	else if (command->kind == RECEIVE_CLOSE) /* otherwise this process might be the last one */
		assert_int_equal(fcntl(file, F_GETFD), -1);
	if (too_deep && fd >= 0)
		return -ETOOMANYREFS;
	return __real_descriptor_send(socket, packet, size, flags, fd);
}

static void plain_packets_need_no_receiver(void **state)
{
	struct place *place = *state;
	char bytes[4];
	struct packet_head head;

	assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), -EAGAIN);
	packet_send(place->theirs, "ab", 2, -1, 0);
	packet_send(place->theirs, "", 0, -1, 0);
	packet_send(place->theirs, "abcde", 5, -1, 0);
	assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), 2);
	assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), 0);
	assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), -EMSGSIZE);
	assert_false(head.carries);
	assert_int_equal(shutdown(place->theirs, SHUT_WR), 0);
	assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), -EPIPE);
	assert_false(head.carries);
}

/* A packet with a descriptor stays where it is, also an empty one. */
static void descriptors_are_not_taken(void **state)
{
	struct place *place = *state;
	unsigned descriptors = rig_descriptors();
	char bytes[4];
	struct packet_head head;

	for (size_t length = 0; length < 2; length++) {
		packet_send(place->theirs, "!", length, place->theirs, 3);
		for (int i = 0; i < 3; i++) {
			head.carries = false;
			assert_int_equal(packets_take_plain(place->ours, bytes, 4, &head), 0);
			assert_true(head.carries);
		}
		assert_int_equal(rig_descriptors(), descriptors);
		take(place, 0);
		assert_int_equal(place->result.size, -EMFILE);
		assert_int_equal(place->fd, -1);
		descriptors = rig_descriptors(); /* the receiver's socket */
	}
}

static void expect_passed(struct place *place, int fd)
{
	struct stat before, after;

	packet_send(place->theirs, "!", 1, fd, 1);
	take(place, 0);
	assert_int_equal(place->result.size, 1);
	assert_int_equal(place->result.refused, 0);
	assert_int_equal(fstat(fd, &before) | fstat(place->fd, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	close(place->fd);
	close(fd);
}

static void expect_refused(struct place *place, int fd, int error, const char *why)
{
	packet_send(place->theirs, "!", 1, fd, 1);
	take(place, 0);
	assert_int_equal(place->result.size, 1);
	assert_int_equal(place->result.refused, error);
	assert_non_null(strstr(place->result.why, why));
	assert_int_equal(place->fd, -1);
	close(fd);
}

static void only_harmless_kinds_are_passed_on(void **state)
{
	struct place *place = *state;
	char path[] = "/tmp/receivers-XXXXXX";

	expect_passed(place, memfd_create("table", MFD_CLOEXEC));
	expect_passed(place, mkstemp(path));
	expect_refused(place, open(path, O_PATH | O_CLOEXEC), -EBADF, "not open");
	unlink(path);
	expect_refused(place, open("/tmp", O_RDONLY | O_CLOEXEC), -EISDIR, "is a directory");
	expect_refused(place, open("/dev/null", O_RDONLY | O_CLOEXEC), -EINVAL,
		       "is a character device");
	expect_refused(place, open("/proc/self/stat", O_RDONLY | O_CLOEXEC), -EOPNOTSUPP,
		       "is on a file system of type proc");
	expect_refused(place, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), -EOPNOTSUPP, "is on");
	expect_refused(place, epoll_create1(EPOLL_CLOEXEC), -EOPNOTSUPP, "is on");
}

/* What is left in the socket is closed elsewhere; what comes too late is not accepted. */
static void unread_packets_are_closed(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);

	packet_send(place->theirs, "!", 1, -1, 0);
	packet_send(place->theirs, "", 0, -1, 0);
	packet_send(place->theirs, "!", 1, writer, 2);
	close(writer);
	receivers_close(place->receivers, place->ours, 0, NULL);
	place->ours = -1;
	assert_int_equal(send(place->theirs, "!", 1, MSG_NOSIGNAL), -1);
	expect_closed(reader);
	assert_int_equal(receivers_waiting(place->receivers, 0), 0);
}

/* Closes ours, and checks that a receiver has got the socket. */
static void close_by_receiver(struct place *place, int reader)
{
	unsigned descriptors = rig_descriptors();

	receivers_close(place->receivers, place->ours, 0, NULL);
	place->ours = -1;
	assert_int_equal(rig_descriptors(), descriptors); /* the receiver's in its place */
	expect_closed(reader);
}

/* The peer has not read an answer: the kernel says that first, and nothing of the packet. */
static void a_reset_connection_may_have_packets(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);

	packet_send(place->ours, "!", 1, -1, 0);
	packet_send(place->theirs, "!", 1, writer, 1);
	close(writer);
	close(place->theirs);
	place->theirs = -1;
	close_by_receiver(place, reader);
}

static void sockets_are_closed_that_were_not_prepared(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);

	assert_int_equal(setsockopt(place->ours, SOL_SOCKET, SO_PASSCRED, &(int){0}, sizeof(int)),
			 0);
	packet_send(place->theirs, "!", 1, -1, 0);
	packet_send(place->theirs, "!", 1, writer, 1);
	close(writer);
	close_by_receiver(place, reader);
}

/* Nobody hears of a packet whose connection was closed meanwhile. */
static void closing_while_receiving(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);

	packet_send(place->theirs, "!", 1, writer, 1);
	packet_send(place->theirs, "!", 1, writer, 1);
	close(writer);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, 0, getpid(), &place->receive), 0);
	receivers_close(place->receivers, place->ours, 0, &place->receive);
	place->ours = -1;
	while (receivers_waiting(place->receivers, 0))
		turn(place, -1, 0);
	expect_closed(reader);
	assert_int_equal(place->results, 0);
}

static void a_receiver_that_hangs_is_left_behind(void **state)
{
	struct place *place = *state;
	struct capture capture;
	int peer, memfd = memfd_create("table", MFD_CLOEXEC);
	char *log;

	if (geteuid())
		skip(); /* the loopback device is down */
	/* On a busy machine the receiver may be left behind early. */
	capture_begin(&capture, STDERR_FILENO);
	peer = hang_receiver(place, UID);
	/* Another user is served at once, the next packet of this one when the first is left. */
	packet_send(place->theirs, "!", 1, memfd, 1);
	take(place, UID + 1);
	assert_int_equal(place->result.size, 1);
	close(place->fd);
	packet_send(place->theirs, "!", 1, memfd, 1);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, UID, getpid(), &place->receive), 0);
	turn(place, 0, 0);
	assert_int_equal(place->results, 2);
	turn(place, 0, 2 * CLOCK_SECOND);
	log = capture_text(&capture);
	capture_end(&capture);
	assert_non_null(strstr(log, "user 12345 has passed a descriptor that cannot be closed"));
	while (place->results < 3)
		turn(place, -1, 0);
	assert_int_equal(place->result.size, 1);
	close(place->fd);
	close(memfd);
	close(peer);
	free(log);
}

/* Waits until a receiver has said something, and does not take it. */
static void wait_for_answer(const struct place *place)
{
	struct epoll_event event;

	assert_int_equal(epoll_wait(place->epoll, &event, 1, -1), 1);
}

/* The loop is so late that the receivers would be taken for hanging. */
static void an_answer_that_waits_counts(void **state)
{
	struct place *place = *state;
	int memfd = memfd_create("table", MFD_CLOEXEC), reader;
	uint64_t late = clock_now() + 1000 * CLOCK_SECOND;

	packet_send(place->theirs, "!", 1, memfd, 1);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, UID, getpid(), &place->receive), 0);
	wait_for_answer(place);
	assert_int_equal(receivers_expire(place->receivers, late), late);
	assert_int_equal(place->results, 1);
	assert_int_equal(place->result.size, 1);
	close(place->fd);
	close(memfd);
	turn(place, -1, 0); /* it says that it is done */

	close_file(place, new_pipe(&reader), UID + 1, late);
	wait_for_answer(place);
	assert_int_equal(receivers_expire(place->receivers, late), late);
	assert_int_equal(place->results, 2);
	assert_int_equal(place->result.size, 0);
	expect_closed(reader);
}

static void a_result_that_is_missing_ends_the_wait(void **state)
{
	struct place *place = *state;

	begin_again(place, "/proc/self/exe");
	packet_send(place->theirs, "!", 1, place->theirs, 1);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, 0, getpid(), &place->receive), 0);
	turn(place, -1, 0);
	assert_int_equal(place->results, 1);
	assert_int_equal(place->result.size, -ECANCELED);
	assert_null(place->receive.job);
}

/* It is tried again, but not at each turn of the loop. */
static void a_start_that_fails_is_tried_again(void **state)
{
	struct place *place = *state;
	uint64_t now = clock_now(), due;
	struct capture capture;
	char *log, *line;

	begin_again(place, "/nonexistent");
	packet_send(place->theirs, "!", 1, place->theirs, 1);
	capture_begin(&capture, STDERR_FILENO);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, 0, getpid(), &place->receive), 0);
	due = receivers_expire(place->receivers, now);
	log = capture_text(&capture);
	capture_end(&capture);
	assert_true(due > now && due != UINT64_MAX);
	line = strstr(log, "cannot start");
	assert_non_null(line);
	if (due < now + 2 * CLOCK_SECOND) /* else the machine was so busy that it was tried again */
		assert_null(strstr(line + 1, "cannot start"));
	free(log);
	receivers_close(place->receivers, place->ours, 0, &place->receive);
	place->ours = -1;
}

/*
 * A socket that the kernel does not pass on, as before Linux 6.10 where its packets have sockets
 * that have sockets in theirs. It is emptied nevertheless.
 */
static void what_cannot_be_passed_on_is_inherited(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);
	uint64_t now;

	too_deep = true;
	packet_send(place->theirs, "!", 1, writer, 1);
	close(writer);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, 0, getpid(), &place->receive), 0);
	now = clock_now();
	assert_int_equal(receivers_expire(place->receivers, now), now); /* the owner has acted */
	assert_int_equal(place->result.size, -ECANCELED);
	receivers_close(place->receivers, place->ours, 0, &place->receive);
	place->ours = -1;
	while (receivers_waiting(place->receivers, 0))
		turn(place, -1, 0);
	expect_closed(reader);
	too_deep = false;
}

/*
 * Without root the kernel passes nothing on while too much is in the queues of sockets. The
 * receiver that inherits the file waits with the last close until ours is made, and goes on.
 */
static void a_file_that_cannot_be_passed_on_is_inherited(void **state)
{
	struct place *place = *state;
	int readers[2];
	pid_t pid;

	too_deep = true;
	close_file(place, new_pipe(&readers[0]), 0, UINT64_MAX);
	too_deep = false;
	pid = rig_receiver();
	while (!place->results)
		turn(place, -1, 0);
	assert_int_equal(place->result.size, 0);
	expect_closed(readers[0]);
	close_file(place, new_pipe(&readers[1]), 0, UINT64_MAX);
	while (place->results < 2)
		turn(place, -1, 0);
	assert_int_equal(place->result.size, 0);
	expect_closed(readers[1]);
	assert_int_equal(rig_receiver(), pid);
}

#define OWNERS 3

/* One that closes its socket when its packet has failed. */
struct owner {
	struct receive receive;
	struct receivers *receivers;
	int socket;
	bool failed;
};

static void close_failed(struct receive *receive, const struct receive_result *result,
			 const char *packet, int fd)
{
	struct owner *owner = container_of(receive, struct owner, receive);

	(void)packet;
	assert_int_equal(result->size, -ECANCELED);
	assert_int_equal(fd, -1);
	owner->failed = true;
	receivers_close(owner->receivers, owner->socket, 0, receive);
}

/* Each owner's call takes other jobs off the list of those that wait. */
static void all_that_wait_may_fail_at_once(void **state)
{
	struct place *place = *state;
	struct owner owners[OWNERS];
	int readers[OWNERS], writer, ends[2];
	char folder[] = "/tmp/receivers-XXXXXX", program[64];

	/* The first start fails: all wait until it is tried again. */
	assert_non_null(mkdtemp(folder));
	snprintf(program, sizeof(program), "%s/program", folder);
	begin_again(place, program);
	for (int i = 0; i < OWNERS; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		assert_int_equal(packets_prepare(ends[0]), 0);
		writer = new_pipe(&readers[i]);
		packet_send(ends[1], "!", 1, writer, 1);
		close(writer);
		close(ends[1]);
		owners[i] = (struct owner){.receive.received = close_failed,
					   .receivers = place->receivers,
					   .socket = ends[0]};
		assert_int_equal(
			receivers_take(place->receivers, ends[0], 0, getpid(), &owners[i].receive),
			0);
	}
	assert_int_equal(symlink(rig_daemon, program), 0);
	too_deep = true;
	while (!owners[OWNERS - 1].failed || receivers_waiting(place->receivers, 0))
		turn(place, 10, 0);
	for (int i = 0; i < OWNERS; i++)
		expect_closed(readers[i]);
	too_deep = false;
	unlink(program);
	rmdir(folder);
}

static void files_are_closed_elsewhere(void **state)
{
	struct place *place = *state;
	int reader, writer = new_pipe(&reader);
	unsigned descriptors = rig_descriptors();

	close_file(place, writer, 0, UINT64_MAX);
	assert_int_equal(rig_descriptors(), descriptors); /* the receiver's in its place */
	while (!place->results)
		turn(place, -1, 0);
	assert_int_equal(place->result.size, 0);
	assert_null(place->receive.job);
	expect_closed(reader);
	writer = new_pipe(&reader);
	receivers_close_file(place->receivers, writer, 0, 0, NULL);
	expect_closed(reader);
}

/* While a receiver does not close it, a file is still open there, and nobody here waits. */
static void a_slow_close_ends_the_wait_alone(void **state)
{
	struct place *place = *state;
	int readers[2], writers[] = {new_pipe(&readers[0]), new_pipe(&readers[1])};
	uint64_t until = clock_now() + 1000 * CLOCK_SECOND;
	struct pollfd closed = {.fd = readers[1], .events = POLLIN};
	unsigned descriptors;
	pid_t pid;

	close_file(place, writers[0], UID, until);
	while (!place->results)
		turn(place, -1, 0);
	expect_closed(readers[0]);
	pid = rig_receiver();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	descriptors = rig_descriptors();
	close_file(place, writers[1], UID, until);
	assert_int_equal(rig_descriptors(), descriptors - 1);
	assert_true(receivers_expire(place->receivers, clock_now()) <= until);
	assert_int_equal(place->results, 1);
	place->result.size = 0;
	receivers_expire(place->receivers, until); /* also leaves the receiver behind */
	assert_int_equal(place->results, 2);
	assert_int_equal(place->result.size, -ETIMEDOUT);
	assert_null(place->receive.job);
	while (!poll(&closed, 1, 0)) /* it was killed */
		turn(place, 10, 0);
	expect_closed(readers[1]);
}

static void unused_receivers_end(void **state)
{
	struct place *place = *state;
	unsigned descriptors = rig_descriptors();

	packet_send(place->theirs, "!", 1, place->theirs, 1);
	take(place, 0);
	turn(place, -1, 0); /* it says that it is done */
	turn(place, 0, 20 * CLOCK_SECOND);
	assert_int_equal(rig_descriptors(), descriptors);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(plain_packets_need_no_receiver),
		TEST(descriptors_are_not_taken),
		TEST(only_harmless_kinds_are_passed_on),
		TEST(unread_packets_are_closed),
		TEST(a_reset_connection_may_have_packets),
		TEST(sockets_are_closed_that_were_not_prepared),
		TEST(closing_while_receiving),
		TEST(a_receiver_that_hangs_is_left_behind),
		TEST(an_answer_that_waits_counts),
		TEST(a_result_that_is_missing_ends_the_wait),
		TEST(a_start_that_fails_is_tried_again),
		TEST(what_cannot_be_passed_on_is_inherited),
		TEST(a_file_that_cannot_be_passed_on_is_inherited),
		TEST(all_that_wait_may_fail_at_once),
		TEST(files_are_closed_elsewhere),
		TEST(a_slow_close_ends_the_wait_alone),
		TEST(unused_receivers_end),
	};

	if (argc == 2 && !strcmp(argv[1], "--receiver"))
		return fake_receiver();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
