/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_start.c - starting on a mount point that an earlier daemon has left, or that another one
 * uses
 *
 * Daemons run in the background here: the command that starts one ends when the mount is served, or
 * with the status of the failure.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define ROUNDS 100
#define RACERS 8

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

/* How many pmem2fs are mounted, at any mount point. */
static unsigned count_mounts(void)
{
	return mounts_with(" fuse.pmem2fs ");
}

struct start {
	const struct fs *fs;
	const char *folder, *mountpoint, *socket; /* `folder` is the current folder */
};

static int exec_daemon(void *argument)
{
	const struct start *start = argument;
	const char *program = getenv("PMEM2FS_DAEMON");
	int out = open(format("%s/output", start->fs->dir), O_WRONLY | O_CREAT | O_APPEND, 0666);

	dup2(out, 1);
	dup2(out, 2);
	if (start->folder && chdir(start->folder))
		return 126;
	execl(program, "pmem2fs", start->mountpoint, "-o",
	      format("observe=off,socket=%s", start->socket), (char *)NULL);
	return 127;
}

/* Returns the exit status of the command. Its output is in the file "output" of fs->dir. */
static int start_daemon(const struct fs *fs, const struct user *user, const char *folder,
			const char *mountpoint)
{
	const struct start start = {fs, folder, mountpoint, fs->daemon.socket};

	unlink(format("%s/output", fs->dir));
	return run_as(user, exec_daemon, (void *)&start);
}

static void assert_starts(const struct fs *fs, const struct user *user, const char *folder,
			  const char *mountpoint)
{
	int status = start_daemon(fs, user, folder, mountpoint);

	if (status)
		fail_msg("%s: status %d: %s", mountpoint, status,
			 read_file(format("%s/output", fs->dir), NULL));
}

static void assert_refused(const struct fs *fs, const struct user *user, const char *mountpoint,
			   const char *message)
{
	int status = start_daemon(fs, user, fs->dir, mountpoint);

	if (status != 1 || !output_has(fs, message))
		fail_msg("%s: status %d, no \"%s\" in: %s", mountpoint, status, message,
			 read_file(format("%s/output", fs->dir), NULL));
}

/* The keeper of the daemon that serves the socket: the process that listens. */
static pid_t keeper_of(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct ucred peer = {0};
	socklen_t size = sizeof(peer);

	strcpy(address.sun_path, path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size), 0);
	close(fd);
	return peer.pid;
}

static void kill_both(struct fs *fs, bool keeper_first)
{
	struct daemon daemon = {.keeper = keeper_of(fs->daemon.socket)};
	pid_t worker = daemon_worker(&daemon);

	kill(keeper_first ? daemon.keeper : worker, SIGKILL);
	kill(keeper_first ? worker : daemon.keeper, SIGKILL);
}

/* Stops both first, so that neither sees the other's end and unmounts. */
static void kill_both_at_once(struct fs *fs)
{
	struct daemon daemon = {.keeper = keeper_of(fs->daemon.socket)};
	pid_t worker = daemon_worker(&daemon);

	kill(worker, SIGSTOP);
	kill(daemon.keeper, SIGSTOP);
	kill(worker, SIGKILL);
	kill(daemon.keeper, SIGKILL);
}

static void end_daemon(struct fs *fs)
{
	pid_t keeper = keeper_of(fs->daemon.socket);

	kill(keeper, SIGTERM);
	WAIT_UNTIL(is_gone(keeper));
	assert_int_equal(count_mounts(), 0);
}

/* Makes the folders and links that the forms below use. */
static void make_ways(const struct fs *fs)
{
	assert_int_equal(mkdir(format("%s/a", fs->dir), 0755), 0);
	assert_int_equal(symlink(fs->daemon.mnt, format("%s/link", fs->dir)), 0);
	assert_int_equal(symlink("../link/", format("%s/a/second", fs->dir)), 0);
	assert_int_equal(symlink(".", format("%s/here", fs->dir)), 0);
}

/* Paths of the mount point: $M, and paths from the folder that contains it. */
static const char *const forms[] = {
	"$M",       "$M/",      "$M//",       "mnt",
	"./mnt",    "mnt/",     "mnt/.",      "mnt/./",
	"a/../mnt", "link",     "link/",      "link/.",
	"a/second", "here/mnt", "mnt/../mnt", "mnt/../here/./mnt/",
};

#define FORMS (sizeof(forms) / sizeof(*forms))

static const char *form(const struct fs *fs, size_t i)
{
	const char *text = forms[i % FORMS];

	return text[0] == '$' ? format("%s%s", fs->daemon.mnt, text + 2) : text;
}

/*
 * The kernel has just cached the attributes of the root: for a second it answers stat(2) from them,
 * although the daemon is dead.
 */
static void fill_caches(const char *mountpoint)
{
	struct stat st;

	assert_int_equal(stat(mountpoint, &st), 0);
}

static void a_start_after_both_were_killed(struct fs *fs)
{
	make_ways(fs);
	for (unsigned i = 0; i < ROUNDS; i++) {
		assert_starts(fs, NULL, fs->dir, form(fs, i));
		assert_int_equal(count_mounts(), 1);
		assert_int_equal(mounted(fs->daemon.mnt), 1);
		map_anonymous(fs, "a", 4096);
		assert_entries(fs, "a", NULL);
		fill_caches(fs->daemon.mnt);
		kill_both(fs, i / FORMS % 2);
	}
	assert_starts(fs, NULL, NULL, fs->daemon.mnt);
	end_daemon(fs);
}

/* Names that the list of mounts shows with escapes; one of them is longer than a path can be. */
static void mount_points_that_need_escapes(struct fs *fs)
{
	const char *paths[] = {
		format("%s/a b", fs->dir),
		format("%s/tab\tnewline\nback\\slash", fs->dir),
		format("%s/\\040#\xff\xc3\xa4 - fuse.pmem2fs,", fs->dir),
		format("%s/%200s/%200s/%200s/%200s/%200s/%200s", fs->dir, "", "", "", "", "", ""),
	};

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		for (char *slash = strchr(paths[i] + strlen(fs->dir) + 1, '/'); slash;
		     slash = strchr(slash + 1, '/')) {
			*slash = '\0';
			assert_int_equal(mkdir(paths[i], 0755), 0);
			*slash = '/';
		}
		assert_int_equal(mkdir(paths[i], 0755), 0);
		for (int round = 0; round < 3; round++) {
			assert_starts(fs, NULL, NULL,
				      format("%s%s", paths[i], round == 2 ? "/" : ""));
			assert_int_equal(count_mounts(), 1);
			fill_caches(paths[i]);
			kill_both(fs, round);
		}
		assert_starts(fs, NULL, NULL, paths[i]);
		end_daemon(fs);
	}
}

static int start_from_within(void *argument)
{
	const struct start *start = argument;
	char byte;

	if (chdir(start->fs->daemon.mnt) || read(STDIN_FILENO, &byte, 1) != 1)
		return 125;
	return exec_daemon(argument);
}

/* The starting process has the root of the dead mount as its current folder. */
static void a_start_from_within_the_dead_mount(struct fs *fs)
{
	static const char *const ways[] = {".", "./", "../mnt", "../mnt/."};

	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		const struct start start = {fs, NULL, ways[i], fs->daemon.socket};
		int go[2], old = dup(STDIN_FILENO);
		pid_t child;

		assert_starts(fs, NULL, NULL, fs->daemon.mnt);
		assert_int_equal(pipe2(go, O_CLOEXEC), 0);
		dup2(go[0], STDIN_FILENO);
		child = start_as(NULL, start_from_within, (void *)&start);
		dup2(old, STDIN_FILENO);
		WAIT_UNTIL(!shell(fs, format("test $(readlink /proc/%d/cwd) = $M", (int)child)));
		kill_both_at_once(fs);
		assert_int_equal(write(go[1], "", 1), 1);
		if (finish(child))
			fail_msg("%s", read_file(format("%s/output", fs->dir), NULL));
		assert_int_equal(count_mounts(), 1);
		close(old), close(go[0]), close(go[1]);
		end_daemon(fs);
	}
}

static void offer_to_nobody(struct fs *fs)
{
	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
}

static void a_start_of_an_ordinary_user(struct fs *fs)
{
	make_ways(fs);
	offer_to_nobody(fs);
	for (unsigned i = 0; i < 2 * FORMS; i++) {
		assert_starts(fs, &user_nobody, fs->dir, form(fs, i));
		assert_int_equal(count_mounts(), 1);
		assert_int_equal(write_as(&user_nobody, entry(fs, "a"),
					  "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}"),
				 0);
		kill_both(fs, i / FORMS % 2);
	}
	assert_starts(fs, &user_nobody, NULL, fs->daemon.mnt);
	end_daemon(fs);
}

/* A user's daemon gets requests of that user only: root's are answered by the kernel. */
static void root_after_an_ordinary_user(struct fs *fs)
{
	const char *socket = format("%s", fs->daemon.socket);

	offer_to_nobody(fs);
	assert_starts(fs, &user_nobody, NULL, fs->daemon.mnt);
	strcat(fs->daemon.socket, "2");
	assert_refused(fs, NULL, fs->daemon.mnt, "mounted there already");
	strcpy(fs->daemon.socket, socket);
	assert_int_equal(read_as(&user_nobody, entry(fs, "none")), ENOENT);
	kill_both(fs, true);
	assert_starts(fs, NULL, NULL, fs->daemon.mnt);
	map_anonymous(fs, "a", 4096);
	assert_int_equal(count_mounts(), 1);
	strcat(fs->daemon.socket, "2");
	assert_refused(fs, &user_nobody, fs->daemon.mnt, "mounted there already");
	strcpy(fs->daemon.socket, socket);
	assert_entries(fs, "a", NULL);
	end_daemon(fs);
}

static void a_living_daemon_is_left_alone(struct fs *fs)
{
	const char *socket = format("%s", fs->daemon.socket);
	char *before, *after;

	make_ways(fs);
	assert_starts(fs, NULL, NULL, fs->daemon.mnt);
	map_anonymous(fs, "a", 4096);
	before = snapshot(fs);
	for (size_t i = 0; i < FORMS; i++) {
		strcat(fs->daemon.socket, "2");
		assert_refused(fs, NULL, form(fs, i), "mounted there already");
		assert_int_not_equal(access(fs->daemon.socket, F_OK), 0);
		strcpy(fs->daemon.socket, socket);
		assert_int_equal(count_mounts(), 1);
	}
	assert_refused(fs, NULL, fs->daemon.mnt, "another pmem2fs");
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
	end_daemon(fs);
}

static void a_stopped_daemon_is_left_alone(struct fs *fs)
{
	const char *socket = format("%s", fs->daemon.socket);
	struct daemon daemon = {0};
	pid_t worker;

	assert_starts(fs, NULL, NULL, fs->daemon.mnt);
	map_anonymous(fs, "a", 4096);
	daemon.keeper = keeper_of(socket);
	worker = daemon_worker(&daemon);
	kill(worker, SIGSTOP);
	strcat(fs->daemon.socket, "2");
	assert_refused(fs, NULL, fs->daemon.mnt, "does not answer");
	strcpy(fs->daemon.socket, socket);
	kill(worker, SIGCONT);
	assert_entries(fs, "a", NULL);
	assert_int_equal(count_mounts(), 1);
	end_daemon(fs);
}

static void another_file_system_that_hangs(struct fs *fs)
{
	struct statfs st;

	start_hanging(fs, "statfs");
	assert_refused(fs, NULL, hanging(fs), "does not answer");
	assert_refused(fs, NULL, format("%s/", hanging(fs)), "does not answer");
	assert_int_equal(mounted(hanging(fs)), 1);
	/* When the program ends, so do its mount and the children that were left behind. */
	kill(fs->helper, SIGKILL);
	finish(fs->helper);
	fs->helper = 0;
	assert_int_not_equal(statfs(hanging(fs), &st), 0);
	umount2(hanging(fs), MNT_DETACH);
}

/* Of many daemons that start at once, one mounts and the others fail without disturbing it. */
static void race(struct fs *fs, bool same_socket)
{
	struct start starts[RACERS];
	pid_t racers[RACERS];
	int winner = -1;

	for (int i = 0; i < RACERS; i++) {
		starts[i] = (struct start){fs, NULL, fs->daemon.mnt,
					   format("%s%d", fs->daemon.socket, same_socket ? 0 : i)};
		racers[i] = start_as(NULL, exec_daemon, &starts[i]);
	}
	for (int i = 0; i < RACERS; i++) {
		if (finish(racers[i]))
			continue;
		assert_int_equal(winner, -1);
		winner = i;
	}
	assert_int_not_equal(winner, -1);
	assert_int_equal(count_mounts(), 1);
	map_anonymous(fs, "a", 4096);
	assert_entries(fs, "a", NULL);
	strcpy(fs->daemon.socket, starts[winner].socket);
}

static void many_start_at_once(struct fs *fs)
{
	const char *socket = format("%s", fs->daemon.socket);

	for (int round = 0; round < 6; round++) {
		race(fs, round % 2);
		if (round < 5)
			kill_both(fs, round % 3 == 0);
		else
			end_daemon(fs);
		strcpy(fs->daemon.socket, socket);
	}
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(a_start_after_both_were_killed, .no_daemon = true, .limit = 400),
		FS_TEST(mount_points_that_need_escapes, .no_daemon = true),
		FS_TEST(a_start_from_within_the_dead_mount, .no_daemon = true),
		FS_TEST(a_start_of_an_ordinary_user, .no_daemon = true, .limit = 300),
		FS_TEST(root_after_an_ordinary_user, .no_daemon = true),
		FS_TEST(a_living_daemon_is_left_alone, .no_daemon = true),
		FS_TEST(a_stopped_daemon_is_left_alone, .no_daemon = true),
		FS_TEST(another_file_system_that_hangs, .no_daemon = true),
		FS_TEST(many_start_at_once, .no_daemon = true),
	};

	return fs_run(argc, argv, "start", tests, sizeof(tests) / sizeof(*tests));
}
