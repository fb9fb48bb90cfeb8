/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_changes.c - removing mappings and parts of them, and renaming, in every order of the
 * keeper's answers
 */
#include "catalog/mapping_fields.h"
#include "change/changes.h"
#include "change/keeper_link.h"
#include "mapper_helper.h"
#include "receive/receivers.h"
#include <jansson.h>
#include <signal.h>

static void only_the_owner_and_root_remove(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result;

	remove_it(rig, mapping, UID + 1, &result);
	assert_int_equal(result.error, EPERM);
	assert_string_equal(result.why, "x: cannot unmap: it belongs to user 1000");
	changes_rename(&rig->modules.changes, mapping, "y", UID + 1, CLOCK_SECOND, finished,
		       &result);
	assert_int_equal(result.error, EPERM);
	assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
	removed(rig, mapping, 0);
}

static void unmap_part(struct rig *rig, struct mapping *mapping, uint64_t offset, uint64_t length,
		       uid_t uid, struct result *result)
{
	*result = (struct result){0};
	changes_unmap_range(&rig->modules.changes, mapping, offset, length, uid, CLOCK_SECOND,
			    finished, result);
}

/* `expected` is an array of JSON. */
static void expect_extents(struct rig *rig, const struct mapping *mapping, const char *expected)
{
	size_t length;
	const char *text =
		version_document(rig->modules.catalog, mapping_version(mapping), &length);
	json_t *document = json_loadb(text, length, 0, NULL),
	       *wanted = json_loads(expected, 0, NULL);

	if (!json_equal(json_object_get(document, "extents"), wanted))
		fail_msg("%s instead of %s", text, expected);
	json_decref(document);
	json_decref(wanted);
}

static struct mapping *mapped_file(struct rig *rig, const char *name, char **path)
{
	struct result result;

	*path = rig_new_file();
	map(rig, name, of_path(*path), UID, &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	return catalog_find(rig->modules.catalog, name);
}

static void unmaps_parts(void **state)
{
	struct rig *rig = *state;
	struct result result;
	struct mapping *mapping;
	char *path;

	mapping = mapped_file(rig, "x", &path);
	unmap_part(rig, mapping, 4096, 1, UID, &result); /* any byte stands for its page */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_false(mapping_is_changing(mapping));
	assert_ptr_equal(catalog_find(rig->modules.catalog, "x"), mapping);
	assert_int_equal(version_mapped(mapping_version(mapping)), 3 * 4096);
	expect_extents(rig, mapping,
		       "[{\"offset\":0,\"length\":4096},"
		       "{\"offset\":8192,\"length\":8192}]");
	unmap_part(rig, mapping, 12288, CHANGES_TO_THE_END, UID, &result);
	rig_run(rig, &result.done);
	expect_extents(rig, mapping,
		       "[{\"offset\":0,\"length\":4096},"
		       "{\"offset\":8192,\"length\":4096}]");
	unmap_part(rig, mapping, 0, 16384, 0, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	expect_extents(rig, mapping, "[]");
	assert_int_equal(rig_mapped(rig), 1);
	removed(rig, mapping, UID);
	assert_int_equal(rig_mapped(rig), 0);
	unlink(path);
	free(path);
}

/* Has the user's receiver, which has nothing to do, stop, so that it closes nothing. */
static pid_t stop_receiver(struct rig *rig)
{
	pid_t pid;

	rig_finish_closing(rig, UID);
	pid = rig_receiver();
	assert_int_equal(kill(pid, SIGSTOP), 0);
	return pid;
}

/*
 * What the file is on can be unmounted when an unmap has succeeded. The file is closed by the
 * receiver of its user, and others need not wait for that.
 */
static void an_unmap_ends_when_its_file_is_closed(void **state)
{
	struct rig *rig = *state;
	struct mapping *other = mapped(rig, "other", UID), *mapping;
	unsigned descriptors;
	struct result result;
	char *path;
	pid_t pid;

	for (int part = 0; part < 2; part++) {
		mapping = mapped_file(rig, "x", &path);
		pid = stop_receiver(rig);
		descriptors = rig_descriptors();
		result = (struct result){0};
		if (part)
			changes_unmap_range(&rig->modules.changes, mapping, 0, 16384, 0,
					    1000 * CLOCK_SECOND, finished, &result);
		else
			changes_unmap(&rig->modules.changes, mapping, 0, 1000 * CLOCK_SECOND,
				      finished, &result, NULL);
		rig_poll(rig);
		assert_false(result.done);
		assert_int_equal(rig_descriptors(), descriptors - 1); /* the keeper's */
		if (!part)
			removed(rig, other, 0);
		assert_int_equal(kill(pid, SIGCONT), 0);
		rig_run(rig, &result.done);
		assert_int_equal(result.error, 0);
		if (part)
			removed(rig, mapping, UID);
		assert_null(catalog_find(rig->modules.catalog, "x"));
		unlink(path);
		free(path);
	}
}

static void a_file_that_takes_long_to_close_is_not_waited_for(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping;
	struct result result = {0};
	char *path;
	pid_t pid;

	mapping = mapped_file(rig, "x", &path);
	pid = stop_receiver(rig);
	changes_unmap(&rig->modules.changes, mapping, UID, SHORT_PATIENCE, finished, &result, NULL);
	while (rig_mapped(rig))
		rig_poll(rig);
	receivers_expire(rig->modules.receivers, clock_now() + CLOSE_PATIENCE);
	assert_true(result.done);
	assert_int_equal(result.error, 0);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_int_equal(rig_mapped(rig), 0);
	unlink(path);
	free(path);

	/* A user who has held others up for long does not do so again, though it may wait itself.
	 */
	hold_up_charge(&rig->modules.hold_up, HOLD_UP_RM, UID, clock_now(),
		       clock_now() + 3 * CLOCK_SECOND);
	mapping = mapped_file(rig, "y", &path);
	result = (struct result){0};
	changes_unmap(&rig->modules.changes, mapping, 0, SHORT_PATIENCE, finished, &result, NULL);
	rig_poll(rig);
	assert_true(result.done);
	assert_int_equal(result.error, 0);
	assert_null(catalog_find(rig->modules.catalog, "y"));
	unlink(path);
	free(path);
	assert_int_equal(kill(pid, SIGCONT), 0);
	mapping = mapped_file(rig, "z", &path);
	removed(rig, mapping, UID);
	unlink(path);
	free(path);
}

/* The document stays as it was until the keeper's answer. */
static void a_part_goes_when_the_keeper_says_so(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct version *before = mapping_version(mapping);
	struct result result, other;
	struct taken taken;

	rig->keeper_off = true;
	unmap_part(rig, mapping, 0, 4096, UID, &result);
	assert_true(rig_take(rig, &taken));
	assert_int_equal(taken.command.op, COMMAND_UNMAP_RANGE);
	assert_int_equal(taken.command.slot, mapping_slot(mapping));
	assert_int_equal(taken.command.offset, 0);
	assert_int_equal(taken.command.length, 4096);
	assert_true(taken.command.deadline > clock_now());
	assert_ptr_equal(mapping_version(mapping), before);
	remove_it(rig, mapping, UID, &other);
	assert_int_equal(other.error, EBUSY);
	unmap_part(rig, mapping, 0, 4096, UID, &other);
	assert_int_equal(other.error, EBUSY);
	assert_string_equal(other.why, "x: cannot unmap a part: another change of it is under way");
	keeper_link_expire(rig->modules.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(mapping_version(mapping), before);
	rig_carry_out(rig, &taken); /* late, but the document shows it */
	assert_int_equal(result.calls, 1);
	expect_extents(rig, mapping, "[]");
}

/* The kernel's limit is on areas, so gaps in a mapping count towards the user's limit. */
static void gaps_count_as_mappings(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping;
	struct result result;
	char *path;

	mapping = mapped_file(rig, "x", &path);
	rig->modules.limits.max_user = 2;
	unmap_part(rig, mapping, 4096, 4096, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(catalog_count_of(rig->modules.catalog, UID), 2);
	map(rig, "y", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, EDQUOT);
	unmap_part(rig, mapping, 8192, 4096, UID, &result); /* needs no further area */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	unmap_part(rig, mapping, 0, 4096, UID, &result); /* one area less */
	rig_run(rig, &result.done);
	assert_int_equal(catalog_count_of(rig->modules.catalog, UID), 1);
	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(catalog_totals(rig->modules.catalog).gaps, 0);
	assert_int_equal(catalog_count_of(rig->modules.catalog, UID), 0);
	unlink(path);
	free(path);

	mapping = mapped_file(rig, "x", &path);
	rig->modules.limits.max_user = 1;
	unmap_part(rig, mapping, 4096, 4096, UID, &result);
	assert_int_equal(result.error, EDQUOT);
	assert_string_equal(
		result.why,
		"x: cannot unmap a part: user 1000 has 1 mappings already, gaps counted "
		"(option max_user=)");
	rig->modules.limits.max = 1;
	unmap_part(rig, mapping, 4096, 4096, 0, &result);
	assert_int_equal(result.error, ENOSPC);
	rig->modules.limits.max = 2;
	unmap_part(rig, mapping, 4096, 4096, 0, &result); /* root */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	rig->modules.limits.max_user = 9;
	map(rig, "y", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	unlink(path);
	free(path);
}

static void a_refused_part_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct version *before = mapping_version(mapping);
	struct result result;
	struct taken taken;

	unmap_part(rig, mapping, 0, 4096, UID + 1, &result);
	assert_int_equal(result.error, EPERM);
	assert_string_equal(result.why, "x: cannot unmap a part: it belongs to user 1000");
	rig->keeper_off = true;
	for (int i = 0; i < 2; i++) {
		unmap_part(rig, mapping, 0, 4096, UID, &result);
		assert_true(rig_take(rig, &taken));
		mapping->checked = 7;
		rig_answer(rig, &taken, i ? -ETIMEDOUT : -ENOMEM);
		assert_int_equal(result.error, i ? EBUSY : ENOMEM);
		assert_string_equal(result.why, i ? "x: cannot unmap a part: the keeper was busy"
						  : "x: cannot unmap a part: as the keeper says");
		assert_ptr_equal(mapping_version(mapping), before);
		assert_int_equal(mapping_checked(mapping), 0); /* parts of it may be unmapped */
		assert_false(mapping_is_changing(mapping));
	}
}

static void a_refused_unmap_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result;
	struct taken taken;

	rig->keeper_off = true;
	for (int i = 0; i < 2; i++) {
		remove_it(rig, mapping, UID, &result);
		assert_true(rig_take(rig, &taken));
		rig_answer(rig, &taken, i ? -ETIMEDOUT : -ENOMEM);
		assert_int_equal(result.error, i ? EBUSY : ENOMEM);
		assert_ptr_equal(catalog_find(rig->modules.catalog, "x"), mapping);
	}
	rig->keeper_off = false;
	removed(rig, mapping, UID);
}

static void one_change_at_a_time(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result first, second;
	struct taken taken;

	rig->keeper_off = true;
	remove_it(rig, mapping, UID, &first);
	remove_it(rig, mapping, UID, &second);
	assert_int_equal(second.error, EBUSY);
	changes_rename(&rig->modules.changes, mapping, "y", UID, CLOCK_SECOND, finished, &second);
	assert_int_equal(second.error, EBUSY);
	assert_true(rig_take(rig, &taken));
	assert_false(rig_take(rig, &(struct taken){0}));
	rig_carry_out(rig, &taken);
	assert_int_equal(first.error, 0);
	assert_int_equal(first.calls, 1);
}

/* EBUSY is answered in time; an unmap that the keeper has begun is finished, and shows then. */
static void an_overdue_unmap_is_finished_later(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID), *other = mapped(rig, "y", UID);
	struct result result, stuck;
	uint64_t now = clock_now();
	struct taken taken;

	rig->keeper_off = true;
	remove_it(rig, mapping, UID, &result);
	assert_true(rig_take(rig, &taken));
	assert_true(taken.command.deadline > now);
	assert_true(taken.command.deadline < clock_now() + CLOCK_SECOND);
	assert_false(result.done);
	/* From here on the keeper must no longer begin. */
	assert_true(keeper_link_expire(rig->modules.keeper, taken.command.deadline) >
		    taken.command.deadline);
	assert_false(result.done);
	keeper_link_expire(rig->modules.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(catalog_find(rig->modules.catalog, "x"), mapping);
	remove_it(rig, mapping, UID, &stuck);
	assert_int_equal(stuck.error, EBUSY);
	remove_it(rig, other, UID, &stuck); /* refused at once for the next seconds */
	assert_int_equal(stuck.error, EBUSY);

	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 1);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_int_equal(rig_mapped(rig), 1);
	rig->keeper_off = false;
	removed(rig, other, UID);
}

static void an_overdue_unmap_may_fail_later(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result;
	struct taken taken;

	rig->keeper_off = true;
	remove_it(rig, mapping, UID, &result);
	assert_true(rig_take(rig, &taken));
	keeper_link_expire(rig->modules.keeper, clock_now() + CLOCK_SECOND);
	rig_answer(rig, &taken, -ETIMEDOUT);
	assert_int_equal(result.calls, 1);
	assert_ptr_equal(catalog_find(rig->modules.catalog, "x"), mapping);
	rig->keeper_off = false;
	removed(rig, mapping, UID);
}

static void renames(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	uint64_t number = mapping_number(mapping);
	struct pmem2fs_record record;
	struct result result = {0};

	changes_rename(&rig->modules.changes, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_non_null(catalog_find(rig->modules.catalog, "x")); /* not unmapped yet */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_null(catalog_find(rig->modules.catalog, "x"));
	assert_ptr_equal(catalog_find(rig->modules.catalog, "y"), mapping);
	assert_int_equal(mapping_number(mapping), number);
	assert_int_equal(
		pmem2fs_table_read(rig->modules.table, mapping_slot(mapping), NULL, &record), 0);
	assert_int_equal(record.label_length, 1);
	assert_int_equal(record.label[0], 'y');
	mapped(rig, "x", UID);
}

/* A rename never replaces another mapping. */
static void renames_onto_no_other(void **state)
{
	struct rig *rig = *state;
	struct mapping *x = mapped(rig, "x", UID), *y = mapped(rig, "y", UID);
	struct result result = {0}, made;
	struct taken taken;

	changes_rename(&rig->modules.changes, x, "y", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	changes_rename(&rig->modules.changes, x, "x", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	rig->keeper_off = true;
	map(rig, "new", anonymous(), UID, &made, NULL);
	changes_rename(&rig->modules.changes, x, "new", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	assert_true(rig_take(rig, &taken));
	rig_carry_out(rig, &taken);

	/* While a mapping is being renamed, its new name is reserved. */
	result.done = false;
	changes_rename(&rig->modules.changes, x, "z", UID, CLOCK_SECOND, finished, &result);
	assert_false(result.done);
	map(rig, "z", anonymous(), UID, &made, NULL);
	assert_int_equal(made.error, EEXIST);
	changes_rename(&rig->modules.changes, y, "z", UID, CLOCK_SECOND, finished, &made);
	assert_int_equal(made.error, EEXIST);
	assert_false(mapping_is_changing(y));
	assert_true(rig_take(rig, &taken));
	rig_carry_out(rig, &taken);
	assert_int_equal(result.error, 0);
	assert_ptr_equal(catalog_find(rig->modules.catalog, "z"), x);
}

static void a_refused_rename_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result = {0};
	struct taken taken;

	rig->keeper_off = true;
	changes_rename(&rig->modules.changes, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_true(rig_take(rig, &taken));
	rig_answer(rig, &taken, -ETIMEDOUT);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(catalog_find(rig->modules.catalog, "x"), mapping);
	assert_int_equal(catalog_totals(rig->modules.catalog).reserved, 0);
	rig->keeper_off = false;
	mapped(rig, "y", UID);
}

static void an_overdue_rename_is_finished_later(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result = {0}, again = {0};
	struct taken taken;

	rig->keeper_off = true;
	changes_rename(&rig->modules.changes, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_true(rig_take(rig, &taken));
	keeper_link_expire(rig->modules.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.error, EBUSY);
	/* Asked for once more, it is still under way: its own new name is not taken. */
	changes_rename(&rig->modules.changes, mapping, "y", UID, CLOCK_SECOND, finished, &again);
	assert_int_equal(again.error, EBUSY);
	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 1);
	assert_ptr_equal(catalog_find(rig->modules.catalog, "y"), mapping);
	assert_null(catalog_find(rig->modules.catalog, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(only_the_owner_and_root_remove, begin, end),
		cmocka_unit_test_setup_teardown(unmaps_parts, begin, end),
		cmocka_unit_test_setup_teardown(a_part_goes_when_the_keeper_says_so, begin, end),
		cmocka_unit_test_setup_teardown(an_unmap_ends_when_its_file_is_closed, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_takes_long_to_close_is_not_waited_for,
						begin, end),
		cmocka_unit_test_setup_teardown(gaps_count_as_mappings, begin, end),
		cmocka_unit_test_setup_teardown(a_refused_part_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(a_refused_unmap_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(one_change_at_a_time, begin, end),
		cmocka_unit_test_setup_teardown(an_overdue_unmap_is_finished_later, begin, end),
		cmocka_unit_test_setup_teardown(an_overdue_unmap_may_fail_later, begin, end),
		cmocka_unit_test_setup_teardown(renames, begin, end),
		cmocka_unit_test_setup_teardown(renames_onto_no_other, begin, end),
		cmocka_unit_test_setup_teardown(a_refused_rename_changes_nothing, begin, end),
		cmocka_unit_test_setup_teardown(an_overdue_rename_is_finished_later, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
