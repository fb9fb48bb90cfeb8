/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapper_helper.h - what the tests of the mapper share
 */
#ifndef PMEM2FS_TEST_MAPPER_HELPER_H
#define PMEM2FS_TEST_MAPPER_HELPER_H

#include "base/clock.h"
#include "capture.h"
#include "catalog/catalog.h"
#include "change/changes.h"
#include "change/mapper.h"
#include "rig.h"
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define UID 1000
#define GID 100

struct result {
	bool done;
	int calls, error;
	char why[COMPLETION_WHY_LENGTH];
};

static inline void finished(void *arg, int error, const char *why)
{
	struct result *result = arg;

	result->done = true;
	result->calls++;
	result->error = error;
	snprintf(result->why, sizeof(result->why), "%s", why);
}

static struct capture capture;

static inline int begin(void **state)
{
	capture_begin(&capture, STDERR_FILENO);
	*state = rig_new();
	return 0;
}

static inline int end(void **state)
{
	rig_free(*state);
	capture_end(&capture);
	return 0;
}

static inline struct request anonymous(void)
{
	return (struct request){
		.anonymous = true,
		.length = 4096,
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
}

static inline struct request of_path(const char *path)
{
	return (struct request){
		.path = strdup(path),
		.granularity = PMEM2_GRANULARITY_PAGE,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
}

/* The test's own rights. */
static inline struct identity *own_identity(void)
{
	struct identity *identity = calloc(1, sizeof(*identity));

	identity->uid = geteuid();
	identity->gid = getegid();
	identity->capabilities = ~0ull;
	return identity;
}

static inline void map(struct rig *rig, const char *name, struct request request, uid_t uid,
		       struct result *result, struct map_job **job)
{
	*result = (struct result){0};
	mapper_map(&rig->modules.mapper, name, &request, uid, GID,
		   request.anonymous ? NULL : own_identity(), -1, 0, finished, result, job);
	assert_null(request.path);
}

static inline struct mapping *mapped(struct rig *rig, const char *name, uid_t uid)
{
	struct result result;
	struct mapping *mapping;

	map(rig, name, anonymous(), uid, &result, NULL);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
	mapping = catalog_find(rig->modules.catalog, name);
	assert_non_null(mapping);
	return mapping;
}

static inline void remove_it(struct rig *rig, struct mapping *mapping, uid_t uid,
			     struct result *result)
{
	*result = (struct result){0};
	changes_unmap(&rig->modules.changes, mapping, uid, CLOCK_SECOND, finished, result, NULL);
}

/* As remove_it, with a keeper that carries out its commands. */
static inline void removed(struct rig *rig, struct mapping *mapping, uid_t uid)
{
	struct result result;

	remove_it(rig, mapping, uid, &result);
	rig_run(rig, &result.done);
	assert_int_equal(result.error, 0);
}

#endif
