/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_listing.c - a list comes with all attributes, which the kernel caches as long as it may
 */
#include "count_requests.h"
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE 4096
#define FEW  15  /* fit in the smallest first part of a list: a page */
#define MANY 500 /* are many parts */

static volatile unsigned *counters;

/* Starts a daemon whose requests are counted. */
static void start_counted(struct fs *fs)
{
	const char *path = format("%s/requests", fs->dir);
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, REQUEST_KINDS * sizeof(*counters)), 0);
	counters = mmap(NULL, REQUEST_KINDS * sizeof(*counters), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	assert_true(counters != MAP_FAILED);
	close(fd);
	setenv("PMEM2FS_TEST_REQUESTS", path, 1);
	daemon_spawn(&fs->daemon, NULL, NULL, getenv("PMEM2FS_COUNT_REQUESTS"));
	daemon_wait_mounted(&fs->daemon);
	unsetenv("PMEM2FS_TEST_REQUESTS");
}

/* The kernel forgets all that it knows of the mount. */
static void drop_caches(const struct fs *fs)
{
	assert_int_equal(mount(NULL, fs->daemon.mnt, NULL, MS_REMOUNT | MS_NOSUID | MS_NODEV, NULL),
			 0);
}

/* Runs the command, and returns whether the kernel has asked for nothing but lists meanwhile. */
static bool is_one_pass(const struct fs *fs, const char *command, unsigned count)
{
	unsigned lookups, attributes, lists;

	let_facts_age();
	drop_caches(fs);
	lookups = counters[FUSE_LOOKUP];
	attributes = counters[FUSE_GETATTR];
	lists = counters[FUSE_READDIRPLUS];
	if (shell(fs, command))
		fail_msg("%s: %s", command, output_of(fs));
	assert_true(counters[FUSE_READDIRPLUS] > lists);
	lookups = counters[FUSE_LOOKUP] - lookups;
	attributes = counters[FUSE_GETATTR] - attributes;
	if (lookups || attributes)
		print_message("%s: %u LOOKUPs and %u GETATTRs for %u files\n", command, lookups,
			      attributes, count);
	return !lookups && !attributes;
}

/*
 * Some of these read all names before they ask for attributes: the kernel gets those of the first
 * part of a list only.
 */
static const char *const programs[] = {
	"ls -l $M",  "find $M -ls", "du $M", "tar -cf /dev/null -C $M .", "rsync -an $M/ $D/copy/",
	"stat $M/*",
};

/* These ask for the attributes of a name before they read on. */
static const char *const readers_of_more[] = {"ls -l $M", "rsync -an $M/ $D/copy/"};

/* On a busy machine a program may need longer than the kernel caches. */
static void check(const struct fs *fs, unsigned count)
{
	const char *const *list = count == FEW ? programs : readers_of_more;
	size_t length = count == FEW ? sizeof(programs) / sizeof(*programs)
				     : sizeof(readers_of_more) / sizeof(*readers_of_more);

	need_programs(fs, "ls find du tar rsync stat");
	for (size_t i = 0; i < length; i++)
		WAIT_UNTIL(is_one_pass(fs, list[i], count));
}

static void of_own_mappings(struct fs *fs)
{
	start_counted(fs);
	make_source(fs, "file", PAGE);
	for (unsigned i = 0; i < MANY; i++) {
		if (i == FEW)
			check(fs, FEW);
		map_source(fs, format("m%u", i), source(fs, "file"));
	}
	check(fs, MANY);
}

/* Makes and removes a mapping. Returns whether the kernel has asked for no attributes meanwhile. */
static bool is_made_at_once(const struct fs *fs)
{
	static const char request[] = "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}";
	unsigned attributes = counters[FUSE_GETATTR];
	int fd = open(entry(fs, "made"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	attributes = counters[FUSE_GETATTR] - attributes;
	close(fd);
	assert_int_equal(unlink(entry(fs, "made")), 0);
	return !attributes;
}

/* The open that creates a file comes with its attributes, too. */
static void of_what_is_being_made(struct fs *fs)
{
	start_counted(fs);
	WAIT_UNTIL(is_made_at_once(fs));
}

static void many_script(struct publisher *me)
{
	for (unsigned i = 0; i < MANY; i++) {
		if (i == FEW)
			halt(me);
		map_part(me, 0, source(me->fs, "file"), (size_t)i * 2 * PAGE, PAGE, NULL);
	}
	halt(me);
}

static void of_other_processes(struct fs *fs)
{
	struct publisher p;

	start_counted(fs);
	make_source(fs, "file", (off_t)MANY * 2 * PAGE);
	publisher_start(fs, &p, NULL, many_script);
	check(fs, FEW);
	publisher_next(&p);
	check(fs, MANY);
	publisher_end(&p);
}

/* How many names getdents64 finds first, with as much room as the C library gives it. */
static unsigned count_in_first_part(const struct fs *fs)
{
	static char buffer[32768] __attribute__((aligned(8)));
	int fd = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ssize_t got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer));
	unsigned count = 0;

	assert_true(got > 0);
	for (char *at = buffer; at < buffer + got; count++)
		at += ((struct dirent64 *)(void *)at)->d_reclen;
	close(fd);
	return count;
}

/* The kernel wants attributes in the first part only, which is a short one. */
static void a_list_of_names_looks_nothing_up(struct fs *fs)
{
	unsigned before;

	start_counted(fs);
	make_source(fs, "file", PAGE);
	for (unsigned i = 0; i < MANY; i++)
		map_source(fs, format("m%u", i), source(fs, "file"));
	let_facts_age();
	drop_caches(fs);
	before = counters[FUSE_READDIRPLUS];
	assert_int_equal(shell(fs, "ls -U $M"), 0);
	assert_int_equal(counters[FUSE_READDIRPLUS], before + 1);
	assert_true(count_in_first_part(fs) < MANY / 10);
}

static int stat_errno(const struct fs *fs, const char *name)
{
	struct stat st;

	return stat(entry(fs, name), &st) ? errno : 0;
}

static void unmapping_script(struct publisher *me)
{
	for (;;) {
		struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "a");

		halt(me);
		need(pmem2_map_delete(&map) == 0);
		halt(me);
	}
}

/* After a look, stat finds no mapping that had gone before it, even if a list has just shown it. */
static void a_look_drops_what_a_list_has_cached(struct fs *fs)
{
	struct publisher p;
	struct names names;
	const char *name;

	make_source(fs, "file", PAGE);
	publisher_start(fs, &p, NULL, unmapping_script);
	name = published_name(&p, "a");
	for (unsigned i = 0; i < 100; i++) {
		scan(fs);
		names_read(&names, fs->daemon.mnt);
		assert_true(names_have(&names, name));
		names_free(&names);
		publisher_next(&p);
		scan(fs);
		assert_int_equal(stat_errno(fs, name), ENOENT);
		publisher_next(&p);
	}
	publisher_kill(&p);
}

static void exec_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	need(false);
}

static void of_a_process_that_ends_or_runs_another_program(struct fs *fs)
{
	make_source(fs, "file", PAGE);
	for (unsigned i = 0; i < 10; i++) {
		struct publisher p;
		struct names names;

		publisher_start(fs, &p, NULL, exec_script);
		scan(fs);
		names_read(&names, fs->daemon.mnt);
		assert_true(names_have(&names, published_name(&p, "a")));
		names_free(&names);
		if (i % 2)
			publisher_go(&p);
		else
			publisher_kill(&p);
		WAIT_UNTIL(stat_errno(fs, published_name(&p, "a")) == ENOENT);
		if (i % 2)
			publisher_kill(&p);
	}
}

/* Calls getdents64 and stat of each name that is found. Returns how many there are. */
static unsigned stat_part(const struct fs *fs, int folder)
{
	char buffer[4096] __attribute__((aligned(8)));
	ssize_t got = syscall(SYS_getdents64, folder, buffer, sizeof(buffer));
	unsigned count = 0;

	assert_true(got >= 0);
	for (char *at = buffer; at < buffer + got;) {
		struct dirent64 *found = (struct dirent64 *)(void *)at;

		assert_int_equal(stat_errno(fs, found->d_name), 0);
		at += found->d_reclen;
		count++;
	}
	return count;
}

/* Whether a list whose first part is much older than the others comes with all attributes. */
static bool is_slow_pass_one(const struct fs *fs)
{
	unsigned before, count = 0, got;
	int fd;

	let_facts_age();
	drop_caches(fs);
	before = counters[FUSE_LOOKUP];
	fd = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((got = stat_part(fs, fd))) {
		if (!count)
			let_facts_age();
		count += got;
	}
	close(fd);
	assert_int_equal(count, MANY + 2);
	return counters[FUSE_LOOKUP] == before;
}

static void a_slow_reader_gets_attributes(struct fs *fs)
{
	struct publisher p;

	start_counted(fs);
	make_source(fs, "file", (off_t)MANY * 2 * PAGE);
	publisher_start(fs, &p, NULL, many_script);
	publisher_next(&p);
	WAIT_UNTIL(is_slow_pass_one(fs));
	publisher_end(&p);
}

#define TURNS 10

static void one_more_script(struct publisher *me)
{
	for (unsigned i = 0; i < TURNS; i++) {
		map_part(me, 0, source(me->fs, "file"), (size_t)i * 2 * PAGE, PAGE, NULL);
		halt(me);
	}
}

/* Whether few requests are enough for what is listed more than a second after the last scan. */
static bool is_listed_in_few_parts(const struct fs *fs, unsigned entries)
{
	unsigned before, count = 0, got;
	int fd;

	let_facts_age();
	drop_caches(fs);
	fd = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	count = stat_part(fs, fd);
	let_facts_age();
	before = counters[FUSE_READDIRPLUS];
	while ((got = stat_part(fs, fd)))
		count += got;
	close(fd);
	assert_int_equal(count, entries + 2);
	before = counters[FUSE_READDIRPLUS] - before;
	return before < entries / TURNS;
}

/* Mappings of many processes take turns in the list: one scan is enough for all of them. */
static void a_slow_reader_of_many_processes(struct fs *fs)
{
	struct publisher all[20];
	const unsigned count = sizeof(all) / sizeof(*all);

	start_counted(fs);
	make_source(fs, "file", (off_t)TURNS * 2 * PAGE);
	for (unsigned i = 0; i < count; i++)
		publisher_start(fs, &all[i], NULL, one_more_script);
	for (unsigned turn = 1; turn < TURNS; turn++) {
		scan(fs);
		for (unsigned i = 0; i < count; i++)
			publisher_next(&all[i]);
	}
	scan(fs);
	WAIT_UNTIL(is_listed_in_few_parts(fs, count * TURNS));
	for (unsigned i = 0; i < count; i++)
		publisher_end(&all[i]);
}

static void fading_script(struct publisher *me)
{
	struct pmem2_map *maps[MANY];

	for (unsigned i = 0; i < MANY; i++)
		maps[i] = map_part(me, 0, source(me->fs, "file"), (size_t)i * 2 * PAGE, PAGE,
				   format("m%u", i));
	halt(me);
	for (unsigned i = 1; i < MANY; i += 2)
		need(pmem2_map_delete(&maps[i]) == 0);
	halt(me);
}

/* A part of a list that is read more than a second after a munmap does not hide it. */
static void a_list_that_is_read_slowly(struct fs *fs)
{
	char buffer[4096] __attribute__((aligned(8)));
	unsigned calls = 0, stay = 0;
	struct publisher p;
	ssize_t got;
	int fd;

	make_source(fs, "file", (off_t)MANY * 2 * PAGE);
	publisher_start(fs, &p, NULL, fading_script);
	scan(fs);
	fd = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		struct dirent64 *found;

		for (char *at = buffer; at < buffer + got; at += found->d_reclen) {
			unsigned number;
			int error;

			found = (struct dirent64 *)(void *)at;
			if (sscanf(found->d_name, PUBLISHER_COMM ".%*d.m%u", &number) != 1)
				continue;
			error = stat_errno(fs, found->d_name);
			assert_int_equal(error, calls && number % 2 ? ENOENT : 0);
			stay += number % 2 == 0;
		}
		if (!calls++) {
			publisher_next(&p);
			let_facts_age();
		}
	}
	assert_int_equal(got, 0);
	assert_true(calls > 2);
	assert_int_equal(stay, MANY / 2);
	close(fd);
	publisher_end(&p);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(of_own_mappings, .no_daemon = true),
		FS_TEST(of_what_is_being_made, .no_daemon = true),
		FS_TEST(of_other_processes, .no_daemon = true),
		FS_TEST(a_list_of_names_looks_nothing_up, .no_daemon = true),
		FS_TEST(a_look_drops_what_a_list_has_cached),
		FS_TEST(of_a_process_that_ends_or_runs_another_program),
		FS_TEST(a_slow_reader_gets_attributes, .no_daemon = true),
		FS_TEST(a_slow_reader_of_many_processes, .no_daemon = true),
		FS_TEST(a_list_that_is_read_slowly),
	};

	return fs_run(argc, argv, "listing", tests, sizeof(tests) / sizeof(*tests));
}
