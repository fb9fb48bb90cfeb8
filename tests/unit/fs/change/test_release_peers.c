/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release_peers.c - connections of libraries: which processes may have one, how many, and what
 * may be sent over it
 */
#include "packet.h"
#include "release_helper.h"
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>

static void a_second_connection_replaces_the_first(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result, more;
	int fd = library(place), next;

	go(place, fd, mapping, &result);
	next = library(place);
	expect(place, fd, -1);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, "has hung up");
	go(place, next, mapping, &more);
	close(fd);
	hang_up(place, next);
}

static void who_says_nonsense_is_dropped(void **state)
{
	struct place *place = *state;
	const struct wire_message good = {.magic = WIRE_MAGIC, .type = WIRE_READY, .request = 1};
	struct wire_message wrong[4] = {good, good, good, good};
	static const size_t sizes[] = {48, 47, 49, 1};
	struct mapping *mapping = publish(place, 5);
	char longer[sizeof(good) + 1] = {0};
	struct result result;

	wrong[0].magic++;
	for (size_t i = 0; i < 4; i++) {
		int fd = library(place);

		ask_for(place, mapping, PATIENCE, &result);
		expect_ask(place, fd, mapping);
		memcpy(longer, &wrong[i], sizeof(good));
		assert_int_equal(send(fd, longer, sizes[i], 0), sizes[i]);
		expect(place, fd, -1);
		process_table_fake_wake(&place->process_table);
		expect_result(&result, EBUSY, "has hung up");
		close(fd);
	}
}

/* An answer without a request ends the connection, from the first one on. */
static void who_says_too_much_is_dropped(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int fd = library(place);
	struct result result;
	uint64_t request;

	for (uint32_t type = 100; type < 300; type++) /* types of later versions are ignored */
		say(place, fd, type, 1, 0);
	expect(place, fd, 0);
	say(place, fd, WIRE_READY, 1, 0);
	expect(place, fd, -1);
	close(fd);

	fd = library(place);
	say(place, fd, WIRE_TABLE, 1, 0);
	expect(place, fd, -1);
	close(fd);

	fd = library(place);
	request = go(place, fd, mapping, &result);
	say(place, fd, WIRE_READY, request, 0); /* a second time: no second WIRE_GO */
	expect(place, fd, 0);
	assert_int_equal(result.calls, 0);
	say(place, fd, WIRE_DONE, request, 0);
	expect(place, fd, -1);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, "has hung up");
	close(fd);
}

/* A descriptor after the first packet ends the connection, and is closed. */
static void no_descriptor_stays(void **state)
{
	struct place *place = *state;
	const struct wire_message message = {.magic = WIRE_MAGIC, .type = 100};
	int fd = library(place), ends[2];
	struct pollfd all_closed;
	unsigned descriptors = rig_descriptors();

	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	all_closed = (struct pollfd){.fd = ends[0]};
	packet_send(fd, &message, sizeof(message), ends[1], 1);
	close(ends[1]);
	expect(place, fd, -1);
	while (!poll(&all_closed, 1, 0))
		rig_poll(place->rig);
	close(ends[0]);
	/* The connection had a socket and a pidfd; the receiver has a socket. */
	while (rig_descriptors() != descriptors - 1)
		rig_poll(place->rig);
	close(fd);
}

/* Returns the library's end of a socket that holds only a few messages. */
static int library_that_does_not_read(struct place *place)
{
	const struct ucred who = {.pid = PID, .uid = UID};
	const struct wire_message hello = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS, .table = TABLE};
	int ends[2], small = 1;

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)), 0);
	assert_int_equal(packets_prepare(ends[1]), 0);
	releases_take(place->releases, ends[1], &who, pidfd_open_pid(PID), &hello, sizeof(hello),
		      -1);
	return ends[0];
}

/* A library that does not read. */
static void a_full_socket_is_silence(void **state)
{
	struct place *place = *state;
	struct result results[40];
	struct mapping *mappings[40];
	int fd = library_that_does_not_read(place), n = 0;
	uint64_t request;

	do {
		assert_true(n < 40);
		mappings[n] = publish(place, (uint32_t)n);
		ask_for(place, mappings[n], PATIENCE, &results[n]);
	} while (!results[n++].calls);
	assert_true(n > 2);
	expect_result(&results[n - 1], EBUSY, prog("", " does not answer"));
	assert_null(mapping_observer(mappings[n - 1]));

	/*
	 * The library reads one message and is ready to begin: while no message fits, it cannot
	 * begin.
	 */
	request = expect_ask(place, fd, mappings[0]);
	ask_for(place, mappings[n - 1], SHORT_PATIENCE, &results[n - 1]);
	expect_result(&results[n - 1], EBUSY, prog("", " does not answer"));
	say(place, fd, WIRE_READY, request, 0);
	for (int i = 1; i < n - 1; i++)
		expect_ask(place, fd, mappings[i]);
	expect(place, fd, WIRE_GO);
	for (int i = 0; i < n - 1; i++)
		assert_int_equal(results[i].calls, 0);
	close(fd);
	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table);
	for (int i = 0; i < n; i++)
		expect_result(&results[i], EBUSY, "");
}

/* A library that answers without reading. */
static void a_go_that_cannot_be_sent(void **state)
{
	struct place *place = *state;
	struct result results[40];
	struct mapping *mapping;
	int fd = library_that_does_not_read(place), n = 0;

	do {
		assert_true(n < 40);
		mapping = publish(place, (uint32_t)n);
		ask_for(place, mapping, PATIENCE, &results[n]);
	} while (!results[n++].calls);
	say(place, fd, WIRE_READY, 1, 0);
	process_table_fake_wake(&place->process_table);
	for (int i = 0; i < n - 1; i++)
		expect_result(&results[i], EBUSY, "has hung up");
	close(fd);
}

static void requests_of_a_peer_are_bounded(void **state)
{
	struct place *place = *state;
	int fd = library(place);
	struct result results[65];

	for (uint32_t i = 0; i < 65; i++)
		ask_for(place, publish(place, i), PATIENCE, &results[i]);
	for (uint32_t i = 0; i < 64; i++)
		assert_int_equal(results[i].calls, 0);
	expect_result(&results[64], EBUSY, "is being asked for 64 mappings already");
	hang_up(place, fd);
	for (uint32_t i = 0; i < 64; i++)
		expect_result(&results[i], EBUSY, "has hung up");
}

/* A process that runs a set-uid program has another user than when it connected. */
static void a_set_uid_program_is_not_asked(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result;
	int fd = stay(place, PID, UID + 1, TABLE);

	ask_for(place, mapping, PATIENCE, &result);
	expect_result(&result, EBUSY, "has no release handler");
	expect(place, fd, 0);
	close(fd);
	fd = stay(place, PID, 0, TABLE); /* it has given up root's rights */
	ask_for(place, mapping, PATIENCE, &result);
	expect_ask(place, fd, mapping);
	hang_up(place, fd);
	expect_result(&result, EBUSY, "has hung up");
}

static void connections_are_bounded(void **state)
{
	struct place *place = *state;
	static int fds[1026];
	struct rlimit limit;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_max < 4096)
		skip();
	limit.rlim_cur = limit.rlim_max < 8192 ? limit.rlim_max : 8192;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	for (int i = 0; i < 1026; i++)
		fds[i] = stay(place, PID + i, UID, TABLE);
	expect(place, fds[1023], 0);
	expect(place, fds[1024], -1);
	expect(place, fds[1025], -1);
	close(fds[1024]);
	fds[1024] = stay(place, PID, 0, TABLE); /* root replaces the first one */
	expect(place, fds[1024], 0);
	expect(place, fds[0], -1);
	close(fds[1025]);
	fds[1025] = stay(place, PID + 2000, UID, TABLE);
	expect(place, fds[1025], 0);
	for (int i = 0; i < 1026; i++)
		close(fds[i]);
}

static void a_table_is_handed_on(void **state)
{
	struct place *place = *state;
	struct wire_message message = {.magic = WIRE_MAGIC, .type = WIRE_TABLE, .table = TABLE};
	unsigned descriptors = rig_descriptors();
	int file, fd;

	file = open("/dev/null", O_RDONLY | O_CLOEXEC);
	fd = present(place, getpid(), UID, &message, sizeof(message), file);
	assert_int_equal(place->process_table.passed_tables, 1);
	assert_int_equal(place->process_table.pid, getpid());
	assert_true(place->process_table.pidfd >= 0);
	assert_int_equal(place->process_table.table, file);
	expect(place, fd, -1); /* the process cannot be asked to release */
	close(fd);

	message.flags = WIRE_STAYS;
	fd = present(place, getpid(), UID, &message, sizeof(message), file);
	assert_int_equal(place->process_table.passed_tables, 2);
	expect(place, fd, 0);
	close(fd);
	rig_poll(place->rig);
	close(file);
	assert_int_equal(rig_descriptors(), descriptors);
}

static void what_is_no_table_is_not_handed_on(void **state)
{
	struct place *place = *state;
	const struct wire_message good = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS, .table = TABLE};
	struct wire_message wrong;
	unsigned descriptors;
	char longer[49] = {0};
	int fd;

	rig_start_receiver(place->receivers, UID);
	descriptors = rig_descriptors();
	memcpy(longer, &good, sizeof(good));
	for (int i = 0; i < 6; i++) {
		int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
		size_t size = sizeof(good);
		pid_t pid = PID;

		memcpy(longer, &good, sizeof(good));
		wrong = good;
		if (i == 0)
			wrong.magic++;
		else if (i == 1)
			wrong.type = WIRE_READY;
		else if (i == 2)
			pid = 0; /* of another pid namespace */
		else
			size = i == 3 ? 47 : i == 4 ? 49 : 8;
		memcpy(longer, &wrong, sizeof(wrong));
		fd = present(place, pid, UID, longer, size, file);
		expect(place, fd, -1);
		close(fd);
	}
	assert_int_equal(place->process_table.passed_tables, 0);
	while (rig_descriptors() != descriptors) /* the receiver takes one at a time */
		rig_wait(place->rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_second_connection_replaces_the_first, begin, end),
		cmocka_unit_test_setup_teardown(who_says_nonsense_is_dropped, begin, end),
		cmocka_unit_test_setup_teardown(who_says_too_much_is_dropped, begin, end),
		cmocka_unit_test_setup_teardown(no_descriptor_stays, begin, end),
		cmocka_unit_test_setup_teardown(a_full_socket_is_silence, begin, end),
		cmocka_unit_test_setup_teardown(a_go_that_cannot_be_sent, begin, end),
		cmocka_unit_test_setup_teardown(requests_of_a_peer_are_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_set_uid_program_is_not_asked, begin, end),
		cmocka_unit_test_setup_teardown(connections_are_bounded, begin, end),
		cmocka_unit_test_setup_teardown(a_table_is_handed_on, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_table_is_not_handed_on, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
