/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapped_files.c - see mapped_files.h
 *
 * Answers are in a tree (tsearch), which no choice of names makes slow.
 */
#include "host/mapped_files.h"
#include "base/clock.h"
#include "base/shared_text.h"
#include "host/opener.h"
#include "host/proc.h"
#include "host/source_path.h"
#include <errno.h>
#include <fcntl.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#define ANSWERS_MAX   4096 /* when a row begins with more, all are forgotten */
#define ANY_MOUNT     0
#define UNKNOWN_MOUNT UINT64_MAX

/* An answer, by all that it depends on. Other fields than these do not change. */
struct answer {
	dev_t dev;
	uint64_t inode;
	uint64_t mount;        /* that the file was mapped from, or one of the above */
	char *asked;           /* owned; the kernel's path */
	struct mapped_file is; /* its path is owned */
};

struct mapped_files {
	uint64_t since; /* clock_now() before the first of the answers was found; 0: none was */
	void *answers;  /* tree of struct answer */
	size_t count;
	struct source_mounts mounts;
	/* Whether files on that mount can be read of without hanging. */
	uint64_t mount;
	pid_t mount_pid;
	bool mount_safe;
	const char *path; /* of an answer that is not kept */
};

static int compare_answers(const void *a, const void *b)
{
	const struct answer *x = a, *y = b;

	if (x->inode != y->inode)
		return x->inode < y->inode ? -1 : 1;
	if (x->dev != y->dev)
		return x->dev < y->dev ? -1 : 1;
	if (x->mount != y->mount)
		return x->mount < y->mount ? -1 : 1;
	return strcmp(x->asked, y->asked);
}

static void free_answer(void *node)
{
	struct answer *answer = node;

	free(answer->asked);
	shared_text_put(answer->is.path);
	free(answer);
}

static void forget_answers(struct mapped_files *files)
{
	tdestroy(files->answers, free_answer);
	shared_text_put(files->path);
	*files = (struct mapped_files){0};
}

static const struct answer *find_answer(const struct mapped_files *files,
					const struct mapped_area *area, uint64_t mount,
					const char *asked)
{
	const struct answer key = {
		.dev = area->dev, .inode = area->inode, .mount = mount, .asked = (char *)asked};
	struct answer *const *found = tfind(&key, &files->answers, compare_answers);

	return found ? *found : NULL;
}

/* Keeps an answer that is not there yet. Takes a reference to its path. NULL when memory runs out.
 */
static const struct answer *keep_answer(struct mapped_files *files, const struct mapped_area *area,
					uint64_t mount, const char *asked,
					const struct mapped_file *is)
{
	struct answer *answer = malloc(sizeof(*answer));

	if (!answer)
		return NULL;
	*answer = (struct answer){
		.dev = area->dev,
		.inode = area->inode,
		.mount = mount,
		.asked = strdup(asked),
		.is = *is,
	};
	shared_text_get(is->path);
	if (!answer->asked || !tsearch(answer, &files->answers, compare_answers)) {
		free_answer(answer);
		return NULL;
	}
	files->count++;
	return answer;
}

/*
 * The file, if the kernel's path leads to it, whatever mount it was mapped from. NULL: it does not,
 * or memory runs out.
 */
static const struct mapped_file *find_by_path(struct mapped_files *files,
					      const struct mapped_area *area, const char *asked)
{
	const struct answer *answer = find_answer(files, area, ANY_MOUNT, asked);
	struct mapped_file is = {0};
	struct statx at_path;

	if (!answer) {
		const struct source_file file = {
			.link = area->link, .dev = area->dev, .inode = area->inode};

		is.seen = source_path_leads(&files->mounts, &file, asked, &at_path) &&
			  at_path.stx_mask & STATX_SIZE;
		is.size = is.seen ? at_path.stx_size : 0;
		is.path = is.seen ? shared_text_new(asked) : NULL;
		if (is.seen && !is.path)
			return NULL;
		answer = keep_answer(files, area, ANY_MOUNT, asked, &is);
		shared_text_put(is.path);
	}
	return answer && answer->is.seen ? &answer->is : NULL;
}

static bool ask_area(const struct mapped_area *area, unsigned mask, struct statx *answer)
{
	return area->link[0] && !statx(AT_FDCWD, area->link, AT_STATX_DONT_SYNC, mask, answer);
}

/*
 * Whether the file of an area on that mount is sure not to hang. With the keeper's mappings it is:
 * files that could hang were refused when the mappings were made.
 */
static bool is_safe(struct mapped_files *files, const struct mapped_area *area,
		    const struct statx *st)
{
	if (!area->foreign)
		return true;
	if (!(st->stx_mask & STATX_MNT_ID))
		return false;
	if (files->mount != st->stx_mnt_id || files->mount_pid != area->pid) {
		files->mount_safe = opener_is_safe((int)st->stx_mnt_id, area->pid);
		files->mount = st->stx_mnt_id;
		files->mount_pid = area->pid;
	}
	return files->mount_safe;
}

/*
 * Whether the answer is about a file of another device or number. Only of a file system without a
 * device of its own, as overlay, the number of the device may be another one than in `area`.
 */
static bool is_another(const struct mapped_area *area, const struct statx *st)
{
	dev_t dev = makedev(st->stx_dev_major, st->stx_dev_minor);

	return st->stx_ino != area->inode || (dev != area->dev && major(area->dev));
}

/* Asks the file of the area, if it is not to be left alone (`safe`), and looks for its path. */
static struct mapped_file ask_file(struct mapped_files *files, const struct mapped_area *area,
				   uint64_t mount, bool safe)
{
	struct source_file source = {.link = area->link, .dev = area->dev, .inode = area->inode};
	struct mapped_file file = {0};
	struct statx st, at_path;
	char *path, *asked;

	file.seen = safe && ask_area(area, STATX_SIZE | STATX_NLINK | STATX_INO, &st);
	if (file.seen && is_another(area, &st))
		return (struct mapped_file){0};
	if (file.seen) {
		source.dev = makedev(st.stx_dev_major, st.stx_dev_minor);
		source.mount = mount == UNKNOWN_MOUNT ? 0 : mount;
		source.unlinked = !st.stx_nlink;
	}
	path = source_path_find(&files->mounts, &source, &asked, &file.deleted, &at_path);
	if (!file.seen && path) {
		st = at_path;
		file.seen = st.stx_mask & STATX_SIZE;
	}
	file.size = file.seen ? st.stx_size : 0;
	shared_text_put(files->path);
	files->path = file.path = path ? shared_text_new(path) : NULL;
	file.deleted &= file.path != NULL;
	if (asked && !find_answer(files, area, mount, asked))
		keep_answer(files, area, mount, asked, &file);
	free(asked);
	free(path);
	return file;
}

static struct mapped_file find_by_area(struct mapped_files *files, const struct mapped_area *area,
				       const char *asked)
{
	const struct answer *answer;
	uint64_t mount = UNKNOWN_MOUNT;
	struct statx st;
	bool safe;

	safe = ask_area(area, STATX_INO | STATX_MNT_ID, &st) && is_safe(files, area, &st);
	if (safe && is_another(area, &st))
		return (struct mapped_file){0};
	if (safe && st.stx_mask & STATX_MNT_ID)
		mount = st.stx_mnt_id;
	answer = asked ? find_answer(files, area, mount, asked) : NULL;
	return answer ? answer->is : ask_file(files, area, mount, safe);
}

/* Whether the area is seen to be of another file. A scan has seen those of other processes. */
static bool is_of_another(const struct mapped_area *area)
{
	struct statx st;

	return !area->certain && !area->foreign && ask_area(area, STATX_INO, &st) &&
	       is_another(area, &st);
}

struct mapped_file mapped_files_find(struct mapped_files *files, const struct mapped_area *area)
{
	struct mapped_file file = {0};
	const struct mapped_file *known;
	char *link_path = NULL;
	const char *asked = area->path;

	if (is_of_another(area))
		return file;
	if (!asked && area->link[0])
		asked = link_path = proc_link(area->link);
	known = asked && asked[0] == '/' ? find_by_path(files, area, asked) : NULL;
	file = known ? *known : find_by_area(files, area, asked);
	free(link_path);
	return file;
}

struct mapped_file mapped_files_find_again(struct mapped_files *files,
					   const struct mapped_area *area)
{
	const struct mapped_file *known = find_by_path(files, area, area->path);

	return known ? *known : (struct mapped_file){0};
}

uint64_t mapped_files_begin(struct mapped_files *files, uint64_t oldest)
{
	if (!files->since || files->since < oldest || files->count > ANSWERS_MAX) {
		forget_answers(files);
		files->since = clock_now();
	}
	return files->since;
}

struct mapped_files *mapped_files_new(void)
{
	return calloc(1, sizeof(struct mapped_files));
}

void mapped_files_free(struct mapped_files *files)
{
	if (!files)
		return;
	forget_answers(files);
	free(files);
}
