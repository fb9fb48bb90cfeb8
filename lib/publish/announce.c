/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * announce.c - announcing the table of this process to the daemon
 *
 * Owns the connection while a message is sent. Calls daemon_socket.c, registry/publication,
 * registry/announcement and registry/seccomp_probe. Takes the library's lock only inside of
 * publication.c, to make the table.
 *
 * One announcement per process is enough: the table shows all later mappings. Root's daemon could
 * find tables in /proc, but would have to search all processes for them; it opens an announced one
 * there. A user's own daemon is not permitted to do that and gets the descriptor. No descriptor of
 * the table is kept, so that for such a daemon the table is made anew.
 */
#include "publish/announce.h"
#include "base/lock.h"
#include "format/wire.h"
#include "publish/daemon_socket.h"
#include "registry/announcement.h"
#include "registry/publication.h"
#include "registry/seccomp_probe.h"
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/*
 * The inode number of the initial user name space, in which root may open what another process has
 * mapped.
 */
#define FIRST_USER_NAMESPACE 0xeffffffdu

/* Root of another user name space cannot open what it finds in /proc. */
static bool finds_tables(bool is_root)
{
	struct stat st;

	return is_root && !stat("/proc/self/ns/user", &st) && st.st_ino == FIRST_USER_NAMESPACE;
}

/* The descriptor is sent along unless it is -1. */
static int send_table(int daemon, uint32_t flags, uint64_t table, int fd)
{
	struct wire_message wire = {
		.magic = WIRE_MAGIC,
		.type = WIRE_TABLE,
		.flags = flags,
		.table = table,
	};
	union {
		char buffer[CMSG_SPACE(sizeof(int))];
		struct cmsghdr header;
	} control = {
		.header =
			{
				.cmsg_level = SOL_SOCKET,
				.cmsg_type = SCM_RIGHTS,
				.cmsg_len = CMSG_LEN(sizeof(int)),
			},
	};
	struct iovec iov = {.iov_base = &wire, .iov_len = sizeof(wire)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
	}
	return sendmsg(daemon, &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 ? -errno : 0;
}

static int hand_over(int daemon, bool is_root, uint32_t flags)
{
	uint64_t table;
	int fd = -1;
	int ret;

	ret = publication_table(&table, finds_tables(is_root) ? NULL : &fd);
	if (ret)
		return ret;
	ret = send_table(daemon, flags, table, fd);
	if (fd >= 0)
		close(fd);
	if (!ret)
		announcement_withdraw();
	return ret;
}

int announce_table(int daemon, bool is_root, uint32_t flags)
{
	int ret;

	if (!library_open_begin())
		return -EBUSY;
	ret = hand_over(daemon, is_root, flags);
	library_open_end();
	return ret;
}

static void announce_now(void)
{
	bool is_root;
	int daemon;

	if (!seccomp_probe_permits())
		return;
	daemon = daemon_connect(&is_root);
	if (daemon < 0)
		return;
	hand_over(daemon, is_root, 0);
	close(daemon);
}

static void announce_if_due(void)
{
	struct timespec time;
	uint64_t now;

	clock_gettime(CLOCK_REALTIME, &time);
	now = (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
	if (!announcement_is_due(now) || !library_open_begin())
		return;
	/* Another thread may have tried since. */
	if (announcement_is_wanted() && announcement_is_due(now)) {
		announcement_tried(now);
		announce_now();
	}
	library_open_end();
}

void announce_first(void)
{
	int error = errno;

	if (announcement_take_first())
		announce_if_due();
	errno = error;
}

void announce_again(void)
{
	int error = errno;

	if (announcement_is_wanted())
		announce_if_due();
	errno = error;
}
