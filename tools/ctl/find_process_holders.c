// SPDX-License-Identifier: BSD-3-Clause
/*
 * find_process_holders.c - finds the processes that hold an object
 *
 * Processes come and go while they are looked at, and pass on what they have. So they are listed
 * again and again, and each new process in a list is looked at. A look is complete when a listing,
 * during which no process was forked, has no new process: all existing processes have been looked
 * at. A process that inherited the object has had it from its start, and was seen with it.
 * Processes that ended before they were looked at do not matter. The pid that the kernel gave last
 * shows whether a process was forked, and whether a pid may belong to another process by now. Pids
 * that a program chooses (set_tid) do not show there.
 *
 * A process that got the object after it was looked at (by opening it, or from a process that was
 * not looked at yet) may be missed. So nobody holds the object only if two complete looks in a row
 * find nothing: if it was passed on once in that way, one process held it during one of the looks.
 * A process that opens the object during a look could as well open it after the look.
 *
 * A thread does all this. It is left behind when it hangs: the maps of a process cannot be read
 * while the process is stuck in changing them.
 *
 * Calls process_look.c, find_mount_holders.c, kernel_holders.c, mounts.c, unix_sockets.c,
 * other_holders.c, memory.c and sysfs.c.
 */
#include "ctl/find_process_holders.h"
#include "ctl/find_mount_holders.h"
#include "ctl/kernel_holders.h"
#include "ctl/look.h"
#include "ctl/memory.h"
#include "ctl/mounts.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/process_look.h"
#include "ctl/sysfs.h"
#include "ctl/unix_sockets.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define LOOKS_WANTED     2 /* complete looks in a row */
#define LOOKS_MAX        4
#define LISTINGS_MAX     500 /* in one look */
#define LISTINGS_AT_ONCE 10
#define STUCK_SECONDS    10

/* The kernel's PROC_PID_INIT_INO and PROC_USER_INIT_INO. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_USER_NAMESPACE "user:[4026531837]"

struct seen_process {
	pid_t pid;
	long number; /* last_number() after it was listed */
};

/* Sorted by pid. */
struct seen {
	struct seen_process *list;
	size_t count, room;
};

struct pids {
	pid_t *list;
	size_t count, room;
};

static int compare_pids(const void *left, const void *right)
{
	pid_t a = *(const pid_t *)left, b = *(const pid_t *)right;

	return a < b ? -1 : a > b;
}

static int compare_seen(const void *left, const void *right)
{
	const struct seen_process *a = left, *b = right;

	return compare_pids(&a->pid, &b->pid);
}

static struct seen_process *seen_find(const struct seen *seen, size_t count, pid_t pid)
{
	const struct seen_process wanted = {.pid = pid};

	return count ? bsearch(&wanted, seen->list, count, sizeof(wanted), compare_seen) : NULL;
}

/*
 * Whether the pid may belong to another process by now. `number` is last_number(): numbers are
 * given in ascending order up to a maximum, and then start again from below.
 */
static bool may_be_another(const struct seen_process *process, long number)
{
	if (process->number <= number)
		return process->pid > process->number && process->pid <= number;
	return process->pid > process->number || process->pid <= number;
}

/* Returns whether /proc could be read. */
static bool list_processes(DIR *proc, struct pids *pids)
{
	const struct dirent *entry;

	pids->count = 0;
	rewinddir(proc);
	while ((errno = 0, entry = readdir(proc)))
		if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9') {
			memory_reserve(pids->list, &pids->room, pids->count + 1, 256);
			pids->list[pids->count++] = (pid_t)strtol(entry->d_name, NULL, 10);
		}
	return !errno;
}

/* The number that was last given to a process or thread; -1: unknown. */
static long last_number(int loadavg)
{
	char text[128];
	ssize_t length = pread(loadavg, text, sizeof(text) - 1, 0);
	const char *last;

	if (length <= 0)
		return -1;
	text[length] = '\0';
	last = strrchr(text, ' ');
	return last ? strtol(last, NULL, 10) : -1;
}

/* All that the thread that looks at processes uses. */
struct process_holders {
	struct look look;
	struct other_holders found;
	bool held; /* holders are known already */
	bool (*maps)(const void *context, pid_t pid);
	const void *context;
	DIR *proc;
	int loadavg;
	atomic_int pid;       /* the process that is looked at; 0: the kernel */
	atomic_uint progress; /* changes with each process */
};

static bool is_reported(const struct process_holders *all, pid_t pid)
{
	const struct other_holders *holders = all->look.holders;

	if (pid == getpid() || all->maps(all->context, pid))
		return true;
	for (size_t i = 0; i < holders->count; i++)
		if (holders->list[i].pid == pid && holders->list[i].kind != HOLDER_MOUNT)
			return true;
	return false;
}

/* Returns how many of the listed processes were not looked at before. */
static size_t look_at_new(struct process_holders *all, const struct pids *listed, long number,
			  struct seen *seen)
{
	size_t count = 0, sorted = seen->count;

	for (size_t i = 0; i < listed->count; i++) {
		pid_t pid = listed->list[i];
		struct seen_process *before = seen_find(seen, sorted, pid);

		if (before && !may_be_another(before, number))
			continue;
		count++;
		all->pid = pid;
		all->progress++;
		if (look_at_process(&all->look, pid, is_reported(all, pid)) == PROCESS_GONE)
			continue;
		if (!before) {
			memory_reserve(seen->list, &seen->room, seen->count + 1, 256);
			before = &seen->list[seen->count++];
		}
		*before = (struct seen_process){.pid = pid, .number = number};
	}
	if (seen->count)
		qsort(seen->list, seen->count, sizeof(*seen->list), compare_seen);
	return count;
}

/* Looks at all processes once; returns whether that was complete. */
static bool look_at_all(struct process_holders *all)
{
	struct pids listed = {0};
	struct seen seen = {0};
	bool complete = false;
	long before = 0;

	for (int i = 0; i < LISTINGS_MAX && !complete && before >= 0; i++) {
		bool whole;
		long after;

		if (i >= LISTINGS_AT_ONCE)
			usleep(1000);
		all->progress++;
		before = last_number(all->loadavg);
		whole = list_processes(all->proc, &listed);
		after = last_number(all->loadavg);
		complete = !look_at_new(all, &listed, after, &seen) && whole && before == after &&
			   before >= 0;
	}
	free(listed.list);
	free(seen.list);
	return complete;
}

/* The kernel uses the ids of mounts again, so only those of one look are kept. */
static void keep_mount_ids(struct look *look)
{
	look->mount_id_count = 0;
	for (size_t i = 0; i < look->mounts.count; i++) {
		const struct mount *mount = &look->mounts.list[i];

		if (mount->dev != look->filesystem)
			continue;
		memory_reserve(look->mount_ids, &look->mount_id_room, look->mount_id_count + 1, 16);
		look->mount_ids[look->mount_id_count++] = mount->id;
	}
}

/* Adds what can be found only when the mounts and sockets of all processes are known. */
static void look_at_rest(struct look *look)
{
	struct other_holders *holders = look->holders;

	mounts_sort(&look->mounts);
	find_mount_holders(holders, look->object, &look->mounts);
	keep_mount_ids(look);
	/* A bind mount of /proc/PID/ns/mnt keeps a mount namespace as a descriptor does. */
	for (size_t i = 0; i < look->mounts.count && !look->object->name; i++) {
		const struct mount *mount = &look->mounts.list[i];
		unsigned long inode;

		if (!strcmp(mount->type, "nsfs") && sscanf(mount->root, "mnt:[%lu]", &inode) == 1 &&
		    !mounts_know_namespace(&look->mounts, inode))
			other_holders_doubt(holders, DOUBT_NAMESPACE,
					    "%s keeps a mount namespace without a process",
					    mount->path);
	}
	for (size_t i = 0; i < look->kept_count; i++)
		if (!mounts_know_namespace(&look->mounts, look->kept[i].inode))
			other_holders_doubt_process(holders, DOUBT_NAMESPACE, look->kept[i].pid,
						    "keeps a mount namespace without a process");
	if (look->sockets.error)
		other_holders_doubt(holders, DOUBT_SOCKETS, "UNIX sockets cannot be seen: %s",
				    strerror(-look->sockets.error));
	for (size_t i = 0; i < look->sockets.count; i++)
		if (look->sockets.list[i].unread)
			other_holders_doubt(
				holders, DOUBT_FLIGHT,
				"a connection that was not accepted may have descriptors "
				"in its queue");
}

/*
 * Adds bound sockets that no process has open: their descriptors are in the queue of a socket.
 */
static void find_lost_sockets(const struct look *look)
{
	if (look->object->kind != OBJECT_MOUNT || look->holders->count)
		return;
	for (size_t i = 0; i < look->sockets.count; i++)
		if (look->sockets.list[i].dev && look->sockets.list[i].dev == look->filesystem)
			other_holders_add(look->holders, &(struct other_holder){
								 .kind = HOLDER_SOCKET,
								 .path = look->sockets.list[i].path,
							 });
}

static bool look_once(struct process_holders *all)
{
	struct look *look = &all->look;

	other_holders_forget_look(look->holders);
	mounts_clear(&look->mounts);
	unix_sockets_clear(&look->sockets);
	look->kept_count = 0;
	mounts_read(&look->mounts, "/proc/self", 0);
	mounts_sort(&look->mounts);
	look->filesystem = mount_holders_filesystem(&look->mounts, look->object);
	if (!look->mount_id_count)
		keep_mount_ids(look);
	if (!look_at_all(all))
		other_holders_doubt(look->holders, DOUBT_MOVING,
				    "processes come, go or end while they are looked at");
	look_at_rest(look);
	find_lost_sockets(look);
	/*
	 * Runs after the processes were looked at: a file that a process had open may be behind a
	 * loop device by now, or be swap space.
	 */
	all->pid = 0;
	all->progress++;
	find_kernel_holders(look->holders, look);
	return !other_holders_in_doubt(look->holders, true);
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

static void *look_in_thread(void *context)
{
	struct process_holders *all = context;
	struct stat status;
	int complete = 0;

	all->look.nsfs = stat("/proc/self/ns/mnt", &status) ? 0 : status.st_dev;
	if (!may_see_all() || !all->proc)
		other_holders_doubt(&all->found, DOUBT_PROCESSES,
				    "not all processes can be seen from here");
	for (int i = 0; all->proc && i < LOOKS_MAX && complete < LOOKS_WANTED; i++) {
		complete = look_once(all) ? complete + 1 : 0;
		if (all->held || all->found.count)
			return NULL;
	}
	if (complete < LOOKS_WANTED && !other_holders_in_doubt(&all->found, true))
		other_holders_doubt(&all->found, DOUBT_MOVING,
				    "no two looks in a row were without doubt");
	return NULL;
}

/* Returns whether the thread has ended. */
static bool wait_for_thread(struct process_holders *all, pthread_t thread)
{
	unsigned last;

	do {
		struct timespec until;

		last = all->progress;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec += STUCK_SECONDS;
		if (!pthread_timedjoin_np(thread, NULL, &until))
			return true;
	} while (all->progress != last);
	return false;
}

static void free_all(struct process_holders *all)
{
	if (all->proc)
		closedir(all->proc);
	if (all->loadavg >= 0)
		close(all->loadavg);
	mounts_clear(&all->look.mounts);
	unix_sockets_clear(&all->look.sockets);
	free(all->look.mount_ids);
	free(all->look.kept);
	other_holders_clear(&all->found);
	free(all);
}

bool find_process_holders(struct other_holders *holders, const struct object *object,
			  bool (*maps)(const void *context, pid_t pid), const void *context)
{
	struct process_holders *all = memory_require(calloc(1, sizeof(*all)));
	pthread_t thread;

	all->look.holders = &all->found;
	all->look.object = object;
	all->held = holders->count;
	all->maps = maps;
	all->context = context;
	all->proc = opendir("/proc");
	all->loadavg = open("/proc/loadavg", O_RDONLY | O_CLOEXEC);
	if (pthread_create(&thread, NULL, look_in_thread, all))
		memory_exhausted();
	if (!wait_for_thread(all, thread)) {
		if (all->pid)
			other_holders_doubt_process(holders, DOUBT_REFUSED, all->pid,
						    "does not let itself be looked at");
		else
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what the kernel has open cannot be looked at");
		return false;
	}
	other_holders_move(holders, &all->found);
	free_all(all);
	return true;
}
