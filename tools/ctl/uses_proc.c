// SPDX-License-Identifier: BSD-3-Clause
/*
 * uses_proc.c - uses of an object that processes tell of: mounts of their mount namespaces, and
 * what they have open
 *
 * One pass over /proc; each mount namespace is looked at once, through the first process in it.
 * Nothing is opened that could hang, and no server of a file system is asked. Calls uses.c,
 * sysfs.c.
 */
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/sysfs.h"
#include "ctl/uses.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* More than there are on any host; beyond, we say that we do not see everything. */
#define MOUNT_NAMESPACES_MAX 4096

/* The kernel's PROC_PID_INIT_INO and PROC_USER_INIT_INO. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_USER_NAMESPACE "user:[4026531837]"

struct view {
	struct uses *uses;
	const struct object *object;
	bool (*maps)(const void *context, pid_t pid);
	const void *context;
	ino_t namespaces[MOUNT_NAMESPACES_MAX];
	size_t namespace_count;
};

/* A failure other than that the process has ended meanwhile. */
static void note_failure(struct view *view, int error)
{
	if (error != ENOENT && error != ESRCH)
		view->uses->blind = true;
}

static bool is_mount_known(const struct view *view, const struct object_device *device,
			   const char *path)
{
	for (size_t i = 0; i < view->uses->count; i++) {
		const struct use *use = &view->uses->list[i];

		if (use->kind == USE_MOUNT && use->device == device && !strcmp(use->path, path))
			return true;
	}
	return false;
}

static void take_mount(struct view *view, char *line, pid_t pid, const char *comm)
{
	char *separator = strstr(line, " - "), *type = NULL, *path = NULL;
	unsigned maj, min;

	if (!separator || sscanf(line, "%*d %*d %u:%u %*s %ms", &maj, &min, &path) != 3)
		goto free_path;
	const struct object_device *device = object_find(view->object, true, makedev(maj, min));
	if (!device || sscanf(separator, " - %ms", &type) != 1)
		goto free_path;
	sysfs_unescape(path);
	if (!is_mount_known(view, device, path))
		uses_add(view->uses, &(struct use){
					     .kind = USE_MOUNT,
					     .device = device,
					     .type = type,
					     .path = path,
					     .pid = pid,
					     .comm = (char *)comm,
				     });
	free(type);
free_path:
	free(path);
}

/* `pid` 0: our own. */
static void read_mounts(struct view *view, const char *process, pid_t pid, const char *comm)
{
	char *path = sysfs_join(process, "mountinfo");
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t room = 0;

	free(path);
	if (!file) {
		note_failure(view, errno);
		return;
	}
	while (getline(&line, &room, file) > 0)
		take_mount(view, line, pid, comm);
	free(line);
	fclose(file);
}

/* Whether it is the first time that this mount namespace is seen. */
static bool is_new_namespace(struct view *view, const char *process)
{
	char *path = sysfs_join(process, "ns/mnt");
	struct stat status;
	int error = stat(path, &status) ? errno : 0;

	free(path);
	if (error) {
		note_failure(view, error);
		return false;
	}
	for (size_t i = 0; i < view->namespace_count; i++)
		if (view->namespaces[i] == status.st_ino)
			return false;
	if (view->namespace_count == MOUNT_NAMESPACES_MAX) {
		view->uses->blind = true;
		return false;
	}
	view->namespaces[view->namespace_count++] = status.st_ino;
	return true;
}

/* Whether what a process has open there is part of the object; *use then says what. */
static bool is_part(struct view *view, int directory, const char *name, struct use *use)
{
	struct statx status;

	if (statx(directory, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status)) {
		note_failure(view, errno);
		return false;
	}
	return object_has(view->object, &status, &use->device);
}

static void add_open(struct view *view, const char *directory, const char *name, struct use use)
{
	char target[4096], *path = sysfs_join(directory, name);
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	free(path);
	target[length < 0 ? 0 : length] = '\0';
	use.path = target;
	uses_add(view->uses, &use);
}

/* The first thing that a thread has open is enough. */
static bool find_open(struct view *view, const char *thread, struct use *use)
{
	char *path = sysfs_join(thread, "fd");
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool found = false;

	if (!directory)
		note_failure(view, errno);
	while (directory && !found && (entry = readdir(directory))) {
		found = entry->d_name[0] != '.' &&
			is_part(view, dirfd(directory), entry->d_name, use);
		if (found)
			add_open(view, path, entry->d_name, *use);
	}
	int thread_fd = found ? -1 : open(thread, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (thread_fd < 0 && !found)
		note_failure(view, errno);
	for (int i = 0; i < 2 && thread_fd >= 0 && !found; i++) {
		static const char *const names[] = {"cwd", "root"};

		found = is_part(view, thread_fd, names[i], use);
		if (found)
			add_open(view, thread, names[i], *use);
	}
	if (thread_fd >= 0)
		close(thread_fd);
	if (directory)
		closedir(directory);
	free(path);
	return found;
}

static bool share_what_is_open(pid_t one, pid_t other)
{
	return !syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0) &&
	       !syscall(SYS_kcmp, one, other, KCMP_FS, 0, 0);
}

/*
 * By its threads, which may have mounts, descriptors and a directory of their own (unshare). When
 * the first one has ended, what the others have shows nowhere else.
 */
static void look_at(struct view *view, const char *name)
{
	char *process = sysfs_join("/proc", name), *task = sysfs_join(process, "task");
	char *comm = sysfs_text(process, "comm"), **threads = sysfs_names(task, "");
	pid_t pid = (pid_t)strtol(name, NULL, 10), last = 0;
	struct use use = {.kind = USE_OPEN, .pid = pid, .comm = comm};
	bool done = pid == getpid() || view->maps(view->context, pid);

	if (!threads[0] && access(task, R_OK))
		note_failure(view, errno);
	for (size_t i = 0; threads[i]; i++) {
		char *thread = sysfs_join(task, threads[i]);
		pid_t number = (pid_t)strtol(threads[i], NULL, 10);

		if (view->object->count && is_new_namespace(view, thread))
			read_mounts(view, thread, pid, comm);
		if (!done && (!last || !share_what_is_open(last, number))) {
			done = find_open(view, thread, &use);
			last = number;
		}
		free(thread);
	}
	sysfs_free(threads);
	free(comm);
	free(task);
	free(process);
}

static bool is_in_first_namespace(const char *kind, const char *first)
{
	char *name = sysfs_link("/proc/self/ns", kind);
	bool is = name && !strcmp(name, first);

	free(name);
	return is;
}

/* A /proc that is mounted with hidepid does not list what one may not look into: that fails not. */
static bool may_look_into_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &header, sets) && sets[0].effective & 1u << CAP_SYS_PTRACE &&
	       is_in_first_namespace("pid", FIRST_PID_NAMESPACE) &&
	       is_in_first_namespace("user", FIRST_USER_NAMESPACE);
}

void uses_find_in_processes(struct uses *uses, const struct object *object,
			    bool (*maps)(const void *context, pid_t pid), const void *context)
{
	struct view *view = memory_require(calloc(1, sizeof(*view)));
	char **names = sysfs_names("/proc", "");

	*view = (struct view){.uses = uses, .object = object, .maps = maps, .context = context};
	if (!may_look_into_all())
		uses->blind = true;
	is_new_namespace(view, "/proc/self");
	read_mounts(view, "/proc/self", 0, NULL);
	for (size_t i = 0; names[i]; i++)
		if (names[i][0] >= '1' && names[i][0] <= '9')
			look_at(view, names[i]);
	sysfs_free(names);
	free(view);
}
