/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_observe.c - when the processes of the host are scanned, and which
 *
 * That DAX mappings are found is tested in the virtual machine (tests/vm/case_observe_*.sh).
 */
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE 65536

/* Starts a process without published mappings, which only a scan of all processes reads. */
static pid_t start_stranger(void)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	return child;
}

static void stop(pid_t pid, int signal)
{
	kill(pid, signal);
	finish(pid);
}

/* Writes what the worker opens and reads to fs->dir/trace. */
static pid_t start_trace(const struct fs *fs)
{
	const char *errors = format("%s/strace", fs->dir), *trace = format("%s/trace", fs->dir);
	pid_t worker = daemon_worker(&fs->daemon), child;

	if (system("command -v strace >/dev/null") != 0)
		skip();
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		int fd = open(errors, O_WRONLY | O_CREAT | O_TRUNC, 0600);

		dup2(fd, 2);
		execlp("strace", "strace", "-f", "-y", "-e", "trace=open,openat,openat2", "-o",
		       trace, "-p", format("%d", (int)worker), (char *)NULL);
		_exit(127);
	}
	WAIT_UNTIL(maps_with(child, "strace") > 0);
	WAIT_UNTIL(access(trace, F_OK) == 0);
	WAIT_UNTIL(({
		char *text = read_file(errors, NULL);
		bool attached = text && strstr(text, "attached");

		free(text);
		attached;
	}));
	return child;
}

/* How often /proc/PID/maps of that process was opened. */
static unsigned traced(const struct fs *fs, pid_t pid)
{
	const char *pattern = format("[/\"<]%d[/>].*maps", (int)pid);
	char *text = read_file(format("%s/trace", fs->dir), NULL), *line, *next = text;
	unsigned count = 0;
	regex_t regex;

	assert_non_null(text);
	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	while ((line = strsep(&next, "\n")))
		count += regexec(&regex, line, 0, NULL, 0) == 0;
	regfree(&regex);
	free(text);
	return count;
}

static void list(const struct fs *fs)
{
	struct names names;

	names_read(&names, fs->daemon.mnt);
	names_free(&names);
}

/* The number behind "rchar: ". */
static long bytes_read_by(pid_t pid)
{
	char *text = read_file(format("/proc/%d/io", (int)pid), NULL);
	long bytes = -1;

	assert_true(text && sscanf(text, "rchar: %ld", &bytes) == 1);
	free(text);
	return bytes;
}

static void holding_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
}

static void nobody_looks_nothing_is_looked_at(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;
	long before;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, holding_script);
	before = bytes_read_by(worker);
	list(fs);
	assert_true(shown(fs, published_name(&p, "a")));
	assert_true(bytes_read_by(worker) > before);
	/*
	 * A scan that is under way ends; scans at every second would leave no such pause between
	 * them.
	 */
	WAIT_UNTIL(
		(before = bytes_read_by(worker), sleep_ms(1500), bytes_read_by(worker) == before));
	publisher_end(&p);
}

/* Lists twice within a second. Returns how often the stranger was scanned meanwhile. */
static unsigned list_twice(struct fs *fs, pid_t stranger)
{
	for (int i = 0; i < 40; i++) {
		int64_t begin;
		unsigned before;
		bool quick;

		let_facts_age(); /* so that the next listing causes a scan */
		before = traced(fs, stranger);
		begin = now_ms();
		list(fs);
		list(fs);
		quick = now_ms() - begin < 900;
		if (quick)
			return traced(fs, stranger) - before;
	}
	fail_msg("the machine is too slow");
	return 0;
}

static void looking_twice_within_a_second_looks_once(struct fs *fs)
{
	pid_t stranger = start_stranger(), strace;

	let_facts_age();
	list(fs);
	strace = start_trace(fs);
	assert_int_equal(list_twice(fs, stranger), 1);
	stop(strace, SIGINT);
	stop(stranger, SIGKILL);
}

/* With observe=off no other process is scanned; what processes publish shows all the same. */
static void observation_can_be_switched_off(struct fs *fs)
{
	pid_t stranger = start_stranger(), strace = start_trace(fs);
	struct publisher p;

	make_source(fs, "file", FILE_SIZE);
	assert_int_equal(list_twice(fs, stranger), 0);
	publisher_start(fs, &p, NULL, holding_script);
	assert_true(shown(fs, published_name(&p, "a")));
	publisher_end(&p);
	assert_false(shown(fs, published_name(&p, "a")));
	assert_int_equal(traced(fs, stranger), 0);
	stop(strace, SIGINT);
	stop(stranger, SIGKILL);
}

/* Looking up a name that is not of a process's form causes no scan. */
static void other_names_look_at_nobody(struct fs *fs)
{
	pid_t stranger = start_stranger(), strace;
	struct stat st;

	let_facts_age();
	strace = start_trace(fs);
	assert_int_equal(stat(entry(fs, "log"), &st), -1);
	assert_int_equal(stat(entry(fs, format("sleep.%d.x", (int)stranger)), &st), -1);
	assert_true(traced(fs, stranger) <= 1);
	assert_int_equal(traced(fs, 1), 0);
	stop(strace, SIGINT);
	stop(stranger, SIGKILL);
}

/* Mappings of files without DAX do not show unless they are published. */
static void plain_mappings_of_files_do_not_show(struct fs *fs)
{
	assert_int_equal(shown_of(fs, getpid()), 0);
	assert_int_equal(shown_of(fs, 1), 0);
}

static void a_wrong_value_is_refused(struct fs *fs)
{
	daemon_spawn(&fs->daemon, NULL, "observe=maybe", NULL);
	assert_int_not_equal(daemon_wait(&fs->daemon), 0);
	assert_true(log_has(&fs->daemon, "observe"));
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(nobody_looks_nothing_is_looked_at),
		FS_TEST(looking_twice_within_a_second_looks_once),
		FS_TEST(observation_can_be_switched_off, .options = "observe=off"),
		FS_TEST(other_names_look_at_nobody),
		FS_TEST(plain_mappings_of_files_do_not_show),
		FS_TEST(a_wrong_value_is_refused, .no_daemon = true),
	};

	fs_observes = true;
	return fs_run(argc, argv, "observe", tests, sizeof(tests) / sizeof(*tests));
}
