/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mapping_facts.c - processes and devices are freed with their last reference
 *
 * The sanitizers check that they are freed then, and not before.
 */
#include "base/shared_text.h"
#include "host/mapping_facts.h"
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct process_info *new_owner(void)
{
	struct process_info *owner = calloc(1, sizeof(*owner));

	owner->references = 1;
	owner->is.comm = strdup("comm");
	owner->is.exe = strdup("/exe");
	owner->is.cgroup = strdup("/cgroup");
	return owner;
}

static struct device *new_device(void)
{
	struct device *device = calloc(1, sizeof(*device));

	device->references = 1;
	return device;
}

static void nothing_is_fine(void **state)
{
	struct facts facts = {0};

	(void)state;
	assert_null(process_info_get(NULL));
	assert_null(device_get(NULL));
	process_info_put(NULL);
	device_put(NULL);
	facts_clear(&facts);
}

static void facts_hold_references(void **state)
{
	struct process_info *owner = new_owner();
	struct device *device = new_device();
	struct facts facts = {
		.path = shared_text_new("/path"),
		.size = 7,
		.size_known = true,
		.owner = process_info_get(owner),
		.device = device_get(device),
		.badblocks = calloc(2, sizeof(*facts.badblocks)),
		.badblock_count = 2,
		.extents = extents_new(),
	};
	const struct facts none = {0};

	(void)state;
	assert_int_equal(owner->references, 2);
	assert_int_equal(device->references, 2);
	facts_clear(&facts);
	assert_memory_equal(&facts, &none, sizeof(none));
	assert_int_equal(owner->references, 1);
	assert_int_equal(device->references, 1);
	assert_string_equal(owner->is.comm, "comm");
	process_info_put(owner);
	device_put(device);
}

static void *use(void *arg)
{
	struct process_info *owner = arg;

	for (int i = 0; i < 1000; i++) {
		assert_ptr_equal(process_info_get(owner), owner);
		assert_int_equal(owner->is.comm[0], 'c');
		process_info_put(owner);
	}
	process_info_put(owner);
	return NULL;
}

/* The last release frees it, whichever thread calls it. */
static void threads_share_an_owner(void **state)
{
	struct process_info *owner = new_owner();
	pthread_t threads[4];

	(void)state;
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, use, process_info_get(owner)),
				 0);
	process_info_put(owner);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_fine),
		cmocka_unit_test(facts_hold_references),
		cmocka_unit_test(threads_share_an_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
