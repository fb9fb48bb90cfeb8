/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sysfs.h - reading sysfs and procfs
 *
 * What is not there is NULL or empty, as after a failure: errno (sysfs_is_gone) or *failed shows
 * which it is.
 */
#ifndef PMEM2FS_CTL_SYSFS_H
#define PMEM2FS_CTL_SYSFS_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether an errno says that something is not there, or has gone meanwhile. */
bool sysfs_is_gone(int error);

/* The contents of an attribute without the newline, for the caller to free; NULL with errno. */
char *sysfs_text(const char *directory, const char *attribute);

/* The last name of what a link leads to, for the caller to free; NULL with errno. */
char *sysfs_link(const char *directory, const char *link);

/*
 * The names in a directory, NULL at the end, sorted; to be freed with sysfs_free. *failed becomes
 * true where some may be missing, and is left alone otherwise.
 */
char **sysfs_names(const char *directory, const char *prefix, bool *failed);
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
