/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz.h - what the fuzz targets share
 *
 * A target is a function that libFuzzer calls with all kinds of bytes. Where a compiler has no
 * libFuzzer, main.c calls it.
 */
#ifndef PMEM2FS_TESTS_FUZZ_H
#define PMEM2FS_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define REQUIRE(condition) ((condition) ? (void)0 : abort())

/* Returns 0. Ends the process where the tested code does not keep its guarantees. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
