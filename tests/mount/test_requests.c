/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_requests.c - bad requests: every kind of bad input that a document may have
 *
 * Each row is a request that must fail with that errno and a log line that names the entry and the
 * reason, while all other mappings stay as they are.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

struct row {
	const char *name;
	int error;
	const char *log;  /* what the log line must have after the name of the entry */
	const char *text; /* '@' stands for the folder of files */
	size_t length;
	char *(*make)(const struct fs *fs, size_t *length); /* instead of text */
};

static char *fill(const struct fs *fs, const char *text, size_t *length)
{
	size_t size = *length, made;
	char *result = NULL;
	FILE *out = open_memstream(&result, &made);

	assert_non_null(out);
	for (size_t i = 0; i < size; i++) {
		if (text[i] == '@')
			fputs(fs->data, out);
		else
			fputc(text[i], out);
	}
	fclose(out);
	*length = made;
	return result;
}

static char *repeat(const char *before, const char *piece, size_t times, const char *after,
		    size_t *length)
{
	char *result = NULL;
	FILE *out = open_memstream(&result, length);

	assert_non_null(out);
	fputs(before, out);
	for (size_t i = 0; i < times; i++)
		fputs(piece, out);
	fputs(after, out);
	fclose(out);
	return result;
}

static char *make_nesting(const struct fs *fs, size_t *length)
{
	(void)fs;
	return repeat("{\"source\":", "[", 100000, "", length);
}

static char *make_nested_objects(const struct fs *fs, size_t *length)
{
	(void)fs;
	return repeat("", "{\"device\":", 100000, "", length);
}

/* Small enough not to be refused for its size, and in a key that is ignored. */
static char *make_nesting_in_ignored(const struct fs *fs, size_t *length)
{
	const char *before = format("{\"source\":{\"path\":\"%s/ok\"},\"device\":", fs->data);
	char *open = repeat(before, "[", 1000, "", length);
	char *all = repeat(open, "]", 1000, "}", length);

	free(open);
	return all;
}

static char *make_1_mib(const struct fs *fs, size_t *length)
{
	const char *before = format("{\"source\":{\"path\":\"%s/ok\"},\"name\":\"", fs->data);

	return repeat(before, "x", 1 << 20, "\"}", length);
}

static char *make_64_kib_and_1(const struct fs *fs, size_t *length)
{
	const char *text = format("{\"source\":{\"path\":\"%s/ok\"}}", fs->data);

	return repeat("", " ", 65537 - strlen(text), text, length);
}

static char *make_long_path(const struct fs *fs, size_t *length)
{
	return repeat(format("{\"source\":{\"path\":\"%s", fs->data), "/.", 3000, "/ok\"}}",
		      length);
}

static char *make_long_component(const struct fs *fs, size_t *length)
{
	return repeat(format("{\"source\":{\"path\":\"%s/", fs->data), "n", 256, "\"}}", length);
}

static char *make_on_the_mount(const struct fs *fs, size_t *length)
{
	return repeat(format("{\"source\":{\"path\":\"%s", fs->daemon.mnt), "/keep", 1, "\"}}",
		      length);
}

static char *make_on_the_mount_by_link(const struct fs *fs, size_t *length)
{
	assert_int_equal(symlink(entry(fs, "keep"), source(fs, "link")), 0);
	return repeat(format("{\"source\":{\"path\":\"%s", fs->data), "/link", 1, "\"}}", length);
}

static char *make_socket(const struct fs *fs, size_t *length)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", fs->data);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	return repeat(format("{\"source\":{\"path\":\"%s", fs->data), "/socket", 1, "\"}}", length);
}

/* Makes the files that the rows name, and two mappings that must stay as they are. */
static void prepare(const struct fs *fs)
{
	make_source(fs, "ok", 65536);
	make_source(fs, "empty", 0);
	assert_int_equal(mkdir(source(fs, "dir"), 0755), 0);
	assert_int_equal(mkfifo(source(fs, "fifo"), 0666), 0);
	assert_int_equal(mknod(source(fs, "block"), S_IFBLK | 0666, makedev(7, 0)), 0);
	assert_int_equal(symlink("loop", source(fs, "loop")), 0);
	map_source(fs, "keep", source(fs, "ok"));
	map_anonymous(fs, "keep2", 8192);
}

static void bad_request(struct fs *fs)
{
	const struct row *row = fs->test->data;
	size_t length = row->length;
	char *before, *after, *text;
	int error;

	prepare(fs);
	before = snapshot(fs);
	text = row->make ? row->make(fs, &length) : fill(fs, row->text, &length);
	error = write_file(entry(fs, "wanted"), text, length);
	free(text);
	if (error != row->error)
		fail_msg("%s instead of %s", strerror(error), strerror(row->error));
	if (!log_has(&fs->daemon, format("wanted.*(%s)", row->log)))
		fail_msg("no line of the log matches wanted.*(%s)", row->log);
	after = snapshot(fs);
	assert_string_equal(after, before);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "ok")), 1);
	free(before);
	free(after);
	map_source(fs, "wanted", source(fs, "ok"));
}

/* A valid request. */
static const char *make_text(const struct fs *fs)
{
	static char text[256];

	snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}",
		 make_source(fs, "ok", 65536));
	return text;
}

static void truncated_json(struct fs *fs)
{
	const char *text = make_text(fs);

	for (size_t length = 0; length < strlen(text); length++)
		assert_int_equal(write_file(entry(fs, format("m%zu", length)), text, length), 0);
	assert_entries(fs, NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "ok")), 0);
}

static void write_at_an_offset(struct fs *fs)
{
	const char *text = make_text(fs);
	int fd = open(entry(fs, "wanted"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, strlen(text), 100), -1);
	assert_int_equal(errno, EINVAL);
	assert_true(log_has(&fs->daemon, "wanted.*(offset|position|gap|100)"));
	close(fd);
	assert_entries(fs, NULL);
	assert_int_equal(write_text(entry(fs, "wanted"), text), 0);
}

static void write_of_what_was_written_already(struct fs *fs)
{
	const char *text = make_text(fs);
	int fd = open(entry(fs, "wanted"), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, text, 10, 0), 10);
	assert_int_equal(pwrite(fd, text, strlen(text), 0), -1);
	assert_int_equal(errno, EINVAL);
	close(fd);
	assert_entries(fs, NULL);
}

static void name_of_256_bytes(struct fs *fs)
{
	char name[257];

	memset(name, 'n', 256);
	name[256] = '\0';
	assert_int_equal(write_text(entry(fs, name), "{}"), ENAMETOOLONG);
	assert_entries(fs, NULL);
}

static void exactly_64_kib(struct fs *fs)
{
	const char *text = make_text(fs);
	size_t length;
	char *all = repeat("", " ", 65536 - strlen(text), text, &length);

	assert_int_equal(length, 65536);
	assert_int_equal(write_file(entry(fs, "a"), all, length), 0);
	assert_entries(fs, "a", NULL);
	free(all);
}

static void a_name_cannot_forge_a_log_line(struct fs *fs)
{
	assert_int_equal(write_text(entry(fs, "x\nforged: all is well"), "[]"), EINVAL);
	assert_true(log_has(&fs->daemon, "forged: all is well"));
	assert_int_equal(write_text(entry(fs, "y"), "{\"source\":{\"path\":\"/\\nforged too\"}}"),
			 ENOENT);
	assert_true(log_has(&fs->daemon, "forged too"));
	assert_int_equal(write_text(entry(fs, "z"), "{\"\\nforged key\":1}"), EINVAL);
	assert_true(log_has(&fs->daemon, "z.*forged key"));
	assert_int_equal(shell(fs, "! grep -a '^forged' $M/../log"), 0);
}

static void an_escape_sequence_does_not_reach_the_log(struct fs *fs)
{
	assert_int_equal(write_text(entry(fs, "x\033[2J"), "[]"), EINVAL);
	assert_int_equal(
		write_text(entry(fs, "y"), "{\"source\":{\"path\":\"/\\u001b[2Jescape\"}}"),
		ENOENT);
	assert_true(log_has(&fs->daemon, "y.*escape"));
	assert_int_equal(shell(fs, "! grep -a $(printf '\\033') $M/../log"), 0);
}

#define ROW(n, e, l, t)                                                                            \
	{                                                                                          \
		.name = n, .error = e, .log = l, .text = t, .length = sizeof(t) - 1                \
	}
#define MADE(n, e, l, m)                                                                           \
	{                                                                                          \
		.name = n, .error = e, .log = l, .make = m                                         \
	}
#define PATH(n, e, l, p) ROW(n, e, l, "{\"source\":{\"path\":\"" p "\"}}")
#define OK(more)         "{\"source\":{\"path\":\"@/ok\"}," more "}"
#define OK_SOURCE(more)  "{\"source\":{\"path\":\"@/ok\"," more "}}"

static const struct row rows[] = {
	/* what the path names */
	PATH("missing_file", ENOENT, "/none.*[Nn]o such file", "@/none"),
	PATH("missing_folder", ENOENT, "/none/ok.*[Nn]o such file", "@/none/ok"),
	PATH("file_as_folder", ENOTDIR, "/ok/x.*[Nn]ot a directory", "@/ok/x"),
	PATH("loop_of_links", ELOOP, "/loop.*(symbolic|links)", "@/loop"),
	PATH("relative_path", EINVAL, "relative|absolute", "ok"),
	PATH("empty_path", EINVAL, "path", ""),
	PATH("directory", EISDIR, "/dir.*directory", "@/dir"),
	PATH("root_directory", EISDIR, "directory", "/"),
	PATH("fifo", EINVAL, "/fifo.*(regular|type|FIFO)", "@/fifo"),
	PATH("block_device", EINVAL, "/block.*(regular|type|block)", "@/block"),
	PATH("dev_zero", EINVAL, "/dev/zero.*(regular|type|character|DAX)", "/dev/zero"),
	PATH("dev_tty", EINVAL, "/dev/tty.*(regular|type|character|DAX)", "/dev/tty"),
	MADE("socket", EINVAL, "/socket.*(regular|type|socket)", make_socket),
	PATH("empty_file", EINVAL, "/empty.*(empty|size)", "@/empty"),
	MADE("file_on_the_mount", EOPNOTSUPP, "keep.*(FUSE|fuse|mount)", make_on_the_mount),
	MADE("link_to_the_mount", EOPNOTSUPP, "(FUSE|fuse|mount)", make_on_the_mount_by_link),
	MADE("long_path", ENAMETOOLONG, "(long|bytes)", make_long_path),
	MADE("long_component", ENAMETOOLONG, "(long|bytes)", make_long_component),

	/* offset and length */
	ROW("offset_unaligned", EINVAL, "ok.*offset.*100", OK_SOURCE("\"offset\":100")),
	ROW("length_unaligned", EINVAL, "ok.*length.*100", OK("\"length\":100")),
	ROW("offset_at_the_end", EINVAL, "ok.*65536", OK_SOURCE("\"offset\":65536")),
	ROW("offset_after_the_end", EINVAL, "ok.*69632", OK_SOURCE("\"offset\":69632")),
	ROW("length_after_the_end", EINVAL, "ok.*69632", OK("\"length\":69632")),
	ROW("sum_after_the_end", EINVAL, "ok.*(65536|36864)",
	    "{\"source\":{\"path\":\"@/ok\",\"offset\":32768},\"length\":36864}"),
	ROW("offset_huge", EINVAL, "offset", OK_SOURCE("\"offset\":9223372036854771712")),
	ROW("length_huge", EINVAL, "length", OK("\"length\":9223372036854771712")),
	ROW("sum_huge", EINVAL, "offset|length",
	    "{\"source\":{\"path\":\"@/ok\",\"offset\":9223372036854771712},"
	    "\"length\":9223372036854771712}"),
	ROW("offset_2_to_64", EINVAL, "integer|number|offset",
	    OK_SOURCE("\"offset\":18446744073709551616")),
	ROW("length_of_400_digits", EINVAL, "number|real|length", OK("\"length\":1e400")),
	ROW("offset_negative", EINVAL, "offset.*-4096|offset.*negative",
	    OK_SOURCE("\"offset\":-4096")),
	ROW("length_negative", EINVAL, "length.*-4096|length.*negative", OK("\"length\":-4096")),
	ROW("length_smallest", EINVAL, "length", OK("\"length\":-9223372036854775808")),
	ROW("length_is_a_fraction", EINVAL, "length", OK("\"length\":4096.0")),

	/* words */
	ROW("granularity_cache_line", EOPNOTSUPP, "ok.*granularity",
	    OK("\"required_granularity\":\"cache_line\"")),
	ROW("granularity_byte", EOPNOTSUPP, "ok.*granularity",
	    OK("\"required_granularity\":\"byte\"")),
	ROW("granularity_unknown", EINVAL, "granularity.*sector|sector.*granularity",
	    OK("\"required_granularity\":\"sector\"")),
	ROW("sharing_unknown", EINVAL, "sharing.*both|both.*sharing", OK("\"sharing\":\"both\"")),
	ROW("protection_unknown", EINVAL, "protection.*rwz|rwz.*protection",
	    OK("\"protection\":\"rwz\"")),
	ROW("protection_too_short", EINVAL, "protection", OK("\"protection\":\"r\"")),
	ROW("protection_too_long", EINVAL, "protection", OK("\"protection\":\"rw--\"")),
	ROW("protection_empty", EINVAL, "protection", OK("\"protection\":\"\"")),

	/* keys and types */
	ROW("unknown_key", EINVAL, "lenght", OK("\"lenght\":4096")),
	ROW("unknown_key_of_the_source", EINVAL, "ofset", OK_SOURCE("\"ofset\":4096")),
	ROW("key_in_the_wrong_place", EINVAL, "offset", OK("\"offset\":4096")),
	ROW("key_with_capitals", EINVAL, "Length", OK("\"Length\":4096")),
	ROW("empty_key", EINVAL, "key", OK("\"\":4096")),
	ROW("duplicate_key", EINVAL, "[Dd]uplicate|twice", OK("\"length\":4096,\"length\":8192")),
	ROW("duplicate_source", EINVAL, "[Dd]uplicate|twice",
	    OK("\"source\":{\"path\":\"@/empty\"}")),
	ROW("duplicate_path", EINVAL, "[Dd]uplicate|twice", OK_SOURCE("\"path\":\"@/empty\"")),
	ROW("duplicate_key_by_escape", EINVAL, "[Dd]uplicate|twice",
	    OK_SOURCE("\"p\\u0061th\":\"@/empty\"")),
	ROW("no_source", EINVAL, "source", "{}"),
	ROW("empty_source", EINVAL, "path", "{\"source\":{}}"),
	ROW("source_is_a_string", EINVAL, "source", "{\"source\":\"@/ok\"}"),
	ROW("source_is_null", EINVAL, "source", "{\"source\":null}"),
	ROW("path_is_a_number", EINVAL, "path", "{\"source\":{\"path\":7}}"),
	ROW("path_is_null", EINVAL, "path", "{\"source\":{\"path\":null}}"),
	ROW("offset_is_a_string", EINVAL, "offset", OK_SOURCE("\"offset\":\"0\"")),
	ROW("length_is_a_string", EINVAL, "length", OK("\"length\":\"4096\"")),
	ROW("length_is_true", EINVAL, "length", OK("\"length\":true")),
	ROW("length_is_null", EINVAL, "length", OK("\"length\":null")),
	ROW("granularity_is_a_number", EINVAL, "granularity", OK("\"required_granularity\":2")),
	ROW("sharing_is_an_array", EINVAL, "sharing", OK("\"sharing\":[\"shared\"]")),
	ROW("protection_is_a_number", EINVAL, "protection", OK("\"protection\":6")),
	ROW("type_is_a_number", EINVAL, "type", OK_SOURCE("\"type\":1")),
	ROW("type_unknown", EINVAL, "type.*tape|tape.*type", OK_SOURCE("\"type\":\"tape\"")),
	ROW("anonymous_without_size", EINVAL, "size", "{\"source\":{\"type\":\"anonymous\"}}"),
	ROW("anonymous_of_nothing", EINVAL, "size|empty|length",
	    "{\"source\":{\"type\":\"anonymous\",\"size\":0}}"),
	ROW("anonymous_negative", EINVAL, "size",
	    "{\"source\":{\"type\":\"anonymous\",\"size\":-4096}}"),
	ROW("anonymous_size_is_a_string", EINVAL, "size",
	    "{\"source\":{\"type\":\"anonymous\",\"size\":\"4096\"}}"),

	/* not JSON, or JSON with something after it */
	ROW("array", EINVAL, "object", "[{\"source\":{\"path\":\"@/ok\"}}]"),
	ROW("string", EINVAL, "object", "\"@/ok\""),
	ROW("number", EINVAL, "object", "42"),
	ROW("null", EINVAL, "object", "null"),
	ROW("plain_path", EINVAL, "object", "@/ok\n"),
	ROW("no_quotes", EINVAL, "line|JSON|position|column|token", "{source:{path:\"@/ok\"}}"),
	ROW("comma_at_the_end", EINVAL, "line|JSON|position|column|token",
	    "{\"source\":{\"path\":\"@/ok\"},}"),
	ROW("wrong_bracket", EINVAL, "line|JSON|position|column|token",
	    "{\"source\":{\"path\":\"@/ok\"]}"),
	ROW("bytes_after_the_object", EINVAL, "after", "{\"source\":{\"path\":\"@/ok\"}} x"),
	ROW("two_objects", EINVAL, "after",
	    "{\"source\":{\"path\":\"@/ok\"}}{\"source\":{\"path\":\"@/ok\"}}"),
	ROW("brace_after_the_object", EINVAL, "after", "{\"source\":{\"path\":\"@/ok\"}}}"),
	ROW("nul_after_the_object", EINVAL, "after|NUL", "{\"source\":{\"path\":\"@/ok\"}}\0"),
	ROW("nul_in_the_text", EINVAL, "NUL", "{\"source\":{\"path\":\"@/ok\0\"}}"),
	ROW("nul_between", EINVAL, "NUL", "{\"source\":\0{\"path\":\"@/ok\"}}"),
	ROW("nul_in_the_path", EINVAL, "NUL|u0000|path", "{\"source\":{\"path\":\"@/ok\\u0000\"}}"),
	ROW("bad_utf8", EINVAL, "UTF-8", "{\"source\":{\"path\":\"@/ok\xff\"}}"),
	ROW("half_of_a_character", EINVAL, "UTF-8", "{\"source\":{\"path\":\"@/ok\xc3\"}}"),
	ROW("overlong_utf8", EINVAL, "UTF-8", "{\"source\":{\"path\":\"@\xc0\xaf ok\"}}"),
	ROW("lone_surrogate", EINVAL, "Unicode|UTF|surrogate|escape",
	    "{\"source\":{\"path\":\"@/ok\\ud800\"}}"),
	ROW("newline_in_a_string", EINVAL, "line|JSON|control",
	    "{\"source\":{\"path\":\"@/o\nk\"}}"),
	ROW("encoding_unknown", EINVAL, "path_encoding", OK_SOURCE("\"path_encoding\":\"base64\"")),
	ROW("escape_cut_short", EINVAL, "escape|path|\\\\x",
	    "{\"source\":{\"path\":\"@/ok\\\\x4\",\"path_encoding\":\"escaped\"}}"),
	ROW("escape_of_nul", EINVAL, "escape|path|\\\\x",
	    "{\"source\":{\"path\":\"@/ok\\\\x00\",\"path_encoding\":\"escaped\"}}"),
	MADE("nesting_of_100000", EINVAL, "nest|deep", make_nesting),
	MADE("objects_nested", EINVAL, "nest|deep", make_nested_objects),
	MADE("nesting_in_an_ignored_key", EINVAL, "nest|deep", make_nesting_in_ignored),
	MADE("text_of_1_mib", EFBIG, "65536|64 KiB|large|long|big", make_1_mib),
	MADE("text_of_64_kib_and_1", EFBIG, "65536|64 KiB|large|long|big", make_64_kib_and_1),
};

int main(int argc, char **argv)
{
	enum { ROWS = sizeof(rows) / sizeof(*rows) };
	const struct fs_test others[] = {
		FS_TEST(truncated_json),
		FS_TEST(write_at_an_offset),
		FS_TEST(write_of_what_was_written_already),
		FS_TEST(name_of_256_bytes),
		FS_TEST(exactly_64_kib),
		FS_TEST(a_name_cannot_forge_a_log_line),
		FS_TEST(an_escape_sequence_does_not_reach_the_log),
	};
	struct fs_test tests[ROWS + sizeof(others) / sizeof(*others)];

	for (size_t i = 0; i < ROWS; i++)
		tests[i] = (struct fs_test){
			.name = rows[i].name, .function = bad_request, .data = &rows[i]};
	memcpy(tests + ROWS, others, sizeof(others));
	return fs_run(argc, argv, "requests", tests, sizeof(tests) / sizeof(*tests));
}
