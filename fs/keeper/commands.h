/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commands.h - carries out a worker's commands
 *
 * Owns every mapping that was made through the file system. The mappings outlive the worker that
 * asked for them: they are in the table of this process, where the next worker finds them.
 */
#ifndef PMEM2FS_KEEPER_COMMANDS_H
#define PMEM2FS_KEEPER_COMMANDS_H

struct commands;

/*
 * `ready(arg)` is called, from a thread of its own, when a worker says that it serves the mount.
 * There is one object in a process. NULL: out of memory.
 */
struct commands *commands_new(void (*ready)(void *arg), void *arg);

/*
 * Serves the commands that arrive on `socket`, of one worker, in threads. Takes ownership of
 * `socket`, on failure too. Returns 0 or a negative errno.
 */
int commands_start(struct commands *commands, int socket);

/* The worker reads an end of file from now on, which asks it to end. */
void commands_hang_up(struct commands *commands);

/*
 * Stops what commands_start began; to be called when that worker has ended. After this none of its
 * commands is being carried out, except one that hangs in a file system: its thread is left behind.
 */
void commands_stop(struct commands *commands);

/* After commands_stop. Removes all mappings. */
void commands_free(struct commands *commands);

#endif
