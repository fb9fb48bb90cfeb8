/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stacks.h - where processes are that should have ended
 */
#ifndef PMEM2FS_TESTS_STACKS_H
#define PMEM2FS_TESTS_STACKS_H

/*
 * Writes to `out`, for each thread of each other process in this /proc, its name, state, system
 * call and the kernel's stack, and the stacks of the process itself where eu-stack or gdb is
 * installed. Returns within about a minute, whatever the processes do. Other children of the caller
 * are not reaped.
 */
void stacks_print(int out);

#endif
