/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hang_fs.c - a FUSE file system that never answers
 *
 * hang_fs MOUNTPOINT none|statfs|lookup|getattr|open|write|flush: has one file, "file", of 64 KiB.
 * Requests of the named operation are received and never answered: their callers cannot be killed
 * until this program ends.
 */
#define FUSE_USE_VERSION 312
#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { FILE_INODE = 2, FILE_SIZE = 65536 };

static const char *hang;

static void attributes(fuse_ino_t inode, struct stat *st)
{
	*st = (struct stat){.st_ino = inode, .st_nlink = 1, .st_mode = S_IFDIR | 0755};
	if (inode == FILE_INODE) {
		st->st_mode = S_IFREG | 0666;
		st->st_size = FILE_SIZE;
	}
}

static void do_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = {.ino = FILE_INODE};

	if (!strcmp(hang, "lookup"))
		return;
	if (parent != FUSE_ROOT_ID || strcmp(name, "file")) {
		fuse_reply_err(request, ENOENT);
		return;
	}
	attributes(FILE_INODE, &entry.attr);
	fuse_reply_entry(request, &entry);
}

static void do_getattr(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	struct stat st;

	(void)info;
	if (!strcmp(hang, "getattr") && inode == FILE_INODE)
		return;
	attributes(inode, &st);
	fuse_reply_attr(request, &st, 0);
}

static void do_open(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	(void)inode;
	if (!strcmp(hang, "open"))
		return;
	fuse_reply_open(request, info);
}

static void do_read(fuse_req_t request, fuse_ino_t inode, size_t size, off_t offset,
		    struct fuse_file_info *info)
{
	static const char zeros[FILE_SIZE];

	(void)inode;
	(void)info;
	if (offset >= FILE_SIZE)
		size = 0;
	else if (size > (size_t)(FILE_SIZE - offset))
		size = (size_t)(FILE_SIZE - offset);
	fuse_reply_buf(request, zeros, size);
}

static void do_write(fuse_req_t request, fuse_ino_t inode, const char *bytes, size_t size,
		     off_t offset, struct fuse_file_info *info)
{
	(void)inode;
	(void)bytes;
	(void)offset;
	(void)info;
	if (strcmp(hang, "write"))
		fuse_reply_write(request, size);
}

static void do_flush(fuse_req_t request, fuse_ino_t inode, struct fuse_file_info *info)
{
	(void)inode;
	(void)info;
	if (strcmp(hang, "flush"))
		fuse_reply_err(request, 0);
}

static void do_statfs(fuse_req_t request, fuse_ino_t inode)
{
	(void)inode;
	if (strcmp(hang, "statfs"))
		fuse_reply_statfs(request, &(struct statvfs){.f_bsize = 4096, .f_namemax = 255});
}

int main(int argc, char **argv)
{
	static const struct fuse_lowlevel_ops ops = {
		.lookup = do_lookup,
		.getattr = do_getattr,
		.open = do_open,
		.read = do_read,
		.write = do_write,
		.flush = do_flush,
		.statfs = do_statfs,
	};
	char *words[] = {argv[0], "-o", "allow_other", NULL};
	struct fuse_args args = FUSE_ARGS_INIT(3, words);
	struct fuse_session *session;

	if (argc != 3) {
		fprintf(stderr, "usage: hang_fs MOUNTPOINT "
				"none|statfs|lookup|getattr|open|write|flush\n");
		return 2;
	}
	hang = argv[2];
	session = fuse_session_new(&args, &ops, sizeof(ops), NULL);
	fuse_opt_free_args(&args);
	if (!session || fuse_session_mount(session, argv[1]) != 0)
		return 1;
	fuse_session_loop(session);
	fuse_session_unmount(session);
	fuse_session_destroy(session);
	return 0;
}
