/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_concurrency.c - many operations at once: nothing is lost, doubled or stale
 */
#include "helpers.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Shared by a test and its children. */
struct shared {
	_Atomic int ready;
	_Atomic bool stop;
	_Atomic int won[64], lost[64];
};

struct job {
	const struct fs *fs;
	struct shared *shared;
	unsigned number, rounds;
};

static struct shared *make_shared(void)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	assert_true(shared != MAP_FAILED);
	return shared;
}

static int anonymous(const char *path)
{
	return write_text(path, "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}");
}

/* Both have the name open when they write, so the write has to decide. */
static int write_the_same_name(void *argument)
{
	static const char text[] = "{\"source\":{\"type\":\"anonymous\",\"size\":4096}}";
	const struct job *job = argument;

	for (unsigned i = 0; i < job->rounds; i++) {
		int fd = open(entry(job->fs, format("m%u", i)), O_WRONLY | O_CREAT | O_CLOEXEC,
			      0644);
		int error;

		job->shared->ready++;
		while (job->shared->ready < (int)(2 * (i + 1)))
			sched_yield();
		if (fd < 0)
			return 1;
		error = write(fd, text, sizeof(text) - 1) < 0 ? errno : 0;
		close(fd);
		if (error == 0)
			job->shared->won[i]++;
		else if (error == EEXIST)
			job->shared->lost[i]++;
		else
			return error;
	}
	return 0;
}

static void two_writers_of_one_name(struct fs *fs)
{
	struct shared *shared = make_shared();
	struct job job = {.fs = fs, .shared = shared, .rounds = 64};
	pid_t children[2];
	struct names names;

	for (int i = 0; i < 2; i++)
		children[i] = start_as(NULL, write_the_same_name, &job);
	for (int i = 0; i < 2; i++)
		assert_int_equal(finish(children[i]), 0);
	for (unsigned i = 0; i < 64; i++) {
		assert_int_equal(shared->won[i], 1);
		assert_int_equal(shared->lost[i], 1);
	}
	names_read(&names, fs->daemon.mnt);
	assert_int_equal(names.count, 64);
	names_free(&names);
	munmap(shared, sizeof(*shared));
}

static bool is_one_of(int error, const int *allowed)
{
	while (*allowed >= 0 && *allowed != error)
		allowed++;
	return *allowed >= 0;
}

/* Creates, reads, renames and removes among eight names that all others use too. */
static int churn(void *argument)
{
	static const int created[] = {0, EEXIST, -1}, removed[] = {0, ENOENT, EBUSY, -1};
	static const int renamed[] = {0, ENOENT, EEXIST, EBUSY, -1}, got[] = {0, ENOENT, -1};
	const struct job *job = argument;
	unsigned seed = job->number;

	for (unsigned i = 0; i < job->rounds; i++) {
		const char *name = entry(job->fs, format("m%d", rand_r(&seed) % 8));
		const char *other = entry(job->fs, format("m%d", rand_r(&seed) % 8));
		int error;

		if (!is_one_of(error = anonymous(name), created))
			return error;
		char *text = read_file(name, NULL);
		error = text ? 0 : errno;
		if (text && (strncmp(text, "{\n", 2) && strncmp(text, "{\"", 2)))
			return 200;
		free(text);
		if (!is_one_of(error, got))
			return error;
		error = rename(name, other) == 0 ? 0 : errno;
		if (!is_one_of(error, renamed))
			return error;
		error = unlink(other) == 0 ? 0 : errno;
		if (!is_one_of(error, removed))
			return error;
	}
	return 0;
}

/* Lists over and over: each name appears at most once. */
static int list(void *argument)
{
	const struct job *job = argument;

	while (!job->shared->stop) {
		DIR *dir = opendir(job->fs->daemon.mnt);
		unsigned seen[8] = {0};
		struct dirent *d;

		if (!dir)
			return errno;
		while ((d = readdir(dir))) {
			struct stat st;

			if (d->d_name[0] != 'm')
				continue;
			/*
			 * A rename may move a name to a position that the listing has not reached
			 * yet.
			 */
			seen[d->d_name[1] - '0']++;
			if (stat(entry(job->fs, d->d_name), &st) != 0 && errno != ENOENT)
				return errno;
		}
		closedir(dir);
	}
	return 0;
}

static void many_of_all_operations(struct fs *fs)
{
	enum { CHILDREN = 4, ROUNDS = 400 };
	struct shared *shared = make_shared();
	struct job jobs[CHILDREN + 1];
	pid_t children[CHILDREN], lister;
	struct statvfs v;
	struct names names;

	for (unsigned i = 0; i <= CHILDREN; i++)
		jobs[i] = (struct job){fs, shared, i, ROUNDS};
	lister = start_as(NULL, list, &jobs[CHILDREN]);
	for (int i = 0; i < CHILDREN; i++)
		children[i] = start_as(NULL, churn, &jobs[i]);
	for (int i = 0; i < CHILDREN; i++)
		assert_int_equal(finish(children[i]), 0);
	shared->stop = true;
	assert_int_equal(finish(lister), 0);
	munmap(shared, sizeof(*shared));

	names_read(&names, fs->daemon.mnt);
	assert_int_equal(statvfs(fs->daemon.mnt, &v), 0);
	assert_int_equal(v.f_files - v.f_ffree, names.count);
	for (size_t i = 0; i < names.count; i++) {
		json_t *root = document(fs, names.name[i]);
		unsigned long long address;

		assert_string_equal(text_of(root, "name"), names.name[i]);
		assert_int_equal(sscanf(text_of(root, "address"), "0x%llx", &address), 1);
		assert_int_equal(maps_with(fs->daemon.keeper, format("\n%llx-", address)), 1);
		json_decref(root);
		WAIT_UNTIL(unlink(entry(fs, names.name[i])) == 0);
	}
	names_free(&names);
	assert_entries(fs, NULL);
	for (int i = 0; i < 8; i++) {
		struct stat st;

		assert_int_equal(stat(entry(fs, format("m%d", i)), &st), -1);
		assert_int_equal(errno, ENOENT);
	}
}

/* Each process uses names of its own: all of its operations succeed. */
static int own_names(void *argument)
{
	const struct job *job = argument;

	for (unsigned i = 0; i < job->rounds; i++) {
		const char *name = entry(job->fs, format("p%u-%u", job->number, i));
		const char *other = entry(job->fs, format("q%u-%u", job->number, i));
		char *text;
		int error = anonymous(name);

		if (error)
			return error;
		text = read_file(name, NULL);
		if (!text)
			return errno;
		free(text);
		if (access(name, F_OK) != 0)
			return errno;
		error = rename_patiently(name, other);
		if (error)
			return error;
		if (access(name, F_OK) == 0)
			return 200;
		error = unlink_patiently(other);
		if (error)
			return error;
		if (access(other, F_OK) == 0)
			return 201;
	}
	return 0;
}

static void processes_with_names_of_their_own(struct fs *fs)
{
	struct job jobs[4];
	pid_t children[4];

	for (unsigned i = 0; i < 4; i++) {
		jobs[i] = (struct job){.fs = fs, .number = i, .rounds = 500};
		children[i] = start_as(NULL, own_names, &jobs[i]);
	}
	for (int i = 0; i < 4; i++)
		assert_int_equal(finish(children[i]), 0);
	assert_entries(fs, NULL);
}

struct entry_bytes {
	uint64_t inode;
	int64_t offset;
	unsigned short length;
	unsigned char type;
	char name[];
};

/* Entries go, come and are renamed between the calls of one listing. */
static void a_listing_with_changes_in_its_middle(struct fs *fs)
{
	enum { ALL = 600 };
	unsigned char seen[ALL] = {0};
	uint64_t buffer[256 / 8];
	unsigned calls = 0, position = 0, seed = 1;
	ssize_t got;
	int fd;

	for (int i = 0; i < ALL; i++)
		map_anonymous(fs, format("m%03d", i), 4096);
	fd = open(fs->daemon.mnt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	while ((got = syscall(SYS_getdents64, fd, buffer, sizeof(buffer))) > 0) {
		char *at = (char *)buffer;

		for (ssize_t done = 0; done < got;) {
			struct entry_bytes *e = (struct entry_bytes *)(void *)(at + done);
			unsigned number;

			if (sscanf(e->name, "m%3u", &number) == 1 && number < ALL) {
				seen[number]++;
				position = number;
			}
			done += e->length;
		}
		/*
		 * Every third entry may be removed, before and after the position of the listing.
		 */
		unsigned before = (unsigned)rand_r(&seed) % (position + 1) / 3 * 3;
		unsigned after = (position + 3 + (unsigned)rand_r(&seed) % 40) / 3 * 3;

		calls++; /* new entries come last, and the listing ends without them */
		if (access(entry(fs, format("m%03u", before)), F_OK) == 0)
			unmap(fs, format("m%03u", before));
		if (after < ALL && access(entry(fs, format("m%03u", after)), F_OK) == 0)
			unmap(fs, format("m%03u", after));
		map_anonymous(fs, format("x%u", calls), 4096);
		rename_entry(fs, format("x%u", calls), format("y%u", calls));
	}
	assert_int_equal(got, 0);
	close(fd);
	assert_true(calls > 20);
	for (int i = 0; i < ALL; i++) {
		if (seen[i] > 1)
			fail_msg("m%03d is listed %d times", i, seen[i]);
		if (i % 3 && seen[i] != 1)
			fail_msg("m%03d is not listed", i);
	}
}

static void a_listing_from_the_start_again(struct fs *fs)
{
	DIR *dir = opendir(fs->daemon.mnt);
	unsigned count = 0;
	struct dirent *d;

	assert_non_null(dir);
	while (readdir(dir))
		;
	for (int i = 0; i < 50; i++)
		map_anonymous(fs, format("m%d", i), 4096);
	rewinddir(dir);
	while ((d = readdir(dir)))
		count += d->d_name[0] == 'm';
	assert_int_equal(count, 50);
	closedir(dir);
}

/* An NFS server opens the directory for each part of a listing, and begins where the last part
 * ended. */
static void a_listing_in_parts(struct fs *fs)
{
	unsigned count = 0, parts = 0;
	struct dirent *d;
	long at = 0;

	for (int i = 0; i < 50; i++)
		map_anonymous(fs, format("m%d", i), 4096);
	do {
		DIR *dir = opendir(fs->daemon.mnt);

		assert_non_null(dir);
		seekdir(dir, at);
		d = NULL;
		for (int i = 0; i < 10 && (d = readdir(dir)); i++)
			count += d->d_name[0] == 'm';
		at = telldir(dir);
		closedir(dir);
		parts++;
	} while (d);
	assert_int_equal(count, 50);
	assert_true(parts > 5);
}

/* A read in small pieces gets one version of the document from its beginning to its end. */
static int read_slowly(void *argument)
{
	const struct job *job = argument;

	while (!job->shared->stop) {
		int fd = open(entry(job->fs, "a"), O_RDONLY | O_CLOEXEC);
		char text[4096];
		size_t length = 0;
		struct stat st;
		json_t *root;
		ssize_t got;

		if (fd < 0)
			return errno;
		do {
			got = read(fd, text + length, 13);
			if (got < 0)
				return errno;
			length += (size_t)got;
		} while (got > 0);
		if (fstat(fd, &st) != 0 || (size_t)st.st_size != length)
			return 200;
		close(fd);
		root = json_loadb(text, length, 0, NULL);
		if (!root)
			return 201;
		json_decref(root);
		job->shared->won[0]++;
	}
	return 0;
}

static void a_document_is_never_a_mix_of_two(struct fs *fs)
{
	const char *path = make_source(fs, "file", 8192);
	struct shared *shared = make_shared();
	struct job job = {.fs = fs, .shared = shared};
	pid_t readers[3];

	map_source(fs, "a", path);
	for (int i = 0; i < 3; i++)
		readers[i] = start_as(NULL, read_slowly, &job);
	/* The number of digits changes, so a mix would not have the size that fstat says. */
	for (int i = 0; i < 40 || shared->won[0] <= 40; i++) {
		assert_int_equal(truncate(path, i % 2 ? 8192 : (off_t)1 << 40), 0);
		sleep_ms(100); /* for the readers to see each */
	}
	shared->stop = true;
	for (int i = 0; i < 3; i++)
		assert_int_equal(finish(readers[i]), 0);
	assert_true(shared->won[0] > 40);
	munmap(shared, sizeof(*shared));
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(two_writers_of_one_name),
		FS_TEST(many_of_all_operations),
		FS_TEST(processes_with_names_of_their_own),
		FS_TEST(a_listing_with_changes_in_its_middle),
		FS_TEST(a_listing_from_the_start_again),
		FS_TEST(a_listing_in_parts),
		FS_TEST(a_document_is_never_a_mix_of_two),
	};

	return fs_run(argc, argv, "concurrency", tests, sizeof(tests) / sizeof(*tests));
}
