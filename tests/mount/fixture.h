/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fixture.h - runs the daemon for tests that use it through the kernel
 *
 * fs_run gives each test a folder and a daemon of its own and a time limit. It runs under isolate,
 * which leaves nothing behind: no process, mount or file. The daemon is the program that
 * $PMEM2FS_DAEMON names.
 */
#ifndef PMEM2FS_TESTS_FIXTURE_H
#define PMEM2FS_TESTS_FIXTURE_H

#include "../sanitizers.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

/* One daemon with its mount point. */
struct daemon {
	char mnt[64], socket[64], log[64];
	pid_t keeper; /* 0: not running; the process that was started */
};

struct fs {
	const struct fs_test *test;
	char dir[48];  /* on a tmpfs; holds mnt, data, ... */
	char data[64]; /* for files to map; everybody may enter */
	struct daemon daemon;
	pid_t helper; /* killed at the end of the test when not 0 */
	bool passed;
};

struct fs_test {
	const char *name;
	void (*function)(struct fs *fs);
	const char *options; /* of the daemon, in addition to socket= and observe=; NULL: none */
	unsigned limit;      /* seconds; 0: 120; with a sanitizer times LIMIT_FACTOR */
	bool no_daemon;      /* the test starts it by itself */
	const void *data;    /* the test's own */
};

#define FS_TEST(f, ...)                                                                            \
	{                                                                                          \
		.name = #f, .function = f, __VA_ARGS__                                             \
	}

/*
 * Runs the tests, or only those whose names match argv[1] if it is given, and returns the exit
 * status of the program: 77 when this machine cannot run them.
 */
int fs_run(int argc, char **argv, const char *group, const struct fs_test *tests, size_t count);

/* When set, daemons scan all processes of the host; otherwise they are started with observe=off. */
extern bool fs_observes;

/* Fills in the paths of another daemon of this test and makes its mount point. */
void daemon_init(const struct fs *fs, struct daemon *daemon, const char *suffix);

/* Starts a daemon (as `user`, NULL: as root) without waiting. `preload` is a library or NULL. */
struct user;
void daemon_spawn(struct daemon *daemon, const struct user *user, const char *options,
		  const char *preload);

/* Starts a daemon as root and returns when it is mounted. */
void daemon_start(struct daemon *daemon, const char *options);
void daemon_wait_mounted(const struct daemon *daemon);

/* The exit status of the daemon when it has ended by itself; -N when signal N ended it. */
int daemon_wait(struct daemon *daemon);

/*
 * Ends the daemon with SIGTERM and checks that its exit status is 0. Does nothing when it is not
 * running.
 */
void daemon_stop(struct daemon *daemon);

/* Fails when the log has a word that only a sanitizer, an assertion or a crash writes. */
void daemon_check_log(const struct daemon *daemon);

/* Whether a line of the log matches the extended regular expression, now or within WAIT_MS. */
bool log_has(const struct daemon *daemon, const char *pattern);
bool log_has_now(const struct daemon *daemon, const char *pattern); /* does not wait for it */

/* Returns the pid of the daemon's worker; waits until there is one. */
pid_t daemon_worker(const struct daemon *daemon);

/* How many file systems are mounted there. */
unsigned mounted(const char *mountpoint);

/* How often that text is in the list of mounts. */
unsigned mounts_with(const char *text);

/* Milliseconds of a monotonic clock. */
int64_t now_ms(void);

/* A pause of at least that long, between attempts or for facts to age. */
void sleep_ms(unsigned ms);

/* Waits until what the daemon and the kernel have cached, each for a second, has expired. */
void let_facts_age(void);

/* A sanitizer makes everything slower: limits of time are multiplied by this. */
#define LIMIT_FACTOR (ON_ASAN || ON_TSAN ? 3 : 1)
#define WAIT_MS      (30000 * LIMIT_FACTOR)

/* Prints where each process waits, and fails. */
void fail_waiting(const char *condition, const char *file, int line) __attribute__((noreturn));

/* Waits until `condition` holds and fails the test when that takes longer than WAIT_MS. */
#define WAIT_UNTIL(condition)                                                                      \
	do {                                                                                       \
		int64_t wait_end = now_ms() + WAIT_MS;                                             \
		while (!(condition)) {                                                             \
			if (now_ms() > wait_end)                                                   \
				fail_waiting(#condition, __FILE__, __LINE__);                      \
			sleep_ms(5);                                                               \
		}                                                                                  \
	} while (0)

#endif
