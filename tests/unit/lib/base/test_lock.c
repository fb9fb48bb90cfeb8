/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_lock.c - the library's locks among threads and across fork
 */
#include "base/lock.h"
#include "child.h"
#include "helper.h"
#include "registry/table_writer.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* Runs `body` in a child and returns its status; one that hangs is killed. */
static int run(void (*body)(void))
{
	const struct rlimit no_core = {0, 0};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGABRT, SIG_DFL);
		signal(SIGALRM, SIG_DFL);
		alarm(600);
		body();
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

static void lock_twice(void)
{
	library_lock();
	library_lock();
}

static void test_a_second_time_is_the_end(void **state)
{
	int status = run(lock_twice);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void *lock_and_unlock(void *arg)
{
	library_lock();
	library_unlock();
	return arg;
}

/* The interrupted call goes on in the child, which has the lock until the call releases it. */
static void go_on(void)
{
	pthread_t thread;
	int status = run(library_lock);

	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	library_unlock();
	must(pthread_create(&thread, NULL, lock_and_unlock, NULL) == 0);
	must(pthread_join(thread, NULL) == 0);
	lock_and_unlock(NULL);
}

/* Forks while holding the lock, as a signal handler may in the middle of a call. */
static void test_fork_with_the_lock(void **state)
{
	(void)state;
	library_lock();
	assert_int_equal(run(go_on), 0);
	library_unlock();
	lock_and_unlock(NULL);
}

static struct pmem2fs_record record = {.address = 4096};

/* A table belongs to its process only: the child has empty memory at its addresses. */
static void write_on(void)
{
	table_begin(1)->address = 8192;
	table_end(1);
	table_retire(1);
	must(table_missing() && !table_exists());
	library_unlock();
}

static void test_fork_in_the_middle_of_writing(void **state)
{
	(void)state;
	if (ON_TSAN) /* which has no room for that */
		skip();
	library_lock();
	if (table_missing())
		assert_ok(table_make(NULL));
	*table_begin(1) = record;
	assert_int_equal(run(write_on), 0);
	table_end(1);
	library_unlock();
}

static void *try_open(void *arg)
{
	bool *begun = arg;

	*begun = library_open_begin();
	if (*begun)
		library_open_end();
	return NULL;
}

static bool another_may_open(void)
{
	pthread_t thread;
	bool begun;

	must(pthread_create(&thread, NULL, try_open, &begun) == 0);
	must(pthread_join(thread, NULL) == 0);
	return begun;
}

static void open_in_child(void)
{
	library_open_end();
	must(library_open_begin());
	library_open_end();
	must(another_may_open());
}

static void test_one_opens_and_others_go_on(void **state)
{
	(void)state;
	assert_true(library_open_begin());
	assert_false(another_may_open());
	assert_false(library_open_begin());
	/* A signal handler forks meanwhile. */
	assert_int_equal(run(open_in_child), 0);
	assert_false(another_may_open());
	lock_and_unlock(NULL);
	library_open_end();
	assert_true(another_may_open());
}

static _Atomic int step;
static _Atomic pid_t forker;

/* Waits until that thread sleeps. */
static void wait_for_sleep(pid_t tid)
{
	char path[64], line[512] = "";
	const char *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	do {
		FILE *file = fopen(path, "re");

		must(file && fgets(line, sizeof(line), file));
		fclose(file);
		state = strrchr(line, ')');
	} while (!state || state[2] != 'S');
}

static void *fork_in_thread(void *arg)
{
	pid_t pid;
	int status;

	forker = (pid_t)syscall(SYS_gettid);
	pid = fork();
	if (pid == 0) {
		alarm(600);
		/* In order, and the lock is free. */
		must(step == 2);
		lock_and_unlock(NULL);
		must(library_open_begin());
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid);
	must(status == 0);
	return arg;
}

static void fork_while(void (*begin)(void), void (*end)(void))
{
	pthread_t thread;

	step = 0;
	forker = 0;
	begin();
	step = 1;
	must(pthread_create(&thread, NULL, fork_in_thread, NULL) == 0);
	while (!forker)
		;
	wait_for_sleep(forker);
	step = 2;
	end();
	must(pthread_join(thread, NULL) == 0);
}

static void begin_to_open(void)
{
	must(library_open_begin());
}

static void fork_while_locked(void)
{
	fork_while(library_lock, library_unlock);
}

static void fork_while_open(void)
{
	fork_while(begin_to_open, library_open_end);
}

static void test_fork_waits(void **state)
{
	(void)state;
	assert_int_equal(run(fork_while_locked), 0);
	assert_int_equal(run(fork_while_open), 0);
}

static _Atomic pid_t opener;

static void *open_and_lock(void *arg)
{
	must(library_open_begin());
	opener = (pid_t)syscall(SYS_gettid);
	library_lock();
	library_unlock();
	library_open_end();
	return arg;
}

/* The other thread waits for this one, which must not wait for it. */
static void fork_with_the_lock_while_open(void)
{
	pthread_t thread;

	library_lock();
	must(pthread_create(&thread, NULL, open_and_lock, NULL) == 0);
	while (!opener)
		;
	wait_for_sleep(opener);
	must(run(go_on) == 0);
	library_unlock();
	must(pthread_join(thread, NULL) == 0);
}

static void test_fork_in_the_middle_of_both(void **state)
{
	(void)state;
	if (ON_TSAN) /* the child of a process with threads cannot start a thread */
		skip();
	assert_int_equal(run(fork_with_the_lock_while_open), 0);
}

static void *wait_for_step(void *arg)
{
	library_lock();
	forker = (pid_t)syscall(SYS_gettid);
	while (step != 3)
		library_wait();
	library_unlock();
	return arg;
}

static void wait_and_wake(void)
{
	pthread_t thread;

	step = 0;
	forker = 0;
	must(pthread_create(&thread, NULL, wait_for_step, NULL) == 0);
	while (!forker)
		;
	/* A waiting thread does not have the lock. */
	library_lock();
	step = 3;
	library_wake();
	library_unlock();
	must(pthread_join(thread, NULL) == 0);
}

/* Waiting threads do not exist in a child, which must not wait for them. */
static void fork_while_waiting(void)
{
	pthread_t thread;

	step = 0;
	forker = 0;
	must(pthread_create(&thread, NULL, wait_for_step, NULL) == 0);
	while (!forker)
		;
	wait_for_sleep(forker);
	must(run(wait_and_wake) == 0);
	library_lock();
	step = 3;
	library_wake();
	library_unlock();
	must(pthread_join(thread, NULL) == 0);
}

static void test_waiting(void **state)
{
	(void)state;
	assert_int_equal(run(wait_and_wake), 0);
	if (ON_TSAN) /* the child of a process with threads cannot start a thread */
		skip();
	assert_int_equal(run(fork_while_waiting), 0);
}

static void *cancel_while_locked(void *arg)
{
	library_lock();
	pthread_cancel(pthread_self());
	pthread_testcancel();
	library_unlock();
	pthread_testcancel();
	return arg;
}

static void *cancel_while_open(void *arg)
{
	bool *begun = arg;

	*begun = library_open_begin();
	pthread_cancel(pthread_self());
	pthread_testcancel();
	library_open_end();
	pthread_testcancel();
	return arg;
}

static void test_cancelled_after_unlocking(void **state)
{
	pthread_t thread;
	bool begun = false;
	void *result;

	(void)state;
	assert_ok(pthread_create(&thread, NULL, cancel_while_locked, NULL));
	assert_ok(pthread_join(thread, &result));
	assert_ptr_equal(result, PTHREAD_CANCELED);
	lock_and_unlock(NULL);
	assert_ok(pthread_create(&thread, NULL, cancel_while_open, &begun));
	assert_ok(pthread_join(thread, &result));
	assert_ptr_equal(result, PTHREAD_CANCELED);
	assert_true(begun);
	assert_true(another_may_open());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_second_time_is_the_end),
		cmocka_unit_test(test_fork_with_the_lock),
		cmocka_unit_test(test_fork_in_the_middle_of_writing),
		cmocka_unit_test(test_one_opens_and_others_go_on),
		cmocka_unit_test(test_fork_waits),
		cmocka_unit_test(test_fork_in_the_middle_of_both),
		cmocka_unit_test(test_waiting),
		cmocka_unit_test(test_cancelled_after_unlocking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
