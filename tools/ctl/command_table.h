/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * command_table.h - the commands of pmem2ctl, each in its command_NAME.c
 */
#ifndef PMEM2FS_CTL_COMMAND_TABLE_H
#define PMEM2FS_CTL_COMMAND_TABLE_H

#include "ctl/command.h"

extern const struct command command_events;
extern const struct command command_holders;
extern const struct command command_list;
extern const struct command command_map;
extern const struct command command_show;
extern const struct command command_unmap;

#endif
