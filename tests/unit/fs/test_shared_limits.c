/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_shared_limits.c - each limit that users share, filled by many of them: root gets through,
 * and so do as many users as the limit says
 *
 * Those of threads and of mappings are tested where these are made: test_thread_pool.c,
 * test_mapper.c.
 */
#include "base/pidfd.h"
#include "change/release_peer.h"
#include "control/document_stream.h"
#include "format/wire.h"
#include "fuse/drafts.h"
#include "receive/receiver_processes.h"
#include "scan/passed_tables.h"
#include "scan/scan_queue.h"
#include "server_helper.h"
#include <sys/eventfd.h>
#include <sys/resource.h>

#define DESCRIPTORS 20000
#define FIRST_USER  1000

static struct drafts *drafts;
static struct scan_queue *scan_queue;
static struct document_streams streams;
static struct passed_table *kept;
static struct receiver_processes receiver_processes;
static struct mapping *mapping;
static int sockets[DESCRIPTORS];
static size_t socket_count;
static pid_t last_pid;
static struct pool *scan_pool; /* its tasks end when the test looks */
static int scan_wake;

/* Each takes one place for the user. False: it gets none. */

static bool take_draft(struct place *place, uid_t uid)
{
	struct draft *draft;
	char why[REQUEST_WHY_LENGTH];

	(void)place;
	if (!drafts_add(drafts, "x", uid, uid, NULL, &draft, why))
		return true;
	assert_non_null(strstr(why, drafts_share.what));
	return false;
}

static bool is_open(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

static bool keep(int fd)
{
	bool open = is_open(fd);

	if (open)
		sockets[socket_count++] = fd;
	else
		close(fd);
	return open;
}

static bool take_connection(struct place *place, uid_t uid)
{
	int fd = reach(place, uid);

	rig_poll(place->rig);
	return keep(fd);
}

static bool take_peer(struct place *place, uid_t uid)
{
	const struct wire_message hello = {
		.magic = WIRE_MAGIC, .type = WIRE_TABLE, .flags = WIRE_STAYS};
	const struct ucred who = {.pid = ++last_pid, .uid = uid};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	releases_take(place->releases, ends[1], &who, pidfd_open_pid(getpid()), &hello,
		      sizeof(hello), -1);
	return keep(ends[0]);
}

static const struct list_terms documents_of_all;

static bool take_stream(struct place *place, uid_t uid)
{
	struct rights rights = {.uid = uid};

	if (!document_streams_have_room(&streams, uid))
		return false;
	assert_non_null(document_stream_new(&streams, place->rig->modules.catalog, &rights, 0400,
					    &documents_of_all));
	return true;
}

/* While a scan is under way, tables wait for the next one. */
static bool take_table(struct place *place, uid_t uid)
{
	const struct ucred who = {.pid = ++last_pid, .uid = uid};

	(void)place;
	scan_queue_pass_table(scan_queue, &who, -1, -1);
	return scan_queue_has_table(scan_queue, who.pid);
}

static bool keep_table(struct place *place, uid_t uid)
{
	struct passed_table *table = calloc(1, sizeof(*table));

	assert_non_null(table);
	*table = (struct passed_table){.pid = ++last_pid,
				       .uid = uid,
				       .pidfd = pidfd_open_pid(getpid()),
				       .fd = -1,
				       .wanted = true};
	passed_tables_keep(place->receivers, NULL, &table, &kept);
	return kept && kept->pid == last_pid;
}

/* A user has as many processes as it can when its receivers hang and another one keeps files. */
static bool take_receiver(struct place *place, uid_t uid)
{
	struct receiver *receiver;

	(void)place;
	if (receiver_find(&receiver_processes, uid, &receiver) == RECEIVER_IDLE) {
		receiver->stuck = true;
		return true;
	}
	receiver = receiver_keeping(&receiver_processes, uid);
	if (!receiver || receiver->keeps)
		return false;
	receiver->keeps = true;
	return true;
}

static const struct limit {
	const struct share *share;
	bool (*take)(struct place *place, uid_t uid);
} limits[] = {
	{&drafts_share, take_draft},        {&server_share, take_connection},
	{&release_peers_share, take_peer},  {&document_streams_share, take_stream},
	{&scan_queue_share, take_table},    {&receiver_processes_share, take_receiver},
	{&passed_tables_share, keep_table},
};

static size_t take_all(struct place *place, const struct limit *limit, uid_t uid)
{
	size_t count = 0;

	while (limit->take(place, uid))
		count++;
	return count;
}

static void nobody_is_kept_out(void **state)
{
	struct place *place = *state;

	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++) {
		const struct share *share = limits[i].share;
		size_t users = 0, all = 0, own;
		uid_t uid = FIRST_USER;

		print_message("%s\n", share->what);
		assert_true(share->sure <= share->user && share_users(share) >= 30);
		assert_int_equal(take_all(place, &limits[i], uid++), share->user);
		all = share->user;
		do {
			own = take_all(place, &limits[i], uid++);
			users += own >= share->sure;
			all += own;
		} while (own);
		assert_true(users >= share_users(share));
		assert_int_equal(all, share->total - share->root);
		assert_false(limits[i].take(place, FIRST_USER));
		assert_int_equal(take_all(place, &limits[i], 0), share->root);
	}
}

/* An idle receiver of a user is ended when another user needs a place; root's is not. */
static void an_idle_receiver_gives_its_place(void **state)
{
	const size_t places = receiver_processes_share.total - receiver_processes_share.root;
	struct receiver *receiver, *idle[2];

	(void)state;
	for (size_t i = 0; i < places; i++) {
		assert_int_equal(
			receiver_find(&receiver_processes, FIRST_USER + (uid_t)i, &receiver),
			RECEIVER_IDLE);
		receiver->busy = i > 0;
		if (!i)
			idle[0] = receiver;
	}
	assert_int_equal(receiver_find(&receiver_processes, 0, &idle[1]), RECEIVER_IDLE);
	assert_int_equal(receiver_find(&receiver_processes, 1, &receiver), RECEIVER_IDLE);
	assert_true(idle[0]->ended);
	assert_false(idle[1]->ended);
	receiver->busy = true;
	assert_int_equal(receiver_find(&receiver_processes, 2, &receiver), RECEIVER_NO_PLACE);
}

static void restarted(void *arg)
{
	(void)arg;
}

static int begin_all(void **state)
{
	const struct scan_listener listener = {.restarted = restarted};
	const struct pmem2fs_record record = {
		.address = 4096, .length = 4096, .source_type = PMEM2FS_SOURCE_ANONYMOUS};
	struct rlimit limit = {.rlim_cur = DESCRIPTORS, .rlim_max = DESCRIPTORS};
	struct place *place;
	struct extents *extents = NULL;
	static struct process process;
	const struct scan_state state_of_mapping = {.process = &process};

	setrlimit(RLIMIT_NOFILE, &limit);
	last_pid = 100000;
	if (begin(state))
		return -1;
	place = *state;
	drafts = drafts_new();
	receiver_processes = (struct receiver_processes){
		.first = place->rig->epoll,
		.users = place->rig->epoll,
		.program = rig_daemon,
		.loop_time = &place->loop_time,
	};
	scan_wake = eventfd(0, EFD_CLOEXEC);
	scan_pool = pool_new(scan_wake, &(struct share){.total = 1, .user = 1, .sure = 1}, 10, 0);
	scan_queue = scan_queue_new(scan_pool, 1, getpid(), place->receivers, &place->loop_time,
				    &listener);
	assert_non_null(scan_queue);
	assert_int_equal(scan_queue_request(scan_queue, SCAN_KNOWN, 0, NULL), 0);
	assert_int_equal(catalog_show_scanned(place->rig->modules.catalog, "x", ORIGIN_PUBLISHED,
					      &record, &extents, &state_of_mapping, NULL, &mapping),
			 0);
	return 0;
}

static void scanned(struct waiter *waiter)
{
	(void)waiter;
	close(scan_wake);
	scan_wake = -1;
}

static int end_all(void **state)
{
	struct place *place = *state;
	struct waiter waiter = {.wake = scanned};
	eventfd_t count;

	drafts_free(drafts);
	passed_tables_drop(place->receivers, &kept);
	receiver_processes_end(&receiver_processes);
	while (streams.list)
		document_stream_free(streams.list);
	while (socket_count)
		close(sockets[--socket_count]);
	assert_int_equal(scan_queue_request(scan_queue, SCAN_KNOWN, 0, &waiter), 0);
	while (scan_wake >= 0) {
		assert_int_equal(eventfd_read(scan_wake, &count), 0);
		pool_finish(scan_pool);
	}
	scan_queue_free(scan_queue);
	pool_close(scan_pool);
	return end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(nobody_is_kept_out, begin_all, end_all),
		cmocka_unit_test_setup_teardown(an_idle_receiver_gives_its_place, begin_all,
						end_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
