/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_commands.c - what a worker's commands do, and what is left when the worker ends
 */
#include "base/clock.h"
#include "base/descriptor.h"
#include "capture.h"
#include "keeper/commands.h"
#include "libpmem2.h"
#include "libpmem2fs.h"
#include "protocol/command.h"
#include "receive/receiver.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PAGE 4096u

struct scene {
	struct commands *commands;
	struct pmem2fs_table *table;
	int worker; /* the worker's end of the socket */
	_Atomic int ready;
	struct capture capture;
};

static void count_ready(void *arg)
{
	struct scene *scene = arg;

	scene->ready++;
}

static void start_worker(struct scene *scene)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
	scene->worker = ends[0];
	assert_int_equal(commands_start(scene->commands, ends[1]), 0);
}

static void stop_worker(struct scene *scene)
{
	close(scene->worker);
	commands_stop(scene->commands);
}

static int begin(void **state)
{
	static int table = -1; /* can be had once in a process */
	struct scene *scene = calloc(1, sizeof(*scene));

	*state = scene;
	capture_begin(&scene->capture, STDERR_FILENO);
	scene->commands = commands_new(count_ready, scene);
	if (table < 0)
		assert_int_equal(pmem2fs_table_export(&table), 0);
	assert_int_equal(pmem2fs_table_open(&scene->table, fcntl(table, F_DUPFD_CLOEXEC, 0)), 0);
	start_worker(scene);
	return 0;
}

static int end(void **state)
{
	struct scene *scene = *state;

	stop_worker(scene);
	commands_free(scene->commands);
	pmem2fs_table_close(&scene->table);
	capture_end(&scene->capture);
	free(scene);
	return 0;
}

static struct command_reply ask(struct scene *scene, struct command command, int fd)
{
	struct command_reply reply;

	command.id = (uint64_t)rand();
	assert_int_equal(descriptor_send(scene->worker, &command, sizeof(command), 0, fd), 0);
	assert_int_equal(recv(scene->worker, &reply, sizeof(reply), 0), sizeof(reply));
	assert_true(reply.id == command.id);
	return reply;
}

/* As ask; *file is what comes before the answer. */
static struct command_reply ask_for_file(struct scene *scene, struct command command, int fd,
					 int *file)
{
	struct command_reply reply;

	command.id = (uint64_t)rand();
	assert_int_equal(descriptor_send(scene->worker, &command, sizeof(command), 0, fd), 0);
	assert_int_equal(descriptor_receive(scene->worker, &reply, sizeof(reply), 0, file),
			 sizeof(reply));
	assert_true(reply.id == command.id);
	assert_int_equal(*file >= 0, reply.returns);
	if (reply.returns)
		assert_int_equal(recv(scene->worker, &reply, sizeof(reply), 0), sizeof(reply));
	assert_true(reply.id == command.id && !reply.returns);
	return reply;
}

static struct command map_command(const char *label)
{
	struct command command = {
		.op = COMMAND_MAP,
		.anonymous = 1,
		.length = 2 * PAGE,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.sharing = PMEM2_SHARED,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
		.uid = 7,
		.gid = 8,
		.label_length = (uint8_t)strlen(label),
	};

	strcpy(command.label, label);
	return command;
}

static uint32_t map(struct scene *scene, const char *label)
{
	struct command_reply reply = ask(scene, map_command(label), -1);

	assert_int_equal(reply.error, 0);
	return reply.slot;
}

static unsigned count_mappings(struct scene *scene)
{
	struct pmem2fs_record record;
	uint32_t slot = 0;
	unsigned count = 0;

	while (!pmem2fs_table_next(scene->table, &slot, NULL, &record, NULL)) {
		slot++;
		count++;
	}
	return count;
}

static void a_mapping_is_made_named_and_removed(void **state)
{
	struct scene *scene = *state;
	struct pmem2fs_record record;
	uint32_t slot = map(scene, "one");
	struct command label = {.op = COMMAND_LABEL, .slot = slot, .label_length = 3};
	struct command unmap = {.op = COMMAND_UNMAP, .slot = slot};

	assert_int_equal(pmem2fs_table_read(scene->table, slot, NULL, &record), 0);
	assert_int_equal(record.length, 2 * PAGE);
	assert_int_equal(record.uid, 7);
	assert_int_equal(record.gid, 8);
	assert_int_equal(record.label_length, 3);
	assert_memory_equal(record.label, "one", 3);
	strcpy(label.label, "two");
	assert_int_equal(ask(scene, label, -1).error, 0);
	assert_int_equal(pmem2fs_table_read(scene->table, slot, NULL, &record), 0);
	assert_int_equal(record.label_length, 3);
	assert_memory_equal(record.label, "two", 3);
	assert_int_equal(ask(scene, unmap, -1).error, 0);
	assert_int_equal(count_mappings(scene), 0);
	assert_int_equal(ask(scene, unmap, -1).error, PMEM2_E_MAPPING_NOT_FOUND);
	assert_int_equal(ask(scene, label, -1).error, PMEM2_E_MAPPING_NOT_FOUND);
}

static void a_part_is_removed(void **state)
{
	struct scene *scene = *state;
	struct command unmap = {.op = COMMAND_UNMAP_RANGE, .offset = PAGE, .length = PAGE};
	struct pmem2fs_record record;

	unmap.slot = map(scene, "one");
	assert_int_equal(ask(scene, unmap, -1).error, 0);
	assert_int_equal(pmem2fs_table_read(scene->table, unmap.slot, NULL, &record), 0);
	assert_int_equal(count_mappings(scene), 1);
	unmap.slot++;
	assert_int_equal(ask(scene, unmap, -1).error, PMEM2_E_MAPPING_NOT_FOUND);
}

static void a_slot_beyond_the_table_has_no_mapping(void **state)
{
	struct scene *scene = *state;

	for (uint32_t op = COMMAND_UNMAP; op <= COMMAND_LABEL; op++) {
		struct command command = {.op = op, .slot = UINT32_MAX};

		assert_int_equal(ask(scene, command, -1).error, PMEM2_E_MAPPING_NOT_FOUND);
	}
}

static void a_failure_says_why(void **state)
{
	struct scene *scene = *state;
	struct command command = map_command("one");
	struct command_reply reply;
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	command.anonymous = 0;
	reply = ask(scene, command, fd);
	close(fd);
	assert_int_not_equal(reply.error, 0);
	assert_true(*reply.message);
	assert_int_equal(count_mappings(scene), 0);
}

/* Maps a file of two pages whose name is removed. Returns the slot. */
static uint32_t map_removed_file(struct scene *scene, ino_t *inode)
{
	char path[] = "/tmp/commands-XXXXXX";
	struct command command = map_command("file");
	struct command_reply reply;
	int fd = mkostemp(path, O_CLOEXEC), none;
	struct stat st;

	assert_true(fd >= 0);
	unlink(path);
	assert_int_equal(ftruncate(fd, 2 * PAGE) | fstat(fd, &st), 0);
	*inode = st.st_ino;
	command.anonymous = 0;
	command.length = 0;
	reply = ask_for_file(scene, command, fd, &none);
	assert_int_equal(reply.error, 0);
	assert_int_equal(none, -1);
	close(fd);
	return reply.slot;
}

/* How many processes have a file open, this one included, by its number. */
static unsigned count_open(ino_t inode)
{
	char path[64], link[300];
	unsigned count = 0;
	struct stat st;
	struct dirent *process, *descriptor;
	DIR *processes = opendir("/proc"), *descriptors;

	while ((process = readdir(processes))) {
		snprintf(path, sizeof(path), "/proc/%.20s/fd", process->d_name);
		descriptors = process->d_name[0] > '9' ? NULL : opendir(path);
		while (descriptors && (descriptor = readdir(descriptors))) {
			snprintf(link, sizeof(link), "%s/%.20s", path, descriptor->d_name);
			count += !stat(link, &st) && st.st_ino == inode && S_ISREG(st.st_mode);
		}
		if (descriptors)
			closedir(descriptors);
	}
	closedir(processes);
	return count;
}

/* The keeper has closed its own descriptor of it before the answer. */
static void expect_file(int file, ino_t inode)
{
	struct stat st;

	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_ino, inode);
	assert_int_equal(count_open(inode), 1);
	close(file);
}

/* So the keeper does not drop the last reference to it. */
static void a_file_comes_back_with_its_last_page(void **state)
{
	struct scene *scene = *state;
	struct command part = {.op = COMMAND_UNMAP_RANGE, .length = PAGE};
	struct command unmap = {.op = COMMAND_UNMAP};
	ino_t inode;
	int file;

	part.slot = unmap.slot = map_removed_file(scene, &inode);
	assert_int_equal(ask_for_file(scene, part, -1, &file).error, 0);
	assert_int_equal(file, -1);
	assert_int_equal(ask_for_file(scene, unmap, -1, &file).error, 0);
	expect_file(file, inode);

	part.slot = unmap.slot = map_removed_file(scene, &inode);
	part.length = 2 * PAGE;
	part.last = 1;
	assert_int_equal(ask_for_file(scene, part, -1, &file).error, 0);
	expect_file(file, inode);
	assert_int_equal(ask_for_file(scene, unmap, -1, &file).error, 0);
	assert_int_equal(file, -1);
}

/* Without a worker a process closes it that does nothing else. */
static void a_file_that_no_worker_takes_is_closed_elsewhere(void **state)
{
	struct scene *scene = *state;
	struct command unmap = {.op = COMMAND_UNMAP};
	ino_t inode;

	unmap.slot = map_removed_file(scene, &inode);
	assert_int_equal(count_open(inode), 1);
	assert_int_equal(shutdown(scene->worker, SHUT_RD), 0);
	assert_int_equal(send(scene->worker, &unmap, sizeof(unmap), 0), sizeof(unmap));
	stop_worker(scene);
	assert_int_equal(count_mappings(scene), 0);
	assert_true(wait(NULL) > 0);
	assert_int_equal(count_open(inode), 0);
	start_worker(scene);
}

static void what_begins_after_its_deadline_is_not_done(void **state)
{
	struct scene *scene = *state;
	struct command command = map_command("one");

	command.deadline = clock_now() - 1;
	assert_int_equal(ask(scene, command, -1).error, -ETIMEDOUT);
	assert_int_equal(count_mappings(scene), 0);
	command.deadline = clock_now() + 1000 * CLOCK_SECOND;
	assert_int_equal(ask(scene, command, -1).error, 0);
	assert_int_equal(count_mappings(scene), 1);
}

static void what_is_no_command_is_refused(void **state)
{
	struct scene *scene = *state;
	struct command_reply reply;

	assert_int_equal(ask(scene, (struct command){.op = COMMAND_PING}, -1).error, 0);
	assert_int_equal(ask(scene, (struct command){.op = 1000}, -1).error, -EMFILE);
	assert_int_equal(send(scene->worker, "x", 1, 0), 1);
	assert_int_equal(recv(scene->worker, &reply, sizeof(reply), 0), sizeof(reply));
	assert_int_equal(reply.error, -EMFILE);
}

static void ready_is_passed_on(void **state)
{
	struct scene *scene = *state;
	struct command command = {.op = COMMAND_READY};

	assert_int_equal(send(scene->worker, &command, sizeof(command), 0), sizeof(command));
	stop_worker(scene);
	assert_int_equal(scene->ready, 1);
	start_worker(scene);
}

/*
 * The worker sees the end of the connection, but its commands before are carried out and answered.
 */
static void a_worker_is_asked_to_end(void **state)
{
	struct scene *scene = *state;
	char byte;

	map(scene, "one");
	commands_hang_up(scene->commands);
	assert_int_equal(recv(scene->worker, &byte, 1, 0), 0);
	assert_int_equal(count_mappings(scene), 1);
}

static void the_next_worker_finds_the_mappings(void **state)
{
	struct scene *scene = *state;
	struct command unmap = {.op = COMMAND_UNMAP};

	unmap.slot = map(scene, "one");
	stop_worker(scene);
	assert_int_equal(count_mappings(scene), 1);
	start_worker(scene);
	assert_int_equal(ask(scene, unmap, -1).error, 0);
	assert_int_equal(count_mappings(scene), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_mapping_is_made_named_and_removed, begin, end),
		cmocka_unit_test_setup_teardown(a_part_is_removed, begin, end),
		cmocka_unit_test_setup_teardown(a_slot_beyond_the_table_has_no_mapping, begin, end),
		cmocka_unit_test_setup_teardown(a_failure_says_why, begin, end),
		cmocka_unit_test_setup_teardown(a_file_comes_back_with_its_last_page, begin, end),
		cmocka_unit_test_setup_teardown(a_file_that_no_worker_takes_is_closed_elsewhere,
						begin, end),
		cmocka_unit_test_setup_teardown(what_begins_after_its_deadline_is_not_done, begin,
						end),
		cmocka_unit_test_setup_teardown(what_is_no_command_is_refused, begin, end),
		cmocka_unit_test_setup_teardown(ready_is_passed_on, begin, end),
		cmocka_unit_test_setup_teardown(a_worker_is_asked_to_end, begin, end),
		cmocka_unit_test_setup_teardown(the_next_worker_finds_the_mappings, begin, end),
	};

	if (argc > 1 && !strcmp(argv[1], "--receiver")) /* that commands.c starts */
		return receiver_run(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
