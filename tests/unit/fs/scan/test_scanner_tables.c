/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_scanner_tables.c - tables that processes pass to the daemon
 */
#include "base/descriptor.h"
#include "scanner_helper.h"
#include <string.h>

/* A table that the scanner does not find, because of its name. */
static void handing_over(unsigned number)
{
	struct pmem2fs_record record;
	int fd;

	if (number)
		return;
	table = forge_table_fd("another name", TABLE_VERSION, 10, TABLE_SEALS, &fd);
	put(0, 4, RW, MAP_SHARED, file, 2);
	record = truth(0, 4, file, 2);
	publish(table, 0, &record);
	must(!descriptor_send(sockets[1], "", 1, 0, fd));
}

static int take_over(void)
{
	char byte;
	int fd;

	assert_int_equal(descriptor_receive(sockets[0], &byte, 1, 0, &fd), 1);
	assert_true(fd >= 0);
	return fd;
}

static struct passed_table *given(pid_t pid, int pidfd, int fd, struct passed_table *next)
{
	struct passed_table *table_given = calloc(1, sizeof(*table_given));

	assert_non_null(table_given);
	*table_given = (struct passed_table){.next = next, .pid = pid, .pidfd = pidfd, .fd = fd};
	return table_given;
}

static void a_table_may_be_handed_over(void **state)
{
	struct publisher publisher;
	struct scan_report *report;
	uint64_t process;
	int fd;

	(void)state;
	publisher_start(&publisher, handing_over);
	fd = take_over();
	assert_null(look_with(SCAN_ONE, publisher.pid, NULL));
	/* A process that has passed a table is part of every scan. */
	report = look_with(SCAN_ONE, getpid(),
			   given(publisher.pid, pidfd_of(publisher.pid), fd,
				 given(publisher.pid, pidfd_of(publisher.pid), dup(fd), NULL)));
	assert_non_null(report);
	assert_int_equal(report->pid, publisher.pid);
	assert_int_equal(report->count, 1);
	process = report->process;
	scan_report_free(report);
	assert_null(look_with(SCAN_KNOWN, 0, NULL));
	publisher_stop(&publisher);
	assert_gone(look_with(SCAN_KNOWN, 0, NULL), process);
}

/* Closing may take long: it is not done by the scanner. */
static void what_was_handed_over_is_still_open(void **state)
{
	struct publisher publisher;
	struct scan scan = {.kind = SCAN_KNOWN};
	int memfd = memfd_create("no table", MFD_CLOEXEC);

	(void)state;
	publisher_start(&publisher, publishing);
	scan.tables = given(publisher.pid, pidfd_of(publisher.pid), memfd,
			    given(publisher.pid, -1, -1, NULL));
	scan_whole(scanner, &scan);
	assert_null(scan.tables);
	assert_non_null(scan.seen->next);
	assert_true(scan.seen->next->fd == memfd || scan.seen->fd == memfd);
	assert_int_equal(fcntl(memfd, F_GETFD), FD_CLOEXEC);
	while (scan.report) {
		struct scan_report *report = scan.report;

		scan.report = report->next;
		scan_report_free(report);
	}
	drop(&scan);
	publisher_stop(&publisher);
}

static void a_table_of_another_is_refused(void **state)
{
	struct publisher owner, other;
	int fd, gone;

	(void)state;
	publisher_start(&owner, handing_over);
	fd = take_over();
	publisher_start(&other, handing_over);
	close(take_over());
	gone = pidfd_of(other.pid);
	assert_null(look_with(SCAN_KNOWN, 0, given(other.pid, dup(gone), dup(fd), NULL)));
	publisher_stop(&other);
	/* A pidfd of a process that has ended does not match a living process's pid. */
	assert_null(look_with(SCAN_KNOWN, 0, given(owner.pid, gone, dup(fd), NULL)));
	assert_null(look_with(SCAN_KNOWN, 0, given(other.pid, -1, dup(fd), NULL)));
	assert_null(look_with(SCAN_KNOWN, 0, given(0, pidfd_of(owner.pid), dup(fd), NULL)));
	close(fd);
	publisher_stop(&owner);
}

static void keep_left_out(const struct publisher *publisher, int memfd)
{
	struct scan scan = {.kind = SCAN_KNOWN};

	skip.stuck_threads.stuck[STUCK_THREADS_MAX - 1] = publisher->pid;
	scan.tables = given(publisher->pid, pidfd_of(publisher->pid), memfd, NULL);
	scan_whole(scanner, &scan);
	assert_true(scan.seen->wanted);
	drop(&scan);
}

/* A process that is left out may have any table: nobody has looked. */
static void says_which_tables_are_wanted(void **state)
{
	struct publisher publisher;
	struct scan scan = {.kind = SCAN_KNOWN};
	int fd, memfd = memfd_create("no table", MFD_CLOEXEC);

	(void)state;
	publisher_start(&publisher, handing_over);
	fd = take_over();
	scan.tables = given(publisher.pid, pidfd_of(publisher.pid), fd,
			    given(publisher.pid, pidfd_of(publisher.pid), memfd,
				  given(getppid(), pidfd_of(getppid()), dup(fd), NULL)));
	scan_whole(scanner, &scan);
	for (struct passed_table *seen = scan.seen; seen; seen = seen->next) {
		assert_int_equal(seen->wanted, seen->fd == fd);
		assert_int_equal(!seen->inode, seen->fd == memfd);
	}
	scan_report_free(scan.report);
	drop(&scan);
	keep_left_out(&publisher, memfd_create("no table", MFD_CLOEXEC));
	publisher_stop(&publisher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_table_may_be_handed_over, begin, end),
		cmocka_unit_test_setup_teardown(what_was_handed_over_is_still_open, begin, end),
		cmocka_unit_test_setup_teardown(a_table_of_another_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(says_which_tables_are_wanted, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
