# SPDX-License-Identifier: BSD-3-Clause
"""What an attacker sends to the socket: questions (control.h), packets of libraries (wire.h), tables (table.h)."""
import ctypes
import fcntl
import json
import mmap
import os
import socket
import struct

MAGIC = 0x3065726977326670
TABLE, ASK, READY, GO, WITHDRAWN, DONE = range(1, 7)
STAYS = 1
TABLE_MAGIC = 0x007366326d656d70
SEALS = 0x17  # seal, shrink, grow, future write
PAGE = 4096
ANSWER = 80 * 1024
SLOT = 352


def connect(daemon):
    peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    peer.connect(daemon.socket)
    return peer


def question(**keys):
    return json.dumps(keys).encode()


def packet(kind, flags=0, table=0):
    return struct.pack("<QIIQQQIi", MAGIC, kind, flags, table, 1, 2, 0, 0)


def send(peer, bytes_, *fds):
    """Sends one packet. False: the daemon refuses it."""
    try:
        socket.send_fds(peer, [bytes_], fds) if fds else peer.send(bytes_)
    except OSError:
        return False
    return True


def ask(peer, bytes_):
    """Sends a question, and returns the answer: nothing where the daemon has hung up."""
    try:
        return peer.recv(ANSWER) if send(peer, bytes_) else b""
    except OSError:
        return b""


def pair():
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def address_of(memory):
    """Where a mapping is."""
    return ctypes.addressof(ctypes.c_char.from_buffer(memory))


def record(fd, address, length, offset=0, label=b""):
    """The record of a mapping of a file, shared and writable."""
    status = os.fstat(fd)
    return struct.pack("<8Q3I7B261s", address, length, offset, status.st_size, status.st_dev, 0, status.st_ino,
                       1700000000 * 10**9, os.geteuid(), os.getegid(), PAGE, 2, 2, 2, 0, 3, 0, len(label), label)


class Table:
    """A table in shared memory, as the library makes it."""

    def __init__(self, records):
        self.fd = os.memfd_create("pmem2fs", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        size = (PAGE + len(records) * SLOT + PAGE - 1) // PAGE * PAGE
        os.ftruncate(self.fd, size)
        self.memory = mmap.mmap(self.fd, size)
        self.memory[:40] = struct.pack("<Q4IiI8x", TABLE_MAGIC, 1, PAGE, SLOT, len(records), os.getpid(), len(records))
        for slot, bytes_ in enumerate(records):
            at = PAGE + slot * SLOT
            self.memory[at:at + SLOT] = struct.pack("<Q", 2) + bytes_
        words = memoryview(self.memory).cast("Q")[PAGE // 8:(PAGE + len(records) * SLOT) // 8]
        self.generations = words[::SLOT // 8]
        fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, SEALS)
        self.inode = os.fstat(self.fd).st_ino
