/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release_process.c - release on request among forks, closed descriptors and threads
 */
#include "fake_daemon.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>

/* The thread's timeout, which is shortened here. */
int __real_poll(struct pollfd *fds, nfds_t count, int timeout);
int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout);

int __wrap_poll(struct pollfd *fds, nfds_t count, int timeout)
{
	return __real_poll(fds, count, timeout == 5000 ? 5 : timeout);
}

/* How many descriptors from 3 on are open, without the test's own. */
static unsigned count_open(void)
{
	unsigned open = 0;

	for (int fd = 3; fd < 100; fd++)
		open += fcntl(fd, F_GETFD) >= 0;
	return open;
}

/* Checks that releases still work in this process. */
static void check_release(uint64_t number, struct pmem2_map *map)
{
	unsigned before = calls;

	send_request(number, map);
	dispatch();
	must(receives(WIRE_READY, number, 0));
	send_message(WIRE_GO, number);
	dispatch();
	must(receives(WIRE_DONE, number, 0) && calls == before + 1 && !is_there(map));
}

static void in_child_of(pid_t pid, void (*body)(struct pmem2_map *), struct pmem2_map *map)
{
	int status;

	must(pid >= 0);
	if (pid == 0) {
		body(map);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid && status == 0);
}

static void all_is_closed_on_exec(void)
{
	begin();
	must(count_open() == 4);
	for (int fd = 3; fd < 100; fd++)
		must(fcntl(fd, F_GETFD) < 0 || fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

/* A program may write to stderr after it has closed it: the library must not use that number. */
static void no_descriptor_is_a_standard_one(void)
{
	close(0);
	close(1);
	daemon_begin();
	open_table();
	map_with(give_up);
	must(pmem2fs_get_fd() > 2);
	wait_for_wakeup();
	dispatch();
	must(take_connection());
	must(fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && count_open() == 4);
}

static void be_a_quiet_child(struct pmem2_map *map)
{
	must(count_open() == 0 && is_there(map));
	must(pmem2fs_dispatch() == -EBADF);
}

static void connect_child(void)
{
	must(pmem2fs_get_fd() >= 0);
	table = NULL;
	open_table();
	wait_for_wakeup();
	must(pmem2fs_dispatch() == 0 && take_connection());
}

static void be_a_child_that_serves(struct pmem2_map *map)
{
	connect_child();
	check_release(1, map);
}

/* Requests to the parent meanwhile are not for the child. */
static void a_child_has_its_own(void)
{
	struct pmem2_map *map = begin();
	int fd = pmem2fs_get_fd();

	send_request(1, map);
	in_child_of(fork(), be_a_quiet_child, map);
	must(is_silent() && is_readable(fd));
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	in_child_of(fork(), be_a_child_that_serves, map);
	must(is_silent() && nobody_connects() && is_there(map));
	send_message(WIRE_GO, 1);
	dispatch();
	must(receives(WIRE_DONE, 1, 0) && !is_there(map) && pmem2fs_get_fd() == fd);
}

static void be_a_raw_child(struct pmem2_map *map)
{
	must(pmem2fs_dispatch() == -EBADF);
	be_a_quiet_child(map);
	be_a_child_that_serves(map);
}

static pid_t raw_fork(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
}

static void a_child_that_the_c_library_does_not_know_of(void)
{
	struct pmem2_map *map = begin();

	send_request(1, map);
	in_child_of(raw_fork(), be_a_raw_child, map);
	must(is_silent());
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	check_release(2, map);
}

static pid_t child;
static bool raw;

static int fork_in_handler(struct pmem2_map *map, void *arg)
{
	(void)arg;
	child = raw ? raw_fork() : fork();
	if (child == 0) {
		/* The handler's result in the child is not sent to the child's daemon either. */
		connect_child();
		return -EPERM;
	}
	return pmem2_unmap(&map);
}

static void fork_in(struct pmem2_map *map)
{
	int status;

	must(pmem2fs_map_set_release_handler(map, fork_in_handler, NULL) == 0);
	send_request(1, map);
	send_message(WIRE_GO, 1);
	must(pmem2fs_dispatch() == 0);
	if (child == 0) {
		must(is_there(map) && is_silent());
		must(pmem2fs_map_set_release_handler(map, give_up, NULL) == 0);
		check_release(1, map);
		_exit(0);
	}
	must(receives(WIRE_READY, 1, 0) && receives(WIRE_DONE, 1, 0));
	must(waitpid(child, &status, 0) == child && status == 0 && is_silent());
}

static void a_handler_may_fork(void)
{
	fork_in(begin());
	raw = true;
	fork_in(map_with(give_up));
}

/* The program closes all descriptors, and opens others with the numbers that the library had. */
static void closed_descriptors_are_not_missed(void)
{
	const struct itimerspec soon = {.it_value.tv_nsec = 1};
	struct pmem2_map *map = begin();
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = 12345};
	struct pollfd timer = {.events = POLLIN};
	int mine[4];
	uint64_t times;

	mine[0] = pmem2fs_get_fd();
	send_request(1, map);
	dispatch();
	must(receives(WIRE_READY, 1, 0));
	for (int fd = 3; fd < 100; fd++)
		close(fd);
	must(pmem2fs_dispatch() == -EBADF);
	must(epoll_create1(0) == mine[0]);
	mine[1] = socket(AF_UNIX, SOCK_DGRAM, 0);
	mine[2] = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	mine[3] = eventfd(1, EFD_NONBLOCK);
	must(mine[1] == mine[0] + 1 && mine[2] == mine[0] + 2 && mine[3] == mine[0] + 3);
	must(__real_timerfd_settime(mine[2], 0, &soon, NULL) == 0);
	timer.fd = mine[2];
	must(poll(&timer, 1, 10000) == 1); /* epoll reports it first */
	for (int i = 1; i <= 3; i++)
		must(epoll_ctl(mine[0], EPOLL_CTL_ADD, mine[i], &event) == 0);
	must(pmem2fs_dispatch() == -EBADF);

	must(pmem2fs_get_fd() > mine[3]);
	for (int i = 2; i <= 3; i++) {
		must(epoll_wait(mine[0], &event, 1, 10000) == 1 && event.data.u64 == 12345);
		must(read(mine[i], &times, sizeof(times)) == sizeof(times) && times == 1);
	}
	must(epoll_wait(mine[0], &event, 1, 0) == 0);
	wait_for_wakeup();
	dispatch();
	must(take_connection());
	for (int i = 0; i < 4; i++)
		must(fcntl(mine[i], F_GETFD) == 0);
	send_message(WIRE_GO, 1);
	check_release(2, map);
	must(count_open() == 8);
}

static int lost;

static void lose_one(struct pmem2_map *map)
{
	int pair[2];
	char bytes[100];
	int number;

	map = begin();
	number = pmem2fs_get_fd() + lost;
	close(number);
	must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair) == 0);
	must(pair[0] == number && send(pair[1], "mine", 4, 0) == 4);
	pmem2fs_dispatch();
	must(pmem2fs_get_fd() >= 0);
	if (lost == 3) {
		wait_for_wakeup();
		dispatch();
		must(take_connection());
	}
	check_release(1, map);
	must(nobody_connects());
	must(recv(pair[0], bytes, sizeof(bytes), 0) == 4);
	must(recv(pair[1], bytes, sizeof(bytes), 0) < 0 && errno == EAGAIN);
}

/* The child's copy keeps the socket open after it is closed here. */
static void a_copy_elsewhere_does_not_ring(void)
{
	int status;
	pid_t pid;

	begin();
	pid = (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		alarm(600);
		close(listener);
		close(peer);
		pause();
		_exit(1);
	}
	timer_held = true;
	daemon_end();
	wait_for_wakeup();
	must(pmem2fs_dispatch() == 0);
	must(!is_readable(pmem2fs_get_fd()));
	must(kill(pid, SIGKILL) == 0 && waitpid(pid, &status, 0) == pid);
}

/* A file that gets the number of a closed descriptor is not used or closed. */
static void any_descriptor_may_be_closed(void)
{
	for (lost = 0; lost < 4; lost++)
		in_child_of(fork(), lose_one, NULL);
}

static void the_timer_may_be_closed(void)
{
	uint64_t times;
	int mine;
	int fd;

	must(pmem2fs_get_fd() >= 0);
	open_table();
	map_with(give_up);
	close(timer_fd);
	mine = eventfd(1, EFD_NONBLOCK);
	must(mine == timer_fd);
	must(pmem2fs_dispatch() == -EBADF);
	must(read(mine, &times, sizeof(times)) == sizeof(times) && times == 1);
	daemon_begin();
	fd = pmem2fs_get_fd();
	must(fd >= 0 && fd != mine);
	wait_for_wakeup();
	must(pmem2fs_dispatch() == 0 && take_connection());
}

static _Atomic unsigned runs;
static _Atomic bool go_on;

static int run_slowly(struct pmem2_map *map, void *arg)
{
	(void)map;
	(void)arg;
	runs++;
	while (!go_on)
		usleep(1000);
	return -EBUSY;
}

static void *dispatch_all(void *arg)
{
	(void)arg;
	must(pmem2fs_dispatch() == 0);
	return NULL;
}

static void only_one_thread_dispatches(void)
{
	struct pmem2_map *map = begin();
	pthread_t thread;

	must(pmem2fs_map_set_release_handler(map, run_slowly, NULL) == 0);
	send_request(1, map);
	send_message(WIRE_GO, 1);
	must(pthread_create(&thread, NULL, dispatch_all, NULL) == 0);
	while (!runs)
		usleep(1000);
	must(pmem2fs_dispatch() == -EBUSY && receives(WIRE_READY, 1, 0) && is_silent());
	go_on = true;
	must(pthread_join(thread, NULL) == 0);
	must(pmem2fs_dispatch() == 0 && receives(WIRE_DONE, 1, -EBUSY) && runs == 1);
}

static struct pmem2_map *begin_thread(pmem2fs_release_handler handler)
{
	struct pmem2_map *map;

	daemon_begin();
	open_table();
	map = map_with(handler);
	must(pmem2fs_start_thread() == 0);
	must(take_connection());
	return map;
}

static int check_thread(struct pmem2_map *map, void *arg)
{
	sigset_t mask;

	(void)arg;
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	must(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGTERM));
	must(gettid() != getpid());
	runs++;
	return pmem2_unmap(&map);
}

static void request_of_thread(uint64_t number, struct pmem2_map *map)
{
	send_request(number, map);
	must(receives(WIRE_READY, number, 0));
	send_message(WIRE_GO, number);
	must(receives(WIRE_DONE, number, 0) && !is_there(map));
}

static void a_thread_serves(void)
{
	struct pmem2_map *map = begin_thread(check_thread);

	size_t threads = status_kib("Threads:");

	must(pmem2fs_start_thread() == 0 && status_kib("Threads:") == threads);
	request_of_thread(1, map);
	daemon_end();
	daemon_begin();
	must(take_connection());
	request_of_thread(2, map_with(check_thread));
	/* By system call, since the thread sanitizer would report a race with the thread. */
	must(syscall(SYS_close_range, 3, 99, 0) == 0);
	must(take_connection());
	request_of_thread(3, map_with(check_thread));
	must(runs == 3);
}

static int give_up_and_count(struct pmem2_map *map, void *arg)
{
	int ret = pmem2_unmap(&map);

	(void)arg;
	must(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND);
	runs += ret == 0;
	return ret;
}

/* Lets that many nanoseconds pass without giving the processor away: on a busy machine it comes
 * back late. */
static void spin(unsigned nanoseconds)
{
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do
		clock_gettime(CLOCK_MONOTONIC, &now);
	while ((now.tv_sec - begin.tv_sec) * 1000000000l + now.tv_nsec - begin.tv_nsec <
	       (long)nanoseconds);
}

/* The thread or the program unmaps it, but only one of them. */
static void a_thread_races_with_the_program(void)
{
	struct pmem2_map *map = begin_thread(give_up_and_count);
	unsigned mine = 0;
	unsigned rounds;

	for (rounds = 1; rounds <= (on_valgrind() ? 30 : 500); rounds++) {
		struct wire_message done;
		int ret;

		send_request(rounds, map);
		must(receives(WIRE_READY, rounds, 0));
		send_message(WIRE_GO, rounds);
		spin(rounds % 64 * 1000);
		ret = pmem2_unmap(&map);
		must(ret == 0 || ret == PMEM2_E_MAPPING_NOT_FOUND);
		mine += ret == 0;
		must(receive(&done) && done.type == WIRE_DONE && done.request == rounds);
		must(done.error == (ret ? 0 : -ENOENT));
		map = map_with(give_up_and_count);
		if (pmem2fs_dispatch() != 0)
			continue;
	}
	must(mine + runs == rounds - 1);
}

static int refuse(struct pmem2_map *map, void *arg)
{
	(void)map;
	(void)arg;
	runs++;
	return -EBUSY;
}

static void a_thread_is_no_obstacle_to_fork(void)
{
	struct pmem2_map *map = begin_thread(refuse);
	unsigned rounds = on_valgrind() ? 5 : 100;

	for (unsigned i = 0; i < rounds; i++) {
		send_request(i, map);
		send_message(WIRE_GO, i);
		in_child_of(fork(), be_a_quiet_child, map);
		must(receives(WIRE_READY, i, 0) && receives(WIRE_DONE, i, -EBUSY));
	}
	must(runs == rounds);
}

static bool thread_ends_child;

/*
 * When a process ends with the exit of its thread, the leak sanitizer reports all memory as lost.
 */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	return thread_ends_child;
}

static int fork_in_thread(struct pmem2_map *map, void *arg)
{
	pid_t pid = fork();
	int status;

	(void)arg;
	thread_ends_child = pid == 0;
	if (pid == 0)
		return 0;
	must(waitpid(pid, &status, 0) == pid && status == 0);
	return pmem2_unmap(&map);
}

/* The handler's thread is the child's only one, which ends with the handler. */
static void a_handler_in_the_thread_may_fork(void)
{
	request_of_thread(1, begin_thread(fork_in_thread));
}

static void a_handler_does_not_keep_a_program_from_ending(void)
{
	struct pmem2_map *map = begin_thread(run_slowly);

	send_request(1, map);
	send_message(WIRE_GO, 1);
	while (!runs)
		usleep(1000);
	exit(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RUN(all_is_closed_on_exec),
		RUN(no_descriptor_is_a_standard_one),
		RUN(a_child_has_its_own),
		RUN(a_child_that_the_c_library_does_not_know_of),
		RUN(a_handler_may_fork),
		RUN(closed_descriptors_are_not_missed),
		RUN(a_copy_elsewhere_does_not_ring),
		RUN(any_descriptor_may_be_closed),
		RUN(the_timer_may_be_closed),
		RUN(only_one_thread_dispatches),
		RUN(a_thread_serves),
		RUN(a_thread_races_with_the_program),
		RUN(a_thread_is_no_obstacle_to_fork),
		RUN(a_handler_in_the_thread_may_fork),
		RUN(a_handler_does_not_keep_a_program_from_ending),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
