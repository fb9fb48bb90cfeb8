/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_deep_flush.c - deep flush of files and of invented device-DAX nodes, and its errors
 */
#include "device/locate.h"
#include "helper.h"
#include "registry/registry.h"

#define RDEV ((dev_t)77)

static unsigned syncs;
static void *synced;
static size_t synced_length;
static int sync_error;        /* what the next msync fails with, 0: nothing */
static int locate_error;      /* what finding the device fails with */
static const char *region;    /* the region of the device, "": none */
static const char *attribute; /* opened in place of the region's deep_flush for reading */
static const char *writable;  /* and for writing */
static char asked_path[4096];

int __real_msync(void *address, size_t length, int flags);
int __wrap_msync(void *address, size_t length, int flags);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_device_locate(dev_t dev, bool block, struct pmem2fs_device *device);

int __wrap_msync(void *address, size_t length, int flags)
{
	int error = sync_error;

	syncs++;
	synced = address;
	synced_length = length;
	sync_error = 0;
	assert_int_equal(flags, MS_SYNC);
	if (error) {
		errno = error;
		return -1;
	}
	return __real_msync(address, length, flags);
}

int __wrap_device_locate(dev_t dev, bool block, struct pmem2fs_device *device)
{
	assert_int_equal(dev, RDEV);
	assert_false(block);
	if (locate_error)
		return locate_error;
	*device = (struct pmem2fs_device){0};
	snprintf(device->region, sizeof(device->region), "%s", region);
	return 0;
}

int __wrap_open64(const char *path, int flags, ...)
{
	if (strncmp(path, "/sys/bus/nd/", 12) == 0) {
		snprintf(asked_path, sizeof(asked_path), "%s", path);
		path = (flags & O_ACCMODE) == O_RDONLY ? attribute : writable;
	}
	return __real_open64(path, flags, 0600);
}

static int reset(void **state)
{
	(void)state;
	syncs = 0;
	sync_error = 0;
	locate_error = 0;
	region = "region7";
	attribute = writable = "/nonexistent";
	asked_path[0] = '\0';
	return 0;
}

static struct pmem2_map *register_map(char *address, size_t size, uint8_t type,
				      enum pmem2_granularity granularity)
{
	struct mapping_info mapping = {
		.address = (uintptr_t)address,
		.length = size,
		.granularity = granularity,
		.facts.source_type = type,
		.facts.source_rdev = RDEV,
		.facts.adopted = true,
	};
	struct pmem2_map *map;

	assert_ok(registry_add(&mapping, NULL, 0, &map));
	return map;
}

static void forget(struct pmem2_map *map)
{
	assert_ok(pmem2_map_delete(&map));
}

static void test_range(void **state)
{
	static char bytes[1000];

	(void)state;
	for (int g = 0; g < 3; g++) {
		struct pmem2_map *map = register_map(bytes + 100, 800, PMEM2FS_SOURCE_DEVDAX,
						     (enum pmem2_granularity)g);

		region = "";
		assert_ok(pmem2_deep_flush(map, bytes + 100, 800));
		assert_ok(pmem2_deep_flush(map, bytes + 100, 0));
		assert_ok(pmem2_deep_flush(map, bytes + 900, 0));
		assert_int_equal(pmem2_deep_flush(map, bytes + 100, 801), PMEM2_E_DEEP_FLUSH_RANGE);
		assert_int_equal(pmem2_deep_flush(map, bytes + 99, 1), PMEM2_E_DEEP_FLUSH_RANGE);
		assert_int_equal(pmem2_deep_flush(map, bytes + 901, 0), PMEM2_E_DEEP_FLUSH_RANGE);
		assert_int_equal(pmem2_deep_flush(map, bytes + 200, SIZE_MAX), -ENOMEM);
		assert_int_equal(pmem2_deep_flush(map, (void *)-PAGE, PAGE), -ENOMEM);
		assert_int_equal(pmem2_deep_flush(map, bytes + 100, SIZE_MAX / 2),
				 PMEM2_E_DEEP_FLUSH_RANGE);
		assert_int_equal(pmem2_deep_flush(map, NULL, 0), PMEM2_E_DEEP_FLUSH_RANGE);
		forget(map);
		assert_int_equal(pmem2_deep_flush(map, bytes + 100, 1), PMEM2_E_MAPPING_NOT_FOUND);
	}
	assert_int_equal(pmem2_deep_flush(NULL, bytes, 1), PMEM2_E_MAPPING_NOT_FOUND);
}

static void test_pages_and_anonymous(void **state)
{
	static char bytes[100];
	struct pmem2_map *map;

	(void)state;
	locate_error = -ENODEV;
	for (uint8_t type = PMEM2FS_SOURCE_ANONYMOUS; type <= PMEM2FS_SOURCE_DEVDAX; type++) {
		map = register_map(bytes, 100, type, PMEM2_GRANULARITY_PAGE);
		assert_ok(pmem2_deep_flush(map, bytes, 100));
		forget(map);
	}
	assert_int_equal(syncs, 0);
	map = map_anon(PAGE, PMEM2_SHARED);
	assert_int_equal(pmem2_deep_flush(map, pmem2_map_get_address(map), 1), PMEM2_E_NOSUPP);
	assert_int_equal(pmem2_deep_flush(map, pmem2_map_get_address(map), PAGE + 1),
			 PMEM2_E_DEEP_FLUSH_RANGE);
	forget(map);
}

static void test_file(void **state)
{
	int fd = make_file(3 * PAGE + 10);
	struct pmem2_map *map;
	char *address;

	(void)state;
	setenv("PMEM2_FORCE_GRANULARITY", "CACHE_LINE", 1);
	map = map_fd(fd);
	unsetenv("PMEM2_FORCE_GRANULARITY");
	address = pmem2_map_get_address(map);
	assert_ok(pmem2_deep_flush(map, address + PAGE - 1, 2));
	assert_int_equal(syncs, 1);
	assert_ptr_equal(synced, address);
	assert_int_equal(synced_length, 2 * PAGE);
	assert_ok(pmem2_deep_flush(map, address + 3 * PAGE + 9, 1));
	assert_int_equal(syncs, 2);
	assert_ptr_equal(synced, address + 3 * PAGE);
	assert_int_equal(synced_length, PAGE);

	sync_error = EINTR;
	assert_ok(pmem2_deep_flush(map, address, 1));
	assert_int_equal(syncs, 4);
	sync_error = EIO;
	assert_int_equal(pmem2_deep_flush(map, address, 1), -EIO);
	assert_non_null(strstr(pmem2_errormsg(), strerror(EIO)));

	/* Parts that are no longer mapped are skipped. */
	sync_error = 0;
	syncs = 0;
	assert_ok(pmem2_unmap_range(map, PAGE, PAGE, 0));
	assert_ok(pmem2_deep_flush(map, address, 3 * PAGE + 10));
	assert_int_equal(syncs, 2);
	assert_ptr_equal(synced, address + 2 * PAGE);
	assert_int_equal(synced_length, 2 * PAGE);
	forget(map);
	close(fd);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	fputs(text, file);
	assert_ok(fclose(file));
}

static void test_devdax(void **state)
{
	static char bytes[100];
	char path[] = "/tmp/pmem2fs-XXXXXX";
	char other[] = "/tmp/pmem2fs-XXXXXX";
	char text[8] = "";
	int fd = mkstemp(path);
	int written = mkstemp(other);

	(void)state;
	assert_true(fd >= 0 && written >= 0);
	for (int g = PMEM2_GRANULARITY_BYTE; g <= PMEM2_GRANULARITY_CACHE_LINE; g++) {
		struct pmem2_map *map =
			register_map(bytes, 100, PMEM2FS_SOURCE_DEVDAX, (enum pmem2_granularity)g);

		/*
		 * No NVDIMM region; a kernel without the attribute; a platform that needs no deep
		 * flush.
		 */
		reset(NULL);
		region = "";
		assert_ok(pmem2_deep_flush(map, bytes, 100));
		assert_string_equal(asked_path, "");
		region = "region7";
		assert_ok(pmem2_deep_flush(map, bytes, 100));
		assert_string_equal(asked_path, "/sys/bus/nd/devices/region7/deep_flush");
		attribute = path;
		write_file(path, "0\n");
		assert_ok(pmem2_deep_flush(map, bytes, 100));

		/*
		 * A platform that needs deep flush, and its failures, which libpmem2 does not
		 * report.
		 */
		write_file(path, "1\n");
		assert_ok(ftruncate(written, 0));
		writable = other;
		assert_ok(pmem2_deep_flush(map, bytes, 100));
		assert_int_equal(pread(written, text, sizeof(text), 0), 1);
		assert_int_equal(text[0], '1');
		writable = "/dev/full";
		assert_int_equal(pmem2_deep_flush(map, bytes, 100), -ENOSPC);
		assert_non_null(strstr(pmem2_errormsg(), "region7"));
		writable = "/proc/version";
		assert_true(pmem2_deep_flush(map, bytes, 100) < 0);
		writable = other;
		attribute = "/";
		assert_int_equal(pmem2_deep_flush(map, bytes, 100), -EISDIR);
		locate_error = -ENODEV;
		assert_int_equal(pmem2_deep_flush(map, bytes, 100), -ENODEV);
		assert_int_equal(syncs, 0);
		forget(map);
	}
	close(fd);
	close(written);
	unlink(path);
	unlink(other);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_range, reset),
		cmocka_unit_test_setup(test_pages_and_anonymous, reset),
		cmocka_unit_test_setup(test_file, reset),
		cmocka_unit_test_setup(test_devdax, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
