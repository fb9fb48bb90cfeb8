#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks a metadata document against ndctl, and keeps it for tests/vm/run, which checks all documents of a
case against the schema outside the virtual machine: to load that takes seconds under emulation.

usage: document.py FILE EXPRESSION...      every expression must hold
       document.py --print FILE EXPRESSION print its value

An expression sees the document's keys as variables, the whole as "document", and what ndctl lists
for the document's device as "namespace" and "region" (empty when it is on none). Nothing is imported or
run that is not needed, since each start of a program takes long under emulation, too."""

import json
import os
import sys


def named(node, **wanted):
    """Every object below node that has one of these values."""
    if isinstance(node, list):
        for item in node:
            yield from named(item, **wanted)
    elif isinstance(node, dict):
        if any(value and node.get(key) == value for key, value in wanted.items()):
            yield node
        for item in node.values():
            yield from named(item, **wanted)


def ndctl_facts(device):
    import subprocess  # pylint: disable=import-outside-toplevel

    listing = subprocess.run(["ndctl", "list", "-RNv"], capture_output=True, text=True).stdout
    regions = json.loads(listing or "{}")
    regions = regions.get("regions", []) if isinstance(regions, dict) else regions
    wanted = {key: device.get(key) for key in ("blockdev", "chardev")}
    for region in regions:
        for namespace in region.get("namespaces", []):
            if any(named(namespace, **wanted)):
                return namespace, region
    return {}, {}


class Names(dict):
    """The variables of an expression."""

    def __missing__(self, name):
        if name not in ("namespace", "region"):
            raise KeyError(name)
        self["namespace"], self["region"] = ndctl_facts(self["document"].get("device", {}))
        return self[name]


def keep(data):
    folder = os.environ["documents"]
    with open(f"{folder}/{len(os.listdir(folder))}", "xb") as kept:
        kept.write(data)


def main():
    show = sys.argv[1] == "--print"
    path, *expressions = sys.argv[1 + show :]
    data = open(path, "rb").read()
    document = json.loads(data)
    names = Names(document, document=document)
    if show:
        print(eval(expressions[0], {}, names))
        return
    keep(data)
    failed = [expression for expression in expressions if not eval(expression, {}, names)]
    for expression in failed:
        print(f"FAILED: {path}: {expression}")
    if failed:
        print(data.decode(), json.dumps([names["namespace"], names["region"]], indent=2))
        sys.exit(1)


main()
