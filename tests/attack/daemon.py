# SPDX-License-Identifier: BSD-3-Clause
"""The daemon that is attacked, as root, on a folder of its own.

Runs under isolate, which leaves nothing behind. Programs are named by the environment, as in the
suite mount.
"""
import collections
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

PATIENCE = 30  # seconds, for what must happen at some time


def wait_until(condition, what):
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"still not: {what}")
        time.sleep(0.005)


def mounted(folder):
    return f" {folder} ".encode() in pathlib.Path("/proc/self/mountinfo").read_bytes()


def unmount(folder):
    """Removes all that is mounted there, without a word to any server."""
    while subprocess.run(["umount", "-l", folder], stderr=subprocess.DEVNULL, check=False).returncode == 0:
        pass


def threads(pid):
    return sorted(map(int, os.listdir(f"/proc/{pid}/task")))


class Daemon:
    # Without the kernel's cache each call asks the daemon.
    options = "timeout=0,rootmode=1777"

    def __init__(self, options="", stderr=None):
        folder = self.folder = tempfile.mkdtemp(prefix="attack")
        os.chmod(folder, 0o755)
        self.mnt = f"{folder}/mnt"
        self.socket = f"{folder}/socket"
        self.data = f"{folder}/data"  # of files to map, which everybody may open
        for path in (self.mnt, self.data):
            os.makedirs(path)
        words = ",".join(filter(None, (f"socket={self.socket}", self.options, options)))
        with open(f"{folder}/log", "ab") as log:
            # In a session of its own, as without -f: among these the kernel shares the processors.
            self.keeper = subprocess.Popen(
                [os.environ["PMEM2FS_DAEMON"], "-f", self.mnt, "-o", words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=stderr or log, start_new_session=True)
        wait_until(lambda: mounted(self.mnt) or self.keeper.poll() is not None, "mounted")
        if self.keeper.poll() is not None:
            raise RuntimeError(f"the daemon ended with status {self.keeper.returncode}: {self.log()}")
        self.pid = self.worker()

    def worker(self):
        """The pid of the worker; waits until there is one."""
        children = pathlib.Path(f"/proc/{self.keeper.pid}/task/{self.keeper.pid}/children")
        wait_until(lambda: children.read_text(encoding="ascii").split(), "a worker")
        return int(children.read_text(encoding="ascii").split()[0])

    def lives(self):
        """Whether the first worker still serves."""
        return self.keeper.poll() is None and self.worker() == self.pid

    def file(self, name, size):
        """Makes a sparse file that everybody may map."""
        path = f"{self.data}/{name}"
        with open(path, "wb") as file:
            os.fchmod(file.fileno(), 0o666)
            file.truncate(size)
        return path

    def resources(self):
        """How much of each the keeper and the worker have: (descriptors, threads, MiB of memory)."""
        total = [0, 0, 0]
        for pid in (self.keeper.pid, self.worker()):
            status = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            total[0] += len(os.listdir(f"/proc/{pid}/fd"))
            total[1] += len(threads(pid))
            total[2] += int(status.split("VmRSS:")[1].split()[0]) >> 10
        return tuple(total)

    def open_files(self):
        """What its descriptors are of, without numbers, and how often."""
        links = (os.readlink(f"/proc/{pid}/fd/{fd}")
                 for pid in (self.keeper.pid, self.worker()) for fd in os.listdir(f"/proc/{pid}/fd"))
        return dict(collections.Counter(re.sub("[0-9]+", "N", link) for link in links))

    def log(self):
        """The end of the log."""
        return pathlib.Path(f"{self.folder}/log").read_bytes()[-1000:].decode(errors="replace")

    def print_stacks(self, *others):
        """Where each thread of the daemon, and of other processes, waits in the kernel."""
        for pid in (*others, self.keeper.pid, self.pid):
            for thread in threads(pid) if os.path.exists(f"/proc/{pid}") else ():
                print(f"# ---- process {pid}, thread {thread} ----", file=sys.stderr)
                for name in ("comm", "syscall", "stack"):
                    try:
                        text = pathlib.Path(f"/proc/{pid}/task/{thread}/{name}").read_text(
                            encoding="ascii", errors="replace")
                    except OSError as error:
                        text = f"{name}: {error.strerror}"
                    print("\n".join(f"#   {line}" for line in text.splitlines()), file=sys.stderr)

    def kill(self):
        """Ends it at once, for what follows. What it waits for must have been ended before."""
        for pid in (self.keeper.pid, self.pid):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.keeper.wait(PATIENCE)
        unmount(self.mnt)
