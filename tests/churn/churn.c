// SPDX-License-Identifier: BSD-3-Clause
/*
 * churn.c - publishing, looking, removing and dying against each other, through a mount
 *
 * usage: churn [--rounds N]
 *
 * A round is a mapping. Owners (owner.c) map and unmap through the library, fork, exec and exit and
 * are killed; lookers (looker.c) list, stat, cat and rm what they find. What each knows of a
 * mapping is in memory that all share, so that everybody can say whether what the mount shows is
 * true: rm that says 0 means that it was unmapped, once; whatever else rm says, it is there, or its
 * owner accounts for that; what is gone does not show at the next look; what is there shows. Now
 * and then all rest, and the mount must hold exactly what the owners have.
 *
 * $PMEM2FS_DAEMON names the daemon. It runs on a mount of its own in a private mount name space.
 */
#include "churn.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
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

#define ARENA_FD      10 /* passed on by exec */
#define PAUSES        4  /* in a run, at least */
#define PAUSE_SECONDS 20

struct arena *arena;
static pid_t keeper;

/* Children are made of processes with threads, and make threads. */
const char *__tsan_default_options(void);
const char *__tsan_default_options(void)
{
	return "die_after_fork=0";
}

void broken(const char *source, int line, const char *what, const char *format, ...)
{
	va_list arguments;
	char text[4096];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	dprintf(2, "%s:%d: process %d: not true: %s: %s\n", source, line, (int)getpid(), what,
		text);
	_exit(1);
}

void count(atomic_ulong *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

unsigned dice(unsigned sides)
{
	static _Thread_local unsigned seed;
	static _Thread_local pid_t seeded;

	if (seeded != getpid()) {
		struct timespec now;

		clock_gettime(CLOCK_MONOTONIC, &now);
		seeded = getpid();
		seed = (unsigned)now.tv_nsec ^ (unsigned)seeded << 16;
	}
	return sides ? (unsigned)rand_r(&seed) % sides : 0;
}

void nap(long microseconds)
{
	struct timespec left = {.tv_sec = microseconds / 1000000,
				.tv_nsec = microseconds % 1000000 * 1000};

	nanosleep(&left, NULL);
}

void rest(void)
{
	while (arena->pause && !arena->stop)
		nap(1000);
}

bool surely_gone(const struct entry *entry)
{
	return entry->unmapped || arena->process[entry->process].dead;
}

bool accounted(const struct entry *entry)
{
	return entry->own_begun || entry->handler_runs || arena->process[entry->process].ending ||
	       surely_gone(entry);
}

const char *name_of(unsigned number)
{
	static char name[64];

	snprintf(name, sizeof(name), COMM ".%d.e%u",
		 (int)arena->process[arena->entry[number].process].pid, number);
	return name;
}

struct entry *entry_of(const char *name, pid_t *pid)
{
	unsigned number;
	int length = -1;

	if (sscanf(name, COMM ".%d.e%u%n", pid, &number, &length) < 2 || length < 0 ||
	    name[length] || number >= arena->entries)
		return NULL;
	return &arena->entry[number];
}

static _Noreturn void skip(const char *why)
{
	fprintf(stderr, "skipped: %s\n", why);
	exit(77);
}

static void make_arena(unsigned long rounds)
{
	/* Each round makes an entry, and each fork those that are inherited. */
	unsigned capacity = (unsigned)rounds * 3 + 10000;
	size_t size = sizeof(*arena) + capacity * sizeof(arena->entry[0]);
	int fd = memfd_create("churn", 0);

	must(fd >= 0 && ftruncate(fd, (off_t)size) == 0 && dup2(fd, ARENA_FD) == ARENA_FD);
	close(fd);
	arena = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, ARENA_FD, 0);
	must(arena != MAP_FAILED);
	arena->capacity = capacity;
	arena->rounds_left = (long)rounds;
}

static _Noreturn void become_idle(const char *number)
{
	struct stat st;

	must(fstat(ARENA_FD, &st) == 0);
	arena = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, ARENA_FD, 0);
	must(arena != MAP_FAILED);
	run_idle((unsigned)atoi(number));
}

static void make_folder(void)
{
	int fd;

	if (geteuid() != 0 || access("/dev/fuse", R_OK | W_OK) != 0 || unshare(CLONE_NEWNS) != 0)
		skip("needs root, /dev/fuse and a mount name space");
	must(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	snprintf(arena->folder, sizeof(arena->folder), "/tmp/pmem2fs-churn-XXXXXX");
	must(mkdtemp(arena->folder));
	must(mount("churn", arena->folder, "tmpfs", 0, "mode=0755") == 0);
	snprintf(arena->mount, sizeof(arena->mount), "%.40s/mnt", arena->folder);
	snprintf(arena->socket, sizeof(arena->socket), "%.40s/socket", arena->folder);
	snprintf(arena->file, sizeof(arena->file), "%.40s/file", arena->folder);
	must(mkdir(arena->mount, 0755) == 0);
	fd = open(arena->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	must(fd >= 0 && ftruncate(fd, 16 * PAGE) == 0);
	close(fd);
	setenv("PMEM2FS_SOCKET", arena->socket, 1);
}

static void log_path(char path[80])
{
	snprintf(path, 80, "%s/log", arena->folder);
}

static void start_daemon(void)
{
	const char *program = getenv("PMEM2FS_DAEMON");
	char option[80];
	char log[80];
	struct stat above;
	struct stat st;

	must(program, "PMEM2FS_DAEMON must name the daemon");
	snprintf(option, sizeof(option), "socket=%s", arena->socket);
	log_path(log);
	keeper = fork();
	must(keeper >= 0);
	if (keeper == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		close(ARENA_FD);
		execl(program, "pmem2fs", "-f", arena->mount, "-o", option, (char *)NULL);
		_exit(127);
	}
	must(stat(arena->folder, &above) == 0);
	for (int i = 0; i < 10000; i++) {
		if (stat(arena->mount, &st) == 0 && st.st_dev != above.st_dev)
			return;
		must(waitpid(keeper, NULL, WNOHANG) == 0, "the daemon ended");
		nap(1000);
	}
	must(false, "the daemon does not mount");
}

static void print_log(void)
{
	char log[80];
	char text[8192];
	ssize_t got;
	int fd;

	log_path(log);
	fd = open(log, O_RDONLY | O_CLOEXEC);
	lseek(fd, -(off_t)sizeof(text), SEEK_END);
	got = read(fd, text, sizeof(text));
	fprintf(stderr, "---- the daemon's log ----\n%.*s---- end ----\n", got > 0 ? (int)got : 0,
		text);
	close(fd);
}

static void check_log(void)
{
	static const char *const words[] = {"Sanitizer", "runtime error", "ssertion",
					    "worker died"};
	char log[80];
	char line[1024];
	FILE *file;

	log_path(log);
	file = fopen(log, "re");
	must(file);
	while (fgets(line, sizeof(line), file)) {
		for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
			must(!strstr(line, words[i]), "%s", line);
	}
	fclose(file);
}

static pid_t spawn(void (*run)(void))
{
	pid_t pid = fork();

	must(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
	}
	return pid;
}

/* The newest process with that pid, or NULL. */
static struct process *process_of(pid_t pid)
{
	for (unsigned i = arena->processes; i-- > 0;) {
		if (arena->process[i].pid == pid)
			return &arena->process[i];
	}
	return NULL;
}

/* Takes in who has ended. Returns whether there was one, which is then no owner any more. */
static bool reap(void)
{
	struct process *process;
	int status;
	pid_t pid = waitpid(-1, &status, WNOHANG);

	if (pid <= 0)
		return false;
	must(pid != keeper, "the daemon ended, wait status %#x", status);
	process = process_of(pid);
	if (!process) {
		must(status == 0 || status == SIGKILL, "process %d: wait status %#x", (int)pid,
		     status);
		return true;
	}
	must(status == 0 || (status == SIGKILL && process->ending), "process %d: wait status %#x",
	     (int)pid, status);
	process->ending = true;
	process->dead = true;
	atomic_fetch_sub(&arena->live, 1);
	return true;
}

static void kill_one(void)
{
	unsigned processes = arena->processes;

	/* The newest are most likely alive. */
	for (unsigned i = 1; i <= processes && i <= 4 * OWNERS; i++) {
		struct process *process = &arena->process[processes - i];

		if (!process->pid || process->ending || dice(3))
			continue;
		process->ending = true;
		must(kill(process->pid, SIGKILL) == 0 || errno == ESRCH);
		count(&arena->kills);
		return;
	}
}

static bool expected(unsigned number)
{
	const struct entry *entry = &arena->entry[number];

	return entry->mapped && !surely_gone(entry);
}

/* Whether the mount holds exactly what the owners have; else *what is one that is too many (+) or
 * missing (-). */
static bool agrees(char *what, size_t size)
{
	unsigned entries = arena->entries;
	bool *shown = calloc(entries + 1, sizeof(*shown));
	DIR *dir = opendir(arena->mount);
	struct dirent *d;
	bool same = true;

	must(shown && dir);
	while ((errno = 0, d = readdir(dir))) {
		struct entry *entry;
		unsigned number;
		pid_t pid;

		if (strncmp(d->d_name, COMM ".", strlen(COMM) + 1) != 0)
			continue;
		entry = entry_of(d->d_name, &pid);
		number = entry ? (unsigned)(entry - arena->entry) : entries;
		if (number >= entries || !expected(number) || shown[number] ||
		    strcmp(d->d_name, name_of(number)) != 0) {
			snprintf(what, size, "+%s", d->d_name);
			same = false;
		} else {
			shown[number] = true;
		}
	}
	must(errno == 0);
	closedir(dir);
	for (unsigned i = 0; i < entries && same; i++) {
		if (expected(i) && !shown[i]) {
			snprintf(what, size, "-%s", name_of(i));
			same = false;
		}
	}
	free(shown);
	return same;
}

static void compare(void)
{
	time_t end = time(NULL) + PAUSE_SECONDS;
	char what[300] = "";
	bool same;

	do {
		while (reap())
			;
		nap(20000);
		look();
		same = agrees(what, sizeof(what));
	} while (!same && time(NULL) < end);
	must(same, "the mount differs from what the owners have: %s", what);
}

/* A short run goes on until it has. */
static bool all_was_tested(void)
{
	return arena->released && arena->removed && arena->refused && arena->busy && arena->read &&
	       arena->checked && arena->forks && arena->execs && arena->kills;
}

static void run(unsigned long rounds)
{
	unsigned long interval = rounds / PAUSES + 1;
	long next = (long)(rounds - interval);
	pid_t lookers[LOOKERS + 1];

	for (unsigned i = 0; i < LOOKERS; i++)
		lookers[i] = spawn(run_looker);
	lookers[LOOKERS] = spawn(run_checker);
	while (arena->rounds_left > 0 || !all_was_tested()) {
		if (arena->rounds_left <= 0 && arena->entries < arena->capacity / 2)
			atomic_store(&arena->rounds_left, 10);
		while (arena->live < OWNERS) {
			atomic_fetch_add(&arena->live, 1);
			spawn(run_owner);
		}
		while (reap())
			;
		if (dice(30) == 0)
			kill_one();
		if (arena->rounds_left < next) {
			next -= (long)interval;
			arena->pause = true;
			compare();
			arena->pause = false;
		}
		nap(2000);
	}
	arena->pause = true;
	compare();
	arena->stop = true;
	for (unsigned left = 1; left;) {
		if (!reap())
			nap(1000);
		left = arena->live;
		for (unsigned i = 0; i <= LOOKERS; i++)
			left += kill(lookers[i], 0) == 0;
	}
	compare();
}

static void tell(unsigned long rounds, time_t begin)
{
	printf("%lu rounds in %ld s: unmapped by themselves %lu, on request %lu, in part %lu;\n"
	       "rm: 0 %lu, refused %lu, EBUSY %lu, ENOENT %lu; %lu cats, %lu listings, %lu "
	       "checks;\n"
	       "%lu forks, %lu execs, %lu exits, %lu kills: nothing stale, lost or unmapped "
	       "twice\n",
	       rounds, (long)(time(NULL) - begin), arena->own, arena->released, arena->cuts,
	       arena->removed, arena->refused, arena->busy, arena->vanished, arena->read,
	       arena->listed, arena->checked, arena->forks, arena->execs, arena->exits,
	       arena->kills);
}

static void clean_up(void)
{
	umount2(arena->mount, MNT_DETACH);
	umount2(arena->folder, MNT_DETACH);
	rmdir(arena->folder);
}

/* Ends all that is left, which is children of this process only. */
static void end_all(void)
{
	char path[64];
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (int i = 0; i < 2000; i++) {
		children = fopen(path, "re");
		while (children && fscanf(children, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (children)
			fclose(children);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return;
		nap(1000);
	}
}

static int test(unsigned long rounds)
{
	time_t begin = time(NULL);
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	start_daemon();
	run(rounds);
	kill(keeper, SIGTERM);
	must(waitpid(keeper, &status, 0) == keeper && status == 0, "the daemon ended with %#x",
	     status);
	check_log();
	tell(rounds, begin);
	return 0;
}

int main(int argc, char *argv[])
{
	static const struct option options[] = {
		{"rounds", required_argument, NULL, 'r'},
		{"idle", required_argument, NULL, 'i'},
		{0},
	};
	unsigned long rounds = 1000;
	pid_t tester;
	int status;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'i')
			become_idle(optarg);
		if (c == 'r')
			rounds = strtoul(optarg, NULL, 10);
		if (c == '?' || !rounds || rounds > 50000000) {
			fprintf(stderr, "usage: churn [--rounds N]\n");
			return 2;
		}
	}
	make_arena(rounds);
	make_folder();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	tester = fork();
	must(tester >= 0);
	if (tester == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(test(rounds));
	}
	while (waitpid(tester, &status, 0) < 0)
		must(errno == EINTR);
	if (status) {
		arena->stop = true;
		print_log();
	}
	end_all();
	clean_up();
	return status ? 1 : 0;
}
