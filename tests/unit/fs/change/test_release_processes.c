/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release_processes.c - whose connection it is, when processes end, inherit sockets and get
 * the pids of others
 *
 * A child makes the connection. The test has the library's end of it, as a process that inherited
 * it would.
 */
#include "former_process.h"
#include "release_helper.h"

static struct {
	pid_t owner;    /* the process that has made the connection */
	int inherited;  /* the library's end */
	int connection; /* the daemon's end, where it was not taken over */
	struct ucred who;
} old;

static int make_pair(void *arg)
{
	int *ends = arg, pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	*ends = pair[1];
	return pair[0];
}

static int make_connection(void *arg)
{
	int far, near = make_pair(&far);

	hand_descriptor(*(int *)arg, far);
	close(far);
	return near;
}

static void connect_owner(struct place *place)
{
	int way[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, way), 0);
	old.owner = child_with_socket(make_connection, &way[1], &old.inherited);
	old.connection = receive_descriptor(way[0]);
	old.who = (struct ucred){.pid = old.owner, .uid = UID, .gid = UID};
	close(way[0]);
	close(way[1]);
	close(place->process.watch.fd);
	place->process.pid = old.owner;
	place->process.watch.fd = pidfd_open_pid(old.owner);
}

static void take_connection(struct place *place, int pidfd)
{
	const struct wire_message hello = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS, .table = TABLE};

	releases_take(place->releases, old.connection, &old.who, pidfd, &hello, sizeof(hello), -1);
}

/*
 * Ends the owner, and begins another process with its pid, which is the place's process from then
 * on.
 */
static void replace_owner(struct place *place)
{
	child_end(old.owner);
	if (child_begin(old.owner) != old.owner)
		skip();
	close(place->process.watch.fd);
	place->process.watch.fd = pidfd_open_pid(old.owner);
	assert_true(place->process.watch.fd >= 0);
}

static void a_new_process_with_the_pid_is_not_asked_through_the_old_connection(void **state)
{
	struct place *place = *state;
	struct result result;

	connect_owner(place);
	take_connection(place, pidfd_open_pid(old.owner));
	expect(place, old.inherited, 0);
	replace_owner(place);
	ask_for(place, publish(place, 5), PATIENCE, &result);
	expect_result(&result, EBUSY, "has no release handler");
	expect(place, old.inherited, -1);
	close(old.inherited);
	child_end(old.owner);
}

static void a_connection_ends_with_its_process(void **state)
{
	struct place *place = *state;
	unsigned descriptors;

	connect_owner(place);
	descriptors = rig_descriptors();
	take_connection(place, pidfd_open_pid(old.owner));
	child_end(old.owner);
	expect(place, old.inherited, -1);
	assert_int_equal(rig_descriptors(), descriptors - 1);
	close(old.inherited);
}

/* The process has ended without a release; its child answers. */
static void what_is_said_after_the_end_is_not_believed(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result;
	struct wire_message answer = {.magic = WIRE_MAGIC, .type = WIRE_DONE, .error = -EPERM};
	int fd;

	connect_owner(place);
	take_connection(place, pidfd_open_pid(old.owner));
	ask_for(place, mapping, PATIENCE, &result);
	answer.request = expect_ask(place, old.inherited, mapping);
	child_end(old.owner);
	assert_int_equal(send(old.inherited, &answer, sizeof(answer), MSG_NOSIGNAL),
			 sizeof(answer));
	fd = old.inherited;
	expect(place, fd, -1);
	process_table_fake_wake(&place->process_table);
	expect_result(&result, EBUSY, "has hung up");
	close(fd);
}

static void only_the_process_itself_answers(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	struct result result;
	uint64_t request;

	for (int done = 0; done < 2; done++) {
		connect_owner(place);
		take_connection(place, pidfd_open_pid(old.owner));
		ask_for(place, mapping, PATIENCE, &result);
		request = expect_ask(place, old.inherited, mapping);
		say(place, old.inherited, done ? WIRE_DONE : WIRE_READY, request, -EPERM);
		expect(place, old.inherited, -1);
		process_table_fake_wake(&place->process_table);
		expect_result(&result, EBUSY, "has hung up");
		close(old.inherited);
		child_end(old.owner);
	}
}

/* The first packet comes when the process that connected has ended. */
static void a_process_that_has_ended_has_no_table(void **state)
{
	struct place *place = *state;
	unsigned descriptors;
	int pidfd;

	connect_owner(place);
	pidfd = pidfd_open_pid(old.owner);
	descriptors = rig_descriptors();
	replace_owner(place);
	take_connection(place, pidfd);
	expect(place, old.inherited, -1);
	assert_int_equal(place->process_table.passed_tables, 0);
	assert_int_equal(rig_descriptors(), descriptors - 2);
	close(old.inherited);
	child_end(old.owner);
}

/* The process in the catalog has ended, and that is still to be noticed; another one has its pid.
 */
static void the_connection_of_a_new_process_is_not_used_for_an_old_mapping(void **state)
{
	struct place *place = *state;
	struct mapping *mapping = publish(place, 5);
	int former;
	struct result result;

	connect_owner(place);
	former = place->process.watch.fd;
	place->process.watch.fd = -1;
	replace_owner(place);
	take_connection(place, pidfd_open_pid(old.owner));
	expect(place, old.inherited, 0);
	close(place->process.watch.fd);
	place->process.watch.fd = former;
	ask_for(place, mapping, PATIENCE, &result);
	expect_result(&result, EBUSY, "has no release handler");
	expect(place, old.inherited, 0);
	close(old.inherited);
	child_end(old.owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_new_process_with_the_pid_is_not_asked_through_the_old_connection, begin,
			end),
		cmocka_unit_test_setup_teardown(a_connection_ends_with_its_process, begin, end),
		cmocka_unit_test_setup_teardown(what_is_said_after_the_end_is_not_believed, begin,
						end),
		cmocka_unit_test_setup_teardown(only_the_process_itself_answers, begin, end),
		cmocka_unit_test_setup_teardown(a_process_that_has_ended_has_no_table, begin, end),
		cmocka_unit_test_setup_teardown(
			the_connection_of_a_new_process_is_not_used_for_an_old_mapping, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
