/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * daemon_socket.c - connecting to the daemon: where it listens, and who it may be
 *
 * Owns nothing. Calls base/cancel, base/fd and libc.
 *
 * The messages contain addresses, and the answers may ask for unmapping. So the peer has to be root
 * or the user's own daemon, as reported by the kernel; which user created the socket does not
 * count. A seccomp filter may forbid any of these calls (registry/seccomp_probe.h).
 */
#include "publish/daemon_socket.h"
#include "base/cancel.h"
#include "base/fd.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SYSTEM_SOCKET "/run/pmem2fs/socket"

/*
 * A user name space shows all users that it does not know as this one. It identifies nobody, not
 * even if this process has it.
 */
#define OVERFLOW_UID 65534

/* The credentials are those of the process that called listen. */
static int check_peer(int fd, bool *is_root)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return -errno;
	if (peer.uid && (peer.uid != geteuid() || peer.uid == OVERFLOW_UID))
		return -EPERM;
	*is_root = !peer.uid;
	return 0;
}

static int connect_to(const struct sockaddr_un *address, bool *is_root)
{
	int fd = fd_move_off_standard(
		socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
	int ret;

	if (fd < 0)
		return -errno;
	ret = connect(fd, (const struct sockaddr *)address, sizeof(*address)) ? -errno : 0;
	if (!ret)
		ret = check_peer(fd, is_root);
	if (!ret)
		return fd;
	close(fd);
	return ret;
}

/* Connects to the socket `name` in `folder`. */
static int connect_in(const char *folder, const char *name, bool *is_root)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = sizeof(address.sun_path);

	if ((size_t)snprintf(address.sun_path, size, "%s%s", folder, name) >= size)
		return -ENAMETOOLONG;
	return connect_to(&address, is_root);
}

static int find_daemon(bool *is_root)
{
	const char *given = secure_getenv("PMEM2FS_SOCKET");
	const char *runtime = secure_getenv("XDG_RUNTIME_DIR");
	int ret;

	if (given && *given)
		return connect_in(given, "", is_root);
	ret = connect_in(SYSTEM_SOCKET, "", is_root);
	/* -EAGAIN: root's daemon is there but busy, and takes precedence. */
	if (ret < 0 && ret != -EAGAIN && runtime && runtime[0] == '/')
		ret = connect_in(runtime, "/pmem2fs/socket", is_root);
	return ret;
}

int daemon_connect(bool *is_root)
{
	int state = cancel_disable();
	int ret = find_daemon(is_root);

	cancel_restore(state);
	return ret;
}
