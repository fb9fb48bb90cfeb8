/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * mapping.c - see mapping.h
 */
#include "catalog/mapping.h"
#include "catalog/catalog.h"

struct mapping_observer *mapping_observer(const struct mapping *mapping)
{
	return mapping->observer;
}

void mapping_set_observer(struct mapping *mapping, struct mapping_observer *observer)
{
	mapping->observer = observer;
}
