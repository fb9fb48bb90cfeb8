#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""pmem2ctl list and show, with a fake daemon.

Usage: test_pmem2ctl_list.py PMEM2CTL [TEST]... It runs itself in a mount namespace of its own, and
is skipped (77) where there can be none.
"""
import json
import os
import subprocess
import sys
import unittest

from pmem2ctl_case import (ACTIVE, LIMIT, NOBODY, PMEM2CTL, ROOT, SHOWN, Reading, document,
                           documents, in_mount_namespace, ok, reachable_by_nobody, refuse, row)

HEADER = ["NAME", "OWNER", "SIZE", "GRANULARITY", "SYNC", "STATE", "ORIGIN", "NAMESPACE", "SOURCE"]
WRONG = b"pmem2ctl: the daemon sent what is no document of a mapping\n"


def printed(text):
    """The text of the file of a mapping."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False).encode() + b"\n"


class Listing(Reading):
    def test_empty(self):
        self.check(self.run_ctl("list"), 0, ("  ".join(HEADER) + "\n").encode())
        self.check(self.run_ctl("list", "--json"), 0, b"[]\n")

    def test_table(self):
        self.put("b", document("b", length=64 << 20, granularity="byte", map_sync=True,
                               device={"namespace": "namespace0.0"},
                               source={"type": "fsdax", "path": "/mnt/a b", "deleted": True}))
        self.put("a", document("a", map_sync="absent", owner={"uid": 4294967294},
                               source={"type": "anonymous"}))
        self.put("C", document("C", length=None, granularity=None, map_sync=None, state=None,
                               owner=None, device={"namespace": None}, source={"path": None}))
        lines = ("NAME  OWNER           SIZE  GRANULARITY  SYNC  STATE   ORIGIN   NAMESPACE     ",
                 "C     ?                  ?  ?            ?     ?       pmem2fs  ?             ",
                 "a     4294967294      8192  page         -     active  pmem2fs  -             ",
                 "b     root        67108864  byte         yes   active  pmem2fs  namespace0.0  ")
        sources = ("SOURCE", "?", "anonymous", "(deleted) /mnt/a b")
        self.check(self.run_ctl("list"), 0, "".join(
            line + source + "\n" for line, source in zip(lines, sources)).encode())
        human = self.run_ctl("list", "-u").stdout.decode().splitlines()
        self.assertEqual([line.split()[2] for line in human], ["SIZE", "?", "8K", "64M"])

    def test_human_sizes(self):
        sizes = ((0, "0"), (1023, "1023"), (1024, "1K"), (5000, "4.9K"), (1048500, "1023.9K"),
                 (1048575, "1.0M"), (1 << 20, "1M"), ((1 << 30) + 1, "1.0G"), (3 << 39, "1.5T"),
                 (2**63 - 1, "8.0E"))
        for number, (size, _) in enumerate(sizes):
            self.put(f"{number:02}", document("x", length=size))
        lines = self.run_ctl("list", "--human").stdout.decode().splitlines()[1:]
        self.assertEqual([line.split()[2] for line in lines], [text for _, text in sizes])

    def test_names_are_safe_and_aligned(self):
        names = {b"plain": "plain", "日本".encode(): "日本", "e\u0301".encode(): "e\u0301",
                 b"a\x1b[31m": r"a\x1b[31m", b"new\nline": r"new\x0aline", b"\xff": r"\xff",
                 b"back\\slash": r"back\x5cslash", "\u009b".encode(): r"\xc2\x9b",
                 "\u202eabc".encode(): r"\xe2\x80\xaeabc", b"a b": "a b"}
        columns = {"日本": 4, "e\u0301": 1}
        for name in names:
            self.put(name, document("x", source={"path": "/\x07\u202e"}))
        done = self.run_ctl("list")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        rest = (r"  root   8192  page         no    active  pmem2fs  -          "
                r"/\x07\xe2\x80\xae")
        width = len(r"\xe2\x80\xaeabc")
        self.assertEqual(done.stdout.decode().split("\n")[1:], [
            names[name] + " " * (width - columns.get(names[name], len(names[name]))) + rest
            for name in sorted(names)] + [""])
        in_c = self.run_ctl("list", env={"LC_ALL": "C"}).stdout
        self.assertIn(rb"\xe6\x97\xa5\xe6\x9c\xac", in_c)
        self.assertTrue(in_c.isascii())

    def test_documents_are_safe(self):
        source = {"type": "file", "path": "/" + ACTIVE}
        self.put(ACTIVE, document("x", source=source))
        table = self.run_ctl("list")
        self.assertEqual(table.stdout.decode().split("\n")[1],
                         f"{SHOWN}  root   8192  page         no    active  pmem2fs  -          "
                         f"/{SHOWN}")
        for command in (["list", "--json"], ["show", ACTIVE]):
            done = self.run_ctl(*command)
            printed_one = json.loads(done.stdout)
            printed_one = printed_one[0] if isinstance(printed_one, list) else printed_one
            self.assertEqual((printed_one["name"], printed_one["source"]), (ACTIVE, source))
            self.assert_safe(done.stdout)
        overlapping = {"owner": {"pid": 2, "uid": 0, "gid": 0},
                       "source": {"type": "file", "path": "/", "dev": "8:1", "inode": 1,
                                  "offset": 0}}
        self.put("1" + ACTIVE, document("x", **overlapping))
        self.put("2" + ACTIVE, document("x", **{**overlapping, "owner": {"pid": 3}}))
        done = self.run_ctl("list", "--overlaps", "--json")
        self.assertEqual([one["name"] for one in json.loads(done.stdout)[0]],
                         ["1" + ACTIVE, "2" + ACTIVE])
        self.assert_safe(done.stdout)

    def test_offsets_beyond_63_bits(self):
        for pid, name in enumerate("ab", 1):
            self.put(name, document("x", length=4096, owner={"pid": pid, "uid": 0}, source={
                "type": "devdax", "dev": "252:1", "offset": "0xffffffffffc00000"}))
        done = self.run_ctl("list", "--overlaps")
        self.assertEqual([line.split()[2] for line in done.stdout.decode().splitlines()],
                         ["OFFSET", str(2**64 - 2**22), str(2**64 - 2**22)])

    def test_json(self):
        texts = {name: document(name, length=len(name)) for name in ("b", "a", "C")}
        for name, text in texts.items():
            self.put(name, text)
        done = self.run_ctl("list", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(json.loads(done.stdout),
                         [json.loads(texts[name]) for name in ("C", "a", "b")])

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_unreadable(self):
        for name in "abc":
            self.put(name, document(name))
        os.chmod(self.mount + "/a", 0o400)
        os.chmod(self.mount + "/c", 0o400)
        done = self.run_ctl("list", user=NOBODY)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual([line.split() for line in done.stdout.decode().splitlines()], [
            HEADER, ["a"] + ["-"] * 8,
            ["b", "root", "8192", "page", "no", "active", "pmem2fs", "-", "/f"],
            ["c"] + ["-"] * 8])
        done = self.run_ctl("list", "--json", user=NOBODY)
        self.assertEqual((done.returncode, done.stderr),
                         (0, b"pmem2ctl: left out 2 that you may not read\n"))
        self.assertEqual([entry["name"] for entry in json.loads(done.stdout)], ["b"])
        self.check(self.run_ctl("show", "a", "b", user=NOBODY), 1, printed(document("b")),
                   b"pmem2ctl: a: Permission denied\n")

    def test_json_as_it_comes(self):
        """Each value is printed as in the file of the mapping, however the line has it."""
        value = {"name": "a", "empty": [[], {}, ""], "numbers": [0, -1, 1.5, 1e300, 2**63],
                 "words": [True, False, None], "deep": {"a": [{"b": [1, {"c": []}]}]},
                 "text": "\"\\/\b\f\n\r\t\x01 \u00e9\u65e5\U0001f600"}
        for separators in ((",", ":"), (" , ", "\t: ")):
            line = json.dumps(value, ensure_ascii=False, separators=separators).encode()
            self.answer_list(documents([b" " + line + b" ", line]))
            self.check(self.run_ctl("list", "--json"), 0,
                       b"[\n" + printed(line)[:-1] + b",\n" + printed(line) + b"]\n")

    def test_nonsense(self):
        """Lines that are no documents are left out, and make the status 1."""
        lines = [b"[]", b"", b"{", b"{}{}", b"{}", b'{"a":"\\u0000","name":"b"}', b'{"name":7}',
                 b'{"name":"\\\\x","name_encoding":"escaped"}', b'{"name":"a","name":"b"}',
                 b'{"name":"a",}', b'{"name":"a" "b":1}', b'{"name":"a","b"}', b'{"name":"a"}x',
                 *(b'{"name":"a","b":%s}' % value for value in (
                     b"", b"01", b"1.", b"-", b"1e", b"+1", b"tru", b"nul", b"[1,]", b"[1 2]", b"[",
                     b"]", b"{", b'"', b'"\\', b'"\\x"', b'"\\u12g4"', b'"\x01"', b'"\xff"'))]
        deep = b'{"name":"a","b":%s}' % (b"[" * 100 + b"]" * 100)
        for line in [*lines, deep]:
            with self.subTest(line=line):
                self.answer_list(documents([line]))
                self.check(self.run_ctl("list", "--json"), 1, b"", WRONG)
        self.answer_list(documents([*lines, document("good").strip().encode()]))
        done = self.run_ctl("list", "--json")
        self.assertEqual((done.returncode, done.stderr), (1, WRONG * len(lines)))
        self.assertEqual([entry["name"] for entry in json.loads(done.stdout)], ["good"])

    def test_nonsense_in_rows(self):
        """The same for lines of the table."""
        good = json.loads(document("good"))
        lines = {}

        def answer(question):
            if "look" in question:
                return self.look
            right = row(good, question["columns"])
            fields = right.split(b"\t")
            lines["wrong"] = [b"", right + b"\t", b"\t".join(fields[1:]),
                              *(b"\t".join([field, *fields[1:]]) for field in (
                                  b"\\", b"\\M", b"\\N7", b"\\-\\-", b"\\x0", b"\\xfg",
                                  b"\\x00", b"a\\N", b"a\\x5"))]
            return documents([*lines["wrong"], right], columns=1)

        self.server.answer = answer
        for options in ([], ["--overlaps"], ["--overlaps", "--json"]):
            done = self.run_ctl("list", *options)
            self.assertEqual((done.returncode, done.stderr), (1, WRONG * len(lines["wrong"])))
        self.assertEqual(len(self.run_ctl("list").stdout.splitlines()), 2)

    def test_other_version(self):
        """A daemon that sends no columns, or in another form, is not misunderstood."""
        for more in ({}, {"columns": 2}):
            self.answer_list([ok(count=1, **more), document("a").encode()])
            self.check(self.run_ctl("list"), 1, b"", b"pmem2ctl: the daemon is of another "
                       b"version: it sends no such columns\n")

    def test_filter_of_other_version(self):
        """A daemon that sends all mappings to a question for some is not believed."""
        self.answer_list(documents([document("a").strip().encode()]))
        for options in (["--state", "lost"], ["--pid", "7"]):
            self.check(self.run_ctl("list", "--json", *options), 1, b"", b"pmem2ctl: the daemon "
                       b"is of another version: it does not pick mappings\n")

    def answer_list(self, answer):
        self.server.answer = lambda question: self.look if "look" in question else answer

    def test_wrong_number(self):
        """A list that ends too early, or not in time, is not printed at all."""
        line = document("a").encode()
        more = "the daemon sent more documents than it said"
        for answer, message in (
                ([ok(count=2), line, b"x" * (LIMIT + 1)],
                 f"the daemon sent more than {LIMIT} bytes at once"),
                ([ok(count=1), line + line], more), ([ok(count=1), line + b"x"], more),
                ([ok(), line], "the daemon does not say how many documents it sends"),
                ([ok(count=-1)], "the daemon does not say how many documents it sends"),
                ([ok(count="1"), line], "the daemon does not say how many documents it sends"),
                ([refuse(13, "you may not list the mappings")], "you may not list the mappings"),
                ([refuse(22, "not a question that this daemon knows")],
                 "not a question that this daemon knows")):
            with self.subTest(answer=answer[0]):
                text = json.loads(answer[0])
                for options in (["--json"], [], ["--overlaps"], ["--overlaps", "--json"]):
                    self.answer_list([json.dumps(text).encode(), *answer[1:]])
                    text["columns"] = 1  # of all but the first
                    self.check(self.run_ctl("list", *options), 1, b"",
                               f"pmem2ctl: {message}\n".encode())

    def test_daemon_ends(self):
        """The daemon stops in the middle of the documents."""
        self.answer_list([ok(count=2), document("a").encode(), None])
        self.check(self.run_ctl("show", "a"), 1, b"",
                   b"pmem2ctl: a: the daemon closed the connection\n")

    def test_show(self):
        self.put("a", document("a"))
        self.put("b", document("b", padding="x" * 100000))
        self.check(self.run_ctl("show", "b", "none", "a/", "a"), 1,
                   printed(document("b", padding="x" * 100000)) + printed(document("a")),
                   b"pmem2ctl: none: no such mapping\n"
                   b"pmem2ctl: a/: the name of a mapping has no '/' in it\n")

    def test_output_fails(self):
        for number in range(200):
            self.put(f"n{number}", document("x"))
        with open("/dev/full", "wb") as full:
            for command in (["list"], ["list", "--json"], ["show", "n0"], ["show", "n0", "n1"]):
                self.check(self.run_ctl(*command, stdout=full), 1, None,
                           b"pmem2ctl: standard output: No space left on device\n")

    def test_many(self):
        text = document("x")
        for number in range(50000):
            self.put(f"n{number}", text)
        names = sorted(f"n{number}" for number in range(50000))
        done = self.run_ctl("list")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual([line.split()[0] for line in done.stdout.decode().splitlines()[1:]],
                         names)
        done = self.run_ctl("list", "--json")
        self.assertEqual(len(json.loads(done.stdout)), 50000)


    def test_observed(self):
        """Facts that only the process itself knows are not reported as missing."""
        self.put("a", document("a", origin="observed", granularity=None, map_sync=None,
                               created=None, claimed=[]))
        self.put("b", document("b", origin="published", granularity=None, map_sync=None,
                               claimed=["granularity"]))
        lines = self.run_ctl("list").stdout.decode().splitlines()[1:]
        self.assertEqual([line.split()[3:5] for line in lines], [["-", "-"], ["?", "?"]])

    def test_pending(self):
        """Pending facts are shown neither as unknown nor as "no device"."""
        source = {"type": "fsdax", "path": None, "dev": "259:0"}
        self.put("a", document("a", pending=True, origin="observed", granularity=None,
                               map_sync=None, source=source))
        self.put("b", document("b", source=source))
        self.put("c", document("c", pending=True, device={"namespace": "n"},
                               source={"type": "fsdax", "path": "/old"}))
        lines = self.run_ctl("list").stdout.decode().splitlines()[1:]
        self.assertEqual([line.split() for line in lines], [
            ["a", "root", "8192", "...", "...", "active", "observed", "...", "..."],
            ["b", "root", "8192", "page", "no", "active", "pmem2fs", "-", "?"],
            ["c", "root", "8192", "page", "no", "active", "pmem2fs", "n", "/old"]])

    def listed(self, *options):
        """The names with these options, in the table and as JSON."""
        done = self.run_ctl("list", *options)
        self.assertEqual(done.returncode, 0)
        names = [line.split()[0] for line in done.stdout.decode().splitlines()[1:]]
        as_json = self.run_ctl("list", "--json", *options)
        self.assertEqual(([one["name"] for one in json.loads(as_json.stdout)], as_json.stderr),
                         (names, done.stderr))
        return names, done.stderr

    def test_some(self):
        """The daemon picks the mappings of an object, a process or a state."""
        status = os.stat(self.file)
        source = {"type": "file", "path": self.file, "inode": status.st_ino,
                  "dev": f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}"}
        self.put("a", document("a", source=source, owner={"pid": 7, "uid": 0}))
        self.put("b", document("b", source=source, owner={"pid": 8, "uid": 0}, state="lost"))
        self.put("c", document("c", owner={"pid": 7, "uid": 0}, state="lost"))
        self.put("d", document("d", owner={"pid": 9, "uid": 0}, pending=True))
        pending = b"pmem2ctl: left out 1 whose facts are still being found\n"
        self.assertEqual(self.listed("--of", self.file), (["a", "b"], pending))
        self.assertEqual(self.listed("-p7"), (["a", "c"], b""))
        self.assertEqual(self.listed("--state", "lost"), (["b", "c"], pending))
        self.assertEqual(self.listed("-t", "active"), (["a", "d"], b""))
        self.assertEqual(self.listed("-w", self.file, "--pid", "7"), (["a"], b""))
        self.assertEqual(self.listed("--pid", "7", "--state", "lost"), (["c"], b""))
        self.assertEqual(self.listed("--of", "region77"), ([], pending))
        self.check(self.run_ctl("list", "--of", "/none"), 1, b"",
                   b"pmem2ctl: /none: No such file or directory\n")
        for pid in ("", "x", "-1", "7x", "10000000000"):
            self.check_usage(f"'{pid}' is not the number of a process", "list ", "list", "--pid",
                             pid)
        self.check_usage("state 'gone' is not active, partial or lost", "list ", "list", "-t",
                         "gone")

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_some_unreadable(self):
        self.put("a", document("a"))
        self.put("b", document("b"))
        os.chmod(self.mount + "/a", 0o400)
        done = self.run_ctl("list", "--state", "active", user=NOBODY)
        self.assertEqual((done.returncode, done.stderr, len(done.stdout.splitlines())),
                         (0, b"pmem2ctl: left out 1 that you may not read\n", 2))

    def test_names(self):
        for name in ("b", "a b", ACTIVE, b"\xff\\"):
            self.put(name, document("x"))
        done = self.run_ctl("list", "--names")
        self.check(done, 0, "\n".join(["a b", "b", SHOWN, r"\xff\x5c", ""]).encode())
        self.assertEqual([question for question, _, _ in self.asked],
                         [{"list": 1, "columns": ["name"]}])
        self.check_usage("--names goes with no other option", "list ", "list", "-nj")

    def complete(self, *words):
        """What bash offers for the last word."""
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                  'compopt() { :; }; _pmem2ctl; for one in "${COMPREPLY[@]}"; do printf "%s\\0" "$one"; done')
        here = os.path.dirname(os.path.abspath(__file__))
        done = subprocess.run(
            ["bash", "-c", script, "bash", here + "/../../../../tools/completions/pmem2ctl",
             PMEM2CTL, *words], env={**os.environ, "PMEM2FS_SOCKET": self.socket},
            stdout=subprocess.PIPE, check=True)
        return done.stdout.split(b"\0")[:-1]

    def test_completion(self):
        """Names come from the daemon, as the bytes that they are."""
        for name in ("log", "a b", "l\n\u0301", b"l\xff\\x41"):
            self.put(name, document("x"))
        self.assertEqual(self.complete("show", ""), [b"a b", "l\n\u0301".encode(), b"log",
                                                     b"l\xff\\x41"])
        self.assertEqual(self.complete("unmap", "lo"), [b"log"])
        self.assertEqual(self.complete("-s", "/nowhere", "show", ""), [])
        self.assertEqual(self.complete("list", "--state", "l"), [b"lost"])
        self.assertEqual(self.complete("unmap", "-t", ""), [])

    def test_look(self):
        """All processes are scanned before the names are read."""
        note = b"pmem2ctl: not everything is visible: there may be more mappings\n"
        for look, status, stderr in (
                (ok(complete=True), 0, b""), (ok(complete=False), 0, note), (ok(), 0, b""),
                (refuse(22, "not a question that this daemon knows"), 0, b""),
                (refuse(12, "no memory"), 1, b"pmem2ctl: no memory\n"),
                (None, 1, b"pmem2ctl: the daemon closed the connection\n")):
            with self.subTest(look=look):
                self.look = look
                self.check(self.run_ctl("list", "--json"), status, b"" if status else b"[]\n",
                           stderr)
        self.assertEqual([question for question, _, _ in self.asked],
                         [{"look": 1}, {"list": 1}] * 4 + [{"look": 1}] * 2)


class Overlaps(Reading):
    def map(self, name, pid, offset, length, inode=1, dev="259:0", kind="fsdax", **more):
        source = {"type": kind, "path": "/f", "offset": offset, "dev": dev, "inode": inode}
        self.put(name, document(name, length=length, source=source,
                                owner={"pid": pid, "uid": 0, "gid": 0}, **more))

    def groups(self):
        done = self.run_ctl("list", "--overlaps", "--json")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return [[entry["name"] for entry in group] for group in json.loads(done.stdout)]

    def test_none(self):
        self.map("a", 1, 0, 4096)
        self.map("after", 2, 4096, 4096)
        self.map("same", 1, 0, 8192)
        self.map("file", 3, 0, 4096, inode=2)
        self.map("device", 4, 0, 4096, dev="259:1")
        self.map("node", 5, 0, 4096, kind="devdax")
        self.put("memory", document("memory", source={"type": "anonymous", "size": 4096}))
        os.unlink(self.mount + "/after")
        self.assertEqual(self.groups(), [])
        self.map("after", 2, 8192, 4096)
        self.assertEqual(self.groups(), [])
        self.assertEqual(len(self.run_ctl("list", "-o").stdout.splitlines()), 1)

    def test_groups(self):
        self.map("b", 1, 0, 4096)
        self.map("a", 2, 0, 4096)
        self.map("alone", 2, 4096, 4096)
        self.map("inner", 3, 16384, 4096)
        self.map("outer", 4, 8192, 65536)
        self.map("outer of the same", 4, 8192, 65536)
        self.map("node1", 1, 0, 4096, kind="devdax", dev="252:1", inode=5)
        self.map("node2", 2, 0, 4096, kind="devdax", dev="252:1", inode=6)
        self.map("large1", 1, 0, 4096, inode="0xffffffffffffffff")
        self.map("large2", 2, 0, 4096, inode="0xffffffffffffffff")
        self.assertEqual(sorted(self.groups()), [
            ["a", "b"], ["inner", "outer", "outer of the same"], ["large1", "large2"],
            ["node1", "node2"]])

    def test_table(self):
        self.map("b", 7, 4096, 8192)
        self.map("a", 8, 8192, 8192)
        lines = [line.split()[:6] for line in
                 self.run_ctl("list", "--overlaps").stdout.decode().splitlines()]
        self.assertEqual(lines, [["GROUP", "PID", "OFFSET", "NAME", "OWNER", "SIZE"],
                                 ["1", "8", "8192", "a", "root", "8192"],
                                 ["1", "7", "4096", "b", "root", "8192"]])
        self.assertEqual(self.run_ctl("list", "-ou").stdout.split()[14], b"8K")

    def test_behind_a_longer_one(self):
        """The mapping that ends last is of the same process; another process's overlaps too."""
        self.map("long", 1, 0, 1 << 30)
        self.map("other", 2, 4096, 40960)
        self.map("late", 1, 8192, 4096)
        self.map("later", 1, 1 << 20, 4096)
        self.assertEqual(self.groups(), [["late", "long", "other"]])

    def test_partial(self):
        """A hole overlaps with no mapping."""
        self.map("holes", 1, 4096, 40960, state="partial",
                 extents=[{"offset": 0, "length": 4096}, {"offset": 36864, "length": 4096}])
        self.map("hole", 2, 8192, 4096)
        self.assertEqual(self.groups(), [])
        self.map("end", 2, 40960, 4096)
        self.map("start", 3, 4096, 4096)
        self.assertEqual(self.groups(), [["holes", "start"], ["end", "holes"]])
        self.map("all", 4, 0, 1 << 20)
        self.assertEqual(self.groups(), [["all", "end", "hole", "holes", "start"]])

    def test_nonsense(self):
        for number, source in enumerate(({}, None, {"dev": 1}, {"dev": "1:1", "offset": -1},
                                         {"dev": "1:1", "offset": 0, "inode": "0x"},
                                         {"dev": "1:1", "offset": 0, "inode": "abc"})):
            self.put(f"n{number}", document("x", source=source))
        self.put("huge", document("x", source={"dev": "1:1", "offset": "0xffffffffffffffff",
                                               "inode": 1}))
        self.assertEqual(self.groups(), [])

    def test_many(self):
        """The time for thousands of mappings of one range does not grow with the square."""
        for number in range(20000):
            self.map(f"n{number}", number, 0, 4096)
        groups = self.groups()
        self.assertEqual((len(groups), len(groups[0])), (1, 20000))

    @unittest.skipUnless(ROOT and reachable_by_nobody(), "needs root and pmem2ctl for others")
    def test_unreadable(self):
        self.map("a", 1, 0, 4096)
        self.map("b", 2, 0, 4096)
        os.chmod(self.mount + "/a", 0o400)
        done = self.run_ctl("list", "--overlaps", "--json", user=NOBODY)
        self.assertEqual((done.returncode, json.loads(done.stdout), done.stderr),
                         (0, [], b"pmem2ctl: left out 1 that you may not read\n"))


if __name__ == "__main__":
    in_mount_namespace()
    unittest.main(argv=[sys.argv[0], *sys.argv[2:]])
