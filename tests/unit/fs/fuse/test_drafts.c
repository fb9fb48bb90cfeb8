/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_drafts.c - requests that are being written
 */
#include "base/clock.h"
#include "fuse/drafts.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UID 1000
#define GID 100

#define PER_USER 256

static const char text[] = "{\"source\":{\"path\":\"/x\"}}\n";

static int begin(void **state)
{
	*state = drafts_new();
	return !*state;
}

static int end(void **state)
{
	drafts_free(*state);
	return 0;
}

static struct draft *add(struct drafts *drafts, uid_t uid)
{
	struct draft *draft = NULL;
	char why[REQUEST_WHY_LENGTH];

	assert_int_equal(drafts_add(drafts, "name", uid, GID, calloc(1, sizeof(struct identity)),
				    &draft, why),
			 0);
	assert_string_equal(draft->name, "name");
	assert_int_equal(draft->node.kind, NODE_DRAFT);
	return draft;
}

static int put(struct drafts *drafts, struct draft *draft, const char *what)
{
	char why[REQUEST_WHY_LENGTH];

	return draft_write(drafts, draft, UID, GID, draft->scan.seen, what, strlen(what), why);
}

static void one_write_completes_it(void **state)
{
	struct draft *draft = add(*state, UID);

	assert_int_equal(put(*state, draft, text), 1);
	assert_int_equal(draft->state, DRAFT_RUNNING);
	assert_int_equal(draft->node.held, 1);
	assert_memory_equal(draft->text, text, strlen(text));
	draft_end(*state, draft, 0);
	assert_int_equal(draft->state, DRAFT_DONE);
	assert_int_equal(draft->node.held, 0);
	draft_free(*state, draft);
}

static void pieces_complete_it(void **state)
{
	struct draft *draft = add(*state, UID);
	char piece[2] = "";

	for (size_t i = 0; text[i] != '\n'; i++) {
		piece[0] = text[i];
		assert_int_equal(draft->state, DRAFT_OPEN);
		assert_int_equal(put(*state, draft, piece), text[i + 1] == '\n');
	}
	assert_int_equal(draft->state, DRAFT_RUNNING);
	assert_int_equal(draft->scan.seen, strlen(text) - 1);
	assert_memory_equal(draft->text, text, strlen(text) - 1);
	draft_end(*state, draft, 0);
	draft_free(*state, draft);
}

static void grows_up_to_the_limit(void **state)
{
	struct draft *draft = add(*state, UID);
	char blanks[4096];

	memset(blanks, ' ', sizeof(blanks) - 1);
	blanks[sizeof(blanks) - 1] = '\0';
	while (draft->scan.seen + strlen(blanks) <= REQUEST_MAX_BYTES)
		assert_int_equal(put(*state, draft, blanks), 0);
	assert_int_equal(put(*state, draft, blanks), -EFBIG);
	assert_int_equal(draft->state, DRAFT_DEAD);
	assert_int_equal(put(*state, draft, "{}"), -EFBIG);
	draft_free(*state, draft);
}

/* A set-uid program that has the descriptor as its stderr must not finish the request. */
static void only_its_creator_writes(void **state)
{
	static const struct {
		uid_t uid;
		gid_t gid;
	} others[] = {{0, GID}, {UID, 0}, {UID + 1, GID}};
	char why[REQUEST_WHY_LENGTH];

	for (size_t i = 0; i < 3; i++) {
		struct draft *draft = add(*state, UID);

		assert_int_equal(put(*state, draft, "{"), 0);
		assert_int_equal(
			draft_write(*state, draft, others[i].uid, others[i].gid, 1, "}", 1, why),
			-EPERM);
		assert_int_equal(draft->state, DRAFT_DEAD);
		assert_null(draft->identity);
		assert_int_equal(put(*state, draft, "}"), -EPERM);
		draft_free(*state, draft);
	}
}

static void only_in_order(void **state)
{
	char why[REQUEST_WHY_LENGTH];
	struct draft *draft = add(*state, UID);

	assert_int_equal(put(*state, draft, "{"), 0);
	assert_int_equal(draft_write(*state, draft, UID, GID, 0, "{", 1, why), -EINVAL);
	assert_string_equal(why, "write at offset 0, expected 1");
	assert_int_equal(draft->state, DRAFT_DEAD);
	draft_free(*state, draft);

	draft = add(*state, UID);
	assert_int_equal(draft_write(*state, draft, UID, GID, UINT64_MAX, "{", 1, why), -EINVAL);
	draft_free(*state, draft);
}

static void an_error_ends_it(void **state)
{
	struct draft *draft = add(*state, UID);

	assert_int_equal(put(*state, draft, "nonsense"), -EINVAL);
	assert_int_equal(draft->state, DRAFT_DEAD);
	assert_int_equal(draft->error, EINVAL);
	assert_null(draft->text);
	draft_free(*state, draft);
}

static void after_its_end_only_white_space(void **state)
{
	struct draft *draft = add(*state, UID);

	assert_int_equal(put(*state, draft, text), 1);
	assert_int_equal(put(*state, draft, " "), -EBUSY);
	draft_end(*state, draft, 0);
	assert_int_equal(put(*state, draft, " \n"), 0);
	assert_int_equal(put(*state, draft, "{"), -EINVAL);
	assert_int_equal(draft->state, DRAFT_DONE);
	draft_free(*state, draft);

	draft = add(*state, UID);
	assert_int_equal(put(*state, draft, text), 1);
	draft_end(*state, draft, ENOSPC);
	assert_int_equal(put(*state, draft, " "), -ENOSPC);
	draft_free(*state, draft);
}

static void their_number_is_limited(void **state)
{
	struct draft *draft, *last = NULL;
	char why[REQUEST_WHY_LENGTH];

	for (int i = 0; i < PER_USER; i++)
		last = add(*state, UID);
	assert_int_equal(drafts_add(*state, "x", UID, GID, NULL, &draft, why), -ENFILE);
	assert_string_equal(why, "user 1000 has 256 unfinished requests, which is the limit");
	add(*state, UID + 1);
	draft_free(*state, last);
	add(*state, UID);
	assert_int_equal(drafts_add(*state, "x", UID, GID, NULL, &draft, why), -ENFILE);
}

/* Sixteen users with 256 each would leave no place to others. */
static void many_users_keep_nobody_out(void **state)
{
	struct draft *draft;
	char why[REQUEST_WHY_LENGTH];
	size_t count = 0;

	for (uid_t uid = UID; uid < UID + 16; uid++)
		while (!drafts_add(*state, "x", uid, GID, NULL, &draft, why))
			count++;
	assert_true(count < drafts_share.total - drafts_share.root);
	add(*state, UID + 16);
	add(*state, 0);
}

/* A draft that is being carried out, or has ended, does not count. */
static void ended_ones_do_not_count(void **state)
{
	struct draft *all[2 * PER_USER];

	for (int i = 0; i < 2 * PER_USER; i++) {
		all[i] = add(*state, UID);
		put(*state, all[i], i % 2 ? text : "x");
	}
	for (int i = 0; i < 2 * PER_USER; i++)
		draft_free(*state, all[i]);
}

static int expirations;

static void expired(void *arg, const struct draft *draft)
{
	assert_int_equal(draft->state, DRAFT_OPEN);
	assert_string_equal(draft->name, arg);
	expirations++;
}

static void expires_when_nobody_writes(void **state)
{
	const uint64_t patience = DRAFT_SECONDS * CLOCK_SECOND;
	struct draft *first, *second;
	uint64_t due;

	expirations = 0;
	assert_int_equal(drafts_expire(*state, UINT64_MAX, expired, NULL), UINT64_MAX);
	first = add(*state, UID);
	second = add(*state, UID);
	due = second->touched + patience;
	assert_int_equal(drafts_expire(*state, first->touched, expired, "name"),
			 first->touched + patience);
	assert_int_equal(put(*state, first, "{"), 0); /* now the second one is the oldest */
	assert_int_equal(drafts_expire(*state, due - 1, expired, "name"), due);
	assert_int_equal(expirations, 0);
	second->touched -= 1;
	assert_int_equal(drafts_expire(*state, due - 1, expired, "name"),
			 first->touched + patience);
	assert_int_equal(expirations, 1);
	assert_int_equal(second->state, DRAFT_DEAD);
	assert_int_equal(second->error, ETIMEDOUT);
	assert_int_equal(first->state, DRAFT_OPEN);
	assert_int_equal(drafts_expire(*state, first->touched + patience, expired, "name"),
			 UINT64_MAX);
	assert_int_equal(put(*state, first, "}"), -ETIMEDOUT);
	draft_free(*state, first);
	draft_free(*state, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_write_completes_it, begin, end),
		cmocka_unit_test_setup_teardown(pieces_complete_it, begin, end),
		cmocka_unit_test_setup_teardown(grows_up_to_the_limit, begin, end),
		cmocka_unit_test_setup_teardown(only_its_creator_writes, begin, end),
		cmocka_unit_test_setup_teardown(only_in_order, begin, end),
		cmocka_unit_test_setup_teardown(an_error_ends_it, begin, end),
		cmocka_unit_test_setup_teardown(after_its_end_only_white_space, begin, end),
		cmocka_unit_test_setup_teardown(their_number_is_limited, begin, end),
		cmocka_unit_test_setup_teardown(many_users_keep_nobody_out, begin, end),
		cmocka_unit_test_setup_teardown(ended_ones_do_not_count, begin, end),
		cmocka_unit_test_setup_teardown(expires_when_nobody_writes, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
