// SPDX-License-Identifier: BSD-3-Clause
/*
 * descriptor_doubts.c - descriptors that may keep an object in use unseen
 *
 * The kernel keeps files and memory for some descriptors without saying which: sockets with
 * descriptors in their queue, rings with registered files, groups with unread events, probes,
 * devices that keep memory. /proc/PID/fdinfo shows that such things exist. Calls unix_sockets.c,
 * other_holders.c, object.c, memory.c and sysfs.c.
 */
#include "ctl/descriptor_doubts.h"
#include "ctl/look.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
#include "ctl/unix_sockets.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* FAN_REPORT_FID and FAN_REPORT_DIR_FID: the events of such a group have no open files. */
#define FANOTIFY_BY_HANDLE 0x600u

/* A descriptor that is looked at. */
struct descriptor {
	struct look *look;
	pid_t pid;
	int thread; /* the opened folder of the thread */
	const char *name;
};

/* Notes a doubt, unless the descriptor was closed meanwhile. */
static void note_failure(const struct descriptor *descriptor, int error)
{
	if (!sysfs_is_gone(error))
		other_holders_doubt_process(descriptor->look->holders, DOUBT_REFUSED,
					    descriptor->pid, "cannot be looked at");
}

static int open_fdinfo(const struct descriptor *descriptor)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "fdinfo/%s", descriptor->name);
	fd = openat(descriptor->thread, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		note_failure(descriptor, errno);
	return fd;
}

static FILE *open_fdinfo_lines(const struct descriptor *descriptor)
{
	int fd = open_fdinfo(descriptor);

	return fd < 0 ? NULL : memory_require(fdopen(fd, "r"));
}

/* To be called after reading to the end: notes a failure if it was not reached. */
static void close_fdinfo(const struct descriptor *descriptor, FILE *file)
{
	if (!feof(file))
		note_failure(descriptor, errno);
	fclose(file);
}

/* What its link in /proc says; empty when it was closed. */
static void read_link(const struct descriptor *descriptor, char *target, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "fd/%s", descriptor->name);
	length = readlinkat(descriptor->thread, path, target, size - 1);
	if (length < 0)
		note_failure(descriptor, errno);
	target[length < 0 ? 0 : length] = '\0';
}

/*
 * How many descriptors are in the queue of a UNIX socket. -1: it is no UNIX socket, or was closed.
 */
static long count_in_flight(const struct descriptor *descriptor)
{
	int fd = open_fdinfo(descriptor);
	char text[512];
	const char *line;
	ssize_t length;

	if (fd < 0)
		return -1;
	length = read(fd, text, sizeof(text) - 1);
	if (length < 0)
		note_failure(descriptor, errno);
	close(fd);
	text[length < 0 ? 0 : length] = '\0';
	line = strstr(text, "scm_fds:");
	return line ? strtol(line + strlen("scm_fds:"), NULL, 10) : -1;
}

/*
 * If a socket is in no list, it was made after the list was read, or it belongs to a network
 * namespace without a process. It may then be bound anywhere, and have connections that it has not
 * accepted: kernels before 6.2 do not count here the descriptors in their queues.
 */
static void look_at_socket(const struct descriptor *descriptor, ino_t inode)
{
	struct look *look = descriptor->look;
	long count = count_in_flight(descriptor);

	if (count < 0)
		return;
	if (count > 0)
		other_holders_doubt_process(look->holders, DOUBT_FLIGHT, descriptor->pid,
					    "has descriptors in a socket that it has not received");
	/*
	 * Reading the sockets again takes long where there are many, so this is done until the
	 * first doubt only.
	 */
	if (look->holders->doubts[DOUBT_SOCKETS] || look->sockets.error ||
	    unix_sockets_find(&look->sockets, inode))
		return;
	unix_sockets_read(&look->sockets, descriptor->thread, true);
	if (!unix_sockets_find(&look->sockets, inode) && count_in_flight(descriptor) >= 0)
		other_holders_doubt_process(
			look->holders, DOUBT_SOCKETS, descriptor->pid,
			"has a socket of a network namespace that cannot be seen");
}

/*
 * fdinfo has "UserFiles: COUNT" and a line for each file, with the last part of its name only, and
 * "UserBufs: COUNT". While the ring is busy, the kernel leaves out the lines, or everything.
 */
static bool ring_keeps_something(FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	unsigned files = 0, buffers = 0, empty = 0;
	bool shown = false, in_files = false;

	while (getline(&line, &room, file) > 0) {
		if (sscanf(line, "UserFiles: %u", &files) == 1) {
			shown = in_files = true;
		} else if (line[0] != ' ') {
			in_files = false;
			sscanf(line, "UserBufs: %u", &buffers);
		} else if (in_files && strstr(line, ": <none>\n")) {
			empty++;
		}
	}
	free(line);
	return !shown || files > empty || buffers;
}

static bool has_mount(const struct look *look, uint64_t id)
{
	for (size_t i = 0; i < look->mount_id_count; i++)
		if (look->mount_ids[i] == id)
			return true;
	return false;
}

/*
 * fdinfo has "fanotify flags:X ..." and a line for each mark: "fanotify ino:X sdev:X", or
 * "mnt_id:X", or "sdev:X".
 */
static bool has_event_with_file(const struct look *look, FILE *file)
{
	bool by_handle = false, marked = false, marks = false;
	char *line = NULL;
	size_t room = 0;
	unsigned number;

	while (getline(&line, &room, file) > 0) {
		const char *device = strstr(line, "sdev:"), *mount = strstr(line, "mnt_id:");

		if (strncmp(line, "fanotify ", 9))
			continue;
		if (sscanf(line, "fanotify flags:%x", &number) == 1)
			by_handle = number & FANOTIFY_BY_HANDLE;
		else
			marks = true;
		if (device && sscanf(device, "sdev:%x", &number) == 1)
			marked |= makedev(number >> 20, number & 0xfffff) == look->filesystem;
		else if (mount && sscanf(mount, "mnt_id:%x", &number) == 1)
			marked |= has_mount(look, number);
	}
	free(line);
	/* Events stay when the marks are removed. */
	return !by_handle && (marked || !marks);
}

/* fdinfo has "link_type:<tab>TYPE". */
static bool is_link_of_probe(FILE *file)
{
	char *line = NULL;
	size_t room = 0;
	bool is = false;

	while (getline(&line, &room, file) > 0)
		if (!strncmp(line, "link_type:", 10))
			is = strstr(line, "perf") || strstr(line, "uprobe");
	free(line);
	return is;
}

static void look_at_anonymous(const struct descriptor *descriptor)
{
	struct look *look = descriptor->look;
	char target[64];
	FILE *file = NULL;

	read_link(descriptor, target, sizeof(target));
	if (!strcmp(target, "anon_inode:[io_uring]")) {
		file = open_fdinfo_lines(descriptor);
		if (file && ring_keeps_something(file))
			other_holders_doubt_process(
				look->holders, DOUBT_REGISTERED, descriptor->pid,
				"has files or memory registered with an io_uring");
	} else if (!look->object->name && !strcmp(target, "anon_inode:[fanotify]")) {
		file = open_fdinfo_lines(descriptor);
		if (file && has_event_with_file(look, file))
			other_holders_doubt_process(look->holders, DOUBT_EVENTS, descriptor->pid,
						    "may have unread fanotify events of it");
	} else if (!look->object->name && !strcmp(target, "anon_inode:[perf_event]")) {
		other_holders_doubt_process(look->holders, DOUBT_PROBES, descriptor->pid,
					    "has perf events, which may be of probes in it");
	} else if (!look->object->name && !strcmp(target, "anon_inode:bpf_link")) {
		file = open_fdinfo_lines(descriptor);
		if (file && is_link_of_probe(file))
			other_holders_doubt_process(look->holders, DOUBT_PROBES, descriptor->pid,
						    "may have linked a program to probes in it");
	}
	if (file)
		close_fdinfo(descriptor, file);
}

/* Whether sysfs has the device at a path with one of the parts, which end with NULL. */
static bool is_device(const struct descriptor *descriptor, dev_t device, const char *const *parts)
{
	char *path = sysfs_device(false, device), target[PATH_MAX];
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	if (length < 0)
		note_failure(descriptor, errno);
	free(path);
	target[length < 0 ? 0 : length] = '\0';
	while (*parts && !strstr(target, *parts))
		parts++;
	return *parts;
}

static bool has_node(const struct object *object)
{
	for (size_t i = 0; i < object->count; i++)
		if (!object->devices[i].block)
			return true;
	return false;
}

static void look_at_namespace(const struct descriptor *descriptor, ino_t inode)
{
	struct look *look = descriptor->look;
	char target[64];

	read_link(descriptor, target, sizeof(target));
	if (strncmp(target, "mnt:", 4))
		return;
	memory_reserve(look->kept, &look->kept_room, look->kept_count + 1, 16);
	look->kept[look->kept_count++] =
		(struct kept_namespace){.inode = inode, .pid = descriptor->pid};
}

/* Devices that keep memory of a node in use without a mapping, or folders of a mount point. */
static void look_at_device(const struct descriptor *descriptor, dev_t device)
{
	static const char *const memory[] = {"/vfio/", "/misc/vfio", "/misc/iommu",
					     "/infiniband_verbs/", NULL};
	static const char *const folders[] = {"/misc/cachefiles", NULL};
	struct look *look = descriptor->look;

	if (has_node(look->object) && is_device(descriptor, device, memory))
		other_holders_doubt_process(look->holders, DOUBT_PINNED, descriptor->pid,
					    "has a device open that may keep memory of it");
	else if (!look->object->name && is_device(descriptor, device, folders))
		other_holders_doubt_process(look->holders, DOUBT_PINNED, descriptor->pid,
					    "has a cache of files, which may be in it");
}

void descriptor_doubts(struct look *look, pid_t pid, int thread, const char *name,
		       const struct statx *status)
{
	const struct descriptor descriptor = {look, pid, thread, name};
	dev_t device = makedev(status->stx_rdev_major, status->stx_rdev_minor);

	if (S_ISSOCK(status->stx_mode))
		look_at_socket(&descriptor, status->stx_ino);
	else if (!(status->stx_mode & S_IFMT))
		look_at_anonymous(&descriptor);
	else if (S_ISCHR(status->stx_mode) && major(device) != 1)
		look_at_device(&descriptor, device);
	else if (S_ISREG(status->stx_mode) && !look->object->name &&
		 makedev(status->stx_dev_major, status->stx_dev_minor) == look->nsfs)
		look_at_namespace(&descriptor, status->stx_ino);
}
