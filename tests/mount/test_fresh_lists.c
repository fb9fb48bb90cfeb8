/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_fresh_lists.c - what was published before a question is in the answer, and nothing that was
 * unmapped before
 *
 * Many processes at once, each of which looks for its own mappings.
 */
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROCESSES 50

/* With a sanitizer, each round takes many times as long. */
#define ROUNDS(count) (ON_ASAN || ON_TSAN ? (count) / 10 : (count))

static bool is_listed(const struct publisher *me, const char *name)
{
	DIR *folder = opendir(me->fs->daemon.mnt);
	const struct dirent *found;

	need(folder);
	do {
		errno = 0;
		found = readdir(folder);
		need(found || !errno);
	} while (found && strcmp(found->d_name, name) != 0);
	closedir(folder);
	return found;
}

static bool can_be_stated(const struct publisher *me, const char *name)
{
	struct stat st;
	int error = stat(entry(me->fs, name), &st) ? errno : 0;

	need(!error || error == ENOENT);
	return !error;
}

static bool can_be_read(const struct publisher *me, const char *name)
{
	char *text = read_file(entry(me->fs, name), NULL);

	need(text || errno == ENOENT);
	free(text);
	return text;
}

/* In pmem2ctl list, which finds the daemon as the library does. */
static bool is_told(const struct publisher *me, const char *name)
{
	FILE *output = popen(format("%s list 2>/dev/null", getenv("PMEM2FS_CTL")), "re");
	char line[1024];
	bool found = false;

	(void)me;
	need(output);
	while (fgets(line, sizeof(line), output))
		found |= strstr(line, name) != NULL;
	need(pclose(output) == 0);
	return found;
}

/* What a publisher does again and again. */
struct rounds {
	unsigned count;
	bool (*is_there)(const struct publisher *me, const char *name);
};

static void map_and_look(struct publisher *me)
{
	const struct rounds *rounds = me->data;

	halt(me);
	for (unsigned i = 0; i < rounds->count; i++) {
		struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "own");
		const char *name = published_name(me, "own");

		need(rounds->is_there(me, name));
		need(pmem2_unmap(&map) == 0);
		need(!rounds->is_there(me, name));
	}
}

static void by_many(struct fs *fs, const struct rounds *rounds)
{
	struct publisher all[PROCESSES];

	make_source(fs, "file", 65536);
	for (unsigned i = 0; i < PROCESSES; i++) {
		all[i].data = rounds;
		publisher_start(fs, &all[i], NULL, map_and_look);
	}
	for (unsigned i = 0; i < PROCESSES; i++)
		publisher_go(&all[i]);
	for (unsigned i = 0; i < PROCESSES; i++)
		publisher_wait(&all[i]);
}

static void lists_are_of_now(struct fs *fs)
{
	by_many(fs, &(const struct rounds){ROUNDS(200), is_listed});
}

static void lists_through_the_socket_are_of_now(struct fs *fs)
{
	by_many(fs, &(const struct rounds){ROUNDS(10), is_told});
}

static void look_ups_are_of_now(struct fs *fs)
{
	by_many(fs, &(const struct rounds){ROUNDS(50), can_be_stated});
	by_many(fs, &(const struct rounds){ROUNDS(50), can_be_read});
}

/* Processes that nobody knows yet. */
static void first_mappings_are_listed(struct fs *fs)
{
	for (unsigned i = 0; i < 10; i++)
		by_many(fs, &(const struct rounds){1, i % 2 ? is_listed : can_be_stated});
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(lists_are_of_now, .limit = 900),
		FS_TEST(lists_through_the_socket_are_of_now, .limit = 600),
		FS_TEST(look_ups_are_of_now, .limit = 900),
		FS_TEST(first_mappings_are_listed, .limit = 300),
	};

	fs_observes = true;
	return fs_run(argc, argv, "fresh_lists", tests, sizeof(tests) / sizeof(*tests));
}
