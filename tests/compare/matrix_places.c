/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix_places.c - the out-parameters, buffers and descriptors that functions of the matrix are
 * called with
 *
 * Owns the memory and descriptors of one call, which runs in a process of its own.
 */
#include "matrix.h"

int open_again(int fd, int flags)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return open(name, flags);
}

static char *new_memory(size_t size)
{
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NEED(memory != MAP_FAILED);
	return memory;
}

uintptr_t make_memory(void)
{
	return (uintptr_t)new_memory(4 * MIB);
}

/* --- places for numbers --- */

static union {
	size_t size;
	uint64_t count;
	int number;
	struct pmem2_badblock block;
} room;

static uintptr_t set_size(size_t size)
{
	room.size = size;
	return (uintptr_t)&room;
}

static uintptr_t make_size_0(void)
{
	return set_size(0);
}

static uintptr_t make_size_1(void)
{
	return set_size(1);
}

static uintptr_t make_size_1024(void)
{
	return set_size(1024);
}

static uintptr_t make_count(void)
{
	room.count = 77;
	return (uintptr_t)&room;
}

static uintptr_t make_number(void)
{
	room.number = 77;
	return (uintptr_t)&room;
}

static uintptr_t make_block(void)
{
	room.block = (struct pmem2_badblock){77, 78};
	return (uintptr_t)&room;
}

static void show_size(const char *name, uintptr_t argument)
{
	print_value(name, "%zu", *(size_t *)argument);
}

static void show_count(const char *name, uintptr_t argument)
{
	print_value(name, "%lu", *(uint64_t *)argument);
}

static void show_node(const char *name, uintptr_t argument)
{
	print_value(name, "%d", *(int *)argument);
}

static void show_fd(const char *name, uintptr_t argument)
{
	print_value(name, "%s", *(int *)argument == 77 ? "kept" : "set");
}

static void show_block(const char *name, uintptr_t argument)
{
	const struct pmem2_badblock *block = (struct pmem2_badblock *)argument;

	print_value(name, "%zu +%zu", block->offset, block->length);
}

const struct kind room_for_size = {
	(const struct value[]){POINTER_TO("1024", make_size_1024),
			       POINTER_TO("1", make_size_1),
			       POINTER_TO("0", make_size_0),
			       {.name = "NULL"},
			       {0}},
	show_size,
};
const struct kind room_for_count = {
	(const struct value[]){POINTER_TO("77", make_count), {.name = "NULL"}, {0}},
	show_count,
};
const struct kind room_for_node = {
	(const struct value[]){POINTER_TO("77", make_number), {.name = "NULL"}, {0}},
	show_node,
};
const struct kind room_for_fd = {
	(const struct value[]){POINTER_TO("77", make_number), {.name = "NULL"}, {0}},
	show_fd,
};
const struct kind room_for_block = {
	(const struct value[]){POINTER_TO("77 +78", make_block), {.name = "NULL"}, {0}},
	show_block,
};

const struct kind a_buffer = {
	(const struct value[]){{.name = "buffer", .make = make_memory},
			       {.name = "16", .number = 16},
			       {.name = "NULL"},
			       {0}},
	NULL,
};

const struct kind a_text_buffer = {
	(const struct value[]){{.name = "buffer", .make = make_memory}, {.name = "NULL"}, {0}},
	NULL,
};

/* --- descriptors --- */

static uintptr_t make_file_fd(void)
{
	return (uintptr_t)new_file(FILE_SIZE);
}

static uintptr_t make_write_only_fd(void)
{
	return (uintptr_t)open_again(new_file(FILE_SIZE), O_WRONLY);
}

static uintptr_t make_path_fd(void)
{
	return (uintptr_t)open_again(new_file(FILE_SIZE), O_PATH);
}

static uintptr_t make_closed_fd(void)
{
	int fd = new_file(FILE_SIZE);

	close(fd);
	return (uintptr_t)fd;
}

static uintptr_t make_folder_fd(void)
{
	return (uintptr_t)open("/", O_RDONLY);
}

static uintptr_t make_null_fd(void)
{
	return (uintptr_t)open("/dev/null", O_RDWR);
}

static uintptr_t make_pipe_fd(void)
{
	int pair[2];

	NEED(pipe(pair) == 0);
	return (uintptr_t)pair[0];
}

const struct kind a_descriptor = {
	(const struct value[]){{.name = "file", .make = make_file_fd},
			       {.name = "write-only", .make = make_write_only_fd},
			       {.name = "path", .make = make_path_fd},
			       {.name = "closed", .make = make_closed_fd},
			       {.name = "folder", .make = make_folder_fd},
			       {.name = "/dev/null", .make = make_null_fd},
			       {.name = "pipe", .make = make_pipe_fd},
			       {.name = "-1", .number = -1ul},
			       {.name = "INT_MAX", .number = INT32_MAX},
			       {0}},
	NULL,
};
