/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountpoint.c - see mountpoint.h
 *
 * Resolves word by word. What is resolved has no links, so that ".." removes its last word. Nothing
 * but readlink(2) is called: it does not access a file system that is mounted on the path itself,
 * whereas a look-up of anything behind it, even "/.", does.
 */
#include "mount/mountpoint.h"
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40 /* as in the kernel */

struct resolving {
	char resolved[PATH_MAX]; /* without links; "" is the root directory */
	char rest[PATH_MAX];     /* what is still to be resolved */
	unsigned links;
};

static int append(struct resolving *path, const char *word)
{
	size_t length = strlen(path->resolved);

	if (length + 1 + strlen(word) >= sizeof(path->resolved))
		return -ENAMETOOLONG;
	path->resolved[length] = '/';
	strcpy(path->resolved + length + 1, word);
	return 0;
}

static void go_up(struct resolving *path)
{
	char *slash = strrchr(path->resolved, '/');

	if (slash)
		*slash = '\0';
}

/* Puts the target of a link in front of what is still to be resolved. */
static int follow(struct resolving *path, char *target)
{
	size_t length = strlen(target), rest = strlen(path->rest);

	if (++path->links > LINKS_MAX)
		return -ELOOP;
	if (length + 1 + rest >= sizeof(path->rest))
		return -ENAMETOOLONG;
	memmove(path->rest + length + 1, path->rest, rest + 1);
	memcpy(path->rest, target, length);
	path->rest[length] = '/';
	if (target[0] == '/')
		path->resolved[0] = '\0';
	else
		go_up(path); /* removes the name of the link */
	return 0;
}

/* Takes the next word from `rest`. */
static int step(struct resolving *path)
{
	char word[NAME_MAX + 1], target[PATH_MAX];
	size_t length = strcspn(path->rest, "/");
	ssize_t size;
	int error;

	if (length > NAME_MAX)
		return -ENAMETOOLONG;
	memcpy(word, path->rest, length);
	word[length] = '\0';
	length += path->rest[length] == '/';
	memmove(path->rest, path->rest + length, strlen(path->rest + length) + 1);
	if (!word[0] || !strcmp(word, "."))
		return 0;
	if (!strcmp(word, "..")) {
		go_up(path);
		return 0;
	}
	error = append(path, word);
	if (error)
		return error;
	size = readlink(path->resolved, target, sizeof(target) - 1);
	if (size < 0) /* EINVAL: it exists and is no link */
		return errno == EINVAL ? 0 : -errno;
	target[size] = '\0';
	return follow(path, target);
}

char *mountpoint_resolve(const char *path)
{
	struct resolving *resolving = calloc(1, sizeof(*resolving));
	char *result = NULL;
	int error = 0;

	if (!resolving)
		return NULL;
	if (strlen(path) >= sizeof(resolving->rest))
		error = -ENAMETOOLONG;
	else if (!*path)
		error = -ENOENT;
	else if (path[0] != '/' && !getcwd(resolving->resolved, sizeof(resolving->resolved)))
		error = -errno;
	if (!error)
		strcpy(resolving->rest, path);
	if (!strcmp(resolving->resolved, "/"))
		resolving->resolved[0] = '\0';
	while (!error && resolving->rest[0])
		error = step(resolving);
	if (!error)
		result = strdup(resolving->resolved[0] ? resolving->resolved : "/");
	else
		errno = -error;
	free(resolving);
	return result;
}
