/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mapper.c - making mappings, in every order of the keeper's answers
 */
#include "mapper_helper.h"
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>

static void maps_a_file(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors;
	struct pmem2fs_record record;
	struct mapping *mapping;
	struct result result;
	struct map_job *job;
	struct stat st;
	char *path = rig_new_file();

	rig_start_receiver(rig->modules.receivers, UID);
	descriptors = rig_descriptors();
	map(rig, "file", of_path(path), UID, &result, &job);
	assert_non_null(job);
	assert_null(catalog_find(rig->modules.catalog, "file"));
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_string_equal(result.why, "");
	assert_null(job);
	mapping = catalog_find(rig->modules.catalog, "file");
	version_record(mapping_version(mapping), &record);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(record.source_inode, st.st_ino);
	assert_int_equal(record.length, 16384);
	assert_int_equal(record.uid, UID);
	assert_int_equal(record.gid, GID);
	assert_int_equal(rig_mapped(rig), 1);

	removed(rig, mapping, UID);
	assert_null(catalog_find(rig->modules.catalog, "file"));
	assert_int_equal(rig_mapped(rig), 0);
	assert_int_equal(rig_descriptors(), descriptors);
	unlink(path);
	free(path);
}

/* Once a thread has found a file on a mount in memory, others there are opened without one. */
static void opens_at_once_what_makes_nobody_wait(void **state)
{
	struct rig *rig = *state;
	char *path = rig_new_file();
	struct request request = of_path(path);
	struct result result;
	struct taken taken;
	unsigned descriptors;
	struct statfs fs;
	struct stat st, sent;

	assert_int_equal(statfs(path, &fs) | stat(path, &st), 0);
	if (fs.f_type != TMPFS_MAGIC)
		skip();
	map(rig, "first", request, UID, &result, NULL);
	rig->keeper_off = true;
	assert_false(rig_take(rig, &taken)); /* a thread opens it */
	rig->keeper_off = false;
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);

	descriptors = rig_descriptors();
	rig->keeper_off = true;
	map(rig, "second", of_path(path), UID, &result, NULL);
	assert_true(rig_take(rig, &taken)); /* though no thread was waited for */
	assert_int_equal(fstat(taken.fd, &sent), 0);
	assert_int_equal(sent.st_ino, st.st_ino);
	rig_carry_out(rig, &taken);
	assert_true(result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(rig_descriptors(), descriptors + 1); /* the keeper's */

	/* Blocks are allocated by a thread. */
	request = of_path(path);
	request.allocate = true;
	map(rig, "third", request, UID, &result, NULL);
	assert_false(rig_take(rig, &taken));
	rig->keeper_off = false;
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	unlink(path);
	free(path);
}

static void passes_a_descriptor_on(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors;
	struct request request = of_path("/unused");
	struct result result = {0};
	char *path = rig_new_file();
	int fd;

	rig_start_receiver(rig->modules.receivers, UID);
	descriptors = rig_descriptors();
	fd = open(path, O_RDWR);
	free(request.path);
	request.path = NULL;
	mapper_map(&rig->modules.mapper, "fd", &request, UID, GID, NULL, fd, getpid(), finished,
		   &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(rig_descriptors(), descriptors + 1); /* the keeper's */
	/*
	 * The path is unknown until the facts are read: the kernel's path of a descriptor may lead
	 * to another file.
	 */
	assert_null(mapping_version(catalog_find(rig->modules.catalog, "fd"))->path);

	result.done = false;
	fd = open("/dev/null", O_RDWR);
	mapper_map(&rig->modules.mapper, "null", &request, UID, GID, NULL, fd, getpid(), finished,
		   &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, EINVAL);
	assert_non_null(strstr(result.why, "null: cannot map /dev/null: is a character device"));
	assert_int_equal(rig_descriptors(), descriptors + 1);
	unlink(path);
	free(path);
}

static void what_cannot_be_opened_takes_no_name(void **state)
{
	struct rig *rig = *state;
	struct result result;

	map(rig, "x", of_path("/nowhere/at/all"), UID, &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, ENOENT);
	assert_string_equal(result.why, "x: cannot map /nowhere/at/all: No such file or directory");
	assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
	mapped(rig, "x", UID);
}

/*
 * The name is reserved when the file has been opened, not before: the request that is first there
 * gets it.
 */
static void a_name_may_be_taken_meanwhile(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors;
	struct result slow, quick, third;
	struct taken taken;
	char *path = rig_new_file();

	rig_start_receiver(rig->modules.receivers, UID);
	descriptors = rig_descriptors();
	rig->keeper_off = true;
	map(rig, "x", of_path(path), UID, &slow, NULL);
	map(rig, "x", anonymous(), UID, &quick, NULL);
	assert_true(rig_take(rig, &taken)); /* of the faster request, which has reserved the name */
	rig_run(rig, &slow.done);
	assert_int_equal(slow.error, EEXIST);
	map(rig, "x", anonymous(), UID, &third, NULL);
	assert_int_equal(third.error, EEXIST);
	assert_false(quick.done);
	rig_carry_out(rig, &taken);
	assert_int_equal(quick.error, 0);
	map(rig, "x", of_path(path), UID, &third, NULL);
	assert_int_equal(third.error, EEXIST); /* at once */
	assert_int_equal(rig_descriptors(), descriptors);
	unlink(path);
	free(path);
}

static void the_keepers_refusal_is_told(void **state)
{
	static const struct {
		int error, number;
	} errors[] = {{PMEM2_E_GRANULARITY_NOT_SUPPORTED, EOPNOTSUPP},
		      {PMEM2_E_MAP_RANGE, EINVAL},
		      {-ENOMEM, ENOMEM}};
	struct rig *rig = *state;

	rig->keeper_off = true;
	for (size_t i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
		struct result result;
		struct taken taken;

		map(rig, "x", anonymous(), UID, &result, NULL);
		assert_true(rig_take(rig, &taken));
		rig_answer(rig, &taken, errors[i].error);
		assert_int_equal(result.calls, 1);
		assert_int_equal(result.error, errors[i].number);
		assert_string_equal(result.why,
				    "x: cannot map anonymous memory: as the keeper says");
		assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
	}
}

/* The keeper reports success, but its table has no mapping: the request fails. */
static void a_slot_that_is_empty_is_no_mapping(void **state)
{
	struct rig *rig = *state;
	struct result result;
	struct taken taken;

	rig->keeper_off = true;
	map(rig, "x", anonymous(), UID, &result, NULL);
	assert_true(rig_take(rig, &taken));
	taken.command.slot = 3000;
	rig_answer(rig, &taken, 0);
	assert_int_equal(result.error, ENOENT);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_true(rig_take(rig, &taken)); /* the command to unmap it again */
	assert_int_equal(taken.command.op, COMMAND_UNMAP);
	rig_answer(rig, &taken, PMEM2_E_MAPPING_NOT_FOUND);
}

static void limits_hold(void **state)
{
	struct rig *rig = *state;
	struct mapping *first;
	struct result result;

	rig->modules.limits.max = 3;
	rig->modules.limits.max_user = 2;
	first = mapped(rig, "a", UID);
	mapped(rig, "b", UID);
	map(rig, "c", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, EDQUOT);
	mapped(rig, "c", UID + 1);
	map(rig, "d", anonymous(), UID + 1, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	map(rig, "d", anonymous(), 0, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	remove_it(rig, first, UID, &result);
	rig_run(rig, &result.done);
	map(rig, "d", anonymous(), UID, &result, NULL); /* the last one is for a user without any */
	assert_int_equal(result.error, ENOSPC);
	mapped(rig, "d", UID + 2);
	assert_int_equal(rig_mapped(rig), 3);
}

static void some_are_left_to_root(void **state)
{
	struct rig *rig = *state;
	struct result result;
	char name[16];

	rig->modules.limits.max = 10;
	rig->modules.limits.root = 2;
	rig->modules.limits.max_user = 4;
	for (unsigned i = 0; i < 8; i++) { /* four of one user, and one of each of four others */
		snprintf(name, sizeof(name), "u%u", i);
		mapped(rig, name, i < 4 ? UID : UID + i);
	}
	map(rig, "x", anonymous(), UID + 8, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	map(rig, "x", anonymous(), UID + 4, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	mapped(rig, "r0", 0);
	mapped(rig, "r1", 0);
	map(rig, "r2", anonymous(), 0, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
}

/* Mappings that are being made count. */
static void limits_hold_while_others_are_made(void **state)
{
	struct rig *rig = *state;
	struct result first, second;
	struct taken taken;

	rig->keeper_off = true;
	rig->modules.limits.max = 1;
	rig->modules.limits.max_user = 1;
	map(rig, "a", anonymous(), UID, &first, NULL);
	map(rig, "b", anonymous(), 0, &second, NULL);
	assert_int_equal(second.error, ENOSPC);
	rig->modules.limits.max = 2;
	map(rig, "b", anonymous(), UID, &second, NULL);
	assert_int_equal(second.error, EDQUOT);
	assert_true(rig_take(rig, &taken));
	rig_carry_out(rig, &taken);
	assert_int_equal(first.error, 0);
	assert_false(rig_take(rig, &taken));
}

static void root_has_no_limit_of_its_own(void **state)
{
	struct rig *rig = *state;

	rig->modules.limits.max_user = 1;
	mapped(rig, "a", 0);
	mapped(rig, "b", 0);
}

static void abandoned_before_the_keeper_knows(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors;
	struct result result, other;
	struct map_job *job;
	struct taken taken;
	char *path = rig_new_file();

	rig_start_receiver(rig->modules.receivers, UID);
	descriptors = rig_descriptors();
	rig->keeper_off = true;
	map(rig, "x", of_path(path), UID, &result, &job);
	mapper_abandon(job);
	assert_null(job);
	/* Another task in the same lane ends after it. */
	map(rig, "y", of_path("/nowhere"), UID, &other, NULL);
	rig_run(rig, &other.done);
	while (rig_descriptors() != descriptors) /* its thread may close its descriptor later */
		rig_poll(rig);
	rig_finish_closing(rig, UID);
	assert_false(rig_take(rig, &taken));
	assert_int_equal(result.calls, 0);
	assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
	unlink(path);
	free(path);
}

/*
 * The keeper can no longer be stopped: the mapping that it makes is unmapped again, and never
 * shows.
 */
static void abandoned_while_the_keeper_maps(void **state)
{
	struct rig *rig = *state;
	struct result result, other;
	struct map_job *job;
	struct taken taken;

	rig->keeper_off = true;
	map(rig, "x", anonymous(), UID, &result, &job);
	assert_true(rig_take(rig, &taken));
	mapper_abandon(job);
	assert_null(job);
	map(rig, "x", anonymous(), UID, &other, NULL);
	assert_int_equal(other.error, EEXIST); /* the name is still reserved */
	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 0);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_int_equal(rig_mapped(rig), 1);
	assert_true(rig_take(rig, &taken));
	assert_int_equal(taken.command.op, COMMAND_UNMAP);
	rig_carry_out(rig, &taken);
	assert_int_equal(rig_mapped(rig), 0);
	assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
}

static void abandoned_and_then_refused(void **state)
{
	struct rig *rig = *state;
	struct result result;
	struct map_job *job;
	struct taken taken;

	rig->keeper_off = true;
	map(rig, "x", anonymous(), UID, &result, &job);
	assert_true(rig_take(rig, &taken));
	mapper_abandon(job);
	rig_answer(rig, &taken, -ENOMEM);
	assert_false(rig_take(rig, &taken));
	assert_int_equal(result.calls, 0);
	rig->keeper_off = false;
	mapped(rig, "x", UID);
}

/* A new worker finds in the table the mappings of the worker before it. */
static void a_new_worker_shows_the_same(void **state)
{
	struct rig *rig = *state;
	char longest[NAME_LENGTH_MAX + 1];
	struct modules *modules = &rig->modules;
	struct pmem2fs_record record;
	struct mapping *mapping;
	uint32_t slot;
	size_t place;

	memset(longest, '\xff', NAME_LENGTH_MAX);
	longest[NAME_LENGTH_MAX] = '\0';
	mapped(rig, "a", UID);
	slot = mapping_slot(mapped(rig, longest, 0));
	while ((mapping = catalog_after(modules->catalog, 0, &place)))
		catalog_remove(modules->catalog, mapping);
	assert_int_equal(mapper_load(&modules->mapper), 0);
	assert_int_equal(catalog_totals(modules->catalog).entries, 2);
	assert_int_equal(catalog_count_of(modules->catalog, UID), 1);
	mapping = catalog_find(modules->catalog, longest);
	assert_non_null(mapping);
	assert_int_equal(mapping_slot(mapping), slot);
	version_record(mapping_version(mapping), &record);
	assert_int_equal(record.length, 4096);
	assert_non_null(catalog_find(modules->catalog, "a"));
}

/* When a mapping could not be unmapped again, two may have one label; both show. */
static void a_new_worker_shows_two_of_one_label(void **state)
{
	struct rig *rig = *state;
	struct modules *modules = &rig->modules;
	struct mapping *mapping;
	struct result result;
	struct map_job *job;
	struct taken taken;
	size_t place;

	rig->keeper_off = true;
	map(rig, "x", anonymous(), UID, &result, &job);
	assert_true(rig_take(rig, &taken));
	mapper_abandon(job);
	rig_carry_out(rig, &taken);
	assert_true(rig_take(rig, &taken));
	map(rig, "x", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, EEXIST); /* the table still has it */
	rig_answer(rig, &taken, -ENOMEM);
	rig->keeper_off = false;
	mapped(rig, "x", UID);
	while ((mapping = catalog_after(modules->catalog, 0, &place)))
		catalog_remove(modules->catalog, mapping);
	assert_int_equal(mapper_load(&modules->mapper), 0);
	assert_int_equal(catalog_totals(modules->catalog).entries, 2);
	assert_int_equal(catalog_count_of(modules->catalog, UID), 2);
	assert_non_null(catalog_find(modules->catalog, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(maps_a_file, begin, end),
		cmocka_unit_test_setup_teardown(opens_at_once_what_makes_nobody_wait, begin, end),
		cmocka_unit_test_setup_teardown(passes_a_descriptor_on, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_opened_takes_no_name, begin, end),
		cmocka_unit_test_setup_teardown(a_name_may_be_taken_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(the_keepers_refusal_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_slot_that_is_empty_is_no_mapping, begin, end),
		cmocka_unit_test_setup_teardown(limits_hold, begin, end),
		cmocka_unit_test_setup_teardown(some_are_left_to_root, begin, end),
		cmocka_unit_test_setup_teardown(limits_hold_while_others_are_made, begin, end),
		cmocka_unit_test_setup_teardown(root_has_no_limit_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_before_the_keeper_knows, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_while_the_keeper_maps, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_and_then_refused, begin, end),
		cmocka_unit_test_setup_teardown(a_new_worker_shows_the_same, begin, end),
		cmocka_unit_test_setup_teardown(a_new_worker_shows_two_of_one_label, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
