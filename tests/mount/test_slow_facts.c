/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_slow_facts.c - documents while their facts cannot be read yet
 */
#include "publisher.h"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE 65536

static const char *hold_file(const struct fs *fs)
{
	return format("%s/hold", fs->dir);
}

static void hold(const struct fs *fs)
{
	assert_int_equal(write_text(hold_file(fs), ""), 0);
}

static void start(struct fs *fs)
{
	setenv("PMEM2FS_TEST_HOLD", hold_file(fs), 1);
	daemon_spawn(&fs->daemon, NULL, "rootmode=1777", getenv("PMEM2FS_SLOW_FACTS"));
	daemon_wait_mounted(&fs->daemon);
	unsetenv("PMEM2FS_TEST_HOLD");
	make_source(fs, "file", FILE_SIZE);
}

static void holding_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
}

static bool is_pending(const json_t *document)
{
	return json_is_true(json_object_get(document, "pending"));
}

static void expect_complete(const json_t *document)
{
	const json_t *owner = json_object_get(document, "owner");
	const json_t *file = json_object_get(document, "source");

	assert_false(is_pending(document));
	assert_true(json_is_string(json_object_get(owner, "exe")));
	assert_true(json_is_string(json_object_get(owner, "started")));
	assert_true(json_is_string(json_object_get(file, "path")));
	assert_true(json_is_integer(json_object_get(file, "size")));
}

static void expect_pending(struct fs *fs, const char *name)
{
	json_t *root = valid_document(fs, name);

	assert_true(is_pending(root));
	json_decref(root);
}

static bool is_complete(const struct fs *fs, const char *name)
{
	json_t *root = document(fs, name);
	bool complete = !is_pending(root);

	if (complete)
		expect_complete(root);
	json_decref(root);
	return complete;
}

static size_t count_pending(struct fs *fs)
{
	size_t length, count = 0, i;
	json_t *array, *root;
	char *text;

	assert_int_equal(shell(fs, format("%s -s %s list --json 2>/dev/null", getenv("PMEM2FS_CTL"),
					  fs->daemon.socket)),
			 0);
	text = read_file(format("%s/output", fs->dir), &length);
	array = json_loads(text, 0, NULL);
	assert_true(json_is_array(array));
	json_array_foreach (array, i, root)
		count += is_pending(root);
	json_decref(array);
	free(text);
	return count;
}

/*
 * While facts cannot be read, the documents of old and new mappings are pending. Afterwards they
 * are complete.
 */
static void documents_say_that_facts_are_pending(struct fs *fs)
{
	struct publisher p;
	const char *a;

	start(fs);
	map_source(fs, "own", source(fs, "file"));
	assert_true(is_complete(fs, "own"));
	let_facts_age();
	hold(fs);
	expect_pending(fs, "own");
	map_source(fs, "new", source(fs, "file"));
	expect_pending(fs, "new");
	publisher_start(fs, &p, &user_a, holding_script);
	a = published_name(&p, "a");
	assert_true(shown(fs, a));
	expect_pending(fs, a);
	assert_int_equal(count_pending(fs), 3);
	make_source(fs, "other", FILE_SIZE);
	assert_int_equal(shell(fs, format("%s -s %s holders $D/other", getenv("PMEM2FS_CTL"),
					  fs->daemon.socket)),
			 2);
	assert_true(output_has(fs, "the facts of 3 mappings are still being found"));
	assert_int_equal(shell(fs, format("%s -s %s holders -q $D/file", getenv("PMEM2FS_CTL"),
					  fs->daemon.socket)),
			 1);
	assert_int_equal(unlink(hold_file(fs)), 0);
	WAIT_UNTIL(is_complete(fs, "own") && is_complete(fs, "new") && is_complete(fs, a));
	WAIT_UNTIL(count_pending(fs) == 0);
	publisher_end(&p);
}

/* A document that is read immediately is complete or says that facts are pending. */
static void the_first_document(struct fs *fs)
{
	enum { TIMES = 12 };

	start(fs);
	for (unsigned i = 0; i < TIMES; i++) {
		struct publisher p;
		const char *name;
		json_t *root;

		publisher_start(fs, &p, i % 2 ? &user_a : NULL, holding_script);
		name = published_name(&p, "a");
		if (i % 3 == 0)
			count_pending(fs); /* the mapping is seen first by a list */
		else
			scan(fs); /* a look-up may still rely on the scan before */
		root = document(fs, name);
		if (!is_pending(root))
			expect_complete(root);
		json_decref(root);
		publisher_end(&p);
	}
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(documents_say_that_facts_are_pending, .no_daemon = true, .limit = 200),
		FS_TEST(the_first_document, .no_daemon = true),
	};

	return fs_run(argc, argv, "slow_facts", tests, sizeof(tests) / sizeof(*tests));
}
