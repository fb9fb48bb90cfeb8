/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_interrupts.c - waiting requests are withdrawn when they are interrupted, but not before
 */
#define FUSE_USE_VERSION 314
#include "base/container_of.h"
#include "fuse/interrupts.h"
#include <fuse_lowlevel.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define REQUESTS 3

struct request {
	struct interruptible pending;
	fuse_interrupt_func_t interrupt; /* what libfuse would call */
	void *data;
	int given_up;
	bool stays; /* is not withdrawn, but ends by itself */
};

static struct request requests[REQUESTS];

static fuse_req_t handle_of(struct request *request)
{
	return (fuse_req_t)(void *)request;
}

/* In place of libfuse's. */
void fuse_req_interrupt_func(fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
	struct request *request = (struct request *)(void *)req;

	request->interrupt = func;
	request->data = data;
}

static void give_up(struct interruptible *pending)
{
	struct request *request = container_of(pending, struct request, pending);

	request->given_up++;
	if (!request->stays)
		interrupts_end(pending);
}

static void interrupt(struct request *request)
{
	request->interrupt(handle_of(request), request->data);
}

static void begin_all(struct interrupts *interrupts)
{
	for (int i = 0; i < REQUESTS; i++) {
		requests[i] = (struct request){
			.pending = {.req = handle_of(&requests[i]), .give_up = give_up}};
		interrupts_begin(interrupts, &requests[i].pending);
	}
}

static void only_what_is_interrupted_is_given_up(void **state)
{
	(void)state;
	for (int i = 0; i < REQUESTS; i++) {
		struct interrupts interrupts = {0};

		begin_all(&interrupts);
		interrupts_deliver(&interrupts);
		interrupt(&requests[i]);
		for (int k = 0; k < REQUESTS; k++)
			assert_int_equal(requests[k].given_up, 0);
		interrupts_deliver(&interrupts);
		for (int k = 0; k < REQUESTS; k++)
			assert_int_equal(requests[k].given_up, k == i);
		for (int k = 0; k < REQUESTS; k++)
			if (k != i)
				interrupts_end(&requests[k].pending);
		assert_null(interrupts.first);
	}
}

static void several_are_given_up_at_once(void **state)
{
	struct interrupts interrupts = {0};

	(void)state;
	begin_all(&interrupts);
	interrupt(&requests[0]);
	interrupt(&requests[2]);
	interrupts_deliver(&interrupts);
	assert_int_equal(requests[0].given_up, 1);
	assert_int_equal(requests[1].given_up, 0);
	assert_int_equal(requests[2].given_up, 1);
	assert_ptr_equal(interrupts.first, &requests[1].pending);
	interrupts_end(&requests[1].pending);
	assert_null(interrupts.first);
}

static void what_has_ended_is_not_given_up(void **state)
{
	struct interrupts interrupts = {0};

	(void)state;
	begin_all(&interrupts);
	interrupt(&requests[1]);
	interrupts_end(&requests[1].pending);
	interrupts_deliver(&interrupts);
	for (int i = 0; i < REQUESTS; i++)
		assert_int_equal(requests[i].given_up, 0);
}

/* A request is asked once: an unmap that the keeper has begun ends by itself. */
static void what_stays_is_not_asked_again(void **state)
{
	struct interrupts interrupts = {0};

	(void)state;
	begin_all(&interrupts);
	requests[1].stays = true;
	interrupt(&requests[1]);
	interrupts_deliver(&interrupts);
	interrupts_deliver(&interrupts);
	assert_int_equal(requests[1].given_up, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_what_is_interrupted_is_given_up),
		cmocka_unit_test(several_are_given_up_at_once),
		cmocka_unit_test(what_has_ended_is_not_given_up),
		cmocka_unit_test(what_stays_is_not_asked_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
