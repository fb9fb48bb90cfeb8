/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sandbox.c - whether a seccomp filter would kill this process for being seen
 *
 * A program that maps persistent memory has to have the system calls for it, but need not have
 * those that publish the mapping: it may be made to die of them, and it never asked for them. What
 * a filter does cannot be asked, so the calls are tried by a process that has the same filters and
 * nothing to lose: a copy of this one, which no wait of the program's finds and of whose end no
 * signal tells. It takes none of the program's signals, and shares no memory with it, for the core
 * dump of one that does would end the program as well.
 *
 * That is done once a process at most. A thread that has put on filters of its own since is not the
 * one of which something is known, and is told by their number, which only grows.
 *
 * What cannot be handled: a filter that is there before the first mapping and kills for opening and
 * reading a file in /proc or for clone or wait4. With one that lets a supervisor decide
 * (SECCOMP_RET_USER_NOTIF) the supervisor sees the calls twice.
 *
 * Owns what was found out. Calls libc only.
 */
#include "publish/sandbox.h"
#include "base/attribute.h"
#include "base/cancel.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/memfd.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* The child runs on what its parent's threads have left of libc and of a sanitizer. */
#define UNSANITIZED __attribute__((__no_sanitize__("address", "thread", "undefined")))

/* The modes of the kernel, and that it cannot be told. */
enum mode { MODE_NONE, MODE_STRICT, MODE_FILTER, MODE_UNKNOWN };

struct sandbox {
	enum mode mode;
	long filters; /* how many; 0: none, or a kernel before 5.9 does not tell */
	int error;    /* why it is unknown */
};

/*
 * What was examined: its number of filters, and -1 before, or if it cannot be recognized. A child
 * of a fork knows what its parent knew.
 */
static _Atomic long examined = -1;
static _Atomic bool permitted;

static ssize_t read_status(char *text, size_t size)
{
	int state = cancel_disable();
	ssize_t n = attribute_read("/proc/thread-self/status", text, size);

	cancel_restore(state);
	return n;
}

static struct sandbox find_sandbox(void)
{
	struct sandbox sandbox = {.mode = MODE_UNKNOWN, .error = -EPERM};
	const char *line;
	char text[8192];
	ssize_t n = read_status(text, sizeof(text));

	if (n < 0)
		sandbox.error = (int)n;
	if (n <= 0)
		return sandbox;
	line = strstr(text, "\nSeccomp:");
	if (!line) {
		/* A kernel without seccomp, or the list of hundreds of groups is before it. */
		if (strlen(text) < sizeof(text) - 1)
			sandbox.mode = MODE_NONE;
		return sandbox;
	}
	sandbox.mode = strtoul(line + strlen("\nSeccomp:"), NULL, 10);
	line = strstr(text, "\nSeccomp_filters:");
	if (line)
		sandbox.filters = strtol(line + strlen("\nSeccomp_filters:"), NULL, 10);
	return sandbox;
}

/*
 * The calls of table.c, announce.c and daemon.c, with what a filter can see of their arguments;
 * stat, fstat and geteuid are not among them, without which nothing can be mapped.
 * Whether they succeed is not the question. No function of libc but syscall: another thread of the
 * program may have been in the middle of it.
 */
UNSANITIZED static void try_calls(void)
{
	static const struct sockaddr_un nowhere = {.sun_family = AF_UNIX};
	const size_t page = 4096;
	struct msghdr message = {0};
	struct rlimit limit;
	socklen_t size;
	long memory;
	long fd;

	/* If it has to die, then without a core dump. */
	syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
	syscall(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit);
	syscall(SYS_getpid);
	fd = syscall(SYS_memfd_create, "pmem2fs", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	syscall(SYS_ftruncate, fd, page);
	memory = syscall(SYS_mmap, NULL, page, PROT_NONE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	syscall(SYS_munlock, memory, page);
	syscall(SYS_madvise, memory, page, MADV_DONTFORK);
	syscall(SYS_madvise, memory, page, MADV_DONTDUMP);
	syscall(SYS_madvise, memory, page, MADV_WIPEONFORK);
	syscall(SYS_mprotect, memory, page, PROT_READ | PROT_WRITE);
	syscall(SYS_madvise, memory, page, MADV_POPULATE_WRITE);
	syscall(SYS_fcntl, fd, F_ADD_SEALS, F_SEAL_SEAL);
	syscall(SYS_munmap, memory, page);
	syscall(SYS_close, fd);
	fd = syscall(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	syscall(SYS_connect, fd, &nowhere, sizeof(nowhere.sun_family) - 1);
	size = 0;
	syscall(SYS_getsockopt, fd, SOL_SOCKET, SO_PEERCRED, NULL, &size);
	syscall(SYS_sendmsg, fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	syscall(SYS_close, fd);
}

UNSANITIZED static bool try_in_child(void)
{
	sigset_t all, before;
	int status = -1;
	int state;
	long pid;

	state = cancel_disable();
	/* Also SIGSYS: a handler of the program's would make what it likes of the call. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		try_calls();
		syscall(SYS_exit_group, 0);
	}
	if (pid > 0) {
		while (waitpid((pid_t)pid, &status, __WCLONE) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	cancel_restore(state);
	return pid > 0 && status == 0;
}

/* A number by which the sandbox of a thread is known again; -1: none. */
static long recognize(const struct sandbox *sandbox)
{
	if (sandbox->mode == MODE_NONE)
		return 0;
	return sandbox->mode == MODE_FILTER && sandbox->filters > 0 ? sandbox->filters : -1;
}

static bool is_examined(long number)
{
	return number >= 0 && number == atomic_load_explicit(&examined, memory_order_acquire);
}

int sandbox_examine(void)
{
	const struct sandbox sandbox = find_sandbox();
	long number = recognize(&sandbox);
	bool permits;

	if (is_examined(number))
		return permitted ? 0 : -EPERM;
	permits = sandbox.mode == MODE_NONE || (sandbox.mode == MODE_FILTER && try_in_child());
	atomic_store_explicit(&examined, -1, memory_order_relaxed);
	atomic_store_explicit(&permitted, permits, memory_order_release);
	atomic_store_explicit(&examined, number, memory_order_release);
	return permits ? 0 : sandbox.error;
}

bool sandbox_permits(void)
{
	const struct sandbox sandbox = find_sandbox();

	return is_examined(recognize(&sandbox)) && permitted;
}
