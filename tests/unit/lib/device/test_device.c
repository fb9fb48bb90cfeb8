/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_device.c - device facts on a host without pmem; with pmem see tests/vm/test_device.c
 */
#include "libpmem2fs.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

static dev_t rdev_of(const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	return st.st_rdev;
}

static void assert_no_device(dev_t dev, bool block)
{
	struct pmem2fs_device device, untouched;

	memset(&device, 0x5a, sizeof(device));
	memset(&untouched, 0x5a, sizeof(untouched));
	assert_int_equal(pmem2fs_device_get(dev, block, &device), -ENODEV);
	assert_memory_equal(&device, &untouched, sizeof(device));
}

static void test_other_devices_are_none(void **state)
{
	struct stat st;

	(void)state;
	assert_no_device(rdev_of("/dev/null"), false);
	assert_no_device(rdev_of("/dev/null"), true);
	assert_no_device(makedev(4000, 77), true);
	assert_no_device(makedev(4000, 77), false);
	assert_int_equal(stat("/proc", &st), 0);
	assert_no_device(st.st_dev, true);
}

static void test_identity_is_the_sysfs_inode(void **state)
{
	uint64_t identity = 7;
	struct stat st;

	(void)state;
	assert_int_equal(pmem2fs_device_identity(makedev(4000, 77), true, &identity), -ENODEV);
	assert_int_equal(identity, 7);
	assert_int_equal(stat("/sys/class/mem/null/", &st), 0);
	assert_int_equal(pmem2fs_device_identity(rdev_of("/dev/null"), false, &identity), 0);
	assert_int_equal(identity, st.st_ino);
}

/* A device whose list of bad blocks is a file of the test. */
static struct pmem2fs_device make_device(const char *list)
{
	struct pmem2fs_device device = {.blockdev = "pmem0", .size = 1 << 20};
	int fd;

	strcpy(device.badblocks_path, "/tmp/pmem2fs-badblocks-XXXXXX");
	fd = mkstemp(device.badblocks_path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, list, strlen(list)), strlen(list));
	close(fd);
	return device;
}

static size_t count_ranges(const char *list, bool node)
{
	struct pmem2fs_device device = make_device(list);
	size_t count;

	if (node) {
		strcpy(device.chardev, "dax0.0");
		device.badblocks_start = 4096;
	}
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
	unlink(device.badblocks_path);
	return count;
}

static void test_bad_ranges_are_counted_once(void **state)
{
	(void)state;
	assert_int_equal(count_ranges("", false), 0);
	assert_int_equal(count_ranges("\n", false), 0);
	assert_int_equal(count_ranges("0 1\n", false), 1);
	assert_int_equal(count_ranges("8 1\n10 1\n", false), 2);
	/* the kernel's pieces of a long one, in the order of Linux 6.1 */
	assert_int_equal(count_ranges("1034 76\n522 512\n10 512\n", false), 1);
	assert_int_equal(count_ranges("10 512\n20 1\n600 1\n", false), 2);
	/* cut off by the page: the number may have lost digits */
	assert_int_equal(count_ranges("8 1\n10 ", false), 1);
	assert_int_equal(count_ranges("8 1\n10 1", false), 1);
	/* beyond the device, and not valid numbers at all */
	assert_int_equal(count_ranges("2047 1\n2048 1\n", false), 1);
	assert_int_equal(count_ranges("-1 5\n18446744073709551615 9\nx y\n8\n", false), 0);
	/* a node has a part of its region's list */
	assert_int_equal(count_ranges("0 8\n7 2\n2055 9\n2056 1\n", true), 2);
}

static void test_more_ranges_than_a_page_are_not_lost(void **state)
{
	char *list = malloc(1 << 16), *at = list;

	(void)state;
	for (int i = 0; i < 1000; i++)
		at += sprintf(at, "%d 1\n", 2 * i);
	assert_int_equal(count_ranges(list, false), 1000);
	free(list);
}

static void test_without_a_list_there_is_no_count(void **state)
{
	struct pmem2fs_device device = {.blockdev = "pmem0s", .size = 1 << 20};
	size_t count = 7;

	(void)state;
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), PMEM2_E_NOSUPP);
	strcpy(device.badblocks_path, "/nonexistent/badblocks");
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), -ENOENT);
	strcpy(device.chardev, "dax0.0");
	device.badblocks_start = PMEM2FS_UNKNOWN;
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count),
			 PMEM2_E_CANNOT_READ_BOUNDS);
	assert_int_equal(count, 7);
}

static void *ask_many_times(void *argument)
{
	uint64_t *bytes = argument;

	for (int i = 0; i < 20; i++) {
		struct pmem2fs_device device;

		if (pmem2fs_host_capacity(bytes) ||
		    pmem2fs_device_get(makedev(1, 3), false, &device) != -ENODEV)
			return argument;
	}
	return NULL;
}

static void test_threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[4];
	uint64_t bytes[4];
	void *failed;

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ask_many_times, &bytes[i]), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		assert_int_equal(bytes[i], bytes[0]);
	}
}

static void test_no_descriptor_is_left_and_the_folder_stays(void **state)
{
	struct pmem2fs_device device;
	char before[4096], after[4096];
	uint64_t bytes;
	int first, second;

	(void)state;
	assert_non_null(getcwd(before, sizeof(before)));
	first = dup(0);
	close(first);
	assert_int_equal(pmem2fs_host_capacity(&bytes), 0);
	assert_int_equal(count_ranges("8 1\n", false), 1);
	assert_int_equal(pmem2fs_device_get(rdev_of("/dev/null"), false, &device), -ENODEV);
	second = dup(0);
	close(second);
	assert_int_equal(first, second);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_other_devices_are_none),
		cmocka_unit_test(test_identity_is_the_sysfs_inode),
		cmocka_unit_test(test_bad_ranges_are_counted_once),
		cmocka_unit_test(test_more_ranges_than_a_page_are_not_lost),
		cmocka_unit_test(test_without_a_list_there_is_no_count),
		cmocka_unit_test(test_threads_do_not_disturb_each_other),
		cmocka_unit_test(test_no_descriptor_is_left_and_the_folder_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
