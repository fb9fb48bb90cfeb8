/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_fake.h - in place of dax.c, for tests of modules that call it: the test decides which files
 * have DAX
 */
#ifndef TESTS_DAX_FAKE_H
#define TESTS_DAX_FAKE_H

#include "host/dax.h"
#include <sys/sysmacros.h>

#define FILE_PAGES 64

/* Numbers of file systems that no machine has: it gives out the lowest free ones. */
#define OTHER_DEV makedev(0, 1048001)
#define NO_DEV    makedev(0, 1048002)

extern int dax_file;                /* the file that has DAX */
extern int other;                   /* a file on a stacked file system: also OTHER_DEV, inode 7 */
extern void (*while_looking)(void); /* called at the first area of a file with DAX */

#endif
