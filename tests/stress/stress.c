/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stress.c - the library in a program with many threads that use all of it at once
 *
 * usage: stress [--rounds N] [--folder DIR]
 *
 * A round is a mapping and its unmapping. Mappers do them in all ways at once: with fresh and with
 * reused objects, of memory and of a file in DIR, inside a reservation on a place of their own and
 * on one that all share, and unmapped by several threads of which exactly one may succeed.
 * Strangers mmap and munmap at full speed. In the remaining time, opener opens a file by a relative
 * path, forker makes children that use what they have inherited, stretcher moves the end of the
 * reservation, finder finds the mappings in it, and inspector checks that there is never a hole in
 * it. The first wrong result ends the program. At the end there must be as many areas of memory as
 * before, and the table of mappings must be empty.
 */
#include "stress.h"
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STUCK_SECONDS 180

struct pmem2_vm_reservation *rsv;
char *rsv_start;
int file;
struct pmem2_map *inherited[3];
atomic_ulong rounds_left;
atomic_bool stop;
atomic_ulong mmaps, opens, forks, finds, stretches, inspections, takes;

_Noreturn void failed(const char *source, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not true: %s; the last error: %s\n", source, line, what,
		pmem2_errormsg());
	_exit(1);
}

void check_result(const char *source, int line, const char *what, int result, int expected)
{
	if (result == expected)
		return;
	fprintf(stderr, "%s:%d: %s is %d instead of %d: %s\n", source, line, what, result, expected,
		pmem2_errormsg());
	_exit(1);
}

void count(atomic_ulong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Lets the mappers work. */
void pause_for(long microseconds)
{
	const struct timespec pause = {.tv_nsec = 1000 * microseconds};

	nanosleep(&pause, NULL);
}

/*
 * A lock that prefers the writer, so that the forker need not wait for a moment in which no thread
 * is busy.
 */
static pthread_rwlock_t quiet = PTHREAD_RWLOCK_WRITER_NONRECURSIVE_INITIALIZER_NP;

void busy_begin(void)
{
	if (FORK_WHEN_QUIET)
		ok(pthread_rwlock_rdlock(&quiet));
}

void busy_end(void)
{
	if (FORK_WHEN_QUIET)
		ok(pthread_rwlock_unlock(&quiet));
}

bool quiet_begin(void)
{
	if (!FORK_WHEN_QUIET)
		return true;
	ok(pthread_rwlock_wrlock(&quiet));
	/* A mapper that finds no round left becomes busy once more before it ends. */
	if (atomic_load(&rounds_left))
		return true;
	ok(pthread_rwlock_unlock(&quiet));
	return false;
}

void quiet_end(void)
{
	if (FORK_WHEN_QUIET)
		ok(pthread_rwlock_unlock(&quiet));
}

struct pmem2_config *make_config(enum pmem2_sharing_type sharing)
{
	struct pmem2_config *config;

	ok(pmem2_config_new(&config));
	ok(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE));
	ok(pmem2_config_set_sharing(config, sharing));
	return config;
}

/*
 * Joins a thread. Meanwhile the mappers must take rounds, otherwise the program hangs; at the end
 * of a run no rounds are left, and the rest takes no longer than a batch.
 */
static void join(pthread_t thread)
{
	unsigned long left = atomic_load(&rounds_left);
	unsigned seconds = 0;
	struct timespec end;
	int ret;

	clock_gettime(CLOCK_REALTIME, &end);
	do {
		end.tv_sec++;
		ret = pthread_timedjoin_np(thread, NULL, &end);
		seconds = atomic_load(&rounds_left) == left ? seconds + 1 : 0;
		left = atomic_load(&rounds_left);
	} while (ret == ETIMEDOUT && seconds < STUCK_SECONDS);
	must_be("the end of a thread, with no round begun for minutes", ret, 0);
}

static void run(unsigned long rounds)
{
	static void *(*const others[])(void *) = {run_opener, run_stretcher, run_finder,
						  run_inspector, run_forker};
	pthread_t threads[MAPPERS + STRANGERS + 5];
	pthread_attr_t attr;
	size_t n = 0;

	atomic_store(&rounds_left, rounds);
	atomic_store(&stop, false);
	ok(pthread_attr_init(&attr));
	/*
	 * Stacks so small that the C library keeps all of them, so that the number of areas stays
	 * the same.
	 */
	ok(pthread_attr_setstacksize(&attr, MIB / 2));
	busy_begin();
	for (size_t i = 0; i < STRANGERS; i++)
		ok(pthread_create(&threads[n++], &attr, run_stranger, (void *)i));
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ok(pthread_create(&threads[n++], &attr, others[i], NULL));
	for (size_t i = 0; i < MAPPERS; i++)
		ok(pthread_create(&threads[n++], &attr, run_mapper, (void *)i));
	busy_end();
	for (size_t i = 0; i < MAPPERS; i++)
		join(threads[--n]);
	atomic_store(&stop, true);
	while (n)
		join(threads[--n]);
	ok(pthread_attr_destroy(&attr));
}

static void make_file(const char *folder)
{
	char path[256];
	char page[PAGE];

	snprintf(path, sizeof(path), "%s/pmem2fs-stress-XXXXXX", folder);
	if (!mkdtemp(path) || chdir(path)) {
		perror(path);
		exit(1);
	}
	file = open("file", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	must(file >= 0);
	memset(page, 'f', sizeof(page));
	must(write(file, page, PAGE) == (ssize_t)PAGE && write(file, page, PAGE) == (ssize_t)PAGE);
}

static void remove_file(void)
{
	char path[256];

	must(getcwd(path, sizeof(path)));
	ok(unlink("file"));
	ok(rmdir(path));
	close(file);
}

/*
 * Makes the mappings that every child inherits: of memory and of the file, outside and in the
 * reservation.
 */
static void make_inherited(void)
{
	struct pmem2_config *config = make_config(PMEM2_SHARED);
	struct pmem2_source *memory;
	struct pmem2_source *source;

	ok(pmem2_source_from_anon(&memory, PAGE));
	ok(pmem2_source_from_fd(&source, file));
	ok(pmem2_map_new(&inherited[0], config, memory));
	ok(pmem2_map_new(&inherited[1], config, source));
	ok(pmem2_vm_reservation_new(&rsv, NULL, SIZE));
	rsv_start = pmem2_vm_reservation_get_address(rsv);
	ok(pmem2_config_set_vm_reservation(config, rsv, INHERITED * PAGE));
	ok(pmem2_map_new(&inherited[2], config, memory));
	((char *)pmem2_map_get_address(inherited[0]))[1] = 'f';
	((char *)pmem2_map_get_address(inherited[2]))[1] = 'f';
	ok(pmem2_source_delete(&memory));
	ok(pmem2_source_delete(&source));
	ok(pmem2_config_delete(&config));
}

/* How many areas this process has. */
static size_t count_areas(void)
{
	int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	static char text[4096];
	size_t areas = 0;
	ssize_t n;

	must(fd >= 0);
	while ((n = read(fd, text, sizeof(text))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			areas += text[i] == '\n';
	}
	close(fd);
	return areas;
}

static size_t count_records(const struct pmem2fs_table *table)
{
	struct pmem2fs_record record;
	uint32_t slot = 0;
	uint32_t bad = 0;
	size_t records = 0;
	int ret;

	while ((ret = pmem2fs_table_next(table, &slot, NULL, &record, &bad)) == 0) {
		records++;
		slot++;
	}
	must_be("reading the table to its end", ret, -ENOENT);
	must(bad == 0);
	return records;
}

/* Runs, and prints what the other threads have done meanwhile. */
static void run_and_tell(unsigned long rounds)
{
	struct timespec begin;
	struct timespec end;

	mmaps = opens = forks = finds = stretches = inspections = takes = 0;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	run(rounds);
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%lu rounds in %.1f s, among %lu mmaps, %lu relative opens, %lu forks,\n"
	       "%lu stretchings, %lu searches and %lu inspections of the reservation,\n"
	       "%lu of %lu contests won by others: nothing lost\n",
	       rounds,
	       (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec),
	       mmaps, opens, forks, stretches, finds, inspections, takes, rounds / 8);
}

/* Sanitizers have areas of their own, which come and go. */
#define OWN_AREAS (!ON_ASAN && !ON_TSAN)

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"folder", required_argument, NULL, 'f'},
		{0},
	};
	const char *folder = "/var/tmp";
	unsigned long rounds = 50000;
	struct pmem2fs_table *table;
	size_t areas;
	int fd;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'r')
			rounds = strtoul(optarg, NULL, 10);
		else if (c == 'f')
			folder = optarg;
		if (c == '?' || !rounds) {
			fprintf(stderr, "usage: stress [--rounds N] [--folder DIR]\n");
			return 2;
		}
	}
	mallopt(M_ARENA_MAX, 1); /* otherwise threads would leave areas behind */
	make_file(folder);
	ok(pmem2fs_table_export(&fd));
	ok(pmem2fs_table_open(&table, fd));
	make_inherited();

	/* A first run for permanent allocations: the library's slots, the stacks. */
	run(1000);
	must(count_records(table) == 3);
	areas = count_areas();
	run_and_tell(rounds);
	must(!OWN_AREAS || count_areas() == areas);
	must(count_records(table) == 3);

	for (int i = 0; i < 3; i++)
		ok(pmem2_unmap(&inherited[i]));
	ok(pmem2_vm_reservation_delete(&rsv));
	must(count_records(table) == 0);
	ok(pmem2fs_table_close(&table));
	remove_file();
	return 0;
}
