#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Checks a metadata document against its schema and against ndctl.

usage: document.py FILE EXPRESSION...      every expression must hold
       document.py --print FILE EXPRESSION print its value

An expression sees the document's keys as variables, the whole as "document", and what ndctl lists
for the document's device as "namespace" and "region" (empty when it is on none)."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import validate


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
    listing = subprocess.run(["ndctl", "list", "-RNv"], capture_output=True, text=True).stdout
    regions = json.loads(listing or "{}")
    regions = regions.get("regions", []) if isinstance(regions, dict) else regions
    wanted = {key: device.get(key) for key in ("blockdev", "chardev")}
    for region in regions:
        for namespace in region.get("namespaces", []):
            if any(named(namespace, **wanted)):
                return namespace, region
    return {}, {}


def main():
    show = sys.argv[1] == "--print"
    path, *expressions = sys.argv[1 + show :]
    data = open(path, "rb").read()
    document = json.loads(data)
    names = dict(document, document=document)
    names["namespace"], names["region"] = ndctl_facts(document.get("device", {}))
    if show:
        print(eval(expressions[0], {}, names))
        return
    failed = list(validate.Validator().errors(data))
    failed += [expression for expression in expressions if not eval(expression, {}, names)]
    for expression in failed:
        print(f"FAILED: {path}: {expression}")
    if failed:
        print(data.decode(), json.dumps([names["namespace"], names["region"]], indent=2))
        sys.exit(1)


main()
