/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * invalidate.c - see invalidate.h
 */
#define FUSE_USE_VERSION 314
#include "fuse/invalidate.h"
#include "base/container_of.h"
#include "base/log.h"
#include "base/thread_pool.h"
#include "catalog/catalog.h"
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>

struct notice {
	struct task task;
	struct fuse_session *session;
	size_t length;
	char name[];
};

static void send_notice(struct task *task)
{
	struct notice *notice = container_of(task, struct notice, task);

	/* A name that the kernel does not know gives an error, which does no harm. */
	fuse_lowlevel_notify_inval_entry(notice->session, CATALOG_ROOT, notice->name,
					 notice->length);
}

static void free_notice(struct task *task)
{
	free(container_of(task, struct notice, task));
}

void invalidate_name(const struct invalidate *invalidate, const char *name)
{
	size_t length = strlen(name);
	struct notice *notice = malloc(sizeof(*notice) + length + 1);

	if (notice) {
		*notice = (struct notice){
			.task = {.lane = invalidate->lane, .run = send_notice, .done = free_notice},
			.session = invalidate->session,
			.length = length,
		};
		memcpy(notice->name, name, length + 1);
		if (!pool_submit(invalidate->helpers, &notice->task))
			return;
		free(notice);
	}
	log_debug("%s: cannot tell the kernel; it will see within a second", name);
}
