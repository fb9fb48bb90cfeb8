// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_device_monitor.c - the changes that are noticed while there is a subscriber
 *
 * The devices and the device numbers of the mappings' sources are invented; the mappings are real.
 * The test sets the time.
 */
#include "base/clock.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "catalog/events.h"
#include "change/mapper.h"
#include "facts/device_monitor.h"
#include "facts/facts_cache.h"
#include "host/devices.h"
#include "rig.h"
#include "scan/process_table.h"
#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define DISKS 2
#define DISK  makedev(4000, 0) /* the first device */
#define NODE  makedev(4001, 0)

/* The contents of the fake sysfs: identities by number, 0 is none. */
static _Atomic uint64_t identities[DISKS], node;
static _Atomic unsigned asked;
static char list_path[256];
static char disk_path[24], other_path[32]; /* the folder of the second disk's device */

static _Atomic uint64_t *identity_of(dev_t dev, bool block)
{
	return block ? &identities[minor(dev)] : &node;
}

int __wrap_pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode);
int __wrap_pmem2fs_device_identity(dev_t dev, bool block, uint64_t *sysfs_inode)
{
	uint64_t identity = *identity_of(dev, block);

	asked++;
	if (!identity)
		return -ENODEV;
	*sysfs_inode = identity;
	return 0;
}

int __wrap_pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device);
int __wrap_pmem2fs_device_get(dev_t dev, bool block, struct pmem2fs_device *device)
{
	uint64_t identity = *identity_of(dev, block);

	if (!identity)
		return -ENODEV;
	*device = (struct pmem2fs_device){.sysfs_inode = identity, .size = 1 << 20};
	strcpy(device->mode, block ? "fsdax" : "devdax");
	strcpy(device->chardev, "dax1.0");
	if (!minor(dev))
		strcpy(device->badblocks_path, list_path);
	else
		snprintf(device->blockdev, sizeof(device->blockdev), "../..%s", disk_path);
	return 0;
}

static _Atomic uint64_t disk_files[DISKS]; /* the inode number of the file on each disk */

int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer)
{
	int result = __real_statx(fd, path, flags, mask, answer);

	for (unsigned i = 0; !result && i < DISKS; i++) {
		if (answer->stx_ino != disk_files[i])
			continue;
		answer->stx_dev_major = major(DISK);
		answer->stx_dev_minor = i;
	}
	return result;
}

static _Atomic bool list_gone;

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset)
{
	if (!list_gone)
		return __real_pread64(fd, buffer, size, offset);
	errno = ENODEV;
	return -1;
}

static struct quota loop_time = {.share = 4};

struct scene {
	struct rig *rig;
	struct device_monitor *device_monitor;
	struct mapping *mappings[DISKS];
	uint64_t now;
	struct subscriber subscriber; /* at `near` */
	int near, far;
	char *files[DISKS]; /* paths of the files that are mapped */
};

static struct capture capture;

static void finished(void *arg, int error, const char *why)
{
	if (error)
		fail_msg("%s", why);
	*(bool *)arg = true;
}

static json_t *next(struct scene *scene)
{
	char text[8192];
	ssize_t n = recv(scene->far, text, sizeof(text), MSG_DONTWAIT);

	return n < 0 ? NULL : json_loadb(text, (size_t)n, 0, NULL);
}

/* Makes a mapping of a file that is on that device, according to the record and to statx. */
static struct mapping *map(struct scene *scene, const char *name, dev_t dev, bool block)
{
	struct modules *modules = &scene->rig->modules;
	struct request request = {
		.path = strdup(scene->files[minor(dev)]),
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ,
	};
	struct identity *identity = calloc(1, sizeof(*identity));
	struct pmem2fs_record record;
	struct mapping *mapping;
	bool done = false;
	uint32_t slot;

	identity->uid = geteuid();
	identity->gid = getegid();
	identity->capabilities = ~0ull;
	mapper_map(&modules->mapper, "real", &request, 0, 0, identity, -1, 0, finished, &done,
		   NULL);
	rig_run(scene->rig, &done);
	mapping = catalog_find(modules->catalog, "real");
	slot = mapping_slot(mapping);
	version_record(mapping_version(mapping), &record);
	catalog_remove(modules->catalog, mapping);
	if (block) {
		disk_files[minor(dev)] = record.source_inode;
		record.source_dev = dev;
	} else {
		record.source_rdev = dev;
		record.source_type = PMEM2FS_SOURCE_DEVDAX;
	}
	assert_int_equal(catalog_reserve(modules->catalog, name, record.uid, &mapping), 0);
	assert_int_equal(catalog_show(modules->catalog, mapping, slot, &record, NULL,
				      facts_cache_keeper(modules->facts_cache)),
			 0);
	json_decref(next(scene)); /* the event of the new mapping */
	return mapping;
}

static int begin(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	const char *catalog[DISKS] = {"first", "second"};
	int ends[2], fd;

	capture_begin(&capture, STDERR_FILENO);
	scene->rig = rig_new();
	scene->rig->modules.process_table = process_table_new(&(struct process_table_config){
		.catalog = scene->rig->modules.catalog,
		.events = scene->rig->modules.events,
		.pool = scene->rig->modules.helpers,
		.first_lane = LANE_SCAN,
		.epoll = scene->rig->epoll,
		.keeper = getppid(),
		.receivers = scene->rig->modules.receivers,
		.loop_time = &loop_time,
	});
	scene->device_monitor = device_monitor_new(&(struct device_monitor_config){
		.catalog = scene->rig->modules.catalog,
		.events = scene->rig->modules.events,
		.facts_cache = scene->rig->modules.facts_cache,
		.process_table = scene->rig->modules.process_table,
		.pool = scene->rig->modules.helpers,
		.lane = LANE_DEVICE_MONITOR,
		.epoll = scene->rig->epoll,
	});
	for (unsigned i = 0; i < DISKS; i++)
		scene->files[i] = rig_new_file();
	scene->now = clock_now();
	strcpy(list_path, "/tmp/pmem2fs-list-XXXXXX");
	fd = mkstemp(list_path);
	if (fd < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -1;
	close(fd);
	strcpy(disk_path, "/tmp/pmem2fs-XXXXXX");
	if (!mkdtemp(disk_path))
		return -1;
	snprintf(other_path, sizeof(other_path), "%s-b", disk_path);
	scene->near = ends[0];
	scene->far = ends[1];
	for (unsigned i = 0; i < DISKS; i++) {
		identities[i] = 100 + i;
		scene->mappings[i] = map(scene, catalog[i], makedev(major(DISK), i), true);
	}
	node = 200;
	asked = 0;
	*state = scene;
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	unlink(list_path);
	rmdir(disk_path);
	for (unsigned i = 0; i < DISKS; i++) {
		unlink(scene->files[i]);
		free(scene->files[i]);
		disk_files[i] = 0;
	}
	device_monitor_free(scene->device_monitor);
	process_table_free(scene->rig->modules.process_table);
	rig_free(scene->rig);
	close(scene->near);
	close(scene->far);
	free(scene);
	capture_end(&capture);
	return 0;
}

static void wait_a_moment(struct scene *scene)
{
	rig_poll(scene->rig);
	usleep(1000);
}

/* Runs the next check, and the reads of facts that it causes. */
static void check(struct scene *scene)
{
	struct modules *modules = &scene->rig->modules;
	struct mapping *mapping;
	size_t place;

	scene->now += 2 * CLOCK_SECOND;
	device_monitor_expire(scene->device_monitor, scene->now);
	while (device_monitor_expire(scene->device_monitor, 0) == UINT64_MAX &&
	       events_wanted(modules->events))
		wait_a_moment(scene);
	mapping = catalog_after(modules->catalog, 0, &place);
	for (; mapping; mapping = catalog_next(modules->catalog, &place))
		while (mapping_is_queried(mapping))
			wait_a_moment(scene);
}

static void subscribe(struct scene *scene)
{
	scene->subscriber = (struct subscriber){.socket = scene->near};
	events_subscribe(scene->rig->modules.events, &scene->subscriber);
	check(scene);
}

static void scan(struct scene *scene, struct mapping *mapping)
{
	assert_int_equal(facts_cache_request(scene->rig->modules.facts_cache, mapping, 0, NULL), 0);
	while (mapping_is_queried(mapping))
		wait_a_moment(scene);
}

static void expect_change(struct scene *scene, const char *name, const char *state)
{
	json_t *event = next(scene);

	assert_non_null(event);
	assert_string_equal(json_string_value(json_object_get(event, "event")), "change");
	assert_string_equal(json_string_value(json_object_get(event, "name")), name);
	assert_string_equal(json_string_value(json_object_get(event, "state")), state);
	assert_non_null(json_object_get(event, "badblocks"));
	json_decref(event);
}

static void expect_nothing(struct scene *scene)
{
	assert_null(next(scene));
}

static void write_list(const char *text)
{
	FILE *file = fopen(list_path, "w");

	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void reads_nothing_without_a_subscriber(void **state)
{
	struct scene *scene = *state;
	unsigned before = rig_descriptors();

	assert_true(device_monitor_expire(scene->device_monitor, scene->now) == UINT64_MAX);
	assert_int_equal(asked, 0);
	subscribe(scene);
	assert_true(asked > 0);
	events_unsubscribe(scene->rig->modules.events, &scene->subscriber);
	asked = 0;
	check(scene);
	assert_int_equal(asked, 0);
	assert_int_equal(rig_descriptors(), before);
}

/* Nothing is checked before its time. */
static void checks_once_a_second(void **state)
{
	struct scene *scene = *state;
	uint64_t due;

	subscribe(scene);
	due = device_monitor_expire(scene->device_monitor, scene->now);
	assert_true(due >= scene->now + CLOCK_SECOND);
	asked = 0;
	assert_true(device_monitor_expire(scene->device_monitor, due - 1) == due);
	assert_int_equal(asked, 0);
	assert_true(device_monitor_expire(scene->device_monitor, due) == UINT64_MAX);
	check(scene);
	assert_true(asked > 0);
}

static void a_device_costs_the_same_however_much_is_on_it(void **state)
{
	struct scene *scene = *state;
	unsigned one;

	subscribe(scene);
	asked = 0;
	check(scene);
	one = asked;
	map(scene, "another", DISK, true);
	map(scene, "more", DISK, true);
	check(scene);
	assert_int_equal(asked, 2 * one);
}

static void tells_of_what_is_lost_and_of_nothing_else(void **state)
{
	struct scene *scene = *state;
	uint64_t checked;

	subscribe(scene);
	expect_nothing(scene);
	scan(scene, scene->mappings[0]);
	scan(scene, scene->mappings[1]);
	checked = mapping_checked(scene->mappings[1]);
	identities[0] = 0;
	check(scene);
	expect_change(scene, "first", "lost");
	expect_nothing(scene);
	assert_true(mapping_checked(scene->mappings[1]) == checked);
	check(scene);
	expect_nothing(scene);
	/* its name and facts stay */
	assert_non_null(mapping_version(scene->mappings[0])->device);
	assert_int_equal(mapping_version(scene->mappings[0])->device->is.sysfs_inode, 100);
	assert_false(mapping_version(scene->mappings[0])->badblocks_known);
}

/* The number was assigned to another device, whose own mappings are not lost. */
static void another_device_with_the_number_is_no_comfort(void **state)
{
	struct scene *scene = *state;
	struct mapping *newer;

	subscribe(scene);
	scan(scene, scene->mappings[0]);
	identities[0] = 0;
	check(scene);
	expect_change(scene, "first", "lost");
	identities[0] = 300;
	newer = map(scene, "newer", DISK, true);
	scan(scene, newer);
	assert_string_equal(version_state(mapping_version(newer)), "active");
	check(scene);
	expect_nothing(scene);
	assert_string_equal(version_state(mapping_version(scene->mappings[0])), "lost");

	/* also when no check has seen the number without a device */
	identities[0] = 301;
	check(scene);
	expect_change(scene, "newer", "lost");
	expect_nothing(scene);
}

static void the_same_device_can_come_back(void **state)
{
	struct scene *scene = *state;
	struct mapping *mapping = map(scene, "node", NODE, false);

	subscribe(scene);
	scan(scene, mapping);
	node = 0;
	check(scene);
	expect_change(scene, "node", "lost");
	node = 200;
	check(scene);
	expect_change(scene, "node", "active");
	expect_nothing(scene);
}

/* A new subscriber gets events of mappings that are lost already, and of mappings made later. */
static void tells_what_was_lost_before(void **state)
{
	struct scene *scene = *state;

	scan(scene, scene->mappings[0]);
	identities[0] = identities[1] = 0;
	subscribe(scene);
	expect_change(scene, "first", "lost");
	expect_change(scene, "second", "lost");
	expect_nothing(scene);
	assert_null(mapping_version(scene->mappings[1])->device); /* the device was never found */
}

/* Below a device mapper the disk can go while all else stays, and another one can get its name. */
static void the_disk_below_can_go(void **state)
{
	struct scene *scene = *state;
	struct mapping *mapping = scene->mappings[1];

	scan(scene, mapping);
	assert_string_equal(version_state(mapping_version(mapping)), "active");
	assert_int_equal(rmdir(disk_path), 0);
	scan(scene, mapping);
	assert_string_equal(version_state(mapping_version(mapping)), "lost");
	assert_int_equal(mkdir(disk_path, 0700), 0);
	assert_int_equal(mkdir(other_path, 0700), 0);
	assert_int_equal(rmdir(disk_path), 0);
	assert_int_equal(rename(other_path, disk_path), 0);
	scan(scene, mapping);
	assert_string_equal(version_state(mapping_version(mapping)), "lost");
}

static void reads_facts_again_when_a_list_changes(void **state)
{
	struct scene *scene = *state;
	uint64_t first, second;

	write_list("8 8\n");
	subscribe(scene); /* has bad blocks, so it is checked */
	first = mapping_checked(scene->mappings[0]);
	assert_true(first > 0);
	assert_int_equal(mapping_checked(scene->mappings[1]), 0);
	assert_int_equal(mapping_version(scene->mappings[0])->device_badblocks, 1);
	check(scene);
	assert_true(mapping_checked(scene->mappings[0]) == first);
	write_list("8 8\n64 8\n");
	check(scene);
	second = mapping_checked(scene->mappings[0]);
	assert_true(second > first);
	assert_int_equal(mapping_version(scene->mappings[0])->device_badblocks, 2);
	write_list("");
	check(scene);
	assert_true(mapping_checked(scene->mappings[0]) > second);
	assert_int_equal(mapping_version(scene->mappings[0])->device_badblocks, 0);
}

/* The disk below the device with that number is gone. */
static void reads_facts_again_when_a_list_is_gone(void **state)
{
	struct scene *scene = *state;

	subscribe(scene);
	assert_int_equal(mapping_checked(scene->mappings[0]), 0);
	list_gone = true;
	check(scene);
	list_gone = false;
	assert_true(mapping_checked(scene->mappings[0]) > 0);
}

/* A read of facts that began before the change does not count. */
static void reads_facts_until_they_are_newer(void **state)
{
	struct scene *scene = *state;
	uint64_t changed;

	subscribe(scene);
	scan(scene, scene->mappings[0]);
	identities[0] = 0;
	mapping_set_queried(scene->mappings[0], true); /* its facts were read already */
	scene->now += 2 * CLOCK_SECOND;
	device_monitor_expire(scene->device_monitor, scene->now);
	while (device_monitor_expire(scene->device_monitor, 0) == UINT64_MAX)
		wait_a_moment(scene);
	changed = clock_now();
	expect_nothing(scene);
	mapping_set_queried(scene->mappings[0], false);
	check(scene);
	assert_true(mapping_checked(scene->mappings[0]) > changed);
	expect_change(scene, "first", "lost");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_nothing_without_a_subscriber, begin, end),
		cmocka_unit_test_setup_teardown(checks_once_a_second, begin, end),
		cmocka_unit_test_setup_teardown(a_device_costs_the_same_however_much_is_on_it,
						begin, end),
		cmocka_unit_test_setup_teardown(tells_of_what_is_lost_and_of_nothing_else, begin,
						end),
		cmocka_unit_test_setup_teardown(another_device_with_the_number_is_no_comfort, begin,
						end),
		cmocka_unit_test_setup_teardown(the_same_device_can_come_back, begin, end),
		cmocka_unit_test_setup_teardown(tells_what_was_lost_before, begin, end),
		cmocka_unit_test_setup_teardown(the_disk_below_can_go, begin, end),
		cmocka_unit_test_setup_teardown(reads_facts_again_when_a_list_changes, begin, end),
		cmocka_unit_test_setup_teardown(reads_facts_again_when_a_list_is_gone, begin, end),
		cmocka_unit_test_setup_teardown(reads_facts_until_they_are_newer, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
