/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * reported_mapping.c - see reported_mapping.h
 */
#include "scan/reported_mapping.h"
#include <stdlib.h>

void reported_mappings_clear(struct reported_mappings *mappings)
{
	for (size_t i = 0; i < mappings->count; i++)
		free(mappings->list[i].extents);
	free(mappings->list);
	*mappings = (struct reported_mappings){0};
}

const struct reported_mapping *reported_mappings_find(const struct reported_mappings *mappings,
						      uint64_t place, uint64_t identity)
{
	size_t low = 0, high = mappings->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct reported_mapping *mapping = &mappings->list[middle];

		if (mapping->place == place)
			return mapping->identity == identity ? mapping : NULL;
		if (mapping->place < place)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
