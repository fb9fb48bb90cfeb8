/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_published_ranges.c - published ranges are reported only as far as they are true, and read
 * only from valid tables
 */
#include "process_helper.h"
#include <sys/sysmacros.h>

static void lying(unsigned number)
{
	struct pmem2fs_record record;
	struct stat st;
	int memory;

	if (number)
		return;
	make_table(1000);
	put(0, 4, PROT_READ, MAP_PRIVATE, plain, 2);
	put(8, 4, RW, MAP_SHARED, -1, 0);
	put(16, 4, RW, MAP_PRIVATE, -1, 0);
	memory = memfd_create("pmem2fs-memory", MFD_CLOEXEC);
	must(memory >= 0 && !ftruncate(memory, 4 * PAGE) && !fstat(memory, &st));
	put(24, 4, RW, MAP_SHARED, memory, 0);
	put(32, 4, RW, MAP_SHARED, other, 0);

	claim(0, 100, 4, plain, 2); /* nothing is there */
	claim(1, 0, 4, other, 2);   /* another file */
	claim(2, 0, 4, plain, 3);   /* another part of the file */
	claim(3, 0, 4, -1, 0);      /* no memory */
	claim(4, 8, 4, -1, 0);      /* not private */
	record = truth(16, 4, -1, 0);
	record.sharing = PMEM2_SHARED; /* not shared */
	publish(table, 5, &record);
	record = truth(24, 4, -1, 0);
	record.sharing = PMEM2_SHARED; /* a file after all */
	publish(table, 6, &record);
	record = truth(32, 4, other, 0);
	record.source_dev = NO_DEV; /* not the number of its file system */
	publish(table, 7, &record);
	record = truth(0, 4, plain, 2);
	record.address = -2 * PAGE; /* its end is beyond the address space */
	record.length = 2 * PAGE - 1;
	publish(table, 8, &record);

	/* True, apart from fields that the kernel knows better. */
	record = truth(0, 4, plain, 2);
	record.source_type = PMEM2FS_SOURCE_DEVDAX;
	record.source_rdev = makedev(252, 1);
	record.protection = 7;
	record.sharing = PMEM2_SHARED;
	record.uid = 999;
	publish(table, 500, &record);
	record = truth(32, 4, other, 0);
	record.source_dev = OTHER_DEV;
	record.source_inode = 7;
	publish(table, 501, &record);
	record = truth(8, 4, -1, 0);
	record.sharing = PMEM2_SHARED;
	publish(table, 502, &record);
}

static void shows_only_what_the_kernel_confirms(void **state)
{
	struct scan_report *report;

	(void)state;
	start(lying);
	report = scan(3);
	NEW(report, 0, 0, 4);
	assert_int_equal(report->list[0].slot, 500);
	assert_int_equal(report->list[0].record.source_type, PMEM2FS_SOURCE_FILE);
	assert_int_equal(report->list[0].record.source_rdev, 0);
	assert_int_equal(report->list[0].record.protection, 1);
	assert_int_equal(report->list[0].record.sharing, PMEM2_PRIVATE);
	NEW(report, 1, 32, 4);
	NEW(report, 2, 8, 4);
	scan_report_free(report);
	stop();
}

static struct table_header *second_table;

static void overlapping(unsigned number)
{
	struct pmem2fs_record record;

	if (number == 0) {
		make_table(100);
		second_table = forge_table("pmem2fs", TABLE_VERSION, 100, TABLE_SEALS);
		if (second_table < table) { /* tables are found in the order of their addresses */
			struct table_header *first = second_table;

			second_table = table;
			table = first;
		}
		put(0, 32, RW, MAP_SHARED, plain, 0);
		claim(3, 4, 4, plain, 4);
		claim(4, 7, 4, plain, 7); /* overlaps the one before */
		claim(5, 2, 8, plain, 2); /* contains slot 4 */
		claim(6, 5, 1, plain, 5); /* is inside slot 4 */
		claim(7, 8, 4, plain, 8); /* touches it; overlaps only what is refused */
		claim(8, 0, 4, plain, 0); /* touches it from below */
		record = truth(11, 2, plain, 11);
		publish(second_table, 0, &record); /* overlaps slot 7 */
		record = truth(12, 2, plain, 12);
		publish(second_table, 1, &record);
	} else if (number == 1) {
		retire(table, 3);
	}
}

static void what_overlaps_is_told_once(void **state)
{
	struct scan_report *report;

	(void)state;
	start(overlapping);
	report = scan(4);
	NEW(report, 0, 4, 4);
	NEW(report, 1, 8, 4);
	NEW(report, 2, 0, 4);
	NEW(report, 3, 12, 2);
	assert_int_not_equal(report->list[2].table, report->list[3].table);
	scan_report_free(report);
	scan(0);
	step(); /* slots 4 and 6 replace it, so slot 7 is refused, and so on */
	report = scan(6);
	GONE(report, 0);
	NEW(report, 1, 7, 4);
	NEW(report, 2, 5, 1);
	GONE(report, 3);
	NEW(report, 4, 11, 2);
	GONE(report, 5);
	scan_report_free(report);
	scan(0);
	stop();
}

/* A part that the program has unmapped by itself may hold another mapping. */
static void in_a_hole(unsigned number)
{
	if (number)
		return;
	make_table(100);
	put(0, 3, RW, MAP_SHARED, plain, 0);
	put(3, 2, RW, MAP_SHARED, other, 0);
	put(5, 5, RW, MAP_SHARED, plain, 5);
	claim(0, 0, 10, plain, 0);
	claim(1, 3, 2, other, 0);
}

static void a_hole_is_free(void **state)
{
	struct scan_report *report;

	(void)state;
	start(in_a_hole);
	report = scan(2);
	NEW(report, 0, 0, 10);
	assert_int_equal(report->list[0].extents->count, 2);
	NEW(report, 1, 3, 2);
	assert_null(report->list[1].extents);
	scan_report_free(report);
	stop();
}

enum { MANY = 200000 };

/* As many published ranges as there is room for, of all parts, in every order. */
static void piling_up(unsigned number)
{
	if (number)
		return;
	make_table(MANY);
	for (uint32_t i = 0; i < FILE_PAGES; i += 2)
		put(i, 1, RW, MAP_SHARED, plain, i);
	claim(0, 0, FILE_PAGES, plain, 0);
	for (uint32_t i = 1; i < MANY; i++)
		claim(i, i % FILE_PAGES, FILE_PAGES - i % FILE_PAGES, plain, i % FILE_PAGES);
}

static void a_heap_of_claims_is_one(void **state)
{
	struct scan_report *report;

	(void)state;
	start(piling_up);
	report = scan(1);
	NEW(report, 0, 0, FILE_PAGES);
	assert_int_equal(report->list[0].extents->count, FILE_PAGES / 2);
	scan_report_free(report);
	scan(0);
	stop();
}

static void true_heap(unsigned number)
{
	if (number)
		return;
	make_table(1000);
	for (uint32_t i = 0; i < 500; i++) {
		put(2 * i, 1, RW, MAP_SHARED, plain, 1);
		claim(i, 2 * i, 1, plain, 1);
	}
}

static void no_more_than_there_is_room_for(void **state)
{
	(void)state;
	start(true_heap);
	context.room = 100;
	scan_report_free(scan(100));
	assert_true(context.left_out);
	assert_int_equal(scanned_process_count(process), 100);
	scan(0);
	context.room = 1000;
	context.left_out = false;
	scan_report_free(scan(400));
	assert_false(context.left_out);
	context.room = 0;
	scan_report_free(scan(500));
	assert_int_equal(scanned_process_count(process), 0);
	stop();
}

static void *flip(void *unused)
{
	struct pmem2fs_record one = truth(0, 4, plain, 2), two = truth(0, 2, plain, 2);

	(void)unused;
	memset(two.label, 'x', 200);
	two.label_length = 200;
	for (;;)
		for (uint32_t slot = 0; slot < 100; slot++) {
			publish(table, slot, &one);
			publish(table, slot, &two);
		}
	return NULL;
}

static void flipping(unsigned number)
{
	pthread_t thread;

	if (number)
		return;
	make_table(100);
	put(0, 4, RW, MAP_SHARED, plain, 2);
	must(!pthread_create(&thread, NULL, flip, NULL));
}

/* No mapping is reported that is half of one record and half of another. */
static void slots_that_change_all_the_time(void **state)
{
	struct scan_report *report;

	(void)state;
	start(flipping);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(process_scan(process, &context, &report), 0);
		for (size_t j = 0; report && j < report->count; j++) {
			const struct scan_event *event = &report->list[j];

			if (event->kind == SCAN_EVENT_GONE)
				continue;
			assert_int_equal(event->record.length == 4 * PAGE,
					 event->record.label_length == 0);
		}
		scan_report_free(report);
		assert_true(scanned_process_count(process) <= 1);
	}
	stop();
}

/* --- which files are tables --- */

static void wrong_tables(unsigned number)
{
	struct pmem2fs_record record;
	struct table_header *wrong[4];
	int fd;

	if (number)
		return;
	put(0, 4, RW, MAP_SHARED, plain, 2);
	record = truth(0, 4, plain, 2);
	wrong[0] = forge_table("pmem2fs", TABLE_VERSION + 1, 10, TABLE_SEALS);
	wrong[1] = forge_table("pmem2fs", TABLE_VERSION, 10, 0);
	wrong[2] = forge_table("pmem2fs", TABLE_VERSION, 10, TABLE_SEALS & ~F_SEAL_SHRINK);
	wrong[3] = forge_table("pmem3fs", TABLE_VERSION, 10, TABLE_SEALS);
	for (int i = 0; i < 4; i++)
		publish(wrong[i], 0, &record);
	fd = memfd_create("pmem2fs", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_HUGETLB);
	if (fd >= 0 && !ftruncate(fd, 2 << 20))
		(void)!mmap(NULL, 2 << 20, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
}

static void what_is_no_table_is_passed_over(void **state)
{
	(void)state;
	start(wrong_tables);
	scan(0);
	assert_int_equal(process->table_count, 0);
	assert_true(process->warned_version);
	scan(0);
	stop();
}

static void seven_tables(unsigned number)
{
	if (number == 0) {
		put(0, 16, RW, MAP_SHARED, plain, 0);
		for (uint32_t i = 0; i < 7; i++) {
			make_table(10);
			claim(0, 2 * i, 1, plain, 2 * i);
		}
	} else if (number == 1) {
		must(execlp("sleep", "sleep", "100", NULL) == 0);
	}
}

static void four_tables_are_enough(void **state)
{
	char byte = 0;

	(void)state;
	start(seven_tables);
	scan_report_free(scan(4));
	assert_int_equal(process->table_count, 4);
	scan(0);
	/* exec closes the pipe, whose end shows that it is done. */
	assert_int_equal(write(publisher.to, &byte, 1), 1);
	assert_int_equal(read(publisher.from, &byte, 1), 0);
	scan_report_free(scan(4));
	assert_int_equal(process->table_count, 0);
	stop();
}

static void handing_over(unsigned number)
{
	if (number == 0) {
		put(0, 4, RW, MAP_SHARED, plain, 2);
		make_table(10);
		claim(0, 0, 4, plain, 2);
	}
}

/*
 * A passed table counts only for the process that has it mapped, and no kind of descriptor makes
 * the scan hang.
 */
static void what_is_handed_over(void **state)
{
	int fds[2], fd, path;
	struct table_header *ours;

	(void)state;
	start(handing_over);
	ours = forge_table_fd("pmem2fs", TABLE_VERSION, 10, 0, &fd);
	assert_int_equal(ftruncate(fd, (off_t)1 << 36), 0); /* it would take long to free */
	assert_int_equal(fcntl(fd, F_ADD_SEALS, TABLE_SEALS), 0);
	scanned_process_pass_table(process, fd);
	assert_int_equal(process->table_count, 0);
	close(fd);
	munmap(ours, ours->header_size);
	ours = forge_table_fd("pmem2fs", TABLE_VERSION, 10, TABLE_SEALS, &fd);
	scanned_process_pass_table(process, fd);
	assert_int_equal(process->table_count, 1);
	scanned_process_pass_table(process, fd);
	assert_int_equal(process->table_count, 1);
	scan_report_free(scan(1)); /* only its own table */
	assert_int_equal(process->table_count, 1);
	close(fd);
	munmap(ours, ours->header_size);

	assert_int_equal(pipe(fds), 0);
	scanned_process_pass_table(process, fds[0]);
	scanned_process_pass_table(process, plain);
	path = open("/proc/self/exe", O_PATH | O_CLOEXEC);
	scanned_process_pass_table(process, path);
	scanned_process_pass_table(process, -1);
	assert_int_equal(process->table_count, 1);
	scan(0);
	close(path);
	close(fds[0]);
	close(fds[1]);
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shows_only_what_the_kernel_confirms, begin, end),
		cmocka_unit_test_setup_teardown(what_overlaps_is_told_once, begin, end),
		cmocka_unit_test_setup_teardown(a_hole_is_free, begin, end),
		cmocka_unit_test_setup_teardown(a_heap_of_claims_is_one, begin, end),
		cmocka_unit_test_setup_teardown(no_more_than_there_is_room_for, begin, end),
		cmocka_unit_test_setup_teardown(slots_that_change_all_the_time, begin, end),
		cmocka_unit_test_setup_teardown(what_is_no_table_is_passed_over, begin, end),
		cmocka_unit_test_setup_teardown(four_tables_are_enough, begin, end),
		cmocka_unit_test_setup_teardown(what_is_handed_over, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
