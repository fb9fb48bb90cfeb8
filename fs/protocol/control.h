/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the daemon's socket, for pmem2ctl
 *
 * A SOCK_SEQPACKET Unix socket, with packets of at most CONTROL_MAX_BYTES. A message is one JSON
 * object in one packet; who sent it is what the kernel says (SO_PEERCRED, SO_PEERGROUPS).
 *
 * A question, and its answer where that is more than {"errno": 0}:
 *
 *   {"hello": 1}
 *       {"errno": 0, "mountpoint": "/pmem2fs", "version": "0.1.0"}
 *       where the daemon's files are found now, in its own mount namespace; null: nowhere.
 *       Where that cannot be found out it is a failure
 *   {"look": 1}
 *       scans all processes of the host now, and answers when that is done. For the questions of
 *       a user other than root that takes a tenth of the time at most: then it is done later
 *       {"errno": 0, "complete": true}
 *       false: there may be mappings that this daemon cannot see
 *   {"list": 1}
 *       {"errno": 0, "count": N, "gone": N}, then documents: those of all mappings at one moment,
 *       sorted by the bytes of their names
 *       gone: how many mappings have gone since this connection's last "look" was begun, and which
 *       may have come again elsewhere since; 0 without a look
 *   {"list": 1, "columns": [COLUMN...], "where": [{KEY: VALUE...}...]}
 *       {"errno": 0, "count": N, "gone": N, "columns": 1, "hidden": N, "undecided": N}
 *       with "columns", lines with these columns follow in place of documents: columns.h has the
 *       form, whose version is the "columns" of the answer, and names the columns; none may be
 *       repeated. Facts that no column shows are not waited for
 *       with "where", only mappings that meet all that one of its objects says (at most 8, with 24
 *       keys together): each key has one of the values, which are a value or an array of values:
 *           "pid": N               of the owner
 *           "dev": "MAJOR:MINOR"   of the file system of a file
 *           "node": "MAJOR:MINOR"  of a device-DAX node
 *           "inode": N             or a text in the notation of C where that is too large
 *           "region", "namespace", "blockdev", "chardev": NAME   of the device below
 *           "state": STATE
 *           "mapped": true         something of it is still mapped
 *       hidden: how many mappings the peer may not read; the answer has nothing else of these
 *       undecided: how many are not sent and may be what is asked for, since facts are pending or
 *       their device was lost before it could be looked at (these two come with "where" alone)
 *   {"show": NAME}
 *       {"errno": 0, "count": 1, "gone": N}, then the document of this mapping
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
 * them they hold \xNN escapes; all text is safe for a terminal (json_text.h). REQUEST is a request
 * document (request.h) whose source has no path.
 *
 * Questions of one connection are answered in turn, and may be sent ahead: sixteen of up to 2 KiB
 * have room in any case. When the peer has gone, what it has sent ahead is not begun, except for
 * the first question of a connection. The questions of a user other than root wait while they have
 * taken more than a quarter of the time of the daemon's loop.
 *
 * Documents are "count" lines that follow the answer, in packets that are cut anywhere. A line is
 * the metadata document of a mapping, or, where the file's mode does not let the peer read it,
 * {"name": NAME, "errno": N}. A connection that gets events gets no documents. One whose peer takes
 * nothing of them for half a minute, or not all within ten minutes, is closed: until then the
 * daemon keeps for it 8 bytes for each line, the facts of the lines where there are newer
 * ones by now, and a packet of text.
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
 *       so many events were dropped, after the one before this, because the reader was too slow;
 *       it comes as soon as the reader has read
 *
 * Root sees all of them, other users those with their own uid.
 */
#ifndef PMEM2FS_PROTOCOL_CONTROL_H
#define PMEM2FS_PROTOCOL_CONTROL_H

#define CONTROL_MAX_BYTES (80 * 1024)
#define CONTROL_SOCKET    "/run/pmem2fs/socket"

#endif
