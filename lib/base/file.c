/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file.c - see file.h
 */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_identify(int fd, struct file_identity *identity)
{
	struct stat st;

	if (fstat(fd, &st))
		return false;
	*identity = (struct file_identity){.dev = st.st_dev, .inode = st.st_ino};
	return true;
}

bool file_is_same(int fd, const struct file_identity *identity)
{
	struct file_identity now;

	return file_identify(fd, &now) && now.dev == identity->dev && now.inode == identity->inode;
}

int file_keep_off_standard(int fd)
{
	int moved;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	close(fd);
	return moved;
}
