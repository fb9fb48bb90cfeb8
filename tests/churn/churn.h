/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * churn.h - memory and functions that the processes of the churn program share
 *
 * All of it lies in one shared mapping. An entry is one mapping of one process, with its state as
 * that process knows it; its number is its label, so that each file of the mount leads to its
 * entry.
 */
#ifndef PMEM2FS_CHURN_H
#define PMEM2FS_CHURN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define PAGE         4096u
#define COMM         "churner"
#define OWNERS       4u
#define PER_OWNER    8u /* mappings that an owner has at most */
#define LISTERS      3u
#define END_SECONDS  60u     /* for a process that has to end */
#define REST_SECONDS 240u    /* more than the tester's pauses can take */
#define REFUSAL      ETXTBSY /* the errno of a handler that refuses; no other code returns it */

struct process {
	atomic_int pid;
	atomic_bool ending; /* it may end, or exec another program, at any moment */
	atomic_bool dead;   /* it has ended or called exec */
};

struct entry {
	atomic_bool mapped; /* under this label; never reset */
	atomic_uint process;
	_Atomic uint64_t address;
	atomic_bool partial; /* its second page was unmapped */
	atomic_bool refuses;
	atomic_bool own_begun; /* its owner has begun to unmap it by itself */
	atomic_uint handler_runs;
	atomic_uint asked;    /* calls of rm that have begun */
	atomic_uint unmapped; /* successes of pmem2_unmap: never more than one */
};

struct arena {
	char folder[64], mount[64], socket[64], file[64];
	unsigned capacity; /* of entry */
	atomic_long rounds_left;
	atomic_bool pause; /* all processes must pause */
	atomic_bool stop;
	atomic_uint processes, entries;
	/*
	 * Owners, and programs that they have executed, as the tester last counted them among its
	 * children. An owner may be killed at any point, so owners do not keep this count.
	 */
	atomic_uint live;
	const char *_Atomic doing; /* the tester's current activity */
	atomic_ulong own, released, refused, busy, removed, vanished, read, listed, checked, forks,
		execs, exits, kills, cuts;
	struct process process[1u << 16];
	struct entry entry[];
};

extern struct arena *arena;

#define must(what, ...) ((what) ? (void)0 : broken(__FILE__, __LINE__, #what, " " __VA_ARGS__))

/* Waits until the condition is true; fails after that many seconds. */
#define await(what, seconds, format, ...)                                                          \
	do {                                                                                       \
		uint64_t end_ = now_ms() + 1000u * (unsigned)(seconds);                            \
		while (!(what)) {                                                                  \
			if (now_ms() > end_)                                                       \
				broken(__FILE__, __LINE__, #what, "after %d s: " format,           \
				       (int)(seconds), ##__VA_ARGS__);                             \
			nap(1000);                                                                 \
		}                                                                                  \
	} while (0)

_Noreturn void broken(const char *source, int line, const char *what, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

void count(atomic_ulong *counter);
unsigned dice(unsigned sides); /* from 0 to sides - 1 */
void nap(long microseconds);
uint64_t now_ms(void);

/* Waits until a pause is over, for REST_SECONDS at most. */
void rest(void);

/* Whether an action or the end of its owner accounts for the mapping's absence. */
bool accounted(const struct entry *entry);
bool surely_gone(const struct entry *entry);

const char *name_of(unsigned number);
/* The entry that a name leads to, or NULL. *pid is the pid in the name. */
struct entry *entry_of(const char *name, pid_t *pid);

/* Makes the daemon scan all processes now. */
void look(void);

/*
 * Ends when all others have ended. The daemon is a child of this process, which reaps all orphans.
 */
void run_tester(unsigned long rounds, pid_t daemon);

_Noreturn void run_owner(void);
_Noreturn void run_idle(unsigned process);
_Noreturn void run_lister(void);
_Noreturn void run_checker(void);

#endif
