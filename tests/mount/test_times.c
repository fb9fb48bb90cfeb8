/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_times.c - the time of a file is that of the last change of its document
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE      4096
#define FILE_SIZE (16 * PAGE)

static int64_t nanoseconds(struct timespec time)
{
	return time.tv_sec * 1000000000ll + time.tv_nsec;
}

static int64_t time_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return nanoseconds(now);
}

/* The time of the file; 0: there is no such file. */
static int64_t time_of(const struct fs *fs, const char *name)
{
	struct stat st;

	if (stat(entry(fs, name), &st) != 0)
		return 0;
	assert_int_equal(nanoseconds(st.st_mtim), nanoseconds(st.st_ctim));
	return nanoseconds(st.st_mtim);
}

/* Whether the document is complete: facts that come later would change it once more. */
static bool is_settled(const struct fs *fs, const char *name)
{
	json_t *root = document(fs, name);
	bool settled = !json_object_get(root, "pending");

	json_decref(root);
	return settled;
}

/*
 * Waits until the file is newer than `before` and complete. Its time, which is returned, must be
 * that of the change or later.
 */
static int64_t newer(const struct fs *fs, const char *name, int64_t before, int64_t change)
{
	int64_t time;

	WAIT_UNTIL((time = time_of(fs, name)) > before && is_settled(fs, name) &&
		   time_of(fs, name) == time);
	assert_true(time >= change);
	assert_true(time <= time_now());
	return time;
}

static void of_a_mapping_of_which_parts_go(struct fs *fs)
{
	int64_t time, change;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	time = time_of(fs, "a");
	for (int i = 0; i < 3; i++) {
		change = time_now();
		unmap_part(fs, "a", format("-o %dK -l 4K", i * 8));
		time = newer(fs, "a", time, change);
	}
	change = time_now();
	unmap_part(fs, "a", "-o 0");
	time = newer(fs, "a", time, change);
	unmap_part(fs, "a", "-o 0 -l 4K"); /* nothing is mapped there */
	let_facts_age();
	assert_int_equal(time_of(fs, "a"), time);
}

static void of_a_mapping_that_is_renamed(struct fs *fs)
{
	int64_t time, change;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	time = time_of(fs, "a");
	for (int i = 0; i < 4; i++) {
		const char *from = i % 2 ? "b" : "a", *to = i % 2 ? "a" : "b";

		change = time_now();
		rename_entry(fs, from, to);
		time = newer(fs, to, time, change);
	}
}

static void of_a_name_that_is_mapped_again(struct fs *fs)
{
	int64_t time = 0, now;

	make_source(fs, "file", FILE_SIZE);
	for (int i = 0; i < 20; i++) {
		map_source(fs, "a", source(fs, "file"));
		now = time_of(fs, "a");
		assert_true(now > time);
		time = now;
		unmap(fs, "a");
	}
}

static void of_a_mapping_whose_file_is_moved(struct fs *fs)
{
	int64_t time, change;
	struct stat before, after;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	assert_int_equal(stat(entry(fs, "a"), &before), 0);
	time = time_of(fs, "a");
	change = time_now();
	assert_int_equal(rename(source(fs, "file"), source(fs, "life")), 0);
	time = newer(fs, "a", time, change);
	assert_int_equal(stat(entry(fs, "a"), &after), 0);
	assert_int_equal(after.st_size, before.st_size);
	assert_int_equal(after.st_ino, before.st_ino);
	change = time_now();
	assert_int_equal(truncate(source(fs, "life"), FILE_SIZE - 1), 0);
	time = newer(fs, "a", time, change);
	change = time_now();
	assert_int_equal(unlink(source(fs, "life")), 0);
	newer(fs, "a", time, change);
}

/* Reading, and changes of other mappings, do not make a document newer. */
static void stays_while_nothing_changes(struct fs *fs)
{
	int64_t time;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	map_anonymous(fs, "b", PAGE);
	time = time_of(fs, "a");
	for (int i = 0; i < 3; i++) {
		let_facts_age();
		json_decref(document(fs, "a"));
		assert_int_equal(shell(fs, "ls -l $M && cat $M/*"), 0);
		map_anonymous(fs, "c", PAGE);
		unmap(fs, "c");
		assert_int_equal(time_of(fs, "a"), time);
	}
}

static void an_open_file_stays_as_it_was(struct fs *fs)
{
	struct stat before, after;
	int64_t change;
	int fd;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &before), 0);
	change = time_now();
	unmap_part(fs, "a", "-o 0 -l 4K");
	newer(fs, "a", nanoseconds(before.st_mtim), change);
	let_facts_age();
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(nanoseconds(after.st_mtim), nanoseconds(before.st_mtim));
	assert_int_equal(after.st_size, before.st_size);
	close(fd);
}

/* The time of a new file before anything is written, and when the request is carried out. */
static void of_a_request(struct fs *fs)
{
	const char *text = request_of(make_source(fs, "file", FILE_SIZE));
	int64_t time = time_now();
	int fd = open(entry(fs, "a"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	struct stat st;

	assert_true(fd >= 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fstat(fd, &st), 0);
		assert_true(nanoseconds(st.st_mtim) >= time);
		assert_true(nanoseconds(st.st_mtim) <= time_now());
		time = time_now();
		if (i == 0)
			assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	}
	close(fd);
}

static void publishing_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "old");

	halt(me);
	need(pmem2_unmap_range(map, PAGE, PAGE, 0) == 0);
	halt(me);
	need(pmem2fs_map_set_label(map, "new", 3) == 0);
	halt(me);
	need(pmem2fs_map_set_label(map, "old", 3) == 0);
	halt(me);
}

static void of_a_published_mapping(struct fs *fs)
{
	int64_t time, change = time_now();
	struct publisher p;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, publishing_script);
	time = newer(fs, published_name(&p, "old"), 0, change);
	let_facts_age();
	assert_int_equal(time_of(fs, published_name(&p, "old")), time);
	for (int i = 0; i < 3; i++) {
		change = time_now();
		publisher_next(&p);
		time = newer(fs, published_name(&p, i == 1 ? "new" : "old"), time, change);
	}
	publisher_end(&p);
}

/* The mapping may have changed while there was no worker. */
static void after_the_death_of_a_worker(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	int64_t time, change;

	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	unmap_part(fs, "a", "-o 0 -l 4K");
	time = time_of(fs, "a");
	change = time_now();
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
	newer(fs, "a", time, change);
}

static void make_sees_each_change(struct fs *fs)
{
	static const char *const changes[] = {
		"$CTL unmap -o 0 -l 4K a",
		"mv $D/file $D/life",
		"truncate -s +1 $D/life",
		"mv $M/a $M/b && mv $M/b $M/a",
	};

	need_programs(fs, "make");
	assert_int_equal(write_text(source(fs, "Makefile"), "copy: $(M)/a\n\tcp $(M)/a copy\n"), 0);
	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		const char *script = format("CTL='%s -s %s'; cd $D && %s", getenv("PMEM2FS_CTL"),
					    fs->daemon.socket, changes[i]);

		/*
		 * Other file systems take their times from a clock that lags behind: until it
		 * has ticked, make may take its copy for older.
		 */
		WAIT_UNTIL(shell(fs, "cd $D && make && make -q") == 0);
		assert_int_equal(shell(fs, script), 0);
		WAIT_UNTIL(shell(fs, "cd $D && make -q") == 1);
		assert_int_equal(shell(fs, "cd $D && make && cmp copy $M/a"), 0);
	}
}

/* The size stays the same: only the time shows the change. */
static void rsync_sees_a_change(struct fs *fs)
{
	need_programs(fs, "rsync");
	map_source(fs, "a", make_source(fs, "file", FILE_SIZE));
	assert_int_equal(shell(fs, "rsync -a $M/ $D/copy && cmp $M/a $D/copy/a"), 0);
	assert_int_equal(rename(source(fs, "file"), source(fs, "life")), 0);
	let_facts_age();
	assert_int_equal(shell(fs, "rsync -a $M/ $D/copy && grep -q life $D/copy/a"), 0);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(of_a_mapping_of_which_parts_go),
		FS_TEST(of_a_mapping_that_is_renamed),
		FS_TEST(of_a_name_that_is_mapped_again),
		FS_TEST(of_a_mapping_whose_file_is_moved),
		FS_TEST(stays_while_nothing_changes),
		FS_TEST(an_open_file_stays_as_it_was),
		FS_TEST(of_a_request),
		FS_TEST(of_a_published_mapping),
		FS_TEST(after_the_death_of_a_worker),
		FS_TEST(make_sees_each_change),
		FS_TEST(rsync_sees_a_change),
	};

	return fs_run(argc, argv, "times", tests, sizeof(tests) / sizeof(*tests));
}
