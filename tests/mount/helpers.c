/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helpers.c - what the mount tests do with files, users and documents
 *
 * Nothing here knows how the daemon is run. Functions that fail the test may be called by the
 * process of the tests only, never in a child.
 */
#include "helpers.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

const struct user user_a = {.uid = 4001, .gid = 4001};
const struct user user_b = {.uid = 4002, .gid = 4002};
const struct user user_nobody = {.uid = 65534, .gid = 65534};

int become(const struct user *user)
{
	if (setgroups(user->group_count, user->groups) != 0 ||
	    setresgid(user->gid, user->gid, user->gid) != 0 ||
	    setresuid(user->uid, user->uid, user->uid) != 0)
		return errno;
	/*
	 * As after an exec: otherwise a daemon of the same user could not read this process in
	 * /proc.
	 */
	return prctl(PR_SET_DUMPABLE, 1) == 0 ? 0 : errno;
}

pid_t start_as(const struct user *user, int (*function)(void *), void *argument)
{
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int error = user ? become(user) : 0;

		_exit(error ? 255 : function(argument));
	}
	return child;
}

int finish(pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			fail_msg("waitpid(%d): %s", (int)child, strerror(errno));
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int run_as(const struct user *user, int (*function)(void *), void *argument)
{
	return finish(start_as(user, function, argument));
}

const char *format(const char *text, ...)
{
	static char *strings[1024];
	static unsigned next;
	char **string = &strings[next++ % 1024];
	va_list arguments;

	free(*string);
	va_start(arguments, text);
	if (vasprintf(string, text, arguments) < 0)
		abort();
	va_end(arguments);
	return *string;
}

const char *entry(const struct fs *fs, const char *name)
{
	return format("%s/%s", fs->daemon.mnt, name);
}

const char *source(const struct fs *fs, const char *name)
{
	return format("%s/%s", fs->data, name);
}

const char *make_source(const struct fs *fs, const char *name, off_t size)
{
	const char *path = source(fs, name);
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0666), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	return path;
}

int write_file(const char *path, const void *bytes, size_t length)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ssize_t written;
	int error;

	if (fd < 0)
		return errno;
	written = write(fd, bytes, length);
	error = written < 0 ? errno : 0;
	if (close(fd) != 0 && !error)
		error = errno;
	if (!error && (size_t)written != length)
		error = EIO;
	return error;
}

int write_text(const char *path, const char *text)
{
	return write_file(path, text, strlen(text));
}

struct paths {
	const char *path, *text;
};

static int write_child(void *argument)
{
	const struct paths *paths = argument;

	return write_text(paths->path, paths->text);
}

int write_as(const struct user *user, const char *path, const char *text)
{
	return run_as(user, write_child, &(struct paths){path, text});
}

static int read_child(void *argument)
{
	const struct paths *paths = argument;
	char *text = read_file(paths->path, NULL);

	return text ? 0 : errno;
}

int read_as(const struct user *user, const char *path)
{
	return run_as(user, read_child, &(struct paths){path, NULL});
}

static int unlink_paths(void *argument)
{
	const struct paths *paths = argument;

	return unlink(paths->path) == 0 ? 0 : errno;
}

int unlink_as(const struct user *user, const char *path)
{
	return run_as(user, unlink_paths, &(struct paths){path, NULL});
}

static int rename_paths(void *argument)
{
	const struct paths *paths = argument;

	return rename(paths->path, paths->text) == 0 ? 0 : errno;
}

int rename_as(const struct user *user, const char *from, const char *to)
{
	return run_as(user, rename_paths, &(struct paths){from, to});
}

char *read_file(const char *path, size_t *length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), error;
	size_t size = 0, room = 4096;
	char *text = NULL;
	ssize_t got;

	if (fd < 0)
		return NULL;
	do {
		char *more = NULL;

		if (!text || room - size < 2048) {
			room *= 2;
			more = realloc(text, room);
			if (!more)
				goto fail;
			text = more;
		}
		got = read(fd, text + size, room - size - 1);
		if (got < 0)
			goto fail;
		size += (size_t)got;
	} while (got > 0);
	close(fd);
	text[size] = '\0';
	if (length)
		*length = size;
	return text;
fail:
	error = errno;
	free(text);
	close(fd);
	errno = error;
	return NULL;
}

const char *request_of(const char *path)
{
	char escaped[5 * PATH_MAX / 4];
	size_t length = 0;

	if (!strpbrk(path, "\\\"\n\t\001\033\377\303"))
		return format("{\"source\":{\"path\":\"%s\"}}\n", path);
	for (; *path && length < sizeof(escaped) - 6; path++, length += 5)
		snprintf(escaped + length, 6, "\\\\x%02x", (unsigned char)*path);
	return format("{\"source\":{\"path\":\"%s\",\"path_encoding\":\"escaped\"}}\n", escaped);
}

void map_source(const struct fs *fs, const char *name, const char *path)
{
	int error = write_text(entry(fs, name), request_of(path));

	if (error)
		fail_msg("cannot map %s as %s: %s", path, name, strerror(error));
}

void map_anonymous(const struct fs *fs, const char *name, size_t size)
{
	int error =
		write_text(entry(fs, name),
			   format("{\"source\":{\"type\":\"anonymous\",\"size\":%zu}}\n", size));

	if (error)
		fail_msg("cannot map %zu anonymous bytes as %s: %s", size, name, strerror(error));
}

/* Whether a change is to be tried again. If it finds nothing then, it was made late. */
static bool is_busy(int *error, bool *busy, int64_t end)
{
	if (*busy && *error == ENOENT)
		*error = 0;
	*busy = *error == EBUSY;
	return *busy && now_ms() < end;
}

/* Calls `function` again as long as it says EBUSY: as `user`, or in this process when it is NULL.
 */
static int patiently_as(const struct user *user, int (*function)(void *), const char *path,
			const char *text)
{
	struct paths paths = {path, text};
	int64_t end = now_ms() + WAIT_MS;
	bool busy = false;
	int error;

	do
		error = user ? run_as(user, function, &paths) : function(&paths);
	while (is_busy(&error, &busy, end));
	return error;
}

int unlink_patiently(const char *path)
{
	return patiently_as(NULL, unlink_paths, path, NULL);
}

int rename_patiently(const char *from, const char *to)
{
	return patiently_as(NULL, rename_paths, from, to);
}

void unmap_as(const struct user *user, const struct fs *fs, const char *name)
{
	int error = patiently_as(user, unlink_paths, entry(fs, name), NULL);

	if (error)
		fail_msg("cannot remove %s: %s", name, strerror(error));
}

void rename_entry_as(const struct user *user, const struct fs *fs, const char *name,
		     const char *new_name)
{
	int error = patiently_as(user, rename_paths, entry(fs, name), entry(fs, new_name));

	if (error)
		fail_msg("cannot rename %s to %s: %s", name, new_name, strerror(error));
}

void rename_entry(const struct fs *fs, const char *name, const char *new_name)
{
	rename_entry_as(NULL, fs, name, new_name);
}

void unmap(const struct fs *fs, const char *name)
{
	unmap_as(NULL, fs, name);
}

void unmap_part(const struct fs *fs, const char *name, const char *range)
{
	if (shell(fs, format("%s -s %s unmap %s %s", getenv("PMEM2FS_CTL"), fs->daemon.socket,
			     range, name)))
		fail_msg("cannot unmap a part of %s: %s", name, output_of(fs));
}

json_t *document(const struct fs *fs, const char *name)
{
	size_t length = 0;
	char *text = read_file(entry(fs, name), &length);
	json_error_t why;
	json_t *root;

	if (!text)
		fail_msg("cannot read %s: %s", name, strerror(errno));
	root = json_loadb(text, length, JSON_REJECT_DUPLICATES, &why);
	if (!root)
		fail_msg("%s is not JSON: %s\n%s", name, why.text, text);
	assert_true(json_is_object(root));
	free(text);
	return root;
}

const char *text_of(const json_t *root, const char *key)
{
	const json_t *value = json_object_get(root, key);

	if (!json_is_string(value))
		fail_msg("\"%s\" is not a string", key);
	return json_string_value(value);
}

int64_t number_of(const json_t *root, const char *key)
{
	const json_t *value = json_object_get(root, key);

	if (!json_is_integer(value))
		fail_msg("\"%s\" is not a whole number", key);
	return json_integer_value(value);
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void names_read(struct names *names, const char *folder)
{
	DIR *dir = opendir(folder);
	struct dirent *d;
	size_t room = 0;

	if (!dir)
		fail_msg("cannot list %s: %s", folder, strerror(errno));
	*names = (struct names){0};
	while ((errno = 0, d = readdir(dir))) {
		if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
			continue;
		if (names->count == room) {
			room = room ? 2 * room : 64;
			names->name = realloc(names->name, room * sizeof(*names->name));
			assert_non_null(names->name);
		}
		names->name[names->count++] = strdup(d->d_name);
	}
	assert_int_equal(errno, 0);
	closedir(dir);
	if (names->count)
		qsort(names->name, names->count, sizeof(*names->name), compare);
}

void names_free(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->name[i]);
	free(names->name);
	*names = (struct names){0};
}

bool names_have(const struct names *names, const char *name)
{
	return names->count && bsearch(&name, names->name, names->count, sizeof(name), compare);
}

void assert_entries(const struct fs *fs, ...)
{
	struct names names;
	const char *expected;
	va_list list;
	size_t i = 0;

	names_read(&names, fs->daemon.mnt);
	va_start(list, fs);
	while ((expected = va_arg(list, const char *))) {
		if (i == names.count || strcmp(names.name[i], expected))
			fail_msg("\"%s\" is not listed, or something before it is", expected);
		i++;
	}
	va_end(list);
	if (i != names.count)
		fail_msg("\"%s\" is listed too", names.name[i]);
	names_free(&names);
}

char *snapshot(const struct fs *fs)
{
	struct names names;
	size_t length;
	char *all = NULL;
	FILE *out = open_memstream(&all, &length);

	assert_non_null(out);
	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++) {
		const char *path = entry(fs, names.name[i]);
		char *text = read_file(path, NULL);
		struct stat st;

		if (!text || stat(path, &st) != 0)
			fail_msg("cannot read %s: %s", path, strerror(errno));
		fprintf(out, "%s %ju %o %u %s", names.name[i], (uintmax_t)st.st_ino, st.st_mode,
			st.st_uid, text);
		free(text);
	}
	names_free(&names);
	fclose(out);
	return all;
}

const char *hanging(const struct fs *fs)
{
	return format("%s/hang", fs->dir);
}

void start_hanging(struct fs *fs, const char *how)
{
	const char *program = getenv("PMEM2FS_HANG_FS");

	assert_int_equal(mkdir(hanging(fs), 0755), 0);
	fs->helper = fork();
	assert_true(fs->helper >= 0);
	if (fs->helper == 0) {
		execl(program, "hang_fs", hanging(fs), how, (char *)NULL);
		_exit(127);
	}
	WAIT_UNTIL(mounted(hanging(fs)));
}

bool has_ended(pid_t child)
{
	siginfo_t info = {0};

	assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
	return info.si_pid == child;
}

bool waits_for_answer(pid_t pid)
{
	char *text = read_file(format("/proc/%d/syscall", (int)pid), NULL);
	long number;
	bool waits = text && sscanf(text, "%ld", &number) == 1 &&
		     (number == SYS_write || number == SYS_close);

	free(text);
	return waits;
}

void others_go_on(const struct fs *fs)
{
	const struct user *users[] = {NULL, &user_b};

	for (size_t i = 0; i < 2; i++) {
		const char *name = format("other%zu", i);
		struct names names;
		struct statvfs v;

		assert_int_equal(
			write_as(users[i], entry(fs, name),
				 format("{\"source\":{\"path\":\"%s\"}}", source(fs, "file"))),
			0);
		assert_int_equal(read_as(users[i], entry(fs, name)), 0);
		names_read(&names, fs->daemon.mnt);
		assert_true(names_have(&names, name));
		names_free(&names);
		rename_entry_as(users[i], fs, name, "renamed");
		assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
		unmap_as(users[i], fs, "renamed");
		assert_int_equal(unlink_as(users[i], entry(fs, "renamed")), ENOENT);
	}
	json_decref(document(fs, "keep"));
}

size_t maps_with(pid_t pid, const char *text)
{
	char *maps = read_file(format("/proc/%d/maps", (int)pid), NULL);
	const char *at = maps;
	size_t count = 0;

	assert_non_null(maps);
	while (at && (at = strstr(at, text))) {
		count++;
		at = strchr(at + 1, '\n'); /* the text itself may begin with a newline */
	}
	free(maps);
	return count;
}

struct script {
	const struct fs *fs;
	const char *text;
};

static int run_script(void *argument)
{
	const struct script *script = argument;
	int out = open(format("%s/output", script->fs->dir), O_WRONLY | O_CREAT | O_TRUNC, 0666);

	dup2(out, 1);
	dup2(out, 2);
	setenv("M", script->fs->daemon.mnt, 1);
	setenv("D", script->fs->data, 1);
	setenv("LC_ALL", "C", 1);
	execl("/bin/sh", "sh", "-c", script->text, (char *)NULL);
	return 127;
}

int shell_as(const struct user *user, const struct fs *fs, const char *script)
{
	const char *output = format("%s/output", fs->dir);

	assert_int_equal(write_text(output, ""), 0);
	assert_int_equal(chmod(output, 0666), 0);
	return run_as(user, run_script, &(struct script){fs, script});
}

int shell(const struct fs *fs, const char *script)
{
	return shell_as(NULL, fs, script);
}

const char *output_of(const struct fs *fs)
{
	char *text = read_file(format("%s/output", fs->dir), NULL);
	const char *output = format("%s", text ? text : "");

	free(text);
	return output;
}

bool output_has(const struct fs *fs, const char *text)
{
	return strstr(output_of(fs), text) != NULL;
}

void need_programs(const struct fs *fs, const char *programs)
{
	if (!shell(fs, format("for program in %s; do command -v $program || exit; done", programs)))
		return;
	print_message("not all of these are there: %s\n", programs);
	skip();
}
