/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * entry_name.h - what the mappings of other processes are called
 *
 * COMM.PID.LABEL or COMM.PID.ADDRESS. COMM has no dot, so that no choice of it makes a name look
 * like another process's.
 */
#ifndef PMEM2FS_ENTRY_NAME_H
#define PMEM2FS_ENTRY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENTRY_NAME_SIZE 256

/* `label` is `length` bytes, any; too long a name is cut. */
void entry_name_of_label(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			 const uint8_t *label, size_t length);

/* `more` (0: none) tells it from others of that address. */
void entry_name_of_address(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			   uint64_t address, uint64_t more);

/* Whether it is such a name, and of which process. */
bool entry_name_pid(const char *name, pid_t *pid);

#endif
