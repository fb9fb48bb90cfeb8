/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_socket_documents.c - pmem2ctl list, show and holders report what the daemon has, whatever is
 * mounted where they run
 */
#include "helpers.h"
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define FILE_SIZE 65536
#define MANY      10000

/* Copies pmem2ctl to a place where every user can run it. */
static const char *program(void)
{
	char *daemon = strdup(getenv("PMEM2FS_DAEMON"));
	const char *path = format("%s/../tools/pmem2ctl", dirname(daemon));

	free(daemon);
	return path;
}

/* Runs pmem2ctl, with the command `before` in front, and returns what it prints, to be freed. */
static char *say(const struct fs *fs, const char *before, const char *arguments, int status)
{
	const char *command = format("%s %s -s %s %s 2>%s/errors", before, program(),
				     fs->daemon.socket, arguments, fs->dir);
	int got = shell(fs, command);

	if (got != status)
		fail_msg("%s: status %d, %s", command, got,
			 read_file(format("%s/errors", fs->dir), NULL));
	return read_file(format("%s/output", fs->dir), NULL);
}

static void expect_same(const struct fs *fs, const char *before, const char *arguments, int status,
			const char *expected)
{
	char *text = say(fs, before, arguments, status);

	assert_string_equal(text, expected);
	free(text);
}

/* The documents of all files in an array, as list --json prints it; to be freed. */
static char *all_files(const struct fs *fs)
{
	struct names names;
	size_t length;
	char *all = NULL;
	FILE *out = open_memstream(&all, &length);

	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++) {
		char *text = read_file(entry(fs, names.name[i]), NULL);

		assert_non_null(text);
		text[strlen(text) - 1] = '\0';
		fprintf(out, "%s%s", i ? ",\n" : "[\n", text);
		free(text);
	}
	fprintf(out, "%s", names.count ? "\n]\n" : "[]\n");
	names_free(&names);
	fclose(out);
	return all;
}

/* Makes three mappings, and returns what list and show must print from now on. */
struct truth {
	char *list, *table, *show;
	const char *holders;
};

static struct truth map_some(const struct fs *fs)
{
	struct truth truth;

	make_source(fs, "file", FILE_SIZE);
	map_source(fs, "a", source(fs, "file"));
	map_source(fs, "b", source(fs, "file"));
	map_anonymous(fs, "\xff\\ c", FILE_SIZE);
	truth.list = all_files(fs);
	truth.show = read_file(entry(fs, "a"), NULL);
	truth.table = say(fs, "", "list", 0);
	assert_non_null(strstr(truth.table, "\n\\xff\\x5c c "));
	truth.holders = format("holders -q %s", source(fs, "file"));
	return truth;
}

static void expect_truth(const struct fs *fs, const char *before, const struct truth *truth)
{
	expect_same(fs, before, "list --json", 0, truth->list);
	expect_same(fs, before, "list", 0, truth->table);
	expect_same(fs, before, "show a", 0, truth->show);
	expect_same(fs, before, truth->holders, 1, "");
}

static void truth_free(struct truth *truth)
{
	free(truth->list);
	free(truth->table);
	free(truth->show);
}

static int connect_to(const struct fs *fs)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, fs->daemon.socket);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Checks where the daemon says that it is mounted; NULL: nowhere. */
static void expect_mountpoint(const struct fs *fs, const char *expected)
{
	static const char question[] = "{\"hello\":1}";
	int fd = connect_to(fs);
	char packet[4096];
	ssize_t length;
	json_t *answer;
	const json_t *mountpoint;

	assert_true(send(fd, question, strlen(question), 0) > 0);
	length = recv(fd, packet, sizeof(packet), 0);
	assert_true(length > 0);
	answer = json_loadb(packet, (size_t)length, 0, NULL);
	mountpoint = json_object_get(answer, "mountpoint");
	if (expected)
		assert_string_equal(json_string_value(mountpoint), expected);
	else
		assert_true(json_is_null(mountpoint));
	json_decref(answer);
	close(fd);
}

static void something_is_mounted_over_it(struct fs *fs)
{
	struct truth truth = map_some(fs);

	expect_truth(fs, "", &truth);
	expect_mountpoint(fs, fs->daemon.mnt);
	assert_int_equal(mount("none", fs->daemon.mnt, "tmpfs", 0, NULL), 0);
	expect_mountpoint(fs, NULL);
	assert_int_equal(write_text(entry(fs, "a"), "{\"name\":\"a\",\"state\":\"false\"}"), 0);
	expect_truth(fs, "", &truth);
	assert_int_equal(umount(fs->daemon.mnt), 0);
	truth_free(&truth);
}

static void in_another_mount_namespace(struct fs *fs)
{
	struct truth truth = map_some(fs);

	expect_truth(fs, "unshare -m sh -c 'umount $M && exec \"$@\"' sh", &truth);
	expect_truth(fs, "unshare -m sh -c 'mount -t tmpfs none $M && exec \"$@\"' sh", &truth);
	truth_free(&truth);
}

static void after_a_move(struct fs *fs)
{
	const char *elsewhere = format("%s/elsewhere", fs->dir);
	struct truth truth = map_some(fs);

	assert_int_equal(mkdir(elsewhere, 0755), 0);
	assert_int_equal(mount(fs->daemon.mnt, elsewhere, NULL, MS_MOVE, NULL), 0);
	expect_truth(fs, "", &truth);
	expect_mountpoint(fs, elsewhere);
	assert_int_equal(mount(elsewhere, fs->daemon.mnt, NULL, MS_MOVE, NULL), 0);
	expect_mountpoint(fs, fs->daemon.mnt);
	truth_free(&truth);
}

/* Checks which of the mappings of map_some are in the table with these options. */
static void expect_some(const struct fs *fs, const char *options, bool files, bool memory)
{
	char *table = say(fs, "", format("list %s", options), 0);

	assert_true(files == !!strstr(table, "\na "));
	assert_true(files == !!strstr(table, "\nb "));
	assert_true(memory == !!strstr(table, "\n\\xff\\x5c c "));
	free(table);
}

static void the_daemon_picks(struct fs *fs)
{
	struct truth truth = map_some(fs);
	json_t *documents = json_loads(truth.list, 0, NULL);
	const json_t *owner = json_object_get(json_array_get(documents, 0), "owner");
	int pid = (int)json_integer_value(json_object_get(owner, "pid"));

	make_source(fs, "other", FILE_SIZE);
	expect_some(fs, format("--of %s", source(fs, "file")), true, false);
	expect_some(fs, format("--of %s", source(fs, "other")), false, false);
	expect_some(fs, format("--pid %d", pid), true, true);
	expect_some(fs, format("--pid %d", pid + 1), false, false);
	expect_some(fs, "--state active", true, true);
	expect_some(fs, "--state lost", false, false);
	expect_some(fs, format("--state active --pid %d --of %s", pid, source(fs, "file")), true,
		    false);
	expect_same(fs, "", "list --names", 0, "a\nb\n\\xff\\x5c c\n");
	json_decref(documents);
	truth_free(&truth);
}

/* A user may read a document over the socket if and only if the file's mode allows it. */
static void the_files_decide_who_may_read(struct fs *fs)
{
	static const struct user groups = {
		.uid = 4001, .gid = 4001, .groups = {4100, 4002}, .group_count = 2};
	const struct user *users[] = {NULL, &user_a, &user_b, &groups};
	static const char *const names[] = {"a", "b", "r"};

	make_source(fs, "file", FILE_SIZE);
	map_source(fs, "r", source(fs, "file"));
	assert_int_equal(write_as(&user_a, entry(fs, "a"), request_of(source(fs, "file"))), 0);
	assert_int_equal(write_as(&user_b, entry(fs, "b"), request_of(source(fs, "file"))), 0);
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		const struct user *user = users[i];
		const char *as = !user               ? ""
				 : user->group_count ? "setpriv --reuid 4001 --regid 4001 --groups "
						       "4100,4002"
						     : format("setpriv --reuid %u --regid %u "
							      "--clear-groups",
							      user->uid, user->gid);
		char *list = say(fs, as, "list --json", 0), *table = say(fs, as, "list", 0);
		json_t *documents = json_loads(list, 0, NULL);
		size_t readable = 0;

		for (size_t j = 0; j < 3; j++) {
			bool may = read_as(user, entry(fs, names[j])) == 0;
			char *one = say(fs, as, format("show %s", names[j]), may ? 0 : 1);

			readable += may;
			assert_true(may == (strlen(one) > 0));
			assert_true(may ==
				    !!strstr(list, format("\n  \"name\": \"%s\",", names[j])));
			assert_non_null(strstr(table, format("\n%s ", names[j])));
			free(one);
		}
		assert_int_equal(json_array_size(documents), readable);
		json_decref(documents);
		free(list);
		free(table);
	}
}

static void the_root_decides_who_may_list(struct fs *fs)
{
	const char *as =
		format("setpriv --reuid %u --regid %u --clear-groups", user_a.uid, user_a.gid);
	char *text;

	map_anonymous(fs, "a", FILE_SIZE);
	text = say(fs, as, "list", 1);
	assert_string_equal(text, "");
	free(text);
	text = say(fs, as, "show a", 0); /* "show" needs no right to list */
	assert_true(strlen(text) > 0);
	free(text);
}

/*
 * A reader that stops in the middle holds up nobody, and what it reads later is what it began to
 * read.
 */
static void a_reader_that_stops(struct fs *fs)
{
	static const char question[] = "{\"list\":1}";
	enum { COUNT = 1000 };
	int fd = connect_to(fs);
	static char packet[1 << 20];
	size_t length = 0;
	ssize_t got;
	char *text;

	for (unsigned i = 0; i < COUNT; i++)
		map_anonymous(fs, format("m%03u", i), FILE_SIZE);
	assert_true(send(fd, question, strlen(question), 0) > 0);
	got = recv(fd, packet, sizeof(packet), 0);
	assert_true(got > 0 && memmem(packet, (size_t)got, "\"count\":1000", 12));
	WAIT_UNTIL(recv(fd, packet, 1, MSG_PEEK) == 1);
	for (unsigned i = 0; i < COUNT; i += 2)
		unmap(fs, format("m%03u", i));
	make_source(fs, "file", FILE_SIZE);
	map_source(fs, "keep", source(fs, "file"));
	others_go_on(fs);
	text = say(fs, "", "list", 0);
	assert_non_null(strstr(text, "\nkeep "));
	assert_null(strstr(text, "\nm000 "));
	free(text);
	for (unsigned lines = 0; lines < COUNT;) {
		got = recv(fd, packet + length, sizeof(packet) - length, 0);
		assert_true(got > 0);
		for (ssize_t i = 0; i < got; i++)
			lines += packet[length + (size_t)i] == '\n';
		length += (size_t)got;
	}
	assert_non_null(memmem(packet, length, "\"name\":\"m998\"", 13));
	assert_null(memmem(packet, length, "\"name\":\"keep\"", 13));
	close(fd);
}

static void many_are_as_their_files(struct fs *fs)
{
	char *list, *files;

	make_source(fs, "file", 1 << 20);
	for (unsigned i = 0; i < MANY; i++)
		map_source(fs, format("m%u", i), source(fs, "file"));
	list = say(fs, "", "list --json", 0);
	files = all_files(fs);
	assert_string_equal(list, files);
	free(list);
	free(files);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(something_is_mounted_over_it),
		FS_TEST(in_another_mount_namespace),
		FS_TEST(after_a_move),
		FS_TEST(the_daemon_picks),
		{.name = "mode_400",
		 .function = the_files_decide_who_may_read,
		 .options = "rootmode=1777"},
		{.name = "mode_440",
		 .function = the_files_decide_who_may_read,
		 .options = "rootmode=1777,mode=440"},
		{.name = "mode_404",
		 .function = the_files_decide_who_may_read,
		 .options = "rootmode=1777,mode=404"},
		FS_TEST(the_root_decides_who_may_list, .options = "rootmode=0711,mode=444"),
		FS_TEST(a_reader_that_stops, .options = "rootmode=1777"),
		FS_TEST(many_are_as_their_files, .options = "max=20000", .limit = 400),
	};

	return fs_run(argc, argv, "socket_documents", tests, sizeof(tests) / sizeof(*tests));
}
