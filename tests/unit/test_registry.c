/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_registry.c - tokens
 */
/* The file itself, to make a slot old without two thousand million mappings. */
#include "registry.c"

#include "helper.h"
#include <signal.h>
#include <sys/wait.h>

static const struct mapping example = {
	.address = 0x10000,
	.length = PAGE,
	.granularity = PMEM2_GRANULARITY_PAGE,
	.facts.adopted = true,
	.facts.source_type = PMEM2FS_SOURCE_ANONYMOUS,
	.facts.alignment = PAGE,
};

static struct pmem2_map *add(uintptr_t address)
{
	struct mapping mapping = example;
	struct pmem2_map *token = NULL;

	mapping.address = address;
	assert_ok(registry_add(&mapping, NULL, 0, &token));
	return token;
}

static void drop(struct pmem2_map *token)
{
	struct mapping mapping;

	assert_ok(registry_claim(token, &mapping));
	registry_release(token);
}

static bool there(const struct pmem2_map *token)
{
	enum pmem2_granularity granularity;
	uintptr_t address;
	size_t length;

	return registry_look(token, &address, &length, &granularity);
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

		assert_true(registry_look(tokens[i], &address, &length, &granularity));
		assert_int_equal(address, 0x100000 + i * PAGE);
		drop(tokens[i]);
	}
}

static void test_claimed_can_be_seen_but_not_used(void **state)
{
	struct pmem2_map *token = add(0x10000);
	struct mapping mapping;
	uint32_t slot;

	(void)state;
	assert_ok(registry_claim(token, &mapping));
	assert_int_equal(mapping.address, 0x10000);
	assert_true(there(token));
	assert_int_equal(registry_claim(token, &mapping), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(registry_table_slot(token, &slot), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(registry_set_label(token, "a", 1), PMEM2_E_MAPPING_NOT_FOUND);
	registry_restore(token);
	assert_ok(registry_table_slot(token, &slot));
	drop(token);
	assert_false(there(token));
}

/* A slot whose generations are used up is not used again. */
static void test_generations_are_not_reused(void **state)
{
	struct pmem2_map *first = add(0x10000);
	struct pmem2_map *last;
	struct pmem2_map *next;

	(void)state;
	drop(first);
	atomic_store(&token_slot(first)->state, state_of(GENERATION_MAX, SLOT_FREE));
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
		cmocka_unit_test(test_generations_are_not_reused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
