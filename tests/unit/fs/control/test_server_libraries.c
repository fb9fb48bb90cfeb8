/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server_libraries.c - connections of libraries, and questions about mappings of other
 * processes
 */
#include "base/pidfd.h"
#include "format/wire.h"
#include "former_process.h"
#include "server_helper.h"
#include <fcntl.h>
#include <sys/mman.h>

#define TABLE 77

static const struct wire_message hello = {.magic = WIRE_MAGIC, .type = WIRE_TABLE, .table = TABLE};
static const struct wire_message asks_to_stay = {
	.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS, .table = TABLE};

static unsigned recvs; /* of the server, and of this program */

ssize_t __real_recv(int socket, void *buffer, size_t size, int flags);
ssize_t __wrap_recv(int socket, void *buffer, size_t size, int flags);

ssize_t __wrap_recv(int socket, void *buffer, size_t size, int flags)
{
	recvs++;
	return __real_recv(socket, buffer, size, flags);
}

static void a_library_is_handed_over(void **state)
{
	struct place *place = *state;
	int file = memfd_create("table", MFD_CLOEXEC), early, late;
	unsigned descriptors;
	char byte;

	start_receiver(place);
	descriptors = rig_descriptors();
	early = reach(place, 0); /* its message is there before the server accepts it */
	packet_send(early, &hello, sizeof(hello), file, 1);
	expect_end(place, early);
	assert_int_equal(place->process_table.passed_tables, 1);
	assert_int_equal(place->process_table.pid, getpid());
	close(place->process_table.table);
	close(early);
	expect_descriptors(place, descriptors);

	late = reach(place, 0);
	rig_poll(place->rig);
	packet_send(late, &asks_to_stay, sizeof(hello), file, 1);
	while (place->process_table.passed_tables < 2)
		rig_wait(place->rig);
	assert_int_equal(place->process_table.passed_tables, 2);
	close(place->process_table.table);
	assert_int_equal(recv(late, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	close(late);
	rig_poll(place->rig);
	rig_poll(place->rig);
	expect_descriptors(place, descriptors);

	/* An invalid message after a valid beginning, and too many descriptors. */
	early = reach(place, 0);
	packet_send(early, &hello, sizeof(hello.magic), file, 1);
	expect_end(place, early);
	close(early);
	early = reach(place, 0);
	packet_send(early, &hello, sizeof(hello), file, 2);
	expect_end(place, early);
	close(early);
	rig_poll(place->rig);
	expect_descriptors(place, descriptors);
	assert_int_equal(place->process_table.passed_tables, 2);
	close(file);
}

/* What a library has said is heard without a turn of the loop, and nothing else is. */
static void libraries_are_heard_before_a_question(void **state)
{
	struct place *place = *state;
	int waiting = reach(place, 0), accepted = reach(place, 0), silent = reach(place, 0);
	int question = reach(place, 0), many[120];

	packet_send(waiting, &hello, sizeof(hello), -1, 0);
	put(question, "{\"look\":1}");
	server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 1);
	packet_send(accepted, &asks_to_stay, sizeof(hello), -1, 0);
	close(silent);
	server_hear(place->server);
	server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 2);
	assert_int_equal(place->process_table.user_scans_asked, 0);
	rig_poll(place->rig);
	assert_int_equal(place->process_table.user_scans_asked, 1);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(answered(place, question, NULL), 0);

	for (int i = 0; i < 120; i++) {
		many[i] = reach(place, 0);
		packet_send(many[i], &hello, sizeof(hello), -1, 0);
	}
	server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 122);
	for (int i = 0; i < 120; i++)
		close(many[i]);
	close(waiting);
	close(accepted);
	close(question);
}

/* The table is in a packet that only a receiver may take: until then, the process may be looked at.
 */
static void a_library_with_a_descriptor_is_heard_once(void **state)
{
	struct place *place = *state;
	int file = memfd_create("table", MFD_CLOEXEC), fd;

	if (geteuid())
		skip();
	fd = reach(place, UID);
	packet_send(fd, &hello, sizeof(hello), file, 1);
	for (int i = 0; i < 3; i++)
		server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 1);
	assert_int_equal(place->process_table.table, -1);
	expect_end(place, fd);
	assert_int_equal(place->process_table.passed_tables, 2);
	assert_true(place->process_table.table >= 0);
	close(place->process_table.table);
	close(file);
	close(fd);
}

/* Connections from which nothing comes cost a question nothing. */
static void silent_connections_are_not_read(void **state)
{
	struct place *place = *state;
	int silent[60];

	for (int i = 0; i < 60; i++)
		silent[i] = reach(place, 0);
	server_hear(place->server);
	recvs = 0;
	server_hear(place->server);
	assert_int_equal(recvs, 0);
	packet_send(silent[30], &hello, sizeof(hello), -1, 0);
	server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 1);
	assert_true(recvs < 10);
	put(silent[31], "{\"look\":1}");
	server_hear(place->server);
	server_hear(place->server);
	assert_int_equal(place->process_table.user_scans_asked, 0);
	rig_poll(place->rig);
	assert_int_equal(place->process_table.user_scans_asked, 1);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(answered(place, silent[31], NULL), 0);
	for (int i = 0; i < 60; i++)
		close(silent[i]);
}

/* However many connections of users have come first. */
static void all_that_wait_are_heard(void **state)
{
	struct place *place = *state;
	int many[129];

	if (geteuid())
		skip();
	for (int i = 0; i < 129; i++) {
		many[i] = reach(place, UID);
		packet_send(many[i], &hello, sizeof(hello), -1, 0);
	}
	server_hear(place->server);
	assert_int_equal(place->process_table.passed_tables, 129);
	for (int i = 0; i < 129; i++)
		close(many[i]);
}

static void a_peer_that_has_asked_a_question_is_no_library(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);

	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", "no such mapping"), ENOENT);
	packet_send(fd, &asks_to_stay, sizeof(asks_to_stay), -1, 0);
	assert_int_equal(answered(place, fd, ""), EINVAL);
	assert_int_equal(place->process_table.passed_tables, 0);
	close(fd);
}

static int connect_child(void *arg)
{
	return reach(arg, geteuid());
}

/* A child of the library has the socket, and sends the first packet when the library has ended. */
static void a_library_that_has_ended_is_not_handed_over(void **state)
{
	struct place *place = *state;
	int file = open("/dev/null", O_RDONLY | O_CLOEXEC);

	for (int accepted = 0; accepted < 2; accepted++) {
		int fd;
		pid_t child = child_with_socket(connect_child, place, &fd);

		if (accepted)
			rig_poll(place->rig);
		child_end(child);
		packet_send(fd, &asks_to_stay, sizeof(asks_to_stay), file, 1);
		expect_end(place, fd);
		close(fd);
	}
	assert_int_equal(place->process_table.passed_tables, 0);
	close(file);
}

/* However many connections of one kind there are, those of the other kind are accepted. */
static void libraries_and_questions_do_not_crowd_each_other_out(void **state)
{
	struct place *place = *state;
	int questions[64], libraries[70], fd, file;
	struct wire_message message = asks_to_stay;

	if (geteuid())
		skip();
	for (int i = 0; i < 70; i++) {
		libraries[i] = reach(place, UID);
		message.table = (uint64_t)i;
		packet_send(libraries[i], &message, sizeof(message), -1, 0);
		if (i % 2) /* accepted one by one, or two at once */
			rig_poll(place->rig);
	}
	for (int i = 0; i < 64; i++) {
		questions[i] = reach(place, UID);
		rig_poll(place->rig);
	}
	assert_int_equal(ask(place, questions[63], "{\"unmap\":\"x\"}", "no such"), ENOENT);
	file = memfd_create("table", MFD_CLOEXEC);
	fd = reach(place, UID);
	packet_send(fd, &hello, sizeof(hello), file, 1);
	expect_end(place, fd);
	/* 71 connections, and the last process once more before a receiver has its packet. */
	assert_int_equal(place->process_table.passed_tables, 72);
	assert_true(place->process_table.table >= 0);
	close(place->process_table.table);
	close(file);
	close(fd);
	for (int i = 0; i < 70; i++)
		close(libraries[i]);
	for (int i = 0; i < 64; i++)
		close(questions[i]);
}

static int begin_without_receivers(void **state)
{
	return begin_with(state, "/nonexistent");
}

/* More than all connections for questions, all of which wait for a receiver. */
static void libraries_that_wait_crowd_nobody_out(void **state)
{
	struct place *place = *state;
	int libraries[260], fd, file;

	if (geteuid())
		skip();
	file = memfd_create("table", MFD_CLOEXEC);
	for (int i = 0; i < 260; i++) {
		libraries[i] = reach(place, UID);
		packet_send(libraries[i], &hello, sizeof(hello), file, 1);
		rig_poll(place->rig);
	}
	fd = reach(place, UID + 1);
	assert_int_equal(ask(place, fd, "{\"unmap\":\"x\"}", "no such mapping"), ENOENT);
	close(fd);
	for (int i = 0; i < 260; i++)
		close(libraries[i]);
	close(file);
}

/* A library may have ended by the time at which its user has time of the loop again. */
static void libraries_never_wait_for_time(void **state)
{
	struct place *place = *state;
	struct user_quota *user = quota_of(&place->loop_time, UID);
	unsigned descriptors;

	if (geteuid())
		skip();
	quota_charge(&place->loop_time, user, clock_now(), 1000 * CLOCK_SECOND);
	descriptors = rig_descriptors();
	for (unsigned accepted = 0; accepted < 2; accepted++) {
		int fd = reach(place, UID);

		if (accepted)
			rig_poll(place->rig);
		packet_send(fd, &hello, sizeof(hello), -1, 0);
		close(fd);
		rig_poll(place->rig);
		rig_poll(place->rig);
		assert_int_equal(place->process_table.passed_tables, accepted + 1);
	}
	expect_descriptors(place, descriptors);
}

static void scans_for_a_client(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0), other = reach(place, 0);
	json_t *answer;

	place->process_table.user_scan_uid = UID;
	for (int i = 0; i < 2; i++) {
		place->process_table.complete = i % 2;
		put(fd, "{\"look\":1}");
		rig_poll(place->rig);
		assert_int_equal(place->process_table.user_scans_asked, i + 1);
		assert_int_equal(place->process_table.user_scan_uid, geteuid());
		assert_null(packet_next(fd));
		process_table_fake_wake(&place->process_table);
		answer = wait_for(place, fd);
		assert_int_equal(json_integer_value(json_object_get(answer, "errno")), 0);
		assert_true(json_is_boolean(json_object_get(answer, "complete")));
		assert_int_equal(json_is_true(json_object_get(answer, "complete")), i % 2);
		json_decref(answer);
	}
	place->process_table.result = -ENOMEM;
	assert_int_equal(ask(place, fd, "{\"look\":1}", "out of memory"), ENOMEM);
	place->process_table.result = 0;

	put(other, "{\"look\":1}");
	rig_poll(place->rig);
	close(other);
	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table); /* its connection has ended */
	rig_poll(place->rig);
	close(fd);
}

static struct mapping *publish(struct place *place, struct process *process)
{
	const struct pmem2fs_record record = {
		.address = 4096, .length = 4096, .source_type = PMEM2FS_SOURCE_FILE};
	const struct scan_state state = {.process = process, .table = TABLE};
	struct extents *extents = NULL;
	struct mapping *mapping;

	assert_int_equal(catalog_show_scanned(place->rig->modules.catalog, "x", ORIGIN_PUBLISHED,
					      &record, &extents, &state, NULL, &mapping),
			 0);
	return mapping;
}

/* As when pmem2ctl is killed. */
static void hanging_up_withdraws(void **state)
{
	struct place *place = *state;
	struct process process = {.pid = getpid(), .watch.fd = pidfd_open_pid(getpid())};
	struct mapping *mapping = publish(place, &process);
	struct wire_message message;
	int library = reach(place, 0), fd = reach(place, 0);

	packet_send(library, &asks_to_stay, sizeof(asks_to_stay), -1, 0);
	rig_poll(place->rig);
	put(fd, "{\"unmap\":\"x\"}");
	rig_poll(place->rig);
	assert_int_equal(recv(library, &message, sizeof(message), MSG_DONTWAIT), sizeof(message));
	assert_int_equal(message.type, WIRE_ASK);
	assert_non_null(mapping_observer(mapping));
	close(fd);
	rig_poll(place->rig);
	assert_int_equal(recv(library, &message, sizeof(message), MSG_DONTWAIT), sizeof(message));
	assert_int_equal(message.type, WIRE_WITHDRAWN);
	assert_null(mapping_observer(mapping));

	fd = reach(place, 0); /* a connection that stays gets the result */
	put(fd, "{\"unmap\":\"x\",\"timeout\":100}");
	rig_poll(place->rig);
	close(library);
	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table);
	assert_int_equal(answered(place, fd, "has hung up"), EBUSY);
	close(fd);
	close(process.watch.fd);
}

/* pmem2ctl unmap holds nobody up, so a process that did not answer is asked again; rm would not ask
 * it. */
static void a_short_unmap_is_no_rm(void **state)
{
	struct place *place = *state;
	struct process process = {.pid = getpid(), .watch.fd = pidfd_open_pid(getpid())};
	int library = reach(place, 0), fd = reach(place, 0);
	struct wire_message message;

	publish(place, &process);
	packet_send(library, &asks_to_stay, sizeof(asks_to_stay), -1, 0);
	for (int i = 0; i < 2; i++) {
		rig_poll(place->rig);
		put(fd, "{\"unmap\":\"x\",\"timeout\":0}");
		rig_poll(place->rig);
		assert_int_equal(recv(library, &message, sizeof(message), MSG_DONTWAIT),
				 sizeof(message));
		assert_int_equal(message.type, WIRE_ASK);
		releases_expire(place->releases, clock_now() + CLOCK_SECOND);
		assert_int_equal(answered(place, fd, "does not answer"), EBUSY);
		assert_int_equal(recv(library, &message, sizeof(message), MSG_DONTWAIT),
				 sizeof(message));
		assert_int_equal(message.type, WIRE_WITHDRAWN);
	}
	close(fd);
	close(library);
	close(process.watch.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_library_is_handed_over, begin, end),
		cmocka_unit_test_setup_teardown(a_library_that_has_ended_is_not_handed_over, begin,
						end),
		cmocka_unit_test_setup_teardown(a_peer_that_has_asked_a_question_is_no_library,
						begin, end),
		cmocka_unit_test_setup_teardown(libraries_are_heard_before_a_question, begin, end),
		cmocka_unit_test_setup_teardown(a_library_with_a_descriptor_is_heard_once, begin,
						end),
		cmocka_unit_test_setup_teardown(silent_connections_are_not_read, begin, end),
		cmocka_unit_test_setup_teardown(all_that_wait_are_heard, begin, end),
		cmocka_unit_test_setup_teardown(libraries_and_questions_do_not_crowd_each_other_out,
						begin, end),
		cmocka_unit_test_setup_teardown(libraries_that_wait_crowd_nobody_out,
						begin_without_receivers, end),
		cmocka_unit_test_setup_teardown(libraries_never_wait_for_time, begin, end),
		cmocka_unit_test_setup_teardown(scans_for_a_client, begin, end),
		cmocka_unit_test_setup_teardown(hanging_up_withdraws, begin, end),
		cmocka_unit_test_setup_teardown(a_short_unmap_is_no_rm, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
