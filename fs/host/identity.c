/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * identity.c - see identity.h
 *
 * The C library's setgroups, setfsuid and so on change every thread of the process or hide
 * errors; the system calls themselves change the calling thread alone.
 */
#include "host/identity.h"
#include "base/log.h"
#include "host/proc.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The capabilities with which a thread can ignore permissions and quotas of files. */
#define FILE_CAPABILITIES                                                                          \
	(1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH |              \
	 1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE |                   \
	 1ull << CAP_MAC_OVERRIDE | 1ull << CAP_SYS_ADMIN | 1ull << CAP_SYS_RAWIO |                \
	 1ull << CAP_SYS_RESOURCE)

static const char unknown_caller[] = "the calling process cannot be looked at";
static const char foreign_caller[] = "the calling process has another root directory or mount "
				     "namespace (pmem2ctl map passes the opened file instead)";

/*
 * What is compared with a caller. This process changes none of it; it is read again before a caller
 * is refused, since pivot_root changes the root directory of other processes.
 */
static struct own {
	bool known;
	char mounts[64], users[64], root[PATH_MAX]; /* the links, terminated */
	uint64_t root_inode, root_mount;
} own;

static bool read_link(const char *path, char *target, size_t room)
{
	ssize_t n = readlink(path, target, room);

	if (n <= 0 || (size_t)n >= room)
		return false;
	target[n] = '\0';
	return true;
}

/* What is behind the link may be a file system that hangs: it is asked for nothing. */
static bool find_root(const char *link, uint64_t *inode, uint64_t *mount)
{
	struct statx found;

	if (statx(AT_FDCWD, link, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, STATX_INO | STATX_MNT_ID,
		  &found))
		return false;
	*inode = found.stx_ino;
	*mount = found.stx_mnt_id;
	return true;
}

static bool know_own(void)
{
	if (!own.known)
		own.known = read_link("/proc/self/ns/mnt", own.mounts, sizeof(own.mounts)) &&
			    read_link("/proc/self/ns/user", own.users, sizeof(own.users)) &&
			    read_link("/proc/self/root", own.root, sizeof(own.root)) &&
			    find_root("/proc/self/root", &own.root_inode, &own.root_mount);
	return own.known;
}

/* NULL, or why the process is refused. */
static const char *compare_link(pid_t tid, const char *what, const char *ours)
{
	char path[64], theirs[PATH_MAX];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, what);
	if (!read_link(path, theirs, sizeof(theirs)))
		return unknown_caller;
	return strcmp(theirs, ours) ? foreign_caller : NULL;
}

static const char *compare_root(pid_t tid)
{
	const char *refused = know_own() ? compare_link(tid, "ns/mnt", own.mounts) : unknown_caller;
	uint64_t inode, mount;
	char path[64];

	if (!refused)
		refused = compare_link(tid, "root", own.root);
	if (refused)
		return refused;
	/* Both are called the same in one mount namespace; one may still be covered by the other.
	 */
	snprintf(path, sizeof(path), "/proc/%d/root", (int)tid);
	if (!find_root(path, &inode, &mount))
		return unknown_caller;
	return inode == own.root_inode && mount == own.root_mount ? NULL : foreign_caller;
}

static struct identity *parse_groups(struct identity *identity, char *text)
{
	size_t room = 0;
	char *word, *rest;

	for (word = strtok_r(text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest)) {
		if (identity->group_count == room) {
			struct identity *larger;

			room = room ? room * 2 : 8;
			larger = realloc(identity, sizeof(*identity) + room * sizeof(gid_t));
			if (!larger) {
				free(identity);
				return NULL;
			}
			identity = larger;
		}
		identity->groups[identity->group_count++] = (gid_t)strtoul(word, NULL, 10);
	}
	return identity;
}

/* Groups and capabilities from /proc/TID/status. */
static struct identity *read_status(struct identity *identity, pid_t tid)
{
	bool groups = false, capabilities = false;
	FILE *file = proc_stream(tid, "status");
	char *line = NULL;
	size_t size = 0;

	while (file && identity && getline(&line, &size, file) > 0) {
		if (!strncmp(line, "Groups:", 7)) {
			identity = parse_groups(identity, line + 7);
			groups = true;
		} else if (!strncmp(line, "CapEff:", 7)) {
			identity->capabilities = strtoull(line + 7, NULL, 16);
			capabilities = true;
		}
	}
	free(line);
	if (file)
		fclose(file);
	if (identity && !(groups && capabilities))
		identity->refused = unknown_caller;
	return identity;
}

struct identity *identity_of_caller(pid_t tid, uid_t uid, gid_t gid)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	if (!identity)
		return NULL;
	identity->uid = uid;
	identity->gid = gid;
	if (tid <= 0) {
		identity->refused =
			"the calling process is in a pid namespace that is not seen here";
		return identity;
	}
	identity = read_status(identity, tid);
	if (identity && !identity->refused && compare_root(tid)) {
		own.known = false;
		identity->refused = compare_root(tid);
	}
	/* Capabilities in another user namespace are none over files here. */
	if (identity && (!know_own() || compare_link(tid, "ns/user", own.users)))
		identity->capabilities = 0;
	return identity;
}

static int capabilities_of_thread(struct __user_cap_data_struct data[2], bool set)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};

	return (int)syscall(set ? SYS_capset : SYS_capget, &header, data);
}

/* Takes away from the effective set what the caller has not got. */
static int limit_capabilities(uint64_t callers)
{
	struct __user_cap_data_struct data[2];
	uint64_t effective;

	if (capabilities_of_thread(data, false))
		return -errno;
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	effective &= callers | ~FILE_CAPABILITIES;
	data[0].effective = (uint32_t)effective;
	data[1].effective = (uint32_t)(effective >> 32);
	return capabilities_of_thread(data, true) ? -errno : 0;
}

static void set_ids(uid_t uid, gid_t gid)
{
	syscall(SYS_setfsgid, gid);
	syscall(SYS_setfsuid, uid);
}

static bool ids_are(uid_t uid, gid_t gid)
{
	return (uid_t)syscall(SYS_setfsuid, -1) == uid && (gid_t)syscall(SYS_setfsgid, -1) == gid;
}

/* Without its groups such a caller can open what it can open with them. */
bool identity_is_own(const struct identity *identity)
{
	struct __user_cap_data_struct data[2];
	uint64_t effective;

	if (geteuid() != 0)
		return true;
	if (identity->uid || identity->gid != getegid() || capabilities_of_thread(data, false))
		return false;
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	return effective & 1ull << CAP_DAC_OVERRIDE &&
	       !(effective & FILE_CAPABILITIES & ~identity->capabilities);
}

int identity_assume(const struct identity *identity)
{
	int error = 0;

	if (geteuid() != 0)
		return 0;
	if (syscall(SYS_setgroups, identity->group_count, identity->groups))
		return -errno;
	set_ids(identity->uid, identity->gid); /* drops file capabilities for all but uid 0 */
	if (!ids_are(identity->uid, identity->gid))
		error = -EPERM;
	if (!error)
		error = limit_capabilities(identity->capabilities);
	if (error)
		identity_drop();
	return error;
}

void identity_drop(void)
{
	struct __user_cap_data_struct data[2];

	if (geteuid() != 0)
		return;
	set_ids(0, getegid());
	/* All that is permitted becomes effective: that is how the daemon runs. */
	if (!capabilities_of_thread(data, false)) {
		data[0].effective = data[0].permitted;
		data[1].effective = data[1].permitted;
		capabilities_of_thread(data, true);
	}
	if (!ids_are(0, getegid()) || syscall(SYS_setgroups, 0, NULL)) {
		log_error("a thread cannot take its own rights back");
		abort();
	}
}
