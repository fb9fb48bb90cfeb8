// SPDX-License-Identifier: BSD-3-Clause
/*
 * churn.c - processes that publish, list, remove and die at the same time, through a mount
 *
 * usage: churn [--rounds N]
 *
 * A round is a mapping. Owners (owner.c) map and unmap through the library, fork, exec and exit and
 * are killed; listers (lister.c) list, stat, cat and rm what they find. The state of each mapping
 * is in memory that all share, so that each process can check what the mount shows: when rm
 * succeeds, the mapping was unmapped, once; when rm fails, the mapping is there, or its owner
 * accounts for its absence; a mapping that is gone does not show after the next scan; a mapping
 * that is there shows. From time to time all processes pause, and the mount must hold exactly the
 * owners' mappings.
 *
 * $PMEM2FS_DAEMON names the daemon. It runs on a mount of its own in a private mount namespace.
 */
#include "churn.h"
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

#define ARENA_FD 10 /* passed on by exec */

#define HANG_SECONDS 100 /* without any progress */

struct arena *arena;
static pid_t keeper;

/* The children of processes with threads start threads. */
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

uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void rest(void)
{
	await(!arena->pause || arena->stop, REST_SECONDS, "the pause does not end");
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
	/* Each round needs an entry, and each fork one for each inherited mapping. */
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

static void print_totals(unsigned long rounds, time_t begin)
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

/*
 * Ends all processes that are left, which are children of this process. Returns whether that
 * succeeded.
 */
static bool end_all(void)
{
	char path[64];
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", (int)getpid());
	for (uint64_t end = now_ms() + 1000 * END_SECONDS; now_ms() < end; nap(1000)) {
		children = fopen(path, "re");
		while (children && fscanf(children, "%d", &pid) == 1)
			kill(pid, SIGKILL);
		if (children)
			fclose(children);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		if (waitpid(-1, NULL, WNOHANG) < 0)
			return true;
	}
	fprintf(stderr, "processes of the test do not end on SIGKILL\n");
	return false;
}

static int test(unsigned long rounds)
{
	time_t begin = time(NULL);
	int status;

	prctl(PR_SET_CHILD_SUBREAPER, 1);
	arena->doing = "starts the daemon";
	start_daemon();
	run_tester(rounds, keeper);
	arena->doing = "ends the daemon";
	kill(keeper, SIGTERM);
	await(waitpid(keeper, &status, WNOHANG) == keeper, END_SECONDS, "the daemon does not end");
	must(status == 0, "the daemon ended with %#x", status);
	check_log();
	print_totals(rounds, begin);
	return 0;
}

/* A number that changes with any progress. */
static unsigned long count_events(void)
{
	return arena->entries + arena->processes + arena->own + arena->released + arena->refused +
	       arena->busy + arena->removed + arena->vanished + arena->read + arena->listed +
	       arena->checked + arena->kills;
}

/*
 * Waits for the tester, and ends it when there is no progress. It may hang in the mount, which this
 * process does not use: processes that wait there go on when the connection is aborted. Returns the
 * wait status.
 */
static int await_tester(pid_t tester)
{
	unsigned long events = 0;
	uint64_t since = now_ms();
	int status;
	pid_t ended;

	while ((ended = waitpid(tester, &status, WNOHANG)) == 0) {
		if (events != count_events()) {
			events = count_events();
			since = now_ms();
		}
		if (now_ms() - since > 1000 * HANG_SECONDS) {
			const char *doing = arena->doing;

			fprintf(stderr, "nothing has happened for %d s while the tester %s\n",
				HANG_SECONDS, doing ? doing : "begins");
			return SIGKILL;
		}
		nap(10000);
	}
	must(ended == tester);
	return status;
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
	status = await_tester(tester);
	if (status) {
		arena->stop = true;
		print_log();
		umount2(arena->mount, MNT_FORCE);
	}
	if (!end_all())
		status = 1;
	clean_up();
	return status ? 1 : 0;
}
