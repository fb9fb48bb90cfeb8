/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_many_processes.c - many processes with many mappings, and one with very many
 *
 * $PMEM2FS_TEST_FULL makes everything ten times as large.
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE   4096u
#define ROUNDS 11u

struct crowd {
	unsigned processes, each, alone;
};

static struct crowd size_of_crowd(void)
{
	if (getenv("PMEM2FS_TEST_FULL"))
		return (struct crowd){1000, 100, 60000};
	return (struct crowd){100, 10, 6000};
}

/* Maps every second page, so that the kernel does not merge the areas. */
static void map_many(struct publisher *me, unsigned count)
{
	int fd = open(source(me->fs, "file"), O_RDWR | O_CLOEXEC);
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map;

	need(fd >= 0 && pmem2_source_from_fd(&source, fd) == 0);
	need(pmem2_config_new(&config) == 0);
	need(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) == 0);
	need(pmem2_config_set_length(config, PAGE) == 0);
	for (unsigned i = 0; i < count; i++) {
		need(pmem2_config_set_offset(config, (size_t)i * 2 * PAGE) == 0);
		need(pmem2_map_new(&map, config, source) == 0);
	}
	close(fd);
}

static void many_script(struct publisher *me)
{
	map_many(me, *(const unsigned *)me->data);
	halt(me);
}

static void list(const char *folder, size_t count)
{
	struct names names;

	names_read(&names, folder);
	assert_int_equal(names.count, count);
	names_free(&names);
}

static void a_crowd(struct fs *fs)
{
	struct crowd crowd = size_of_crowd();
	struct publisher *all = calloc(crowd.processes + 1, sizeof(*all));
	size_t count = (size_t)crowd.processes * crowd.each + crowd.alone;
	unsigned killed = crowd.processes / 3;

	make_source(fs, "file", (off_t)crowd.alone * 2 * PAGE);
	for (unsigned i = 0; i <= crowd.processes; i++) {
		all[i].data = i < crowd.processes ? &crowd.each : &crowd.alone;
		publisher_start(fs, &all[i], NULL, many_script);
	}
	scan(fs);
	for (unsigned i = 0; i < ROUNDS; i++) {
		list(fs->daemon.mnt, count);
		if (i >= ROUNDS - 2)
			sleep_ms(1100); /* after which all processes are scanned again */
	}

	assert_int_equal(listed_of(fs, all[killed].pid), crowd.each);
	publisher_kill(&all[killed]);
	assert_int_equal(listed_of(fs, all[killed].pid), 0);
	publisher_kill(&all[crowd.processes]);
	assert_int_equal(listed_of(fs, all[crowd.processes].pid), 0);
	assert_int_equal(listed_of(fs, all[0].pid), crowd.each);
	for (unsigned i = 0; i < crowd.processes; i++) {
		if (i != killed)
			publisher_end(&all[i]);
	}
	assert_int_equal(listed_of(fs, all[0].pid), 0);
	free(all);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(a_crowd, .limit = 300),
	};

	fs_observes = true;
	return fs_run(argc, argv, "many_processes", tests, sizeof(tests) / sizeof(*tests));
}
