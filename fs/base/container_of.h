/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * container_of.h - from a member to the structure that it is part of
 *
 * Owns no data and calls nothing.
 */
#ifndef PMEM2FS_BASE_CONTAINER_OF_H
#define PMEM2FS_BASE_CONTAINER_OF_H

#include <stddef.h>

/* The `type` whose `member` is at `pointer`. The compiler checks the pointer's type. */
#define container_of(pointer, type, member)                                                        \
	({                                                                                         \
		__typeof__(((type *)0)->member) *container_member_ = (pointer);                    \
		(type *)(void *)((char *)container_member_ - offsetof(type, member));              \
	})

#endif
