/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * library.h - ours and the other libpmem2, both called the same way
 */
#ifndef PMEM2FS_BENCH_LIBRARY_H
#define PMEM2FS_BENCH_LIBRARY_H

#include <libpmem2.h>
#include <limits.h>

/* What bench calls, without the prefix. */
#define LIBRARY_FUNCTIONS(_)                                                                       \
	_(config_new)                                                                              \
	_(config_set_length)                                                                       \
	_(config_set_offset)                                                                       \
	_(config_set_required_store_granularity)                                                   \
	_(config_delete)                                                                           \
	_(source_from_fd)                                                                          \
	_(source_from_anon)                                                                        \
	_(source_delete)                                                                           \
	_(map_new)                                                                                 \
	_(map_delete)                                                                              \
	_(map_get_address)                                                                         \
	_(map_get_store_granularity)                                                               \
	_(get_persist_fn)                                                                          \
	_(get_memcpy_fn)                                                                           \
	_(get_memmove_fn)                                                                          \
	_(get_memset_fn)                                                                           \
	_(errormsg)

struct library {
	void *handle; /* NULL: not there */
	char path[PATH_MAX];
#define LIBRARY_MEMBER(function) __typeof__(pmem2_##function) *function;
	LIBRARY_FUNCTIONS(LIBRARY_MEMBER)
};

/*
 * Opens our library. bench is not linked with it, so that none of the two is called in a shorter
 * way than the other, and none's symbols are found by the other. Returns 0 or a negative errno
 * after a message.
 */
int library_open_ours(struct library *library, const char *path);

/*
 * Opens the other one: of `path`, which may be any library, or without one the system's, which must
 * not be ours under its name. Without the system's it returns 0, after a message, and
 * library->handle is NULL.
 */
int library_open_other(struct library *library, const char *path);

void library_close(struct library *library);

/* Says what failed and why. Returns a negative errno. */
int library_failed(const struct library *library, const char *function, int err);

#endif
