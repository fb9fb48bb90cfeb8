/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world.h - the environment of each test, the same on every machine
 */
#ifndef PMEM2FS_TESTS_WORLD_H
#define PMEM2FS_TESTS_WORLD_H

/*
 * Leaves the host's name spaces: mounts, processes (of children), network and System V objects.
 * Without root it does so in a user name space that knows the caller only, as itself. Returns 0, or
 * -1 with errno when this machine does not allow it.
 */
int world_leave(void);

/*
 * For the first process of the new process name space: mounts what a test finds in /proc, /dev,
 * /tmp, /var/tmp, /run and /etc, and brings up the loopback device. The folders given at build time
 * and the current one stay where they are. Returns 0, or -1 after a message.
 */
int world_furnish(void);

/* Keeps variables that do not change results, and sets or removes the others. */
int world_set_environment(void);

/* Sets limits, signals and file descriptors before a program is started. */
void world_set_process(void);

#endif
