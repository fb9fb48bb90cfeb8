/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_table.c - ls, stat, cat, df and the operations that are refused
 */
#include "helpers.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

static struct stat stat_of(const struct fs *fs, const char *name)
{
	struct stat st;

	if (stat(entry(fs, name), &st) != 0)
		fail_msg("cannot stat %s: %s", name, strerror(errno));
	return st;
}

static void ls_of_nothing_is_empty(struct fs *fs)
{
	assert_entries(fs, NULL);
}

static void ls_shows_each_mapping_once(struct fs *fs)
{
	struct names names;

	for (int i = 0; i < 300; i++)
		map_anonymous(fs, format("m%03d", i), 4096);
	names_read(&names, fs->daemon.mnt);
	assert_int_equal(names.count, 300);
	for (int i = 0; i < 300; i++)
		assert_string_equal(names.name[i], format("m%03d", i));
	names_free(&names);
}

static void ls_counts_mapped_bytes(struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", 1 << 20));
	assert_int_equal(
		write_text(entry(fs, "b"), format("{\"source\":{\"path\":\"%s\",\"offset\":4096},"
						  "\"length\":12288}",
						  source(fs, "file"))),
		0);
	map_anonymous(fs, "c", 3 << 20);
	assert_int_equal(stat_of(fs, "a").st_blocks * 512, 1 << 20);
	assert_int_equal(stat_of(fs, "b").st_blocks * 512, 12288);
	assert_int_equal(stat_of(fs, "c").st_blocks * 512, 3 << 20);
	assert_int_equal(shell(fs, "test $(du -k $M/c | cut -f 1) = 3072"), 0);
	assert_int_equal(shell(fs, "test $(ls -s $M/c | cut -d ' ' -f 1) = 3072"), 0);
}

static void ls_shows_who_made_it(struct fs *fs)
{
	const struct user both = {.uid = 4001, .gid = 4005};

	make_source(fs, "file", 8192);
	map_source(fs, "root", source(fs, "file"));
	assert_int_equal(write_as(&both, entry(fs, "user"),
				  format("{\"source\":{\"path\":\"%s\"}}", source(fs, "file"))),
			 0);
	assert_int_equal(stat_of(fs, "root").st_uid, 0);
	assert_int_equal(stat_of(fs, "root").st_gid, 0);
	assert_int_equal(stat_of(fs, "user").st_uid, 4001);
	assert_int_equal(stat_of(fs, "user").st_gid, 4005);
}

static int64_t nanoseconds(struct timespec time)
{
	return time.tv_sec * 1000000000 + time.tv_nsec;
}

/* An RFC 3339 time in UTC with nanoseconds. */
static int64_t parse_time(const char *text)
{
	struct tm tm = {0};
	long fraction = -1;
	int end = 0;

	if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%9ldZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday,
		   &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &fraction, &end) != 7 ||
	    end != 30 || text[end] != '\0')
		fail_msg("not a time: %s", text);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm) * 1000000000 + fraction;
}

static void ls_shows_the_time_of_mapping(struct fs *fs)
{
	struct timespec before, after;
	struct stat st;
	json_t *root;

	clock_gettime(CLOCK_REALTIME, &before);
	map_anonymous(fs, "a", 4096);
	clock_gettime(CLOCK_REALTIME, &after);
	sleep_ms(20); /* so that the time of the stat differs from that of the creation */
	st = stat_of(fs, "a");
	assert_true(nanoseconds(st.st_mtim) >= nanoseconds(before));
	assert_true(nanoseconds(st.st_mtim) <= nanoseconds(after));
	assert_int_equal(nanoseconds(st.st_mtim), nanoseconds(st.st_ctim));
	root = document(fs, "a");
	assert_int_equal(parse_time(text_of(root, "created")), nanoseconds(st.st_mtim));
	json_decref(root);
}

static void ls_shows_the_size_of_the_document(struct fs *fs)
{
	size_t length;
	char *text;

	map_source(fs, "a", make_source(fs, "file", 5000));
	text = read_file(entry(fs, "a"), &length);
	assert_non_null(text);
	assert_int_equal(stat_of(fs, "a").st_size, length);
	assert_true(length > 100);
	free(text);
}

static void stat_mode_is_0400_by_default(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(stat_of(fs, "a").st_mode, S_IFREG | 0400);
}

static void stat_mode_is_the_option(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(stat_of(fs, "a").st_mode, S_IFREG | 0444);
	assert_int_equal(read_as(&user_a, entry(fs, "a")), 0);
}

static void stat_of_the_root(struct fs *fs)
{
	struct stat st = stat_of(fs, ".");

	assert_int_equal(st.st_mode, S_IFDIR | 0755);
	assert_int_equal(st.st_uid, 0);
}

static void stat_of_the_root_with_rootmode(struct fs *fs)
{
	assert_int_equal(stat_of(fs, ".").st_mode, S_IFDIR | 01777);
}

static void stat_nlink_is_1(struct fs *fs)
{
	map_anonymous(fs, "a", 4096);
	assert_int_equal(stat_of(fs, "a").st_nlink, 1);
}

static void stat_of_no_mapping_is_enoent(struct fs *fs)
{
	struct stat st;

	assert_int_equal(stat(entry(fs, "a"), &st), -1);
	assert_int_equal(errno, ENOENT);
	map_anonymous(fs, "a", 4096);
	assert_int_equal(stat(entry(fs, "a"), &st), 0);
}

static int compare_inodes(const void *a, const void *b)
{
	ino_t x = *(const ino_t *)a, y = *(const ino_t *)b;

	return x < y ? -1 : x > y;
}

static void inodes_are_unique_and_never_reused(struct fs *fs)
{
	enum { ROUNDS = 10, EACH = 20, ALL = ROUNDS * EACH };
	ino_t seen[ALL];

	for (int i = 0; i < ALL; i++) {
		map_anonymous(fs, format("m%d", i % EACH), 4096);
		seen[i] = stat_of(fs, format("m%d", i % EACH)).st_ino;
		if (i % EACH == EACH - 1) {
			for (int k = 0; k < EACH; k++)
				unmap(fs, format("m%d", k));
		}
	}
	qsort(seen, ALL, sizeof(*seen), compare_inodes);
	for (int i = 1; i < ALL; i++)
		assert_true(seen[i] != seen[i - 1]);
	assert_true(seen[0] > 1);
}

static void inodes_of_readdir_are_those_of_stat(struct fs *fs)
{
	struct dirent *d;
	unsigned count = 0;
	DIR *dir;

	for (int i = 0; i < 10; i++)
		map_anonymous(fs, format("m%d", i), 4096);
	dir = opendir(fs->daemon.mnt);
	assert_non_null(dir);
	while ((d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		assert_int_equal(d->d_type, DT_REG);
		assert_int_equal(d->d_ino, stat_of(fs, d->d_name).st_ino);
		count++;
	}
	closedir(dir);
	assert_int_equal(count, 10);
}

/* Waits for the document to say how big its source is now. */
static bool size_is(const struct fs *fs, const char *name, int64_t size)
{
	json_t *root = document(fs, name);
	bool is = number_of(json_object_get(root, "source"), "size") == size;

	json_decref(root);
	return is;
}

static void inode_is_the_same_in_all_versions(struct fs *fs)
{
	const char *path = make_source(fs, "file", 8192);
	struct stat st;
	char *old, now[4096];
	ssize_t got;
	int fd;

	map_source(fs, "a", path);
	st = stat_of(fs, "a");
	old = read_file(entry(fs, "a"), NULL);
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	assert_non_null(old);
	assert_true(fd >= 0);
	assert_int_equal(truncate(path, 1 << 20), 0);
	WAIT_UNTIL(size_is(fs, "a", 1 << 20));
	assert_int_equal(stat_of(fs, "a").st_ino, st.st_ino);
	got = read(fd, now, sizeof(now) - 1);
	assert_true(got > 0);
	now[got] = '\0';
	assert_string_equal(now, old);
	close(fd);
	free(old);
	rename_entry(fs, "a", "b");
	assert_int_equal(stat_of(fs, "b").st_ino, st.st_ino);
}

static void cat_facts_are_at_most_a_second_old(struct fs *fs)
{
	const char *path = make_source(fs, "file", 8192);

	map_source(fs, "a", path);
	for (int i = 2; i < 5; i++) {
		assert_true(size_is(fs, "a", 4096 * i));
		assert_int_equal(truncate(path, 4096 * (i + 1)), 0);
		let_facts_age();
	}
}

static void cat_is_json_and_ends_in_one_newline(struct fs *fs)
{
	size_t length;
	char *text;

	map_source(fs, "a", make_source(fs, "file", 8192));
	text = read_file(entry(fs, "a"), &length);
	assert_non_null(text);
	assert_int_equal(strlen(text), length);
	assert_int_equal(text[length - 1], '\n');
	assert_int_equal(text[length - 2], '}');
	free(text);
	json_decref(document(fs, "a"));
}

/* Fails unless the keys of `object` are some of `keys`, in that order. */
static void check_order(json_t *object, const char *const *keys)
{
	const char *key;
	json_t *value;

	json_object_foreach (object, key, value) {
		while (*keys && strcmp(*keys, key))
			keys++;
		if (!*keys)
			fail_msg("key \"%s\" is unknown or out of order", key);
		keys++;
	}
}

static void cat_keys_are_in_order(struct fs *fs)
{
	static const char *const top[] = {"version",  "name",        "name_encoding",
					  "state",    "origin",      "address",
					  "length",   "granularity", "required_granularity",
					  "map_sync", "sharing",     "protection",
					  "created",  "owner",       "source",
					  "device",   NULL};
	static const char *const owner[] = {"pid",     "comm", "exe", "cgroup",
					    "started", "uid",  "gid", NULL};
	static const char *const from[] = {"type", "path",  "path_encoding", "deleted", "offset",
					   "size", "align", "dev",           "inode",   NULL};
	json_t *root;

	map_source(fs, "a", make_source(fs, "file\\", 8192));
	map_source(fs, "b\\", make_source(fs, "file", 8192));
	for (const char *name = "a\0b\\\0"; *name; name += strlen(name) + 1) {
		root = document(fs, name);
		check_order(root, top);
		check_order(json_object_get(root, "owner"), owner);
		check_order(json_object_get(root, "source"), from);
		json_decref(root);
	}
}

static void cat_tells_what_is_mapped(struct fs *fs)
{
	const char *path = make_source(fs, "file", 65536);
	json_t *root, *from, *owner;
	struct stat st;

	assert_int_equal(
		write_text(entry(fs, "a"), format("{\"source\":{\"path\":\"%s\",\"offset\":8192},"
						  "\"length\":16384,\"protection\":\"r--\"}",
						  path)),
		0);
	root = document(fs, "a");
	assert_int_equal(number_of(root, "version"), 1);
	assert_string_equal(text_of(root, "name"), "a");
	assert_string_equal(text_of(root, "state"), "active");
	assert_string_equal(text_of(root, "origin"), "pmem2fs");
	assert_int_equal(number_of(root, "length"), 16384);
	assert_string_equal(text_of(root, "granularity"), "page");
	assert_string_equal(text_of(root, "required_granularity"), "page");
	assert_true(json_is_false(json_object_get(root, "map_sync")));
	assert_string_equal(text_of(root, "sharing"), "shared");
	assert_string_equal(text_of(root, "protection"), "r--");
	assert_null(json_object_get(root, "claimed"));
	assert_null(json_object_get(root, "device"));
	from = json_object_get(root, "source");
	assert_int_equal(stat(path, &st), 0);
	assert_string_equal(text_of(from, "type"), "file");
	assert_string_equal(text_of(from, "path"), path);
	assert_null(json_object_get(from, "deleted"));
	assert_int_equal(number_of(from, "offset"), 8192);
	assert_int_equal(number_of(from, "size"), 65536);
	assert_int_equal(number_of(from, "align"), 4096);
	assert_int_equal(number_of(from, "inode"), st.st_ino);
	owner = json_object_get(root, "owner");
	assert_int_equal(number_of(owner, "pid"), fs->daemon.keeper);
	assert_string_equal(text_of(owner, "comm"), "pmem2fs");
	assert_int_equal(number_of(owner, "uid"), 0);
	assert_int_equal(number_of(owner, "gid"), 0);
	parse_time(text_of(owner, "started"));
	json_decref(root);
}

static void cat_tells_the_address_that_the_kernel_knows(struct fs *fs)
{
	unsigned long long address;
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 65536));
	root = document(fs, "a");
	assert_int_equal(sscanf(text_of(root, "address"), "0x%llx", &address), 1);
	assert_int_equal(
		maps_with(fs->daemon.keeper, format("%llx-%llx ", address, address + 65536)), 1);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	json_decref(root);
}

static void cat_tells_a_removed_source(struct fs *fs)
{
	const char *path = make_source(fs, "file", 65536);
	bool deleted = false;

	map_source(fs, "a", path);
	assert_int_equal(unlink(path), 0);
	for (int64_t end = now_ms() + WAIT_MS; !deleted && now_ms() < end; sleep_ms(20)) {
		json_t *root = document(fs, "a");
		json_t *from = json_object_get(root, "source");

		deleted = json_is_true(json_object_get(from, "deleted"));
		if (deleted)
			assert_string_equal(text_of(from, "path"), source(fs, "file"));
		json_decref(root);
	}
	assert_true(deleted);
	unmap(fs, "a");
}

static void cat_of_anonymous_memory(struct fs *fs)
{
	json_t *root, *from;

	map_anonymous(fs, "a", 1 << 20);
	root = document(fs, "a");
	from = json_object_get(root, "source");
	assert_int_equal(number_of(root, "length"), 1 << 20);
	assert_string_equal(text_of(root, "granularity"), "byte");
	assert_string_equal(text_of(from, "type"), "anonymous");
	assert_int_equal(number_of(from, "size"), 1 << 20);
	assert_null(json_object_get(from, "path"));
	json_decref(root);
}

static void cat_fits_the_schema(struct fs *fs)
{
	int status;

	map_source(fs, "a", make_source(fs, "file", 65536));
	map_source(fs, "odd\n\\\xff", make_source(fs, "odd\n\\\xff", 5000));
	map_anonymous(fs, "c", 4096);
	status = shell(fs, format("%s $M/*", getenv("PMEM2FS_VALIDATE")));
	if (status == 77)
		skip();
	if (status != 0)
		fail_msg("%s", read_file(format("%s/output", fs->dir), NULL));
}

static void df_counts_mappings(struct fs *fs)
{
	struct statvfs v;

	assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
	assert_int_equal(v.f_files - v.f_ffree, 0);
	assert_int_equal(v.f_namemax, 255);
	for (int i = 0; i < 7; i++)
		map_anonymous(fs, format("m%d", i), 4096);
	assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
	assert_int_equal(v.f_files - v.f_ffree, 7);
	unmap(fs, "m3");
	assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
	assert_int_equal(v.f_files - v.f_ffree, 6);
	assert_int_equal(shell(fs, "test $(df -i $M | tail -1 | awk '{ print $3 }') = 6"), 0);
}

/*
 * The operations that are refused. Each is tried on "a", a mapping that must not change. The kernel
 * caches nothing (timeout=0), so what shows afterwards comes from the daemon.
 */
struct refused {
	int (*try)(const char *path, const char *other);
	int also; /* errno, beside EPERM */
};

static int try_mkdir(const char *path, const char *other)
{
	(void)path;
	return mkdir(other, 0755);
}

static int try_link(const char *path, const char *other)
{
	return link(path, other);
}

static int try_symlink(const char *path, const char *other)
{
	return symlink(path, other);
}

static int try_mknod_file(const char *path, const char *other)
{
	(void)path;
	return mknod(other, S_IFREG | 0644, 0);
}

static int try_mknod_fifo(const char *path, const char *other)
{
	(void)path;
	return mknod(other, S_IFIFO | 0644, 0);
}

static int try_chown(const char *path, const char *other)
{
	(void)other;
	return chown(path, 4001, 4001);
}

static int try_truncate(const char *path, const char *other)
{
	(void)other;
	return truncate(path, 0);
}

static int try_truncate_longer(const char *path, const char *other)
{
	(void)other;
	return truncate(path, 1 << 20);
}

static int try_chown_root(const char *path, const char *other)
{
	(void)path;
	return chown(format("%.*s", (int)(strrchr(other, '/') - other), other), 4001, 4001);
}

static void refused(struct fs *fs)
{
	const struct refused *row = fs->test->data;
	struct stat root, now;
	char *before, *after;

	map_anonymous(fs, "a", 8192);
	map_source(fs, "b", make_source(fs, "file", 8192));
	before = snapshot(fs);
	root = stat_of(fs, ".");
	assert_int_equal(row->try(entry(fs, "a"), entry(fs, "other")), -1);
	if (errno != EPERM && errno != row->also)
		fail_msg("%s", strerror(errno));
	after = snapshot(fs);
	assert_string_equal(after, before);
	now = stat_of(fs, ".");
	assert_int_equal(now.st_mode, root.st_mode);
	assert_int_equal(now.st_uid, root.st_uid);
	free(before);
	free(after);
}

static void open_of_a_mapping_with_o_trunc(struct fs *fs)
{
	char *before, *after;
	int fd;

	map_anonymous(fs, "a", 4096);
	before = snapshot(fs);
	fd = open(entry(fs, "a"), O_WRONLY | O_TRUNC | O_CLOEXEC);
	assert_int_equal(fd, -1);
	assert_true(errno == EEXIST || errno == EPERM);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

#define REFUSED(what, other)                                                                       \
	{                                                                                          \
		.name = "refused_" #what, .function = refused, .options = "timeout=0",             \
		.data = &(const struct refused)                                                    \
		{                                                                                  \
			.try = try_##what, .also = other                                           \
		}                                                                                  \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(ls_of_nothing_is_empty),
		FS_TEST(ls_shows_each_mapping_once),
		FS_TEST(ls_counts_mapped_bytes),
		FS_TEST(ls_shows_who_made_it, .options = "rootmode=1777"),
		FS_TEST(ls_shows_the_time_of_mapping),
		FS_TEST(ls_shows_the_size_of_the_document),
		FS_TEST(stat_mode_is_0400_by_default),
		FS_TEST(stat_mode_is_the_option, .options = "mode=0444"),
		FS_TEST(stat_of_the_root),
		FS_TEST(stat_of_the_root_with_rootmode, .options = "rootmode=1777"),
		FS_TEST(stat_nlink_is_1),
		FS_TEST(stat_of_no_mapping_is_enoent),
		FS_TEST(inodes_are_unique_and_never_reused),
		FS_TEST(inodes_of_readdir_are_those_of_stat),
		FS_TEST(inode_is_the_same_in_all_versions),
		FS_TEST(cat_facts_are_at_most_a_second_old),
		FS_TEST(cat_is_json_and_ends_in_one_newline),
		FS_TEST(cat_keys_are_in_order),
		FS_TEST(cat_tells_what_is_mapped),
		FS_TEST(cat_tells_the_address_that_the_kernel_knows),
		FS_TEST(cat_tells_a_removed_source),
		FS_TEST(cat_of_anonymous_memory),
		FS_TEST(cat_fits_the_schema),
		FS_TEST(df_counts_mappings),
		REFUSED(mkdir, EPERM),
		REFUSED(link, EPERM),
		REFUSED(symlink, EPERM),
		REFUSED(mknod_file, EPERM),
		REFUSED(mknod_fifo, EPERM),
		REFUSED(chown, EPERM),
		/*
		 * The kernel sends the same request as for an open with O_TRUNC, which is a write
		 * to a mapping.
		 */
		REFUSED(truncate, EEXIST),
		REFUSED(truncate_longer, EPERM),
		REFUSED(chown_root, EPERM),
		FS_TEST(open_of_a_mapping_with_o_trunc),
	};

	return fs_run(argc, argv, "table", tests, sizeof(tests) / sizeof(*tests));
}
