/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * exchange.h - many questions to the daemon, sent without waiting for each answer
 *
 * Answers come in the order of the questions, and so do the messages about failures.
 */
#ifndef PMEM2FS_CTL_EXCHANGE_H
#define PMEM2FS_CTL_EXCHANGE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* So many questions, and their answers, have room in the buffers of a socket. */
#define EXCHANGE_AHEAD 16

struct exchange {
	int connection; /* borrowed */
	/* Called for each object whose question has succeeded; NULL: nothing. False: it failed. */
	bool (*succeeded)(const char *object);
	bool failed;  /* at least one question has failed */
	bool lost;    /* the connection is of no more use */
	size_t first; /* of those that wait for their answers */
	size_t count;
	const char *objects[EXCHANGE_AHEAD];
};

/*
 * Asks the question, of which it takes ownership, with the descriptor `fd` unless that is -1.
 * `object`, which messages name, must stay until the answer has come.
 */
void exchange_ask(struct exchange *exchange, const char *object, json_t *question, int fd);

/* Waits for the answers that are due. To be called at the end, and before other messages. */
void exchange_finish(struct exchange *exchange);

#endif
