/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_instructions.c - the cache lines that the functions flush, the instructions for it, and the
 * fences
 *
 * usage: test_instructions clwb|clflushopt|clflush
 *
 * No store is lost on a machine that stays on, so nothing else shows a flush that is missing. A
 * child calls a function instruction by instruction while this process reads what it executes:
 * flushes and streaming stores with the line that they concern, and fences. x86-64 only.
 */
#include "helper.h"
#include "persist/copy_kernel.h"
#include "persist/cpu.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>

#define LINES 64u

enum event { NOTHING, FLUSH, STREAM, FENCE };

/* What a call did to each line of `target`. */
static struct {
	unsigned flushes[LINES];
	unsigned streams[LINES]; /* bytes */
	unsigned fences;
	bool fence_last; /* no flush or streaming store after the last fence */
	bool elsewhere;
} seen;

static char target[LINES * CACHE_LINE] __attribute__((aligned(64)));
static char source[LINES * CACHE_LINE];
static struct pmem2_map *byte_map;
static struct pmem2_map *line_map;

/* A register by its number in an instruction. */
static uint64_t register_value(const struct user_regs_struct *r, unsigned number)
{
	const unsigned long long values[] = {r->rax, r->rcx, r->rdx, r->rbx, r->rsp, r->rbp,
					     r->rsi, r->rdi, r->r8,  r->r9,  r->r10, r->r11,
					     r->r12, r->r13, r->r14, r->r15};

	return values[number];
}

/* The address that a ModRM byte and the bytes after it encode; other forms do not occur here. */
static uint64_t operand(const uint8_t *modrm, unsigned rex, const struct user_regs_struct *r,
			int unit)
{
	unsigned mode = *modrm >> 6;
	unsigned base = *modrm & 7;
	const uint8_t *next = modrm + 1;
	int32_t displacement = 0;
	uint64_t address;

	assert_true(mode != 3);
	if (base == 4) {
		unsigned sib = *next++;
		unsigned index = (sib >> 3 & 7) | (rex & 2 ? 8 : 0);

		assert_false(mode == 0 && (sib & 7) == 5);
		address = register_value(r, (sib & 7) | (rex & 1 ? 8 : 0));
		if (index != 4)
			address += register_value(r, index) << (sib >> 6);
	} else {
		assert_false(mode == 0 && base == 5);
		address = register_value(r, base | (rex & 1 ? 8 : 0));
	}
	if (mode == 1)
		displacement = (int8_t)*next * unit;
	else if (mode == 2)
		memcpy(&displacement, next, sizeof(displacement));
	return address + (uint64_t)(int64_t)displacement;
}

/* The kind of the instruction, with its details in `how` and `width`. */
static enum event decode(const uint8_t *code, const struct user_regs_struct *registers,
			 uint64_t *address, enum flush_instruction *how, unsigned *width)
{
	bool wide = *code == 0x66;
	unsigned rex = 0;

	/* vmovntdq or vmovntps, the short and the long form */
	if (*code == 0xc5 && (code[2] == 0xe7 || code[2] == 0x2b)) {
		*width = code[1] & 4 ? 32 : 16;
		*address = operand(code + 3, 0, registers, 1);
		return STREAM;
	}
	if (*code == 0xc4 && (code[1] & 31) == 1 && (code[3] == 0xe7 || code[3] == 0x2b)) {
		*width = code[2] & 4 ? 32 : 16;
		*address = operand(code + 4, ~code[1] >> 5 & 7, registers, 1);
		return STREAM;
	}
	/* vmovntdq of 64 bytes, in which they also count short displacements */
	if (*code == 0x62 && (code[1] & 3) == 1 && (code[4] == 0xe7 || code[4] == 0x2b)) {
		*width = 64;
		*address = operand(code + 5, ~code[1] >> 5 & 7, registers, 64);
		return STREAM;
	}
	code += wide;
	if ((*code & 0xf0) == 0x40)
		rex = *code++;
	if (*code++ != 0x0f)
		return NOTHING;
	if (*code == 0xae && code[1] == 0xf8)
		return FENCE;
	if ((*code == 0xae && code[1] < 0xc0 && (code[1] >> 3 & 7) >= (wide ? 6 : 7))) {
		*how = !wide                     ? FLUSH_CLFLUSH
		       : (code[1] >> 3 & 7) == 6 ? FLUSH_CLWB
						 : FLUSH_CLFLUSHOPT;
		*address = operand(code + 1, rex, registers, 1);
		return FLUSH;
	}
	if ((*code == 0xe7 && wide) || *code == 0x2b) { /* movntdq, movntps */
		*width = 16;
		*address = operand(code + 1, rex, registers, 1);
		return STREAM;
	}
	if (*code == 0xc3 && !wide && rex & 8) { /* movnti of 8 bytes */
		*width = 8;
		*address = operand(code + 1, rex, registers, 1);
		return STREAM;
	}
	return NOTHING;
}

static void note(pid_t child)
{
	struct user_regs_struct registers;
	uint64_t address = 0;
	enum flush_instruction how;
	union {
		long words[2];
		uint8_t bytes[16];
	} code;
	unsigned width = 0;
	enum event event;
	size_t line;

	assert_ok(ptrace(PTRACE_GETREGS, child, NULL, &registers));
	for (int i = 0; i < 2; i++)
		code.words[i] = ptrace(PTRACE_PEEKTEXT, child, registers.rip + 8 * i, NULL);
	event = decode(code.bytes, &registers, &address, &how, &width);
	if (event == NOTHING)
		return;
	seen.fence_last = event == FENCE;
	if (event == FENCE) {
		seen.fences++;
		return;
	}
	line = (address - (uintptr_t)target) / CACHE_LINE;
	if (line >= LINES) {
		seen.elsewhere = true;
	} else if (event == FLUSH) {
		assert_int_equal(how, cpu_choice()->flush);
		seen.flushes[line]++;
	} else {
		seen.streams[line] += width;
	}
}

/* Runs a call in a child and fills `seen`. */
#define WATCH(call)                                                                                \
	do {                                                                                       \
		pid_t child_ = fork();                                                             \
		assert_true(child_ >= 0);                                                          \
		if (child_ == 0) {                                                                 \
			ptrace(PTRACE_TRACEME, 0, NULL, NULL);                                     \
			raise(SIGSTOP);                                                            \
			call;                                                                      \
			raise(SIGSTOP);                                                            \
			_exit(0);                                                                  \
		}                                                                                  \
		watch(child_);                                                                     \
	} while (0)

static void watch(pid_t child)
{
	int status;

	memset(&seen, 0, sizeof(seen));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSTOPPED(status) && WSTOPSIG(status) == SIGSTOP);
	for (;;) {
		assert_ok(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL));
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFSTOPPED(status));
		if (WSTOPSIG(status) == SIGSTOP)
			break;
		note(child);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
}

/* Every line of the range was made persistent, in one way, and no other was touched. */
static void check_lines(size_t at, size_t size, bool flushed)
{
	size_t first = at / CACHE_LINE;
	size_t end = size ? (at + size - 1) / CACHE_LINE + 1 : first;

	assert_false(seen.elsewhere);
	for (size_t line = 0; line < LINES; line++) {
		size_t from = line * CACHE_LINE < at ? at : line * CACHE_LINE;
		size_t to =
			(line + 1) * CACHE_LINE < at + size ? (line + 1) * CACHE_LINE : at + size;

		if (!flushed || line < first || line >= end) {
			assert_int_equal(seen.flushes[line], 0);
			if (!flushed)
				continue;
			assert_int_equal(seen.streams[line], 0);
		} else if (seen.streams[line]) {
			assert_int_equal(seen.streams[line], to - from);
			assert_int_equal(seen.flushes[line], 0);
		} else {
			assert_int_equal(seen.flushes[line], 1);
		}
	}
}

static unsigned streamed(void)
{
	unsigned sum = 0;

	for (size_t line = 0; line < LINES; line++)
		sum += seen.streams[line];
	return sum;
}

static const struct {
	size_t at, size;
} ranges[] = {{0, 0},    {0, 8},    {60, 8},    {64, 64},   {63, 2},   {1, 255},
	      {64, 256}, {72, 256}, {129, 257}, {77, 1000}, {8, 1024}, {120, 136}};

#define RANGES (sizeof(ranges) / sizeof(ranges[0]))

static void test_flush(void **state)
{
	pmem2_persist_fn persist = pmem2_get_persist_fn(line_map);
	pmem2_flush_fn flush = pmem2_get_flush_fn(line_map);
	pmem2_drain_fn drain = pmem2_get_drain_fn(line_map);

	(void)state;
	for (size_t i = 0; i < RANGES; i++) {
		WATCH(persist(target + ranges[i].at, ranges[i].size));
		check_lines(ranges[i].at, ranges[i].size, true);
		assert_int_equal(seen.fences, 1);
		assert_true(seen.fence_last);
		WATCH(flush(target + ranges[i].at, ranges[i].size));
		check_lines(ranges[i].at, ranges[i].size, true);
		assert_int_equal(seen.fences, 0);
	}
	WATCH(drain());
	assert_int_equal(seen.fences, 1);
	WATCH(pmem2_get_persist_fn(byte_map)(target, 1000));
	assert_int_equal(seen.fences, 1);
	check_lines(0, 0, false);
	WATCH(pmem2_get_flush_fn(byte_map)(target, 1000));
	assert_int_equal(seen.fences, 0);
	check_lines(0, 0, false);
}

static const struct {
	unsigned flags;
	bool flush, drain;
} cases[] = {
	{0, true, true},
	{PMEM2_F_MEM_NODRAIN, true, false},
	{PMEM2_F_MEM_NOFLUSH, false, false},
	{PMEM2_F_MEM_TEMPORAL, true, true},
	{PMEM2_F_MEM_WB | PMEM2_F_MEM_NODRAIN, true, false},
	{PMEM2_F_MEM_NONTEMPORAL, true, true},
	{PMEM2_F_MEM_WC | PMEM2_F_MEM_NODRAIN, true, false},
};

static void check_copy(size_t i, size_t range, bool lines)
{
	bool forced = cases[i].flags & (PMEM2_F_MEM_NONTEMPORAL | PMEM2_F_MEM_WC);
	bool forbidden =
		cases[i].flags & (PMEM2_F_MEM_TEMPORAL | PMEM2_F_MEM_WB | PMEM2_F_MEM_NOFLUSH);

	size_t from = lines ? cpu_choice()->stream_flushed : cpu_choice()->stream_cached;

	check_lines(ranges[range].at, ranges[range].size, lines && cases[i].flush);
	assert_int_equal(seen.fences, cases[i].drain);
	assert_true(seen.fence_last == cases[i].drain);
	if (forbidden || cpu_choice()->vectors == CPU_VECTORS_NONE)
		assert_int_equal(streamed(), 0);
	else if (forced || ranges[range].size >= from)
		assert_true(streamed() >= ranges[range].size / CACHE_LINE * CACHE_LINE / 2);
	else
		assert_int_equal(streamed(), 0);
}

static void test_copies(void **state)
{
	pmem2_memmove_fn move = pmem2_get_memmove_fn(line_map);
	pmem2_memset_fn fill = pmem2_get_memset_fn(line_map);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (size_t j = 0; j < RANGES; j++) {
			char *to = target + ranges[j].at;
			size_t size = ranges[j].size;

			WATCH(move(to, source + j, size, cases[i].flags));
			check_copy(i, j, true);
			WATCH(move(to, to - 5, size, cases[i].flags));
			check_copy(i, j, true);
			WATCH(fill(to, 1, size, cases[i].flags));
			check_copy(i, j, true);
			WATCH(pmem2_get_memmove_fn(byte_map)(to, source, size, cases[i].flags));
			check_copy(i, j, false);
			WATCH(pmem2_get_memset_fn(byte_map)(to, 1, size, cases[i].flags));
			check_copy(i, j, false);
		}
	}
}

static struct pmem2_map *adopt(char *address, enum pmem2_granularity granularity)
{
	struct pmem2_source *anon = anon_source(PAGE);
	struct pmem2_map *map;

	assert_ok(pmem2_map_from_existing(&map, anon, address, 1, granularity));
	assert_ok(pmem2_source_delete(&anon));
	return map;
}

int main(int argc, char **argv)
{
	static const char *const names[FLUSH_INSTRUCTIONS] = {
		[FLUSH_CLFLUSH] = "clflush",
		[FLUSH_CLFLUSHOPT] = "clflushopt",
		[FLUSH_CLWB] = "clwb",
	};
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flush),
		cmocka_unit_test(test_copies),
	};

	if (argc != 2 || strcmp(argv[1], names[cpu_choice()->flush]) != 0) {
		puts("skipped: not the instruction that this processor and environment give");
		return 77;
	}
	if (on_valgrind()) {
		puts("skipped: valgrind translates the instructions");
		return 77;
	}
	byte_map = adopt(source, PMEM2_GRANULARITY_BYTE);
	line_map = adopt(target, PMEM2_GRANULARITY_CACHE_LINE);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
