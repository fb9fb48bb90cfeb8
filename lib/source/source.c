/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - what is mapped: a file, a device-DAX node, anonymous memory
 *
 * Owns struct pmem2_source. A source borrows its descriptor. Values that may change during its life
 * (the size, the alignment of a device) are read at every call. Calls device/devdax, and
 * publish/announce for each new source.
 */
#include "source/source.h"
#include "base/error.h"
#include "base/page.h"
#include "device/devdax.h"
#include "publish/announce.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

static int no_source(void)
{
	return error_set(-EINVAL, "no source given");
}

static struct pmem2_source *new_source(enum pmem2fs_source_type type)
{
	/* calloc would take the lock of the allocator's arena, malloc seldom does. */
	struct pmem2_source *source = malloc(sizeof(*source));

	if (!source)
		return NULL;
	*source = (struct pmem2_source){
		.type = type,
		.fd = -1,
		.cpu_cache_persistent = -1,
	};
	return source;
}

/* What is known of the DAX state of a file. It stays the same while the file is open. */
enum dax_state { DAX_UNKNOWN, DAX_OFF, DAX_ON };

/*
 * As fstat, of the members that are used here, and the DAX state. A filter for system calls may
 * forbid statx, and older kernels do not report the state.
 */
static int stat_with_dax(int fd, struct stat *st, enum dax_state *dax)
{
	struct statx stx;

	*dax = DAX_UNKNOWN;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx))
		return fstat(fd, st);
	st->st_mode = stx.stx_mode;
	st->st_dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	st->st_rdev = makedev(stx.stx_rdev_major, stx.stx_rdev_minor);
	st->st_ino = stx.stx_ino;
	st->st_blksize = stx.stx_blksize;
	if (stx.stx_attributes & STATX_ATTR_DAX)
		*dax = DAX_ON;
	else if (stx.stx_attributes_mask & STATX_ATTR_DAX)
		*dax = DAX_OFF;
	return 0;
}

/* Files on hugetlbfs are mapped and unmapped in whole huge pages. */
static size_t mapping_page_size(int fd, const struct stat *st)
{
	struct statfs fs;

	if ((size_t)st->st_blksize > page_size() && fstatfs(fd, &fs) == 0 &&
	    fs.f_type == HUGETLBFS_MAGIC)
		return (size_t)st->st_blksize;
	return page_size();
}

static int source_type_of(int fd, const struct stat *st, enum dax_state dax,
			  enum pmem2fs_source_type *type)
{
	if (S_ISREG(st->st_mode)) {
		*type = dax == DAX_ON ? PMEM2FS_SOURCE_FSDAX : PMEM2FS_SOURCE_FILE;
		return 0;
	}
	if (S_ISCHR(st->st_mode) && devdax_is(st->st_rdev)) {
		*type = PMEM2FS_SOURCE_DEVDAX;
		return 0;
	}
	return error_set(PMEM2_E_INVALID_FILE_TYPE,
			 "descriptor %d is %s, not a regular file or device-DAX node", fd,
			 S_ISDIR(st->st_mode)    ? "a directory"
			 : S_ISCHR(st->st_mode)  ? "another character device"
			 : S_ISBLK(st->st_mode)  ? "a block device"
			 : S_ISFIFO(st->st_mode) ? "a pipe"
			 : S_ISSOCK(st->st_mode) ? "a socket"
						 : "of another type");
}

int pmem2_source_from_fd(struct pmem2_source **src, int fd)
{
	enum pmem2fs_source_type type = 0;
	struct pmem2_source *source;
	enum dax_state dax;
	struct stat st;
	int flags;
	int ret;

	if (!src)
		return error_set(-EINVAL, "no place for the source given");
	*src = NULL;
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || stat_with_dax(fd, &st, &dax))
		return error_set(PMEM2_E_INVALID_FILE_HANDLE, "descriptor %d: %s", fd,
				 strerror(errno));
	if (!(flags & O_PATH) && (flags & O_ACCMODE) == O_WRONLY)
		return error_set(PMEM2_E_INVALID_FILE_HANDLE,
				 "descriptor %d is open for writing only", fd);
	ret = source_type_of(fd, &st, dax, &type);
	if (ret)
		return ret;

	source = new_source(type);
	if (!source)
		return error_set(-ENOMEM, "out of memory for a source");
	source->fd = fd;
	source->dev = st.st_dev;
	source->rdev = type == PMEM2FS_SOURCE_DEVDAX ? st.st_rdev : 0;
	source->inode = st.st_ino;
	source->page = mapping_page_size(fd, &st);
	/* The kernel grants MAP_SYNC for DAX only, and a refusal costs as much as a mapping. */
	if (type == PMEM2FS_SOURCE_FILE && dax == DAX_OFF)
		atomic_init(&source->sync_refused, true);
	*src = source;
	announce_again();
	return 0;
}

int pmem2_source_from_anon(struct pmem2_source **src, size_t size)
{
	struct pmem2_source *source;

	if (!src)
		return error_set(-EINVAL, "no place for the source given");
	*src = NULL;
	source = new_source(PMEM2FS_SOURCE_ANONYMOUS);
	if (!source)
		return error_set(-ENOMEM, "out of memory for a source");
	source->anon_size = size;
	source->page = page_size();
	*src = source;
	announce_again();
	return 0;
}

int pmem2_source_delete(struct pmem2_source **src)
{
	if (!src)
		return no_source();
	free(*src);
	*src = NULL;
	return 0;
}

int pmem2_source_get_fd(const struct pmem2_source *src, int *fd)
{
	if (!src)
		return no_source();
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS)
		return error_set(PMEM2_E_FILE_DESCRIPTOR_NOT_SET,
				 "anonymous memory has no descriptor");
	if (!fd)
		return error_set(-EINVAL, "no place for the descriptor given");
	*fd = src->fd;
	return 0;
}

int source_stat(const struct pmem2_source *src, struct stat *st)
{
	if (fstat(src->fd, st))
		return error_set(PMEM2_E_INVALID_FILE_HANDLE, "descriptor %d: %s", src->fd,
				 strerror(errno));
	/* The program has closed the descriptor and opened another file under its number. */
	if (st->st_dev != src->dev || st->st_ino != src->inode)
		return error_set(PMEM2_E_INVALID_FILE_HANDLE,
				 "descriptor %d is no longer the file it was", src->fd);
	return 0;
}

int pmem2_source_size(const struct pmem2_source *src, size_t *size)
{
	struct stat st;
	int ret;

	if (!src)
		return no_source();
	if (src->type != PMEM2FS_SOURCE_ANONYMOUS) {
		ret = source_stat(src, &st);
		if (ret)
			return ret;
	}
	if (!size)
		return error_set(-EINVAL, "no place for the size given");
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS) {
		*size = src->anon_size;
		return 0;
	}
	if (src->type == PMEM2FS_SOURCE_DEVDAX)
		return devdax_size(src->rdev, size);
	*size = (size_t)st.st_size;
	return 0;
}

int pmem2_source_alignment(const struct pmem2_source *src, size_t *alignment)
{
	if (!src)
		return no_source();
	if (!alignment)
		return error_set(-EINVAL, "no place for the alignment given");
	if (src->type == PMEM2FS_SOURCE_DEVDAX)
		return devdax_alignment(src->rdev, alignment);
	*alignment = src->page;
	return 0;
}
