/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_source.c - valid and invalid sources of every type; device DAX with a fake sysfs
 */
#include "device/devdax.h"
#include "helper.h"
#include "source/source.h"
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

/* The value of the fake device-DAX attributes; NULL: the file does not exist. */
static const char *fake_attribute;

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);

int __wrap_open64(const char *path, int flags, ...)
{
	int mode;
	va_list args;
	int fd;

	va_start(args, flags);
	mode = va_arg(args, int);
	va_end(args);
	if (strncmp(path, "/sys/dev/char/7777:1/", 21) != 0)
		return __real_open64(path, flags, mode);
	if (!fake_attribute) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("attribute", MFD_CLOEXEC);
	assert_int_equal(write(fd, fake_attribute, strlen(fake_attribute)), strlen(fake_attribute));
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static int statx_error; /* what statx is made to fail with, 0: nothing */

int __real_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx);

int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx)
{
	if (!statx_error)
		return __real_statx(dir, path, flags, mask, stx);
	errno = statx_error;
	return -1;
}

static void test_types(void **state)
{
	static const struct {
		const char *path;
		int flags;
		int error;
	} cases[] = {
		{"/proc/self/exe", O_RDONLY, 0},
		{"/proc/self/exe", O_PATH, 0},
		{"/var/tmp", O_TMPFILE | O_RDWR, 0},
		{"/var/tmp", O_TMPFILE | O_RDWR | O_APPEND, 0},
		{"/var/tmp", O_TMPFILE | O_WRONLY, PMEM2_E_INVALID_FILE_HANDLE},
		{"/", O_RDONLY | O_DIRECTORY, PMEM2_E_INVALID_FILE_TYPE},
		{"/dev/zero", O_RDWR, PMEM2_E_INVALID_FILE_TYPE},
		{"/dev/null", O_RDWR, PMEM2_E_INVALID_FILE_TYPE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pmem2_source *source = (void *)1;
		int fd = open(cases[i].path, cases[i].flags, 0600);

		assert_true(fd >= 0);
		assert_int_equal(pmem2_source_from_fd(&source, fd), cases[i].error);
		if (cases[i].error) {
			assert_null(source);
		} else {
			int given = -1;

			assert_ok(pmem2_source_get_fd(source, &given));
			assert_int_equal(given, fd);
			assert_ok(pmem2_source_delete(&source));
			assert_null(source);
			/* The descriptor was only borrowed, and is still open. */
			assert_true(fcntl(fd, F_GETFD) >= 0);
		}
		close(fd);
	}
}

/* What a source is does not depend on statx, which a filter may forbid. */
static void test_without_statx(void **state)
{
	static const char *const paths[] = {"/proc/self/exe", "/dev/shm", "/dev/zero"};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		int fd = open(paths[i], O_RDONLY);
		struct pmem2_source *with, *without;
		int ret;

		assert_true(fd >= 0);
		ret = pmem2_source_from_fd(&with, fd);
		statx_error = EPERM;
		assert_int_equal(pmem2_source_from_fd(&without, fd), ret);
		statx_error = 0;
		assert_int_equal(ret, i ? PMEM2_E_INVALID_FILE_TYPE : 0);
		if (!ret) {
			assert_int_equal(with->dev, without->dev);
			assert_int_equal(with->inode, without->inode);
			assert_int_equal(with->type, without->type);
			assert_int_equal(with->page, without->page);
			assert_ok(pmem2_source_delete(&with));
			assert_ok(pmem2_source_delete(&without));
		}
		close(fd);
	}
}

static void test_pipe_and_socket(void **state)
{
	struct pmem2_source *source;
	int fds[2];

	(void)state;
	assert_ok(pipe(fds));
	assert_int_equal(pmem2_source_from_fd(&source, fds[0]), PMEM2_E_INVALID_FILE_TYPE);
	close(fds[0]);
	close(fds[1]);
	assert_ok(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	assert_int_equal(pmem2_source_from_fd(&source, fds[0]), PMEM2_E_INVALID_FILE_TYPE);
	close(fds[0]);
	close(fds[1]);
}

static void test_bad_descriptor(void **state)
{
	struct pmem2_source *source = (void *)1;

	(void)state;
	assert_int_equal(pmem2_source_from_fd(&source, -1), PMEM2_E_INVALID_FILE_HANDLE);
	assert_null(source);
	assert_int_equal(pmem2_source_from_fd(&source, INT32_MAX), PMEM2_E_INVALID_FILE_HANDLE);
	assert_int_equal(pmem2_source_from_fd(NULL, 0), -EINVAL);
}

static void test_size_is_live(void **state)
{
	int fd = make_file(PAGE);
	struct pmem2_source *source = fd_source(fd);
	size_t value = 0;

	(void)state;
	assert_ok(pmem2_source_size(source, &value));
	assert_int_equal(value, PAGE);
	assert_ok(ftruncate(fd, 5000));
	assert_ok(pmem2_source_size(source, &value));
	assert_int_equal(value, 5000);
	assert_ok(pmem2_source_alignment(source, &value));
	assert_int_equal(value, PAGE);
	close(fd);
	assert_int_equal(pmem2_source_size(source, &value), PMEM2_E_INVALID_FILE_HANDLE);
	assert_int_equal(value, PAGE);
	assert_ok(pmem2_source_delete(&source));
}

static void test_reused_descriptor_number(void **state)
{
	int fd = make_file(PAGE);
	int other = make_file(2 * PAGE);
	struct pmem2_source *source = fd_source(fd);
	size_t size;

	(void)state;
	assert_true(dup2(other, fd) == fd);
	assert_int_equal(pmem2_source_size(source, &size), PMEM2_E_INVALID_FILE_HANDLE);
	assert_ok(pmem2_source_delete(&source));
	close(fd);
	close(other);
}

static void test_anonymous(void **state)
{
	struct pmem2_source *source = anon_source(12345);
	size_t value = 0;
	int fd = 99;

	(void)state;
	assert_ok(pmem2_source_size(source, &value));
	assert_int_equal(value, 12345);
	assert_ok(pmem2_source_alignment(source, &value));
	assert_int_equal(value, PAGE);
	assert_int_equal(pmem2_source_get_fd(source, &fd), PMEM2_E_FILE_DESCRIPTOR_NOT_SET);
	assert_int_equal(fd, 99);
	assert_ok(pmem2_source_delete(&source));
	assert_ok(pmem2_source_delete(&source));
}

static void test_null_is_an_error(void **state)
{
	struct pmem2_source *source = anon_source(PAGE);
	size_t size;
	int fd;

	(void)state;
	assert_int_equal(pmem2_source_size(NULL, &size), -EINVAL);
	assert_int_equal(pmem2_source_size(source, NULL), -EINVAL);
	assert_int_equal(pmem2_source_alignment(NULL, &size), -EINVAL);
	assert_int_equal(pmem2_source_alignment(source, NULL), -EINVAL);
	assert_int_equal(pmem2_source_get_fd(NULL, &fd), -EINVAL);
	assert_int_equal(pmem2_source_from_anon(NULL, 1), -EINVAL);
	assert_int_equal(pmem2_source_delete(NULL), -EINVAL);
	/* but errors of the source come first */
	assert_int_equal(pmem2_source_get_fd(source, NULL), PMEM2_E_FILE_DESCRIPTOR_NOT_SET);
	assert_ok(pmem2_source_delete(&source));
	fd = make_file(PAGE);
	source = fd_source(fd);
	assert_int_equal(pmem2_source_get_fd(source, NULL), -EINVAL);
	assert_int_equal(pmem2_source_size(source, NULL), -EINVAL);
	close(fd);
	assert_int_equal(pmem2_source_size(source, NULL), PMEM2_E_INVALID_FILE_HANDLE);
	assert_ok(pmem2_source_delete(&source));
}

static void test_devdax_attributes(void **state)
{
	static const struct {
		const char *text;
		int size_error;
		int alignment_error;
	} cases[] = {
		{NULL, -ENODEV, -ENODEV},
		{"2097152\n", 0, 0},
		{"4096", 0, 0},
		{"0\n", 0, PMEM2_E_INVALID_ALIGNMENT_VALUE},
		{"512\n", 0, PMEM2_E_INVALID_ALIGNMENT_VALUE},
		{"12288\n", 0, PMEM2_E_INVALID_ALIGNMENT_VALUE},
		{"", PMEM2_E_INVALID_SIZE_FORMAT, PMEM2_E_INVALID_ALIGNMENT_FORMAT},
		{"-1\n", PMEM2_E_INVALID_SIZE_FORMAT, PMEM2_E_INVALID_ALIGNMENT_FORMAT},
		{" 1\n", PMEM2_E_INVALID_SIZE_FORMAT, PMEM2_E_INVALID_ALIGNMENT_FORMAT},
		{"4096x\n", PMEM2_E_INVALID_SIZE_FORMAT, PMEM2_E_INVALID_ALIGNMENT_FORMAT},
		{"0x1000\n", PMEM2_E_INVALID_SIZE_FORMAT, PMEM2_E_INVALID_ALIGNMENT_FORMAT},
		{"99999999999999999999\n", PMEM2_E_INVALID_SIZE_FORMAT,
		 PMEM2_E_INVALID_ALIGNMENT_FORMAT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t size = 1;
		size_t alignment = 1;

		fake_attribute = cases[i].text;
		assert_int_equal(devdax_size(makedev(7777, 1), &size), cases[i].size_error);
		assert_int_equal(devdax_alignment(makedev(7777, 1), &alignment),
				 cases[i].alignment_error);
		assert_int_equal(size, cases[i].size_error ? 1 : strtoul(cases[i].text, NULL, 10));
		assert_int_equal(alignment,
				 cases[i].alignment_error ? 1 : strtoul(cases[i].text, NULL, 10));
	}
}

/* The kernel unmaps whole huge pages only. */
static void test_huge_pages(void **state)
{
	int fd = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	struct pmem2_source *source;
	size_t alignment = 0;
	struct stat st;

	(void)state;
	if (fd < 0)
		skip(); /* this kernel has none */
	assert_ok(fstat(fd, &st));
	source = fd_source(fd);
	assert_ok(pmem2_source_alignment(source, &alignment));
	assert_int_equal(alignment, st.st_blksize);
	assert_true(alignment > PAGE);
	assert_ok(pmem2_source_delete(&source));
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_without_statx),
		cmocka_unit_test(test_pipe_and_socket),
		cmocka_unit_test(test_bad_descriptor),
		cmocka_unit_test(test_size_is_live),
		cmocka_unit_test(test_reused_descriptor_number),
		cmocka_unit_test(test_anonymous),
		cmocka_unit_test(test_null_is_an_error),
		cmocka_unit_test(test_devdax_attributes),
		cmocka_unit_test(test_huge_pages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
