/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mapped_files.c - what one mapping of a file learns serves for others, and only for those
 *
 * The clock stands still unless the test moves it. Without root nothing can be mounted, and the
 * files of areas cannot be asked.
 */
#include "base/clock.h"
#include "host/mapped_files.h"
#include "mapped_file_helper.h"
#include <time.h>

static struct timespec now = {.tv_sec = 1000};
static unsigned looked_up, asked;

int __wrap_clock_gettime(clockid_t clock, struct timespec *time);
int __real_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);
int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer);

int __wrap_clock_gettime(clockid_t clock, struct timespec *time)
{
	(void)clock;
	*time = now;
	return 0;
}

int __wrap_statx(int fd, const char *path, int flags, unsigned mask, struct statx *answer)
{
	if (!strncmp(path, "/proc/", 6))
		asked++;
	else if (!path[0])
		looked_up++;
	return __real_statx(fd, path, flags, mask, answer);
}

static struct mapped_files *files;
static unsigned char *second = MAP_FAILED; /* another mapping */

static int begin_files(void **state)
{
	files = mapped_files_new();
	return begin(state) || !files || !mapped_files_begin(files, 0);
}

static int end_files(void **state)
{
	mapped_files_free(files);
	if (second != MAP_FAILED)
		munmap(second, LENGTH);
	second = MAP_FAILED;
	return end(state);
}

/* Maps what is at the path, too. */
static void map_second(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	second = mmap(NULL, LENGTH, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(second != MAP_FAILED);
	close(fd);
}

/* The mapping at `address` counts as one of the file that `memory` is of. */
static struct mapped_file find(const unsigned char *address, bool foreign, const char *path)
{
	char link[PROC_MAP_FILE_SIZE];
	const struct mapped_area area = {
		.pid = getpid(),
		.foreign = foreign,
		.link = link,
		.path = path,
		.dev = makedev(mapped.stx_dev_major, mapped.stx_dev_minor),
		.inode = mapped.stx_ino,
	};

	proc_map_file(link, getpid(), (uintptr_t)address, (uintptr_t)address + LENGTH);
	looked_up = asked = 0;
	return mapped_files_find(files, &area);
}

static void expect(struct mapped_file file, const char *path, bool deleted)
{
	if (path && file.path)
		assert_string_equal(file.path, path);
	else
		assert_ptr_equal(file.path, path);
	assert_int_equal(file.deleted, deleted);
	assert_true(file.seen);
	assert_int_equal(file.size, LENGTH);
}

static void next_row(void)
{
	now.tv_sec++;
	mapped_files_begin(files, clock_now());
}

static void the_file_is_looked_up_once(void **state)
{
	(void)state;
	map_new(at("file"));
	map_second(at("file"));
	expect(find(memory, true, NULL), at("file"), false);
	assert_int_equal(looked_up, 1);
	assert_int_equal(asked, 0);
	for (int i = 0; i < 100; i++) {
		expect(find(i % 2 ? second : memory, true, i % 3 ? at("file") : NULL), at("file"),
		       false);
		assert_int_equal(looked_up + asked, 0);
	}
	mapped_files_begin(files, clock_now());
	expect(find(second, true, NULL), at("file"), false);
	assert_int_equal(looked_up, 0);
	next_row();
	expect(find(second, true, NULL), at("file"), false);
	assert_int_equal(looked_up, 1);
}

static void the_oldest_answer_tells_the_age(void **state)
{
	uint64_t since = mapped_files_begin(files, 0);

	(void)state;
	now.tv_sec++;
	assert_int_equal(mapped_files_begin(files, since), since);
	assert_int_equal(mapped_files_begin(files, since + 1), since + CLOCK_SECOND);
	assert_int_equal(mapped_files_begin(files, since + 1), since + CLOCK_SECOND);
}

/* Each mapping has the name by which it was made. */
static void links_are_told_apart(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_int_equal(link(at("file"), at("link")), 0);
	map_second(at("link"));
	expect(find(memory, true, NULL), at("file"), false);
	expect(find(second, true, NULL), at("link"), false);
	if (geteuid())
		return;
	assert_int_equal(unlink(at("link")), 0);
	next_row();
	expect(find(second, true, NULL), at("link"), true);
	expect(find(memory, true, NULL), at("file"), false);
}

static void what_is_not_known_is_forgotten(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	map_new(at("file"));
	new_file(at("other"));
	assert_int_equal(mount(at("other"), at("file"), NULL, MS_BIND, NULL), 0);
	expect(find(memory, true, NULL), NULL, false);
	assert_int_equal(umount(at("file")), 0);
	expect(find(memory, true, NULL), NULL, false);
	next_row();
	expect(find(memory, true, NULL), at("file"), false);
}

static void of_a_removed_name_each_area_is_asked(void **state)
{
	(void)state;
	if (geteuid())
		skip();
	map_new(at("file"));
	map_second(at("file"));
	unlink(at("file"));
	expect(find(memory, true, NULL), at("file"), true);
	for (int i = 0; i < 10; i++) {
		expect(find(i % 2 ? memory : second, true, NULL), at("file"), true);
		assert_int_equal(looked_up, 0);
		assert_int_equal(asked, 1);
	}
}

/*
 * For both mappings the kernel gives the path "/f (deleted)": it was the name of one of them in the
 * root of a mount that nothing leads to.
 */
static void the_same_removed_name_on_another_mount(void **state)
{
	char name[64], hidden[64];
	int fd;

	(void)state;
	if (geteuid())
		skip();
	snprintf(name, sizeof(name), "%s-f", strrchr(folder, '/'));
	fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		skip(); /* nobody may write there */
	assert_int_equal(ftruncate(fd, LENGTH), 0);
	map_descriptor(dup(fd));
	close(fd);
	snprintf(hidden, sizeof(hidden), "%s/hidden", folder);
	assert_int_equal(mkdir(hidden, 0700), 0);
	if (mount("/", hidden, NULL, MS_BIND, NULL)) {
		unlink(name);
		skip();
	}
	snprintf(hidden + strlen(hidden), sizeof(hidden) - strlen(hidden), "%s", name);
	map_second(hidden);
	assert_int_equal(umount2(at("hidden"), MNT_DETACH), 0);
	assert_int_equal(unlink(name), 0);
	for (int foreign = 0; foreign < 2; foreign++) {
		expect(find(memory, foreign, NULL), name, true);
		assert_null(find(second, foreign, NULL).path);
		expect(find(memory, foreign, NULL), name, true);
	}
}

/* The areas were read before the file was renamed. */
static void an_old_path_of_the_kernel(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_int_equal(rename(at("file"), at("moved")), 0);
	expect(find(memory, true, at("file")), at("moved"), false);
	new_file(at("file"));
	next_row();
	expect(find(memory, true, at("file")), at("moved"), false);
}

static void the_area_is_of_another_file(void **state)
{
	(void)state;
	map_new(at("file"));
	new_file(at("other"));
	map_second(at("other"));
	assert_null(find(second, true, NULL).path);
	assert_false(find(second, true, NULL).seen);
	if (geteuid())
		return;
	/* Of a mapping of our own, for which no scan has said so. */
	assert_null(find(second, false, at("file")).path);
	assert_false(find(second, false, at("file")).seen);
}

/* The first files of two file systems have the same number. */
static void the_area_is_of_another_device(void **state)
{
	(void)state;
	map_new(at("file"));
	mapped.stx_dev_major = 259;
	for (int foreign = 0; foreign < 2; foreign++) {
		assert_null(find(memory, foreign, NULL).path);
		assert_false(find(memory, foreign, at("file")).seen);
	}
}

static void there_is_no_area(void **state)
{
	(void)state;
	map_new(at("file"));
	assert_false(find(memory + LENGTH, true, NULL).seen);
	assert_null(find(memory + LENGTH, true, NULL).path);
}

#define TEST_FILES(function) cmocka_unit_test_setup_teardown(function, begin_files, end_files)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST_FILES(the_file_is_looked_up_once),
		TEST_FILES(the_oldest_answer_tells_the_age),
		TEST_FILES(links_are_told_apart),
		TEST_FILES(what_is_not_known_is_forgotten),
		TEST_FILES(of_a_removed_name_each_area_is_asked),
		TEST_FILES(the_same_removed_name_on_another_mount),
		TEST_FILES(an_old_path_of_the_kernel),
		TEST_FILES(the_area_is_of_another_file),
		TEST_FILES(the_area_is_of_another_device),
		TEST_FILES(there_is_no_area),
	};

	if (!own_mounts())
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
