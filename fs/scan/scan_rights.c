/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * scan_rights.c - see scan_rights.h
 */
#include "scan/scan_rights.h"
#include <linux/capability.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Inode numbers in /proc of the initial namespaces, part of the kernel's interface. */
#define INIT_PID_NS  0xeffffffcu
#define INIT_USER_NS 0xeffffffdu

static bool is_in(const char *path, ino_t inode)
{
	struct stat st;

	return !stat(path, &st) && st.st_ino == inode;
}

/* The effective capabilities of the daemon; 0: none, or they are not known. */
static uint64_t capabilities(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

bool scan_rights_find_tables(void)
{
	uint64_t has = capabilities();

	return is_in("/proc/self/ns/user", INIT_USER_NS) &&
	       (has >> CAP_CHECKPOINT_RESTORE & 1 || has >> CAP_SYS_ADMIN & 1);
}

bool scan_rights_see_all(void)
{
	uint64_t has = capabilities();

	return scan_rights_find_tables() && is_in("/proc/self/ns/pid", INIT_PID_NS) &&
	       has >> CAP_SYS_PTRACE & 1 &&
	       (has >> CAP_DAC_READ_SEARCH & 1 || has >> CAP_DAC_OVERRIDE & 1);
}
