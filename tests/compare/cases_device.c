/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cases_device.c - the device below a source: device facts, bad blocks, safe reads and writes
 */
#include "compare.h"
#include <sys/stat.h>

static struct pmem2_source *source_here(size_t size)
{
	return place == NOWHERE ? new_anon(size) : new_source(new_file(size));
}

static void facts(void)
{
	struct pmem2_source *src = source_here(4 * MIB);
	struct pmem2_badblock_context *context = (struct pmem2_badblock_context *)16;
	struct pmem2_badblock block = {77, 78};
	char id[1024] = "";
	uint64_t usc = 77;
	size_t length = 77;
	size_t needed;
	int node = 77;

	if (CALL(lib.source_numa_node(src, &node)) == 0)
		print_value("numa node", "%d", node);
	if (CALL(lib.source_device_usc(src, &usc)) == 0)
		print_value("count", "%lu", usc);
	CALL(lib.source_device_id(src, NULL, &length));
	print_value("length", "%zu", length);
	needed = length;
	length = sizeof(id);
	if (CALL(lib.source_device_id(src, id, &length)) == 0) {
		print_value("id", "%s", id);
		about("length as needed");
		memset(id, 0, sizeof(id));
		length = needed;
		CALL(lib.source_device_id(src, id, &length));
		print_value("id", "%s", id);
		about("one byte short");
		memset(id, 0, sizeof(id));
		length = needed - 1;
		CALL(lib.source_device_id(src, id, &length));
		about("no room");
		length = 0;
		CALL(lib.source_device_id(src, id, &length));
		about("%s", "");
	}
	if (CALL(lib.badblock_context_new(&context, src)) == 0) {
		CALL(lib.badblock_next(context, &block));
		print_value("block", "%zu +%zu", block.offset, block.length);
		CALL(lib.badblock_next(context, &block));
		lib.badblock_context_delete(&context);
		print_value("context after", "%d", !!context);
		lib.badblock_context_delete(&context);
	} else {
		print_value("context", "%s",
			    context == (struct pmem2_badblock_context *)16 ? "stale"
			    : context                                      ? "set"
									   : "NULL");
	}
}

static void facts_of_closed(void)
{
	int fd = new_file(4 * MIB);
	struct pmem2_source *src = new_source(fd);
	struct pmem2_badblock_context *context = (struct pmem2_badblock_context *)16;
	uint64_t usc;
	size_t length;
	int node;

	close(fd);
	CALL(lib.source_numa_node(src, &node));
	CALL(lib.source_device_usc(src, &usc));
	CALL(lib.source_device_id(src, NULL, &length));
	CALL(lib.badblock_context_new(&context, src));
}

/* Clearing in a file that has no bad blocks. */
static void clear(void)
{
	static const struct pmem2_badblock blocks[] = {
		{0, 4096},
		{4096, 8192},
		{0, 0},
		{100, 100},
		{65536, 4096},
		{4 * MIB, 4096},
		{4 * MIB - 4096, 8192},
		{(size_t)INT64_MAX + 1, 4096},
		{0, (size_t)INT64_MAX + 1},
		{INT64_MAX, INT64_MAX},
		{SIZE_MAX, SIZE_MAX},
	};
	unsigned char bytes[64 * 1024];
	size_t i;

	for (i = 0; i < COUNT(blocks); i++) {
		int fd = new_file(4 * MIB);
		struct pmem2_source *src = new_source(fd);
		struct pmem2_badblock_context *context;
		struct stat st;
		size_t kept = 0;
		size_t j;

		memset(bytes, 'x', sizeof(bytes));
		NEED(pwrite(fd, bytes, sizeof(bytes), 0) == sizeof(bytes));
		NEED(lib.badblock_context_new(&context, src) == 0);
		about("%#zx +%#zx", blocks[i].offset, blocks[i].length);
		CALL(lib.badblock_clear(context, &blocks[i]));
		NEED(pread(fd, bytes, sizeof(bytes), 0) == sizeof(bytes) && fstat(fd, &st) == 0);
		for (j = 0; j < sizeof(bytes); j++)
			kept += bytes[j] == 'x';
		print_value("kept", "%zu", kept);
		print_value("size", "%zu", (size_t)st.st_size);
		lib.badblock_context_delete(&context);
		lib.source_delete(&src);
		close(fd);
	}
}

static void safe_copies(void)
{
	static const size_t offsets[] = {0, 1, 511, 512, 4096, 4999, 5000};
	static const size_t lengths[] = {0, 1, 2, 511, 512, 4096, 5000, 5001, SIZE_MAX / 4};
	struct pmem2_source *src = source_here(5000);
	unsigned char *buffer = malloc(8192);
	bool node = place == DEVDAX;
	size_t i;
	size_t j;
	size_t k;

	/* each access to a node takes long */
	for (i = 0; i < COUNT(offsets); i += node ? 3 : 1)
		for (j = 0; j < COUNT(lengths); j += node ? 2 : 1) {
			unsigned sum = 0;

			/* a node is larger than the buffer */
			if (node && lengths[j] > 5000 && lengths[j] < SIZE_MAX / 4)
				continue;
			about("offset %zu, length %zu", offsets[i], lengths[j]);
			for (k = 0; k < 8192; k++)
				buffer[k] = (unsigned char)(k * (i + j));
			CALL(lib.source_pwrite_mcsafe(src, buffer, lengths[j], offsets[i]));
			memset(buffer, 'z', 8192);
			CALL(lib.source_pread_mcsafe(src, buffer, lengths[j], offsets[i]));
			for (k = 0; k < 8192; k++)
				sum = sum * 31 + buffer[k];
			print_value("read", "%x", sum);
		}
	if (place == NOWHERE)
		return;
	about("at the end");
	{
		size_t size;

		NEED(lib.source_size(src, &size) == 0);
		CALL(lib.source_pread_mcsafe(src, buffer, 1, size));
		CALL(lib.source_pread_mcsafe(src, buffer, 1, size - 1));
		CALL(lib.source_pread_mcsafe(src, buffer, 0, size));
		CALL(lib.source_pread_mcsafe(src, buffer, 2, size - 1));
		CALL(lib.source_pwrite_mcsafe(src, buffer, 2, size - 1));
	}
}

static void safe_copies_modes(void)
{
	static const int modes[] = {O_RDONLY, O_RDWR | O_APPEND, O_PATH};
	char name[64];
	char buffer[100] = "contents";
	size_t i;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", new_file(5000));
	for (i = 0; i < COUNT(modes); i++) {
		struct pmem2_source *src = new_source(open(name, modes[i]));

		about("flags %o", (unsigned)modes[i]);
		CALL(lib.source_pwrite_mcsafe(src, buffer, 9, 0));
		CALL(lib.source_pread_mcsafe(src, buffer, 9, 0));
	}
}

const struct test_case device_cases[] = {
	{.name = "device_facts",
	 .run = facts,
	 .places = AT(NOWHERE) | ANY_SOURCE,
	 .unprivileged = true},
	{.name = "device_facts_of_closed", .run = facts_of_closed, .places = ANY_FILE},
	{.name = "badblock_clear", .run = clear, .places = ANY_FILE},
	{.name = "mcsafe", .run = safe_copies, .places = AT(NOWHERE) | ANY_SOURCE},
	{.name = "mcsafe_modes", .run = safe_copies_modes, .places = ANY_FILE},
	{0},
};
