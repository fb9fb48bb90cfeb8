/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_guarded_copy.c - copies that meet failing memory, and that the program notices nothing of
 * the signal
 *
 * A mapping of a file that was truncated stands for a device that fails.
 */
#include "helper.h"
#include "persist/guarded_copy.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#define SIZE (4 * PAGE)

static int refuse_clone;

int __real_clone(int (*function)(void *), void *stack, int flags, void *argument, ...);
int __wrap_clone(int (*function)(void *), void *stack, int flags, void *argument, ...);

int __wrap_clone(int (*function)(void *), void *stack, int flags, void *argument, ...)
{
	if (refuse_clone) {
		errno = EAGAIN;
		return -1;
	}
	return __real_clone(function, stack, flags, argument);
}

/* A shared mapping of SIZE bytes, of which the last page fails. */
static char *map_failing(void)
{
	int fd = make_file(SIZE);
	char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	assert_true(memory != MAP_FAILED);
	memset(memory, 'd', SIZE);
	assert_ok(ftruncate(fd, SIZE - PAGE));
	close(fd);
	return memory;
}

static const void *persisted;
static size_t persisted_size;

static void note_persist(const void *address, size_t size)
{
	persisted = address;
	persisted_size = size;
}

static void test_copies_both_ways(void **state)
{
	char *device = map_failing();
	char buffer[SIZE] = {0};

	(void)state;
	assert_ok(guarded_copy(buffer, device + 5, SIZE - PAGE - 5, NULL));
	assert_memory_equal(buffer, device + 5, SIZE - PAGE - 5);
	assert_int_equal(buffer[SIZE - PAGE - 5], 0);

	memset(buffer, 'b', sizeof(buffer));
	assert_ok(guarded_copy(device + 7, buffer, PAGE, note_persist));
	assert_memory_equal(device + 7, buffer, PAGE);
	assert_int_equal(device[6], 'd');
	assert_int_equal(device[7 + PAGE], 'd');
	assert_ptr_equal(persisted, device + 7);
	assert_int_equal(persisted_size, PAGE);
	munmap(device, SIZE);
}

static void test_a_device_that_fails_is_an_error(void **state)
{
	char *device = map_failing();
	char buffer[SIZE] = {0};

	(void)state;
	assert_int_equal(guarded_copy(buffer, device, SIZE, NULL), PMEM2_E_IO_FAIL);
	assert_string_not_equal(pmem2_errormsg(), "");
	assert_int_equal(guarded_copy(device, buffer, SIZE, note_persist), PMEM2_E_IO_FAIL);
	assert_int_equal(guarded_copy(buffer, device + SIZE - 1, 1, NULL), PMEM2_E_IO_FAIL);
	assert_int_equal(guarded_copy(device + SIZE - 1, buffer, 1, note_persist), PMEM2_E_IO_FAIL);
	munmap(device, SIZE);
}

static void touch_all(const void *address, size_t size)
{
	memset((void *)(uintptr_t)address, 'p', size + 1);
}

static void test_persisting_is_guarded_too(void **state)
{
	char *device = map_failing();
	char buffer[PAGE] = {0};

	(void)state;
	assert_int_equal(guarded_copy(device + SIZE - 2 * PAGE, buffer, PAGE, touch_all),
			 PMEM2_E_IO_FAIL);
	munmap(device, SIZE);
}

static void test_a_bad_buffer_is_told_from_a_bad_device(void **state)
{
	char *device = map_failing();
	char *failing = map_failing();
	char *nothing = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)state;
	assert_true(nothing != MAP_FAILED);
	assert_int_equal(guarded_copy(nothing, device, PAGE, NULL), -EFAULT);
	assert_int_equal(guarded_copy(device, nothing, PAGE, note_persist), -EFAULT);
	assert_int_equal(guarded_copy((void *)PAGE, device, PAGE, NULL), -EFAULT);
	assert_int_equal(guarded_copy(failing + SIZE - PAGE, device, PAGE, NULL), -EFAULT);
	assert_int_equal(guarded_copy(device, failing + SIZE - PAGE, PAGE, note_persist), -EFAULT);
	munmap(nothing, SIZE);
	munmap(failing, SIZE);
	munmap(device, SIZE);
}

static volatile sig_atomic_t signals_seen;

static void count_signal(int number)
{
	(void)number;
	signals_seen++;
}

static void test_the_program_notices_nothing(void **state)
{
	static const int numbers[] = {SIGBUS, SIGSEGV, SIGCHLD};
	struct sigaction before[3], after, mine = {.sa_handler = count_signal};
	char *device = map_failing();
	sigset_t blocked, mask;
	char buffer[SIZE];

	(void)state;
	signals_seen = 0;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigaddset(&blocked, SIGBUS); /* raised while blocked, it normally kills the process */
	assert_ok(pthread_sigmask(SIG_BLOCK, &blocked, NULL));
	for (int i = 0; i < 3; i++)
		assert_ok(sigaction(numbers[i], &mine, &before[i]));

	assert_int_equal(guarded_copy(buffer, device, SIZE, NULL), PMEM2_E_IO_FAIL);
	assert_int_equal(guarded_copy((void *)PAGE, device, PAGE, NULL), -EFAULT);
	assert_ok(guarded_copy(buffer, device, PAGE, NULL));

	assert_int_equal(signals_seen, 0);
	assert_ok(pthread_sigmask(SIG_SETMASK, NULL, &mask));
	assert_true(sigismember(&mask, SIGUSR1) && sigismember(&mask, SIGBUS));
	assert_false(sigismember(&mask, SIGTERM) || sigismember(&mask, SIGSEGV));
	for (int i = 0; i < 3; i++) {
		assert_ok(sigaction(numbers[i], &before[i], &after));
		assert_ptr_equal(after.sa_handler, count_signal);
	}
	assert_ok(pthread_sigmask(SIG_UNBLOCK, &blocked, NULL));
	/* nor is a child left */
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
	munmap(device, SIZE);
}

static void test_a_system_without_processes_is_an_error(void **state)
{
	char *device = map_failing();
	char buffer[PAGE] = "untouched";

	(void)state;
	refuse_clone = 1;
	assert_int_equal(guarded_copy(buffer, device, PAGE, NULL), -EAGAIN);
	refuse_clone = 0;
	assert_string_equal(buffer, "untouched");
	munmap(device, SIZE);
}

static void *copy_many_times(void *argument)
{
	char *device = map_failing();
	char buffer[SIZE];

	for (int i = 0; i < 200; i++) {
		memset(buffer, 0, sizeof(buffer));
		if (guarded_copy(buffer, device, SIZE - PAGE, NULL) || buffer[0] != 'd' ||
		    buffer[SIZE - PAGE - 1] != 'd' ||
		    guarded_copy(buffer, device, SIZE, NULL) != PMEM2_E_IO_FAIL)
			return argument;
	}
	munmap(device, SIZE);
	return NULL;
}

static void test_threads_do_not_disturb_each_other(void **state)
{
	pthread_t threads[4];
	void *failed;

	(void)state;
	signals_seen = 0;
	for (int i = 0; i < 4; i++)
		assert_ok(pthread_create(&threads[i], NULL, copy_many_times, threads));
	for (int i = 0; i < 4; i++) {
		assert_ok(pthread_join(threads[i], &failed));
		assert_null(failed);
	}
}

/* The program gets signals, which a handler counts, while it copies. */
static void test_no_signal_is_lost(void **state)
{
	struct sigaction mine = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	char *device = map_failing();
	char buffer[SIZE];
	struct {
		_Atomic unsigned sent, seen;
	} *count = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t child;

	(void)state;
	assert_ptr_not_equal(count, MAP_FAILED);
	signals_seen = 0;
	assert_ok(sigaction(SIGUSR2, &mine, NULL));
	child = fork();
	assert_true(child >= 0);
	if (!child) {
		/* Several signals that arrive while the thread waits are merged into one. */
		while (count->sent < 100 || count->seen < 10) {
			count->sent++;
			kill(getppid(), SIGUSR2);
			usleep(500);
		}
		_exit(0);
	}
	for (int status; waitpid(child, &status, WNOHANG) == 0;) {
		assert_int_equal(guarded_copy(buffer, device, SIZE, NULL), PMEM2_E_IO_FAIL);
		count->seen = (unsigned)signals_seen;
	}
	assert_in_range(signals_seen, 10, count->sent);
	munmap(count, SIZE);
	munmap(device, SIZE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies_both_ways),
		cmocka_unit_test(test_a_device_that_fails_is_an_error),
		cmocka_unit_test(test_persisting_is_guarded_too),
		cmocka_unit_test(test_a_bad_buffer_is_told_from_a_bad_device),
		cmocka_unit_test(test_the_program_notices_nothing),
		cmocka_unit_test(test_a_system_without_processes_is_an_error),
		cmocka_unit_test(test_threads_do_not_disturb_each_other),
		cmocka_unit_test(test_no_signal_is_lost),
	};

	/* Both assume that a child process does not share the memory. */
	if (on_valgrind() || ON_TSAN)
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
