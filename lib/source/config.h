/* SPDX-License-Identifier: BSD-3-Clause */
/* config.h - how a source is to be mapped */
#ifndef PMEM2FS_LIB_SOURCE_CONFIG_H
#define PMEM2FS_LIB_SOURCE_CONFIG_H

#include "libpmem2fs.h"
#include <stdbool.h>

struct pmem2_config {
	size_t offset;
	size_t length; /* 0: to the end of the source */
	bool has_granularity;
	bool has_owner;
	enum pmem2_granularity granularity; /* the coarsest that is accepted */
	enum pmem2_sharing_type sharing;
	unsigned protection; /* PMEM2_PROT_ */
	uid_t uid;
	gid_t gid;
	struct pmem2_vm_reservation *reservation; /* NULL: none */
	size_t reservation_offset;
	uint8_t label_length;
	char label[PMEM2FS_LABEL_MAX];
};

/* Whether a label is valid: 0, -EINVAL or -ENAMETOOLONG. */
int config_check_label(const char *label, size_t length);

#endif
