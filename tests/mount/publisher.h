/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher.h - processes of a test that map through the library, step by step
 *
 * A publisher runs a script, a function in a process of its own, which maps and unmaps and calls
 * halt() wherever the test shall look. Test and script take turns: one of them waits. What the
 * script shall tell the test, it notes in its `told`.
 */
#ifndef PMEM2FS_TESTS_PUBLISHER_H
#define PMEM2FS_TESTS_PUBLISHER_H

#include "helpers.h"
#include "libpmem2fs.h"

#define PUBLISHER_COMM "holder"

struct told {
	uint64_t address[16];
	pid_t pid[4];
	int number[4];
};

struct publisher {
	const struct fs *fs;
	pid_t pid;
	int socket;        /* this side's */
	struct told *told; /* shared by both sides */
	const void *data;  /* the test's own */
};

typedef void (*publisher_script)(struct publisher *me);

/*
 * Starts it as that user (NULL: as root), with the test's daemon as $PMEM2FS_SOCKET, and returns at
 * its first halt. What it is, is up to the caller to end: by publisher_end or publisher_kill.
 */
void publisher_start(const struct fs *fs, struct publisher *p, const struct user *user,
		     publisher_script script);

/* Lets it go on: without waiting, and until its next halt. */
void publisher_go(struct publisher *p);
void publisher_next(struct publisher *p);

/* Lets it go on to its end and fails unless it ended well. */
void publisher_end(struct publisher *p);

/* The same, to any end, which is returned as by finish(). */
int publisher_finish(struct publisher *p);

void publisher_kill(struct publisher *p);

/* For scripts, which may not use cmocka: */
void halt(struct publisher *me);

#define need(what) ((what) ? (void)0 : script_failed(__FILE__, __LINE__, #what))
_Noreturn void script_failed(const char *source, int line, const char *what);

/*
 * Maps `length` bytes (0: to the end) of the file from `offset` on. `label` may be NULL. The
 * address is noted as told->address[index].
 */
struct pmem2_map *map_part(struct publisher *me, unsigned index, const char *path, size_t offset,
			   size_t length, const char *label);
struct pmem2_map *map_whole(struct publisher *me, unsigned index, const char *path,
			    const char *label);

/* What its mapping of that label (NULL: of the address with that index) is called. */
const char *published_name(const struct publisher *p, const char *label);
const char *address_name(const struct publisher *p, unsigned index);

/*
 * Asks the daemon to look at everything now. try_look, which children may call, returns -1, or
 * whether the daemon says that this was everything.
 */
int try_look(const struct fs *fs);
void scan(const struct fs *fs);

/* Whether there is such a file after a look: stat and ls must agree. */
bool shown(const struct fs *fs, const char *name);

/* How many files are those of that process: after a look, and according to ls alone. */
unsigned shown_of(const struct fs *fs, pid_t pid);
unsigned listed_of(const struct fs *fs, pid_t pid);

/* The document of an entry, checked against the schema. */
json_t *valid_document(const struct fs *fs, const char *name);

#endif
