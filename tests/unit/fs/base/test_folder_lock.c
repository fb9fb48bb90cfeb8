/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_folder_lock.c - which process holds the lock of a folder, and until when
 */
#include "base/folder_lock.h"
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

extern char **environ;

static char folder[] = "/tmp/folder-lock-XXXXXX", path[64];

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof(path), "%s/not there", folder);
	return 0;
}

static int end(void **state)
{
	(void)state;
	return rmdir(folder);
}

static bool is_locked(void)
{
	int fd = open(folder, O_RDONLY | O_CLOEXEC);
	bool locked = flock(fd, LOCK_EX | LOCK_NB) != 0;

	assert_true(fd >= 0);
	close(fd);
	return locked;
}

static void it_is_the_folder_that_the_path_is_in(void **state)
{
	int lock = folder_lock(path);

	(void)state;
	assert_true(lock >= 0);
	assert_true(is_locked());
	assert_int_equal(folder_lock(path), -1);
	folder_unlock(lock);
	assert_false(is_locked());
}

static void the_next_one_waits_for_it(void **state)
{
	int lock = folder_lock(path), status;
	pid_t child = fork();

	(void)state;
	if (!child) {
		close(lock);
		_exit(folder_lock(path) < 0);
	}
	folder_unlock(lock); /* before the child asks for the lock or while it waits */
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_false(is_locked());
}

/* fusermount3 may still be about to unmount when the process that started it is killed. */
static void a_program_that_is_started_keeps_it(void **state)
{
	char *const argv[] = {"sleep", "1000", NULL};
	int lock = folder_lock(path);
	pid_t child;

	(void)state;
	assert_int_equal(posix_spawnp(&child, argv[0], NULL, NULL, argv, environ), 0);
	folder_unlock(lock);
	assert_true(is_locked());
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	assert_false(is_locked());
}

static void without_the_folder_there_is_no_lock(void **state)
{
	(void)state;
	assert_int_equal(folder_lock("/nowhere/at/all"), -1);
	folder_unlock(-1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_the_folder_that_the_path_is_in),
		cmocka_unit_test(the_next_one_waits_for_it),
		cmocka_unit_test(a_program_that_is_started_keeps_it),
		cmocka_unit_test(without_the_folder_there_is_no_lock),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
