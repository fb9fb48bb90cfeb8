/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * quick_opener.h - opens what is to be mapped where that makes nobody wait
 *
 * For the request loop: what is in the kernel's memory, on a file system in memory or on persistent
 * memory, is opened without a thread. Whether a mount is of such a file system is found out in a
 * thread, when something on it is opened there (opener.h), and holds until mounts change.
 */
#ifndef PMEM2FS_HOST_QUICK_OPENER_H
#define PMEM2FS_HOST_QUICK_OPENER_H

#include "host/identity.h"
#include <stdbool.h>
#include <stdint.h>

struct quick_opener;

/*
 * NULL: out of memory. It opens nothing where mounts cannot be watched, or where the kernel reads
 * files when they are opened (ima.h).
 */
struct quick_opener *quick_opener_new(void);
void quick_opener_free(struct quick_opener *opener);

/*
 * Opens `path` as opener_open does. Returns the descriptor, or -1: it is to be opened in a thread.
 * Then *place, unless -1, is a descriptor that is to be closed in a thread, too, since it may be
 * the last reference to a file.
 */
int quick_opener_open(struct quick_opener *opener, const struct identity *identity,
		      const char *path, bool write, int *place);

/* Another number each time that mounts have changed. */
uint64_t quick_opener_mounts(struct quick_opener *opener);

/*
 * The mount of a file, opened by path, if files on it can be opened quickly; else -1. To be called
 * in a thread, after opener_open.
 */
int quick_opener_find_mount(int fd);

/* Remembers such a mount; `mounts` is from before the file was opened. */
void quick_opener_learn(struct quick_opener *opener, int mount, uint64_t mounts);

#endif
