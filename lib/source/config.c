/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.c - how a source is to be mapped
 *
 * Owns struct pmem2_config. Calls base/error. Checks each value by itself, and the value before the
 * configuration, as libpmem2 does; map/map.c checks what depends on the source.
 */
#include "source/config.h"
#include "base/error.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int no_config(void)
{
	return error_set(-EINVAL, "no configuration given");
}

int pmem2_config_new(struct pmem2_config **cfg)
{
	struct pmem2_config *new;

	if (!cfg)
		return error_set(-EINVAL, "no place for the configuration given");
	*cfg = NULL;
	/* As in source.c, not calloc: its lock would cost more than clearing the memory. */
	new = malloc(sizeof(*new));
	if (!new)
		return error_set(-ENOMEM, "out of memory for a configuration");
	*new = (struct pmem2_config){
		.sharing = PMEM2_SHARED,
		.protection = PMEM2_PROT_READ | PMEM2_PROT_WRITE,
	};
	*cfg = new;
	return 0;
}

int pmem2_config_delete(struct pmem2_config **cfg)
{
	if (!cfg)
		return no_config();
	free(*cfg);
	*cfg = NULL;
	return 0;
}

int pmem2_config_set_required_store_granularity(struct pmem2_config *cfg, enum pmem2_granularity g)
{
	if ((unsigned)g > PMEM2_GRANULARITY_PAGE)
		return error_set(PMEM2_E_GRANULARITY_NOT_SUPPORTED, "unknown granularity %u",
				 (unsigned)g);
	if (!cfg)
		return no_config();
	cfg->granularity = g;
	cfg->has_granularity = true;
	return 0;
}

int pmem2_config_set_offset(struct pmem2_config *cfg, size_t offset)
{
	if (offset > INT64_MAX)
		return error_set(PMEM2_E_OFFSET_OUT_OF_RANGE,
				 "offset %zu is beyond any file (at most %lld)", offset,
				 (long long)INT64_MAX);
	if (!cfg)
		return no_config();
	cfg->offset = offset;
	return 0;
}

int pmem2_config_set_length(struct pmem2_config *cfg, size_t length)
{
	if (!cfg)
		return no_config();
	cfg->length = length;
	return 0;
}

int pmem2_config_set_sharing(struct pmem2_config *cfg, enum pmem2_sharing_type type)
{
	if (type != PMEM2_SHARED && type != PMEM2_PRIVATE)
		return error_set(PMEM2_E_INVALID_SHARING_VALUE, "unknown sharing %u",
				 (unsigned)type);
	if (!cfg)
		return no_config();
	cfg->sharing = type;
	return 0;
}

int pmem2_config_set_protection(struct pmem2_config *cfg, unsigned prot)
{
	unsigned unknown = prot & ~(PMEM2_PROT_READ | PMEM2_PROT_WRITE | PMEM2_PROT_EXEC);

	if (unknown)
		return error_set(PMEM2_E_INVALID_PROT_FLAG, "unknown protection flags 0x%x",
				 unknown);
	if (!cfg)
		return no_config();
	cfg->protection = prot;
	return 0;
}

int config_check_label(const char *label, size_t length)
{
	if (length > PMEM2FS_LABEL_MAX)
		return error_set(-ENAMETOOLONG, "a label of %zu bytes is too long (at most %d)",
				 length, PMEM2FS_LABEL_MAX);
	if (length && !label)
		return error_set(-EINVAL, "no label given");
	if (length && (memchr(label, '/', length) || memchr(label, '\0', length)))
		return error_set(-EINVAL, "a label cannot contain '/' or NUL");
	return 0;
}

int pmem2fs_config_set_label(struct pmem2_config *cfg, const char *label, size_t length)
{
	int ret;

	if (!cfg)
		return no_config();
	ret = config_check_label(label, length);
	if (ret)
		return ret;
	if (length)
		memcpy(cfg->label, label, length);
	cfg->label_length = (uint8_t)length;
	return 0;
}

int pmem2fs_config_set_owner(struct pmem2_config *cfg, uid_t uid, gid_t gid)
{
	if (!cfg)
		return no_config();
	cfg->uid = uid;
	cfg->gid = gid;
	cfg->has_owner = true;
	return 0;
}

int pmem2_config_set_vm_reservation(struct pmem2_config *cfg, struct pmem2_vm_reservation *rsv,
				    size_t offset)
{
	if (!cfg)
		return no_config();
	cfg->reservation = rsv;
	cfg->reservation_offset = offset;
	return 0;
}
