/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * copy_kernel.c - the sizes that all kernels share
 *
 * Owns the two sizes, which copy.c sets. Calls nothing.
 */
#include "persist/copy_kernel.h"

size_t copy_stream_flushed;
size_t copy_stream_cached;
