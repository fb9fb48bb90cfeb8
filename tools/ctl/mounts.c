// SPDX-License-Identifier: BSD-3-Clause
/*
 * mounts.c - the mounts of all mount namespaces
 *
 * Owns the list and its texts. Calls memory.c and sysfs.c.
 */
#include "ctl/mounts.h"
#include "ctl/memory.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
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

int mounts_read(struct mounts *mounts, const char *directory, pid_t pid)
{
	struct mount_view view = {.pid = pid};
	int error = view_of(directory, &view);
	size_t before = mounts->count;

	if (error || is_known(mounts, &view))
		return error;
	error = read_table(mounts, directory);
	if (error) { /* the mounts that were read have no view */
		while (mounts->count > before)
			free(mounts->list[--mounts->count].line);
		return error;
	}
	view.comm = sysfs_text(directory, "comm");
	view.directory =
		pid ? memory_format("/proc/%d/root", (int)pid) : memory_require(strdup(""));
	memory_reserve(mounts->views, &mounts->view_room, mounts->view_count + 1, 16);
	mounts->views[mounts->view_count++] = view;
	return 0;
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
		free(mounts->views[i].comm);
		free(mounts->views[i].directory);
	}
	free(mounts->list);
	free(mounts->views);
	*mounts = (struct mounts){0};
}
