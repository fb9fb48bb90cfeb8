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
import shutil
import struct
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
import array, ctypes, mmap, os, socket, struct, subprocess, sys, threading, time
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

def mapped(flags=mmap.MAP_SHARED, protection=mmap.PROT_READ):
    fd = os.open(file, os.O_RDONLY)
    memory = mmap.mmap(fd, 4096, flags, protection)  # has a descriptor of its own
    libc.mmap.restype = ctypes.c_void_p
    address = libc.mmap(None, 4096, protection, flags, fd, 0)
    memory.close()
    os.close(fd)
    return address

def ring():
    # 32 entries; what io_uring_setup wants is zero
    return call(425, 32, ctypes.create_string_buffer(120))

def register(ring, what, data, count):
    call(427, ring, what, data, count)

def send(socket_, *fds):
    socket_.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array('i', fds))])

def probe():
    # a perf event of a probe in the file
    try:
        kind = int(open('/sys/bus/event_source/devices/uprobe/type').read())
    except OSError:
        print('skip', flush=True)
        sys.exit()
    path = ctypes.create_string_buffer(file.encode())
    return call(298, struct.pack('IIQQQQQIIQQ', kind, 72, 0, 0, 0, 0, 0, 0, 0,
                                 ctypes.addressof(path), 0), -1, 0, -1, 0)

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

    def test_mapped(self):
        """Mappings hold the file after its descriptor was closed."""
        self.case("mapped()", ["mapped"], True, ["mapped"])
        self.case("mapped(mmap.MAP_PRIVATE)", ["mapped"], True, ["mapped"])
        self.case("mapped(); os.unlink(file)", ["mapped"], True)

    def test_other_file(self):
        with open(self.here + "/other", "wb") as file:
            file.write(bytes(4096))
        self.case("file = here + '/other'; mapped()", ["mapped"], True, "free")

    def test_long_path(self):
        """The path of a mapping may be longer than anybody may tell the kernel."""
        deep = ("os.chdir(%s)\nfor _ in range(300):\n    os.mkdir('d' * 250)\n"
                "    os.chdir('d' * 250)\nopen('f', 'wb').write(bytes(4096))\n"
                "file = 'f'; mapped(); os.chdir('/')")
        self.case(deep % "elsewhere", "free", False, "free")
        self.case(deep % "here", ["mapped"], True, "free")

    def test_program(self):
        shutil.copy(shutil.which("sleep"), self.here + "/sleep")
        process = subprocess.Popen([self.here + "/sleep", "1000"], cwd="/")
        self.assertEqual(self.verdict(), ["program"])
        self.assertEqual(self.verdict(self.here + "/sleep"), ["program"])
        self.assertEqual(self.unmount(), errno.EBUSY)
        process.kill()
        process.wait()
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_library(self):
        with open("/proc/self/maps", encoding="utf-8") as maps:
            library = next(line.split()[-1] for line in maps if "/libc.so" in line)
        shutil.copy(library, self.here + "/library.so")
        process = self.start("kept = ctypes.CDLL(here + '/library.so')")
        self.assertEqual(self.verdict(), ["mapped"])
        self.assertEqual(self.verdict(self.here + "/library.so"), ["mapped"])
        self.assertEqual(self.unmount(), errno.EBUSY)
        end(process)
        self.assertEqual(self.verdict(), "free", self.doubts)

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

    def test_namespace_behind_another_root(self):
        """The only process of a namespace has a root directory that the mounts are not below."""
        begin = ("checked(libc.unshare(0x20000))\n"
                 "checked(libc.mount(None, b'/', None, 0x44000, None))\n")
        end = "\nos.chroot(elsewhere)\nos.chdir('/')"
        self.case(begin + end, ["mount"], False)
        with open(self.elsewhere + "/on", "wb"):
            pass
        os.mkdir(self.elsewhere + "/root")
        program = begin + ("checked(libc.mount(file.encode(), (elsewhere + '/on').encode(), None,"
                           " 0x1000, None))\n"
                           "checked(libc.umount2(here.encode(), 0))") + end
        self.case(program.replace("elsewhere)\nos", "elsewhere + '/root')\nos"), ["mount"], False,
                  ["mount"])

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

    def test_kept_namespace(self):
        """A mount namespace that only a descriptor keeps may have mounts of the file system."""
        self.case("child = subprocess.Popen(['unshare', '-m', 'sh', '-c', 'echo; read line'],\n"
                  "                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
                  "child.stdout.readline()\n"
                  "kept = open(f'/proc/{child.pid}/ns/mnt')\n"
                  "child.communicate(b'\\n')", "doubt", False)

    def test_bound_namespace(self):
        """So may a mount namespace that only a bind mount of it keeps."""
        target = self.elsewhere + "/namespace"
        with open(target, "wb"):
            pass
        if subprocess.run(["unshare", "--mount=" + target, "true"], check=False).returncode:
            self.skipTest("no mount of a name space here")
        self.assertEqual(self.verdict(), "doubt")
        self.assertEqual(self.verdict(self.here + "/file"), "doubt")
        subprocess.run(["umount", target], check=True)
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_fuse_of_a_user(self):
        """Root may not look at the files of a FUSE mount that only its user may enter."""
        self.case("""
fuse = checked(os.open('/dev/fuse', os.O_RDWR))
checked(libc.mount(b'fake', elsewhere.encode(), b'fuse', 0,
                   f'fd={fuse},rootmode=40000,user_id=65534,group_id=65534,default_permissions'.encode()))
attributes = struct.pack('QII6Q10I', 1000, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40777, 2, 65534, 65534, 0, 0, 0)
answers = {26: struct.pack('IIIIHHII36x', 7, 31, 0, 0, 0, 0, 4096, 1), 3: attributes}
def serve():
    while True:
        _, opcode, unique = struct.unpack_from('IIQ', os.read(fuse, 1 << 16))
        answer = answers.get(opcode)
        if opcode not in (2, 36, 42):
            os.write(fuse, struct.pack('IiQ', 16 + len(answer or b''), 0 if answer else -38, unique)
                     + (answer or b''))
threading.Thread(target=serve, daemon=True).start()
inside = subprocess.Popen(['sh', '-c', f'cd {elsewhere} && echo && exec sleep 1000'],
                          user=65534, group=65534, extra_groups=[], stdout=subprocess.PIPE)
assert inside.stdout.readline() == b'\\n'
import atexit
atexit.register(lambda: (inside.kill(), libc.umount2(elsewhere.encode(), 2)))
""", "free", False, "free")

    def test_detached_mount(self):
        self.case("kept = call(428, -100, here.encode(), 1)", ["open"], False)  # open_tree, cloned

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

    def test_socket(self):
        for kind in ("STREAM", "DGRAM", "SEQPACKET"):
            self.case(f"kept = socket.socket(socket.AF_UNIX, socket.SOCK_{kind})\n"
                      "kept.bind(here + '/socket')", ["socket"], True)

    def test_socket_without_name(self):
        """A socket that is bound by a relative path, whose name is removed."""
        self.case("kept = socket.socket(socket.AF_UNIX)\n"
                  "os.chdir(here)\nkept.bind('socket')\nos.chdir('/')\n"
                  "os.unlink(here + '/socket')", ["socket"], True)

    def test_socket_in_network_namespace(self):
        self.case("checked(libc.unshare(0x40000000))\n"
                  "kept = socket.socket(socket.AF_UNIX)\nkept.bind(here + '/socket')",
                  ["socket"], True)
        # and in one that the process has left
        self.case("own = os.open('/proc/self/ns/net', os.O_RDONLY)\n"
                  "checked(libc.unshare(0x40000000))\n"
                  "kept = socket.socket(socket.AF_UNIX)\nkept.bind(here + '/socket')\n"
                  "checked(libc.setns(own, 0))", "doubt", True, "doubt")

    def test_sockets_read_again(self):
        """A socket that is in no list has all sockets read again: another socket is still reported once."""
        self.start("one, other = socket.socketpair()\nbound = socket.socket(socket.AF_UNIX)\n"
                   "bound.bind(here + '/socket')\nsend(one, bound.fileno())\nbound.close()\n"
                   "own = os.open('/proc/self/ns/net', os.O_RDONLY)\n"
                   "checked(libc.unshare(0x40000000))\nkept = socket.socket(socket.AF_UNIX)\n"
                   "checked(libc.setns(own, 0))")
        self.assertEqual(self.ask_holders(self.here)["others"],
                         [{"kind": "socket", "path": self.here + "/socket"}])

    def test_bound_elsewhere(self):
        self.case("kept = socket.socket(socket.AF_UNIX)\nkept.bind(elsewhere + '/socket')\n"
                  "os.unlink(elsewhere + '/socket')", "free", False, "free")

    def test_in_flight(self):
        self.case("one, other = socket.socketpair()\nfd = os.open(file, os.O_RDONLY)\n"
                  "send(one, fd)\nos.close(fd)", "doubt", True, "doubt")
        # a socket that is bound there is in the queue
        self.case("one, other = socket.socketpair()\nbound = socket.socket(socket.AF_UNIX)\n"
                  "bound.bind(here + '/socket')\nsend(one, bound.fileno())\nbound.close()",
                  ["socket"], True)

    def test_not_accepted(self):
        self.case("listener = socket.socket(socket.AF_UNIX)\nlistener.bind(b'\\0holders')\n"
                  "listener.listen(1)\none = socket.socket(socket.AF_UNIX)\n"
                  "one.connect(b'\\0holders')\nfd = os.open(file, os.O_RDONLY)\n"
                  "send(one, fd)\nos.close(fd)\none.close()", "doubt", True, "doubt")
        self.case("listener = socket.socket(socket.AF_UNIX)\nlistener.bind(b'\\0holders')\n"
                  "listener.listen(1)\none = socket.socket(socket.AF_UNIX)\n"
                  "one.connect(b'\\0holders')\n", "free", False, "free")

    def ring(self, *arguments):
        if ctypes.CDLL(None).syscall(425, 0, None) == -1 and \
                os.path.exists("/proc/sys/kernel/io_uring_disabled"):
            with open("/proc/sys/kernel/io_uring_disabled", encoding="ascii") as file:
                if file.read().strip() == "2":
                    self.skipTest("no io_uring")
        self.case(*arguments)

    def test_registered(self):
        files = ("kept = ring()\nfd = {}\n"
                 "register(kept, 2, struct.pack('i', fd), 1)\n")  # IORING_REGISTER_FILES
        self.ring(files.format("os.open(file, os.O_RDONLY)") + "os.close(fd)", "doubt", True,
                  "doubt")
        self.ring("kept = ring()", "free", False, "free")
        # a ring that is kept by its mapping alone, and one that is mapped and has a descriptor
        mapped = ("libc.mmap.restype = ctypes.c_void_p\n"
                  "assert libc.mmap(None, 4096, 3, mmap.MAP_SHARED, kept, 0) < 1 << 63\n")
        self.ring(files.format("os.open(file, os.O_RDONLY)") + mapped
                  + "os.close(fd)\nos.close(kept)", "doubt", True, "doubt")
        self.ring("kept = ring()\n" + mapped, "free", False, "free")
        buffer = ("kept = ring()\nfd = os.open(file, os.O_RDWR)\n"
                  "libc.mmap.restype = ctypes.c_void_p\n"
                  "address = libc.mmap(None, 4096, 3, mmap.MAP_SHARED, fd, 0)\nos.close(fd)\n"
                  "register(kept, 0, struct.pack('PL', address, 4096), 1)\n"
                  "checked(libc.munmap(ctypes.c_void_p(address), 4096))")
        self.ring(buffer, "doubt", False, "doubt")

    def test_inotify(self):
        """A mark holds nothing."""
        self.case("kept = checked(libc.inotify_init1(0))\n"
                  "checked(libc.inotify_add_watch(kept, file.encode(), 0xfff))\n"
                  "open(file).close()", "free", False, "free")

    def test_fanotify(self):
        """An unread event holds the file open, except in a group that gets handles."""
        program = ("kept = libc.fanotify_init({}, 0)\n"
                   "if kept < 0:\n    print('skip', flush=True)\n    sys.exit()\n"
                   "mark = libc.fanotify_mark\n"
                   "mark.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_uint64, ctypes.c_int,"
                   " ctypes.c_char_p]\n"
                   "checked(mark(kept, 1 | {}, 0x20, -100, file.encode()))\n"
                   "open(file).close()")
        self.case(program.format(0, 0), "doubt", True, "doubt")  # a mark of the inode
        self.case(program.format(0, 0x10), "doubt", True, "doubt")  # of the mount
        self.case(program.format(0, 0x100), "doubt", True, "doubt")  # of the file system
        # which was removed since
        self.case(program.format(0, 0) + "\nchecked(mark(kept, 0x80, 0, -100, None))", "doubt",
                  True, "doubt")
        self.case(program.format(0x200, 0), "free", False, "free")
        self.case(program.format(0, 0).replace("file.encode()", "b'/proc/self/maps'"), "free",
                  False, "free")

    def test_probe(self):
        """A perf event keeps the file with its probe open, and so do those that it is kept by."""
        self.case("kept = probe()", "doubt", True, "doubt")
        self.case("kept = probe()\nlibc.mmap.restype = ctypes.c_void_p\n"
                  "assert libc.mmap(None, 8192, 3, mmap.MAP_SHARED, kept, 0) < 1 << 63\n"
                  "os.close(kept)", "doubt", True, "doubt")
        # BPF_PROG_LOAD of "return 0" for a probe, BPF_LINK_CREATE with BPF_PERF_EVENT
        self.case("event = probe()\ncode = struct.pack('QQ', 0xb7, 0x95)\n"
                  "code = ctypes.create_string_buffer(code)\n"
                  "license = ctypes.create_string_buffer(b'GPL')\n"
                  "program = call(321, 5, struct.pack('IIQQ', 2, 2, ctypes.addressof(code),"
                  " ctypes.addressof(license)) + bytes(48), 72)\n"
                  "kept = call(321, 28, struct.pack('IIII', program, event, 41, 0), 16)\n"
                  "os.close(event)\nos.close(program)", "doubt", True, "doubt")

    def attach(self, path):
        """A loop device on the file, which pmem2ctl sees: its node."""
        if not ROOT:
            self.skipTest("needs root")
        if not os.path.exists("/dev/loop-control"):
            os.mknod("/dev/loop-control", 0o020600, os.makedev(10, 237))
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
        with open(node, "rb+", buffering=0) as loop, open(path, "rb+") as file:
            fcntl.ioctl(loop, 0x4C00, file.fileno())  # LOOP_SET_FD
        return node

    def detach(self, node):
        with open(node, "rb", buffering=0) as loop:
            fcntl.ioctl(loop, 0x4C01)  # LOOP_CLR_FD

    def test_loop(self):
        node = self.attach(self.here + "/file")
        try:
            os.rename(self.here + "/file", self.here + "/renamed")
            self.assertEqual(self.verdict(), ["loop"])
            self.assertEqual(self.verdict(self.here + "/renamed"), ["loop"])
            self.assertEqual(self.unmount(), errno.EBUSY)
            os.unlink(self.here + "/renamed")
            self.assertEqual(self.verdict(), ["loop"])
        finally:
            self.detach(node)
        self.assertEqual(self.verdict(), "free", self.doubts)
        self.assertIsNone(self.unmount())

    def test_subvolume(self):
        """Files of a subvolume have another device number than the mount point."""
        mkfs = shutil.which("mkfs.btrfs", path=os.environ["PATH"] + ":/sbin:/usr/sbin")
        if not mkfs:
            self.skipTest("no mkfs.btrfs")
        image = self.path + "/image"
        with open(image, "wb") as file:
            file.truncate(128 << 20)
        subprocess.run([mkfs, "-q", image], check=True, stdout=subprocess.DEVNULL)
        disk = self.attach(image)
        self.addCleanup(self.detach, disk)
        subprocess.run(["umount", self.here], check=True)
        if subprocess.run(["mount", "-t", "btrfs", disk, self.here], check=False).returncode:
            self.skipTest("no btrfs")
        folder = os.open(self.here, os.O_RDONLY)
        name = bytearray(struct.pack("q4088s", 0, b"volume"))
        fcntl.ioctl(folder, 0x5000940E, name)  # BTRFS_IOC_SUBVOL_CREATE
        os.close(folder)
        path = self.here + "/volume/file"
        with open(path, "wb") as file:
            file.truncate(1 << 20)
        self.assertEqual(self.verdict(), "free", self.doubts)
        node = self.attach(path)
        try:
            self.assertEqual(self.verdict(), ["loop"])
            self.assertEqual(LIBC.umount2(self.here.encode(), 0), -1)
            os.unlink(path)
            self.assertEqual(self.verdict(), "doubt")
        finally:
            self.detach(node)
        os.mkdir(self.here + "/volume/lower")
        if not subprocess.run(["mount", "-t", "overlay", "-o",
                               f"lowerdir={self.here}/volume/lower:{self.elsewhere}", "none",
                               self.elsewhere], check=False).returncode:
            try:
                self.assertEqual(self.verdict(), ["mount"])
            finally:
                subprocess.run(["umount", self.elsewhere], check=True)
        self.assertEqual(self.verdict(), "free", self.doubts)

    def test_chain(self):
        """Processes that each fork a child and end hold it all the time."""
        for hold in ("fd = os.open(file, os.O_RDONLY)", "mapped()", "os.chdir(here)"):
            process = self.start(
                f"{hold}\nend = os.dup(0)\nos.set_blocking(end, False)\nready()\n"
                "while True:\n"
                "    time.sleep(0.001)\n"
                "    try:\n        if os.read(end, 1) == b'':\n            sys.exit()\n"
                "    except BlockingIOError:\n        pass\n"
                "    if os.fork():\n        os._exit(0)")
            for _ in range(6):
                self.assertNotEqual(self.verdict(), "free")
                self.assertNotEqual(self.verdict(self.here + "/file"),
                                    "free" if "chdir" not in hold else None)
            end(process)


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
