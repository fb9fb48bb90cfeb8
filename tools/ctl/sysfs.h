/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.h - reading sysfs and procfs
 *
 * What is not there is NULL or empty.
 */
#ifndef PMEM2FS_CTL_SYSFS_H
#define PMEM2FS_CTL_SYSFS_H

#include <stdbool.h>
#include <sys/types.h>

/* The contents of an attribute without the newline, for the caller to free. */
char *sysfs_text(const char *directory, const char *attribute);

/* The last name of what a link leads to, for the caller to free. */
char *sysfs_link(const char *directory, const char *link);

/* The names in a directory, NULL at the end, sorted; to be freed with sysfs_free. */
char **sysfs_names(const char *directory, const char *prefix);
void sysfs_free(char **names);

/* "DIRECTORY/NAME", for the caller to free. */
char *sysfs_join(const char *directory, const char *name);

/* "/sys/dev/block/MAJOR:MINOR" or "/sys/dev/char/...", for the caller to free. */
char *sysfs_device(bool block, dev_t dev);

/* Whether that is the number of a device-DAX node. */
bool sysfs_is_device_dax(dev_t dev);

/* Undoes the escapes of a path in a file of procfs, \ooo, in place. */
void sysfs_unescape(char *path);

#endif
