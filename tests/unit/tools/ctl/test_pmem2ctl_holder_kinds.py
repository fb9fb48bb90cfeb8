#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Each way to hold a mount point: whether umount succeeds, and what pmem2ctl holders reports.

Usage: test_pmem2ctl_holder_kinds.py PMEM2CTL [TEST]... It runs itself in a mount namespace of its own, and is
skipped (77) if it cannot. $HOLDERS_MOUNT has the arguments of mount for another file system than a tmpfs.
Where not all processes can be seen, as under isolate, pmem2ctl never says that nobody holds the mount point:
"free" then means that it has no other doubt.
"""
import ctypes
import errno
import fcntl
import os
import subprocess
import sys
import time
import unittest

from holders_case import SEES_ALL, Holders
from pmem2ctl_case import ROOT, in_mount_namespace

MOUNT = os.environ.get("HOLDERS_MOUNT", "-t tmpfs none").split()
LIBC = ctypes.CDLL(None, use_errno=True)

# The beginning of all programs below. `here` is the mount point, `file` a file in it.
PROGRAM = """
import ctypes, os, sys
here, elsewhere = sys.argv[1:3]
file = here + '/file'
libc = ctypes.CDLL(None, use_errno=True)

def call(number, *arguments):
    result = libc.syscall(number, *arguments)
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result

def checked(result):
    assert result >= 0, os.strerror(ctypes.get_errno())
    return result

def ready():
    print(flush=True)

"""


def end(process):
    """Ends the process and waits for its children, too, which have its output open."""
    if not process.stdout.closed:
        process.stdin.close()
        process.stdout.read()
        process.wait()
        process.stdout.close()


class Kinds(Holders):
    def setUp(self):
        super().setUp()
        self.here = self.path + "/here"
        self.elsewhere = self.path + "/elsewhere"
        self.disks = self.path + "/disks"  # none of the machine's
        os.mkdir(self.here)
        os.mkdir(self.elsewhere)
        os.mkdir(self.disks)
        if ROOT:
            self.bind(self.disks, "/sys/block")
        self.mount_here()
        self.addCleanup(subprocess.run, ["umount", "-qR", self.here], check=False)

    def mount_here(self):
        subprocess.run(["mount", *MOUNT, self.here], check=True)
        for name in set(os.listdir(self.here)) - {"lost+found"}:
            subprocess.run(["rm", "-r", f"{self.here}/{name}"], check=True)
        with open(self.here + "/file", "wb") as file:
            file.write(bytes(8192))

    def unmount(self):
        """Returns the errno of umount, or None if it succeeded. Mounts again then."""
        if LIBC.umount2(self.here.encode(), 0) == 0:
            self.mount_here()
            return None
        return ctypes.get_errno()

    def verdict(self, what=None):
        answer = self.ask_holders(what or self.here)
        self.doubts = answer["doubts"]
        if answer["held"]:
            self.assertEqual(answer["status"], 1)
            return sorted({other["kind"] for other in answer["others"]})
        if answer["doubts"] or SEES_ALL:
            self.assertEqual(answer["status"], 2 if answer["doubts"] else 0)
        return "doubt" if answer["doubts"] else "free"

    def start(self, program):
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + program + "\nready()\nsys.stdin.read()\n",
             self.here, self.elsewhere], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            cwd="/")
        self.addCleanup(end, process)
        line = process.stdout.readline()
        if not line:
            self.fail("the program ended: " + program)
        if line == b"skip\n":
            self.skipTest("not on this kernel")
        return process

    def case(self, program, expected, busy, of_file=None):
        """Checks the verdicts while a program runs, and that they are "free" afterwards."""
        process = self.start(program)
        said = self.verdict()
        said_of_file = of_file and self.verdict(self.here + "/file")
        refused = self.unmount()
        self.assertEqual(said, expected, self.doubts)
        self.assertEqual(said_of_file, of_file, self.doubts)
        self.assertEqual(refused, errno.EBUSY if busy else None)
        end(process)
        # The kernel may release what a ring has registered some time after the process has ended.
        for _ in range(6000):
            if self.unmount() is None:
                break
            time.sleep(0.01)
        self.assertEqual(self.verdict(), "free", self.doubts)
        self.assertIsNone(self.unmount())

    def test_nobody(self):
        self.assertEqual(self.verdict(), "free", self.doubts)
        self.assertEqual(self.verdict(self.here + "/file"), "free")
        self.assertIsNone(self.unmount())

    def test_open(self):
        self.case("kept = open(file)", ["open"], True, ["open"])
        self.case("kept = os.open(here, os.O_PATH)", ["open"], True, "free")

    def test_folders(self):
        self.case("os.chdir(here)", ["open"], True, "free")
        self.case("os.chroot(here)", ["open"], True, "free")

    def test_mount_below(self):
        below = self.here + "/below"
        os.mkdir(below)
        subprocess.run(["mount", "-t", "tmpfs", "none", below], check=True)
        self.assertEqual(self.ask_holders(self.here)["others"],
                         [{"kind": "mount", "type": "tmpfs", "path": below}])
        self.assertEqual(self.unmount(), errno.EBUSY)
        subprocess.run(["umount", below], check=True)
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_other_namespace(self):
        """A private copy of the mount in another namespace keeps the file system, though umount succeeds."""
        self.case("libc.unshare(0x20000); libc.mount(None, b'/', None, 0x44000, None)", ["mount"],
                  False)
        self.case("checked(libc.unshare(0x20000))\n"
                  "checked(libc.mount(None, b'/', None, 0x44000, None))\n"
                  "os.mkdir(here + '/below')\n"
                  "checked(libc.mount(b'none', (here + '/below').encode(), b'tmpfs', 0, None))",
                  ["mount"], False)

    def mount_below_shared(self):
        """Mounts again, where mounts of other namespaces may follow."""
        subprocess.run(["mount", "-t", "tmpfs", "none", self.elsewhere], check=True)
        self.addCleanup(subprocess.run, ["umount", "-R", self.elsewhere], check=True)
        subprocess.run(["mount", "--make-shared", self.elsewhere], check=True)
        subprocess.run(["umount", self.here], check=True)
        self.here = self.elsewhere + "/here"
        os.mkdir(self.here)
        self.mount_here()

    def test_namespace_that_follows(self):
        """A copy in another namespace is unmounted along with the mount if the mounts below propagate that."""
        self.mount_below_shared()
        for propagation in (0x100000, 0x80000):  # MS_SHARED, MS_SLAVE
            with self.subTest(propagation=propagation):
                self.case("checked(libc.unshare(0x20000))\n"
                          f"checked(libc.mount(None, b'/', None, {propagation} | 0x4000, None))",
                          "free", False)
        # and where something is mounted on the copy alone
        self.case("checked(libc.unshare(0x20000))\n"
                  "checked(libc.mount(None, b'/', None, 0x84000, None))\n"
                  "os.mkdir(here + '/below')\n"
                  "checked(libc.mount(b'none', (here + '/below').encode(), b'tmpfs', 0, None))",
                  ["mount"], False)

    def test_bind_mount(self):
        subprocess.run(["mount", "--bind", self.here, self.elsewhere], check=True)
        self.assertEqual(self.verdict(), ["mount"])
        subprocess.run(["umount", self.elsewhere], check=True)
        with open(self.elsewhere + "/on", "wb"):
            pass
        subprocess.run(["mount", "--bind", self.here + "/file", self.elsewhere + "/on"], check=True)
        self.assertEqual(self.verdict(self.here + "/file"), ["mount"])
        with open(self.here + "/other", "wb"):
            pass
        self.assertEqual(self.verdict(self.here + "/other"), "free")
        subprocess.run(["umount", self.elsewhere + "/on"], check=True)
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_layer(self):
        for name in ("lower", "upper", "work"):
            os.mkdir(f"{self.elsewhere}/{name}")
        os.mkdir(self.here + "/lower")
        done = subprocess.run(
            ["mount", "-t", "overlay", "none", "-o",
             f"lowerdir={self.here}/lower,upperdir={self.elsewhere}/upper,"
             f"workdir={self.elsewhere}/work", self.elsewhere], check=False)
        if done.returncode:
            self.skipTest("no overlay")
        self.assertEqual(self.verdict(), ["mount"])
        self.assertEqual(self.verdict(self.here + "/file"), "doubt")
        subprocess.run(["umount", self.elsewhere], check=True)
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_layer_below_another_root(self):
        """The path of the layer leads elsewhere from this root, and links on it begin at the other root."""
        self.mount_below_shared()
        os.mkdir(self.path + "/lower")
        first, rest = self.path[1:].split("/", 1)
        self.case("checked(libc.unshare(0x20000))\n"
                  "checked(libc.mount(None, b'/', None, 0x84000, None))\n"
                  f"os.makedirs(here + '/{rest}/lower')\n"
                  "os.makedirs(elsewhere + '/over')\nos.makedirs(elsewhere + '/under')\n"
                  f"os.symlink('/here', elsewhere + '/{first}')\nos.chroot(elsewhere)\n"
                  "if libc.mount(b'none', b'/over', b'overlay', 0,\n"
                  f"              b'lowerdir={self.path}/lower:/under'):\n"
                  "    print('skip', flush=True)", ["mount"], False)

    def test_inotify(self):
        """A mark holds nothing."""
        self.case("kept = checked(libc.inotify_init1(0))\n"
                  "checked(libc.inotify_add_watch(kept, file.encode(), 0xfff))\n"
                  "open(file).close()", "free", False, "free")

    def test_loop(self):
        if not ROOT:
            self.skipTest("needs root")
        for node, kind, number in (("/dev/loop-control", 0o020600, (10, 237)),):
            if not os.path.exists(node):
                os.mknod(node, kind, os.makedev(*number))
        try:
            control = os.open("/dev/loop-control", os.O_RDWR)
        except OSError:
            self.skipTest("no loop devices")
        number = fcntl.ioctl(control, 0x4C82)  # LOOP_CTL_GET_FREE
        os.close(control)
        node = f"/dev/loop{number}"
        if not os.path.exists(node):
            os.mknod(node, 0o060600, os.makedev(7, number))
            self.addCleanup(os.unlink, node)
        os.symlink(f"/sys/devices/virtual/block/loop{number}", f"{self.disks}/loop{number}")
        loop = os.open(node, os.O_RDWR)
        file = os.open(self.here + "/file", os.O_RDWR)
        fcntl.ioctl(loop, 0x4C00, file)  # LOOP_SET_FD
        os.close(file)
        try:
            os.rename(self.here + "/file", self.here + "/renamed")
            self.assertEqual(self.verdict(), ["loop"])
            self.assertEqual(self.verdict(self.here + "/renamed"), ["loop"])
            self.assertEqual(self.unmount(), errno.EBUSY)
            os.unlink(self.here + "/renamed")
            self.assertEqual(self.verdict(), ["loop"])
        finally:
            fcntl.ioctl(loop, 0x4C01)  # LOOP_CLR_FD
            os.close(loop)
        self.assertEqual(self.verdict(), "free", self.doubts)
        self.assertIsNone(self.unmount())


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
