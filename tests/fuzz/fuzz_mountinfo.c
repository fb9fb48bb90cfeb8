/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_mountinfo.c - whatever a list of mounts holds, its lines are whole, and found again
 */
#include "input_file.h"
#include "mount/mountinfo.h"
#include <stdio.h>
#include <string.h>

static const uint8_t *input;
static size_t input_size;

FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *__wrap_fopen64(const char *path, const char *mode)
{
	REQUIRE(!strcmp(path, "/proc/self/mountinfo"));
	return fdopen(input_file(input, input_size), mode);
}

static void check_line(void *last, const struct mount_line *line)
{
	REQUIRE(line->type[0] && memchr(line->type, '\0', sizeof(line->type)));
	REQUIRE(memchr(line->target, '\0', sizeof(line->target)));
	*(struct mount_line *)last = *line;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct mount_line last, found;

	input = data;
	input_size = size;
	last.type[0] = '\0';
	REQUIRE(mountinfo_each(0, check_line, &last) == 0);
	if (!last.type[0])
		return 0;
	REQUIRE(mountinfo_by_target(0, last.target, &found) == 0);
	REQUIRE(!strcmp(found.target, last.target) && found.id == last.id);
	REQUIRE(mountinfo_by_device(0, last.dev, &found) == 0 && found.dev == last.dev);
	return 0;
}
