/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_receivers_behind.c - more waits for receivers than they take
 */
#include "base/share.h"
#include "receivers_helper.h"
#include <string.h>
#include <time.h>

static bool immortal; /* kill has no effect, as on a process that hangs in a file system */

int __real_kill(pid_t pid, int sig);
int __wrap_kill(pid_t pid, int sig);

int __wrap_kill(pid_t pid, int sig)
{
	return immortal ? 0 : __real_kill(pid, sig);
}

/* While set, clock_now() of the modules under test is `moment`. */
static bool stands_still;
static struct timespec moment;

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	if (!stands_still)
		return __real_clock_gettime(clock, now);
	*now = moment;
	return 0;
}

static void stop_clock(void)
{
	__real_clock_gettime(CLOCK_MONOTONIC, &moment);
	stands_still = true;
}

static unsigned finds; /* how often a receiver was looked for */

enum receiver_state __real_receiver_find(struct receiver_processes *processes, uid_t uid,
					 struct receiver **found);
enum receiver_state __wrap_receiver_find(struct receiver_processes *processes, uid_t uid,
					 struct receiver **found);

enum receiver_state __wrap_receiver_find(struct receiver_processes *processes, uid_t uid,
					 struct receiver **found)
{
	finds++;
	return __real_receiver_find(processes, uid, found);
}

/* While a user's receivers hang, RECEIVERS_WAITING_MAX of its sockets stay open in the worker. */
static void a_flood_of_sockets_is_kept_elsewhere(void **state)
{
	struct place *place = *state;
	int peers[RECEIVERS_STUCK_MAX], passed = open("/dev/null", O_RDONLY | O_CLOEXEC), ends[2];
	unsigned descriptors;

	if (geteuid())
		skip(); /* the loopback device is down */
	immortal = true;
	for (int i = 0; i < RECEIVERS_STUCK_MAX; i++) {
		peers[i] = hang_receiver(place, UID);
		turn(place, 0, 2 * CLOCK_SECOND);
	}
	descriptors = rig_descriptors();
	stop_clock();
	for (int i = 0; i < 4 * RECEIVERS_WAITING_MAX; i++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
		packet_send(ends[1], "!", 1, passed, 1);
		receivers_close(place->receivers, ends[0], UID, NULL);
		close(ends[1]);
		if (!i)
			moment.tv_sec++; /* so the receivers count as hanging */
	}
	assert_int_equal(receivers_waiting(place->receivers, UID), RECEIVERS_WAITING_MAX);
	assert_in_range(rig_descriptors(), descriptors, descriptors + RECEIVERS_WAITING_MAX + 1);
	immortal = false;
	for (int i = 0; i < RECEIVERS_STUCK_MAX; i++)
		close(peers[i]);
	close(passed);
}

static unsigned counted;

static void count(struct receive *receive, const struct receive_result *result, const char *packet,
		  int fd)
{
	(void)receive;
	(void)result;
	(void)packet;
	assert_int_equal(fd, -1);
	counted++;
}

#define BURST (4u * RECEIVERS_WAITING_MAX)

/* A burst of any size is taken while a receiver works on it. */
static void a_burst_is_not_refused(void **state)
{
	struct place *place = *state;
	struct receive files[BURST] = {0}, packets[BURST] = {0};
	int readers[BURST];
	unsigned descriptors = rig_descriptors();

	stop_clock();
	for (unsigned i = 0; i < BURST; i++) {
		files[i].received = packets[i].received = count;
		receivers_close_file(place->receivers, new_pipe(&readers[i]), UID, UINT64_MAX,
				     &files[i]);
		assert_false(receivers_are_behind(place->receivers, UID));
		assert_int_equal(
			receivers_take(place->receivers, place->ours, UID, getpid(), &packets[i]),
			0);
	}
	/* All readers, the receiver's socket, and all writers except the receiver's. */
	assert_int_equal(rig_descriptors(), descriptors + 2 * BURST);
	for (counted = 0; counted < 2 * BURST;) {
		unsigned before = counted;

		while (counted == before)
			turn(place, -1, 0);
		moment.tv_nsec = (moment.tv_nsec + CLOCK_SECOND / 2) % CLOCK_SECOND;
		moment.tv_sec += moment.tv_nsec < (long)CLOCK_SECOND / 2;
		assert_false(receivers_are_behind(place->receivers, UID));
	}
	for (unsigned i = 0; i < BURST; i++)
		expect_closed(readers[i]);
}

/* Has up to `most` packets of a user received. Returns how many were accepted. */
static size_t take_all(struct place *place, struct receive *receives, size_t most, uid_t uid)
{
	size_t taken = 0;

	for (; taken < most; taken++) {
		receives[taken].received = count;
		if (receivers_take(place->receivers, place->ours, uid, getpid(), &receives[taken]))
			break;
	}
	return taken;
}

/* Packets of many users wait: root gets through, and so do as many users as the limit says. */
static void no_user_keeps_others_from_waiting(void **state)
{
	const struct share *share = &receivers_share;
	size_t most = share->total + 1;
	struct receive *receives = calloc(most, sizeof(*receives));
	struct place *place = *state;
	size_t users = 0, all, own;
	uid_t uid = UID;

	stop_clock();
	begin_again(place, "/nonexistent");
	assert_true(share->sure <= share->user && share_users(share) >= 30);
	all = take_all(place, receives, most, uid);
	assert_int_equal(all, share->user);
	do {
		own = take_all(place, receives + all, most - all, ++uid);
		users += own >= share->sure;
		all += own;
	} while (own);
	assert_true(users >= share_users(share));
	assert_int_equal(all, share->total - share->root);
	assert_int_equal(take_all(place, receives + all, most - all, 0), share->root);
	receivers_free(place->receivers);
	place->receivers = NULL;
	free(receives);
}

/* Gives a user's whole share of files. It is one descriptor each time, since nothing closes it
 * here. */
static void fill_with_files(struct place *place, uid_t uid)
{
	for (size_t i = 0; i < receivers_share.user; i++) {
		assert_false(receivers_are_behind(place->receivers, uid));
		receivers_close_file(place->receivers, place->ours, uid, 0, NULL);
	}
}

/* Without a receiver, a user is behind when as many files wait as its share allows. */
static void files_of_a_user_without_a_process_are_bounded(void **state)
{
	struct place *place = *state;

	stop_clock();
	begin_again(place, "/nonexistent");
	fill_with_files(place, UID);
	assert_true(receivers_are_behind(place->receivers, UID));
	assert_int_equal(
		receivers_take(place->receivers, place->ours, UID, getpid(), &place->receive),
		-EAGAIN);
	assert_false(receivers_are_behind(place->receivers, UID + 1));
	assert_false(receivers_are_behind(place->receivers, 0));
}

/* Beyond its share a user's files are kept by another process, as long as the receiver works. */
static void a_huge_burst_is_kept_elsewhere(void **state)
{
	struct place *place = *state;
	unsigned descriptors;
	int reader, kept;

	stop_clock();
	receivers_close_file(place->receivers, new_pipe(&reader), UID, 0, NULL);
	fill_with_files(place, UID);
	descriptors = rig_descriptors();
	receivers_close_file(place->receivers, new_pipe(&kept), UID, 0, NULL);
	assert_int_equal(rig_descriptors(), descriptors + 2); /* its reader, and a process */
	assert_false(receivers_are_behind(place->receivers, UID));
	moment.tv_sec++;
	assert_true(receivers_are_behind(place->receivers, UID));
	receivers_free(place->receivers);
	place->receivers = NULL;
	expect_closed(reader);
	expect_closed(kept);
}

/* While the receiver of a user hangs, further files are kept by another process, and packets are
 * refused. */
static void a_flood_of_files_is_kept_elsewhere(void **state)
{
	struct place *place = *state;
	int readers[2 * RECEIVERS_WAITING_MAX];
	unsigned descriptors = 0;
	pid_t pid = 0;

	stop_clock();
	for (unsigned i = 0; i < 2 * RECEIVERS_WAITING_MAX; i++) {
		int writer = new_pipe(&readers[i]);

		assert_int_equal(receivers_are_behind(place->receivers, UID),
				 i > RECEIVERS_WAITING_MAX);
		receivers_close_file(place->receivers, writer, UID, 0, NULL);
		if (!i) {
			pid = rig_receiver();
			assert_int_equal(kill(pid, SIGSTOP), 0);
			descriptors = rig_descriptors();
			moment.tv_sec++;
		}
	}
	/* All readers, the writers that wait, and the sockets of two processes. */
	assert_in_range(rig_descriptors(), descriptors + 3 * RECEIVERS_WAITING_MAX - 1,
			descriptors + 3 * RECEIVERS_WAITING_MAX + 1);
	assert_int_equal(
		receivers_take(place->receivers, place->ours, UID, getpid(), &place->receive),
		-EAGAIN);
	assert_false(receivers_are_behind(place->receivers, UID + 1));
	assert_int_equal(kill(pid, SIGCONT), 0);
	while (receivers_are_behind(place->receivers, UID))
		turn(place, -1, 0);
	for (unsigned i = 0; i <= RECEIVERS_WAITING_MAX; i++) {
		struct pollfd closed = {.fd = readers[i], .events = POLLIN};

		while (!poll(&closed, 1, 0))
			turn(place, 10, 0);
		expect_closed(readers[i]);
	}
	turn(place, 0, 20 * CLOCK_SECOND); /* the process that keeps the other writers ends */
	for (unsigned i = RECEIVERS_WAITING_MAX + 1; i < 2 * RECEIVERS_WAITING_MAX; i++)
		expect_closed(readers[i]);
}

#define USERS 3

/* If no receiver can be started, a turn of the loop tries that for one user, not for all. */
static void users_without_a_process_cost_nothing(void **state)
{
	struct place *place = *state;
	int readers[2 * USERS], rounds = 2;
	struct receive receive = {.received = received};

	begin_again(place, "/nonexistent");
	for (unsigned i = 0; i < 2 * USERS; i++)
		receivers_close_file(place->receivers, new_pipe(&readers[i]), UID + i % USERS,
				     UINT64_MAX, i ? NULL : &receive);
	while (rounds--) { /* twice, since the first start may be tried again after a pause */
		finds = 0;
		receivers_expire(place->receivers, clock_now());
		assert_in_range(finds, 0, 1);
	}
	for (unsigned i = 0; i < 2 * USERS; i++)
		close(readers[i]);
}

/* Gives a receiver a file to close and stops it, until it counts as hanging. */
static pid_t stop_receiver(struct place *place, uid_t uid, int *reader)
{
	pid_t pid;

	receivers_close_file(place->receivers, new_pipe(reader), uid, 0, NULL);
	pid = rig_receiver();
	assert_int_equal(__real_kill(pid, SIGSTOP), 0);
	turn(place, 0, 10 * CLOCK_SECOND);
	return pid;
}

/* One round of the loop. It sleeps for good if nothing is due within a second. */
static void turn_when_due(struct place *place)
{
	uint64_t now = clock_now(), due = receivers_expire(place->receivers, now);

	wait_for_event(place, due <= now ? 0 : due < now + CLOCK_SECOND ? 10 : -1);
}

/* A user whose receivers all hang gets another one when one of them has ended. */
static void the_end_of_a_receiver_makes_room(void **state)
{
	struct place *place = *state;
	int readers[RECEIVERS_STUCK_MAX], reader;
	pid_t pids[RECEIVERS_STUCK_MAX];

	immortal = true;
	for (int i = 0; i < RECEIVERS_STUCK_MAX; i++)
		pids[i] = stop_receiver(place, UID, &readers[i]);
	immortal = false;
	close_file(place, new_pipe(&reader), UID, UINT64_MAX);
	for (int i = 0; i < 3; i++)
		turn(place, 0, 0);
	assert_int_equal(place->results, 0);
	assert_int_equal(kill(pids[0], SIGKILL), 0);
	while (!place->results)
		turn_when_due(place);
	assert_int_equal(place->result.size, 0);
	expect_closed(reader);
	expect_closed(readers[0]);
	assert_int_equal(kill(pids[1], SIGKILL), 0);
	expect_closed(readers[1]);
}

/* Gives RECEIVERS_WAITING_MAX files. After the second, a further one is kept by another process. */
static void pile_up(struct place *place, uid_t uid, int readers[RECEIVERS_WAITING_MAX])
{
	for (int i = 0; i < RECEIVERS_WAITING_MAX; i++)
		receivers_close_file(place->receivers, new_pipe(&readers[i]), uid, 0, NULL);
	moment.tv_sec++;
}

static bool is_open(int reader)
{
	struct pollfd closed = {.fd = reader, .events = POLLIN};

	return !poll(&closed, 1, 0);
}

/*
 * Processes that keep files count among RECEIVERS_MAX. They are not ended to make room for a
 * receiver, and not started when RECEIVERS_MAX are in use. When a process ends, a user in the queue
 * gets its place.
 */
static void a_keeping_process_has_a_place(void **state)
{
	struct place *place = *state;
	int readers[RECEIVERS_MAX], waiting[2][RECEIVERS_WAITING_MAX], kept, unkept, reader;
	pid_t last;

	setenv("SILENT", "1", 1);
	begin_again(place, "/proc/self/exe");
	stop_clock();
	for (int i = 0; i < RECEIVERS_MAX - 1; i++) {
		receivers_close_file(place->receivers, new_pipe(&readers[i]), UID + (uid_t)i, 0,
				     NULL);
		if (i)
			continue;
		pile_up(place, UID, waiting[0]);
		receivers_close_file(place->receivers, new_pipe(&kept), UID, 0, NULL);
	}
	close_file(place, new_pipe(&reader), UID + RECEIVERS_MAX, UINT64_MAX);
	pile_up(place, UID + 1, waiting[1]);
	last = rig_receiver();
	receivers_close_file(place->receivers, new_pipe(&unkept), UID + 1, 0, NULL);
	turn(place, 0, 0);
	assert_int_equal(rig_receiver(), last);
	assert_true(is_open(kept));
	assert_int_equal(place->results, 0);

	unsetenv("SILENT");
	assert_int_equal(kill(last, SIGKILL), 0);
	while (!place->results)
		turn_when_due(place);
	assert_int_equal(place->result.size, 0);
	expect_closed(readers[RECEIVERS_MAX - 2]);
	expect_closed(reader);
	assert_true(is_open(kept));
}

/*
 * A user whose receiver hangs gets another one while half of the places are free. In the queue it
 * holds up no user who has none, and stays there.
 */
static void who_has_no_receiver_comes_first(void **state)
{
	struct place *place = *state;
	int readers[RECEIVERS_MAX], waiting, reader;
	pid_t pids[RECEIVERS_MAX], last;

	setenv("SILENT", "1", 1);
	begin_again(place, "/proc/self/exe");
	stop_clock();
	for (int i = 0; i < RECEIVERS_MAX; i++) {
		receivers_close_file(place->receivers, new_pipe(&readers[i]), UID + (uid_t)i, 0,
				     NULL);
		pids[i] = rig_receiver();
		if (!i)
			moment.tv_sec += 3;
	}
	last = rig_receiver();
	moment.tv_sec += 3; /* longer than a receiver may take, for the first one alone */
	immortal = true;
	receivers_expire(place->receivers, clock_now());
	immortal = false;
	receivers_close_file(place->receivers, new_pipe(&waiting), UID, 0, NULL);
	close_file(place, new_pipe(&reader), UID + RECEIVERS_MAX, UINT64_MAX);
	assert_int_equal(rig_receiver(), last);

	unsetenv("SILENT");
	assert_int_equal(kill(last, SIGKILL), 0);
	while (!place->results)
		turn_when_due(place);
	assert_int_equal(place->result.size, 0);
	expect_closed(reader);
	assert_true(is_open(waiting));

	for (int i = 1; i <= RECEIVERS_MAX / 2; i++)
		assert_int_equal(kill(pids[i], SIGKILL), 0);
	while (is_open(waiting))
		turn_when_due(place);
}

/* A receiver that starts in receivers_expire has a time limit from then on. */
static void a_receiver_that_starts_is_watched(void **state)
{
	struct place *place = *state;
	int readers[3], writer = -1;
	uint64_t due;

	setenv("SILENT", "1", 1);
	begin_again(place, "/proc/self/exe");
	for (int i = 0; i < 3; i++) {
		writer = new_pipe(&readers[i]);
		receivers_close_file(place->receivers, writer, UID, 0, NULL);
	}
	/* Both receivers of the user are killed since they hang, and only the first one ends. */
	receivers_expire(place->receivers, clock_now() + 6 * CLOCK_SECOND);
	immortal = true;
	receivers_expire(place->receivers, clock_now() + 6 * CLOCK_SECOND);
	do {
		assert_true(is_open(readers[2]));
		wait_for_event(place, 10);
		due = receivers_expire(place->receivers, clock_now());
	} while (fcntl(writer, F_GETFD) >= 0);
	assert_true(due != UINT64_MAX);
	unsetenv("SILENT");
	immortal = false;
	for (int i = 0; i < 3; i++)
		close(readers[i]);
}

static void a_receiver_is_charged_to_its_user(void **state)
{
	struct place *place = *state;
	uint64_t spent;
	int reader;

	close_file(place, new_pipe(&reader), UID, UINT64_MAX);
	spent = quota_of(&place->loop_time, UID)->spent;
	assert_true(spent > 0); /* for the start */
	assert_int_equal(quota_of(&place->loop_time, UID + 1)->spent, 0);
	/* On a busy machine the start may have cost all that the user had. */
	quota_of(&place->loop_time, UID)->credit = CLOCK_SECOND;
	while (!place->results)
		turn(place, -1, 0);
	assert_true(quota_of(&place->loop_time, UID)->spent > spent);
	expect_closed(reader);
}

static int begin_in_time(void **state)
{
	stands_still = false;
	return begin(state);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin_in_time, end)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(a_flood_of_sockets_is_kept_elsewhere),
		TEST(a_burst_is_not_refused),
		TEST(no_user_keeps_others_from_waiting),
		TEST(files_of_a_user_without_a_process_are_bounded),
		TEST(a_huge_burst_is_kept_elsewhere),
		TEST(a_flood_of_files_is_kept_elsewhere),
		TEST(users_without_a_process_cost_nothing),
		TEST(the_end_of_a_receiver_makes_room),
		TEST(a_keeping_process_has_a_place),
		TEST(who_has_no_receiver_comes_first),
		TEST(a_receiver_that_starts_is_watched),
		TEST(a_receiver_is_charged_to_its_user),
	};

	if (argc == 2 && !strcmp(argv[1], "--receiver"))
		return fake_receiver();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
