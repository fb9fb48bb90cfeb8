/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_error.c - error text and numbers
 */
#include "base/error.h"
#include "helper.h"
#include <pthread.h>

static void test_err_to_errno(void **state)
{
	(void)state;
	assert_int_equal(pmem2_err_to_errno(0), 0);
	assert_int_equal(pmem2_err_to_errno(PMEM2_E_NOSUPP), ENOTSUP);
	for (int code = PMEM2_E_UNKNOWN; code >= PMEM2_E_IO_FAIL; code--) {
		if (code != PMEM2_E_NOSUPP)
			assert_int_equal(pmem2_err_to_errno(code), EINVAL);
	}
	assert_int_equal(pmem2_err_to_errno(-EACCES), EACCES);
	assert_int_equal(pmem2_err_to_errno(-99999), 99999);
	assert_int_equal(pmem2_err_to_errno(5), EINVAL);
	assert_int_equal(pmem2_err_to_errno(INT32_MIN), EINVAL);
}

static void *fresh_thread(void *unused)
{
	(void)unused;
	return pmem2_errormsg()[0] ? (void *)1 : NULL;
}

static void test_message_is_per_thread_and_stays(void **state)
{
	struct pmem2_config *config;
	pthread_t thread;
	void *had_message;

	(void)state;
	assert_int_equal(error_set(-EIO, "object %d: reason", 7), -EIO);
	assert_string_equal(pmem2_errormsg(), "object 7: reason");
	assert_ok(pmem2_config_new(&config));
	assert_ok(pmem2_config_delete(&config));
	assert_string_equal(pmem2_errormsg(), "object 7: reason");
	assert_ok(pthread_create(&thread, NULL, fresh_thread, NULL));
	assert_ok(pthread_join(thread, &had_message));
	assert_null(had_message);
}

static void test_errno_is_that_of_a_system_error(void **state)
{
	(void)state;
	errno = EXDEV;
	error_set(PMEM2_E_NOSUPP, "of the library");
	assert_int_equal(errno, EXDEV);
	error_set(-EIO, "of the system");
	assert_int_equal(errno, EIO);
}

static void test_long_message_is_cut(void **state)
{
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(-EIO, "%s", text);
	assert_true(strlen(pmem2_errormsg()) > 200);
	assert_true(strlen(pmem2_errormsg()) < sizeof(text) - 1);
}

static void test_perror(void **state)
{
	int saved = dup(STDERR_FILENO);
	char text[128] = "";
	int pipe_fds[2];

	(void)state;
	assert_ok(pipe(pipe_fds));
	error_set(-EIO, "reason");
	fflush(stderr);
	assert_true(dup2(pipe_fds[1], STDERR_FILENO) >= 0);
	pmem2_perror("object %d", 3);
	fflush(stderr);
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	assert_true(read(pipe_fds[0], text, sizeof(text) - 1) > 0);
	assert_string_equal(text, "object 3: reason\n");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
	close(saved);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_err_to_errno),
		cmocka_unit_test(test_message_is_per_thread_and_stays),
		cmocka_unit_test(test_errno_is_that_of_a_system_error),
		cmocka_unit_test(test_long_message_is_cut),
		cmocka_unit_test(test_perror),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
