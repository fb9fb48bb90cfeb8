/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_facts_shapes.c - reading facts costs what there is of files and processes, not of mappings
 *
 * Counts what is asked of the kernel while the facts of all mappings of some processes are read, a
 * thousand at a time, as for a list. The clock stands still meanwhile, so that the facts stay
 * fresh.
 */
#include "base/clock.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "facts/facts_cache.h"
#include "host/proc.h"
#include "host/proc_maps.h"
#include "publisher.h"
#include "rig.h"
#include "scan/process_table.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define FILES_MAX     600
#define PROCESSES_MAX 40
#define AHEAD         1024
#define MORE          8
#define NODE          makedev(4001, 7)

/* How many there are of each, and whether the names of the files are removed. */
static struct shape {
	unsigned processes, mappings, files;
	bool removed;
	bool nodes; /* the files count as names of a device-DAX node, */
	bool bad;   /* which has bad blocks */
} shape;

/* The thread counts. */
static _Atomic unsigned of_files, of_areas, of_processes, of_devices;
static _Atomic unsigned looked_up; /* files, by their paths */
static _Atomic long later;         /* nanoseconds that have passed */
static bool found;                 /* a scan has just found all mappings */

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);
int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
ssize_t __real_readlink(const char *path, char *target, size_t size);
ssize_t __wrap_readlink(const char *path, char *target, size_t size);
int __real_lstat64(const char *path, struct stat *answer);
int __wrap_lstat64(const char *path, struct stat *answer);
int __real_maps_read_with_paths(struct maps *maps, pid_t pid);
int __wrap_maps_read_with_paths(struct maps *maps, pid_t pid);
struct process_info *__real_proc_process_info(pid_t pid, struct process_info *old);
struct process_info *__wrap_proc_process_info(pid_t pid, struct process_info *old);
int __wrap_pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode);
int __wrap_pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device);
bool __wrap_dax_node_number(dev_t rdev, const char *name, uint64_t *number);
int __wrap_pmem2fs_device_badblock_count(const struct pmem2fs_device *device, size_t *count);
int __wrap_pmem2_badblock_context_new(struct pmem2_badblock_context **context,
				      struct pmem2_source *source);
int __wrap_pmem2_badblock_next(struct pmem2_badblock_context *context, struct pmem2_badblock *bad);
void __wrap_pmem2_badblock_context_delete(struct pmem2_badblock_context **context);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
bool __wrap_process_table_has_found(const struct process_table *process_table,
				    const struct process *process, uint64_t since);

/* Stands for a process table, which is only passed on. */
static const struct process_table *const scans = (const void *)&shape;

bool __wrap_process_table_has_found(const struct process_table *process_table,
				    const struct process *process, uint64_t since)
{
	assert_ptr_equal(process_table, scans);
	assert_non_null(process);
	assert_int_equal(since, clock_now() - CLOCK_SECOND);
	return found;
}

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	long result = __real_syscall(number, a, b, c, d, e, f);

	/* Linux 6.1 may refuse to look only in its cache, so that a path is asked for twice. */
	of_files += number == SYS_openat2 && result >= 0;
	looked_up += number == SYS_openat2 && result >= 0;
	return result;
}

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer)
{
	of_files++;
	return __real_statx(fd, path, flags, mask, answer);
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size)
{
	of_files += strstr(path, "map_files") != NULL;
	return __real_readlink(path, target, size);
}

int __wrap_lstat64(const char *path, struct stat *answer)
{
	of_files++;
	return __real_lstat64(path, answer);
}

int __wrap_maps_read_with_paths(struct maps *maps, pid_t pid)
{
	of_areas++;
	return __real_maps_read_with_paths(maps, pid);
}

struct process_info *__wrap_proc_process_info(pid_t pid, struct process_info *old)
{
	of_processes++;
	return __real_proc_process_info(pid, old);
}

int __wrap_pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode)
{
	(void)dev;
	assert_false(block);
	of_devices++;
	*sysfs_inode = 9;
	return 0;
}

int __wrap_pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device)
{
	(void)dev;
	(void)block;
	of_devices++;
	*device = (struct pmem2fs_device){.sysfs_inode = 9};
	return 0;
}

bool __wrap_dax_node_number(dev_t rdev, const char *name, uint64_t *number)
{
	assert_int_equal(rdev, NODE);
	assert_string_equal(name, "size");
	of_devices++;
	*number = 16384;
	return true;
}

int __wrap_pmem2fs_device_badblock_count(const struct pmem2fs_device *device, size_t *count)
{
	(void)device;
	*count = shape.bad ? 3 : 0;
	return 0;
}

static unsigned of_badblocks, next_badblock;

/* Each source has two ranges, of which the first page has one. */
int __wrap_pmem2_badblock_context_new(struct pmem2_badblock_context **context,
				      struct pmem2_source *source)
{
	(void)source;
	of_badblocks++;
	next_badblock = 0;
	*context = NULL;
	return 0;
}

int __wrap_pmem2_badblock_next(struct pmem2_badblock_context *context, struct pmem2_badblock *bad)
{
	(void)context;
	*bad = (struct pmem2_badblock){.offset = 512 + 8192 * next_badblock, .length = 1024};
	return next_badblock++ < 2 ? 0 : PMEM2_E_NO_BAD_BLOCK_FOUND;
}

void __wrap_pmem2_badblock_context_delete(struct pmem2_badblock_context **context)
{
	*context = NULL;
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	(void)clock;
	*time = clock_timespec(1000 * CLOCK_SECOND + (uint64_t)later);
	return 0;
}

static struct capture capture;
static struct publisher publishers[PROCESSES_MAX];
static struct process processes[PROCESSES_MAX];
static char *paths[FILES_MAX];
static int fds[FILES_MAX];

static int begin(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	*state = rig_new();
	return 0;
}

static int end(void **state)
{
	rig_free(*state);
	for (unsigned i = 0; i < shape.processes; i++) {
		publisher_stop(&publishers[i]);
		process_info_put(processes[i].info);
		processes[i] = (struct process){0};
	}
	for (unsigned i = 0; i < shape.files; i++) {
		unlink(paths[i]);
		free(paths[i]);
		close(fds[i]);
	}
	shape = (struct shape){0};
	capture_end(&capture);
	return 0;
}

/* In a child: mappings that do not touch, so that each is an area. Some are not shown at first. */
static void map_all(unsigned number)
{
	(void)number;
	for (unsigned i = 0; i < shape.mappings + MORE; i++)
		put(2 * i, 1, PROT_READ, MAP_SHARED, fds[i % shape.files], 0);
}

static struct mapping *show(struct rig *rig, unsigned number, unsigned i)
{
	const struct scan_state scan_state = {.process = &processes[number]};
	struct pmem2fs_record record = truth(2 * i, 1, fds[i % shape.files], 0);
	struct extents *extents = NULL;
	struct mapping *mapping;
	char name[32];

	if (shape.nodes) {
		record.source_type = PMEM2FS_SOURCE_DEVDAX;
		record.source_rdev = NODE;
	}
	snprintf(name, sizeof(name), "%u-%u", number, i);
	assert_int_equal(catalog_show_scanned(rig->modules.catalog, name, ORIGIN_OBSERVED, &record,
					      &extents, &scan_state, processes[number].info,
					      &mapping),
			 0);
	return mapping;
}

static void start(struct rig *rig, struct shape wanted)
{
	shape = wanted;
	for (unsigned i = 0; i < shape.files; i++) {
		paths[i] = rig_new_file();
		fds[i] = open(paths[i], O_RDWR | O_CLOEXEC);
		assert_true(fds[i] >= 0);
	}
	for (unsigned number = 0; number < shape.processes; number++) {
		publisher_start(&publishers[number], map_all);
		processes[number].pid = publishers[number].pid;
		processes[number].info = process_info_new(processes[number].pid, "child");
		for (unsigned i = 0; i < shape.mappings; i++)
			show(rig, number, i);
	}
	for (unsigned i = 0; shape.removed && i < shape.files; i++)
		unlink(paths[i]);
}

struct test_waiter {
	struct waiter waiter; /* first */
	bool woken;
};

static void wake(struct waiter *waiter)
{
	((struct test_waiter *)waiter)->woken = true;
}

/* Has the facts read that are out of date. */
static void read_facts(struct rig *rig)
{
	struct catalog *catalog = rig->modules.catalog;
	struct mapping *mapping;
	size_t at;

	of_files = of_areas = of_processes = of_devices = looked_up = 0;
	of_badblocks = 0;
	for (mapping = catalog_after(catalog, 0, &at); mapping;
	     mapping = catalog_next(catalog, &at)) {
		struct test_waiter waiter = {.waiter.wake = wake};

		if (facts_cache_is_fresh(mapping, clock_now()))
			continue;
		assert_int_equal(facts_cache_request(rig->modules.facts_cache, mapping, AHEAD,
						     &waiter.waiter),
				 0);
		rig_run(rig, &waiter.woken);
		assert_true(facts_cache_is_fresh(mapping, clock_now()));
	}
}

/* Has all facts read, and checks them. */
static void read_all(struct rig *rig)
{
	struct catalog *catalog = rig->modules.catalog;
	const char *shown[FILES_MAX] = {NULL};
	struct mapping *mapping;
	unsigned i = 0;
	size_t at;

	read_facts(rig);
	for (mapping = catalog_after(catalog, 0, &at); mapping;
	     mapping = catalog_next(catalog, &at), i++) {
		const struct version *version = mapping_version(mapping);
		unsigned file = i % shape.mappings % shape.files;

		assert_string_equal(version->path, paths[file]);
		if (!shown[file])
			shown[file] = version->path;
		assert_ptr_equal(version->path, shown[file]); /* in memory once */
		assert_int_equal(version->deleted, shape.removed);
		assert_false(version->pending);
		assert_true(version->size_known);
		assert_int_equal(version->size, 16384);
	}
	assert_int_equal(i, shape.processes * shape.mappings);
	assert_int_equal(of_areas, shape.processes);
	assert_int_equal(of_processes, shape.processes);
}

/* To find out which file is at a path it is looked up, and asked. */
#define FOR_A_FILE 2

static void one_file_mapped_many_times(void **state)
{
	start(*state, (struct shape){.processes = 1, .mappings = 3000, .files = 1});
	read_all(*state);
	assert_int_equal(of_files, FOR_A_FILE);
}

static void many_files_mapped_once(void **state)
{
	start(*state, (struct shape){.processes = 1, .mappings = 600, .files = 600});
	read_all(*state);
	assert_int_equal(of_files, 600 * FOR_A_FILE);
}

static void one_file_in_many_processes(void **state)
{
	start(*state, (struct shape){.processes = 40, .mappings = 70, .files = 1});
	read_all(*state);
	assert_int_equal(of_files, FOR_A_FILE);
}

static void the_same_files_in_many_processes(void **state)
{
	start(*state, (struct shape){.processes = 40, .mappings = 70, .files = 35});
	read_all(*state);
	assert_int_equal(of_files, 35 * FOR_A_FILE);
}

/* Its identity, its size, and what it is. */
static void one_device(void **state)
{
	start(*state, (struct shape){.processes = 3, .mappings = 300, .files = 2, .nodes = true});
	read_all(*state);
	assert_int_equal(of_devices, 3);
}

static void bad_blocks_of_files(void **state)
{
	const struct version *version;
	struct mapping *mapping;
	size_t at;

	if (geteuid())
		skip();
	start(*state,
	      (struct shape){
		      .processes = 3, .mappings = 300, .files = 2, .nodes = true, .bad = true});
	read_all(*state);
	assert_int_equal(of_badblocks, 2);
	mapping = catalog_after(((struct rig *)*state)->modules.catalog, 0, &at);
	for (; mapping; mapping = catalog_next(((struct rig *)*state)->modules.catalog, &at)) {
		version = mapping_version(mapping);
		assert_true(version->badblocks_known);
		assert_int_equal(version->badblock_count, 1);
		assert_int_equal(version->badblocks[0].offset, 512);
		assert_int_equal(version->badblocks[0].length, 1024);
	}
}

/* What was read serves for new mappings, until nobody has asked for a moment. */
static void what_was_read_is_kept_for_a_moment(void **state)
{
	struct rig *rig = *state;

	start(rig, (struct shape){.processes = 1, .mappings = 50, .files = 1});
	read_all(rig);
	assert_true(facts_cache_expire(rig->modules.facts_cache, clock_now()) < UINT64_MAX);
	for (unsigned i = 0; i < MORE / 2; i++)
		show(rig, 0, 50 + i);
	read_facts(rig);
	assert_int_equal(looked_up, 0);
	assert_int_equal(facts_cache_expire(rig->modules.facts_cache, clock_now() + CLOCK_SECOND),
			 UINT64_MAX);
	for (unsigned i = MORE / 2; i < MORE; i++)
		show(rig, 0, 50 + i);
	read_facts(rig);
	assert_int_equal(looked_up, 1);
}

/* Reading all of its areas would take longer. */
static void few_mappings_of_a_large_process(void **state)
{
	struct rig *rig = *state;

	start(rig, (struct shape){.processes = 1, .mappings = 3000, .files = 1});
	read_all(rig);
	show(rig, 0, 3000);
	show(rig, 0, 3001);
	read_facts(rig);
	assert_int_equal(of_areas, 0);
	assert_int_equal(of_files, 2); /* the links */
}

/* Something has happened to one of the mappings. */
static void what_has_changed_is_read_anew(void **state)
{
	struct rig *rig = *state;
	size_t at;

	start(rig, (struct shape){.processes = 1, .mappings = 50, .files = 1});
	read_all(rig);
	later++;
	mapping_set_unchecked(catalog_after(rig->modules.catalog, 0, &at));
	read_facts(rig);
	assert_int_equal(looked_up, 1);
}

/* Has all facts read a second later. Returns of how many processes the areas were read. */
static unsigned read_all_later(struct rig *rig)
{
	later += 1100000000;
	read_facts(rig);
	return of_areas;
}

/* The areas are read again where no scan has just found them, or a file is no longer at its path.
 */
static void what_a_scan_has_found_is_not_read_again(void **state)
{
	struct rig *rig = *state;
	char renamed[64];
	size_t at;

	start(rig, (struct shape){.processes = 3, .mappings = 50, .files = 5});
	facts_cache_use_scans(rig->modules.facts_cache, scans);
	found = true;
	read_all(rig);
	assert_int_equal(read_all_later(rig), 0);
	assert_int_equal(of_files, 5 * FOR_A_FILE);
	snprintf(renamed, sizeof(renamed), "%s.renamed", paths[0]);
	assert_int_equal(rename(paths[0], renamed), 0);
	assert_int_equal(read_all_later(rig), 3);
	assert_string_equal(mapping_version(catalog_after(rig->modules.catalog, 0, &at))->path,
			    renamed);
	assert_int_equal(rename(renamed, paths[0]), 0);
	found = false;
	assert_int_equal(read_all_later(rig), 3);
}

/* Which of them are within the mapping depends on its areas. */
static void areas_are_read_for_bad_blocks(void **state)
{
	struct rig *rig = *state;

	start(rig, (struct shape){
			   .processes = 3, .mappings = 50, .files = 2, .nodes = true, .bad = true});
	facts_cache_use_scans(rig->modules.facts_cache, scans);
	found = true;
	read_all(rig);
	assert_int_equal(read_all_later(rig), 3);
}

/* Each area is asked for its mount, and each file for the rest. */
static void removed_names(void **state)
{
	if (geteuid())
		skip();
	start(*state, (struct shape){.processes = 4, .mappings = 500, .files = 5, .removed = true});
	read_all(*state);
	assert_in_range(of_files, 2000, 2000 + 5 * 12);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_file_mapped_many_times),
		TEST(many_files_mapped_once),
		TEST(one_file_in_many_processes),
		TEST(removed_names),
		TEST(the_same_files_in_many_processes),
		TEST(one_device),
		TEST(bad_blocks_of_files),
		TEST(what_was_read_is_kept_for_a_moment),
		TEST(what_has_changed_is_read_anew),
		TEST(few_mappings_of_a_large_process),
		TEST(what_a_scan_has_found_is_not_read_again),
		TEST(areas_are_read_for_bad_blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
