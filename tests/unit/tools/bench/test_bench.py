#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The measurements of the bench that need a daemon, with few mappings and rounds.

Usage: test_bench.py BENCH [TEST]... What they measure is not looked at: that depends on the machine.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

BENCH = sys.argv.pop(1)
# Rows of each crowd: name, peer, target.
CROWD = [
    ("crowd ls -U", "tmpfs", 1.5),
    ("crowd ls, rested", "cat maps", 2),
    ("crowd ls, rested", "tmpfs", None),
    ("crowd first ls -l", "tmpfs", 3),
    ("crowd list", "cat maps", 3),
    ("crowd list --json", "cat maps", 6),
    ("crowd cat beside list", "alone", None),
    ("crowd holders", "lsof", 1.5),
    ("crowd holders", "fuser", None),
]
HAVE_LSOF = shutil.which("lsof") and shutil.which("fuser")


def named(rows):
    return [(row["name"], row["peer"], row.get("target")) for row in rows]


class Bench(unittest.TestCase):
    def run_bench(self, *arguments, status=0, **settings):
        done = subprocess.run([BENCH, "-r", "1", "-s", "0", *arguments], capture_output=True,
                              text=True, check=False, env={**os.environ, **settings})
        self.assertEqual(done.returncode, status, done.stderr)
        return done

    def measure(self, *arguments, **settings):
        report = json.loads(self.run_bench("--json", *arguments, **settings).stdout)
        self.assertTrue(report["complete"])
        for row in report["rows"]:
            self.assertGreater(min(row["ours_ns"], row["peer_ns"], row["ratio"]), 0, row)
        return report

    def test_files(self):
        report = self.measure("-n", "20", "create", "stat", "read", "ls-U", "ls", "expired", "ls-l",
                              "rm", "memory")
        self.assertEqual([row["name"] for row in report["rows"]],
                         ["create", "stat", "open+read+close", "ls -U", "ls", "stat, expired",
                          "first ls -l", "rm"])
        self.assertIn("memory", report)
        self.assertEqual(report["busy_cpus"], 0)
        self.assertFalse([row for row in report["rows"] if "ours_cpu_ns" in row])
        with_target = [row for row in report["rows"] if "target" in row]
        worst = max(with_target, key=lambda row: row["ratio"] / row["target"])
        self.assertEqual(report["worst"], {key: worst[key] for key in report["worst"]})
        self.assertEqual(set(report["worst"]), {"name", "peer", "ratio", "target"})

    def test_publish(self):
        self.assertEqual({row["peer"] for row in self.measure("publish")["rows"]}, {"off"})

    @unittest.skipUnless(HAVE_LSOF, "needs lsof and fuser")
    def test_holders(self):
        report = self.measure("holders")
        self.assertEqual(named(report["rows"]), [("holders", "fuser+lsof", 1)])

    def test_crowds(self):
        groups = ("crowd of 3 processes with 7 mappings each, of 1 file",
                  "crowd of 2 processes with 5 mappings each, of 3 files")
        report = self.measure("--crowd", "3x7", "--crowd", "2x5x3", "crowd")
        for group in groups:
            rows = [row for row in report["rows"] if row["group"] == group]
            self.assertEqual(named(rows), CROWD if HAVE_LSOF else CROWD[:7])
            for row in rows:
                self.assertGreater(min(row["ours_cpu_ns"], row["peer_cpu_ns"]), 0, row)
                if "target" in row:
                    self.assertEqual(row["ok"], row["ratio"] <= row["target"])
        self.assertIn(report["worst"]["group"], groups)

    def test_table_of_a_crowd(self):
        lines = self.run_bench("--crowd", "1x2", "--busy", "crowd").stdout.splitlines()
        others = len(os.sched_getaffinity(0)) - 1
        self.assertIn(f"; {others} other CPUs kept busy", lines[0])
        first = lines.index("crowd of 1 process with 2 mappings each, of 1 file")
        self.assertEqual(lines[first + 1].split(),
                         ["ours", "µs", "CPU", "µs", "peer", "peer", "µs", "CPU", "µs", "ratio",
                          "quartiles", "overall", "rounds", "target"])
        rows = CROWD if HAVE_LSOF else CROWD[:6]
        for line, (name, peer, target) in zip(lines[first + 2:], rows):
            self.assertRegex(line, rf"^{name} .* {peer} ")
            if target:
                self.assertRegex(line, rf"  <= {target} (ok|MISSED)$")
        self.assertRegex(lines[-1], r"^worst against its target: crowd .* to .*, crowd of 1 process "
                                    r"with 2 mappings each, of 1 file: ratio .* times its target of")

    def test_without_lsof(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("sh", "cat"):
                os.symlink(shutil.which(name), os.path.join(folder, name))
            done = self.run_bench("--json", "--crowd", "1x1", "crowd", PATH=folder)
        self.assertEqual(named(json.loads(done.stdout)["rows"]), CROWD[:7])
        self.assertEqual(done.stderr, "bench: crowd holders: skipped, fuser or lsof is not there "
                                      "(psmisc, lsof)\n")

    def test_lsof_that_finds_nothing(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("sh", "cat"):
                os.symlink(shutil.which(name), os.path.join(folder, name))
            for name in ("lsof", "fuser"):
                os.symlink(shutil.which("true"), os.path.join(folder, name))
            done = self.run_bench("--json", "--crowd", "1x1", "crowd", PATH=folder, status=1)
        self.assertFalse(json.loads(done.stdout)["complete"])
        self.assertIn("bench: crowd holders: finds 0 of 1\n", done.stderr)

    def test_no_crowds(self):
        for shape in ("", "3", "x", "3x", "x3", "0x1", "1x0", "1x2x0", "1x2x3", "1x2x1x1", "-1x2",
                      "1x2 ", "1x2xa", "1000001x1", "1000x1001", "99999999999999999999x1"):
            done = self.run_bench("--crowd", shape, "crowd", status=2)
            self.assertIn("not a crowd: " + shape, done.stderr)
        done = self.run_bench(*["--crowd", "1x1"] * 5, "crowd", status=2)
        self.assertIn("one crowd too many: 1x1", done.stderr)


if __name__ == "__main__":
    if not os.path.exists("/dev/fuse"):
        sys.exit(77)
    unittest.main()
