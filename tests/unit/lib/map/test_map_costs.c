/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_map_costs.c - which system calls and how many atomic operations a map and an unmap take
 *
 * A child is stepped through one pair, instruction by instruction, so that everything counts, the C
 * library included, and nothing depends on time. x86-64 only.
 */
#include "helper.h"
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define WARM_UP 3 /* pairs of map and unmap before the counted pair */
#define MANY    10000

#define CALLS_MAX 16

struct costs {
	unsigned instructions;
	unsigned atomics;
	unsigned calls;
	long long numbers[CALLS_MAX]; /* of the system calls, in order */
};

struct path {
	bool fresh;    /* with a source and a configuration of its own */
	bool threaded; /* the process has other threads, whose stacks lie where the kernel chose */
	unsigned others;
};

/* Where the counting begins and ends. */
#define MARK() __asm__ volatile("int3" ::: "memory")

static void *idle(void *arg)
{
	pause();
	return arg;
}

static void start_threads(void)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		assert_ok(pthread_create(&thread, NULL, idle, NULL));
}

/* Places that mappings have left are remembered for each CPU. */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	assert_ok(sched_setaffinity(0, sizeof(set), &set));
}

static _Noreturn void walk(const struct path *path, int fd)
{
	struct pmem2_source *source = fd_source(fd);
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;
	int table;

	/* A table that is handed over is not announced: that is tried again after a second. */
	assert_ok(pmem2fs_table_export(&table));
	stay_here();
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	for (unsigned i = 0; i < path->others; i++) {
		assert_ok(pmem2_map_new(&map, config, source));
		if (i == 0 && path->threaded)
			start_threads();
	}
	for (int i = 0; i <= WARM_UP; i++) {
		if (i == WARM_UP)
			MARK();
		if (path->fresh) {
			pmem2_config_new(&config);
			pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE);
			pmem2_source_from_fd(&source, fd);
		}
		pmem2_map_new(&map, config, source);
		pmem2_unmap(&map);
		if (path->fresh) {
			pmem2_source_delete(&source);
			pmem2_config_delete(&config);
		}
	}
	MARK();
	_exit(0);
}

static bool is_prefix(uint8_t byte)
{
	return byte == 0xf0 || byte == 0x66 || byte == 0xf2 || byte == 0xf3 ||
	       (byte & 0xf0) == 0x40;
}

/* Reading the clock is repeated there when the kernel sets it meanwhile: that depends on time. */
static bool is_in_vdso(uintptr_t address)
{
	uintptr_t start = getauxval(AT_SYSINFO_EHDR);

	return address >= start && address < start + 2 * PAGE;
}

/* Counts the instruction that comes next. False: it is the mark. */
static bool count_instruction(pid_t child, struct costs *costs)
{
	struct user_regs_struct registers;
	uint8_t code[16] = {0};
	struct iovec to = {code, sizeof(code) - 1}, from = {NULL, sizeof(code) - 1};
	bool locked = false;
	size_t at = 0;

	assert_ok(ptrace(PTRACE_GETREGS, child, NULL, &registers));
	from.iov_base = (void *)registers.rip;
	assert_true(process_vm_readv(child, &to, 1, &from, 1, 0) > 0);
	for (; is_prefix(code[at]); at++)
		locked = locked || code[at] == 0xf0;
	if (code[at] == 0xcc)
		return false;
	/* xchg with memory locks without a prefix. */
	if ((code[at] == 0x86 || code[at] == 0x87) && code[at + 1] >> 6 != 3)
		locked = true;
	if (code[at] == 0x0f && code[at + 1] == 0x05) {
		assert_true(costs->calls < CALLS_MAX);
		costs->numbers[costs->calls++] = (long long)registers.rax;
	}
	costs->atomics += locked;
	costs->instructions += !is_in_vdso(registers.rip);
	return true;
}

/* Runs on to the next stop, which has to be a trap. */
static void go_on(pid_t child, bool step)
{
	int status;

	assert_ok(ptrace(step ? PTRACE_SINGLESTEP : PTRACE_CONT, child, NULL, NULL));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status));
	assert_int_equal(WSTOPSIG(status), SIGTRAP);
}

static struct costs measure(const struct path *path)
{
	struct costs costs = {0};
	int fd = make_file(MIB);
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0)
		walk(path, fd);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP);
	while (count_instruction(child, &costs))
		go_on(child, true);
	assert_ok(kill(child, SIGKILL));
	assert_int_equal(waitpid(child, &status, 0), child);
	close(fd);
	print_message("%s, %u others%s: %u system calls, %u atomic operations, %u instructions\n",
		      path->fresh ? "fresh" : "reused", path->others,
		      path->threaded ? ", threads" : "", costs.calls, costs.atomics,
		      costs.instructions);
	return costs;
}

/*
 * With so many atomic operations at most, and with many other mappings hardly more
 * instructions; the numbers of the system calls end with -1.
 */
static void check(bool fresh, bool threaded, unsigned atomics, const long long *numbers)
{
	static const unsigned others[] = {1, MANY};
	struct costs costs[2];

	for (int i = 0; i < 2; i++) {
		costs[i] = measure(
			&(struct path){.fresh = fresh, .threaded = threaded, .others = others[i]});
		for (unsigned k = 0; k < costs[i].calls; k++)
			assert_int_equal(costs[i].numbers[k], numbers[k]);
		assert_int_equal(numbers[costs[i].calls], -1);
		assert_true(costs[i].atomics <= atomics);
	}
	assert_true(costs[1].instructions <= costs[0].instructions * 5 / 4);
}

static void test_reused_objects(void **state)
{
	static const long long calls[] = {SYS_newfstatat, SYS_mmap, SYS_munmap, -1};

	(void)state;
	if (on_valgrind())
		skip();
	check(false, false, 5, calls);
	check(false, true, 11, calls);
}

static void test_fresh_objects(void **state)
{
	static const long long calls[] = {SYS_fcntl, SYS_statx,  SYS_newfstatat,
					  SYS_mmap,  SYS_munmap, -1};

	(void)state;
	if (on_valgrind())
		skip();
	check(true, false, 5, calls);
	check(true, true, 11, calls);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reused_objects),
		cmocka_unit_test(test_fresh_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
