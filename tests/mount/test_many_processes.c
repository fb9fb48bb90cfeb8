/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_many_processes.c - many processes with many mappings, and one with very many
 *
 * $PMEM2FS_TEST_FULL makes everything ten times as large.
 */
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PAGE   4096u
#define ROUNDS 11u

/*
 * Limit of the ratio of the time of ls to that on tmpfs, which is about 2. On a busy machine each
 * answer of the daemon waits for its turn; a new scan for each name would take far more than this.
 */
#define RATIO_MAX 1000.0

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

static double list(const char *folder, size_t count)
{
	struct timespec begin, end;
	DIR *dir;
	size_t got = 0;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	dir = opendir(folder);
	assert_non_null(dir);
	while (readdir(dir))
		got++;
	closedir(dir);
	clock_gettime(CLOCK_MONOTONIC, &end);
	assert_true(got >= count + 2); /* other processes of this host may have some */
	return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Makes a folder with the same names on tmpfs. */
static const char *imitate(struct fs *fs)
{
	static char folder[64];
	struct names names;

	snprintf(folder, sizeof(folder), "%s/same", fs->dir);
	assert_int_equal(mkdir(folder, 0755), 0);
	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++) {
		int fd = open(format("%s/%s", folder, names.name[i]), O_WRONLY | O_CREAT, 0600);

		assert_true(fd >= 0);
		close(fd);
	}
	names_free(&names);
	return folder;
}

struct spread {
	double mount, tmpfs, ratio;
};

/* Medians of rounds with a pause of pause_ms before each. */
static struct spread measure(const struct fs *fs, const char *same, size_t count, unsigned pause_ms)
{
	double mount[ROUNDS], tmpfs[ROUNDS], ratio[ROUNDS];

	for (unsigned i = 0; i < ROUNDS; i++) {
		sleep_ms(pause_ms);
		mount[i] = list(fs->daemon.mnt, count);
		tmpfs[i] = list(same, count);
		ratio[i] = mount[i] / tmpfs[i];
	}
	qsort(mount, ROUNDS, sizeof(*mount), compare);
	qsort(tmpfs, ROUNDS, sizeof(*tmpfs), compare);
	qsort(ratio, ROUNDS, sizeof(*ratio), compare);
	return (struct spread){mount[ROUNDS / 2], tmpfs[ROUNDS / 2], ratio[ROUNDS / 2]};
}

/*
 * Lists without pauses, as a script does; and with pauses, after which all processes of the host
 * are scanned again: that depends on how many others there are, so it is printed and not checked.
 */
static void compare_listings(struct fs *fs, size_t count)
{
	static const unsigned pauses[] = {0, 1100};
	const char *same = imitate(fs);

	for (size_t i = 0; i < sizeof(pauses) / sizeof(*pauses); i++) {
		struct spread spread = measure(fs, same, count, pauses[i]);

		print_message("ls -U of %zu each %u ms: %.2f ms, tmpfs %.2f ms, ratio %.2f\n",
			      count, pauses[i], 1e3 * spread.mount, 1e3 * spread.tmpfs,
			      spread.ratio);
		assert_true(pauses[i] || spread.ratio < RATIO_MAX);
	}
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
	list(fs->daemon.mnt, count);
	compare_listings(fs, count);

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
