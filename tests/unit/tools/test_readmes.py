#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every file, folder and function that the documents for developers name is in the tree.

usage: test_readmes.py TOP
"""
import pathlib
import re
import sys

DOCUMENTS = ["README.md", "fs/README.md", "fs/SECURITY.md", "lib/README.md", "tests/README.md"]
SOURCES = ["fs", "lib", "tests", "tools"]


def main():
    top = pathlib.Path(sys.argv[1])
    paths = [path.relative_to(top) for tree in SOURCES for path in (top / tree).rglob("*")]
    names = {str(path) for path in paths}
    for path in paths:
        # Also from the folder of the tree or the test folder on, and without the ending.
        for ending in (str(path), str(path.with_suffix(""))):
            names.update(ending.split("/", depth)[-1] for depth in range(1, 6))
    words = set()
    for path in paths:
        if path.suffix in (".c", ".h", ".py", ".sh", ".ld") or path.name == "meson.build":
            words.update(re.findall(r"\w+", (top / path).read_text(errors="replace")))

    failed = False
    for document in DOCUMENTS:
        text = (top / document).read_text()
        for name in re.findall(r"`([^`\n]+)`", text):
            if re.fullmatch(r"[\w-]+(/[\w-]+)+(\.\w+)?/?|\w+\.[chp]y?", name):
                if not name.startswith(("build/", "share/")) and name.rstrip("/") not in names:
                    failed = True
                    print(f"{document}: there is no file {name}")
            elif re.fullmatch(r"[a-z]\w*_\w+", name) and name not in words:
                failed = True
                print(f"{document}: nothing is called {name}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
