/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * size.h - amounts of bytes as people write and read them
 */
#ifndef PMEM2FS_CTL_SIZE_H
#define PMEM2FS_CTL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#define SIZE_TEXT_LENGTH 24

/* Understands "4096", "64M", "1GiB". Returns 0, -EINVAL or -ERANGE (more than 2^63 - 1). */
int size_parse(const char *text, int64_t *size);
void size_print(char text[SIZE_TEXT_LENGTH], uint64_t size, bool human);

#endif
