/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fake_daemon.h - the daemon's end of a connection, step by step in the test's own process
 *
 * Each test runs in a child of its own (RUN), where the library is as fresh as the process. There
 * is no waiting: timers of a second expire after a millisecond (link with --wrap=timerfd_settime).
 */
#ifndef PMEM2FS_TEST_FAKE_DAEMON_H
#define PMEM2FS_TEST_FAKE_DAEMON_H

#include "child.h"
#include "format/wire.h"
#include "helper.h"
#include "publish/release.h"
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>

static char folder[] = "/tmp/release-XXXXXX";
static int listener = -1; /* numbers above those that the tests check */
static int peer = -1;
static struct pmem2fs_table *table;

/* What the library last set its timer to; whether it may expire at all. */
static struct itimerspec timer_set;
static int timer_fd = -1;
static bool timer_held;

int __real_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *before);
int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *before);

int __wrap_timerfd_settime(int fd, int flags, const struct itimerspec *when,
			   struct itimerspec *before)
{
	struct itimerspec soon = {0};

	timer_fd = fd;
	timer_set = *when;
	if ((when->it_value.tv_sec || when->it_value.tv_nsec) && !timer_held)
		soon.it_value.tv_nsec = soon.it_interval.tv_nsec = 1000000;
	return __real_timerfd_settime(fd, flags, &soon, before);
}

static inline void let_timer_ring(void)
{
	const struct itimerspec again = timer_set;

	timer_held = false;
	__wrap_timerfd_settime(timer_fd, 0, &again, NULL);
}

static inline int out_of_the_way(int fd)
{
	int moved = fcntl(fd, F_DUPFD_CLOEXEC, 100);

	must(fd >= 0 && moved >= 100);
	close(fd);
	return moved;
}

static inline void daemon_begin(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	unlink(address.sun_path);
	listener =
		out_of_the_way(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	must(bind(listener, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(listen(listener, 16) == 0);
}

static inline void daemon_end(void)
{
	close(listener);
	close(peer);
	listener = peer = -1;
}

/* The inode number of this process's table. */
static inline uint64_t table_number(void)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	uint64_t inode = 0;

	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/memfd:pmem2fs "))
			sscanf(line, "%*s %*s %*s %*s %" SCNu64, &inode);
	}
	fclose(maps);
	return inode;
}

/* Receives a message that another thread sends within a second. */
static inline bool receive(struct wire_message *message)
{
	struct pollfd wait = {.fd = peer, .events = POLLIN};

	return poll(&wait, 1, 10000) == 1 && recv(peer, message, sizeof(*message), 0) == 48;
}

static inline bool is_silent(void)
{
	char byte;

	return recv(peer, &byte, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

/*
 * Receives the first message. A library whose daemon is not root's makes a new table, and passes it
 * with the message: it is the one to read from now on.
 */
static inline bool receive_table(struct wire_message *message)
{
	char control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = control,
				.msg_controllen = sizeof(control)};
	struct pollfd wait = {.fd = peer, .events = POLLIN};
	struct cmsghdr *passed;
	int fd;

	if (poll(&wait, 1, 10000) != 1 || recvmsg(peer, &header, MSG_CMSG_CLOEXEC) != 48)
		return false;
	passed = CMSG_FIRSTHDR(&header);
	if (passed && passed->cmsg_type == SCM_RIGHTS) {
		memcpy(&fd, CMSG_DATA(passed), sizeof(fd));
		pmem2fs_table_close(&table);
		must(pmem2fs_table_open(&table, out_of_the_way(fd)) == 0);
	}
	return true;
}

/* Accepts the library's connection, and receives its first message. */
static inline bool take_connection(void)
{
	struct pollfd wait = {.fd = listener, .events = POLLIN};
	struct wire_message hello;
	int fd;

	must(poll(&wait, 1, 10000) == 1);
	close(peer);
	fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	peer = out_of_the_way(fd);
	return receive_table(&hello) && hello.magic == WIRE_MAGIC && hello.type == WIRE_TABLE &&
	       hello.flags == WIRE_STAYS && hello.table && hello.table == table_number();
}

static inline bool nobody_connects(void)
{
	return accept(listener, NULL, NULL) < 0 && errno == EAGAIN;
}

/* The table that requests name, 0: the present one. */
static uint64_t table_asked_for;

static inline void send_for_slot(enum wire_type type, uint64_t request, uint32_t slot,
				 uint64_t generation)
{
	const struct wire_message message = {
		.magic = WIRE_MAGIC,
		.type = type,
		.table = table_asked_for ? table_asked_for : table_number(),
		.request = request,
		.slot = slot,
		.generation = generation,
	};

	must(send(peer, &message, sizeof(message), MSG_NOSIGNAL) == sizeof(message));
}

static inline void send_message(enum wire_type type, uint64_t request)
{
	send_for_slot(type, request, 0, 0);
}

static inline void send_request(uint64_t request, struct pmem2_map *map)
{
	struct pmem2fs_record record;
	uint64_t generation;
	uint32_t slot;

	must(pmem2fs_map_get_slot(map, &slot) == 0);
	must(pmem2fs_table_read(table, slot, &generation, &record) == 0);
	send_for_slot(WIRE_ASK, request, slot, generation);
}

static inline bool receives(enum wire_type type, uint64_t request, int error)
{
	struct wire_message message;

	if (!receive(&message))
		return false;
	if (message.magic == WIRE_MAGIC && message.type == type && message.request == request &&
	    message.error == error)
		return true;
	fprintf(stderr, "received type %u, request %lu, error %d\n", message.type,
		(unsigned long)message.request, message.error);
	return false;
}

static inline bool is_readable(int fd)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};

	return poll(&wait, 1, 0) == 1 && wait.revents == POLLIN;
}

static inline void wait_for_wakeup(void)
{
	struct pollfd wait = {.fd = pmem2fs_get_fd(), .events = POLLIN};

	must(poll(&wait, 1, 10000) == 1);
}

/* Dispatches until there is nothing to do. */
static inline void dispatch(void)
{
	while (is_readable(pmem2fs_get_fd()))
		must(pmem2fs_dispatch() == 0);
}

/* How often the handler below was called, and with what. */
static unsigned calls;
static struct pmem2_map *called_for;

static inline int give_up(struct pmem2_map *map, void *arg)
{
	calls++;
	called_for = map;
	must(!arg || arg == &calls);
	return pmem2_unmap(&map);
}

static inline struct pmem2_map *map_with(pmem2fs_release_handler handler)
{
	struct pmem2_map *map = map_anon(PAGE, PMEM2_SHARED);

	must(pmem2fs_map_set_release_handler(map, handler, &calls) == 0);
	return map;
}

static inline bool is_there(struct pmem2_map *map)
{
	return pmem2_map_get_size(map);
}

static inline void open_table(void)
{
	int fd;

	must(pmem2fs_table_export(&fd) == 0);
	must(pmem2fs_table_open(&table, out_of_the_way(fd)) == 0);
}

/* Starts with a connected daemon and a mapping that can be asked for. */
static inline struct pmem2_map *begin(void)
{
	struct pmem2_map *map;

	daemon_begin();
	open_table();
	map = map_with(give_up);
	wait_for_wakeup();
	dispatch();
	must(take_connection());
	return map;
}

static inline void run(void (*body)(void))
{
	char path[sizeof(folder) + 10];
	int status;
	pid_t pid;

	strcpy(folder + strlen(folder) - 6, "XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/socket", folder);
	setenv("PMEM2FS_SOCKET", path, 1);
	pid = fork();
	if (pid == 0) {
		for (int fd = 3; fd < 100; fd++)
			close(fd); /* descriptors inherited from the test's caller */
		alarm(600);
		body();
		_exit(0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	unlink(path);
	assert_ok(rmdir(folder));
	assert_int_equal(status, 0);
}

/* A cmocka test that runs `function`, which has no arguments, in a child. */
#define RUN(function)                                                                              \
	{                                                                                          \
		.name = #function, .test_func = run_in_child, .initial_state = (void *)function    \
	}

static inline void run_in_child(void **state)
{
	run((void (*)(void)) * state);
}

#endif
