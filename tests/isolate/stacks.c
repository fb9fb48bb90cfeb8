/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stacks.c - where processes are that should have ended
 *
 * Owns nothing; reads /proc and runs eu-stack or gdb. Each process is examined by a child with a
 * limit of its own: what makes a process hang may hang a reader of its files in /proc.
 */
#include "stacks.h"
#include "clock.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ALL_MS 60000
#define ONE_MS 10000

/* The first bytes of a file of /proc, without the line's end; "" when they cannot be read. */
static void first_bytes(char *text, size_t size, const char *folder, const char *name)
{
	char path[64];
	ssize_t got = -1;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, size - 1);
		close(fd);
	}
	while (got > 0 && text[got - 1] == '\n')
		got--;
	text[got > 0 ? got : 0] = '\0';
}

static void print_thread(const char *pid, const char *tid)
{
	char folder[48], comm[32], stat[256], wchan[64], syscall[128], stack[4096];
	const char *state;

	snprintf(folder, sizeof(folder), "/proc/%.12s/task/%.12s", pid, tid);
	first_bytes(comm, sizeof(comm), folder, "comm");
	first_bytes(stat, sizeof(stat), folder, "stat");
	first_bytes(wchan, sizeof(wchan), folder, "wchan");
	first_bytes(syscall, sizeof(syscall), folder, "syscall");
	first_bytes(stack, sizeof(stack), folder, "stack");
	state = strrchr(stat, ')');
	printf("  thread %s (%s), state %.1s, wchan %s, syscall %s\n", tid, comm,
	       state && state[1] ? state + 2 : "?", wchan, syscall);
	if (stack[0])
		printf("%s\n", stack);
	fflush(stdout);
}

/* Does not return. */
static void print_process(const char *pid)
{
	char path[32];
	struct dirent *d;
	DIR *tasks;

	printf("---- process %s ----\n", pid);
	snprintf(path, sizeof(path), "/proc/%.12s/task", pid);
	tasks = opendir(path);
	while (tasks && (d = readdir(tasks))) {
		if (d->d_name[0] != '.')
			print_thread(pid, d->d_name);
	}
	execlp("eu-stack", "eu-stack", "-p", pid, (char *)NULL);
	execlp("gdb", "gdb", "-nx", "-batch", "-p", pid, "-ex", "thread apply all backtrace",
	       (char *)NULL);
	printf("(no stack of its own: neither eu-stack nor gdb is there)\n");
	fflush(stdout);
	_exit(0);
}

/*
 * Waits for a child until `end`, and kills it then. A child that cannot be killed is left behind.
 */
static void wait_until(pid_t child, long long end)
{
	bool killed = false;

	while (waitpid(child, NULL, WNOHANG) == 0) {
		if (now_ms() > end) {
			if (killed)
				return;
			kill(child, SIGKILL);
			killed = true;
			end = now_ms() + 1000;
		}
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
}

void stacks_print(int out)
{
	long long end = now_ms() + ALL_MS;
	char own[16];
	struct dirent *d;
	DIR *proc = opendir("/proc");

	snprintf(own, sizeof(own), "%d", (int)getpid());
	dprintf(out, "==== what still runs ====\n");
	while (proc && (d = readdir(proc)) && now_ms() < end) {
		pid_t child;

		if (d->d_name[0] < '1' || d->d_name[0] > '9' || !strcmp(d->d_name, own))
			continue;
		child = fork();
		if (child == 0) {
			sigset_t none;

			sigemptyset(&none);
			sigprocmask(SIG_SETMASK, &none, NULL);
			dup2(out, 1);
			dup2(out, 2);
			print_process(d->d_name);
		}
		if (child > 0)
			wait_until(child, now_ms() + ONE_MS);
	}
	if (proc)
		closedir(proc);
	dprintf(out, "==== end of what still runs ====\n");
}
