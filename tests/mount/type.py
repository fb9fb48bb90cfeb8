#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Types at the terminal of a program.

Usage: type.py GOOD BAD [WAIT KEYS]... -- PROGRAM [ARGUMENT]...

Runs the program at a terminal of its own. When the text WAIT shows, KEYS are typed (Python's escapes are honoured),
and what showed before no longer counts; and so on for each pair. Then the program is killed when GOOD shows (exit
status 0) or BAD does (1).
"""
import os
import pty
import signal
import sys

end = sys.argv.index("--")
good, bad, *steps = sys.argv[1:end]
pid, terminal = pty.fork()
if pid == 0:
    os.environ["TERM"] = "xterm"
    os.execvp(sys.argv[end + 1], sys.argv[end + 1 :])


def wait_for(*texts):
    """Reads on until one of the texts shows. Returns its index."""
    shown = b""
    while True:
        try:
            shown += os.read(terminal, 65536)
        except OSError:
            sys.exit(f"the program ended: {shown}")
        for i, text in enumerate(texts):
            if text.encode() in shown:
                return i


for i in range(0, len(steps), 2):
    wait_for(steps[i])
    os.write(terminal, steps[i + 1].encode().decode("unicode_escape").encode())
result = wait_for(good, bad)
os.kill(pid, signal.SIGKILL)
os.waitpid(pid, 0)
sys.exit(result)
