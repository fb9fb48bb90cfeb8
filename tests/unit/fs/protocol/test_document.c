// SPDX-License-Identifier: BSD-3-Clause
/*
 * test_document.c - rendering metadata documents
 *
 * documents/NAME.json is what the case NAME must give, byte for byte; the test "schema" checks
 * those files against the schema. `test_document NAME` prints the rendered document.
 */
#include "base/json_text.h"
#include "protocol/document.h"
#include "protocol/request.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* makedev() of small numbers, as a constant. */
#define DEV(major, minor) ((major) << 8 | (minor))

#define CREATED UINT64_C(1795168800123456789)

static struct document_process keeper = {
	.pid = 812,
	.comm = "pmem2fs",
	.exe = "/usr/bin/pmem2fs",
	.cgroup = "/system.slice/pmem2fs.service",
	.started = UINT64_C(1795168799000000001),
};
static const struct document_process stranger = {.pid = 4194304};
static struct document_process odd_owner = {
	.pid = 1,
	.comm = "a\\b",
	.exe = "/\xff",
	.cgroup = "/system-serial\\x2dgetty.slice",
	.started = UINT64_C(1000000000),
};

static const struct document_process active_owner = {
	.pid = 1,
	.comm = "\xc2\x85",
	.exe = "/\xe2\x80\xaa",
	.cgroup = "/\x07",
	.started = UINT64_C(1000000000),
};

static const struct pmem2fs_record fsdax_record = {
	.address = 0x7f5a40000000,
	.length = 67108864,
	.source_size = 67108864,
	.source_dev = DEV(259, 0),
	.source_inode = 131,
	.created = CREATED,
	.alignment = 4096,
	.source_type = PMEM2FS_SOURCE_FSDAX,
	.granularity = PMEM2_GRANULARITY_CACHE_LINE,
	.required = PMEM2_GRANULARITY_PAGE,
	.protection = 3,
	.flags = PMEM2FS_RECORD_MAP_SYNC,
};
static const struct pmem2fs_device fsdax_device = {
	.namespace_name = "namespace0.0",
	.uuid = "4a3b1d8e-0000-4000-8000-0123456789ab",
	.mode = "fsdax",
	.blockdev = "pmem0",
	.region = "region0",
	.persistence_domain = "memory_controller",
	.target_node = 1,
	.unsafe_shutdowns = 7,
};
static const struct pmem2_badblock badblocks[] = {{8192, 4096}, {16384, 512}};

static const struct extents parts = {.count = 2, .list = {{0, 4096}, {8192, 4096}}};
static const struct extents nothing;

static const struct pmem2fs_record devdax_record = {
	.address = 0x7f0000000000,
	.length = 4194304,
	.offset = 2097152,
	.source_dev = DEV(0, 5),
	.source_rdev = DEV(252, 3),
	.source_inode = 420,
	.created = UINT64_C(0),
	.uid = 1000,
	.gid = 4294967294,
	.alignment = 2097152,
	.source_type = PMEM2FS_SOURCE_DEVDAX,
	.granularity = PMEM2_GRANULARITY_BYTE,
	.required = PMEM2_GRANULARITY_CACHE_LINE,
	.protection = 1,
};
static const struct pmem2fs_device devdax_device = {
	.chardev = "dax1.0",
	.mode = "devdax",
	.numa_node = PMEM2FS_UNKNOWN,
	.target_node = PMEM2FS_INAPPLICABLE,
	.unsafe_shutdowns = PMEM2FS_INAPPLICABLE,
};
/* A pmem device whose facts could not be read. */
static const struct pmem2fs_device unknown_device = {
	.blockdev = "pmem9",
	.region = "region9",
	.numa_node = PMEM2FS_UNKNOWN,
	.target_node = PMEM2FS_UNKNOWN,
	.unsafe_shutdowns = PMEM2FS_UNKNOWN,
};

static const struct pmem2fs_record file_record = {
	.address = 0x1000,
	.length = 5000,
	.source_dev = DEV(8, 17),
	.source_inode = UINT64_MAX,
	.created = UINT64_MAX,
	.alignment = 4096,
	.source_type = PMEM2FS_SOURCE_FILE,
	.granularity = PMEM2_GRANULARITY_PAGE,
	.required = PMEM2_GRANULARITY_PAGE,
	.sharing = PMEM2_PRIVATE,
	.protection = 7,
};
static const struct pmem2fs_record anonymous_record = {
	.address = 0xffffffffffff000,
	.length = 12288,
	.source_size = 99,
	.created = CREATED,
	.alignment = 4096,
	.source_type = PMEM2FS_SOURCE_ANONYMOUS,
	.granularity = PMEM2_GRANULARITY_BYTE,
	.required = PMEM2_GRANULARITY_BYTE,
	.protection = 0,
};

/* Device DAX can be mapped beyond its end. */
static const struct pmem2fs_record far_record = {
	.address = 0x7f0000000000,
	.length = 4194304,
	.offset = UINT64_MAX - 4194303,
	.source_rdev = DEV(252, 3),
	.source_inode = 420,
	.alignment = 2097152,
	.source_type = PMEM2FS_SOURCE_DEVDAX,
	.uid = 1000,
	.gid = 4294967294,
	.protection = 1,
};

static const struct test_case {
	const char *name;
	struct document document;
	/* The request that the document is when it is written back. */
	int error;
	struct request request;
} cases[] = {
	{"fsdax",
	 {.name = "log",
	  .state = "active",
	  .origin = ORIGIN_PMEM2FS,
	  .record = &fsdax_record,
	  .owner = &keeper,
	  .path = "/mnt/pmem/log",
	  .size_known = true,
	  .size = 67108864,
	  .device = &fsdax_device,
	  .badblocks_known = true,
	  .device_badblock_count = 3,
	  .badblocks = badblocks,
	  .badblock_count = 2},
	 0,
	 {.path = "/mnt/pmem/log",
	  .length = 67108864,
	  .granularity = PMEM2_GRANULARITY_PAGE,
	  .protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE}},
	{"devdax",
	 {.name = "dax",
	  .state = "poisoned",
	  .origin = ORIGIN_PUBLISHED,
	  .record = &devdax_record,
	  .owner = &stranger,
	  .path = "/dev/dax1.0",
	  .size_known = true,
	  .size = 8388608,
	  .device = &devdax_device,
	  .badblocks_known = true},
	 0,
	 {.path = "/dev/dax1.0",
	  .offset = 2097152,
	  .length = 4194304,
	  .granularity = PMEM2_GRANULARITY_CACHE_LINE,
	  .protection = PMEM2_PROT_READ}},
	{"observed",
	 {.name = "dax",
	  .state = "active",
	  .origin = ORIGIN_OBSERVED,
	  .record = &devdax_record,
	  .owner = &stranger,
	  .path = "/dev/dax1.0",
	  .size_known = true,
	  .size = 8388608,
	  .device = &fsdax_device,
	  .badblocks_known = true},
	 0,
	 {.path = "/dev/dax1.0",
	  .offset = 2097152,
	  .length = 4194304,
	  .granularity = PMEM2_GRANULARITY_PAGE,
	  .protection = PMEM2_PROT_READ}},
	{"file",
	 {.name = "a \"quoted\"\t\x01\x7f\n\xc3\xa9",
	  .state = "partial",
	  .origin = ORIGIN_PMEM2FS,
	  .record = &file_record,
	  .owner = &keeper,
	  .extents = &nothing,
	  .path = "/tmp/\xf0\x9f\x98\x80",
	  .size_known = true,
	  .size = 5000},
	 0,
	 {.path = "/tmp/\xf0\x9f\x98\x80",
	  .length = 5000,
	  .granularity = PMEM2_GRANULARITY_PAGE,
	  .sharing = PMEM2_PRIVATE,
	  .protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE | PMEM2_PROT_EXEC}},
	{"anonymous",
	 {.name = "anon",
	  .state = "active",
	  .origin = ORIGIN_PUBLISHED,
	  .record = &anonymous_record,
	  .owner = &keeper},
	 0,
	 {.anonymous = true, .length = 12288, .granularity = PMEM2_GRANULARITY_BYTE}},
	{"escaped",
	 {.name = "back\\slash\xff\xe2\x82",
	  .state = "active",
	  .origin = ORIGIN_PMEM2FS,
	  .record = &fsdax_record,
	  .owner = &odd_owner,
	  .path = "/mnt/\xed\xa0\x80\\x41",
	  .size_known = true},
	 0,
	 {.path = "/mnt/\xed\xa0\x80\\x41",
	  .length = 67108864,
	  .granularity = PMEM2_GRANULARITY_PAGE,
	  .protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE}},
	/* What terminals act on. */
	{"active",
	 {.name = "\x1b[31m\x7f\xc2\x9b\xd8\x9c\xe2\x80\x8f\xe2\x80\xae\xe2\x81\xa6",
	  .state = "active",
	  .origin = ORIGIN_PMEM2FS,
	  .record = &fsdax_record,
	  .owner = &active_owner,
	  .path = "/mnt/\n\xff\xc2\x80\xc3\xa9",
	  .size_known = true},
	 0,
	 {.path = "/mnt/\n\xff\xc2\x80\xc3\xa9",
	  .length = 67108864,
	  .granularity = PMEM2_GRANULARITY_PAGE,
	  .protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE}},
	{"deleted",
	 {.name = "deleted",
	  .state = "active",
	  .origin = ORIGIN_PMEM2FS,
	  .record = &file_record,
	  .owner = &keeper,
	  .path = "/tmp/removed",
	  .deleted = true,
	  .size_known = true,
	  .size = 5000},
	 -ENOENT,
	 {0}},
	{"partial",
	 {.name = "part",
	  .state = "partial",
	  .extents = &parts,
	  .origin = ORIGIN_PMEM2FS,
	  .record = &anonymous_record,
	  .owner = &keeper},
	 0,
	 {.anonymous = true, .length = 12288, .granularity = PMEM2_GRANULARITY_BYTE}},
	{"far",
	 {.name = "x",
	  .state = "active",
	  .origin = ORIGIN_OBSERVED,
	  .record = &far_record,
	  .owner = &stranger},
	 -EINVAL,
	 {0}},
	{"pending",
	 {.name = "x",
	  .state = "partial",
	  .extents = &parts,
	  .pending = true,
	  .origin = ORIGIN_OBSERVED,
	  .record = &fsdax_record,
	  .owner = &stranger},
	 -EINVAL,
	 {0}},
	{"unknown",
	 {.name = "x",
	  .state = "lost",
	  .origin = ORIGIN_OBSERVED,
	  .record = &fsdax_record,
	  .owner = &stranger,
	  .device = &unknown_device},
	 -EINVAL,
	 {0}},
};

#define CASES (sizeof(cases) / sizeof(cases[0]))

static void renders_the_expected_bytes(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		char path[256], expected[4096];
		size_t length, expected_length;
		char *text = document_render(&cases[i].document, &length);
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s.json", DOCUMENTS, cases[i].name);
		file = fopen(path, "r");
		assert_non_null(file);
		expected_length = fread(expected, 1, sizeof(expected) - 1, file);
		expected[expected_length] = '\0';
		fclose(file);
		assert_non_null(text);
		assert_string_equal(text, expected);
		assert_int_equal(length, expected_length);
		assert_int_equal(strlen(text), length);
		free(text);
	}
}

/* pmem2ctl turns the line that it gets into the text of the file. */
static void renders_the_same_in_one_line(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		struct text_buffer line = {0};
		size_t length;
		char *text = document_render(&cases[i].document, &length);
		char *again;
		json_t *json;

		document_render_line(&cases[i].document, &line);
		assert_false(line.failed);
		assert_ptr_equal(memchr(line.bytes, '\n', line.length),
				 line.bytes + line.length - 1);
		json = json_loadb(line.bytes, line.length, JSON_REJECT_DUPLICATES, NULL);
		again = json_text(json, JSON_INDENT(2));
		text[length - 1] = '\0';
		assert_string_equal(text, again);
		free(again);
		again = json_text(json, JSON_COMPACT);
		line.bytes[line.length - 1] = '\0';
		assert_string_equal(line.bytes, again);
		free(again);
		json_decref(json);
		free(line.bytes);
		free(text);
	}
}

/* pmem2ctl reads documents, and prints them, by json_text. */
static void is_the_same_when_printed_again(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		size_t length;
		char *text = document_render(&cases[i].document, &length);
		json_t *json;
		char *again;

		assert_non_null(text);
		json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(json);
		again = json_text(json, JSON_INDENT(2));
		assert_non_null(again);
		text[length - 1] = '\0';
		assert_string_equal(text, again);
		free(again);
		json_decref(json);
		free(text);
	}
}

static const char *refusal_of(const struct document *document)
{
	if (document->record->offset > INT64_MAX)
		return "\"source.offset\" must be an integer";
	if (document->deleted)
		return "\"source.deleted\" says that the source is no longer at its path";
	return "\"source.path\" must be a string";
}

static void is_a_request_for_its_mapping(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES; i++) {
		const struct request *expected = &cases[i].request;
		struct request request = {0};
		char why[REQUEST_WHY_LENGTH] = "";
		struct request_scan scan = {0};
		size_t length;
		char *text = document_render(&cases[i].document, &length);

		assert_int_equal(request_scan(&scan, text, length, why), 1);
		assert_int_equal(request_parse(text, length, &request, why), cases[i].error);
		free(text);
		if (cases[i].error) {
			assert_string_equal(why, refusal_of(&cases[i].document));
			continue;
		}
		assert_int_equal(request.anonymous, expected->anonymous);
		assert_int_equal(request.offset, expected->offset);
		assert_int_equal(request.length, expected->length);
		assert_int_equal(request.granularity, expected->granularity);
		assert_int_equal(request.sharing, expected->sharing);
		assert_int_equal(request.protection, expected->protection);
		if (expected->path == NULL)
			assert_null(request.path);
		else
			assert_string_equal(request.path, expected->path);
		request_clear(&request);
	}
}

/* Many bad blocks make the text several times as long as its first buffer. */
static void grows(void **state)
{
	struct document document = cases[0].document;
	struct pmem2_badblock *many = calloc(1000, sizeof(*many));
	json_t *json;
	size_t length;
	char *text;

	(void)state;
	assert_non_null(many);
	for (size_t i = 0; i < 1000; i++)
		many[i] = (struct pmem2_badblock){i * 4096, 512};
	document.badblocks = many;
	document.badblock_count = 1000;
	text = document_render(&document, &length);
	assert_non_null(text);
	json = json_loadb(text, length, 0, NULL);
	assert_int_equal(
		json_array_size(json_object_get(json_object_get(json, "device"), "badblocks")),
		1000);
	json_decref(json);
	free(text);
	free(many);
}

static int print(const char *name)
{
	for (size_t i = 0; i < CASES; i++) {
		size_t length;
		char *text;

		if (strcmp(cases[i].name, name) != 0)
			continue;
		text = document_render(&cases[i].document, &length);
		fwrite(text, 1, length, stdout);
		free(text);
		return 0;
	}
	return 2;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(renders_the_expected_bytes),
		cmocka_unit_test(renders_the_same_in_one_line),
		cmocka_unit_test(is_the_same_when_printed_again),
		cmocka_unit_test(is_a_request_for_its_mapping),
		cmocka_unit_test(grows),
	};

	if (argc == 2)
		return print(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
