/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_defect.c - defects of libpmem2
 *
 * Each case prints one result that this library must have and Debian's has not; those of a race
 * only print whether it happened within a number of attempts.
 */
#include "compare.h"
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define ATTEMPTS 20000

static atomic_bool stop;
static atomic_ulong seen;

/*
 * Maps memory, in pieces as large as the file; each must stay mapped and keep its contents until it
 * is unmapped.
 */
static void *map_pages(void *unused)
{
	int mark = memfd_create("mark", 0);
	char *pages[32];
	char byte;
	size_t i;

	(void)unused;
	NEED(mark >= 0 && pwrite(mark, "m", 1, 0) == 1);
	while (!stop) {
		for (i = 0; i < COUNT(pages); i++) {
			pages[i] = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
					MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (pages[i] == MAP_FAILED || pread(mark, pages[i], 1, 0) != 1)
				seen++;
		}
		/* by system calls: those raise no signal where nothing is mapped */
		for (i = 0; i < COUNT(pages); i++) {
			if (pwrite(mark, pages[i], 1, 1) != 1 || pread(mark, &byte, 1, 1) != 1 ||
			    byte != 'm')
				seen++;
			munmap(pages[i], 2 * MIB);
		}
	}
	close(mark);
	return NULL;
}

/* Opens a file by a relative name. */
static void *open_here(void *unused)
{
	(void)unused;
	while (!stop) {
		int fd = open("here", O_RDONLY);

		if (fd < 0)
			seen++;
		else
			close(fd);
	}
	return NULL;
}

static void map_while(void *(*other)(void *))
{
	struct pmem2_source *src = new_source(new_file(2 * MIB));
	struct pmem2_config *cfg = new_config();
	pthread_t thread;
	unsigned i;

	NEED(pthread_create(&thread, NULL, other, NULL) == 0);
	for (i = 0; i < ATTEMPTS && !seen; i++) {
		struct pmem2_map *map;

		if (lib.map_new(&map, cfg, src))
			seen++;
		else
			lib.map_delete(&map);
	}
	stop = true;
	pthread_join(thread, NULL);
}

static void others_mappings(void)
{
	map_while(map_pages);
	print_value("another thread's mapping was lost", "%d", seen > 0);
}

static void working_directory(void)
{
	NEED(chdir(folder_of(place)) == 0);
	close(open("here", O_CREAT | O_RDWR, 0600));
	map_while(open_here);
	unlink("here");
	print_value("another thread's relative open failed", "%d", seen > 0);
}

static void existing_of_nothing(void)
{
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *map = NULL;

	if (CALL(lib.map_from_existing(&map, src, (void *)0x10000, 0, PMEM2_GRANULARITY_PAGE)) == 0)
		CALL(lib.map_delete(&map));
	print_value("an object that cannot be deleted", "%d", !!map);
}

static void existing_granularity(void)
{
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *map = NULL;

	CALL(lib.map_from_existing(&map, src, (void *)0x10000, 1, (enum pmem2_granularity)3));
}

static void existing_at_null(void)
{
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *map = NULL;

	CALL(lib.map_from_existing(&map, src, NULL, 1, PMEM2_GRANULARITY_PAGE));
}

static void existing_beyond(void)
{
	struct pmem2_source *src = new_anon(PAGE);
	struct pmem2_map *map = NULL;

	CALL(lib.map_from_existing(&map, src, (void *)-PAGE, 2 * PAGE, PMEM2_GRANULARITY_PAGE));
}

/* A page flush of memory that the program mapped returns. */
static void existing_page_flush(void)
{
	int fd = new_file(PAGE);
	char *address = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	struct pmem2_map *map;

	NEED(address != MAP_FAILED);
	NEED(lib.map_from_existing(&map, new_source(fd), address, PAGE, PMEM2_GRANULARITY_PAGE) ==
	     0);
	strcpy(address, "text");
	alarm(2);
	lib.get_persist_fn(map)(address, 5);
	print_value("flushed", "%s", address);
}

static void reservation_of_nothing(void)
{
	struct pmem2_vm_reservation *rsv = NULL;

	CALL(lib.vm_reservation_new(&rsv, NULL, 0));
	CALL(lib.vm_reservation_delete(&rsv));
	print_value("a reservation that cannot be deleted", "%d", !!rsv);
}

/* One page that begins before the reservation. */
static void reservation_map_before(void)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_vm_reservation *rsv;
	struct pmem2_map *map = NULL;

	NEED(lib.vm_reservation_new(&rsv, NULL, 2 * MIB) == 0);
	NEED(lib.config_set_vm_reservation(cfg, rsv, -PAGE) == 0);
	CALL(lib.map_new(&map, cfg, new_anon(PAGE)));
	print_value("mapped outside of the reservation", "%d", !!map);
}

/* A size that wraps around. */
static void reservation_extend_beyond(void)
{
	struct pmem2_vm_reservation *rsv;

	NEED(lib.vm_reservation_new(&rsv, NULL, 2 * MIB) == 0);
	CALL(lib.vm_reservation_extend(rsv, -PAGE));
	print_value("size", "%#zx", lib.vm_reservation_get_size(rsv));
}

static size_t address_space(void)
{
	unsigned long pages;
	FILE *file = fopen("/proc/self/statm", "re");

	NEED(file && fscanf(file, "%lu", &pages) == 1);
	fclose(file);
	return pages * PAGE;
}

static void reservation_leak(void)
{
	struct pmem2_vm_reservation *rsv;
	size_t before;
	unsigned i;

	for (i = 0; i <= 100; i++) {
		NEED(lib.vm_reservation_new(&rsv, NULL, 2 * MIB) == 0);
		NEED(lib.vm_reservation_delete(&rsv) == 0);
		if (i == 0)
			before = address_space();
	}
	print_value("leaks address space", "%d", address_space() > before + 50 * MIB);
}

static void reservation_fitting(void)
{
	struct pmem2_vm_reservation *rsv = NULL;
	char *address = mmap(NULL, 12 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(address != MAP_FAILED);
	address += 2 * MIB - (uintptr_t)address % (2 * MIB);
	NEED(munmap(address, 8 * MIB) == 0);
	CALL(lib.vm_reservation_new(&rsv, address, 8 * MIB));
}

static void mcsafe_underflow(void)
{
	struct pmem2_source *src = new_source(new_file(PAGE));
	char buffer[16] = "untouched";

	CALL(lib.source_pread_mcsafe(src, buffer, 8, 2 * PAGE));
	print_value("buffer", "%s", buffer);
	CALL(lib.source_pwrite_mcsafe(src, buffer, 8, 2 * PAGE));
}

static void failed_usc(void)
{
	struct pmem2_source *src = new_source(new_file(PAGE));
	uint64_t usc = 42;

	CALL(lib.source_device_usc(src, &usc));
	print_value("count", "%lu", usc);
}

static void id_behind_text(void)
{
	struct pmem2_source *src = new_source(new_file(PAGE));
	char id[1024] = "text";
	size_t length = sizeof(id);

	if (CALL(lib.source_device_id(src, id, &length)) == 0)
		print_value("appended", "%d", !strncmp(id, "text", 4));
}

static void delete_null(void)
{
	struct pmem2_map *map = NULL;

	CALL(lib.map_delete(&map));
}

/* By another pointer to the object. */
static void delete_twice(void)
{
	struct pmem2_map *map = new_map(new_config(), new_source(new_file(PAGE)));
	struct pmem2_map *stale = map;

	CALL(lib.map_delete(&map));
	about("again");
	CALL(lib.map_delete(&stale));
	print_value("pointer", "%s", stale ? "kept" : "NULL");
}

static void getters_of_deleted(void)
{
	struct pmem2_map *map = new_map(new_config(), new_source(new_file(PAGE)));
	struct pmem2_map *stale = map;

	NEED(lib.map_delete(&map) == 0);
	print_value("address", "%d", lib.map_get_address(stale) != NULL);
	print_value("size", "%zu", lib.map_get_size(stale));
}

static void wild_pointer(void)
{
	struct pmem2_map *map = (struct pmem2_map *)0x123456;

	print_value("size", "%zu", lib.map_get_size(map));
	CALL(lib.map_delete(&map));
}

#define NULL_CASE(name, call)                                                                      \
	static void null_##name(void)                                                              \
	{                                                                                          \
		CALL(call);                                                                        \
	}

NULL_CASE(source, lib.source_from_fd(NULL, 0))
NULL_CASE(size, lib.source_size(NULL, NULL))
NULL_CASE(config, lib.config_new(NULL))
NULL_CASE(setting, lib.config_set_length(NULL, 0))
NULL_CASE(mapping, lib.map_new(NULL, NULL, NULL))
NULL_CASE(reservation, lib.vm_reservation_new(NULL, NULL, PAGE))

/* A page flush of a range that the program has unmapped by itself. */
static void flush_unmapped(void)
{
	struct pmem2_config *cfg = new_config();
	struct pmem2_map *map;
	char *address;

	setenv("PMEM2_FORCE_GRANULARITY", "PAGE", 1);
	map = new_map(cfg, new_source(new_file(4 * PAGE)));
	address = lib.map_get_address(map);
	NEED(munmap(address + PAGE, PAGE) == 0);
	lib.get_persist_fn(map)(address, 4 * PAGE);
	print_value("flushed", "1");
}

/* The source's descriptor number belongs to another file now. */
static void reused_descriptor(void)
{
	int fd = new_file(2 * PAGE);
	struct pmem2_source *src = new_source(fd);
	int other = new_file(3 * PAGE);
	size_t size = 0;

	NEED(dup2(other, fd) == fd);
	CALL(lib.source_size(src, &size));
	print_value("size", "%zu", size);
}

static void err_to_errno(void)
{
	print_value("pmem2_err_to_errno is there", "%d", has_function("pmem2_err_to_errno"));
}

const struct test_case defect_cases[] = {
	{.name = "others_mappings", .run = others_mappings, .places = AT(DISK)},
	{.name = "working_directory", .run = working_directory, .places = ANY_FILE},
	{.name = "existing_of_nothing", .run = existing_of_nothing, .places = AT(NOWHERE)},
	{.name = "existing_granularity", .run = existing_granularity, .places = AT(NOWHERE)},
	{.name = "existing_at_null", .run = existing_at_null, .places = AT(NOWHERE)},
	{.name = "existing_beyond", .run = existing_beyond, .places = AT(NOWHERE)},
	{.name = "existing_page_flush", .run = existing_page_flush, .places = AT(TMPFS)},
	{.name = "reservation_of_nothing", .run = reservation_of_nothing, .places = AT(NOWHERE)},
	{.name = "reservation_map_before", .run = reservation_map_before, .places = AT(NOWHERE)},
	{.name = "reservation_extend_beyond",
	 .run = reservation_extend_beyond,
	 .places = AT(NOWHERE)},
	{.name = "reservation_leak", .run = reservation_leak, .places = AT(NOWHERE)},
	{.name = "reservation_fitting", .run = reservation_fitting, .places = AT(NOWHERE)},
	{.name = "mcsafe_underflow", .run = mcsafe_underflow, .places = ANY_FILE},
	{.name = "failed_usc", .run = failed_usc, .places = ANY_FILE},
	{.name = "id_behind_text", .run = id_behind_text, .places = ANY_SOURCE},
	{.name = "delete_null", .run = delete_null, .places = AT(NOWHERE)},
	{.name = "delete_twice", .run = delete_twice, .places = AT(TMPFS)},
	{.name = "getters_of_deleted", .run = getters_of_deleted, .places = AT(TMPFS)},
	{.name = "wild_pointer", .run = wild_pointer, .places = AT(NOWHERE)},
	{.name = "null_source", .run = null_source, .places = AT(NOWHERE)},
	{.name = "null_size", .run = null_size, .places = AT(NOWHERE)},
	{.name = "null_config", .run = null_config, .places = AT(NOWHERE)},
	{.name = "null_setting", .run = null_setting, .places = AT(NOWHERE)},
	{.name = "null_mapping", .run = null_mapping, .places = AT(NOWHERE)},
	{.name = "null_reservation", .run = null_reservation, .places = AT(NOWHERE)},
	{.name = "flush_unmapped", .run = flush_unmapped, .places = AT(TMPFS)},
	{.name = "reused_descriptor", .run = reused_descriptor, .places = AT(TMPFS)},
	{.name = "err_to_errno", .run = err_to_errno, .places = AT(NOWHERE)},
	{0},
};
