#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""pmem2ctl with a fake daemon: its command line, questions and answers.

Usage: test_pmem2ctl.py PMEM2CTL [TEST]...
"""
import json
import os
import select
import signal
import shutil
import socket
import stat
import subprocess
import sys
import threading
import unittest

from pmem2ctl_case import (ACTIVE, LIMIT, NOBODY, PMEM2CTL, ROOT, SHOWN, Case, Daemon, ok,
                           reachable_by_nobody, refuse)


class CommandLine(Case):
    def test_help(self):
        whole = self.run_ctl("--help")
        self.assertEqual((whole.returncode, whole.stderr), (0, b""))
        for command in ("map", "unmap", "list", "show", "events", "holders"):
            self.assertIn(f"\n  {command} ".encode(), whole.stdout)
            done = self.run_ctl(command, "--help")
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            self.assertTrue(done.stdout.startswith(f"Usage: pmem2ctl {command} ".encode()))
            self.assertIn(b"\n  -s, --socket PATH  ", done.stdout)
            self.check(self.run_ctl("help", command), 0, done.stdout)
            self.check(self.run_ctl(command, "-h", "--wrong"), 0, done.stdout)
        self.check(self.run_ctl("help"), 0, whole.stdout)
        self.check(self.run_ctl("help", "--help"), 0, whole.stdout)

    def test_version(self):
        done = self.run_ctl("--version")
        self.assertRegex(done.stdout, rb"^pmem2ctl \d+\.\d+\.\d+\n$")
        self.check(self.run_ctl("list", "-V"), 0, done.stdout)

    def test_wrong_usage(self):
        for message, hint, *arguments in (
                ("which command?", ""),
                ("'mop' is not a command", "", "mop"),
                ("'mop' is not a command", "", "help", "mop"),
                ("too many arguments", "", "help", "map", "map"),
                ("unrecognized option '--json'", "", "--json", "list"),
                ("unrecognized option '--wrong'", "list ", "list", "--wrong"),
                ("option requires an argument -- 's'", "list ", "list", "-s"),
                # Names of mappings, as the shell writes them for *.
                (f"unrecognized option '--{SHOWN}'", "unmap ", "unmap", "--" + ACTIVE),
                (f"timeout '{SHOWN}' is not a number of seconds", "unmap ", "unmap", "-t", ACTIVE),
                (f"'{SHOWN}' is not a command", "", ACTIVE),
                ("too many arguments", "list ", "list", "name"),
                ("--json has no human form", "list ", "list", "--json", "-u"),
                ("too many arguments", "events ", "events", "name"),
                ("which NAME?", "show ", "show"),
                ("which NAME?", "unmap ", "unmap"),
                ("which NAME?", "unmap ", "unmap", "--timeout", "1"),
                ("which SOURCE?", "map ", "map"),
                ("too many arguments", "map ", "map", "a", "b", "c"),
                ("which NAME?", "map ", "map", "--anonymous", "1M"),
                ("too many arguments", "map ", "map", "--anonymous", "1M", "a", "b"),
                ("anonymous memory has neither offset nor length", "map ", "map", "--anonymous",
                 "1M", "-o", "0", "a"),
                ("--allocate is for files that are mapped shared and writable", "map ", "map",
                 "--allocate", "--anonymous", "1M", "a"),
                ("--allocate is for files that are mapped shared and writable", "map ", "map",
                 "--allocate", "--protection", "r--", "a"),
                ("--allocate is for files that are mapped shared and writable", "map ", "map",
                 "--allocate", "--sharing", "private", "a"),
                ("granularity 'fine' is none of byte, cache_line, page", "map ", "map", "-g",
                 "fine", "a"),
                ("sharing 'x' is neither shared nor private", "map ", "map", "--sharing", "x",
                 "a")):
            with self.subTest(arguments=arguments):
                self.check_usage(message, hint, *arguments)

    def test_wrong_numbers(self):
        for text in ("", "-1", "+1", " 1", "x", "1x", "1.5", "1 ", "99999999999999999999"):
            with self.subTest(timeout=text):
                self.check_usage(f"timeout '{text}' is not a number of seconds", "unmap ",
                                 "unmap", "--timeout=" + text, "a")
        for text in ("", "-1", "+1", " 1", "K", "1X", "1Ki", "1KB", "1KiBs", "1.5G", "0x10"):
            with self.subTest(size=text):
                self.check_usage(f"length '{text}' is not a number of bytes", "map ", "map",
                                 "--length=" + text, "a")
                self.check_usage(f"offset '{text}' is not a number of bytes", "unmap ", "unmap",
                                 "--offset=" + text, "a")
        for text in ("9223372036854775808", "8E", "99999999999999999999999K"):
            with self.subTest(size=text):
                self.check_usage(f"length '{text}' is too large", "unmap ", "unmap", "-l", text,
                                 "a")
                self.check_usage(f"offset '{text}' is too large", "map ", "map", "-o", text, "a")
        for text in ("", "rw", "rw-x", "wr-", "RW-", "rwX"):
            with self.subTest(protection=text):
                self.check_usage(f"protection '{text}' is not like rw- or r--", "map ", "map",
                                 "--protection", text, "a")

    def test_output_fails(self):
        with open("/dev/full", "wb") as full:
            for arguments in (["--help"], ["-V"], ["help", "map"]):
                self.check(self.run_ctl(*arguments, stdout=full), 1, None,
                           b"pmem2ctl: standard output: No space left on device\n")

    def test_standard_output_closed(self):
        """When stdout is closed, the socket must not get its number and the output."""
        daemon = self.daemon(lambda question: [ok(), b"{}"])
        done = subprocess.run(["sh", "-c", 'exec "$0" -s "$1" events >&-', PMEM2CTL, self.socket],
                              stderr=subprocess.PIPE, timeout=60, check=False)
        self.assertEqual((done.returncode, done.stderr),
                         (1, b"pmem2ctl: standard output: Bad file descriptor\n"))
        self.assertEqual([question for question, _, _ in daemon.questions], [{"events": 1}])


class Finding(Case):
    def tried(self, *places):
        text = "; ".join(f"{path}: {why}" for path, why in places)
        return f"pmem2ctl: no pmem2fs daemon: tried {text}\n".encode()

    def test_none(self):
        self.check(self.run_ctl("list"), 1, b"",
                   self.tried((self.socket, "No such file or directory")))

    @unittest.skipIf(os.path.exists("/run/pmem2fs/socket"), "a daemon runs")
    def test_search(self):
        env = {"PMEM2FS_SOCKET": "", "XDG_RUNTIME_DIR": self.path}
        self.check(self.run_ctl("list", env=env), 1, b"",
                   self.tried(("/run/pmem2fs/socket", "No such file or directory"),
                              (self.path + "/pmem2fs/socket", "No such file or directory")))
        os.mkdir(self.path + "/pmem2fs")
        self.socket = self.path + "/pmem2fs/socket"
        daemon = self.daemon(lambda question: ok())
        self.check(self.run_ctl("unmap", "a", env=env), 0)
        self.assertEqual(len(daemon.questions), 1)

    def test_option(self):
        daemon = self.daemon(lambda question: ok())
        elsewhere = {"PMEM2FS_SOCKET": "/nowhere"}
        self.check(self.run_ctl("unmap", "-s", self.socket, "a", env=elsewhere), 0)
        self.check(self.run_ctl("--socket", self.socket, "unmap", "a", env=elsewhere), 0)
        self.assertEqual(len(daemon.questions), 2)

    def test_too_long(self):
        path = "/" + "x" * 200
        self.check(self.run_ctl("list", "-s", path), 1, b"",
                   self.tried((path, "File name too long")))

    def test_nobody_listens(self):
        Daemon(self.socket, lambda question: ok()).close()
        self.check(self.run_ctl("list"), 1, b"", self.tried((self.socket, "Connection refused")))

    @unittest.skipUnless(ROOT, "needs root")
    def test_of_another_user(self):
        daemon = self.daemon(lambda question: ok(), listener_uid=NOBODY)
        self.check(self.run_ctl("unmap", "a"), 1, b"",
                   self.tried((self.socket, "run by neither root nor you")))
        self.assertEqual(daemon.questions, [])

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_of_root_and_of_oneself(self):
        for uid in (0, NOBODY):
            daemon = Daemon(self.socket, lambda question: ok(), listener_uid=uid)
            self.check(self.run_ctl("unmap", "a", user=NOBODY), 0)
            daemon.close()
            os.unlink(self.socket)


class Answers(Case):
    def test_refusal_and_nonsense(self):
        """Whatever the daemon answers, one line names the object, and the status is 1."""
        no_json = "a: the daemon sent what is not a JSON object"
        no_errno = 'a: the daemon\'s answer has no valid "errno"'
        for answer, line in (
                (refuse(16, "held by pid 7"), "a: held by pid 7"),
                (refuse(16, "a: held by pid 7"), "a: held by pid 7"),
                (refuse(16, "abc: held"), "a: abc: held"),
                (refuse(16), "a: Device or resource busy"),
                (refuse(16, "bad \x1b[31m\n\u202e text"),
                 r"a: bad \x1b[31m\x0a\xe2\x80\xae text"),
                (refuse(16, ACTIVE), "a: " + SHOWN),
                (None, "a: the daemon closed the connection"),
                (b"{", no_json), (b"[]", no_json), (b"\xff\x00", no_json),
                (b'{"errno":0}x', no_json), (b"[" * 70000, no_json),
                (b"{}", no_errno), (b'{"errno":"0"}', no_errno), (b'{"errno":-1}', no_errno),
                (b'{"errno":4294967296}', no_errno),
                (b"{}" + b" " * LIMIT, "a: the daemon sent more than 81920 bytes at once")):
            with self.subTest(answer=answer and answer[:40]):
                daemon = Daemon(self.socket, lambda question: answer)
                try:
                    self.check(self.run_ctl("unmap", "a"), 1, b"", f"pmem2ctl: {line}\n".encode())
                finally:
                    daemon.close()
                    os.unlink(self.socket)

    def test_events_are_safe(self):
        event = {"event": "failed", "name": ACTIVE, "message": ACTIVE}
        self.daemon(lambda question: [ok(), json.dumps(event, ensure_ascii=False).encode(), None])
        done = self.run_ctl("events")
        self.assertEqual(json.loads(done.stdout), event)
        self.assert_safe(done.stdout)

    def test_name_is_not_said_twice(self):
        self.daemon(lambda question: refuse(2, question["unmap"] + ": no such mapping"))
        self.check(self.run_ctl("unmap", "a", b"\xff", "b\\c"), 1, b"",
                   b"pmem2ctl: a: no such mapping\npmem2ctl: \\xff: no such mapping\n"
                   b"pmem2ctl: b\\x5cc: no such mapping\n")

    def test_said_before_closing(self):
        """A daemon with too many peers reports that and hangs up without a question."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(self.socket)
        listener.listen()
        process = subprocess.Popen([PMEM2CTL, "-s", self.socket, "unmap", "a"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        connection, _ = listener.accept()
        connection.send(refuse(11, "too many peers"))
        connection.shutdown(socket.SHUT_RDWR)
        self.assertEqual(process.communicate(timeout=60), (b"", b"pmem2ctl: a: too many peers\n"))
        self.assertEqual(process.returncode, 1)
        connection.close()

    def test_interrupted(self):
        """Ctrl-C ends it while the daemon does not answer."""
        for command in (["unmap", "a"], ["map", self.file], ["list"], ["show", "a"], ["events"]):
            asked, release = threading.Event(), threading.Event()

            def answer(_, asked=asked, release=release):
                asked.set()
                release.wait()

            daemon = Daemon(self.socket, answer)
            process = subprocess.Popen([PMEM2CTL, "-s", self.socket, *command],
                                       stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.assertTrue(asked.wait(60))
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.communicate(timeout=60), (b"", b""))
            self.assertEqual(process.returncode, -signal.SIGINT)
            release.set()
            daemon.close()
            os.unlink(self.socket)


class Map(Case):
    def asked(self, *arguments, stdout=b""):
        daemon = Daemon(self.socket, lambda question: ok())
        try:
            self.check(self.run_ctl("map", *arguments), 0, stdout)
        finally:
            daemon.close()
            os.unlink(self.socket)
        self.assertEqual(len(daemon.questions), 1)
        return daemon.questions[0]

    def test_source(self):
        question, status, mode = self.asked(self.file, stdout=b"file\n")
        self.assertEqual(question, {"map": {"source": {}}, "name": "file"})
        self.assertEqual(status.st_ino, os.stat(self.file).st_ino)
        self.assertEqual(mode, os.O_RDWR)
        self.assertEqual(self.asked(self.file, "log")[0]["name"], "log")
        os.symlink(self.file, self.path + "/link")
        question, status, _ = self.asked(self.path + "/link", stdout=b"link\n")
        self.assertEqual(status.st_ino, os.stat(self.file).st_ino)

    def test_options(self):
        question, _, _ = self.asked("-o", "4K", "--length=2MiB", "-g", "cache_line", "--sharing",
                                    "shared", self.file, "--protection", "rw-", "log")
        self.assertEqual(question, {"map": {
            "source": {"offset": 4096}, "length": 2 << 20, "required_granularity": "cache_line",
            "sharing": "shared", "protection": "rw-"}, "name": "log"})

    def test_allocate(self):
        os.truncate(self.file, 0)
        os.truncate(self.file, 1 << 20)
        question, status, _ = self.asked("--allocate", "-o", "64K", "-l", "256K", self.file, "log")
        self.assertEqual(question["map"], {"source": {"offset": 64 << 10}, "length": 256 << 10})
        self.assertEqual(status.st_blocks, 512)
        self.assertEqual(status.st_size, 1 << 20)
        self.assertEqual(self.asked("--allocate", self.file, "log")[1].st_blocks, 2048)

    def test_allocate_fails(self):
        daemon = self.daemon(lambda question: ok())
        os.truncate(self.file, 1 << 62)
        result = self.run_ctl("map", "--allocate", self.file, "log")
        self.assertEqual(result.returncode, 1)
        self.assertRegex(result.stderr.decode(), "^pmem2ctl: .*file: cannot allocate: ")
        self.assertEqual(daemon.questions, [])

    def test_sizes(self):
        for text, size in (("0", 0), ("007", 7), ("4096", 4096), ("3k", 3 << 10), ("3K", 3 << 10),
                           ("3KiB", 3 << 10), ("1M", 1 << 20), ("2G", 2 << 30), ("1T", 1 << 40),
                           ("1P", 1 << 50), ("7E", 7 << 60), ("9223372036854775807", 2**63 - 1)):
            with self.subTest(size=text):
                question, status, _ = self.asked("--anonymous", text, "mem")
                self.assertEqual(question, {
                    "map": {"source": {"type": "anonymous", "size": size}}, "name": "mem"})
                self.assertIsNone(status)

    def test_access_mode(self):
        for arguments, mode in (
                (["--protection", "r--"], os.O_RDONLY),
                (["--protection", "r-x"], os.O_RDONLY),
                (["--protection", "---"], os.O_RDONLY),
                (["--protection", "-w-"], os.O_RDWR),
                (["--sharing", "private"], os.O_RDONLY),
                (["--sharing", "private", "--protection", "rw-"], os.O_RDONLY),
                (["--sharing", "shared"], os.O_RDWR)):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.asked(*arguments, self.file, "log")[2], mode)

    def test_names(self):
        for name, text in ((b"a b", "a b"), (b"\xc3\xa9", "\u00e9"), (b"a\nb", "a\nb"),
                           (b"-x", "-x"), (b"x" * 255, "x" * 255)):
            question, _, _ = self.asked(self.file, "--", name)
            self.assertEqual((question["name"], question.get("name_encoding")), (text, None))
        for name, text in ((b"a\xffb", r"a\xffb"), (b"a\\b", r"a\x5cb"),
                           (b"\xed\xa0\x80", r"\xed\xa0\x80"), (b"\xc3", r"\xc3")):
            question, _, _ = self.asked(self.file, name)
            self.assertEqual((question["name"], question.get("name_encoding")), (text, "escaped"))
        odd = self.path.encode() + b"/\xfe"
        os.rename(self.file, odd)
        self.assertEqual(self.asked(odd, stdout=b"\xfe\n")[0]["name"], r"\xfe")

    def test_name_on_a_terminal(self):
        """It is printed as it is for programs only."""
        odd = self.path + "/" + ACTIVE
        os.rename(self.file, odd)
        self.daemon(lambda question: ok())
        self.check(self.run_ctl("map", odd), 0, ACTIVE.encode() + b"\n")
        terminal, end = os.openpty()
        done = self.run_ctl("map", odd, stdout=end)
        os.close(end)
        with open(terminal, "rb", buffering=0) as shown:
            self.assertEqual((done.returncode, shown.read(4096)), (0, SHOWN.encode() + b"\r\n"))

    def test_names_refused(self):
        daemon = self.daemon(lambda question: ok())
        for name, why in (("a/b", "the name of a mapping has no '/' in it"),
                          ("..", "not a name for a mapping"), (".", "not a name for a mapping"),
                          ("x" * 256, "File name too long")):
            for command in (["map", self.file, name], ["map", "--anonymous", "1", name],
                            ["unmap", name]):
                self.check(self.run_ctl(*command), 1, b"", f"pmem2ctl: {name}: {why}\n".encode())
        self.check(self.run_ctl("unmap", ""), 1, b"", b"pmem2ctl: '': not a name for a mapping\n")
        self.assertEqual(daemon.questions, [])

    def test_sources_refused(self):
        """Only regular files and device-DAX nodes are opened: a FIFO would hang here."""
        daemon = self.daemon(lambda question: ok())
        os.mkfifo(self.path + "/fifo")
        bound = socket.socket(socket.AF_UNIX)
        self.addCleanup(bound.close)
        bound.bind(self.path + "/bound")
        only = "only regular files and device-DAX nodes can be mapped"
        for source, why in (
                (self.path + "/none", "No such file or directory"),
                (self.file + "/x", "Not a directory"),
                ("", "No such file or directory"),
                (self.path, f"is a directory; {only}"),
                ("/", f"is a directory; {only}"),
                (self.path + "/fifo", f"is a FIFO; {only}"),
                (self.path + "/bound", f"is a socket; {only}"),
                ("/dev/zero", f"is a character device other than device DAX; {only}")):
            for options in ([], ["--protection=r--"]):
                with self.subTest(source=source):
                    self.check(self.run_ctl("map", *options, source), 1, b"",
                               f"pmem2ctl: {source}: {why}\n".encode())
        self.assertEqual(daemon.questions, [])

    @unittest.skipUnless(ROOT, "needs root")
    def test_block_device_refused(self):
        node = self.path + "/node"
        try:
            os.mknod(node, stat.S_IFBLK | 0o600, os.makedev(240, 0))
        except OSError as error:
            self.skipTest(f"mknod: {error}")
        self.check(self.run_ctl("map", node), 1, b"",
                   f"pmem2ctl: {node}: is a block device; only regular files and device-DAX nodes "
                   "can be mapped\n".encode())

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_permissions(self):
        self.daemon(lambda question: ok())
        os.chmod(self.file, 0o444)
        self.check(self.run_ctl("map", self.file, user=NOBODY), 1, b"",
                   f"pmem2ctl: {self.file}: cannot open for writing: Permission denied\n".encode())
        self.check(self.run_ctl("map", "--protection=r--", self.file, user=NOBODY), 0, b"file\n")
        os.chmod(self.file, 0o600)
        self.check(self.run_ctl("map", "--protection=r--", self.file, user=NOBODY), 1, b"",
                   f"pmem2ctl: {self.file}: cannot open for reading: Permission denied\n".encode())

    def test_many(self):
        daemon = self.daemon(lambda question: refuse(17, "is mapped already")
                             if question["name"] == "f3" else ok())
        files = [f"{self.path}/f{i}" for i in range(50)]
        for file in files:
            shutil.copyfile(self.file, file)
        self.check(self.run_ctl("map", "--many", "-l", "4K", *files[:20], self.path + "/none",
                                *files[20:]), 1,
                   "".join(f"f{i}\n" for i in range(50) if i != 3).encode(),
                   b"pmem2ctl: f3: is mapped already\n"
                   b"pmem2ctl: %s/none: No such file or directory\n" % self.path.encode())
        self.assertEqual([question for question, _, _ in daemon.questions],
                         [{"map": {"source": {}, "length": 4096}, "name": f"f{i}"}
                          for i in range(50)])
        self.assertEqual([status.st_ino for _, status, _ in daemon.questions],
                         [os.stat(file).st_ino for file in files])
        daemon.questions.clear()
        self.check(self.run_ctl("map", "--anonymous=8K", "--many", "a", "b/b", "c"), 1, b"",
                   b"pmem2ctl: b/b: the name of a mapping has no '/' in it\n")
        self.assertEqual([question["name"] for question, _, _ in daemon.questions], ["a", "c"])

    def test_many_without_a_daemon(self):
        self.check(self.run_ctl("map", "--many", self.file, self.file + "/x", self.file), 1, b"",
                   f"pmem2ctl: no pmem2fs daemon: tried {self.socket}: No such file or directory\n"
                   f"pmem2ctl: {self.file}/x: not tried\n"
                   f"pmem2ctl: {self.file}: not tried\n".encode())

    def test_refused(self):
        self.daemon(lambda question: refuse(17, "log: is mapped already"))
        self.check(self.run_ctl("map", self.file, "log"), 1, b"",
                   b"pmem2ctl: log: is mapped already\n")
        self.check(self.run_ctl("map", self.file), 1, b"",
                   b"pmem2ctl: file: log: is mapped already\n")


class Unmap(Case):
    def test_questions(self):
        daemon = self.daemon(lambda question: ok())
        self.check(self.run_ctl("unmap", "a", b"\xff"), 0)
        self.check(self.run_ctl("unmap", "--timeout", "0", "b", "-t", "25"), 0)
        self.assertEqual([question for question, _, _ in daemon.questions], [
            {"unmap": "a"}, {"unmap": r"\xff", "name_encoding": "escaped"},
            {"unmap": "b", "timeout": 25}])

    def test_range(self):
        daemon = self.daemon(lambda question: ok())
        self.check(self.run_ctl("unmap", "--offset", "4K", "--length=1MiB", "a", b"\xff"), 0)
        self.check(self.run_ctl("unmap", "-o", "0", "-t", "3", "a"), 0)
        self.check(self.run_ctl("unmap", "-l", "0", "a"), 0)
        self.assertEqual([question for question, _, _ in daemon.questions], [
            {"unmap_range": "a", "offset": 4096, "length": 1 << 20},
            {"unmap_range": r"\xff", "name_encoding": "escaped", "offset": 4096,
             "length": 1 << 20},
            {"unmap_range": "a", "offset": 0, "length": None, "timeout": 3},
            {"unmap_range": "a", "offset": 0, "length": 0}])

    def test_goes_on(self):
        daemon = self.daemon(
            lambda question: ok() if question["unmap"] in "ad" else refuse(2, "no such mapping"))
        self.check(self.run_ctl("unmap", "a", "b", "c/c", "d"), 1, b"",
                   b"pmem2ctl: b: no such mapping\n"
                   b"pmem2ctl: c/c: the name of a mapping has no '/' in it\n")
        self.assertEqual([question["unmap"] for question, _, _ in daemon.questions],
                         ["a", "b", "d"])

    def test_asks_ahead(self):
        """The next questions do not wait for answers, but no more of them than have room."""
        names = [f"n{i}" for i in range(100)]
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(self.socket)
        listener.listen(1)
        with subprocess.Popen([PMEM2CTL, "--socket", self.socket, "unmap", *names]) as process:
            connection, _ = listener.accept()
            with connection:
                connection.settimeout(120)
                asked = [json.loads(connection.recv(LIMIT))["unmap"] for _ in range(16)]
                connection.setblocking(False)
                self.assertRaises(BlockingIOError, connection.recv, LIMIT)
                connection.settimeout(120)
                while len(asked) < len(names):
                    connection.send(ok())
                    asked.append(json.loads(connection.recv(LIMIT))["unmap"])
                for _ in range(16):
                    connection.send(ok())
                self.assertEqual(connection.recv(LIMIT), b"")
            self.assertEqual(process.wait(), 0)
        self.assertEqual(asked, names)

    def test_daemon_dies(self):
        self.daemon(lambda question: ok() if question["unmap"] == "a" else None)
        self.check(self.run_ctl("unmap", "a", "b", "c", "d"), 1, b"",
                   b"pmem2ctl: b: the daemon closed the connection\n"
                   b"pmem2ctl: c: not tried\npmem2ctl: d: not tried\n")


class Events(Case):
    def subscribe(self):
        """Starts pmem2ctl and returns it and the daemon's end of its connection."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.addCleanup(listener.close)
        listener.bind(self.socket)
        listener.listen()
        process = subprocess.Popen([PMEM2CTL, "-s", self.socket, "events"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        connection, _ = listener.accept()
        self.addCleanup(connection.close)
        self.assertEqual(json.loads(connection.recv(LIMIT)), {"events": 1})
        connection.send(ok())
        return process, connection

    def test_each_as_it_happens(self):
        process, connection = self.subscribe()
        for number in range(3):
            connection.send(b'{"event": "map",\n "time": "t", "name": "\\u00e9\\n", "uid": %d}'
                            % number)
            ready, _, _ = select.select([process.stdout], [], [], 60)
            self.assertTrue(ready)
            self.assertEqual(process.stdout.readline(),
                             '{"event":"map","time":"t","name":"é\\n","uid":%d}\n'.encode()
                             % number)
        connection.close()
        self.assertEqual(process.wait(60), 1)
        self.assertEqual(process.stdout.read(), b"")
        self.assertEqual(process.stderr.read(), b"pmem2ctl: the daemon closed the connection\n")

    def test_refused(self):
        self.daemon(lambda question: refuse(13, "too many readers"))
        self.check(self.run_ctl("events"), 1, b"", b"pmem2ctl: too many readers\n")

    def test_nonsense(self):
        self.daemon(lambda question: [ok(), b"nonsense"])
        self.check(self.run_ctl("events"), 1, b"",
                   b"pmem2ctl: the daemon sent what is not a JSON object\n")

    def test_reader_goes_away(self):
        """It ends at once and without a message, also when there are no more events."""
        process, _ = self.subscribe()
        process.stdout.close()
        self.assertEqual(process.wait(60), -signal.SIGPIPE)
        self.assertEqual(process.stderr.read(), b"")

    def test_output_fails(self):
        self.daemon(lambda question: [ok(), b"{}"])
        with open("/dev/full", "wb") as full:
            self.check(self.run_ctl("events", stdout=full), 1, None,
                       b"pmem2ctl: standard output: No space left on device\n")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
