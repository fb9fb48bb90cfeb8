/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fixture.c - runs the daemon for tests that use it through the kernel
 *
 * Two processes: the tests run in a child, and their parent, which touches no mount, enforces the
 * time limits. A caller that hangs in the kernel on a mount cannot be freed by a signal, only by
 * the death of the daemon behind it, so a time limit could not be enforced from within. What is
 * left when the parent ends, processes and mounts, ends with the namespaces that isolate has made.
 */
#include "fixture.h"
#include "../isolate/stacks.h"
#include "helpers.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* Shared by the parent and the tests. */
struct watch {
	_Atomic int64_t deadline; /* of the test that runs, by now_ms; 0: none runs */
	char test[128], log[64];
};

static struct watch *watch;
static const char base[] = "/tmp/pmem2fs"; /* on a tmpfs that no other process sees */
static unsigned serial;

int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void sleep_ms(unsigned ms)
{
	poll(NULL, 0, (int)ms);
}

void let_facts_age(void)
{
	sleep_ms(2100);
}

void fail_waiting(const char *condition, const char *file, int line)
{
	fprintf(stderr, "%s:%d: still not: %s\n", file, line, condition);
	stacks_print(2);
	fail();
	abort(); /* fail() does not return */
}

unsigned mounts_with(const char *text)
{
	char *table = read_file("/proc/self/mountinfo", NULL);
	const char *at = table;
	unsigned count = 0;

	assert_non_null(table);
	while ((at = strstr(at, text))) {
		at++;
		count++;
	}
	free(table);
	return count;
}

unsigned mounted(const char *mountpoint)
{
	return mounts_with(format(" %s ", mountpoint));
}

static void print_log(const char *path)
{
	char *text = read_file(path, NULL);
	const char *tail = text;

	if (!text)
		return;
	if (strlen(text) > 6000)
		tail = text + strlen(text) - 6000;
	fprintf(stderr, "---- %s ----\n%s---- end of log ----\n", path, tail);
	free(text);
}

bool fs_observes;

void daemon_init(const struct fs *fs, struct daemon *daemon, const char *suffix)
{
	memset(daemon, 0, sizeof(*daemon));
	snprintf(daemon->mnt, sizeof(daemon->mnt), "%s/mnt%s", fs->dir, suffix);
	snprintf(daemon->socket, sizeof(daemon->socket), "%s/socket%s", fs->dir, suffix);
	snprintf(daemon->log, sizeof(daemon->log), "%s/log%s", fs->dir, suffix);
	assert_int_equal(mkdir(daemon->mnt, 0755), 0);
}

void daemon_spawn(struct daemon *daemon, const struct user *user, const char *options,
		  const char *preload)
{
	const char *program = getenv("PMEM2FS_DAEMON"), *sanitizer = getenv("ASAN_OPTIONS");
	char all[512];

	snprintf(all, sizeof(all), "socket=%s,observe=%s%s%s", daemon->socket,
		 fs_observes ? "on" : "off", options ? "," : "", options ? options : "");
	daemon->keeper = fork();
	assert_true(daemon->keeper >= 0);
	if (daemon->keeper == 0) {
		int log = open(daemon->log, O_WRONLY | O_CREAT | O_APPEND, 0666);

		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(log, 1);
		dup2(log, 2);
		for (int fd = 3; fd < 64; fd++)
			close(fd);
		if (user && become(user) != 0)
			_exit(126);
		if (preload) {
			setenv("LD_PRELOAD", preload, 1);
			setenv("ASAN_OPTIONS",
			       format("%s:verify_asan_link_order=0", sanitizer ? sanitizer : ""),
			       1);
		}
		execl(program, "pmem2fs", "-f", daemon->mnt, "-o", all, (char *)NULL);
		_exit(127);
	}
}

void daemon_wait_mounted(const struct daemon *daemon)
{
	int64_t end = now_ms() + WAIT_MS;
	int status;

	while (!mounted(daemon->mnt)) {
		if (waitpid(daemon->keeper, &status, WNOHANG) != 0)
			fail_msg("the daemon ended before it was mounted, wait status %#x", status);
		if (now_ms() > end)
			fail_msg("the daemon does not mount");
		sleep_ms(2);
	}
}

void daemon_start(struct daemon *daemon, const char *options)
{
	daemon_spawn(daemon, NULL, options, NULL);
	daemon_wait_mounted(daemon);
}

int daemon_wait(struct daemon *daemon)
{
	int status = finish(daemon->keeper);

	daemon->keeper = 0;
	return status;
}

void daemon_stop(struct daemon *daemon)
{
	int status;

	if (!daemon->keeper)
		return;
	if (waitpid(daemon->keeper, &status, WNOHANG) != 0) {
		daemon->keeper = 0;
		fail_msg("the daemon died, wait status %#x", status);
	}
	kill(daemon->keeper, SIGTERM);
	status = daemon_wait(daemon);
	if (status != 0)
		fail_msg("the daemon ended with status %d", status);
	if (mounted(daemon->mnt))
		fail_msg("the daemon left its mount behind");
}

void daemon_check_log(const struct daemon *daemon)
{
	static const char *const words[] = {"Sanitizer",    "runtime error", "ssertion",
					    "Segmentation", "double free",   "corrupted"};
	char *text = read_file(daemon->log, NULL);

	if (!text)
		return;
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strstr(text, words[i])) {
			free(text);
			fail_msg("the log of the daemon says \"%s\"", words[i]);
		}
	}
	free(text);
}

bool log_has_now(const struct daemon *daemon, const char *pattern)
{
	char *text = read_file(daemon->log, NULL);
	bool found;
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NEWLINE | REG_NOSUB), 0);
	found = text && regexec(&regex, text, 0, NULL, 0) == 0;
	regfree(&regex);
	free(text);
	return found;
}

bool log_has(const struct daemon *daemon, const char *pattern)
{
	int64_t end = now_ms() + WAIT_MS;
	bool found;

	while (!(found = log_has_now(daemon, pattern)) && now_ms() < end)
		sleep_ms(10);
	return found;
}

/* Calls `function` for each process whose parent is `parent`. */
static void for_each_child(pid_t parent, void (*function)(pid_t, void *), void *argument)
{
	DIR *proc = opendir("/proc");
	struct dirent *d;

	while (proc && (d = readdir(proc))) {
		char *text = NULL, *name_end;
		int ppid;

		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			text = read_file(format("/proc/%s/stat", d->d_name), NULL);
		name_end = text ? strrchr(text, ')') : NULL;

		if (name_end && sscanf(name_end, ") %*c %d", &ppid) == 1 && ppid == parent)
			function((pid_t)atoi(d->d_name), argument);
		free(text);
	}
	if (proc)
		closedir(proc);
}

static void take_worker(pid_t pid, void *found)
{
	char *name = read_file(format("/proc/%d/comm", (int)pid), NULL);

	if (name && !strcmp(name, "pmem2fs-worker\n"))
		*(pid_t *)found = pid;
	free(name);
}

pid_t daemon_worker(const struct daemon *daemon)
{
	pid_t worker = 0;

	WAIT_UNTIL((for_each_child(daemon->keeper, take_worker, &worker), worker != 0));
	return worker;
}

static int setup(void **state)
{
	const struct fs_test *test = *state;
	struct fs *fs = calloc(1, sizeof(*fs));

	*state = fs;
	fs->test = test;
	snprintf(fs->dir, sizeof(fs->dir), "%s/%u", base, serial++);
	snprintf(fs->data, sizeof(fs->data), "%s/data", fs->dir);
	snprintf(watch->test, sizeof(watch->test), "%s", test->name);
	watch->deadline = now_ms() + 1000 * LIMIT_FACTOR * (test->limit ? test->limit : 120);
	assert_int_equal(mkdir(fs->dir, 0755), 0);
	assert_int_equal(mkdir(fs->data, 0755), 0);
	daemon_init(fs, &fs->daemon, "");
	snprintf(watch->log, sizeof(watch->log), "%s", fs->daemon.log);
	if (!test->no_daemon)
		daemon_start(&fs->daemon, test->options);
	return 0;
}

static void run(void **state)
{
	struct fs *fs = *state;

	fs->test->function(fs);
	daemon_check_log(&fs->daemon);
	daemon_stop(&fs->daemon);
	daemon_check_log(&fs->daemon);
	fs->passed = true;
}

static void kill_process(pid_t pid, void *argument)
{
	(void)argument;
	kill(pid, SIGKILL);
}

/* Ends what the test has left: a failed test leaves its children and daemons running. */
static int teardown(void **state)
{
	struct fs *fs = *state;

	if (fs->helper) {
		kill(fs->helper, SIGKILL);
		finish(fs->helper);
	}
	if (!fs->passed) {
		for_each_child(getpid(), kill_process, NULL);
		while (waitpid(-1, NULL, 0) > 0)
			;
		print_log(fs->daemon.log);
	}
	while (umount2(fs->daemon.mnt, MNT_DETACH) == 0)
		;
	watch->deadline = 0;
	free(fs);
	return 0;
}

static int run_group(const char *group, const struct fs_test *tests, size_t count)
{
	struct CMUnitTest *list = calloc(count, sizeof(*list));
	int failed;

	for (size_t i = 0; i < count; i++)
		list[i] = (struct CMUnitTest){.name = tests[i].name,
					      .test_func = run,
					      .setup_func = setup,
					      .teardown_func = teardown,
					      .initial_state = (void *)&tests[i]};
	failed = _cmocka_run_group_tests(group, list, count, NULL, NULL);
	free(list);
	return failed ? 1 : 0;
}

/* Waits for the tests; returns the exit status of the program. */
static int supervise(pid_t tests)
{
	sigset_t signals;
	int status;

	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	for (;;) {
		struct timespec tick = {.tv_nsec = 200000000};
		int64_t deadline;
		pid_t pid;

		sigtimedwait(&signals, NULL, &tick);
		deadline = watch->deadline;

		if (deadline && now_ms() > deadline) {
			fprintf(stderr, "[  FAILED  ] %s: its time limit has passed\n",
				watch->test);
			print_log(watch->log);
			stacks_print(2);
			return 1;
		}
		while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
			if (pid == tests && WIFEXITED(status))
				return WEXITSTATUS(status);
			if (pid == tests) {
				fprintf(stderr, "[  FAILED  ] %s: the test died of signal %d\n",
					watch->test, WTERMSIG(status));
				return 1;
			}
		}
	}
}

/*
 * Makes the build folder visible below `base`, where other users can reach the daemon and its
 * library even if the sources are in root's home.
 */
static int offer_daemon(void)
{
	const char *program = getenv("PMEM2FS_DAEMON"), *folder = format("%s/build", base);
	char *build = strdup(program);
	int result;

	dirname(dirname(build));
	result = mkdir(folder, 0755) || mount(build, folder, NULL, MS_BIND, NULL) ||
		 setenv("PMEM2FS_DAEMON", format("%s%s", folder, program + strlen(build)), 1);
	free(build);
	return result;
}

int fs_run(int argc, char **argv, const char *group, const struct fs_test *tests, size_t count)
{
	int fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	sigset_t signals, old;
	pid_t child;

	if (!getenv("ISOLATED") || !getenv("PMEM2FS_DAEMON")) {
		fprintf(stderr, "run this test with meson or under isolate, see tests/README.md\n");
		return 1;
	}
	if (geteuid() != 0 || fuse < 0) {
		fprintf(stderr, "skipped: needs root and /dev/fuse\n");
		return 77;
	}
	close(fuse);
	if (mkdir(base, 0755) != 0 || offer_daemon() != 0) {
		perror(getenv("PMEM2FS_DAEMON"));
		return 1;
	}
	watch = mmap(NULL, sizeof(*watch), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	if (watch == MAP_FAILED)
		return 1;
	sigemptyset(&signals);
	sigaddset(&signals, SIGCHLD);
	sigprocmask(SIG_BLOCK, &signals, &old);
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	child = fork();
	if (child < 0)
		return 1;
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		sigprocmask(SIG_SETMASK, &old, NULL);
		exit(run_group(group, tests, count));
	}
	return supervise(child);
}
