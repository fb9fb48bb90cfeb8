/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mapper.c - making, removing and renaming, in every order that a keeper may answer in
 */
#include "capture.h"
#include "clock.h"
#include "events.h"
#include "keeper_link.h"
#include "mapper.h"
#include "namespace.h"
#include "pool.h"
#include "rig.h"
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define UID 1000
#define GID 100

struct result {
	bool done;
	int calls, error;
	char why[MAPPER_WHY_LENGTH];
};

static void finished(void *arg, int error, const char *why)
{
	struct result *result = arg;

	result->done = true;
	result->calls++;
	result->error = error;
	snprintf(result->why, sizeof(result->why), "%s", why);
}

static struct capture capture;

static int begin(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	*state = rig_new();
	return 0;
}

static int end(void **state)
{
	rig_free(*state);
	capture_end(&capture);
	return 0;
}

static struct request anonymous(void)
{
	return (struct request){
		.anonymous = true,
		.length = 4096,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
}

static struct request of_path(const char *path)
{
	return (struct request){
		.path = strdup(path),
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
}

/* The test's own rights. */
static struct identity *own_identity(void)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	identity->uid = geteuid();
	identity->gid = getegid();
	identity->capabilities = ~0ull;
	return identity;
}

static void map(struct rig *rig, const char *name, struct request request, uid_t uid,
		struct result *result, struct map_job **job)
{
	*result = (struct result){0};
	mapper_map(&rig->service, name, &request, uid, GID,
		   request.anonymous ? NULL : own_identity(), -1, 0, finished, result, job);
	assert_null(request.path);
}

static struct mapping *mapped(struct rig *rig, const char *name, uid_t uid)
{
	struct result result;
	struct mapping *mapping;

	map(rig, name, anonymous(), uid, &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	mapping = namespace_find(rig->service.names, name);
	assert_non_null(mapping);
	return mapping;
}

static void remove_it(struct rig *rig, struct mapping *mapping, uid_t uid, struct result *result)
{
	*result = (struct result){0};
	mapper_unmap(&rig->service, mapping, uid, CLOCK_SECOND, finished, result);
}

static void maps_a_file(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors = rig_descriptors();
	struct pmem2fs_record record;
	struct mapping *mapping;
	struct result result;
	struct map_job *job;
	struct stat st;
	char *path = rig_new_file();

	map(rig, "file", of_path(path), UID, &result, &job);
	assert_non_null(job);
	assert_null(namespace_find(rig->service.names, "file"));
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_string_equal(result.why, "");
	assert_null(job);
	mapping = namespace_find(rig->service.names, "file");
	version_record(mapping->version, &record);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(record.source_inode, st.st_ino);
	assert_int_equal(record.length, 16384);
	assert_int_equal(record.uid, UID);
	assert_int_equal(record.gid, GID);
	assert_int_equal(rig_mapped(rig), 1);

	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_null(namespace_find(rig->service.names, "file"));
	assert_int_equal(rig_mapped(rig), 0);
	assert_int_equal(rig_descriptors(), descriptors);
	unlink(path);
	free(path);
}

static void passes_a_descriptor_on(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors = rig_descriptors();
	struct request request = of_path("/unused");
	struct result result = {0};
	char *path = rig_new_file();
	int fd = open(path, O_RDWR);

	free(request.path);
	request.path = NULL;
	mapper_map(&rig->service, "fd", &request, UID, GID, NULL, fd, getpid(), finished, &result,
		   NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(rig_descriptors(), descriptors);

	result.done = false;
	fd = open("/dev/null", O_RDWR);
	mapper_map(&rig->service, "null", &request, UID, GID, NULL, fd, getpid(), finished, &result,
		   NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, EINVAL);
	assert_non_null(strstr(result.why, "null: cannot map /dev/null: is a character device"));
	assert_int_equal(rig_descriptors(), descriptors);
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
	assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
	mapped(rig, "x", UID);
}

/* The name is taken when the file has been opened, not before: the first to get there has it. */
static void a_name_may_be_taken_meanwhile(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors = rig_descriptors();
	struct result slow, quick, third;
	struct taken taken;
	char *path = rig_new_file();

	rig->keeper_off = true;
	map(rig, "x", of_path(path), UID, &slow, NULL);
	map(rig, "x", anonymous(), UID, &quick, NULL);
	assert_true(rig_take(rig, &taken)); /* the quick one's, which has reserved the name */
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
		assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
	}
}

/* A keeper that says it is done when nothing is in its table is not believed. */
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
	assert_null(namespace_find(rig->service.names, "x"));
	assert_true(rig_take(rig, &taken)); /* and is told to take it back */
	assert_int_equal(taken.command.op, COMMAND_UNMAP);
	rig_answer(rig, &taken, PMEM2_E_MAPPING_NOT_FOUND);
}

static void limits_hold(void **state)
{
	struct rig *rig = *state;
	struct mapping *first;
	struct result result;

	rig->options.max = 3;
	rig->options.max_user = 2;
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
	mapped(rig, "d", UID);
	assert_int_equal(rig_mapped(rig), 3);
}

/* What is being made counts. */
static void limits_hold_while_others_are_made(void **state)
{
	struct rig *rig = *state;
	struct result first, second;
	struct taken taken;

	rig->keeper_off = true;
	rig->options.max = 1;
	rig->options.max_user = 1;
	map(rig, "a", anonymous(), UID, &first, NULL);
	map(rig, "b", anonymous(), 0, &second, NULL);
	assert_int_equal(second.error, ENOSPC);
	rig->options.max = 2;
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

	rig->options.max_user = 1;
	mapped(rig, "a", 0);
	mapped(rig, "b", 0);
}

static void abandoned_before_the_keeper_knows(void **state)
{
	struct rig *rig = *state;
	unsigned descriptors = rig_descriptors();
	struct result result, other;
	struct map_job *job;
	struct taken taken;
	char *path = rig_new_file();

	rig->keeper_off = true;
	map(rig, "x", of_path(path), UID, &result, &job);
	mapper_abandon(job);
	assert_null(job);
	/* Another one in the same lane ends after it. */
	map(rig, "y", of_path("/nowhere"), UID, &other, NULL);
	rig_run(rig, &other.done);
	while (rig_descriptors() != descriptors) /* its thread may be the slower one */
		rig_poll(rig);
	assert_false(rig_take(rig, &taken));
	assert_int_equal(result.calls, 0);
	assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
	unlink(path);
	free(path);
}

/* The keeper cannot be stopped any more: what it made goes again, and is never seen. */
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
	assert_int_equal(other.error, EEXIST); /* the name is not free yet */
	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 0);
	assert_null(namespace_find(rig->service.names, "x"));
	assert_int_equal(rig_mapped(rig), 1);
	assert_true(rig_take(rig, &taken));
	assert_int_equal(taken.command.op, COMMAND_UNMAP);
	rig_carry_out(rig, &taken);
	assert_int_equal(rig_mapped(rig), 0);
	assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
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

static void only_the_owner_and_root_remove(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result;

	remove_it(rig, mapping, UID + 1, &result);
	assert_int_equal(result.error, EPERM);
	assert_string_equal(result.why, "x: cannot unmap: it belongs to user 1000");
	mapper_rename(&rig->service, mapping, "y", UID + 1, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EPERM);
	assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
	remove_it(rig, mapping, 0, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
}

static void unmap_part(struct rig *rig, struct mapping *mapping, uint64_t offset, uint64_t length,
		       uid_t uid, struct result *result)
{
	*result = (struct result){0};
	mapper_unmap_range(&rig->service, mapping, offset, length, uid, CLOCK_SECOND, finished,
			   result);
}

/* `expected` is an array of JSON. */
static void expect_extents(struct rig *rig, const struct mapping *mapping, const char *expected)
{
	size_t length;
	const char *text = version_document(rig->service.names, mapping->version, &length);
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
	return namespace_find(rig->service.names, name);
}

static void unmaps_parts(void **state)
{
	struct rig *rig = *state;
	struct result result;
	struct mapping *mapping;
	char *path;

	mapping = mapped_file(rig, "x", &path);
	unmap_part(rig, mapping, 4096, 1, UID, &result); /* any byte is its page */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_false(mapping->busy);
	assert_ptr_equal(namespace_find(rig->service.names, "x"), mapping);
	assert_int_equal(namespace_totals(rig->service.names).bytes, 3 * 4096);
	expect_extents(rig, mapping,
		       "[{\"offset\":0,\"length\":4096},"
		       "{\"offset\":8192,\"length\":8192}]");
	unmap_part(rig, mapping, 12288, MAPPER_TO_THE_END, UID, &result);
	rig_run(rig, &result.done);
	expect_extents(rig, mapping,
		       "[{\"offset\":0,\"length\":4096},"
		       "{\"offset\":8192,\"length\":4096}]");
	unmap_part(rig, mapping, 0, 16384, 0, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	expect_extents(rig, mapping, "[]");
	assert_int_equal(rig_mapped(rig), 1);
	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(rig_mapped(rig), 0);
	unlink(path);
	free(path);
}

/* The keeper must have shown that it is done; until then the document says what it said. */
static void a_part_goes_when_the_keeper_says_so(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct version *before = mapping->version;
	struct result result, other;
	struct taken taken;

	rig->keeper_off = true;
	unmap_part(rig, mapping, 0, 4096, UID, &result);
	assert_true(rig_take(rig, &taken));
	assert_int_equal(taken.command.op, COMMAND_UNMAP_RANGE);
	assert_int_equal(taken.command.slot, mapping->slot);
	assert_int_equal(taken.command.offset, 0);
	assert_int_equal(taken.command.length, 4096);
	assert_true(taken.command.deadline > clock_now());
	assert_ptr_equal(mapping->version, before);
	remove_it(rig, mapping, UID, &other);
	assert_int_equal(other.error, EBUSY);
	unmap_part(rig, mapping, 0, 4096, UID, &other);
	assert_int_equal(other.error, EBUSY);
	assert_string_equal(other.why, "x: cannot unmap a part: another change of it is under way");
	keeper_link_expire(rig->service.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(mapping->version, before);
	rig_carry_out(rig, &taken); /* late, and still it shows */
	assert_int_equal(result.calls, 1);
	expect_extents(rig, mapping, "[]");
}

/* The kernel's limit is on areas: one large mapping must not be worth many. */
static void gaps_count_as_mappings(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping;
	struct result result;
	char *path;

	mapping = mapped_file(rig, "x", &path);
	rig->options.max_user = 2;
	unmap_part(rig, mapping, 4096, 4096, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_int_equal(namespace_count_of(rig->service.names, UID), 2);
	map(rig, "y", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, EDQUOT);
	unmap_part(rig, mapping, 8192, 4096, UID, &result); /* makes none more */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	unmap_part(rig, mapping, 0, 4096, UID, &result); /* one less */
	rig_run(rig, &result.done);
	assert_int_equal(namespace_count_of(rig->service.names, UID), 1);
	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(namespace_totals(rig->service.names).gaps, 0);
	assert_int_equal(namespace_count_of(rig->service.names, UID), 0);
	unlink(path);
	free(path);

	mapping = mapped_file(rig, "x", &path);
	rig->options.max_user = 1;
	unmap_part(rig, mapping, 4096, 4096, UID, &result);
	assert_int_equal(result.error, EDQUOT);
	assert_string_equal(
		result.why,
		"x: cannot unmap a part: user 1000 has 1 mappings already, gaps counted "
		"(option max_user=)");
	rig->options.max = 1;
	unmap_part(rig, mapping, 4096, 4096, 0, &result);
	assert_int_equal(result.error, ENOSPC);
	rig->options.max = 2;
	unmap_part(rig, mapping, 4096, 4096, 0, &result); /* root */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	rig->options.max_user = 9;
	map(rig, "y", anonymous(), UID, &result, NULL);
	assert_int_equal(result.error, ENOSPC);
	unlink(path);
	free(path);
}

static void a_refused_part_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct version *before = mapping->version;
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
		assert_ptr_equal(mapping->version, before);
		assert_int_equal(mapping->checked, 0); /* pieces of it may be gone */
		assert_false(mapping->busy);
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
		assert_ptr_equal(namespace_find(rig->service.names, "x"), mapping);
	}
	rig->keeper_off = false;
	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
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
	mapper_rename(&rig->service, mapping, "y", UID, CLOCK_SECOND, finished, &second);
	assert_int_equal(second.error, EBUSY);
	assert_true(rig_take(rig, &taken));
	assert_false(rig_take(rig, &(struct taken){0}));
	rig_carry_out(rig, &taken);
	assert_int_equal(first.error, 0);
	assert_int_equal(first.calls, 1);
}

/* EBUSY is said in time; what the keeper had begun is finished, and shows as finished. */
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
	/* By then the keeper must not begin any more. */
	assert_true(keeper_link_expire(rig->service.keeper, taken.command.deadline) >
		    taken.command.deadline);
	assert_false(result.done);
	keeper_link_expire(rig->service.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.calls, 1);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(namespace_find(rig->service.names, "x"), mapping);
	remove_it(rig, mapping, UID, &stuck);
	assert_int_equal(stuck.error, EBUSY);
	remove_it(rig, other, UID, &stuck); /* for the next seconds at once */
	assert_int_equal(stuck.error, EBUSY);

	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 1);
	assert_null(namespace_find(rig->service.names, "x"));
	assert_int_equal(rig_mapped(rig), 1);
	rig->keeper_off = false;
	remove_it(rig, other, UID, &stuck);
	rig_run(rig, &stuck.done);
	assert_int_equal(stuck.error, 0);
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
	keeper_link_expire(rig->service.keeper, clock_now() + CLOCK_SECOND);
	rig_answer(rig, &taken, -ETIMEDOUT);
	assert_int_equal(result.calls, 1);
	assert_ptr_equal(namespace_find(rig->service.names, "x"), mapping);
	rig->keeper_off = false;
	remove_it(rig, mapping, UID, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
}

static void renames(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	uint64_t number = mapping->number;
	struct pmem2fs_record record;
	struct result result = {0};

	mapper_rename(&rig->service, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_non_null(namespace_find(rig->service.names, "x")); /* not before the keeper has */
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	assert_null(namespace_find(rig->service.names, "x"));
	assert_ptr_equal(namespace_find(rig->service.names, "y"), mapping);
	assert_int_equal(mapping->number, number);
	assert_int_equal(pmem2fs_table_read(rig->service.table, mapping->slot, NULL, &record), 0);
	assert_int_equal(record.label_length, 1);
	assert_int_equal(record.label[0], 'y');
	mapped(rig, "x", UID);
}

/* A mapping is never lost under another one's name. */
static void renames_onto_no_other(void **state)
{
	struct rig *rig = *state;
	struct mapping *x = mapped(rig, "x", UID), *y = mapped(rig, "y", UID);
	struct result result = {0}, made;
	struct taken taken;

	mapper_rename(&rig->service, x, "y", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	mapper_rename(&rig->service, x, "x", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	rig->keeper_off = true;
	map(rig, "new", anonymous(), UID, &made, NULL);
	mapper_rename(&rig->service, x, "new", UID, CLOCK_SECOND, finished, &result);
	assert_int_equal(result.error, EEXIST);
	assert_true(rig_take(rig, &taken));
	rig_carry_out(rig, &taken);

	/* And while one is on its way to a name nobody else gets that. */
	result.done = false;
	mapper_rename(&rig->service, x, "z", UID, CLOCK_SECOND, finished, &result);
	assert_false(result.done);
	map(rig, "z", anonymous(), UID, &made, NULL);
	assert_int_equal(made.error, EEXIST);
	mapper_rename(&rig->service, y, "z", UID, CLOCK_SECOND, finished, &made);
	assert_int_equal(made.error, EEXIST);
	assert_false(y->busy);
	assert_true(rig_take(rig, &taken));
	rig_carry_out(rig, &taken);
	assert_int_equal(result.error, 0);
	assert_ptr_equal(namespace_find(rig->service.names, "z"), x);
}

static void a_refused_rename_changes_nothing(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result = {0};
	struct taken taken;

	rig->keeper_off = true;
	mapper_rename(&rig->service, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_true(rig_take(rig, &taken));
	rig_answer(rig, &taken, -ETIMEDOUT);
	assert_int_equal(result.error, EBUSY);
	assert_ptr_equal(namespace_find(rig->service.names, "x"), mapping);
	assert_int_equal(namespace_totals(rig->service.names).reserved, 0);
	rig->keeper_off = false;
	mapped(rig, "y", UID);
}

static void an_overdue_rename_is_finished_later(void **state)
{
	struct rig *rig = *state;
	struct mapping *mapping = mapped(rig, "x", UID);
	struct result result = {0};
	struct taken taken;

	rig->keeper_off = true;
	mapper_rename(&rig->service, mapping, "y", UID, CLOCK_SECOND, finished, &result);
	assert_true(rig_take(rig, &taken));
	keeper_link_expire(rig->service.keeper, clock_now() + CLOCK_SECOND);
	assert_int_equal(result.error, EBUSY);
	rig_carry_out(rig, &taken);
	assert_int_equal(result.calls, 1);
	assert_ptr_equal(namespace_find(rig->service.names, "y"), mapping);
	assert_null(namespace_find(rig->service.names, "x"));
}

/* A new worker finds in the table what the one before it had made. */
static void a_new_worker_shows_the_same(void **state)
{
	struct rig *rig = *state;
	char longest[NAME_LENGTH_MAX + 1];
	struct service *service = &rig->service;
	struct pmem2fs_record record;
	struct mapping *mapping;
	uint32_t slot;
	size_t place;

	memset(longest, '\xff', NAME_LENGTH_MAX);
	longest[NAME_LENGTH_MAX] = '\0';
	mapped(rig, "a", UID);
	slot = mapped(rig, longest, 0)->slot;
	while ((mapping = namespace_after(service->names, 0, &place)))
		namespace_remove(service->names, mapping);
	assert_int_equal(mapper_load(service), 0);
	assert_int_equal(namespace_totals(service->names).entries, 2);
	assert_int_equal(namespace_count_of(service->names, UID), 1);
	mapping = namespace_find(service->names, longest);
	assert_non_null(mapping);
	assert_int_equal(mapping->slot, slot);
	version_record(mapping->version, &record);
	assert_int_equal(record.length, 4096);
	assert_non_null(namespace_find(service->names, "a"));
}

/* A mapping that could not be taken back leaves two with one label; neither is lost for that. */
static void a_new_worker_shows_two_of_one_label(void **state)
{
	struct rig *rig = *state;
	struct service *service = &rig->service;
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
	while ((mapping = namespace_after(service->names, 0, &place)))
		namespace_remove(service->names, mapping);
	assert_int_equal(mapper_load(service), 0);
	assert_int_equal(namespace_totals(service->names).entries, 2);
	assert_int_equal(namespace_count_of(service->names, UID), 2);
	assert_non_null(namespace_find(service->names, "x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(maps_a_file, begin, end),
		cmocka_unit_test_setup_teardown(passes_a_descriptor_on, begin, end),
		cmocka_unit_test_setup_teardown(what_cannot_be_opened_takes_no_name, begin, end),
		cmocka_unit_test_setup_teardown(a_name_may_be_taken_meanwhile, begin, end),
		cmocka_unit_test_setup_teardown(the_keepers_refusal_is_told, begin, end),
		cmocka_unit_test_setup_teardown(a_slot_that_is_empty_is_no_mapping, begin, end),
		cmocka_unit_test_setup_teardown(limits_hold, begin, end),
		cmocka_unit_test_setup_teardown(limits_hold_while_others_are_made, begin, end),
		cmocka_unit_test_setup_teardown(root_has_no_limit_of_its_own, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_before_the_keeper_knows, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_while_the_keeper_maps, begin, end),
		cmocka_unit_test_setup_teardown(abandoned_and_then_refused, begin, end),
		cmocka_unit_test_setup_teardown(only_the_owner_and_root_remove, begin, end),
		cmocka_unit_test_setup_teardown(unmaps_parts, begin, end),
		cmocka_unit_test_setup_teardown(a_part_goes_when_the_keeper_says_so, begin, end),
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
		cmocka_unit_test_setup_teardown(a_new_worker_shows_the_same, begin, end),
		cmocka_unit_test_setup_teardown(a_new_worker_shows_two_of_one_label, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
