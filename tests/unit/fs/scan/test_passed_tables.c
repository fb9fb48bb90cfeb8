/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_passed_tables.c - copies of tables that are kept for the next scanner
 */
#include "base/time_quota.h"
#include "receive/receivers.h"
#include "rig.h"
#include "scan/passed_tables.h"
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static struct quota loop_time = {.share = 4};
static struct receivers *receivers;
static struct passed_table *kept;
static uid_t user; /* whose tables are looked at */
static int epoll;

static int begin(void **state)
{
	(void)state;
	user = 0;
	epoll = epoll_create1(EPOLL_CLOEXEC);
	receivers = receivers_new(epoll, epoll, rig_daemon, &loop_time);
	return !receivers;
}

static int end(void **state)
{
	(void)state;
	passed_tables_drop(receivers, &kept);
	receivers_free(receivers);
	quota_clear(&loop_time);
	close(epoll);
	return 0;
}

/* A scan looks at a table of this process, as one of the process `pid`, and wants it. */
static void look_at(pid_t pid, uint64_t inode)
{
	struct passed_table *passed = calloc(1, sizeof(*passed)), *copies = NULL;

	*passed = (struct passed_table){
		.pid = pid,
		.uid = user,
		.pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0),
		.fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
	};
	passed_tables_copy(passed, &copies);
	assert_non_null(copies);
	assert_ptr_equal(passed->copy, copies);
	assert_true(copies->fd >= 0 && copies->fd != passed->fd);
	assert_true(copies->pidfd >= 0 && copies->pidfd != passed->pidfd);
	passed->wanted = true;
	passed->inode = inode;
	passed_tables_keep(receivers, passed, &copies, &kept);
	assert_null(copies);
	passed_tables_drop(receivers, &passed);
}

static unsigned count_kept(pid_t pid, uint64_t inode)
{
	unsigned count = 0;

	for (const struct passed_table *table = kept; table; table = table->next)
		count += table->pid == pid && table->inode == inode;
	return count;
}

static void each_table_is_kept_once(void **state)
{
	(void)state;
	look_at(1, 7);
	look_at(1, 7);
	look_at(2, 7);
	look_at(1, 8);
	assert_int_equal(count_kept(1, 7), 1);
	assert_int_equal(count_kept(1, 8), 1);
	assert_int_equal(count_kept(2, 7), 1);
	look_at(3, 0); /* not known which */
	look_at(3, 0);
	assert_int_equal(count_kept(3, 0), 2);
}

static void of_a_process_the_last_ones_are_kept(void **state)
{
	(void)state;
	look_at(1, 1);
	for (uint64_t inode = 1; inode <= PASSED_EACH + 1; inode++)
		look_at(2, inode);
	assert_int_equal(count_kept(1, 1), 1);
	assert_int_equal(count_kept(2, 1), 0);
	for (uint64_t inode = 2; inode <= PASSED_EACH + 1; inode++)
		assert_int_equal(count_kept(2, inode), 1);
}

static void no_more_than_so_many_are_kept(void **state)
{
	pid_t pid = 1;
	size_t count = 0;

	(void)state;
	user = 1000;
	for (size_t i = 0; i <= passed_tables_share.user; i++)
		look_at(pid++, 1);
	for (const struct passed_table *table = kept; table; table = table->next)
		count++;
	assert_int_equal(count, passed_tables_share.user);
	assert_int_equal(count_kept(pid - 1, 1), 0);
	user = 1001;
	look_at(pid, 1);
	assert_int_equal(count_kept(pid, 1), 1);
}

static void what_has_no_descriptor_is_not_copied(void **state)
{
	struct passed_table passed = {.pid = 1, .pidfd = -1, .fd = -1}, *copies = NULL;

	(void)state;
	passed_tables_copy(&passed, &copies);
	assert_null(copies);
	passed.fd = epoll;
	passed_tables_copy(&passed, &copies);
	assert_null(copies);
	assert_null(passed.copy);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_table_is_kept_once),
		TEST(of_a_process_the_last_ones_are_kept),
		TEST(no_more_than_so_many_are_kept),
		TEST(what_has_no_descriptor_is_not_copied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
