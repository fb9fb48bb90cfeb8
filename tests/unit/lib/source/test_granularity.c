/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_granularity.c - the granularity of mappings, on fake platforms
 */
#include "helper.h"
#include "source/granularity.h"
#include <dirent.h>
#include <sys/stat.h>

#ifndef STATX_ATTR_DAX
#define STATX_ATTR_DAX 0x00200000
#endif

/* The fake result of MAP_SYNC: granted, or refused with an errno, without the kernel. */
static bool grant_sync;
static int refuse_sync;
static int sync_tried;

/* What the fake statx reports of the DAX state of each file; by default nothing. */
static bool dax_known;
static bool dax_on;

/* The fake /sys/bus/nd/devices; NULL: it does not exist. */
static char *platform;

void *__real_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset);
int __real_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx);
int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);

void *__wrap_mmap64(void *address, size_t length, int prot, int flags, int fd, off_t offset)
{
	if ((flags & MAP_SHARED_VALIDATE) == MAP_SHARED_VALIDATE && flags & MAP_SYNC) {
		sync_tried++;
		if (refuse_sync) {
			errno = refuse_sync;
			return MAP_FAILED;
		}
		if (grant_sync)
			flags = MAP_SHARED;
	}
	return __real_mmap64(address, length, prot, flags, fd, offset);
}

int __wrap_statx(int dir, const char *path, int flags, unsigned mask, struct statx *stx)
{
	int ret = __real_statx(dir, path, flags, mask, stx);

	stx->stx_attributes_mask &= ~(uint64_t)STATX_ATTR_DAX;
	stx->stx_attributes &= ~(uint64_t)STATX_ATTR_DAX;
	if (dax_known)
		stx->stx_attributes_mask |= STATX_ATTR_DAX;
	if (dax_on)
		stx->stx_attributes |= STATX_ATTR_DAX;
	return ret;
}

DIR *__wrap_opendir(const char *path)
{
	if (strcmp(path, "/sys/bus/nd/devices") != 0)
		return __real_opendir(path);
	if (!platform) {
		errno = ENOENT;
		return NULL;
	}
	return __real_opendir(platform);
}

static void add_region(const char *name, const char *domain)
{
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", platform, name);
	assert_ok(mkdir(path, 0700));
	if (!domain)
		return;
	strcat(path, "/persistence_domain");
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, domain, strlen(domain)), strlen(domain));
	close(fd);
}

static int set_up(void **state)
{
	static char template[64];

	(void)state;
	strcpy(template, "/var/tmp/pmem2fs-nd-XXXXXX");
	platform = mkdtemp(template);
	grant_sync = false;
	refuse_sync = 0;
	sync_tried = 0;
	dax_known = false;
	dax_on = false;
	unsetenv("PMEM2_FORCE_GRANULARITY");
	return platform ? 0 : -1;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	unsetenv("PMEM2_FORCE_GRANULARITY");
	snprintf(command, sizeof(command), "rm -rf '%s'", platform);
	return system(command);
}

static int new_file(void)
{
	static int fd = -1;

	if (fd >= 0)
		close(fd);
	fd = make_file(PAGE);
	return fd;
}

/* Maps a new source and returns its granularity, or the error. */
static int mapped_granularity(struct pmem2_source *source, enum pmem2_sharing_type sharing,
			      enum pmem2_granularity required)
{
	struct pmem2_config *config = page_config();
	struct pmem2_map *map;
	int ret;

	assert_ok(pmem2_config_set_sharing(config, sharing));
	assert_ok(pmem2_config_set_required_store_granularity(config, required));
	ret = pmem2_map_new(&map, config, source);
	if (!ret) {
		ret = (int)pmem2_map_get_store_granularity(map);
		assert_ok(pmem2_unmap(&map));
	} else {
		assert_null(map);
	}
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
	return ret;
}

static int file_granularity(void)
{
	return mapped_granularity(fd_source(new_file()), PMEM2_SHARED, PMEM2_GRANULARITY_PAGE);
}

static void test_without_sync(void **state)
{
	static const int refusals[] = {EINVAL, EOPNOTSUPP};

	(void)state;
	add_region("region0", "cpu_cache\n");
	for (int i = 0; i < 2; i++) {
		refuse_sync = refusals[i];
		assert_int_equal(file_granularity(), PMEM2_GRANULARITY_PAGE);
	}
	refuse_sync = EPERM;
	assert_int_equal(file_granularity(), -EPERM);
}

static void test_refusal_is_remembered(void **state)
{
	struct pmem2_source *source = fd_source(new_file());
	struct pmem2_config *config = page_config();
	struct pmem2_map *maps[3];

	(void)state;
	refuse_sync = EOPNOTSUPP;
	for (int i = 0; i < 3; i++)
		assert_ok(pmem2_map_new(&maps[i], config, source));
	assert_int_equal(sync_tried, 1);
	for (int i = 0; i < 3; i++)
		assert_ok(pmem2_unmap(&maps[i]));
	assert_ok(pmem2_config_delete(&config));
	assert_ok(pmem2_source_delete(&source));
}

/* The kernel would refuse MAP_SYNC: it is not asked. */
static void test_file_known_to_be_without_dax(void **state)
{
	(void)state;
	dax_known = true;
	add_region("region0", "cpu_cache\n");
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_PAGE);
	assert_int_equal(mapped_granularity(fd_source(new_file()), PMEM2_SHARED,
					    PMEM2_GRANULARITY_CACHE_LINE),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	setenv("PMEM2_FORCE_GRANULARITY", "BYTE", 1);
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_BYTE);
	assert_int_equal(sync_tried, 0);
}

/* With DAX the kernel decides, since not every DAX device is synchronous (virtio-pmem). */
static void test_file_known_to_have_dax(void **state)
{
	(void)state;
	dax_known = true;
	dax_on = true;
	refuse_sync = EOPNOTSUPP;
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_PAGE);
	refuse_sync = 0;
	grant_sync = true;
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
	assert_int_equal(sync_tried, 2);
}

static void test_sync_and_eadr(void **state)
{
	(void)state;
	grant_sync = true;
	/* No region: nothing guarantees that the caches are flushed on power failure. */
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
	add_region("ndbus0", NULL);
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
	add_region("region0", "cpu_cache\n");
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_BYTE);
	add_region("region1", "memory_controller\n");
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
}

static void test_eadr_unclear(void **state)
{
	char *there = platform;

	(void)state;
	grant_sync = true;
	platform = NULL;
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
	platform = there;
	add_region("region0", "cpu_cache\n");
	add_region("region1", NULL);
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_CACHE_LINE);
}

static void test_eadr_keeps_the_working_directory(void **state)
{
	char before[256];
	char after[256];

	(void)state;
	grant_sync = true;
	add_region("region0", "cpu_cache\n");
	assert_non_null(getcwd(before, sizeof(before)));
	assert_int_equal(file_granularity(), PMEM2_GRANULARITY_BYTE);
	assert_non_null(getcwd(after, sizeof(after)));
	assert_string_equal(before, after);
}

static void test_byte_without_persistence(void **state)
{
	(void)state;
	setenv("PMEM2_FORCE_GRANULARITY", "PAGE", 1);
	assert_int_equal(mapped_granularity(anon_source(PAGE), PMEM2_SHARED, 0),
			 PMEM2_GRANULARITY_BYTE);
	assert_int_equal(mapped_granularity(anon_source(PAGE), PMEM2_PRIVATE, 0),
			 PMEM2_GRANULARITY_BYTE);
	assert_int_equal(mapped_granularity(fd_source(new_file()), PMEM2_PRIVATE, 0),
			 PMEM2_GRANULARITY_BYTE);
	assert_int_equal(sync_tried, 0);
}

static void test_forced(void **state)
{
	static const struct {
		const char *word;
		enum pmem2_granularity granularity;
	} cases[] = {
		{"BYTE", PMEM2_GRANULARITY_BYTE},
		{"byte", PMEM2_GRANULARITY_BYTE},
		{"CACHE_LINE", PMEM2_GRANULARITY_CACHE_LINE},
		{"cacheLine", PMEM2_GRANULARITY_CACHE_LINE},
		{"PAGE", PMEM2_GRANULARITY_PAGE},
		{" BYTE", PMEM2_GRANULARITY_PAGE},
		{"BYTES", PMEM2_GRANULARITY_PAGE},
		{"", PMEM2_GRANULARITY_PAGE},
	};

	(void)state;
	refuse_sync = EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		setenv("PMEM2_FORCE_GRANULARITY", cases[i].word, 1);
		assert_int_equal(file_granularity(), cases[i].granularity);
	}
}

static void test_required(void **state)
{
	size_t before = status_kib("VmSize:");

	(void)state;
	refuse_sync = EOPNOTSUPP;
	assert_int_equal(mapped_granularity(fd_source(new_file()), PMEM2_SHARED,
					    PMEM2_GRANULARITY_CACHE_LINE),
			 PMEM2_E_GRANULARITY_NOT_SUPPORTED);
	assert_string_equal(pmem2_errormsg(),
			    "granularity cache line is required, the source has only page");
	/* Mappings that were made to find the granularity are unmapped. */
	assert_true(status_kib("VmSize:") <= before + 1024);
	refuse_sync = 0;
	grant_sync = true;
	assert_int_equal(
		mapped_granularity(fd_source(new_file()), PMEM2_SHARED, PMEM2_GRANULARITY_BYTE),
		PMEM2_E_GRANULARITY_NOT_SUPPORTED);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_sync),
		TEST(test_refusal_is_remembered),
		TEST(test_file_known_to_be_without_dax),
		TEST(test_file_known_to_have_dax),
		TEST(test_sync_and_eadr),
		TEST(test_eadr_unclear),
		TEST(test_eadr_keeps_the_working_directory),
		TEST(test_byte_without_persistence),
		TEST(test_forced),
		TEST(test_required),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
