/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * invalidate.h - tells the kernel to forget what it was told
 *
 * A thread of its own does it: the kernel waits for locks that a request in progress holds, so that
 * neither the loop nor a handler may.
 */
#ifndef PMEM2FS_INVALIDATE_H
#define PMEM2FS_INVALIDATE_H

#include "service.h"

/* The name does not mean any more what it meant. */
void invalidate_name(struct service *service, const char *name);

#endif
