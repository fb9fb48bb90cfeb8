/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * facts_of.h - facts of a document in the form in which they are compared
 */
#ifndef PMEM2CTL_FACTS_OF_H
#define PMEM2CTL_FACTS_OF_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An amount or an inode number; a large one is a hex string. False: it is neither. */
bool number_of(const json_t *value, uint64_t *number);

/* Whether the source is a device-DAX node, whose "dev" is its own. */
bool source_is_node(const json_t *source);

/* Bytes that are still mapped. */
uint64_t mapped_of(const json_t *document);

#endif
