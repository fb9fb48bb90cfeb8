/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * helpers.h - what the mount tests do with files, users and documents
 */
#ifndef PMEM2FS_TESTS_HELPERS_H
#define PMEM2FS_TESTS_HELPERS_H

#include "fixture.h"
#include <jansson.h>
#include <limits.h>

struct user {
	uid_t uid;
	gid_t gid;
	gid_t groups[2];
	size_t group_count;
};

/* Two ordinary users without a line in passwd, and "nobody", who has one, as fusermount3 wants. */
extern const struct user user_a, user_b, user_nobody;

/* Gives the process that user's ids for good. For children only. Returns 0 or an errno. */
int become(const struct user *user);

/*
 * Runs `function` as that user (NULL: as root) in a child. Its result, 0 to 255, is the child's
 * exit status; -N when signal N ended the child. `function` must not use cmocka.
 */
pid_t start_as(const struct user *user, int (*function)(void *), void *argument);
int finish(pid_t child);
bool has_ended(pid_t child);

/* Whether a process is in write or close, where it waits for the answer to its request. */
bool waits_for_answer(pid_t pid);
int run_as(const struct user *user, int (*function)(void *), void *argument);

/* Strings made by these functions live until 1024 more are made. */
const char *format(const char *text, ...) __attribute__((format(printf, 1, 2)));
const char *entry(const struct fs *fs, const char *name);  /* path of a file of the mount */
const char *source(const struct fs *fs, const char *name); /* path of a file to map */

/* Makes a sparse file to map, mode 0666, and returns its path as source() does. */
const char *make_source(const struct fs *fs, const char *name, off_t size);

/* One open, one write, one close; 0 or the errno of what failed. */
int write_file(const char *path, const void *bytes, size_t length);
int write_text(const char *path, const char *text);
int write_as(const struct user *user, const char *path, const char *text);

/* The whole file with a NUL after it, to be freed; NULL with errno on failure. */
char *read_file(const char *path, size_t *length);
int read_as(const struct user *user, const char *path);   /* only the errno */
int unlink_as(const struct user *user, const char *path); /* 0 or the errno */
int rename_as(const struct user *user, const char *from, const char *to);

/* The request for a whole file whose path may have any bytes. */
const char *request_of(const char *path);

/* Requests a mapping of a whole file, or of anonymous memory, and fails when it is not made. */
void map_source(const struct fs *fs, const char *name, const char *path);
void map_anonymous(const struct fs *fs, const char *name, size_t size);
void unmap(const struct fs *fs, const char *name);
void unmap_as(const struct user *user, const struct fs *fs, const char *name);
void rename_entry(const struct fs *fs, const char *name, const char *new_name);
void rename_entry_as(const struct user *user, const struct fs *fs, const char *name,
		     const char *new_name);
/* `range`: options of pmem2ctl unmap. */
void unmap_part(const struct fs *fs, const char *name, const char *range);

/*
 * unlink and rename, called again as long as they say EBUSY, as they do when the keeper of a busy
 * machine needs longer than such a call may wait. A change that the keeper has begun is made all
 * the same, so that the next call may find nothing. They return 0 or the errno.
 */
int unlink_patiently(const char *path);
int rename_patiently(const char *from, const char *to);

/* The document of an entry, which must be JSON; to be released with json_decref. */
json_t *document(const struct fs *fs, const char *name);
const char *text_of(const json_t *document, const char *key); /* fails when it is no string */
int64_t number_of(const json_t *document, const char *key);

/* The names in a folder, sorted, without "." and "..". */
struct names {
	char **name;
	size_t count;
};
void names_read(struct names *names, const char *folder);
void names_free(struct names *names);
bool names_have(const struct names *names, const char *name);

/* Fails unless the mount holds exactly these names, given in order, ending with NULL. */
void assert_entries(const struct fs *fs, ...) __attribute__((sentinel));

/* All entries of the mount, with inode numbers and documents; to be freed. */
char *snapshot(const struct fs *fs);

/*
 * Checks that all operations succeed, also those of another user, while something hangs. Needs
 * "file", a file to map, and "keep", a mapping.
 */
void others_go_on(const struct fs *fs);

/*
 * Runs hang_fs as fs->helper, which does not answer the operation `how`. The test itself must touch
 * nothing below its mount point, hanging(fs).
 */
void start_hanging(struct fs *fs, const char *how);
const char *hanging(const struct fs *fs);

/* How many lines of /proc/PID/maps hold that text. */
size_t maps_with(pid_t pid, const char *text);

/*
 * Runs a shell script with $M (the mount) and $D (the files to map) set. Returns its exit
 * status; what it wrote is in the file "output" of fs->dir.
 */
int shell(const struct fs *fs, const char *script);
int shell_as(const struct user *user, const struct fs *fs, const char *script);
bool output_has(const struct fs *fs, const char *text);
const char *output_of(const struct fs *fs);

/* Skips the test with a message unless all programs in the list, separated by blanks, exist. */
void need_programs(const struct fs *fs, const char *programs);

#endif
