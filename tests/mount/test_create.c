/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_create.c - new mappings: create and write, in all the ways that programs write
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Puts a request for a file of 64 KiB into the file "request" and returns its text. */
static const char *make_request(const struct fs *fs)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s", request_of(make_source(fs, "file", 65536)));
	assert_int_equal(write_text(source(fs, "request"), text), 0);
	return text;
}

static void check_mapped(const struct fs *fs, const char *name)
{
	json_t *root = document(fs, name);

	assert_int_equal(number_of(root, "length"), 65536);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 1);
	json_decref(root);
}

static void by_shell(struct fs *fs)
{
	const char *command = fs->test->data;

	make_request(fs);
	if (shell(fs, command) != 0)
		fail_msg("%s: %s", command, read_file(format("%s/output", fs->dir), NULL));
	assert_entries(fs, "a", NULL);
	check_mapped(fs, "a");
}

static void error_is_that_of_the_write(struct fs *fs)
{
	const char *command = fs->test->data;

	assert_int_equal(write_text(source(fs, "request"),
				    format("{\"source\":{\"path\":\"%s\"}}", source(fs, "none"))),
			 0);
	assert_true(shell(fs, command) > 0);
	assert_true(output_has(fs, "No such file or directory"));
	assert_entries(fs, NULL);
}

static int create(const struct fs *fs, const char *name)
{
	int fd = open(entry(fs, name), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	if (fd < 0)
		fail_msg("cannot create %s: %s", name, strerror(errno));
	return fd;
}

/* Writes all of it; 0 or the errno. */
static int put(int fd, const char *text, size_t length)
{
	while (length) {
		ssize_t put = write(fd, text, length);

		if (put < 0)
			return errno;
		text += put;
		length -= (size_t)put;
	}
	return 0;
}

static void in_pieces_of_every_size(struct fs *fs)
{
	const char *text = make_request(fs);
	size_t length = strlen(text);

	for (size_t piece = 1; piece <= length; piece += piece < 8 ? 1 : 7) {
		int fd = create(fs, "a");

		for (size_t at = 0; at < length; at += piece)
			assert_int_equal(
				put(fd, text + at, at + piece < length ? piece : length - at), 0);
		assert_int_equal(close(fd), 0);
		check_mapped(fs, "a");
		unmap(fs, "a");
	}
}

static void the_write_that_completes_it_carries_it_out(struct fs *fs)
{
	const char *text = make_request(fs);
	size_t most = strlen(text) - 2; /* without the last brace and the newline */
	int fd = create(fs, "a");

	assert_int_equal(put(fd, text, most), 0);
	assert_entries(fs, NULL);
	assert_int_equal(put(fd, text + most, 1), 0);
	assert_entries(fs, "a", NULL);
	check_mapped(fs, "a");
	close(fd);
	check_mapped(fs, "a");
}

static void until_complete_nothing_is_listed_or_taken(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a"), other;
	struct stat st;

	assert_entries(fs, NULL);
	assert_int_equal(put(fd, text, 10), 0);
	assert_entries(fs, NULL);
	assert_int_equal(stat(entry(fs, "a"), &st), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(unlink(entry(fs, "a")), -1);
	assert_int_equal(errno, ENOENT);
	other = create(fs, "a");
	assert_int_equal(put(other, text, strlen(text)), 0);
	check_mapped(fs, "a");
	assert_int_equal(put(fd, text + 10, strlen(text) - 10), EEXIST);
	check_mapped(fs, "a");
	assert_entries(fs, "a", NULL);
	close(other);
	close(fd);
}

/* As the manual says: the rest may come from elsewhere, so that no write or close can fail. */
static void a_part_is_written_without_an_error(struct fs *fs)
{
	const char *text = make_request(fs);

	assert_int_equal(write_file(source(fs, "half"), text, strlen(text) / 2), 0);
	assert_int_equal(write_file(source(fs, "rest"), text + strlen(text) / 2,
				    strlen(text) - strlen(text) / 2),
			 0);
	assert_int_equal(shell(fs, "{ cat $D/half && cat $D/rest; } >$M/a"), 0);
	check_mapped(fs, "a");
	assert_int_equal(shell(fs, "cp $D/half $M/b"), 0);
	assert_entries(fs, "a", NULL);
	WAIT_UNTIL(log_has(&fs->daemon, "b: bad request: it was never finished"));
	assert_entries(fs, "a", NULL);
}

static void an_unfinished_request_leaves_nothing(struct fs *fs)
{
	const char *text = make_request(fs);

	for (int i = 0; i < 50; i++) {
		int fd = create(fs, "a");

		assert_int_equal(put(fd, text, (size_t)i % 20), 0);
		assert_int_equal(close(fd), 0);
		assert_entries(fs, NULL);
	}
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
	assert_int_equal(write_text(entry(fs, "a"), text), 0);
	check_mapped(fs, "a");
}

static void more_unfinished_requests_than_fit(struct fs *fs)
{
	const char *text = make_request(fs);
	int fds[900], count = 0;

	for (; count < 900; count++) {
		fds[count] =
			open(entry(fs, format("m%d", count)), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (fds[count] < 0 || write(fds[count], text, 5) != 5)
			break;
	}
	assert_true(count >= 8);
	assert_entries(fs, NULL);
	for (int i = 0; i < 900 && i <= count; i++) {
		if (i < 900 && fds[i] >= 0)
			close(fds[i]);
	}
	/* Unfinished requests expire, whether the kernel forgets them or not. */
	WAIT_UNTIL(write_text(entry(fs, "a"), text) == 0);
	assert_entries(fs, "a", NULL);
}

static void white_space_may_follow(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a");

	assert_int_equal(put(fd, text, strlen(text) - 1), 0);
	assert_int_equal(put(fd, "\n", 1), 0);
	assert_int_equal(put(fd, " \t\r\n", 4), 0);
	assert_int_equal(close(fd), 0);
	check_mapped(fs, "a");
}

static void white_space_may_come_first(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a");

	assert_int_equal(put(fd, " \n", 2), 0);
	assert_int_equal(put(fd, "\t\t", 2), 0);
	assert_int_equal(put(fd, text, strlen(text)), 0);
	close(fd);
	check_mapped(fs, "a");
}

static void nothing_else_may_follow(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a"), error;
	char *before, *after;

	assert_int_equal(put(fd, text, strlen(text)), 0);
	before = snapshot(fs);
	error = put(fd, "x", 1);
	assert_true(error == EINVAL || error == EEXIST);
	close(fd);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void a_request_that_failed_stays_failed(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a");

	assert_int_equal(put(fd, "[", 1), EINVAL);
	assert_true(put(fd, text, strlen(text)) != 0);
	close(fd);
	assert_entries(fs, NULL);
	assert_int_equal(write_text(entry(fs, "a"), text), 0);
}

static void sync_of_a_request_is_harmless(struct fs *fs)
{
	const char *text = make_request(fs);
	int fd = create(fs, "a");

	assert_int_equal(put(fd, text, 9), 0);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(ftruncate(fd, 9), 0); /* its size already: cp does that */
	assert_int_equal(put(fd, text + 9, strlen(text) - 9), 0);
	assert_int_equal(fsync(fd), 0);
	assert_int_equal(close(fd), 0);
	check_mapped(fs, "a");
}

static void of_60_kib_byte_by_byte(struct fs *fs)
{
	const char *text = make_request(fs);
	size_t body = strlen(text) - 1, length = 60 * 1024;
	char *all = malloc(length);
	int fd = create(fs, "a");

	assert_non_null(all);
	memset(all, ' ', length);
	memcpy(all + length - body, text, body);
	all[0] = '{';
	all[length - body] = ' ';
	for (size_t i = 0; i < length; i++) {
		if (write(fd, all + i, 1) != 1)
			fail_msg("byte %zu: %s", i, strerror(errno));
	}
	assert_int_equal(close(fd), 0);
	free(all);
	check_mapped(fs, "a");
}

static void a_mapping_is_not_written_by_root(struct fs *fs)
{
	static const int modes[] = {O_WRONLY, O_RDWR, O_WRONLY | O_APPEND};
	const char *text = make_request(fs);
	char *before, *after;

	assert_int_equal(write_text(entry(fs, "a"), text), 0);
	before = snapshot(fs);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		int fd = open(entry(fs, "a"), modes[i] | O_CLOEXEC);

		assert_true(fd >= 0);
		assert_int_equal(put(fd, text, strlen(text)), EEXIST);
		close(fd);
	}
	assert_true(log_has(&fs->daemon, "(^|[^a-z])a[^a-z].*(exist|already|taken)"));
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static void a_mapping_is_not_created_again(struct fs *fs)
{
	const char *text = make_request(fs);
	char *before, *after;
	int error;

	assert_int_equal(write_text(entry(fs, "a"), text), 0);
	before = snapshot(fs);
	assert_int_equal(open(entry(fs, "a"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), -1);
	assert_int_equal(errno, EEXIST);
	error = write_text(entry(fs, "a"), text); /* as "echo >" does it */
	assert_true(error == EEXIST || error == EPERM);
	assert_true(shell(fs, "cp $D/request $M/a") != 0);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

static int append_child(void *path)
{
	int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

static void a_mapping_is_not_written_by_its_owner(struct fs *fs)
{
	char path[128];
	const char *text = make_request(fs);
	char *before, *after;

	snprintf(path, sizeof(path), "%s", entry(fs, "a"));
	assert_int_equal(write_as(&user_a, path, text), 0);
	before = snapshot(fs);
	assert_int_equal(write_as(&user_a, path, text), EACCES);
	assert_int_equal(run_as(&user_a, append_child, path), EACCES);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

#define SHELL(n, command)                                                                          \
	{                                                                                          \
		.name = "by_" n, .function = by_shell, .data = command                             \
	}
#define SHELL_ERROR(n, command)                                                                    \
	{                                                                                          \
		.name = "error_of_" n, .function = error_is_that_of_the_write, .data = command     \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		SHELL("echo", "cat=$(cat $D/request); echo \"$cat\" > $M/a"),
		SHELL("echo_append", "cat=$(cat $D/request); echo \"$cat\" >> $M/a"),
		SHELL("echo_noclobber", "set -C; cat=$(cat $D/request); echo \"$cat\" > $M/a"),
		SHELL("cat", "cat $D/request > $M/a"),
		SHELL("cp", "cp $D/request $M/a"),
		SHELL("cp_sparse", "cp --sparse=always $D/request $M/a"),
		SHELL("tee", "tee $M/a < $D/request > $D/copy && cmp $D/request $D/copy"),
		SHELL("dd", "dd if=$D/request of=$M/a bs=1"),
		SHELL("dd_notrunc_fsync", "dd if=$D/request of=$M/a bs=5 conv=notrunc,fsync"),
		SHELL("python", "/usr/bin/python3 -c \"print(open('$D/request').read(), "
				"file=open('$M/a', 'w'))\""),
		SHELL("commands_one_after_the_other",
		      "{ head -c 5 $D/request; tail -c +6 $D/request; } > $M/a"),
		SHELL_ERROR("echo", "cat=$(cat $D/request); /bin/echo \"$cat\" > $M/a"),
		SHELL_ERROR("cp", "cp $D/request $M/a"),
		SHELL_ERROR("tee", "tee $M/a < $D/request"),
		SHELL_ERROR("dd", "dd if=$D/request of=$M/a bs=1"),
		FS_TEST(in_pieces_of_every_size),
		FS_TEST(the_write_that_completes_it_carries_it_out),
		FS_TEST(until_complete_nothing_is_listed_or_taken),
		FS_TEST(a_part_is_written_without_an_error),
		FS_TEST(an_unfinished_request_leaves_nothing),
		FS_TEST(more_unfinished_requests_than_fit),
		FS_TEST(white_space_may_follow),
		FS_TEST(white_space_may_come_first),
		FS_TEST(nothing_else_may_follow),
		FS_TEST(a_request_that_failed_stays_failed),
		FS_TEST(sync_of_a_request_is_harmless),
		FS_TEST(of_60_kib_byte_by_byte),
		FS_TEST(a_mapping_is_not_written_by_root),
		FS_TEST(a_mapping_is_not_created_again),
		FS_TEST(a_mapping_is_not_written_by_its_owner, .options = "rootmode=1777"),
	};

	return fs_run(argc, argv, "create", tests, sizeof(tests) / sizeof(*tests));
}
