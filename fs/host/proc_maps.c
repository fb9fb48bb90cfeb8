/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc_maps.c - see proc_maps.h
 *
 * Areas and mappings are not one to one: the kernel cuts an area where a program changes its
 * protection or locks it, and makes one of two neighbours that are alike.
 */
#include "host/proc_maps.h"
#include "base/array.h"
#include "host/proc.h"
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Of a longer line, which has a path longer than PATH_MAX, only so much is read. */
#define BUFFER_SIZE 65536

/* Paths that are kept of one process, bytes: its user may have made them long. */
#define PATHS_MAX ((size_t)16 << 20)

/* The areas while they are read. */
struct reading {
	struct maps maps;
	size_t room, paths_room;
	bool with_paths;
	uint32_t last_path; /* that was kept; 0: none */
};

/* Number of threads plus the two links that each folder has. */
#define ONE_THREAD 3

static uint64_t hex(const char **at)
{
	uint64_t value = 0;

	for (;; ++*at) {
		unsigned char c = (unsigned char)**at;

		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (c - 'a' + 10);
		else
			return value;
	}
}

static uint64_t decimal(const char **at)
{
	uint64_t value = 0;

	for (; **at >= '0' && **at <= '9'; ++*at)
		value = value * 10 + (uint64_t)(**at - '0');
	return value;
}

static bool skip_char(const char **at, char c)
{
	if (**at != c)
		return false;
	++*at;
	return true;
}

static uint8_t name_of(const char *at)
{
	static const char table[] = "/memfd:pmem2fs", zero[] = "/dev/zero";

	if (*at != '/')
		return MAPS_OTHER;
	if (!strncmp(at, table, sizeof(table) - 1))
		return MAPS_TABLE;
	return strncmp(at, zero, sizeof(zero) - 1) ? MAPS_OTHER : MAPS_ZERO;
}

/*
 * "BEGIN-END rwxp OFFSET MAJOR:MINOR INODE    NAME\n", numbers in hex but for the inode's. Written
 * out, since a process may have more areas than there is time for a general parser.
 */
static bool parse_area(const char *at, struct maps_area *area, const char **name)
{
	uint64_t major, minor;

	area->begin = hex(&at);
	if (!skip_char(&at, '-'))
		return false;
	area->end = hex(&at);
	if (!skip_char(&at, ' ') || memchr(at, '\n', 5))
		return false;
	area->protection = (uint8_t)((at[0] == 'r') | (at[1] == 'w') << 1 | (at[2] == 'x') << 2);
	area->shared = at[3] == 's';
	at += 4;
	if (!skip_char(&at, ' '))
		return false;
	area->offset = hex(&at);
	if (!skip_char(&at, ' '))
		return false;
	major = hex(&at);
	if (!skip_char(&at, ':'))
		return false;
	minor = hex(&at);
	if (!skip_char(&at, ' '))
		return false;
	area->dev = makedev((unsigned)major, (unsigned)minor);
	area->inode = decimal(&at);
	while (*at == ' ')
		at++;
	*name = at;
	area->name = area->inode ? name_of(at) : MAPS_OTHER;
	area->path = 0;
	return area->begin < area->end;
}

static struct maps_area *next_area(struct reading *reading)
{
	struct maps *maps = &reading->maps;

	if (array_reserve(maps->list, &reading->room, maps->count + 1, 256))
		return NULL;
	return &maps->list[maps->count];
}

/*
 * Keeps the path that is in front of `end`. The kernel writes a newline in it as \012, and a
 * backslash as it is.
 */
static int keep_path(struct reading *reading, struct maps_area *area, const char *path,
		     const char *end)
{
	struct maps *maps = &reading->maps;
	const char *last = reading->last_path ? maps->paths + reading->last_path : NULL;
	size_t length = (size_t)(end - path);

	if (*path != '/' || length >= PATH_MAX || memmem(path, length, "\\012", 4))
		return 0;
	if (last && !strncmp(last, path, length) && !last[length]) {
		area->path = reading->last_path;
		return 0;
	}
	if (maps->paths_length + length + 2 > PATHS_MAX)
		return 0;
	/* Place 0 stands for no path. */
	if (array_reserve(maps->paths, &reading->paths_room, maps->paths_length + length + 2, 4096))
		return -ENOMEM;
	if (!maps->paths_length)
		maps->paths[maps->paths_length++] = '\0';
	area->path = reading->last_path = (uint32_t)maps->paths_length;
	memcpy(maps->paths + area->path, path, length);
	maps->paths_length += length;
	maps->paths[maps->paths_length++] = '\0';
	return 0;
}

static int add_line(struct reading *reading, const char *line, const char *line_end)
{
	struct maps_area *area = next_area(reading);
	struct maps *maps = &reading->maps;
	const char *name;
	uint64_t end;

	if (!area)
		return -ENOMEM;
	if (!parse_area(line, area, &name))
		return -EIO;
	if (reading->with_paths && area->inode && keep_path(reading, area, name, line_end))
		return -ENOMEM;
	/* The list is not of one moment: an area may have grown over the one read before it. */
	end = maps->count ? area[-1].end : 0;
	if (area->end <= end)
		return 0;
	if (area->begin < end) {
		if (area->inode)
			area->offset += end - area->begin;
		area->begin = end;
	}
	maps->count++;
	return 0;
}

/*
 * Adds the areas of all lines that end in the text. A line that fills the buffer has its area added
 * without its end. *within: the text begins in the middle of such a line, and is set if it ends in
 * one. *filled becomes the length of the rest.
 */
static int add_lines(struct reading *reading, char *buffer, size_t *filled, bool *within)
{
	char *line = buffer, *end;
	int error = 0;

	while (!error && (end = memchr(line, '\n', *filled - (size_t)(line - buffer)))) {
		error = *within ? 0 : add_line(reading, line, end);
		*within = false;
		line = end + 1;
	}
	*filled -= (size_t)(line - buffer);
	if (!error && *filled == BUFFER_SIZE) {
		error = *within ? 0 : add_line(reading, line, line + *filled);
		*within = true;
	}
	if (*within)
		*filled = 0;
	memmove(buffer, line, *filled);
	return error;
}

static int read_areas(struct reading *reading, int fd)
{
	char *buffer = malloc(BUFFER_SIZE + 1);
	bool within = false; /* a long line */
	size_t filled = 0;
	int error = buffer ? 0 : -ENOMEM;
	ssize_t n = 1;

	while (!error && n > 0) {
		n = read(fd, buffer + filled, BUFFER_SIZE - filled);
		if (n < 0) {
			error = errno == EINTR ? 0 : -errno;
			n = 1;
			continue;
		}
		filled += (size_t)n;
		reading->maps.text_length += (size_t)n;
		buffer[filled] = '\0';
		error = add_lines(reading, buffer, &filled, &within);
	}
	if (!error && (filled || within)) /* half a list would show what is there as gone */
		error = -EIO;
	free(buffer);
	return error;
}

static int read_task(struct maps *maps, pid_t task, bool with_paths)
{
	struct reading reading = {.maps.task = task, .with_paths = with_paths};
	int fd = proc_open(task, "maps"), error;

	if (fd < 0)
		return fd;
	error = read_areas(&reading, fd);
	close(fd);
	if (error)
		maps_clear(&reading.maps);
	else
		*maps = reading.maps;
	return error;
}

/* The first thread of a process may end before the others: then the memory is only theirs. */
static void read_other_threads(struct maps *maps, pid_t pid, bool with_paths)
{
	struct dirent *entry;
	struct stat st;
	char path[32];
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	if (stat(path, &st) || st.st_nlink <= ONE_THREAD)
		return;
	dir = opendir(path);
	while (dir && !maps->count && (entry = readdir(dir))) {
		pid_t task = atoi(entry->d_name);
		struct maps of_task;

		if (task > 0 && task != pid && !read_task(&of_task, task, with_paths)) {
			maps_clear(maps);
			*maps = of_task;
		}
	}
	if (dir)
		closedir(dir);
}

static int read_maps(struct maps *maps, pid_t pid, bool with_paths)
{
	struct maps result = {.task = pid};
	int error = read_task(&result, pid, with_paths);

	/* Without memory, some kernels give this error and others an empty list. */
	if (error && error != -ESRCH)
		return error;
	if (!result.count)
		read_other_threads(&result, pid, with_paths);
	*maps = result;
	return 0;
}

int maps_read(struct maps *maps, pid_t pid)
{
	return read_maps(maps, pid, false);
}

int maps_read_with_paths(struct maps *maps, pid_t pid)
{
	return read_maps(maps, pid, true);
}

const char *maps_path(const struct maps *maps, const struct maps_area *area)
{
	return area->path ? maps->paths + area->path : NULL;
}

void maps_clear(struct maps *maps)
{
	free(maps->list);
	free(maps->paths);
	*maps = (struct maps){0};
}

/* The place of the first area that ends behind an address. */
static size_t area_place(const struct maps *maps, uint64_t address)
{
	size_t low = 0, high = maps->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (maps->list[middle].end > address)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

/*
 * Whether an area at the addresses of a mapping of our own is of the mapping's source. Of shared
 * memory without a file the kernel shows a file of its own. The number of a stacked or subdivided
 * file system, which has no device, may be another here than fstat's, and then so may the inode's.
 */
static int is_of_source(void *unused, const struct maps_area *area, uint64_t start,
			const struct pmem2fs_record *record)
{
	(void)unused;
	if (record->source_type == PMEM2FS_SOURCE_ANONYMOUS)
		return record->sharing == PMEM2_PRIVATE
			       ? !area->inode
			       : area->inode && !major(area->dev) && !start;
	if (!area->inode || start != record->offset)
		return 0;
	if (area->dev == record->source_dev)
		return area->inode == record->source_inode;
	return !major(record->source_dev);
}

int maps_find(const struct maps *maps, const struct pmem2fs_record *record,
	      struct extents **extents, const struct maps_area **first)
{
	return maps_find_if(maps, record, is_of_source, NULL, extents, first);
}

int maps_find_if(const struct maps *maps, const struct pmem2fs_record *record, maps_judge judge,
		 void *arg, struct extents **extents, const struct maps_area **first)
{
	uint64_t whole = extents_whole(record->length);
	uint64_t begin = record->address, end = begin + whole;
	const struct maps_area *found = NULL;
	struct extents *list = NULL;
	int error = 0;

	for (size_t i = area_place(maps, begin); i < maps->count; i++) {
		const struct maps_area *area = &maps->list[i];
		uint64_t from = area->begin > begin ? area->begin : begin;
		uint64_t to = area->end < end ? area->end : end;

		if (from >= end)
			break;
		error = judge(arg, area, area->offset - (area->begin - begin), record);
		if (error < 0)
			goto free_list;
		if (!error)
			continue;
		error = 0;
		if (!found)
			found = area;
		if (from == begin && to == end) /* nearly all, without a list */
			goto done;
		if (!list)
			list = extents_new();
		if (!list || extents_append(&list, from - begin, to - begin)) {
			error = -ENOMEM;
			goto free_list;
		}
	}
	if (!list)
		list = extents_new();
	if (!list)
		return -ENOMEM;
	if (list->count == 1 && list->list[0].length == whole) {
		free(list);
		list = NULL;
	}
done:
	*extents = list;
	*first = found;
	return 0;
free_list:
	free(list);
	return error;
}
