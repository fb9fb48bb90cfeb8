/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_untrusted_processes.c - processes whose tables say what is not true
 *
 * Each false table is published in two ways: sent through the socket, and found in /proc by the
 * scanner. An honest process beside the liar must not be affected.
 */
#include "liar.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_SIZE (16 * LIAR_PAGE)

struct published_range {
	void (*make)(const struct publisher *me, struct lie *lie);
	unsigned shown; /* how many of its records are true */
	void (*check)(const struct fs *fs, const struct publisher *p);
	bool unsealed;
	const struct user *user;
};

/* --- the honest process --- */

static void honest_script(struct publisher *me)
{
	map_whole(me, 0, source(me->fs, "honest"), "honest");
	halt(me);
}

/* --- false records --- */

static void tell_the_truth(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	write_record(lie, 3, &record, "true");
}

static void check_true(const struct fs *fs, const struct publisher *p)
{
	assert_true(shown(fs, published_name(p, "true")));
}

static void claim_nothing_mapped(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	need(munmap((void *)(uintptr_t)record.address, FILE_SIZE) == 0);
	write_record(lie, 0, &record, "a");
	record.address = UINT64_MAX - FILE_SIZE + 1;
	write_record(lie, 1, &record, "b");
	record.address = LIAR_PAGE;
	write_record(lie, 2, &record, "c");
	record.address = 1ull << 47;
	write_record(lie, 3, &record, "d");
	record.length = 1ull << 62;
	write_record(lie, 4, &record, "e");
	record.length = UINT64_MAX;
	write_record(lie, 5, &record, "f");
	record.length = 0;
	write_record(lie, 6, &record, "g");
}

static void claim_another_file(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record, other;

	map_raw(me, "file", &record);
	map_raw(me, "secret", &other);
	need(munmap((void *)(uintptr_t)other.address, FILE_SIZE) == 0);
	other.address = record.address;
	write_record(lie, 0, &other, "a");
	record.source_dev++;
	write_record(lie, 1, &record, "b");
}

static void claim_another_offset(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	record.offset = LIAR_PAGE;
	write_record(lie, 0, &record, "a");
	record.offset = 1ull << 63;
	write_record(lie, 1, &record, "b");
	record.offset = 1;
	write_record(lie, 2, &record, "c");
}

static void claim_a_file_where_memory_is(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;
	void *memory =
		mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	map_raw(me, "file", &record);
	need(memory != MAP_FAILED);
	record.address = (uintptr_t)memory;
	write_record(lie, 0, &record, "a");
}

static void claim_memory_where_a_file_is(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	record.source_type = PMEM2FS_SOURCE_ANONYMOUS;
	record.source_dev = record.source_inode = 0;
	write_record(lie, 0, &record, "a");
}

static void claim_pmem(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	record.source_type = PMEM2FS_SOURCE_FSDAX;
	write_record(lie, 0, &record, "a");
}

static void check_no_pmem(const struct fs *fs, const struct publisher *p)
{
	json_t *root = valid_document(fs, published_name(p, "a"));

	assert_string_equal(text_of(json_object_get(root, "source"), "type"), "file");
	json_decref(root);
}

static void claim_more_than_there_is(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	need(munmap((char *)(uintptr_t)record.address + FILE_SIZE / 2, FILE_SIZE / 2) == 0);
	write_record(lie, 0, &record, "a");
}

static void check_half(const struct fs *fs, const struct publisher *p)
{
	const char *name = published_name(p, "a");
	json_t *root = valid_document(fs, name);
	struct stat st;

	assert_string_equal(text_of(root, "state"), "partial");
	assert_int_equal(stat(entry(fs, name), &st), 0);
	assert_int_equal(st.st_blocks * 512, FILE_SIZE / 2);
	json_decref(root);
}

static void claim_other_rights(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	need(mprotect((void *)(uintptr_t)record.address, FILE_SIZE, PROT_READ) == 0);
	record.sharing = PMEM2_PRIVATE;
	record.protection = 7;
	record.uid = record.gid = 0;
	record.source_size = 1;
	lie->header->pid = 1;
	write_record(lie, 0, &record, "a");
}

static void check_rights(const struct fs *fs, const struct publisher *p)
{
	const char *name = published_name(p, "a");
	json_t *root = valid_document(fs, name);
	const json_t *owner = json_object_get(root, "owner");
	struct stat st;

	assert_string_equal(text_of(root, "sharing"), "shared");
	assert_string_equal(text_of(root, "protection"), "r--");
	assert_int_equal(number_of(owner, "uid"), user_a.uid);
	assert_int_equal(number_of(owner, "gid"), user_a.gid);
	assert_int_equal(number_of(owner, "pid"), p->pid);
	assert_int_equal(number_of(json_object_get(root, "source"), "size"), FILE_SIZE);
	assert_int_equal(stat(entry(fs, name), &st), 0);
	assert_int_equal(st.st_uid, user_a.uid);
	json_decref(root);
}

static void claim_impossible_values(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record, bad;

	map_raw(me, "file", &record);
	for (uint32_t i = 0; i < 10; i++) {
		bad = record;
		if (i == 0)
			bad.source_type = 0;
		if (i == 1)
			bad.source_type = 200;
		if (i == 2)
			bad.granularity = 200;
		if (i == 3)
			bad.required = 200;
		if (i == 4)
			bad.sharing = 200;
		if (i == 5)
			bad.protection = 255;
		if (i == 6)
			bad.flags = 255;
		if (i == 7)
			bad.label_length = 255; /* of NULs */
		if (i == 8)
			bad.alignment = 0;
		if (i == 9)
			bad.address++;
		write_record(lie, i, &bad, NULL);
	}
}

static void claim_the_same_twice(const struct publisher *me, struct lie *lie)
{
	struct pmem2fs_record record;

	map_raw(me, "file", &record);
	write_record(lie, 5, &record, "first");
	write_record(lie, 6, &record, "second");
	record.length = LIAR_PAGE;
	write_record(lie, 7, &record, "third");
	record.address += LIAR_PAGE;
	record.offset += LIAR_PAGE;
	record.length = FILE_SIZE - LIAR_PAGE;
	write_record(lie, 8, &record, "fourth");
}

static void check_first(const struct fs *fs, const struct publisher *p)
{
	assert_true(shown(fs, published_name(p, "first")));
}

/* --- files that are no valid tables --- */

static void wrong_version(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->version = 2;
}

static void wrong_magic(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->magic++;
}

static void too_many_slots(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->slot_count = UINT32_MAX;
}

static void slots_of_no_size(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->slot_size = 0;
}

static void slots_behind_the_end(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->header_size = UINT32_MAX - 7;
}

static void more_used_than_there_are(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie->header->used = UINT32_MAX;
}

/* Becomes invalid after the daemon has accepted it as a table. */
static void turns_bad_later(const struct publisher *me, struct lie *lie)
{
	tell_the_truth(me, lie);
	lie_seal(lie);
	hand_over(me->fs, lie->fd);
	lie->header->slot_size = 0;
	lie->header->header_size = UINT32_MAX;
	lie->header->slot_count = UINT32_MAX;
	memset((void *)lie->slot, 0xff, lie->size - LIAR_PAGE);
}

/* --- both ways to publish --- */

static void lying_script(struct publisher *me)
{
	const struct published_range *claim = me->data;
	struct lie lie;

	lie_make(&lie, 16, 0);
	claim->make(me, &lie);
	if (!claim->unsealed)
		lie_seal(&lie);
	halt(me); /* the scanner finds the table */
	hand_over(me->fs, lie.fd);
	close(lie.fd);
	halt(me);
}

static void told_by_a_liar(struct fs *fs)
{
	const struct published_range *claim = fs->test->data;
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p = {.data = claim}, honest;

	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "secret", FILE_SIZE);
	make_source(fs, "honest", FILE_SIZE);
	publisher_start(fs, &honest, NULL, honest_script);
	publisher_start(fs, &p, claim->user, lying_script);
	for (int handed = 0; handed < 2; handed++) {
		if (handed)
			publisher_next(&p);
		assert_int_equal(shown_of(fs, p.pid), claim->shown);
		if (claim->check)
			claim->check(fs, &p);
	}
	assert_true(shown(fs, published_name(&honest, "honest")));
	publisher_end(&p);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&honest);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

/* --- descriptors that are no sealed memfd --- */

static void huge_script(struct publisher *me)
{
	struct pmem2fs_record record;
	struct lie lie;
	int fd = memfd_create("probe", MFD_HUGETLB);

	if (fd < 0 || ftruncate(fd, 2 << 20) != 0 ||
	    mmap(NULL, 2 << 20, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED) {
		me->reported->number[0] = 1;
		halt(me);
		return;
	}
	lie_make(&lie, 16, MFD_HUGETLB);
	map_raw(me, "file", &record);
	write_record(&lie, 0, &record, "a");
	lie_seal(&lie);
	hand_over(me->fs, lie.fd);
	halt(me);
}

static void a_table_of_huge_pages_is_none(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;
	bool none;

	make_source(fs, "file", FILE_SIZE);
	publisher_start(fs, &p, NULL, huge_script);
	none = p.reported->number[0];
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&p);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
	if (none)
		skip(); /* no huge pages here */
}

static void disguised_script(struct publisher *me)
{
	const char *name = source(me->fs, "memfd:pmem2fs (deleted)");
	int fd;

	need(unshare(CLONE_NEWNS) == 0);
	need(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	need(mount("disguise", me->fs->data, "tmpfs", 0, NULL) == 0);
	fd = open(name, O_RDWR | O_CREAT, 0600);
	need(fd >= 0 && ftruncate(fd, FILE_SIZE) == 0);
	need(mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED);
	need(unlink(name) == 0 && mkfifo(name, 0666) == 0);
	need(open(name, O_RDWR) >= 0);
	need(mknod(source(me->fs, "memfd:pmem2fs"), S_IFIFO | 0666, 0) == 0);
	need(open(source(me->fs, "memfd:pmem2fs"), O_RDWR) >= 0);
	halt(me);
}

static void a_file_with_the_name_of_a_table_is_none(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	publisher_start(fs, &p, NULL, disguised_script);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&p);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

static void strange_script(struct publisher *me)
{
	const char *fifo = source(me->fs, "fifo");
	int fds[10], pair[2], count = 0;

	need(mkfifo(fifo, 0666) == 0 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	fds[count++] = open(fifo, O_RDWR);
	fds[count++] = open(fifo, O_PATH);
	fds[count++] = open("/dev/zero", O_RDWR);
	fds[count++] = open("/", O_RDONLY | O_DIRECTORY);
	fds[count++] = eventfd(0, 0);
	fds[count++] = pair[0];
	fds[count++] = open(me->fs->daemon.mnt, O_RDONLY | O_DIRECTORY);
	fds[count++] = open("/proc/self/mem", O_RDWR);
	fds[count++] = connect_to(me->fs);
	fds[count++] = memfd_create("pmem2fs", MFD_ALLOW_SEALING); /* empty */
	for (int i = 0; i < count; i++) {
		need(fds[i] >= 0);
		hand_over(me->fs, fds[i]);
	}
	halt(me);
}

static void strange_descriptors_are_no_tables(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p;

	publisher_start(fs, &p, NULL, strange_script);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&p);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

/* --- what changes all the time --- */

struct changer {
	struct lie lie;
	struct pmem2fs_record truth, lie_of;
};

/* Writes torn and out of order, and sometimes for a moment as the library does. */
static void *change(void *arg)
{
	struct changer *changer = arg;
	struct table_slot *slot = changer->lie.slot;

	for (uint64_t i = 0;; i++) {
		slot[0].record = i % 2 ? changer->truth : changer->lie_of;
		atomic_fetch_add(&slot[0].generation, 1 + i % 2);
		slot[1].record.length = i * LIAR_PAGE;
		atomic_store(&slot[1].generation, i);
		slot[1].record.label_length = (uint8_t)i;
		slot[2].record = i % 3 ? changer->lie_of : changer->truth;
		slot[2].record.label[0] = (uint8_t)i;
		changer->lie.header->slot_count = (uint32_t)i;
		changer->lie.header->version = 1 + (i % 7 == 0);
	}
	return NULL;
}

static void changing_script(struct publisher *me)
{
	static struct changer changer;
	pthread_t thread;

	lie_make(&changer.lie, 16, 0);
	map_raw(me, "file", &changer.truth);
	changer.truth.label_length = 4;
	memcpy(changer.truth.label, "true", 4);
	map_raw(me, "secret", &changer.lie_of);
	need(munmap((void *)(uintptr_t)changer.lie_of.address, FILE_SIZE) == 0);
	changer.lie_of.address = changer.truth.address;
	changer.lie_of.label_length = 5;
	memcpy(changer.lie_of.label, "false", 5);
	write_record(&changer.lie, 2, &changer.truth, NULL);
	lie_seal(&changer.lie);
	need(pthread_create(&thread, NULL, change, &changer) == 0);
	hand_over(me->fs, changer.lie.fd);
	halt(me);
}

static void what_changes_all_the_time_is_never_false(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);
	struct publisher p, honest;
	struct names names;

	make_source(fs, "file", FILE_SIZE);
	make_source(fs, "secret", FILE_SIZE);
	make_source(fs, "honest", FILE_SIZE);
	publisher_start(fs, &honest, NULL, honest_script);
	publisher_start(fs, &p, NULL, changing_script);
	for (int i = 0; i < 30; i++) {
		scan(fs);
		names_read(&names, fs->daemon.mnt);
		for (size_t n = 0; n < names.count; n++) {
			char *text = read_file(entry(fs, names.name[n]), NULL);

			/* Each entry may go at any moment. */
			assert_true(text || errno == ENOENT);
			assert_false(text && strstr(text, "/secret\""));
			free(text);
		}
		assert_true(names_have(&names, published_name(&honest, "honest")));
		names_free(&names);
	}
	publisher_kill(&p);
	assert_int_equal(shown_of(fs, p.pid), 0);
	publisher_end(&honest);
	assert_int_equal(daemon_worker(&fs->daemon), worker);
}

#define CLAIM(name_, ...)                                                                          \
	{                                                                                          \
		.name = #name_, .function = told_by_a_liar,                                        \
		.data = &(const struct published_range)                                            \
		{                                                                                  \
			.make = name_, __VA_ARGS__                                                 \
		}                                                                                  \
	}

static const struct fs_test tests[] = {
	CLAIM(tell_the_truth, .shown = 1, .check = check_true),
	CLAIM(claim_nothing_mapped, .shown = 0),
	CLAIM(claim_another_file, .shown = 0),
	CLAIM(claim_another_offset, .shown = 0),
	CLAIM(claim_a_file_where_memory_is, .shown = 0),
	CLAIM(claim_memory_where_a_file_is, .shown = 0),
	CLAIM(claim_pmem, .shown = 1, .check = check_no_pmem),
	CLAIM(claim_more_than_there_is, .shown = 1, .check = check_half),
	CLAIM(claim_other_rights, .shown = 1, .check = check_rights, .user = &user_a),
	CLAIM(claim_impossible_values, .shown = 0),
	CLAIM(claim_the_same_twice, .shown = 1, .check = check_first),
	CLAIM(wrong_version, .shown = 0),
	CLAIM(wrong_magic, .shown = 0),
	CLAIM(too_many_slots, .shown = 0),
	CLAIM(slots_of_no_size, .shown = 0),
	CLAIM(slots_behind_the_end, .shown = 0),
	CLAIM(more_used_than_there_are, .shown = 1, .check = check_true),
	CLAIM(turns_bad_later, .shown = 0, .unsealed = true),
	{.name = "unsealed",
	 .function = told_by_a_liar,
	 .data = &(const struct published_range){.make = tell_the_truth, .unsealed = true}},
	FS_TEST(a_table_of_huge_pages_is_none),
	FS_TEST(a_file_with_the_name_of_a_table_is_none),
	FS_TEST(strange_descriptors_are_no_tables),
	FS_TEST(what_changes_all_the_time_is_never_false),
};

int main(int argc, char **argv)
{
	fs_observes = true;
	return fs_run(argc, argv, "untrusted_processes", tests, sizeof(tests) / sizeof(*tests));
}
