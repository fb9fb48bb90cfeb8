/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nodes.c - see nodes.h
 *
 * Ids are places in an array, counted from FIRST; a place is used again when the kernel has
 * forgotten the node there. Free places are chained through the array itself.
 */
#include "catalog/nodes.h"
#include "base/array.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#define FIRST 2 /* 1 is the root */

union place {
	struct node *node;
	uintptr_t next_free; /* index << 1 | 1: no pointer is odd */
};

struct nodes {
	union place *places;
	size_t used, room;
	uintptr_t first_free; /* as in a place; 0: none */
};

struct nodes *nodes_new(void)
{
	return calloc(1, sizeof(struct nodes));
}

void nodes_free(struct nodes *nodes)
{
	if (nodes)
		free(nodes->places);
	free(nodes);
}

static int give_id(struct nodes *nodes, struct node *node)
{
	size_t index;

	if (nodes->first_free) {
		index = nodes->first_free >> 1;
		nodes->first_free = nodes->places[index].next_free;
	} else {
		if (nodes->used == UINT32_MAX - FIRST)
			return -ENOMEM;
		if (array_reserve(nodes->places, &nodes->room, nodes->used + 1, 64))
			return -ENOMEM;
		index = nodes->used++;
	}
	nodes->places[index].node = node;
	node->id = (uint32_t)(index + FIRST);
	return 0;
}

int nodes_lookup(struct nodes *nodes, struct node *node)
{
	if (!node->id && give_id(nodes, node))
		return -ENOMEM;
	node->lookups++;
	return 0;
}

struct node *nodes_find(const struct nodes *nodes, uint64_t id)
{
	union place place;

	if (id < FIRST || id - FIRST >= nodes->used)
		return NULL;
	place = nodes->places[id - FIRST];
	return place.next_free & 1 || !place.next_free ? NULL : place.node;
}

bool nodes_forget(struct nodes *nodes, struct node *node, uint64_t count)
{
	node->lookups -= count < node->lookups ? count : node->lookups;
	if (node->lookups)
		return false;
	if (node->id) {
		union place *place = &nodes->places[node->id - FIRST];

		place->next_free = nodes->first_free;
		nodes->first_free = (uintptr_t)(node->id - FIRST) << 1 | 1;
		node->id = 0;
	}
	return !node->held;
}
