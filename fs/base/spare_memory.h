/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spare_memory.h - gives memory that was needed for a short time back to the kernel
 *
 * The heap keeps what is freed for the next time. After the first look at a host with many mappings
 * that would be as much as all of them need later. Owns how much was freed since the last time.
 */
#ifndef PMEM2FS_BASE_SPARE_MEMORY_H
#define PMEM2FS_BASE_SPARE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#define SPARE_MEMORY_LITTLE ((size_t)1 << 20)  /* bytes that may stay in the heap */
#define SPARE_MEMORY_MUCH   ((size_t)16 << 20) /* that take some milliseconds to give back */

/* So many bytes have been freed that are not needed again soon. In any thread. */
void spare_memory_note(size_t bytes);

/*
 * Gives back what is spare if that is not little: once a second at most, but at once when it is
 * much, since the heap is locked for as long as that takes. Returns when it is due again,
 * UINT64_MAX for never. Used by the request loop alone.
 */
uint64_t spare_memory_expire(uint64_t now);

#endif
