/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the daemon's socket, for pmem2ctl
 *
 * A SOCK_SEQPACKET Unix socket. A message is one JSON object in one packet of at most
 * CONTROL_MAX_BYTES; who sent it is what the kernel says (SO_PEERCRED, SO_PEERGROUPS).
 *
 *   asks                                                          is answered by
 *   {"hello": 1}                                                  {"errno": 0, "mountpoint":
 * "/pmem2fs", "version": "0.1.0"}
 *   {"map": REQUEST, "name": NAME}  and the opened source as SCM_RIGHTS, none where it is anonymous
 *   {"unmap": NAME}                                               {"errno": 0}
 *   {"unmap": NAME, "timeout": SECONDS}   how long to wait for it; default 10
 *   {"events": 1}                                                 {"errno": 0}, then one event a
 * packet
 *
 * A failure is {"errno": N, "message": TEXT}: N as the same call through the file system would
 * give, TEXT names the object and the reason. NAME follows the rule of the metadata document: with
 * "name_encoding": "escaped" beside it, it holds \xNN escapes. REQUEST is a request document
 * (request.h) whose source has no path. Questions of one connection are answered in turn.
 *
 * An event is one of
 *   {"event": "map",   "time": RFC3339, "name": NAME, "uid": N, "address": "0x...", "length": N}
 *   {"event": "unmap", "time": ..., same keys}
 *   {"event": "rename", "time": ..., "name": NEW, "old_name": OLD, "uid": N}
 *   {"event": "failed", "time": ..., "operation": "map"|"unmap"|"rename", "name": NAME, "uid": N,
 * "errno": N, "message": TEXT}
 *   {"event": "lost", "time": ..., "count": N}     events that this reader was too slow for
 * Root sees all of them, other users those with their own uid.
 */
#ifndef PMEM2FS_CONTROL_H
#define PMEM2FS_CONTROL_H

#define CONTROL_MAX_BYTES (80 * 1024)
#define CONTROL_SOCKET    "/run/pmem2fs/socket"

#endif
