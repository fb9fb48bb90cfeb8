/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.c - see mapping.h
 */
#include "catalog/mapping.h"
#include "base/container_of.h"
#include "catalog/document_version.h"
#include "catalog/mapping_fields.h"

const char *mapping_name(const struct mapping *mapping)
{
	return mapping->version ? mapping->version->text : mapping->reserved;
}

uint64_t mapping_number(const struct mapping *mapping)
{
	return mapping->number;
}

struct version *mapping_version(const struct mapping *mapping)
{
	return mapping->version;
}

uint32_t mapping_slot(const struct mapping *mapping)
{
	return mapping->slot;
}

struct process *mapping_process(const struct mapping *mapping)
{
	return mapping->scan_state.process;
}

uint64_t mapping_checked(const struct mapping *mapping)
{
	return mapping->checked;
}

void mapping_set_unchecked(struct mapping *mapping)
{
	mapping->checked = 0;
}

bool mapping_has_changed(const struct mapping *mapping)
{
	return mapping->learnt && !mapping->checked;
}

bool mapping_is_queried(const struct mapping *mapping)
{
	return mapping->queried;
}

void mapping_set_queried(struct mapping *mapping, bool queried)
{
	mapping->queried = queried;
}

bool mapping_is_awaited(const struct mapping *mapping)
{
	return mapping->awaited;
}

void mapping_set_awaited(struct mapping *mapping, bool awaited)
{
	mapping->awaited = awaited;
}

bool mapping_is_changing(const struct mapping *mapping)
{
	return mapping->changing;
}

void mapping_set_changing(struct mapping *mapping, bool changing)
{
	mapping->changing = changing;
}

struct scan_state *mapping_scan_state(struct mapping *mapping)
{
	return &mapping->scan_state;
}

struct mapping *scan_state_mapping(struct scan_state *state)
{
	return container_of(state, struct mapping, scan_state);
}

struct mapping_observer *mapping_observer(const struct mapping *mapping)
{
	return mapping->observer;
}

void mapping_set_observer(struct mapping *mapping, struct mapping_observer *observer)
{
	mapping->observer = observer;
}
