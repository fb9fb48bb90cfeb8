/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_release.c - rm and pmem2ctl unmap of mappings that another process has published
 *
 * release_peer.c plays that process. The tests check which mappings are gone and which are as
 * before.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct peer {
	pid_t pid;
	int to;
	FILE *from;
};

static const char *name_of(const struct peer *peer, int number)
{
	return format("release_peer.%d.m%d", (int)peer->pid, number);
}

static void expect(struct peer *peer, const char *word)
{
	char line[64];

	assert_non_null(fgets(line, sizeof(line), peer->from));
	line[strcspn(line, "\n")] = '\0';
	assert_string_equal(line, word);
}

static void start_as_user(struct fs *fs, const struct user *user, struct peer *peer,
			  const char *behaviour, const char *count)
{
	const char *path = make_source(fs, "file", 65536);
	int in[2], out[2];

	assert_int_equal(pipe2(in, O_CLOEXEC) | pipe2(out, O_CLOEXEC), 0);
	peer->pid = fork();
	assert_true(peer->pid >= 0);
	if (!peer->pid) {
		if (user && become(user))
			_exit(126);
		dup2(in[0], STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		setenv("PMEM2FS_SOCKET", "/nonexistent", 1); /* the library finds no daemon */
		execl(getenv("PMEM2FS_RELEASE_PEER"), "release_peer", fs->daemon.socket, path,
		      count, behaviour, NULL);
		_exit(127);
	}
	fs->helper = peer->pid;
	close(in[0]);
	close(out[1]);
	peer->to = in[1];
	peer->from = fdopen(out[0], "re");
	assert_non_null(peer->from);
	expect(peer, "here");
	WAIT_UNTIL(access(entry(fs, name_of(peer, 0)), F_OK) == 0);
}

static void start(struct fs *fs, struct peer *peer, const char *behaviour, const char *count)
{
	start_as_user(fs, NULL, peer, behaviour, count);
}

static void stop(struct fs *fs, struct peer *peer)
{
	kill(peer->pid, SIGKILL);
	finish(peer->pid);
	fs->helper = 0;
	close(peer->to);
	fclose(peer->from);
}

static int rm(const struct fs *fs, const struct peer *peer, int number)
{
	return unlink(entry(fs, name_of(peer, number))) ? errno : 0;
}

/* Checks that the entry is there and the mapping too. */
static void assert_there(const struct fs *fs, const struct peer *peer, int number)
{
	json_t *root = document(fs, name_of(peer, number));
	unsigned long long address;

	assert_int_equal(sscanf(text_of(root, "address"), "0x%llx", &address), 1);
	assert_string_equal(text_of(root, "origin"), "published");
	assert_string_equal(text_of(root, "state"), "active");
	assert_int_equal(maps_with(peer->pid, format("%llx-", address)), 1);
	json_decref(root);
}

static void assert_gone(const struct fs *fs, const struct peer *peer, int number, size_t left)
{
	assert_int_equal(access(entry(fs, name_of(peer, number)), F_OK), -1);
	assert_int_equal(maps_with(peer->pid, source(fs, "file")), left);
}

static pid_t start_command(const char *script)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (!pid) {
		execl("/bin/sh", "sh", "-c", format("exec %s", script), NULL);
		_exit(127);
	}
	return pid;
}

static void rm_releases(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "release", "2");
	assert_int_equal(rm(fs, &peer, 0), 0);
	expect(&peer, "ask");
	expect(&peer, "go");
	assert_gone(fs, &peer, 0, 1);
	assert_int_equal(rm(fs, &peer, 0), ENOENT);
	assert_there(fs, &peer, 1);
	stop(fs, &peer);
}

static void rm_is_refused(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "refuse", "1");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(rm(fs, &peer, 0), EXDEV);
		assert_there(fs, &peer, 0);
	}
	assert_true(log_has(&fs->daemon, "m0: cannot unmap: [0-9]+ .release_peer. refused: "));
	assert_int_equal(rename(entry(fs, name_of(&peer, 0)), entry(fs, "x")), -1);
	assert_int_equal(errno, EPERM);
	assert_int_equal(unlink_as(&user_a, entry(fs, name_of(&peer, 0))), EACCES);
	assert_there(fs, &peer, 0);
	stop(fs, &peer);
}

static void a_lie_shows(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "lie", "1");
	assert_int_equal(rm(fs, &peer, 0), EBUSY);
	assert_there(fs, &peer, 0);
	assert_true(log_has(&fs->daemon, "says that it is released, but"));
	stop(fs, &peer);
}

/*
 * Unmaps without the time limit of rm: what the process does instead of answering may take longer,
 * since a sanitizer first reports a crash.
 */
static void unmap_patiently(struct fs *fs, const struct peer *peer)
{
	assert_int_equal(
		finish(start_command(format("%s -s %s unmap -t 1000 %s", getenv("PMEM2FS_CTL"),
					    fs->daemon.socket, name_of(peer, 0)))),
		0);
}

static void it_unmaps_by_itself_meanwhile(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "own", "1");
	unmap_patiently(fs, &peer);
	assert_gone(fs, &peer, 0, 0);
	stop(fs, &peer);
}

/* The process ends in its handler, or before it. */
static void it_ends_meanwhile(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "crash", "1");
	unmap_patiently(fs, &peer);
	assert_gone(fs, &peer, 0, 0);
	assert_int_equal(finish(peer.pid), -SIGSEGV);
	start(fs, &peer, "gone", "1");
	unmap_patiently(fs, &peer);
	assert_gone(fs, &peer, 0, 0);
	assert_int_equal(finish(peer.pid), 0);
	fs->helper = 0;
}

static void it_is_killed_while_it_hangs(struct fs *fs)
{
	struct peer peer;
	pid_t command;

	start(fs, &peer, "hang", "1");
	command = start_command(format("%s -s %s unmap -t 1000 %s", getenv("PMEM2FS_CTL"),
				       fs->daemon.socket, name_of(&peer, 0)));
	expect(&peer, "ask");
	expect(&peer, "go");
	kill(peer.pid, SIGKILL);
	assert_int_equal(finish(command), 0);
	assert_gone(fs, &peer, 0, 0);
	stop(fs, &peer);
}

/* A release that was not begun in time is never begun. */
static void a_stopped_process_wakes_too_late(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "release", "2");
	kill(peer.pid, SIGSTOP);
	for (int i = 0; i < 10; i++)
		assert_int_equal(rm(fs, &peer, i % 2), EBUSY);
	assert_true(log_has(&fs->daemon, "m0: cannot unmap: .* does not answer"));
	kill(peer.pid, SIGCONT);
	expect(&peer, "ask"); /* only one, for ten calls of rm */
	expect(&peer, "withdrawn");
	expect(&peer, "withdrawn");
	assert_there(fs, &peer, 0);
	assert_there(fs, &peer, 1);
	assert_int_equal(rm(fs, &peer, 0), 0); /* a new request to the process */
	expect(&peer, "ask");
	expect(&peer, "go");
	assert_gone(fs, &peer, 0, 1);
	stop(fs, &peer);
}

/*
 * pmem2ctl, which delays no other operation, waits for the process even when rm is refused at once.
 */
static void pmem2ctl_waits_for_a_stopped_process(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "release", "1");
	kill(peer.pid, SIGSTOP);
	for (int i = 0; i < 2; i++)
		assert_int_equal(rm(fs, &peer, 0), EBUSY);
	/*
	 * Half a second is enough for a refusal; if pmem2ctl has not even begun then, it succeeds
	 * too.
	 */
	assert_int_equal(
		shell(fs, format("%s -s %s unmap -t 1000 %s & ctl=$!; sleep 0.5; kill -CONT %d; "
				 "wait $ctl",
				 getenv("PMEM2FS_CTL"), fs->daemon.socket, name_of(&peer, 0),
				 (int)peer.pid)),
		0);
	assert_gone(fs, &peer, 0, 0);
	stop(fs, &peer);
}

static void a_handler_that_hangs(struct fs *fs)
{
	struct peer peer;

	start(fs, &peer, "hang", "1");
	assert_int_equal(rm(fs, &peer, 0), EBUSY);
	expect(&peer, "ask");
	expect(&peer, "go");
	assert_true(log_has(&fs->daemon, "has begun, but has not released it in time"));
	assert_there(fs, &peer, 0);
	assert_int_equal(rm(fs, &peer, 0), EBUSY);
	assert_true(log_has(&fs->daemon, "is being asked for it already"));
	assert_int_equal(write(peer.to, "x", 1), 1);
	WAIT_UNTIL(access(entry(fs, name_of(&peer, 0)), F_OK));
	assert_gone(fs, &peer, 0, 0);
	stop(fs, &peer);
}

/* A second command at the same time does not wait, and nothing is left of the first. */
static void pmem2ctl_waits_and_withdraws(struct fs *fs)
{
	const char *ctl =
		format("%s -s %s unmap -t 1000", getenv("PMEM2FS_CTL"), fs->daemon.socket);
	struct peer peer;
	pid_t command;

	start(fs, &peer, "mute", "1");
	for (int i = 0; i < 2; i++) {
		command = start_command(format("%s %s", ctl, name_of(&peer, 0)));
		expect(&peer, "ask");
		assert_int_equal(rm(fs, &peer, 0), EBUSY);
		assert_true(log_has(&fs->daemon, "is being asked for it already"));
		assert_int_equal(kill(command, i ? SIGKILL : SIGINT), 0);
		assert_int_equal(finish(command), i ? -SIGKILL : -SIGINT);
		expect(&peer, "withdrawn");
		assert_there(fs, &peer, 0);
	}
	stop(fs, &peer);

	start(fs, &peer, "hang", "1");
	command = start_command(format("%s %s", ctl, name_of(&peer, 0)));
	expect(&peer, "ask");
	expect(&peer, "go");
	sleep_ms(400); /* longer than rm would wait; the longer the better */
	assert_int_equal(write(peer.to, "x", 1), 1);
	assert_int_equal(finish(command), 0);
	assert_gone(fs, &peer, 0, 0);
	stop(fs, &peer);
}

/* Interrupts rm before its time is over, unless the machine is too busy for that. */
static void ctrl_c_on_rm_withdraws(struct fs *fs)
{
	struct peer peer;
	bool withdrawn = false;

	for (int i = 0; i < 10 && !withdrawn; i++) {
		pid_t command;

		start(fs, &peer, "mute", "1");
		command = start_command(format("rm %s", entry(fs, name_of(&peer, 0))));
		expect(&peer, "ask");
		kill(command, SIGINT);
		assert_int_equal(finish(command), -SIGINT);
		expect(&peer, "withdrawn");
		assert_there(fs, &peer, 0);
		withdrawn = shell(fs, format("grep '%s.*does not answer' %s", name_of(&peer, 0),
					     fs->daemon.log)) != 0;
		stop(fs, &peer);
	}
	assert_true(withdrawn);
}

static int remove_in_a_loop(void *path)
{
	for (int i = 0; i < 50; i++)
		if (!unlink(path) || (errno != EBUSY && errno != ENOENT))
			return 1;
	return 0;
}

/* How often others are delayed while that entry is being removed again and again. */
static int count_slow(struct fs *fs, const char *path)
{
	pid_t child = start_as(NULL, remove_in_a_loop, (void *)path);
	int slow = 0, status;

	while (!waitpid(child, &status, WNOHANG)) {
		int64_t before = now_ms();
		struct names names;
		struct stat st;

		assert_int_equal(stat(entry(fs, "other"), &st), 0);
		names_read(&names, fs->daemon.mnt);
		assert_true(names_have(&names, "other"));
		names_free(&names);
		map_anonymous(fs, "new", 4096);
		unmap(fs, "new");
		slow += now_ms() - before > 200;
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return slow;
}

/*
 * The first rm locks the directory for as long as it waits; the others are refused without waiting.
 */
static void a_loop_of_rm_holds_nobody_up(struct fs *fs)
{
	struct peer peer;
	bool held_up = true;

	start(fs, &peer, "mute", "1");
	map_anonymous(fs, "other", 4096);
	/* A busy machine may delay everything, but not each time. */
	for (int i = 0; i < 10 && held_up; i++) {
		int before = count_slow(fs, entry(fs, "none"));

		held_up = count_slow(fs, entry(fs, name_of(&peer, 0))) > before + 10;
	}
	assert_false(held_up);
	expect(&peer, "ask");
	expect(&peer, "withdrawn");
	assert_there(fs, &peer, 0);
	stop(fs, &peer);
}

/*
 * The process refuses each time after a while: without a limit, its user could delay others for
 * ever.
 */
static void a_user_holds_others_up_for_little_time(struct fs *fs)
{
	struct peer peer;
	int waited = 0;

	start_as_user(fs, &user_a, &peer, "slow", "1");
	do {
		int error = rm(fs, &peer, 0);

		/*
		 * EXDEV is the process's own answer; EBUSY is the daemon's, which may come at once.
		 */
		assert_true(error == EXDEV || error == EBUSY);
		waited += error == EXDEV;
		assert_true(waited < 12);
		sleep_ms(50); /* of too many lines the log says only how many */
	} while (!log_has_now(&fs->daemon, "m0: cannot unmap: .* has made others wait too long"));
	assert_int_equal(rm(fs, &peer, 0), EBUSY);
	/* It may still be at its last answer. */
	WAIT_UNTIL(shell(fs, format("%s -s %s unmap %s", getenv("PMEM2FS_CTL"), fs->daemon.socket,
				    name_of(&peer, 0))) == 1 &&
		   output_has(fs, "refused"));
	assert_there(fs, &peer, 0);
	stop(fs, &peer);

	start(fs, &peer, "slow", "1"); /* not another user */
	WAIT_UNTIL(rm(fs, &peer, 0) == EXDEV);
	stop(fs, &peer);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(rm_releases),
		FS_TEST(rm_is_refused),
		FS_TEST(a_lie_shows),
		FS_TEST(it_unmaps_by_itself_meanwhile),
		FS_TEST(it_ends_meanwhile),
		FS_TEST(it_is_killed_while_it_hangs),
		FS_TEST(a_stopped_process_wakes_too_late),
		FS_TEST(pmem2ctl_waits_for_a_stopped_process),
		FS_TEST(a_handler_that_hangs),
		FS_TEST(pmem2ctl_waits_and_withdraws),
		FS_TEST(ctrl_c_on_rm_withdraws),
		FS_TEST(a_loop_of_rm_holds_nobody_up),
		FS_TEST(a_user_holds_others_up_for_little_time),
	};

	return fs_run(argc, argv, "release", tests, sizeof(tests) / sizeof(*tests));
}
