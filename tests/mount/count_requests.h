/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * count_requests.h - what the preloaded library and its tests agree on
 */
#ifndef PMEM2FS_TESTS_COUNT_REQUESTS_H
#define PMEM2FS_TESTS_COUNT_REQUESTS_H

#define REQUEST_KINDS 64 /* counters in the file */

#endif
