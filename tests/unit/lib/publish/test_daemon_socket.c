/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_daemon_socket.c - finding the daemon, and checking its user
 */
#include "helper.h"
#include "publish/daemon_socket.h"
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#define STRANGER 12345

static char folder[] = "/tmp/pmem2fs-daemon-XXXXXX";
static char path[sizeof(folder) + 32];

/* The user that SO_PEERCRED reports, -1: the real one. */
static uid_t peer_uid = (uid_t)-1;
static uid_t own_uid = (uid_t)-1;
static unsigned connects;
static char first_path[128];
static int first_error;

int __real_getsockopt(int fd, int level, int name, void *value, socklen_t *size);
int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size);

int __wrap_getsockopt(int fd, int level, int name, void *value, socklen_t *size)
{
	int ret = __real_getsockopt(fd, level, name, value, size);

	if (peer_uid != (uid_t)-1)
		((struct ucred *)value)->uid = peer_uid;
	return ret;
}

uid_t __real_geteuid(void);
uid_t __wrap_geteuid(void);

uid_t __wrap_geteuid(void)
{
	return own_uid != (uid_t)-1 ? own_uid : __real_geteuid();
}

int __real_connect(int fd, const struct sockaddr *address, socklen_t size);
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size);

/* With first_error, the first attempt fails: outside isolate, there may be a daemon. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t size)
{
	if (connects++ == 0) {
		strcpy(first_path, ((const struct sockaddr_un *)address)->sun_path);
		if (first_error) {
			errno = first_error;
			return -1;
		}
	}
	return __real_connect(fd, address, size);
}

static int listen_at(const char *where, int type)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, where);
	unlink(where);
	assert_true(fd >= 0);
	assert_ok(bind(fd, (struct sockaddr *)&address, sizeof(address)));
	assert_ok(listen(fd, 1));
	return fd;
}

static unsigned count_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static int set_up(void **state)
{
	(void)state;
	peer_uid = own_uid = (uid_t)-1;
	connects = 0;
	first_error = 0;
	first_path[0] = '\0';
	unlink(path);
	setenv("PMEM2FS_SOCKET", path, 1);
	unsetenv("XDG_RUNTIME_DIR");
	return 0;
}

static void test_connects(void **state)
{
	int listener = listen_at(path, SOCK_SEQPACKET);
	bool is_root = __real_geteuid() != 0;
	int fd = daemon_connect(&is_root);

	(void)state;
	assert_true(fd > STDERR_FILENO);
	assert_int_equal(is_root, __real_geteuid() == 0);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	close(fd);
	close(listener);
}

/* The addresses that are tried, in their order. */
static void test_places(void **state)
{
	char where[sizeof(path) + 16];
	bool is_root;
	int listener;
	int fd;

	(void)state;
	/* Only the given address. */
	setenv("XDG_RUNTIME_DIR", folder, 1);
	snprintf(where, sizeof(where), "%s/pmem2fs", folder);
	assert_ok(mkdir(where, 0700));
	snprintf(where, sizeof(where), "%s/pmem2fs/socket", folder);
	listener = listen_at(where, SOCK_SEQPACKET);
	assert_int_equal(daemon_connect(&is_root), -ENOENT);
	assert_int_equal(connects, 1);

	/* The system's daemon, then the user's own. */
	for (int empty = 0; empty < 2; empty++) {
		if (empty)
			setenv("PMEM2FS_SOCKET", "", 1);
		else
			unsetenv("PMEM2FS_SOCKET");
		connects = 0;
		first_error = ECONNREFUSED;
		fd = daemon_connect(&is_root);
		assert_true(fd >= 0);
		close(fd);
		assert_string_equal(first_path, "/run/pmem2fs/socket");
		assert_int_equal(connects, 2);
	}
	connects = 0;
	first_error = EAGAIN;
	assert_int_equal(daemon_connect(&is_root), -EAGAIN);
	assert_int_equal(connects, 1);
	connects = 0;
	first_error = ENOENT;
	unsetenv("XDG_RUNTIME_DIR");
	assert_int_equal(daemon_connect(&is_root), -ENOENT);
	connects = 0;
	setenv("XDG_RUNTIME_DIR", "tmp", 1);
	assert_int_equal(daemon_connect(&is_root), -ENOENT);
	assert_int_equal(connects, 1);
	close(listener);
	unlink(where);
	snprintf(where, sizeof(where), "%s/pmem2fs", folder);
	rmdir(where);
}

static void test_whom_to_trust(void **state)
{
	static const struct {
		uid_t peer, own;
		bool trusted, is_root;
	} cases[] = {
		{0, 0, true, true},
		{0, STRANGER, true, true},
		{STRANGER, STRANGER, true, false},
		{STRANGER, 0, false, false},
		{STRANGER, STRANGER + 1, false, false},
		/* A user that is not mapped in the user namespace. */
		{65534, 65534, false, false},
		{65534, 0, false, false},
	};
	int listener = listen_at(path, SOCK_SEQPACKET);
	unsigned before = count_descriptors();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is_root = !cases[i].is_root;
		int fd;

		peer_uid = cases[i].peer;
		own_uid = cases[i].own;
		fd = daemon_connect(&is_root);
		if (cases[i].trusted) {
			assert_true(fd >= 0);
			close(fd);
			assert_int_equal(is_root, cases[i].is_root);
		} else {
			assert_int_equal(fd, -EPERM);
			assert_int_equal(is_root, !cases[i].is_root);
		}
		close(accept(listener, NULL, NULL));
	}
	assert_int_equal(count_descriptors(), before);
	close(listener);
}

/* A socket that another user listens on, according to the kernel. */
static void test_fake_daemon(void **state)
{
	int pipes[2];
	bool is_root;
	char byte;
	pid_t pid;

	(void)state;
	if (__real_geteuid())
		skip();
	assert_ok(pipe(pipes));
	assert_ok(chmod(folder, 0777));
	unlink(path);
	pid = fork();
	if (!pid) {
		if (setuid(STRANGER) || prctl(PR_SET_PDEATHSIG, SIGKILL))
			_exit(1);
		listen_at(path, SOCK_SEQPACKET);
		if (write(pipes[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(pipes[0], &byte, 1), 1);
	assert_int_equal(daemon_connect(&is_root), -EPERM);
	assert_ok(kill(pid, SIGKILL));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(daemon_connect(&is_root), -ECONNREFUSED);
	close(pipes[0]);
	close(pipes[1]);
}

static void test_what_is_in_the_way(void **state)
{
	char long_path[200];
	unsigned before = count_descriptors();
	bool is_root;
	int listener;
	int fds[8];
	int n = 0;
	int fd;

	(void)state;
	unlink(path);
	assert_int_equal(daemon_connect(&is_root), -ENOENT);
	listener = listen_at(path, SOCK_STREAM);
	assert_int_equal(daemon_connect(&is_root), -EPROTOTYPE);
	close(listener);
	/* No process accepts: the library does not wait. */
	listener = listen_at(path, SOCK_SEQPACKET);
	while (n < 8 && (fd = daemon_connect(&is_root)) >= 0)
		fds[n++] = fd;
	assert_in_range(n, 1, 7);
	assert_int_equal(fd, -EAGAIN);
	while (n)
		close(fds[--n]);
	close(listener);
	memset(long_path, 'x', sizeof(long_path) - 1);
	long_path[sizeof(long_path) - 1] = '\0';
	setenv("PMEM2FS_SOCKET", long_path, 1);
	assert_int_equal(daemon_connect(&is_root), -ENAMETOOLONG);
	/* The longest possible path has 107 bytes. */
	long_path[108] = '\0';
	setenv("PMEM2FS_SOCKET", long_path, 1);
	assert_int_equal(daemon_connect(&is_root), -ENAMETOOLONG);
	long_path[107] = '\0';
	setenv("PMEM2FS_SOCKET", long_path, 1);
	assert_int_equal(daemon_connect(&is_root), -ENOENT);
	assert_int_equal(count_descriptors(), before);
}

/* In a program without standard streams, the connection gets none of their numbers. */
static void test_closed_streams(void **state)
{
	int listener = listen_at(path, SOCK_SEQPACKET);
	pid_t pid = fork();
	int status;

	(void)state;
	if (!pid) {
		bool is_root;
		int fd;

		close(0);
		close(2);
		fd = daemon_connect(&is_root);
		_exit(fd > 2 && fcntl(0, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0 &&
				      fcntl(fd, F_GETFD) == FD_CLOEXEC
			      ? 0
			      : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_connects, set_up),
		cmocka_unit_test_setup(test_places, set_up),
		cmocka_unit_test_setup(test_whom_to_trust, set_up),
		cmocka_unit_test_setup(test_fake_daemon, set_up),
		cmocka_unit_test_setup(test_what_is_in_the_way, set_up),
		cmocka_unit_test_setup(test_closed_streams, set_up),
	};
	int failed;

	if (!mkdtemp(folder))
		return 1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	rmdir(folder);
	return failed;
}
