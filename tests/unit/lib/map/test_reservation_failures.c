/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_reservation_failures.c - a failure to map into a vm reservation leaves no hole in it
 */
#include "registry/interval_index.h"
#include "reservation_helper.h"
#include "unmapping.h"
#include <sys/resource.h>

/* What the next mremap does. */
static enum {
	WORK,
	FAIL,             /* and change nothing */
	FAIL_LATE,        /* after the kernel has unmapped the new address */
	FAIL_TO_STRANGER, /* likewise, and another thread has mapped a part of the hole */
} remapping;

static int mmap_error; /* what mmap with MAP_FIXED fails with, 0: nothing */
static bool half_way;  /* mmap has unmapped the addresses before it fails */
static char *stranger;

void *__real_mremap(void *address, size_t old_size, size_t size, int flags, void *place);
void *__wrap_mremap(void *address, size_t old_size, size_t size, int flags, void *place);
void *__real_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);

void *__wrap_mremap(void *address, size_t old_size, size_t size, int flags, void *place)
{
	char *part = (char *)place + size / 2;

	if (remapping == WORK)
		return __real_mremap(address, old_size, size, flags, place);
	if (remapping != FAIL)
		assert_ok(munmap(place, size));
	if (remapping == FAIL_TO_STRANGER) {
		stranger = __real_mmap64(part, PAGE, PROT_READ | PROT_WRITE,
					 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
		assert_ptr_equal(stranger, part);
		*stranger = 's';
	}
	remapping = WORK;
	errno = ENOMEM;
	return MAP_FAILED;
}

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (mmap_error && (flags & MAP_FIXED)) {
		if (half_way)
			assert_ok(munmap(address, length));
		errno = mmap_error;
		return MAP_FAILED;
	}
	return __real_mmap64(address, length, prot, flags, fd, offset);
}

/* malloc of this many bytes fails, 0: none. */
static size_t scarce;

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

void *__wrap_malloc(size_t size)
{
	return scarce && size == scarce ? NULL : __real_malloc(size);
}

/* Mappings can still be made in the reservation, and it can be deleted. */
static void assert_unharmed(reservation *rsv, size_t offset)
{
	struct pmem2_map *map;

	assert_whole(rsv, 0);
	map = anon_into(rsv, offset, 4 * PAGE);
	memset(pmem2_map_get_address(map), 'm', 4 * PAGE);
	assert_ok(pmem2_unmap(&map));
	assert_whole(rsv, 0);
	unreserve(rsv);
}

static void test_source_that_cannot_be_mapped(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *map;
	char path[] = "/var/tmp/pmem2fs-XXXXXX";
	int fd = mkstemp(path);
	int read_only = open(path, O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_ok(unlink(path));
	assert_ok(ftruncate(fd, 4 * PAGE));
	assert_int_equal(map_into(&map, rsv, PAGE, fd_source(read_only), PMEM2_SHARED),
			 PMEM2_E_NO_ACCESS);
	close(read_only);
	close(fd);
	assert_unharmed(rsv, PAGE);
}

static void test_address_space_limit(void **state)
{
	struct rlimit limit;
	struct rlimit low;
	reservation *rsv;
	struct pmem2_map *map;
	int ret;

	(void)state;
	/* Sanitizers and valgrind use more address space than any limit. */
	if (on_valgrind() || status_kib("VmSize:") > 16ul << 20)
		skip();
	rsv = reserve(64 * MIB);
	assert_ok(getrlimit(RLIMIT_AS, &limit));
	low = limit;
	low.rlim_cur = status_kib("VmSize:") * 1024 + 32 * MIB;
	assert_ok(setrlimit(RLIMIT_AS, &low));
	ret = map_into(&map, rsv, PAGE, anon_source(63 * MIB), PMEM2_PRIVATE);
	assert_ok(setrlimit(RLIMIT_AS, &limit));
	assert_int_equal(ret, -ENOMEM);
	assert_non_null(strstr(pmem2_errormsg(), "RLIMIT_AS"));
	assert_unharmed(rsv, PAGE);
}

static void test_too_many_areas(void **state)
{
	struct pmem2_source *source;
	struct pmem2_config *config;
	struct pmem2_map *maps[64];
	reservation *rsv;
	size_t length;
	void *hog;
	int unmapped[64];
	int n = 0;
	int ret = 0;

	(void)state;
	if (!can_use_up_areas())
		skip();
	rsv = reserve(128 * PAGE);
	source = anon_source(PAGE);
	config = page_config();
	/* Leaves some areas free, so that each step of mapping fails for some number of them. */
	for (size_t spare = 0; spare < 12; spare++) {
		hog = use_up_areas(&length);
		if (spare)
			assert_ok(munmap(hog, spare * PAGE));
		for (n = 0; n < 64; n++) {
			size_t at = (size_t)(2 * n + 1) * PAGE;

			assert_ok(pmem2_config_set_vm_reservation(config, rsv, at));
			ret = pmem2_map_new(&maps[n], config, source);
			if (ret)
				break;
		}
		for (int i = 0; i < n; i++)
			unmapped[i] = pmem2_unmap(&maps[i]);
		assert_ok(munmap((char *)hog + spare * PAGE, length - spare * PAGE));
		assert_int_equal(ret, -ENOMEM);
		for (int i = 0; i < n; i++) {
			if (unmapped[i]) {
				assert_int_equal(unmapped[i], -ENOMEM);
				assert_ok(pmem2_unmap(&maps[i]));
			}
		}
		assert_whole(rsv, 0);
	}
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	assert_unharmed(rsv, 0);
}

static void test_moving_fails(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	size_t before = status_kib("VmSize:");
	struct pmem2_map *map;

	(void)state;
	if (on_valgrind())
		skip();
	remapping = FAIL;
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(4 * PAGE), PMEM2_PRIVATE), -ENOMEM);
	assert_whole(rsv, 0);
	remapping = FAIL_LATE;
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(4 * PAGE), PMEM2_PRIVATE), -ENOMEM);
	assert_whole(rsv, 0);
	assert_int_equal(status_kib("VmSize:"), before);
	assert_unharmed(rsv, PAGE);
}

static void test_moving_fails_and_a_stranger_comes(void **state)
{
	static reservation *rsv;   /* can no longer be deleted */
	static reservation *other; /* likewise */
	struct pmem2_map *map;

	(void)state;
	rsv = reserve(8 * PAGE);
	remapping = FAIL_TO_STRANGER;
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(4 * PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
	assert_int_equal(*stranger, 's');
	/* The lost part is never used again; the rest can be used as before. */
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(4 * PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
	assert_int_equal(pmem2_vm_reservation_delete(&rsv), PMEM2_E_VM_RESERVATION_NOT_EMPTY);
	assert_int_equal(*stranger, 's');
	map = anon_into(rsv, 5 * PAGE, 3 * PAGE);
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(pmem2_vm_reservation_map_find_first(rsv, &map), PMEM2_E_MAPPING_NOT_FOUND);
	assert_ok(munmap(stranger, PAGE));
	/* Not even by a reservation that the kernel puts there. */
	assert_ok(pmem2_vm_reservation_new(&other, stranger, PAGE));
	assert_int_equal(map_into(&map, rsv, PAGE, anon_source(4 * PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
	assert_int_equal(map_into(&map, other, 0, anon_source(PAGE), PMEM2_PRIVATE),
			 PMEM2_E_MAPPING_EXISTS);
}

/* The index cannot take the end of a mapping out, whose memory the program has unmapped itself. */
static void test_out_of_memory_for_parts(void **state)
{
	struct pmem2_map *map = map_anon(8 * PAGE, PMEM2_SHARED);
	char *hole = (char *)pmem2_map_get_address(map) + 2 * PAGE;
	reservation *rsv;

	(void)state;
	assert_ok(munmap(hole, 3 * PAGE));
	scarce = sizeof(struct indexed_interval);
	assert_int_equal(pmem2_vm_reservation_new(&rsv, hole, 3 * PAGE), -ENOMEM);
	assert_non_null(strstr(pmem2_errormsg(), "parts of the mapping"));
	assert_null(rsv);
	assert_int_equal(bytes_listed(hole, hole + 3 * PAGE, ""), 0);
	scarce = 0;
	assert_ok(pmem2_vm_reservation_new(&rsv, hole, PAGE));
	scarce = sizeof(struct indexed_interval);
	assert_int_equal(pmem2_vm_reservation_extend(rsv, 2 * PAGE), -ENOMEM);
	assert_non_null(strstr(pmem2_errormsg(), "parts of the mapping"));
	assert_int_equal(pmem2_vm_reservation_get_size(rsv), PAGE);
	assert_int_equal(bytes_listed(hole, hole + 3 * PAGE, ""), PAGE);
	scarce = 0;
	assert_ok(pmem2_vm_reservation_extend(rsv, 2 * PAGE));
	assert_ok(pmem2_unmap(&map));
	assert_int_equal(bytes_listed(hole - 2 * PAGE, hole + 6 * PAGE, ""), 3 * PAGE);
	unreserve(rsv);
}

static void test_giving_back_fails(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *map = anon_into(rsv, PAGE, 4 * PAGE);
	struct pmem2_map *copy = map;
	char *memory = pmem2_map_get_address(map);

	(void)state;
	*memory = 'm';
	mmap_error = ENOMEM;
	assert_int_equal(pmem2_unmap(&map), -ENOMEM);
	assert_int_equal(pmem2_unmap_range(map, PAGE, PAGE, 0), -ENOMEM);
	mmap_error = 0;
	assert_ptr_equal(map, copy);
	assert_int_equal(*memory, 'm');
	assert_whole(rsv, 4 * PAGE);
	assert_int_equal(pmem2_vm_reservation_delete(&rsv), PMEM2_E_VM_RESERVATION_NOT_EMPTY);
	assert_ok(pmem2_unmap(&map));
	assert_unharmed(rsv, PAGE);
}

static void test_giving_back_gets_half_way(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_map *map = anon_into(rsv, PAGE, 4 * PAGE);

	(void)state;
	mmap_error = ENOMEM;
	half_way = true;
	assert_ok(pmem2_unmap(&map));
	mmap_error = 0;
	half_way = false;
	assert_unharmed(rsv, PAGE);
}

/* Fails in the last step, when the mapping is in its place already. */
static void test_out_of_memory_for_the_label(void **state)
{
	reservation *rsv = reserve(8 * PAGE);
	struct pmem2_config *config = page_config();
	struct pmem2_source *source = anon_source(4 * PAGE);
	char label[251];
	struct pmem2_map *map = NULL;
	char *place = start_of(rsv) + PAGE;

	(void)state;
	memset(label, 'l', sizeof(label));
	assert_ok(pmem2fs_config_set_label(config, label, sizeof(label)));
	assert_ok(pmem2_config_set_vm_reservation(config, rsv, PAGE));
	scarce = sizeof(label);
	assert_int_equal(pmem2_map_new(&map, config, source), -ENOMEM);
	assert_null(map);
	assert_whole(rsv, 0);

	/* The mapping cannot even be replaced again: then nothing else is mapped there. */
	mmap_error = ENOMEM;
	assert_int_equal(pmem2_map_new(&map, config, source), -ENOMEM);
	assert_null(map);
	mmap_error = 0;
	scarce = 0;
	assert_whole(rsv, 4 * PAGE);
	assert_int_equal(pmem2_map_new(&map, config, source), PMEM2_E_MAPPING_EXISTS);
	assert_true(is_mapped(place));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	map = anon_into(rsv, 6 * PAGE, PAGE);
	assert_ok(pmem2_unmap(&map));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source_that_cannot_be_mapped),
		cmocka_unit_test(test_address_space_limit),
		cmocka_unit_test(test_too_many_areas),
		cmocka_unit_test(test_moving_fails),
		cmocka_unit_test(test_moving_fails_and_a_stranger_comes),
		cmocka_unit_test(test_out_of_memory_for_parts),
		cmocka_unit_test(test_giving_back_fails),
		cmocka_unit_test(test_giving_back_gets_half_way),
		cmocka_unit_test(test_out_of_memory_for_the_label),
	};

	return cmocka_run_group_tests(tests, make_first_mapping, NULL);
}
