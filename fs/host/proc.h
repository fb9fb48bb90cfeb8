/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * proc.h - what /proc says of processes
 *
 * Owns nothing; used in any thread.
 */
#ifndef PMEM2FS_HOST_PROC_H
#define PMEM2FS_HOST_PROC_H

#include "host/mapping_facts.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#define PROC_COMM_SIZE     17 /* of a name, terminated */
#define PROC_MAP_FILE_SIZE 96

/* Opens /proc/PID/NAME for reading. Returns a descriptor or a negative errno. */
int proc_open(pid_t pid, const char *name);

/* The same as a stream, NULL when it cannot be opened. */
FILE *proc_stream(pid_t pid, const char *name);

/*
 * The beginning of /proc/PID/NAME, terminated: what fits into `size`. Returns its length or a
 * negative errno.
 */
ssize_t proc_read(pid_t pid, const char *name, char *text, size_t size);

/* The name of a process; empty when it cannot be read. */
void proc_comm(pid_t pid, char comm[PROC_COMM_SIZE]);

/* The effective ids of a process. Returns 0 or a negative errno. */
int proc_ids(pid_t pid, uid_t *uid, gid_t *gid);

/* The effective user of a process; (uid_t)-1, which nobody is, when it cannot be read. */
uid_t proc_user(pid_t pid);

/* The pids of the host in ascending order, to be freed. NULL: they cannot be read. */
pid_t *proc_pids(size_t *count);

/* The link to the file that is mapped at [begin, end) of a process. */
void proc_map_file(char path[PROC_MAP_FILE_SIZE], pid_t pid, uint64_t begin, uint64_t end);

/* The target of a symbolic link, to be freed. NULL when it cannot be read or memory runs out. */
char *proc_link(const char *path);

/*
 * A process as it is now: the old object when nothing has changed, else a new one. `old` may be
 * NULL. NULL when memory runs out.
 */
struct process_info *proc_process_info(pid_t pid, struct process_info *old);

/* Whether the process with that pid is still the same as it was then. */
bool proc_is(pid_t pid, const struct process_info *info);

#endif
