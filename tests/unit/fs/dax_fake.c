/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_fake.c - see dax_fake.h
 */
#include "dax_fake.h"
#include "host/proc_maps.h"
#include "publisher.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

int dax_file, other;
void (*while_looking)(void);

static bool is_file(const struct maps_area *area, int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return area->dev == st.st_dev && area->inode == st.st_ino;
}

const struct dax_file *dax_find(struct dax *dax, const struct maps *maps,
				const struct maps_area *area)
{
	static struct dax_file file = {
		.type = PMEM2FS_SOURCE_FSDAX,
		.alignment = 4096,
		.size = FILE_PAGES * PAGE,
	};
	void (*call)(void) = while_looking;

	(void)dax;
	(void)maps;
	if (!is_file(area, dax_file))
		return NULL;
	file.dev = area->dev;
	file.inode = area->inode;
	while_looking = NULL;
	if (call)
		call();
	return &file;
}

/* As on a stacked file system: `other` also has another device number. */
bool dax_is_file(struct dax *dax, const struct maps *maps, const struct maps_area *area, dev_t dev,
		 uint64_t inode)
{
	(void)dax;
	(void)maps;
	return is_file(area, other) && dev == OTHER_DEV && inode == 7;
}

dev_t dax_shmem(const struct dax *dax)
{
	static dev_t dev;
	struct stat st;
	int fd;

	(void)dax;
	if (!dev) {
		fd = memfd_create("test", MFD_CLOEXEC);
		assert_true(fd >= 0 && !fstat(fd, &st));
		close(fd);
		dev = st.st_dev;
	}
	return dev;
}
