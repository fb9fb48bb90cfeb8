/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mountinfo.c - see mountinfo.h
 */
#include "mount/mountinfo.h"
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* The kernel writes space, tab, newline and backslash as \ooo. */
static void unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') << 6 | (s[2] - '0') << 3 | (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/*
 * Cuts the next word out of a line, in place. When nothing is left (*rest is NULL), the word is
 * empty and must not be written to.
 */
static char *next_word(char **rest)
{
	char *word = strsep(rest, " \n");

	return word ? word : "";
}

/* Leaves the target empty if it is too long for a system call. */
static void copy_target(char *word, struct mount_line *line)
{
	size_t length;

	unescape(word);
	length = strlen(word);
	if (length >= sizeof(line->target))
		length = 0;
	memcpy(line->target, word, length);
	line->target[length] = '\0';
}

/* Reads the owner from the options of a FUSE file system. */
static void find_owner(char *options, struct mount_line *line)
{
	char *option;

	line->owned = false;
	line->uid = line->gid = 0;
	while ((option = strsep(&options, ","))) {
		if (sscanf(option, "user_id=%u", &line->uid) == 1)
			line->owned = true;
		else
			sscanf(option, "group_id=%u", &line->gid);
	}
}

static bool parse(char *text, struct mount_line *line)
{
	unsigned maj, min;
	char *rest = text;
	int begin = 0;

	if (sscanf(text, "%d %d %u:%u %n", &line->id, &line->parent, &maj, &min, &begin) != 4 ||
	    !begin)
		return false;
	line->dev = makedev(maj, min);
	rest += begin;
	line->whole = !strcmp(next_word(&rest), "/"); /* the mounted folder of the file system */
	if (!rest)
		return false;
	copy_target(next_word(&rest), line);
	for (char *word = ""; strcmp(word, "-") != 0; word = next_word(&rest))
		if (!rest)
			return false;
	snprintf(line->type, sizeof(line->type), "%s", next_word(&rest));
	next_word(&rest); /* skips the source */
	find_owner(next_word(&rest), line);
	return line->type[0] != '\0';
}

typedef bool (*match_fn)(const struct mount_line *line, const void *wanted);

static bool has_id(const struct mount_line *line, const void *id)
{
	return line->id == *(const int *)id;
}

static bool has_target(const struct mount_line *line, const void *target)
{
	return !strcmp(line->target, target);
}

static bool has_device(const struct mount_line *line, const void *dev)
{
	return line->dev == *(const dev_t *)dev;
}

int mountinfo_each(pid_t pid, void (*each)(void *arg, const struct mount_line *line), void *arg)
{
	struct mount_line *line;
	char path[64] = "/proc/self/mountinfo";
	int result = 0;
	char *text = NULL;
	size_t size = 0;
	FILE *file;

	if (pid)
		snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	line = malloc(sizeof(*line));
	if (!line)
		result = -ENOMEM;
	while (line && getline(&text, &size, file) > 0)
		if (parse(text, line))
			each(arg, line);
	free(text);
	free(line);
	fclose(file);
	return result;
}

struct search {
	match_fn match;
	const void *wanted;
	struct mount_line *line;
	bool found;
};

/* The last mount that matches: of those on one target that is the one on top. */
static void compare(void *arg, const struct mount_line *line)
{
	struct search *search = arg;

	if (!search->match(line, search->wanted))
		return;
	*search->line = *line;
	search->found = true;
}

static int find_mount_line(pid_t pid, match_fn match, const void *wanted, struct mount_line *line)
{
	struct search search = {.match = match, .wanted = wanted, .line = line};
	int error = mountinfo_each(pid, compare, &search);

	return error ? error : search.found ? 0 : -ENOENT;
}

int mountinfo_by_id(pid_t pid, int id, struct mount_line *line)
{
	return find_mount_line(pid, has_id, &id, line);
}

int mountinfo_by_target(pid_t pid, const char *target, struct mount_line *line)
{
	return find_mount_line(pid, has_target, target, line);
}

int mountinfo_by_device(pid_t pid, dev_t dev, struct mount_line *line)
{
	return find_mount_line(pid, has_device, &dev, line);
}

int mountinfo_id_of(int fd)
{
	char path[64], text[256];
	int id = -ENOENT;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return -errno;
	while (fgets(text, sizeof(text), file))
		if (sscanf(text, "mnt_id: %d", &id) == 1)
			break;
	fclose(file);
	return id;
}
