/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stress.h - variables and functions that the threads of the stress program share
 */
#ifndef PMEM2FS_STRESS_H
#define PMEM2FS_STRESS_H

#include "../sanitizers.h"
#include "libpmem2fs.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define PAGE 4096ul
#define MIB  (1ul << 20)

#define MAPPERS   8
#define STRANGERS 2

/* The reservation: a zone for each mapper, one for all of them, one page that stays mapped. */
#define ZONE      16ul
#define COMMON    (MAPPERS * ZONE)
#define INHERITED (COMMON + ZONE)
#define SIZE      ((INHERITED + 1) * PAGE)

extern struct pmem2_vm_reservation *rsv;
extern char *rsv_start;
extern int file;
extern struct pmem2_map *inherited[3]; /* of memory, of the file, in the reservation */
extern atomic_ulong rounds_left;
extern atomic_bool stop;
extern atomic_ulong mmaps, opens, forks, finds, stretches, inspections, takes;

#define must(what)                      ((what) ? (void)0 : failed(__FILE__, __LINE__, #what))
#define must_be(what, result, expected) check_result(__FILE__, __LINE__, what, result, expected)
#define ok(call)                        must_be(#call, call, 0)

_Noreturn void failed(const char *source, int line, const char *what);
void check_result(const char *source, int line, const char *what, int result, int expected);

void count(atomic_ulong *counter);

/* Sleeps, for threads that leave most of the time to others. */
void pause_for(long microseconds);

/*
 * With FORK_WHEN_QUIET a fork waits until no thread is busy, no thread gets busy meanwhile, and
 * quiet_begin returns false when threads begin to end. Otherwise these functions do nothing: forks
 * happen at any point.
 */
void busy_begin(void);
void busy_end(void);
bool quiet_begin(void);
void quiet_end(void);

struct pmem2_config *make_config(enum pmem2_sharing_type sharing);

/* The threads. The argument of mappers and strangers is their number. */
void *run_mapper(void *arg);
void *run_stranger(void *arg);
void *run_opener(void *arg);
void *run_stretcher(void *arg);
void *run_finder(void *arg);
void *run_inspector(void *arg);
void *run_forker(void *arg);

#endif
