/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - see capture.h
 */
#include "capture.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

void capture_begin(struct capture *capture, int stream)
{
	fflush(NULL);
	capture->stream = stream;
	capture->saved = dup(stream);
	capture->file = memfd_create("capture", MFD_CLOEXEC);
	if (capture->saved < 0 || capture->file < 0 || dup2(capture->file, stream) < 0)
		abort();
}

char *capture_text(const struct capture *capture)
{
	struct stat st;
	char *text;

	fflush(NULL);
	if (fstat(capture->file, &st) || !(text = malloc((size_t)st.st_size + 1)) ||
	    pread(capture->file, text, (size_t)st.st_size, 0) != st.st_size)
		abort();
	text[st.st_size] = '\0';
	return text;
}

void capture_end(struct capture *capture)
{
	fflush(NULL);
	if (dup2(capture->saved, capture->stream) < 0)
		abort();
	close(capture->saved);
	close(capture->file);
}
