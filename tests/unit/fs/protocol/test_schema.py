#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The schema accepts the documents that test_document renders, and no wrong ones."""
import copy
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[2]))
import validate

GONE = object()
# Document, path of the key, its new value.
WRONG = [
    ("fsdax", "version", 2), ("fsdax", "version", "1"), ("fsdax", "version", GONE),
    ("fsdax", "version", True),
    ("fsdax", "name", ""), ("fsdax", "name", "a/b"), ("fsdax", "name", "a\\b"),
    ("fsdax", "name", "a\0b"), ("fsdax", "name", "a" * 256), ("fsdax", "name", None),
    ("fsdax", "name", "a\n/b"),
    ("fsdax", "name_encoding", "escaped"), ("escaped", "name_encoding", "hex"),
    ("escaped", "name_encoding", GONE), ("escaped", "name", "\\xff\\x0"),
    ("escaped", "name", "\\xff\\x00"), ("escaped", "name", "\\xff\\n"), ("escaped", "name", "\\x41"),
    ("fsdax", "extents", []), ("fsdax", "state", "partial"), ("file", "state", "active"),
    ("file", "extents", GONE), ("file", "extents", None), ("partial", "extents.0.extra", 1),
    ("partial", "extents.1.offset", -1), ("partial", "extents.1.offset", GONE),
    ("partial", "extents.0.length", 0), ("partial", "extents", [[0, 4096]]),
    ("fsdax", "state", "dead"), ("fsdax", "origin", "keeper"),
    ("fsdax", "address", 4096), ("fsdax", "address", "7f00"), ("fsdax", "address", "0x0"),
    ("fsdax", "address", "0x7F00"), ("fsdax", "address", "0x10000000000000000"),
    ("fsdax", "length", 0), ("fsdax", "length", -1), ("fsdax", "length", "1"),
    ("fsdax", "length", 1.5), ("fsdax", "length", GONE), ("fsdax", "length", 2**63),
    ("fsdax", "granularity", "cacheline"), ("fsdax", "granularity", None),
    ("fsdax", "required_granularity", 2), ("fsdax", "map_sync", 1), ("fsdax", "map_sync", GONE),
    ("fsdax", "sharing", "SHARED"), ("fsdax", "protection", "rw"), ("fsdax", "protection", "wr-"),
    ("fsdax", "created", "2026-11-20T10:00:00Z"),
    ("fsdax", "created", "2026-11-20T10:00:00.123456789+00:00"),
    ("fsdax", "created", "2026-13-20T10:00:00.123456789Z"),
    ("fsdax", "created", "2026-11-20T24:00:00.123456789Z"), ("fsdax", "created", None),
    ("fsdax", "required_granularity", GONE), ("fsdax", "map_sync", None),
    ("fsdax", "claimed", ["granularity"]), ("observed", "claimed", ["granularity"]),
    ("observed", "required_granularity", "page"),
    ("observed", "created", "2026-11-20T10:00:00.123456789Z"), ("devdax", "claimed", GONE),
    ("devdax", "claimed", []), ("devdax", "claimed", ["address"]),
    ("fsdax", "extra", 1), ("fsdax", "owner.extra", 1), ("fsdax", "source.extra", 1),
    ("fsdax", "device.extra", 1), ("fsdax", "device.badblocks.0.extra", 1),
    ("pending", "pending", False), ("pending", "pending", None), ("pending", "pending", "facts"),
    ("fsdax", "owner", GONE), ("fsdax", "owner", None), ("fsdax", "owner.pid", 0),
    ("fsdax", "owner.pid", GONE), ("fsdax", "owner.comm", GONE), ("fsdax", "owner.exe", 1),
    ("fsdax", "owner.exe", "a\\b"), ("fsdax", "owner.started", "yesterday"),
    ("fsdax", "owner.uid", -1), ("fsdax", "owner.gid", 2**32), ("fsdax", "owner.uid", None),
    ("escaped", "owner.comm_encoding", GONE), ("escaped", "owner.exe_encoding", GONE),
    ("escaped", "owner.cgroup_encoding", GONE), ("fsdax", "owner.cgroup_encoding", "escaped"),
    ("fsdax", "source", GONE), ("fsdax", "source.type", "pmem"), ("fsdax", "source.type", GONE),
    ("fsdax", "source.path", "relative"), ("fsdax", "source.path", GONE),
    ("fsdax", "source.path", "/a\\b"), ("fsdax", "source.path_encoding", "escaped"),
    ("escaped", "source.path_encoding", GONE), ("unknown", "source.path_encoding", "escaped"),
    ("fsdax", "source.deleted", False), ("unknown", "source.deleted", True),
    ("fsdax", "source.offset", GONE),
    ("fsdax", "source.offset", "0x1000"), ("fsdax", "source.offset", 2**64 - 4096),
    ("fsdax", "source.offset", -4096), ("fsdax", "source.size", GONE),
    ("fsdax", "source.align", 0), ("fsdax", "source.align", None), ("fsdax", "source.dev", 259),
    ("fsdax", "source.dev", "259:"), ("fsdax", "source.dev", "0259:0"),
    ("fsdax", "source.inode", "131"), ("fsdax", "source.inode", None),
    ("file", "source.inode", "0x7fffffffffffffff"), ("file", "source.inode", 2**64 - 1),
    ("anonymous", "source.offset", 0), ("anonymous", "source.path", None),
    ("anonymous", "source.size", None), ("anonymous", "source.size", GONE),
    ("anonymous", "source.size", 0), ("anonymous", "device", {"badblock_count": 0, "badblocks": []}),
    ("fsdax", "device", None), ("fsdax", "device.namespace", ""), ("fsdax", "device.namespace", None),
    ("fsdax", "device.uuid", "4a3b1d8e"), ("fsdax", "device.numa_node", -1),
    ("fsdax", "device.persistence_domain", GONE), ("fsdax", "device.persistence_domain", ""),
    ("fsdax", "device.unsafe_shutdowns", -1), ("fsdax", "device.unsafe_shutdowns", "7"),
    ("fsdax", "device.badblock_count", GONE), ("fsdax", "device.badblock_count", None),
    ("fsdax", "device.badblocks", None), ("fsdax", "device.badblocks", GONE),
    ("fsdax", "device.badblocks.0.length", 0), ("fsdax", "device.badblocks.0.offset", GONE),
    ("fsdax", "device.badblocks.0.offset", -1),
]
RIGHT = [("fsdax", "state", "lost"), ("partial", "state", "lost")]
# Errors of the text, not of the parsed document.
WRONG_TEXT = {
    "no newline": lambda text: text[:-1],
    "two newlines": lambda text: text + b"\n",
    "order": lambda text: text.replace(b'"version": 1,', b"").replace(
        b'"name": "log",', b'"name": "log", "version": 1,'),
    "order below": lambda text: text.replace(b'"offset": 0,', b"").replace(
        b'"align": 4096,', b'"align": 4096, "offset": 0,'),
    "duplicate": lambda text: text.replace(b'"version": 1,', b'"version": 1, "version": 1,'),
    "cut": lambda text: text[:100] + b"\n",
    "not UTF-8": lambda text: text.replace(b'"log"', b'"\xff"'),
    "array": lambda text: b"[" + text[:-1] + b"]\n",
}


def changed(document, path, value):
    document = copy.deepcopy(document)
    *parents, last = path.split(".")
    target = document
    for parent in parents:
        target = target[int(parent) if parent.isdigit() else parent]
    if value is GONE:
        del target[last]
    else:
        target[last] = value
    return document


def only_schema_errors(validator, document):
    return list(validator.validator.iter_errors(document))


def main():
    try:
        validator = validate.Validator()
    except ImportError:
        print("jsonschema is not installed", file=sys.stderr)
        return 77
    failures = []
    texts = {path.stem: path.read_bytes() for path in (HERE / "documents").glob("*.json")}
    assert len(texts) >= 6
    for name, text in texts.items():
        failures += [f"{name}: {error}" for error in validator.errors(text)]
    for name, path, value in WRONG:
        document = changed(json.loads(texts[name]), path, value)
        if not only_schema_errors(validator, document):
            what = "removed" if value is GONE else repr(value)
            failures.append(f"{name}: accepted with {path} {what}")
    for name, path, value in RIGHT:
        for error in only_schema_errors(validator, changed(json.loads(texts[name]), path, value)):
            failures.append(f"{name} with {path} {value!r}: {error.message}")
    for what, change in WRONG_TEXT.items():
        assert change(texts["fsdax"]) != texts["fsdax"]
        if not list(validator.errors(change(texts["fsdax"]))):
            failures.append(f"accepted: {what}")
    print("\n".join(failures), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
