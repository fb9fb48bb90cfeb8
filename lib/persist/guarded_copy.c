/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * guarded_copy.c - copying from and to memory whose device may fail during the copy
 *
 * Owns the child process while it exists. Calls base/error and libc.
 *
 * Loads of a poisoned cache line and of a page that the device has lost raise SIGBUS, which a
 * library cannot catch well. Signal handlers belong to the whole process: other threads would run
 * ours, and a handler that the program sets meanwhile would be lost or in the way. Leaving the load
 * to the kernel (process_vm_readv, or write to a pipe) turns a lost page into an error code, but on
 * some kernels poison still ends in a panic or in SIGBUS for the caller.
 *
 * So a child process makes the copy, which shares the memory of this process but not its signal
 * handlers, as that of posix_spawn. The child sets its own handlers; when one of them runs, the
 * copy has failed and the child exits. The calling thread waits; other threads notice nothing, and
 * nobody gets a SIGCHLD. A call costs about 100 microseconds.
 */
#include "persist/guarded_copy.h"
#include "base/error.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* For memcpy and a signal frame, of which the widest registers take 11 KiB. */
#define STACK_SIZE (64 * 1024)

/* The child never returns into the frames that a sanitizer knows. */
#define UNSANITIZED __attribute__((__no_sanitize__("address", "thread")))

struct copy_job {
	void *to;
	const void *from;
	size_t length;
	pmem2_persist_fn persist;
	int result; /* written by the child, in shared memory */
};

/* The job of the waiting thread, whose thread-local storage the child shares. */
static _Thread_local struct copy_job *current_job;

UNSANITIZED static void copy_failed(int number, siginfo_t *info, void *context)
{
	struct copy_job *job = current_job;
	uintptr_t buffer = (uintptr_t)(job->persist ? job->from : job->to);
	uintptr_t address = (uintptr_t)info->si_addr;

	(void)context;
	/* Sent by a process, or a report of poison that has not been accessed. */
	if (info->si_code <= 0 || (number == SIGBUS && info->si_code == BUS_MCEERR_AO))
		return;
	/*
	 * Poison may be reported for the large page that contains it, before the first byte of the
	 * copy.
	 */
	if (number == SIGBUS && (address < buffer || address - buffer >= job->length))
		job->result = PMEM2_E_IO_FAIL;
	else
		job->result = -EFAULT;
	_exit(0);
}

/*
 * glibc's other name of sigaction. The thread sanitizer records what is set through the usual name
 * in memory that the program shares.
 */
int __sigaction(int number, const struct sigaction *action, struct sigaction *old);

UNSANITIZED static int copy_in_child(void *argument)
{
	struct copy_job *job = argument;
	struct sigaction action = {.sa_sigaction = copy_failed, .sa_flags = SA_SIGINFO};
	sigset_t faults;

	sigfillset(&action.sa_mask);
	__sigaction(SIGBUS, &action, NULL);
	__sigaction(SIGSEGV, &action, NULL);
	sigemptyset(&faults);
	sigaddset(&faults, SIGBUS);
	sigaddset(&faults, SIGSEGV);
	sigprocmask(SIG_UNBLOCK, &faults, NULL);

	memcpy(job->to, job->from, job->length);
	if (job->persist)
		job->persist(job->to, job->length);
	job->result = 0;
	_exit(0);
}

int guarded_copy(void *to, const void *from, size_t length, pmem2_persist_fn persist)
{
	struct copy_job job = {to, from, length, persist, -ECANCELED};
	int cancel_state, error = 0;
	sigset_t all, before;
	char *stack;
	pid_t pid;

	stack = malloc(STACK_SIZE);
	if (!stack)
		return error_set(-ENOMEM, "out of memory for a stack");
	current_job = &job;
	/* No handler of the program may run in the child. */
	sigfillset(&all);
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = clone(copy_in_child, stack + STACK_SIZE, CLONE_VM | CLONE_VFORK, &job);
	if (pid < 0)
		error = -errno;
	else
		waitpid(pid, NULL, __WCLONE);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_setcancelstate(cancel_state, NULL);
	free(stack);

	if (error)
		return error_set(error, "cannot make a process to copy with: %s", strerror(-error));
	switch (job.result) {
	case 0:
		return 0;
	case PMEM2_E_IO_FAIL:
		return error_set(job.result, "the device failed in the middle of it");
	case -EFAULT:
		return error_set(job.result, "the buffer is not all mapped");
	default:
		return error_set(job.result, "the process that copies was killed");
	}
}
