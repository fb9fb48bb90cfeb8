/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mcsafe.c - reading and writing files completely, also when system calls are short or
 * interrupted
 *
 * Device DAX and bad blocks: tests/vm/test_badblock.c.
 */
#include "helper.h"

/* What the next calls of pread and pwrite do, a letter for each; later ones are real. */
static const char *script = "";

ssize_t __real_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __real_pwrite64(int fd, const void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset);

static int fail_with(int error)
{
	errno = error;
	return -1;
}

ssize_t __wrap_pread64(int fd, void *buffer, size_t size, off_t offset)
{
	switch (*script ? *script++ : 'r') {
	case 's': /* short */
		return __real_pread64(fd, buffer, size / 2 + 1, offset);
	case 'i': /* interrupted */
		return fail_with(EINTR);
	case 'e':
		return fail_with(EIO);
	case 'n':
		return fail_with(ENOLCK);
	case '0':
		return 0;
	default:
		return __real_pread64(fd, buffer, size, offset);
	}
}

ssize_t __wrap_pwrite64(int fd, const void *buffer, size_t size, off_t offset)
{
	switch (*script ? *script++ : 'r') {
	case 's':
		return __real_pwrite64(fd, buffer, size / 2 + 1, offset);
	case 'i':
		return fail_with(EINTR);
	case 'e':
		return fail_with(EIO);
	case 'n':
		return fail_with(ENOSPC);
	case '0':
		return 0;
	default:
		return __real_pwrite64(fd, buffer, size, offset);
	}
}

#define SIZE 5000

struct fixture {
	int fd;
	struct pmem2_source *source;
	char contents[SIZE], buffer[SIZE];
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->fd = make_file(SIZE);
	for (int i = 0; i < SIZE; i++)
		fixture->contents[i] = (char)('a' + i % 23);
	assert_int_equal(__real_pwrite64(fixture->fd, fixture->contents, SIZE, 0), SIZE);
	fixture->source = fd_source(fixture->fd);
	script = "";
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	pmem2_source_delete(&fixture->source);
	close(fixture->fd);
	free(fixture);
	return 0;
}

static void assert_contents(struct fixture *fixture, const char *expected)
{
	char now[SIZE + 1];

	assert_int_equal(__real_pread64(fixture->fd, now, sizeof(now), 0), SIZE);
	assert_memory_equal(now, expected, SIZE);
}

static void test_reads_what_is_there(void **state)
{
	struct fixture *fixture = *state;
	char byte = 'x';

	assert_ok(pmem2_source_pread_mcsafe(fixture->source, fixture->buffer, SIZE, 0));
	assert_memory_equal(fixture->buffer, fixture->contents, SIZE);
	assert_ok(pmem2_source_pread_mcsafe(fixture->source, &byte, 1, SIZE - 1));
	assert_int_equal(byte, fixture->contents[SIZE - 1]);
}

static void test_writes_only_what_is_asked_for(void **state)
{
	struct fixture *fixture = *state;
	char expected[SIZE];

	memcpy(expected, fixture->contents, SIZE);
	memset(expected + 4090, 'W', 20);
	memset(fixture->buffer, 'W', 20);
	assert_ok(pmem2_source_pwrite_mcsafe(fixture->source, fixture->buffer, 20, 4090));
	assert_contents(fixture, expected);
}

static void test_a_range_beyond_the_source_is_an_error_and_touches_nothing(void **state)
{
	static const struct {
		size_t size, offset;
		int error;
	} ranges[] = {
		{SIZE + 1, 0, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{2, SIZE - 1, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{1, SIZE, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{1, SIZE + 1, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{0, SIZE + 1, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{8, SIZE + 9, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{1, INT64_MAX, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{SIZE_MAX, 1, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{SIZE_MAX, SIZE_MAX, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{1, SIZE_MAX, -EINVAL},
		{2, SIZE_MAX, -EINVAL},
		{100, (size_t)1 << 63, -EINVAL},
	};
	struct fixture *fixture = *state;

	memset(fixture->buffer, 'x', SIZE);
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		assert_int_equal(pmem2_source_pread_mcsafe(fixture->source, fixture->buffer,
							   ranges[i].size, ranges[i].offset),
				 ranges[i].error);
		assert_int_equal(fixture->buffer[0], 'x');
		assert_int_equal(pmem2_source_pwrite_mcsafe(fixture->source, fixture->buffer,
							    ranges[i].size, ranges[i].offset),
				 ranges[i].error);
	}
	assert_contents(fixture, fixture->contents);
	assert_ok(pmem2_source_pread_mcsafe(fixture->source, NULL, 0, SIZE));
	assert_ok(pmem2_source_pwrite_mcsafe(fixture->source, fixture->buffer, 0, SIZE));
}

static void test_short_and_interrupted_calls_are_continued(void **state)
{
	struct fixture *fixture = *state;

	script = "sisiss";
	assert_ok(pmem2_source_pread_mcsafe(fixture->source, fixture->buffer, SIZE, 0));
	assert_string_equal(script, "");
	assert_memory_equal(fixture->buffer, fixture->contents, SIZE);

	memset(fixture->buffer, 'n', SIZE);
	script = "isissi";
	assert_ok(pmem2_source_pwrite_mcsafe(fixture->source, fixture->buffer, SIZE, 0));
	assert_string_equal(script, "");
	assert_contents(fixture, fixture->buffer);
}

static void test_errors_of_the_system(void **state)
{
	struct fixture *fixture = *state;
	struct pmem2_source *source = fixture->source;
	char *buffer = fixture->buffer;

	script = "se";
	assert_int_equal(pmem2_source_pread_mcsafe(source, buffer, SIZE, 0), PMEM2_E_IO_FAIL);
	script = "e";
	assert_int_equal(pmem2_source_pwrite_mcsafe(source, buffer, SIZE, 0), PMEM2_E_IO_FAIL);
	script = "n";
	assert_int_equal(pmem2_source_pread_mcsafe(source, buffer, SIZE, 0), -ENOLCK);
	script = "n";
	assert_int_equal(pmem2_source_pwrite_mcsafe(source, buffer, SIZE, 0), -ENOSPC);
	/* the file shrank after its size was read */
	script = "s0";
	assert_int_equal(pmem2_source_pread_mcsafe(source, buffer, SIZE, 0),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	script = "";
	assert_int_equal(pmem2_source_pread_mcsafe(source, (void *)PAGE, SIZE, 0), -EFAULT);
}

static void test_descriptors_that_cannot_be_written(void **state)
{
	struct fixture *fixture = *state;
	struct pmem2_source *source;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fixture->fd);
	fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	source = fd_source(fd);
	assert_int_equal(pmem2_source_pwrite_mcsafe(source, fixture->buffer, 1, 0), -EBADF);
	assert_ok(pmem2_source_delete(&source));
	close(fd);
	/* With O_APPEND, Linux ignores the offset of pwrite. */
	fd = open(path, O_RDWR | O_APPEND);
	assert_true(fd >= 0);
	source = fd_source(fd);
	assert_int_equal(pmem2_source_pwrite_mcsafe(source, fixture->buffer, 1, 0), -EINVAL);
	assert_ok(pmem2_source_pread_mcsafe(source, fixture->buffer, 1, 0));
	assert_ok(pmem2_source_delete(&source));
	close(fd);
	assert_contents(fixture, fixture->contents);
}

static void test_what_is_no_source(void **state)
{
	struct fixture *fixture = *state;
	struct pmem2_source *anonymous = anon_source(SIZE);
	char *buffer = fixture->buffer;

	assert_int_equal(pmem2_source_pread_mcsafe(anonymous, buffer, 1, 0),
			 PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED);
	assert_int_equal(pmem2_source_pwrite_mcsafe(anonymous, buffer, SIZE + 1, 0),
			 PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED);
	assert_int_equal(pmem2_source_pread_mcsafe(anonymous, NULL, 1, 0),
			 PMEM2_E_SOURCE_TYPE_NOT_SUPPORTED);
	assert_ok(pmem2_source_delete(&anonymous));
	assert_int_equal(pmem2_source_pread_mcsafe(NULL, buffer, 1, 0), -EINVAL);
	assert_int_equal(pmem2_source_pwrite_mcsafe(fixture->source, NULL, 1, 0), -EFAULT);
	assert_int_equal(pmem2_source_pwrite_mcsafe(fixture->source, NULL, 1, SIZE),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);

	close(fixture->fd);
	assert_int_equal(pmem2_source_pread_mcsafe(fixture->source, buffer, 1, 0),
			 PMEM2_E_INVALID_FILE_HANDLE);
	/* the descriptor number is another file's now */
	assert_int_equal(memfd_create("other", MFD_CLOEXEC), fixture->fd);
	assert_int_equal(pmem2_source_pwrite_mcsafe(fixture->source, buffer, 1, 0),
			 PMEM2_E_INVALID_FILE_HANDLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_reads_what_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_writes_only_what_is_asked_for, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(
			test_a_range_beyond_the_source_is_an_error_and_touches_nothing, set_up,
			tear_down),
		cmocka_unit_test_setup_teardown(test_short_and_interrupted_calls_are_continued,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_errors_of_the_system, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_descriptors_that_cannot_be_written, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_what_is_no_source, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
