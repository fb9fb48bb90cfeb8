/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * placement.h - where in the address space a mapping goes
 */
#ifndef PMEM2FS_LIB_MAP_PLACEMENT_H
#define PMEM2FS_LIB_MAP_PLACEMENT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The arguments of mmap but for the address. */
struct placement_request {
	size_t length;
	size_t alignment; /* of the source; the address may get a larger one */
	int prot;
	int flags;
	int fd;
	off_t offset;
};

/* Maps at an aligned address that it chooses. Returns 0 or a negated errno. */
int placement_map(const struct placement_request *request, uintptr_t *address);

/* Maps at an address that the kernel chooses. Returns 0 or a negated errno. */
int placement_map_anywhere(const struct placement_request *request, uintptr_t *address);

/* A mapping was removed: the next mapping that fits may use its place. */
void placement_released(uintptr_t address, size_t length);

#endif
