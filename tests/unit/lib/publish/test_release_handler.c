/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release_handler.c - release handlers and the daemon's requests
 */
#include "fake_daemon.h"
#include <limits.h>
#include <pthread.h>

static void a_mapping_is_released(void)
{
	struct pmem2_map *map;
	struct pmem2fs_record record;
	void *address;
	uint32_t slot;
	int fd = pmem2fs_get_fd();

	must(fd >= 0 && !is_readable(fd));
	map = begin();
	must(pmem2fs_get_fd() == fd && !is_readable(fd));
	address = pmem2_map_get_address(map);
	must(pmem2fs_map_get_slot(map, &slot) == 0);
	send_request(7, map);
	must(is_readable(fd) && pmem2fs_dispatch() == 0);
	must(receives(WIRE_READY, 7, 0) && is_there(map) && !calls && !is_readable(fd));
	send_message(WIRE_GO, 7);
	must(is_readable(fd) && pmem2fs_dispatch() == 0);
	must(receives(WIRE_DONE, 7, 0) && is_silent() && !is_readable(fd));
	must(calls == 1 && called_for == map && !is_there(map) && !is_mapped(address));
	must(pmem2fs_table_read(table, slot, NULL, &record) == -ENOENT);
}

static int result;

static int refuse(struct pmem2_map *map, void *arg)
{
	(void)map;
	(void)arg;
	return result;
}

static void what_a_handler_returns_is_told(void)
{
	static const int results[][2] = {
		{0, 0},
		{-EBUSY, -EBUSY},
		{EPERM, -EPERM},
		{-4095, -4095},
		{-4096, -EINVAL},
		{PMEM2_E_NOSUPP, -ENOTSUP},
		{PMEM2_E_MAPPING_NOT_FOUND, -ENOENT},
		{PMEM2_E_DEEP_FLUSH_RANGE, -EINVAL},
		{INT_MAX, -EINVAL},
		{INT_MIN, -EINVAL},
	};
	struct pmem2_map *map = begin();

	must(pmem2fs_map_set_release_handler(map, refuse, NULL) == 0);
	for (size_t i = 0; i < sizeof(results) / sizeof(*results); i++) {
		result = results[i][0];
		send_request(i, map);
		send_message(WIRE_GO, i);
		dispatch();
		must(receives(WIRE_READY, i, 0) && receives(WIRE_DONE, i, results[i][1]));
		must(is_there(map));
	}
}

static void what_cannot_be_released_is_refused_at_once(void)
{
	struct pmem2_map *map = begin();
	struct pmem2_map *plain = map_anon(PAGE, PMEM2_SHARED);
	struct pmem2fs_record record;
	uint64_t generation;
	uint32_t slot;

	send_request(1, plain);
	must(pmem2fs_map_set_release_handler(plain, give_up, NULL) == 0);
	must(pmem2fs_map_set_release_handler(plain, NULL, NULL) == 0);
	send_request(2, plain);
	dispatch();
	must(receives(WIRE_DONE, 1, PMEM2_E_NOSUPP) && receives(WIRE_DONE, 2, PMEM2_E_NOSUPP));

	must(pmem2fs_map_get_slot(map, &slot) == 0);
	must(pmem2fs_table_read(table, slot, &generation, &record) == 0);
	send_for_slot(WIRE_ASK, 3, slot, generation + 2);
	send_for_slot(WIRE_ASK, 4, slot, generation - 2);
	send_for_slot(WIRE_ASK, 5, slot, 0);
	send_for_slot(WIRE_ASK, 6, slot + 1000, generation);
	send_for_slot(WIRE_ASK, 7, UINT32_MAX, generation);
	dispatch();
	for (uint64_t i = 3; i <= 7; i++)
		must(receives(WIRE_DONE, i, -ENOENT));
	send_message(WIRE_GO, 3);
	must(pmem2_unmap(&plain) == 0);
	dispatch();
	must(is_silent() && !calls && is_there(map));
}

/* A slot that is used again, often for the same addresses, is another mapping. */
static void what_was_asked_for_is_gone_at_go(void)
{
	struct pmem2_map *map = begin();

	send_request(1, map);
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	must(pmem2_unmap(&map) == 0);
	map = map_with(give_up);
	send_message(WIRE_GO, 1);
	dispatch();
	must(receives(WIRE_DONE, 1, -ENOENT) && !calls && is_there(map));
	/* In a table that was made again, generations begin again. */
	table_asked_for = 4711;
	send_request(3, map);
	table_asked_for = 0;
	dispatch();
	must(receives(WIRE_DONE, 3, -ENOENT) && !calls && is_there(map));

	send_request(2, map);
	dispatch();
	must(receives(WIRE_READY, 2, 0));
	must(pmem2fs_map_set_label(map, "other", 5) == 0);
	send_message(WIRE_GO, 2);
	dispatch();
	must(receives(WIRE_DONE, 2, -ENOENT) && !calls && is_there(map));

	send_request(3, map);
	dispatch();
	must(receives(WIRE_READY, 3, 0));
	must(pmem2fs_map_set_release_handler(map, NULL, NULL) == 0);
	send_message(WIRE_GO, 3);
	dispatch();
	must(receives(WIRE_DONE, 3, PMEM2_E_NOSUPP) && !calls && is_there(map));
}

static int one, two;

static int count(struct pmem2_map *map, void *arg)
{
	must(is_there(map));
	++*(int *)arg;
	return -EBUSY;
}

static void every_mapping_has_its_own_handler(void)
{
	struct pmem2_map *first = begin();
	struct pmem2_map *second = map_anon(PAGE, PMEM2_SHARED);

	must(pmem2fs_map_set_release_handler(first, count, &one) == 0);
	must(pmem2fs_map_set_release_handler(second, count, &two) == 0);
	send_request(1, first);
	send_request(2, second);
	send_message(WIRE_GO, 2);
	dispatch();
	must(receives(WIRE_READY, 1, 0) && receives(WIRE_READY, 2, 0) &&
	     receives(WIRE_DONE, 2, -EBUSY));
	must(one == 0 && two == 1);
	/* The handler that is registered at the release is called. */
	must(pmem2fs_map_set_release_handler(first, give_up, &calls) == 0);
	send_message(WIRE_GO, 1);
	dispatch();
	must(receives(WIRE_DONE, 1, 0) && one == 0 && calls == 1 && !is_there(first));
	must(pmem2fs_map_set_release_handler(first, give_up, NULL) == PMEM2_E_MAPPING_NOT_FOUND);
	/* The slot's next mapping does not inherit the handler. */
	first = map_anon(PAGE, PMEM2_SHARED);
	send_request(3, first);
	dispatch();
	must(receives(WIRE_DONE, 3, PMEM2_E_NOSUPP));
}

static void nothing_happens_without_go(void)
{
	struct pmem2_map *map = begin();

	send_request(1, map);
	send_message(WIRE_WITHDRAWN, 1);
	send_message(WIRE_GO, 1);
	send_message(WIRE_GO, 99);
	send_message(WIRE_WITHDRAWN, 98);
	dispatch();
	must(receives(WIRE_READY, 1, 0) && is_silent() && !calls);

	/* Of two requests with the same number, the later one counts. */
	must(pmem2fs_map_set_release_handler(map, count, &one) == 0);
	send_request(2, map);
	send_request(2, map);
	send_message(WIRE_GO, 2);
	send_message(WIRE_GO, 2);
	dispatch();
	must(receives(WIRE_READY, 2, 0) && receives(WIRE_READY, 2, 0) &&
	     receives(WIRE_DONE, 2, -EBUSY));
	must(is_silent() && one == 1);
}

static void send_descriptors(int number)
{
	char room[CMSG_SPACE(sizeof(int) * 16)] = {0};
	struct wire_message message = {.magic = WIRE_MAGIC, .type = 77};
	struct iovec iov = {.iov_base = &message, .iov_len = sizeof(message)};
	struct msghdr packet = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = room,
		.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)number),
	};
	struct cmsghdr *head = CMSG_FIRSTHDR(&packet);

	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)number);
	for (int i = 0; i < number; i++)
		memcpy(CMSG_DATA(head) + sizeof(int) * (size_t)i, &peer, sizeof(int));
	must(sendmsg(peer, &packet, 0) == sizeof(message));
}

static void garbage_is_passed_over(void)
{
	struct pmem2_map *map = begin();
	static char bytes[100000];
	struct wire_message message = {.magic = WIRE_MAGIC, .type = WIRE_GO, .request = 1};
	int before;

	memset(bytes, 'x', sizeof(bytes));
	send_request(1, map);
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	must(send(peer, bytes, 1, 0) == 1);
	must(send(peer, &message, sizeof(message) - 1, 0) > 0);
	memcpy(bytes, &message, sizeof(message));
	must(send(peer, bytes, sizeof(message) + 1, 0) > 0);
	must(send(peer, bytes, sizeof(bytes), 0) == sizeof(bytes));
	message.magic++;
	must(send(peer, &message, sizeof(message), 0) > 0);
	send_message(WIRE_TABLE, 1);
	send_message(WIRE_READY, 1);
	send_message(WIRE_DONE, 1);
	send_message(0, 1);
	send_message(UINT32_MAX, 1);
	before = dup(0);
	close(before);
	send_descriptors(16);
	dispatch();
	must(dup(0) == before);
	must(is_silent() && !calls && is_there(map));
	send_message(WIRE_GO, 1);
	dispatch();
	must(receives(WIRE_DONE, 1, 0) && calls == 1);
}

static void a_daemon_comes_and_goes(void)
{
	int fd = pmem2fs_get_fd();
	struct pmem2_map *map;

	open_table();
	map = map_with(give_up);
	for (int i = 0; i < 3; i++) {
		/* There is no daemon, and the library tries again only when its timer expires. */
		wait_for_wakeup();
		timer_held = true;
		__wrap_timerfd_settime(timer_fd, 0, &(const struct itimerspec){.it_value = {1, 0}},
				       NULL);
		dispatch();
		daemon_begin();
		must(pmem2fs_dispatch() == 0 && nobody_connects());
		let_timer_ring();
		wait_for_wakeup();
		must(pmem2fs_dispatch() == 0);
		must(take_connection() && !is_readable(fd));
		must(timer_set.it_value.tv_sec == 0 && timer_set.it_value.tv_nsec == 0);

		send_request(1, map);
		dispatch();
		must(receives(WIRE_READY, 1, 0));
		daemon_end();
		dispatch();
		must(timer_set.it_value.tv_sec == 1 && timer_set.it_interval.tv_sec == 1);
		daemon_begin();
		wait_for_wakeup();
		dispatch();
		must(take_connection());
		/* A request of the former connection is forgotten. */
		send_message(WIRE_GO, 1);
		dispatch();
		must(is_silent() && !calls && pmem2fs_get_fd() == fd);
		daemon_end();
		must(is_readable(fd) && pmem2fs_dispatch() == 0);
	}
}

static void a_go_counts_though_the_daemon_ends(void)
{
	struct pmem2_map *map = begin();

	send_request(1, map);
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	send_message(WIRE_GO, 1);
	daemon_end();
	dispatch();
	must(calls == 1 && !is_there(map));
}

static void nobody_is_asked_in_vain(void)
{
	int fd = pmem2fs_get_fd();

	daemon_begin();
	open_table();
	must(pmem2_unmap(&(struct pmem2_map *){map_anon(PAGE, PMEM2_SHARED)}) == 0);
	must(!is_readable(fd) && pmem2fs_dispatch() == 0);
	must(nobody_connects());
	/* The library connects when the first handler is set. */
	map_with(give_up);
	wait_for_wakeup();
	must(pmem2fs_dispatch() == 0 && take_connection());
}

static void without_a_table_there_is_nothing_to_ask_for(void)
{
	setenv("PMEM2FS", "off", 1);
	daemon_begin();
	map_with(give_up);
	must(pmem2fs_get_fd() >= 0);
	wait_for_wakeup();
	dispatch();
	must(nobody_connects() && !is_readable(pmem2fs_get_fd()));
}

/* Sends requests until nothing more fits, and only then reads the answers. */
static void no_answer_is_lost(void)
{
	struct pmem2_map *map = begin();
	int fd = pmem2fs_get_fd();
	uint64_t asked = 0;
	uint64_t heard = 0;
	struct pmem2fs_record record;
	struct wire_message message = {
		.magic = WIRE_MAGIC, .type = WIRE_ASK, .table = table_number()};
	uint64_t before;

	must(pmem2fs_map_get_slot(map, &message.slot) == 0);
	must(pmem2fs_table_read(table, message.slot, &message.generation, &record) == 0);
	do {
		before = asked;
		message.request = asked;
		while (send(peer, &message, sizeof(message), MSG_NOSIGNAL) > 0)
			message.request = ++asked;
		dispatch();
	} while (asked != before);
	must(asked > 100 && !is_readable(fd));
	must(pmem2fs_dispatch() == 0);
	while (heard < asked) {
		struct wire_message got;

		must(receive(&got) && got.request == heard);
		must(got.type == (heard < RELEASE_REQUESTS_MAX ? WIRE_READY : WIRE_DONE));
		heard++;
		dispatch();
	}
	must(is_silent());
}

static void requests_are_bounded(void)
{
	struct pmem2_map *map = begin();

	for (uint64_t i = 0; i <= RELEASE_REQUESTS_MAX; i++) {
		send_request(i, map);
		dispatch();
		if (i < RELEASE_REQUESTS_MAX)
			must(receives(WIRE_READY, i, 0));
		else
			must(receives(WIRE_DONE, i, -EAGAIN));
	}
	send_message(WIRE_WITHDRAWN, 5);
	send_request(5000, map);
	send_message(WIRE_GO, 1000);
	dispatch();
	must(receives(WIRE_READY, 5000, 0) && receives(WIRE_DONE, 1000, 0));
	/* Requests for mappings that are gone by now. */
	for (uint64_t i = 0; i < 5; i++) {
		send_message(WIRE_GO, i);
		dispatch();
		must(receives(WIRE_DONE, i, -ENOENT));
	}
	must(calls == 1);
}

/* However much the daemon sends, dispatch returns to the program's loop. */
static void dispatch_ends(void)
{
	struct pmem2_map *map = begin();

	for (uint64_t i = 0; i <= RELEASE_PACKETS_MAX; i++)
		send_request(i, map);
	must(pmem2fs_dispatch() == 0);
	for (uint64_t i = 0; i < RELEASE_PACKETS_MAX; i++)
		must(receives(WIRE_READY, i, 0));
	must(is_silent() && is_readable(pmem2fs_get_fd()));
}

static struct pmem2_map *other;

static int do_a_lot(struct pmem2_map *map, void *arg)
{
	struct pmem2_map *mine;

	calls++;
	(void)arg;
	must(pmem2fs_dispatch() == -EBUSY);
	must(pmem2fs_start_thread() == 0);
	must(pmem2fs_get_fd() >= 0);
	must(pmem2_unmap(&other) == 0);
	mine = map_with(give_up);
	must(pmem2fs_map_set_label(mine, "mine", 4) == 0);
	must(pmem2fs_map_set_release_handler(map, NULL, NULL) == 0);
	must(pmem2_unmap(&mine) == 0);
	return pmem2_unmap(&map);
}

static void a_handler_may_call_everything(void)
{
	struct pmem2_map *map = begin();

	other = map_with(give_up);
	must(pmem2fs_map_set_release_handler(map, do_a_lot, NULL) == 0);
	send_request(1, map);
	send_request(2, other);
	send_message(WIRE_GO, 1);
	send_message(WIRE_GO, 2);
	must(pmem2fs_dispatch() == 0);
	must(receives(WIRE_READY, 1, 0) && receives(WIRE_READY, 2, 0) && receives(WIRE_DONE, 1, 0));
	must(receives(WIRE_DONE, 2, -ENOENT) && calls == 1);
}

static sigset_t seen_mask;
static int seen_cancel;

static int look_around(struct pmem2_map *map, void *arg)
{
	(void)map;
	(void)arg;
	calls++;
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &seen_cancel);
	if (arg)
		pthread_cancel(pthread_self());
	pthread_testcancel();
	return -EBUSY;
}

static void signals_are_the_programs(void)
{
	struct pmem2_map *map = begin();
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	must(pmem2fs_map_set_release_handler(map, look_around, NULL) == 0);
	send_request(1, map);
	send_message(WIRE_GO, 1);
	dispatch();
	must(receives(WIRE_READY, 1, 0) && receives(WIRE_DONE, 1, -EBUSY));
	must(sigismember(&seen_mask, SIGUSR1) && !sigismember(&seen_mask, SIGUSR2));
	pthread_sigmask(SIG_SETMASK, NULL, &seen_mask);
	must(sigismember(&seen_mask, SIGUSR1) && !sigismember(&seen_mask, SIGUSR2));
}

static void *dispatch_once(void *arg)
{
	(void)arg;
	must(pmem2fs_dispatch() == 0);
	pthread_testcancel();
	return arg;
}

/* A thread that is cancelled in a handler ends after dispatch. */
static void cancelling_waits_for_the_handler(void)
{
	struct pmem2_map *map = begin();
	pthread_t thread;
	void *ended;

	must(pmem2fs_map_set_release_handler(map, look_around, &calls) == 0);
	send_request(1, map);
	send_message(WIRE_GO, 1);
	must(pthread_create(&thread, NULL, dispatch_once, NULL) == 0);
	must(pthread_join(thread, &ended) == 0 && ended == PTHREAD_CANCELED);
	must(receives(WIRE_READY, 1, 0) && receives(WIRE_DONE, 1, -EBUSY));
	must(seen_cancel == PTHREAD_CANCEL_DISABLE);
	must(pmem2fs_dispatch() == 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(a_mapping_is_released),
		RUN(what_a_handler_returns_is_told),
		RUN(what_cannot_be_released_is_refused_at_once),
		RUN(what_was_asked_for_is_gone_at_go),
		RUN(every_mapping_has_its_own_handler),
		RUN(nothing_happens_without_go),
		RUN(garbage_is_passed_over),
		RUN(a_daemon_comes_and_goes),
		RUN(a_go_counts_though_the_daemon_ends),
		RUN(nobody_is_asked_in_vain),
		RUN(without_a_table_there_is_nothing_to_ask_for),
		RUN(no_answer_is_lost),
		RUN(requests_are_bounded),
		RUN(dispatch_ends),
		RUN(a_handler_may_call_everything),
		RUN(signals_are_the_programs),
		RUN(cancelling_waits_for_the_handler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
