/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fd.c - descriptors of the library in a program that may close, reuse and write to any
 *
 * Owns nothing. Calls libc only.
 */
#include "base/fd.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool fd_identify(int fd, struct fd_identity *identity)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	*identity = (struct fd_identity){.dev = st.st_dev, .inode = st.st_ino};
	return true;
}

bool fd_is_same(int fd, const struct fd_identity *identity)
{
	struct fd_identity now;

	return fd_identify(fd, &now) && now.dev == identity->dev && now.inode == identity->inode;
}

int fd_move_off_standard(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return moved;
}
