/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nodes.h - the node ids that the kernel knows
 *
 * A node is part of a version or a draft, and is needed while somebody holds it or the kernel still
 * counts look-ups of it. Used by the request loop alone.
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
	uint32_t id;   /* 0: the kernel does not know it */
	uint8_t kind;  /* enum node_kind */
	uint16_t held; /* how many references there are besides the kernel's */
};

struct nodes;

struct nodes *nodes_new(void);
void nodes_free(struct nodes *nodes);

/*
 * Counts a look-up that the kernel is answered; the first one gives the node an id. Returns 0 or
 * -ENOMEM.
 */
int nodes_lookup(struct nodes *nodes, struct node *node);

/* The node with that id, or NULL. */
struct node *nodes_find(const struct nodes *nodes, uint64_t id);

/* The kernel has forgotten `count` look-ups. True: nobody needs the node, and it has no id. */
bool nodes_forget(struct nodes *nodes, struct node *node, uint64_t count);

#endif
