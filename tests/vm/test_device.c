/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_device.c - device facts and bad blocks on real pmem, for the virtual machine
 *
 * Without any variable it compares every namespace that `ndctl list` shows and every node that
 * `daxctl list` shows with what the library says, so that each set-up of the machine is a test.
 * Variables switch on the rest; a test whose variable is absent is skipped:
 *
 *   PMEM2FS_TEST_NAMESPACES   how many namespaces with a device there are; fewer is a failure
 *   PMEM2FS_TEST_NODES        how many device-DAX nodes there are, likewise
 *   PMEM2FS_TEST_FSDAX        folder on a file system on a pmem disk or a partition of one. Makes
 *                             files there and marks some of their sectors bad, which lasts until
 *                             the namespace is disabled: give each run a new namespace
 *   PMEM2FS_TEST_STACKED      folder on a file system on a device mapper over a pmem disk
 *   PMEM2FS_TEST_DEVDAX       device-DAX node, and with it
 *   PMEM2FS_TEST_DEVDAX_BAD   its bad ranges, "OFFSET LENGTH ..." in bytes; may be ""
 */
#include "libpmem2fs.h"

#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cmocka.h>

#define BLOCK 4096

static const char *variable(const char *name)
{
	const char *value = getenv(name);

	if (!value)
		skip();
	return value;
}

/* The first word of a sysfs file, "" when it cannot be read. */
static const char *attribute(const char *format, ...) __attribute__((format(printf, 1, 2)));
static const char *attribute(const char *format, ...)
{
	static char text[64];
	char path[PATH_MAX];
	FILE *file;
	va_list ap;

	va_start(ap, format);
	vsnprintf(path, sizeof(path), format, ap);
	va_end(ap);
	text[0] = '\0';
	file = fopen(path, "re");
	if (!file)
		return text;
	if (fscanf(file, "%63s", text) != 1)
		text[0] = '\0';
	fclose(file);
	return text;
}

static dev_t parse_dev(const char *text)
{
	unsigned int major, minor;

	assert_int_equal(sscanf(text, "%u:%u", &major, &minor), 2);
	return makedev(major, minor);
}

static json_t *run_json(const char *command)
{
	json_error_t error;
	json_t *root, *list;
	FILE *pipe;

	pipe = popen(command, "re");
	assert_non_null(pipe);
	root = json_loadf(pipe, 0, &error);
	pclose(pipe);
	if (!root)
		return json_array(); /* they print nothing when there is nothing */
	if (json_is_array(root))
		return root;
	list = json_array();
	json_array_append_new(list, root);
	return list;
}

static void same_string(const char *ours, json_t *object, const char *key)
{
	const char *theirs = json_string_value(json_object_get(object, key));

	assert_string_equal(ours, theirs ? theirs : "");
}

static void same_node(int64_t ours, json_t *object, const char *key)
{
	json_t *theirs = json_object_get(object, key);

	assert_int_equal(ours, theirs ? json_integer_value(theirs) : PMEM2FS_INAPPLICABLE);
}

static int64_t expected_shutdowns(json_t *region)
{
	int64_t sum = PMEM2FS_UNKNOWN;
	json_t *mapping;
	size_t i;

	json_array_foreach (json_object_get(region, "mappings"), i, mapping) {
		const char *dimm = json_string_value(json_object_get(mapping, "dimm"));
		const char *count = attribute("/sys/bus/nd/devices/%s/nfit/dirty_shutdown", dimm);

		if (!*count)
			return PMEM2FS_UNKNOWN;
		sum = (sum < 0 ? 0 : sum) + atoll(count);
	}
	return sum;
}

static void same_region(const struct pmem2fs_device *device, json_t *region)
{
	const char *domain = json_string_value(json_object_get(region, "persistence_domain"));

	same_string(device->region, region, "dev");
	assert_string_equal(device->persistence_domain,
			    domain && strcmp(domain, "unknown") != 0 ? domain : "");
	assert_int_equal(device->unsafe_shutdowns, expected_shutdowns(region));
}

static void same_namespace(const struct pmem2fs_device *device, json_t *ndns, json_t *region)
{
	same_string(device->namespace_name, ndns, "dev");
	same_string(device->mode, ndns, "mode");
	same_string(device->uuid, ndns, "uuid");
	same_node(device->numa_node, ndns, "numa_node");
	same_region(device, region);
}

static void compare_disk(json_t *ndns, json_t *region, const char *disk)
{
	struct pmem2fs_device device;
	dev_t dev = parse_dev(attribute("/sys/block/%s/dev", disk));
	uint64_t identity;
	size_t count;

	assert_int_equal(pmem2fs_device_get(dev, true, &device), 0);
	same_namespace(&device, ndns, region);
	same_node(device.target_node, ndns, "target_node");
	assert_string_equal(device.blockdev, disk);
	assert_string_equal(device.chardev, "");
	assert_int_equal(device.size, 512 * atoll(attribute("/sys/block/%s/size", disk)));
	assert_int_equal(pmem2fs_device_identity(dev, true, &identity), 0);
	assert_int_equal(device.sysfs_inode, identity);
	if (!strcmp(device.mode, "sector")) {
		assert_string_equal(device.badblocks_path, "");
		assert_int_equal(pmem2fs_device_badblock_count(&device, &count), PMEM2_E_NOSUPP);
	} else {
		assert_int_equal(device.badblocks_start, 0);
		assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
	}
	printf("%s: %s %s %s %s numa %d target %d shutdowns %d\n", disk, device.namespace_name,
	       device.mode, device.region, device.persistence_domain, (int)device.numa_node,
	       (int)device.target_node, (int)device.unsafe_shutdowns);
}

static void compare_node(json_t *ndns, json_t *region, const char *chardev)
{
	struct pmem2fs_device device;
	dev_t dev = parse_dev(attribute("/sys/bus/dax/devices/%s/dev", chardev));
	size_t count;

	assert_int_equal(pmem2fs_device_get(dev, false, &device), 0);
	same_namespace(&device, ndns, region);
	assert_string_equal(device.chardev, chardev);
	assert_string_equal(device.blockdev, "");
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
}

static void test_every_namespace_is_as_ndctl_lists_it(void **state)
{
	json_t *buses, *bus, *region, *ndns, *node;
	const char *expected = getenv("PMEM2FS_TEST_NAMESPACES");
	size_t i, j, k, l;
	int found = 0;

	(void)state;
	buses = run_json("ndctl list -BNRD -v");
	json_array_foreach (buses, i, bus) {
		json_array_foreach (json_object_get(bus, "regions"), j, region) {
			json_array_foreach (json_object_get(region, "namespaces"), k, ndns) {
				json_t *disk = json_object_get(ndns, "blockdev");
				json_t *dax = json_object_get(ndns, "daxregion");

				if (disk)
					compare_disk(ndns, region, json_string_value(disk));
				json_array_foreach (json_object_get(dax, "devices"), l, node)
					compare_node(ndns, region,
						     json_string_value(
							     json_object_get(node, "chardev")));
				found++;
			}
		}
	}
	json_decref(buses);
	printf("%d namespaces\n", found);
	if (expected)
		assert_int_equal(found, atoi(expected));
}

static void test_every_node_is_as_daxctl_lists_it(void **state)
{
	const char *expected = getenv("PMEM2FS_TEST_NODES");
	json_t *nodes, *node;
	size_t i, count;

	(void)state;
	nodes = run_json("daxctl list");
	json_array_foreach (nodes, i, node) {
		const char *name = json_string_value(json_object_get(node, "chardev"));
		struct pmem2fs_device device;

		assert_int_equal(pmem2fs_device_get(
					 parse_dev(attribute("/sys/bus/dax/devices/%s/dev", name)),
					 false, &device),
				 0);
		same_string(device.chardev, node, "chardev");
		same_string(device.mode, node, "mode");
		same_node(device.target_node, node, "target_node");
		assert_int_equal(device.size, json_integer_value(json_object_get(node, "size")));
		printf("%s: %s in \"%s\", %lld bytes, list at %lld\n", name, device.mode,
		       device.region, (long long)device.size, (long long)device.badblocks_start);
		if (device.region[0])
			continue;
		assert_string_equal(device.namespace_name, "");
		assert_string_equal(device.uuid, "");
		assert_string_equal(device.persistence_domain, "");
		assert_int_equal(device.numa_node,
				 atoll(attribute("/sys/bus/dax/devices/%s/numa_node", name)));
		assert_int_equal(device.unsafe_shutdowns, PMEM2FS_INAPPLICABLE);
		assert_int_equal(pmem2fs_device_badblock_count(&device, &count), PMEM2_E_NOSUPP);
	}
	if (expected)
		assert_int_equal(json_array_size(nodes), atoi(expected));
	json_decref(nodes);
}

static void test_capacity_is_the_sum_of_the_regions(void **state)
{
	uint64_t capacity, sum = 0;
	json_t *buses, *bus, *region;
	size_t i, j;

	(void)state;
	buses = run_json("ndctl list -BRi");
	json_array_foreach (buses, i, bus)
		json_array_foreach (json_object_get(bus, "regions"), j, region)
			sum += (uint64_t)json_integer_value(json_object_get(region, "size"));
	json_decref(buses);
	assert_int_equal(pmem2fs_host_capacity(&capacity), 0);
	assert_int_equal(capacity, sum);
}

/* --- bad blocks of files --- */

/* A folder on pmem, and the disk below its file system. */
struct place {
	int folder;
	struct pmem2fs_device device;
	uint64_t start; /* of the partition, in sectors; 0 without one */
	dev_t dev;
};

static void open_place(struct place *place)
{
	const char *path = variable("PMEM2FS_TEST_FSDAX");
	struct stat st;

	place->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(place->folder >= 0);
	assert_int_equal(fstat(place->folder, &st), 0);
	assert_int_equal(st.st_blksize, BLOCK);
	place->dev = st.st_dev;
	assert_int_equal(pmem2fs_device_get(st.st_dev, true, &place->device), 0);
	place->start = strtoull(
		attribute("/sys/dev/block/%u:%u/start", major(st.st_dev), minor(st.st_dev)), NULL,
		10);
	assert_int_equal(place->device.badblocks_start, 512 * place->start);
}

/* FIBMAP tells the place of written blocks only. */
static void write_zeroes(int fd, off_t offset, off_t size)
{
	static const char zeroes[BLOCK];

	for (; size > 0; offset += BLOCK, size -= BLOCK) {
		size_t length = size < BLOCK ? (size_t)size : BLOCK;

		assert_int_equal(pwrite(fd, zeroes, length, offset), length);
	}
}

/* No file is ever removed, lest the next one gets its bad blocks, where writing fails. */
static int make_file(const struct place *place, const char *name, off_t allocated, off_t size)
{
	int fd;

	fd = openat(place->folder, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	if (allocated)
		assert_int_equal(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, allocated), 0);
	assert_int_equal(ftruncate(fd, size), 0);
	if (allocated)
		write_zeroes(fd, 0, size);
	assert_int_equal(fsync(fd), 0);
	return fd;
}

/*
 * The disk's sector where a block of the file begins: by FIBMAP, another way to it than the
 * library's. XFS has none for DAX files.
 */
static uint64_t sector_of(const struct place *place, int fd, int block)
{
	union {
		struct fiemap map;
		char space[sizeof(struct fiemap) + sizeof(struct fiemap_extent)];
	} one = {.map = {.fm_start = (uint64_t)block * BLOCK,
			 .fm_length = BLOCK,
			 .fm_extent_count = 1}};
	const struct fiemap_extent *extent = one.map.fm_extents;
	int number = block;

	if (!ioctl(fd, FIBMAP, &number)) {
		assert_int_not_equal(number, 0);
		return place->start + (uint64_t)(unsigned int)number * (BLOCK / 512);
	}
	assert_int_equal(ioctl(fd, FS_IOC_FIEMAP, &one), 0);
	assert_int_equal(one.map.fm_mapped_extents, 1);
	return place->start +
	       (extent->fe_physical + (uint64_t)block * BLOCK - extent->fe_logical) / 512;
}

static void make_bad(const struct place *place, uint64_t sector, unsigned int count)
{
	FILE *file = fopen(place->device.badblocks_path, "we");

	assert_non_null(file);
	assert_true(fprintf(file, "%llu %u\n", (unsigned long long)sector, count) > 0);
	assert_int_equal(fclose(file), 0);
}

/* Asserts that the bad blocks of `fd` are these `count` pairs of offset and length. */
static void assert_bad(int fd, size_t count, const size_t (*expected)[2])
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock bb;
	struct pmem2_source *src;

	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), 0);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(pmem2_badblock_next(context, &bb), 0);
		assert_int_equal(bb.offset, expected[i][0]);
		assert_int_equal(bb.length, expected[i][1]);
	}
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	assert_int_equal(pmem2_badblock_next(context, &bb), PMEM2_E_NO_BAD_BLOCK_FOUND);
	pmem2_badblock_context_delete(&context);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
}

static void test_a_bad_sector_is_a_bad_block_of_its_file_only(void **state)
{
	struct place place;
	size_t before, after;
	int file, other;

	(void)state;
	open_place(&place);
	file = make_file(&place, "file", 16 * BLOCK, 16 * BLOCK);
	other = make_file(&place, "other", 16 * BLOCK, 16 * BLOCK);
	assert_bad(file, 0, NULL);
	assert_int_equal(pmem2fs_device_badblock_count(&place.device, &before), 0);

	make_bad(&place, sector_of(&place, file, 3) + 2, 1);
	make_bad(&place, sector_of(&place, file, 3) + 5, 1);
	make_bad(&place, sector_of(&place, file, 15) + 7, 1);
	make_bad(&place, sector_of(&place, other, 0), 8);

	assert_int_equal(pmem2fs_device_badblock_count(&place.device, &after), 0);
	assert_true(after > before && after <= before + 4);
	assert_bad(file, 2, (const size_t[][2]){{3 * BLOCK, BLOCK}, {15 * BLOCK, BLOCK}});
	assert_bad(other, 1, (const size_t[][2]){{0, BLOCK}});
	close(file);
	close(other);
	close(place.folder);
}

static void test_neighbouring_bad_blocks_are_one(void **state)
{
	struct place place;
	int fd;

	(void)state;
	open_place(&place);
	fd = make_file(&place, "neighbours", 1024 * BLOCK, 1024 * BLOCK);
	/* in an extent without a break, and longer than what the kernel puts into one line */
	assert_int_equal(sector_of(&place, fd, 299), sector_of(&place, fd, 100) + 199 * 8);
	make_bad(&place, sector_of(&place, fd, 100) + 7, 199 * 8 - 6);
	assert_bad(fd, 1, (const size_t[][2]){{100 * BLOCK, 200 * BLOCK}});
	close(fd);
	close(place.folder);
}

static void test_blocks_behind_the_end_and_holes_are_not_of_the_file(void **state)
{
	struct place place;
	int odd, sparse;

	(void)state;
	open_place(&place);
	odd = make_file(&place, "odd", 8 * BLOCK, 5000);
	make_bad(&place, sector_of(&place, odd, 1), 1);
	assert_bad(odd, 1, (const size_t[][2]){{BLOCK, BLOCK}});
	sparse = make_file(&place, "sparse", 0, 8 * BLOCK);
	assert_bad(sparse, 0, NULL);
	close(odd);

	/* what lies behind the end is allocated and bad, too */
	odd = make_file(&place, "behind", 8 * BLOCK, 5000);
	make_bad(&place, sector_of(&place, odd, 0), 64);
	assert_bad(odd, 1, (const size_t[][2]){{0, 2 * BLOCK}});
	close(odd);
	close(sparse);
	close(place.folder);
}

static void test_a_fragmented_file_is_translated_extent_by_extent(void **state)
{
	enum { BLOCKS = 200 };
	size_t expected[BLOCKS][2];
	struct place place;
	uint64_t previous = 0;
	int file, other, pieces = 0;

	(void)state;
	open_place(&place);
	file = make_file(&place, "fragmented", 0, 0);
	other = make_file(&place, "between", 0, 0);
	/* from the end to the beginning, so that the order on the disk is another one */
	for (off_t i = BLOCKS - 1; i >= 0; i--) {
		write_zeroes(file, 2 * i * BLOCK, BLOCK);
		write_zeroes(other, 2 * i * BLOCK, BLOCK);
	}
	assert_int_equal(fsync(file), 0);
	for (int i = 0; i < BLOCKS; i++) {
		uint64_t sector = sector_of(&place, file, 2 * i);

		pieces += sector != previous + 8;
		previous = sector;
		make_bad(&place, sector + 1, 1);
		expected[i][0] = 2 * (size_t)i * BLOCK;
		expected[i][1] = BLOCK;
	}
	assert_true(pieces > 64);
	assert_bad(file, BLOCKS, expected);
	assert_bad(other, 0, NULL);
	close(file);
	close(other);
	close(place.folder);
}

static void test_below_a_device_mapper_the_disk_is_known_but_not_the_place(void **state)
{
	const char *path = variable("PMEM2FS_TEST_STACKED");
	struct pmem2_badblock_context *context = NULL;
	struct pmem2fs_device device;
	struct pmem2_source *src;
	struct stat st;
	size_t count;
	char file[PATH_MAX];
	int fd;

	(void)state;
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(pmem2fs_device_get(st.st_dev, true, &device), 0);
	assert_int_equal(strncmp(device.blockdev, "pmem", 4), 0);
	assert_int_equal(device.badblocks_start, PMEM2FS_UNKNOWN);
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
	snprintf(file, sizeof(file), "%s/file", path);
	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_CANNOT_READ_BOUNDS);
	assert_null(context);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
}

static void test_bad_ranges_of_a_node_are_relative_to_it(void **state)
{
	const char *path = variable("PMEM2FS_TEST_DEVDAX");
	const char *text = variable("PMEM2FS_TEST_DEVDAX_BAD");
	struct pmem2fs_device device;
	size_t expected[16][2], count = 0, counted;
	struct stat st;
	int fd, used;

	(void)state;
	while (count < 16 &&
	       sscanf(text, "%zu %zu%n", &expected[count][0], &expected[count][1], &used) == 2) {
		text += used;
		count++;
	}
	fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_bad(fd, count, expected);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pmem2fs_device_get(st.st_rdev, false, &device), 0);
	assert_int_equal(pmem2fs_device_badblock_count(&device, &counted), 0);
	assert_int_equal(counted, count);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_namespace_is_as_ndctl_lists_it),
		cmocka_unit_test(test_every_node_is_as_daxctl_lists_it),
		cmocka_unit_test(test_capacity_is_the_sum_of_the_regions),
		cmocka_unit_test(test_a_bad_sector_is_a_bad_block_of_its_file_only),
		cmocka_unit_test(test_neighbouring_bad_blocks_are_one),
		cmocka_unit_test(test_blocks_behind_the_end_and_holes_are_not_of_the_file),
		cmocka_unit_test(test_a_fragmented_file_is_translated_extent_by_extent),
		cmocka_unit_test(test_below_a_device_mapper_the_disk_is_known_but_not_the_place),
		cmocka_unit_test(test_bad_ranges_of_a_node_are_relative_to_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
