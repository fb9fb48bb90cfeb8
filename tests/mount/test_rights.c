/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rights.c - no user can map through the daemon what that user could not open directly
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define OPEN_TO_ALL "rootmode=1777"

/* A file to map with that owner and mode. */
static const char *make_owned(const struct fs *fs, const char *name, uid_t uid, gid_t gid,
			      mode_t mode)
{
	const char *path = make_source(fs, name, 65536);

	assert_int_equal(chown(path, uid, gid), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static void check_refused(struct fs *fs, int error, const char *path)
{
	if (error == 0)
		fail_msg("%s was mapped", path);
	assert_int_equal(error, EACCES);
	assert_entries(fs, NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, path), 0);
	assert_true(log_has(&fs->daemon, format("wanted.*%s.*[Pp]ermission", path)));
}

static void file_of_another_user(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4002, 4002, 0600);

	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
	assert_int_equal(write_as(&user_b, entry(fs, "wanted"), request_of(path)), 0);
}

static void file_of_root(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 0, 0, 0600);

	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
}

static void file_of_the_group_of_root(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4002, 0, 0660);

	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
}

static const char *read_request_of(const char *path)
{
	return format("{\"source\":{\"path\":\"%s\"},\"protection\":\"r--\"}", path);
}

static void file_of_a_supplementary_group(struct fs *fs)
{
	const struct user with = {
		.uid = 4001, .gid = 4001, .groups = {4100, 4007}, .group_count = 2};
	const struct user without = {
		.uid = 4001, .gid = 4001, .groups = {4100, 4008}, .group_count = 2};
	const char *path = make_owned(fs, "file", 4002, 4007, 0640);

	check_refused(fs, write_as(&without, entry(fs, "wanted"), read_request_of(path)), path);
	assert_int_equal(write_as(&with, entry(fs, "wanted"), read_request_of(path)), 0);
	assert_int_equal(write_as(&with, entry(fs, "wanted2"), request_of(path)), EACCES);
}

static void file_of_the_primary_group(struct fs *fs)
{
	const struct user with = {.uid = 4001, .gid = 4007};
	const char *path = make_owned(fs, "file", 4002, 4007, 0660);

	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
	assert_int_equal(write_as(&with, entry(fs, "wanted"), request_of(path)), 0);
}

/*
 * The group is refused although others are allowed: an open without the caller's groups would
 * succeed.
 */
static void file_that_a_group_may_not_use(struct fs *fs)
{
	const struct user with = {.uid = 4001, .gid = 4001, .groups = {4007}, .group_count = 1};
	const char *path = make_owned(fs, "file", 4002, 4007, 0606);

	check_refused(fs, write_as(&with, entry(fs, "wanted"), request_of(path)), path);
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), request_of(path)), 0);
}

static void file_in_a_closed_folder(struct fs *fs)
{
	const char *path;

	assert_int_equal(mkdir(source(fs, "dir"), 0700), 0);
	path = make_owned(fs, "dir/file", 0, 0, 0666);
	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
}

static void file_that_may_only_be_read(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 0, 0, 0644);

	check_refused(fs, write_as(&user_a, entry(fs, "wanted"), request_of(path)), path);
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), read_request_of(path)), 0);
}

static void root_may(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4002, 4002, 0600);

	assert_int_equal(write_text(entry(fs, "wanted"), request_of(path)), 0);
}

struct request {
	const struct fs *fs;
	char path[128], text[256], folder[64];
};

static struct request make_request(const struct fs *fs, const char *path)
{
	struct request request = {.fs = fs};

	snprintf(request.path, sizeof(request.path), "%s", entry(fs, "wanted"));
	snprintf(request.text, sizeof(request.text), "%s", request_of(path));
	snprintf(request.folder, sizeof(request.folder), "%s", fs->dir);
	return request;
}

/* Root without its capabilities over files has no special rights to them. */
static int without_capabilities(void *argument)
{
	const struct request *request = argument;
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) != 0)
		return 255;
	data[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	data[0].permitted = data[0].effective;
	data[0].inheritable = 0;
	if (syscall(SYS_capset, &header, data) != 0)
		return 255;
	if (open(source(request->fs, "file"), O_RDWR | O_CLOEXEC) >= 0)
		return 254;
	return write_text(request->path, request->text);
}

static void root_without_capabilities(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4002, 4002, 0600);
	struct request request = make_request(fs, path);

	check_refused(fs, run_as(NULL, without_capabilities, &request), path);
}

/*
 * In the process's own root the path names another file: both exist, so only the check can refuse
 * it.
 */
static int in_chroot(void *argument)
{
	const struct request *request = argument;

	if (chroot(request->folder) != 0 || chdir("/") != 0 || become(&user_a) != 0)
		return 255;
	return write_text("/mnt/wanted", request->text);
}

static void user_in_a_chroot(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4001, 4001, 0666);
	struct request request = make_request(fs, path);
	int error;

	assert_int_equal(shell(fs, "mkdir -p $M/..$D && cp $D/file $M/..$D/"), 0);
	error = run_as(NULL, in_chroot, &request);
	assert_true(error == EACCES || error == EPERM || error == EXDEV || error == EOPNOTSUPP);
	assert_entries(fs, NULL);
	assert_true(log_has(&fs->daemon, "wanted.*(root|chroot)"));
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), request.text), 0);
}

static int in_namespace(void *argument)
{
	const struct request *request = argument;

	if (unshare(CLONE_NEWNS) != 0 || become(&user_a) != 0)
		return 255;
	return write_text(request->path, request->text);
}

static void user_in_another_mount_namespace(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4001, 4001, 0666);
	struct request request = make_request(fs, path);
	int error = run_as(NULL, in_namespace, &request);

	assert_true(error == EACCES || error == EPERM || error == EXDEV || error == EOPNOTSUPP);
	assert_entries(fs, NULL);
	assert_true(log_has(&fs->daemon, "wanted.*namespace"));
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), request.text), 0);
}

/*
 * One user begins a request and another finishes it, as a set-uid program does that writes a
 * message to its stderr. Neither the last bytes nor any later ones may be taken.
 */
static int finished_by_another(void *argument)
{
	const struct request *request = argument;
	size_t half = strlen(request->text) / 2;
	int fd, error;

	if (setgroups(0, NULL) != 0 || setegid(4001) != 0 || seteuid(4001) != 0)
		return 255;
	fd = open(request->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, request->text, half) != (ssize_t)half)
		return 254;
	if (seteuid(0) != 0 || setegid(0) != 0)
		return 255;
	if (write(fd, request->text + half, strlen(request->text) - half) >= 0)
		return 0;
	error = errno;
	if (setegid(4001) != 0 || seteuid(4001) != 0)
		return 255;
	if (write(fd, request->text + half, strlen(request->text) - half) >= 0)
		return 253;
	return error;
}

static void request_finished_by_root(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 0, 0, 0600);
	struct request request = make_request(fs, path);
	int error = run_as(NULL, finished_by_another, &request);

	assert_true(error == EACCES || error == EPERM);
	assert_true(log_has(&fs->daemon, "wanted"));
	assert_entries(fs, NULL);
}

/*
 * The same for a file that both may map: the request is refused because of the writer, not the
 * file.
 */
static void request_finished_by_root_for_any_file(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4001, 4001, 0666);
	struct request request = make_request(fs, path);
	int error = run_as(NULL, finished_by_another, &request);

	assert_true(error == EACCES || error == EPERM);
	assert_entries(fs, NULL);
}

/* A request that root has created and another user writes is refused. */
static int given_to_a_user(void *argument)
{
	const struct request *request = argument;
	int fd = open(request->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0 || become(&user_a) != 0)
		return 255;
	return write(fd, request->text, strlen(request->text)) < 0 ? errno : 0;
}

static void request_of_root_written_by_a_user(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 0, 0, 0600);
	struct request request = make_request(fs, path);
	int error = run_as(NULL, given_to_a_user, &request);

	assert_true(error == EACCES || error == EPERM);
	assert_entries(fs, NULL);
}

/* Links of /proc lead past the folders on the way; nothing may be mapped through one. */
static void link_of_proc(struct fs *fs)
{
	const char *how = fs->test->data, *path;
	int fd, error;

	assert_int_equal(mkdir(source(fs, "dir"), 0700), 0);
	make_owned(fs, "dir/file", 0, 0, 0666);
	fd = open(source(fs, "dir/file"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(chdir(source(fs, "dir")), 0);
	if (!strcmp(how, "fd"))
		path = format("/proc/%d/fd/%d", (int)getpid(), fd);
	else if (!strcmp(how, "cwd"))
		path = format("/proc/%d/cwd/file", (int)getpid());
	else if (!strcmp(how, "root"))
		path = format("/proc/%d/root%s", (int)getpid(), source(fs, "dir/file"));
	else
		path = format("%s", how);
	error = write_as(&user_a, entry(fs, "wanted"), request_of(path));
	assert_int_equal(chdir("/"), 0);
	close(fd);
	if (error == 0)
		fail_msg("%s was mapped", path);
	assert_entries(fs, NULL);
	assert_true(log_has(&fs->daemon, "wanted.*/proc"));
}

/*
 * The same through a link that the user has made, to a file that this user may map: no magic link
 * is followed.
 */
static void link_to_proc_self(struct fs *fs)
{
	const char *path = make_owned(fs, "file", 4001, 4001, 0666);
	int error;

	for (int fd = 0; fd < 40; fd++) {
		error = write_as(&user_a, entry(fs, "wanted"),
				 request_of(format("/proc/self/fd/%d", fd)));
		assert_true(error != 0);
		error = write_as(&user_a, entry(fs, "wanted"),
				 request_of(format("/proc/%d/fd/%d", (int)fs->daemon.keeper, fd)));
		assert_true(error != 0);
	}
	assert_int_equal(symlink(format("/proc/self/root%s", path), source(fs, "link")), 0);
	error = write_as(&user_a, entry(fs, "wanted"), request_of(source(fs, "link")));
	assert_true(error != 0);
	assert_entries(fs, NULL);
}

static int exchange_for_ever(void *argument)
{
	const struct request *request = argument;
	char one[128], two[128];

	snprintf(one, sizeof(one), "%s/data/one", request->folder);
	snprintf(two, sizeof(two), "%s/data/two", request->folder);
	for (;;) {
		if (renameat2(AT_FDCWD, one, AT_FDCWD, two, RENAME_EXCHANGE) != 0)
			return 1;
	}
}

/* "one" names the allowed file and the forbidden one in turns. */
static void map_while_exchanged(struct fs *fs, const char *wanted)
{
	struct request request = make_request(fs, wanted);
	unsigned mapped = 0, refused = 0;
	struct stat allowed;
	int64_t end = now_ms() + 4000;

	assert_int_equal(stat(source(fs, "allowed/file"), &allowed), 0);
	fs->helper = start_as(NULL, exchange_for_ever, &request);
	while (!mapped || !refused || (now_ms() < end && (mapped < 100 || refused < 100))) {
		int error = write_as(&user_a, request.path, request.text);
		json_t *root;

		if (error) {
			assert_true(error == EACCES || error == ENOENT || error == ELOOP ||
				    error == EAGAIN);
			refused++;
			continue;
		}
		mapped++;
		root = document(fs, "wanted");
		assert_int_equal(number_of(json_object_get(root, "source"), "inode"),
				 allowed.st_ino);
		json_decref(root);
		assert_int_equal(maps_with(fs->daemon.keeper, "forbidden"), 0);
		unmap(fs, "wanted");
	}
	assert_true(mapped > 0 && refused > 0);
}

static void make_two(const struct fs *fs)
{
	assert_int_equal(mkdir(source(fs, "allowed"), 0755), 0);
	assert_int_equal(mkdir(source(fs, "forbidden"), 0755), 0);
	make_owned(fs, "allowed/file", 4001, 4001, 0600);
	make_owned(fs, "forbidden/file", 0, 0, 0600);
}

static void links_exchanged(struct fs *fs)
{
	make_two(fs);
	assert_int_equal(symlink("allowed/file", source(fs, "one")), 0);
	assert_int_equal(symlink("forbidden/file", source(fs, "two")), 0);
	map_while_exchanged(fs, source(fs, "one"));
}

static void links_of_folders_exchanged(struct fs *fs)
{
	make_two(fs);
	assert_int_equal(symlink("allowed", source(fs, "one")), 0);
	assert_int_equal(symlink("forbidden", source(fs, "two")), 0);
	map_while_exchanged(fs, source(fs, "one/file"));
}

/* A regular file and a FIFO: the file that is opened must be the one that was checked. */
static void file_and_fifo_exchanged(struct fs *fs)
{
	make_two(fs);
	assert_int_equal(symlink("allowed/file", source(fs, "one")), 0);
	assert_int_equal(symlink("forbidden/file", source(fs, "two")), 0);
	assert_int_equal(unlink(source(fs, "forbidden/file")), 0);
	assert_int_equal(mkfifo(source(fs, "forbidden/file"), 0666), 0);
	struct request request = make_request(fs, source(fs, "one"));
	unsigned mapped = 0, refused = 0;
	int64_t end = now_ms() + 4000;

	fs->helper = start_as(NULL, exchange_for_ever, &request);
	while (!mapped || !refused || (now_ms() < end && (mapped < 100 || refused < 100))) {
		int error = write_as(&user_a, request.path, request.text);

		if (error == 0) {
			mapped++;
			unmap(fs, "wanted");
		} else {
			assert_true(error == EINVAL || error == ENOENT || error == EAGAIN);
			refused++;
		}
	}
	assert_true(mapped > 0 && refused > 0);
}

static void rootmode_decides_who_creates(struct fs *fs)
{
	struct request request = make_request(fs, make_source(fs, "file", 65536));
	const char *text = request.text;
	int expected = fs->test->options ? 0 : EACCES;

	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), text), expected);
	assert_int_equal(write_text(entry(fs, "root"), text), 0);
	if (expected)
		assert_entries(fs, "root", NULL);
	else
		assert_entries(fs, "root", "wanted", NULL);
}

static void others_cannot_touch_a_mapping(struct fs *fs)
{
	struct request request = make_request(fs, make_source(fs, "file", 65536));
	const char *text = request.text;
	char *before, *after;
	int error;

	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), text), 0);
	assert_int_equal(write_text(entry(fs, "root"), text), 0);
	before = snapshot(fs);
	assert_int_equal(read_as(&user_b, entry(fs, "wanted")), EACCES);
	assert_int_equal(read_as(&user_b, entry(fs, "root")), EACCES);
	for (const char *name = "wanted\0root\0"; *name; name += strlen(name) + 1) {
		error = unlink_as(&user_b, entry(fs, name));
		assert_true(error == EPERM || error == EACCES);
		error = rename_as(&user_b, entry(fs, name), entry(fs, "mine"));
		assert_true(error == EPERM || error == EACCES);
	}
	error = unlink_as(&user_a, entry(fs, "root"));
	assert_true(error == EPERM || error == EACCES);
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
	assert_int_equal(read_as(&user_a, entry(fs, "wanted")), 0);
	rename_entry_as(&user_a, fs, "wanted", "mine");
	unmap_as(&user_a, fs, "mine");
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), text), 0);
	unmap(fs, "wanted");
	assert_entries(fs, "root", NULL);
}

static void a_user_has_a_limit(struct fs *fs)
{
	struct request request = make_request(fs, make_source(fs, "file", 65536));
	const char *text = request.text;
	int error;

	for (int i = 0; i < 3; i++)
		assert_int_equal(write_as(&user_a, entry(fs, format("a%d", i)), text), 0);
	error = write_as(&user_a, entry(fs, "wanted"), text);
	assert_true(error == EDQUOT || error == ENOSPC || error == ENOMEM || error == EAGAIN);
	assert_true(log_has(&fs->daemon, "wanted.*3"));
	assert_int_equal(write_as(&user_b, entry(fs, "b0"), text), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(write_text(entry(fs, format("r%d", i)), text), 0);
	unmap_as(&user_a, fs, "a1");
	assert_int_equal(write_as(&user_a, entry(fs, "wanted"), text), 0);
}

static int begin_requests(void *argument)
{
	const struct request *request = argument;
	int error = 0;

	for (int i = 0; i < 20000 && !error; i++) {
		int fd = open(format("%s/mnt/u%d", request->folder, i),
			      O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

		error = fd < 0 ? errno : 0;
		if (fd >= 0)
			close(fd);
	}
	return error;
}

/* A user who begins requests and finishes none is stopped, and nobody else is. */
static void unfinished_requests_of_a_user_have_a_limit(struct fs *fs)
{
	struct request request = make_request(fs, make_source(fs, "file", 65536));
	int error = run_as(&user_a, begin_requests, &request);

	assert_true(error == ENFILE || error == EMFILE || error == EDQUOT || error == ENOSPC ||
		    error == EAGAIN);
	assert_int_equal(write_as(&user_b, request.path, request.text), 0);
	assert_int_equal(write_text(entry(fs, "root"), request.text), 0);
	assert_entries(fs, "root", "wanted", NULL);
}

static void all_have_a_limit(struct fs *fs)
{
	struct request request = make_request(fs, make_source(fs, "file", 65536));
	const char *text = request.text;
	int error;

	for (int i = 0; i < 4; i++)
		assert_int_equal(write_text(entry(fs, format("m%d", i)), text), 0);
	error = write_text(entry(fs, "wanted"), text);
	assert_true(error == ENOSPC || error == ENOMEM || error == EDQUOT || error == EAGAIN);
	assert_true(log_has(&fs->daemon, "wanted.*4"));
	unmap(fs, "m1");
	assert_int_equal(write_text(entry(fs, "wanted"), text), 0);
}

#define PROC(n, how)                                                                               \
	{                                                                                          \
		.name = "link_of_proc_" n, .function = link_of_proc, .data = how,                  \
		.options = OPEN_TO_ALL                                                             \
	}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(file_of_another_user, .options = OPEN_TO_ALL),
		FS_TEST(file_of_root, .options = OPEN_TO_ALL),
		FS_TEST(file_of_the_group_of_root, .options = OPEN_TO_ALL),
		FS_TEST(file_of_a_supplementary_group, .options = OPEN_TO_ALL),
		FS_TEST(file_of_the_primary_group, .options = OPEN_TO_ALL),
		FS_TEST(file_that_a_group_may_not_use, .options = OPEN_TO_ALL),
		FS_TEST(file_in_a_closed_folder, .options = OPEN_TO_ALL),
		FS_TEST(file_that_may_only_be_read, .options = OPEN_TO_ALL),
		FS_TEST(root_may),
		FS_TEST(root_without_capabilities),
		FS_TEST(user_in_a_chroot, .options = OPEN_TO_ALL),
		FS_TEST(user_in_another_mount_namespace, .options = OPEN_TO_ALL),
		FS_TEST(request_finished_by_root, .options = OPEN_TO_ALL),
		FS_TEST(request_finished_by_root_for_any_file, .options = OPEN_TO_ALL),
		FS_TEST(request_of_root_written_by_a_user),
		PROC("fd", "fd"),
		PROC("cwd", "cwd"),
		PROC("root", "root"),
		PROC("self_environ", "/proc/self/environ"),
		PROC("1_root", "/proc/1/root/etc/passwd"),
		FS_TEST(link_to_proc_self, .options = OPEN_TO_ALL),
		FS_TEST(links_exchanged, .options = OPEN_TO_ALL),
		FS_TEST(links_of_folders_exchanged, .options = OPEN_TO_ALL),
		FS_TEST(file_and_fifo_exchanged, .options = OPEN_TO_ALL),
		FS_TEST(rootmode_decides_who_creates),
		{.name = "rootmode_1777_lets_users_create",
		 .function = rootmode_decides_who_creates,
		 .options = OPEN_TO_ALL},
		FS_TEST(others_cannot_touch_a_mapping, .options = OPEN_TO_ALL),
		{.name = "others_cannot_touch_a_mapping_without_sticky_bit",
		 .function = others_cannot_touch_a_mapping,
		 .options = "rootmode=0777"},
		FS_TEST(a_user_has_a_limit, .options = "rootmode=1777,max_user=3"),
		FS_TEST(unfinished_requests_of_a_user_have_a_limit, .options = OPEN_TO_ALL),
		FS_TEST(all_have_a_limit, .options = "max=4"),
	};

	return fs_run(argc, argv, "rights", tests, sizeof(tests) / sizeof(*tests));
}
