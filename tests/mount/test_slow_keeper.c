/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_slow_keeper.c - a keeper that is slow to unmap, or does not answer
 *
 * The tests check the order of events, never a duration: the others have finished while the slow
 * operation is still held.
 */
#include "helpers.h"
#include "slow_munmap.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *hold_file(const struct fs *fs)
{
	return format("%s/hold", fs->dir);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

/*
 * Starts the daemon so that unmapping "slow" is held while hold_file exists, and makes that
 * mapping.
 */
static void start_slow(struct fs *fs)
{
	setenv("PMEM2FS_TEST_HOLD", hold_file(fs), 1);
	daemon_spawn(&fs->daemon, NULL, "rootmode=1777", getenv("PMEM2FS_SLOW_MUNMAP"));
	daemon_wait_mounted(&fs->daemon);
	unsetenv("PMEM2FS_TEST_HOLD");
	make_source(fs, "slow-file", SLOW_LENGTH);
	make_source(fs, "file", 65536);
	map_source(fs, "slow", source(fs, "slow-file"));
	map_source(fs, "keep", source(fs, "file"));
	assert_int_equal(write_text(hold_file(fs), ""), 0);
}

static void an_unmap_that_takes_long(struct fs *fs)
{
	const char *held = format("%s.held", hold_file(fs));

	start_slow(fs);
	assert_int_equal(write_as(&user_b, entry(fs, "b"), request_of(source(fs, "file"))), 0);
	assert_int_equal(unlink(entry(fs, "slow")), -1);
	assert_int_equal(errno, EBUSY);
	assert_true(exists(held));
	WAIT_UNTIL(unlink_as(&user_b, entry(fs, "b")) == 0);
	for (int i = 0; i < 10; i++)
		others_go_on(fs);
	/*
	 * The unmap is still held, so the mapping is still there, and a second unlink has the same
	 * result.
	 */
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "slow-file")), 1);
	assert_int_equal(unlink(entry(fs, "slow")), -1);
	assert_int_equal(errno, EBUSY);
	others_go_on(fs);
	assert_true(log_has(&fs->daemon, "slow.*([Bb]usy|EBUSY|time|ms)"));
	assert_int_equal(unlink(hold_file(fs)), 0);
	WAIT_UNTIL(!exists(entry(fs, "slow")));
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "slow-file")), 0);
	assert_entries(fs, "keep", NULL);
	map_source(fs, "slow", source(fs, "slow-file"));
	unmap(fs, "slow");
}

/* pmem2ctl waits as long as its option says; the document is true before and after. */
static void an_unmap_of_a_part_that_takes_long(struct fs *fs)
{
	const char *held = format("%s.held", hold_file(fs));
	const char *ctl = format("%s -s %s", getenv("PMEM2FS_CTL"), fs->daemon.socket);
	char *before, *during;
	json_t *root;

	start_slow(fs);
	assert_int_equal(truncate(source(fs, "slow-file"), 3 * SLOW_LENGTH), 0);
	map_source(fs, "part", source(fs, "slow-file"));
	before = read_file(entry(fs, "part"), NULL);
	assert_int_equal(
		shell(fs, format("%s unmap -t 0 -o %d -l %d part", ctl, SLOW_LENGTH, SLOW_LENGTH)),
		1);
	assert_true(output_has(fs, "part: cannot unmap a part: the keeper has not done it"));
	assert_true(exists(held));
	let_facts_age();
	during = read_file(entry(fs, "part"), NULL);
	assert_string_equal(during, before);
	assert_int_equal(unlink(entry(fs, "part")), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(unlink(hold_file(fs)), 0);
	WAIT_UNTIL(shell(fs, "grep -q partial $M/part") == 0);
	root = document(fs, "part");
	assert_int_equal(json_array_size(json_object_get(root, "extents")), 2);
	json_decref(root);
	free(during);
	free(before);
	WAIT_UNTIL(unlink(entry(fs, "part")) == 0);
}

/* The name and its document are there until the region is gone. */
static void an_entry_stays_until_its_region_is_gone(struct fs *fs)
{
	start_slow(fs);
	assert_int_equal(unlink(entry(fs, "slow")), -1);
	assert_int_equal(errno, EBUSY);
	assert_entries(fs, "keep", "slow", NULL);
	json_decref(document(fs, "slow"));
	assert_int_equal(write_text(entry(fs, "slow"),
				    "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}") == 0,
			 0);
	assert_int_equal(rename(entry(fs, "keep"), entry(fs, "slow")), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(unlink(hold_file(fs)), 0);
	WAIT_UNTIL(!exists(entry(fs, "slow")));
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "slow-file")), 0);
}

static void other_removers_wait_no_longer(struct fs *fs)
{
	pid_t children[8];
	const struct user *user = NULL;

	start_slow(fs);
	for (int i = 0; i < 8; i++) {
		children[i] = fork();
		assert_true(children[i] >= 0);
		if (children[i] == 0)
			_exit(unlink(entry(fs, "slow")) == 0 ? 0 : errno);
	}
	others_go_on(fs);
	for (int i = 0; i < 8; i++)
		assert_int_equal(finish(children[i]), EBUSY);
	assert_true(exists(format("%s.held", hold_file(fs))));
	assert_int_equal(unlink(hold_file(fs)), 0);
	WAIT_UNTIL(unlink_as(user, entry(fs, "slow")) == ENOENT);
}

static void stop(pid_t pid)
{
	siginfo_t info;

	assert_int_equal(kill(pid, SIGSTOP), 0);
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WSTOPPED), 0);
}

/* A removal that was answered with EBUSY is never carried out later. */
static void a_keeper_that_is_stopped(struct fs *fs)
{
	char *before, *after;

	make_source(fs, "file", 65536);
	map_source(fs, "a", source(fs, "file"));
	map_source(fs, "b", source(fs, "file"));
	before = snapshot(fs);
	stop(fs->daemon.keeper);
	assert_int_equal(unlink(entry(fs, "a")), -1);
	assert_int_equal(errno, EBUSY);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(unlink(entry(fs, "b")), -1);
		assert_int_equal(errno, EBUSY);
		assert_entries(fs, "a", "b", NULL);
		json_decref(document(fs, "a"));
	}
	assert_int_equal(rename(entry(fs, "a"), entry(fs, "c")), -1);
	assert_int_equal(errno, EBUSY);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(after);
	kill(fs->daemon.keeper, SIGCONT);
	/* Commands are carried out in turn: when this one is done, the old ones have been read. */
	map_source(fs, "d", source(fs, "file"));
	WAIT_UNTIL(unlink(entry(fs, "d")) == 0);
	after = snapshot(fs);
	assert_string_equal(after, before);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 2);
	unmap(fs, "a");
	assert_entries(fs, "b", NULL);
	free(before);
	free(after);
}

static void a_request_waits_for_a_stopped_keeper(struct fs *fs)
{
	char path[128], text[256];
	pid_t writer;

	make_source(fs, "file", 65536);
	map_source(fs, "keep", source(fs, "file"));
	snprintf(path, sizeof(path), "%s", entry(fs, "wanted"));
	snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}", source(fs, "file"));
	stop(fs->daemon.keeper);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0)
		_exit(write_text(path, text));
	WAIT_UNTIL(waits_for_answer(writer));
	assert_entries(fs, "keep", NULL);
	json_decref(document(fs, "keep"));
	kill(fs->daemon.keeper, SIGCONT);
	assert_int_equal(finish(writer), 0);
	assert_entries(fs, "keep", "wanted", NULL);
	unmap(fs, "wanted");
}

static bool is_listed(const struct fs *fs, const char *name)
{
	struct names names;
	bool listed;

	names_read(&names, fs->daemon.mnt);
	listed = names_have(&names, name);
	names_free(&names);
	return listed;
}

/* Ctrl-C on a request that waits: either it is mapped with its entry, or nothing is. */
static void a_request_that_is_interrupted(struct fs *fs)
{
	char path[128], text[256];
	pid_t writer;

	make_source(fs, "file", 65536);
	snprintf(path, sizeof(path), "%s", entry(fs, "wanted"));
	snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}", source(fs, "file"));
	assert_entries(fs, NULL); /* otherwise the keeper might stop before there is a worker */
	stop(fs->daemon.keeper);
	writer = fork();
	assert_true(writer >= 0);
	if (writer == 0)
		_exit(write_text(path, text));
	WAIT_UNTIL(waits_for_answer(writer));
	kill(writer, SIGINT);
	assert_int_equal(finish(writer), -SIGINT);
	kill(fs->daemon.keeper, SIGCONT);
	map_anonymous(fs, "after", 4096);
	WAIT_UNTIL(maps_with(fs->daemon.keeper, source(fs, "file")) == is_listed(fs, "wanted"));
	(void)!unlink(path);
	map_source(fs, "wanted", source(fs, "file"));
	unmap(fs, "wanted");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(an_unmap_that_takes_long, .no_daemon = true),
		FS_TEST(an_unmap_of_a_part_that_takes_long, .no_daemon = true),
		FS_TEST(an_entry_stays_until_its_region_is_gone, .no_daemon = true),
		FS_TEST(other_removers_wait_no_longer, .no_daemon = true),
		FS_TEST(a_keeper_that_is_stopped),
		FS_TEST(a_request_waits_for_a_stopped_keeper),
		FS_TEST(a_request_that_is_interrupted),
	};

	return fs_run(argc, argv, "slow_keeper", tests, sizeof(tests) / sizeof(*tests));
}
