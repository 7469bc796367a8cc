"""Go programs: goroutines and what they wait for, against what the programs tell of themselves.

CORESCAN_TEST_GO names the folder of another Go than Debian bookworm's (scripts/fetch-go).

SPDX-License-Identifier: GPL-3.0-or-later
"""

import re
import unittest

from go_truth import BUILDS, CRASH, GoChecks
from harness import Program, compile_go, corescan, corescan_json


class Goroutines(GoChecks):
    def test_mixture(self):
        """Leaked goroutines among healthy ones, in every kind of wait."""
        for build in BUILDS:
            with self.subTest(build=build):
                self.check_program(build, self.check_patterns, "patterns", "spin")

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


if __name__ == "__main__":
    unittest.main()
