/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * shared_tables.c - see shared_tables.h
 *
 * The mount is compared first, which touches no file: all memfds are on one mount, and nothing else
 * is. The file is then opened again, since others who have the descriptor can lock its position.
 */
#include "host/shared_tables.h"
#include "format/table.h"
#include "host/proc.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* The last close of a memfd frees it, which takes the longer the larger it is. */
#define SIZE_MAX_OF_TABLE ((off_t)(TABLE_SLOTS_MAX + 1024) * (off_t)sizeof(struct table_slot))

bool tables_is_memfd(int fd)
{
	int own = memfd_create("pmem2fs-probe", MFD_CLOEXEC), id;

	if (own < 0)
		return false;
	id = mountinfo_id_of(own);
	close(own);
	return id >= 0 && mountinfo_id_of(fd) == id;
}

int tables_open(int fd, struct pmem2fs_table **table, uint64_t *inode)
{
	struct stat st;
	char path[32];
	int own, error;

	if (!tables_is_memfd(fd))
		return -EINVAL;
	if (fstat(fd, &st))
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_size > SIZE_MAX_OF_TABLE)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	own = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (own < 0)
		return -errno;
	error = pmem2fs_table_open(table, own);
	if (error)
		close(own);
	else
		*inode = st.st_ino;
	return error;
}

int tables_open_area(const struct maps *maps, const struct maps_area *area,
		     struct pmem2fs_table **table)
{
	struct pmem2fs_table *found;
	uint64_t inode;
	char link[PROC_MAP_FILE_SIZE];
	int fd, error;

	proc_map_file(link, maps->task, area->begin, area->end);
	fd = open(link, O_PATH | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	error = tables_open(fd, &found, &inode);
	close(fd);
	if (error)
		return error;
	if (inode != area->inode) {
		pmem2fs_table_close(&found);
		return -ENOENT;
	}
	*table = found;
	return 0;
}
