/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_option_words.c - each word after -o has an effect, is ignored or is refused, as the manual
 * says
 *
 * Reads the lists of words in the manual, $PMEM2FS_MANUAL. For each word that is obeyed there is a
 * test of its effect; each ignored word must change nothing; all other known words must be refused.
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORDS_MAX 100

/*
 * Words of FUSE, libfuse, fusermount3, mount.fuse3, mount(8) and SELinux. Must be refused, unless
 * the manual lists them.
 */
static const char *const known_words[] = {
	"allow_root",
	"allow_other",
	"auto_unmount",
	"default_permissions",
	"blkdev",
	"blksize=512",
	"fd=7",
	"user_id=0",
	"group_id=0",
	"max_read=4096",
	"max_write=4096",
	"max_readahead=0",
	"max_background=9",
	"congestion_threshold=9",
	"fsname=x",
	"subtype=x",
	"nonempty",
	"large_read",
	"kernel_cache",
	"auto_cache",
	"noauto_cache",
	"direct_io",
	"hard_remove",
	"use_ino",
	"readdir_ino",
	"umask=022",
	"uid=0",
	"gid=0",
	"entry_timeout=1",
	"attr_timeout=1",
	"ac_attr_timeout=1",
	"negative_timeout=1",
	"noforget",
	"remember=1",
	"modules=subdir",
	"subdir=/",
	"intr",
	"intr_signal=1",
	"nopath",
	"async_read",
	"sync_read",
	"atomic_o_trunc",
	"no_remote_lock",
	"no_remote_flock",
	"no_remote_posix_lock",
	"splice_read",
	"no_splice_write",
	"big_writes",
	"writeback_cache",
	"clone_fd",
	"max_idle_threads=1",
	"max_threads=1",
	"setuid=nobody",
	"drop_privileges",
	"ro",
	"rw",
	"suid",
	"nosuid",
	"dev",
	"nodev",
	"exec",
	"noexec",
	"sync",
	"async",
	"dirsync",
	"atime",
	"noatime",
	"diratime",
	"nodiratime",
	"relatime",
	"norelatime",
	"strictatime",
	"nostrictatime",
	"lazytime",
	"nolazytime",
	"mand",
	"nomand",
	"iversion",
	"noiversion",
	"silent",
	"loud",
	"symfollow",
	"nosymfollow",
	"remount",
	"bind",
	"rbind",
	"move",
	"private",
	"shared",
	"slave",
	"unbindable",
	"loop",
	"offset=1",
	"sizelimit=1",
	"defaults",
	"auto",
	"noauto",
	"user",
	"nouser",
	"users",
	"nousers",
	"owner",
	"noowner",
	"group",
	"nogroup",
	"nofail",
	"_netdev",
	"comment=x",
	"helper=x",
	"uhelper=x",
	"x-systemd.automount",
	"x-",
	"X-mount.mkdir",
	"X-mount.mode=700",
	"context=x",
	"fscontext=x",
	"defcontext=x",
	"rootcontext=x",
	"seclabel",
	"size=1",
	"mode",
	"mdoe=400",
	"rootmode",
	"foreground",
	"help",
	"version",
	"worker",
	"-f",
	"debug=1",
	"allow_other=1",
	"nofail=1",
	"rw=1",
	"noexec ",
	"RW",
};

struct words {
	char *word[WORDS_MAX];
	size_t count;
};

static void add_word(struct words *words, const char *word, size_t length)
{
	assert_true(words->count < WORDS_MAX && length > 0);
	words->word[words->count++] = strndup(word, length);
}

static void free_words(struct words *words)
{
	for (size_t i = 0; i < words->count; i++)
		free(words->word[i]);
}

static const char *next_line(const char *line)
{
	line = strchr(line, '\n');
	return line ? line + 1 : NULL;
}

/* The text of one section of the manual. */
static char *read_section(const char *title)
{
	char *text = read_file(getenv("PMEM2FS_MANUAL"), NULL), *section, *end;

	assert_non_null(text);
	section = strstr(text, format(".SS %s\n", title));
	assert_non_null(section);
	end = strstr(section + 1, "\n.S");
	section = strndup(section, (size_t)(end - section));
	free(text);
	return section;
}

/* Reads the first word behind each .TP and .TQ, without its value. */
static void read_obeyed(struct words *words)
{
	char *text = read_section("Words that are obeyed");
	const char *line = text;

	while ((line = next_line(line))) {
		if (strncmp(line, ".TP\n", 4) && strncmp(line, ".TQ\n", 4))
			continue;
		line = strchr(next_line(line), ' ') + 1; /* skips the macro */
		if (line[strcspn(line, "=\n ")] == '=')
			add_word(words, line, strcspn(line, "=") + 1);
		else
			add_word(words, line, strcspn(line, "\n "));
	}
	free(text);
}

/* Reads all words between .nf and .fi. */
static void read_ignored(struct words *words)
{
	char *text = read_section("Words that are ignored"), *begin, *word, *rest;

	begin = strstr(text, "\n.nf\n");
	assert_non_null(begin);
	begin += 5;
	*strstr(begin, ".fi\n") = '\0';
	for (word = strtok_r(begin, " \n", &rest); word; word = strtok_r(NULL, " \n", &rest))
		add_word(words, word, strlen(word));
	free(text);
}

static bool begins_others(const char *word)
{
	char last = word[strlen(word) - 1];

	return last == '=' || last == '-';
}

static bool has_word(const struct words *words, const char *word)
{
	for (size_t i = 0; i < words->count; i++) {
		const char *listed = words->word[i];

		if (begins_others(listed) ? !strncmp(word, listed, strlen(listed))
					  : !strcmp(word, listed))
			return true;
	}
	return false;
}

/* The mount options and file system options that the kernel shows of the test's mount. */
static char *shown_options(const struct fs *fs)
{
	char *text = read_file("/proc/self/mountinfo", NULL), *line, *end;

	assert_non_null(text);
	/* Starts at the mount point: the numbers before it differ each time. */
	line = strstr(text, format(" %s ", fs->daemon.mnt));
	assert_non_null(line);
	end = strchr(line, '\n');
	line = strndup(line, (size_t)(end - line));
	free(text);
	return line;
}

static bool shows_option(const struct fs *fs, const char *option)
{
	char *options = shown_options(fs), *rest = options, *word;
	bool found = false;

	while ((word = strsep(&rest, " ,")))
		found |= !strcmp(word, option);
	free(options);
	return found;
}

static void start_with(struct fs *fs, const struct user *user, const char *words)
{
	daemon_spawn(&fs->daemon, user, words, NULL);
	daemon_wait_mounted(&fs->daemon);
}

/* Tests of effects. Each starts a daemon with the word, and ends it. */

static void has_mode(struct fs *fs)
{
	struct stat st;

	start_with(fs, NULL, "mode=0440");
	map_anonymous(fs, "a", 4096);
	assert_int_equal(stat(entry(fs, "a"), &st), 0);
	assert_int_equal(st.st_mode & 07777, 0440);
}

static void has_rootmode(struct fs *fs)
{
	struct stat st;

	start_with(fs, NULL, "rootmode=1770");
	assert_int_equal(stat(fs->daemon.mnt, &st), 0);
	assert_int_equal(st.st_mode & 07777, 01770);
}

static int stat_child(void *argument)
{
	struct stat st;

	return stat(argument, &st) ? errno : 0;
}

static bool waits_in_stat(pid_t pid)
{
	char *text = read_file(format("/proc/%d/syscall", (int)pid), NULL);
	long number;
	bool waits = text && sscanf(text, "%ld", &number) == 1 &&
		     (number == SYS_stat || number == SYS_newfstatat);

	free(text);
	return waits;
}

/* With timeout=0 the kernel asks the daemon again at once. */
static void has_timeout(struct fs *fs)
{
	struct stat st;
	pid_t worker, child;

	start_with(fs, NULL, "timeout=0");
	worker = daemon_worker(&fs->daemon);
	assert_int_equal(stat(fs->daemon.mnt, &st), 0);
	kill(worker, SIGSTOP);
	child = start_as(NULL, stat_child, fs->daemon.mnt);
	WAIT_UNTIL(waits_in_stat(child));
	kill(worker, SIGCONT);
	assert_int_equal(finish(child), 0);
}

static void has_socket(struct fs *fs)
{
	struct stat st;

	strcat(fs->daemon.socket, ".other");
	start_with(fs, NULL, NULL); /* the fixture says socket= */
	assert_int_equal(stat(fs->daemon.socket, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
}

static const char anonymous[] = "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}";

static void has_max(struct fs *fs)
{
	start_with(fs, NULL, "max=1");
	assert_int_equal(write_text(entry(fs, "a"), anonymous), 0);
	assert_int_equal(write_text(entry(fs, "b"), anonymous), ENOSPC);
}

static void has_max_user(struct fs *fs)
{
	start_with(fs, NULL, "rootmode=1777,max_user=1");
	assert_int_equal(write_as(&user_a, entry(fs, "a"), anonymous), 0);
	assert_int_equal(write_as(&user_a, entry(fs, "b"), anonymous), EDQUOT);
	assert_int_equal(write_as(&user_b, entry(fs, "b"), anonymous), 0);
}

static void early_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "early");
	halt(me);
}

/* Only with observe=1 the daemon finds a mapping that a process made before the daemon started. */
static void has_observe(struct fs *fs)
{
	struct publisher p;

	make_source(fs, "file", 65536);
	publisher_start(fs, &p, NULL, early_script);
	fs_observes = false;
	start_with(fs, NULL, NULL); /* the fixture says observe= */
	assert_false(shown(fs, published_name(&p, "early")));
	daemon_stop(&fs->daemon);
	fs_observes = true;
	start_with(fs, NULL, NULL);
	assert_true(shown(fs, published_name(&p, "early")));
	fs_observes = false;
	publisher_end(&p);
}

static int list_child(void *argument)
{
	return access(argument, R_OK) ? errno : 0;
}

static void lets_others_in(struct fs *fs)
{
	start_with(fs, NULL, "allow_other");
	assert_true(shows_option(fs, "allow_other"));
	assert_int_equal(run_as(&user_a, list_child, fs->daemon.mnt), 0);
}

static void is_so_in_any_case(struct fs *fs)
{
	static const char *const words[] = {"default_permissions", "rw", "nosuid", "nodev",
					    "noexec"};

	start_with(fs, NULL, "default_permissions,rw,nosuid,nodev,noexec");
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		assert_true(shows_option(fs, words[i]));
}

static void logs_more(struct fs *fs)
{
	start_with(fs, NULL, NULL);
	map_anonymous(fs, "a", 4096);
	assert_true(fs->daemon.keeper > 0);
	daemon_stop(&fs->daemon);
	assert_int_not_equal(shell(fs, format("grep 'a: mapped' %s", fs->daemon.log)), 0);
	start_with(fs, NULL, "debug");
	map_anonymous(fs, "a", 4096);
	assert_true(log_has(&fs->daemon, "a: mapped"));
}

static const struct {
	const char *word;
	void (*effect)(struct fs *fs);
} effects[] = {
	{"mode=", has_mode},
	{"rootmode=", has_rootmode},
	{"timeout=", has_timeout},
	{"socket=", has_socket},
	{"max=", has_max},
	{"max_user=", has_max_user},
	{"observe=", has_observe},
	{"allow_other", lets_others_in},
	{"default_permissions", is_so_in_any_case},
	{"rw", is_so_in_any_case},
	{"nosuid", is_so_in_any_case},
	{"nodev", is_so_in_any_case},
	{"noexec", is_so_in_any_case},
	{"debug", logs_more},
};

#define EFFECTS (sizeof(effects) / sizeof(*effects))

static void obeyed_words_have_effects(struct fs *fs)
{
	struct words words = {.count = 0};

	read_obeyed(&words);
	assert_int_equal(words.count, EFFECTS);
	for (size_t i = 0; i < EFFECTS; i++) {
		assert_string_equal(words.word[i], effects[i].word);
		if (i && effects[i].effect == effects[i - 1].effect)
			continue;
		effects[i].effect(fs);
		daemon_stop(&fs->daemon);
	}
	free_words(&words);
}

static char *options_with(struct fs *fs, const struct user *user, const char *words)
{
	char *options;

	start_with(fs, user, words);
	options = shown_options(fs);
	daemon_stop(&fs->daemon);
	return options;
}

static void assert_changes_nothing(struct fs *fs, const struct user *user, const char *words,
				   const char *expected)
{
	char *options = options_with(fs, user, words);

	assert_string_equal(options, expected);
	free(options);
}

static void ignored_words_have_none(struct fs *fs)
{
	struct words words = {.count = 0};
	const char *all = "";
	char *expected = options_with(fs, NULL, NULL);

	read_ignored(&words);
	assert_true(words.count > 10);
	for (size_t i = 0; i < words.count; i++) {
		const char *word = words.word[i];

		word = begins_others(word) ? format("%sany", word) : word;
		assert_changes_nothing(fs, NULL, word, expected);
		all = format("%s,%s", all, word);
	}
	free_words(&words);
	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	free(expected);
	expected = options_with(fs, &user_nobody, NULL);
	assert_changes_nothing(fs, &user_nobody, all, expected);
	free(expected);
}

static void other_words_are_refused(struct fs *fs)
{
	struct words words = {.count = 0};
	unsigned refused = 0;

	read_obeyed(&words);
	read_ignored(&words);
	setenv("P", getenv("PMEM2FS_DAEMON"), 1);
	setenv("S", fs->daemon.socket, 1);
	assert_int_equal(chmod(fs->dir, 01777), 0);
	for (size_t i = 0; i < sizeof(known_words) / sizeof(*known_words); i++) {
		if (has_word(&words, known_words[i]))
			continue;
		refused++;
		for (int as_root = 0; as_root < 2; as_root++) {
			const char *run = format("$P $M -o \"rw,%s,socket=$S\"", known_words[i]);
			int status = shell(
				fs, as_root ? run : format("su -s /bin/sh nobody -c '%s'", run));

			if (status != 2 || !output_has(fs, format("%s: ", known_words[i])))
				fail_msg("%s: status %d: %s", known_words[i], status,
					 read_file(format("%s/output", fs->dir), NULL));
			assert_int_equal(mounted(fs->daemon.mnt), 0);
		}
	}
	assert_true(refused > 50);
	free_words(&words);
}

static void set_fuse_conf(const char *text)
{
	if (!mounted("/etc/fuse.conf")) /* without a mount it would be the machine's file */
		skip();
	assert_int_equal(write_text("/etc/fuse.conf", text), 0);
}

/*
 * fusermount3 decides whether it is allowed. The daemon gives other users none of its user's
 * rights.
 */
static void a_user_lets_others_in(struct fs *fs)
{
	const char *secret;

	set_fuse_conf("");
	assert_int_equal(chmod(fs->dir, 01777), 0);
	assert_int_equal(chown(fs->daemon.mnt, user_nobody.uid, user_nobody.gid), 0);
	daemon_spawn(&fs->daemon, &user_nobody, "allow_other", NULL);
	assert_int_equal(daemon_wait(&fs->daemon), 1);
	assert_true(log_has(&fs->daemon, "allow_other.*user_allow_other"));
	assert_int_equal(mounted(fs->daemon.mnt), 0);

	set_fuse_conf("user_allow_other\n");
	start_with(fs, &user_nobody, NULL);
	assert_int_equal(run_as(&user_a, list_child, fs->daemon.mnt), EACCES);
	assert_false(shows_option(fs, "allow_other"));
	daemon_stop(&fs->daemon);

	start_with(fs, &user_nobody, "allow_other,rootmode=1777,mode=444");
	assert_true(shows_option(fs, "allow_other"));
	assert_true(shows_option(fs, "noexec"));
	secret = make_source(fs, "secret", 65536);
	assert_int_equal(chmod(secret, 0600), 0);
	assert_int_equal(chown(secret, user_nobody.uid, user_nobody.gid), 0);
	assert_int_equal(write_as(&user_nobody, entry(fs, "a"), request_of(secret)), 0);
	assert_int_equal(read_as(&user_a, entry(fs, "a")), 0);
	assert_int_equal(write_as(&user_a, entry(fs, "b"), request_of(secret)), EACCES);
	assert_int_equal(write_as(&user_a, entry(fs, "b"), anonymous), 0);
	assert_int_equal(unlink_as(&user_a, entry(fs, "a")), EPERM);
	unmap_as(&user_a, fs, "b");
	/* Only into the mount: pmem2ctl does not rely on the word of another user's daemon. */
	assert_int_equal(
		shell(fs, format("cp %s $D/ctl && chmod 755 $D/ctl", getenv("PMEM2FS_CTL"))), 0);
	assert_int_equal(shell_as(&user_nobody, fs, format("$D/ctl -s %s list", fs->daemon.socket)),
			 0);
	assert_int_not_equal(shell_as(&user_a, fs, format("$D/ctl -s %s list", fs->daemon.socket)),
			     0);
	assert_true(output_has(fs, "run by neither root nor you"));

	/* The mount of the next worker has the same options. */
	kill(daemon_worker(&fs->daemon), SIGKILL);
	WAIT_UNTIL(read_as(&user_a, entry(fs, "a")) == 0);
	assert_true(shows_option(fs, "allow_other"));
	set_fuse_conf("");
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(obeyed_words_have_effects, .no_daemon = true),
		FS_TEST(ignored_words_have_none, .no_daemon = true, .limit = 300),
		FS_TEST(other_words_are_refused, .no_daemon = true, .limit = 300),
		FS_TEST(a_user_lets_others_in, .no_daemon = true),
	};

	return fs_run(argc, argv, "option_words", tests, sizeof(tests) / sizeof(*tests));
}
