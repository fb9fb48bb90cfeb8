/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_server_documents.c - the documents of all mappings, or of one, over the socket
 */
#include "base/clock.h"
#include "facts/facts_cache.h"
#include "protocol/control.h"
#include "server_helper.h"
#include <fcntl.h>
#include <sys/mman.h>

#define MANY 500 /* more documents than fit into a socket */

/* Adds a mapping of that user to the catalog. */
static struct mapping *add(struct place *place, const char *name, uid_t uid, gid_t gid)
{
	struct pmem2fs_record record = {
		.address = 0x10000,
		.length = 4096,
		.source_size = 4096,
		.uid = uid,
		.gid = gid,
		.alignment = 4096,
		.source_type = PMEM2FS_SOURCE_ANONYMOUS,
		.sharing = PMEM2_PRIVATE,
	};
	struct catalog *catalog = place->rig->modules.catalog;
	struct mapping *mapping;

	assert_int_equal(catalog_reserve(catalog, name, uid, &mapping), 0);
	assert_int_equal(catalog_show(catalog, mapping, 4000, &record, NULL,
				      facts_cache_keeper(place->rig->modules.facts_cache)),
			 0);
	return mapping;
}

static void add_many(struct place *place)
{
	char name[16];

	for (int i = 0; i < MANY; i++) {
		snprintf(name, sizeof(name), "m%03d", i);
		add(place, name, 0, 0);
	}
}

/* Reads the `count` lines that follow an answer; each is a JSON object. */
static json_t *read_lines(struct place *place, int fd, size_t count)
{
	static char text[4 << 20];
	size_t length = 0, seen = 0;
	json_t *lines = json_array();
	char *line = text;

	while (seen < count) {
		ssize_t n = recv(fd, text + length, CONTROL_MAX_BYTES, MSG_DONTWAIT | MSG_TRUNC);

		if (n < 0) {
			assert_int_equal(errno, EAGAIN);
			rig_poll(place->rig);
			continue;
		}
		assert_true(n > 0 && n <= CONTROL_MAX_BYTES);
		for (ssize_t i = 0; i < n; i++)
			seen += text[length + (size_t)i] == '\n';
		length += (size_t)n;
		assert_true(length < sizeof(text) - CONTROL_MAX_BYTES);
	}
	assert_int_equal(seen, count);
	for (size_t i = 0; i < count; i++) {
		char *end = memchr(line, '\n', (size_t)(text + length - line));
		json_t *json = json_loadb(line, (size_t)(end - line), 0, NULL);

		assert_true(json_is_object(json));
		json_array_append_new(lines, json);
		line = end + 1;
	}
	assert_ptr_equal(line, text + length);
	return lines;
}

static json_t *begin_documents(struct place *place, int fd, const char *question, size_t *count)
{
	json_t *answer;

	put(fd, question);
	answer = wait_for(place, fd);
	assert_int_equal(json_integer_value(json_object_get(answer, "errno")), 0);
	assert_int_equal(json_object_size(answer), 3);
	*count = (size_t)json_integer_value(json_object_get(answer, "count"));
	return answer;
}

static json_t *documents(struct place *place, int fd, const char *question)
{
	size_t count;

	json_decref(begin_documents(place, fd, question, &count));
	return read_lines(place, fd, count);
}

static json_t *list(struct place *place, int fd)
{
	return documents(place, fd, "{\"list\":1}");
}

/* The "gone" in the answer to a list. */
static int64_t gone(struct place *place, int fd)
{
	size_t count;
	json_t *answer = begin_documents(place, fd, "{\"list\":1}", &count);
	int64_t number = json_integer_value(json_object_get(answer, "gone"));

	json_decref(answer);
	json_decref(read_lines(place, fd, count));
	return number;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* Checks that the line is the document of the mapping, equal to that of the file. */
static void expect_document(struct place *place, const json_t *line, const char *name)
{
	struct catalog *catalog = place->rig->modules.catalog;
	struct mapping *mapping = catalog_find(catalog, name);
	char *text = json_dumps(line, JSON_INDENT(2));
	size_t length;
	const char *expected;

	assert_non_null(mapping);
	expected = version_document(catalog, mapping_version(mapping), &length);
	assert_int_equal(length, strlen(text) + 1);
	assert_memory_equal(text, expected, length - 1);
	free(text);
}

static void expect_unreadable(const json_t *line, const char *name)
{
	assert_string_equal(text_of(line, "name"), name);
	assert_int_equal(json_integer_value(json_object_get(line, "errno")), EACCES);
	assert_int_equal(json_object_size(line), 2);
}

static void lists_all_by_name(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	char *path = rig_new_file();
	int file = open(path, O_RDWR | O_CLOEXEC);
	json_t *lines = list(place, fd);

	assert_int_equal(json_array_size(lines), 0);
	json_decref(lines);
	packet_send(fd, "{\"map\":{},\"name\":\"b\"}", 21, file, 1);
	assert_int_equal(answered(place, fd, NULL), 0);
	packet_send(fd, "{\"map\":{},\"name\":\"C\"}", 21, file, 1);
	assert_int_equal(answered(place, fd, NULL), 0);
	assert_int_equal(ask(place, fd, "{\"map\":" ANONYMOUS ",\"name\":\"a\"}", NULL), 0);
	lines = list(place, fd);
	assert_int_equal(json_array_size(lines), 3);
	expect_document(place, json_array_get(lines, 0), "C");
	expect_document(place, json_array_get(lines, 1), "a");
	expect_document(place, json_array_get(lines, 2), "b");
	assert_string_equal(text_of(json_object_get(json_array_get(lines, 2), "source"), "path"),
			    path);
	json_decref(lines);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	close(file);
	unlink(path);
	free(path);
	close(fd);
}

/* Mappings change, and other peers get answers, while one peer does not read. */
static void all_are_of_one_moment(void **state)
{
	struct place *place = *state;
	struct catalog *catalog = place->rig->modules.catalog;
	int fd = reach(place, 0), other = reach(place, 0);
	struct mapping *reserved;
	json_t *lines;
	size_t count;

	add_many(place);
	json_decref(begin_documents(place, fd, "{\"list\":1}", &count));
	assert_int_equal(count, MANY);
	rig_poll(place->rig); /* returns: a full socket does not keep the loop busy */
	assert_int_equal(ask(place, other, "{\"hello\":1}", NULL), 0);
	for (int i = 0; i < MANY; i += 2) {
		char name[16];

		snprintf(name, sizeof(name), "m%03d", i);
		catalog_remove(catalog, catalog_find(catalog, name));
	}
	assert_int_equal(catalog_reserve(catalog, "z", 0, &reserved), 0);
	assert_int_equal(catalog_rename(catalog, catalog_find(catalog, "m499"), reserved), 0);
	lines = list(place, other);
	assert_int_equal(json_array_size(lines), MANY / 2);
	expect_document(place, json_array_get(lines, MANY / 2 - 1), "z");
	json_decref(lines);
	lines = read_lines(place, fd, count);
	assert_string_equal(text_of(json_array_get(lines, 0), "name"), "m000");
	assert_string_equal(text_of(json_array_get(lines, MANY - 1), "name"), "m499");
	json_decref(lines);
	assert_int_equal(ask(place, fd, "{\"hello\":1}", NULL), 0);
	close(fd);
	close(other);
}

/* The document lists 3000 extents. */
static void a_document_longer_than_a_packet(void **state)
{
	enum { PARTS = 3000 };
	struct place *place = *state;
	struct catalog *catalog = place->rig->modules.catalog;
	int fd = reach(place, 0), file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct pmem2fs_record record;
	char question[128];
	json_t *lines;

	snprintf(question, sizeof(question),
		 "{\"map\":{\"source\":{\"type\":\"anonymous\",\"size\":%d}},\"name\":\"long\"}",
		 2 * PARTS * 4096);
	assert_int_equal(ask(place, fd, question, NULL), 0);
	version_record(mapping_version(catalog_find(catalog, "long")), &record);
	for (uint64_t i = 0; i < PARTS; i++) { /* replaces every second page */
		void *page = (void *)(uintptr_t)(record.address + (2 * i + 1) * 4096);

		assert_ptr_equal(mmap(page, 4096, PROT_NONE, MAP_PRIVATE | MAP_FIXED, file, 0),
				 page);
	}
	close(file);
	add(place, "a", 0, 0);
	add(place, "z", 0, 0);
	lines = list(place, fd);
	assert_int_equal(json_array_size(lines), 3);
	expect_document(place, json_array_get(lines, 0), "a");
	expect_document(place, json_array_get(lines, 1), "long");
	assert_int_equal(json_array_size(json_object_get(json_array_get(lines, 1), "extents")),
			 PARTS);
	expect_document(place, json_array_get(lines, 2), "z");
	json_decref(lines);
	close(fd);
}

static void a_peer_that_does_not_read_is_hung_up(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0), other = reach(place, 0);
	uint64_t before = clock_now();
	char byte;
	size_t count;

	add_many(place);
	assert_int_equal(server_expire(place->server, before + 60 * CLOCK_SECOND), UINT64_MAX);
	json_decref(begin_documents(place, fd, "{\"list\":1}", &count));
	rig_poll(place->rig);
	assert_true(server_expire(place->server, before + CLOCK_SECOND) >=
		    before + 30 * CLOCK_SECOND);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
	rig_poll(place->rig); /* sends more, since there is room again */
	assert_true(recv(fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK) > 0);
	assert_int_equal(server_expire(place->server, clock_now() + 31 * CLOCK_SECOND), UINT64_MAX);
	rig_poll(place->rig);
	while (recv(fd, &byte, 1, MSG_DONTWAIT) > 0)
		;
	expect_end(place, fd);
	assert_int_equal(ask(place, other, "{\"hello\":1}", NULL), 0);
	close(fd);
	close(other);
}

static void a_peer_that_hangs_up(void **state)
{
	struct place *place = *state;
	unsigned descriptors;
	size_t count;

	add_many(place);
	rig_poll(place->rig);
	descriptors = rig_descriptors();
	for (int i = 0; i < 3; i++) {
		int fd = reach(place, 0);

		if (i == 1) /* 1: it hangs up while facts are read; else while documents are sent */
			put(fd, "{\"list\":1}");
		else
			json_decref(begin_documents(place, fd, "{\"list\":1}", &count));
		if (i == 2)
			assert_true(recv(fd, &count, 1, 0) > 0);
		close(fd);
		while (rig_descriptors() > descriptors)
			rig_poll(place->rig);
	}
}

static void files_decide_who_reads(void **state)
{
	static const struct {
		unsigned mode;
		bool own, group, other;
	} modes[] = {{0400, true, false, false}, {0444, true, true, true},
		     {0440, true, true, false},  {0404, true, false, true},
		     {0044, false, true, true},  {0222, false, false, false}};
	struct place *place = *state;
	int root = reach(place, 0), user;
	json_t *lines;

	if (geteuid())
		skip();
	user = reach(place, UID);
	add(place, "group", 0, UID);
	add(place, "other", 0, 0);
	add(place, "own", UID, UID);
	for (size_t i = 0; i < sizeof(modes) / sizeof(*modes); i++) {
		const bool may[] = {modes[i].group, modes[i].other, modes[i].own};
		const char *const names[] = {"group", "other", "own"};

		place->means.mode = modes[i].mode;
		lines = list(place, user);
		assert_int_equal(json_array_size(lines), 3);
		for (size_t j = 0; j < 3; j++) {
			const json_t *line = json_array_get(lines, j);
			char question[32];
			json_t *one;

			snprintf(question, sizeof(question), "{\"show\":\"%s\"}", names[j]);
			one = documents(place, user, question);
			if (may[j])
				expect_document(place, line, names[j]);
			else
				expect_unreadable(line, names[j]);
			assert_true(json_equal(json_array_get(one, 0), line));
			json_decref(one);
		}
		json_decref(lines);
		lines = list(place, root);
		for (size_t j = 0; j < 3; j++)
			expect_document(place, json_array_get(lines, j), names[j]);
		json_decref(lines);
	}
	close(root);
	close(user);
}

static void the_root_decides_who_lists_and_opens(void **state)
{
	struct place *place = *state;
	json_t *lines;
	int user;

	if (geteuid())
		skip();
	user = reach(place, UID);
	add(place, "own", UID, UID);
	place->means.rootmode = 0711; /* the user may look names up, and not list them */
	assert_int_equal(ask(place, user, "{\"list\":1}", "may not list"), EACCES);
	lines = documents(place, user, "{\"show\":\"own\"}");
	expect_document(place, json_array_get(lines, 0), "own");
	json_decref(lines);
	place->means.rootmode = 0744; /* the user may list names, and not look them up */
	lines = list(place, user);
	expect_unreadable(json_array_get(lines, 0), "own");
	json_decref(lines);
	assert_int_equal(ask(place, user, "{\"show\":\"own\"}", "may not read"), EACCES);
	assert_int_equal(ask(place, user, "{\"show\":\"no\"}", "may not read"), EACCES);
	close(user);
}

static void shows_one(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);
	json_t *lines;

	add(place, "\xff", 0, 0);
	lines = documents(place, fd, "{\"show\":\"\\\\xff\",\"name_encoding\":\"escaped\"}");
	assert_int_equal(json_array_size(lines), 1);
	expect_document(place, json_array_get(lines, 0), "\xff");
	json_decref(lines);
	assert_int_equal(ask(place, fd, "{\"show\":\"a\"}", "a: no such mapping"), ENOENT);
	assert_null(place->process_table.waiters);

	/* A name that may be that of a process's mapping: the process is scanned first. */
	put(fd, "{\"show\":\"db.1.x\"}");
	while (!place->process_table.waiters)
		rig_poll(place->rig);
	add(place, "db.1.x", 0, 0);
	process_table_fake_wake(&place->process_table);
	json_decref(wait_for(place, fd));
	lines = read_lines(place, fd, 1);
	expect_document(place, json_array_get(lines, 0), "db.1.x");
	json_decref(lines);
	close(fd);
}

/* A mapping that goes after a look began may have moved to a process that was scanned before. */
static void counts_what_has_gone_since_the_look(void **state)
{
	struct place *place = *state;
	struct catalog *catalog = place->rig->modules.catalog;
	int fd = reach(place, 0), other = reach(place, 0);
	json_t *answer;

	add(place, "a", 0, 0);
	add(place, "b", 0, 0);
	add(place, "c", 0, 0);
	catalog_remove(catalog, catalog_find(catalog, "a"));
	assert_int_equal(gone(place, fd), 0); /* there was no look */
	put(fd, "{\"look\":1}");
	while (!place->process_table.user_scans)
		rig_poll(place->rig);
	catalog_remove(catalog, catalog_find(catalog, "b"));
	process_table_fake_wake(&place->process_table);
	answer = wait_for(place, fd);
	json_decref(answer);
	assert_int_equal(gone(place, fd), 1);
	catalog_remove(catalog, catalog_find(catalog, "c"));
	assert_int_equal(gone(place, fd), 2);
	assert_int_equal(gone(place, other), 0);
	put(fd, "{\"look\":1}");
	rig_poll(place->rig);
	process_table_fake_wake(&place->process_table);
	json_decref(wait_for(place, fd));
	assert_int_equal(gone(place, fd), 0);
	close(fd);
	close(other);
}

/* A user who has too many lists waits for the next one until one has ended. */
static void too_many_lists_wait(void **state)
{
	enum { ALLOWED = 4 };
	struct place *place = *state;
	int fds[ALLOWED], waiting, gone_again, root;
	json_t *lines;
	size_t count;

	if (geteuid())
		skip();
	place->means.mode = 0444;
	add_many(place);
	for (int i = 0; i < ALLOWED; i++) {
		fds[i] = reach(place, UID);
		json_decref(begin_documents(place, fds[i], "{\"list\":1}", &count));
	}
	waiting = reach(place, UID);
	put(waiting, "{\"list\":1}");
	gone_again = reach(place, UID);
	put(gone_again, "{\"list\":1}");
	root = reach(place, 0);
	json_decref(list(place, root));
	assert_null(packet_next(waiting));
	close(gone_again);
	rig_poll(place->rig);
	json_decref(read_lines(place, fds[0], count));
	json_decref(wait_for(place, waiting));
	lines = read_lines(place, waiting, MANY);
	assert_string_equal(text_of(json_array_get(lines, 0), "name"), "m000");
	json_decref(lines);
	for (int i = 0; i < ALLOWED; i++)
		close(fds[i]);
	close(waiting);
	close(root);
}

static void events_do_not_get_between_documents(void **state)
{
	struct place *place = *state;
	int fd = reach(place, 0);

	assert_int_equal(ask(place, fd, "{\"events\":1}", NULL), 0);
	assert_int_equal(ask(place, fd, "{\"list\":1}", "on another one"), EBUSY);
	assert_int_equal(ask(place, fd, "{\"show\":\"a\"}", "on another one"), EBUSY);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(lists_all_by_name, begin, end),
		cmocka_unit_test_setup_teardown(all_are_of_one_moment, begin, end),
		cmocka_unit_test_setup_teardown(a_document_longer_than_a_packet, begin, end),
		cmocka_unit_test_setup_teardown(a_peer_that_does_not_read_is_hung_up, begin, end),
		cmocka_unit_test_setup_teardown(a_peer_that_hangs_up, begin, end),
		cmocka_unit_test_setup_teardown(files_decide_who_reads, begin, end),
		cmocka_unit_test_setup_teardown(the_root_decides_who_lists_and_opens, begin, end),
		cmocka_unit_test_setup_teardown(shows_one, begin, end),
		cmocka_unit_test_setup_teardown(counts_what_has_gone_since_the_look, begin, end),
		cmocka_unit_test_setup_teardown(too_many_lists_wait, begin, end),
		cmocka_unit_test_setup_teardown(events_do_not_get_between_documents, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
