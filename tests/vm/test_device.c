/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_device.c - device facts on real pmem, for the virtual machine
 *
 * Without any variable it compares every namespace that `ndctl list` shows and every node that
 * `daxctl list` shows with what the library says, so that each set-up of the machine is a test.
 * Variables switch on the rest:
 *
 *   PMEM2FS_TEST_NAMESPACES   how many namespaces with a device there are; fewer is a failure
 *   PMEM2FS_TEST_NODES        how many device-DAX nodes there are, likewise
 *   PMEM2FS_TEST_FOLDERS      folders on file systems on pmem, "FOLDER ..."; makes files there
 */
#include "helper.h"
#include "libpmem2fs.h"

#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

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
		return json_array(); /* ndctl and daxctl print nothing instead of an empty list */
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

/* Compares the library's facts of the region below a source; takes ownership of `src`. */
static void compare_source(struct pmem2_source *src, json_t *region)
{
	const char *name = json_string_value(json_object_get(region, "dev"));
	char expected[1024] = "", id[1024];
	int64_t shutdowns = 0;
	json_t *mapping;
	size_t i, length;
	uint64_t usc = 777;
	int node;

	json_array_foreach (json_object_get(region, "mappings"), i, mapping) {
		const char *dimm = json_string_value(json_object_get(mapping, "dimm"));

		strcat(expected, attribute("/sys/bus/nd/devices/%s/nfit/id", dimm));
		shutdowns = expected_shutdowns(region);
	}
	assert_int_equal(pmem2_source_device_id(src, NULL, &length), 0);
	assert_int_equal(length, strlen(expected) + 1);
	memset(id, 'x', sizeof(id));
	length--;
	assert_int_equal(pmem2_source_device_id(src, id, &length), PMEM2_E_BUFFER_TOO_SMALL);
	assert_int_equal(id[0], 'x');
	length++;
	assert_int_equal(pmem2_source_device_id(src, id, &length), 0);
	assert_string_equal(id, expected);
	assert_int_equal(id[length], 'x');

	assert_int_equal(pmem2_source_device_usc(src, &usc), shutdowns < 0 ? PMEM2_E_NOSUPP : 0);
	assert_int_equal(usc, shutdowns < 0 ? 777 : shutdowns);
	assert_int_equal(pmem2_source_numa_node(src, &node), 0);
	assert_int_equal(node, atoi(attribute("/sys/bus/nd/devices/%s/numa_node", name)));
	printf("%s: \"%s\", %lld shutdowns, node %d\n", name, id, (long long)shutdowns, node);
	assert_int_equal(pmem2_source_delete(&src), 0);
}

static struct pmem2_source *open_node(const char *chardev, int *fd)
{
	struct pmem2_source *src;
	char path[64];

	snprintf(path, sizeof(path), "/dev/%s", chardev);
	*fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(pmem2_source_from_fd(&src, *fd), 0);
	return src;
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
	int fd;

	assert_int_equal(pmem2fs_device_get(dev, false, &device), 0);
	same_namespace(&device, ndns, region);
	assert_string_equal(device.chardev, chardev);
	assert_string_equal(device.blockdev, "");
	assert_int_equal(pmem2fs_device_badblock_count(&device, &count), 0);
	compare_source(open_node(chardev, &fd), region);
	close(fd);
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

static void test_a_file_is_on_the_region_that_ndctl_lists(void **state)
{
	char *folders = strdup(variable("PMEM2FS_TEST_FOLDERS")), *rest = folders, *folder;
	json_t *buses = run_json("ndctl list -BRD"), *bus, *region;
	size_t i, j;

	(void)state;
	while ((folder = strsep(&rest, " ")) != NULL) {
		struct pmem2fs_device device;
		struct pmem2_source *src;
		struct stat st;
		int fd, found = 0;

		fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(fstat(fd, &st), 0);
		assert_int_equal(pmem2fs_device_get(st.st_dev, true, &device), 0);
		json_array_foreach (buses, i, bus) {
			json_array_foreach (json_object_get(bus, "regions"), j, region) {
				if (strcmp(json_string_value(json_object_get(region, "dev")),
					   device.region) != 0)
					continue;
				assert_int_equal(pmem2_source_from_fd(&src, fd), 0);
				compare_source(src, region);
				found++;
			}
		}
		assert_int_equal(found, 1);
		close(fd);
	}
	json_decref(buses);
	free(folders);
}

/* A node of memory that is no NVDIMM: functions for all nodes work, the others fail. */
static void use_without_region(const char *chardev)
{
	struct pmem2_badblock_context *context = NULL;
	size_t size, alignment, length = 777;
	char id[] = "untouched", read[5000];
	struct pmem2_config *config;
	struct pmem2_source *src;
	struct pmem2_map *map;
	uint64_t usc = 777;
	char *address;
	int fd, node;

	src = open_node(chardev, &fd);
	assert_int_equal(pmem2_source_size(src, &size), 0);
	assert_int_equal(size, atoll(attribute("/sys/bus/dax/devices/%s/size", chardev)));
	assert_int_equal(pmem2_source_alignment(src, &alignment), 0);
	assert_int_equal(alignment, atoll(attribute("/sys/bus/dax/devices/%s/align", chardev)));
	assert_int_equal(pmem2_source_numa_node(src, &node), 0);
	assert_int_equal(node, atoi(attribute("/sys/bus/dax/devices/%s/numa_node", chardev)));
	assert_int_equal(pmem2_source_device_id(src, NULL, &length), PMEM2_E_NOSUPP);
	assert_int_equal(length, 777);
	assert_int_equal(pmem2_source_device_id(src, id, &length), PMEM2_E_NOSUPP);
	assert_string_equal(id, "untouched");
	assert_int_equal(pmem2_source_device_usc(src, &usc), PMEM2_E_NOSUPP);
	assert_int_equal(usc, 777);
	assert_int_equal(pmem2_badblock_context_new(&context, src), PMEM2_E_NOSUPP);
	assert_null(context);

	assert_int_equal(pmem2_config_new(&config), 0);
	assert_int_equal(
		pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE), 0);
	assert_int_equal(pmem2_map_new(&map, config, src), 0);
	assert_int_equal(pmem2_map_get_size(map), size);
	address = pmem2_map_get_address(map);
	memset(address + alignment - 1000, 'h', 5000);
	assert_int_equal(pmem2_source_pread_mcsafe(src, read, 5000, alignment - 1000), 0);
	assert_memory_equal(read, address + alignment - 1000, 5000);
	memset(read, 'w', sizeof(read));
	assert_int_equal(pmem2_source_pwrite_mcsafe(src, read, 5000, size - 5000), 0);
	assert_memory_equal(read, address + size - 5000, 5000);
	assert_int_equal(pmem2_source_pread_mcsafe(src, read, 2, size - 1),
			 PMEM2_E_LENGTH_OUT_OF_RANGE);
	assert_int_equal(pmem2_map_delete(&map), 0);
	assert_int_equal(pmem2_config_delete(&config), 0);
	assert_int_equal(pmem2_source_delete(&src), 0);
	close(fd);
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
		use_without_region(name);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_namespace_is_as_ndctl_lists_it),
		cmocka_unit_test(test_a_file_is_on_the_region_that_ndctl_lists),
		cmocka_unit_test(test_every_node_is_as_daxctl_lists_it),
		cmocka_unit_test(test_capacity_is_the_sum_of_the_regions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
