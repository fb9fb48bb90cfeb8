/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * compare.h - interface for the cases of the comparison with Debian's libpmem2
 *
 * A case is a function that makes calls through `lib` and prints their results, as lines of a key
 * and a value. It runs twice in a child process of its own, with one library and with the other.
 * Each line whose values differ, or that only one side has, is a difference, which differences.c
 * must explain.
 */
#ifndef PMEM2FS_COMPARE_H
#define PMEM2FS_COMPARE_H

#include "libpmem2.h"
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

/* Every function that libpmem2 exports. */
#define FUNCTIONS(X)                                                                               \
	X(badblock_clear)                                                                          \
	X(badblock_context_delete)                                                                 \
	X(badblock_context_new)                                                                    \
	X(badblock_next)                                                                           \
	X(config_delete)                                                                           \
	X(config_new)                                                                              \
	X(config_set_length)                                                                       \
	X(config_set_offset)                                                                       \
	X(config_set_protection)                                                                   \
	X(config_set_required_store_granularity)                                                   \
	X(config_set_sharing)                                                                      \
	X(config_set_vm_reservation)                                                               \
	X(deep_flush)                                                                              \
	X(errormsg)                                                                                \
	X(get_drain_fn)                                                                            \
	X(get_flush_fn)                                                                            \
	X(get_memcpy_fn)                                                                           \
	X(get_memmove_fn)                                                                          \
	X(get_memset_fn)                                                                           \
	X(get_persist_fn)                                                                          \
	X(map_delete)                                                                              \
	X(map_from_existing)                                                                       \
	X(map_get_address)                                                                         \
	X(map_get_size)                                                                            \
	X(map_get_store_granularity)                                                               \
	X(map_new)                                                                                 \
	X(perror)                                                                                  \
	X(source_alignment)                                                                        \
	X(source_delete)                                                                           \
	X(source_device_id)                                                                        \
	X(source_device_usc)                                                                       \
	X(source_from_anon)                                                                        \
	X(source_from_fd)                                                                          \
	X(source_get_fd)                                                                           \
	X(source_numa_node)                                                                        \
	X(source_pread_mcsafe)                                                                     \
	X(source_pwrite_mcsafe)                                                                    \
	X(source_size)                                                                             \
	X(vm_reservation_delete)                                                                   \
	X(vm_reservation_extend)                                                                   \
	X(vm_reservation_get_address)                                                              \
	X(vm_reservation_get_size)                                                                 \
	X(vm_reservation_map_find)                                                                 \
	X(vm_reservation_map_find_first)                                                           \
	X(vm_reservation_map_find_last)                                                            \
	X(vm_reservation_map_find_next)                                                            \
	X(vm_reservation_map_find_prev)                                                            \
	X(vm_reservation_new)                                                                      \
	X(vm_reservation_shrink)

struct library {
#define X(name) __typeof__(&pmem2_##name) name;
	FUNCTIONS(X)
#undef X
};

extern struct library lib;

/* The places for files of cases. */
enum place {
	NOWHERE, /* the case needs no file */
	TMPFS,
	DISK,
	FSDAX,
	DEVDAX, /* the node, instead of files */
	PLACES,
};

/* The time limit of a case, and of each function of the matrix. */
#define CASE_SECONDS 200

/* --- in a case --- */

/* Whether the library exports that name. */
bool has_function(const char *name);

extern enum place place;

/* The folder of a place, or the devdax node; NULL: there is none. */
const char *folder_of(enum place where);

/* The path of a file in the place. */
const char *path_of(const char *name);

/* A new file of that size in the place, or the devdax node; ends the case on failure. */
int new_file(size_t size);

/* Sets the beginning of the keys that follow. */
void about(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* Prints a value. */
void print_value(const char *what, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/*
 * Calls a function that returns an error code. Prints the code, whether there is a message, and the
 * message. Returns the code.
 */
#define CALL(call) print_result(#call, (before_call(), (call)))
void before_call(void);
int print_result(const char *call, int error);

/* Prints how the pages of a range are mapped. */
void print_areas(const char *what, const void *address, size_t length);

/* Ends the case if something that both libraries need does not work. */
#define NEED(condition) ((condition) ? (void)0 : die(__FILE__, __LINE__, #condition))
void die(const char *file, int line, const char *condition) __attribute__((__noreturn__));

/* Returns `size` bytes of addresses at which nothing is mapped, with a mapped page right behind. */
char *hole(size_t size);

/* Makes objects that cannot fail. */
struct pmem2_source *new_source(int fd);
struct pmem2_source *new_anon(size_t size);
struct pmem2_config *new_config(void); /* page granularity is enough */
struct pmem2_map *new_map(const struct pmem2_config *cfg, const struct pmem2_source *src);

/* --- the tables --- */

struct test_case {
	const char *name;
	void (*run)(void);
	unsigned places;         /* bits of enum place */
	bool unprivileged;       /* once more as nobody */
	const char *environment; /* NAME=VALUE, set before the library is loaded; NULL: none */
};

#define AT(place)  (1u << (place))
#define ANY_FILE   (AT(TMPFS) | AT(DISK) | AT(FSDAX))
#define ANY_SOURCE (ANY_FILE | AT(DEVDAX))

extern const struct test_case source_cases[];
extern const struct test_case map_cases[];
extern const struct test_case reservation_cases[];
extern const struct test_case memory_cases[];
extern const struct test_case device_cases[];
extern const struct test_case defect_cases[];
extern const struct test_case matrix_cases[];

/*
 * An intended difference. Patterns are those of fnmatch, with "case@place: key" as the subject; "-"
 * stands for a line that one side does not have, and "died: SIG..." is the value of the key "end"
 * when the case ended by a signal.
 */
struct difference {
	const char *key;
	const char *theirs;
	const char *ours;
	const char *reason;
	enum place where; /* a place in which it occurs; NOWHERE is not on DAX */
	bool rare;        /* it does not occur each time */
	bool another;     /* both are errors, and they differ */
	unsigned seen;
};

extern struct difference differences[];

#endif
