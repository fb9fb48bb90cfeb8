/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the daemon's socket, for pmem2ctl
 *
 * A SOCK_SEQPACKET Unix socket. A message is one JSON object in one packet of at most
 * CONTROL_MAX_BYTES; who sent it is what the kernel says (SO_PEERCRED, SO_PEERGROUPS).
 *
 * A question, and its answer where that is more than {"errno": 0}:
 *
 *   {"hello": 1}
 *       {"errno": 0, "mountpoint": "/pmem2fs", "version": "0.1.0"}
 *   {"look": 1}
 *       scans all processes of the host now, and answers when that is done
 *       {"errno": 0, "complete": true}
 *       false: there may be mappings that this daemon cannot see
 *   {"map": REQUEST, "name": NAME}
 *       with the opened source as SCM_RIGHTS, none where it is anonymous
 *   {"unmap": NAME, "timeout": SECONDS}
 *       how long to wait for the mapping to go, at least 0.3; default 10
 *   {"unmap_range": NAME, "offset": N, "length": N, "timeout": SECONDS}
 *       the pages with any of these bytes, counted from its start; length null: all the rest
 *   {"events": 1}
 *       {"errno": 0}, then one event a packet
 *
 * A failure is {"errno": N, "message": TEXT}: N as the same call through the file system would
 * give, TEXT names the object and the reason. Names, paths and messages follow the rule of the
 * metadata document: with "name_encoding": "escaped" (or "mountpoint_encoding" and so on) beside
 * them they hold \xNN escapes. REQUEST is a request document (request.h) whose source has no path.
 * Questions of one connection are answered in turn.
 *
 * An event is one of these, with "time" (RFC 3339) in each and "uid" in all but the last:
 *
 *   {"event": "map", "name": NAME, "address": "0x...", "length": N}
 *   {"event": "unmap", the same keys}
 *   {"event": "unmap_range", the same keys, "range": {"offset": N, "length": N}}
 *       these pages are no longer mapped; the mapping is still there
 *   {"event": "rename", the same keys, "old_name": OLD}
 *   {"event": "change", the same keys, "state": STATE,
 *    "badblocks": [{"offset": N, "length": N}...]}
 *       its device went or came back, its process unmapped a part of it, or its bad blocks changed;
 *       badblocks is null where they are not known
 *   {"event": "failed", "operation": "map"|"unmap"|"unmap_range"|"rename", "name": NAME,
 *    "errno": N, "message": TEXT}
 *   {"event": "lost", "count": N}
 *       so many events were dropped because this reader was too slow
 *
 * Root sees all of them, other users those with their own uid.
 */
#ifndef PMEM2FS_PROTOCOL_CONTROL_H
#define PMEM2FS_PROTOCOL_CONTROL_H

#define CONTROL_MAX_BYTES (80 * 1024)
#define CONTROL_SOCKET    "/run/pmem2fs/socket"

#endif
