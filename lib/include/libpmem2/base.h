/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * libpmem2/base.h - the interface of libpmem2 by the name that some programs include
 */
#include "../libpmem2.h"
