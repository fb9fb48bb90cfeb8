/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_process_table.c - when the scanner is started, and how its reports change the catalog
 */
#include "catalog/mapping_fields.h"
#include "process_table_helper.h"

static void label(struct scan_event *event, const char *text)
{
	event->record.label_length = (uint8_t)strlen(text);
	memcpy(event->record.label, text, strlen(text));
}

static void scans_only_when_asked(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};

	rig_poll(fixture->rig);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 0);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_true(process_table_complete(fixture->process_table));
	/* No process is known, so within a second there is nothing to scan again. */
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 1);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	assert_int_equal(fake.scan_queue[SCAN_KNOWN], 0);
	fake.incomplete = true;
	scan(fixture, NULL);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 2);
	assert_false(process_table_complete(fixture->process_table));
}

static void scans_the_process_of_a_name(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};

	assert_int_equal(process_table_scan_name(fixture->process_table, 0, "log", &wait.waiter),
			 1);
	assert_int_equal(
		process_table_scan_name(fixture->process_table, 0, "x.4711.y", &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ONE], 1);
	assert_int_equal(fake.last_pid, 4711);
	/* All processes were scanned shortly before: that process has no mappings. */
	scan(fixture, NULL);
	assert_int_equal(
		process_table_scan_name(fixture->process_table, 0, "x.4711.y", &wait.waiter), 1);
	wait.woken = false;
	assert_int_equal(process_table_scan_pid(fixture->process_table, 4712, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.last_pid, 4712);
}

/* Of which scan it is known that a mapping was still there. */
static void when_a_mapping_was_seen(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};
	uint64_t before = clock_now(), seen;
	struct mapping *mapping;
	size_t place;

	scan(fixture, news_new(fixture, 1, 1));
	mapping = catalog_after(fixture->rig->modules.catalog, 0, &place);
	seen = process_table_seen(fixture->process_table, mapping);
	assert_true(seen >= before && seen <= clock_now());
	assert_int_equal(process_table_scan_pid(fixture->process_table, 4712, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(process_table_seen(fixture->process_table, mapping), seen);
	wait.woken = false;
	before = clock_now();
	assert_int_equal(
		process_table_scan_pid(fixture->process_table, fixture->child, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_true(process_table_seen(fixture->process_table, mapping) >= before);
	before = clock_now();
	scan(fixture, NULL);
	assert_true(process_table_seen(fixture->process_table, mapping) >= before);
}

static void many_who_wait_share_a_look(void **state)
{
	struct fixture *fixture = *state;
	struct wait waits[3] = {0};

	fake.newest->stops = true;
	for (size_t i = 0; i < 3; i++)
		scan_for_user(fixture, &waits[i]);
	fake.newest->stops = false; /* the first scan waits already, or does not wait */
	sem_post(&fake.newest->go);
	for (size_t i = 0; i < 3; i++)
		rig_run(fixture->rig, &waits[i].woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 2);
}

static void enters_what_is_new(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, 4);
	struct mapping *mapping;

	label(&report->list[0], "wal");
	label(&report->list[1], "wal");
	report->list[2].origin = ORIGIN_OBSERVED;
	/* Its address is already the label of another mapping. */
	label(&report->list[3], "0x30000");
	report->list[2].record.address = 0x30000;
	scan(fixture, report);
	assert_int_equal(shown(fixture), 4);
	mapping = find(fixture, "a_out.%d.wal");
	assert_non_null(mapping);
	assert_int_equal(mapping_version(mapping)->origin, ORIGIN_PUBLISHED);
	assert_int_equal(mapping_process(mapping)->pid, fixture->child);
	assert_non_null(find(fixture, "a_out.%d.0x20000"));
	mapping = find(fixture, "a_out.%d.0x30000");
	assert_non_null(mapping);
	assert_int_equal(mapping_version(mapping)->origin, ORIGIN_OBSERVED);
	assert_non_null(find(fixture, "a_out.%d.0x40000"));
	/* They do not count towards a user's limit of mappings made through the file system. */
	assert_int_equal(catalog_count_of(fixture->rig->modules.catalog, 7), 0);
	assert_int_equal(catalog_totals(fixture->rig->modules.catalog).entries, 0);
}

static void finds_a_name_when_both_are_taken(void **state)
{
	struct fixture *fixture = *state;
	struct catalog *catalog = fixture->rig->modules.catalog;
	struct mapping *reserved;
	char name[64];

	size_t place;

	snprintf(name, sizeof(name), "a_out.%d.0x10000", (int)fixture->child);
	assert_int_equal(catalog_reserve(catalog, name, 0, &reserved), 0);
	scan(fixture, news_new(fixture, 1, 1));
	assert_int_equal(shown(fixture), 1);
	strcat(name, ".");
	assert_memory_equal(mapping_name(catalog_after(catalog, 0, &place)), name, strlen(name));
	catalog_remove(catalog, reserved);
}

static void follows_changes(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report;
	struct mapping *mapping;
	uint64_t number;

	scan(fixture, news_new(fixture, 1, 2));
	mapping = find(fixture, "a_out.%d.0x10000");
	number = mapping_number(mapping);
	mapping->checked = clock_now();

	report = more_news(fixture, 1, 3);
	report->list[0].kind = SCAN_EVENT_CHANGED;
	report->list[0].number = 1;
	report->list[0].record.length = 8192;
	report->list[0].extents = extents_new();
	assert_int_equal(extents_append(&report->list[0].extents, 4096, 8192), 0);
	/*
	 * A mapping that replaces another one gets its name, in whatever order both are reported.
	 */
	report->list[1].record.address = 0x20000;
	report->list[2].kind = SCAN_EVENT_GONE;
	report->list[2].number = 2;
	scan(fixture, report);
	assert_int_equal(shown(fixture), 2);
	assert_ptr_equal(find(fixture, "a_out.%d.0x10000"), mapping);
	assert_int_equal(mapping_number(mapping), number);
	assert_int_equal(version_mapped(mapping_version(mapping)), 4096);
	assert_int_equal(mapping_checked(mapping), 0);
	mapping = find(fixture, "a_out.%d.0x20000");
	assert_int_equal(mapping_scan_state(mapping)->number, report ? 4 : 0);

	report = more_news(fixture, 1, 0);
	report->gone = true;
	scan(fixture, report);
	assert_int_equal(shown(fixture), 0);
	/* A report of a process that is no longer known. */
	report = more_news(fixture, 1, 1);
	scan(fixture, report);
	assert_int_equal(shown(fixture), 0);
}

static void notices_the_end_of_a_process(void **state)
{
	struct fixture *fixture = *state;
	unsigned descriptors = rig_descriptors();

	scan(fixture, news_new(fixture, 1, 3));
	assert_int_equal(shown(fixture), 3);
	end_child(fixture);
	rig_poll(fixture->rig);
	assert_int_equal(shown(fixture), 0);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 1);
	process_table_expire(fixture->process_table, clock_now());
	assert_int_equal(rig_descriptors(), descriptors);
}

/* The end of the former process has not been reported yet. */
static void a_reused_pid_is_another_process(void **state)
{
	struct fixture *fixture = *state;

	scan(fixture, news_new(fixture, 1, 1));
	scan(fixture, news_new(fixture, 2, 1));
	assert_int_equal(shown(fixture), 1);
	assert_non_null(find(fixture, "a_out.%d.0x20000"));
}

/* Reports of different users overtake each other. */
static void a_late_report_of_a_former_process(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, 1);
	unsigned descriptors = rig_descriptors();

	report->uid = 7;
	quota_charge(&loop_time, quota_of(&loop_time, 7), clock_now(), 1000 * CLOCK_SECOND);
	scan(fixture, report);
	assert_int_equal(shown(fixture), 0);
	report = more_news(fixture, 1, 0);
	report->uid = 7;
	report->gone = true;
	report->next = news_new(fixture, 2, 1);
	scan(fixture, report);
	assert_int_equal(shown(fixture), 1);
	quota_of(&loop_time, 7)->credit = (int64_t)CLOCK_SECOND / 5;
	process_table_expire(fixture->process_table, clock_now());
	assert_true(process_table_complete(fixture->process_table));
	assert_int_equal(shown(fixture), 1);
	assert_non_null(find(fixture, "a_out.%d.0x20000"));
	assert_int_equal(rig_descriptors(), descriptors);
}

static void pass_table(struct fixture *fixture, pid_t pid)
{
	const struct ucred who = {.pid = pid, .uid = 1000};

	process_table_pass_table(fixture->process_table, &who, -1, open("/dev/null", O_RDONLY));
}

static void hands_tables_over(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};

	pass_table(fixture, 4711);
	assert_int_equal(fake.tables, 0);
	scan(fixture, NULL);
	assert_int_equal(fake.tables, 1);
	/* A passed table causes a scan, however shortly after the last one. */
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 1);
	pass_table(fixture, 4711);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.tables, 2);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 1);
	/* Without scans, passed tables do not pile up. */
	for (int i = 0; i < 64; i++)
		pass_table(fixture, 5000 + i);
	process_table_scan_pid(fixture->process_table, 1, (wait.woken = false, &wait.waiter));
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.tables, 66);
	assert_int_equal(fake.scan_queue[SCAN_CHANGED], 2);
	/* Of one process, no more tables are kept than it can have. */
	assert_true(process_table_complete(fixture->process_table));
	for (int i = 0; i < 6; i++)
		pass_table(fixture, 4711);
	assert_false(process_table_complete(fixture->process_table));
	process_table_scan_pid(fixture->process_table, 1, (wait.woken = false, &wait.waiter));
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.tables, 70);
}

/* A process may announce each of its tables before a receiver brings it. */
static void announcements_take_no_room_from_tables(void **state)
{
	struct fixture *fixture = *state;
	const struct ucred who = {.pid = 4711, .uid = 1000};
	struct wait wait = {.waiter.wake = wake};

	for (int i = 0; i < 4; i++) {
		process_table_pass_table(fixture->process_table, &who, -1, -1);
		pass_table(fixture, who.pid);
	}
	process_table_scan_pid(fixture->process_table, 1, &wait.waiter);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.tables, 8);
}

/* All processes of one user pass their tables during one scan. */
static void tables_of_many_processes_wait(void **state)
{
	struct fixture *fixture = *state;
	struct ucred who = {.uid = 1000};
	struct scanner *scanner = fake.newest;
	struct wait first = {.waiter.wake = wake}, second = {.waiter.wake = wake};

	scanner->stops = true;
	process_table_scan_pid(fixture->process_table, 1, &first.waiter);
	for (who.pid = 5000; who.pid < 6000; who.pid++)
		process_table_pass_table(fixture->process_table, &who, -1, -1);
	for (int i = 0; i < 3; i++) /* the passed tables cause a scan, too */
		sem_post(&scanner->go);
	process_table_scan_pid(fixture->process_table, 2, &second.waiter);
	rig_run(fixture->rig, &second.woken);
	assert_int_equal(fake.tables, 1000);
	scanner->stops = false;
}

static void observe_off_shows_what_is_published(void **state)
{
	struct fixture *fixture = *state;
	struct wait wait = {.waiter.wake = wake};
	struct scan_report *report = news_new(fixture, 1, 2);

	process_table_free(fixture->process_table);
	fixture->process_table = new_process_table(fixture, false);
	scan_for_user(fixture, &wait);
	rig_run(fixture->rig, &wait.woken); /* no process is known */
	wait.woken = false;
	assert_int_equal(process_table_scan_name(fixture->process_table, 0, "x.1.y", &wait.waiter),
			 1);
	report->list[1].origin = ORIGIN_OBSERVED;
	fake.next = report;
	pass_table(fixture, fixture->child);
	assert_int_equal(process_table_scan(fixture->process_table, 0, &wait.waiter), 0);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 0);
	assert_int_equal(shown(fixture), 1);
	assert_false(process_table_complete(fixture->process_table));
}

/* Until the new scanner has looked at all, nothing that is shown is complete. */
static void what_begins_anew_is_not_complete(void **state)
{
	struct fixture *fixture = *state;
	struct scan_report *report = news_new(fixture, 1, 1);
	struct wait wait = {.waiter.wake = wake};

	close(report->pidfd); /* its end cannot be watched */
	report->pidfd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	scan(fixture, report);
	scan_for_user(fixture, &wait);
	assert_false(process_table_complete(fixture->process_table));
	rig_run(fixture->rig, &wait.woken);
	assert_true(process_table_complete(fixture->process_table));
}

/*
 * Nothing is missing for good after a failure to apply a report: the scanner reports all of it
 * again.
 */
static void what_was_missed_is_told_again(void **state)
{
	struct fixture *fixture = *state;
	struct scanner *first = fake.newest;
	struct scan_report *report = news_new(fixture, 1, 1);

	/* Its end cannot be watched. */
	close(report->pidfd);
	report->pidfd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	scan(fixture, report);
	assert_int_equal(shown(fixture), 0);
	assert_false(process_table_complete(fixture->process_table));
	scan(fixture, news_new(fixture, 1, 1));
	assert_ptr_not_equal(fake.newest, first);
	assert_int_equal(fake.alive, 1); /* the scan came after the freeing of the first */
	assert_int_equal(shown(fixture), 1);
	assert_true(process_table_complete(fixture->process_table));
}

/* No request waits for long, and a stuck scan is left behind. */
static void survives_a_scanner_that_is_stuck(void **state)
{
	struct fixture *fixture = *state;
	struct scanner *stuck = fake.newest;
	struct wait first = {0}, second = {.waiter.wake = wake};
	uint64_t now;

	scan(fixture, news_new(fixture, 1, 1));
	stuck->stops = true;
	stuck->at = 4711;
	scan_for_user(fixture, &first);
	scan_for_user(fixture, &second);
	now = clock_now();
	process_table_expire(fixture->process_table, now + 3 * CLOCK_SECOND);
	assert_false(first.woken); /* the scan may still end in time */
	process_table_expire(fixture->process_table, now + 6 * CLOCK_SECOND);
	assert_true(first.woken && second.woken);
	assert_false(process_table_complete(fixture->process_table));
	assert_int_equal(shown(fixture), 1);
	for (int i = 8; i <= 14; i += 2)
		process_table_expire(fixture->process_table, now + (uint64_t)i * CLOCK_SECOND);
	/* Another thread has begun, with the scan that waited. */
	assert_ptr_not_equal(fake.newest, stuck);
	assert_int_equal(fake.newest->skip->own[0], getppid());
	assert_int_equal(fake.newest->skip->own[1], getpid());
	assert_int_equal(fake.newest->skip->stuck_threads.stuck[0], 4711);
	assert_int_equal(fake.newest->skip->stuck_threads.stuck[1], 0);
	assert_int_equal(shown(fixture), 1);
	second.woken = false; /* the scan that waited has ended when the next one has */
	assert_int_equal(process_table_scan_pid(fixture->process_table, 1, &second.waiter), 0);
	rig_run(fixture->rig, &second.woken);
	scan(fixture, news_new(fixture, 1, 1));
	assert_int_equal(shown(fixture), 1);
	/* The report of the scan that was left behind is dropped. */
	fake.next = news_new(fixture, 9, 1);
	fake.next->pid = 1;
	sem_post(&stuck->go);
	while (fake.alive > 1)
		rig_poll(fixture->rig);
	while (fake.newest->skip->stuck_threads.stuck[0])
		rig_poll(fixture->rig);
	assert_int_equal(shown(fixture), 1);
}

/* A scan waits until its user has time for a scan, and then that scan may take too long, too. */
static void a_look_that_has_waited(void **state)
{
	struct fixture *fixture = *state;
	struct scanner *scanner = fake.newest;
	struct wait wait = {.user_scan = {.uid = 7, .done = user_scan_done}};
	uint64_t now = clock_now();

	scanner->stops = true;
	process_table_scan_for_user(fixture->process_table, &wait.user_scan);
	while (clock_now() < now + CLOCK_SECOND / 3) /* more than the user has at first */
		usleep(10000);
	sem_post(&scanner->go);
	rig_run(fixture->rig, &wait.woken);
	wait.woken = false;
	process_table_scan_for_user(fixture->process_table, &wait.user_scan);
	now = process_table_expire(fixture->process_table, clock_now());
	assert_true(now != UINT64_MAX);
	assert_true(process_table_expire(fixture->process_table, now) != UINT64_MAX);
	sem_post(&scanner->go);
	rig_run(fixture->rig, &wait.woken);
	assert_int_equal(fake.scan_queue[SCAN_ALL], 2);
	assert_true(process_table_expire(fixture->process_table, clock_now()) == UINT64_MAX);
}

static sem_t begun, may_end;
static bool drained; /* the lane */

static void stop_lane(struct task *task)
{
	(void)task;
	sem_post(&begun);
	while (sem_wait(&may_end))
		;
}

static void do_nothing(struct task *task)
{
	(void)task;
}

static void last_is_done(struct task *task)
{
	(void)task;
	drained = true;
}

/* Nobody waits for scans that cannot be begun, nor takes them for scans that have found nothing. */
static void scans_that_cannot_begin(void **state)
{
	struct fixture *fixture = *state;
	struct pool *pool = fixture->rig->modules.helpers;
	struct scanner *scanner = fake.newest;
	struct wait waits[3] = {[0 ... 2] = {.waiter.wake = wake}};
	static struct task tasks[1001]; /* 1000 fill the lane's queue, and 1 runs */
	size_t count = 0;

	scan(fixture, NULL);
	assert_true(process_table_complete(fixture->process_table));
	sem_init(&begun, 0, 0);
	sem_init(&may_end, 0, 0);
	scanner->stops = true;
	for (pid_t pid = 1; pid <= 3; pid++)
		process_table_scan_pid(fixture->process_table, pid, &waits[pid - 1].waiter);
	tasks[0] = (struct task){.lane = LANE_SCAN, .run = stop_lane, .done = do_nothing};
	assert_int_equal(pool_submit(pool, &tasks[count++]), 0);
	sem_post(&scanner->go);
	while (sem_wait(&begun))
		;
	for (; count < 1001; count++) {
		tasks[count] = (struct task){
			.lane = LANE_SCAN,
			.run = do_nothing,
			.done = count == 1000 ? last_is_done : do_nothing,
		};
		assert_int_equal(pool_submit(pool, &tasks[count]), 0);
	}
	rig_poll(fixture->rig);
	for (size_t i = 0; i < 3; i++)
		assert_true(waits[i].woken);
	assert_false(process_table_complete(fixture->process_table));
	sem_post(&may_end);
	rig_run(fixture->rig, &drained);
	scanner->stops = false;
	scan(fixture, NULL);
	assert_true(process_table_complete(fixture->process_table));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(scans_only_when_asked, begin, end),
		cmocka_unit_test_setup_teardown(scans_the_process_of_a_name, begin, end),
		cmocka_unit_test_setup_teardown(when_a_mapping_was_seen, begin, end),
		cmocka_unit_test_setup_teardown(many_who_wait_share_a_look, begin, end),
		cmocka_unit_test_setup_teardown(enters_what_is_new, begin, end),
		cmocka_unit_test_setup_teardown(finds_a_name_when_both_are_taken, begin, end),
		cmocka_unit_test_setup_teardown(follows_changes, begin, end),
		cmocka_unit_test_setup_teardown(notices_the_end_of_a_process, begin, end),
		cmocka_unit_test_setup_teardown(a_reused_pid_is_another_process, begin, end),
		cmocka_unit_test_setup_teardown(a_late_report_of_a_former_process, begin, end),
		cmocka_unit_test_setup_teardown(hands_tables_over, begin, end),
		cmocka_unit_test_setup_teardown(announcements_take_no_room_from_tables, begin, end),
		cmocka_unit_test_setup_teardown(observe_off_shows_what_is_published, begin, end),
		cmocka_unit_test_setup_teardown(tables_of_many_processes_wait, begin, end),
		cmocka_unit_test_setup_teardown(what_begins_anew_is_not_complete, begin, end),
		cmocka_unit_test_setup_teardown(what_was_missed_is_told_again, begin, end),
		cmocka_unit_test_setup_teardown(survives_a_scanner_that_is_stuck, begin, end),
		cmocka_unit_test_setup_teardown(a_look_that_has_waited, begin, end),
		cmocka_unit_test_setup_teardown(scans_that_cannot_begin, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
