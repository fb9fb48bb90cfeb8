/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_paths.c - the path in a document leads to the mapped file or is null
 *
 * Each file is mapped through the mount and by a program with the library. Observed mappings are
 * tested in the virtual machine (tests/vm/case_paths.sh), source_path.c by itself in
 * tests/unit/fs/host/test_source_path.c.
 */
#include "publisher.h"
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FILE_SIZE 65536

static void holding_script(struct publisher *me)
{
	map_whole(me, 0, me->data, "a");
	halt(me);
}

static void map_both(struct fs *fs, struct publisher *p, const char *path)
{
	map_source(fs, "a", path);
	p->data = path;
	publisher_start(fs, p, NULL, holding_script);
	assert_true(shown(fs, published_name(p, "a")));
}

static void check_path(const struct fs *fs, const char *name, const char *path, bool deleted)
{
	json_t *root = document(fs, name), *from = json_object_get(root, "source");
	struct stat st;

	if (path)
		assert_string_equal(text_of(from, "path"), path);
	else
		assert_true(json_is_null(json_object_get(from, "path")));
	assert_int_equal(json_is_true(json_object_get(from, "deleted")), deleted);
	if (path && !deleted) {
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(number_of(from, "inode"), st.st_ino);
		assert_string_equal(text_of(from, "dev"),
				    format("%u:%u", major(st.st_dev), minor(st.st_dev)));
	}
	json_decref(root);
}

static void check_both(const struct fs *fs, const struct publisher *p, const char *path,
		       bool deleted)
{
	let_facts_age();
	check_path(fs, "a", path, deleted);
	check_path(fs, published_name(p, "a"), path, deleted);
}

/* Writing either of the two documents to a new file fails with this error. */
static void check_not_restored(const struct fs *fs, const struct publisher *p, int error)
{
	const char *const names[] = {"a", published_name(p, "a")};

	for (int i = 0; i < 2; i++) {
		char *saved = read_file(entry(fs, names[i]), NULL);

		assert_non_null(saved);
		assert_int_equal(write_text(entry(fs, "again"), saved), error);
		assert_int_equal(access(entry(fs, "again"), F_OK), -1);
		free(saved);
	}
}

static void end_both(struct fs *fs, struct publisher *p)
{
	publisher_end(p);
	unmap(fs, "a");
}

static void link_files(const struct fs *fs, const char *from, const char *to)
{
	assert_int_equal(link(source(fs, from), source(fs, to)), 0);
}

static void unlink_file(const struct fs *fs, const char *name)
{
	assert_int_equal(unlink(source(fs, name)), 0);
}

static void a_removed_name_of_several(struct fs *fs)
{
	const char *path = make_source(fs, "w", FILE_SIZE);
	struct publisher p;

	link_files(fs, "w", "link");
	map_both(fs, &p, path);
	check_both(fs, &p, path, false);
	unlink_file(fs, "w");
	check_both(fs, &p, path, true);
	check_not_restored(fs, &p, ENOENT);
	/* Other files get the removed name, and that name with the kernel's mark. */
	make_source(fs, "w", FILE_SIZE);
	make_source(fs, "w (deleted)", FILE_SIZE);
	check_both(fs, &p, path, true);
	check_not_restored(fs, &p, ENOENT);
	unlink_file(fs, "w (deleted)");
	link_files(fs, "link", "w (deleted)");
	check_both(fs, &p, source(fs, "w (deleted)"), false);
	end_both(fs, &p);
}

static void a_name_like_the_mark(struct fs *fs)
{
	const char *path = make_source(fs, "x (deleted)", FILE_SIZE);
	struct publisher p;

	make_source(fs, "x", FILE_SIZE);
	map_both(fs, &p, path);
	check_both(fs, &p, path, false);
	unlink_file(fs, "x (deleted)");
	check_both(fs, &p, path, true);
	check_not_restored(fs, &p, ENOENT);
	end_both(fs, &p);
}

static void a_name_that_was_replaced(struct fs *fs)
{
	const char *path = make_source(fs, "x", FILE_SIZE);
	struct publisher p;

	map_both(fs, &p, path);
	assert_int_equal(rename(make_source(fs, "new", FILE_SIZE), path), 0);
	check_both(fs, &p, path, true);
	json_decref(valid_document(fs, "a"));
	check_not_restored(fs, &p, ENOENT);
	end_both(fs, &p);
}

static void a_lazily_unmounted_file_system(struct fs *fs)
{
	const char *folder = source(fs, "tmp"), *path;
	struct publisher p;

	assert_int_equal(mkdir(folder, 0755), 0);
	assert_int_equal(mount("test", folder, "tmpfs", 0, ""), 0);
	path = make_source(fs, "tmp/f", FILE_SIZE);
	map_both(fs, &p, path);
	check_both(fs, &p, path, false);
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	check_both(fs, &p, NULL, false);
	json_decref(valid_document(fs, "a"));
	check_not_restored(fs, &p, EINVAL);
	end_both(fs, &p);
}

/* The file is hidden; looking for it does not wait for a file system that hangs. */
static void a_file_system_mounted_over_it(struct fs *fs)
{
	const char *folder = source(fs, "folder"), *path;
	struct publisher p;

	assert_int_equal(mkdir(folder, 0755), 0);
	path = make_source(fs, "folder/file", FILE_SIZE);
	map_both(fs, &p, path);
	assert_int_equal(mount("test", folder, "tmpfs", 0, ""), 0);
	make_source(fs, "folder/file", FILE_SIZE);
	check_both(fs, &p, NULL, false);
	assert_int_equal(umount2(folder, 0), 0);
	check_both(fs, &p, path, false);
	start_hanging(fs, "lookup");
	assert_int_equal(mount(hanging(fs), folder, NULL, MS_BIND, NULL), 0);
	check_both(fs, &p, NULL, false);
	assert_int_equal(umount2(folder, 0), 0);
	check_both(fs, &p, path, false);
	end_both(fs, &p);
}

static void elsewhere_script(struct publisher *me)
{
	need(unshare(CLONE_NEWNS) == 0);
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	need(mount("hidden", me->fs->data, "tmpfs", 0, NULL) == 0);
	make_source(me->fs, "file", FILE_SIZE);
	make_source(me->fs, "gone", FILE_SIZE);
	map_whole(me, 0, source(me->fs, "file"), "a");
	map_whole(me, 1, source(me->fs, "gone"), "b");
	need(unlink(source(me->fs, "gone")) == 0);
	halt(me);
}

/* The paths in that namespace lead to another file here, or to none. */
static void another_mount_namespace(struct fs *fs)
{
	struct publisher p;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, elsewhere_script);
	scan(fs);
	check_path(fs, published_name(&p, "a"), NULL, false);
	check_path(fs, published_name(&p, "b"), NULL, false);
	publisher_end(&p);
}

static void chroot_script(struct publisher *me)
{
	map_whole(me, 1, source(me->fs, "file"), "b"); /* before chroot, which hides the socket */
	need(chroot(me->fs->data) == 0 && chdir("/") == 0);
	map_whole(me, 0, "/file", "a");
	halt(me);
}

/* The document has the path from the daemon's root directory. */
static void another_root_directory(struct fs *fs)
{
	const char *path = make_source(fs, "file", FILE_SIZE);
	struct publisher p;

	publisher_start(fs, &p, NULL, chroot_script);
	scan(fs);
	check_path(fs, published_name(&p, "a"), path, false);
	publisher_end(&p);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(a_removed_name_of_several),     FS_TEST(a_name_like_the_mark),
		FS_TEST(a_name_that_was_replaced),      FS_TEST(a_lazily_unmounted_file_system),
		FS_TEST(a_file_system_mounted_over_it), FS_TEST(another_mount_namespace),
		FS_TEST(another_root_directory),
	};

	return fs_run(argc, argv, "paths", tests, sizeof(tests) / sizeof(*tests));
}
