/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_blocked_scan.c - a process whose scan blocks for good
 *
 * Unmapping a dirty page of a file on FUSE, as a mapping on top of it does, waits for the server
 * with the process's memory map locked: its areas in /proc cannot be read meanwhile. The tests
 * themselves touch neither those nor anything below the mount of that server.
 */
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PAGE      4096u
#define FILE_SIZE 65536
#define LIMIT_MS  (10000 * LIMIT_FACTOR) /* for what may take a few seconds */

/* Indices of what the script that gets stuck stores in `reported`. */
enum { ABOUT_TO, CAME_BACK };

static void stuck_script(struct publisher *me)
{
	volatile int *reported = me->reported->number;
	char *page;
	int fd;

	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
	fd = open(format("%s/file", hanging(me->fs)), O_RDWR | O_CLOEXEC);
	need(fd >= 0);
	page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	need(page != MAP_FAILED);
	page[0] = 1;
	reported[ABOUT_TO] = 1;
	need(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		  0) == page);
	reported[CAME_BACK] = 1;
	for (;;)
		pause();
}

static void holding_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), me->data);
	halt(me);
}

static int read_areas(void *argument)
{
	const struct publisher *p = argument;
	char path[32];

	alarm(1);
	snprintf(path, sizeof(path), "/proc/%d/maps", (int)p->pid);
	free(read_file(path, NULL));
	return 0;
}

static bool is_in_mmap(const struct publisher *p)
{
	char *text = read_file(format("/proc/%d/syscall", (int)p->pid), NULL);
	long number;
	bool is = text && sscanf(text, "%ld", &number) == 1 && number == SYS_mmap;

	free(text);
	return is;
}

/* Skips the test where the kernel lets its areas be read all the same. */
static void get_stuck(struct publisher *p)
{
	volatile const int *reported = p->reported->number;

	publisher_go(p);
	WAIT_UNTIL(reported[ABOUT_TO] && is_in_mmap(p));
	for (int i = 0; i < 20; i++) {
		if (run_as(NULL, read_areas, p) == -SIGALRM)
			return;
		sleep_ms(50); /* it may not have locked its memory map yet */
	}
	print_message("the areas of a process whose memory map is locked can be read here\n");
	skip();
}

struct deed {
	const char *path;
	pid_t child;
};

static int do_stat(void *argument)
{
	const struct deed *deed = argument;
	struct stat st;

	return stat(deed->path, &st) == 0 ? 0 : errno;
}

static int do_cat(void *argument)
{
	const struct deed *deed = argument;

	return read_as(NULL, deed->path);
}

static int do_list(void *argument)
{
	const struct deed *deed = argument;
	DIR *dir = opendir(deed->path);
	int error;

	if (!dir)
		return errno;
	do
		errno = 0;
	while (readdir(dir));
	error = errno;
	closedir(dir);
	return error;
}

static struct deed begin(int (*function)(void *), const char *path)
{
	struct deed deed = {.path = path};

	deed.child = start_as(NULL, function, &deed);
	return deed;
}

/* The result of an operation. Fails when it is not done within LIMIT_MS. */
static int end(const struct deed *deed)
{
	int64_t limit = now_ms() + LIMIT_MS;

	while (!has_ended(deed->child)) {
		if (now_ms() > limit)
			fail_msg("%s: still not done", deed->path);
		sleep_ms(5);
	}
	return finish(deed->child);
}

/* The first operations may wait for the scan of that process, but not for good. */
static void everybody_gets_an_answer(struct fs *fs, const char *other, const char *stuck)
{
	struct deed well[] = {
		begin(do_list, fs->daemon.mnt),   begin(do_stat, entry(fs, "keep")),
		begin(do_cat, entry(fs, "keep")), begin(do_stat, entry(fs, other)),
		begin(do_cat, entry(fs, other)),
	};
	struct deed either[] = {
		begin(do_stat, entry(fs, stuck)),
		begin(do_cat, entry(fs, stuck)),
	};

	for (size_t i = 0; i < sizeof(well) / sizeof(*well); i++)
		assert_int_equal(end(&well[i]), 0);
	for (size_t i = 0; i < sizeof(either) / sizeof(*either); i++) {
		int error = end(&either[i]); /* old facts, or no entry */

		assert_true(error == 0 || error == ENOENT);
	}
}

/*
 * If an operation waited for that process, even until the daemon leaves the scan behind, this would
 * take longer.
 */
static void nobody_waits_any_more(struct fs *fs, const char *other)
{
	int64_t took = 0;

	for (int i = 0; i < 3; i++) {
		int64_t begin;

		let_facts_age();
		begin = now_ms();
		assert_int_equal(try_look(fs), 0);
		json_decref(document(fs, "keep"));
		json_decref(document(fs, other));
		assert_true(listed_of(fs, fs->daemon.keeper) == 0);
		took += now_ms() - begin;
	}
	if (took > LIMIT_MS)
		fail_msg("everything waits");
}

static bool says_path(const struct fs *fs, const char *name, const char *path)
{
	json_t *root = document(fs, name);
	bool says = !strcmp(text_of(json_object_get(root, "source"), "path"), path);

	json_decref(root);
	return says;
}

/* Answers are not from the cache: they follow a rename of the file. */
static void facts_are_true(struct fs *fs, const char *other)
{
	const char *file = source(fs, "file"), *moved = source(fs, "moved");

	assert_int_equal(rename(file, moved), 0);
	WAIT_UNTIL(says_path(fs, "keep", moved));
	WAIT_UNTIL(says_path(fs, other, moved));
	assert_int_equal(rename(moved, file), 0);
}

/* The maps of the process cannot be read: pmem2ctl holders gives up after a while. */
static void holders_gives_up(struct fs *fs, pid_t stuck)
{
	const char *said = source(fs, "said");
	int status = system(format("%s -s %s holders %s 2>%s >&2", getenv("PMEM2FS_CTL"),
				   fs->daemon.socket, source(fs, "other"), said));
	char *text = read_file(said, NULL);

	assert_non_null(text);
	assert_int_equal(WEXITSTATUS(status), 2);
	assert_non_null(strstr(text, format("process %d ", (int)stuck)));
	assert_non_null(strstr(text, "does not let itself be looked at"));
	free(text);
	assert_int_equal(unlink(said), 0);
}

static unsigned entries_of(pid_t pid, const char *folder)
{
	struct names names;
	unsigned count;

	names_read(&names, format("/proc/%d/%s", (int)pid, folder));
	count = (unsigned)names.count;
	names_free(&names);
	return count;
}

/*
 * Whether the daemon sees all processes of this host. In a container even root may be refused the
 * files of process 1, in whose place those of this process are mounted then.
 */
static bool sees_everything(struct fs *fs)
{
	if (try_look(fs) == 1)
		return true;
	return mount(format("/proc/%d", (int)getpid()), "/proc/1", NULL, MS_BIND, NULL) == 0 &&
	       try_look(fs) == 1;
}

static void others_do_not_notice(struct fs *fs)
{
	struct publisher stuck, other = {.data = "b"}, late = {.data = "c"};
	pid_t worker = daemon_worker(&fs->daemon);
	const char *a, *b;
	unsigned fds, threads;
	bool complete = sees_everything(fs);

	start_hanging(fs, "write");
	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "other", FILE_SIZE);
	map_source(fs, "keep", source(fs, "file"));
	publisher_start(fs, &other, &user_b, holding_script);
	b = published_name(&other, "b");
	assert_true(shown(fs, b));
	json_decref(document(fs, b));
	json_decref(document(fs, "keep"));
	fds = entries_of(worker, "fd");
	publisher_start(fs, &stuck, &user_a, stuck_script);
	a = published_name(&stuck, "a");
	assert_true(shown(fs, a));

	get_stuck(&stuck);
	everybody_gets_an_answer(fs, b, a);
	/* A thread of the scanner and one of the facts reader are stuck, and were left behind. */
	WAIT_UNTIL(log_has(&fs->daemon, format("process %d .*left out", (int)stuck.pid)));
	WAIT_UNTIL(log_has(&fs->daemon, format("process %d .*out of date", (int)stuck.pid)));
	threads = entries_of(worker, "task");
	nobody_waits_any_more(fs, b);
	facts_are_true(fs, b);
	holders_gives_up(fs, stuck.pid);
	publisher_start(fs, &late, &user_b, holding_script);
	WAIT_UNTIL(shown(fs, published_name(&late, "c")));
	publisher_kill(&late);
	WAIT_UNTIL(!shown(fs, published_name(&late, "c")));
	assert_int_equal(daemon_worker(&fs->daemon), worker);
	assert_true(entries_of(worker, "task") <= threads + 3);

	/*
	 * When the process goes on, it is shown again, and the threads left behind end or work
	 * again.
	 */
	kill(fs->helper, SIGKILL);
	finish(fs->helper);
	fs->helper = 0;
	WAIT_UNTIL(((volatile const int *)stuck.reported->number)[CAME_BACK]);
	WAIT_UNTIL(shown(fs, a));
	json_decref(valid_document(fs, a));
	WAIT_UNTIL(try_look(fs) == complete);
	publisher_kill(&stuck);
	WAIT_UNTIL(!shown(fs, a));
	assert_true(shown(fs, b));
	publisher_end(&other);
	assert_entries(fs, "keep", NULL);
	WAIT_UNTIL(entries_of(worker, "fd") <= fds);
	assert_true(entries_of(worker, "task") <= threads + 3);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
	if (!complete)
		print_message("nothing is complete here: that it is not meanwhile is no news\n");
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(others_do_not_notice, .options = "rootmode=1777"),
	};

	fs_observes = true;
	return fs_run(argc, argv, "blocked_scan", tests, sizeof(tests) / sizeof(*tests));
}
