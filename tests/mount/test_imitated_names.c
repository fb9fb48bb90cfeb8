/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_imitated_names.c - no name shows anything but what it says: labels, process names and pids
 * of others
 */
#include "liar.h"
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE (4 * LIAR_PAGE)

/* The name of the only entry of that process, or NULL when it has none. */
static const char *name_of(const struct fs *fs, pid_t pid)
{
	const char *part = format(".%d.", (int)pid), *found = NULL;
	struct names names;

	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++) {
		if (!strstr(names.name[i], part))
			continue;
		assert_null(found);
		found = format("%s", names.name[i]);
	}
	names_free(&names);
	return found;
}

static void check_safe(const char *name)
{
	assert_non_null(name);
	assert_true(strlen(name) <= 255);
	assert_true(name[0] != '.'); /* otherwise ls would not list it */
	for (; *name; name++) {
		unsigned char byte = (unsigned char)*name;

		if (byte < 0x20 || byte == 0x7f || byte == '/')
			fail_msg("byte %#x in a name", byte);
	}
}

struct text {
	const char *bytes;
	size_t length;
};

/* One after the other, each as the label of the only mapping. */
static const struct text labels[] = {
	{"line\nbreak", 10},
	{"\033[2Jescape", 10},
	{"a/b", 3},
	{"..", 2},
	{"/", 1},
	{"\0zero", 5},
	{"a\0b", 3},
	{"\x7f\x01\x1f\t", 4},
	{"\xc2\x9b"
	 "1m",
	 4},
	{"\xff\xfe\xc0\x80", 4},
	{"\xe2\x80\xae"
	 "drowssap",
	 11},
	{".", 1},
	{" ", 1},
	{"0x1000", 6},
};

/* Writes a slot as the library does, but with any label. */
static void relabel(struct lie *lie, struct pmem2fs_record *record, const char *bytes,
		    size_t length)
{
	uint64_t generation = lie->slot[0].generation | 1;

	memset(record->label, 0, sizeof(record->label));
	memcpy(record->label, bytes, length);
	record->label_length = (uint8_t)length;
	atomic_store(&lie->slot[0].generation, generation);
	lie->slot[0].record = *record;
	atomic_store(&lie->slot[0].generation, generation + 1);
}

static void label_script(struct publisher *me)
{
	struct pmem2fs_record record;
	struct lie lie;
	char longest[255];

	lie_make(&lie, 16, 0);
	map_raw(me, "file", &record);
	lie_seal(&lie);
	hand_over(me->fs, lie.fd);
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		relabel(&lie, &record, labels[i].bytes, labels[i].length);
		halt(me);
	}
	memset(longest, 'x', sizeof(longest));
	relabel(&lie, &record, longest, sizeof(longest));
	halt(me);
}

static void labels_are_made_safe(struct fs *fs)
{
	size_t count = sizeof(labels) / sizeof(*labels) + 1;
	struct publisher p;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, label_script);
	for (size_t i = 0; i < count; i++) {
		const char *name;

		scan(fs);
		name = name_of(fs, p.pid);
		/* A mapping whose label the library would never write may be left out. */
		if (name || i == count - 1) {
			check_safe(name);
			assert_ptr_equal(strstr(name, format(PUBLISHER_COMM ".%d.", (int)p.pid)),
					 name);
			json_decref(i % 4 == 1 ? valid_document(fs, name) : document(fs, name));
		}
		if (i < count - 1)
			publisher_next(&p);
	}
	publisher_end(&p);
}

static const char *const comms[] = {
	"postgres.812", "postgres.812.a", "a/b", "..",  ".hidden", "line\nbreak",
	"\033[2J",      "\xff\xfe",       "",    "1.2", " ",       "holder.1.a",
};

static void comm_script(struct publisher *me)
{
	prctl(PR_SET_NAME, comms[(size_t)me->data]);
	map_whole(me, 0, source(me->fs, "file"), "label");
	halt(me);
}

static void process_names_are_made_safe(struct fs *fs)
{
	make_source(fs, "file", FILE_SIZE);
	for (size_t i = 0; i < sizeof(comms) / sizeof(*comms); i++) {
		struct publisher p = {.data = (const void *)i};
		const char *name, *dot;
		json_t *root;

		publisher_start(fs, &p, NULL, comm_script);
		scan(fs);
		name = name_of(fs, p.pid);
		check_safe(name);
		/* Between the first two dots stands the pid, whatever the process's name is. */
		dot = strchr(name, '.');
		assert_non_null(dot);
		assert_int_equal(strtol(dot + 1, NULL, 10), p.pid);
		root = i % 4 == 0 ? valid_document(fs, name) : document(fs, name);
		assert_int_equal(number_of(json_object_get(root, "owner"), "pid"), p.pid);
		json_decref(root);
		publisher_end(&p);
	}
}

static void waiting_script(struct publisher *me)
{
	halt(me);
	map_whole(me, 0, source(me->fs, "file"), "mine");
	halt(me);
}

/* A name that another user's mapping has taken before does not hide the process's mapping. */
static void a_name_that_is_taken_hides_nothing(struct fs *fs)
{
	struct publisher p;
	const char *taken;
	json_t *root;

	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "other", FILE_SIZE);
	publisher_start(fs, &p, NULL, waiting_script);
	taken = published_name(&p, "mine");
	assert_int_equal(write_as(&user_b, entry(fs, taken), request_of(source(fs, "other"))), 0);
	publisher_next(&p);
	assert_true(shown(fs, address_name(&p, 0)));
	root = valid_document(fs, address_name(&p, 0));
	assert_string_equal(text_of(root, "origin"), "published");
	assert_string_equal(text_of(json_object_get(root, "source"), "path"), source(fs, "file"));
	json_decref(root);
	root = valid_document(fs, taken);
	assert_string_equal(text_of(root, "origin"), "pmem2fs");
	assert_string_equal(text_of(json_object_get(root, "source"), "path"), source(fs, "other"));
	json_decref(root);
	publisher_end(&p);
	assert_true(shown(fs, taken));
}

static void label_of_address_script(struct publisher *me)
{
	struct pmem2_map *map;
	const char *label;

	map = map_whole(me, 0, source(me->fs, "file"), NULL);
	need(pmem2_unmap(&map) == 0);
	/* Most likely the same address again. */
	label = format("0x%jx", (uintmax_t)me->reported->address[0]);
	map_part(me, 1, source(me->fs, "file"), 0, LIAR_PAGE, label);
	map_part(me, 2, source(me->fs, "file"), 0, LIAR_PAGE, NULL);
	halt(me);
}

static void a_label_that_is_an_address_hides_nothing(struct fs *fs)
{
	struct publisher p;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, label_of_address_script);
	assert_int_equal(shown_of(fs, p.pid), 2);
	publisher_end(&p);
}

/* Both names of a mapping may be taken, and it shows all the same. */
static void all_its_names_are_taken(struct fs *fs)
{
	struct publisher p;
	struct names names;
	unsigned found = 0;

	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "other", FILE_SIZE);
	publisher_start(fs, &p, NULL, waiting_script); /* with no daemon there */
	publisher_next(&p);
	daemon_start(&fs->daemon, "rootmode=1777");
	/* A new daemon has scanned nothing yet: the request that comes first may take the name. */
	(void)write_as(&user_b, entry(fs, published_name(&p, "mine")),
		       request_of(source(fs, "other")));
	(void)write_as(&user_b, entry(fs, address_name(&p, 0)), request_of(source(fs, "other")));
	scan(fs);
	names_read(&names, fs->daemon.mnt);
	for (size_t i = 0; i < names.count; i++) {
		json_t *root = document(fs, names.name[i]);

		found += !strcmp(text_of(root, "origin"), "published") &&
			 number_of(json_object_get(root, "owner"), "pid") == p.pid;
		json_decref(root);
	}
	names_free(&names);
	assert_int_equal(found, 1);
	publisher_end(&p);
}

static pid_t fork_with(pid_t pid)
{
	struct clone_args arguments = {
		.exit_signal = SIGCHLD, .set_tid = (uintptr_t)&pid, .set_tid_size = 1};

	return (pid_t)syscall(SYS_clone3, &arguments, sizeof(arguments));
}

/* The library's state in the child is the parent's: nothing of the library is used here. */
static int sleep_as(pid_t pid)
{
	pid_t child = fork_with(pid);

	if (child == 0) {
		execl("/bin/sleep", "sleep", "1000", (char *)NULL);
		_exit(127);
	}
	return child;
}

static void a_pid_that_is_used_again(struct fs *fs)
{
	struct publisher p;
	pid_t pid, child;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, waiting_script);
	publisher_next(&p);
	assert_true(shown(fs, published_name(&p, "mine")));
	pid = p.pid;
	publisher_kill(&p);
	child = sleep_as(pid);
	if (child < 0)
		skip(); /* needs a kernel that allows the choice of a pid, and the rights for it */
	assert_int_equal(child, pid);
	assert_int_equal(shown_of(fs, pid), 0);
	kill(child, SIGKILL);
	finish(child);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(labels_are_made_safe),
		FS_TEST(process_names_are_made_safe),
		FS_TEST(a_name_that_is_taken_hides_nothing, .options = "rootmode=1777"),
		FS_TEST(a_label_that_is_an_address_hides_nothing),
		FS_TEST(all_its_names_are_taken, .no_daemon = true),
		FS_TEST(a_pid_that_is_used_again),
	};

	fs_observes = true;
	return fs_run(argc, argv, "imitated_names", tests, sizeof(tests) / sizeof(*tests));
}
