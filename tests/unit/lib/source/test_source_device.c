/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source_device.c - device ids and shutdown counts of sources without pmem; with pmem see
 * tests/vm/test_device.c
 */
#include "helper.h"

/* Checks the errors of the three functions; the out-parameters must stay as they are. */
static void assert_refused(const struct pmem2_source *source, int id_error, int usc_error,
			   int node_error)
{
	char id[] = "untouched";
	size_t length = sizeof(id);
	uint64_t usc = 777;
	int node = 777;

	assert_int_equal(pmem2_source_device_id(source, id, &length), id_error);
	assert_string_equal(id, "untouched");
	assert_int_equal(pmem2_source_device_id(source, NULL, &length), id_error);
	assert_int_equal(length, sizeof(id));
	assert_int_equal(pmem2_source_device_usc(source, &usc), usc_error);
	assert_int_equal(usc, 777);
	assert_int_equal(pmem2_source_numa_node(source, &node), node_error);
	assert_int_equal(node, 777);
	assert_string_not_equal(pmem2_errormsg(), "");
}

static void test_anonymous_memory(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);

	(void)state;
	assert_refused(source, PMEM2_E_NOSUPP, PMEM2_E_NOSUPP, PMEM2_E_NOSUPP);
	assert_ok(pmem2_source_delete(&source));
}

static void test_files_that_are_not_on_pmem(void **state)
{
	int fds[] = {
		make_file(PAGE),
		memfd_create("device", MFD_CLOEXEC),
		open("/proc/self/maps", O_RDONLY | O_CLOEXEC),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++) {
		struct pmem2_source *source = fd_source(fds[i]);

		assert_refused(source, PMEM2_E_NOSUPP, PMEM2_E_NOSUPP,
			       PMEM2_E_DAX_REGION_NOT_FOUND);
		assert_ok(pmem2_source_delete(&source));
		close(fds[i]);
	}
}

/* The device is that of the file from which the source was made, whatever the descriptor is now. */
static void test_a_descriptor_that_is_closed_or_of_another_file(void **state)
{
	int fd = make_file(PAGE);
	struct pmem2_source *source = fd_source(fd);

	(void)state;
	close(fd);
	assert_refused(source, PMEM2_E_NOSUPP, PMEM2_E_NOSUPP, PMEM2_E_DAX_REGION_NOT_FOUND);
	assert_int_equal(memfd_create("other", MFD_CLOEXEC), fd);
	assert_refused(source, PMEM2_E_NOSUPP, PMEM2_E_NOSUPP, PMEM2_E_DAX_REGION_NOT_FOUND);
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

static void test_null_is_an_error(void **state)
{
	(void)state;
	assert_refused(NULL, -EINVAL, -EINVAL, -EINVAL);
	assert_int_equal(pmem2_source_device_id(NULL, NULL, NULL), -EINVAL);
	assert_int_equal(pmem2_source_device_usc(NULL, NULL), -EINVAL);
	assert_int_equal(pmem2_source_numa_node(NULL, NULL), -EINVAL);
}

static void test_the_kind_of_source_comes_before_null(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	int fd = make_file(PAGE);

	(void)state;
	assert_int_equal(pmem2_source_device_id(source, NULL, NULL), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_device_usc(source, NULL), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_numa_node(source, NULL), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_badblock_context_new(NULL, source), PMEM2_E_NOSUPP);
	assert_ok(pmem2_source_delete(&source));
	source = fd_source(fd);
	assert_int_equal(pmem2_source_device_id(source, NULL, NULL), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_device_usc(source, NULL), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_source_numa_node(source, NULL), PMEM2_E_DAX_REGION_NOT_FOUND);
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anonymous_memory),
		cmocka_unit_test(test_files_that_are_not_on_pmem),
		cmocka_unit_test(test_a_descriptor_that_is_closed_or_of_another_file),
		cmocka_unit_test(test_null_is_an_error),
		cmocka_unit_test(test_the_kind_of_source_comes_before_null),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
