/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_old_mount.c - no process is left that asks what is mounted there
 *
 * What is asked hangs, and the kernel gives no descriptor of the process that asks.
 */
#include "capture.h"
#include "mount/old_mount.h"
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct capture capture;

long __wrap_syscall(long number, ...);
int __wrap_fstatfs64(int fd, struct statfs *fs);

long __wrap_syscall(long number, ...)
{
	assert_int_equal(number, SYS_pidfd_open);
	errno = EMFILE;
	return -1;
}

int __wrap_fstatfs64(int fd, struct statfs *fs)
{
	(void)fd, (void)fs;
	for (;;)
		pause();
}

static void without_a_descriptor_nobody_is_asked(void **state)
{
	char folder[] = "/tmp/old-mount-XXXXXX", *log;
	int status;

	(void)state;
	assert_non_null(mkdtemp(folder));
	capture_begin(&capture, STDERR_FILENO);
	assert_int_equal(old_mount_clear(folder), -EMFILE);
	log = capture_text(&capture);
	capture_end(&capture);
	assert_non_null(strstr(log, strerror(EMFILE)));
	free(log);
	assert_true(waitpid(-1, &status, 0) > 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_descriptor_nobody_is_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
