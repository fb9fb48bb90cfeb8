/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * seccomp_probe.c - whether a seccomp filter would kill this process for publishing its mappings
 *
 * Owns the result of the probe. Calls base/attribute, base/cancel and libc.
 *
 * A program that maps persistent memory has to be allowed the system calls for that, but not the
 * ones that publish a mapping, which it never asked for: a seccomp filter may kill it for them. The
 * kernel does not report what a filter does, so a child process tries the calls. The child is a
 * copy of this process with the same filters. No wait of the program finds it and no signal reports
 * its end; it takes none of the program's signals. It shares no memory with the program: a core
 * dump of a process that shared memory would end the program as well.
 *
 * The probe runs at most once per process. The number of filters of a thread, which only grows,
 * identifies what was probed: a thread that has added filters since is not permitted to publish.
 *
 * Two cases cannot be handled: a filter that exists before the first mapping and kills for opening
 * and reading a file in /proc or for clone or wait4; and a filter that lets a supervisor decide
 * (SECCOMP_RET_USER_NOTIF), whose supervisor sees the calls twice.
 */
#include "registry/seccomp_probe.h"
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

/* The parent's other threads may have left libc and a sanitizer in any state. */
#define UNSANITIZED __attribute__((__no_sanitize__("address", "thread", "undefined")))

/* The kernel's modes, and one for a mode that cannot be read. */
enum seccomp_mode { MODE_NONE, MODE_STRICT, MODE_FILTER, MODE_UNKNOWN };

struct seccomp_status {
	enum seccomp_mode mode;
	long filters; /* their number; 0: none, or a kernel before 5.9, which does not report it */
	int error;    /* why the mode is unknown */
};

/*
 * The number of filters that was probed; -1: nothing has been probed, or what was probed has no
 * number that identifies it. The child of a fork inherits the result.
 */
static _Atomic long probed = -1;
static _Atomic bool permitted;

static ssize_t read_status_file(char *text, size_t size)
{
	int state = cancel_disable();
	ssize_t n = attribute_read("/proc/thread-self/status", text, size);

	cancel_restore(state);
	return n;
}

static struct seccomp_status read_seccomp_status(void)
{
	struct seccomp_status status = {.mode = MODE_UNKNOWN, .error = -EPERM};
	const char *line;
	char text[8192];
	ssize_t n = read_status_file(text, sizeof(text));

	if (n < 0)
		status.error = (int)n;
	if (n <= 0)
		return status;
	line = strstr(text, "\nSeccomp:");
	if (!line) {
		/* No seccomp in this kernel, unless a list of hundreds of groups filled the buffer.
		 */
		if (strlen(text) < sizeof(text) - 1)
			status.mode = MODE_NONE;
		return status;
	}
	status.mode = strtoul(line + strlen("\nSeccomp:"), NULL, 10);
	line = strstr(text, "\nSeccomp_filters:");
	if (line)
		status.filters = strtol(line + strlen("\nSeccomp_filters:"), NULL, 10);
	return status;
}

/*
 * The system calls of table_writer.c here, and of announce.c and daemon_socket.c in publish/, with
 * the arguments that a filter can see. stat and fstat are not among them: nothing can be mapped
 * without them. Whether a call succeeds does not matter. syscall is the only function of
 * libc that is safe here: another thread of the program may have been interrupted inside of any
 * other.
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

	/* A child that is killed leaves no core dump. */
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
	syscall(SYS_geteuid);
	syscall(SYS_getegid);
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
	int exit_status = -1;
	int state;
	long pid;

	state = cancel_disable();
	/* Also SIGSYS: a handler of the program would run in the child. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0) {
		try_calls();
		syscall(SYS_exit_group, 0);
	}
	if (pid > 0) {
		while (waitpid((pid_t)pid, &exit_status, __WCLONE) < 0 && errno == EINTR)
			;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	cancel_restore(state);
	return pid > 0 && exit_status == 0;
}

/* The number that identifies the filters of a thread; -1: none does. */
static long filters_id(const struct seccomp_status *status)
{
	if (status->mode == MODE_NONE)
		return 0;
	return status->mode == MODE_FILTER && status->filters > 0 ? status->filters : -1;
}

static bool is_probed(long id)
{
	return id >= 0 && id == atomic_load_explicit(&probed, memory_order_acquire);
}

int seccomp_probe_run(void)
{
	const struct seccomp_status status = read_seccomp_status();
	long id = filters_id(&status);
	bool permits;

	if (is_probed(id))
		return permitted ? 0 : -EPERM;
	permits = status.mode == MODE_NONE || (status.mode == MODE_FILTER && try_in_child());
	atomic_store_explicit(&probed, -1, memory_order_relaxed);
	atomic_store_explicit(&permitted, permits, memory_order_release);
	atomic_store_explicit(&probed, id, memory_order_release);
	return permits ? 0 : status.error;
}

bool seccomp_probe_permits(void)
{
	const struct seccomp_status status = read_seccomp_status();

	return is_probed(filters_id(&status)) && permitted;
}
