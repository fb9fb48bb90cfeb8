# SPDX-License-Identifier: BSD-3-Clause
"""Work that never ends: the share of each user in the request loop and in the scans."""
import array
import mmap
import os
import time

import peer
from attack import attack

RECORDS = 65536 if "PMEM2FS_TEST_FULL" in os.environ else 1024
SUBSCRIPTIONS = 60
CROWD = 25  # connections of each user, so that none is refused
AREAS = 20000
AT_FIRST = 5  # seconds


def ask_for_ever(place, text):
    while True:
        with peer.connect(place.daemon) as connection:
            while peer.ask(connection, text):
                pass


@attack(processes=4)
def looks(place):
    yield
    ask_for_ever(place, peer.question(look=1))


@attack(processes=4)
def failed_questions(place):
    """Each question makes a line of the log and an event."""
    yield
    ask_for_ever(place, peer.question(map={"length": "many"}, name="failed" * 30))


@attack(processes=4)
def failed_requests(place):
    yield
    while True:
        try:
            with open(f"{place.daemon.mnt}/failed{os.getpid()}", "wb", buffering=0) as file:
                file.write(b'{"source":{"path":"/nowhere"}}')
        except OSError:
            pass


@attack(processes=4)
def lists(place):
    """Asks for all documents, and takes none."""
    yield
    while True:
        with peer.connect(place.daemon) as connection:
            peer.ask(connection, peer.question(list=1))


@attack(processes=20)
def looked_up_names(place):
    """Names that nobody has, but that could be of the mappings of a process."""
    yield
    while True:
        os.path.exists(f"{place.daemon.mnt}/nobody.{os.getpid()}.0")


@attack(processes=4)
def announcements(place):
    """Connections of libraries, all of which are heard before a listing."""
    yield
    os.nice(19)
    while True:
        try:
            with peer.connect(place.daemon) as connection:
                peer.send(connection, peer.packet(peer.TABLE))
        except BlockingIOError:
            pass


@attack(users=8)
def crowd(place):
    """A question waits on each of many connections of many users, all the time."""
    connections = [peer.connect(place.daemon) for _ in range(CROWD)]
    yield
    while True:
        for connection in connections:
            peer.send(connection, b"{}")
        for connection in connections:
            connection.recv(peer.ANSWER)


@attack(users=8, holds=True, allowed=0.01)
def created_names(place):
    """Opens that may create, of names that seem to belong to a process whose areas take long to read.

    The directory is locked while the daemon looks at the process. A wait that is no longer than a hundredth
    of a second is not held against its user (fuse/holding.c), and what the users may wait at first is over when
    the bystander is measured.
    """
    source = os.memfd_create("page")
    os.ftruncate(source, peer.PAGE)
    memory = mmap.mmap(source, peer.PAGE)
    table = peer.Table([peer.record(source, peer.address_of(memory), peer.PAGE)])
    library = peer.connect(place.daemon)
    peer.send(library, peer.packet(peer.TABLE, peer.STAYS, table.inode), table.fd)
    areas = [mmap.mmap(-1, peer.PAGE, prot=mmap.PROT_READ | (mmap.PROT_WRITE if number % 2 else 0))
             for number in range(AREAS)]
    yield
    begun = time.monotonic()
    while areas:
        if begun and time.monotonic() - begun > AT_FIRST:
            begun = None
            yield
        try:
            os.close(os.open(f"{place.daemon.mnt}/created.{os.getpid()}.0", os.O_WRONLY | os.O_CREAT | os.O_EXCL))
        except OSError:
            pass


@attack(processes=4)
def changing_tables(place):
    """Mappings that are replaced all the time, with subscriptions whose events are never read."""
    source = os.memfd_create("pages")
    os.ftruncate(source, RECORDS * peer.PAGE)
    memory = mmap.mmap(source, RECORDS * peer.PAGE)
    address = peer.address_of(memory)
    table = peer.Table([peer.record(source, address + at, peer.PAGE, at)
                        for at in range(0, RECORDS * peer.PAGE, peer.PAGE)])
    library = peer.connect(place.daemon)
    peer.send(library, peer.packet(peer.TABLE, peer.STAYS, table.inode), table.fd)
    subscriptions = [peer.connect(place.daemon) for _ in range(SUBSCRIPTIONS // 4)]
    yield
    for connection in subscriptions:
        peer.send(connection, peer.question(events=1))
    generation = 2
    os.nice(19)  # use of the processors is not the attack: any program may do that
    while True:
        generation += 2
        table.generations[:] = memoryview(array.array("Q", [generation]) * RECORDS)
