/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h - a 64-bit hash of words
 *
 * Owns no data and calls nothing.
 */
#ifndef PMEM2FS_BASE_HASH_H
#define PMEM2FS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

/* A secret random `seed` keeps others from choosing words whose hashes are equal. */
static inline uint64_t hash_words(const uint64_t *words, size_t count, uint64_t seed)
{
	uint64_t hash = seed;

	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * 0x9fb21c651e98df25ull;
		hash ^= hash >> 32;
	}
	return hash;
}

#endif
