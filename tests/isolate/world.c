/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.c - the environment of each test, the same on every machine
 *
 * Owns the name spaces and all mounts in them; nothing of it is visible outside, and the kernel
 * removes it with the last process. The root file system and /sys remain the host's.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <mntent.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NEW_SPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC)

/* Names of variables that a test sees unchanged; with a '*', all that begin so. */
static const char *const kept_variables[] = {
	"ASAN_OPTIONS", "CCACHE_*",        "CMOCKA_*",      "HOME",
	"LSAN_OPTIONS", "MALLOC_PERTURB_", "MESON_*",       "MSAN_OPTIONS",
	"TERM",         "TSAN_OPTIONS",    "UBSAN_OPTIONS",
};

static const char *const covered[] = {"/tmp", "/var/tmp", "/run"};

static int failed(const char *what)
{
	fprintf(stderr, "isolate: %s: %s\n", what, strerror(errno));
	return -1;
}

static int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644), result = 0;

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		result = -1;
	close(fd);
	return result;
}

int world_leave(void)
{
	unsigned uid = getuid(), gid = getgid();
	char map[64];

	if (unshare(NEW_SPACES) == 0)
		return 0;
	if (uid == 0 || unshare(NEW_SPACES | CLONE_NEWUSER) != 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", uid, uid);
	if (write_text("/proc/self/uid_map", map) != 0)
		return -1;
	snprintf(map, sizeof(map), "%u %u 1", gid, gid);
	return write_text("/proc/self/setgroups", "deny") != 0 ||
			       write_text("/proc/self/gid_map", map) != 0
		       ? -1
		       : 0;
}

static bool same_place(int a, int b)
{
	struct statx x, y;

	return statx(a, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &x) == 0 &&
	       statx(b, "", AT_EMPTY_PATH, STATX_INO | STATX_MNT_ID, &y) == 0 &&
	       x.stx_ino == y.stx_ino && x.stx_mnt_id == y.stx_mnt_id;
}

/*
 * Makes all mounts private, and the root directory the root of the mount name space. In a chroot
 * that is not so: its root directory need not be a mount, which leaves files "on no mounted file
 * system", and the kernel refuses user name spaces there.
 */
static int own_the_root(void)
{
	int old = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), top = -1, copy = -1, result = -1;

	/* A current folder outside the root directory can be used to go up to the real root. */
	if (old < 0 || chroot("/usr") != 0 || fchdir(old) != 0)
		goto out;
	for (int i = 0; i < PATH_MAX / 2; i++) {
		if (chdir("..") != 0)
			goto out;
	}
	top = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (top < 0 || chroot(".") != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
		goto out;
	if (!same_place(old, top)) {
		copy = open_tree(old, "",
				 OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH |
					 AT_RECURSIVE);
		if (copy < 0 || move_mount(copy, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH) != 0 ||
		    fchdir(copy) != 0 || chroot(".") != 0)
			goto out;
	}
	result = 0;
out:
	if (copy >= 0)
		close(copy);
	if (top >= 0)
		close(top);
	if (old >= 0)
		close(old);
	return result;
}

/* Makes a folder with those above it. */
static int make_folders(const char *path)
{
	char part[PATH_MAX];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) != 0 && errno != EEXIST)
			return -1;
		*slash = '/';
	}
	return mkdir(part, 0755) == 0 || errno == EEXIST ? 0 : -1;
}

static int mount_tmpfs(const char *path, const char *mode)
{
	char options[64];

	/* Kernels without huge pages do not know the option. */
	snprintf(options, sizeof(options), "mode=%s,huge=never", mode);
	if (mount("isolate", path, "tmpfs", 0, options) == 0)
		return 0;
	snprintf(options, sizeof(options), "mode=%s", mode);
	return mount("isolate", path, "tmpfs", 0, options);
}

static bool is_below(const char *path, const char *folder)
{
	size_t length = strlen(folder);

	return !strncmp(path, folder, length) && path[length] == '/';
}

/* Whether a folder that is kept above it makes the folder reachable by the path already. */
static bool is_there(const char *path, int fd)
{
	struct stat a, b;

	return stat(path, &a) == 0 && fstat(fd, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

/*
 * Unmounts what daemons on the host have mounted: tools look for mounts of this type. Those below
 * another mount, and those that a user name space does not allow to unmount, are left.
 */
static int remove_mounts(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;

	if (!mounts)
		return failed("/proc/self/mounts");
	while ((entry = getmntent(mounts))) {
		if (!strcmp(entry->mnt_type, "fuse.pmem2fs"))
			umount2(entry->mnt_dir, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	endmntent(mounts);
	return 0;
}

/* Mounts an empty file system over each folder for temporary files, except where a kept one is. */
static int cover(const char *const *kept, size_t count)
{
	char fd_path[32];
	int fds[8];

	for (size_t i = 0; i < count; i++)
		fds[i] = open(kept[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < sizeof(covered) / sizeof(*covered); i++) {
		const char *mode = strcmp(covered[i], "/run") ? "1777" : "755";

		if (mount_tmpfs(covered[i], mode) != 0 && errno != ENOENT)
			return failed(covered[i]);
		for (size_t k = 0; k < count; k++) {
			if (fds[k] < 0 || !is_below(kept[k], covered[i]) ||
			    is_there(kept[k], fds[k]))
				continue;
			snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", fds[k]);
			if (make_folders(kept[k]) != 0 ||
			    mount(fd_path, kept[k], NULL, MS_BIND | MS_REC, NULL) != 0)
				return failed(kept[k]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	return 0;
}

/* The host's node where a user name space does not allow one to be made. */
static int make_node(const char *folder, const char *name, unsigned major, unsigned minor)
{
	char path[64], host[64];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	snprintf(host, sizeof(host), "/dev/%s", name);
	if (mknod(path, S_IFCHR | 0666, makedev(major, minor)) == 0) {
		/* Some security modules do not allow such a node to be opened. */
		fd = open(path, O_PATH | O_CLOEXEC);
		if (fd < 0)
			return -1;
		close(fd);
		return 0;
	}
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
	if (fd < 0)
		return -1;
	close(fd);
	if (mount(host, path, NULL, MS_BIND, NULL) == 0)
		return 0;
	return errno == ENOENT ? unlink(path) : -1;
}

static int furnish_dev(void)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {
		{"null", 1, 3},    {"zero", 1, 5}, {"full", 1, 7},    {"random", 1, 8},
		{"urandom", 1, 9}, {"tty", 5, 0},  {"fuse", 10, 229},
	};
	static const char *const links[][2] = {
		{"/proc/self/fd", "fd"},       {"/proc/self/fd/0", "stdin"},
		{"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"},
		{"pts/ptmx", "ptmx"},
	};
	char folder[] = "/tmp/isolate-dev", path[64];

	if (mkdir(folder, 0755) != 0 || mount_tmpfs(folder, "755") != 0)
		return failed(folder);
	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++) {
		if (make_node(folder, nodes[i].name, nodes[i].major, nodes[i].minor) != 0)
			return failed(nodes[i].name);
	}
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, links[i][1]);
		if (symlink(links[i][0], path) != 0)
			return failed(path);
	}
	snprintf(path, sizeof(path), "%s/pts", folder);
	if (mkdir(path, 0755) != 0 || mount("isolate", path, "devpts", 0, "ptmxmode=0666") != 0)
		return failed(path);
	snprintf(path, sizeof(path), "%s/shm", folder);
	if (mkdir(path, 0755) != 0 || mount_tmpfs(path, "1777") != 0)
		return failed(path);
	if (mount(folder, "/dev", NULL, MS_MOVE, NULL) != 0 || rmdir(folder) != 0)
		return failed("/dev");
	return 0;
}

/* Fixes the names of users and the settings of fusermount3, where the host has files for them. */
static int furnish_etc(void)
{
	static const char passwd[] = "root:x:0:0:root:/root:/bin/sh\n"
				     "games:x:5:60:games:/nonexistent:/usr/sbin/nologin\n"
				     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n";
	const struct {
		const char *name, *text;
	} files[] = {
		{"fuse.conf", ""},
		{"group", "root:x:0:\ngames:x:60:\nnogroup:x:65534:\n"},
		{"nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\n"},
		{"passwd", passwd},
	};
	char folder[] = "/tmp/isolate-etc", path[64], name[64];

	if (mkdir(folder, 0755) != 0 || mount_tmpfs(folder, "755") != 0)
		return failed(folder);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, files[i].name);
		snprintf(name, sizeof(name), "/etc/%s", files[i].name);
		if (write_text(path, files[i].text) != 0 ||
		    (mount(path, name, NULL, MS_BIND, NULL) != 0 && errno != ENOENT))
			return failed(name);
	}
	if (umount2(folder, MNT_DETACH) != 0 || rmdir(folder) != 0)
		return failed(folder);
	return 0;
}

static int raise_loopback(void)
{
	struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), result;

	if (fd < 0)
		return errno == EAFNOSUPPORT ? 0 : failed("socket");
	result = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : failed("lo");
	close(fd);
	return result;
}

int world_furnish(void)
{
	char here[PATH_MAX];
	const char *const kept[] = {SOURCE_ROOT, BUILD_ROOT, here};

	if (!getcwd(here, sizeof(here)))
		return failed("the current folder");
	umask(0);
	if (own_the_root() != 0)
		return failed("/");
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0)
		return failed("/proc");
	if (remove_mounts() != 0 || cover(kept, sizeof(kept) / sizeof(*kept)) != 0 ||
	    furnish_dev() != 0 || furnish_etc() != 0 || raise_loopback() != 0)
		return -1;
	return chdir(here) == 0 ? 0 : failed(here);
}

static bool is_kept(const char *variable)
{
	size_t length = strcspn(variable, "=");

	for (size_t i = 0; i < sizeof(kept_variables) / sizeof(*kept_variables); i++) {
		const char *kept = kept_variables[i];
		size_t prefix = strcspn(kept, "*");

		if (kept[prefix] ? length > prefix && !strncmp(variable, kept, prefix)
				 : length == prefix && !strncmp(variable, kept, prefix))
			return true;
	}
	return false;
}

int world_set_environment(void)
{
	const char *path = getenv("PATH");
	char **old = environ, *none[] = {NULL}, *all;

	/* Adds the system's folders of programs, which the caller's PATH may not have. */
	if (asprintf(&all, "%s%s/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", path ? path : "",
		     path ? ":" : "") < 0)
		return -1;
	environ = none;
	for (; *old; old++) {
		if (is_kept(*old) && putenv(*old) != 0)
			return failed("environment");
	}
	if (setenv("PATH", all, 1) != 0 || setenv("LC_ALL", "C.UTF-8", 1) != 0 ||
	    setenv("TZ", "UTC", 1) != 0 || setenv("ISOLATED", "yes", 1) != 0)
		return failed("environment");
	free(all);
	return 0;
}

static void set_limit(int resource, rlim_t soft, rlim_t hard)
{
	struct rlimit limit;

	if (getrlimit((__rlimit_resource_t)resource, &limit) != 0)
		return;
	if (limit.rlim_max == RLIM_INFINITY || limit.rlim_max > hard)
		limit.rlim_max = hard;
	limit.rlim_cur = soft < limit.rlim_max ? soft : limit.rlim_max;
	setrlimit((__rlimit_resource_t)resource, &limit);
}

void world_set_process(void)
{
	sigset_t none;

	for (int signo = 1; signo <= SIGRTMAX; signo++)
		signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(022);
	close_range(3, ~0u, 0);
	set_limit(RLIMIT_CORE, 0, RLIM_INFINITY);
	set_limit(RLIMIT_NOFILE, 1024, 65536);
	set_limit(RLIMIT_STACK, 8 << 20, RLIM_INFINITY);
}
