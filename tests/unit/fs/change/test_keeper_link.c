/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_keeper_link.c - commands to the keeper, its answers, and a keeper that reads or answers
 * nothing
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/log.h"
#include "change/keeper_link.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static bool refused; /* as without root, while too many descriptors are in the queues of sockets */

int __real_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);
int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd);

int __wrap_descriptor_send(int socket, const void *packet, size_t size, int flags, int fd)
{
	return refused ? -ETOOMANYREFS : __real_descriptor_send(socket, packet, size, flags, fd);
}

struct rig {
	struct keeper_link *link;
	int near, far;
};

struct test_call {
	struct keeper_call call; /* first */
	int answers, overdues;
	struct command_reply reply;
	int fd;                   /* that came with it */
	struct keeper_link *link; /* where the call `then` is made after the answer */
	struct test_call *then;
};

static int begin(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	int ends[2];

	*state = rig;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	rig->near = ends[0];
	rig->far = ends[1];
	rig->link = keeper_link_new(rig->near);
	return !rig->link;
}

static int end(void **state)
{
	struct rig *rig = *state;

	keeper_link_free(rig->link);
	close(rig->near);
	close(rig->far);
	free(rig);
	return 0;
}

static void answered(struct keeper_call *call, const struct command_reply *reply, int fd)
{
	struct test_call *test = (struct test_call *)call;

	test->fd = fd;
	test->answers++;
	test->reply = *reply;
	if (test->then)
		keeper_link_call(test->link, &test->then->call);
}

static void overdue(struct keeper_call *call)
{
	((struct test_call *)call)->overdues++;
}

static struct test_call new_call(uint32_t slot)
{
	return (struct test_call){
		.call = {.command = {.op = COMMAND_UNMAP, .slot = slot},
			 .fd = -1,
			 .answered = answered,
			 .overdue = overdue},
	};
}

/* Receives the next command at the far end. False: there is none. */
static bool take(struct rig *rig, struct command *command)
{
	ssize_t n = recv(rig->far, command, sizeof(*command), MSG_DONTWAIT);

	assert_true(n == sizeof(*command) || (n < 0 && errno == EAGAIN));
	return n > 0;
}

static void reply_to(struct rig *rig, uint64_t id, int error)
{
	struct command_reply reply = {.id = id, .error = error};

	/* Without a NUL at its end, as only a broken keeper would send it. */
	memset(reply.message, 'm', sizeof(reply.message));
	assert_int_equal(send(rig->far, &reply, sizeof(reply), 0), sizeof(reply));
}

static void answers_find_their_call(void **state)
{
	struct rig *rig = *state;
	struct test_call calls[3] = {new_call(1), new_call(2), new_call(3)};
	struct command commands[3];

	for (int i = 0; i < 3; i++)
		keeper_link_call(rig->link, &calls[i].call);
	assert_false(keeper_link_waits(rig->link));
	for (uint32_t i = 0; i < 3; i++) {
		assert_true(take(rig, &commands[i]));
		assert_int_equal(commands[i].slot, i + 1);
		assert_int_equal(commands[i].op, COMMAND_UNMAP);
	}
	assert_int_equal(keeper_link_work(rig->link), 0);
	for (int i = 2; i >= 0; i--)
		reply_to(rig, commands[i].id, -i);
	assert_int_equal(keeper_link_work(rig->link), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(calls[i].answers, 1);
		assert_int_equal(calls[i].reply.error, -i);
		assert_int_equal(strlen(calls[i].reply.message),
				 sizeof(calls[i].reply.message) - 1);
	}
}

static void an_unknown_answer_is_passed_over(void **state)
{
	struct rig *rig = *state;
	struct test_call call = new_call(1);
	struct command command;

	keeper_link_call(rig->link, &call.call);
	assert_true(take(rig, &command));
	reply_to(rig, command.id + 1, 0);
	reply_to(rig, command.id, 0);
	reply_to(rig, command.id, 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(call.answers, 1);
}

static void an_answer_may_ask_again(void **state)
{
	struct rig *rig = *state;
	struct test_call first = new_call(1), second = new_call(2);
	struct command command;

	first.link = rig->link;
	first.then = &second;
	keeper_link_call(rig->link, &first.call);
	assert_true(take(rig, &command));
	reply_to(rig, command.id, 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_true(take(rig, &command));
	assert_int_equal(command.slot, 2);
	reply_to(rig, command.id, 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(second.answers, 1);
}

/* The descriptor is sent, and is still open here; another one comes before the answer. */
static void passes_descriptors(void **state)
{
	struct rig *rig = *state;
	struct test_call call = new_call(1);
	struct command_reply reply = {0};
	struct command command;
	int ends[2], fd;
	char byte;

	assert_int_equal(pipe(ends), 0);
	call.call.fd = ends[1];
	keeper_link_call(rig->link, &call.call);
	assert_int_equal(fcntl(ends[1], F_GETFD), 0);
	assert_int_equal(call.call.fd, ends[1]);
	assert_int_equal(descriptor_receive(rig->far, &command, sizeof(command), 0, &fd),
			 sizeof(command));
	assert_true(fd >= 0);
	reply.id = command.id;
	reply.returns = 1;
	assert_int_equal(descriptor_send(rig->far, &reply, sizeof(reply), 0, fd), 0);
	close(fd);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(call.answers, 0);
	reply_to(rig, command.id, 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(call.answers, 1);
	assert_int_equal(write(call.fd, "x", 1), 1);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	close(call.fd);
	close(ends[0]);
	close(ends[1]);
}

/* Without a free descriptor the file of an unmap does not arrive, and the answer still does. */
static void an_answer_without_its_file(void **state)
{
	struct rig *rig = *state;
	struct test_call call = new_call(1);
	struct command_reply reply = {.returns = 1};
	struct rlimit limit, none = {0};
	struct command command;

	keeper_link_call(rig->link, &call.call);
	assert_true(take(rig, &command));
	reply.id = command.id;
	assert_int_equal(descriptor_send(rig->far, &reply, sizeof(reply), 0, rig->far), 0);
	reply_to(rig, command.id, 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	assert_int_equal(call.answers, 1);
	assert_int_equal(call.reply.error, 0);
	assert_int_equal(call.fd, -1);
}

/* When the socket is full, no command is lost and their order is kept. */
static void waits_for_room(void **state)
{
	enum { COUNT = 1000 };
	struct rig *rig = *state;
	struct test_call *calls = calloc(COUNT, sizeof(*calls));
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct command command;
	uint32_t next = 0;

	for (uint32_t i = 0; i < COUNT; i++) {
		calls[i] = new_call(i);
		calls[i].call.fd = i % 100 ? -1 : null;
		keeper_link_call(rig->link, &calls[i].call);
	}
	assert_true(keeper_link_waits(rig->link));
	while (next < COUNT) {
		assert_true(take(rig, &command));
		assert_int_equal(command.slot, next);
		if (next % 3)
			reply_to(rig, command.id, 0);
		next++;
		assert_int_equal(keeper_link_work(rig->link), 0);
	}
	assert_false(keeper_link_waits(rig->link));
	assert_false(take(rig, &command));
	for (int i = 0; i < COUNT; i++)
		assert_int_equal(calls[i].answers, !!(i % 3));
	free(calls);
	close(null);
}

/* The loop does not wait for room, which there is, but for some time. */
static void sends_again_what_was_refused(void **state)
{
	struct rig *rig = *state;
	struct test_call first = new_call(1), second = new_call(2);
	uint64_t now = clock_now(), due;
	struct command command;

	refused = true;
	keeper_link_call(rig->link, &first.call);
	assert_false(keeper_link_waits(rig->link));
	refused = false;
	due = keeper_link_expire(rig->link, now);
	assert_true(due > now && due <= clock_now() + CLOCK_SECOND);
	keeper_link_call(rig->link, &second.call);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_false(take(rig, &command));
	assert_int_equal(keeper_link_expire(rig->link, due), UINT64_MAX);
	for (uint32_t slot = 1; slot <= 2; slot++) {
		assert_true(take(rig, &command));
		assert_int_equal(command.slot, slot);
	}
}

static void tells_what_is_overdue_once(void **state)
{
	struct rig *rig = *state;
	struct test_call calls[3] = {new_call(1), new_call(2), new_call(3)};
	const uint64_t now = 1000 * CLOCK_SECOND;
	struct command command;

	calls[0].call.answer_by = now + 20;
	calls[2].call.answer_by = now + 10;
	for (int i = 0; i < 3; i++)
		keeper_link_call(rig->link, &calls[i].call);
	assert_int_equal(keeper_link_expire(rig->link, now), now + 10);
	assert_int_equal(keeper_link_expire(rig->link, now + 10), now + 20);
	assert_int_equal(calls[2].overdues, 1);
	assert_int_equal(keeper_link_expire(rig->link, now + 20), UINT64_MAX);
	assert_int_equal(keeper_link_expire(rig->link, now + 30), UINT64_MAX);
	assert_int_equal(calls[0].overdues, 1);
	assert_int_equal(calls[1].overdues, 0);
	assert_int_equal(calls[2].overdues, 1);
	/* The late answer still reaches the call. */
	assert_true(take(rig, &command));
	reply_to(rig, command.id, 0);
	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(calls[0].answers, 1);
}

/* The loop is late, not the keeper. */
static void an_answer_that_waits_is_not_overdue(void **state)
{
	struct rig *rig = *state;
	struct test_call call = new_call(1);
	struct command command;

	call.call.answer_by = 100;
	keeper_link_call(rig->link, &call.call);
	assert_true(take(rig, &command));
	reply_to(rig, command.id, -ENOENT);
	assert_int_equal(keeper_link_expire(rig->link, 100), UINT64_MAX);
	assert_int_equal(call.overdues, 0);
	assert_int_equal(call.answers, 1);
	assert_int_equal(call.reply.error, -ENOENT);
	assert_false(keeper_link_stuck(rig->link));
}

/* After an overdue call one command asks the keeper whether it answers at all. */
static void asks_a_slow_keeper_whether_it_is_there(void **state)
{
	struct rig *rig = *state;
	struct test_call calls[2] = {new_call(1), new_call(2)};
	struct command overdue_ones[2], ping;

	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < 2; i++) {
			calls[i].call.answer_by = 10;
			keeper_link_call(rig->link, &calls[i].call);
			assert_true(take(rig, &overdue_ones[i]));
		}
		assert_false(keeper_link_stuck(rig->link));
		keeper_link_expire(rig->link, 10);
		assert_true(keeper_link_stuck(rig->link));
		assert_true(take(rig, &ping));
		assert_int_equal(ping.op, COMMAND_PING);
		assert_false(take(rig, &(struct command){0}));
		reply_to(rig, ping.id, 0);
		assert_int_equal(keeper_link_work(rig->link), 0);
		assert_false(keeper_link_stuck(rig->link));
		for (int i = 0; i < 2; i++)
			reply_to(rig, overdue_ones[i].id, 0);
		assert_int_equal(keeper_link_work(rig->link), 0);
		assert_int_equal(calls[0].answers, round + 1);
		assert_int_equal(calls[1].answers, round + 1);
	}
}

static void the_end_of_the_keeper_is_seen(void **state)
{
	struct rig *rig = *state;
	struct test_call call = new_call(1);

	assert_int_equal(keeper_link_work(rig->link), 0);
	assert_int_equal(shutdown(rig->far, SHUT_RDWR), 0);
	keeper_link_call(rig->link, &call.call); /* no SIGPIPE */
	assert_int_equal(keeper_link_work(rig->link), -EPIPE);
	assert_int_equal(call.answers, 0);
}

static void a_broken_answer_is_the_end(void **state)
{
	struct rig *rig = *state;

	assert_int_equal(send(rig->far, "short", 5, 0), 5);
	assert_int_equal(keeper_link_work(rig->link), -EPIPE);
}

static void ready_is_no_question(void **state)
{
	struct rig *rig = *state;
	struct command command;

	keeper_link_ready(rig->link);
	assert_true(take(rig, &command));
	assert_int_equal(command.op, COMMAND_READY);
	assert_int_equal(keeper_link_expire(rig->link, UINT64_MAX), UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(answers_find_their_call, begin, end),
		cmocka_unit_test_setup_teardown(an_unknown_answer_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_may_ask_again, begin, end),
		cmocka_unit_test_setup_teardown(passes_descriptors, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_without_its_file, begin, end),
		cmocka_unit_test_setup_teardown(waits_for_room, begin, end),
		cmocka_unit_test_setup_teardown(sends_again_what_was_refused, begin, end),
		cmocka_unit_test_setup_teardown(tells_what_is_overdue_once, begin, end),
		cmocka_unit_test_setup_teardown(an_answer_that_waits_is_not_overdue, begin, end),
		cmocka_unit_test_setup_teardown(asks_a_slow_keeper_whether_it_is_there, begin, end),
		cmocka_unit_test_setup_teardown(the_end_of_the_keeper_is_seen, begin, end),
		cmocka_unit_test_setup_teardown(a_broken_answer_is_the_end, begin, end),
		cmocka_unit_test_setup_teardown(ready_is_no_question, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
