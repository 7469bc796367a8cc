"""Go programs: goroutines and what they wait for, against what the programs tell of themselves.

CORESCAN_TEST_GO names the folder of another Go than Debian bookworm's (scripts/fetch-go).

SPDX-License-Identifier: GPL-3.0-or-later
"""

import re
import resource
import unittest

from go_truth import BUILDS, CRASH, GoChecks, minor_version
from harness import Program, compile_go, corescan, corescan_json, each_way


class Goroutines(GoChecks):
    def test_mixture(self):
        """Leaked goroutines among healthy ones, in every kind of wait."""
        for build in BUILDS:
            with self.subTest(build=build):
                self.check_program(build, self.check_patterns, "patterns", "spin")

    def test_collector_at_work(self):
        """In the middle of a collection the verdict is the same. It is caught within some looks."""
        with Program(compile_go("patterns"), "collect", environment=CRASH) as program:
            phases = set()
            for _ in range(200):
                document = corescan_json("goroutines", "-p", program.pid)
                self.build, self.way = "DWARF", "live"
                self.check_patterns(document, program)
                phases.add(document["go"]["collector"])
                if "marking" in phases:
                    break
            self.assertIn("marking", phases)

    def test_main_that_waits_for_ever(self):
        """It is told of, and is not counted as leaked."""
        with Program(compile_go("patterns"), "main", environment=CRASH) as program:
            program.settle()
            document = corescan_json("goroutines", "-p", program.pid)
            self.assertTrue(document["goroutine_leaks"]["main_waits_forever"])
            self.assertEqual(document["goroutine_leaks"]["count"], 28)
            self.assertIn("main waits for what nothing that can run leads to",
                          corescan("goroutines", "-p", program.pid).stdout)

    def test_text(self):
        with Program(compile_go("patterns"), environment=CRASH) as program:
            program.settle()
            core = program.core()
            report = corescan(program.executable, core).stdout
            self.assertIn("GO  go", report)
            self.assertIn("28 leaked", report)
            self.assertNotIn("glibc", report)
            for command in "heap", "leaks":
                said = corescan(command, program.executable, core, expect=(0,)).stdout
                self.assertIn("there is no malloc in this Go program", said)
            text = corescan("goroutines", program.executable, core).stdout
            self.assertIn("6 goroutines, chan receive", text)
            self.assertIn("  created by main.healthyChain patterns.go:", text)
            for line in (report + text).splitlines():
                self.assertLessEqual(len(line), 80, line)


def printed_goroutines(text):
    """The goroutines of Go's own stack dump: id to reason, calls and creator."""
    found, one = {}, None
    for line in text.splitlines():
        heading = re.match(r"goroutine (\d+) .*\[([^,\]]*).*\]:$", line)
        if heading:
            number = int(heading.group(1))
            one = None
            if number not in found:
                one = found[number] = {"reason": heading.group(2), "calls": [], "creator": None}
        elif not line or one is None:
            one = None
        elif line.startswith("created by "):
            one["creator"] = line[len("created by "):].split(" in goroutine ")[0]
        elif line.startswith("\t") and one["creator"] is None:
            one["calls"][-1][1] = int(re.match(r".*:(\d+)", line).group(1))
        elif not line.startswith("\t"):
            one["calls"].append([line.rsplit("(", 1)[0], 0])
    return found


class Dump(unittest.TestCase):
    """What Go itself printed when SIGABRT came, goroutine by goroutine."""

    def test_same_as_go_printed(self):
        with Program(compile_go("patterns"), environment=CRASH) as program:
            program.settle()
            core = program.core()
            printed = printed_goroutines((program.directory / "output").read_text())
            document = corescan_json("goroutines", program.executable, core)
        compared = 0
        for one in document["goroutines"]:
            if one["state"] != "waiting":
                continue
            with self.subTest(goroutine=one["id"]):
                truth = printed[one["id"]]
                self.assertEqual(one["reason"] or "", truth["reason"])
                calls = [[call["function"], call["line"]]
                         for call in document["go_stacks"][one["stack"]]["calls"]]
                # Go leaves out wrappers that the compiler made.
                told = [call for call in calls if call in truth["calls"] or
                        not re.search(r"\.(gowrap|deferwrap)\d+$", call[0])]
                self.assertEqual(told, truth["calls"])
                compared += 1
        self.assertGreater(compared, 50)


class Resources(GoChecks):
    def test_all(self):
        for build in BUILDS:
            with self.subTest(build=build):
                self.check_program(build, self.check_resources, "resources")

    def test_close_to_the_limit(self):
        """Go raises the soft limit to the hard one; where it notes that, a core tells of it."""
        with Program(compile_go("resources"), "files", environment=CRASH,
                     limits={resource.RLIMIT_NOFILE: (60, 64)}) as program:
            program.settle()

            def check(target, way):
                document = corescan_json("goroutines", *target)
                known = way == "live" or minor_version(document["go"]["version"]) >= 21
                self.assertEqual(document["go_resources"]["files_limit"], 64 if known else None)
                said = "of 64 that may be" in corescan("report", *target).stdout
                self.assertEqual(said, known)
            each_way(self, program, check)


if __name__ == "__main__":
    unittest.main()
