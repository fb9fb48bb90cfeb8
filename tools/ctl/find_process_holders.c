// SPDX-License-Identifier: BSD-3-Clause
/*
 * find_process_holders.c - finds the mounts and the open files of all processes
 *
 * One pass over /proc; each view of the mounts is read once, through the first process that has it.
 * Nothing is opened that could hang, and no server of a file system is asked. Calls
 * find_mount_holders.c, mounts.c, other_holders.c, object.c and sysfs.c.
 */
#include "ctl/find_process_holders.h"
#include "ctl/find_mount_holders.h"
#include "ctl/memory.h"
#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
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

/* The kernel's PROC_PID_INIT_INO and PROC_USER_INIT_INO. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_USER_NAMESPACE "user:[4026531837]"

struct proc_scan {
	struct other_holders *holders;
	const struct object *object;
	bool (*maps)(const void *context, pid_t pid);
	const void *context;
	struct mounts mounts;
	pid_t pid; /* of the process that is looked at */
};

/* A failure other than that the process has ended meanwhile. */
static void note_failure(struct proc_scan *scan, int error)
{
	if (error != ENOENT && error != ESRCH)
		other_holders_doubt_process(scan->holders, DOUBT_REFUSED, scan->pid,
					    "cannot be looked at");
}

/* Whether what a process has open there is part of the object; *holder then says which. */
static bool is_part_of_object(struct proc_scan *scan, int directory, const char *name,
			      struct other_holder *holder)
{
	struct statx status;

	if (statx(directory, name, AT_STATX_DONT_SYNC, STATX_BASIC_STATS, &status)) {
		note_failure(scan, errno);
		return false;
	}
	return object_has(scan->object, &status, &holder->device);
}

static void add_open_file(struct proc_scan *scan, const char *directory, const char *name,
			  struct other_holder holder)
{
	char target[4096], *path = sysfs_join(directory, name);
	ssize_t length = readlink(path, target, sizeof(target) - 1);

	free(path);
	target[length < 0 ? 0 : length] = '\0';
	holder.path = target;
	other_holders_add(scan->holders, &holder);
}

/* The first thing that a thread has open is enough. */
static bool find_open_file(struct proc_scan *scan, const char *thread, struct other_holder *holder)
{
	char *path = sysfs_join(thread, "fd");
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool found = false;
	int thread_fd;

	if (!directory)
		note_failure(scan, errno);
	while (directory && !found && (entry = readdir(directory))) {
		found = entry->d_name[0] != '.' &&
			is_part_of_object(scan, dirfd(directory), entry->d_name, holder);
		if (found)
			add_open_file(scan, path, entry->d_name, *holder);
	}
	thread_fd = found ? -1 : open(thread, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (thread_fd < 0 && !found)
		note_failure(scan, errno);
	for (int i = 0; i < 2 && thread_fd >= 0 && !found; i++) {
		static const char *const names[] = {"cwd", "root"};

		found = is_part_of_object(scan, thread_fd, names[i], holder);
		if (found)
			add_open_file(scan, thread, names[i], *holder);
	}
	if (thread_fd >= 0)
		close(thread_fd);
	if (directory)
		closedir(directory);
	free(path);
	return found;
}

static bool share_files_and_directories(pid_t one, pid_t other)
{
	return !syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0) &&
	       !syscall(SYS_kcmp, one, other, KCMP_FS, 0, 0);
}

/*
 * By its threads, which may have mounts, descriptors and a directory of their own (unshare). When
 * the first one has ended, what the others have shows nowhere else.
 */
static void scan_process(struct proc_scan *scan, const char *name)
{
	char *process = sysfs_join("/proc", name), *task = sysfs_join(process, "task");
	bool failed = false;
	char *comm = sysfs_text(process, "comm"), **threads = sysfs_names(task, "", &failed);
	pid_t pid = (pid_t)strtol(name, NULL, 10), last = 0;
	struct other_holder holder = {.kind = HOLDER_OPEN, .pid = pid, .comm = comm};
	bool done = pid == getpid() || scan->maps(scan->context, pid);

	scan->pid = pid;
	if (failed)
		note_failure(scan, EIO);
	for (size_t i = 0; threads[i]; i++) {
		char *thread = sysfs_join(task, threads[i]);
		pid_t number = (pid_t)strtol(threads[i], NULL, 10);

		int error = mounts_read(&scan->mounts, thread, pid);

		if (error)
			note_failure(scan, -error);
		if (!done && (!last || !share_files_and_directories(last, number))) {
			done = find_open_file(scan, thread, &holder);
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

/* A /proc that is mounted with hidepid leaves out processes without any failure. */
static bool may_see_all(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3];

	return !syscall(SYS_capget, &header, sets) && sets[0].effective & 1u << CAP_SYS_PTRACE &&
	       is_in_first_namespace("pid", FIRST_PID_NAMESPACE) &&
	       is_in_first_namespace("user", FIRST_USER_NAMESPACE);
}

void find_process_holders(struct other_holders *holders, const struct object *object,
			  bool (*maps)(const void *context, pid_t pid), const void *context)
{
	struct proc_scan *scan = memory_require(calloc(1, sizeof(*scan)));
	bool failed = false;
	char **names = sysfs_names("/proc", "", &failed);

	*scan = (struct proc_scan){.holders = holders,
				   .object = object,
				   .maps = maps,
				   .context = context,
				   .pid = getpid()};
	if (!may_see_all() || failed)
		other_holders_doubt(holders, DOUBT_PROCESSES,
				    "not all processes can be seen from here");
	mounts_read(&scan->mounts, "/proc/self", 0);
	for (size_t i = 0; names[i]; i++)
		if (names[i][0] >= '1' && names[i][0] <= '9')
			scan_process(scan, names[i]);
	sysfs_free(names);
	mounts_sort(&scan->mounts);
	find_mount_holders(holders, object, &scan->mounts);
	mounts_clear(&scan->mounts);
	free(scan);
}
