/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * entry_name.h - the file names of the mappings of other processes
 *
 * COMM.PID.LABEL or COMM.PID.ADDRESS. COMM has no dot, so that a process cannot choose a COMM that
 * makes its names look like another's. Owns nothing; calls only escape.h.
 */
#ifndef PMEM2FS_PROTOCOL_ENTRY_NAME_H
#define PMEM2FS_PROTOCOL_ENTRY_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ENTRY_NAME_SIZE 256

/* `label` is any `length` bytes; those that cannot be shown become '_'. A long name is cut. */
void entry_name_of_label(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			 const uint8_t *label, size_t length);

/* `more` (0: none) is appended, so that several mappings of one address have different names. */
void entry_name_of_address(char name[ENTRY_NAME_SIZE], const char *comm, pid_t pid,
			   uint64_t address, uint64_t more);

/* Whether `name` has this form; *pid is then the process. */
bool entry_name_pid(const char *name, pid_t *pid);

#endif
