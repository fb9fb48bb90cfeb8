/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_kvstore.c - the example key-value store releases its region when the entry is removed
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct store {
	pid_t pid;
	FILE *to, *from;
	const char *entry; /* of the mount */
};

static void start(struct fs *fs, struct store *store, const char *path)
{
	int to[2], from[2];

	assert_int_equal(pipe2(to, O_CLOEXEC), 0);
	assert_int_equal(pipe2(from, O_CLOEXEC), 0);
	fs->helper = store->pid = fork();
	if (store->pid == 0) {
		setenv("PMEM2FS_SOCKET", fs->daemon.socket, 1);
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		execl(getenv("PMEM2FS_KVSTORE"), "kvstore", path, NULL);
		_exit(127);
	}
	close(to[0]);
	close(from[1]);
	store->to = fdopen(to[1], "we");
	store->from = fdopen(from[0], "re");
	setlinebuf(store->to);
	store->entry = entry(fs, format("kvstore.%d.kvstore", (int)store->pid));
}

static const char *hear(struct store *store)
{
	static char answer[256];

	assert_non_null(fgets(answer, sizeof(answer), store->from));
	answer[strcspn(answer, "\n")] = '\0';
	return answer;
}

static const char *say(struct store *store, const char *command)
{
	fprintf(store->to, "%s\n", command);
	return hear(store);
}

static void end(struct fs *fs, struct store *store)
{
	int status;

	fprintf(store->to, "quit\n");
	assert_int_equal(waitpid(store->pid, &status, 0), store->pid);
	assert_int_equal(status, 0);
	fs->helper = 0;
	fclose(store->to);
	fclose(store->from);
}

static bool is_shown(const struct store *store)
{
	return access(store->entry, F_OK) == 0;
}

/*
 * Removes the entry: possible as soon as the store is connected, and when the machine is not too
 * busy.
 */
static void remove_it(const struct store *store)
{
	WAIT_UNTIL(unlink(store->entry) == 0);
}

static void rm_gives_the_region_back(struct fs *fs)
{
	const char *path = source(fs, "store");
	struct store store;
	json_t *root;

	start(fs, &store, path);
	assert_string_equal(say(&store, "set colour deep blue"), "ok");
	WAIT_UNTIL(is_shown(&store));
	root = document(fs, strrchr(store.entry, '/') + 1);
	assert_string_equal(text_of(root, "origin"), "published");
	json_decref(root);
	assert_int_equal(maps_with(store.pid, path), 1);

	remove_it(&store);
	assert_false(is_shown(&store));
	assert_int_equal(maps_with(store.pid, path), 0);
	assert_string_equal(say(&store, "get colour"), "released");

	assert_string_equal(say(&store, "open"), "ok");
	assert_string_equal(say(&store, "get colour"), "deep blue");
	WAIT_UNTIL(is_shown(&store));
	remove_it(&store);
	assert_string_equal(say(&store, "set size 7"), "ok");
	WAIT_UNTIL(is_shown(&store));
	assert_string_equal(say(&store, "get size"), "7");
	end(fs, &store);
	WAIT_UNTIL(!is_shown(&store));
}

static void a_refusal_changes_nothing(struct fs *fs)
{
	const char *path = source(fs, "store");
	struct store store;

	start(fs, &store, path);
	assert_string_equal(say(&store, "set a 1"), "ok");
	assert_string_equal(say(&store, "hold"), "ok");
	WAIT_UNTIL(is_shown(&store));
	for (int i = 0; i < 20; i++) {
		assert_int_equal(unlink(store.entry), -1);
		assert_int_equal(errno, EBUSY);
		sleep_ms(10); /* how often it is tried does not matter */
	}
	assert_true(is_shown(&store));
	assert_int_equal(maps_with(store.pid, path), 1);
	assert_string_equal(say(&store, "get a"), "1");
	assert_string_equal(say(&store, "unhold"), "ok");
	remove_it(&store);
	assert_string_equal(say(&store, "get a"), "released");
	end(fs, &store);
}

static void a_store_outlives_the_daemon(struct fs *fs)
{
	struct store store;

	start(fs, &store, source(fs, "store"));
	assert_string_equal(say(&store, "set a 1"), "ok");
	WAIT_UNTIL(is_shown(&store));
	daemon_stop(&fs->daemon);
	assert_string_equal(say(&store, "get a"), "1");
	daemon_start(&fs->daemon, NULL);
	WAIT_UNTIL(is_shown(&store));
	remove_it(&store);
	assert_string_equal(say(&store, "get a"), "released");
	end(fs, &store);
}

/* For example, its file system is unmounted, or something else is in its place. */
static void what_is_not_there_is_not_made_anew(struct fs *fs)
{
	const char *path = source(fs, "store"), *aside = source(fs, "aside");
	struct store store;

	start(fs, &store, path);
	assert_string_equal(say(&store, "set a 1"), "ok");
	WAIT_UNTIL(is_shown(&store));
	remove_it(&store);
	assert_int_equal(rename(path, aside), 0);
	assert_string_equal(say(&store, "set a 2"), "error: cannot be mapped");
	assert_int_equal(access(path, F_OK), -1);

	assert_int_equal(shell(fs, format("cp %s %s", aside, path)), 0);
	assert_string_equal(say(&store, "set a 2"), "error: cannot be mapped");
	assert_int_equal(shell(fs, format("cmp %s %s", aside, path)), 0);
	assert_int_equal(write_file(path, "", 0), 0);
	assert_string_equal(say(&store, "open"), "error: cannot be mapped");

	assert_int_equal(rename(aside, path), 0);
	assert_string_equal(say(&store, "open"), "ok");
	assert_string_equal(say(&store, "get a"), "1");
	end(fs, &store);
}

static int run(struct fs *fs, const char *commands, const char *arguments)
{
	return shell(fs, format("printf '%s' | PMEM2FS_SOCKET=/none %s %s", commands,
				getenv("PMEM2FS_KVSTORE"), arguments));
}

/* A file that begins with zeros is not empty: an ext4 begins with 1024 of them. */
static void data_of_others_stays(struct fs *fs)
{
	const char *path = source(fs, "image"), *copy = source(fs, "copy");

	assert_int_equal(shell(fs, format("truncate -s 64K %s; printf data | dd of=%s bs=1 "
					  "seek=60000 conv=notrunc && cp %s %s",
					  path, path, path, copy)),
			 0);
	assert_int_equal(run(fs, "quit\n", path), 1);
	assert_true(output_has(fs, "holds something else"));
	assert_int_equal(shell(fs, format("cmp %s %s", path, copy)), 0);

	assert_int_equal(run(fs, "set a 1\nquit\n", format("--format %s", path)), 0);
	assert_int_equal(run(fs, "get a\nquit\n", path), 0);
	assert_true(output_has(fs, "1"));
	assert_int_equal(run(fs, "get a\nquit\n", format("--format %s", path)), 0);
	assert_true(output_has(fs, "not found"));

	assert_int_equal(write_file(path, "", 0), 0);
	assert_int_equal(run(fs, "quit\n", path), 0);
	assert_int_equal(run(fs, "", "--format"), 2);
	assert_int_equal(run(fs, "", format("%s %s", path, path)), 2);
}

static void a_line_is_obeyed_whole_or_not(struct fs *fs)
{
	struct store store;

	start(fs, &store, source(fs, "store"));
	assert_string_equal(say(&store, "set a 1"), "ok");
	for (int length = 200; length < 600; length++)
		assert_string_equal(say(&store, format("set b %0*ddel a", length, 0)),
				    "error: no such command");
	assert_string_equal(say(&store, "get a"), "1");
	assert_string_equal(say(&store, "get b"), "not found");
	WAIT_UNTIL(is_shown(&store));

	/* A command without its newline yet. */
	fputs("set a", store.to);
	fflush(store.to);
	remove_it(&store);
	assert_string_equal(say(&store, " 2"), "ok");
	fwrite("del a\0\nget a\nset", 1, 16, store.to);
	assert_string_equal(say(&store, " c 3"), "error: no such command");
	assert_string_equal(hear(&store), "2");
	assert_string_equal(hear(&store), "ok");
	fputs("del c", store.to); /* cut off: no command */
	fclose(store.to);
	assert_int_equal(finish(store.pid), 0);
	fs->helper = 0;
	assert_null(fgets((char[9]){0}, 9, store.from));
	fclose(store.from);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(rm_gives_the_region_back),    FS_TEST(a_refusal_changes_nothing),
		FS_TEST(a_store_outlives_the_daemon), FS_TEST(what_is_not_there_is_not_made_anew),
		FS_TEST(data_of_others_stays),        FS_TEST(a_line_is_obeyed_whole_or_not),
	};

	return fs_run(argc, argv, "kvstore", tests, sizeof(tests) / sizeof(*tests));
}
