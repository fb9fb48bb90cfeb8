/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher.h - processes of a test that map through the library, step by step
 *
 * A publisher runs a script, a function in a process of its own, which maps and unmaps and calls
 * halt() wherever the test is to check something. Test and script take turns: one of them waits.
 * What the test needs to know from the script is stored in `reported`.
 */
#ifndef PMEM2FS_TESTS_PUBLISHER_H
#define PMEM2FS_TESTS_PUBLISHER_H

#include "helpers.h"
#include "libpmem2fs.h"

#define PUBLISHER_COMM "holder"

struct reported {
	uint64_t address[16];
	pid_t pid[4];
	int number[4];
};

struct publisher {
	const struct fs *fs;
	pid_t pid;
	int socket;                /* this side's */
	struct reported *reported; /* shared by both sides */
	const void *data;          /* the test's own */
};

typedef void (*publisher_script)(struct publisher *me);

/*
 * Starts a publisher as that user (NULL: as root), with the test's daemon as $PMEM2FS_SOCKET, and
 * returns at its first halt. The caller ends it with publisher_end or publisher_kill.
 */
void publisher_start(const struct fs *fs, struct publisher *p, const struct user *user,
		     publisher_script script);

/* Let the script go on: the first returns at once, the second at the next halt. */
void publisher_go(struct publisher *p);
void publisher_next(struct publisher *p);

/* Lets the script go on to its end and fails unless its exit status is 0. */
void publisher_end(struct publisher *p);

/* The same for a script that goes on already and does not halt again. */
void publisher_wait(struct publisher *p);

/* Lets the script go on to its end and returns its status as finish() does. */
int publisher_finish(struct publisher *p);

void publisher_kill(struct publisher *p);

/* For scripts, which may not use cmocka: */
void halt(struct publisher *me);

#define need(what) ((what) ? (void)0 : script_failed(__FILE__, __LINE__, #what))
_Noreturn void script_failed(const char *source, int line, const char *what);

/*
 * Maps `length` bytes (0: to the end) of the file from `offset` on. `label` may be NULL. The
 * address is noted as reported->address[index].
 */
struct pmem2_map *map_part(struct publisher *me, unsigned index, const char *path, size_t offset,
			   size_t length, const char *label);
struct pmem2_map *map_whole(struct publisher *me, unsigned index, const char *path,
			    const char *label);

/*
 * The names of entries: of the mapping with that label, and of the one at the address with that
 * index.
 */
const char *published_name(const struct publisher *p, const char *label);
const char *address_name(const struct publisher *p, unsigned index);

/*
 * Ask the daemon for a complete scan. try_look, which children may call, returns -1, or whether the
 * daemon says that the scan was complete.
 */
int try_look(const struct fs *fs);
void scan(const struct fs *fs);

/* Whether there is an entry of that name after a scan: stat and ls must agree. */
bool shown(const struct fs *fs, const char *name);

/* How many entries that process has: after a scan, and according to ls alone. */
unsigned shown_of(const struct fs *fs, pid_t pid);
unsigned listed_of(const struct fs *fs, pid_t pid);

/* The document of an entry, checked against the schema. */
json_t *valid_document(const struct fs *fs, const char *name);

#endif
