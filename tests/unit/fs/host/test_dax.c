/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_dax.c - files without DAX are recognized; tests/vm/test_scanner.c tests files with DAX
 */
#include "host/dax.h"
#include "publisher.h"
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static struct dax *dax;
static struct maps maps;
static int file;

static int begin(void **state)
{
	(void)state;
	dax = dax_new();
	file = publisher_file(16 * PAGE);
	return dax ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	maps_clear(&maps);
	dax_free(dax);
	close(file);
	return 0;
}

/* The area at a page of the place in a process. */
static const struct maps_area *area_at(pid_t pid, size_t page)
{
	maps_clear(&maps);
	assert_int_equal(maps_read(&maps, pid), 0);
	for (size_t i = 0; i < maps.count; i++)
		if (maps.list[i].begin == (uintptr_t)place + page * PAGE)
			return &maps.list[i];
	fail();
	return NULL;
}

static void a_file_is_known_by_its_numbers(void **state)
{
	const struct maps_area *area;
	struct stat st;

	(void)state;
	put(0, 4, PROT_READ, MAP_SHARED, file, 2);
	area = area_at(getpid(), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_null(dax_find(dax, &maps, area));
	assert_true(dax_is_file(dax, &maps, area, st.st_dev, st.st_ino));
	assert_false(dax_is_file(dax, &maps, area, st.st_dev, st.st_ino + 1));
	assert_false(dax_is_file(dax, &maps, area, makedev(0, 1048000), st.st_ino));
	take(0, 4);
}

static void memory_is_no_file(void **state)
{
	const struct maps_area *area;

	(void)state;
	put(0, 4, PROT_READ, MAP_PRIVATE, -1, 0);
	area = area_at(getpid(), 0);
	assert_false(dax_possible(dax, &maps, area));
	assert_null(dax_find(dax, &maps, area));
	assert_false(dax_is_file(dax, &maps, area, 0, 0));
	put(0, 4, PROT_READ, MAP_SHARED, -1, 0);
	area = area_at(getpid(), 0);
	assert_int_equal(area->dev, dax_shmem(dax));
	assert_false(dax_possible(dax, &maps, area));
	take(0, 4);
}

static void in_a_mount_namespace(unsigned number)
{
	int fd;

	if (number)
		return;
	must(!unshare(CLONE_NEWNS) && !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
	must(!mount("none", "/mnt", "tmpfs", 0, NULL));
	must(!mknod("/mnt/zero", S_IFCHR | 0600, makedev(1, 5)));
	fd = open("/mnt/zero", O_RDWR | O_CLOEXEC);
	put(0, 4, PROT_READ, MAP_PRIVATE, fd, 0);
	fd = open("/mnt/file", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(!ftruncate(fd, 4 * PAGE));
	put(8, 4, PROT_READ, MAP_SHARED, fd, 0);
}

/* A device node on a tmpfs that only another mount namespace has is examined, and is not DAX. */
static void nodes_are_looked_at_wherever_they_are(void **state)
{
	const struct maps_area *area;
	struct publisher publisher;
	dev_t dev;

	(void)state;
	publisher_start(&publisher, in_a_mount_namespace);
	area = area_at(publisher.pid, 0);
	dev = area->dev;
	assert_true(dax_possible(dax, &maps, area));
	assert_null(dax_find(dax, &maps, area));
	assert_true(dax_is_file(dax, &maps, area, dev, area->inode));
	area = area_at(publisher.pid, 8);
	assert_int_equal(area->dev, dev);
	assert_null(dax_find(dax, &maps, area));
	/* A device number that does not exist: the file is not opened. */
	((struct maps_area *)area)->dev = makedev(0, 1048000);
	assert_false(dax_possible(dax, &maps, area));
	assert_false(dax_is_file(dax, &maps, area, dev, area->inode));
	publisher_stop(&publisher);
}

/*
 * However many file systems the processes of a user have, the file systems of root's processes are
 * seen.
 */
static void many_file_systems_hide_no_other(void **state)
{
	struct maps many = {0};
	struct maps_area area = {.inode = 1};
	struct publisher publisher;

	(void)state;
	publisher_start(&publisher, in_a_mount_namespace);
	for (unsigned i = 0; i < 5000; i++) { /* of processes that have ended, and so of no user */
		many.task = 100000 + (pid_t)(i / 32);
		area.dev = makedev(0, 1000000 + i);
		assert_false(dax_possible(dax, &many, &area));
	}
	assert_true(dax_left_out(dax));
	assert_true(dax_possible(dax, &maps, area_at(publisher.pid, 0)));
	publisher_stop(&publisher);
}

/* A file is examined again when it may have changed. */
static void what_was_found_is_forgotten(void **state)
{
	struct maps_area area;
	struct stat st;

	(void)state;
	put(0, 4, PROT_READ, MAP_SHARED, file, 2);
	area = *area_at(getpid(), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_true(dax_is_file(dax, &maps, &area, st.st_dev, st.st_ino));
	take(0, 4);
	assert_true(dax_is_file(dax, &maps, &area, st.st_dev, st.st_ino));
	dax_forget(dax);
	assert_false(dax_is_file(dax, &maps, &area, st.st_dev, st.st_ino));
}

static void many_files(void **state)
{
	enum { COUNT = 500 };
	int fds[COUNT];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		fds[i] = publisher_file(PAGE);
		put(2 * i, 1, PROT_READ, MAP_SHARED, fds[i], 0);
	}
	area_at(getpid(), 0);
	for (int round = 0; round < 2; round++)
		for (size_t i = 0, found = 0; i < maps.count && found < COUNT; i++) {
			const struct maps_area *area = &maps.list[i];

			if (area->begin != (uintptr_t)place + 2 * found * PAGE)
				continue;
			assert_int_equal(fstat(fds[found++], &st), 0);
			assert_true(dax_is_file(dax, &maps, area, st.st_dev, st.st_ino));
		}
	take(0, 2 * COUNT);
	for (size_t i = 0; i < COUNT; i++)
		close(fds[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_file_is_known_by_its_numbers, begin, end),
		cmocka_unit_test_setup_teardown(memory_is_no_file, begin, end),
		cmocka_unit_test_setup_teardown(nodes_are_looked_at_wherever_they_are, begin, end),
		cmocka_unit_test_setup_teardown(many_file_systems_hide_no_other, begin, end),
		cmocka_unit_test_setup_teardown(what_was_found_is_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(many_files, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
