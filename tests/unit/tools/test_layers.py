#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tools/layers: a small tree without offences, and one for each offence.

Usage: test_layers.py LAYERS [TEST]...
"""
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

CLEAN = {
    "lib/include/libpmem2.h": "#ifndef LIBPMEM2_H\n#define LIBPMEM2_H\nint pmem2_low(void);\n#endif\n",
    "lib/base/low.h": "#ifndef LOW_H\n#define LOW_H\nstruct low {\n\tint x;\n};\nint low(void);\n#endif\n",
    "lib/base/low.c": '#include "base/low.h"\n#include "libpmem2.h"\n#include <stddef.h>\n'
                      "int low(void)\n{\n\treturn 1;\n}\nint pmem2_low(void)\n{\n\treturn low();\n}\n",
    "lib/base/other.c": "static int low_count;\nint other(void)\n{\n\treturn low_count;\n}\n",
    "lib/map/high.c": '#include "base/low.h"\n/* int low(void) { */\nint high(void)\n{\n'
                      "\treturn low();\n}\n",
    "fs/base/log.h": "#ifndef LOG_H\n#define LOG_H\nvoid log_it(void);\n#endif\n",
    "fs/base/log.c": '#include "base/log.h"\nvoid log_it(void)\n{\n}\n',
    "fs/main.c": '#include "base/log.h"\n#include "libpmem2.h"\nint main(void)\n{\n\tlog_it();\n'
                 "\treturn pmem2_low();\n}\n",
    "tools/ctl/ctl.c": '#include "base/log.h"\nint main(void)\n{\n\tlog_it();\n\treturn 0;\n}\n',
}


class Layers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = os.path.realpath(folder.name)
        for path, text in CLEAN.items():
            self.write(path, text)
        shutil.copy(LAYERS, os.path.join(self.root, "tools/layers"))

    def write(self, path, text):
        path = os.path.join(self.root, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def append(self, path, text):
        with open(os.path.join(self.root, path), "a", encoding="utf-8") as file:
            file.write(text)

    def build(self):
        """Compiles every file as meson would; returns the folder."""
        build = os.path.join(self.root, "build")
        commands = []
        os.mkdir(build)
        for folder, _, names in os.walk(self.root):
            for name in names:
                if not name.endswith(".c"):
                    continue
                path = os.path.relpath(os.path.join(folder, name), build)
                item = path.replace("../", "").replace("/", "_") + ".o"
                includes = [f"-I../{root}" for root in ("lib", "lib/include", "fs", "tools")]
                subprocess.run(COMPILER + ["-c", *includes, path, "-o", item], cwd=build, check=True)
                commands.append({"directory": build, "file": path, "output": item})
        with open(os.path.join(build, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump(commands, file)
        return build

    def check(self, *expected, build=False):
        """Runs tools/layers, which has to print just these lines."""
        arguments = [self.build()] if build else []
        done = subprocess.run([sys.executable, "-B", os.path.join(self.root, "tools/layers"),
                               *arguments], capture_output=True, text=True, check=False)
        self.assertEqual(done.stderr, "")
        self.assertEqual(done.stdout.splitlines(), list(expected))
        self.assertEqual(done.returncode, 1 if expected else 0)

    def test_clean(self):
        self.check(build=True)
        os.remove(os.path.join(self.root, "build/compile_commands.json"))
        self.check()

    def test_include_of_a_higher_folder(self):
        self.write("lib/map/high.h", "int high(void);\n")
        self.append("lib/base/other.c", '#include "map/high.h"\n')
        self.check("lib/base/other.c:6: lib/base may not include lib/map/high.h")

    def test_include_of_a_private_header(self):
        self.append("fs/main.c", '#include "base/low.h"\n')
        self.append("tools/ctl/ctl.c", '#include "catalog/nodes.h"\n')
        self.write("fs/catalog/nodes.h", "int nodes(void);\n")
        self.check("fs/main.c:8: fs may not include lib/base/low.h",
                   "tools/ctl/ctl.c:7: tools/ctl may not include fs/catalog/nodes.h")

    def test_include_in_angle_brackets(self):
        self.write("fs/host/proc.h", "int proc(void);\n")
        self.append("fs/base/log.c", "#include <host/proc.h>\n#include <log.h>\n"
                    "#include <libpmem2.h>\n")
        self.check("fs/base/log.c:5: fs/base may not include fs/host/proc.h")

    def test_keeper(self):
        self.write("fs/keeper/keeper.c", '#include "base/log.h"\n#include "host/proc.h"\n')
        self.write("fs/host/proc.h", "int proc(void);\n")
        self.check("fs/keeper/keeper.c:2: fs/keeper may not include fs/host/proc.h")

    def test_include_without_its_folder(self):
        self.append("lib/base/other.c", '#include "low.h"\n#include "none.h"\n')
        self.check('lib/base/other.c:6: "low.h" is not spelled with its folder',
                   'lib/base/other.c:7: "none.h" is no file of the tree')

    def test_include_of_a_macro(self):
        self.append("fs/base/log.c", '#define OTHER "host/proc.h"\n#include OTHER\n')
        self.check("fs/base/log.c:6: an include that does not name a file")

    def test_unknown_folder(self):
        self.write("lib/misc/new.c", "int new_one(void)\n{\n\treturn 0;\n}\n")
        self.check("lib/misc/new.c:1: lib/misc is none of the folders that tools/layers knows")

    def test_circle_of_includes(self):
        self.append("lib/base/low.h", '#include "base/other.h"\n')
        self.write("lib/base/other.h", '#include "base/low.h"\n')
        self.check("lib/base/low.h:8: circle of includes: "
                   "lib/base/low -> lib/base/other -> lib/base/low")

    def test_circle_of_calls(self):
        self.append("lib/base/low.c", "int other(void);\nint low_other(void)\n{\n"
                    "\treturn other();\n}\n")
        self.append("lib/base/other.c", "int low(void);\nint other_low(void)\n{\n"
                    "\treturn low();\n}\n")
        self.check("lib/base/low.c:12: circle of calls: "
                   "lib/base/low -> lib/base/other -> lib/base/low", build=True)

    def test_call_of_a_higher_folder(self):
        self.append("lib/base/other.c", "int high(void);\nint other_high(void)\n{\n"
                    "\treturn high();\n}\n")
        self.check("lib/base/other.c:6: lib/base may not call high of lib/map/high.c", build=True)

    def test_call_of_a_private_function(self):
        self.append("fs/main.c", "int high(void);\nint call(void)\n{\n\treturn high();\n}\n")
        self.check("fs/main.c:8: fs may not call high of lib/map/high.c", build=True)

    def test_names(self):
        self.write("fs/base/twice.c", "#ifndef NO_GUARD\n#define NO_GUARD\n#endif\n"
                   "struct low {\n\tint y;\n};\nint low_count;\n"
                   "int\nother(int (*f)(void))\n{\n\treturn f();\n}\n")
        self.write("fs/base/twice.h", "#ifndef LOW_H\n#define LOW_H\n"
                   "static inline int low(void)\n{\n\treturn 2;\n}\n#endif\n")
        self.check("lib/base/low.c:4: name low is also that of fs/base/twice.h:3",
                   "lib/base/low.h:1: include guard LOW_H is also that of fs/base/twice.h:1",
                   "lib/base/low.h:3: tag low is also that of fs/base/twice.c:4",
                   "lib/base/other.c:2: name other is also that of fs/base/twice.c:9")

    def test_spellings_of_include_guards(self):
        self.write("fs/base/a.h", "#if !defined(LOW_H)\n#define LOW_H 1\n#endif\n")
        self.write("fs/base/b.h", "# ifndef  LOG_H\n#  define LOG_H\n# endif\n")
        self.check("fs/base/log.h:1: include guard LOG_H is also that of fs/base/b.h:1",
                   "lib/base/low.h:1: include guard LOW_H is also that of fs/base/a.h:1")

    def test_names_that_only_the_build_shows(self):
        self.write("fs/base/twice.c", "int other, log_count;\n#define DEFINE(name) int name##_count\n"
                   "DEFINE(low);\nint (*low(void))(void)\n{\n\treturn 0;\n}\n")
        self.write("lib/base/counts.c", "int low_count, log_count;\n")
        self.check("lib/base/counts.c:1: name log_count is also that of fs/base/twice.c:1",
                   "lib/base/counts.c:1: name low_count is also that of fs/base/twice.c:1",
                   "lib/base/low.c:4: name low is also that of fs/base/twice.c:4",
                   "lib/base/other.c:2: name other is also that of fs/base/twice.c:1", build=True)

    def test_names_of_variables(self):
        self.write("fs/base/state.c", "const int *table[2] = {0};\nextern int elsewhere;\n"
                   "static int mine;\nint number(void);\n")
        self.write("lib/base/state.c", "int table;\nint elsewhere = 1;\nstatic int mine;\n"
                   "int number(void)\n{\n\treturn mine;\n}\n")
        self.check("lib/base/state.c:1: name table is also that of fs/base/state.c:1")

    def test_names_of_variables_behind_a_structure(self):
        self.write("fs/base/state.c", "static struct {\n\tint x;\n} mine;\n"
                   "static const struct {\n\tint x;\n} list[] = {{1}};\n"
                   "struct {\n\tint x;\n} both;\nstruct part {\n\tint x;\n};\n")
        self.write("lib/base/state.c", "int mine;\nint list[1];\nint part;\n"
                   "struct {\n\tint x;\n} both;\n")
        self.check("lib/base/state.c:6: name both is also that of fs/base/state.c:9")


LAYERS = os.path.abspath(sys.argv.pop(1))
COMPILER = shlex.split(os.environ.get("CC", "cc"))
if __name__ == "__main__":
    unittest.main()
