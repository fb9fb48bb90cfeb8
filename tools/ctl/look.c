// SPDX-License-Identifier: BSD-3-Clause
/*
 * look.c - what belongs to the object that is looked for
 *
 * Calls object.c.
 */
#include "ctl/look.h"
#include "ctl/object.h"
#include <sys/sysmacros.h>

bool look_is_on_filesystem(const struct look *look, const struct statx *status)
{
	if (makedev(status->stx_dev_major, status->stx_dev_minor) == look->object->dev)
		return true;
	if (!(status->stx_mask & STATX_MNT_ID))
		return false;
	for (size_t i = 0; i < look->mount_id_count; i++)
		if (look->mount_ids[i] == status->stx_mnt_id)
			return true;
	return false;
}

bool look_has(const struct look *look, const struct statx *status,
	      const struct object_device **device)
{
	return object_has(look->object, status, device) ||
	       (look->object->kind == OBJECT_MOUNT && look_is_on_filesystem(look, status));
}
