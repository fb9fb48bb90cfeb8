/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_disk.c - see dax_disk.h
 */
#include "host/dax_disk.h"
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/sysmacros.h>
#include <unistd.h>

int dax_disk_is(dev_t dev)
{
	static const char *const places[] = {"queue/dax", "../queue/dax"};
	char path[96], value = '0';
	int fd = -1, error = 0;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	if (access(path, F_OK))
		return -errno;
	for (size_t i = 0; fd < 0 && i < sizeof(places) / sizeof(*places); i++) {
		snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/%s", major(dev), minor(dev),
			 places[i]);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		error = fd < 0 ? errno : 0;
	}
	if (fd < 0)
		return error == ENOENT ? 0 : -error;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value == '1';
}
