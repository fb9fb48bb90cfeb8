/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * program.c - a program that uses libpmem2 only, in the common subset of C and C++
 *
 * usage: program LIBRARY FILE
 *
 * Uses the interface as a program would, on FILE, which it makes, and fails where a result is not
 * the documented one, or where any function comes from another file than LIBRARY. test_dropin
 * compiles and runs it with one library and the other.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <libpmem2.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition) ((condition) ? (void)0 : fail(__LINE__, #condition))

#define PAGE ((size_t)sysconf(_SC_PAGESIZE))
#define SIZE (4u << 20)

static void fail(int line, const char *condition)
{
	fprintf(stderr, "program.c:%d: %s (last error: %s)\n", line, condition, pmem2_errormsg());
	exit(1);
}

static void *const functions[] = {
	(void *)pmem2_badblock_clear,
	(void *)pmem2_badblock_context_delete,
	(void *)pmem2_badblock_context_new,
	(void *)pmem2_badblock_next,
	(void *)pmem2_config_delete,
	(void *)pmem2_config_new,
	(void *)pmem2_config_set_length,
	(void *)pmem2_config_set_offset,
	(void *)pmem2_config_set_protection,
	(void *)pmem2_config_set_required_store_granularity,
	(void *)pmem2_config_set_sharing,
	(void *)pmem2_config_set_vm_reservation,
	(void *)pmem2_deep_flush,
	(void *)pmem2_errormsg,
	(void *)pmem2_get_drain_fn,
	(void *)pmem2_get_flush_fn,
	(void *)pmem2_get_memcpy_fn,
	(void *)pmem2_get_memmove_fn,
	(void *)pmem2_get_memset_fn,
	(void *)pmem2_get_persist_fn,
	(void *)pmem2_map_delete,
	(void *)pmem2_map_from_existing,
	(void *)pmem2_map_get_address,
	(void *)pmem2_map_get_size,
	(void *)pmem2_map_get_store_granularity,
	(void *)pmem2_map_new,
	(void *)pmem2_perror,
	(void *)pmem2_source_alignment,
	(void *)pmem2_source_delete,
	(void *)pmem2_source_device_id,
	(void *)pmem2_source_device_usc,
	(void *)pmem2_source_from_anon,
	(void *)pmem2_source_from_fd,
	(void *)pmem2_source_get_fd,
	(void *)pmem2_source_numa_node,
	(void *)pmem2_source_pread_mcsafe,
	(void *)pmem2_source_pwrite_mcsafe,
	(void *)pmem2_source_size,
	(void *)pmem2_vm_reservation_delete,
	(void *)pmem2_vm_reservation_extend,
	(void *)pmem2_vm_reservation_get_address,
	(void *)pmem2_vm_reservation_get_size,
	(void *)pmem2_vm_reservation_map_find,
	(void *)pmem2_vm_reservation_map_find_first,
	(void *)pmem2_vm_reservation_map_find_last,
	(void *)pmem2_vm_reservation_map_find_next,
	(void *)pmem2_vm_reservation_map_find_prev,
	(void *)pmem2_vm_reservation_new,
	(void *)pmem2_vm_reservation_shrink,
};

static void check_origin(const char *library)
{
	char *wanted = realpath(library, NULL);
	size_t i;

	CHECK(wanted);
	for (i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		Dl_info info;
		char *file;

		CHECK(dladdr(functions[i], &info));
		file = realpath(info.dli_fname, NULL);
		if (!file || strcmp(file, wanted)) {
			fprintf(stderr, "%s comes from %s, not from %s\n", info.dli_sname,
				info.dli_fname, library);
			exit(1);
		}
		free(file);
	}
	CHECK(i == 49);
	free(wanted);
}

static struct pmem2_source *source_of(int fd)
{
	struct pmem2_source *src;
	size_t size;
	size_t alignment;
	int same;

	CHECK(pmem2_source_from_fd(&src, fd) == 0);
	CHECK(pmem2_source_size(src, &size) == 0 && size == SIZE);
	CHECK(pmem2_source_alignment(src, &alignment) == 0 && alignment == PAGE);
	CHECK(pmem2_source_get_fd(src, &same) == 0 && same == fd);
	return src;
}

static void check_errors(const struct pmem2_source *src)
{
	struct pmem2_source *closed;
	struct pmem2_config *cfg;
	struct pmem2_map *map;

	CHECK(strcmp(pmem2_errormsg(), "") == 0);
	CHECK(pmem2_config_new(&cfg) == 0);
	CHECK(pmem2_map_new(&map, cfg, src) == PMEM2_E_GRANULARITY_NOT_SET);
	CHECK(!map);
	CHECK(strcmp(pmem2_errormsg(), "") != 0);
	pmem2_perror("program %d", 1);
	CHECK(pmem2_config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_PAGE) == 0);
	CHECK(pmem2_config_set_sharing(cfg, (enum pmem2_sharing_type)7) ==
	      PMEM2_E_INVALID_SHARING_VALUE);
	CHECK(pmem2_config_set_protection(cfg, 1) == PMEM2_E_INVALID_PROT_FLAG);
	CHECK(pmem2_config_set_length(cfg, 2 * SIZE) == 0);
	CHECK(pmem2_map_new(&map, cfg, src) == PMEM2_E_MAP_RANGE);
	CHECK(pmem2_config_set_length(cfg, 1) == 0);
	CHECK(pmem2_map_new(&map, cfg, src) == PMEM2_E_LENGTH_UNALIGNED);
	CHECK(pmem2_config_delete(&cfg) == 0 && !cfg);
	CHECK(pmem2_source_from_fd(&closed, -1) == PMEM2_E_INVALID_FILE_HANDLE && !closed);
}

static void check_map(const struct pmem2_source *src, int fd)
{
	struct pmem2_config *cfg;
	struct pmem2_map *map;
	char text[16];
	char *address;

	CHECK(pmem2_config_new(&cfg) == 0);
	CHECK(pmem2_config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_PAGE) == 0);
	CHECK(pmem2_config_set_offset(cfg, PAGE) == 0);
	CHECK(pmem2_map_new(&map, cfg, src) == 0);
	CHECK(pmem2_map_get_size(map) == SIZE - PAGE);
	CHECK(pmem2_map_get_store_granularity(map) <= PMEM2_GRANULARITY_PAGE);
	address = (char *)pmem2_map_get_address(map);
	CHECK((uintptr_t)address % (2u << 20) == 0);

	strcpy(address, "persist");
	pmem2_get_persist_fn(map)(address, 8);
	CHECK(pread(fd, text, 8, (off_t)PAGE) == 8 && strcmp(text, "persist") == 0);
	CHECK(pmem2_get_memcpy_fn(map)(address + 100, "copied", 7, PMEM2_F_MEM_NODRAIN) ==
	      address + 100);
	CHECK(pmem2_get_memmove_fn(map)(address + 102, address + 100, 7, 0) == address + 102);
	CHECK(strcmp(address + 100, "cocopied") == 0);
	CHECK(pmem2_get_memset_fn(map)(address + 200, 'x', 1000, PMEM2_F_MEM_NONTEMPORAL) ==
	      address + 200);
	CHECK(address[199] == 0 && address[200] == 'x' && address[1199] == 'x' && !address[1200]);
	pmem2_get_flush_fn(map)(address, 4096);
	pmem2_get_drain_fn(map)();
	CHECK(pmem2_deep_flush(map, address, 100) == 0);
	CHECK(pmem2_deep_flush(map, address, SIZE) == PMEM2_E_DEEP_FLUSH_RANGE);

	CHECK(pmem2_map_delete(&map) == 0 && !map);
	CHECK(pmem2_config_delete(&cfg) == 0);
}

static void check_reservation(const struct pmem2_source *src)
{
	struct pmem2_vm_reservation *rsv;
	struct pmem2_config *cfg;
	struct pmem2_map *maps[2];
	struct pmem2_map *found;
	char *start;

	CHECK(pmem2_vm_reservation_new(&rsv, NULL, 2 * SIZE) == 0);
	CHECK(pmem2_vm_reservation_get_size(rsv) == 2 * SIZE);
	start = (char *)pmem2_vm_reservation_get_address(rsv);
	CHECK(pmem2_config_new(&cfg) == 0);
	CHECK(pmem2_config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_PAGE) == 0);
	CHECK(pmem2_config_set_vm_reservation(cfg, rsv, 0) == 0);
	CHECK(pmem2_map_new(&maps[0], cfg, src) == 0);
	CHECK(pmem2_map_get_address(maps[0]) == start);
	CHECK(pmem2_map_new(&found, cfg, src) == PMEM2_E_MAPPING_EXISTS && !found);
	CHECK(pmem2_config_set_vm_reservation(cfg, rsv, SIZE) == 0);
	CHECK(pmem2_map_new(&maps[1], cfg, src) == 0);
	CHECK(pmem2_map_get_address(maps[1]) == start + SIZE);

	CHECK(pmem2_vm_reservation_map_find_first(rsv, &found) == 0 && found == maps[0]);
	CHECK(pmem2_vm_reservation_map_find_last(rsv, &found) == 0 && found == maps[1]);
	CHECK(pmem2_vm_reservation_map_find_next(rsv, maps[0], &found) == 0 && found == maps[1]);
	CHECK(pmem2_vm_reservation_map_find_prev(rsv, maps[1], &found) == 0 && found == maps[0]);
	CHECK(pmem2_vm_reservation_map_find(rsv, SIZE, 1, &found) == 0 && found == maps[1]);
	CHECK(pmem2_vm_reservation_delete(&rsv) == PMEM2_E_VM_RESERVATION_NOT_EMPTY && rsv);
	CHECK(pmem2_map_delete(&maps[1]) == 0);
	CHECK(pmem2_vm_reservation_shrink(rsv, SIZE, SIZE) == 0);
	CHECK(pmem2_vm_reservation_extend(rsv, PAGE) == 0);
	CHECK(pmem2_vm_reservation_get_size(rsv) == SIZE + PAGE);
	CHECK(pmem2_map_delete(&maps[0]) == 0);
	CHECK(pmem2_vm_reservation_delete(&rsv) == 0 && !rsv);
	CHECK(pmem2_config_delete(&cfg) == 0);
}

static void check_existing(const struct pmem2_source *src)
{
	char *memory = (char *)malloc(100);
	struct pmem2_map *again;
	struct pmem2_map *map;

	CHECK(pmem2_map_from_existing(&map, src, memory, 100, PMEM2_GRANULARITY_CACHE_LINE) == 0);
	CHECK(pmem2_map_get_address(map) == memory && pmem2_map_get_size(map) == 100);
	CHECK(pmem2_map_from_existing(&again, src, memory + 99, 1, PMEM2_GRANULARITY_PAGE) ==
	      PMEM2_E_MAP_EXISTS);
	CHECK(pmem2_get_memset_fn(map)(memory, 'y', 100, 0) == memory);
	CHECK(memory[0] == 'y' && memory[99] == 'y');
	pmem2_get_persist_fn(map)(memory, 100);
	CHECK(pmem2_map_delete(&map) == 0 && !map);
	free(memory);
}

static void check_device(struct pmem2_source *src)
{
	struct pmem2_badblock_context *context;
	struct pmem2_badblock block;
	char text[9] = "mc safe";

	CHECK(pmem2_source_pwrite_mcsafe(src, text, 8, 4096) == 0);
	memset(text, 0, sizeof(text));
	CHECK(pmem2_source_pread_mcsafe(src, text, 8, 4096) == 0);
	CHECK(strcmp(text, "mc safe") == 0);
	CHECK(pmem2_source_pread_mcsafe(src, text, 8, SIZE) == PMEM2_E_LENGTH_OUT_OF_RANGE);
	CHECK(pmem2_badblock_context_new(&context, src) == 0);
	CHECK(pmem2_badblock_next(context, &block) == PMEM2_E_NO_BAD_BLOCK_FOUND);
	pmem2_badblock_context_delete(&context);
	CHECK(!context);
}

int main(int argc, char **argv)
{
	struct pmem2_source *src;
	int fd;

	CHECK(argc == 3);
	check_origin(argv[1]);
	fd = open(argv[2], O_RDWR | O_CREAT | O_TRUNC, 0600);
	CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
	src = source_of(fd);
	check_errors(src);
	check_map(src, fd);
	check_reservation(src);
	check_existing(src);
	check_device(src);
	CHECK(pmem2_source_delete(&src) == 0 && !src);
	close(fd);
	return 0;
}
