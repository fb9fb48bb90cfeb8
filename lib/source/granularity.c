/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * granularity.c - how much has to be flushed for a store to be persistent
 *
 * Owns nothing. Calls base/attribute. Decides by MAP_SYNC, the environment, and what sysfs reports
 * of the platform's CPU caches. Never changes the working directory, which belongs to the whole
 * process.
 */
#include "source/granularity.h"
#include "base/attribute.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Whether the CPU caches of a region survive a power failure. */
static bool has_persistent_caches(int dir, const char *region)
{
	char path[sizeof(((struct dirent *)0)->d_name) + sizeof("/persistence_domain")];
	char text[32];

	snprintf(path, sizeof(path), "%s/persistence_domain", region);
	return attribute_read_at(dir, path, text, sizeof(text)) > 0 && !strcmp(text, "cpu_cache\n");
}

/* eADR: there is a region, and the caches of all regions survive a power failure. */
static bool cpu_caches_persistent(void)
{
	DIR *dir = opendir("/sys/bus/nd/devices");
	const struct dirent *entry;
	bool found = false;
	bool all = true;

	if (!dir)
		return false;
	/* readdir is safe here: no other thread uses this DIR. */
	while (all && (entry = readdir(dir))) {
		if (!strstr(entry->d_name, "region"))
			continue;
		found = true;
		all = has_persistent_caches(dirfd(dir), entry->d_name);
	}
	closedir(dir);
	return found && all;
}

static bool source_has_eadr(const struct pmem2_source *src)
{
	struct pmem2_source *cache = source_cache(src);
	signed char known =
		atomic_load_explicit(&cache->cpu_cache_persistent, memory_order_relaxed);

	if (known < 0) {
		known = cpu_caches_persistent();
		atomic_store_explicit(&cache->cpu_cache_persistent, known, memory_order_relaxed);
	}
	return known;
}

/* PMEM2_FORCE_GRANULARITY. Any other value is ignored. */
static bool forced_granularity(enum pmem2_granularity *granularity)
{
	static const struct {
		const char *word;
		enum pmem2_granularity granularity;
	} words[] = {
		{"BYTE", PMEM2_GRANULARITY_BYTE},
		{"CACHE_LINE", PMEM2_GRANULARITY_CACHE_LINE},
		{"CACHELINE", PMEM2_GRANULARITY_CACHE_LINE},
		{"PAGE", PMEM2_GRANULARITY_PAGE},
	};
	const char *value = secure_getenv("PMEM2_FORCE_GRANULARITY");

	for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(value, words[i].word)) {
			*granularity = words[i].granularity;
			return true;
		}
	}
	return false;
}

enum pmem2_granularity granularity_of(const struct pmem2_source *src,
				      enum pmem2_sharing_type sharing, bool map_sync)
{
	enum pmem2_granularity granularity;

	/* Nothing stored there becomes persistent, so nothing has to be flushed. */
	if (src->type == PMEM2FS_SOURCE_ANONYMOUS || sharing == PMEM2_PRIVATE)
		return PMEM2_GRANULARITY_BYTE;
	if (forced_granularity(&granularity))
		return granularity;
	if (!map_sync)
		return PMEM2_GRANULARITY_PAGE;
	return source_has_eadr(src) ? PMEM2_GRANULARITY_BYTE : PMEM2_GRANULARITY_CACHE_LINE;
}

const char *granularity_name(enum pmem2_granularity granularity)
{
	static const char *const names[] = {"byte", "cache line", "page"};

	return names[granularity];
}
