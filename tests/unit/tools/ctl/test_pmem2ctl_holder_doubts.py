#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""pmem2ctl holders where something cannot be read: it never says that nobody is there.

Usage: test_pmem2ctl_holder_doubts.py PMEM2CTL [TEST]... It runs itself in a mount namespace of its own, and is
skipped (77) where there can be none.
"""
import json
import os
import resource
import socket
import subprocess
import sys
import threading
import time
import unittest

from holders_case import BLIND, SEES_ALL, Sysfs
from pmem2ctl_case import ROOT, in_mount_namespace

UNREADABLE = f"/proc/{os.getpid()}/mem"  # nothing is at its beginning: EIO


@unittest.skipUnless(ROOT, "needs root")
class Doubts(Sysfs):
    def doubts(self, what):
        """The doubts, except that not all processes can be seen, which is so under isolate."""
        done = self.run_ctl("holders", what)
        self.assertIn(done.returncode, (0, 2), done.stdout)
        doubts = {line for line in done.stderr.decode().splitlines() if BLIND not in line}
        if SEES_ALL:
            self.assertEqual(done.returncode, 2 if doubts else 0)
        return doubts

    def doubted(self, path, *whats, source=UNREADABLE):
        """With `source` in place of the file at `path`, there is a new doubt about each of `whats`."""
        before = [self.doubts(what) for what in whats]
        subprocess.run(["mount", "--bind", source, path], check=True)
        try:
            for what, doubts in zip(whats, before):
                self.assertTrue(self.doubts(what) - doubts, (path, what))
        finally:
            subprocess.run(["umount", path], check=True)

    def in_each_look(self, begin=lambda look: None, end=lambda look: None):
        """Calls `begin` before each look, and `end` in it, after the processes."""
        fifo = f"{self.sysfs}/block/loop3/loop/backing_file"  # is read once in each look
        os.makedirs(os.path.dirname(fifo))
        os.mkfifo(fifo)

        def answer():
            for look in range(4):
                begin(look)
                with open(fifo, "wb", buffering=0) as file:
                    end(look)
                    os.mkfifo(fifo + ".next")  # so that the next look does not read this one
                    os.rename(fifo + ".next", fifo)
                    file.write(b"\n")

        threading.Thread(target=answer, daemon=True).start()

    def test_swaps(self):
        self.doubted("/proc/swaps", self.file, "namespace1.1")

    def test_device(self):
        """A device whose number cannot be read may be held."""
        bus = "/sys/devices/platform/ndbus0"
        self.doubted(bus + "/region1/dax1.0/dax1.0/dev", "region1", "namespace1.0", "dax1.0")
        self.doubted(bus + "/region0/pfn0.0/namespace", "namespace0.0")

    def test_folders(self):
        for folder, what in (("bus/nd/devices", "namespace1.1"), ("bus/dax/devices", "region1"),
                             ("block", self.file)):
            folder = f"{self.sysfs}/{folder}"
            before = self.doubts(what)
            os.rename(folder, folder + ".gone")
            os.symlink(os.path.basename(folder), folder)  # ELOOP
            self.assertTrue(self.doubts(what) - before, folder)
            os.unlink(folder)
            os.rename(folder + ".gone", folder)

    def test_kernel(self):
        attributes = ["block/loop3/loop/backing_file",
                      "kernel/config/target/core/fileio_0/a/udev_path",
                      "kernel/config/nvmet/subsystems/a/namespaces/1/device_path",
                      "kernel/config/usb_gadget/a/functions/mass_storage.0/lun.0/file"]
        for attribute in attributes:
            path = f"{self.sysfs}/{attribute}"
            os.makedirs(os.path.dirname(path))
            with open(path, "w", encoding="ascii"):
                pass
            self.doubted("/sys/" + attribute, self.file, "dax1.0")
            os.unlink(path)

    def test_driver(self):
        os.symlink("driver", self.devices + "/region1/dax1.0/dax1.0/driver")
        self.assertFalse(self.doubts("dax1.0"))  # a link is read, not followed
        os.unlink(self.devices + "/region1/dax1.0/dax1.0/driver")
        self.attribute("region1/dax1.0/dax1.0/driver", "")  # EINVAL
        self.assertTrue(self.doubts("dax1.0"))

    def test_process(self):
        """A mount table, and mappings."""
        process = subprocess.Popen(["unshare", "-m", "sh", "-c", "echo; read line"],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate, b"")
        process.stdout.readline()
        folder = f"/proc/{process.pid}/task/{process.pid}"
        self.doubted(folder + "/mountinfo", self.file, "namespace1.1")
        self.doubted(folder + "/maps", self.file)
        # a table that makes sense up to its end
        with open(folder + "/mountinfo", "rb") as table, open(self.path + "/table", "wb") as half:
            half.write(table.read() + b"nonsense\n")
        self.doubted(folder + "/mountinfo", self.file, source=self.path + "/table")

    def test_looks(self):
        """Three looks that leave a doubt and one without are not two without a doubt."""
        one, other = socket.socketpair()
        with open("/dev/null", "rb") as null, one, other:
            socket.send_fds(one, [b"x"], [null.fileno()])

            def receive(look):
                if look == 2:
                    os.close(socket.recv_fds(other, 1, 1)[1][0])

            self.in_each_look(end=receive)
            self.assertIn("no two looks in a row were without doubt",
                          " ".join(self.doubts(self.file)))

    def map_zeros(self, script):
        """A process that maps /dev/zero, which stands for dax1.1, and has no descriptor of it."""
        self.node("region1/dax1.0/dax1.1", "1:5")
        process = subprocess.Popen(
            [sys.executable, "-c", "import ctypes, os, time\nlibc = ctypes.CDLL(None)\n"
             "libc.mmap.restype = ctypes.c_void_p\nfd = os.open('/dev/zero', os.O_RDONLY)\n"
             "def map_at(address, flags):\n"
             "    at = ctypes.c_void_p(address)\n"
             "    return ctypes.c_void_p(libc.mmap(at, 8192, 1, flags, fd, 0))\n" + script],
            stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        self.addCleanup(process.kill)
        process.stdout.readline()

    def test_moving_mapping(self):
        """A node that is mapped all the time, by turns in one area and in two."""
        self.map_zeros("memory = map_at(0, 2)\nos.close(fd)\nprint(flush=True)\n"
                       "protect = libc.mprotect\nwhile True:\n"
                       "    protect(memory, 4096, 0)\n    protect(memory, 4096, 1)\n")
        for _ in range(30):
            answer = self.ask_holders("dax1.1")
            self.assertTrue(answer["held"] or answer["doubts"])

    def test_low_mapping(self):
        """A mapping whose address begins with zeros in maps."""
        self.map_zeros("map_at(0x200000, 0x100002)\nos.close(fd)\nprint(flush=True)\n"
                       "time.sleep(1000)\n")
        self.assertEqual([other["kind"] for other in self.ask_holders("dax1.1")["others"]],
                         ["mapped"])

    def test_mounted_elsewhere(self):
        """A file that is mounted in a namespace, of which a process ends in each look."""
        with open(self.path + "/on", "wb"):
            pass
        first = subprocess.Popen(
            ["unshare", "-m", "sh", "-c", "mount --bind $0/file $0/on\n"
             "for i in 1 2 3; do sleep 1000 & echo $!; done; exec sleep 1000", self.path],
            stdout=subprocess.PIPE, start_new_session=True)
        pids = [first.pid, *(int(first.stdout.readline()) for _ in range(3))]
        self.addCleanup(first.communicate)
        self.addCleanup(os.killpg, first.pid, 9)
        last = subprocess.Popen(["unshare", "-m", "sh", "-c", "echo; read line"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(last.communicate, b"")
        last.stdout.readline()
        fifo = self.path + "/fifo"
        os.mkfifo(fifo)
        self.bind(fifo, f"/proc/{last.pid}/task/{last.pid}/mountinfo")  # is read after the others

        def kill(look):
            with open(fifo, "wb"):
                if look < 2:
                    os.kill(pids[look], 9)
                    while os.path.exists(f"/proc/{pids[look]}/root/tmp"):
                        time.sleep(0.001)

        self.in_each_look(begin=kill)
        self.assertEqual([other["kind"] for other in self.ask_holders(self.file)["others"]],
                         ["mount"])

    def test_few_descriptors(self):
        with open(self.file, "rb"):
            for limit in range(4, 16):
                done = self.run_ctl(
                    "holders", "--json", self.file, preexec_fn=lambda limit=limit:
                    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
                self.assertIn(done.returncode, (1, 2))
                answer = json.loads(done.stdout or b'{"held": null, "doubts": [""]}')
                self.assertTrue(answer["held"] or set(answer["doubts"]) - {BLIND}, limit)


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
