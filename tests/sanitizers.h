/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sanitizers.h - which sanitizers a test is built with, and what they cannot do
 */
#ifndef PMEM2FS_TEST_SANITIZERS_H
#define PMEM2FS_TEST_SANITIZERS_H

#include <stdbool.h>

#ifdef __has_feature /* clang */
#if __has_feature(address_sanitizer)
#define ON_ASAN true
#endif
#if __has_feature(thread_sanitizer)
#define ON_TSAN true
#endif
#endif
#ifdef __SANITIZE_ADDRESS__ /* gcc */
#undef ON_ASAN
#define ON_ASAN true
#endif
#ifdef __SANITIZE_THREAD__
#undef ON_TSAN
#define ON_TSAN true
#endif

#ifndef ON_ASAN
#define ON_ASAN false
#endif
#ifndef ON_TSAN
#define ON_TSAN false
#endif

/*
 * The allocators of the sanitizers, unlike that of the C library, stay locked in a child if another
 * thread was in them at the fork. With them a test forks only while its other threads do not
 * allocate.
 */
#define FORK_WHEN_QUIET (ON_ASAN || ON_TSAN)

#endif
