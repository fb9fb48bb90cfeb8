/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_seccomp_probe.c - seccomp filters that forbid system calls of a table and its announcement
 */
#include "child.h"
#include "helper.h"
#include "registry/seccomp_probe.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>

static char path[] = "/tmp/pmem2fs-seccomp-XXXXXX";

/* Each call is long enough after the one before for the library to try again. */
int __wrap_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
	static _Atomic long seconds = 1000000000;

	(void)id;
	*now = (struct timespec){.tv_sec = seconds += 2};
	return 0;
}

/* How many processes were made to try calls. */
static _Atomic unsigned clones;

long __real_syscall(long number, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f);

long __wrap_syscall(long number, long a, long b, long c, long d, long e, long f)
{
	if (number == SYS_clone)
		clones++;
	return __real_syscall(number, a, b, c, d, e, f);
}

/* Runs `body` in a child and returns its status; 0: success. */
static int run(void (*body)(const void *), const void *arg)
{
	const struct rlimit no_core = {0, 0};
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSYS, SIG_DFL);
		signal(SIGALRM, SIG_DFL);
		alarm(600);
		body(arg);
		_exit(0);
	}
	waitpid(pid, &status, 0);
	return status;
}

/* Answers the system call `number`, with `argument` as its argument `which` unless that is -1. */
static void forbid(long number, int which, uint32_t argument, uint32_t answer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)number, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			 which < 0 ? offsetof(struct seccomp_data, nr)
				   : (uint32_t)offsetof(struct seccomp_data, args) +
					     8 * (uint32_t)which),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, which < 0 ? (uint32_t)number : argument, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

/* Allows only the calls of mapping and of the test itself. */
static void allow_mapping_only(void)
{
	static const long allowed[] = {SYS_mmap, SYS_munmap, SYS_madvise,      SYS_futex,
				       SYS_exit, SYS_write,  SYS_rt_sigreturn, SYS_exit_group};
	enum { COUNT = sizeof(allowed) / sizeof(allowed[0]) };
	struct sock_filter code[2 * COUNT + 2] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	};
	const struct sock_fprog program = {2 * COUNT + 2, code};

	for (int i = 0; i < COUNT; i++) {
		code[1 + 2 * i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
							       (uint32_t)allowed[i], 0, 1);
		code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[2 * COUNT + 1] =
		(struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0);
}

struct rule {
	const char *name;
	long number;
	int which;
	uint32_t argument;
};

/* The system calls of publishing a mapping. */
static const struct rule rules[] = {
	{"memfd_create", SYS_memfd_create, -1, 0},
	{"ftruncate", SYS_ftruncate, -1, 0},
	{"munlock", SYS_munlock, -1, 0},
	{"madvise", SYS_madvise, -1, 0},
	{"MADV_DONTFORK", SYS_madvise, 2, MADV_DONTFORK},
	{"MADV_DONTDUMP", SYS_madvise, 2, MADV_DONTDUMP},
	{"MADV_WIPEONFORK", SYS_madvise, 2, MADV_WIPEONFORK},
	{"MADV_POPULATE_WRITE", SYS_madvise, 2, 23},
	{"mprotect", SYS_mprotect, -1, 0},
	{"fcntl", SYS_fcntl, -1, 0},
	{"F_ADD_SEALS", SYS_fcntl, 1, F_ADD_SEALS},
	{"prlimit64", SYS_prlimit64, -1, 0},
	{"getpid", SYS_getpid, -1, 0},
	{"geteuid", SYS_geteuid, -1, 0},
	{"getegid", SYS_getegid, -1, 0},
	{"socket", SYS_socket, -1, 0},
	{"AF_UNIX", SYS_socket, 0, AF_UNIX},
	{"connect", SYS_connect, -1, 0},
	{"getsockopt", SYS_getsockopt, -1, 0},
	{"sendmsg", SYS_sendmsg, -1, 0},
};

/* Calls of the probe itself, which cannot be tried: forbidden only after a first mapping. */
static const struct rule unexpected[] = {
	{"clone", SYS_clone, -1, 0}, {"wait4", SYS_wait4, -1, 0}, {"openat", SYS_openat, -1, 0},
	{"read", SYS_read, -1, 0},   {"close", SYS_close, -1, 0},
};

static const uint32_t deadly[] = {
	SECCOMP_RET_KILL_PROCESS,
	SECCOMP_RET_KILL_THREAD,
	SECCOMP_RET_TRAP,
};

/* Maps, and returns whether this thread's mappings are in a table. */
static bool map_and_look(size_t count)
{
	struct pmem2_map *map = NULL;
	uint32_t slot;

	for (size_t i = 0; i < count; i++)
		map = map_anon(PAGE, PMEM2_PRIVATE);
	return pmem2fs_map_get_slot(map, &slot) == 0;
}

static uint32_t answer;

static void map_in_filter(const void *arg)
{
	const struct rule *rule = arg;

	forbid(rule->number, rule->which, rule->argument, answer);
	must(!map_and_look(1));
	/* The program's children are not affected either. */
	must(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD);
}

static void make_listener(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	unlink(path);
	must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	must(listen(fd, 100) == 0);
}

static void test_filters_that_kill(void **state)
{
	(void)state;
	make_listener();
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		for (size_t k = 0; k < sizeof(deadly) / sizeof(deadly[0]); k++) {
			int status;

			answer = deadly[k];
			status = run(map_in_filter, &rules[i]);
			if (status)
				print_error("%s, answer 0x%x: 0x%x\n", rules[i].name, answer,
					    status);
			assert_int_equal(status, 0);
		}
	}
	unlink(path);
}

static void map_with_errors(const void *arg)
{
	const struct rule *rule = arg;

	forbid(rule->number, rule->which, rule->argument, SECCOMP_RET_ERRNO | EPERM);
	map_and_look(1);
	/* Mappings whose slots are beyond the table's first pages. */
	map_and_look(100);
}

static void test_filters_that_refuse(void **state)
{
	(void)state;
	make_listener();
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		assert_int_equal(run(map_with_errors, &rules[i]), 0);
	unlink(path);
}

static void map_with_other_filter(const void *arg)
{
	(void)arg;
	forbid(SYS_reboot, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(map_and_look(1000));
}

static void test_filters_of_other_calls(void **state)
{
	(void)state;
	assert_int_equal(run(map_with_other_filter, NULL), 0);
}

/* A program that maps, then sets a filter and maps again. */
static void map_before_and_after(const void *arg)
{
	const struct rule *rule = arg;
	struct pmem2_config *config = page_config();
	struct pmem2_source *source;
	struct pmem2_map *map;
	uint32_t slot;

	must(pmem2_source_from_anon(&source, PAGE) == 0);
	must(pmem2_map_new(&map, config, source) == 0);
	forbid(rule->number, rule->which, rule->argument, SECCOMP_RET_KILL_PROCESS);
	for (int i = 0; i < 2000; i++)
		must(pmem2_map_new(&map, config, source) == 0);
	must(pmem2fs_map_get_slot(map, &slot) == 0);
	/* Making sources opens files. */
	if (rule->number != SYS_openat && rule->number != SYS_read && rule->number != SYS_close)
		must(map_and_look(10));
}

/* There is no daemon, and mapping does not try again to connect. */
static void map_locked_in(const void *arg)
{
	static struct pmem2_map *maps[5000];
	struct pmem2_source *source;
	struct pmem2_config *config = page_config();
	void *volatile heap;

	(void)arg;
	/* Keeps the heap from growing, which needs other calls. */
	mallopt(M_MMAP_THRESHOLD, 32 << 20);
	mallopt(M_TRIM_THRESHOLD, 32 << 20);
	heap = malloc(16 << 20);
	must(heap);
	free(heap);
	must(pmem2_source_from_anon(&source, PAGE) == 0);
	must(pmem2_config_set_length(config, PAGE) == 0);
	must(pmem2_map_new(&maps[0], config, source) == 0);
	allow_mapping_only();
	for (int round = 0; round < 3; round++) {
		for (int i = 1; i < 5000; i++)
			must(pmem2_map_new(&maps[i], config, source) == 0);
		for (int i = 1; i < 5000; i++)
			must(pmem2_unmap(&maps[i]) == 0);
	}
}

static _Atomic bool known;

static void *map_in_thread(void *arg)
{
	while (!known)
		;
	forbid(SYS_socket, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(map_and_look(2000));
	return arg;
}

/* Each thread may have filters of its own. */
static void map_in_threads(const void *arg)
{
	pthread_t thread;

	(void)arg;
	forbid(SYS_reboot, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(map_and_look(1));
	must(pthread_create(&thread, NULL, map_in_thread, NULL) == 0);
	/* A harmless filter, so that both threads have the same number of filters. */
	forbid(SYS_swapon, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(map_and_look(1000));
	known = true;
	must(pthread_join(thread, NULL) == 0);
	must(map_and_look(1000));
	must(clones == 1);
}

static void test_filters_that_come_later(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		/* Memory for the table, as for the heap. */
		if (rules[i].number != SYS_madvise || rules[i].argument == MADV_DONTFORK)
			assert_int_equal(run(map_before_and_after, &rules[i]), 0);
	}
	for (size_t i = 0; i < sizeof(unexpected) / sizeof(unexpected[0]); i++)
		assert_int_equal(run(map_before_and_after, &unexpected[i]), 0);
	assert_int_equal(run(map_in_threads, NULL), 0);
}

static void test_nothing_but_mapping(void **state)
{
	(void)state;
	assert_int_equal(run(map_locked_in, NULL), 0);
}

static void *just_map(void *arg)
{
	must(map_and_look(1));
	return arg;
}

static void map_in_child(const void *arg)
{
	(void)arg;
	must(map_and_look(1));
	must(clones == 1);
}

static void map_in_many_threads(const void *arg)
{
	pthread_t threads[8];

	forbid(SYS_reboot, -1, 0, SECCOMP_RET_KILL_PROCESS);
	for (int i = 0; i < 8; i++)
		must(pthread_create(&threads[i], NULL, just_map, NULL) == 0);
	for (int i = 0; i < 8; i++)
		must(pthread_join(threads[i], NULL) == 0);
	must(clones == 1);
	/* A child inherits the result of the probe. */
	must(run(map_in_child, arg) == 0);
}

static void test_tried_once(void **state)
{
	(void)state;
	assert_int_equal(run(map_in_many_threads, NULL), 0);
}

static void without_proc(const void *arg)
{
	must(chroot(arg) == 0);
	forbid(SYS_reboot, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(!map_and_look(10));
	must(clones == 0);
}

static void test_where_nothing_is_told(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	assert_int_equal(run(without_proc, "/sys"), 0);
}

/* The probe's process cannot be made. */
static void map_without_clone(const void *arg)
{
	(void)arg;
	forbid(SYS_clone, -1, 0, SECCOMP_RET_ERRNO | EAGAIN);
	must(!map_and_look(1));
	must(!seccomp_probe_permits());
}

static _Atomic unsigned handled;

static void count_signal(int number)
{
	(void)number;
	handled++;
}

/* The program's signal handlers and children are not affected. */
static void nothing_is_noticed(const void *arg)
{
	sigset_t before = {0}, after = {0};

	(void)arg;
	signal(SIGSYS, count_signal);
	signal(SIGCHLD, count_signal);
	sigprocmask(SIG_SETMASK, NULL, &before);
	forbid(SYS_memfd_create, -1, 0, SECCOMP_RET_TRAP);
	must(!map_and_look(1));
	sigprocmask(SIG_SETMASK, NULL, &after);
	must(memcmp(&before, &after, sizeof(before)) == 0);
	must(handled == 0);
	must(waitpid(-1, NULL, WNOHANG | __WALL) < 0 && errno == ECHILD);
	/* Nor are children whose signal is ignored. */
	signal(SIGCHLD, SIG_IGN);
	forbid(SYS_reboot, -1, 0, SECCOMP_RET_KILL_PROCESS);
	must(!seccomp_probe_permits());
}

static void test_the_process_that_tries(void **state)
{
	(void)state;
	assert_int_equal(run(map_without_clone, NULL), 0);
	assert_int_equal(run(nothing_is_noticed, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_filters_that_kill),
		cmocka_unit_test(test_filters_that_refuse),
		cmocka_unit_test(test_filters_of_other_calls),
		cmocka_unit_test(test_filters_that_come_later),
		cmocka_unit_test(test_nothing_but_mapping),
		cmocka_unit_test(test_tried_once),
		cmocka_unit_test(test_where_nothing_is_told),
		cmocka_unit_test(test_the_process_that_tries),
	};
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	setenv("PMEM2FS_SOCKET", path, 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
