#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""The reference pages match the headers, their examples compile, and groff reports no problem.

usage: test_man.py SOURCES PAGES LIBRARY PAGE=FUNCTION,FUNCTION... ...

SOURCES is the folder of the library's sources and headers, PAGES that of the pages as they are
installed, LIBRARY what the example of libpmem2fs(7) is linked with; each PAGE of manual section 3
comes with the functions under whose names it can be found.
"""
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

WIDTH = 80
# As the library was compiled: the program needs the same sanitizer.
COMPILE = [*shlex.split(os.environ.get("CC", "cc")), "-std=gnu11", "-Wall", "-Wextra", "-Werror"]
ERROR = re.compile(r"-E[A-Z]+\b|PMEM2_E_[A-Z_]+")

failures = []


def fail(where, what):
    failures.append(f"{where}: {what}")


def squeeze(text):
    """Without white space, so that only the words and their order count."""
    return re.sub(r"\s*([^\w\s])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


class Page:
    def __init__(self, path):
        self.path = path
        self.name = path.name
        self.sections = {}
        section = None
        for line in render(path, 1000).splitlines():
            if re.match(r"\S", line):
                section = self.sections.setdefault(line, [])
            elif section is not None:
                section.append(line)

    def text(self, section):
        return "\n".join(self.sections.get(section, []))

    def errors_of(self, function):
        """The text of ERRORS about a function: before its headings, and below those that name it."""
        lines, ours = [], True
        for line in self.sections.get("ERRORS", []):
            if re.match(r" {3}\S", line):
                names = re.findall(r"\w+", line)
                ours = function in names or any(
                    name.startswith("_") and function.endswith(name) for name in names)
            elif ours:
                lines.append(line)
        return "\n".join(lines)

    def blocks(self):
        """The parts of the source that are set as they are written."""
        text = self.path.read_text(encoding="utf-8")
        for block in re.findall(r"^\.EX\n(.*?)^\.EE$", text, flags=re.M | re.S):
            yield block.replace("\\e", "\\").replace("\\(aq", "'").replace("\\-", "-")


def render(path, width):
    """The text of a page; warnings of groff are failures."""
    done = subprocess.run(["groff", "-man", "-ww", "-Tascii", "-P-cbou", f"-rLL={width}n", path],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True)
    for line in done.stderr.splitlines():
        fail(path.name, f"groff: {line}")
    return done.stdout


class Header:
    def __init__(self, path):
        self.text = path.read_text(encoding="utf-8")
        self.name = path.name
        self.prototypes = {}
        self.typedefs = []
        self.members = {}
        self.comments = {}
        self.read_declarations()
        self.read_comments()

    def read_declarations(self):
        text = re.sub(r"/\*.*?\*/", "", self.text, flags=re.S)
        text = re.sub(r"\s*__attribute__\(\(.*?\)\)\)*(?=;)", "", text)
        text = re.sub(r"^#.*(?:\\\n.*)*\n", "", text, flags=re.M)
        for kind, name, body in re.findall(r"^(struct|enum) (\w+) \{\n(.*?)^\};", text,
                                           flags=re.M | re.S):
            split = ";" if kind == "struct" else ","
            self.members[name] = [squeeze(part) + (";" if kind == "struct" else "")
                                  for part in body.split(split) if part.strip()]
        text = re.sub(r'extern "C" \{|\{.*?\}', "", text, flags=re.S)
        for declaration in text.split(";"):
            declaration = squeeze(declaration) + ";"
            name = re.search(r"\b(pmem2(?:fs)?_\w+|pmem2_map)\(", declaration)
            if declaration.startswith("typedef "):
                self.typedefs.append(declaration)
            elif name:
                self.prototypes[name.group(1)] = declaration

    def read_comments(self):
        """The comment right before a function, and before those that follow without a gap."""
        comment = ""
        for part in re.split(r"(/\*.*?\*/\n)|(\n\n)", self.text, flags=re.S):
            if not part:
                continue
            if part.startswith("/*"):
                comment = re.sub(r"\n \*(?: |(?=\n))", "\n", part)
            elif part == "\n\n":
                comment = ""
            else:
                for name in re.findall(r"\b(pmem2\w*)\(", part):
                    if name in self.prototypes:
                        self.comments[name] = comment

    def errors_of(self, function):
        comment = self.comments.get(function, "")
        _, found, errors = comment.partition("Errors")
        ordered = bool(re.match(r"[^.]*?\bin (?:the|this) order\b", errors)) if found else False
        return ERROR.findall(errors), ordered


def is_subsequence(wanted, there):
    there = iter(there)
    return all(item in there for item in wanted)


def check_function(header, page, function):
    synopsis = squeeze(page.text("SYNOPSIS"))
    if header.prototypes[function] not in synopsis:
        fail(page.name, f"SYNOPSIS has not {header.prototypes[function]}")
    if f"#include<{header.name}>" not in synopsis.replace(" ", ""):
        fail(page.name, f"SYNOPSIS does not include {header.name}")
    wanted, ordered = header.errors_of(function)
    there = ERROR.findall(page.errors_of(function))
    for error in wanted:
        if error not in there:
            fail(page.name, f"ERRORS of {function} lacks {error}")
    if ordered and not is_subsequence(wanted, there):
        fail(page.name, f"ERRORS of {function} has another order than {header.name}")


def check_found(pages, groups, headers):
    """Every function is declared, has one page, and that page's NAME names it."""
    declared = set().union(*(header.prototypes for header in headers))
    listed = [function for functions in groups.values() for function in functions]
    for function in sorted(declared ^ set(listed)):
        fail(function, "has no page" if function in declared else "has a page but is not declared")
    for function in listed:
        if listed.count(function) > 1:
            fail(function, "has two pages")
    for name, functions in groups.items():
        names = pages[name + ".3"].text("NAME").partition(" - ")[0].replace(",", " ").split()
        if sorted(names) != sorted(functions):
            fail(name, f"NAME and the build's list differ in {set(names) ^ set(functions)}")


def check_declared(pages, headers):
    """What is no prototype: types, members, constants."""
    everything = squeeze("\n".join("\n".join(lines) for page in pages.values()
                                   for lines in page.sections.values()))
    code = squeeze(re.sub(r"/\*.*?\*/", "", everything))
    for header in headers:
        for typedef in header.typedefs:
            if typedef not in everything:
                fail(header.name, f"no page has {typedef}")
        for name, members in header.members.items():
            for member in members:
                # An enumerator's value does not matter.
                member = member.partition("=")[0] if not member.endswith(";") else member
                if member not in code:
                    fail(header.name, f"no page has {member} of {name}")
        # Except the sums of other constants.
        for constant in set(re.findall(r"^#define (PMEM2\w+) ", header.text, flags=re.M)) \
                - {"PMEM2_F_MEM_VALID_FLAGS"}:
            if not re.search(rf"\b{constant}\b", everything):
                fail(header.name, f"no page has {constant}")
    constants = "\n".join(header.text for header in headers)
    for page in pages.values():
        text = "\n".join("\n".join(lines) for lines in page.sections.values())
        # PMEM2FS and PMEM2_FORCE_GRANULARITY are variables of the environment.
        for constant in set(re.findall(r"\bPMEM2(?:FS)?_\w+", text)) - {"PMEM2_FORCE_GRANULARITY"}:
            if not re.search(rf"\b{constant}\b", constants):
                fail(page.name, f"the headers have no {constant}")


def check_codes(page, header):
    """The table of errors has their numbers and the results of pmem2_err_to_errno."""
    codes = re.findall(r"^#define (PMEM2_E_\w+) +\((-\d+)\)", header.text, flags=re.M)
    assert len(codes) >= 37, codes
    table = re.findall(r"^ +(PMEM2_E_\w+) \((-\d+), (\w+)\)$", page.text("ERROR CODES"), flags=re.M)
    wanted = [(name, number, "ENOTSUP" if name == "PMEM2_E_NOSUPP" else "EINVAL")
              for name, number in codes]
    if table != wanted:
        fail(page.name, f"ERROR CODES differs in {sorted(set(table) ^ set(wanted))}")


def check_environment(page, sources):
    """The library's variables, and no others."""
    wanted = set()
    for source in sources.rglob("*.c"):
        wanted |= set(re.findall(r'"(PMEM\w+)"', source.read_text(encoding="utf-8")))
    there = set()
    for line in page.sections["ENVIRONMENT"]:
        if re.match(r" {7}\S", line):
            there |= set(re.findall(r"\bPMEM\w{2,}", line))
    for name in sorted(wanted ^ there):
        fail(page.name, f"ENVIRONMENT {'lacks' if name in wanted else 'should not have'} {name}")


def check_references(pages, groups):
    ours = {function for functions in groups.values() for function in functions} | set(groups)
    known = {(name, "3") for name in ours} | {("libpmem2fs", "7"), ("pmem2fs", "8"),
                                              ("pmem2ctl", "1")}
    for page in pages.values():
        text = "\n".join("\n".join(lines) for lines in page.sections.values())
        for name, section in set(re.findall(r"\b((?:lib)?pmem2\w*)\((\d)\)", text)):
            if (name, section) not in known:
                fail(page.name, f"there is no {name}({section})")
        for name in set(re.findall(r"\b(pmem2\w+)\(\)", text)):
            if name not in ours:
                fail(page.name, f"there is no {name}()")


def check_width(page):
    for line in render(page.path, WIDTH - 2).splitlines():
        if len(line) > WIDTH:
            fail(page.name, f"too long for a terminal: {line.strip()}")


def compile_with(headers, arguments, source, output):
    done = subprocess.run([*COMPILE, f"-I{headers}", "-x", "c", "-", "-x", "none", "-o", output,
                           *arguments], input=source, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def check_examples(pages, headers, library):
    programs = 0
    with tempfile.TemporaryDirectory() as folder:
        for page in pages.values():
            for block in page.blocks():
                if "#include" not in block:
                    continue
                complete = "int main(" in block
                programs += complete
                program = pathlib.Path(folder, "example")
                arguments = [library, f"-Wl,-rpath,{library.parent}"] if complete else ["-c"]
                ret, output = compile_with(headers, arguments, block, program)
                if ret:
                    fail(page.name, f"an example does not compile: {output}")
                elif complete:
                    check_program(page, program)
    if not programs:
        fail("libpmem2fs.7", "there is no complete example")


def check_program(page, program):
    """The example of libpmem2fs(7): writes a text into a file."""
    file = program.with_name("file")
    file.write_bytes(bytes(5000))
    done = subprocess.run([program, file, "persistent"], check=False)
    if done.returncode or file.read_bytes() != b"persistent" + bytes(4990):
        fail(page.name, f"the example does not do its work ({done.returncode})")
    done = subprocess.run([program, file.parent, "persistent"], check=False,
                          stderr=subprocess.PIPE)
    if done.returncode != 2:
        fail(page.name, f"the example maps a folder ({done.returncode})")


def main():
    sources, folder, library = (pathlib.Path(argument).resolve() for argument in sys.argv[1:4])
    groups = {name: functions.split(",") for name, functions in
              (argument.split("=") for argument in sys.argv[4:])}
    headers = [Header(sources / "include" / name) for name in ("libpmem2.h", "libpmem2fs.h")]
    try:
        pages = {path.name: Page(path) for path in sorted(folder.glob("*.[37]"))}
    except FileNotFoundError:
        print("groff is not installed", file=sys.stderr)
        return 77
    if pages.keys() != {name + ".3" for name in groups} | {"libpmem2fs.7"}:
        fail(folder, f"other pages than the build's: {sorted(pages)}")

    check_found(pages, groups, headers)
    for name, functions in groups.items():
        for function in functions:
            for header in headers:
                if function in header.prototypes:
                    check_function(header, pages[name + ".3"], function)
    check_declared(pages, headers)
    check_codes(pages["libpmem2fs.7"], headers[0])
    check_environment(pages["libpmem2fs.7"], sources)
    check_references(pages, groups)
    for page in pages.values():
        check_width(page)
    check_examples(pages, sources / "include", library)
    print("\n".join(dict.fromkeys(failures)), file=sys.stderr)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
