/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_idle.c - while nobody asks, all threads of the daemon wait without a time limit
 */
#include "helpers.h"
#include "publisher.h"
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

/* What a thread is in: a line of /proc/PID/syscall. Threads that run or have gone are in none. */
struct call {
	long number;
	unsigned long arguments[6];
};

static bool read_call(const char *path, struct call *call)
{
	unsigned long *a = call->arguments;
	char *text = read_file(path, NULL);
	bool in_call = text && sscanf(text, "%ld %lx %lx %lx %lx %lx %lx", &call->number, a, a + 1,
				      a + 2, a + 3, a + 4, a + 5) == 7;

	free(text);
	return in_call;
}

/* Whether it waits, and only an event can wake it. */
static bool waits_for_events(const struct call *call)
{
	switch (call->number) {
#ifdef SYS_poll
	case SYS_poll:
		return (int)call->arguments[2] == -1;
#endif
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
		return (int)call->arguments[3] == -1;
	case SYS_ppoll:
		return call->arguments[2] == 0;
	case SYS_futex:
		return call->arguments[3] == 0;
	case SYS_recvmsg:
		return true;
	default:
		return false;
	}
}

static bool is_idle(pid_t pid)
{
	DIR *tasks = opendir(format("/proc/%d/task", (int)pid));
	bool idle = tasks != NULL;
	struct dirent *task;

	while (idle && (task = readdir(tasks))) {
		struct call call;

		if (task->d_name[0] == '.')
			continue;
		idle = read_call(format("/proc/%d/task/%s/syscall", (int)pid, task->d_name),
				 &call) &&
		       waits_for_events(&call);
	}
	if (tasks)
		closedir(tasks);
	return idle;
}

static void wait_until_idle(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	if (ON_TSAN) /* which wakes a thread of its own from time to time */
		skip();
	WAIT_UNTIL(is_idle(fs->daemon.keeper) && is_idle(worker));
}

static void before_anybody_asks(struct fs *fs)
{
	wait_until_idle(fs);
}

static void script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
}

/* All that may keep timers: scans, looks, facts, drafts, documents, releases and a publisher. */
static void after_all_kinds_of_questions(struct fs *fs)
{
	struct publisher p;
	struct names names;

	make_source(fs, "file", 4096);
	publisher_start(fs, &p, NULL, script);
	map_anonymous(fs, "own", 4096);
	map_anonymous(fs, "kept", 4096);
	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++)
		json_decref(document(fs, names.name[i]));
	names_free(&names);
	assert_int_equal(
		shell(fs, format("%s -s %s list && %s -s %s holders %s", getenv("PMEM2FS_CTL"),
				 fs->daemon.socket, getenv("PMEM2FS_CTL"), fs->daemon.socket,
				 source(fs, "file"))),
		1); /* it is held */
	assert_int_equal(write_text(entry(fs, "refused"), "[]"), EINVAL);
	unmap(fs, "own");
	/* Its program has no handler that releases it. */
	assert_int_equal(unlink_as(NULL, entry(fs, published_name(&p, "a"))), EBUSY);
	wait_until_idle(fs);
	publisher_end(&p);
	wait_until_idle(fs);
}

static void after_a_worker_has_died(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	wait_until_idle(fs);
	assert_int_equal(kill(worker, SIGKILL), 0);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
	daemon_wait_mounted(&fs->daemon);
	wait_until_idle(fs);
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(before_anybody_asks),
		FS_TEST(after_all_kinds_of_questions),
		FS_TEST(after_a_worker_has_died),
	};

	fs_observes = true;
	return fs_run(argc, argv, "idle", tests, sizeof(tests) / sizeof(*tests));
}
