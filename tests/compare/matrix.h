/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * matrix.h - every function with every kind of argument
 *
 * The table of functions has the kind of each argument. A kind has a list of values; the first one
 * for the place of the case is valid.
 */
#ifndef PMEM2FS_COMPARE_MATRIX_H
#define PMEM2FS_COMPARE_MATRIX_H

#include "compare.h"

#define MOST_PARAMETERS 10

/*
 * Not on DAX: in the virtual machine the thousands of processes would take longer than all other
 * tests.
 */
#define EVERYWHERE (AT(NOWHERE) | AT(TMPFS) | AT(DISK))

struct value {
	const char *name;
	uintptr_t (*make)(void); /* NULL: the value is `number` */
	uintptr_t number;
	unsigned places; /* bits of enum place; 0: all */
};

struct kind {
	const struct value *values; /* the last one has no name */
	/* Prints what the argument points to after the call; NULL: prints nothing. */
	void (*show)(const char *name, uintptr_t argument);
};

#define FILE_SIZE (4 * MIB)

#define POINTER_TO(name_, make_)                                                                   \
	{                                                                                          \
		.name = "&" name_, .make = make_                                                   \
	}

/* Opens the file of a descriptor again. */
int open_again(int fd, int flags);

/* Maps 4 MiB of new memory. */
uintptr_t make_memory(void);

/* Objects, and pointers to pointers to them, for functions that delete. */
extern const struct kind a_source, a_source_ptr, a_config, a_config_ptr, a_map, a_map_ptr,
	a_reservation, a_used_reservation, a_no_reservation, a_reservation_ptr, a_context,
	a_context_ptr;

/* Out-parameters. */
extern const struct kind room_for_object, room_for_map, room_for_size, room_for_count, room_for_fd,
	room_for_node, room_for_block;

/* Ranges: memory of the program, memory of the map in the arguments, addresses for reservations. */
extern const struct kind an_own_range, a_mapped_range, a_hole, a_buffer, a_text_buffer;

/* A descriptor. */
extern const struct kind a_descriptor;

struct parameter {
	const char *name;
	const struct kind *kind;
};

enum returns {
	AN_ERROR,
	A_POINTER,
	A_NUMBER,
	NOTHING,
};

struct function {
	const char *name;
	enum returns returns;
	uintptr_t (*call)(const uintptr_t *arguments);
	struct parameter parameters[MOST_PARAMETERS + 1]; /* the last one has no name */
	unsigned places;                                  /* the places to call it in */
};

/* The last one has no name. */
extern const struct function functions[];

#endif
