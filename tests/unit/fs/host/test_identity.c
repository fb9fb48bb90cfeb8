/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_identity.c - acting as a caller, and callers that are refused
 *
 * Most of it needs root. Callers are forked children that wait until their identity has been read.
 */
#include "host/identity.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define USER  12345
#define GROUP 12346
#define OTHER 12347

static char folder[] = "/tmp/identity-XXXXXX";

struct caller {
	pid_t pid;
	int go; /* closed: the child ends */
};

/* Starts a child that has called `change`. False: that failed. */
static bool caller_begin(struct caller *caller, bool (*change)(void))
{
	int go[2], come[2];
	char byte;
	bool ready;

	if (pipe(go) || pipe(come))
		return false;
	caller->pid = fork();
	if (!caller->pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(go[1]);
		close(come[0]);
		if (!change())
			_exit(1);
		_exit(write(come[1], "", 1) != 1 || read(go[0], &byte, 1) < 0);
	}
	close(go[0]);
	close(come[1]);
	ready = read(come[0], &byte, 1) == 1;
	close(come[0]);
	caller->go = go[1];
	return ready;
}

static void caller_end(struct caller *caller)
{
	close(caller->go);
	waitpid(caller->pid, NULL, 0);
}

static int begin(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	return chmod(folder, 0755);
}

static int end(void **state)
{
	(void)state;
	return rmdir(folder);
}

static bool change_nothing(void)
{
	return true;
}

static bool change_user(void)
{
	const gid_t groups[] = {GROUP, OTHER};

	return !setgroups(2, groups) && !setgid(GROUP) && !setuid(USER);
}

/* More groups than fit on a line of any sensible length. */
static bool change_groups(void)
{
	gid_t groups[5000];

	for (unsigned i = 0; i < 5000; i++)
		groups[i] = 4000000000u + i;
	return !setgroups(5000, groups);
}

static bool change_root(void)
{
	return !chroot("/tmp");
}

/* A root folder with the same path as the test's. */
static bool change_root_under_a_mount(void)
{
	return !unshare(CLONE_NEWNS) && !chroot("/");
}

static bool change_user_namespace(void)
{
	return !unshare(CLONE_NEWUSER);
}

static bool change_mount_namespace(void)
{
	return !unshare(CLONE_NEWNS);
}

static void a_caller_like_us_is_not_refused(void **state)
{
	struct identity *identity;
	struct caller caller;

	(void)state;
	assert_true(caller_begin(&caller, change_nothing));
	identity = identity_of_caller(caller.pid, 7, 8);
	assert_null(identity->refused);
	assert_int_equal(identity->uid, 7); /* the kernel's value at the request */
	assert_int_equal(identity->gid, 8);
	assert_int_equal(identity->group_count, getgroups(0, NULL));
	free(identity);
	caller_end(&caller);
}

static void takes_groups_and_capabilities(void **state)
{
	struct identity *identity;
	struct caller caller;

	(void)state;
	if (geteuid())
		skip();
	assert_true(caller_begin(&caller, change_user));
	identity = identity_of_caller(caller.pid, USER, GROUP);
	assert_null(identity->refused);
	assert_int_equal(identity->capabilities, 0);
	assert_int_equal(identity->group_count, 2);
	assert_int_equal(identity->groups[0], GROUP);
	assert_int_equal(identity->groups[1], OTHER);
	free(identity);
	caller_end(&caller);

	assert_true(caller_begin(&caller, change_groups));
	identity = identity_of_caller(caller.pid, 0, 0);
	assert_null(identity->refused);
	assert_true(identity->capabilities & 1ull << CAP_DAC_OVERRIDE);
	assert_int_equal(identity->group_count, 5000);
	for (unsigned i = 0; i < 5000; i++)
		assert_int_equal(identity->groups[i], 4000000000u + i);
	free(identity);
	caller_end(&caller);
}

/* Capabilities in another user namespace do not count here. */
static void capabilities_of_another_user_namespace_are_none(void **state)
{
	struct identity *identity;
	struct caller caller;

	(void)state;
	if (!caller_begin(&caller, change_user_namespace)) {
		caller_end(&caller);
		skip();
	}
	identity = identity_of_caller(caller.pid, 0, 0);
	assert_int_equal(identity->capabilities, 0);
	free(identity);
	caller_end(&caller);
}

static void another_view_of_the_files_is_refused(void **state)
{
	bool (*const changes[])(void) = {change_root, change_root_under_a_mount,
					 change_mount_namespace};

	(void)state;
	if (geteuid())
		skip();
	for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++) {
		struct identity *identity;
		struct caller caller;

		assert_true(caller_begin(&caller, changes[i]));
		identity = identity_of_caller(caller.pid, 0, 0);
		assert_non_null(identity->refused);
		assert_non_null(strstr(identity->refused, "root directory"));
		free(identity);
		caller_end(&caller);
	}
}

static void who_cannot_be_looked_at_is_refused(void **state)
{
	pid_t gone = fork();
	const pid_t tids[] = {0, -1, gone};

	(void)state;
	if (!gone)
		_exit(0);
	waitpid(gone, NULL, 0);
	for (size_t i = 0; i < sizeof(tids) / sizeof(*tids); i++) {
		struct identity *identity = identity_of_caller(tids[i], 0, 0);

		assert_non_null(identity->refused);
		free(identity);
	}
}

/* A file in the folder with that mode, of root and of the group OTHER. */
static const char *new_file(mode_t mode)
{
	static char path[64];
	int fd;

	snprintf(path, sizeof(path), "%s/file", folder);
	unlink(path);
	fd = open(path, O_CREAT | O_EXCL | O_WRONLY, 0600);
	assert_true(fd >= 0);
	assert_int_equal(fchown(fd, 0, OTHER) | fchmod(fd, mode), 0);
	close(fd);
	return path;
}

/* An open for reading in a thread that acts as `identity`: its errno, or 0. */
struct attempt {
	const struct identity *identity;
	const char *path;
	int assumed, number, after;
	uint64_t capabilities, capabilities_after;
};

static uint64_t own_capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	syscall(SYS_capget, &header, data);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static int open_errno(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return errno;
	close(fd);
	return 0;
}

static void *attempt_main(void *arg)
{
	struct attempt *attempt = arg;

	attempt->assumed = identity_assume(attempt->identity);
	attempt->number = open_errno(attempt->path);
	attempt->capabilities = own_capabilities();
	identity_drop();
	attempt->after = open_errno(attempt->path);
	attempt->capabilities_after = own_capabilities();
	return NULL;
}

static uint64_t capabilities_meanwhile; /* result of the last try_as */

static int try_as(uid_t uid, gid_t gid, uint64_t capabilities, gid_t group, const char *path)
{
	struct identity *identity = calloc(1, sizeof(*identity) + sizeof(gid_t));
	struct attempt attempt = {.identity = identity, .path = path};
	pthread_t thread;

	identity->uid = uid;
	identity->gid = gid;
	identity->capabilities = capabilities;
	identity->group_count = group != 0;
	identity->groups[0] = group;
	assert_int_equal(pthread_create(&thread, NULL, attempt_main, &attempt), 0);
	pthread_join(thread, NULL);
	free(identity);
	assert_int_equal(attempt.assumed, 0);
	capabilities_meanwhile = attempt.capabilities;
	/* The thread has its own rights again, and the main thread never lost them. */
	assert_int_equal(attempt.after, 0);
	assert_true(attempt.capabilities_after == own_capabilities());
	assert_int_equal(open_errno(path), 0);
	return attempt.number;
}

#define ALL  (~0ull)
#define NONE 0ull

static void opens_with_the_callers_rights(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(try_as(USER, GROUP, NONE, 0, new_file(0600)), EACCES);
	assert_int_equal(try_as(USER, GROUP, NONE, 0, new_file(0604)), 0);
	/* A member of the group by gid, by supplementary group, and no member. */
	assert_int_equal(try_as(USER, GROUP, NONE, OTHER, new_file(0640)), 0);
	assert_int_equal(try_as(USER, OTHER, NONE, 0, new_file(0640)), 0);
	assert_int_equal(try_as(USER, GROUP, NONE, GROUP, new_file(0640)), EACCES);
	/* A member of a group without the right has fewer rights than others. */
	assert_int_equal(try_as(USER, OTHER, NONE, 0, new_file(0604)), EACCES);
	unlink(new_file(0600));
}

/* Root's rights are those of its capabilities: without them, a user's file is refused. */
static void root_without_capabilities_is_nobody(void **state)
{
	const char *path;

	(void)state;
	if (geteuid())
		skip();
	path = new_file(0600);
	assert_int_equal(try_as(0, 0, ALL, 0, path), 0);
	assert_int_equal(chown(path, USER, GROUP), 0);
	assert_int_equal(try_as(0, 0, ALL, 0, path), 0);
	assert_int_equal(try_as(0, 0, NONE, 0, path), EACCES);
	assert_int_equal(try_as(0, 0, 1ull << CAP_DAC_READ_SEARCH, 0, path), 0);
	assert_int_equal(try_as(0, 0,
				ALL & ~(1ull << CAP_DAC_READ_SEARCH | 1ull << CAP_DAC_OVERRIDE), 0,
				path),
			 EACCES);
	/* No user gets more rights than its uid has, whatever capabilities /proc shows. */
	assert_int_equal(chown(path, OTHER, OTHER), 0);
	assert_int_equal(try_as(USER, GROUP, ALL, 0, path), EACCES);
	unlink(path);
}

/* Only a root with all rights of the daemon needs nothing put on. */
static void who_has_the_daemons_rights(void **state)
{
	struct identity identity = {.gid = getegid(), .capabilities = ALL};

	(void)state;
	if (geteuid())
		skip();
	assert_true(identity_is_own(&identity));
	identity.capabilities = ALL & ~(1ull << CAP_DAC_READ_SEARCH);
	assert_false(identity_is_own(&identity));
	identity.capabilities = ALL & ~(1ull << CAP_DAC_OVERRIDE);
	assert_false(identity_is_own(&identity));
	identity.capabilities = ALL & ~(1ull << CAP_CHOWN);
	assert_false(identity_is_own(&identity));
	identity.capabilities = ALL & ~(1ull << CAP_NET_ADMIN); /* is no right over files */
	assert_true(identity_is_own(&identity));
	identity.gid = GROUP;
	assert_false(identity_is_own(&identity));
	identity = (struct identity){.uid = USER, .gid = getegid(), .capabilities = ALL};
	assert_false(identity_is_own(&identity));
}

/*
 * With this capability the file system would ignore quotas and give out the blocks reserved for
 * root.
 */
static void no_more_space_than_the_caller_has(void **state)
{
	const uint64_t resource = 1ull << CAP_SYS_RESOURCE;
	const char *path;

	(void)state;
	if (geteuid() || !(own_capabilities() & resource))
		skip();
	path = new_file(0644);
	assert_int_equal(try_as(USER, GROUP, NONE, 0, path), 0);
	assert_false(capabilities_meanwhile & resource);
	assert_int_equal(try_as(0, 0, ALL & ~resource, 0, path), 0);
	assert_false(capabilities_meanwhile & resource);
	assert_int_equal(try_as(0, 0, ALL, 0, path), 0);
	assert_true(capabilities_meanwhile & resource);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_caller_like_us_is_not_refused),
		cmocka_unit_test(takes_groups_and_capabilities),
		cmocka_unit_test(capabilities_of_another_user_namespace_are_none),
		cmocka_unit_test(another_view_of_the_files_is_refused),
		cmocka_unit_test(who_cannot_be_looked_at_is_refused),
		cmocka_unit_test(opens_with_the_callers_rights),
		cmocka_unit_test(root_without_capabilities_is_nobody),
		cmocka_unit_test(who_has_the_daemons_rights),
		cmocka_unit_test(no_more_space_than_the_caller_has),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
