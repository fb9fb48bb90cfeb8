#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The shared library exports what the headers declare, each name with its versions, and nothing else.

usage: test_exports.py LIBRARY HEADERS
"""
import pathlib
import re
import subprocess
import sys

# Declared by libpmem2.h, but not exported by libpmem2.
OURS = {"pmem2_err_to_errno", "pmem2_map", "pmem2_unmap"}
# Exported by Debian's libpmem2 1.12.1 for programs with libminiasync, but not by 2.0.
ASYNCHRONOUS = {"pmem2_config_set_vdm", "pmem2_memcpy_async", "pmem2_memmove_async",
                "pmem2_memset_async"}
OLD, NEW, BEYOND = "LIBPMEM2_1.0", "LIBPMEM2_2.0", "LIBPMEM2FS_0.1"


def declared(header):
    text = re.sub(r"/\*.*?\*/", "", header.read_text(), flags=re.S)
    return set(re.findall(r"^(?!typedef\b)[a-z][\w *]*?\b(pmem2\w*)\(", text, flags=re.M))


def exported(library):
    """{version: {name: address}}, the default version marked by a leading @."""
    output = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", library],
                            check=True, stdout=subprocess.PIPE, text=True).stdout
    versions = {}
    for line in output.splitlines():
        address, kind, symbol = line.split()
        name, _, version = symbol.partition("@")
        if kind == "A" and not version:
            continue  # the version itself
        # functions only
        assert kind == "T", line
        versions.setdefault(version, {})[name] = address
    return versions


def main():
    library, headers = sys.argv[1], pathlib.Path(sys.argv[2])
    libpmem2 = declared(headers / "libpmem2.h") - OURS
    beyond = declared(headers / "libpmem2fs.h") | OURS
    assert len(libpmem2) == 49, sorted(libpmem2)

    versions = exported(library)
    assert versions.keys() == {OLD, "@" + NEW, "@" + BEYOND}, versions.keys()
    failed = False
    # The library must stay loaded after dlclose: it may have mappings and a thread.
    dynamic = subprocess.run(["readelf", "-d", library], check=True, stdout=subprocess.PIPE,
                             text=True).stdout
    if "NODELETE" not in dynamic:
        failed = True
        print("the library can be unloaded")
    for version, names in (OLD, libpmem2), ("@" + NEW, libpmem2), ("@" + BEYOND, beyond):
        for name in sorted(names ^ versions[version].keys()):
            failed = True
            print(f"{name} is {'not ' if name in names else ''}exported under {version.strip('@')}")
    for name, address in versions[OLD].items():
        if versions["@" + NEW].get(name) != address:
            failed = True
            print(f"{name} is not the same function under both versions")

    peer = subprocess.run(["cc", "-print-file-name=libpmem2.so"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    if "/" in peer:
        theirs = set().union(*exported(peer).values()) - ASYNCHRONOUS
        for name in sorted(theirs ^ libpmem2):
            failed = True
            print(f"{name} is in {'libpmem2.h' if name in libpmem2 else peer} only")
    sys.exit(failed)


if __name__ == "__main__":
    main()
