/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_registry.c - tokens
 */
#include "base/lock.h"
#include "helper.h"
#include "registry/address_order.h"
#include "registry/handles.h"
#include "registry/registry.h"
#include <signal.h>
#include <sys/wait.h>

static const struct mapping_info example = {
	.address = 0x10000,
	.length = PAGE,
	.granularity = PMEM2_GRANULARITY_PAGE,
	.facts.adopted = true,
	.facts.source_type = PMEM2FS_SOURCE_ANONYMOUS,
	.facts.alignment = PAGE,
};

static struct pmem2_map *add(uintptr_t address)
{
	struct mapping_info mapping = example;
	struct pmem2_map *token = NULL;

	mapping.address = address;
	assert_ok(registry_add(&mapping, NULL, 0, &token));
	return token;
}

static void drop(struct pmem2_map *token)
{
	struct mapping_info mapping;
	struct interval piece;

	assert_ok(registry_begin_unmap(token, &mapping, &piece));
	registry_finish_unmap(token);
}

static bool there(const struct pmem2_map *token)
{
	enum pmem2_granularity granularity;
	uintptr_t address;
	size_t length;

	return registry_lookup(token, &address, &length, &granularity);
}

static void test_token_is_no_address(void **state)
{
	struct pmem2_map *token = add(0x10000);
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		signal(SIGBUS, SIG_DFL);
		_exit(*(volatile char *)token & 0);
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_true(WIFSIGNALED(status));
	drop(token);
}

static void test_tokens_do_not_come_back(void **state)
{
	enum { ROUNDS = 5000 };
	static struct pmem2_map *tokens[ROUNDS];

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		tokens[i] = add(0x10000);
		assert_true(there(tokens[i]));
		drop(tokens[i]);
		assert_false(there(tokens[i]));
	}
	for (int i = 0; i < ROUNDS; i++) {
		for (int j = 0; j < i; j += 97)
			assert_ptr_not_equal(tokens[i], tokens[j]);
	}
}

static void test_many_at_once(void **state)
{
	enum { MANY = 10000 };
	static struct pmem2_map *tokens[MANY];

	(void)state;
	for (uintptr_t i = 0; i < MANY; i++)
		tokens[i] = add(0x100000 + i * PAGE);
	for (uintptr_t i = 0; i < MANY; i++) {
		enum pmem2_granularity granularity;
		uintptr_t address;
		size_t length;

		assert_true(registry_lookup(tokens[i], &address, &length, &granularity));
		assert_int_equal(address, 0x100000 + i * PAGE);
		drop(tokens[i]);
	}
}

static void test_claimed_can_be_seen_but_not_used(void **state)
{
	struct pmem2_map *token = add(0x10000);
	struct mapping_info mapping;
	struct interval piece;
	uint32_t slot;

	(void)state;
	assert_ok(registry_begin_unmap(token, &mapping, &piece));
	assert_int_equal(mapping.address, 0x10000);
	assert_int_equal(piece.begin, 0x10000);
	assert_int_equal(piece.end, 0x10000 + PAGE);
	assert_true(there(token));
	assert_int_equal(registry_begin_unmap(token, &mapping, &piece), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(registry_table_slot(token, &slot), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(registry_set_label(token, "a", 1), PMEM2_E_MAPPING_NOT_FOUND);
	registry_cancel_unmap(token);
	assert_ok(registry_table_slot(token, &slot));
	drop(token);
	assert_false(there(token));
}

static struct pmem2_map *add_fresh(uintptr_t address, size_t length)
{
	struct mapping_info mapping = example;
	struct pmem2_map *token = NULL;

	mapping.address = address;
	mapping.length = length;
	mapping.facts.adopted = false;
	assert_ok(registry_add(&mapping, NULL, 0, &token));
	return token;
}

static void check_pieces(struct pmem2_map *token, size_t count, const struct interval *expected)
{
	struct mapping_info mapping;
	struct interval piece = {0};
	size_t found = 0;

	assert_ok(registry_begin_unmap_part(token, &mapping));
	while (registry_next_piece(token, piece.end, UINTPTR_MAX, &piece)) {
		assert_true(found < count);
		assert_int_equal(piece.begin, expected[found].begin);
		assert_int_equal(piece.end, expected[found].end);
		found++;
	}
	registry_finish_unmap_part(token);
	assert_int_equal(found, count);
}

/* A place that is reserved for a mapping is occupied, but not a mapping yet. */
static void test_occupied_is_no_mapping(void **state)
{
	struct pmem2_vm_reservation *const in = (struct pmem2_vm_reservation *)0x1000;
	struct mapping_info mapping = example;
	struct pmem2_map *token = NULL;
	struct pmem2_map *other = NULL;
	struct interval piece;

	(void)state;
	mapping.address = 0x100000;
	mapping.facts.adopted = false;
	mapping.facts.reservation = in;
	library_lock();
	assert_ok(registry_occupy(0x100000, PAGE, &token));
	assert_true(address_order_occupied(0x100000 + PAGE - 1, 0x100000 + PAGE));
	assert_false(address_order_occupied(0x100000 + PAGE, 0x100000 + 2 * PAGE));
	assert_int_equal(registry_occupy(0x100000, PAGE, &other), PMEM2_E_MAPPING_EXISTS);
	assert_null(address_order_lowest(in, 0, UINTPTR_MAX));
	library_unlock();
	assert_false(there(token));
	assert_int_equal(registry_facts(token, &mapping), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(registry_begin_unmap(token, &mapping, &piece), PMEM2_E_MAPPING_NOT_FOUND);

	assert_ok(registry_establish(token, &mapping, "a", 1));
	assert_true(there(token));
	library_lock();
	assert_ptr_equal(address_order_lowest(in, 0, UINTPTR_MAX), token);
	assert_ptr_equal(address_order_highest_start(in, 0, UINTPTR_MAX), token);
	assert_null(address_order_lowest(NULL, 0, UINTPTR_MAX));
	library_unlock();
	assert_ok(registry_begin_unmap(token, &mapping, &piece));
	library_lock();
	assert_null(address_order_lowest(in, 0, UINTPTR_MAX));
	assert_true(address_order_occupied(0x100000, 0x100000 + PAGE));
	library_unlock();
	registry_finish_unmap(token);

	library_lock();
	assert_ok(registry_occupy(0x100000, PAGE, &token));
	library_unlock();
	registry_abandon(token);
	library_lock();
	assert_false(address_order_occupied(0, UINTPTR_MAX));
	library_unlock();
}

/* Parts of a mapping were replaced by others: only the rest still belongs to it. */
static void test_displaced_piece_by_piece(void **state)
{
	struct pmem2_map *token = add_fresh(0x100000, 8 * PAGE);
	struct pmem2_map *others[3];
	uint32_t slot;
	int status;
	pid_t pid;

	(void)state;
	others[0] = add_fresh(0x100000 + 3 * PAGE, PAGE);
	check_pieces(token, 2,
		     (struct interval[]){{0x100000, 0x100000 + 3 * PAGE},
					 {0x100000 + 4 * PAGE, 0x100000 + 8 * PAGE}});
	others[1] = add_fresh(0x100000 + 7 * PAGE, 2 * PAGE);
	drop(others[0]);
	others[0] = add_fresh(0x100000 + 2 * PAGE, 3 * PAGE);
	check_pieces(token, 2,
		     (struct interval[]){{0x100000, 0x100000 + 2 * PAGE},
					 {0x100000 + 5 * PAGE, 0x100000 + 7 * PAGE}});
	assert_ok(registry_table_slot(token, &slot));
	others[2] = add_fresh(0x100000 - PAGE, 10 * PAGE);
	check_pieces(token, 0, NULL);
	check_pieces(others[0], 0, NULL);
	/* A mapping of which nothing is left does not show. */
	assert_int_equal(registry_table_slot(token, &slot), -ENOENT);
	/* Nor in the table that a child makes for itself. */
	pid = fork();
	if (pid == 0)
		_exit(registry_table_slot(token, &slot) == -ENOENT &&
				      registry_table_slot(others[2], &slot) == 0
			      ? 0
			      : 1);
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_int_equal(status, 0);
	drop(token);
	for (int i = 0; i < 3; i++)
		drop(others[i]);
}

static void test_areas_in_the_order_of_addresses(void **state)
{
	struct pmem2_map *tokens[64];
	struct interval area = {0};

	(void)state;
	for (uintptr_t i = 0; i < 64; i++)
		tokens[i] = add_fresh(0x100000 + i * 37 % 64 * 2 * PAGE, PAGE);
	for (uintptr_t i = 0; i < 64; i++) {
		assert_true(
			registry_find_interval(0x100000 + i * 2 * PAGE - PAGE, UINTPTR_MAX, &area));
		assert_int_equal(area.begin, 0x100000 + i * 2 * PAGE);
		assert_int_equal(interval_index_highest(0, area.end)->range.begin, area.begin);
		assert_int_equal(interval_index_highest(0, area.end + PAGE)->range.begin,
				 area.begin);
		assert_false(registry_find_interval(area.end, area.end + PAGE, &area));
	}
	assert_false(registry_find_interval(0x100000, 0x100000, &area));
	for (int i = 0; i < 64; i++)
		drop(tokens[i]);
}

/* A handle whose generations are exhausted is not used again. */
static void test_generations_are_not_reused(void **state)
{
	struct pmem2_map *first = add(0x10000);
	struct pmem2_map *last;
	struct pmem2_map *next;

	(void)state;
	drop(first);
	atomic_store(&handle_of(first)->state,
		     handle_state_word(HANDLE_GENERATION_MAX, HANDLE_FREE));
	last = add(0x10000);
	assert_int_equal((uintptr_t)last & 0xffffff, (uintptr_t)first & 0xffffff);
	assert_true(there(last));
	drop(last);
	assert_false(there(last));
	next = add(0x10000);
	assert_int_not_equal((uintptr_t)next & 0xffffff, (uintptr_t)first & 0xffffff);
	assert_false(there(first));
	assert_false(there(last));
	drop(next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_token_is_no_address),
		cmocka_unit_test(test_tokens_do_not_come_back),
		cmocka_unit_test(test_many_at_once),
		cmocka_unit_test(test_claimed_can_be_seen_but_not_used),
		cmocka_unit_test(test_occupied_is_no_mapping),
		cmocka_unit_test(test_displaced_piece_by_piece),
		cmocka_unit_test(test_areas_in_the_order_of_addresses),
		cmocka_unit_test(test_generations_are_not_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
