/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * carry_out.h - carries out the questions of control.h
 *
 * Calls the modules of struct question_means and fuse/invalidate.h.
 */
#ifndef PMEM2FS_CONTROL_CARRY_OUT_H
#define PMEM2FS_CONTROL_CARRY_OUT_H

#include "control/question.h"
#include <stdbool.h>
#include <stddef.h>

struct receive_result;

/*
 * Carries out the question in `text` and answers it, now or later. `fd` is the descriptor that came
 * with it, or -1; takes ownership of it. `refused` says why a receiver has not passed on the
 * descriptor that came; NULL: none was refused.
 */
void question_carry_out(struct question *question, const char *text, size_t length, int fd,
			const struct receive_result *refused);

/*
 * To be called when the peer has gone. It gets no more events. Returns true if the question was
 * given up and will not be answered; false if a question that is being carried out will still be.
 */
bool question_abandon(struct question *question);

/* Frees what a question holds. To be called when none is being carried out. */
void question_clear(struct question *question);

#endif
