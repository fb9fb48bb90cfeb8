/* SPDX-License-Identifier: BSD-3-Clause */
/* slow_munmap.h - the length of an area that is slow to unmap, in bytes */
#ifndef PMEM2FS_TESTS_SLOW_MUNMAP_H
#define PMEM2FS_TESTS_SLOW_MUNMAP_H

#define SLOW_LENGTH (1237 * 4096)

#endif
