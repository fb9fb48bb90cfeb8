/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_reservation.c - making, extending, shrinking and deleting vm reservations
 */
#include "reservation_helper.h"
#include "unmapping.h"

static int munmap_fails_at; /* this call of munmap from now on fails, with -ENOMEM; 0: none */
static bool old_kernel;     /* mmap does not know MAP_FIXED_NOREPLACE */

int __real_munmap(void *address, size_t length);
int __wrap_munmap(void *address, size_t length);
void *__real_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);

int __wrap_munmap(void *address, size_t length)
{
	if (munmap_fails_at && --munmap_fails_at == 0) {
		errno = ENOMEM;
		return -1;
	}
	return __real_munmap(address, length);
}

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (old_kernel)
		flags &= ~MAP_FIXED_NOREPLACE;
	return __real_mmap64(address, length, prot, flags, fd, offset);
}

static void test_new_checks(void **state)
{
	static const struct {
		uintptr_t address;
		size_t size;
		int error;
	} cases[] = {
		{123, 123, PMEM2_E_ADDRESS_UNALIGNED},
		{PAGE / 2, 0, PMEM2_E_ADDRESS_UNALIGNED},
		{0, 123, PMEM2_E_LENGTH_UNALIGNED},
		{0, SIZE_MAX, PMEM2_E_LENGTH_UNALIGNED},
		{16 * MIB, PAGE + 1, PMEM2_E_LENGTH_UNALIGNED},
		{0, -PAGE, -ENOMEM},
		{16 * MIB, -PAGE, PMEM2_E_MAPPING_EXISTS},
		{16 * MIB, 1ul << 63, -ENOMEM},
		{0, 1ul << 63, -ENOMEM},
		{0, 1ul << 62, -ENOMEM},
		{0, 1ul << 57, -ENOMEM},
		{-PAGE, PAGE, -ENOMEM},
		{-PAGE, 2 * PAGE, -ENOMEM},
	};
	size_t areas = count_areas();

	(void)state;
	if (on_valgrind())
		skip();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reservation *rsv = (reservation *)1;

		assert_int_equal(
			pmem2_vm_reservation_new(&rsv, (void *)cases[i].address, cases[i].size),
			cases[i].error);
		assert_null(rsv);
	}
	assert_int_equal(pmem2_vm_reservation_new(NULL, NULL, PAGE), -EINVAL);
	assert_int_equal(count_areas(), areas);
}

static void test_null(void **state)
{
	reservation *null = NULL;

	(void)state;
	assert_int_equal(pmem2_vm_reservation_delete(&null), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_delete(NULL), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_extend(NULL, PAGE), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_extend(NULL, 1), PMEM2_E_LENGTH_UNALIGNED);
	assert_int_equal(pmem2_vm_reservation_shrink(NULL, 0, PAGE), -EINVAL);
	assert_int_equal(pmem2_vm_reservation_shrink(NULL, 1, PAGE), PMEM2_E_OFFSET_UNALIGNED);
	assert_int_equal(pmem2_vm_reservation_shrink(NULL, 0, 1), PMEM2_E_LENGTH_UNALIGNED);
	assert_null(pmem2_vm_reservation_get_address(NULL));
	assert_int_equal(pmem2_vm_reservation_get_size(NULL), 0);
}

/* A reservation of 0 bytes takes no address from others, and can be used once it is extended. */
static void test_empty(void **state)
{
	struct clearing clearing = make_clearing(4 * MIB);
	struct pmem2_source *source = anon_source(PAGE);
	reservation *rsv = reserve(0);
	struct pmem2_map *map;

	(void)state;
	assert_int_equal((uintptr_t)start_of(rsv) % (2 * MIB), 0);
	assert_int_equal(map_into(&map, rsv, 0, source, PMEM2_SHARED), PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(pmem2_vm_reservation_map_find(rsv, 0, 1, &map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_vm_reservation_map_find_first(rsv, &map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_vm_reservation_map_find_last(rsv, &map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(pmem2_vm_reservation_shrink(rsv, 0, PAGE), PMEM2_E_OFFSET_OUT_OF_RANGE);
	assert_ok(pmem2_vm_reservation_extend(rsv, 0));
	assert_ok(pmem2_vm_reservation_extend(rsv, 2 * MIB));
	assert_whole(rsv, 0);
	map = anon_into(rsv, 2 * MIB - PAGE, PAGE);
	assert_whole(rsv, PAGE);
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);

	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 0));
	assert_ptr_equal(start_of(rsv), clearing.start);
	assert_ok(pmem2_vm_reservation_extend(rsv, 4 * MIB));
	assert_whole(rsv, 0);
	unreserve(rsv);
	/* A reservation of 0 bytes leaves nothing behind when it is deleted. */
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 0));
	unreserve(rsv);
	assert_int_equal(pmem2_vm_reservation_new(&rsv, clearing.start + 4 * MIB, 0),
			 PMEM2_E_MAPPING_EXISTS);
	assert_null(rsv);
	free_clearing(clearing);
}

static void test_alignment(void **state)
{
	static const struct {
		size_t size, alignment;
	} cases[] = {
		{PAGE, 2 * MIB},          {2 * MIB, 2 * MIB},
		{5 * MIB, 2 * MIB},       {2048 * MIB - PAGE, 2 * MIB},
		{2048 * MIB, 1024 * MIB}, {2048 * MIB + PAGE, 1024 * MIB},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		reservation *rsv[3];

		for (int n = 0; n < 3; n++) {
			rsv[n] = reserve(cases[i].size);
			assert_int_equal((uintptr_t)start_of(rsv[n]) % cases[i].alignment, 0);
			assert_whole(rsv[n], 0);
		}
		for (int n = 0; n < 3; n++)
			unreserve(rsv[n]);
	}
}

/* Locks all that is mapped from now on. False: this process may not lock so much. */
static bool lock_future_memory(size_t size)
{
	void *p;

	if (mlockall(MCL_FUTURE))
		return false;
	p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		assert_int_equal(errno, EAGAIN);
		assert_ok(munlockall());
		return false;
	}
	assert_ok(munmap(p, size));
	return true;
}

static void test_takes_no_memory(void **state)
{
	reservation *rsv = reserve(64 * MIB);
	size_t resident;
	char flags[512];

	(void)state;
	read_flags(start_of(rsv), flags, sizeof(flags));
	assert_non_null(strstr(flags, " nr"));
	assert_null(strstr(flags, " ac"));
	unreserve(rsv);

	/* A reservation is made in more address space than it gets. */
	if (!lock_future_memory(256 * MIB))
		skip();
	resident = status_kib("VmRSS:");
	rsv = reserve(64 * MIB);
	assert_true(status_kib("VmRSS:") < resident + 1024);
	unreserve(rsv);
	assert_ok(munlockall());
}

static void test_nothing_is_leaked(void **state)
{
	size_t before;
	size_t areas;

	(void)state;
	if (on_valgrind())
		skip();
	unreserve(reserve(PAGE));
	before = status_kib("VmSize:");
	areas = count_areas();
	for (size_t i = 0; i < 1000; i++) {
		/* Varies the alignment of the addresses that the kernel chooses. */
		size_t shift = 64 * MIB + i % 7 * 9 * PAGE;
		void *above = mmap(NULL, shift, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		reservation *rsv = reserve(PAGE << i % 12);

		if (i % 3)
			assert_ok(pmem2_vm_reservation_extend(rsv, PAGE << i % 9));
		if (i % 5 == 0)
			assert_ok(pmem2_vm_reservation_extend(rsv, 2 * PAGE));
		if (i % 5 == 0)
			assert_ok(pmem2_vm_reservation_shrink(rsv, 0, PAGE));
		unreserve(rsv);
		assert_ok(munmap(above, shift));
	}
	assert_int_equal(status_kib("VmSize:"), before);
	assert_int_equal(count_areas(), areas);
}

static void test_exact_fit(void **state)
{
	static const size_t sizes[] = {PAGE, 3 * PAGE, 2 * MIB, 4 * MIB};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct clearing clearing = make_clearing(sizes[i]);
		reservation *rsv;

		assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, sizes[i]));
		assert_ptr_equal(start_of(rsv), clearing.start);
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), sizes[i]);
		assert_whole(rsv, 0);
		assert_int_equal(pmem2_vm_reservation_extend(rsv, PAGE), PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), sizes[i]);
		unreserve(rsv);
		free_clearing(clearing);
	}
}

static void test_occupied_address(void **state)
{
	struct clearing clearing = make_clearing(8 * MIB);
	char *inside = clearing.start + 4 * MIB;
	reservation *rsv;

	(void)state;
	assert_ptr_equal(mmap(inside, PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0),
			 inside);
	*inside = 'i';
	for (int old = 0; old < 2; old++) {
		old_kernel = old;
		assert_int_equal(pmem2_vm_reservation_new(&rsv, inside, PAGE),
				 PMEM2_E_MAPPING_EXISTS);
		assert_null(rsv);
		assert_int_equal(pmem2_vm_reservation_new(&rsv, clearing.start, 8 * MIB),
				 PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(pmem2_vm_reservation_new(&rsv, clearing.start, 4 * MIB + PAGE),
				 PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(pmem2_vm_reservation_new(&rsv, inside, 4 * MIB),
				 PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(bytes_listed(clearing.start, clearing.start + 8 * MIB, ""), PAGE);
	}
	old_kernel = false;
	assert_int_equal(*inside, 'i');
	/* The area behind leaves no room for slack, but for the reservation. */
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 4 * MIB));
	assert_int_equal(bytes_listed(clearing.start, clearing.start + 8 * MIB, ""),
			 4 * MIB + PAGE);
	unreserve(rsv);
	assert_int_equal(*inside, 'i');
	assert_ok(munmap(inside, PAGE));
	free_clearing(clearing);
}

static void test_old_kernel_leaves_nothing(void **state)
{
	struct clearing clearing = make_clearing(PAGE);
	size_t before = status_kib("VmSize:");
	reservation *rsv;

	(void)state;
	if (on_valgrind())
		skip();
	old_kernel = true;
	assert_int_equal(pmem2_vm_reservation_new(&rsv, clearing.start - PAGE, 2 * PAGE),
			 PMEM2_E_MAPPING_EXISTS);
	old_kernel = false;
	assert_int_equal(status_kib("VmSize:"), before);
	free_clearing(clearing);
}

static void test_extend_within_slack(void **state)
{
	static const size_t sizes[] = {PAGE, 2 * MIB, 5 * MIB, 2048 * MIB};

	(void)state;
	if (on_valgrind())
		skip();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		reservation *rsv = reserve(sizes[i]);
		size_t slack = sizes[i] < 2048 * MIB ? 2 * MIB : 1024 * MIB;
		char *start = start_of(rsv);
		size_t size = sizes[i];

		/* Other memory may be mapped right behind the reservation at any time. */
		for (size_t at = 0; at < 6 * MIB; at += 2 * MIB) {
			void *wish = start + ((size + at + slack - 1) & -slack);
			void *p = mmap(wish, PAGE, PROT_READ,
				       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

			if (p != MAP_FAILED) {
				assert_true((char *)p >= start + size + slack);
				assert_ok(munmap(p, PAGE));
			}
		}
		assert_ok(pmem2_vm_reservation_extend(rsv, PAGE));
		assert_ok(pmem2_vm_reservation_extend(rsv, slack - 2 * PAGE));
		assert_ok(pmem2_vm_reservation_extend(rsv, PAGE));
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), sizes[i] + slack);
		assert_ptr_equal(start_of(rsv), start);
		assert_whole(rsv, 0);
		unreserve(rsv);
	}
}

static void test_extend_beyond_slack(void **state)
{
	struct clearing clearing = make_clearing(64 * MIB);
	reservation *rsv;
	struct pmem2_map *map;
	char *memory;

	(void)state;
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, MIB));
	map = anon_into(rsv, 0, PAGE);
	memory = pmem2_map_get_address(map);
	memory[0] = 'm';
	/* Extends by all but a page, in steps within, across and beyond the kept slack. */
	assert_ok(pmem2_vm_reservation_extend(rsv, MIB));
	assert_ok(pmem2_vm_reservation_extend(rsv, 3 * MIB + PAGE));
	assert_ok(pmem2_vm_reservation_extend(rsv, 2 * MIB));
	assert_ok(pmem2_vm_reservation_extend(rsv, 57 * MIB - 2 * PAGE));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 64 * MIB - PAGE);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pmem2_vm_reservation_extend(rsv, 2 * PAGE),
				 PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(pmem2_vm_reservation_extend(rsv, 64 * MIB),
				 PMEM2_E_MAPPING_EXISTS);
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), 64 * MIB - PAGE);
	}
	assert_ok(pmem2_vm_reservation_extend(rsv, PAGE));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 64 * MIB);
	assert_whole(rsv, PAGE);
	assert_int_equal(memory[0], 'm');
	assert_ok(pmem2_unmap(&map));
	map = anon_into(rsv, 64 * MIB - PAGE, PAGE);
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);
	free_clearing(clearing);
}

static void test_extend_checks(void **state)
{
	reservation *rsv = reserve(4 * PAGE);

	(void)state;
	if (on_valgrind())
		skip();
	assert_ok(pmem2_vm_reservation_extend(rsv, 0));
	assert_int_equal(pmem2_vm_reservation_extend(rsv, 123), PMEM2_E_LENGTH_UNALIGNED);
	assert_int_equal(pmem2_vm_reservation_extend(rsv, -PAGE), -ENOMEM);
	assert_int_equal(pmem2_vm_reservation_extend(rsv, 1ul << 63), -ENOMEM);
	assert_int_equal(pmem2_vm_reservation_extend(rsv, 1ul << 62), -ENOMEM);
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 4 * PAGE);
	assert_whole(rsv, 0);
	unreserve(rsv);
}

static void test_shrink_checks_in_order(void **state)
{
	static const struct {
		size_t offset, size;
		int error;
	} cases[] = {
		{123, 123, PMEM2_E_OFFSET_UNALIGNED},
		{16 * MIB + 1, PAGE, PMEM2_E_OFFSET_UNALIGNED},
		{16 * MIB, 123, PMEM2_E_LENGTH_UNALIGNED},
		{PAGE, 123, PMEM2_E_LENGTH_UNALIGNED},
		{4 * MIB, 0, PMEM2_E_OFFSET_OUT_OF_RANGE},
		{4 * MIB, PAGE, PMEM2_E_OFFSET_OUT_OF_RANGE},
		{-PAGE, PAGE, PMEM2_E_OFFSET_OUT_OF_RANGE},
		{0, 0, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{PAGE, 0, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{0, 4 * MIB + PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{PAGE, 4 * MIB, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{0, -PAGE, PMEM2_E_LENGTH_OUT_OF_RANGE},
		{PAGE, -PAGE, PMEM2_E_NOSUPP}, /* wraps around: counts as neither end */
		{PAGE, PAGE, PMEM2_E_NOSUPP},
		{2 * MIB, PAGE, PMEM2_E_NOSUPP}, /* where a mapping is */
		{0, 4 * MIB, PMEM2_E_NOSUPP},
		{0, 2 * MIB + PAGE, PMEM2_E_VM_RESERVATION_NOT_EMPTY},
		{2 * MIB, 2 * MIB, PMEM2_E_VM_RESERVATION_NOT_EMPTY},
		{2 * MIB + PAGE, 2 * MIB - PAGE, PMEM2_E_VM_RESERVATION_NOT_EMPTY},
	};
	reservation *rsv = reserve(4 * MIB);
	struct pmem2_map *map = anon_into(rsv, 2 * MIB, 2 * PAGE);
	char *start = start_of(rsv);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(pmem2_vm_reservation_shrink(rsv, cases[i].offset, cases[i].size),
				 cases[i].error);
		assert_ptr_equal(start_of(rsv), start);
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), 4 * MIB);
	}
	assert_whole(rsv, 2 * PAGE);
	/* It can be shrunk up to the mapping. */
	assert_ok(pmem2_vm_reservation_shrink(rsv, 2 * MIB + 2 * PAGE, 2 * MIB - 2 * PAGE));
	assert_ok(pmem2_vm_reservation_shrink(rsv, 0, 2 * MIB));
	assert_int_equal(pmem2_vm_reservation_shrink(rsv, 0, PAGE),
			 PMEM2_E_VM_RESERVATION_NOT_EMPTY);
	assert_whole(rsv, 2 * PAGE);
	assert_ok(pmem2_unmap(&map));
	unreserve(rsv);
}

static void test_shrink_start(void **state)
{
	struct clearing clearing = make_clearing(8 * MIB);
	reservation *rsv;

	(void)state;
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 8 * MIB));
	for (size_t i = 1; i <= 4; i++) {
		assert_ok(pmem2_vm_reservation_shrink(rsv, 0, MIB));
		assert_ptr_equal(start_of(rsv), clearing.start + i * MIB);
		assert_int_equal(pmem2_vm_reservation_get_size(rsv), (8 - i) * MIB);
		assert_whole(rsv, 0);
		assert_int_equal(bytes_listed(clearing.start, start_of(rsv), ""), 0);
	}
	unreserve(rsv);
	free_clearing(clearing);
}

static void test_shrink_end(void **state)
{
	struct clearing clearing = make_clearing(8 * MIB);
	char *end = clearing.start + 8 * MIB;
	reservation *rsv;

	(void)state;
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 4 * MIB));
	assert_ok(pmem2_vm_reservation_shrink(rsv, 2 * MIB, 2 * MIB));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 2 * MIB);
	assert_int_equal(bytes_listed(clearing.start, end, ""), 2 * MIB);
	/* The rest of the last 2 MiB is kept. */
	assert_ok(pmem2_vm_reservation_shrink(rsv, MIB, MIB));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), MIB);
	assert_int_equal(bytes_listed(clearing.start, end, ""), 2 * MIB);
	assert_ok(pmem2_vm_reservation_extend(rsv, MIB));
	assert_int_equal(bytes_listed(clearing.start, end, ""), 2 * MIB);
	unreserve(rsv);

	/* Without slack, nothing beyond the end is unmapped. */
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start, 8 * MIB));
	assert_ok(pmem2_vm_reservation_shrink(rsv, 8 * MIB - PAGE, PAGE));
	assert_int_equal(bytes_listed(clearing.start, end, ""), 8 * MIB);
	unreserve(rsv);
	free_clearing(clearing);
}

static void test_munmap_errors_change_nothing(void **state)
{
	size_t before = status_kib("VmSize:");
	reservation *rsv = (reservation *)1;
	reservation *copy;
	char *start;

	(void)state;
	for (int at = 1; at <= 2; at++) {
		munmap_fails_at = at;
		if (pmem2_vm_reservation_new(&rsv, NULL, 4 * MIB) == 0) {
			/* The addresses were aligned by chance. */
			munmap_fails_at = 0;
			assert_ok(pmem2_vm_reservation_delete(&rsv));
		}
		assert_null(rsv);
		assert_int_equal(status_kib("VmSize:"), before);
	}
	munmap_fails_at = 0;

	rsv = copy = reserve(4 * MIB);
	start = start_of(rsv);
	munmap_fails_at = 1;
	assert_int_equal(pmem2_vm_reservation_delete(&rsv), -ENOMEM);
	assert_ptr_equal(rsv, copy);
	munmap_fails_at = 1;
	assert_int_equal(pmem2_vm_reservation_shrink(rsv, 0, MIB), -ENOMEM);
	munmap_fails_at = 1;
	assert_int_equal(pmem2_vm_reservation_shrink(rsv, MIB, 3 * MIB), -ENOMEM);
	assert_int_equal(munmap_fails_at, 0);
	assert_ptr_equal(start_of(rsv), start);
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 4 * MIB);
	assert_whole(rsv, 0);
	assert_ok(pmem2_vm_reservation_extend(rsv, 2 * MIB));
	unreserve(rsv);
	assert_int_equal(status_kib("VmSize:"), before);
}

/* The kernel has merged the end of the reservation with another area, which must be split. */
static void test_too_many_areas(void **state)
{
	struct clearing clearing;
	reservation *rsv;
	size_t length;
	void *hog;
	int deleted;
	int shrunk;

	(void)state;
	if (!can_use_up_areas())
		skip();
	clearing = make_clearing(8 * MIB);
	assert_ptr_equal(mmap(clearing.start, 8 * MIB, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			      0),
			 clearing.start);
	assert_ok(munmap(clearing.start + 2 * MIB, 4 * MIB));
	assert_ok(pmem2_vm_reservation_new(&rsv, clearing.start + 2 * MIB, 4 * MIB));
	hog = use_up_areas(&length);
	deleted = pmem2_vm_reservation_delete(&rsv);
	shrunk = pmem2_vm_reservation_shrink(rsv, 0, MIB);
	assert_ok(munmap(hog, length));
	assert_int_equal(deleted, -ENOMEM);
	assert_int_equal(shrunk, -ENOMEM);
	assert_ptr_equal(start_of(rsv), clearing.start + 2 * MIB);
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), 4 * MIB);
	assert_whole(rsv, 0);
	unreserve(rsv);
	assert_ok(munmap(clearing.start, 8 * MIB));
	free_clearing(clearing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new_checks),
		cmocka_unit_test(test_null),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_alignment),
		cmocka_unit_test(test_takes_no_memory),
		cmocka_unit_test(test_nothing_is_leaked),
		cmocka_unit_test(test_exact_fit),
		cmocka_unit_test(test_occupied_address),
		cmocka_unit_test(test_old_kernel_leaves_nothing),
		cmocka_unit_test(test_extend_within_slack),
		cmocka_unit_test(test_extend_beyond_slack),
		cmocka_unit_test(test_extend_checks),
		cmocka_unit_test(test_shrink_checks_in_order),
		cmocka_unit_test(test_shrink_start),
		cmocka_unit_test(test_shrink_end),
		cmocka_unit_test(test_munmap_errors_change_nothing),
		cmocka_unit_test(test_too_many_areas),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
