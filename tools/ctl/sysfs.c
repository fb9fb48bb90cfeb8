// SPDX-License-Identifier: BSD-3-Clause
/*
 * sysfs.c - reading sysfs and procfs
 *
 * Everything there may vanish between two readings: what is not there is no failure. Calls
 * memory.c.
 */
#include "ctl/sysfs.h"
#include "ctl/memory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

char *sysfs_join(const char *directory, const char *name)
{
	return memory_format("%s/%s", directory, name);
}

bool sysfs_is_gone(int error)
{
	return error == ENOENT || error == ESRCH || error == ENODEV;
}

char *sysfs_text(const char *directory, const char *attribute)
{
	char text[4096], *path = sysfs_join(directory, attribute);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int error = errno;

	if (fd >= 0)
		close(fd);
	free(path);
	if (length < 0) {
		errno = error;
		return NULL;
	}
	while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == '\0'))
		length--;
	text[length] = '\0';
	return memory_require(strdup(text));
}

char *sysfs_link(const char *directory, const char *link)
{
	char target[PATH_MAX], *path = sysfs_join(directory, link);
	ssize_t length = readlink(path, target, sizeof(target) - 1);
	const char *slash;
	int error = errno;

	free(path);
	if (length < 0) {
		errno = error;
		return NULL;
	}
	target[length] = '\0';
	slash = strrchr(target, '/');
	return memory_require(strdup(slash ? slash + 1 : target));
}

static int compare_names(const void *left, const void *right)
{
	return strverscmp(*(char *const *)left, *(char *const *)right);
}

char **sysfs_names(const char *directory, const char *prefix, bool *failed)
{
	const struct dirent *entry;
	char **names = memory_require(calloc(1, sizeof(*names)));
	size_t count = 0, room = 1;
	DIR *dir = opendir(directory);

	while (dir && (errno = 0, entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || strncmp(entry->d_name, prefix, strlen(prefix)))
			continue;
		memory_reserve(names, &room, count + 2, 16);
		names[count++] = memory_require(strdup(entry->d_name));
		names[count] = NULL;
	}
	if (errno && !sysfs_is_gone(errno))
		*failed = true;
	if (dir)
		closedir(dir);
	qsort(names, count, sizeof(*names), compare_names);
	return names;
}

void sysfs_free(char **names)
{
	for (size_t i = 0; names[i]; i++)
		free(names[i]);
	free(names);
}

char *sysfs_device(bool block, dev_t dev)
{
	return memory_format("/sys/dev/%s/%u:%u", block ? "block" : "char", major(dev), minor(dev));
}

bool sysfs_is_device_dax(dev_t dev)
{
	char *device = sysfs_device(false, dev);
	char *subsystem = sysfs_link(device, "subsystem");
	bool dax = subsystem && !strcmp(subsystem, "dax");

	free(subsystem);
	free(device);
	return dax;
}

void sysfs_unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from;) {
		unsigned code;

		if (*from == '\\' && sscanf(from, "\\%3o", &code) == 1 && strlen(from) >= 4) {
			*to++ = (char)code;
			from += 4;
		} else {
			*to++ = *from++;
		}
	}
	*to = '\0';
}
