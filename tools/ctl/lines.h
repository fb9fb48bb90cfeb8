/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lines.h - lines about mappings, from the daemon
 */
#ifndef PMEM2FS_CTL_LINES_H
#define PMEM2FS_CTL_LINES_H

#include <jansson.h>
#include <stddef.h>

/* What the daemon says of the mappings of a question; see control.h. */
struct lines_answer {
	size_t gone;
	size_t hidden, undecided; /* 0 in the answer to a question without a filter */
};

/* The lines, each terminated by a NUL in place of its newline. */
struct lines {
	char *bytes; /* owned */
	size_t length, room;
	size_t count;
};

/*
 * Asks a question, of which it takes ownership, and receives the lines that follow the answer: all
 * of them, so that the daemon need not wait while they are printed, perhaps into a pager. Messages
 * name `object`, which may be NULL. With `columns` the question is for columns. Returns 0, or -1
 * after a message; then there are no lines.
 */
int lines_read(int connection, const char *object, json_t *question, int columns,
	       struct lines_answer *answer, struct lines *lines);

void lines_clear(struct lines *lines);

#endif
