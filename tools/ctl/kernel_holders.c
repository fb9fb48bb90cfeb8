// SPDX-License-Identifier: BSD-3-Clause
/*
 * kernel_holders.c - what the kernel itself has open of an object
 *
 * Each service of the kernel lists its files in a place of its own, mostly by path only. A path
 * that leads nowhere may be that of a removed file, or be seen from another root: then a file or
 * mount point may be in use. Calls look.c, other_holders.c, memory.c and sysfs.c.
 */
#include "ctl/kernel_holders.h"
#include "ctl/look.h"
#include "ctl/memory.h"
#include "ctl/object.h"
#include "ctl/other_holders.h"
#include "ctl/sysfs.h"
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONFIG  "/sys/kernel/config"
#define EXPORTS "/proc/fs/nfsd/exports"
#define PROBES  "/sys/kernel/tracing/uprobe_events"

/*
 * Adds the holder when the file at `path` is part of the object. Returns whether that could be
 * found out.
 */
static bool add_if_part(struct other_holders *holders, const struct look *look, const char *path,
			struct other_holder *holder)
{
	struct statx status;

	if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT, OBJECT_STATX_MASK, &status))
		return false;
	if (look_has(look, &status, &holder->device))
		other_holders_add(holders, holder);
	return true;
}

/* As add_if_part; adds a doubt if it could not be found out. */
static void look_at_path(struct other_holders *holders, const struct look *look,
			 struct other_holder *holder)
{
	if (!add_if_part(holders, look, holder->path, holder))
		other_holders_doubt(holders, DOUBT_KERNEL,
				    "what is open in the kernel as %s (%s) "
				    "cannot be found",
				    holder->path, holder->name);
}

static dev_t decode_device(uint64_t number)
{
	return makedev((number & 0xfff00) >> 8, (number & 0xff) | ((number >> 12) & 0xfffff00));
}

/*
 * Asks the loop device itself which file is behind it. Returns whether it answered: *status then
 * has the numbers of the file.
 */
static bool ask_loop(const struct other_holder *holder, struct statx *status)
{
	char *path = sysfs_join("/dev", holder->name);
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct loop_info64 info;
	bool answered = fd >= 0 && !ioctl(fd, LOOP_GET_STATUS64, &info);
	dev_t dev, rdev;

	if (fd >= 0)
		close(fd);
	free(path);
	if (!answered)
		return false;
	dev = decode_device(info.lo_device);
	rdev = decode_device(info.lo_rdevice);
	*status = (struct statx){
		.stx_mode = rdev ? S_IFBLK : S_IFREG,
		.stx_dev_major = major(dev),
		.stx_dev_minor = minor(dev),
		.stx_rdev_major = major(rdev),
		.stx_rdev_minor = minor(rdev),
		.stx_ino = info.lo_inode,
	};
	return true;
}

/* Whether a device number may be that of a subvolume. Then no mount has it. */
static bool may_be_subvolume(const struct look *look, const struct statx *status)
{
	for (size_t i = 0; i < look->mounts.count; i++)
		if (look->mounts.list[i].dev ==
		    makedev(status->stx_dev_major, status->stx_dev_minor))
			return false;
	return !status->stx_dev_major;
}

/* Adds the loop device if the object is behind it. Returns whether that could be found out. */
static bool look_at_loop(struct other_holders *holders, const struct look *look,
			 struct other_holder *holder)
{
	struct statx behind, at_path;

	if (!ask_loop(holder, &behind))
		return *holder->path == '/' && add_if_part(holders, look, holder->path, holder);
	if (look->object->kind != OBJECT_MOUNT || !may_be_subvolume(look, &behind)) {
		if (look_has(look, &behind, &holder->device))
			other_holders_add(holders, holder);
		return true;
	}
	/* Which file system a subvolume is of, the mount shows that the path leads to. */
	return !statx(AT_FDCWD, holder->path, AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		      OBJECT_STATX_MASK, &at_path) &&
	       at_path.stx_ino == behind.stx_ino && at_path.stx_dev_major == behind.stx_dev_major &&
	       at_path.stx_dev_minor == behind.stx_dev_minor &&
	       add_if_part(holders, look, holder->path, holder);
}

static void find_loops(struct other_holders *holders, const struct look *look)
{
	bool failed = access("/sys/block", F_OK);
	char **names = sysfs_names("/sys/block", "loop", &failed);

	if (failed)
		other_holders_doubt(holders, DOUBT_KERNEL, "loop devices cannot be seen from here");
	for (size_t i = 0; names[i]; i++) {
		char *directory = sysfs_join("/sys/block", names[i]);
		char *path = sysfs_text(directory, "loop/backing_file");
		bool free_device = path ? !*path : sysfs_is_gone(errno);
		struct other_holder holder = {
			.kind = HOLDER_LOOP, .name = names[i], .path = path ? path : (char *)"?"};

		/* The kernel reports no path that is too long for a page. */
		if (!free_device && !look_at_loop(holders, look, &holder))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what is behind %s (%s) cannot be found", names[i],
					    holder.path);
		free(path);
		free(directory);
	}
	sysfs_free(names);
}

/* To be called when no further line was read: adds a doubt unless that is the end of the file. */
static void doubt_unless_read(struct other_holders *holders, FILE *file, const char *text)
{
	if (!feof(file))
		other_holders_doubt(holders, DOUBT_KERNEL, "%s: %s", text, strerror(errno));
}

static void find_swap(struct other_holders *holders, const struct look *look)
{
	FILE *file = fopen("/proc/swaps", "re");
	char *line = NULL;
	size_t room = 0;

	if (!file) {
		/* A kernel without swap has none; a /proc with subset=pid lacks all these files. */
		if (errno != ENOENT || access("/proc/filesystems", F_OK))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "swap spaces cannot be seen from here");
		return;
	}
	for (bool title = true; getline(&line, &room, file) > 0; title = false) {
		struct other_holder holder = {.kind = HOLDER_SWAP, .path = line};

		line[strcspn(line, " \t\n")] = '\0';
		sysfs_unescape(line);
		if (!title && !add_if_part(holders, look, line, &holder))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "where the swap space %s is cannot be found", line);
	}
	doubt_unless_read(holders, file, "swap spaces cannot be seen");
	free(line);
	fclose(file);
}

static int is_failure(const char *path, int error)
{
	(void)path;
	return !sysfs_is_gone(error);
}

/* Services that export a disk or file: SCSI targets, NVMe targets, USB gadgets. */
static void find_targets(struct other_holders *holders, const struct look *look)
{
	static const struct {
		const char *module, *folder, *pattern, *name;
	} services[] = {
		{"/sys/module/target_core_mod", CONFIG "/target",
		 CONFIG "/target/core/*/*/udev_path", "SCSI target"},
		{"/sys/module/nvmet", CONFIG "/nvmet",
		 CONFIG "/nvmet/subsystems/*/namespaces/*/device_path", "NVMe target"},
		{"/sys/module/libcomposite", CONFIG "/usb_gadget",
		 CONFIG "/usb_gadget/*/functions/*/lun.*/file", "USB gadget"},
	};

	for (size_t i = 0; i < sizeof(services) / sizeof(*services); i++) {
		glob_t found = {0};
		int failed;

		if (!access(services[i].module, F_OK) && access(services[i].folder, F_OK))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what a %s has open cannot be seen: %s is not there",
					    services[i].name, services[i].folder);
		failed = glob(services[i].pattern, GLOB_NOSORT, is_failure, &found);
		if (failed == GLOB_NOSPACE)
			memory_exhausted();
		if (failed == GLOB_ABORTED)
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what a %s has open cannot be seen", services[i].name);
		for (size_t j = 0; j < found.gl_pathc; j++) {
			char *slash = strrchr(found.gl_pathv[j], '/'), *path, *enabled;
			bool hidden;

			*slash = '\0';
			path = sysfs_text(found.gl_pathv[j], slash + 1);
			hidden = !path && !sysfs_is_gone(errno);
			enabled = sysfs_text(found.gl_pathv[j], "enable");
			if (path && *path == '/')
				look_at_path(holders, look,
					     &(struct other_holder){
						     .kind = HOLDER_KERNEL,
						     .path = path,
						     .name = (char *)services[i].name,
					     });
			else if (hidden || (enabled && *enabled == '1'))
				other_holders_doubt(holders, DOUBT_KERNEL,
						    "what is behind %s (%s) cannot be found",
						    found.gl_pathv[j], services[i].name);
			free(enabled);
			free(path);
		}
		globfree(&found);
	}
}

/*
 * Opens the root directory of a file system of the kernel, mounted or not. Returns a descriptor or
 * a negative errno.
 */
static int open_filesystem(const char *type)
{
	int context = fsopen(type, FSOPEN_CLOEXEC), folder = -1;

	if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		folder = fsmount(context, FSMOUNT_CLOEXEC, 0);
	if (folder < 0)
		folder = -errno;
	if (context >= 0)
		close(context);
	return folder;
}

/* The kernel keeps an interpreter open that was registered with the flag F. */
static void look_at_interpreter(struct other_holders *holders, const struct look *look, char *text)
{
	static const char key[] = "interpreter ", flags[] = "flags: ";
	char *path = NULL, *line;
	bool open = false;

	while ((line = strsep(&text, "\n"))) {
		if (!strncmp(line, key, strlen(key)))
			path = line + strlen(key);
		else if (!strncmp(line, flags, strlen(flags)))
			open = strchr(line + strlen(flags), 'F');
	}
	if (open && path)
		look_at_path(holders, look,
			     &(struct other_holder){
				     .kind = HOLDER_KERNEL, .path = path, .name = "binfmt_misc"});
}

static void find_interpreters(struct other_holders *holders, const struct look *look)
{
	int folder = open_filesystem("binfmt_misc");
	char *path, **names;
	bool failed = false;

	if (folder < 0) {
		if (folder != -ENODEV)
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what binfmt_misc has open cannot be seen: %s",
					    strerror(-folder));
		return;
	}
	path = memory_format("/proc/self/fd/%d", folder);
	names = sysfs_names(path, "", &failed);
	for (size_t i = 0; names[i]; i++) {
		char *text = sysfs_text(path, names[i]);

		/* "register" can only be written. */
		if (!text && !sysfs_is_gone(errno) && strcmp(names[i], "register"))
			failed = true;
		look_at_interpreter(holders, look, text);
		free(text);
	}
	if (failed)
		other_holders_doubt(holders, DOUBT_KERNEL,
				    "not all that binfmt_misc has open can be seen");
	sysfs_free(names);
	free(path);
	close(folder);
}

/* Opens the list of probes. Returns NULL with errno on failure, ENODEV if there is no such list. */
static FILE *open_probes(void)
{
	int folder, fd = open(PROBES, O_RDONLY | O_CLOEXEC), error = errno;

	if (fd < 0 && error == ENOENT) {
		folder = open_filesystem("tracefs");
		if (folder < 0) {
			errno = -folder;
			return NULL;
		}
		fd = openat(folder, "uprobe_events", O_RDONLY | O_CLOEXEC);
		error = errno == ENOENT ? ENODEV : errno;
		close(folder);
	}
	errno = error;
	return fd < 0 ? NULL : memory_require(fdopen(fd, "r"));
}

/*
 * Reads lines of the form "p:GROUP/EVENT PATH:0xOFFSET ARGUMENTS". The kernel keeps the file of a
 * probe open; PATH is as it was given, and may be relative.
 */
static void find_probes(struct other_holders *holders, const struct look *look)
{
	FILE *file = open_probes();
	char *line = NULL;
	size_t room = 0;

	if (!file) {
		if (errno != ENODEV)
			other_holders_doubt(holders, DOUBT_KERNEL, "uprobes cannot be seen: %s",
					    strerror(errno));
		return;
	}
	while (getline(&line, &room, file) > 0) {
		struct other_holder holder = {.kind = HOLDER_KERNEL, .name = "uprobe"};
		char *at = line, *colon;

		strsep(&at, " ");
		holder.path = at ? strsep(&at, " \n") : line;
		colon = strrchr(holder.path, ':');
		if (colon)
			*colon = '\0';
		if (*holder.path == '/')
			look_at_path(holders, look, &holder);
		else
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "where the file %s of a uprobe is cannot be found",
					    holder.path);
	}
	doubt_unless_read(holders, file, "uprobes cannot be seen");
	free(line);
	fclose(file);
}

/* An md device may have its bitmap in a file, which the kernel does not name here. */
static void find_bitmaps(struct other_holders *holders)
{
	bool failed = false; /* find_loops notes a doubt when the same folder cannot be read */
	char **names = sysfs_names("/sys/block", "md", &failed);

	for (size_t i = 0; names[i]; i++) {
		char *directory = sysfs_join("/sys/block", names[i]);
		char *place = sysfs_text(directory, "md/bitmap/location");

		if (place ? !strcmp(place, "file") : !sysfs_is_gone(errno))
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "it may have the file with the bitmap of %s", names[i]);
		free(place);
		free(directory);
	}
	sysfs_free(names);
}

/* What rnbd serves has names of its own. */
static void find_served_disks(struct other_holders *holders)
{
	bool failed = false;
	char **names = sysfs_names("/sys/class/rnbd-server/ctl/devices", "", &failed);

	if (failed || names[0])
		other_holders_doubt(holders, DOUBT_KERNEL, "it may be served by rnbd");
	sysfs_free(names);
}

static void look_at_export(struct other_holders *holders, const struct look *look, char *path)
{
	struct other_holder holder = {.kind = HOLDER_KERNEL, .path = path, .name = "NFS server"};
	struct statx status;

	if (look->object->kind == OBJECT_MOUNT)
		look_at_path(holders, look, &holder);
	/* The kernel does not say which files of an export are open. */
	else if (statx(AT_FDCWD, path, AT_STATX_DONT_SYNC, OBJECT_STATX_MASK, &status) ||
		 look_is_on_filesystem(look, &status))
		other_holders_doubt(holders, DOUBT_KERNEL,
				    "it may be open in the NFS server, which exports %s", path);
}

static bool may_have_server(void)
{
	FILE *file = fopen("/proc/filesystems", "re");
	char line[128];
	bool found = !file;

	while (!found && fgets(line, sizeof(line), file))
		found = strstr(line, "\tnfsd\n");
	if (file) {
		found |= ferror(file) != 0;
		fclose(file);
	}
	return found;
}

/* Reads lines of the form "PATH<tab>CLIENT(OPTIONS)". */
static void find_exports(struct other_holders *holders, const struct look *look)
{
	FILE *file = fopen(EXPORTS, "re");
	char *line = NULL;
	size_t room = 0;

	if (!file) {
		if (may_have_server())
			other_holders_doubt(holders, DOUBT_KERNEL,
					    "what the NFS server exports cannot be seen: %s: %s",
					    EXPORTS, strerror(errno));
		return;
	}
	while (getline(&line, &room, file) > 0) {
		line[strcspn(line, "\t\n")] = '\0';
		sysfs_unescape(line);
		if (*line == '/')
			look_at_export(holders, look, line);
	}
	doubt_unless_read(holders, file, "what the NFS server exports cannot be seen");
	free(line);
	fclose(file);
}

void find_kernel_holders(struct other_holders *holders, const struct look *look)
{
	find_loops(holders, look);
	find_swap(holders, look);
	find_targets(holders, look);
	if (look->object->name) {
		find_served_disks(holders);
		return; /* the rest is about files: a disk is held by its file system */
	}
	find_interpreters(holders, look);
	find_probes(holders, look);
	find_bitmaps(holders);
	if (!access("/sys/class/ksmbd-control", F_OK))
		other_holders_doubt(holders, DOUBT_KERNEL,
				    "it may be open in the kernel's SMB server (ksmbd)");
	find_exports(holders, look);
	if (look->object->kind == OBJECT_FILE && look->object->immutable)
		other_holders_doubt(holders, DOUBT_KERNEL,
				    "it is immutable, as files are that quotas keep open");
}
