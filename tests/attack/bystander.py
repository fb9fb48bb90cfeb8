# SPDX-License-Identifier: BSD-3-Clause
"""Root, who works with the file system while other users attack it.

How long each call takes with an attack is compared with two other times, so that the result depends neither
on how fast the machine is nor on what else it does: with the time before the attack, and with the time that
the same call takes during the attack on a daemon that is not attacked. The time that the threads concerned
waited for a processor is subtracted.
"""
import os
import pathlib
import select
import signal
import statistics
import struct
import subprocess
import time

TIMES_SLOWER = 3     # the median of a call, at most
TURNS = 0.0005       # seconds beyond that: each request of a call waits while the loop serves somebody else
PAUSE = 0.1          # seconds beyond that, in which a single call must end
LIMIT = 60           # seconds after which a call counts as hanging, also on a busy machine
NAMES = ("map", "stat", "ls", "ls_again", "cat", "holders", "rm")
BEGINS, FAILED = -1, -2  # reported in place of the seconds that a call took
REPORT = struct.Struct("=BBdd")


class Hangs(Exception):
    """A call that does not return."""


def waited(pid):
    """For each thread of a process: how many seconds it waited for a processor."""
    seconds = {}
    for file in pathlib.Path("/proc").glob(f"{pid}/task/*/schedstat"):
        try:
            seconds[file.parent.name] = int(file.read_bytes().split()[1]) / 1e9
        except OSError:
            pass  # it has ended
    return seconds


class Waits:
    """How long the processes that a call depends on wait for a processor, from its begin on.

    The wait of a process is that of its main thread and the longest wait of its other threads, since
    these wait side by side.
    """

    def __init__(self, pids):
        self.before = {pid: waited(pid) for pid in pids}
        self.of_child = 0

    def add_child(self, pid):
        """A process that was started for the call, and has ended."""
        self.of_child += sum(waited(pid).values())

    def seconds(self):
        total = self.of_child
        for pid, before in self.before.items():
            grown = {thread: seconds - before.get(thread, 0) for thread, seconds in waited(pid).items()}
            total += grown.pop(str(pid), 0) + max(grown.values(), default=0)
        return total


class Bystander:
    """Maps, looks at and removes one mapping after the other."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.source = daemon.file("bystander", 65536)
        self.number = 0
        self.waits = None  # of the call that is under way

    def path(self):
        return f"{self.daemon.mnt}/bystander{self.number}"

    def map(self):
        fd = os.open(self.path(), os.O_WRONLY | os.O_CREAT | os.O_EXCL)
        try:
            os.write(fd, b'{"source":{"path":"%s"}}' % self.source.encode())
        finally:
            os.close(fd)

    def stat(self):
        os.stat(self.path())

    def ls(self):
        os.listdir(self.daemon.mnt)

    ls_again = ls

    def cat(self):
        with open(self.path(), "rb") as file:
            file.read()

    def holders(self):
        with subprocess.Popen([os.environ["PMEM2FS_CTL"], "holders", self.source], stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, env={"PMEM2FS_SOCKET": self.daemon.socket}) as command:
            said = command.stderr.read().decode()
            os.waitid(os.P_PID, command.pid, os.WEXITED | os.WNOWAIT)
            self.waits.add_child(command.pid)
        # 1: the daemon has it mapped. 2: it has, or may have.
        if command.returncode not in (1, 2):
            raise OSError(0, f"status {command.returncode}: {said}")

    def rm(self):
        os.unlink(self.path())

    def call(self, name):
        """Makes a call. Returns the seconds that it took, and how many of them it waited for a processor.

        In place of the first: FAILED, or None if the call failed after such a wait, which may be the reason.
        """
        self.waits = Waits((os.getpid(), self.daemon.keeper.pid, self.daemon.pid))
        begin = time.monotonic()
        try:
            getattr(self, name)()
        except OSError as error:
            waits = self.waits.seconds()
            os.write(2, f"# {name}: {error} ({waits:.3f} s without a processor)\n".encode())
            # For want of a processor the daemon may reach its own time limits.
            return (FAILED if waits < PAUSE else None), waits
        took = time.monotonic() - begin
        return took, min(took, self.waits.seconds())


def work(bystanders, seconds, out):
    """Runs in a child: reports each call when it begins, when it ends, and whether it failed."""
    end = time.monotonic() + seconds
    rounds = 0
    while rounds < 3 or time.monotonic() < end:
        for index, name in enumerate(NAMES):
            for who, root in enumerate(bystanders):
                os.write(out, REPORT.pack(who, index, BEGINS, 0))
                took, waits = root.call(name)
                if took is not None:
                    os.write(out, REPORT.pack(who, index, took, waits))
        for root in bystanders:
            root.number += 1
        rounds += 1


def measure(bystanders, seconds):
    """Lets the bystanders make the same calls in turn.

    Returns for each bystander the times of each call, as pairs of seconds (without the wait for a processor, and
    that wait), and the names of failed calls.

    A call that hangs cannot be ended, but only left.
    """
    times = [{name: [] for name in NAMES} for _ in bystanders]
    failed = [[] for _ in bystanders]
    end, out = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        try:
            work(bystanders, seconds, out)
        finally:
            os._exit(0)
    os.close(out)
    who, name, rounds = 0, "start", 0
    while True:
        if not select.select([end], [], [], LIMIT)[0]:
            bystanders[who].daemon.print_stacks(child)
            os.kill(child, signal.SIGKILL)
            raise Hangs(f"{name} does not return")
        report = os.read(end, REPORT.size)
        if not report:
            break
        who, index, took, waits = REPORT.unpack(report)
        name = NAMES[index]
        if took == BEGINS:
            rounds += name == "rm" and who == 0
        elif took == FAILED:
            failed[who].append(name)
        else:
            times[who][name].append((took - waits, waits))
    os.close(end)
    os.waitpid(child, 0)
    for root in bystanders:
        root.number += rounds + 1  # names that were not removed are not used again
    return list(zip(times, failed))


def compare(without, attacked, beside, allowed=0):
    """What the attack makes slow: a text for each call.

    `beside`: the times of the daemon that is not attacked, during the attack. A median may be larger by `allowed`
    seconds, by a few turns of others, by what the calls vary by without the attack, and by the usual wait for a
    processor, since the other costs of a busy machine, as cold caches, are about as high.
    """
    slow = {}
    for name in NAMES:
        if not (without[name] and attacked[name] and beside[name]):  # it failed each time
            continue
        calm, hard, other = (sorted(took for took, _ in times[name]) for times in (without, attacked, beside))
        spread = calm[(len(calm) - 1) * 9 // 10] - calm[len(calm) // 10]
        busy = statistics.median(waits for _, waits in without[name] + attacked[name])
        before, during, now = (statistics.median(times) for times in (calm, other, hard))
        # A first ls waits for a scan if none was made within a second, so its median depends on the pace.
        if name != "ls" and now > TIMES_SLOWER * max(before, during) + spread + busy + TURNS + allowed:
            slow[name] = (f"{name} takes {1000 * now:.2f} ms, and {1000 * before:.2f} without the attack"
                          f" ({1000 * busy:.2f} without a processor), {1000 * during:.2f} where nobody attacks")
        elif hard[-1] > TIMES_SLOWER * max(calm[-1], other[-1]) + PAUSE:
            slow[name] = (f"{name} took {1000 * hard[-1]:.0f} ms once, at most {1000 * calm[-1]:.0f} without the"
                          f" attack, and at most {1000 * other[-1]:.0f} where nobody attacks")
    return slow
