/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publication.h - the mappings of this process in its table
 */
#ifndef PMEM2FS_LIB_REGISTRY_PUBLICATION_H
#define PMEM2FS_LIB_REGISTRY_PUBLICATION_H

#include "registry/handles.h"

/*
 * As library_lock; makes the table first if there is none and there may be one. library_unlock is
 * the counterpart. A caller that may have made the table announces it afterwards (announce.h).
 */
void publication_lock(void);

/* With the lock held: shows a live mapping in the table, if there is one, and hides it again. */
void publication_show(struct handle *handle);
void publication_hide(struct handle *handle);

/*
 * Makes a table although that has failed before, for a caller that hands it over: *fd, which the
 * caller owns. Errors, without a message: -EALREADY (there is a table already), those of making
 * one.
 */
int publication_export(int *fd);

/*
 * Reports which table there is. With `fd`, the table is made anew for its descriptor, which the
 * caller owns. Errors, without a message: -ENOENT (there is no table), those of making one.
 */
int publication_table(uint64_t *inode, int *fd);

/* In the child of a fork: the thread that ran the probe does not exist there. */
void publication_after_fork(void);

#endif
