/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_remove.c - rm and mv of mappings, and what they refuse
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void rm_unmaps_the_region(struct fs *fs)
{
	unsigned long long address;
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 65536));
	root = document(fs, "a");
	assert_int_equal(sscanf(text_of(root, "address"), "0x%llx", &address), 1);
	json_decref(root);
	assert_int_equal(maps_with(fs->daemon.keeper, format("%llx-", address)), 1);
	unmap(fs, "a");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
	assert_int_equal(maps_with(fs->daemon.keeper, format("\n%llx-", address)), 0);
	assert_entries(fs, NULL);
}

static void rm_frees_the_space_of_a_removed_file(struct fs *fs)
{
	const char *path = make_source(fs, "file", 65536);
	struct stat st;
	int fd;

	map_source(fs, "a", path);
	fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	unmap(fs, "a");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_nlink, 0);
	close(fd);
}

static void rm_leaves_no_descriptor_of_the_source(struct fs *fs)
{
	const char *keepers = format("ls -l /proc/%d/fd | grep -c $D/file", (int)fs->daemon.keeper);

	/* The keeper has one while the file is mapped, and nobody else has. */
	map_source(fs, "a", make_source(fs, "file", 65536));
	assert_int_equal(shell(fs, format("test $(%s) = 1", keepers)), 0);
	assert_int_equal(shell(fs, "test $(ls -l /proc/[0-9]*/fd | grep -c $D/file) = 1"), 0);
	unmap(fs, "a");
	assert_int_equal(shell(fs, "! ls -l /proc/[0-9]*/fd | grep $D/file"), 0);
}

static void rm_leaves_the_others(struct fs *fs)
{
	char *before, *after;

	map_source(fs, "a", make_source(fs, "file", 65536));
	map_anonymous(fs, "c", 4096);
	before = snapshot(fs);
	map_source(fs, "b", source(fs, "file"));
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 2);
	unmap(fs, "b");
	after = snapshot(fs);
	assert_string_equal(after, before);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	free(before);
	free(after);
}

static void an_open_descriptor_still_reads(struct fs *fs)
{
	char *before, now[4096];
	ssize_t got;
	int fd;

	map_source(fs, "a", make_source(fs, "file", 65536));
	before = read_file(entry(fs, "a"), NULL);
	assert_non_null(before);
	unmap(fs, "a");
	free(before);

	/*
	 * This document is read for the first time when its entry is gone: not from the kernel's
	 * cache.
	 */
	map_source(fs, "a", source(fs, "file"));
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	unmap(fs, "a");
	got = read(fd, now, sizeof(now) - 1);
	assert_true(got > 100);
	assert_int_equal(now[got - 1], '\n');
	now[got] = '\0';
	assert_non_null(strstr(now, source(fs, "file")));

	/* A new mapping of the same name is another document. */
	map_anonymous(fs, "a", 4096);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	got = read(fd, now, sizeof(now) - 1);
	assert_true(got > 100);
	now[got] = '\0';
	assert_non_null(strstr(now, source(fs, "file")));
	close(fd);
}

static void rm_of_no_mapping_is_enoent(struct fs *fs)
{
	assert_int_equal(unlink(entry(fs, "a")), -1);
	assert_int_equal(errno, ENOENT);
	map_anonymous(fs, "a", 4096);
	unmap(fs, "a");
	assert_int_equal(unlink(entry(fs, "a")), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(shell(fs, "rm -f $M/a"), 0);
}

static void rmdir_of_a_mapping_is_refused(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(rmdir(entry(fs, "a")), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_entries(fs, "a", NULL);
}

static void mv_renames(struct fs *fs)
{
	struct stat before, after;
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 65536));
	assert_int_equal(stat(entry(fs, "a"), &before), 0);
	assert_int_equal(shell(fs, "mv $M/a $M/b"), 0);
	assert_entries(fs, "b", NULL);
	assert_int_equal(stat(entry(fs, "b"), &after), 0);
	assert_int_equal(after.st_ino, before.st_ino);
	root = document(fs, "b");
	assert_string_equal(text_of(root, "name"), "b");
	json_decref(root);
	assert_int_equal(stat(entry(fs, "a"), &before), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
}

static void mv_leaves_an_open_descriptor_its_document(struct fs *fs)
{
	char *before, now[4096];
	ssize_t got;
	int fd;

	map_anonymous(fs, "a", 4096);
	before = read_file(entry(fs, "a"), NULL);
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	rename_entry(fs, "a", "a-much-longer-name");
	json_decref(document(fs, "a-much-longer-name"));
	got = read(fd, now, sizeof(now) - 1);
	assert_true(got > 0);
	now[got] = '\0';
	assert_string_equal(now, before);
	free(before);
	close(fd);
}

static void mv_frees_the_old_name(struct fs *fs)
{
	json_t *root;

	map_anonymous(fs, "a", 4096);
	for (int i = 0; i < 20; i++) {
		rename_entry(fs, "a", format("m%02d", i));
		map_anonymous(fs, "a", 4096 * (i + 2));
	}
	for (int i = 0; i < 20; i++) {
		root = document(fs, format("m%02d", i));
		assert_string_equal(text_of(root, "name"), format("m%02d", i));
		assert_int_equal(number_of(root, "length"), 4096 * (i + 1));
		json_decref(root);
	}
}

static void mv_onto_a_mapping(struct fs *fs)
{
	char *before, *after;

	map_source(fs, "a", make_source(fs, "file", 65536));
	map_anonymous(fs, "b", 4096);
	before = snapshot(fs);
	assert_int_equal(rename(entry(fs, "a"), entry(fs, "b")), -1);
	assert_int_equal(errno, EEXIST);
	assert_true(log_has(&fs->daemon, "(^|[^a-z])[ab][^a-z].*(exist|taken)"));
	assert_int_equal(
		renameat2(AT_FDCWD, entry(fs, "a"), AT_FDCWD, entry(fs, "b"), RENAME_NOREPLACE),
		-1);
	assert_int_equal(errno, EEXIST);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void mv_noreplace(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(
		renameat2(AT_FDCWD, entry(fs, "a"), AT_FDCWD, entry(fs, "b"), RENAME_NOREPLACE), 0);
	assert_entries(fs, "b", NULL);
	assert_int_equal(shell(fs, "mv -n $M/b $M/c"), 0);
	assert_entries(fs, "c", NULL);
}

static void mv_exchange_is_refused(struct fs *fs)
{
	char *before, *after;

	map_anonymous(fs, "a", 4096);
	map_anonymous(fs, "b", 8192);
	before = snapshot(fs);
	assert_int_equal(
		renameat2(AT_FDCWD, entry(fs, "a"), AT_FDCWD, entry(fs, "b"), RENAME_EXCHANGE), -1);
	assert_true(errno == EINVAL || errno == EEXIST || errno == EOPNOTSUPP);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void mv_with_a_whiteout_is_refused(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(
		renameat2(AT_FDCWD, entry(fs, "a"), AT_FDCWD, entry(fs, "b"), RENAME_WHITEOUT), -1);
	assert_int_equal(errno, EINVAL);
	assert_entries(fs, "a", NULL);
}

static void mv_to_itself(struct fs *fs)
{
	char *before, *after;

	map_anonymous(fs, "a", 4096);
	before = snapshot(fs);
	assert_int_equal(rename(entry(fs, "a"), entry(fs, "a")), 0);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void mv_of_no_mapping_is_enoent(struct fs *fs)
{
	map_anonymous(fs, "b", 4096);
	assert_int_equal(rename(entry(fs, "a"), entry(fs, "c")), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(rename(entry(fs, "a"), entry(fs, "b")), -1);
	assert_int_equal(errno, ENOENT);
	assert_entries(fs, "b", NULL);
}

static void mv_to_another_file_system(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(rename(entry(fs, "a"), source(fs, "a")), -1);
	assert_int_equal(errno, EXDEV);
	assert_entries(fs, "a", NULL);
}

static void mv_to_a_long_name(struct fs *fs)
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	map_anonymous(fs, "a", 4096);
	assert_int_equal(rename(entry(fs, "a"), entry(fs, name)), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_entries(fs, "a", NULL);
	rename_entry(fs, "a", name + 1);
	assert_entries(fs, name + 1, NULL);
	unmap(fs, name + 1);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(rm_unmaps_the_region),
		FS_TEST(rm_frees_the_space_of_a_removed_file),
		FS_TEST(rm_leaves_no_descriptor_of_the_source),
		FS_TEST(rm_leaves_the_others),
		FS_TEST(an_open_descriptor_still_reads),
		FS_TEST(rm_of_no_mapping_is_enoent),
		FS_TEST(rmdir_of_a_mapping_is_refused),
		FS_TEST(mv_renames),
		FS_TEST(mv_leaves_an_open_descriptor_its_document),
		FS_TEST(mv_frees_the_old_name),
		FS_TEST(mv_onto_a_mapping),
		FS_TEST(mv_noreplace),
		FS_TEST(mv_exchange_is_refused),
		FS_TEST(mv_with_a_whiteout_is_refused),
		FS_TEST(mv_to_itself),
		FS_TEST(mv_of_no_mapping_is_enoent),
		FS_TEST(mv_to_another_file_system),
		FS_TEST(mv_to_a_long_name),
	};

	return fs_run(argc, argv, "remove", tests, sizeof(tests) / sizeof(*tests));
}
