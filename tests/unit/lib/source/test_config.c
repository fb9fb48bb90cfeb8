/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_config.c - setting single values
 */
#include "helper.h"
#include "source/config.h"

static struct pmem2_config *config;

static int new_config(void **state)
{
	(void)state;
	return pmem2_config_new(&config);
}

static int delete_config(void **state)
{
	(void)state;
	return pmem2_config_delete(&config);
}

static void test_defaults(void **state)
{
	(void)state;
	assert_int_equal(config->offset, 0);
	assert_int_equal(config->length, 0);
	assert_false(config->has_granularity);
	assert_int_equal(config->sharing, PMEM2_SHARED);
	assert_int_equal(config->protection, PMEM2_PROT_READ | PMEM2_PROT_WRITE);
}

static void test_delete_twice(void **state)
{
	struct pmem2_config *other;

	(void)state;
	assert_ok(pmem2_config_new(&other));
	assert_ok(pmem2_config_delete(&other));
	assert_null(other);
	assert_ok(pmem2_config_delete(&other));
	assert_int_equal(pmem2_config_new(NULL), -EINVAL);
}

static void test_wrong_values_change_nothing(void **state)
{
	struct pmem2_config before = *config;
	char long_label[256];

	(void)state;
	memset(long_label, 'x', sizeof(long_label));
	assert_int_equal(pmem2_config_set_required_store_granularity(config, 3),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_int_equal(pmem2_config_set_required_store_granularity(config, -1),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_int_equal(pmem2_config_set_offset(config, (size_t)INT64_MAX + 1),
			 PMEM2_E_OFFSET_OUT_OF_RANGE);
	assert_int_equal(pmem2_config_set_sharing(config, 2), PMEM2_E_INVALID_SHARING_VALUE);
	for (int bit = 0; bit < 29; bit++)
		assert_int_equal(pmem2_config_set_protection(config, 1u << bit | PMEM2_PROT_READ),
				 PMEM2_E_INVALID_PROT_FLAG);
	assert_int_equal(pmem2fs_config_set_label(config, "a/b", 3), -EINVAL);
	assert_int_equal(pmem2fs_config_set_label(config, "a\0b", 3), -EINVAL);
	assert_int_equal(pmem2fs_config_set_label(config, NULL, 1), -EINVAL);
	assert_int_equal(pmem2fs_config_set_label(config, long_label, 256), -ENAMETOOLONG);
	assert_memory_equal(&before, config, sizeof(before));
}

static void test_right_values(void **state)
{
	char label[255];

	(void)state;
	memset(label, 0xff, sizeof(label));
	assert_ok(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_BYTE));
	assert_ok(pmem2_config_set_offset(config, INT64_MAX));
	assert_ok(pmem2_config_set_length(config, SIZE_MAX));
	assert_ok(pmem2_config_set_sharing(config, PMEM2_PRIVATE));
	assert_ok(pmem2_config_set_protection(config, PMEM2_PROT_EXEC));
	assert_ok(pmem2fs_config_set_label(config, label, sizeof(label)));
	assert_int_equal(config->label_length, 255);
	assert_ok(pmem2fs_config_set_label(config, NULL, 0));
	assert_int_equal(config->label_length, 0);
	assert_ok(pmem2fs_config_set_owner(config, 7, 8));
	assert_true(config->has_owner && config->uid == 7 && config->gid == 8);
}

static void test_null_is_an_error(void **state)
{
	(void)state;
	assert_int_equal(pmem2_config_set_required_store_granularity(NULL, 0), -EINVAL);
	assert_int_equal(pmem2_config_set_offset(NULL, 0), -EINVAL);
	assert_int_equal(pmem2_config_set_length(NULL, 0), -EINVAL);
	assert_int_equal(pmem2_config_set_sharing(NULL, PMEM2_SHARED), -EINVAL);
	assert_int_equal(pmem2_config_set_protection(NULL, 0), -EINVAL);
	assert_int_equal(pmem2_config_set_vm_reservation(NULL, NULL, 0), -EINVAL);
	assert_int_equal(pmem2_config_delete(NULL), -EINVAL);
	assert_int_equal(pmem2fs_config_set_label(NULL, "a", 1), -EINVAL);
	assert_int_equal(pmem2fs_config_set_owner(NULL, 0, 0), -EINVAL);
}

static void test_wrong_values_come_before_null(void **state)
{
	(void)state;
	assert_int_equal(pmem2_config_set_required_store_granularity(NULL, 3),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_int_equal(pmem2_config_set_offset(NULL, SIZE_MAX), PMEM2_E_OFFSET_OUT_OF_RANGE);
	assert_int_equal(pmem2_config_set_sharing(NULL, 2), PMEM2_E_INVALID_SHARING_VALUE);
	assert_int_equal(pmem2_config_set_protection(NULL, 1), PMEM2_E_INVALID_PROT_FLAG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_defaults, new_config, delete_config),
		cmocka_unit_test(test_delete_twice),
		cmocka_unit_test_setup_teardown(test_wrong_values_change_nothing, new_config,
						delete_config),
		cmocka_unit_test_setup_teardown(test_right_values, new_config, delete_config),
		cmocka_unit_test(test_null_is_an_error),
		cmocka_unit_test(test_wrong_values_come_before_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
