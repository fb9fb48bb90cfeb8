/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document_question.h - the questions for documents: of several mappings, or of one
 *
 * Waits until the facts have been read, or that takes too long. All documents are then of one
 * moment.
 */
#ifndef PMEM2FS_CONTROL_DOCUMENT_QUESTION_H
#define PMEM2FS_CONTROL_DOCUMENT_QUESTION_H

#include "control/question.h"

/* Takes ownership of what is in the terms. */
void document_question_list(struct question *question, const struct list_terms *terms);

/* Takes ownership of the name. */
void document_question_show(struct question *question, char *name);

/* Frees what the question holds. To be called when it no longer waits for anything. */
void document_question_clear(struct document_question *documents);

#endif
