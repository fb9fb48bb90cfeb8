/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_allocate.c - "allocate" in a request: the blocks of the range are allocated, or nothing is
 * mapped
 *
 * Files are on a tmpfs of 512 KiB. That threads allocate no more than their callers may is tested
 * in tests/unit/fs/host/test_identity.c.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define KIB 1024

static const char *small(const struct fs *fs)
{
	return format("%s/small", fs->dir);
}

/* Mounts the tmpfs and makes a sparse file of `size` bytes on it. */
static const char *make_sparse(const struct fs *fs, off_t size)
{
	const char *path = format("%s/sparse", small(fs));
	int fd;

	if (!mounted(small(fs))) {
		assert_int_equal(mkdir(small(fs), 0755), 0);
		assert_int_equal(mount("small", small(fs), "tmpfs", 0, "size=512k,mode=1777"), 0);
	}
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	assert_int_equal(chmod(path, 0666), 0);
	return path;
}

static int64_t allocated(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_blocks * 512;
}

static int request(const struct fs *fs, const char *name, const char *source, const char *rest)
{
	return write_text(entry(fs, name), format("{\"source\":{%s}%s}", source, rest));
}

static int request_allocated(const struct fs *fs, const char *name, const char *path,
			     const char *rest)
{
	return request(fs, name, format("\"path\":\"%s\",\"allocate\":true", path), rest);
}

static void a_sparse_file_is_allocated(struct fs *fs)
{
	const char *path = make_sparse(fs, 256 * KIB);
	json_t *root, *source;

	map_source(fs, "plain", path);
	assert_int_equal(allocated(path), 0);
	assert_int_equal(request_allocated(fs, "a", path, ""), 0);
	assert_int_equal(allocated(path), 256 * KIB);
	unmap(fs, "plain");
	/* "allocate" is no property of the mapping: the document does not have it. */
	root = document(fs, "a");
	source = json_object_get(root, "source");
	assert_int_equal(number_of(source, "size"), 256 * KIB);
	assert_null(json_object_get(source, "allocate"));
	json_decref(root);
}

static void only_what_is_mapped(struct fs *fs)
{
	const char *path = make_sparse(fs, 1 << 20);

	assert_int_equal(request(fs, "a",
				 format("\"path\":\"%s\",\"offset\":65536,\"allocate\":true", path),
				 ",\"length\":131072"),
			 0);
	assert_int_equal(allocated(path), 128 * KIB);
	/* Existing data stays. */
	assert_int_equal(
		shell(fs, format("printf old | dd of=%s bs=1 seek=70000 conv=notrunc", path)), 0);
	assert_int_equal(request_allocated(fs, "b", path, ",\"length\":196608"), 0);
	assert_int_equal(allocated(path), 192 * KIB);
	assert_int_equal(shell(fs, format("test $(dd if=%s bs=1 skip=70000 count=3) = old", path)),
			 0);
}

static void no_space_no_mapping(struct fs *fs)
{
	const char *path = make_sparse(fs, 1 << 20);

	assert_int_equal(request_allocated(fs, "a", path, ""), ENOSPC);
	assert_true(log_has(&fs->daemon, "a: cannot map .*: cannot allocate: No space left"));
	assert_entries(fs, NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, path), 0);
	assert_int_equal(allocated(path), 0);
	assert_int_equal(request(fs, "a", format("\"path\":\"%s\",\"allocate\":false", path), ""),
			 0);
	assert_int_equal(allocated(path), 0);
	assert_int_equal(maps_with(fs->daemon.keeper, path), 1);
}

static void what_has_no_blocks_to_allocate(struct fs *fs)
{
	const char *path = make_sparse(fs, 65536);

	assert_int_equal(request_allocated(fs, "a", path, ",\"sharing\":\"private\""), EINVAL);
	assert_int_equal(request_allocated(fs, "a", path, ",\"protection\":\"r--\""), EINVAL);
	assert_int_equal(
		request(fs, "a", "\"type\":\"anonymous\",\"size\":4096,\"allocate\":true", ""),
		EINVAL);
	/* Nothing is allocated for a request that fails for another reason. */
	assert_int_equal(request_allocated(fs, "a", path, ",\"length\":131072"), EINVAL);
	map_anonymous(fs, "a", 4096);
	assert_int_not_equal(request_allocated(fs, "a", path, ""), 0);
	assert_int_equal(allocated(path), 0);
	assert_int_equal(chmod(path, 0444), 0);
	assert_int_equal(write_as(&user_a, entry(fs, "b"),
				  format("{\"source\":{\"path\":\"%s\",\"allocate\":true}}", path)),
			 EACCES);
	assert_int_equal(allocated(path), 0);
	assert_entries(fs, "a", NULL);
}

static int ctl(void *argument)
{
	const char *const *words = argument;

	return execl(getenv("PMEM2FS_CTL"), "pmem2ctl", "map", "-s", words[0], "--allocate",
		     words[1], words[2], (char *)NULL);
}

static int ctl_as(const struct fs *fs, const struct user *user, const char *path, const char *name)
{
	const char *words[] = {fs->daemon.socket, path, name};

	return run_as(user, ctl, words);
}

/*
 * Pages of a tmpfs are charged to the process that allocates them, so pmem2ctl and not the daemon
 * does it for a user.
 */
static void users_allocate_memory_themselves(struct fs *fs)
{
	const char *path = make_sparse(fs, 65536);
	const char *text = format("{\"source\":{\"path\":\"%s\",\"allocate\":true}}", path);

	assert_int_equal(write_as(&user_a, entry(fs, "a"), text), EPERM);
	assert_true(
		log_has(&fs->daemon, "a: cannot map .*: is in memory.*pmem2ctl map --allocate"));
	assert_int_equal(allocated(path), 0);
	assert_int_equal(ctl_as(fs, &user_a, path, "a"), 0);
	assert_int_equal(allocated(path), 65536);
	assert_entries(fs, "a", NULL);
	path = make_sparse(fs, 1 << 20);
	assert_int_equal(ctl_as(fs, &user_a, path, "b"), 1);
	assert_entries(fs, "a", NULL);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(a_sparse_file_is_allocated),
		FS_TEST(only_what_is_mapped),
		FS_TEST(no_space_no_mapping),
		FS_TEST(what_has_no_blocks_to_allocate, .options = "rootmode=1777"),
		FS_TEST(users_allocate_memory_themselves, .options = "rootmode=1777"),
	};

	return fs_run(argc, argv, "allocate", tests, sizeof(tests) / sizeof(*tests));
}
