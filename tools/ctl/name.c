// SPDX-License-Identifier: BSD-3-Clause
/*
 * name.c - names of mappings, as arguments and in questions to the daemon
 */
#include "ctl/pmem2ctl.h"

#include "base/escape.h"
#include "libpmem2fs.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool name_check(const char *name)
{
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		report(*name ? name : "''", "not a name for a mapping");
	else if (strchr(name, '/'))
		report(name, "the name of a mapping has no '/' in it");
	else if (strlen(name) > PMEM2FS_LABEL_MAX)
		report(name, "%s", strerror(ENAMETOOLONG));
	else
		return true;
	return false;
}

json_t *name_put(json_t *question, const char *key, const char *name)
{
	char *text = needed(escape_encode(name));

	if (json_object_set_new(question, key, json_string(text)) ||
	    (escape_needed(name) &&
	     json_object_set_new(question, "name_encoding", json_string("escaped"))))
		needed(NULL);
	free(text);
	return question;
}
