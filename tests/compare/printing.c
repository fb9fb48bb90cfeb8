/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * printing.c - functions for cases: making objects and printing results
 *
 * Owns the loaded library and the transcript, which is standard output: lines of a key, a tab and a
 * value. Nothing in a value may depend on where the kernel placed something.
 */
#include "compare.h"
#include <inttypes.h>
#include <stdarg.h>

struct library lib;
enum place place;

static char topic[256];
static char known_message[256];

#define ERROR(name)                                                                                \
	{                                                                                          \
		PMEM2_E_##name, "PMEM2_E_" #name                                                   \
	}

static const struct {
	int error;
	const char *name;
} errors[] = {
	ERROR(UNKNOWN),
	ERROR(NOSUPP),
	ERROR(FILE_HANDLE_NOT_SET),
	ERROR(INVALID_FILE_HANDLE),
	ERROR(INVALID_FILE_TYPE),
	ERROR(MAP_RANGE),
	ERROR(MAPPING_EXISTS),
	ERROR(GRANULARITY_NOT_SET),
	ERROR(GRANULARITY_NOT_SUPPORTED),
	ERROR(OFFSET_OUT_OF_RANGE),
	ERROR(OFFSET_UNALIGNED),
	ERROR(INVALID_ALIGNMENT_FORMAT),
	ERROR(INVALID_ALIGNMENT_VALUE),
	ERROR(INVALID_SIZE_FORMAT),
	ERROR(LENGTH_UNALIGNED),
	ERROR(MAPPING_NOT_FOUND),
	ERROR(BUFFER_TOO_SMALL),
	ERROR(SOURCE_EMPTY),
	ERROR(INVALID_SHARING_VALUE),
	ERROR(SRC_DEVDAX_PRIVATE),
	ERROR(INVALID_ADDRESS_REQUEST_TYPE),
	ERROR(ADDRESS_UNALIGNED),
	ERROR(ADDRESS_NULL),
	ERROR(DEEP_FLUSH_RANGE),
	ERROR(INVALID_REGION_FORMAT),
	ERROR(DAX_REGION_NOT_FOUND),
	ERROR(INVALID_DEV_FORMAT),
	ERROR(CANNOT_READ_BOUNDS),
	ERROR(NO_BAD_BLOCK_FOUND),
	ERROR(LENGTH_OUT_OF_RANGE),
	ERROR(INVALID_PROT_FLAG),
	ERROR(NO_ACCESS),
	ERROR(VM_RESERVATION_NOT_EMPTY),
	ERROR(MAP_EXISTS),
	ERROR(FILE_DESCRIPTOR_NOT_SET),
	ERROR(SOURCE_TYPE_NOT_SUPPORTED),
	ERROR(IO_FAIL),
};

static const char *error_name(int error)
{
	static char text[32];
	const char *name;
	size_t i;

	for (i = 0; i < COUNT(errors); i++)
		if (errors[i].error == error)
			return errors[i].name;
	name = error < 0 && error > PMEM2_E_UNKNOWN ? strerrorname_np(-error) : NULL;
	if (name)
		snprintf(text, sizeof(text), "-%s", name);
	else
		snprintf(text, sizeof(text), "%d", error);
	return text;
}

const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder_of(place), name);
	return path;
}

int new_file(size_t size)
{
	const char *path;
	int fd;

	if (place == DEVDAX) {
		fd = open(folder_of(place), O_RDWR);
		NEED(fd >= 0);
		return fd;
	}
	path = path_of("file");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
	NEED(fd >= 0 && unlink(path) == 0 && ftruncate(fd, (off_t)size) == 0);
	return fd;
}

char *hole(size_t size)
{
	char *address = mmap(NULL, size + 4 * MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(address != MAP_FAILED);
	address += 2 * MIB - (uintptr_t)address % (2 * MIB);
	NEED(munmap(address, size) == 0);
	return address;
}

void about(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(topic, sizeof(topic), format, args);
	va_end(args);
}

void print_value(const char *what, const char *format, ...)
{
	va_list args;

	printf("%s%s%s\t", topic, *topic ? " " : "", what);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	/* a result that is not written before the library crashes would be lost */
	fflush(stdout);
}

/* The message cannot be cleared: makes a known one. */
void before_call(void)
{
	static struct pmem2_config *cfg;

	if (!cfg)
		NEED(lib.config_new(&cfg) == 0);
	NEED(lib.config_set_protection(cfg, 1) == PMEM2_E_INVALID_PROT_FLAG);
	snprintf(known_message, sizeof(known_message), "%s", lib.errormsg());
	errno = 0;
}

int print_result(const char *call, int error)
{
	bool another = error < 0 && error > PMEM2_E_UNKNOWN && errno != -error;
	char text[512];
	bool set = strncmp(known_message, lib.errormsg(), sizeof(known_message) - 1) != 0;

	if (!strncmp(call, "lib.", 4))
		call += 4;
	if (error < 0 && set) {
		snprintf(text, sizeof(text), "%s text", call);
		print_value(text, "%s", lib.errormsg());
	}
	/* a success may leave any message */
	if (error < 0)
		print_value(call, "%s, %s%s", error_name(error), set ? "message" : "no message",
			    another ? ", another errno" : "");
	else
		print_value(call, "%d", error);
	return error;
}

void print_areas(const char *what, const void *address, size_t length)
{
	uintptr_t at = (uintptr_t)address;
	uintptr_t end = (at + length + PAGE - 1) & -PAGE;
	char text[512] = "";
	char line[512];
	size_t used = 0;
	FILE *maps = fopen("/proc/self/maps", "re");

	NEED(maps);
	while (at < end && used < sizeof(text) && fgets(line, sizeof(line), maps)) {
		uintptr_t from;
		uintptr_t to;
		char perms[5];
		uint64_t offset;
		uint64_t inode;

		NEED(sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %4s %" SCNx64 " %*s %" SCNu64, &from,
			    &to, perms, &offset, &inode) == 5);
		if (to <= at)
			continue;
		if (from >= end)
			break;
		if (from > at)
			used += (size_t)snprintf(text + used, sizeof(text) - used, "hole %#zx; ",
						 (size_t)(from - at));
		else
			offset += at - from;
		if (from < at)
			from = at;
		if (to > end)
			to = end;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %#zx", perms,
					 (size_t)(to - from));
		if (inode && used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, " of %#" PRIx64,
						 offset);
		if (used < sizeof(text))
			used += (size_t)snprintf(text + used, sizeof(text) - used, "; ");
		at = to;
	}
	fclose(maps);
	if (at < end && used < sizeof(text))
		snprintf(text + used, sizeof(text) - used, "hole %#zx", (size_t)(end - at));
	print_value(what, "%s", text);
}

void die(const char *file, int line, const char *condition)
{
	fprintf(stderr, "%s:%d: needed: %s (errno %d, %s)\n", file, line, condition, errno,
		lib.errormsg ? lib.errormsg() : "");
	fflush(stdout);
	_exit(99);
}

struct pmem2_source *new_source(int fd)
{
	struct pmem2_source *src;

	NEED(lib.source_from_fd(&src, fd) == 0);
	return src;
}

struct pmem2_source *new_anon(size_t size)
{
	struct pmem2_source *src;

	NEED(lib.source_from_anon(&src, size) == 0);
	return src;
}

struct pmem2_config *new_config(void)
{
	struct pmem2_config *cfg;

	NEED(lib.config_new(&cfg) == 0);
	NEED(lib.config_set_required_store_granularity(cfg, PMEM2_GRANULARITY_PAGE) == 0);
	return cfg;
}

struct pmem2_map *new_map(const struct pmem2_config *cfg, const struct pmem2_source *src)
{
	struct pmem2_map *map;

	NEED(lib.map_new(&map, cfg, src) == 0);
	return map;
}
