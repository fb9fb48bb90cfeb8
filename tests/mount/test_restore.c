/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_restore.c - documents as requests, odd names, and sources that go away under a mapping
 *
 * Every document is a valid request for the mapping that it describes.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Removes what may differ between a mapping and the one that restores it. */
static void forget_what_is_new(json_t *root)
{
	json_object_del(root, "address");
	json_object_del(root, "created");
}

/* cat a > saved; rm a; cp saved a */
static void restore(const struct fs *fs)
{
	json_t *before = document(fs, "a"), *after;

	assert_int_equal(shell(fs, "cat $M/a > $D/saved && rm $M/a && test -z \"$(ls $M)\""), 0);
	if (shell(fs, "cp $D/saved $M/a") != 0)
		fail_msg("%s", read_file(format("%s/output", fs->dir), NULL));
	after = document(fs, "a");
	forget_what_is_new(before);
	forget_what_is_new(after);
	if (!json_equal(before, after))
		fail_msg("%s\nbecame\n%s", json_dumps(before, 0), json_dumps(after, 0));
	json_decref(before);
	json_decref(after);
}

struct request {
	off_t size;
	const char *source, *other; /* keys */
	int64_t length;             /* of the mapping */
};

static void restore_request(struct fs *fs)
{
	const struct request *request = fs->test->data;
	json_t *root;

	make_source(fs, "file", request->size);
	assert_int_equal(write_text(entry(fs, "a"),
				    format("{\"source\":{\"path\":\"%s\"%s}%s}", source(fs, "file"),
					   request->source, request->other)),
			 0);
	root = document(fs, "a");
	assert_int_equal(number_of(root, "length"), request->length);
	json_decref(root);
	restore(fs);
}

static void restore_anonymous(struct fs *fs)
{
	map_anonymous(fs, "a", 3 << 20);
	restore(fs);
}

static void restore_anonymous_with_words(struct fs *fs)
{
	assert_int_equal(write_text(entry(fs, "a"),
				    "{\"source\":{\"type\":\"anonymous\",\"size\":8192},"
				    "\"required_granularity\":\"byte\",\"protection\":\"r--\","
				    "\"sharing\":\"private\"}"),
			 0);
	restore(fs);
}

static void restore_under_another_name(struct fs *fs)
{
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 5000));
	assert_int_equal(shell(fs, "cat $M/a > $M/b"), 0);
	root = document(fs, "b");
	assert_string_equal(text_of(root, "name"), "b");
	assert_int_equal(number_of(root, "length"), 5000);
	json_decref(root);
	assert_entries(fs, "a", "b", NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 2);
}

static void restore_of_a_removed_source_is_enoent(struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", 65536));
	assert_int_equal(unlink(source(fs, "file")), 0);
	let_facts_age();
	assert_int_equal(shell(fs, "cat $M/a > $D/saved && rm $M/a"), 0);
	assert_true(shell(fs, "cp $D/saved $M/a") != 0);
	assert_true(output_has(fs, "No such file or directory"));
	assert_entries(fs, NULL);
}

static void document_with_ignored_keys(struct fs *fs)
{
	json_t *root;

	make_source(fs, "file", 65536);
	assert_int_equal(
		write_text(entry(fs, "a"),
			   format("{\"version\":1,\"name\":\"other\",\"state\":\"partial\","
				  "\"origin\":\"observed\",\"address\":\"0x1000\","
				  "\"granularity\":\"byte\",\"map_sync\":true,"
				  "\"created\":\"2020-01-01T00:00:00.000000000Z\","
				  "\"claimed\":[\"granularity\"],"
				  "\"owner\":{\"pid\":1,\"uid\":4001,\"gid\":4001},"
				  "\"source\":{\"type\":\"file\",\"path\":\"%s\",\"size\":1,"
				  "\"align\":4096,\"dev\":\"0:1\",\"inode\":1},"
				  "\"device\":{\"namespace\":\"namespace0.0\"}}\n",
				  source(fs, "file"))),
		0);
	root = document(fs, "a");
	assert_string_equal(text_of(root, "name"), "a");
	assert_string_equal(text_of(root, "granularity"), "page");
	assert_int_equal(number_of(root, "length"), 65536);
	assert_int_equal(number_of(json_object_get(root, "owner"), "uid"), 0);
	assert_null(json_object_get(root, "device"));
	json_decref(root);
}

static const char *const odd_names[] = {
	"-rf",         "--",       " ",     "two words",    "new\nline", "back\\slash",
	"\\x41",       "quote\"d", "tab\t", "\x01\x1b[31m", "\xff\xfe",  "half \xc3",
	"caf\xc3\xa9", "...",      "*",     "{}",           NULL};

/* The bytes that a text of the document stands for. */
static char *decode(const char *text, bool escaped)
{
	char *bytes = calloc(1, strlen(text) + 1);
	size_t n = 0;

	assert_non_null(bytes);
	for (; *text; n++) {
		unsigned value = (unsigned char)*text;

		if (escaped && *text == '\\') {
			assert_int_equal(sscanf(text, "\\x%2x", &value), 1);
			text += 3;
		}
		text++;
		bytes[n] = (char)value;
	}
	return bytes;
}

static void check_encoded(json_t *object, const char *key, const char *encoding, const char *bytes)
{
	const json_t *how = json_object_get(object, encoding);
	char *decoded = decode(text_of(object, key), how);

	if (how)
		assert_string_equal(json_string_value(how), "escaped");
	assert_string_equal(decoded, bytes);
	free(decoded);
}

static void names_of_odd_bytes(struct fs *fs)
{
	struct names names;

	for (size_t i = 0; odd_names[i]; i++)
		map_anonymous(fs, odd_names[i], 4096 * (i + 1));
	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; odd_names[i]; i++) {
		json_t *root = document(fs, odd_names[i]);

		assert_true(names_have(&names, odd_names[i]));
		assert_int_equal(number_of(root, "length"), 4096 * (i + 1));
		check_encoded(root, "name", "name_encoding", odd_names[i]);
		json_decref(root);
		rename_entry(fs, odd_names[i], "x");
		rename_entry(fs, "x", odd_names[i]);
		unmap(fs, odd_names[i]);
	}
	names_free(&names);
	assert_entries(fs, NULL);
}

static void name_of_255_bytes(struct fs *fs)
{
	char name[256];
	json_t *root;

	for (int i = 0; i < 255; i++)
		name[i] = (char)(i + 1 == '/' ? '_' : i + 1);
	name[255] = '\0';
	map_anonymous(fs, name, 4096);
	root = document(fs, name);
	check_encoded(root, "name", "name_encoding", name);
	json_decref(root);
	assert_entries(fs, name, NULL);
	unmap(fs, name);
}

static void paths_of_odd_bytes(struct fs *fs)
{
	make_source(fs, "plain", 8192);
	for (size_t i = 0; odd_names[i]; i++) {
		const char *path = source(fs, odd_names[i]);
		json_t *root, *from;

		assert_int_equal(rename(source(fs, "plain"), path), 0);
		map_source(fs, "a", path);
		root = document(fs, "a");
		from = json_object_get(root, "source");
		check_encoded(from, "path", "path_encoding", path);
		json_decref(root);
		restore(fs);
		unmap(fs, "a");
		assert_int_equal(rename(path, source(fs, "plain")), 0);
	}
}

/* "\x41" in a path without "path_encoding" is four bytes, not the letter A. */
/* One of each kind that a terminal would act on. */
#define ACTIVE "e\x1b[2J\n\x7f\xc2\x9b\xd8\x9c\xe2\x80\x8f\xe2\x80\xae\xe2\x81\xa6\xc3\xa9"

static void assert_safe(const char *text)
{
	static const char *const active[] = {"\x1b",         "\x7f",         "\xc2\x9b",
					     "\xd8\x9c",     "\xe2\x80\x8f", "\xe2\x80\xae",
					     "\xe2\x81\xa6", "\xff"};

	assert_non_null(text);
	for (size_t i = 0; i < sizeof(active) / sizeof(*active); i++)
		if (strstr(text, active[i]))
			fail_msg("a terminal would act on:\n%s", text);
}

static void run_ctl(const struct fs *fs, const char *arguments, const char *expected)
{
	shell(fs, format("N=%s; %s -s %s %s",
			 "$(printf 'e\\033[2J\\n\\177\\302\\233\\330\\234"
			 "\\342\\200\\217\\342\\200\\256\\342\\201\\246\\303"
			 "\\251')",
			 getenv("PMEM2FS_CTL"), fs->daemon.socket, arguments));
	assert_safe(output_of(fs));
	assert_true(output_has(fs, expected));
}

static void what_terminals_act_on(struct fs *fs)
{
	char *text;

	map_source(fs, "a", make_source(fs, ACTIVE, 16384));
	restore(fs);
	text = read_file(entry(fs, "a"), NULL);
	assert_safe(text);
	assert_non_null(strstr(
		text, "/e\\u001B[2J\\n\\u007F\\u009B\\u061C\\u200F\\u202E\\u2066\xc3\xa9\""));
	free(text);

	rename_entry(fs, "a", ACTIVE);
	json_decref(document(fs, ACTIVE));
	run_ctl(fs, "show \"$N\"", "\"name\": \"e\\u001B[2J");
	run_ctl(fs, "list --json", "\"name\": \"e\\u001B[2J");
	run_ctl(fs, "list", "e\\x1b[2J\\x0a\\x7f\\xc2\\x9b");
	run_ctl(fs, "map --anonymous 4096 \"$N\"", "e\\x1b[2J\\x0a\\x7f\\xc2\\x9b");
	run_ctl(fs, "unmap \"x$N\"", "xe\\x1b[2J\\x0a\\x7f\\xc2\\x9b");
	assert_int_equal(write_text(entry(fs, "b" ACTIVE "\xff"), "[]"), EINVAL);
	assert_true(
		log_has(&fs->daemon, "be.x1b.2J.x0a.x7f.xc2.x9b.xd8.x9c.xe2.*.xff: bad request"));
	text = read_file(fs->daemon.log, NULL);
	assert_safe(text);
	free(text);
}

static void a_path_without_encoding_has_no_escapes(struct fs *fs)
{
	make_source(fs, "\\x41", 8192);
	assert_int_equal(write_text(entry(fs, "a"), format("{\"source\":{\"path\":\"%s\"}}",
							   source(fs, "\\\\x41"))),
			 0);
	restore(fs);
}

static void a_renamed_source_has_its_new_path(struct fs *fs)
{
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 8192));
	assert_int_equal(rename(source(fs, "file"), source(fs, "new")), 0);
	let_facts_age();
	root = document(fs, "a");
	assert_string_equal(text_of(json_object_get(root, "source"), "path"), source(fs, "new"));
	json_decref(root);
	restore(fs);
}

static void a_source_named_deleted_is_not(struct fs *fs)
{
	json_t *root, *from;

	map_source(fs, "a", make_source(fs, "file (deleted)", 8192));
	root = document(fs, "a");
	from = json_object_get(root, "source");
	assert_string_equal(text_of(from, "path"), source(fs, "file (deleted)"));
	assert_null(json_object_get(from, "deleted"));
	json_decref(root);
	restore(fs);
}

static void a_truncated_source(struct fs *fs)
{
	json_t *root;

	map_source(fs, "a", make_source(fs, "file", 65536));
	map_anonymous(fs, "b", 4096);
	assert_int_equal(truncate(source(fs, "file"), 0), 0);
	let_facts_age();
	root = document(fs, "a");
	assert_int_equal(number_of(root, "length"), 65536);
	assert_int_equal(number_of(json_object_get(root, "source"), "size"), 0);
	json_decref(root);
	unmap(fs, "a");
	assert_entries(fs, "b", NULL);
}

static void a_source_unmounted_lazily(struct fs *fs)
{
	const char *folder = source(fs, "tmp");
	char *before, *after;

	assert_int_equal(mkdir(folder, 0755), 0);
	map_anonymous(fs, "b", 4096);
	before = snapshot(fs);
	assert_int_equal(mount("test", folder, "tmpfs", 0, ""), 0);
	map_source(fs, "a", make_source(fs, "tmp/file", 65536));
	assert_int_equal(umount2(folder, 0), -1);
	assert_int_equal(errno, EBUSY);
	assert_int_equal(umount2(folder, MNT_DETACH), 0);
	let_facts_age();
	json_decref(document(fs, "a"));
	unmap(fs, "a");
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
}

/* Nothing of the source is in use as soon as rm has returned. */
static void a_source_unmounted_after_rm(struct fs *fs)
{
	const char *folder = source(fs, "tmp");

	assert_int_equal(mkdir(folder, 0755), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(mount("test", folder, "tmpfs", 0, ""), 0);
		map_source(fs, "a", make_source(fs, "tmp/file", 65536));
		unmap(fs, "a");
		if (umount2(folder, 0) != 0)
			fail_msg("round %d: %s", i, strerror(errno));
	}
}

#define RESTORE(n, ...)                                                                            \
	{                                                                                          \
		.name = "restore_" n, .function = restore_request, .data = &(const struct request) \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		RESTORE("whole_file", 65536, "", "", 65536),
		RESTORE("5000_bytes", 5000, "", "", 5000),
		RESTORE("1_byte", 1, "", "", 1),
		RESTORE("5000_bytes_by_length", 5000, "", ",\"length\":5000", 5000),
		RESTORE("offset", 65536, ",\"offset\":4096", "", 61440),
		RESTORE("offset_in_odd_file", 5000, ",\"offset\":4096", "", 904),
		RESTORE("offset_and_length", 65536, ",\"offset\":4096", ",\"length\":8192", 8192),
		RESTORE("private", 65536, "", ",\"sharing\":\"private\"", 65536),
		RESTORE("private_byte", 65536, "",
			",\"sharing\":\"private\",\"required_granularity\":\"byte\"", 65536),
		RESTORE("read_only", 65536, "", ",\"protection\":\"r--\"", 65536),
		RESTORE("large", (off_t)3 << 30, "", "", (int64_t)3 << 30),
		FS_TEST(restore_anonymous),
		FS_TEST(restore_anonymous_with_words),
		FS_TEST(restore_under_another_name),
		FS_TEST(restore_of_a_removed_source_is_enoent),
		FS_TEST(document_with_ignored_keys),
		FS_TEST(names_of_odd_bytes),
		FS_TEST(name_of_255_bytes),
		FS_TEST(paths_of_odd_bytes),
		FS_TEST(what_terminals_act_on),
		FS_TEST(a_path_without_encoding_has_no_escapes),
		FS_TEST(a_renamed_source_has_its_new_path),
		FS_TEST(a_source_named_deleted_is_not),
		FS_TEST(a_truncated_source),
		FS_TEST(a_source_unmounted_lazily),
		FS_TEST(a_source_unmounted_after_rm),
	};

	return fs_run(argc, argv, "restore", tests, sizeof(tests) / sizeof(*tests));
}
