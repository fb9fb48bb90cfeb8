/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_many_mappings.c - 50,000 mappings at once, and the limits of memory
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static unsigned max_map_count(void)
{
	char *text = read_file("/proc/sys/vm/max_map_count", NULL);
	unsigned value = text ? (unsigned)strtoul(text, NULL, 10) : 0;

	free(text);
	return value;
}

/* Where the system's limit is not too high, maps up to it after the 50,000. */
static void mappings_50000_and_up_to_the_limit(struct fs *fs)
{
	enum { MANY = 50000 };
	unsigned limit = max_map_count(), count = 0, left;
	char text[256], *before, *after;
	struct names names;
	struct statvfs v;
	int error;

	if (limit < MANY + 2000)
		skip();
	snprintf(text, sizeof(text), "{\"source\":{\"path\":\"%s\"}}",
		 make_source(fs, "file", 1 << 20));
	for (; count < MANY; count++) {
		error = write_text(entry(fs, format("m%05u", count)), text);
		if (error)
			fail_msg("mapping %u: %s", count, strerror(error));
	}
	names_read(&names, fs->daemon.mnt);
	assert_int_equal(names.count, MANY);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned number = 0;

		assert_int_equal(sscanf(names.name[i], "m%5u", &number), 1);
		assert_int_equal(number, i);
	}
	names_free(&names);
	assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
	assert_int_equal(v.f_files - v.f_ffree, MANY);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), MANY);
	json_decref(document(fs, "m00000"));
	json_decref(document(fs, format("m%05u", MANY - 1)));

	if (limit <= 100000) {
		before = read_file(entry(fs, "m00000"), NULL);
		while ((error = write_text(entry(fs, format("m%05u", count)), text)) == 0)
			count++;
		assert_int_equal(error, ENOMEM);
		assert_true(log_has(&fs->daemon, format("m%05u.*max_map_count.*%u", count, limit)));
		after = read_file(entry(fs, "m00000"), NULL);
		assert_string_equal(after, before);
		free(before);
		free(after);
		for (int i = 0; i < 20; i++)
			unmap(fs, format("m%05u", --count));
		assert_int_equal(write_text(entry(fs, format("m%05u", count++)), text), 0);
	}

	left = count;
	for (unsigned i = 0; i < count; i++, left--)
		unmap(fs, format("m%05u", i));
	assert_int_equal(left, 0);
	assert_entries(fs, NULL);
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
}

static void more_memory_than_there_is(struct fs *fs)
{
	char *before, *after;

	map_anonymous(fs, "a", 4096);
	before = snapshot(fs);
	/* 128 TiB: more than a process can address, whatever the system promises. */
	assert_int_equal(
		write_text(entry(fs, "wanted"),
			   "{\"source\":{\"type\":\"anonymous\",\"size\":140737488355328}}"),
		ENOMEM);
	assert_true(log_has(&fs->daemon, "wanted.*([Mm]emory|space|limit).*[0-9]{4}"));
	after = snapshot(fs);
	assert_string_equal(after, before);
	free(before);
	free(after);
	map_anonymous(fs, "b", 4096);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(mappings_50000_and_up_to_the_limit, .options = "max=200000", .limit = 800),
		FS_TEST(more_memory_than_there_is),
	};

	return fs_run(argc, argv, "many_mappings", tests, sizeof(tests) / sizeof(*tests));
}
