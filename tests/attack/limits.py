# SPDX-License-Identifier: BSD-3-Clause
"""As much as many users together can hold: what is left must be enough for root.

They make pauses, since the attack is what they hold, not how often they ask.
"""
import itertools
import os
import signal
import time

import peer
from attack import attack

USERS = 16
HELD = 70       # connections of a process, more than the daemon allows a user
REQUESTS = 300  # the same


@attack(users=USERS, holds=True)
def unfinished_requests(place):
    held = [os.open("/dev/null", os.O_WRONLY) for _ in range(REQUESTS)]
    yield
    for number in itertools.count():
        try:
            fd = os.open(f"{place.daemon.mnt}/unfinished.{os.getuid()}.{number}", os.O_WRONLY | os.O_CREAT)
            os.write(fd, b"{")
            os.close(held.pop(0))
            held.append(fd)
        except OSError:  # the limit is reached
            yield
            time.sleep(0.1)


@attack(users=USERS, processes=4)
def hanging_paths(place):
    """Each process waits for good, if it is not refused."""
    request = b'{"source":{"path":"%s/file"}}' % place.hanging("lookup").encode()
    yield
    while True:
        try:
            with open(f"{place.daemon.mnt}/waiting{os.getpid()}", "wb", buffering=0) as file:
                file.write(request)
        except OSError:
            time.sleep(1)


def connections(place, text, replaced):
    # Before the attack there are as many sockets of others: pmem2ctl holders looks at all sockets and their queues.
    others = [peer.pair() for _ in range(HELD)]
    for one, _ in others:
        peer.send(one, text)
    yield
    held = []
    for _ in range(HELD):
        held.append(peer.connect(place.daemon))
        peer.send(held[-1], text)
    yield
    while replaced:
        held.pop(0).close()
        held.append(peer.connect(place.daemon))
        peer.send(held[-1], text)
        time.sleep(0.1)
    signal.pause()


@attack(users=USERS, holds=True)
def silent_connections(place):
    yield from connections(place, b"{", True)


@attack(users=USERS, holds=True)
def subscribers(place):
    yield from connections(place, peer.question(events=1), True)


@attack(users=USERS, holds=True)
def libraries(place):
    """Each connection stays, as one of a library that can be asked to unmap."""
    yield from connections(place, peer.packet(peer.TABLE, peer.STAYS, os.getpid()), False)
