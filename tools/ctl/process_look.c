// SPDX-License-Identifier: BSD-3-Clause
/*
 * process_look.c - what one process holds of an object
 *
 * Nothing is opened that could hang, and no server of a file system is asked. What a process holds
 * may move from one place to another meanwhile, so the places are looked at in the order in which
 * programs move it: a descriptor becomes a directory, a program or a mapping and is closed. Calls
 * look.c, descriptor_doubts.c, mapped_files.c, mounts.c, unix_sockets.c, other_holders.c, object.c,
 * memory.c and sysfs.c.
 */
#include "ctl/process_look.h"
#include "ctl/descriptor_doubts.h"
#include "ctl/look.h"
#include "ctl/mapped_files.h"
#include "ctl/memory.h"
#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
#include "ctl/unix_sockets.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define STATX_FLAGS (AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT)

/*
 * How often the threads of a process are listed again when some have ended meanwhile, and its
 * mappings when some have moved.
 */
#define ATTEMPTS_MAX 20

/* The kernel's PF_EXITING. */
#define FLAG_EXITING 4u

/* A thread that is looked at. */
struct thread {
	struct look *look;
	pid_t pid, number;
	int folder; /* its folder in /proc, opened */
	const char *path;
	bool found;
	bool moved; /* its mappings changed while they were looked at */
};

/*
 * Notes a doubt, unless the process has ended or closed what it had. Returns whether that is so.
 */
static bool note_failure(const struct thread *thread, int error)
{
	if (!error || error == ENOENT || error == ESRCH)
		return true;
	other_holders_doubt_process(thread->look->holders, DOUBT_REFUSED, thread->pid,
				    "cannot be looked at");
	return false;
}

static void add(struct thread *thread, enum other_holder_kind kind, const char *path,
		const struct object_device *device)
{
	char *comm = sysfs_text(thread->path, "comm");

	other_holders_add(thread->look->holders, &(struct other_holder){
							 .kind = kind,
							 .device = device,
							 .path = (char *)path,
							 .pid = thread->pid,
							 .comm = comm,
						 });
	thread->found = true;
	free(comm);
}

static void add_link(struct thread *thread, enum other_holder_kind kind, int folder,
		     const char *name, const struct object_device *device)
{
	char target[PATH_MAX];
	ssize_t length = readlinkat(folder, name, target, sizeof(target) - 1);

	target[length < 0 ? 0 : length] = '\0';
	add(thread, kind, target, device);
}

/*
 * On a FUSE mount that only its user may enter, root gets no attributes from the daemon (EACCES).
 * What the kernel itself knows of the file is enough here.
 */
static int statx_even_of_fuse(int folder, const char *name, struct statx *status)
{
	if (!statx(folder, name, STATX_FLAGS, OBJECT_STATX_MASK, status))
		return 0;
	return errno == EACCES ? statx(folder, name, STATX_FLAGS, 0, status) : -1;
}

static void look_at_link(struct thread *thread, const char *name, enum other_holder_kind kind)
{
	const struct object_device *device;
	struct statx status;

	if (statx_even_of_fuse(thread->folder, name, &status))
		note_failure(thread, errno);
	else if (look_has(thread->look, &status, &device))
		add_link(thread, kind, thread->folder, name, device);
}

static void look_at_descriptor(struct thread *thread, int folder, const char *name)
{
	struct look *look = thread->look;
	const struct unix_socket *socket;
	const struct object_device *device;
	struct statx status;

	if (statx_even_of_fuse(folder, name, &status)) {
		note_failure(thread, errno);
		return;
	}
	if (look_has(look, &status, &device)) {
		add_link(thread, HOLDER_OPEN, folder, name, device);
		return;
	}
	socket = S_ISSOCK(status.stx_mode) ? unix_sockets_find(&look->sockets, status.stx_ino)
					   : NULL;
	if (socket && socket->dev && look->object->kind == OBJECT_MOUNT &&
	    socket->dev == look->filesystem)
		add(thread, HOLDER_SOCKET, socket->path, NULL);
	else
		descriptor_doubts(look, thread->pid, thread->folder, name, &status);
}

static void look_at_descriptors(struct thread *thread)
{
	int folder = openat(thread->folder, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = folder < 0 ? NULL : fdopendir(folder);
	const struct dirent *entry;

	if (!directory) {
		note_failure(thread, errno);
		if (folder >= 0)
			close(folder);
		return;
	}
	while (!thread->found && (errno = 0, entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			look_at_descriptor(thread, folder, entry->d_name);
	if (!thread->found && errno)
		note_failure(thread, errno);
	closedir(directory);
}

/*
 * Whether a thread has a descriptor of what is mapped, so that it is looked at there. False also if
 * its descriptors cannot be read.
 */
static bool has_descriptor(const struct thread *thread, const struct mapped_file *file)
{
	char *path = sysfs_join(thread->path, "fd");
	bool failed = false, has = false;
	char **names = sysfs_names(path, "", &failed);

	for (size_t i = 0; names[i] && !has; i++) {
		char *name = sysfs_join("fd", names[i]);
		struct statx status;

		has = !statx_even_of_fuse(thread->folder, name, &status) &&
		      status.stx_ino == file->inode &&
		      makedev(status.stx_dev_major, status.stx_dev_minor) == file->dev;
		free(name);
	}
	sysfs_free(names);
	free(path);
	return has;
}

/*
 * A ring stays, and what is registered with it, as long as it is mapped; and so does a perf event,
 * with the file of its probe.
 */
static void look_at_anonymous(const struct thread *thread, const struct mapped_file *file)
{
	struct other_holders *holders = thread->look->holders;

	if (!strcmp(file->path, "anon_inode:[io_uring]") && !has_descriptor(thread, file))
		other_holders_doubt_process(holders, DOUBT_REGISTERED, thread->pid,
					    "has an io_uring without a descriptor");
	else if (!thread->look->object->name && !strcmp(file->path, "anon_inode:[perf_event]"))
		other_holders_doubt_process(holders, DOUBT_PROBES, thread->pid,
					    "maps perf events, which may be of probes in it");
}

/*
 * Compares the numbers in maps where they suffice: they identify the file system. The link in
 * map_files, whose name has no leading zeros, shows which device a node is and what stat says of a
 * file. It gets another name when the mapping is moved, split or joined.
 */
static bool look_at_mapping(void *context, const struct mapped_file *file)
{
	struct thread *thread = context;
	const struct look *look = thread->look;
	const struct object *object = look->object;
	const struct object_device *device = NULL;
	struct statx status;
	char link[96];

	look_at_anonymous(thread, file);
	if (object->kind == OBJECT_MOUNT ? file->dev == look->filesystem
	    : object->kind == OBJECT_FILE
		    ? file->inode == object->inode &&
			      (file->dev == object->dev || file->dev == look->filesystem)
		    : false) {
		add(thread, HOLDER_MAPPED, file->path, NULL);
		return false;
	}
	if (object->kind == OBJECT_MOUNT ||
	    (object->kind == OBJECT_FILE && file->inode != object->inode))
		return true;
	/* The folder of a thread has no map_files. */
	snprintf(link, sizeof(link), "/proc/%d/map_files/%lx-%lx", (int)thread->number, file->begin,
		 file->end);
	if (statx_even_of_fuse(AT_FDCWD, link, &status))
		thread->moved |= note_failure(thread, errno);
	else if (look_has(look, &status, &device))
		add(thread, HOLDER_MAPPED, file->path, device);
	return !thread->found;
}

/*
 * Whether the thread still had everything when it was looked at. A thread that is ending drops what
 * it has piece by piece; a dropped file may stay in use for a while.
 */
static bool is_alive(const struct thread *thread)
{
	char text[1024];
	const char *end;
	unsigned flags;
	char state;
	int fd = openat(thread->folder, "stat", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	int error = length < 0 ? errno : 0;

	if (fd >= 0)
		close(fd);
	if (length <= 0)
		return !note_failure(thread, error);
	text[length] = '\0';
	end = strrchr(text, ')'); /* the name may contain any character */
	if (!end || sscanf(end, ") %c %*d %*d %*d %*d %*d %u", &state, &flags) != 2)
		return false;
	return state == 'Z' || state == 'X' || !(flags & FLAG_EXITING);
}

/* Returns whether the memory of the thread was seen. */
static bool look_at_mappings(struct thread *thread)
{
	ssize_t areas;
	int attempts = 0;

	do {
		thread->moved = false;
		areas = mapped_files_read(thread->folder, look_at_mapping, thread);
	} while (areas >= 0 && thread->moved && !thread->found && ++attempts < ATTEMPTS_MAX);
	if (areas < 0)
		note_failure(thread, (int)-areas);
	else if (thread->moved && !thread->found && is_alive(thread))
		other_holders_doubt_process(thread->look->holders, DOUBT_MOVING, thread->pid,
					    "changes what it maps while it is looked at");
	return areas > 0;
}

static void read_surroundings(struct thread *thread)
{
	struct look *look = thread->look;
	int error = mounts_read(&look->mounts, thread->path, thread->pid);

	if (error)
		note_failure(thread, -error);
	error = unix_sockets_read(&look->sockets, thread->folder, false);
	if (error)
		note_failure(thread, -error);
}

static bool share_files_and_directories(pid_t one, pid_t other)
{
	return !syscall(SYS_kcmp, one, other, KCMP_FILES, 0, 0) &&
	       !syscall(SYS_kcmp, one, other, KCMP_FS, 0, 0);
}

/* Returns whether everything of the thread was seen. *mapped becomes true when its memory was. */
static bool look_at_thread(struct thread *thread, bool known, bool *mapped)
{
	read_surroundings(thread);
	if (known) {
		*mapped = true;
		return true;
	}
	look_at_descriptors(thread);
	if (!thread->found)
		look_at_link(thread, "cwd", HOLDER_OPEN);
	if (!thread->found)
		look_at_link(thread, "root", HOLDER_OPEN);
	if (!thread->found)
		look_at_link(thread, "exe", HOLDER_PROGRAM);
	if (!thread->found && !*mapped)
		*mapped = look_at_mappings(thread);
	return thread->found || is_alive(thread);
}

/*
 * Looks at each thread that may have mounts, descriptors and a directory of its own (unshare), and
 * at the memory of one thread that has it: a first thread that ended before the others has none.
 */
static enum process_look look_at_threads(struct look *look, pid_t pid, const char *task, bool known)
{
	bool mapped = false, failed = false, found = false, all;
	char **threads = sysfs_names(task, "", &failed);
	pid_t last = 0;

	if (failed)
		other_holders_doubt_process(look->holders, DOUBT_REFUSED, pid,
					    "cannot be looked at");
	all = failed || threads[0];
	for (size_t i = 0; threads[i] && !found; i++) {
		char *path = sysfs_join(task, threads[i]);
		pid_t number = (pid_t)strtol(threads[i], NULL, 10);
		struct thread thread = {.look = look, .pid = pid, .number = number, .path = path};

		if (!last || !mapped || !share_files_and_directories(last, number)) {
			thread.folder = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
			if (thread.folder < 0 ? note_failure(&thread, errno)
					      : !look_at_thread(&thread, known, &mapped))
				all = false;
			if (thread.folder >= 0)
				close(thread.folder);
			found = thread.found;
			last = number;
		}
		free(path);
	}
	sysfs_free(threads);
	return all || found ? PROCESS_SEEN : PROCESS_GONE;
}

enum process_look look_at_process(struct look *look, pid_t pid, bool known)
{
	char *task = memory_format("/proc/%d/task", (int)pid);
	enum process_look result = PROCESS_GONE;

	for (int i = 0; i < ATTEMPTS_MAX && result == PROCESS_GONE && !access(task, F_OK); i++)
		result = look_at_threads(look, pid, task, known);
	free(task);
	return result;
}
