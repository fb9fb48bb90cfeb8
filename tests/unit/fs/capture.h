/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h - what a test's subject writes to stdout or stderr
 *
 * It is written into a memfd, so that nothing waits for a reader.
 */
#ifndef TESTS_CAPTURE_H
#define TESTS_CAPTURE_H

struct capture {
	int stream; /* STDOUT_FILENO or STDERR_FILENO */
	int saved, file;
};

/* Aborts on failure. */
void capture_begin(struct capture *capture, int stream);

/* What was written so far, to be freed. */
char *capture_text(const struct capture *capture);

void capture_end(struct capture *capture);

#endif
