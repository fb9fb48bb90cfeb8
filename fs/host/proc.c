/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc.c - see proc.h
 */
#include "host/proc.h"
#include "base/array.h"
#include "base/clock.h"
#include "base/text.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

char *proc_link(const char *path)
{
	char target[PATH_MAX];
	ssize_t n = readlink(path, target, sizeof(target) - 1);

	if (n < 0)
		return NULL;
	target[n] = '\0';
	return strdup(target);
}

int proc_open(pid_t pid, const char *name)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

FILE *proc_stream(pid_t pid, const char *name)
{
	int fd = proc_open(pid, name);
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (fd >= 0 && !file)
		close(fd);
	return file;
}

ssize_t proc_read(pid_t pid, const char *name, char *text, size_t size)
{
	int fd = proc_open(pid, name);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n;
}

int proc_ids(pid_t pid, uid_t *uid_ptr, gid_t *gid_ptr)
{
	char text[4096], *at;
	unsigned uid, gid;
	ssize_t n = proc_read(pid, "status", text, sizeof(text));

	if (n < 0)
		return (int)n;
	/* In this file the kernel escapes newlines in the name. */
	at = strstr(text, "\nUid:");
	if (!at || sscanf(at, " Uid: %*u %u", &uid) != 1)
		return -EIO;
	at = strstr(at, "\nGid:");
	if (!at || sscanf(at, " Gid: %*u %u", &gid) != 1)
		return -EIO;
	*uid_ptr = uid;
	*gid_ptr = gid;
	return 0;
}

uid_t proc_user(pid_t pid)
{
	uid_t uid;
	gid_t gid;

	return proc_ids(pid, &uid, &gid) ? (uid_t)-1 : uid;
}

void proc_comm(pid_t pid, char comm[PROC_COMM_SIZE])
{
	ssize_t n;

	comm[0] = '\0';
	n = proc_read(pid, "comm", comm, PROC_COMM_SIZE);
	/* The kernel ends it with a newline, of which it may have more. */
	if (n > 0 && comm[n - 1] == '\n')
		comm[n - 1] = '\0';
}

/* The kernel lists them in this order. */
pid_t *proc_pids(size_t *count)
{
	size_t room = 0;
	pid_t *pids = NULL;
	struct dirent *entry;
	DIR *dir = opendir("/proc");

	*count = 0;
	if (!dir)
		return NULL;
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
			continue;
		if (array_reserve(pids, &room, *count + 1, 512)) {
			free(pids);
			pids = NULL;
			break;
		}
		pids[(*count)++] = (pid_t)atoi(entry->d_name);
	}
	closedir(dir);
	return pids;
}

void proc_map_file(char path[PROC_MAP_FILE_SIZE], pid_t pid, uint64_t begin, uint64_t end)
{
	snprintf(path, PROC_MAP_FILE_SIZE, "/proc/%d/map_files/%lx-%lx", (int)pid, begin, end);
}

static char *read_line_of(pid_t pid, const char *name)
{
	FILE *file = proc_stream(pid, name);
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	if (!file)
		return NULL;
	n = getline(&line, &size, file);
	fclose(file);
	if (n <= 0) {
		free(line);
		return NULL;
	}
	if (line[n - 1] == '\n')
		line[n - 1] = '\0';
	return line;
}

/* Start of a process in clock ticks since boot: field 22 of its stat. 0: not known. */
static uint64_t start_ticks(pid_t pid)
{
	char *stat = read_line_of(pid, "stat"), *at;
	unsigned long long ticks = 0;

	/* The name in parentheses may hold anything; behind the last one the fields are plain. */
	at = stat ? strrchr(stat, ')') : NULL;
	if (at && sscanf(at + 1,
			 " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d "
			 "%*d %*d %llu",
			 &ticks) != 1)
		ticks = 0;
	free(stat);
	return ticks;
}

/* The same as time of day. */
static uint64_t started_at(uint64_t ticks)
{
	uint64_t tick = CLOCK_SECOND / (uint64_t)sysconf(_SC_CLK_TCK), started;
	struct timespec day, boot;

	if (!ticks)
		return 0;
	clock_gettime(CLOCK_REALTIME, &day);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	started = (uint64_t)day.tv_sec * CLOCK_SECOND + (uint64_t)day.tv_nsec -
		  (uint64_t)boot.tv_sec * CLOCK_SECOND - (uint64_t)boot.tv_nsec + ticks * tick;
	return started - started % tick;
}

/* The unit that a process belongs to: its cgroup of version 2, or systemd's of version 1. */
static char *read_cgroup(pid_t pid)
{
	static const char systemd[] = "name=systemd:";
	char *line = NULL, *found, *cgroup = NULL;
	FILE *file = proc_stream(pid, "cgroup");
	size_t size = 0;

	/* "NUMBER:CONTROLLERS:PATH". Users who may make cgroups choose the path. */
	while (file && !cgroup && getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		found = strchr(line, ':');
		if (!strncmp(line, "0::", 3))
			cgroup = strdup(line + 3);
		else if (found && !strncmp(found + 1, systemd, strlen(systemd)))
			cgroup = strdup(found + 1 + strlen(systemd));
	}
	free(line);
	if (file)
		fclose(file);
	return cgroup;
}

struct process_info *proc_process_info(pid_t pid, struct process_info *old)
{
	struct process_info *info = calloc(1, sizeof(*info));
	char path[64];

	if (!info)
		return NULL;
	info->references = 1;
	info->is.pid = pid;
	info->is.comm = read_line_of(pid, "comm");
	snprintf(path, sizeof(path), "/proc/%d/exe", (int)pid);
	info->is.exe = proc_link(path);
	info->is.cgroup = read_cgroup(pid);
	info->ticks = start_ticks(pid);
	if (old && old->ticks == info->ticks) /* the clock may have been set since */
		info->is.started = old->is.started;
	else
		info->is.started = started_at(info->ticks);
	if (old && old->ticks == info->ticks && text_same(old->is.comm, info->is.comm) &&
	    text_same(old->is.exe, info->is.exe) && text_same(old->is.cgroup, info->is.cgroup)) {
		process_info_put(info);
		return process_info_get(old);
	}
	return info;
}

bool proc_is(pid_t pid, const struct process_info *info)
{
	return info && info->ticks && info->ticks == start_ticks(pid);
}
