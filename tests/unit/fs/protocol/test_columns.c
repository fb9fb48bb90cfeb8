/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_columns.c - facts of a mapping as fields of a line
 */
#include "libpmem2fs.h"
#include "protocol/columns.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct document_process owner = {
	.pid = 12, .comm = "a\tb", .exe = "/\xff\\\n", .started = 1000000000};
static const struct document_process stranger = {.pid = 4194304};
static const struct extents parts = {.count = 2, .list = {{0, 4096}, {8192, 100}}};
static const struct extents nothing;
static const struct pmem2fs_device device = {.namespace_name = "namespace0.0",
					     .persistence_domain = "cpu_cache"};
static const struct pmem2fs_record file = {
	.length = 16384,
	.offset = UINT64_MAX,
	.source_dev = 259 << 8 | 1,
	.source_inode = UINT64_MAX,
	.uid = 4294967294,
	.source_type = PMEM2FS_SOURCE_FSDAX,
	.granularity = PMEM2_GRANULARITY_PAGE,
	.flags = PMEM2FS_RECORD_MAP_SYNC,
};
static const struct pmem2fs_record node = {
	.length = 4096,
	.source_dev = 5,
	.source_rdev = 252 << 8 | 3,
	.source_inode = 7,
	.source_type = PMEM2FS_SOURCE_DEVDAX,
};
static const struct pmem2fs_record anonymous = {.length = 1,
						.source_type = PMEM2FS_SOURCE_ANONYMOUS};

static const struct document known = {
	.name = "n\x1f\xc3\xa9",
	.state = "partial",
	.extents = &parts,
	.origin = ORIGIN_PUBLISHED,
	.record = &file,
	.owner = &owner,
	.path = "/mnt/a b",
	.deleted = true,
	.device = &device,
};
static const struct document unknown = {
	.name = "u",
	.state = "active",
	.pending = true,
	.origin = ORIGIN_OBSERVED,
	.record = &file,
	.owner = &stranger,
};
static const struct document dax_node = {
	.name = "d",
	.state = "active",
	.extents = &nothing,
	.origin = ORIGIN_OBSERVED,
	.record = &node,
	.owner = &owner,
	.device = &device,
};
static const struct document memory = {
	.name = "m",
	.state = "lost",
	.origin = ORIGIN_PMEM2FS,
	.record = &anonymous,
	.owner = &owner,
};

static const struct {
	const char *column, *known, *unknown, *node, *memory;
} columns[] = {
	{"name", "n\\x1f\xc3\xa9", "u", "d", "m"},
	{"errno", "\\-", "\\-", "\\-", "\\-"},
	{"state", "partial", "active", "active", "lost"},
	{"pending", "\\-", "true", "\\-", "\\-"},
	{"origin", "published", "observed", "observed", "pmem2fs"},
	{"length", "16384", "16384", "4096", "1"},
	{"mapped", "4196", "16384", "0", "1"},
	{"extents", "0+4096,8192+100", "\\-", "", "\\-"},
	{"granularity", "page", "\\N", "byte", "byte"},
	{"map_sync", "true", "\\N", "true", "false"},
	{"created", "1970-01-01T00:00:00.000000000Z", "\\N", "\\N",
	 "1970-01-01T00:00:00.000000000Z"},
	{"owner.pid", "12", "4194304", "12", "12"},
	{"owner.comm", "a\\x09b", "\\N", "a\\x09b", "a\\x09b"},
	{"owner.exe", "/\xff\\x5c\\x0a", "\\N", "/\xff\\x5c\\x0a", "/\xff\\x5c\\x0a"},
	{"owner.cgroup", "\\N", "\\N", "\\N", "\\N"},
	{"owner.started", "1970-01-01T00:00:01.000000000Z", "\\N", "1970-01-01T00:00:01.000000000Z",
	 "1970-01-01T00:00:01.000000000Z"},
	{"owner.uid", "4294967294", "4294967294", "0", "0"},
	{"source.type", "fsdax", "fsdax", "devdax", "anonymous"},
	{"source.path", "/mnt/a b", "\\N", "\\N", "\\-"},
	{"source.deleted", "true", "\\-", "\\-", "\\-"},
	{"source.offset", "18446744073709551615", "18446744073709551615", "0", "\\-"},
	{"source.dev", "259:1", "259:1", "252:3", "\\-"},
	{"source.inode", "18446744073709551615", "18446744073709551615", "7", "\\-"},
	{"device.namespace", "namespace0.0", "\\-", "namespace0.0", "\\-"},
};

#define COLUMNS (sizeof(columns) / sizeof(columns[0]))

static void expect_line(const struct document *document, const struct column *const *wanted,
			size_t count, int error, const char *expected)
{
	struct text_buffer out = {0};

	columns_put_line(wanted, count, document, error, &out);
	text_buffer_put_byte(&out, '\0');
	assert_false(out.failed);
	assert_string_equal(out.bytes, expected);
	free(out.bytes);
}

static void each_column_has_its_fact(void **state)
{
	(void)state;
	for (size_t i = 0; i < COLUMNS; i++) {
		const struct column *column = column_find(columns[i].column);
		const char *const texts[] = {columns[i].known, columns[i].unknown, columns[i].node,
					     columns[i].memory};
		const struct document *const documents[] = {&known, &unknown, &dax_node, &memory};

		assert_non_null(column);
		for (size_t j = 0; j < 4; j++) {
			char expected[128];

			snprintf(expected, sizeof(expected), "%s\n", texts[j]);
			expect_line(documents[j], &column, 1, 0, expected);
		}
	}
	assert_null(column_find("owner"));
	assert_null(column_find(""));
}

static void a_line_has_a_field_for_each_column(void **state)
{
	const struct column *const wanted[] = {column_find("errno"), column_find("name"),
					       column_find("length"), column_find("name")};

	(void)state;
	expect_line(&unknown, wanted, 4, 0, "\\-\tu\t16384\tu\n");
	expect_line(&unknown, wanted, 4, EACCES, "13\tu\t\\-\tu\n");
	expect_line(&unknown, wanted, 1, 0, "\\-\n");
}

/* A line, without its newline, in which the backslashes of JSON are escaped. */
static void the_document_is_one_field(void **state)
{
	const struct column *column = column_find("document");
	struct text_buffer line = {0}, out = {0};
	size_t at = 0;

	(void)state;
	document_render_line(&known, &line);
	columns_put_line(&column, 1, &known, 0, &out);
	for (size_t i = 0; i < line.length; i++) {
		if (line.bytes[i] == '\\') {
			assert_memory_equal(out.bytes + at, "\\x5c", 4);
			at += 4;
		} else {
			assert_int_equal(out.bytes[at++], line.bytes[i]);
		}
	}
	assert_int_equal(at, out.length);
	free(line.bytes);
	free(out.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_column_has_its_fact),
		cmocka_unit_test(a_line_has_a_field_for_each_column),
		cmocka_unit_test(the_document_is_one_field),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
