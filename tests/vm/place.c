/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * place.c - a folder on real pmem whose files get bad blocks
 */
#include "place.h"
#include "helper.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

void open_place(struct place *place)
{
	const char *path = variable("PMEM2FS_TEST_FSDAX");
	struct stat st;

	place->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->folder >= 0);
	assert_int_equal(fstat(place->folder, &st), 0);
	assert_int_equal(st.st_blksize, BLOCK);
	place->dev = st.st_dev;
	assert_int_equal(pmem2fs_device_get(st.st_dev, true, &place->device), 0);
	place->start = strtoull(
		attribute("/sys/dev/block/%u:%u/start", major(st.st_dev), minor(st.st_dev)), NULL,
		10);
	assert_int_equal(place->device.badblocks_start, 512 * place->start);
}

/* FIBMAP has the place of written blocks only. */
void write_zeroes(int fd, off_t offset, off_t size)
{
	static const char zeroes[BLOCK];

	for (; size > 0; offset += BLOCK, size -= BLOCK) {
		size_t length = size < BLOCK ? (size_t)size : BLOCK;

		assert_int_equal(pwrite(fd, zeroes, length, offset), length);
	}
}

/*
 * No file is ever removed, so that the next one does not get its bad blocks, where writing fails.
 */
int make_file(const struct place *place, const char *name, off_t allocated, off_t size)
{
	int fd;

	fd = openat(place->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (allocated)
		assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, allocated), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	if (allocated)
		write_zeroes(fd, 0, size);
	assert_int_equal(fsync(fd), 0);
	return fd;
}

/*
 * The disk's sector where a block of the file begins: by FIBMAP, another way to it than the
 * library's. XFS has none for DAX files.
 */
uint64_t sector_of(const struct place *place, int fd, int block)
{
	union {
		struct fiemap map;
		char space[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} one = {.map = {.fm_start = (uint64_t)block * BLOCK,
			 .fm_length = BLOCK,
			 .fm_extent_count = 1}};
	const struct fiemap_extent *extent = one.map.fm_extents;
	int number = block;

	if (!ioctl(fd, FIBMAP, &number)) {
		assert_int_not_equal(number, 0);
		return place->start + (uint64_t)(unsigned int)number * (BLOCK / 512);
	}
	assert_int_equal(ioctl(fd, FS_IOC_FIEMAP, &one), 0);
	assert_int_equal(one.map.fm_mapped_extents, 1);
	return place->start +
	       (extent->fe_physical + (uint64_t)block * BLOCK - extent->fe_logical) / 512;
}

void make_bad(const struct place *place, uint64_t sector, unsigned int count)
{
	FILE *file = fopen(place->device.badblocks_path, "we");

	assert_non_null(file);
	assert_true(fprintf(file, "%llu %u\n", (unsigned long long)sector, count) > 0);
	assert_int_equal(fclose(file), 0);
}

void assert_bad(int fd, size_t count, const size_t (*expected)[2])
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock bb;
	struct pmem2_source *src;

	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(pmem2_badblock_next(context, &bb), 0);
		assert_int_equal(bb.offset, expected[i][0]);
		assert_int_equal(bb.length, expected[i][1]);
	}
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	pmem2_badblock_context_delete(&context);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
}
