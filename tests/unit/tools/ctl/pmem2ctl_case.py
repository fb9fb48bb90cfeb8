# SPDX-License-Identifier: BSD-3-Clause
"""Shared by the tests of pmem2ctl: a fake daemon, and how pmem2ctl is run."""
import array
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

PMEM2CTL = os.path.abspath(sys.argv[1])
ROOT = os.geteuid() == 0
NOBODY = 65534
LIMIT = 80 * 1024
# One of each kind that a terminal would act on, and how it is shown.
ACTIVE = "e\u0301\x1b[2J\n\x7f\u0080\u009b\u061c\u200e\u202e\u2066日"
SHOWN = ("e\u0301" r"\x1b[2J\x0a\x7f\xc2\x80\xc2\x9b\xd8\x9c\xe2\x80\x8e\xe2\x80\xae\xe2\x81\xa6"
         "日")


class Daemon:
    """Listens on a socket and answers each question with what `answer` returns for it.

    The answer is a packet, None (close), or a list of these. `questions` holds the questions, as
    (document, status of the passed descriptor or None, its access mode); `peer` is the user who asks.
    """

    def __init__(self, path, answer, listener_uid=None):
        self.answer = answer
        self.questions = []
        self.peer = None
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.bind(path)
        os.chmod(path, 0o666)
        if listener_uid is not None:
            os.seteuid(listener_uid)
        self.socket.listen(8)
        if listener_uid is not None:
            os.seteuid(0)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                _, self.peer, _ = struct.unpack("iii", connection.getsockopt(
                    socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
                self.talk(connection)

    def talk(self, connection):
        while True:
            try:
                packet, ancillary, _, _ = connection.recvmsg(LIMIT + 1, 4096)
                if not packet:
                    return
                status = mode = None
                for _, _, data in ancillary:
                    for fd in array.array("i", data):
                        status = os.fstat(fd)
                        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii") as info:
                            flags = info.read().split("flags:")[1].split()[0]
                        mode = int(flags, 8) & os.O_ACCMODE
                        os.close(fd)
                question = json.loads(packet)
                self.questions.append((question, status, mode))
                answer = self.answer(question)
                if answer is None:
                    return
                for part in answer if isinstance(answer, list) else [answer]:
                    if part is None:
                        return
                    connection.send(part)
            except OSError:
                return

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.socket.close()


def ok(**more):
    return json.dumps({"errno": 0, **more}).encode()


def refuse(errno, message=None):
    answer = {"errno": errno}
    if message is not None:
        answer["message"] = message
    return json.dumps(answer).encode()


def reachable_by_nobody():
    try:
        done = subprocess.run([PMEM2CTL, "--version"], user=NOBODY, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, check=False)
        return done.returncode == 0
    except OSError:
        return False


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.path = self.folder.name
        os.chmod(self.path, 0o755)
        self.socket = self.path + "/socket"
        self.file = self.path + "/file"
        with open(self.file, "wb") as file:
            file.write(bytes(8192))

    def daemon(self, answer, **options):
        daemon = Daemon(self.socket, answer, **options)
        self.addCleanup(daemon.close)
        return daemon

    def run_ctl(self, *arguments, env=None, stdout=subprocess.PIPE, **options):
        base = {k: v for k, v in os.environ.items()
                if k not in ("PMEM2FS_SOCKET", "XDG_RUNTIME_DIR", "POSIXLY_CORRECT")}
        base.update(LC_ALL="C.UTF-8", PMEM2FS_SOCKET=self.socket)
        base.update(env or {})
        return subprocess.run([PMEM2CTL, *arguments], env=base, stdin=subprocess.DEVNULL,
                              stdout=stdout, stderr=subprocess.PIPE, timeout=120, check=False,
                              **options)

    def check(self, done, status, stdout=b"", stderr=b""):
        self.assertEqual((done.returncode, done.stdout, done.stderr), (status, stdout, stderr))

    def assert_safe(self, text):
        """Of what a terminal acts on there are only newlines."""
        self.assertIsNone(re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f"
                                    "\u202a-\u202e\u2066-\u2069]", text.decode()))

    def check_usage(self, message, hint, *arguments):
        self.check(self.run_ctl(*arguments), 2, b"",
                   f"pmem2ctl: {message}\nTry 'pmem2ctl {hint}--help'.\n".encode())


def document(name, **changes):
    text = {"version": 1, "name": name, "state": "active", "origin": "pmem2fs",
            "address": "0x7f0000000000", "length": 8192, "granularity": "page", "map_sync": False,
            "owner": {"pid": 1, "uid": 0, "gid": 0}, "source": {"type": "file", "path": "/f"}}
    text.update(changes)
    return json.dumps({key: value for key, value in text.items() if value != "absent"}) + "\n"


def put_name(text, name):
    """Puts the bytes of a name into a document or answer, by the rule of the metadata document."""
    plain = name.decode(errors="surrogateescape")
    if re.search(r"[\\\udc80-\udcff]", plain):
        text["name"] = "".join(f"\\x{ord(c) & 0xff:02x}" if c == "\\" or "\udc80" <= c <= "\udcff"
                               else c for c in plain)
        text["name_encoding"] = "escaped"
    else:
        text["name"] = plain
    return text


ABSENT = object()


def fact(text, column):
    """The fact of a document that is in a column, ABSENT where the document does not have it."""
    if column == "document":
        return json.dumps(text)
    if column == "mapped":
        extents = text.get("extents")
        return text["length"] if extents is None else sum(one["length"] for one in extents)
    for key in column.split("."):
        if not isinstance(text, dict):
            return None if text is None else ABSENT
        text = text.get(key, ABSENT)
    if column == "extents" and isinstance(text, list):
        return ",".join(f"{one['offset']}+{one['length']}" for one in text)
    if column in ("source.offset", "source.inode") and re.fullmatch("0x[0-9a-f]+", str(text)):
        return int(text, 16)
    return text


def field(value):
    if value is ABSENT or value is None:
        return b"\\-" if value is ABSENT else b"\\N"
    value = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(rb"[\0-\x1f\\]", lambda byte: b"\\x%02x" % byte[0][0],
                  value.encode(errors="surrogateescape"))


def unescaped(text, key):
    """The bytes of a name in a document."""
    value = text[key]
    if key + "_encoding" in text:
        value = re.sub(r"\\x(..)", lambda two: bytes.fromhex(two[1]).decode(
            errors="surrogateescape"), value)
    return value


def row(text, columns):
    """The line with these columns of a document."""
    if "errno" not in text:
        return b"\t".join(field(unescaped(text, "name") if column == "name" else
                                fact(text, column)) for column in columns)
    return b"\t".join(field(unescaped(text, "name") if column == "name" else
                            text["errno"] if column == "errno" else ABSENT)
                      for column in columns)


def condition(text, key, values):
    """Whether the document meets a condition: True, False, or None: facts are pending."""
    source = text.get("source") or {}
    node = source.get("type") == "devdax"
    value = {"dev": ABSENT if node else source.get("dev"),
             "node": source.get("dev") if node else ABSENT,
             "mapped": bool(fact(text, "mapped"))}.get(key, ABSENT)
    if key in ("inode", "pid"):
        value = str(fact(text, {"inode": "source.inode", "pid": "owner.pid"}[key]))
    elif key == "state":
        value = text.get("state")
    elif key in ("region", "namespace", "blockdev", "chardev"):
        value = fact(text, "device." + key)
    if value in (values if isinstance(values, list) else [values]):
        return True
    return None if key != "pid" and text.get("pending") else False


def matches(text, where):
    """Whether the document meets all conditions of one of the objects."""
    results = []
    for one in where:
        met = [condition(text, key, values) for key, values in one.items()]
        results.append(False if False in met else None if None in met else True)
    return True if True in results else None if None in results else False


def documents(lines, piece=30000, **more):
    """The answer with these lines, in packets that are cut anywhere."""
    text = b"".join(line + b"\n" for line in lines)
    return [ok(**{"count": len(lines), "gone": 0, **more}),
            *(text[at:at + piece] for at in range(0, len(text), piece))]


class Reading(Case):
    """A daemon that sends the documents in a folder. `look` is its answer to that question.

    Their modes decide who may read them. `gone` is how many mappings have gone since the look.
    """
    look = ok(complete=True)
    gone = 0

    def setUp(self):
        super().setUp()
        self.mount = self.path + "/mount"
        os.mkdir(self.mount)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "none", self.mount], check=True)
        self.addCleanup(subprocess.run, ["umount", self.mount], check=True)
        self.server = self.daemon(self.answer)
        self.asked = self.server.questions

    def answer(self, question):
        if "look" in question:
            return self.look() if callable(self.look) else self.look
        folder = self.mount.encode()
        names = sorted(os.listdir(folder))
        if "show" in question:
            wanted = question["show"].encode()
            names = [name for name in names if name == wanted]
            if not names:
                return refuse(2, question["show"] + ": no such mapping")
        lines = [self.line(folder + b"/" + name, name) for name in names]
        columns = question.get("columns")
        more = {"gone": self.gone}
        if columns is not None:
            more["columns"] = 1
        if "where" not in question and columns is None:
            return documents(lines, **more)
        rows = []
        where = question.get("where")
        if where is not None:
            more.update(hidden=0, undecided=0)
        for line in lines:
            try:
                text = json.loads(line)
            except ValueError:
                rows.append(line)
                continue
            match = where is None or "errno" not in text and matches(text, where)
            if match:
                rows.append(line if columns is None else row(text, columns))
            elif "errno" in text:
                more["hidden"] += 1
            elif match is None:
                more["undecided"] += 1
        return documents(rows, **more)

    def line(self, path, name):
        if self.server.peer and not os.stat(path).st_mode & 0o004:
            return json.dumps(put_name({"errno": 13}, name)).encode()
        with open(path, "rb") as file:
            text = file.read()
        try:
            return json.dumps(put_name(json.loads(text), name)).encode()
        except (ValueError, TypeError):
            return text.strip()

    def put(self, name, text):
        name = name if isinstance(name, bytes) else name.encode()
        with open(self.mount.encode() + b"/" + name, "w", encoding="utf-8") as file:
            file.write(text)


def in_mount_namespace():
    """Continues in a mount namespace of its own, or ends as a skipped test."""
    if "PMEM2CTL_MOUNT_NAMESPACE" in os.environ:
        return
    unshare = ["unshare", "-m"] if ROOT else ["unshare", "-rm"]
    with tempfile.TemporaryDirectory() as folder:
        probe = subprocess.run([*unshare, "mount", "-t", "tmpfs", "none", folder], check=False)
    if probe.returncode != 0:
        sys.exit(77)
    os.environ["PMEM2CTL_MOUNT_NAMESPACE"] = "entered"
    os.execvp(unshare[0], [*unshare, sys.executable, *sys.argv])
