/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dax_node.c - see dax_node.h
 */
#include "host/dax_node.h"
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define NODE_PATH_SIZE 64

static void node_path(char path[NODE_PATH_SIZE], dev_t rdev, const char *name)
{
	snprintf(path, NODE_PATH_SIZE, "/sys/dev/char/%u:%u/%s", major(rdev), minor(rdev), name);
}

bool dax_node_is(dev_t rdev)
{
	static const char subsystem[] = "/dax";
	char path[NODE_PATH_SIZE], target[PATH_MAX];
	ssize_t n;

	node_path(path, rdev, "subsystem");
	n = readlink(path, target, sizeof(target));
	if (n < 0)
		return false;
	errno = 0;
	return n > (ssize_t)strlen(subsystem) &&
	       !memcmp(target + n - strlen(subsystem), subsystem, strlen(subsystem));
}

bool dax_node_number(dev_t rdev, const char *name, uint64_t *number)
{
	char path[NODE_PATH_SIZE];
	FILE *file;
	int n;

	node_path(path, rdev, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	n = fscanf(file, "%lu", number);
	fclose(file);
	return n == 1;
}
