/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server_lists.c - columns of some mappings, over the socket
 */
#include "base/clock.h"
#include "facts/facts_cache.h"
#include "protocol/control.h"
#include "server_helper.h"
#include <sys/sysmacros.h>

/* Adds a mapping to the catalog. */
static struct mapping *add(struct place *place, const char *name, struct pmem2fs_record record)
{
	struct catalog *catalog = place->rig->modules.catalog;
	struct mapping *mapping;

	record.address = 0x10000;
	record.length = 8192;
	record.alignment = 4096;
	assert_int_equal(catalog_reserve(catalog, name, record.uid, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, 4000, &record, "/f",
				      facts_cache_keeper(place->rig->modules.facts_cache)),
			 0);
	return mapping;
}

/* Facts of the mapping, as if they had been read at that time. */
static void learn(struct place *place, struct mapping *mapping, struct facts facts,
		  uint64_t checked)
{
	facts.owner = process_info_get(facts_cache_keeper(place->rig->modules.facts_cache));
	catalog_learn(place->rig->modules.catalog, mapping, &facts, checked);
}

static struct device *new_device(const char *region, const char *blockdev)
{
	struct device *device = calloc(1, sizeof(*device));

	assert_non_null(device);
	device->references = 1;
	strcpy(device->is.region, region);
	strcpy(device->is.blockdev, blockdev);
	return device;
}

/* The answer to a question, and the text of the lines that follow, to be freed. */
static json_t *ask_list(struct place *place, int fd, const char *question, char **text)
{
	static char bytes[1 << 20];
	size_t length = 0, seen = 0, count;
	json_t *answer;

	put(fd, question);
	answer = wait_for(place, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "errno")), 0);
	count = (size_t)json_integer_value(json_object_get(answer, "count"));
	while (seen < count) {
		ssize_t n = recv(fd, bytes + length, CONTROL_MAX_BYTES, MSG_DONTWAIT);

		if (n < 0) {
			rig_poll(place->rig);
			continue;
		}
		for (ssize_t i = 0; i < n; i++)
			seen += bytes[length++] == '\n';
		assert_true(length < sizeof(bytes) - CONTROL_MAX_BYTES);
	}
	assert_int_equal(seen, count);
	*text = strndup(bytes, length);
	return answer;
}

/* Checks what a question for columns gets. -1: the key is not in the answer. */
static void expect(struct place *place, int fd, const char *question, const char *lines, int hidden,
		   int undecided)
{
	char *text;
	json_t *answer = ask_list(place, fd, question, &text);
	const json_t *number = json_object_get(answer, "hidden");

	assert_string_equal(text, lines);
	assert_int_equal(json_integer_value(json_object_get(answer, "columns")), 1);
	assert_int_equal(number ? json_integer_value(number) : -1, hidden);
	number = json_object_get(answer, "undecided");
	assert_int_equal(number ? json_integer_value(number) : -1, undecided);
	free(text);
	json_decref(answer);
}

/* Checks which mappings, by their names, a filter leaves. */
static void expect_where(struct place *place, int fd, const char *where, const char *lines,
			 int undecided)
{
	char question[512];

	snprintf(question, sizeof(question), "{\"list\":1,\"columns\":[\"name\"],\"where\":%s}",
		 where);
	expect(place, fd, question, lines, 0, undecided);
}

static const struct pmem2fs_record anonymous = {.source_type = PMEM2FS_SOURCE_ANONYMOUS};

static void sends_the_columns_that_are_asked_for(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	char *text;
	json_t *answer;

	expect(place, fd, "{\"list\":1,\"columns\":[\"name\"]}", "", -1, -1);
	add(place, "b", anonymous);
	add(place, "a\tb\\\xff", anonymous);
	expect(place, fd, "{\"list\":1,\"columns\":[\"length\",\"name\",\"errno\"]}",
	       "8192\ta\\x09b\\x5c\xff\t\\-\n8192\tb\t\\-\n", -1, -1);
	answer = ask_list(place, fd, "{\"list\":1,\"where\":[{}]}", &text);
	assert_null(json_object_get(answer, "columns"));
	assert_memory_equal(text, "{\"version\":1,", 13); /* documents */
	assert_int_equal(json_integer_value(json_object_get(answer, "count")), 2);
	json_decref(answer);
	free(text);
	close(fd);
}

static const char *const wrong[] = {
	"\"columns\":[]",
	"\"columns\":{}",
	"\"columns\":\"name\"",
	"\"columns\":[\"name\",\"nonsense\"]",
	"\"columns\":[1]",
	"\"columns\":[\"document\",\"name\",\"document\"]",
	"\"where\":{}",
	"\"where\":[[]]",
	"\"where\":[{},{},{},{},{},{},{},{},{}]",
	"\"where\":[{\"nonsense\":1}]",
	"\"where\":[{\"pid\":-1}]",
	"\"where\":[{\"pid\":\"x\"}]",
	"\"where\":[{\"pid\":\"7x\"}]",
	"\"where\":[{\"inode\":\"0x10000000000000000\"}]",
	"\"where\":[{\"dev\":\"8\"}]",
	"\"where\":[{\"dev\":\"8:1:2\"}]",
	"\"where\":[{\"dev\":7}]",
	"\"where\":[{\"region\":1}]",
	"\"where\":[{\"region\":[\"a\",[]]}]",
	"\"where\":[{\"region\":\"\\\\x\"}]",
	"\"where\":[{\"mapped\":false}]",
};

#define FIVE "{\"pid\":1,\"inode\":1,\"mapped\":true,\"dev\":\"8:1\",\"state\":\"active\"}"

static void wrong_terms_are_refused(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	char question[4096];
	size_t length;

	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		snprintf(question, sizeof(question), "{\"list\":1,%s}", wrong[i]);
		assert_int_equal(ask(place, fd, question, "bad request: "), EINVAL);
	}
	length = (size_t)sprintf(question, "{\"list\":1,\"columns\":[\"name\"");
	for (int i = 0; i < COLUMNS_MAX; i++)
		length += (size_t)sprintf(question + length, ",\"name\"");
	strcpy(question + length, "]}");
	assert_int_equal(ask(place, fd, question, "too many"), EINVAL);
	assert_int_equal(ask(place, fd,
			     "{\"list\":1,\"where\":[" FIVE "," FIVE "," FIVE "," FIVE "," FIVE
			     "]}",
			     "too many keys"),
			 EINVAL);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	close(fd);
}

static void filters_by_what_does_not_change(void **state)
{
	const struct pmem2fs_record file = {
		.source_type = PMEM2FS_SOURCE_FILE, .source_dev = makedev(8, 1), .source_inode = 7};
	const struct pmem2fs_record other = {.source_type = PMEM2FS_SOURCE_FSDAX,
					     .source_dev = makedev(8, 1),
					     .source_inode = UINT64_MAX};
	const struct pmem2fs_record node = {.source_type = PMEM2FS_SOURCE_DEVDAX,
					    .source_dev = makedev(8, 1),
					    .source_rdev = makedev(252, 300),
					    .source_inode = 7};
	struct place *place = *state;
	int fd = reach(place, 0);
	char where[64];

	add(place, "file", file);
	add(place, "memory", anonymous);
	add(place, "node", node);
	add(place, "other", other);
	expect_where(place, fd, "[{\"dev\":\"8:1\"}]", "file\nother\n", 0);
	expect_where(place, fd, "[{\"dev\":\"8:1\",\"inode\":7}]", "file\n", 0);
	expect_where(place, fd, "[{\"dev\":\"8:1\",\"inode\":\"18446744073709551615\"}]", "other\n",
		     0);
	expect_where(place, fd, "[{\"dev\":\"8:1\",\"inode\":[\"0xffffffffffffffff\",7]}]",
		     "file\nother\n", 0);
	expect_where(place, fd, "[{\"node\":[\"1:1\",\"252:300\"]}]", "node\n", 0);
	expect_where(place, fd, "[{\"node\":\"252:300\"},{\"inode\":\"0xffffffffffffffff\"}]",
		     "node\nother\n", 0);
	expect_where(place, fd, "[{\"dev\":[]}]", "", 0);
	expect_where(place, fd, "[]", "", 0);
	expect_where(place, fd, "[{}]", "file\nmemory\nnode\nother\n", 0);
	snprintf(where, sizeof(where), "[{\"pid\":%d,\"inode\":7}]", getpid());
	expect_where(place, fd, where, "file\nnode\n", 0);
	expect_where(place, fd, "[{\"pid\":1}]", "", 0);
	expect_where(place, fd, "[" FIVE "," FIVE "," FIVE "," FIVE "]", "", 0);
	close(fd);
}

/* What facts decide is not known before they have been read, and is decided by fresh ones. */
static void filters_by_facts(void **state)
{
	struct place *place = *state;
	struct catalog *catalog = place->rig->modules.catalog;
	const uint64_t later = clock_now() + 3600 * CLOCK_SECOND; /* than each question */
	int fd = reach(place, 0);
	struct extents *nothing = extents_new();

	learn(place, add(place, "a", anonymous),
	      (struct facts){.device = new_device("region0", "pmem0")}, later);
	learn(place, add(place, "b", anonymous),
	      (struct facts){.device = new_device("region1", "pmem1"), .lost = true}, later);
	learn(place, add(place, "c", anonymous), (struct facts){.pending = true}, later);
	expect_where(place, fd, "[{\"region\":\"region0\"}]", "a\n", 1);
	expect_where(place, fd, "[{\"region\":[\"x\",\"region1\",\"region0\"]}]", "a\nb\n", 1);
	expect_where(place, fd, "[{\"blockdev\":\"pmem1\"},{\"chardev\":\"dax0.0\"}]", "b\n", 1);
	expect_where(place, fd, "[{\"region\":\"region0\",\"pid\":1}]", "", 0);
	expect_where(place, fd, "[{\"namespace\":\"n\"},{\"state\":\"active\"}]", "a\nc\n", 0);
	expect_where(place, fd, "[{\"state\":\"lost\"}]", "b\n", 1);
	/* Nor is it certain what is mapped while facts are pending. */
	expect_where(place, fd, "[{\"dev\":\"8:1\"},{\"node\":\"8:1\"}]", "", 1);
	expect_where(place, fd, "[{\"inode\":7}]", "", 1);
	expect_where(place, fd, "[{\"inode\":7,\"pid\":1}]", "", 0);

	learn(place, catalog_find(catalog, "a"),
	      (struct facts){.device = new_device("region0", "pmem0"), .extents = nothing}, later);
	expect_where(place, fd, "[{\"mapped\":true,\"region\":\"region0\"}]", "", 1);
	close(fd);
}

/* Which device a mapping has lost is not known if it was lost before anybody looked. */
static void a_lost_device_may_be_any(void **state)
{
	struct place *place = *state;
	const uint64_t later = clock_now() + 3600 * CLOCK_SECOND;
	int fd = reach(place, 0);

	learn(place, add(place, "a", anonymous), (struct facts){.lost = true}, later);
	learn(place, add(place, "b", anonymous),
	      (struct facts){.device = new_device("region1", "pmem1"), .lost = true}, later);
	learn(place, add(place, "c", anonymous), (struct facts){0}, later);
	expect_where(place, fd, "[{\"region\":\"region0\"}]", "", 1);
	expect_where(place, fd, "[{\"namespace\":\"n\"}]", "", 1);
	expect_where(place, fd, "[{\"blockdev\":\"pmem0\"},{\"dev\":\"8:1\"}]", "", 1);
	expect_where(place, fd, "[{\"chardev\":\"dax0.0\"}]", "", 1);
	expect_where(place, fd, "[{\"region\":\"region1\"}]", "b\n", 1);
	expect_where(place, fd, "[{\"region\":\"region0\",\"pid\":1}]", "", 0);
	expect_where(place, fd, "[{\"dev\":\"8:1\"}]", "", 0);
	expect_where(place, fd, "[{\"state\":\"active\"}]", "c\n", 0);
	close(fd);
}

/*
 * A question has the facts read that decide or are shown, and no others: those of the mapping stay
 * as they are.
 */
static void reads_only_the_facts_that_matter(void **state)
{
	static const char *const without[] = {
		"{\"list\":1,\"columns\":[\"name\",\"owner.pid\"]}",
		"{\"list\":1,\"columns\":[\"name\"],\"where\":[{\"pid\":1,\"region\":\"r\"}]}",
		"{\"list\":1,\"columns\":[\"name\",\"state\"],\"where\":[{\"dev\":\"8:1\"}]}",
		"{\"list\":1,\"where\":[{\"node\":\"8:1\"}]}",
	};
	static const char *const with[] = {
		"{\"list\":1,\"columns\":[\"name\",\"state\"]}",
		"{\"list\":1,\"columns\":[\"name\"],\"where\":[{\"region\":\"r\"}]}",
		"{\"list\":1,\"columns\":[\"name\",\"state\"],\"where\":[{}]}",
		"{\"list\":1}",
	};
	struct place *place = *state;
	int fd = reach(place, 0);
	struct mapping *mapping = add(place, "a", anonymous);
	char *text;

	json_decref(ask_list(place, fd, with[0], &text)); /* then none are pending */
	free(text);
	mapping_set_unchecked(mapping);
	for (size_t i = 0; i < 8; i++) {
		json_decref(ask_list(place, fd, i < 4 ? without[i] : with[i - 4], &text));
		free(text);
		assert_int_equal(mapping_checked(mapping) != 0, i >= 4);
		mapping_set_unchecked(mapping);
	}
	close(fd);
}

/* No facts are read of mappings that the user who asks may not see. */
static void reads_no_facts_that_are_hidden(void **state)
{
	static const char *const questions[] = {
		"{\"list\":1}",
		"{\"list\":1,\"columns\":[\"name\",\"state\"]}",
		"{\"list\":1,\"where\":[{\"state\":\"active\"}]}",
	};
	const struct pmem2fs_record users = {.source_type = PMEM2FS_SOURCE_ANONYMOUS, .uid = UID};
	struct place *place = *state;
	struct mapping *mine, *roots;
	int user;
	char *text;

	if (geteuid())
		skip();
	user = reach(place, UID);
	mine = add(place, "mine", users); /* first: what follows it is read along */
	for (size_t i = 0; i < sizeof(questions) / sizeof(*questions); i++) {
		json_decref(ask_list(place, user, questions[i], &text));
		free(text);
		assert_true(mapping_checked(mine) != 0);
		roots = add(place, "roots", anonymous);
		json_decref(ask_list(place, user, questions[i], &text));
		free(text);
		assert_int_equal(mapping_checked(roots), 0);
		catalog_remove(place->rig->modules.catalog, roots);
		mapping_set_unchecked(mine);
	}
	close(user);
}

/* A filter reveals nothing of a mapping that the peer may not read. */
static void what_may_not_be_read_is_hidden(void **state)
{
	static const struct pmem2fs_record roots = {.source_type = PMEM2FS_SOURCE_FILE,
						    .source_dev = 5};
	static const struct pmem2fs_record users = {
		.source_type = PMEM2FS_SOURCE_FILE, .source_dev = 5, .uid = UID};
	struct place *place = *state;
	int root = reach(place, 0), user;

	if (geteuid())
		skip();
	user = reach(place, UID);
	add(place, "roots", roots);
	add(place, "users", users);
	expect(place, user, "{\"list\":1,\"columns\":[\"errno\",\"name\",\"owner.uid\"]}",
	       "13\troots\t\\-\n\\-\tusers\t12345\n", -1, -1);
	for (int found = 0; found < 2; found++) {
		const char *where = found ? "{\"dev\":\"0:5\"}" : "{\"dev\":\"0:6\"}";
		char question[128];

		snprintf(question, sizeof(question),
			 "{\"list\":1,\"columns\":[\"name\"],\"where\":[%s]}", where);
		expect(place, user, question, found ? "users\n" : "", 1, 0);
		expect(place, root, question, found ? "roots\nusers\n" : "", 0, 0);
	}
	close(root);
	close(user);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sends_the_columns_that_are_asked_for, begin, end),
		cmocka_unit_test_setup_teardown(wrong_terms_are_refused, begin, end),
		cmocka_unit_test_setup_teardown(filters_by_what_does_not_change, begin, end),
		cmocka_unit_test_setup_teardown(filters_by_facts, begin, end),
		cmocka_unit_test_setup_teardown(a_lost_device_may_be_any, begin, end),
		cmocka_unit_test_setup_teardown(reads_only_the_facts_that_matter, begin, end),
		cmocka_unit_test_setup_teardown(reads_no_facts_that_are_hidden, begin, end),
		cmocka_unit_test_setup_teardown(what_may_not_be_read_is_hidden, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
