// SPDX-License-Identifier: BSD-3-Clause
/*
 * library.c - opens the two libraries side by side
 *
 * Each is opened with its symbols kept to itself, and each symbol that is taken from it is checked
 * to be its own. Calls message.c.
 */
#include "bench/library.h"
#include "bench/message.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEMS "libpmem2.so.1"

/* Gives a symbol if it is the library's own, not one of a library that it needs. */
static void *own_symbol(const struct library *library, const char *name)
{
	struct link_map *map;
	Dl_info info;
	void *symbol = dlsym(library->handle, name);

	if (!symbol || dlinfo(library->handle, RTLD_DI_LINKMAP, &map) || !dladdr(symbol, &info) ||
	    (uintptr_t)info.dli_fbase != map->l_addr)
		return NULL;
	return symbol;
}

static int find_functions(struct library *library)
{
#define FIND(function)                                                                             \
	library->function =                                                                        \
		(__typeof__(library->function))own_symbol(library, "pmem2_" #function);            \
	if (!library->function) {                                                                  \
		message_error("%s has no pmem2_" #function, library->path);                        \
		return -ENOSYS;                                                                    \
	}
	LIBRARY_FUNCTIONS(FIND)
	return 0;
}

/* Opens, and finds out which file it was. */
static int open_file(struct library *library, const char *path)
{
	struct link_map *map;

	library->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library->handle)
		return -ENOENT;
	if (dlinfo(library->handle, RTLD_DI_LINKMAP, &map) || !realpath(map->l_name, library->path))
		snprintf(library->path, sizeof(library->path), "%s", path);
	return 0;
}

/* Keeps the library if all functions are there. */
static int keep_if_complete(struct library *library)
{
	int err = find_functions(library);

	if (err)
		library_close(library);
	return err;
}

int library_open_ours(struct library *library, const char *path)
{
	int err = open_file(library, path);

	if (err) {
		message_error("our library: %s", dlerror());
		return err;
	}
	return keep_if_complete(library);
}

int library_open_other(struct library *library, const char *path)
{
	int err = open_file(library, path ? path : SYSTEMS);

	if (err && path) {
		message_error("the other libpmem2: %s", dlerror());
		return err;
	}
	if (err) {
		message_error("Debian's libpmem2 is not installed: %s; what needs it is skipped",
			      dlerror());
		return 0;
	}
	if (!path && own_symbol(library, "pmem2fs_table_open")) {
		message_error("%s is %s, which is libpmem2fs: say --libpmem2 PATH", SYSTEMS,
			      library->path);
		library_close(library);
		return -EINVAL;
	}
	return keep_if_complete(library);
}

void library_close(struct library *library)
{
	if (library->handle)
		dlclose(library->handle);
	library->handle = NULL;
}

int library_failed(const struct library *library, const char *function, int err)
{
	message_error("%s: pmem2_%s: %s", library->path, function, library->errormsg());
	return err > -4096 ? err : -EINVAL;
}
