/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lifecycle.c - start and end of the daemon, the death of its processes, its command line
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

static void map_two(const struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", 65536));
	map_anonymous(fs, "b", 8192);
}

static bool exists(const char *path)
{
	return access(path, F_OK) == 0;
}

static bool is_gone(pid_t pid)
{
	return kill(pid, 0) != 0 && errno == ESRCH;
}

static void the_worker_dies(struct fs *fs)
{
	json_t *before, *after;

	map_two(fs);
	before = document(fs, "a");
	for (int i = 0; i < 3; i++) {
		pid_t worker = daemon_worker(&fs->daemon);

		assert_true(worker > 0);
		assert_int_equal(kill(worker, SIGKILL), 0);
		WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
		WAIT_UNTIL(exists(entry(fs, "a")));
		assert_int_equal(mounted(fs->daemon.mnt), 1);
		assert_entries(fs, "a", "b", NULL);
		after = document(fs, "a");
		assert_true(json_equal(before, after));
		json_decref(after);
		assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
		map_source(fs, "c", source(fs, "file"));
		unmap(fs, "c");
	}
	json_decref(before);
	unmap(fs, "a");
	unmap(fs, "b");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
}

/* The last inode numbers were assigned by a worker that no longer runs. */
static void inodes_are_not_reused_by_the_next_worker(struct fs *fs)
{
	struct stat a, b, c;
	pid_t worker;

	map_anonymous(fs, "a", 4096);
	map_anonymous(fs, "b", 4096);
	assert_int_equal(stat(entry(fs, "a"), &a), 0);
	assert_int_equal(stat(entry(fs, "b"), &b), 0);
	unmap(fs, "b");
	worker = daemon_worker(&fs->daemon);
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker && exists(entry(fs, "a")));
	map_anonymous(fs, "c", 4096);
	assert_int_equal(stat(entry(fs, "c"), &c), 0);
	assert_true(c.st_ino != a.st_ino);
	assert_true(c.st_ino != b.st_ino);
}

static int wait_for_end(void *argument)
{
	const char *path = argument;
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	for (;;) {
		if (fd < 0 || write(fd, " ", 1) < 0)
			return errno;
		sleep_ms(20); /* often enough */
	}
}

/* Whether the process is in the sleep after its write. */
static bool waits_between(pid_t pid)
{
	char *text = read_file(format("/proc/%d/syscall", (int)pid), NULL);
	long number;
	bool waits = text && sscanf(text, "%ld", &number) == 1 &&
		     (number == SYS_poll || number == SYS_ppoll);

	free(text);
	return waits;
}

static void callers_of_a_worker_that_dies_get_an_error(struct fs *fs)
{
	char path[128];
	pid_t writer, worker = daemon_worker(&fs->daemon);

	map_two(fs);
	snprintf(path, sizeof(path), "%s", entry(fs, "wanted"));
	writer = start_as(NULL, wait_for_end, path);
	WAIT_UNTIL(waits_between(writer));
	kill(worker, SIGKILL);
	assert_true(finish(writer) > 0);
	WAIT_UNTIL(exists(entry(fs, "a")));
	assert_entries(fs, "a", "b", NULL);
}

static void the_keeper_dies(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	map_two(fs);
	kill(fs->daemon.keeper, SIGKILL);
	assert_int_equal(daemon_wait(&fs->daemon), -SIGKILL);
	WAIT_UNTIL(!mounted(fs->daemon.mnt));
	WAIT_UNTIL(is_gone(worker));
	assert_false(exists(entry(fs, "a")));
	assert_int_equal(errno, ENOENT);
	daemon_start(&fs->daemon, NULL);
	assert_entries(fs, NULL);
	map_two(fs);
}

static bool is_fuse(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == FUSE_SUPER_MAGIC;
}

static void both_die_and_another_starts(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	map_two(fs);
	assert_int_equal(kill(worker, SIGSTOP), 0);
	kill(fs->daemon.keeper, SIGKILL);
	kill(worker, SIGKILL);
	assert_int_equal(daemon_wait(&fs->daemon), -SIGKILL);
	WAIT_UNTIL(is_gone(worker));
	assert_false(exists(entry(fs, "a")));
	assert_int_equal(errno, ENOTCONN);
	daemon_spawn(&fs->daemon, NULL, NULL, NULL);
	WAIT_UNTIL(is_fuse(fs->daemon.mnt));
	map_anonymous(fs, "c", 4096);
	assert_int_equal(mounted(fs->daemon.mnt), 1);
	assert_entries(fs, "c", NULL);
}

static void a_signal_ends_it(struct fs *fs)
{
	int number = *(const int *)fs->test->data;
	pid_t worker = daemon_worker(&fs->daemon);

	map_two(fs);
	kill(fs->daemon.keeper, number);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
	assert_int_equal(mounted(fs->daemon.mnt), 0);
	WAIT_UNTIL(is_gone(worker));
	assert_false(exists(fs->daemon.socket));
	assert_false(exists(entry(fs, "a")));
	assert_int_equal(errno, ENOENT);
}

/* Ctrl-C goes to both processes at once. */
static void a_signal_to_both_ends_it(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	map_two(fs);
	kill(worker, SIGINT);
	kill(fs->daemon.keeper, SIGINT);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
	assert_int_equal(mounted(fs->daemon.mnt), 0);
	WAIT_UNTIL(is_gone(worker));
}

static void it_ends_while_in_use(struct fs *fs)
{
	char text[4096];
	int fd, folder;

	map_two(fs);
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	folder = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0 && folder >= 0);
	daemon_stop(&fs->daemon);
	assert_int_equal(read(fd, text, sizeof(text)), -1);
	close(fd);
	close(folder);
}

static void umount_ends_it(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	map_two(fs);
	assert_int_equal(umount2(fs->daemon.mnt, 0), 0);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
	WAIT_UNTIL(is_gone(worker));
	assert_false(exists(fs->daemon.socket));
	daemon_start(&fs->daemon, NULL);
	assert_entries(fs, NULL);
}

static void lazy_umount_ends_it(struct fs *fs)
{
	map_two(fs);
	assert_int_equal(umount2(fs->daemon.mnt, MNT_DETACH), 0);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
}

static void forced_umount_ends_it(struct fs *fs)
{
	map_two(fs);
	assert_int_equal(umount2(fs->daemon.mnt, MNT_FORCE), 0);
	assert_int_equal(daemon_wait(&fs->daemon), 0);
}

struct observed_range {
	const char *script; /* $P is the daemon, $S a socket, $M the mount point */
	int status;         /* -1: anything but 0 */
	const char *output;
};

static int shell_with_daemon(struct fs *fs, const char *script)
{
	setenv("P", getenv("PMEM2FS_DAEMON"), 1);
	setenv("S", fs->daemon.socket, 1);
	return shell(fs, script);
}

static void run_of(struct fs *fs)
{
	const struct observed_range *run = fs->test->data;
	int status = shell_with_daemon(fs, run->script);

	if (run->status < 0 ? status <= 0 || status > 2 : status != run->status)
		fail_msg("status %d: %s", status, read_file(format("%s/output", fs->dir), NULL));
	if (!output_has(fs, run->output))
		fail_msg("no \"%s\" in: %s", run->output,
			 read_file(format("%s/output", fs->dir), NULL));
	assert_int_equal(mounted(fs->daemon.mnt), 0);
}

/* Without -f the command returns when it is mounted, not before. */
static void it_returns_when_mounted(struct fs *fs)
{
	pid_t keeper;
	json_t *root;

	for (int i = 0; i < 3; i++) {
		assert_int_equal(shell_with_daemon(fs, "$P $M -o socket=$S && echo ' {\"source\":"
						       "{\"type\":\"anonymous\",\"size\":4096}}' > "
						       "$M/a"),
				 0);
		assert_int_equal(mounted(fs->daemon.mnt), 1);
		root = document(fs, "a");
		keeper = (pid_t)number_of(json_object_get(root, "owner"), "pid");
		json_decref(root);
		assert_int_equal(
			shell(fs, format("test $(readlink /proc/%d/cwd) = /", (int)keeper)), 0);
		kill(keeper, SIGTERM);
		WAIT_UNTIL(is_gone(keeper));
		assert_int_equal(mounted(fs->daemon.mnt), 0);
	}
}

/* The daemon keeps no descriptor of the process that started it: a pipe from it reaches its end. */
static void it_lets_go_of_its_caller(struct fs *fs)
{
	assert_int_equal(shell_with_daemon(fs, "$P $M -o socket=$S 2>&1 | cat; test -z "
					       "\"$(ls -A $M)\" && umount $M"),
			 0);
	assert_int_equal(mounted(fs->daemon.mnt), 0);
}

static void words_of_mount_are_ignored(struct fs *fs)
{
	map_two(fs);
	assert_entries(fs, "a", "b", NULL);
}

/* As mount(8) and fstab call it, with a source before the mount point. */
static void it_takes_a_source(struct fs *fs)
{
	assert_int_equal(shell_with_daemon(fs, "$P none $M -o rw,dev,suid,socket=$S && umount $M"),
			 0);
	WAIT_UNTIL(!exists(fs->daemon.socket)); /* gone a moment after the unmount */
	assert_int_equal(shell_with_daemon(fs, "$P -o socket=$S -o mode=0444 none $M && "
					       "grep \" $M fuse\" /proc/self/mounts && umount $M"),
			 0);
}

static void two_daemons(struct fs *fs)
{
	struct daemon second;

	daemon_init(fs, &second, "2");
	daemon_start(&second, NULL);
	map_two(fs);
	assert_int_equal(write_text(format("%s/c", second.mnt),
				    format("{\"source\":{\"path\":\"%s\"}}", source(fs, "file"))),
			 0);
	assert_entries(fs, "a", "b", NULL);
	assert_false(exists(format("%s/a", second.mnt)));
	/* A file of the other daemon is on FUSE. */
	assert_int_equal(write_text(format("%s/d", second.mnt),
				    format("{\"source\":{\"path\":\"%s\"}}", entry(fs, "a"))),
			 EOPNOTSUPP);
	daemon_stop(&second);
	daemon_check_log(&second);
	assert_entries(fs, "a", "b", NULL);
	json_decref(document(fs, "a"));
}

static void two_daemons_on_one_socket(struct fs *fs)
{
	struct daemon second;

	map_two(fs);
	daemon_init(fs, &second, "2");
	strcpy(second.socket, fs->daemon.socket);
	daemon_spawn(&second, NULL, NULL, NULL);
	assert_int_equal(daemon_wait(&second), 1);
	assert_true(log_has(&second, format("%s.*([Ii]n use|already|another)", second.socket)));
	assert_int_equal(mounted(second.mnt), 0);
	assert_true(exists(fs->daemon.socket));
	assert_entries(fs, "a", "b", NULL);
	assert_int_equal(shell(fs, "rmdir $M/../mnt2"), 0);
}

static bool as_nobody_has(const struct fs *fs, const char *script)
{
	return shell(fs, format("su -s /bin/sh nobody -c '%s'", script)) == 0;
}

static void as_an_ordinary_user(struct fs *fs)
{
	char path[128], text[256];

	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	make_source(fs, "file", 65536);
	make_source(fs, "secret", 65536);
	assert_int_equal(chmod(source(fs, "secret"), 0600), 0);
	snprintf(path, sizeof(path), "%s", entry(fs, "a"));
	snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}", source(fs, "file"));
	daemon_spawn(&fs->daemon, &user_nobody, NULL, NULL);
	daemon_wait_mounted(&fs->daemon);

	assert_int_equal(write_as(&user_nobody, path, text), 0);
	assert_int_equal(read_as(&user_nobody, path), 0);
	assert_int_equal(read_as(&user_a, path), EACCES);
	assert_int_equal(read_as(NULL, path), EACCES);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	assert_true(as_nobody_has(fs, "test $(stat -c %U:%a $M/a) = nobody:400"));
	assert_true(as_nobody_has(fs, "test \"$(ls $M)\" = a && grep -q mapp $M/a || cat $M/a"));
	assert_int_equal(write_as(&user_nobody, format("%s2", path),
				  format("{\"source\":{\"path\":\"%s\"}}", source(fs, "secret"))),
			 EACCES);
	assert_true(as_nobody_has(fs, "cat $M/a > $M/../saved && rm $M/a && cp $M/../saved $M/a"));
	assert_int_equal(unlink_as(&user_nobody, path), 0);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
	assert_true(as_nobody_has(fs, "fusermount3 -u $M"));
	assert_int_equal(daemon_wait(&fs->daemon), 0);
	assert_int_equal(mounted(fs->daemon.mnt), 0);
}

static void as_an_ordinary_user_by_signal(struct fs *fs)
{
	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	for (int i = 0; i < 2; i++) {
		daemon_spawn(&fs->daemon, &user_nobody, NULL, NULL);
		daemon_wait_mounted(&fs->daemon);
		daemon_stop(&fs->daemon);
		assert_false(exists(fs->daemon.socket));
	}
}

static void as_an_ordinary_user_the_worker_dies(struct fs *fs)
{
	pid_t worker;

	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	daemon_spawn(&fs->daemon, &user_nobody, NULL, NULL);
	daemon_wait_mounted(&fs->daemon);
	assert_int_equal(write_as(&user_nobody, entry(fs, "a"),
				  "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}"),
			 0);
	worker = daemon_worker(&fs->daemon);
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
	WAIT_UNTIL(read_as(&user_nobody, entry(fs, "a")) == 0);
	daemon_stop(&fs->daemon);
}

static void as_an_ordinary_user_the_keeper_dies(struct fs *fs)
{
	pid_t worker;

	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	daemon_spawn(&fs->daemon, &user_nobody, NULL, NULL);
	daemon_wait_mounted(&fs->daemon);
	worker = daemon_worker(&fs->daemon);
	kill(fs->daemon.keeper, SIGKILL);
	daemon_wait(&fs->daemon);
	WAIT_UNTIL(!mounted(fs->daemon.mnt));
	WAIT_UNTIL(is_gone(worker));
}

#define RUN(n, s, o, ...)                                                                          \
	{                                                                                          \
		.name = n, .function = run_of, .no_daemon = true,                                  \
		.data = &(const struct observed_range)                                             \
		{                                                                                  \
			.script = __VA_ARGS__, .status = s, .output = o                            \
		}                                                                                  \
	}
#define SIGNAL(n)                                                                                  \
	{                                                                                          \
		.name = #n "_ends_it", .function = a_signal_ends_it, .data = &(const int)          \
		{                                                                                  \
			n                                                                          \
		}                                                                                  \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(the_worker_dies),
		FS_TEST(inodes_are_not_reused_by_the_next_worker),
		FS_TEST(callers_of_a_worker_that_dies_get_an_error),
		FS_TEST(the_keeper_dies),
		FS_TEST(both_die_and_another_starts),
		SIGNAL(SIGTERM),
		SIGNAL(SIGINT),
		SIGNAL(SIGHUP),
		FS_TEST(a_signal_to_both_ends_it),
		FS_TEST(it_ends_while_in_use),
		FS_TEST(umount_ends_it),
		FS_TEST(lazy_umount_ends_it),
		FS_TEST(forced_umount_ends_it),
		RUN("help", 0, "MOUNTPOINT", "$P -h"),
		RUN("version", 0, "0.1.0", "$P -V"),
		RUN("no_argument", 2, "mount point", "$P"),
		RUN("unknown_option", 2, "frobnicate", "$P --frobnicate $M"),
		RUN("unknown_letter", 2, "z", "$P -z $M"),
		RUN("too_many_arguments", 2, "too many", "$P none $M $M"),
		RUN("o_without_words", 2, "o", "$P $M -o"),
		RUN("bad_mode", 2, "mode", "$P $M -o socket=$S,mode=rw"),
		RUN("mode_too_large", 2, "mode", "$P $M -o socket=$S,mode=77777"),
		RUN("bad_rootmode", 2, "rootmode", "$P $M -o socket=$S,rootmode="),
		RUN("bad_timeout", 2, "timeout", "$P $M -o socket=$S,timeout=soon"),
		RUN("negative_timeout", 2, "timeout", "$P $M -o socket=$S,timeout=-1"),
		RUN("bad_max", 2, "max", "$P $M -o socket=$S,max=many"),
		RUN("negative_max", 2, "max", "$P $M -o socket=$S,max=-1"),
		RUN("huge_max", 2, "max", "$P $M -o socket=$S,max=99999999999999999999"),
		RUN("bad_max_user", 2, "max_user", "$P $M -o socket=$S,max_user=1x"),
		RUN("no_mount_point", -1, "none", "$P $D/none -o socket=$S"),
		RUN("no_mount_point_f", -1, "none", "$P $D/none -f -o socket=$S"),
		RUN("mount_point_is_a_file", -1, "file", "touch $D/file; $P $D/file -o socket=$S"),
		RUN("mount_point_of_an_ordinary_user", -1, "mnt",
		    "chmod 1777 $D/..; su -s /bin/sh nobody -c '$P $M -o socket=$S'"),
		RUN("socket_without_folder", -1, "file/socket",
		    "touch $D/file; $P $M -o socket=$D/file/socket"),
		RUN("socket_too_long", -1, "socket",
		    "$P $M -o socket=$D/$(printf %200s | tr ' ' x)"),
		RUN("socket_is_a_file", -1, "data/file",
		    "echo precious > $D/file; $P $M -o socket=$D/file; s=$?; "
		    "grep -q precious $D/file || exit 99; exit $s"),
		FS_TEST(it_returns_when_mounted, .no_daemon = true),
		FS_TEST(it_lets_go_of_its_caller, .no_daemon = true),
		FS_TEST(words_of_mount_are_ignored,
			.options =
				"nofail,_netdev,x-foo,x-systemd.automount,rw,dev,suid,exec,noauto,"
				"user,defaults"),
		FS_TEST(it_takes_a_source, .no_daemon = true),
		FS_TEST(two_daemons),
		FS_TEST(two_daemons_on_one_socket),
		FS_TEST(as_an_ordinary_user, .no_daemon = true),
		FS_TEST(as_an_ordinary_user_by_signal, .no_daemon = true),
		FS_TEST(as_an_ordinary_user_the_worker_dies, .no_daemon = true),
		FS_TEST(as_an_ordinary_user_the_keeper_dies, .no_daemon = true),
	};

	return fs_run(argc, argv, "lifecycle", tests, sizeof(tests) / sizeof(*tests));
}
