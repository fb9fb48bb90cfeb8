/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax.c - see dax.h
 *
 * Two lists, both emptied between scans: file systems by number, files by number and inode. Reads
 * sysfs and mount tables; files are reached by the links in map_files, which lead to the mapped
 * file whatever has become of its name, and where we have not the right to them by name.
 *
 * What is mapped stays mapped when its device goes, but less can be learnt of it then: a file
 * system answers out of its memory until it notices (XFS then not at all), and sysfs no longer
 * has a place for a node. So what had DAX is kept in a third list. Numbers of devices are not given
 * out again while something of the former one is mapped.
 */
#include "host/dax.h"
#include "base/array.h"
#include "base/hash.h"
#include "base/share.h"
#include "host/dax_disk.h"
#include "host/dax_node.h"
#include "host/proc.h"
#include "mount/mountinfo.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * How many file systems are looked up in other processes' mount tables, for one process and for
 * all: a user may have made thousands. Each of 48 users is sure of as many as one process may have.
 */
#define LOOKED_UP_MAX 32
static const struct share others_share = {.what = "file systems that the daemon has not mounted",
					  .total = 4096,
					  .root = 1024,
					  .user = 512,
					  .sure = LOOKED_UP_MAX};

/* What can be on a file system. */
enum filesystem_kind {
	FILESYSTEM_UNTOUCHABLE,
	FILESYSTEM_PLAIN, /* answers by itself; no DAX */
	FILESYSTEM_DAX,   /* answers by itself; files may have DAX */
	FILESYSTEM_NODES, /* in memory: may have nodes */
};

struct dax_filesystem {
	dev_t dev;
	enum filesystem_kind kind;
	pid_t task; /* in whose mount table alone it was looked for, and not found; 0: for all */
	bool looked_up; /* in the mount table of a process of user `uid` */
	uid_t uid;
};

struct file {
	dev_t dev; /* as the area's */
	uint64_t inode;
	pid_t task; /* whose area was asked; on stacked file systems others' may differ */
	bool used, answered;
	struct dax_file is;
};

struct files {
	size_t count, room; /* the room is a power of 2 and never full */
	struct file *list;
};

struct dax {
	dev_t shmem;
	size_t filesystem_count, filesystem_room;
	struct dax_filesystem *filesystems;
	struct files files;
	struct files kept;   /* those with DAX, from scans before */
	pid_t looked_up_for; /* for whom file systems were looked up last, and how many */
	uid_t looked_up_user;
	unsigned looked_up;
	bool own_known; /* the file systems of the daemon's own mount table are among them */
	bool left_out;
};

static bool find_shmem(dev_t *dev)
{
	struct stat st;
	int fd = memfd_create("pmem2fs-probe", MFD_CLOEXEC);
	bool found = fd >= 0 && !fstat(fd, &st);

	if (found)
		*dev = st.st_dev;
	if (fd >= 0)
		close(fd);
	return found;
}

struct dax *dax_new(void)
{
	struct dax *dax = calloc(1, sizeof(*dax));

	if (dax && find_shmem(&dax->shmem))
		return dax;
	free(dax);
	return NULL;
}

void dax_free(struct dax *dax)
{
	if (!dax)
		return;
	free(dax->filesystems);
	free(dax->files.list);
	free(dax->kept.list);
	free(dax);
}

static size_t file_place(const struct files *files, dev_t dev, uint64_t inode)
{
	const uint64_t words[] = {dev, inode};
	size_t i = (size_t)hash_words(words, 2, 0) & (files->room - 1);

	while (files->list[i].used && (files->list[i].dev != dev || files->list[i].inode != inode))
		i = (i + 1) & (files->room - 1);
	return i;
}

static bool grow_files(struct files *files)
{
	struct files larger = {.count = files->count, .room = files->room ? files->room * 2 : 64};

	larger.list = calloc(larger.room, sizeof(*larger.list));
	if (!larger.list)
		return false;
	for (size_t i = 0; i < files->room; i++) {
		const struct file *file = &files->list[i];

		if (file->used)
			larger.list[file_place(&larger, file->dev, file->inode)] = *file;
	}
	free(files->list);
	*files = larger;
	return true;
}

/* The place of that file, used or not. NULL when memory runs out. */
static struct file *file_at(struct files *files, dev_t dev, uint64_t inode)
{
	if (files->count >= files->room / 2 && !grow_files(files))
		return NULL;
	return &files->list[file_place(files, dev, inode)];
}

/* Without memory for it, the file is no longer known when its device goes. */
static void keep_file(struct dax *dax, const struct file *file)
{
	struct file *kept = file_at(&dax->kept, file->dev, file->inode);

	if (!kept)
		return;
	dax->kept.count += !kept->used;
	*kept = *file;
}

void dax_forget(struct dax *dax)
{
	for (size_t i = 0; i < dax->files.room; i++) {
		const struct file *file = &dax->files.list[i];

		if (file->used && file->answered && file->is.type != PMEM2FS_SOURCE_FILE)
			keep_file(dax, file);
	}
	free(dax->filesystems);
	free(dax->files.list);
	*dax = (struct dax){.shmem = dax->shmem, .kept = dax->kept};
}

void dax_forget_kept(struct dax *dax)
{
	free(dax->kept.list);
	dax->kept = (struct files){0};
}

dev_t dax_shmem(const struct dax *dax)
{
	return dax->shmem;
}

bool dax_left_out(const struct dax *dax)
{
	return dax->left_out;
}

/* Something could not be opened: if only for lack of something, it may be there. */
static void note_failure(struct dax *dax, int error)
{
	if (error == EMFILE || error == ENFILE || error == ENOMEM)
		dax->left_out = true;
}

/* Whether files on the block device can have DAX, or could before it went. */
static bool disk_has_dax(struct dax *dax, dev_t dev)
{
	int is = dax_disk_is(dev);

	if (is < 0)
		note_failure(dax, -is);
	return is > 0 || is == -ENOENT;
}

static enum filesystem_kind kind_of_type(const char *type)
{
	static const char *const nodes[] = {"devtmpfs", "tmpfs", "ramfs"};
	static const char *const plain[] = {"btrfs", "bcachefs", "overlay"};

	for (size_t i = 0; i < sizeof(nodes) / sizeof(*nodes); i++)
		if (!strcmp(type, nodes[i]))
			return FILESYSTEM_NODES;
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (!strcmp(type, plain[i]))
			return FILESYSTEM_PLAIN;
	return FILESYSTEM_UNTOUCHABLE;
}

static struct dax_filesystem *find_filesystem(const struct dax *dax, dev_t dev)
{
	for (size_t i = 0; i < dax->filesystem_count; i++)
		if (dax->filesystems[i].dev == dev)
			return &dax->filesystems[i];
	return NULL;
}

static struct dax_filesystem *remember_filesystem(struct dax *dax, dev_t dev)
{
	if (array_reserve(dax->filesystems, &dax->filesystem_room, dax->filesystem_count + 1, 64)) {
		dax->left_out = true;
		return NULL;
	}
	dax->filesystems[dax->filesystem_count] = (struct dax_filesystem){.dev = dev};
	return &dax->filesystems[dax->filesystem_count++];
}

static void note_own(void *arg, const struct mount_line *line)
{
	struct dax_filesystem *filesystem;

	if (major(line->dev) || find_filesystem(arg, line->dev))
		return;
	filesystem = remember_filesystem(arg, line->dev);
	if (filesystem)
		filesystem->kind = kind_of_type(line->type);
}

/* No limit here: only the administrator mounts in the daemon's mount namespace. */
static void look_up_own(struct dax *dax)
{
	struct dax_filesystem *shmem;

	if (dax->own_known)
		return;
	dax->own_known = true;
	if (mountinfo_each(0, note_own, dax))
		dax->left_out = true;
	shmem = find_filesystem(dax, dax->shmem);
	if (!shmem)
		shmem = remember_filesystem(dax, dax->shmem);
	if (shmem)
		shmem->kind = FILESYSTEM_PLAIN;
}

static bool may_look_up(struct dax *dax, pid_t task)
{
	struct share_use use = {0};

	if (dax->looked_up_for != task) {
		dax->looked_up_for = task;
		dax->looked_up_user = proc_user(task);
		dax->looked_up = 0;
	}
	use.uid = dax->looked_up_user;
	for (size_t i = 0; i < dax->filesystem_count; i++)
		share_count(&use, dax->filesystems[i].uid, dax->filesystems[i].looked_up);
	if (dax->looked_up++ < LOOKED_UP_MAX && share_room(&others_share, &use))
		return true;
	dax->left_out = true;
	return false;
}

/* A file system that only that process has mounted. */
static enum filesystem_kind kind_of_others(struct dax *dax, pid_t task, dev_t dev,
					   struct dax_filesystem *filesystem)
{
	struct mount_line *line = malloc(sizeof(*line));
	bool found = line && !mountinfo_by_device(task, dev, line);

	if (!filesystem)
		filesystem = remember_filesystem(dax, dev);
	if (filesystem) {
		filesystem->looked_up = true;
		filesystem->uid = dax->looked_up_user;
		filesystem->task = found ? 0 : task;
		filesystem->kind = found ? kind_of_type(line->type) : FILESYSTEM_UNTOUCHABLE;
	}
	free(line);
	return filesystem ? filesystem->kind : FILESYSTEM_UNTOUCHABLE;
}

static enum filesystem_kind kind_of(struct dax *dax, pid_t task, dev_t dev)
{
	struct dax_filesystem *filesystem;
	enum filesystem_kind kind;

	look_up_own(dax);
	filesystem = find_filesystem(dax, dev);
	if (filesystem && (!filesystem->task || filesystem->task == task))
		return filesystem->kind;
	if (!major(dev))
		return may_look_up(dax, task) ? kind_of_others(dax, task, dev, filesystem)
					      : FILESYSTEM_UNTOUCHABLE;
	kind = disk_has_dax(dax, dev) ? FILESYSTEM_DAX : FILESYSTEM_PLAIN;
	filesystem = remember_filesystem(dax, dev);
	if (filesystem)
		filesystem->kind = kind;
	return kind;
}

/* Only what the kernel knows without asking a disk or a server. */
static bool stat_area(const struct maps *maps, const struct maps_area *area, struct statx *answer)
{
	const unsigned mask = STATX_TYPE | STATX_INO | STATX_SIZE;
	const int flags = AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT;
	char link[PROC_MAP_FILE_SIZE], path[PATH_MAX];
	ssize_t n;

	proc_map_file(link, maps->task, area->begin, area->end);
	if (!statx(AT_FDCWD, link, flags, mask, answer))
		return true;
	if (errno != EPERM && errno != EACCES)
		return false;
	n = readlink(link, path, sizeof(path) - 1);
	if (n <= 0 || path[0] != '/')
		return false;
	path[n] = '\0';
	/* Another file may have that name now. */
	return !statx(AT_FDCWD, path, flags | AT_SYMLINK_NOFOLLOW, mask, answer) &&
	       makedev(answer->stx_dev_major, answer->stx_dev_minor) == area->dev &&
	       answer->stx_ino == area->inode;
}

/* Whether that major number of character devices is the one of DAX nodes. */
static bool is_major_of_dax(struct dax *dax, unsigned number)
{
	FILE *file = fopen("/proc/devices", "re");
	bool found = false, block = false;
	char line[128], name[64];
	unsigned listed;

	if (!file)
		note_failure(dax, errno);
	while (file && !found && !block && fgets(line, sizeof(line), file)) {
		block = !strncmp(line, "Block", 5); /* those follow */
		found = sscanf(line, "%u %63s", &listed, name) == 2 && listed == number &&
			!strcmp(name, "dax");
	}
	if (file)
		fclose(file);
	return found;
}

/*
 * Whether a character device is a device-DAX node. A node that was taken away may still be mapped,
 * but is no longer in sysfs: then its major number decides.
 */
static bool is_or_was_node(struct dax *dax, dev_t rdev)
{
	return dax_node_is(rdev) || (errno == ENOENT && is_major_of_dax(dax, major(rdev)));
}

static void fill_in(struct dax *dax, struct dax_file *is, const struct statx *answer)
{
	uint64_t alignment;

	*is = (struct dax_file){
		.type = PMEM2FS_SOURCE_FILE,
		.dev = makedev(answer->stx_dev_major, answer->stx_dev_minor),
		.inode = answer->stx_ino,
		.size = answer->stx_size,
		.alignment = (uint32_t)sysconf(_SC_PAGESIZE),
	};
	if (S_ISREG(answer->stx_mode) && answer->stx_attributes & STATX_ATTR_DAX)
		is->type = PMEM2FS_SOURCE_FSDAX;
	if (!S_ISCHR(answer->stx_mode))
		return;
	is->rdev = makedev(answer->stx_rdev_major, answer->stx_rdev_minor);
	if (!is_or_was_node(dax, is->rdev))
		return;
	is->type = PMEM2FS_SOURCE_DEVDAX;
	if (!dax_node_number(is->rdev, "size", &is->size))
		is->size = 0;
	if (dax_node_number(is->rdev, "align", &alignment) && alignment)
		is->alignment = (uint32_t)alignment;
}

/* What can no longer be learnt of a file is as it was when the file had DAX. */
static void recall_kept(struct dax *dax, struct file *file)
{
	const struct file *kept;

	if (!dax->kept.count || (file->answered && file->is.type != PMEM2FS_SOURCE_DEVDAX))
		return;
	kept = &dax->kept.list[file_place(&dax->kept, file->dev, file->inode)];
	if (!kept->used || (file->answered && (file->is.rdev != kept->is.rdev || file->is.size)))
		return;
	file->is = kept->is;
	file->answered = true;
}

/*
 * Any file that may be touched. NULL: no answer. With `own` it is not what was learnt of another
 * process's area: file systems that are stacked on one another share files, but not their numbers.
 */
static const struct dax_file *find_file(struct dax *dax, const struct maps *maps,
					const struct maps_area *area, bool own)
{
	struct file *file = file_at(&dax->files, area->dev, area->inode);
	struct statx answer;

	if (!file) {
		dax->left_out = true;
		return NULL;
	}
	if (!file->used || (file->task != maps->task && (own || !file->answered))) {
		dax->files.count += !file->used;
		file->dev = area->dev;
		file->inode = area->inode;
		file->task = maps->task;
		file->used = true;
		file->answered = stat_area(maps, area, &answer);
		if (file->answered)
			fill_in(dax, &file->is, &answer);
		recall_kept(dax, file);
	}
	return file->answered ? &file->is : NULL;
}

bool dax_possible(struct dax *dax, const struct maps *maps, const struct maps_area *area)
{
	enum filesystem_kind kind;

	if (!area->inode)
		return false;
	kind = kind_of(dax, maps->task, area->dev);
	return kind == FILESYSTEM_DAX || kind == FILESYSTEM_NODES;
}

const struct dax_file *dax_find(struct dax *dax, const struct maps *maps,
				const struct maps_area *area)
{
	const struct dax_file *file =
		dax_possible(dax, maps, area) ? find_file(dax, maps, area, false) : NULL;

	return file && file->type != PMEM2FS_SOURCE_FILE ? file : NULL;
}

bool dax_is_file(struct dax *dax, const struct maps *maps, const struct maps_area *area, dev_t dev,
		 uint64_t inode)
{
	const struct dax_file *file = NULL;

	if (area->inode && kind_of(dax, maps->task, area->dev) != FILESYSTEM_UNTOUCHABLE)
		file = find_file(dax, maps, area, true);
	return file && file->dev == dev && file->inode == inode;
}
