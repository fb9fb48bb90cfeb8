/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * array.h - arrays that grow
 *
 * Owns no data; calls libc only. The caller owns the array, how many elements are in it, and for
 * how many it has room.
 */
#ifndef PMEM2FS_BASE_ARRAY_H
#define PMEM2FS_BASE_ARRAY_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* Use array_reserve. Returns the array with room for `count` elements, or NULL. */
static inline void *array_grow(void *array, size_t *room, size_t count, size_t first, size_t size)
{
	size_t larger = *room ? *room : first;

	if (count <= *room)
		return array;
	while (larger < count)
		larger = larger > SIZE_MAX / 2 ? count : larger * 2;
	array = reallocarray(array, larger, size);
	if (array)
		*room = larger;
	return array;
}

/*
 * Makes room for `count` (not 0) elements in the array that the pointer `array` names; `*room`
 * (a size_t) is how many it has room for: 0 with a NULL array at first, then `first`, then doubled.
 * Returns 0 or -ENOMEM, then nothing has changed.
 */
#define array_reserve(array, room, count, first)                                                   \
	({                                                                                         \
		__typeof__(array) array_grown_ =                                                   \
			array_grow(array, room, count, first, sizeof(*(array)));                   \
		if (array_grown_)                                                                  \
			(array) = array_grown_;                                                    \
		array_grown_ ? 0 : -ENOMEM;                                                        \
	})

#endif
