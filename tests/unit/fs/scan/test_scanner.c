/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_scanner.c - which of the processes of this host are scanned, and when
 */
#include "host/proc_maps.h"
#include "scan/scan_rights.h"
#include "scanner_helper.h"
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>

static pid_t unreadable; /* for want of files: the whole system has too many */

int __real_maps_read(struct maps *maps, pid_t pid);
int __wrap_maps_read(struct maps *maps, pid_t pid);

int __wrap_maps_read(struct maps *maps, pid_t pid)
{
	return pid == unreadable ? -ENFILE : __real_maps_read(maps, pid);
}

static bool stands_still; /* the clock */
static uint64_t races;    /* ns by which the clock goes on whenever it is read */

int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *now);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
	static uint64_t ahead;
	int error;

	if (!stands_still) {
		error = __real_clock_gettime(clock, now);
		ahead += races;
		*now = clock_timespec((uint64_t)now->tv_sec * CLOCK_SECOND +
				      (uint64_t)now->tv_nsec + ahead);
		return error;
	}
	*now = (struct timespec){.tv_sec = 1000};
	return 0;
}

/* The process that ends when its status is about to be read; NULL: none. */
static struct publisher *ending;
static bool stays_zombie;

int __real_proc_ids(pid_t pid, uid_t *uid, gid_t *gid);
int __wrap_proc_ids(pid_t pid, uid_t *uid, gid_t *gid);

int __wrap_proc_ids(pid_t pid, uid_t *uid, gid_t *gid)
{
	struct publisher *publisher = ending;

	if (publisher && pid == publisher->pid) {
		ending = NULL;
		assert_int_equal(kill(pid, SIGKILL), 0);
		assert_int_equal(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
		if (!stays_zombie)
			publisher_stop(publisher);
	}
	return __real_proc_ids(pid, uid, gid);
}

/* The report of one process; those of others are freed. */
static struct scan_report *of(struct scan_report *report, pid_t pid)
{
	struct scan_report *found = NULL;

	while (report) {
		struct scan_report *next = report->next;

		report->next = NULL;
		if (report->pid == pid && !report->gone) {
			assert_null(found);
			found = report;
		} else {
			scan_report_free(report);
		}
		report = next;
	}
	return found;
}

static void finds_who_publishes(void **state)
{
	struct publisher one, two;
	struct scan_report *first, *second;
	uint64_t process, number;

	(void)state;
	publisher_start(&one, publishing);
	publisher_start(&two, publishing);
	first = look_with(SCAN_ALL, 0, NULL);
	first = of(first, one.pid);
	assert_non_null(first);
	assert_true(first->born);
	assert_int_equal(first->count, 1);
	assert_int_equal(first->uid, geteuid());
	process = first->process;
	number = first->list[0].number;
	scan_report_free(first);
	assert_null(of(look_with(SCAN_ALL, 0, NULL), one.pid));

	publisher_stop(&two);
	publisher_start(&two, publishing);
	second = of(look_with(SCAN_ALL, 0, NULL), two.pid);
	assert_non_null(second);
	assert_int_not_equal(second->process, process);
	assert_int_not_equal(second->list[0].number, number);
	scan_report_free(second);

	publisher_step(&one);
	first = of(look_with(SCAN_KNOWN, 0, NULL), one.pid);
	assert_non_null(first);
	assert_int_equal(first->list[0].kind, SCAN_EVENT_GONE);
	assert_int_equal(first->list[0].number, number);
	scan_report_free(first);
	assert_null(of(look_with(SCAN_KNOWN, 0, NULL), one.pid));
	publisher_step(&one); /* without a table the process is forgotten */
	assert_gone(look_with(SCAN_KNOWN, 0, NULL), process);
	publisher_stop(&one);
	publisher_stop(&two);
}

static void an_end_shows_at_every_kind_of_look(void **state)
{
	static const enum scan_kind kinds[] = {SCAN_ONE, SCAN_KNOWN, SCAN_ALL};
	struct publisher publisher;
	struct scan_report *report;
	uint64_t process;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		publisher_start(&publisher, publishing);
		report = look_with(SCAN_ONE, publisher.pid, NULL);
		assert_true(report && report->born && !report->next);
		process = report->process;
		scan_report_free(report);
		assert_null(look_with(SCAN_ONE, publisher.pid, NULL));
		publisher_stop(&publisher);
		assert_gone(look_with(kinds[i], publisher.pid, NULL), process);
		assert_null(look_with(SCAN_ONE, publisher.pid, NULL));
	}
}

static void those_to_be_skipped_are_skipped(void **state)
{
	struct publisher publisher;
	struct passed_table *given;

	(void)state;
	publisher_start(&publisher, publishing);
	skip.own[1] = publisher.pid;
	assert_null(of(look_with(SCAN_ALL, 0, NULL), publisher.pid));
	assert_null(look_with(SCAN_ONE, publisher.pid, NULL));
	given = calloc(1, sizeof(*given));
	assert_non_null(given);
	*given = (struct passed_table){.pid = publisher.pid,
				       .pidfd = pidfd_of(publisher.pid),
				       .fd = open("/dev/null", O_RDONLY | O_CLOEXEC)};
	assert_null(of(look_with(SCAN_KNOWN, 0, given), publisher.pid));
	publisher_stop(&publisher);
}

/* Every part ends after a process. What is scanned between two parts is not reported again. */
static void scans_in_parts(void **state)
{
	struct publisher one, two;
	struct scan all = {.kind = SCAN_ALL, .pauses = true};
	struct scan between = {.kind = SCAN_ONE, .between = true};
	struct scan_report *reports = NULL, **end = &reports;
	unsigned parts = 0;

	(void)state;
	publisher_start(&one, publishing);
	publisher_start(&two, publishing);
	between.pid = two.pid;
	races = SCAN_PART;
	do {
		scanner_scan(scanner, &all);
		*end = all.report;
		while (*end) {
			assert_int_not_equal((*end)->pid, two.pid);
			end = &(*end)->next;
		}
		if (!parts++) {
			scan_whole(scanner, &between);
			between.report = of(between.report, two.pid);
			assert_non_null(between.report);
			scan_report_free(between.report);
		}
	} while (all.more);
	races = 0;
	assert_true(parts > 2);
	reports = of(reports, one.pid);
	assert_non_null(reports);
	assert_true(all.came_through);
	scan_report_free(reports);
	free(all.passed_over);
	/* Nobody waits. */
	all = (struct scan){.kind = SCAN_KNOWN};
	races = SCAN_PART;
	scanner_scan(scanner, &all);
	races = 0;
	assert_false(all.more);
	assert_null(all.report);
	publisher_stop(&one);
	publisher_stop(&two);
}

/*
 * A scan that leaves a process out must not be reported as complete: a device that it uses would
 * seem free.
 */
static void without_one_in_which_others_are_stuck_nothing_is_complete(void **state)
{
	struct publisher publisher;
	struct scan scan = {.kind = SCAN_KNOWN};
	struct scan_report *report;

	(void)state;
	publisher_start(&publisher, publishing);
	report = of(look_with(SCAN_ALL, 0, NULL), publisher.pid);
	assert_non_null(report);
	scan_report_free(report);
	scan_whole(scanner, &scan);
	assert_true(scan.complete);
	skip.stuck_threads.stuck[STUCK_THREADS_MAX - 1] = publisher.pid;
	scan = (struct scan){.kind = SCAN_KNOWN};
	scan_whole(scanner, &scan);
	assert_false(scan.complete);
	/* Many threads hang in other processes of the same user. */
	for (unsigned i = 0; i < STUCK_THREADS_MAX - 1; i++) {
		skip.stuck_threads.stuck[i] = getpid();
		skip.stuck_threads.users[i] = geteuid();
	}
	skip.stuck_threads.stuck[STUCK_THREADS_MAX - 1] = 0;
	publisher_step(&publisher); /* retires its record */
	scan = (struct scan){.kind = SCAN_KNOWN};
	scan_whole(scanner, &scan);
	assert_false(scan.complete);
	assert_null(scan.report);
	skip.stuck_threads = (struct stuck_threads){0};
	publisher_stop(&publisher);
}

static void what_cannot_be_read_is_not_complete(void **state)
{
	struct publisher publisher;
	struct scan scan = {.kind = SCAN_ONE};

	(void)state;
	publisher_start(&publisher, publishing);
	scan.pid = unreadable = publisher.pid;
	scan_whole(scanner, &scan);
	assert_false(scan.complete);
	assert_null(scan.report);
	unreadable = 0;
	scan = (struct scan){.kind = SCAN_ONE, .pid = publisher.pid};
	scan_whole(scanner, &scan);
	assert_true(scan.complete);
	assert_non_null(scan.report);
	scan_report_free(scan.report);
	publisher_stop(&publisher);
}

#define CLAIMS 2000u

static void restless(unsigned number)
{
	struct pmem2fs_record record;

	if (number == 0) {
		table = forge_table("pmem2fs", TABLE_VERSION, CLAIMS, TABLE_SEALS);
		put(0, CLAIMS, RW, MAP_PRIVATE, -1, 0);
		must(!setresuid(4711, 4711, 4711)); /* root's processes get no pauses */
	} else if (number == 2) {
		take(0, 1);
		return;
	}
	for (uint32_t i = 0; i < CLAIMS; i++) {
		record = truth(i, 1, -1, 0);
		publish(table, i, &record);
	}
}

/* The areas change while the tables, which always change, are not read. */
static void a_pause_is_not_complete(void **state)
{
	struct publisher publisher;

	(void)state;
	stands_still = true;
	publisher_start(&publisher, restless);
	scan_report_free(look_with(SCAN_ONE, publisher.pid, NULL));
	for (int i = 0; i < 3; i++) {
		struct scan scan = {.kind = SCAN_KNOWN};

		publisher_step(&publisher);
		scan_whole(scanner, &scan);
		assert_int_equal(scan.complete, i == 0);
		assert_int_equal(!scan.report, i > 0);
		scan_report_free(scan.report);
	}
	publisher_stop(&publisher);
	stands_still = false;
}

static struct scan_report *scan_ending(struct publisher *publisher)
{
	struct scan scan = {.kind = SCAN_ONE, .pid = publisher->pid};

	ending = publisher;
	scan_whole(scanner, &scan);
	assert_null(ending);
	assert_true(scan.complete);
	return scan.report;
}

/* Its end is found between the look whether it lives and the reading of its status. */
static void one_that_ends_while_it_is_scanned(void **state)
{
	struct publisher publisher;
	struct scan_report *report;
	uint64_t process;

	(void)state;
	for (int i = 0; i < 4; i++) {
		bool known = i / 2;

		stays_zombie = i % 2;
		publisher_start(&publisher, publishing);
		report = known ? look_with(SCAN_ONE, publisher.pid, NULL) : NULL;
		process = known ? report->process : 0;
		scan_report_free(report);
		report = scan_ending(&publisher);
		if (known)
			assert_gone(report, process);
		else
			assert_null(report);
		assert_null(look_with(SCAN_KNOWN, 0, NULL));
		if (stays_zombie)
			publisher_stop(&publisher);
	}
}

/*
 * A user's process that takes more than the user's time is left out for a while, but its mappings
 * stay known.
 */
static void heavy(unsigned number)
{
	struct pmem2fs_record record;

	if (number == 0) {
		table = forge_table("pmem2fs", TABLE_VERSION, 60000, TABLE_SEALS);
		for (uint32_t i = 0; i < 10000; i++) {
			put(2 * i, 1, RW, MAP_SHARED, file, 2);
			record = truth(2 * i, 1, file, 2);
			publish(table, i, &record);
		}
		must(!setresuid(4711, 4711, 4711));
	} else if (number == 1) {
		for (uint32_t i = 0; i < 10000; i++)
			retire(table, i);
	}
}

static void who_takes_too_long_waits(void **state)
{
	struct publisher publisher;
	bool complete = true;
	struct scan_report *report;

	(void)state;
	publisher_start(&publisher, heavy);
	report = look_with(SCAN_ONE, publisher.pid, NULL);
	assert_int_equal(report->count, 10000);
	scan_report_free(report);
	for (int i = 0; complete && i < 10000; i++) {
		struct scan scan = {.kind = SCAN_KNOWN};

		scan_whole(scanner, &scan);
		assert_null(scan.report);
		complete = scan.complete;
	}
	assert_false(complete);
	publisher_step(&publisher);
	/* A scan of that process alone is always made. */
	report = look_with(SCAN_ONE, publisher.pid, NULL);
	assert_int_equal(report->count, 10000);
	scan_report_free(report);
	publisher_stop(&publisher);
}

static bool is_passed_over(const struct scan *scan, pid_t pid)
{
	for (size_t i = 0; i < scan->passed_count; i++)
		if (scan->passed_over[i] == pid)
			return true;
	return false;
}

/* No process of the user adds to the reports, and the scan does not count as complete. */
static void a_user_whose_reports_wait(void **state)
{
	static const enum scan_kind kinds[] = {SCAN_ONE, SCAN_KNOWN, SCAN_ALL};
	struct publisher known, newer;
	struct user_set behind = {0};

	(void)state;
	publisher_start(&known, publishing);
	scan_report_free(look_with(SCAN_ONE, known.pid, NULL));
	publisher_step(&known);
	publisher_start(&newer, publishing);
	assert_int_equal(user_set_add(&behind, geteuid()), 0);
	user_set_sort(&behind);
	for (size_t i = 0; i < 3; i++) {
		struct scan scan = {.kind = kinds[i], .pid = newer.pid, .behind = behind};

		scan_whole(scanner, &scan);
		assert_int_equal(scan.came_through, kinds[i] == SCAN_ALL);
		assert_int_equal(is_passed_over(&scan, known.pid), kinds[i] == SCAN_ALL);
		assert_int_equal(is_passed_over(&scan, newer.pid), kinds[i] == SCAN_ALL);
		free(scan.passed_over);
		assert_null(of(scan.report, i == 1 ? known.pid : newer.pid));
		assert_false(scan.complete);
		assert_false(scan.looked);
	}
	user_set_clear(&behind);
	for (size_t i = 0; i < 2; i++) {
		struct scan scan = {.kind = SCAN_ONE, .pid = i ? newer.pid : known.pid};

		scan_whole(scanner, &scan);
		assert_true(scan.looked);
		assert_non_null(scan.report);
		assert_int_equal(scan.report->count, 1);
		scan_report_free(scan.report);
	}
	publisher_stop(&known);
	publisher_stop(&newer);
}

static void do_nothing(unsigned number)
{
	(void)number;
}

/* `looked` is set for a process without mappings, and not if its areas cannot be read. */
static void a_process_with_nothing(void **state)
{
	struct publisher publisher;

	(void)state;
	publisher_start(&publisher, do_nothing);
	for (int i = 0; i < 2; i++) {
		struct scan scan = {.kind = SCAN_ONE, .pid = publisher.pid};

		unreadable = i ? publisher.pid : 0;
		scan_whole(scanner, &scan);
		assert_null(scan.report);
		assert_int_equal(scan.looked, !i);
	}
	unreadable = 0;
	publisher_stop(&publisher);
}

/* A program that other users may not read in /proc, and that runs as another user. */
static void as_another(unsigned number)
{
	publishing(number);
	if (number == 0)
		must(!setresgid(4711, 4712, 4711) && !setresuid(4711, 4712, 4711));
}

static void the_effective_user_is_the_owner(void **state)
{
	struct publisher publisher;
	struct scan_report *report;

	(void)state;
	publisher_start(&publisher, as_another);
	report = look_with(SCAN_ONE, publisher.pid, NULL);
	assert_non_null(report);
	assert_int_equal(report->uid, 4712);
	assert_int_equal(report->gid, 4712);
	assert_int_equal(report->list[0].record.uid, 4712);
	scan_report_free(report);
	publisher_stop(&publisher);
}

/*
 * Without the right to read others' files in /proc, their mappings are not found, and the scan is
 * not complete.
 */
static void looking_without_rights(unsigned number)
{
	struct scan scan = {.kind = SCAN_ALL};
	struct scan_exclusions nobody = {0};

	(void)number;
	must(!setresgid(4711, 4711, 4711) && !setresuid(4711, 4711, 4711));
	must(!scan_rights_see_all());
	scanner = scanner_new(&nobody);
	must(scanner != NULL);
	scan_whole(scanner, &scan);
	must(!scan.report && !scan.complete);
	scanner_free(scanner);
}

static void without_rights_it_is_not_complete(void **state)
{
	struct publisher owner, looker;

	(void)state;
	publisher_start(&owner, publishing);
	publisher_start(&looker, looking_without_rights);
	publisher_stop(&looker);
	publisher_stop(&owner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scans_in_parts, begin, end),
		cmocka_unit_test_setup_teardown(finds_who_publishes, begin, end),
		cmocka_unit_test_setup_teardown(an_end_shows_at_every_kind_of_look, begin, end),
		cmocka_unit_test_setup_teardown(those_to_be_skipped_are_skipped, begin, end),
		cmocka_unit_test_setup_teardown(
			without_one_in_which_others_are_stuck_nothing_is_complete, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_not_complete, begin, end),
		cmocka_unit_test_setup_teardown(a_pause_is_not_complete, begin, end),
		cmocka_unit_test_setup_teardown(one_that_ends_while_it_is_scanned, begin, end),
		cmocka_unit_test_setup_teardown(who_takes_too_long_waits, begin, end),
		cmocka_unit_test_setup_teardown(a_process_with_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_user_whose_reports_wait, begin, end),
		cmocka_unit_test_setup_teardown(the_effective_user_is_the_owner, begin, end),
		cmocka_unit_test_setup_teardown(without_rights_it_is_not_complete, begin, end),
	};

	if (geteuid())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
