# SPDX-License-Identifier: BSD-3-Clause
"""Shared by the tests of pmem2ctl holders: how it is asked, and a fake sysfs."""
import json
import os
import subprocess

from pmem2ctl_case import ROOT, Reading, document

FULL = "1:7"  # the number of /dev/full, which stands for a DAX node here
SEES_ALL = ROOT and os.readlink("/proc/self/ns/pid") == "pid:[4026531836]"
BLIND = "not all processes can be seen from here"


def looks_at_all():
    """Whether each process in /proc can be looked at: also in a pid namespace, as under isolate."""
    try:
        return SEES_ALL or (ROOT and bool(os.readlink("/proc/1/cwd")))
    except OSError:
        return False


LOOKS_AT_ALL = looks_at_all()


def blind(what, consequence="cannot tell whether somebody holds it"):
    """What pmem2ctl says of that on standard error, where it is so, as under isolate."""
    return b"" if SEES_ALL else f"pmem2ctl: {what}: {BLIND}: {consequence}\n".encode()


def device_number(path):
    number = os.stat(path).st_dev
    return f"{os.major(number)}:{os.minor(number)}"


class Holders(Reading):
    def setUp(self):
        super().setUp()
        self.hide_processes()
        if ROOT:
            self.hide_swap()

    def hide_swap(self):
        """Hides the swap space of the machine: no path may lead to it from here."""
        with open(self.path + "/none", "wb") as file:
            file.write(b"Filename Type Size Used Priority\n")
        self.bind(self.path + "/none", "/proc/swaps")

    def hide_processes(self):
        """Hides processes that not even root may read, as in a sandbox, behind a kernel thread."""
        for name in os.listdir("/proc"):
            try:
                if name.isdigit():
                    os.readlink(f"/proc/{name}/cwd")
            except PermissionError:
                if SEES_ALL:
                    self.bind("/proc/2", "/proc/" + name)
            except OSError:
                pass

    def bind(self, source, target):
        subprocess.run(["mount", "--bind", source, target], check=True)
        self.addCleanup(subprocess.run, ["umount", target], check=True)

    def ask_holders(self, what, **options):
        """The answer, with its status; that not all processes can be seen is no doubt here."""
        done = self.run_ctl("holders", "--json", what, **options)
        answer = json.loads(done.stdout)
        answer["status"] = done.returncode
        answer["doubts"] = [doubt for doubt in answer["doubts"] if doubt != BLIND]
        return answer


class Sysfs(Holders):
    """region0 has a pfn that claims namespace0.0, region1 a devdax namespace and an idle one."""

    def setUp(self):
        super().setUp()
        self.sysfs = self.path + "/sys"
        self.devices = self.sysfs + "/devices/platform/ndbus0"
        os.makedirs(self.sysfs + "/block")
        self.attribute("region0/namespace0.0/mode", "memory")
        self.device("nd", "region0", "region0")
        self.device("nd", "region0/namespace0.0", "namespace0.0")
        self.attribute("region0/pfn0.0/namespace", "namespace0.0")
        self.device("nd", "region0/pfn0.0", "pfn0.0")
        self.attribute("region1/dax1.0/namespace", "namespace1.0")
        self.attribute("region1/namespace1.0/mode", "dax")
        self.attribute("region1/namespace1.1/mode", "raw")
        self.device("nd", "region1", "region1")
        self.device("nd", "region1/dax1.0", "dax1.0")
        self.device("nd", "region1/namespace1.0", "namespace1.0")
        self.device("nd", "region1/namespace1.1", "namespace1.1")
        self.node("region1/dax1.0/dax1.0", FULL)
        self.bind(self.sysfs, "/sys")

    def attribute(self, path, text):
        path = f"{self.devices}/{path}"
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="ascii") as file:
            file.write(text + "\n")

    def link(self, path, target):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        os.symlink(os.path.relpath(target, os.path.dirname(path)), path)

    def device(self, bus, path, name):
        self.link(f"{self.sysfs}/bus/{bus}/devices/{name}", f"{self.devices}/{path}")

    def node(self, path, number):
        self.attribute(path + "/dev", number)
        self.device("dax", path, os.path.basename(path))
        self.link(f"{self.sysfs}/dev/char/{number}", f"{self.devices}/{path}")
        self.link(f"{self.devices}/{path}/subsystem", f"{self.sysfs}/bus/dax")

    def disk(self, path, number):
        self.attribute(path + "/dev", number)
        self.link(f"{self.sysfs}/class/block/{os.path.basename(path)}", f"{self.devices}/{path}")
        self.link(f"{self.sysfs}/dev/block/{number}", f"{self.devices}/{path}")

    def map(self, name, pid=10 ** 7, started="2026-11-20T09:00:00.5Z", cgroup="/", **changes):
        owner = {"pid": pid, "comm": "db", "exe": "/usr/bin/db", "cgroup": cgroup,
                 "started": started, "uid": 0, "gid": 0}
        changes.setdefault("created", "2026-11-21T10:00:00.123456789Z")
        changes.setdefault("origin", "published")
        self.put(name, document(name, **{"owner": owner, **changes}))

    def map_node(self, name, **changes):
        changes.setdefault("device", {"namespace": "namespace1.0", "region": "region1",
                                      "chardev": "dax1.0"})
        changes.setdefault("source", {"type": "devdax", "path": "/dev/dax1.0", "offset": 0,
                                      "dev": FULL, "inode": 3})
        self.map(name, **changes)

    def status(self, what):
        """The exit status. That not all processes can be seen is no doubt here."""
        done = self.run_ctl("holders", "-q", what)
        if not SEES_ALL and (done.returncode, done.stderr) == (2, blind(what)):
            return 0
        return done.returncode

    def held(self, status, *whats):
        self.assertEqual({what: self.status(what) for what in whats}, dict.fromkeys(whats, status))

    def others(self, what):
        done = self.run_ctl("holders", "--json", what)
        self.assertEqual((done.returncode, done.stderr), (1, blind(what, "there may be more")))
        return json.loads(done.stdout)["others"]
