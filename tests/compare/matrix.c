/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix.c - every function with every kind of argument
 *
 * Calls each function with valid arguments, then with each other value of one argument, then with
 * each pair of other values of two arguments (not on disk, where all checks are the same as on
 * tmpfs). Each call is made in a process of its own, since libpmem2 crashes where this library
 * returns errors. A crash is a result.
 */
#include "matrix.h"
#include <stdarg.h>
#include <sys/wait.h>

/* Time limit of one call. */
#define CALL_SECONDS 30

/* The index of the value of each parameter; 0 is the valid one. */
typedef unsigned choice[MOST_PARAMETERS];

static bool is_here(const struct value *value)
{
	return !value->places || value->places & AT(place);
}

/* The value with that index among the values for this place; NULL: there are no more. */
static const struct value *value_of(const struct parameter *parameter, unsigned index)
{
	const struct value *value;

	for (value = parameter->kind->values; value->name; value++)
		if (is_here(value) && index-- == 0)
			return value;
	return NULL;
}

/* Names a call "function(name=value, ...)"; valid arguments are left out. */
static void name_call(const struct function *function, const choice chosen, char *text, size_t size)
{
	size_t used = (size_t)snprintf(text, size, "%s(", function->name);
	const char *comma = "";
	unsigned i;

	for (i = 0; function->parameters[i].name; i++) {
		if (!chosen[i])
			continue;
		used += (size_t)snprintf(text + used, size - used, "%s%s=%s", comma,
					 function->parameters[i].name,
					 value_of(&function->parameters[i], chosen[i])->name);
		comma = ", ";
	}
	snprintf(text + used, size - used, ")");
}

static void print_returned(const struct function *function, const char *name, uintptr_t returned)
{
	switch (function->returns) {
	case AN_ERROR:
		print_result(name, (int)returned);
		break;
	case A_POINTER:
		print_value(name, "%s", returned ? "set" : "NULL");
		break;
	case A_NUMBER:
		print_value(name, "%zu", returned);
		break;
	case NOTHING:
		print_value(name, "returned");
		break;
	}
}

static void make_call(const struct function *function, const choice chosen, const char *name)
{
	uintptr_t arguments[MOST_PARAMETERS];
	uintptr_t returned;
	unsigned i;

	for (i = 0; function->parameters[i].name; i++) {
		const struct value *value = value_of(&function->parameters[i], chosen[i]);

		arguments[i] = value->make ? value->make() : value->number;
	}
	before_call();
	returned = function->call(arguments);
	print_returned(function, name, returned);
	about("%s after", name);
	for (i = 0; function->parameters[i].name; i++)
		if (arguments[i] && function->parameters[i].kind->show)
			function->parameters[i].kind->show(function->parameters[i].name,
							   arguments[i]);
}

static void call_in_child(const struct function *function, const choice chosen)
{
	char name[256];
	int status;
	pid_t pid;

	name_call(function, chosen, name, sizeof(name));
	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		alarm(CALL_SECONDS);
		make_call(function, chosen, name);
		_exit(0);
	}
	NEED(pid > 0 && waitpid(pid, &status, 0) == pid);
	if (WIFSIGNALED(status))
		print_value(name, "crash, SIG%s", sigabbrev_np(WTERMSIG(status)));
	else
		NEED(status == 0);
}

static void call_with_pairs(const struct function *function, choice chosen, unsigned first)
{
	unsigned second;

	for (second = first + 1; function->parameters[second].name; second++) {
		while (value_of(&function->parameters[second], ++chosen[second]))
			call_in_child(function, chosen);
		chosen[second] = 0;
	}
}

static void call_with_all(const struct function *function)
{
	choice chosen = {0};
	unsigned i;

	call_in_child(function, chosen);
	for (i = 0; function->parameters[i].name; i++) {
		while (value_of(&function->parameters[i], ++chosen[i])) {
			call_in_child(function, chosen);
			if (place != DISK)
				call_with_pairs(function, chosen, i);
		}
		chosen[i] = 0;
	}
}

static void matrix(void)
{
	const struct function *function;

	for (function = functions; function->name; function++)
		if (function->places & AT(place)) {
			alarm(CASE_SECONDS);
			call_with_all(function);
		}
}

const struct test_case matrix_cases[] = {
	{.name = "matrix", .run = matrix, .places = EVERYWHERE},
	{0},
};
