/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_partial_mappings.c - mappings of which parts are unmapped: pmem2ctl unmap with a range, and
 * what the document says then
 *
 * Runs a copy of the program that $PMEM2FS_CTL names, which every user may run.
 */
#include "helpers.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096
#define PAGES 16

struct facts_query {
	const struct fs *fs;
	const char *arguments;
};

static int run_ctl(void *argument)
{
	const struct facts_query *question = argument;
	int out = open(format("%s/output", question->fs->data),
		       O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	dup2(out, 2);
	execl("/bin/sh", "sh", "-c",
	      format("%s/ctl -s %s %s", question->fs->data, question->fs->daemon.socket,
		     question->arguments),
	      (char *)NULL);
	return 127;
}

/* The exit status of pmem2ctl. */
static int ctl_as(const struct user *user, const struct fs *fs, const char *arguments)
{
	const char *copy = format("%s/ctl", fs->data);

	if (access(copy, X_OK) != 0)
		assert_int_equal(shell(fs, format("cp %s %s && chmod 755 %s && : >$D/output && "
						  "chmod 666 $D/output",
						  getenv("PMEM2FS_CTL"), copy, copy)),
				 0);
	return run_as(user, run_ctl, &(struct facts_query){fs, arguments});
}

static void ctl(const struct fs *fs, const char *arguments)
{
	if (ctl_as(NULL, fs, arguments))
		fail_msg("%s: %s", arguments, read_file(format("%s/output", fs->data), NULL));
}

/* Checks that pmem2ctl fails with just this message. */
static void ctl_refuses(const struct user *user, const struct fs *fs, const char *arguments,
			const char *message)
{
	char *said;

	assert_int_equal(ctl_as(user, fs, arguments), 1);
	said = read_file(format("%s/output", fs->data), NULL);
	assert_string_equal(said, format("pmem2ctl: %s\n", message));
	free(said);
}

/*
 * The pages that are mapped according to the document, a bit for each; all of PAGES for an active
 * mapping.
 */
static unsigned pages_of(const struct fs *fs, const char *name)
{
	json_t *root = document(fs, name), *extents = json_object_get(root, "extents"), *extent;
	unsigned bits = 0;
	size_t i;

	if (!extents) {
		assert_string_equal(text_of(root, "state"), "active");
		bits = (1u << PAGES) - 1;
	} else {
		int64_t last = -1;

		assert_string_equal(text_of(root, "state"), "partial");
		json_array_foreach (extents, i, extent) {
			int64_t offset = number_of(extent, "offset");
			int64_t length = number_of(extent, "length");

			assert_true(offset > last && length > 0); /* adjacent ones are merged */
			assert_int_equal(offset % PAGE, 0);
			assert_int_equal(length % PAGE, 0);
			last = offset + length;
			bits |= ((1u << length / PAGE) - 1) << offset / PAGE;
		}
	}
	json_decref(root);
	return bits;
}

/* The pages that are mapped according to /proc/PID/maps of the keeper. */
static unsigned pages_mapped(const struct fs *fs, const char *name)
{
	char *maps = read_file(format("/proc/%d/maps", (int)fs->daemon.keeper), NULL);
	json_t *root = document(fs, name);
	unsigned long long address, begin, end;
	unsigned bits = 0;

	assert_int_equal(sscanf(text_of(root, "address"), "0x%llx", &address), 1);
	for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
		assert_int_equal(sscanf(line, "%llx-%llx", &begin, &end), 2);
		for (unsigned i = 0; i < PAGES; i++)
			if (begin <= address + i * PAGE && address + i * PAGE < end)
				bits |= 1u << i;
	}
	json_decref(root);
	free(maps);
	return bits;
}

/*
 * The daemon invalidates the kernel's cache after it has answered pmem2ctl: the old document may
 * show for a moment.
 */
static void expect_document(const struct fs *fs, const char *name, unsigned pages)
{
	WAIT_UNTIL(pages_of(fs, name) == pages);
}

static void expect_pages(const struct fs *fs, const char *name, unsigned pages)
{
	struct stat st;

	expect_document(fs, name, pages);
	assert_int_equal(pages_mapped(fs, name), pages);
	assert_int_equal(stat(entry(fs, name), &st), 0);
	assert_int_equal(st.st_blocks * 512, pages ? __builtin_popcount(pages) * PAGE : 512);
}

/* The bytes of the keeper's areas of shared memory; a sanitizer would change its whole size. */
static uint64_t shared_bytes(const struct fs *fs)
{
	char *maps = read_file(format("/proc/%d/maps", (int)fs->daemon.keeper), NULL);
	unsigned long long begin, end;
	uint64_t bytes = 0;

	for (char *line = strtok(maps, "\n"); line; line = strtok(NULL, "\n")) {
		assert_int_equal(sscanf(line, "%llx-%llx", &begin, &end), 2);
		if (strstr(line, " /dev/zero"))
			bytes += end - begin;
	}
	free(maps);
	return bytes;
}

static void validate(const struct fs *fs)
{
	int status = shell(fs, format("%s $M/*", getenv("PMEM2FS_VALIDATE")));

	assert_true(status == 0 || status == 77);
}

/* Unmaps in the middle, at both ends, over what is gone already, and all that is left. */
static void take_parts(struct fs *fs, const char *name)
{
	expect_pages(fs, name, 0xffff);
	ctl(fs, format("unmap --offset 16K --length 8K %s", name));
	expect_pages(fs, name, 0xffcf);
	ctl(fs, format("unmap -l 4096 %s", name));
	expect_pages(fs, name, 0xffce);
	ctl(fs, format("unmap -o 60K %s", name));
	expect_pages(fs, name, 0x7fce);
	ctl(fs, format("unmap -o 12K -l 16K %s", name)); /* overlaps what is gone */
	expect_pages(fs, name, 0x7f86);
	ctl(fs, format("unmap -o 16K -l 8K %s", name)); /* is gone */
	expect_pages(fs, name, 0x7f86);
	ctl(fs, format("unmap -o 32K -l 1 %s", name)); /* a byte stands for its page */
	expect_pages(fs, name, 0x7e86);
	validate(fs);
	ctl(fs, format("unmap -o 0 %s", name));
	expect_pages(fs, name, 0);
	validate(fs);
	assert_entries(fs, name, NULL);
	unmap(fs, name);
	assert_entries(fs, NULL);
}

static void parts_of_a_file(struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	take_parts(fs, "a");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
}

static void parts_of_memory(struct fs *fs)
{
	map_anonymous(fs, "a", PAGES * PAGE);
	take_parts(fs, "a");
	assert_int_equal(write_text(entry(fs, "p"),
				    "{\"source\":{\"type\":\"anonymous\",\"size\":65536},"
				    "\"sharing\":\"private\"}"),
			 0);
	take_parts(fs, "p");
}

static void an_odd_length(struct fs *fs)
{
	struct stat st;

	map_source(fs, "a", make_source(fs, "file", 2 * PAGE + 100));
	ctl(fs, "unmap -o 4K -l 4K a");
	expect_document(fs, "a", 0x5);
	assert_int_equal(stat(entry(fs, "a"), &st), 0);
	assert_int_equal(st.st_blocks, (PAGE + 100 + 511) / 512);
	ctl(fs, "unmap -o 8K -l 4K a"); /* to the end of the last page */
	expect_document(fs, "a", 0x1);
	unmap(fs, "a");
}

static void the_memory_comes_back(struct fs *fs)
{
	assert_int_equal(shared_bytes(fs), 0);
	map_anonymous(fs, "a", 64 << 20);
	assert_int_equal(shared_bytes(fs), 64 << 20);
	ctl(fs, "unmap -o 8M -l 32M a");
	assert_int_equal(shared_bytes(fs), 32 << 20);
	WAIT_UNTIL(shell(fs, "grep -q partial $M/a") == 0);
	assert_int_equal(shell(fs, "test $(du -k $M/a | cut -f 1) = 32768"), 0);
	unmap(fs, "a");
	assert_int_equal(shared_bytes(fs), 0);
}

/*
 * A descriptor opened before keeps the old document; new ones get the new document at once, though
 * the kernel could have cached the old one.
 */
static void who_has_it_open_reads_on(struct fs *fs)
{
	char before[4096], again[4096];
	ssize_t length;
	int fd;

	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	expect_pages(fs, "a", 0xffff);
	fd = open(entry(fs, "a"), O_RDONLY | O_CLOEXEC);
	length = read(fd, before, sizeof(before));
	assert_true(length > 0);
	ctl(fs, "unmap -o 4K a");
	expect_pages(fs, "a", 0x1);
	assert_int_equal(pread(fd, again, sizeof(again), 0), length);
	assert_memory_equal(again, before, (size_t)length);
	close(fd);
}

static void a_partial_mapping_is_restored_whole(struct fs *fs)
{
	json_t *root;

	assert_int_equal(
		write_text(entry(fs, "a"), format("{\"source\":{\"path\":\"%s\",\"offset\":4096}}",
						  make_source(fs, "file", (PAGES + 1) * PAGE))),
		0);
	ctl(fs, "unmap -o 4K -l 4K a");
	expect_pages(fs, "a", 0xfffd);
	assert_int_equal(shell(fs, "cat $M/a >$D/saved && rm $M/a && cp $D/saved $M/a"), 0);
	expect_pages(fs, "a", 0xffff);
	root = document(fs, "a");
	assert_int_equal(number_of(json_object_get(root, "source"), "offset"), PAGE);
	assert_string_equal(text_of(json_object_get(root, "source"), "path"), source(fs, "file"));
	json_decref(root);
}

/* With no page mapped, the file may be gone, and another file may have its path. */
static void nothing_left_has_no_path(struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	ctl(fs, "unmap -o 0 a");
	expect_pages(fs, "a", 0);
	assert_int_equal(unlink(source(fs, "file")), 0);
	make_source(fs, "file", PAGES * PAGE);
	WAIT_UNTIL(shell(fs, "grep -q '\"path\": null' $M/a && ! grep pending $M/a") == 0);
	assert_int_not_equal(shell(fs, "cat $M/a >$D/saved && rm $M/a && cp $D/saved $M/a"), 0);
}

static void mv_keeps_what_is_left(struct fs *fs)
{
	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	ctl(fs, "unmap -o 32K a");
	rename_entry(fs, "a", "b");
	expect_pages(fs, "b", 0xff);
	ctl(fs, "unmap -l 4K b");
	expect_pages(fs, "b", 0xfe);
}

static void the_next_worker_sees_what_is_left(struct fs *fs)
{
	pid_t worker = daemon_worker(&fs->daemon);

	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	map_anonymous(fs, "b", PAGES * PAGE);
	ctl(fs, "unmap -o 8K -l 16K a b");
	assert_int_equal(kill(worker, SIGKILL), 0);
	WAIT_UNTIL(daemon_worker(&fs->daemon) != worker && access(entry(fs, "a"), F_OK) == 0);
	expect_pages(fs, "a", 0xffc3);
	expect_pages(fs, "b", 0xffc3);
	ctl(fs, "unmap -o 40K a");
	expect_pages(fs, "a", 0x3c3);
	unmap(fs, "a");
}

/* Other mappings of the file, and those at neighbouring addresses, stay whole. */
static void the_others_stay_whole(struct fs *fs)
{
	make_source(fs, "file", PAGES * PAGE);
	for (int i = 0; i < 20; i++)
		map_source(fs, format("m%02d", i), source(fs, "file"));
	for (int i = 0; i < 20; i += 2)
		ctl(fs, format("unmap -o %dK -l 8K m%02d", 4 * (i % 16), i));
	/* These may get the addresses that have become free. */
	for (int i = 20; i < 40; i++)
		assert_int_equal(write_text(entry(fs, format("m%02d", i)),
					    format("{\"source\":{\"path\":\"%s\",\"offset\":%d},"
						   "\"length\":4096}",
						   source(fs, "file"), i % PAGES * PAGE)),
				 0);
	for (int i = 0; i < 20; i++)
		expect_document(fs, format("m%02d", i), i % 2 ? 0xffff : 0xffff & ~(3u << i % 16));
	for (int i = 20; i < 40; i++)
		expect_document(fs, format("m%02d", i), 0xffff);
}

static void wrong_ranges(struct fs *fs)
{
	char *before, *after;

	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	ctl(fs, "unmap -o 60K a");
	expect_document(fs, "a", 0x7fff);
	before = snapshot(fs);
	ctl_refuses(NULL, fs, "unmap -o 100 a",
		    "a: cannot unmap a part: offset 100 is not a multiple of 4096");
	ctl_refuses(NULL, fs, "unmap -l 0 a", "a: cannot unmap a part: cannot unmap 0 bytes");
	ctl_refuses(NULL, fs, "unmap -o 4K -l 64K a",
		    "a: cannot unmap a part: offset 4096 and length 65536 are beyond the "
		    "mapping's 65536 bytes");
	ctl_refuses(NULL, fs, "unmap -o 64K a",
		    "a: cannot unmap a part: offset 65536 and length 1 are beyond the mapping's "
		    "65536 bytes");
	ctl_refuses(NULL, fs, "unmap -o 7E -l 7E a",
		    "a: cannot unmap a part: offset 8070450532247928832 and length "
		    "8070450532247928832 are beyond the mapping's 65536 bytes");
	ctl_refuses(NULL, fs, "unmap -o 4K b", "b: no such mapping");
	after = snapshot(fs);
	assert_string_equal(after, before);
	assert_true(log_has(&fs->daemon, "a: cannot unmap a part: offset 100 is not"));
	free(before);
	free(after);
}

static void only_the_owner_and_root(struct fs *fs)
{
	make_source(fs, "file", PAGES * PAGE);
	map_source(fs, "roots", source(fs, "file"));
	assert_int_equal(write_as(&user_a, entry(fs, "as"), request_of(source(fs, "file"))), 0);
	ctl_refuses(&user_a, fs, "unmap -o 4K roots",
		    "roots: cannot unmap a part: it belongs to user 0");
	ctl_refuses(&user_b, fs, "unmap -o 4K as",
		    format("as: cannot unmap a part: it belongs to user %u", user_a.uid));
	expect_pages(fs, "roots", 0xffff);
	expect_pages(fs, "as", 0xffff);
	assert_int_equal(ctl_as(&user_a, fs, "unmap -o 32K as"), 0);
	expect_pages(fs, "as", 0xff);
	ctl(fs, "unmap -l 4K as");
	expect_pages(fs, "as", 0xfe);
	unmap_as(&user_a, fs, "as");
}

static void events_tell(struct fs *fs)
{
	const char *listen = format("%s -s %s events >$D/events & echo $! >$D/pid",
				    getenv("PMEM2FS_CTL"), fs->daemon.socket);

	map_source(fs, "a", make_source(fs, "file", PAGES * PAGE));
	assert_int_equal(shell(fs, listen), 0);
	WAIT_UNTIL(ctl_as(NULL, fs, "unmap -o 4K -l 1 a") == 0 &&
		   shell(fs, "grep -q '\"event\":\"unmap_range\".*\"name\":\"a\".*"
			     "\"range\":{\"offset\":4096,\"length\":4096}' $D/events") == 0);
	ctl_as(NULL, fs, "unmap -o 1 a");
	WAIT_UNTIL(shell(fs, "grep -q '\"event\":\"failed\".*\"operation\":\"unmap_range\"' "
			     "$D/events") == 0);
	assert_int_equal(shell(fs, "kill $(cat $D/pid)"), 0);
}

/* Unmaps parts, but never the last page. */
static int take_and_take(void *argument)
{
	const struct fs *fs = argument;

	for (int i = 0; i < 150; i++) {
		const char *arguments = format("unmap -t 2 -o %dK -l 8K a", 4 * (i * 5 % 14));
		int status = finish(start_as(NULL, run_ctl, &(struct facts_query){fs, arguments}));

		if (status != 0 && status != 1)
			return 1;
	}
	return 0;
}

/* A mapping that rm has unmapped already does not show without extents while its entry is there. */
static int read_and_read(void *argument)
{
	const struct fs *fs = argument;

	for (;;) {
		char *text = read_file(entry(fs, "a"), NULL);
		json_t *root = text ? json_loads(text, JSON_REJECT_DUPLICATES, NULL) : NULL;
		json_t *extents = json_object_get(root, "extents");

		if (text && (!root || (extents && !json_array_size(extents))))
			return 1;
		json_decref(root);
		free(text);
	}
}

/* Ranges are unmapped while the whole mapping is removed and made again. */
static void parts_and_rm_at_once(struct fs *fs)
{
	siginfo_t info = {0};
	unsigned removed = 0;
	pid_t taker;

	make_source(fs, "file", PAGES * PAGE);
	map_source(fs, "a", source(fs, "file"));
	ctl(fs, "unmap -o 4K -l 4K a");
	fs->helper = start_as(NULL, read_and_read, fs);
	taker = start_as(NULL, take_and_take, fs);
	while (!waitid(P_PID, (id_t)taker, &info, WEXITED | WNOHANG | WNOWAIT) && !info.si_pid) {
		unmap(fs, "a");
		map_source(fs, "a", source(fs, "file"));
		removed++;
	}
	assert_int_equal(finish(taker), 0);
	assert_true(removed > 10);
	assert_int_equal(kill(fs->helper, SIGKILL), 0);
	assert_int_equal(finish(fs->helper), -SIGKILL);
	fs->helper = 0;
	expect_document(fs, "a", pages_mapped(fs, "a"));
	unmap(fs, "a");
	assert_int_equal(maps_with(fs->daemon.keeper, source(fs, "file")), 0);
}

/* Unmaps every second page from `first` to before `end`, over one connection. */
static void unmap_every_other_page(const struct fs *fs, const char *name, int first, int end)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", fs->daemon.socket);
	assert_int_equal(connect(connection, (struct sockaddr *)&address, sizeof(address)), 0);
	for (int i = first; i < end; i += 2) {
		const char *question = format("{\"unmap_range\":\"%s\",\"offset\":%d,\"length\":1}",
					      name, i * PAGE);
		char answer[256];
		ssize_t length;

		assert_int_equal(send(connection, question, strlen(question), MSG_NOSIGNAL),
				 strlen(question));
		length = recv(connection, answer, sizeof(answer) - 1, 0);
		assert_true(length > 0);
		answer[length] = '\0';
		assert_non_null(strstr(answer, "\"errno\":0"));
	}
	close(connection);
}

/*
 * Unmaps every second page, so that there are as many extents as possible; even that document is a
 * valid request.
 */
static void every_other_page(struct fs *fs)
{
	enum { COUNT = 800 };
	json_t *root, *extents;

	map_anonymous(fs, "a", COUNT * PAGE);
	unmap_every_other_page(fs, "a", 1, COUNT);
	let_facts_age();
	root = document(fs, "a");
	extents = json_object_get(root, "extents");
	assert_int_equal(json_array_size(extents), COUNT / 2);
	for (size_t i = 0; i < COUNT / 2; i++) {
		assert_int_equal(number_of(json_array_get(extents, i), "offset"), i * 2 * PAGE);
		assert_int_equal(number_of(json_array_get(extents, i), "length"), PAGE);
	}
	json_decref(root);
	validate(fs);
	assert_int_equal(shell(fs, "cat $M/a >$D/saved && rm $M/a && cp $D/saved $M/a"), 0);
	root = document(fs, "a");
	assert_string_equal(text_of(root, "state"), "active");
	json_decref(root);
	unmap(fs, "a");
}

static void one_part_too_many(struct fs *fs)
{
	enum { COUNT = 802 };

	map_anonymous(fs, "a", COUNT * PAGE);
	unmap_every_other_page(fs, "a", 1, COUNT - 4);
	ctl_refuses(NULL, fs, format("unmap -o %d -l 1 a", (COUNT - 3) * PAGE),
		    "a: cannot unmap a part: it has 400 parts already");
	unmap(fs, "a");
}

int main(int argc, char **argv)
{
	const struct fs_test tests[] = {
		FS_TEST(parts_of_a_file),
		FS_TEST(parts_of_memory),
		FS_TEST(an_odd_length),
		FS_TEST(the_memory_comes_back),
		FS_TEST(who_has_it_open_reads_on),
		FS_TEST(a_partial_mapping_is_restored_whole),
		FS_TEST(nothing_left_has_no_path),
		FS_TEST(mv_keeps_what_is_left),
		FS_TEST(the_next_worker_sees_what_is_left),
		FS_TEST(the_others_stay_whole),
		FS_TEST(wrong_ranges),
		FS_TEST(only_the_owner_and_root, .options = "rootmode=1777"),
		FS_TEST(events_tell),
		FS_TEST(parts_and_rm_at_once),
		FS_TEST(every_other_page, .limit = 300),
		FS_TEST(one_part_too_many),
	};

	return fs_run(argc, argv, "partial_mappings", tests, sizeof(tests) / sizeof(*tests));
}
