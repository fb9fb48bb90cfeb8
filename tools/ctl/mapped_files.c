// SPDX-License-Identifier: BSD-3-Clause
/*
 * mapped_files.c - the files that a process maps
 *
 * Reads /proc/PID/maps, the longest file in all of /proc, so lines are taken apart by hand and in
 * place. Owns nothing.
 */
#include "ctl/mapped_files.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Of a longer line, which has a path longer than PATH_MAX, only so much is read. */
#define BUFFER_SIZE 65536

/* Returns what is behind the next space, or the end. */
static char *next_word(char *at)
{
	at += strcspn(at, " ");
	return at + (*at == ' ');
}

/* Parses "BEGIN-END rwxp OFFSET MAJOR:MINOR INODE    PATH"; all numbers but INODE are hex. */
static void parse_line(char *line, struct mapped_file *file)
{
	unsigned maj, min;
	char *at;

	file->begin = strtoul(line, &at, 16);
	file->end = strtoul(at + (*at == '-'), &at, 16);
	at = next_word(next_word(next_word(at))); /* skips protection and offset */
	maj = (unsigned)strtoul(at, &at, 16);
	min = (unsigned)strtoul(at + (*at == ':'), &at, 16);
	file->dev = makedev(maj, min);
	file->inode = strtoull(at, &at, 10);
	file->path = at + strspn(at, " ");
}

struct reading {
	mapped_files_take *take;
	void *context;
	struct mapped_file last;
	ssize_t areas;
	bool within; /* in a long line, which was taken */
	bool done;
};

static void take_line(struct reading *reading, char *line)
{
	struct mapped_file file;

	reading->areas++;
	parse_line(line, &file);
	/* Anonymous inodes of different kinds have the same number. */
	if (!file.inode || (*file.path == '/' && file.dev == reading->last.dev &&
			    file.inode == reading->last.inode))
		return;
	reading->last = file;
	reading->done = !reading->take(reading->context, &file);
}

/* Returns the length of the unfinished last line. The text, of BUFFER_SIZE at most, can take a NUL.
 */
static size_t take_lines(struct reading *reading, char *text, size_t length)
{
	char *line = text, *end;

	while (!reading->done && (end = memchr(line, '\n', length - (size_t)(line - text)))) {
		*end = '\0';
		if (!reading->within)
			take_line(reading, line);
		reading->within = false;
		line = end + 1;
	}
	length -= (size_t)(line - text);
	if (length == BUFFER_SIZE && !reading->within && !reading->done) {
		text[length] = '\0';
		take_line(reading, text);
		reading->within = true;
	}
	if (reading->within)
		return 0;
	memmove(text, line, length);
	return length;
}

ssize_t mapped_files_read(int thread, mapped_files_take *take, void *context)
{
	static char buffer[BUFFER_SIZE + 1];
	struct reading reading = {.take = take, .context = context};
	int fd = openat(thread, "maps", O_RDONLY | O_CLOEXEC);
	size_t rest = 0;
	ssize_t length = 1;

	if (fd < 0)
		return -errno;
	while (length > 0 && !reading.done) {
		length = read(fd, buffer + rest, BUFFER_SIZE - rest);
		if (length > 0)
			rest = take_lines(&reading, buffer, rest + (size_t)length);
		else if (length < 0 && errno == EINTR)
			length = 1;
		if (!length && (rest || reading.within)) /* no end of a line */
			errno = EIO, length = -1;
	}
	if (length < 0)
		reading.areas = -errno;
	close(fd);
	return reading.areas;
}
