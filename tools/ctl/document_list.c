// SPDX-License-Identifier: BSD-3-Clause
/*
 * document_list.c - the documents of all mappings
 *
 * Reads the names first and sorts them, then the documents one by one. Calls mountpoint.c,
 * report.c and memory.c.
 */

#include "ctl/document_list.h"
#include "ctl/memory.h"
#include "ctl/mountpoint.h"
#include "ctl/report.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct names {
	char **list;
	size_t count, room;
};

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void free_names(struct names *names)
{
	for (size_t i = 0; i < names->count; i++)
		free(names->list[i]);
	free(names->list);
}

/* Reads the names of all mappings, sorted by their bytes whatever the locale is. */
static int read_names(int mountpoint, struct names *names)
{
	const struct dirent *entry;
	int error = 0;
	int fd;
	DIR *directory;

	fd = dup(mountpoint);
	directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		report(NULL, "cannot list the mappings: %s", strerror(-error));
		return error;
	}
	rewinddir(directory); /* its position is shared with earlier readings */
	while (errno = 0, (entry = readdir(directory))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		memory_reserve(names->list, &names->room, names->count + 1, 256);
		names->list[names->count++] = memory_require(strdup(entry->d_name));
	}
	error = -errno;
	if (error)
		report(NULL, "cannot list the mappings: %s", strerror(-error));
	else if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_names);
	closedir(directory);
	return error;
}

/* Returns whether it makes sense to go on; a failure is noted in *result. */
static bool read_document(int mountpoint, const char *name, struct buffer *text,
			  documents_take *take, void *context, size_t *gone, int *result)
{
	int error = mountpoint_read(mountpoint, name, text);
	json_t *document;

	if (error == -ENOENT || error == -ESTALE) {
		++*gone;
		return true;
	}
	if (error == -EACCES || error == -EPERM)
		return take(context, name, NULL, NULL);
	document = error ? NULL : json_loadb(text->bytes, text->length, 0, NULL);
	if (json_is_object(document)) {
		bool more = take(context, name, text, document);
		json_decref(document);
		return more;
	}
	json_decref(document);
	report(name, "%s", error ? strerror(-error) : "its document is not a JSON object");
	*result = -1;
	return error != -ENOTCONN &&
	       error != -ECONNABORTED; /* the daemon is gone, and all with it */
}

int documents_read(int mountpoint, documents_take *take, void *context, size_t *gone)
{
	struct names names = {0};
	struct buffer text = {0};
	int result = 0;

	*gone = 0;
	if (read_names(mountpoint, &names)) {
		result = -1;
		goto free_names;
	}
	for (size_t i = 0; i < names.count; i++)
		if (!read_document(mountpoint, names.list[i], &text, take, context, gone, &result))
			break;
free_names:
	free(text.bytes);
	free_names(&names);
	return result;
}
