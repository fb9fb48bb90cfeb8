/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rights.h - whether a peer of the socket has permissions on files, by the kernel's rules
 */
#ifndef PMEM2FS_CONTROL_RIGHTS_H
#define PMEM2FS_CONTROL_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/types.h>

struct version;

struct rights {
	uid_t uid;
	gid_t gid;
	gid_t *groups; /* owned, sorted */
	size_t group_count;
};

/*
 * The rights of the peer of that socket. If its groups cannot be read, it counts as in `gid` only.
 */
void rights_get(struct rights *rights, const struct ucred *peer, int socket);
void rights_clear(struct rights *rights);

/* Whether a file of that owner, group and mode gives the permissions in `want`, bits of S_IRWXO. */
bool rights_allow(const struct rights *rights, uid_t uid, gid_t gid, unsigned mode, unsigned want);

/* Whether the peer may read the file with that document, whose mode is `mode`. */
bool rights_allow_version(const struct rights *rights, const struct version *version,
			  unsigned mode);

#endif
