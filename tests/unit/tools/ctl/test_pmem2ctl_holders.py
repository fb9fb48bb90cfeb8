#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""pmem2ctl holders, with a fake daemon and a fake sysfs.

Usage: test_pmem2ctl_holders.py PMEM2CTL [TEST]... It runs itself in a mount namespace of its own, and
is skipped (77) where there can be none.
"""
import json
import os
import subprocess
import sys
import unittest

from holders_case import FULL, LOOKS_AT_ALL, SEES_ALL, Sysfs, blind, device_number
from pmem2ctl_case import (ACTIVE, NOBODY, ROOT, in_mount_namespace, ok, reachable_by_nobody,
                           refuse)

UNKNOWN = b"cannot tell whether somebody holds it\n"

# A process whose second thread runs a script, and which lives until it gets a byte.
THREADS = """
import ctypes, os, subprocess, sys, threading, time
CLONE_FS, CLONE_FILES, CLONE_NEWNS = 0x200, 0x400, 0x20000
libc = ctypes.CDLL(None)
ended = threading.Event()

def end():
    ended.set()
    while " Z " not in open("/proc/self/stat").read():
        time.sleep(0.01)

def own(what):
    assert libc.unshare(what) == 0

def mount():
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", sys.argv[1]], check=True)
    number = os.stat(sys.argv[1]).st_dev
    print(f"{os.major(number)}:{os.minor(number)}", flush=True)

def start(script):
    def run():
        exec(script, globals())
        print(flush=True)
        os.read(0, 1)
        os._exit(0)
    threading.Thread(target=run).start()
    ended.wait()
    libc.pthread_exit(None)

"""


class Status(Sysfs):
    @unittest.skipUnless(SEES_ALL, "needs to see all processes")
    def test_nobody(self):
        for what in ("region0", "region1", "namespace0.0", "namespace1.0", "namespace1.1",
                     "dax1.0", "/dev/dax1.0", "/dev/full", self.file, self.mount):
            with self.subTest(what=what):
                if what == "/dev/dax1.0":  # does not exist, but is known by its name
                    self.assertEqual(self.status(what), 0)
                    continue
                self.check(self.run_ctl("holders", what), 0, b"nobody holds it\n")
                self.check(self.run_ctl("holders", "-q", what), 0)
                done = self.run_ctl("holders", "--json", what)
                self.assertEqual((done.returncode, done.stderr), (0, b""))
                answer = json.loads(done.stdout)
                self.assertEqual((answer["held"], answer["complete"], answer["processes"],
                                  answer["others"], answer["doubts"]), (False, True, [], [], []))
        self.assertEqual([sorted(question) for question, _, _ in self.asked[:2]],
                         [["look"], ["columns", "list", "where"]])

    def test_node(self):
        self.map_node("a")
        self.held(1, "dax1.0", "namespace1.0", "region1", "/dev/full")
        if LOOKS_AT_ALL:
            self.held(0, "region0", "namespace0.0", "namespace1.1")

    def test_longer_name(self):
        """region10 is not taken for a part of region1."""
        self.attribute("region10/mode", "x")
        self.device("nd", "region10", "region10")
        self.node("region10/dax10.0", "1:9")
        self.map("a", source={"type": "devdax", "dev": "1:9"})
        self.held(1, "region10", "dax10.0")
        self.assertNotEqual(self.status("region1"), 1)

    def test_number_alone(self):
        """A document without facts of the device."""
        self.map_node("a", device=None)
        self.held(1, "dax1.0", "namespace1.0", "region1", "/dev/full")

    def test_lost(self):
        """The device is gone, or another one has its number."""
        self.map_node("a", state="lost", source={"type": "devdax", "path": None, "dev": "99:9"},
                      device={"namespace": "namespace7.0", "region": "region7",
                              "chardev": "dax7.0"})
        self.held(1, "dax7.0", "namespace7.0", "region7", "/dev/dax7.0")
        if LOOKS_AT_ALL:
            self.held(0, "dax1.0")
        self.map_node("b", state="lost", device={"chardev": "dax1.0"},
                      source={"type": "devdax", "dev": "99:9"})
        self.held(1, "dax1.0")

    def test_disk(self):
        """A file system on a partition uses the disk, but not its other partitions."""
        disk = "region0/pfn0.0/block/pmem0"
        self.disk(disk, "259:90")
        self.disk(disk + "/pmem0p1", "259:91")
        self.disk(disk + "/pmem0p2", "259:92")
        self.map("a", device={"blockdev": "pmem0", "namespace": "namespace0.0"},
                 source={"type": "fsdax", "dev": "259:91", "inode": 5})
        self.held(1, "pmem0", "pmem0p1", "namespace0.0", "region0", "/dev/pmem0")
        self.assertNotEqual(self.status("pmem0p2"), 1)
        self.assertNotEqual(self.status("namespace1.0"), 1)

    def test_file(self):
        status = os.stat(self.file)
        source = {"type": "file", "dev": device_number(self.file), "inode": status.st_ino}
        self.map("other", source={**source, "inode": status.st_ino + 1})
        self.map("node", source={**source, "type": "devdax"})
        if LOOKS_AT_ALL:
            self.held(0, self.file)
        self.map("a", source=source)
        self.held(1, self.file)
        os.unlink(self.mount + "/a")
        self.map("a", source={**source, "inode": hex(status.st_ino)})
        self.held(1, self.file)

    def test_mount_point(self):
        source = {"type": "fsdax", "dev": device_number(self.mount), "inode": 5}
        self.map("node", source={**source, "type": "devdax"})
        if LOOKS_AT_ALL:
            self.held(0, self.mount)
        self.map("a", source=source)
        self.held(1, self.mount, self.mount + "/.")
        folder = self.mount + "/folder"
        os.mkdir(folder)
        os.chmod(folder, 0)
        self.check(self.run_ctl("holders", folder), 2, b"",
                   f"pmem2ctl: {folder}: is a directory, but no mount point\n".encode())

    def test_nothing_left(self):
        """A mapping of which nothing is left holds nothing; a mapping with a hole holds the rest."""
        if LOOKS_AT_ALL:
            self.map_node("a", state="partial", extents=[])
            self.held(0, "dax1.0")
        self.map_node("a", state="partial", extents=[{"offset": 4096, "length": 4096}])
        self.assertEqual(json.loads(self.run_ctl("holders", "-j", "dax1.0").stdout)
                         ["processes"][0]["mapped"], 4096)

    def test_unknown(self):
        for what, line in (
                ("pmem77", "no such region, namespace or device; a file is named with a slash"),
                ("region77", "no such region, namespace or device; a file is named with a slash"),
                ("/dev/dax7.7", "no such region, namespace or device"),
                ("/none/x", "No such file or directory"), (".", "not the name of a device"),
                ("/dev/null", "is a character device other than device DAX"),
                (self.socket, "is neither a file nor a device nor a mount point")):
            with self.subTest(what=what):
                error = f"pmem2ctl: {what}: {line}\n".encode()
                self.check(self.run_ctl("holders", what), 2, b"", error)
                self.check(self.run_ctl("holders", "-q", what), 2, b"", error)
        self.check(self.run_ctl("holders", ""), 2, b"",
                   b"pmem2ctl: '': not the name of a device\n")
        answer = json.loads(self.run_ctl("holders", "-j", "region77").stdout)
        self.assertIsNone(answer["held"])

    def test_no_daemon(self):
        env = {"PMEM2FS_SOCKET": "/nowhere"}
        self.check(self.run_ctl("holders", "dax1.0", env=env), 2, b"",
                   b"pmem2ctl: no pmem2fs daemon: tried /nowhere: No such file or directory\n")

    def test_looks_that_fail(self):
        self.map_node("a")
        old = b"pmem2ctl: the daemon is too old: it cannot look at other processes\n"
        for look, line in ((refuse(22, "what?"), old), (ok(), old), (ok(complete=1), old),
                           (refuse(12, "no memory"), b"pmem2ctl: no memory\n"),
                           (None, b"pmem2ctl: the daemon closed the connection\n")):
            with self.subTest(look=look):
                self.look = look
                for options in ([], ["-q"], ["-j"]):
                    self.check(self.run_ctl("holders", *options, "dax1.0"), 2, b"", line)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_incomplete(self):
        self.look = ok(complete=False)
        prefix = b"pmem2ctl: dax1.0: the daemon does not see all processes: "
        unknown = prefix + UNKNOWN + blind("dax1.0")
        self.check(self.run_ctl("holders", "dax1.0"), 2, b"", unknown)
        self.check(self.run_ctl("holders", "-q", "dax1.0"), 2, b"", unknown)
        answer = json.loads(self.run_ctl("holders", "-j", "dax1.0").stdout)
        self.assertEqual((answer["held"], answer["complete"]), (None, False))
        self.map_node("a")
        done = self.run_ctl("holders", "dax1.0")
        more = prefix + b"there may be more\n" + blind("dax1.0", "there may be more")
        self.assertEqual((done.returncode, done.stderr), (1, more))
        self.check(self.run_ctl("holders", "-q", "dax1.0"), 1)
        answer = json.loads(self.run_ctl("holders", "-j", "dax1.0").stdout)
        self.assertEqual((answer["held"], answer["complete"]), (True, False))

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_gone_meanwhile(self):
        """A mapping has gone since the look: a process that was scanned before may have it now."""
        looks = []

        def look():
            looks.append(1)
            if len(looks) == 3:
                self.gone = 0
                if self.handed_over:
                    self.map_node("new")
            return ok(complete=True)

        self.look = look
        for self.handed_over in (False, True):
            looks.clear()
            self.gone = 7
            self.assertEqual(self.status("dax1.0"), int(self.handed_over))
            self.assertEqual(len(looks), 3)
        os.unlink(self.mount + "/new")
        looks.extend([1] * 3)
        self.gone = 1
        self.check(self.run_ctl("holders", "dax1.0"), 2, b"",
                   b"pmem2ctl: dax1.0: mappings come and go: " + UNKNOWN + blind("dax1.0"))

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_pending(self):
        """A mapping whose facts are not known yet may be of any object."""
        unknown = {"pending": True, "source": {"type": "fsdax", "path": None, "offset": 0}}
        self.map("a", **unknown)
        done = self.run_ctl("holders", "dax1.0")
        self.check(done, 2, b"",
                   b"pmem2ctl: dax1.0: the facts of 1 mappings are still being found: " + UNKNOWN
                   + blind("dax1.0"))
        self.assertEqual([sorted(question) for question, _, _ in self.asked],
                         [["look"], ["columns", "list", "where"]] * 5)
        looks = []

        def look():
            looks.append(1)
            if len(looks) == 3:
                self.map("a", source={"type": "file", "dev": "1:1", "inode": 1, "path": "/f"})
                if self.held_then:
                    self.map_node("a")
            return ok(complete=True)

        self.look = look
        for self.held_then in (False, True):
            looks.clear()
            self.map("a", **unknown)
            self.assertEqual(self.status("dax1.0"), int(self.held_then))
            self.assertEqual(len(looks), 3)
        self.map_node("a", pending=True)  # what is known of it is enough
        looks.clear()
        self.check(self.run_ctl("holders", "-q", "dax1.0"), 1)
        self.assertEqual(len(looks), 1)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_broken_document(self):
        self.put("a", "{")
        done = self.run_ctl("holders", "dax1.0")
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"dax1.0: not all mappings could be read: " + UNKNOWN, done.stderr)

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_without_root(self):
        self.map_node("a")
        os.chmod(self.mount + "/a", 0o400)
        done = self.run_ctl("holders", "dax1.0", user=NOBODY)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"dax1.0: you may not read 1 mappings: " + UNKNOWN, done.stderr)
        os.unlink(self.mount + "/a")
        done = self.run_ctl("holders", "dax1.0", user=NOBODY)
        self.assertEqual((done.returncode, done.stdout), (2, b""))
        self.assertIn(b"dax1.0: not all processes can be seen from here: " + UNKNOWN, done.stderr)
        self.map_node("b")
        self.assertEqual(self.run_ctl("holders", "-q", "dax1.0", user=NOBODY).returncode, 1)

    @unittest.skipUnless(SEES_ALL, "needs to see all processes")
    def test_output_fails(self):
        """The status is not 0 when the answer could not be printed."""
        with open("/dev/full", "wb") as full:
            for status, name in ((2, "dax1.0"), (1, "namespace1.0")):
                done = self.run_ctl("holders", "namespace1.1" if status == 2 else name,
                                    stdout=full)
                self.check(done, status, None,
                           b"pmem2ctl: standard output: No space left on device\n")
                self.map_node("a")

    def test_usage(self):
        self.check_usage("which WHAT?", "holders ", "holders")
        self.check_usage("too many arguments", "holders ", "holders", "a", "b")
        self.check_usage("--quiet prints nothing, --json does", "holders ", "holders", "-jq", "a")


class Processes(Sysfs):
    def test_table(self):
        self.map_node("db.8.x", pid=10 ** 7, length=4096,
                      cgroup="/system.slice/db.service/payload")
        self.map_node("db.8.y", pid=10 ** 7, length=8192, created="2026-11-20T10:00:00.1Z")
        self.map_node("vm.9.z", pid=10 ** 7 + 1, origin="observed", created=None, cgroup=None)
        self.map_node("log", pid=10 ** 7 + 2, origin="pmem2fs",
                      cgroup="/user.slice/user-0.slice/session-2.scope")
        done = self.run_ctl("holders", "dax1.0")
        self.assertEqual(done.returncode, 1)
        self.assertEqual([line.split(maxsplit=6) for line in done.stdout.decode().splitlines()], [
            ["PID", "COMMAND", "UNIT", "SINCE", "MAPPED", "ORIGIN", "NAME"],
            ["10000000", "/usr/bin/db", "db.service", "2026-11-20T10:00:00Z", "12288",
             "published", "db.8.x and 1 more"],
            ["10000001", "/usr/bin/db", "-", ">2026-11-20T09:00:00Z", "8192", "observed",
             "vm.9.z"],
            ["10000002", "/usr/bin/db", "session-2.scope", "2026-11-21T10:00:00Z", "8192",
             "pmem2fs", "log"],
            "(pmem2fs: held by the daemon itself, 'pmem2ctl unmap NAME' frees it)"
            .split(maxsplit=6),
            "(published: 'pmem2ctl unmap NAME' asks the process to free it)".split(maxsplit=6)])

    def test_json(self):
        self.map_node("a", pid=10 ** 7, cgroup="/system.slice/db.service")
        self.map_node("b", pid=10 ** 7, origin="observed", created=None)
        answer = json.loads(self.run_ctl("holders", "--json", "namespace1.0").stdout)
        self.assertEqual((answer["what"], answer["kind"], answer["held"]),
                         ("namespace1.0", "namespace", True))
        observed, published = answer["processes"]
        self.assertEqual(published, {
            "pid": 10 ** 7, "comm": "db", "exe": "/usr/bin/db",
            "cgroup": "/system.slice/db.service", "started": "2026-11-20T09:00:00.5Z",
            "origin": "published", "since": "2026-11-21T10:00:00.123456789Z", "mapped": 8192,
            "mappings": [{"name": "a", "state": "active", "address": "0x7f0000000000",
                          "length": 8192, "created": "2026-11-21T10:00:00.123456789Z",
                          "type": "devdax", "path": "/dev/dax1.0", "offset": 0}]})
        self.assertEqual((observed["origin"], observed["since"], observed["started"]),
                         ("observed", None, "2026-11-20T09:00:00.5Z"))

    def test_many(self):
        for number in range(10000):
            self.map_node(f"n{number}", pid=10 ** 7 + number // 10)
        done = self.run_ctl("holders", "dax1.0")
        self.assertEqual((done.returncode, len(done.stdout.splitlines())), (1, 1002))

    def test_safe_on_a_terminal(self):
        self.map_node(ACTIVE, owner={"pid": 10 ** 7, "comm": ACTIVE, "exe": None})
        for arguments in ([], ["--json"]):
            done = self.run_ctl("holders", "dax1.0", *arguments)
            self.assertEqual(done.returncode, 1)
            self.assert_safe(done.stdout)
        self.assertEqual(json.loads(done.stdout)["processes"][0]["mappings"][0]["name"], ACTIVE)


class Others(Sysfs):
    def setUp(self):
        super().setUp()
        self.here = self.path + "/here"
        os.mkdir(self.here)
        subprocess.run(["mount", "-t", "tmpfs", "none", self.here], check=True)
        self.addCleanup(subprocess.run, ["umount", "-R", self.here], check=True)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_mount(self):
        self.disk("region0/pfn0.0/block/pmem0", device_number(self.here))
        for what in ("pmem0", "namespace0.0", "region0"):
            self.assertEqual(self.others(what), [
                {"kind": "mount", "device": "pmem0", "type": "tmpfs", "path": self.here}])
        self.check(self.run_ctl("holders", "pmem0"), 1,
                   f"pmem0: tmpfs, mounted on {self.here}\n".encode(),
                   blind("pmem0", "there may be more"))
        self.held(0, "namespace1.0", self.here)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_mount_elsewhere(self):
        """Mounted in another mount namespace only: reported once for all its processes."""
        shell = subprocess.Popen(
            ["unshare", "-m", "sh", "-c",
             "mkdir $0/a\\ b && mount -t tmpfs none $0/a\\ b && stat -c %d $0/a\\ b && "
             "sleep 100 & read line; kill $!", self.here],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        number = int(shell.stdout.readline())
        self.disk("region0/pfn0.0/block/pmem0", f"{os.major(number)}:{os.minor(number)}")
        [mount] = self.others("namespace0.0")
        self.assertEqual((mount["kind"], mount["path"]), ("mount", self.here + "/a b"))
        self.assertIn(mount["comm"], ("sh", "sleep"))
        copy = subprocess.Popen(["nsenter", "-m", "-t", str(mount["pid"]), "unshare", "-m", "sh",
                                 "-c", "echo && read line"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        copy.stdout.readline()
        self.assertEqual(len(self.others("namespace0.0")), 1)  # one line for one place
        copy.communicate(b"\n")
        shell.communicate(b"\n")

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_btt(self):
        self.attribute("region1/btt1.0/namespace", "namespace1.1")
        self.device("nd", "region1/btt1.0", "btt1.0")
        self.disk("region1/btt1.0/block/pmem1s", device_number(self.here))
        self.assertEqual(self.others("namespace1.1"), [
            {"kind": "mount", "device": "pmem1s", "layer": "btt1.0", "type": "tmpfs",
             "path": self.here}])
        self.assertIn(b"pmem1s (btt1.0): tmpfs", self.run_ctl("holders", "region1").stdout)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_stacked(self):
        """A device mapper on a partition, with a file system on it."""
        disk = "region0/pfn0.0/block/pmem0"
        self.disk(disk, "259:90")
        self.disk(disk + "/pmem0p1", "259:91")
        self.disk(disk + "/pmem0p2", "259:92")
        self.disk("virtual/block/dm-0", device_number(self.here))
        self.attribute("virtual/block/dm-0/dm/name", "over")
        self.link(f"{self.devices}/{disk}/pmem0p1/holders/dm-0",
                  f"{self.devices}/virtual/block/dm-0")
        expected = [{"kind": "stacked", "device": "pmem0p1", "name": "dm-0", "label": "over"},
                    {"kind": "mount", "device": "dm-0", "type": "tmpfs", "path": self.here}]
        for what in ("pmem0p1", "pmem0", "namespace0.0"):
            self.assertEqual(self.others(what), expected)
        self.assertIn(b"pmem0p1: below dm-0 (over)\n", self.run_ctl("holders", "pmem0").stdout)
        self.assertNotEqual(self.status("pmem0p2"), 1)
        self.map("a", source={"type": "fsdax", "dev": device_number(self.here), "inode": 4})
        self.assertEqual(len(json.loads(self.run_ctl("holders", "-j", "pmem0p1").stdout)
                             ["processes"]), 1)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_stacked_partition(self):
        disk = "region0/pfn0.0/block/pmem0"
        self.disk(disk, "259:90")
        self.disk("virtual/block/md0", "9:0")
        self.disk("virtual/block/md0/md0p1", device_number(self.here))
        self.link(f"{self.devices}/{disk}/holders/md0", f"{self.devices}/virtual/block/md0")
        self.assertIn({"kind": "mount", "device": "md0p1", "type": "tmpfs", "path": self.here},
                      self.others("pmem0"))

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_memory(self):
        self.link(f"{self.devices}/region1/dax1.0/dax1.0/driver",
                  f"{self.sysfs}/bus/dax/drivers/kmem")
        self.assertEqual(self.others("namespace1.0"), [{"kind": "memory", "device": "dax1.0"}])

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_loop(self):
        path = self.here + "/image"
        with open(path, "wb"):
            pass
        folder = f"{self.sysfs}/block/loop3/loop"
        os.makedirs(folder)
        with open(folder + "/backing_file", "w", encoding="ascii") as file:
            file.write(path + "\n")
        expected = [{"kind": "loop", "name": "loop3", "path": path}]
        self.assertEqual(self.others(path), expected)
        self.assertEqual(self.others(self.here), expected)
        self.held(0, self.file)
        os.unlink(path)
        self.held(2, self.here)  # it may still be mounted, without a path

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_targets(self):
        """Disks and files that the kernel serves to other machines."""
        path = self.here + "/served"
        with open(path, "wb"):
            pass
        for folder, attribute, name in (
                ("target/core/fileio_0/a", "udev_path", "SCSI target"),
                ("nvmet/subsystems/a/namespaces/1", "device_path", "NVMe target"),
                ("usb_gadget/a/functions/mass_storage.0/lun.0", "file", "USB gadget")):
            folder = f"{self.sysfs}/kernel/config/{folder}"
            os.makedirs(folder)
            with open(f"{folder}/{attribute}", "w", encoding="ascii") as file:
                file.write(path + "\n")
            expected = [{"kind": "kernel", "name": name, "path": path}]
            self.assertEqual(self.others(path), expected)
            self.assertEqual(self.others(self.here), expected)
            self.held(0, self.file)
            with open(f"{folder}/{attribute}", "w", encoding="ascii") as file:
                file.write(path + " from elsewhere\n")
            self.held(2, self.here)
            os.unlink(f"{folder}/{attribute}")

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_uprobes(self):
        """The files that have probes."""
        path = self.here + "/probed"
        with open(path, "wb"):
            pass
        os.makedirs(self.sysfs + "/kernel/tracing")

        def probe(*lines):
            with open(self.sysfs + "/kernel/tracing/uprobe_events", "w", encoding="utf-8") as file:
                file.write("".join(line + "\n" for line in lines))

        expected = [{"kind": "kernel", "name": "uprobe", "path": path}]
        probe("p:probes/other /:0x0000000000001040",
              f"r:probes/this {path}:0x0000000000001040(0x10) arg1=%ax:u64")
        self.assertEqual(self.ask_holders(path)["others"], expected)
        self.assertEqual(self.ask_holders(self.here)["others"], expected)
        answer = self.ask_holders(self.file)
        self.assertEqual((answer["others"], answer["doubts"]), ([], []))
        for lost in (path + ".gone", "probed"):  # a relative path begins anywhere
            probe(f"p:probes/this {lost}:0x0000000000001040")
            self.assertTrue(self.ask_holders(self.file)["doubts"], lost)
            self.assertEqual(self.ask_holders("dax1.0")["doubts"], [])

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_bitmap(self):
        """An md device that has its bitmap in a file."""
        for place, doubts in (("none", False), ("+8", False), ("file", True)):
            folder = self.sysfs + "/block/md0/md/bitmap"
            os.makedirs(folder, exist_ok=True)
            with open(folder + "/location", "w", encoding="ascii") as file:
                file.write(place + "\n")
            for what in (self.file, self.here):
                self.assertEqual(bool(self.ask_holders(what)["doubts"]), doubts, place)
            self.assertEqual(self.ask_holders("dax1.0")["doubts"], [])

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_rnbd(self):
        """Disks that are served to other machines."""
        self.disk("region0/pfn0.0/block/pmem0", "259:99")
        os.makedirs(self.sysfs + "/class/rnbd-server/ctl/devices")
        self.assertEqual(len(self.ask_holders("pmem0")["doubts"]), 1)  # there is no such disk
        os.makedirs(self.sysfs + "/class/rnbd-server/ctl/devices/pmem9")
        doubts = self.ask_holders("pmem0")["doubts"]
        self.assertTrue(any("rnbd" in doubt for doubt in doubts), doubts)
        self.assertEqual(self.ask_holders(self.file)["doubts"], [])

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_pinned(self):
        """A device may keep memory of a node in use without a mapping, or folders of a mount point."""
        for kind in ("virtual/vfio/12", "virtual/misc/vfio", "virtual/misc/iommu",
                     "pci0/infiniband_verbs/uverbs0", "virtual/misc/cachefiles",
                     "virtual/tty/ptmx"):
            link = f"{self.sysfs}/dev/char/5:2"
            self.link(link, f"{self.sysfs}/devices/{kind}")
            with open("/dev/ptmx", "rb"):
                self.held(0 if "ptmx" in kind or "cache" in kind else 2, "dax1.0", "region1")
                self.held(2 if "cache" in kind else 0, self.file, self.here)
            os.unlink(link)
        self.held(0, "dax1.0")

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_swap(self):
        path = self.here + "/swap file"
        with open(path, "wb"):
            pass
        with open(self.path + "/swaps", "w", encoding="ascii") as file:
            file.write("Filename Type Size Used Priority\n"
                       + path.replace(" ", "\\040") + "   file  1024 0 -2\n")
        self.bind(self.path + "/swaps", "/proc/swaps")
        expected = [{"kind": "swap", "path": path}]
        self.assertEqual(self.others(path), expected)
        self.assertEqual(self.others(self.here), expected)
        self.held(0, self.file)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_open(self):
        with open("/dev/full", "rb") as full:
            expected = [{"kind": "open", "device": "dax1.0", "path": "/dev/full",
                         "pid": os.getpid(), "comm": "python3"}]
            [entry] = self.others("dax1.0")
            expected[0]["comm"] = entry["comm"]
            self.assertEqual([entry], expected)
            self.map_node("a", pid=os.getpid())  # a process that maps it is reported once
            self.assertEqual(self.others("dax1.0"), [])
            full.close()
        os.unlink(self.mount + "/a")
        self.held(0, "dax1.0")
        with open(self.file, "rb"):
            self.assertEqual([entry["pid"] for entry in self.others(self.file)], [os.getpid()])
        shell = subprocess.Popen(["sh", "-c", "echo && read line"], cwd=self.here,
                                 stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        shell.stdout.readline()
        self.assertEqual([(entry["pid"], entry["path"]) for entry in self.others(self.here)],
                         [(shell.pid, self.here)])
        shell.communicate(b"\n")

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_mapped_node(self):
        """A process whose descriptor is closed is found by its mapping of the node."""
        self.node("region1/dax1.0/dax1.1", "1:5")
        process = subprocess.Popen(
            [sys.executable, "-c",
             "import ctypes, mmap, os, sys\nlibc = ctypes.CDLL(None)\n"
             "fd = os.open('/dev/zero', os.O_RDONLY)\n"
             "libc.mmap(None, 4096, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, 0)\nos.close(fd)\n"
             "print(flush=True)\nsys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        for what in ("dax1.1", "namespace1.0"):
            [entry] = json.loads(self.run_ctl("holders", "-j", what).stdout)["others"]
            self.assertEqual((entry["kind"], entry["device"], entry["path"], entry["pid"]),
                             ("mapped", "dax1.1", "/dev/zero", process.pid))
        self.assertNotEqual(self.status("dax1.0"), 1)
        process.communicate(b"")
        self.assertNotEqual(self.status("dax1.1"), 1)

    def mount_proc(self, options):
        done = subprocess.run(["mount", "-t", "proc", "-o", options, "proc", "/proc"], check=False)
        if done.returncode:
            self.skipTest("no such /proc: " + options)
        self.addCleanup(subprocess.run, ["umount", "/proc"], check=True)
        self.hide_processes()

    @unittest.skipUnless(LOOKS_AT_ALL and reachable_by_nobody(), "needs pmem2ctl for others")
    def test_hidden_processes(self):
        """Files of other processes cannot be found in a /proc that hides these."""
        self.mount_proc("hidepid=invisible")
        with open(self.file, "rb"):
            self.assertEqual(self.run_ctl("holders", "-q", self.file).returncode, 1)
            done = self.run_ctl("holders", self.file, user=NOBODY, group=NOBODY, extra_groups=[])
            self.assertEqual((done.returncode, done.stdout), (2, b""))
            self.assertIn(b"not all processes can be seen", done.stderr)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_no_swaps(self):
        self.mount_proc("subset=pid")
        self.held(2, self.file)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_threads(self):
        """Uses that only one thread shows: the first has ended, or it has descriptors of its own."""
        def held_by(script, what):
            process = subprocess.Popen([sys.executable, "-c", THREADS + script, self.here],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            line = process.stdout.readline()
            if what == "pmem0":
                self.disk("region0/pfn0.0/block/pmem0", line.decode().strip())
            result = [(entry["kind"], entry["pid"] == process.pid) for entry in self.others(what)]
            process.communicate(b"\n")
            return result

        for script, what in (("end(); file = open('/dev/full')", "dax1.0"),
                             ("end(); os.chdir(sys.argv[1])", self.here),
                             ("own(CLONE_FILES); file = open('/dev/full')", "dax1.0"),
                             ("own(CLONE_FS); os.chdir(sys.argv[1])", self.here),
                             ("own(CLONE_NEWNS); mount()", "pmem0")):
            with self.subTest(script=script):
                self.assertEqual(held_by(f"start({script!r})", what),
                                 [("mount" if what == "pmem0" else "open", True)])
        self.held(0, "dax1.0", self.here)

    @unittest.skipUnless(LOOKS_AT_ALL, "needs to look at all processes")
    def test_no_device_file(self):
        """Whether a disk is in exclusive use cannot be found out."""
        self.disk("region0/pfn0.0/block/pmem99", "259:99")
        self.held(2, "pmem99", "namespace0.0")


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
