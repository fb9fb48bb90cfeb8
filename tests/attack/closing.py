# SPDX-License-Identifier: BSD-3-Clause
"""Descriptors whose close waits, in all the ways in which a peer can pass them to the socket.

The close of a file on FUSE waits for the server's answer to FLUSH; that of a TCP socket that lingers waits
until its peer has read what was sent.
"""
import os
import signal
import socket
import struct
import time

import peer
from attack import attack

FOR_EVER = 30000  # seconds
KEPT = 100  # sockets whose close waits, of each attacker
kept = []  # what the attacker holds


def flushed_file(place):
    """Every close of it waits, so the attacker itself never closes it."""
    if not kept:
        kept.append(os.open(f"{place.hanging('flush')}/file", os.O_RDWR))
    return kept[0]


def lingering_socket(_):
    """Its last close waits, for as long as its peer is among those that are kept."""
    if not kept:
        kept.append(socket.create_server(("127.0.0.1", 0), backlog=1))
    sender = socket.create_connection(kept[0].getsockname())
    kept.append(kept[0].accept()[0])
    if len(kept) > KEPT:
        kept.pop(1).close()  # with what it has not read: neither port nor descriptor is used for good
    sender.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, FOR_EVER))
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(65536))
    except BlockingIOError:
        return sender.detach()


def leave(fd):
    """Leaves the last close of the socket to the daemon. If this close is the last one, a signal ends its wait."""
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.02, 0.02)
    os.close(fd)
    signal.setitimer(signal.ITIMER_REAL, 0)


def beside_a_question(connection, fd):
    peer.send(connection, peer.question(hello=1), fd)


def two_at_once(connection, fd):
    peer.send(connection, peer.question(hello=1), fd, fd)


def to_be_mapped(connection, fd):
    peer.send(connection, peer.question(map={}, name=f"closing{os.getpid()}"), fd)


def as_a_table(connection, fd):
    peer.send(connection, peer.packet(peer.TABLE, table=7), fd)


def on_a_librarys_connection(connection, fd):
    peer.send(connection, peer.packet(peer.TABLE, peer.STAYS, 7))
    peer.send(connection, peer.packet(peer.READY), fd)


def as_a_second_table(connection, fd):
    peer.send(connection, peer.packet(peer.TABLE, peer.STAYS, 7))
    peer.send(connection, peer.packet(peer.TABLE, peer.STAYS, 7), fd)


def left_unread(connection, fd):
    """The daemon does not read what follows a question whose answer the peer does not take."""
    peer.send(connection, peer.question(events=1))
    peer.send(connection, b"{", fd)
    for _ in range(8):
        peer.send(connection, peer.question(look=1), fd)


def put_attack(kind, make, way):
    @attack(name=f"closing_{kind}_{way.__name__}")
    def _(place):
        first = make(place)
        yield
        while True:
            fd = first or make(place)
            connection = peer.connect(place.daemon)
            connection.settimeout(1)
            way(connection, fd)
            if make is lingering_socket:
                leave(fd)
                first = None
            connection.close()
            time.sleep(0.01)  # the attack is what is passed, not how often


for way_ in (beside_a_question, two_at_once, to_be_mapped, as_a_table, on_a_librarys_connection, as_a_second_table,
             left_unread):
    put_attack("file", flushed_file, way_)
    put_attack("socket", lingering_socket, way_)
