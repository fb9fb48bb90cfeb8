/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_badblock_clear.c - bad blocks of a device-DAX node, repaired by fake firmware
 *
 * Files on real pmem: tests/vm/test_badblock_clear.c.
 */
#include "device/locate.h"
#include "device/nvdimm.h"
#include "helper.h"
#include "source/badblock.h"

#define RESOURCE 0x100000000u
#define START    0x200000u

/* The firmware's abilities, and the commands that it got. */
static bool has_commands, has_capability, takes_range, list_stays;
static int capability_error, clear_error;
static uint64_t left_over;
static struct bad_range bad, cleared;

int __wrap_badblock_list(const struct pmem2_source *src, struct badlist *blocks);
int __wrap_device_locate(dev_t dev, bool block, struct pmem2fs_device *device);
int __wrap_nvdimm_open(struct ndctl_ctx **ctx);
struct ndctl_ctx *__wrap_ndctl_unref(struct ndctl_ctx *ctx);
struct ndctl_region *__wrap_nvdimm_find_region(struct ndctl_ctx *ctx, const char *name);
unsigned long long __wrap_ndctl_region_get_resource(struct ndctl_region *region);
struct ndctl_bus *__wrap_ndctl_region_get_bus(struct ndctl_region *region);
const char *__wrap_ndctl_bus_get_provider(struct ndctl_bus *bus);
int __wrap_ndctl_bus_is_cmd_supported(struct ndctl_bus *bus, int cmd);
struct ndctl_cmd *__wrap_ndctl_bus_cmd_new_ars_cap(struct ndctl_bus *bus,
						   unsigned long long address,
						   unsigned long long length);
struct ndctl_cmd *__wrap_ndctl_bus_cmd_new_clear_error(unsigned long long address,
						       unsigned long long length,
						       struct ndctl_cmd *capability);
int __wrap_ndctl_cmd_submit(struct ndctl_cmd *cmd);
unsigned long long __wrap_ndctl_cmd_clear_error_get_cleared(struct ndctl_cmd *cmd);
void __wrap_ndctl_cmd_unref(struct ndctl_cmd *cmd);

/* Objects of libndctl are addresses here. */
static char context, region, bus, capability, clear;
static int references;

static void *made(char *object)
{
	references++;
	return object;
}

int __wrap_badblock_list(const struct pmem2_source *src, struct badlist *blocks)
{
	(void)src;
	return bad.begin < bad.end ? badlist_append(blocks, bad.begin, bad.end) : 0;
}

int __wrap_device_locate(dev_t dev, bool block, struct pmem2fs_device *device)
{
	(void)dev;
	assert_false(block);
	*device = (struct pmem2fs_device){.badblocks_start = START, .region = "region7"};
	return 0;
}

int __wrap_nvdimm_open(struct ndctl_ctx **ctx)
{
	*ctx = made(&context);
	return 0;
}

struct ndctl_ctx *__wrap_ndctl_unref(struct ndctl_ctx *ctx)
{
	assert_ptr_equal(ctx, &context);
	references--;
	return NULL;
}

struct ndctl_region *__wrap_nvdimm_find_region(struct ndctl_ctx *ctx, const char *name)
{
	(void)ctx;
	assert_string_equal(name, "region7");
	return (void *)&region;
}

unsigned long long __wrap_ndctl_region_get_resource(struct ndctl_region *unused)
{
	(void)unused;
	return RESOURCE;
}

struct ndctl_bus *__wrap_ndctl_region_get_bus(struct ndctl_region *unused)
{
	(void)unused;
	return (void *)&bus;
}

const char *__wrap_ndctl_bus_get_provider(struct ndctl_bus *unused)
{
	(void)unused;
	return "made-up";
}

int __wrap_ndctl_bus_is_cmd_supported(struct ndctl_bus *unused, int cmd)
{
	(void)unused;
	(void)cmd;
	return has_commands;
}

struct ndctl_cmd *__wrap_ndctl_bus_cmd_new_ars_cap(struct ndctl_bus *unused,
						   unsigned long long address,
						   unsigned long long length)
{
	(void)unused;
	cleared = (struct bad_range){address, address + length};
	return has_capability ? made(&capability) : NULL;
}

struct ndctl_cmd *__wrap_ndctl_bus_cmd_new_clear_error(unsigned long long address,
						       unsigned long long length,
						       struct ndctl_cmd *cmd)
{
	assert_ptr_equal(cmd, &capability);
	assert_int_equal(address, cleared.begin);
	assert_int_equal(length, cleared.end - cleared.begin);
	return takes_range ? made(&clear) : NULL;
}

int __wrap_ndctl_cmd_submit(struct ndctl_cmd *cmd)
{
	if ((void *)cmd == &capability)
		return capability_error;
	if (!clear_error && !list_stays)
		bad.begin = bad.end - left_over;
	return clear_error;
}

unsigned long long __wrap_ndctl_cmd_clear_error_get_cleared(struct ndctl_cmd *cmd)
{
	assert_ptr_equal(cmd, &clear);
	return cleared.end - cleared.begin - left_over;
}

void __wrap_ndctl_cmd_unref(struct ndctl_cmd *cmd)
{
	assert_true((void *)cmd == &clear || (void *)cmd == &capability);
	references--;
}

static int set_up(void **state)
{
	(void)state;
	has_commands = has_capability = takes_range = true;
	list_stays = false;
	capability_error = clear_error = references = 0;
	left_over = 0;
	bad = (struct bad_range){4096, 8192};
	cleared = (struct bad_range){0, 0};
	return 0;
}

static int clear_range(size_t offset, size_t length)
{
	struct pmem2_badblock_context node = {
		.source = {.type = PMEM2FS_SOURCE_DEVDAX, .fd = -1},
	};
	int error = pmem2_badblock_clear(&node, &(struct pmem2_badblock){offset, length});

	assert_int_equal(references, 0);
	return error;
}

static void test_the_firmware_clears_what_is_bad(void **state)
{
	(void)state;
	assert_ok(clear_range(4096, 4096));
	assert_int_equal(cleared.begin, RESOURCE + START + 4096);
	assert_int_equal(cleared.end, RESOURCE + START + 8192);
}

static void test_the_firmware_never_hears_of_good_bytes(void **state)
{
	(void)state;
	assert_int_equal(clear_range(4096, 4608), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(clear_range(3584, 1024), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(clear_range(0, 512), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(cleared.end, 0);
}

static void test_firmware_that_cannot(void **state)
{
	(void)state;
	has_commands = false;
	assert_int_equal(clear_range(4096, 4096), PMEM2_E_NOSUPP);
	assert_non_null(strstr(pmem2_errormsg(), "made-up"));
}

static void test_firmware_that_fails(void **state)
{
	(void)state;
	has_capability = false;
	assert_int_equal(clear_range(4096, 4096), -ENOMEM);
	has_capability = true;
	capability_error = -ENOTTY;
	assert_int_equal(clear_range(4096, 4096), -ENOTTY);
	capability_error = 0;
	takes_range = false;
	assert_int_equal(clear_range(4096, 4096), -EINVAL);
	takes_range = true;
	clear_error = -EIO;
	assert_int_equal(clear_range(4096, 4096), -EIO);
}

static void test_firmware_that_clears_a_part(void **state)
{
	(void)state;
	left_over = 512;
	assert_int_equal(clear_range(4096, 4096), -ENXIO);
	assert_non_null(strstr(pmem2_errormsg(), "3584 of 4096"));
}

static void test_firmware_that_only_says_so(void **state)
{
	(void)state;
	list_stays = true;
	assert_int_equal(clear_range(4096, 4096), PMEM2_E_IO_FAIL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_the_firmware_clears_what_is_bad, set_up),
		cmocka_unit_test_setup(test_the_firmware_never_hears_of_good_bytes, set_up),
		cmocka_unit_test_setup(test_firmware_that_cannot, set_up),
		cmocka_unit_test_setup(test_firmware_that_fails, set_up),
		cmocka_unit_test_setup(test_firmware_that_clears_a_part, set_up),
		cmocka_unit_test_setup(test_firmware_that_only_says_so, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
