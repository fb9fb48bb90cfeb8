/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_attributes.c - setting mode, owner and times changes nothing
 *
 * Setting mode and times succeeds without effect: programs that copy do so after the write that
 * maps. Setting another owner or group is an error.
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* Commands on $F, a mapping or the root directory, which $O owns. These succeed. */
static const char *const harmless[] = {
	"chmod 0 $F",
	"chmod 600 $F",
	"chmod 7777 $F",
	"chmod a+r $F",
	"chown $O:$O $F",
	"chown $O $F",
	"chgrp $O $F",
	"touch $F",
	"touch -d 2001-01-01 $F",
	"touch -a $F",
	"touch -m -d 2101-01-01 $F",
};

static const char *const real[] = {
	"chown 4002 $F",
	"chgrp 4002 $F",
	"chown 4002:4002 $F",
	"chmod 600 $F && chown 4002 $F",
};

static int try(const struct fs *fs, const struct user *user, const char *path, unsigned owner,
	       const char *command)
{
	return shell_as(user, fs, format("F=%s O=%u; %s", path, owner, command));
}

static char *state_of(const struct fs *fs)
{
	char *entries = snapshot(fs), *all = NULL;
	struct stat root;

	assert_int_equal(stat(fs->daemon.mnt, &root), 0);
	if (asprintf(&all, "%o %u %u %jd %ld\n%s", root.st_mode, root.st_uid, root.st_gid,
		     (intmax_t)root.st_mtim.tv_sec, root.st_mtim.tv_nsec, entries) < 0)
		abort();
	free(entries);
	return all;
}

/* Tries all commands of a list: each must succeed if `works`, else fail. Nothing may change. */
static void try_all(const struct fs *fs, const struct user *user, const char *path, unsigned owner,
		    const char *const *commands, size_t count, bool works)
{
	char *before = state_of(fs), *after;

	for (size_t i = 0; i < count; i++) {
		if ((try(fs, user, path, owner, commands[i]) == 0) != works)
			fail_msg("%s of %s: %s", commands[i], path, output_of(fs));
		if (!works && !output_has(fs, "Operation not permitted") &&
		    !output_has(fs, "Permission denied"))
			fail_msg("%s of %s: %s", commands[i], path, output_of(fs));
	}
	after = state_of(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

#define HARMLESS harmless, sizeof(harmless) / sizeof(*harmless)
#define REAL     real, sizeof(real) / sizeof(*real)

static void make_mappings(const struct fs *fs)
{
	const char *request = request_of(make_source(fs, "file", 65536));

	assert_int_equal(write_text(entry(fs, "roots"), request), 0);
	assert_int_equal(write_as(&user_a, entry(fs, "users"), request), 0);
}

static void its_owner_sets_what_it_has_not(struct fs *fs)
{
	make_mappings(fs);
	try_all(fs, &user_a, entry(fs, "users"), user_a.uid, HARMLESS, true);
	try_all(fs, NULL, entry(fs, "roots"), 0, HARMLESS, true);
	try_all(fs, NULL, entry(fs, "users"), user_a.uid, HARMLESS, true);
	try_all(fs, NULL, entry(fs, "."), 0, HARMLESS, true);
}

/* Also long after the write that maps. */
static void it_does_not_matter_when(struct fs *fs)
{
	make_mappings(fs);
	let_facts_age();
	try_all(fs, &user_a, entry(fs, "users"), user_a.uid, HARMLESS, true);
}

static void nobody_gives_it_away(struct fs *fs)
{
	make_mappings(fs);
	try_all(fs, &user_a, entry(fs, "users"), user_a.uid, REAL, false);
	try_all(fs, NULL, entry(fs, "users"), user_a.uid, REAL, false);
	try_all(fs, NULL, entry(fs, "roots"), 0, REAL, false);
	try_all(fs, NULL, entry(fs, "."), 0, REAL, false);
}

/* cp makes the mapping, which is root's, and then reports that it could not keep the owner. */
static void of_another_owner_cp_says_so(struct fs *fs)
{
	struct stat st;

	assert_int_equal(
		write_text(source(fs, "saved"), request_of(make_source(fs, "file", 65536))), 0);
	assert_int_equal(chown(source(fs, "saved"), user_a.uid, user_a.gid), 0);
	assert_int_equal(shell(fs, "cp -a $D/saved $M/a"), 1);
	assert_true(output_has(fs, "failed to preserve ownership"));
	assert_int_equal(stat(entry(fs, "a"), &st), 0);
	assert_int_equal(st.st_uid, 0);
}

static void others_set_nothing(struct fs *fs)
{
	make_mappings(fs);
	try_all(fs, &user_b, entry(fs, "users"), user_a.uid, HARMLESS, false);
	try_all(fs, &user_b, entry(fs, "users"), user_a.uid, REAL, false);
	try_all(fs, &user_a, entry(fs, "roots"), 0, HARMLESS, false);
	try_all(fs, &user_a, entry(fs, "."), 0, HARMLESS, false);
	try_all(fs, &user_a, entry(fs, "."), 0, REAL, false);
}

static void publishing_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "log");
	halt(me);
}

static void the_same_of_a_published_mapping(struct fs *fs)
{
	struct publisher p;
	const char *path;

	make_source(fs, "file", 65536);
	publisher_start(fs, &p, &user_a, publishing_script);
	path = entry(fs, published_name(&p, "log"));
	try_all(fs, &user_a, path, user_a.uid, HARMLESS, true);
	try_all(fs, &user_a, path, user_a.uid, REAL, false);
	try_all(fs, NULL, path, user_a.uid, REAL, false);
	try_all(fs, &user_b, path, user_a.uid, HARMLESS, false);
	publisher_end(&p);
}

/* Uses a descriptor of the created file before, between and after the writes. */
static void a_request_has_the_same_rules(struct fs *fs)
{
	const char *text = request_of(make_source(fs, "file", 65536));
	const struct timespec times[2] = {{.tv_sec = 1}, {.tv_sec = 2}};
	int fd = open(entry(fs, "a"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct stat before, after;

	assert_true(fd >= 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fstat(fd, &before), 0);
		assert_int_equal(fchmod(fd, 0640), 0);
		assert_int_equal(fchown(fd, 0, 0), 0);
		assert_int_equal(futimens(fd, times), 0);
		assert_int_equal(fsync(fd), 0);
		assert_int_equal(fchown(fd, user_a.uid, (gid_t)-1), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(fchown(fd, (uid_t)-1, user_a.gid), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(fstat(fd, &after), 0);
		assert_int_equal(after.st_mode, before.st_mode);
		assert_int_equal(after.st_uid, before.st_uid);
		assert_memory_equal(&after.st_mtim, &before.st_mtim, sizeof(after.st_mtim));
		if (i < 2)
			assert_int_equal(write(fd, text + 5 * i, i ? strlen(text) - 5 : 5),
					 i ? strlen(text) - 5 : 5);
	}
	close(fd);
	assert_entries(fs, "a", NULL);
}

/* Programs look for extended attributes and go on without them. */
static void there_are_no_extended_attributes(struct fs *fs)
{
	char value[8];

	make_mappings(fs);
	assert_int_equal(setxattr(entry(fs, "roots"), "user.a", "b", 1, 0), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(getxattr(entry(fs, "roots"), "user.a", value, sizeof(value)), -1);
	assert_int_equal(errno, EOPNOTSUPP);
	assert_int_equal(listxattr(entry(fs, "roots"), value, sizeof(value)), -1);
	assert_int_equal(errno, EOPNOTSUPP);
}

/* vim and Emacs cannot create their files here: they use another folder or do without. */
static void editors_keep_nothing_here(struct fs *fs)
{
	static const char *const refused[] = {".a.swp", "..a.swp", "#a#", ".#a", ".#"};
	static const char *const taken[] = {".swp", "..swp", "a.swp", ".a.swp.b",
					    "#",    "##",    "#a",    "a#"};

	for (size_t i = 0; i < sizeof(refused) / sizeof(*refused); i++) {
		assert_int_equal(write_text(entry(fs, refused[i]), "{"), EPERM);
		/* Renaming a mapping to such a name works. */
		map_anonymous(fs, "a", 4096);
		rename_entry(fs, "a", refused[i]);
	}
	for (size_t i = 0; i < sizeof(taken) / sizeof(*taken); i++)
		map_anonymous(fs, taken[i], 4096);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(its_owner_sets_what_it_has_not, .options = "rootmode=1777"),
		FS_TEST(it_does_not_matter_when, .options = "rootmode=1777,mode=0444"),
		FS_TEST(nobody_gives_it_away, .options = "rootmode=1777"),
		FS_TEST(of_another_owner_cp_says_so),
		FS_TEST(others_set_nothing, .options = "rootmode=1777"),
		FS_TEST(the_same_of_a_published_mapping, .options = "rootmode=1777"),
		FS_TEST(a_request_has_the_same_rules),
		FS_TEST(there_are_no_extended_attributes, .options = "rootmode=1777"),
		FS_TEST(editors_keep_nothing_here),
	};

	return fs_run(argc, argv, "attributes", tests, sizeof(tests) / sizeof(*tests));
}
