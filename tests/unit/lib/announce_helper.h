/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announce_helper.h - processes that announce their tables, and a listener
 */
#ifndef PMEM2FS_TEST_ANNOUNCE_HELPER_H
#define PMEM2FS_TEST_ANNOUNCE_HELPER_H

#include "child.h"
#include "format/wire.h"
#include "helper.h"
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define USER 12345

static char folder[] = "/tmp/pmem2fs-announce-XXXXXX";
static char path[sizeof(folder) + 32];

/* Runs `body` in a process that has no table yet; one that hangs is killed. */
static inline void run(void (*body)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		signal(SIGPIPE, SIG_DFL);
		alarm(600);
		unlink(path);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* The same as an ordinary user, whose daemon may not read others' files in /proc. */
static inline void run_as_user(void (*body)(void))
{
	int status;
	pid_t pid;

	if (geteuid())
		return;
	assert_ok(chmod(folder, 0777));
	unlink(path);
	pid = fork();
	if (pid == 0) {
		signal(SIGALRM, SIG_DFL);
		alarm(600);
		/* A process that was root cannot read its own links in /proc, until it execs. */
		must(setgid(USER) == 0 && setuid(USER) == 0);
		body();
		unlink(path);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static inline void both(void (*body)(void))
{
	run(body);
	run_as_user(body);
}

static inline int serve(int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(chmod(path, 0666) == 0);
	must(listen(fd, backlog) == 0);
	return fd;
}

struct announcement {
	struct wire_message message;
	int fd; /* -1: none was sent */
};

/* False: there is no announcement. */
static inline bool take(int listener, struct announcement *received)
{
	union {
		char buffer[CMSG_SPACE(2 * sizeof(int))];
		struct cmsghdr header;
	} control;
	struct iovec iov = {.iov_base = &received->message, .iov_len = sizeof(received->message)};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	const struct cmsghdr *header;
	ssize_t n = 0;
	char byte;
	int fd;

	/* Connections without a message are skipped. */
	do {
		fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			return false;
		memset(received, 0, sizeof(*received));
		message.msg_controllen = sizeof(control);
		n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
	} while (n == 0 && close(fd) == 0);
	must(n == sizeof(received->message));
	must(received->message.magic == WIRE_MAGIC && received->message.type == WIRE_TABLE);
	header = CMSG_FIRSTHDR(&message);
	received->fd = -1;
	if (header) {
		must(header->cmsg_len == CMSG_LEN(sizeof(int)));
		memcpy(&received->fd, CMSG_DATA(header), sizeof(int));
	}
	/* Nothing more may follow. */
	if (!received->message.flags)
		must(recv(fd, &byte, 1, 0) == 0);
	close(fd);
	return true;
}

/* How many tables this process has mapped, and the inode number of the last. */
static inline unsigned find_tables(uint64_t *inode)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned found = 0;

	must(file);
	while (fgets(line, sizeof(line), file)) {
		if (strstr(line, "/memfd:pmem2fs ")) {
			found++;
			must(sscanf(line, "%*s %*s %*s %*s %lu", inode) == 1);
		}
	}
	fclose(file);
	return found;
}

static inline unsigned count_descriptors(void)
{
	unsigned n = 0;

	for (int fd = 0; fd < 256; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* Checks that what was received is this process's table; count of its mappings, closes the
 * descriptor. */
static inline unsigned check_received(const struct announcement *received)
{
	struct pmem2fs_record record;
	struct pmem2fs_table *table;
	uint32_t slot = 0, bad = 0;
	unsigned n = 0;
	uint64_t inode;
	struct stat st;

	must(find_tables(&inode) == 1);
	must(received->message.table == inode);
	if (received->fd < 0)
		return UINT32_MAX;
	must(fstat(received->fd, &st) == 0 && st.st_ino == inode);
	must(pmem2fs_table_open(&table, received->fd) == 0);
	for (; pmem2fs_table_next(table, &slot, NULL, &record, &bad) == 0; slot++)
		n++;
	must(bad == 0);
	must(pmem2fs_table_close(&table) == 0);
	return n;
}

static inline bool root_can_look(void)
{
	return geteuid() == 0;
}

#endif
