#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The example key-value store keeps its entries, and releases its region on request.

usage: test_example.py KVSTORE

This script plays the daemon, as specified in wire.h.
"""
import os
import pathlib
import socket
import struct
import subprocess
import sys
import tempfile

MAGIC = 0x3065726977326670
TABLE, ASK, READY, GO, WITHDRAWN, DONE = range(1, 7)
STAYS = 1
EBUSY = 16
MESSAGE = struct.Struct("=QIIQQQIi")  # struct wire_message


class Daemon:
    """The daemon's socket, and the library's connection."""
    def __init__(self, path):
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(str(path))
        self.listener.listen(16)
        self.listener.settimeout(30)
        self.peer = None
        self.table = 0
        self.request = 0

    def accept(self):
        while True:
            self.peer, _ = self.listener.accept()
            self.peer.settimeout(30)
            magic, kind, flags, self.table, *_ = MESSAGE.unpack(self.peer.recv(100))
            assert (magic, kind) == (MAGIC, TABLE)
            if flags & STAYS:
                return

    def send(self, kind, slot=0, generation=0):
        self.peer.send(MESSAGE.pack(MAGIC, kind, 0, self.table, self.request, generation, slot, 0))

    def hear(self):
        magic, kind, _, _, request, _, _, error = MESSAGE.unpack(self.peer.recv(100))
        assert (magic, request) == (MAGIC, self.request)
        return kind, error

    def release(self, generation):
        """The answer to a request for the first slot."""
        self.request += 1
        self.send(ASK, 0, generation)
        answer = self.hear()
        if answer == (READY, 0):
            self.send(GO)
            answer = self.hear()
        return answer


class Store:
    def __init__(self, program, path, environment):
        self.path = str(path)
        self.process = subprocess.Popen([program, path], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, env=environment)

    def say(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()

    def __call__(self, command):
        self.say(command)
        return self.process.stdout.readline().rstrip("\n")

    def list(self):
        """As a dictionary."""
        pairs = {}
        self.say("list")
        while (line := self.process.stdout.readline().rstrip("\n")) != "ok":
            key, _, value = line.partition(" ")
            assert key not in pairs, line
            pairs[key] = value
        return pairs

    def is_mapped(self):
        return self.path in pathlib.Path(f"/proc/{self.process.pid}/maps").read_text()

    def quit(self):
        self.say("quit")
        assert self.process.wait(30) == 0


def expect(got, wanted):
    assert got == wanted, f"{got!r} in place of {wanted!r}"


def check_storing(store):
    expect(store("get a"), "not found")
    expect(store("set a 1"), "ok")
    expect(store("set b two words"), "ok")
    expect([store("get a"), store("get b")], ["1", "two words"])
    expect(store("set a 2"), "ok")
    expect(store("set a 3"), "ok")
    expect(store("get a"), "3")
    expect([store("del a"), store("get a"), store("del a")], ["ok", "not found", "not found"])
    expect(store.list(), {"b": "two words"})
    for wrong in "", "foo", "get", "set", "list x", "set " + "k" * 56 + " v", "set k " + "v" * 96:
        expect(store(wrong), "error: no such command")
    expect(store("set " + "k" * 55 + " " + "v" * 95), "ok")
    expect(store("get " + "k" * 55), "v" * 95)
    expect(store("del " + "k" * 55), "ok")


def check_full(store):
    """Every entry can be used, removed and used again."""
    wanted = store.list()
    for i in range(5000):
        answer = store(f"set key{i} {i}")
        if answer != "ok":
            break
        wanted[f"key{i}"] = str(i)
    expect(answer, "error: full")
    expect(len(wanted), (1 << 20) // 256 - 1)
    expect(store.list(), wanted)
    expect(store("set key0 changed"), "ok")
    for i in range(1, len(wanted) - 1):
        expect(store(f"del key{i}"), "ok")
    expect(store("set another 1"), "ok")
    expect(store.list(), {"b": "two words", "key0": "changed", "another": "1"})


def check_releasing(store, daemon):
    daemon.accept()
    wanted = store.list()
    expect(store("hold"), "ok")
    expect(daemon.release(2), (DONE, -EBUSY))
    assert store.is_mapped() and store.list() == wanted
    expect(store("unhold"), "ok")
    expect(daemon.release(2), (DONE, 0))
    assert not store.is_mapped()
    expect([store("get b"), store("list")], ["released", "released"])
    assert not store.is_mapped()
    expect(store("open"), "ok")
    expect(store.list(), wanted)
    # A command that changes an entry maps the region as well.
    expect(daemon.release(4), (DONE, 0))
    expect(store("del another"), "ok")
    expect(store("get key0"), "changed")
    assert store.is_mapped()


def check_files(program, folder):
    """A file that is no store is not changed."""
    other = folder / "other"
    other.write_bytes(b"x" * 100000)
    small = folder / "small"
    small.write_bytes(bytes(100))
    for path in other, small, folder, folder / "nowhere/file":
        before = path.read_bytes() if path.is_file() else None
        done = subprocess.run([program, path], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE,
                              text=True, check=False)
        assert done.returncode == 1 and str(path) in done.stderr, done
        assert before is None or path.read_bytes() == before
    expect(subprocess.run([program], stderr=subprocess.DEVNULL, check=False).returncode, 2)


def main():
    program = sys.argv[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        # There is no power failure here: nothing needs to reach a disk.
        environment = {**os.environ, "PMEM2FS_SOCKET": str(folder / "socket"),
                       "PMEM2_FORCE_GRANULARITY": "CACHE_LINE"}
        store = Store(program, folder / "store", environment)
        check_storing(store)
        check_full(store)
        daemon = Daemon(folder / "socket")
        check_releasing(store, daemon)
        wanted = store.list()
        store.process.kill()
        store.process.wait()

        store = Store(program, folder / "store", environment)
        expect(store.list(), wanted)
        store.quit()
        check_files(program, folder)


if __name__ == "__main__":
    main()
