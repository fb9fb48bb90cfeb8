/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_flush.c - persist, flush and drain: the functions that a mapping gets, and the calls of
 * msync
 */
#include "helper.h"
#include "persist/cpu.h"
#include <signal.h>
#include <sys/wait.h>

static struct {
	uintptr_t begin, end;
	int flags;
} synced[16];
static unsigned syncs;
static int sync_errors[4]; /* what the next calls fail with, 0: nothing */

int __real_msync(void *address, size_t length, int flags);
int __wrap_msync(void *address, size_t length, int flags);

int __wrap_msync(void *address, size_t length, int flags)
{
	int error = sync_errors[0];

	memmove(sync_errors, sync_errors + 1, sizeof(sync_errors) - sizeof(sync_errors[0]));
	assert_true(syncs < sizeof(synced) / sizeof(synced[0]));
	synced[syncs].begin = (uintptr_t)address;
	synced[syncs].end = (uintptr_t)address + length;
	synced[syncs++].flags = flags;
	if (error) {
		errno = error;
		return -1;
	}
	return __real_msync(address, length, flags);
}

#define assert_synced(i, from, to)                                                                 \
	do {                                                                                       \
		assert_int_equal(synced[i].begin, (uintptr_t)(from));                              \
		assert_int_equal(synced[i].end, (uintptr_t)(to));                                  \
		assert_int_equal(synced[i].flags, MS_SYNC);                                        \
	} while (0)

/* Maps pages of a file without the library; the test registers some of them. */
static char *map_pages(size_t pages)
{
	int fd = make_file(pages * PAGE);
	char *address = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_ptr_not_equal(address, MAP_FAILED);
	close(fd);
	return address;
}

static struct pmem2_map *adopt(char *address, size_t size, enum pmem2_granularity granularity)
{
	struct pmem2_source *source = anon_source(PAGE);
	struct pmem2_map *map;

	assert_ok(pmem2_map_from_existing(&map, source, address, size, granularity));
	assert_ok(pmem2_source_delete(&source));
	return map;
}

static void forget(struct pmem2_map *map)
{
	assert_ok(pmem2_map_delete(&map));
}

static int reset(void **state)
{
	(void)state;
	syncs = 0;
	memset(sync_errors, 0, sizeof(sync_errors));
	return 0;
}

static void test_functions(void **state)
{
	char *pages = map_pages(6);
	struct pmem2_map *maps[6];

	(void)state;
	for (int i = 0; i < 6; i++)
		maps[i] = adopt(pages + i * PAGE, PAGE, (enum pmem2_granularity)(i % 3));
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(pmem2_get_persist_fn(maps[i]), pmem2_get_persist_fn(maps[i + 3]));
		assert_ptr_equal(pmem2_get_flush_fn(maps[i]), pmem2_get_flush_fn(maps[i + 3]));
		assert_ptr_equal(pmem2_get_drain_fn(maps[i]), pmem2_get_drain_fn(maps[i + 3]));
	}
	assert_ptr_equal(pmem2_get_drain_fn(maps[0]), pmem2_get_drain_fn(maps[1]));
	assert_ptr_not_equal(pmem2_get_drain_fn(maps[0]), pmem2_get_drain_fn(maps[2]));
	assert_ptr_not_equal(pmem2_get_flush_fn(maps[0]), pmem2_get_flush_fn(maps[1]));
	assert_ptr_not_equal(pmem2_get_persist_fn(maps[0]), pmem2_get_persist_fn(maps[1]));
	assert_ptr_equal(pmem2_get_flush_fn(maps[2]), pmem2_get_persist_fn(maps[2]));

	/* Addresses of unknown granularity are flushed by pages. */
	assert_ptr_equal(pmem2_get_flush_fn(NULL), pmem2_get_flush_fn(maps[2]));
	forget(maps[0]);
	assert_ptr_equal(pmem2_get_persist_fn(maps[0]), pmem2_get_persist_fn(maps[2]));
	assert_ptr_equal(pmem2_get_drain_fn(maps[0]), pmem2_get_drain_fn(maps[2]));

	/* Where user space can flush cache lines, no system call does. */
	if (cpu_choice()->flush != FLUSH_NONE) {
		pmem2_get_persist_fn(maps[1])(pages + PAGE - 1, 100);
		pmem2_get_flush_fn(maps[4])(pages + PAGE - 1, PAGE);
	}
	pmem2_get_persist_fn(maps[3])(pages, 6 * PAGE);
	pmem2_get_drain_fn(maps[2])();
	assert_int_equal(syncs, 0);
	for (int i = 1; i < 6; i++)
		forget(maps[i]);
	munmap(pages, 6 * PAGE);
}

static void test_page_ranges(void **state)
{
	char *pages = map_pages(8);
	struct pmem2_map *one = adopt(pages + PAGE, 2 * PAGE, PMEM2_GRANULARITY_PAGE);
	struct pmem2_map *two = adopt(pages + 4 * PAGE, 100, PMEM2_GRANULARITY_BYTE);
	struct pmem2_map *three = adopt(pages + 5 * PAGE, 2 * PAGE, PMEM2_GRANULARITY_PAGE);
	pmem2_persist_fn persist = pmem2_get_persist_fn(one);

	(void)state;
	persist(pages + PAGE + 10, 1);
	assert_int_equal(syncs, 1);
	assert_synced(0, pages + PAGE, pages + 2 * PAGE);

	reset(NULL);
	persist(pages + 2 * PAGE - 1, 2);
	assert_int_equal(syncs, 1);
	assert_synced(0, pages + PAGE, pages + 3 * PAGE);

	/* Only registered memory is flushed, of any granularity, by whole pages. */
	reset(NULL);
	persist(pages + 2 * PAGE + 5, 4 * PAGE);
	assert_int_equal(syncs, 3);
	assert_synced(0, pages + 2 * PAGE, pages + 3 * PAGE);
	assert_synced(1, pages + 4 * PAGE, pages + 4 * PAGE + 100);
	assert_synced(2, pages + 5 * PAGE, pages + 7 * PAGE);

	reset(NULL);
	persist(pages + 3 * PAGE, PAGE);
	persist(pages + 7 * PAGE, PAGE);
	persist(pages, PAGE);
	persist(pages + PAGE, 0);
	assert_int_equal(syncs, 0);

	forget(one);
	forget(two);
	forget(three);
	reset(NULL);
	persist(pages, 8 * PAGE);
	assert_int_equal(syncs, 0);
	munmap(pages, 8 * PAGE);
}

static void test_copies_by_page(void **state)
{
	char *pages = map_pages(3);
	struct pmem2_map *map = adopt(pages, 3 * PAGE, PMEM2_GRANULARITY_PAGE);
	pmem2_memmove_fn move = pmem2_get_memmove_fn(map);
	pmem2_memset_fn fill = pmem2_get_memset_fn(map);

	(void)state;
	move(pages + PAGE, "12345678", 8, 0);
	assert_int_equal(syncs, 1);
	assert_synced(0, pages + PAGE, pages + 2 * PAGE);
	fill(pages + PAGE - 1, 'x', 2, PMEM2_F_MEM_NONTEMPORAL);
	assert_int_equal(syncs, 2);
	assert_synced(1, pages, pages + 2 * PAGE);
	/* A page flush is complete: NODRAIN has no effect. */
	fill(pages, 'x', 3 * PAGE, PMEM2_F_MEM_NODRAIN);
	assert_int_equal(syncs, 3);
	assert_synced(2, pages, pages + 3 * PAGE);

	move(pages, pages + 10, PAGE, PMEM2_F_MEM_NOFLUSH);
	fill(pages, 'x', PAGE, PMEM2_F_MEM_NOFLUSH | PMEM2_F_MEM_NODRAIN);
	assert_int_equal(syncs, 3);
	forget(map);
	munmap(pages, 3 * PAGE);
}

static void test_errors_of_msync(void **state)
{
	char *pages = map_pages(3);
	struct pmem2_map *one = adopt(pages, PAGE, PMEM2_GRANULARITY_PAGE);
	struct pmem2_map *two = adopt(pages + PAGE, PAGE, PMEM2_GRANULARITY_PAGE);
	pmem2_flush_fn flush = pmem2_get_flush_fn(one);

	(void)state;
	errno = ERANGE;
	sync_errors[0] = EINTR;
	sync_errors[1] = EINTR;
	flush(pages, 1);
	assert_int_equal(syncs, 3);
	assert_synced(2, pages, pages + PAGE);
	assert_int_equal(errno, ERANGE);

	/* Another thread unmaps the first page: the rest is flushed all the same. */
	reset(NULL);
	sync_errors[0] = ENOMEM;
	flush(pages, 2 * PAGE);
	assert_int_equal(syncs, 2);
	assert_synced(0, pages, pages + PAGE);
	assert_synced(1, pages + PAGE, pages + 2 * PAGE);
	assert_int_equal(errno, ERANGE);
	forget(one);
	forget(two);
	munmap(pages, 3 * PAGE);
}

/* Device DAX refuses msync: its cache lines are flushed, and the program does not abort. */
static void test_pages_of_device_dax(void **state)
{
	char *pages = map_pages(2);
	struct pmem2_map *map = adopt(pages, 2 * PAGE, PMEM2_GRANULARITY_PAGE);

	(void)state;
	sync_errors[0] = EINVAL;
	errno = ERANGE;
	pmem2_get_persist_fn(map)(pages + 1, PAGE);
	assert_int_equal(syncs, 1);
	assert_int_equal(errno, ERANGE);
	forget(map);
	munmap(pages, 2 * PAGE);
}

/* After a failed flush the program must not go on as if the data were safe. */
static void test_failure_aborts(void **state)
{
	char *pages = map_pages(1);
	struct pmem2_map *map = adopt(pages, PAGE, PMEM2_GRANULARITY_PAGE);
	char wanted[64];
	char text[512];
	int output[2];
	ssize_t length;
	int status;
	pid_t child;

	(void)state;
	assert_ok(pipe(output));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(output[1], STDERR_FILENO);
		sync_errors[0] = EIO;
		pmem2_get_persist_fn(map)(pages + 1, 1);
		_exit(0);
	}
	close(output[1]);
	length = read(output[0], text, sizeof(text) - 1);
	assert_true(length > 0);
	text[length] = '\0';
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	snprintf(wanted, sizeof(wanted), "0x%zx-0x%zx", (uintptr_t)pages, (uintptr_t)pages + PAGE);
	assert_non_null(strstr(text, wanted));
	assert_non_null(strstr(text, strerror(EIO)));
	assert_ptr_equal(strchr(text, '\n'), text + length - 1);
	close(output[0]);
	forget(map);
	munmap(pages, PAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_functions, reset),
		cmocka_unit_test_setup(test_page_ranges, reset),
		cmocka_unit_test_setup(test_copies_by_page, reset),
		cmocka_unit_test_setup(test_errors_of_msync, reset),
		cmocka_unit_test_setup(test_pages_of_device_dax, reset),
		cmocka_unit_test_setup(test_failure_aborts, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
