/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_receive_jobs.c - the order of the jobs that wait for receivers
 */
#include "receive/receive_jobs.h"
#include "receive/receivers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define UID 1000

static struct receive_jobs jobs;

static int begin(void **state)
{
	(void)state;
	jobs = (struct receive_jobs){0};
	receive_jobs_begin(&jobs);
	return 0;
}

static int end(void **state)
{
	(void)state;
	receive_jobs_end(&jobs);
	return 0;
}

static struct receive_job *add(enum receive_kind kind, uid_t uid)
{
	struct receive_job *job = receive_job_new(&jobs, kind, -1, uid);

	assert_non_null(job);
	return job;
}

static void each_user_has_a_list(void **state)
{
	struct receive_job *first = add(RECEIVE_FILE, UID), *other = add(RECEIVE_FILE, UID + 1);
	struct receive_job *second = add(RECEIVE_REST, UID);
	struct receive_user *user = receive_jobs_user(&jobs, UID);

	(void)state;
	assert_ptr_equal(TAILQ_FIRST(&user->waiting), first);
	assert_int_equal(receive_jobs_count(&jobs, UID, RECEIVE_FILE), 1);
	assert_int_equal(receive_jobs_count(&jobs, UID, RECEIVE_REST), 1);
	receive_job_give(&jobs, first);
	assert_int_equal(receive_jobs_count(&jobs, UID, RECEIVE_FILE), 0);
	assert_ptr_equal(TAILQ_FIRST(&user->waiting), second);
	receive_job_fail(&jobs, second);
	assert_true(TAILQ_EMPTY(&user->waiting));
	assert_ptr_equal(TAILQ_FIRST(&jobs.failed), second);
	receive_job_free(&jobs, second);
	assert_ptr_equal(receive_jobs_user(&jobs, UID), user); /* a receiver has a job of it */
	receive_job_free(&jobs, first);
	assert_null(receive_jobs_user(&jobs, UID));
	assert_ptr_equal(TAILQ_FIRST(&receive_jobs_user(&jobs, UID + 1)->waiting), other);
}

/* Jobs that a receiver has are sorted among the others. */
static void the_first_deadline_comes_first(void **state)
{
	static const uint64_t deadlines[] = {30, 10, 40, 20, 40};
	struct receive receives[5];
	struct receive_job *job;
	uint64_t last = 0;

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		job = add(RECEIVE_FILE, UID + i % 2);
		receive_job_await(&jobs, job, &receives[i], deadlines[i]);
		if (i == 1)
			receive_job_give(&jobs, job);
	}
	assert_null(receive_jobs_late(&jobs, 9));
	assert_ptr_equal(receive_jobs_late(&jobs, 10)->receive, &receives[1]);
	while ((job = receive_jobs_late(&jobs, 40))) {
		assert_true(job->until >= last);
		last = job->until;
		receive_job_release(&jobs, job);
		receive_job_free(&jobs, job);
	}
	assert_int_equal(last, 40);
	assert_null(receive_jobs_user(&jobs, UID));
}

static void root_is_the_first_to_get_a_process(void **state)
{
	struct receive_job *job = add(RECEIVE_FILE, UID);

	(void)state;
	add(RECEIVE_FILE, UID + 1);
	add(RECEIVE_FILE, 0);
	receive_user_queue(&jobs, receive_jobs_user(&jobs, UID));
	receive_user_queue(&jobs, receive_jobs_user(&jobs, UID + 1));
	receive_user_queue(&jobs, receive_jobs_user(&jobs, 0));
	receive_user_queue(&jobs, receive_jobs_user(&jobs, UID + 1));
	assert_int_equal(TAILQ_FIRST(&jobs.queue)->uid, 0);
	receive_user_unqueue(&jobs, TAILQ_FIRST(&jobs.queue));
	assert_int_equal(TAILQ_FIRST(&jobs.queue)->uid, UID);
	receive_job_free(&jobs, job); /* a user without jobs leaves the queue */
	assert_int_equal(TAILQ_FIRST(&jobs.queue)->uid, UID + 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_user_has_a_list),
		TEST(the_first_deadline_comes_first),
		TEST(root_is_the_first_to_get_a_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
