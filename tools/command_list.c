// SPDX-License-Identifier: BSD-3-Clause
/*
 * command_list.c - pmem2ctl list
 *
 * Reads the names first and sorts them, then the documents one by one: --json prints each as it
 * comes, the table keeps what its cells need. Calls mountpoint.c and table.c.
 */
#include "pmem2ctl.h"
#include "table.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
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

	int fd = dup(mountpoint);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		error = -errno;
		if (fd >= 0)
			close(fd);
		report(NULL, "cannot list the mappings: %s", strerror(-error));
		return error;
	}
	while (errno = 0, (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (names->count == names->room) {
			names->room = names->room ? 2 * names->room : 256;
			names->list = needed(
				reallocarray(names->list, names->room, sizeof(*names->list)));
		}
		names->list[names->count++] = needed(strdup(entry->d_name));
	}
	error = -errno;
	if (error)
		report(NULL, "cannot list the mappings: %s", strerror(-error));
	else if (names->count)
		qsort(names->list, names->count, sizeof(*names->list), compare_names);
	closedir(directory);
	return error;
}

struct listing {
	bool json, human;
	int mountpoint;
	size_t shown, unreadable;
	struct table table;
};

/* Returns 0, or a negative errno when stdout takes no more. */
static int show(struct listing *listing, const char *name, const struct buffer *text,
		const json_t *document)
{
	if (!listing->json) {
		table_add(&listing->table, name, document, listing->human);
		return 0;
	}
	size_t length = text->length;
	while (length > 0 && text->bytes[length - 1] == '\n')
		length--;
	int error = output_text(listing->shown++ ? ",\n" : "\n");
	return error ? error : output(text->bytes, length);
}

static void show_unreadable(struct listing *listing, const char *name)
{
	listing->unreadable++;
	if (!listing->json)
		table_add(&listing->table, name, NULL, listing->human);
}

/* Returns whether it makes sense to go on; a failure is noted in *status. */
static bool list_one(struct listing *listing, const char *name, struct buffer *text, int *status)
{
	int error = mountpoint_read(listing->mountpoint, name, text);

	if (error == -ENOENT || error == -ESTALE) /* gone since its name was read */
		return true;
	if (error == -EACCES || error == -EPERM) {
		show_unreadable(listing, name);
		return true;
	}
	json_t *document = error ? NULL : json_loadb(text->bytes, text->length, 0, NULL);
	if (json_is_object(document)) {
		error = show(listing, name, text, document);
		json_decref(document);
		if (error)
			*status = STATUS_FAILURE;
		return !error;
	}
	json_decref(document);
	report(name, "%s", error ? strerror(-error) : "its document is not a JSON object");
	*status = STATUS_FAILURE;
	return error != -ENOTCONN &&
	       error != -ECONNABORTED; /* the daemon is gone, and all with it */
}

static int list(struct listing *listing)
{
	struct names names = {0};
	struct buffer text = {0};
	int status = STATUS_FAILURE;

	if (read_names(listing->mountpoint, &names))
		goto free_names;
	status = STATUS_OK;
	if (listing->json && output_text("["))
		status = STATUS_FAILURE;
	for (size_t i = 0; i < names.count; i++)
		if (!list_one(listing, names.list[i], &text, &status))
			break;
	if (listing->json ? output_text(listing->shown ? "\n]\n" : "]\n")
			  : table_print(&listing->table))
		status = STATUS_FAILURE;
	if (listing->json && listing->unreadable)
		report(NULL, "left out %zu that you may not read", listing->unreadable);
	table_clear(&listing->table);
	free(text.bytes);
free_names:
	free_names(&names);
	return status;
}

static int run(struct invocation *invocation, int argc, char **argv)
{
	static const struct option options[] = {
		{"human", no_argument, NULL, 'u'},
		{"json", no_argument, NULL, 'j'},
		COMMON_LONG_OPTIONS,
	};
	struct listing listing = {0};
	int option, status;

	while ((option = getopt_long(argc, argv, "uj" COMMON_SHORT_OPTIONS, options, NULL)) != -1) {
		switch (option) {
		case 'u':
			listing.human = true;
			break;
		case 'j':
			listing.json = true;
			break;
		default:
			status = common_option(invocation, option);
			if (status >= 0)
				return status;
		}
	}
	if (optind < argc)
		return wrong_usage(invocation, "too many arguments");
	if (listing.json && listing.human)
		return wrong_usage(invocation, "--json has no human form");

	int connection = connection_open(invocation->socket);
	if (connection < 0)
		return STATUS_FAILURE;
	listing.mountpoint = mountpoint_open(connection);
	close(connection);
	if (listing.mountpoint < 0)
		return STATUS_FAILURE;
	status = list(&listing);
	close(listing.mountpoint);
	return status;
}

const struct command command_list = {
	.name = "list",
	.operands = "",
	.summary = "list the mappings",
	.details = "List all mappings, sorted by name. Of one that you may not read, only the name "
		   "is\n"
		   "shown; a '?' is a fact that should exist and cannot be had.\n\n"
		   "  -u, --human             print sizes like 64M\n"
		   "  -j, --json              print an array of the mappings' documents",
	.run = run,
};
