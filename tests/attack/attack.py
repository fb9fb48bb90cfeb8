# SPDX-License-Identifier: BSD-3-Clause
"""What an attack is, and its run beside a bystander.

An attack is a generator function in a process of an ordinary user. Up to its `yield` it gets ready; what
follows is the attack, during which its process is killed. So the cost of processes, connections and mappings
that are merely there is not counted as the attack's. An attack that `holds` things yields again when it holds
all of them, or when what each user may do once is done, and only then the bystander is measured.
"""
import os
import select
import signal
import subprocess
import sys
import time
import traceback

import bystander
import daemon as daemons
from users import FIRST_USER, become

ATTEMPTS = 4   # other work on the machine disturbs some of them; what freezes the daemon does so in each
GET_READY = 60  # seconds
QUIET = 30      # seconds without an attack, at most
GET_HOLD = 8    # seconds; an attack that needs longer is measured meanwhile
HANGS, ENDED = "hangs", "ended"  # beside the names of calls

table = {}  # of all attacks, by name


class Attack:
    def __init__(self, name, function, users, processes, holds, allowed):
        self.name = name
        self.function = function    # passed a Place
        self.users = users          # how many users attack
        self.processes = processes  # with how many processes each
        self.holds = holds
        self.allowed = allowed      # seconds that the median of a call may be longer beside what all attacks may


def attack(users=1, processes=1, holds=False, allowed=0, name=None):
    """Puts a generator function into the table."""
    def put(function):
        job = Attack(name or function.__name__, function, users, processes, holds, allowed)
        table[job.name] = job
        return function
    return put


class Place:
    """Where attacks take place: a daemon, and file systems that do not answer some operation."""
    operations = ("flush", "lookup")

    def __init__(self, daemon):
        self.daemon = daemon
        self.servers = []
        for operation in self.operations:
            folder = self.hanging(operation)
            os.makedirs(folder, exist_ok=True)
            self.servers.append(subprocess.Popen([os.environ["PMEM2FS_HANG_FS"], folder, operation]))
            daemons.wait_until(lambda: daemons.mounted(folder), "hang_fs is mounted")  # pylint: disable=W0640

    def hanging(self, operation):
        return f"{self.daemon.folder}/hang-{operation}"

    def end(self):
        """Ends these file systems, and so all waits for their answers."""
        for server in self.servers:
            server.kill()
            server.wait()
        self.servers = []
        for operation in self.operations:
            daemons.unmount(self.hanging(operation))


class Attackers:
    """The processes of attacks, which get ready, and attack from `begin` on."""

    def __init__(self, place, jobs):
        """`jobs`: for each process its attack and its user."""
        self.pids = []
        self.holding = sum(job.holds for job, _ in jobs)
        self.reports, report = os.pipe()
        wait, self.go = os.pipe()
        for job, user in jobs:
            self.pids.append(self.start(place, job, user, report, wait))
        os.close(report)
        os.close(wait)
        if not self.hear(len(jobs), GET_READY):
            raise TimeoutError("an attacker does not get ready")

    def start(self, place, job, user, report, wait):
        pid = os.fork()
        if pid:
            return pid
        try:
            os.close(self.reports)
            os.close(self.go)
            become(user)
            steps = job.function(place)
            next(steps)
            os.write(report, b"r")
            os.read(wait, 1)
            for _ in steps:
                os.write(report, b"h")
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)

    def hear(self, count, seconds):
        """Waits for `count` reports. False: they do not come in time."""
        end = time.monotonic() + seconds
        while count:
            left = max(0, end - time.monotonic())
            if not select.select([self.reports], [], [], left)[0] or not os.read(self.reports, 1):
                return False
            count -= 1
        return True

    def begin(self):
        os.close(self.go)
        self.hear(self.holding, GET_HOLD)

    def failed(self):
        """Whether an attacker has ended by itself, and so does not attack."""
        return any(os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) for pid in self.pids)

    def kill(self):
        os.close(self.reports)
        for pid in self.pids:
            os.kill(pid, signal.SIGKILL)

    def wait(self):
        for pid in self.pids:
            os.waitpid(pid, 0)


def attempt(daemon, jobs, seconds, report=lambda times: None):
    """Lets all of them attack at once. Returns what the bystander suffers from: a text for each of its calls.

    `report` gets the times of its calls, before the attack and with it.
    """
    roots = (bystander.Bystander(daemon), bystander.Bystander(daemons.Daemon()))
    try:
        return attack_beside(roots, jobs, seconds, report)
    finally:
        roots[1].daemon.kill()


def attack_beside(roots, jobs, seconds, report):
    """`roots`: a bystander of the daemon that is attacked, and one of a daemon that is not."""
    daemon = roots[0].daemon
    place = Place(daemon)
    attackers = Attackers(place, jobs)
    try:
        (without, failed), _ = bystander.measure(roots, min(seconds, QUIET))
        report(without)
        suffers = {f"quiet {name}": f"{name} fails without an attack" for name in failed}
        attackers.begin()
        (attacked, failed), (beside, _) = bystander.measure(roots, seconds)
        report(attacked)
        suffers.update({name: f"{name} fails" for name in failed})
        if attackers.failed():
            suffers[ENDED] = "an attacker has ended"
        attackers.kill()
        place.end()  # attackers may wait for its file systems
        attackers.wait()
    except bystander.Hangs as error:
        attackers.kill()
        place.end()
        return {HANGS: str(error)}
    if not daemon.lives():
        suffers[ENDED] = "the worker has died"
    allowed = max(job.allowed for job, _ in jobs)
    return {**bystander.compare(without, attacked, beside, allowed), **suffers}


def in_each(once):
    """Makes up to ATTEMPTS attempts. `once` makes one, on a daemon of its own, and returns a text for each call
    that suffers, and for HANGS.

    Returns the texts for calls that suffer in every attempt, or for HANGS as soon as it comes.
    """
    suffers = None
    for _ in range(ATTEMPTS):
        found = once()
        if HANGS in found:
            return [found[HANGS]]
        suffers = {name: text for name, text in found.items() if suffers is None or name in suffers}
        if not suffers:
            break
    return list(suffers.values())


def run(job, seconds):
    """Returns a text for each call of the bystander that suffers in each attempt."""
    jobs = [(job, FIRST_USER + user) for user in range(job.users) for _ in range(job.processes)]

    def once():
        daemon = daemons.Daemon()
        found = attempt(daemon, jobs, seconds)
        if found:
            text = f"# {', '.join(found.values())}; the end of the log:\n{daemon.log()}"
            print(text.replace("\n", "\n# "), file=sys.stderr)
        daemon.kill()
        return found

    return in_each(once)
