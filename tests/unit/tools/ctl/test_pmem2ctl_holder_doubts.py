#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""pmem2ctl holders where something cannot be read: it never says that nobody is there.

Usage: test_pmem2ctl_holder_doubts.py PMEM2CTL [TEST]... It runs itself in a mount namespace of its own, and is
skipped (77) where there can be none.
"""
import os
import subprocess
import sys
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


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
