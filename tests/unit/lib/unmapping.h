/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * unmapping.h - what the tests of unmapping share
 */
#ifndef PMEM2FS_TEST_UNMAPPING_H
#define PMEM2FS_TEST_UNMAPPING_H

#include "helper.h"
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifndef SYS_mseal
#define SYS_mseal 462
#endif

/* Valgrind and TSan crash in a process with no areas left. */
#define NEEDS_AREAS (ON_TSAN || on_valgrind())

/*
 * How much of the address sanitizer's shadow memory, a byte for each 8 bytes, can stay in use for
 * `kib` of a mapping that is gone.
 */
#define SHADOW(kib) (ON_ASAN ? (kib) / 8 : 0)

/* Making more takes too long. */
#define MAX_AREAS 1000000u

/* Whether the test can have no areas left; it says why not where the kernel allows too many. */
static inline bool can_use_up_areas(void)
{
	if (proc_number("/proc/sys/vm/max_map_count", "") > MAX_AREAS) {
		print_message("vm.max_map_count is above %u: too many areas to use up\n",
			      MAX_AREAS);
		return false;
	}
	return !NEEDS_AREAS;
}

/* Makes areas until the kernel allows no more; they are one range of address space. */
static inline void *use_up_areas(size_t *length)
{
	size_t pages = 2 * proc_number("/proc/sys/vm/max_map_count", "");
	char *start = mmap(NULL, pages * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i = 1;

	assert_ptr_not_equal(start, MAP_FAILED);
	*length = pages * PAGE;
	while (i < pages && mprotect(start + i * PAGE, PAGE, PROT_READ) == 0)
		i += 2;
	assert_true(i < pages);
	/* Splitting off one end needs one more area, a middle two. */
	for (i++; i < pages && mprotect(start + i * PAGE, (pages - i) * PAGE, PROT_READ) == 0; i++)
		;
	return start;
}

static sigjmp_buf fault_jump;

static inline void on_fault(int signo)
{
	siglongjmp(fault_jump, signo);
}

/* Returns the signal that reading a byte raises, 0: none. */
static inline int fault_of_reading(volatile const char *address)
{
	struct sigaction action = {.sa_handler = on_fault};
	struct sigaction segv;
	struct sigaction bus;
	int signo;

	assert_ok(sigaction(SIGSEGV, &action, &segv));
	assert_ok(sigaction(SIGBUS, &action, &bus));
	signo = sigsetjmp(fault_jump, 1);
	if (!signo)
		(void)*address;
	assert_ok(sigaction(SIGSEGV, &segv, NULL));
	assert_ok(sigaction(SIGBUS, &bus, NULL));
	return signo;
}

/* Runs `body` with a tmpfs of its own in a private mount namespace. */
static inline int in_own_tmpfs(int (*body)(const char *mount))
{
	char mount_point[] = "/var/tmp/pmem2fs-mnt-XXXXXX";
	int status = -1;
	pid_t pid;

	assert_non_null(mkdtemp(mount_point));
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") ||
		    mount("tmpfs", mount_point, "tmpfs", 0, "size=64m"))
			_exit(77);
		_exit(body(mount_point));
	}
	assert_true(waitpid(pid, &status, 0) == pid);
	assert_ok(rmdir(mount_point));
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#endif
