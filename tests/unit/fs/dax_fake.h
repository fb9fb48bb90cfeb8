/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_fake.h - in place of dax.c, for tests of modules that call it: the test decides which files
 * have DAX
 */
#ifndef TESTS_DAX_FAKE_H
#define TESTS_DAX_FAKE_H

#include "host/dax.h"

#define FILE_PAGES 64

extern int dax_file;                /* the file that has DAX */
extern int other;                   /* a file on a stacked file system: also 0:99, inode 7 */
extern void (*while_looking)(void); /* called at the first area of a file with DAX */

#endif
