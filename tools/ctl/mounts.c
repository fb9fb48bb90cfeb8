// SPDX-License-Identifier: BSD-3-Clause
/*
 * mounts.c - the mounts of all mount namespaces
 *
 * Owns the list and its texts. Calls memory.c, report.c and sysfs.c.
 */
#include "ctl/mounts.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

static void parse_propagation(struct mount *mount, const char *word)
{
	if (!strncmp(word, "shared:", 7))
		mount->group = (unsigned)strtoul(word + 7, NULL, 10);
	else if (!strncmp(word, "master:", 7))
		mount->master = (unsigned)strtoul(word + 7, NULL, 10);
}

/*
 * Parses "ID PARENT MAJOR:MINOR ROOT PATH FLAGS [PROPAGATION]... - TYPE SOURCE OPTIONS"; SOURCE may
 * be empty. Escapes in OPTIONS stay, since commas may be escaped.
 */
static bool parse_mount(struct mount *mount, char *line)
{
	char *at = line, *word, *number;
	unsigned maj, min;

	line[strcspn(line, "\n")] = '\0';
	number = strsep(&at, " ");
	mount->id = strtoull(number, NULL, 10);
	number = strsep(&at, " ");
	mount->parent = number ? strtoull(number, NULL, 10) : 0;
	number = strsep(&at, " ");
	if (!number || sscanf(number, "%u:%u", &maj, &min) != 2)
		return false;
	mount->dev = makedev(maj, min);
	mount->root = strsep(&at, " ");
	mount->path = strsep(&at, " ");
	while ((word = strsep(&at, " ")) && strcmp(word, "-"))
		parse_propagation(mount, word);
	mount->type = strsep(&at, " ");
	mount->source = strsep(&at, " ");
	mount->options = strsep(&at, " ");
	if (!mount->options)
		return false;
	sysfs_unescape(mount->root);
	sysfs_unescape(mount->path);
	sysfs_unescape(mount->source);
	return true;
}

/* Returns 0, or -EIO when the line makes no sense. */
static int add_mount(struct mounts *mounts, const char *line)
{
	struct mount mount = {.line = memory_require(strdup(line)), .view = mounts->view_count};

	if (!parse_mount(&mount, mount.line)) {
		free(mount.line);
		return -EIO;
	}
	memory_reserve(mounts->list, &mounts->room, mounts->count + 1, 64);
	mounts->list[mounts->count++] = mount;
	return 0;
}

static int read_table(struct mounts *mounts, const char *directory)
{
	char *path = sysfs_join(directory, "mountinfo");
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;
	int error = file ? 0 : -errno;

	free(path);
	while (!error && getline(&line, &room, file) > 0)
		error = add_mount(mounts, line);
	if (!error && !feof(file))
		error = -errno;
	free(line);
	if (file)
		fclose(file);
	return error;
}

/* Returns 0 or a negative errno. */
static int view_of(const char *directory, struct mount_view *view)
{
	int fd = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC), error = 0;
	struct statx root;
	struct stat namespace;

	if (fd < 0)
		return -errno;
	if (fstatat(fd, "ns/mnt", &namespace, 0) ||
	    (statx(fd, "root", AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_MNT_ID,
		   &root) &&
	     /* EACCES: on a FUSE mount that only its user may enter */
	     (errno != EACCES ||
	      statx(fd, "root", AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, 0, &root)))) {
		error = -errno;
	} else {
		view->namespace = namespace.st_ino;
		view->root_mount = root.stx_mnt_id;
		view->root = root.stx_ino;
	}
	close(fd);
	return error;
}

static bool is_known(const struct mounts *mounts, const struct mount_view *view)
{
	for (size_t i = 0; i < mounts->view_count; i++) {
		const struct mount_view *known = &mounts->views[i];

		if (known->namespace == view->namespace && known->root_mount == view->root_mount &&
		    known->root == view->root)
			return true;
	}
	return false;
}

/* Adds a view, and the mounts in the table of the thread whose folder it is. */
static int add_view(struct mounts *mounts, struct mount_view view, const char *directory)
{
	size_t before = mounts->count;
	int error = read_table(mounts, directory);

	if (error) { /* the mounts that were read have no view */
		while (mounts->count > before)
			free(mounts->list[--mounts->count].line);
		return error;
	}
	memory_reserve(mounts->views, &mounts->view_room, mounts->view_count + 1, 16);
	mounts->views[mounts->view_count++] = view;
	return 0;
}

/* Where this thread is: its namespace, root directory and current folder, opened. */
struct place {
	int namespace, root, folder;
};

static struct place find_place(void)
{
	return (struct place){
		.namespace = open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC),
		.root = open("/", O_PATH | O_CLOEXEC),
		.folder = open(".", O_PATH | O_CLOEXEC),
	};
}

/* Elsewhere no path would lead to what it should, so that nothing more could be found out. */
static void go_back(const struct place *place)
{
	if (setns(place->namespace, CLONE_NEWNS) || fchdir(place->root) || chroot(".") ||
	    fchdir(place->folder)) {
		report(NULL, "cannot go back to the own mount namespace: %s", strerror(errno));
		_exit(2);
	}
}

static void leave_place(const struct place *place)
{
	int fds[] = {place->namespace, place->root, place->folder};

	for (size_t i = 0; i < sizeof(fds) / sizeof(*fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
}

/*
 * Adds all mounts of a namespace if `view` does not have them. A thread that enters the namespace
 * gets its root directory. `proc` is /proc, opened: no path leads there from another namespace.
 */
static int add_whole_namespace(struct mounts *mounts, const struct mount_view *view, int namespace,
			       int proc)
{
	struct mount_view whole = {.pid = view->pid, .root_fd = -1};
	int error;

	if (setns(namespace, CLONE_NEWNS))
		return -errno;
	error = fchdir(proc) ? -errno : view_of("thread-self", &whole);
	if (error || (whole.root_mount == view->root_mount && whole.root == view->root))
		return error;
	whole.root_fd = open("/", O_PATH | O_CLOEXEC);
	if (whole.root_fd < 0)
		return -errno;
	whole.directory = memory_format("/proc/self/fd/%d", whole.root_fd);
	error = add_view(mounts, whole, "thread-self");
	if (error) {
		free(whole.directory);
		close(whole.root_fd);
	}
	return error;
}

static int read_whole_namespace(struct mounts *mounts, const struct mount_view *view,
				const char *directory)
{
	char *path = sysfs_join(directory, "ns/mnt");
	int namespace = open(path, O_RDONLY | O_CLOEXEC);
	int error = namespace < 0 ? -errno : 0;
	int proc = open("/proc", O_PATH | O_CLOEXEC);
	struct place place = find_place();
	size_t before = mounts->view_count;

	free(path);
	if (!error && (proc < 0 || place.namespace < 0 || place.root < 0 || place.folder < 0))
		error = -EMFILE;
	/* Only a thread with a current folder of its own may enter a namespace. */
	if (!error && unshare(CLONE_FS))
		error = -errno;
	if (!error) {
		error = add_whole_namespace(mounts, view, namespace, proc);
		go_back(&place);
	}
	if (mounts->view_count > before)
		mounts->views[before].comm = sysfs_text(directory, "comm");
	leave_place(&place);
	if (proc >= 0)
		close(proc);
	if (namespace >= 0)
		close(namespace);
	return error;
}

int mounts_read(struct mounts *mounts, const char *directory, pid_t pid)
{
	struct mount_view view = {.pid = pid, .root_fd = -1};
	int error = view_of(directory, &view);
	bool is_first;

	if (error || is_known(mounts, &view))
		return error;
	is_first = pid && !mounts_know_namespace(mounts, view.namespace);
	view.comm = sysfs_text(directory, "comm");
	view.directory =
		pid ? memory_format("/proc/%d/root", (int)pid) : memory_require(strdup(""));
	error = add_view(mounts, view, directory);
	if (error) {
		free(view.comm);
		free(view.directory);
	}
	/* After the view of the process: paths are given as that sees them where it does. */
	return !error && is_first ? read_whole_namespace(mounts, &view, directory) : error;
}

static int compare_mounts(const void *left, const void *right)
{
	const struct mount *a = left, *b = right;

	if (a->id != b->id)
		return a->id < b->id ? -1 : 1;
	return a->view < b->view ? -1 : a->view > b->view;
}

void mounts_sort(struct mounts *mounts)
{
	if (mounts->count)
		qsort(mounts->list, mounts->count, sizeof(*mounts->list), compare_mounts);
}

const struct mount *mounts_find(const struct mounts *mounts, uint64_t id)
{
	size_t low = 0, high = mounts->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (mounts->list[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	return low < mounts->count && mounts->list[low].id == id ? &mounts->list[low] : NULL;
}

bool mounts_know_namespace(const struct mounts *mounts, ino_t namespace)
{
	for (size_t i = 0; i < mounts->view_count; i++)
		if (mounts->views[i].namespace == namespace)
			return true;
	return false;
}

void mounts_clear(struct mounts *mounts)
{
	for (size_t i = 0; i < mounts->count; i++)
		free(mounts->list[i].line);
	for (size_t i = 0; i < mounts->view_count; i++) {
		if (mounts->views[i].root_fd >= 0)
			close(mounts->views[i].root_fd);
		free(mounts->views[i].comm);
		free(mounts->views[i].directory);
	}
	free(mounts->list);
	free(mounts->views);
	*mounts = (struct mounts){0};
}
