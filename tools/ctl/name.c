// SPDX-License-Identifier: BSD-3-Clause
/*
 * name.c - names of mappings, as arguments and in requests to the daemon
 *
 * Calls json.c, report.c, memory.c and base/escape.c.
 */

#include "ctl/name.h"
#include "base/escape.h"
#include "ctl/json.h"
#include "ctl/memory.h"
#include "ctl/report.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *name_problem(const char *name)
{
	if (!*name || !strcmp(name, ".") || !strcmp(name, ".."))
		return "not a name for a mapping";
	if (strchr(name, '/'))
		return "the name of a mapping has no '/' in it";
	return strlen(name) > PMEM2FS_LABEL_MAX ? strerror(ENAMETOOLONG) : NULL;
}

bool name_check(const char *name)
{
	const char *problem = name_problem(name);

	if (problem)
		report(*name ? name : "''", "%s", problem);
	return !problem;
}

void name_put(json_t *request, const char *key, const char *name)
{
	char *text = memory_require(escape_encode(name));

	json_put(request, key, json_string(text));
	if (escape_needed(name))
		json_put(request, "name_encoding", json_string("escaped"));
	free(text);
}
