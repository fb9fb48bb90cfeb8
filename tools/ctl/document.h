/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * document.h - the facts of a mapping's document that several parts compare
 */
#ifndef PMEM2FS_CTL_DOCUMENT_H
#define PMEM2FS_CTL_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* An amount or an inode number; a large one is a hex string. False: it is neither. */
bool document_number(const json_t *value, uint64_t *number);

/* Whether the source is a device-DAX node, whose "dev" is its own. */
bool document_source_is_dax(const json_t *source);

/* Bytes that are still mapped. */
uint64_t document_mapped_bytes(const json_t *document);

#endif
