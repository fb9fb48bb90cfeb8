/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * process_look.h - what one process holds of an object
 */
#ifndef PMEM2FS_CTL_PROCESS_LOOK_H
#define PMEM2FS_CTL_PROCESS_LOOK_H

#include "ctl/look.h"
#include <stdbool.h>
#include <sys/types.h>

enum process_look {
	PROCESS_SEEN,
	PROCESS_GONE, /* it has ended or is ending: not everything was seen */
};

/*
 * Adds the first way found in which the process holds the object, and doubts about it. With `known`
 * the process is reported already: reads only the mounts and sockets that it sees.
 */
enum process_look look_at_process(struct look *look, pid_t pid, bool known);

#endif
