/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nodes.h - the node ids that the kernel knows
 *
 * A node lives while it is of use here (`held`) or the kernel still counts look-ups of it.
 */
#ifndef PMEM2FS_CATALOG_NODES_H
#define PMEM2FS_CATALOG_NODES_H

#include <stdbool.h>
#include <stdint.h>

enum node_kind {
	NODE_VERSION, /* one version of one document: struct version */
	NODE_DRAFT,   /* a request that is being written: struct draft */
};

struct node {
	uint64_t lookups;
	uint32_t id;  /* 0: the kernel does not know it */
	uint8_t kind; /* enum node_kind */
	bool held;
};

struct nodes;

struct nodes *nodes_new(void);
void nodes_free(struct nodes *nodes);

/* Counts a look-up that is told to the kernel, giving the node an id at the first. -ENOMEM. */
int nodes_lookup(struct nodes *nodes, struct node *node);

/* The node with that id, or NULL. */
struct node *nodes_find(const struct nodes *nodes, uint64_t id);

/* Takes back `count` look-ups. True: neither side needs the node any more, and its id is gone. */
bool nodes_forget(struct nodes *nodes, struct node *node, uint64_t count);

#endif
