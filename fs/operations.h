/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * operations.h - what the kernel asks, translated
 */
#ifndef PMEM2FS_OPERATIONS_H
#define PMEM2FS_OPERATIONS_H

#include "drafts.h"
#include "service.h"

extern const struct fuse_lowlevel_ops operations;

/*
 * Requests that the caller has interrupted meanwhile are answered with EINTR; to be called
 * between two requests, since libfuse tells of an interrupt while it holds locks.
 */
void operations_interrupts(struct service *service);

/* Nobody has written that draft for long. */
void operations_expired(void *service, const struct draft *draft);

#endif
