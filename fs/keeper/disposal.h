/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * disposal.h - closes files of users when there is no worker to do it
 *
 * The last close of a file may take for ever, which only a process that does nothing else may wait
 * for.
 */
#ifndef PMEM2FS_KEEPER_DISPOSAL_H
#define PMEM2FS_KEEPER_DISPOSAL_H

/* Has a file closed by a process of its own. Takes ownership of `file`. */
void disposal_of(int file);

#endif
