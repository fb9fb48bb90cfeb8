/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_publish.c - mappings that processes make through the library show, and go
 */
#include "publisher.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define FILE_SIZE 65536
#define PAGE      4096

static const char *make_file(const struct fs *fs)
{
	return make_source(fs, "file", FILE_SIZE);
}

static void map_two_script(struct publisher *me)
{
	halt(me);
	map_whole(me, 0, source(me->fs, "file"), "log");
	map_whole(me, 1, source(me->fs, "file"), NULL);
	halt(me);
}

static void appears_at_once_under_its_label_or_address(struct fs *fs)
{
	struct publisher p;
	struct names names;

	make_file(fs);
	publisher_start(fs, &p, NULL, map_two_script);
	assert_int_equal(listed_of(fs, p.pid), 0); /* and all processes have been scanned now */
	publisher_next(&p);
	names_read(&names, fs->daemon.mnt);
	assert_true(names_have(&names, published_name(&p, "log")));
	assert_true(names_have(&names, address_name(&p, 1)));
	assert_false(names_have(&names, address_name(&p, 0)));
	names_free(&names);
	publisher_end(&p);
	assert_int_equal(listed_of(fs, p.pid), 0);
}

static void its_name_alone_finds_it_at_once(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, map_two_script);
	for (int i = 0; i < 2; i++) {
		struct stat st;
		int error = stat(entry(fs, published_name(&p, "log")), &st) == 0 ? 0 : errno;

		assert_int_equal(error, i == 0 ? ENOENT : 0);
		if (i == 0)
			publisher_next(&p);
	}
	publisher_end(&p);
}

static const json_t *source_of(const json_t *root)
{
	return json_object_get(root, "source");
}

static void check_source(const json_t *root, const char *path)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_string_equal(text_of(source_of(root), "path"), path);
	assert_string_equal(text_of(source_of(root), "dev"),
			    format("%u:%u", major(st.st_dev), minor(st.st_dev)));
	assert_int_equal(number_of(source_of(root), "inode"), st.st_ino);
}

static void document_script(struct publisher *me)
{
	map_part(me, 0, source(me->fs, "file"), PAGE, 2 * PAGE, "part");
	halt(me);
}

static void the_document_says_whose_word_it_is(struct fs *fs)
{
	const char *path = make_file(fs), *name;
	const json_t *owner, *claimed;
	struct publisher p;
	struct stat st;
	json_t *root;

	publisher_start(fs, &p, &user_a, document_script);
	name = published_name(&p, "part");
	root = valid_document(fs, name);
	owner = json_object_get(root, "owner");
	assert_string_equal(text_of(root, "origin"), "published");
	assert_string_equal(text_of(root, "state"), "active");
	assert_string_equal(text_of(root, "name"), name);
	assert_string_equal(text_of(root, "address"), format("0x%jx", p.reported->address[0]));
	assert_string_equal(text_of(root, "protection"), "rw-");
	assert_string_equal(text_of(root, "sharing"), "shared");
	assert_int_equal(number_of(root, "length"), 2 * PAGE);
	assert_int_equal(number_of(source_of(root), "offset"), PAGE);
	check_source(root, path);
	assert_int_equal(number_of(owner, "pid"), p.pid);
	assert_int_equal(number_of(owner, "uid"), user_a.uid);
	assert_int_equal(number_of(owner, "gid"), user_a.gid);
	assert_string_equal(text_of(owner, "comm"), PUBLISHER_COMM);
	claimed = json_object_get(root, "claimed");
	assert_true(json_is_array(claimed) && json_array_size(claimed) > 0);
	json_decref(root);

	assert_int_equal(stat(entry(fs, name), &st), 0);
	assert_int_equal(st.st_uid, user_a.uid);
	assert_int_equal(st.st_mode, S_IFREG | 0400);
	assert_int_equal(st.st_blocks * 512, 2 * PAGE);
	assert_int_equal(read_as(&user_a, entry(fs, name)), 0);
	assert_int_equal(read_as(&user_b, entry(fs, name)), EACCES);
	publisher_end(&p);
}

static void label_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "old");

	halt(me);
	need(pmem2fs_map_set_label(map, "new", 3) == 0);
	halt(me);
	need(pmem2fs_map_set_label(map, "", 0) == 0);
	halt(me);
}

static void set_label_renames(struct fs *fs)
{
	struct publisher p;
	struct stat before, after;

	make_file(fs);
	publisher_start(fs, &p, NULL, label_script);
	assert_int_equal(stat(entry(fs, published_name(&p, "old")), &before), 0);
	publisher_next(&p);
	assert_int_equal(shown_of(fs, p.pid), 1);
	assert_int_equal(stat(entry(fs, published_name(&p, "new")), &after), 0);
	assert_false(shown(fs, published_name(&p, "old")));
	publisher_next(&p);
	assert_true(shown(fs, address_name(&p, 0)));
	assert_int_equal(shown_of(fs, p.pid), 1);
	publisher_end(&p);
}

static void same_label_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "twin");
	halt(me);
	map_whole(me, 1, source(me->fs, "file"), "twin");
	halt(me);
}

static void one_of_two_with_the_same_label_has_its_address(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, same_label_script);
	assert_true(shown(fs, published_name(&p, "twin")));
	publisher_next(&p);
	assert_true(shown(fs, address_name(&p, 1)));
	assert_true(shown(fs, published_name(&p, "twin")));
	assert_int_equal(shown_of(fs, p.pid), 2);
	publisher_end(&p);
}

static void unmap_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "a");

	map_whole(me, 1, source(me->fs, "file"), "b");
	halt(me);
	need(pmem2_unmap(&map) == 0);
	halt(me);
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
}

/* An entry whose mapping is gone goes at the next scan, whatever operation causes it. */
static void goes_with_unmap(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, unmap_script);
	assert_int_equal(shown_of(fs, p.pid), 2);
	publisher_next(&p);
	assert_false(shown(fs, published_name(&p, "a")));
	assert_true(shown(fs, published_name(&p, "b")));
	publisher_kill(&p);
}

static void goes_with_exec(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, unmap_script);
	assert_int_equal(shown_of(fs, p.pid), 2);
	publisher_next(&p);
	assert_int_equal(send(p.socket, "", 1, MSG_NOSIGNAL), 1);
	WAIT_UNTIL(maps_with(p.pid, "/sleep") > 0 || maps_with(p.pid, "coreutils") > 0);
	assert_int_equal(shown_of(fs, p.pid), 0);
	assert_int_equal(kill(p.pid, 0), 0);
	publisher_kill(&p);
}

static void goes_with_its_process(struct fs *fs)
{
	struct publisher p[2];

	make_file(fs);
	for (int i = 0; i < 2; i++) {
		publisher_start(fs, &p[i], NULL, map_two_script);
		publisher_next(&p[i]);
		assert_int_equal(shown_of(fs, p[i].pid), 2);
	}
	publisher_kill(&p[0]);
	assert_int_equal(listed_of(fs, p[0].pid), 0);
	assert_int_equal(listed_of(fs, p[1].pid), 2);
	publisher_end(&p[1]);
	assert_int_equal(listed_of(fs, p[1].pid), 0);
}

static void part_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "a");

	halt(me);
	need(pmem2_unmap_range(map, 4 * PAGE, 2 * PAGE, 0) == 0);
	halt(me);
	need(munmap((char *)pmem2_map_get_address(map) + 8 * PAGE, FILE_SIZE - 8 * PAGE) == 0);
	halt(me);
	need(munmap(pmem2_map_get_address(map), 8 * PAGE) == 0);
	halt(me);
}

static void check_extent(const json_t *root, size_t index, int64_t offset, int64_t length)
{
	const json_t *extent = json_array_get(json_object_get(root, "extents"), index);

	assert_non_null(extent);
	assert_int_equal(number_of(extent, "offset"), offset);
	assert_int_equal(number_of(extent, "length"), length);
}

/* The part may be unmapped by the library or by munmap without it. */
static void what_is_left_of_it_shows(struct fs *fs)
{
	struct publisher p;
	const char *name;
	struct stat st;
	json_t *root;

	make_file(fs);
	publisher_start(fs, &p, NULL, part_script);
	name = published_name(&p, "a");
	root = valid_document(fs, name);
	assert_string_equal(text_of(root, "state"), "active");
	json_decref(root);

	publisher_next(&p);
	scan(fs);
	root = valid_document(fs, name);
	assert_string_equal(text_of(root, "state"), "partial");
	assert_int_equal(number_of(root, "length"), FILE_SIZE);
	assert_int_equal(json_array_size(json_object_get(root, "extents")), 2);
	check_extent(root, 0, 0, 4 * PAGE);
	check_extent(root, 1, 6 * PAGE, FILE_SIZE - 6 * PAGE);
	json_decref(root);

	publisher_next(&p);
	scan(fs);
	root = valid_document(fs, name);
	check_extent(root, 1, 6 * PAGE, 2 * PAGE);
	json_decref(root);
	assert_int_equal(stat(entry(fs, name), &st), 0);
	assert_int_equal(st.st_blocks * 512, 6 * PAGE);

	publisher_next(&p);
	assert_false(shown(fs, name)); /* nothing of it is there */
	publisher_end(&p);
}

static void fork_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "inherited");
	int status;
	pid_t child;

	halt(me);
	child = fork();
	need(child >= 0);
	if (child == 0) {
		map_whole(me, 1, source(me->fs, "file"), "own");
		halt(me);
		_exit(0);
	}
	me->reported->pid[0] = child;
	need(waitpid(child, &status, 0) == child && status == 0);
	need(pmem2_unmap(&map) == 0);
	halt(me);
}

static const char *childs(const struct publisher *p, const char *label)
{
	return format(PUBLISHER_COMM ".%d.%s", (int)p->reported->pid[0], label);
}

static void the_child_of_a_fork_is_a_holder_too(struct fs *fs)
{
	struct publisher p;
	json_t *root;
	pid_t child;

	make_file(fs);
	publisher_start(fs, &p, NULL, fork_script);
	publisher_next(&p);
	WAIT_UNTIL(p.reported->pid[0] != 0);
	child = p.reported->pid[0];
	assert_true(shown(fs, published_name(&p, "inherited")));
	assert_int_equal(shown_of(fs, p.pid), 1);
	assert_true(shown(fs, childs(&p, "own")));
	assert_true(shown(fs, childs(&p, "inherited")));
	assert_int_equal(shown_of(fs, child), 2);
	root = valid_document(fs, childs(&p, "inherited"));
	assert_int_equal(number_of(json_object_get(root, "owner"), "pid"), child);
	json_decref(root);

	publisher_next(&p); /* the child has ended, and its parent has unmapped */
	assert_int_equal(shown_of(fs, child), 0);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&p);
}

static void *map_in_thread(void *arg)
{
	map_whole(arg, 0, source(((struct publisher *)arg)->fs, "file"), "thread");
	halt(arg);
	return NULL;
}

static void thread_script(struct publisher *me)
{
	pthread_t thread;

	need(pthread_create(&thread, NULL, map_in_thread, me) == 0);
	pthread_join(thread, NULL);
}

static void a_mapping_of_a_thread_is_the_process_s(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, thread_script);
	assert_true(shown(fs, published_name(&p, "thread")));
	publisher_end(&p);
}

static void closing_script(struct publisher *me)
{
	const char *path = source(me->fs, "file");

	map_whole(me, 0, path, "before");
	for (int fd = 0; fd < 1024; fd++) {
		if (fd != me->socket)
			close(fd);
	}
	for (int i = 0; i < 8; i++)
		need(open("/dev/null", O_RDONLY) >= 0);
	map_whole(me, 1, path, "after");
	halt(me);
	for (int fd = 0; fd < 1024; fd++) {
		char link[64], target[64];
		ssize_t length;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		length = readlink(link, target, sizeof(target) - 1);
		need(length < 0 || fd == me->socket ||
		     (length == 9 && !memcmp(target, "/dev/null", 9)));
	}
}

/* The library holds no descriptor that the program could close, or replace by another. */
static void a_program_may_close_all_descriptors(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, closing_script);
	assert_true(shown(fs, published_name(&p, "before")));
	assert_true(shown(fs, published_name(&p, "after")));
	publisher_end(&p);
}

static void off_script(struct publisher *me)
{
	need(setenv("PMEM2FS", "off", 1) == 0);
	map_whole(me, 0, source(me->fs, "file"), "a");
	halt(me);
}

static void a_program_may_opt_out(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, off_script);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&p);
}

static void rm_without_a_handler_is_busy(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, map_two_script);
	publisher_next(&p);
	assert_int_equal(unlink_as(NULL, entry(fs, published_name(&p, "log"))), EBUSY);
	assert_int_equal(unlink_as(&user_a, entry(fs, published_name(&p, "log"))), EACCES);
	assert_true(shown(fs, published_name(&p, "log")));
	assert_int_equal(maps_with(p.pid, source(fs, "file")), 2);
	publisher_end(&p);
}

static int relabel(struct pmem2_map *map, void *arg)
{
	(void)arg;
	need(pmem2fs_map_set_label(map, "new", 3) == 0);
	return -EPERM;
}

static void relabeling_script(struct publisher *me)
{
	struct pmem2_map *map = map_whole(me, 0, source(me->fs, "file"), "old");

	need(pmem2fs_map_set_release_handler(map, relabel, NULL) == 0);
	need(pmem2fs_start_thread() == 0);
	halt(me);
	need(pmem2_unmap(&map) == 0);
}

/* The mapping has an entry of another name then, but is mapped as before. */
static void another_label_is_no_release(struct fs *fs)
{
	struct publisher p;
	int error;

	make_file(fs);
	publisher_start(fs, &p, NULL, relabeling_script);
	assert_true(shown(fs, published_name(&p, "old")));
	error = unlink_as(NULL, entry(fs, published_name(&p, "old")));
	assert_true(error == EBUSY || error == EPERM);
	assert_false(shown(fs, published_name(&p, "old")));
	assert_true(shown(fs, published_name(&p, "new")));
	publisher_end(&p);
}

static void early_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "file"), "early");
	halt(me);
	map_whole(me, 1, source(me->fs, "file"), "later");
	halt(me);
}

static void a_daemon_that_starts_later_finds_it(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, &user_a, early_script);
	daemon_start(&fs->daemon, NULL);
	assert_true(shown(fs, published_name(&p, "early")));
	publisher_next(&p);
	assert_true(shown(fs, published_name(&p, "later")));
	publisher_end(&p);
}

static void a_daemon_that_comes_back_finds_it(struct fs *fs)
{
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, early_script);
	assert_true(shown(fs, published_name(&p, "early")));
	daemon_stop(&fs->daemon);
	daemon_start(&fs->daemon, NULL);
	assert_true(shown(fs, published_name(&p, "early")));
	publisher_next(&p);
	assert_true(shown(fs, published_name(&p, "later")));
	publisher_end(&p);
}

static void a_worker_that_is_replaced_finds_it(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	make_file(fs);
	publisher_start(fs, &p, NULL, early_script);
	assert_true(shown(fs, published_name(&p, "early")));
	kill(worker, SIGKILL);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker);
	WAIT_UNTIL(access(entry(fs, published_name(&p, "early")), F_OK) == 0);
	publisher_next(&p);
	assert_true(shown(fs, published_name(&p, "later")));
	publisher_end(&p);
}

static void anonymous_script(struct publisher *me)
{
	struct pmem2_config *config;
	struct pmem2_source *source;
	struct pmem2_map *map[3];

	need(pmem2_source_from_anon(&source, 4 * PAGE) == 0);
	need(pmem2_config_new(&config) == 0);
	need(pmem2_config_set_required_store_granularity(config, PMEM2_GRANULARITY_PAGE) == 0);
	for (int i = 0; i < 3; i++) {
		need(pmem2_map_new(&map[i], config, source) == 0);
		me->reported->address[i] = (uintptr_t)pmem2_map_get_address(map[i]);
	}
	halt(me);
	need(pmem2_unmap(&map[1]) == 0);
	halt(me);
}

static void mappings_of_memory_show_too(struct fs *fs)
{
	struct publisher p;
	json_t *root;

	publisher_start(fs, &p, NULL, anonymous_script);
	assert_int_equal(shown_of(fs, p.pid), 3);
	root = valid_document(fs, address_name(&p, 0));
	assert_string_equal(text_of(source_of(root), "type"), "anonymous");
	json_decref(root);
	publisher_next(&p);
	assert_int_equal(shown_of(fs, p.pid), 2);
	assert_false(shown(fs, address_name(&p, 1)));
	publisher_end(&p);
}

int main(int argc, char **argv)
{
	static const struct fs_test tests[] = {
		FS_TEST(appears_at_once_under_its_label_or_address),
		FS_TEST(its_name_alone_finds_it_at_once),
		FS_TEST(the_document_says_whose_word_it_is),
		FS_TEST(set_label_renames),
		FS_TEST(one_of_two_with_the_same_label_has_its_address),
		FS_TEST(goes_with_unmap),
		FS_TEST(goes_with_exec),
		FS_TEST(goes_with_its_process),
		FS_TEST(what_is_left_of_it_shows),
		FS_TEST(the_child_of_a_fork_is_a_holder_too),
		FS_TEST(a_mapping_of_a_thread_is_the_process_s),
		FS_TEST(a_program_may_close_all_descriptors),
		FS_TEST(a_program_may_opt_out),
		FS_TEST(rm_without_a_handler_is_busy),
		FS_TEST(another_label_is_no_release),
		FS_TEST(a_daemon_that_starts_later_finds_it, .no_daemon = true),
		FS_TEST(a_daemon_that_comes_back_finds_it),
		FS_TEST(a_worker_that_is_replaced_finds_it),
		FS_TEST(mappings_of_memory_show_too),
	};

	fs_observes = true;
	return fs_run(argc, argv, "publish", tests, sizeof(tests) / sizeof(*tests));
}
