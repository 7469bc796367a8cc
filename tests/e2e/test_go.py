"""Go programs: goroutines and what they wait for, against what the programs tell of themselves.

CORESCAN_TEST_GO names the folder of another Go than Debian bookworm's (scripts/fetch-go).

SPDX-License-Identifier: GPL-3.0-or-later
"""

import re
import unittest

from harness import Program, compile_go, corescan, corescan_json, each_way

CRASH = {"GOTRACEBACK": "crash"}


class Goroutines(unittest.TestCase):
    def check(self, document, program):
        self.assertEqual(document["gaps"], [])
        summary = program.told("gomaxprocs")[0]
        self.assertTrue(document["go"]["version"].startswith(summary["version"].split(" ")[0]))
        self.assertEqual(document["go"]["gomaxprocs"], summary["gomaxprocs"])
        found = {one["id"]: one for one in document["goroutines"]}
        own = [one for one in document["goroutines"] if not one["system"]]
        self.assertEqual(len(own), summary["goroutines"])
        for truth in program.told("goroutine"):
            with self.subTest(truth=truth):
                self.check_one(document, found[truth["goroutine"]], truth)
        self.check_leaks(document, program, found)
        grouped = [number for group in document["goroutine_groups"]
                   for number in group["goroutines"]]
        self.assertEqual(sorted(grouped), sorted(found))
        sizes = [group["count"] for group in document["goroutine_groups"]
                 if not found[group["goroutines"][0]]["system"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def check_leaks(self, document, program, found):
        leaks = document["goroutine_leaks"]
        told = [truth["goroutine"] for truth in program.told("goroutine") if truth["leaked"]]
        self.assertEqual(sorted(one["id"] for one in found.values() if one["leaked"]),
                         sorted(told))
        self.assertEqual(leaks["count"], len(told))
        self.assertFalse(leaks["all_wait"])
        self.assertFalse(leaks["main_waits_forever"])
        heavy = program.told("heavy")[0]["heavy"]
        largest = max(leaks["groups"], key=lambda group: group["bytes"])
        group = document["goroutine_groups"][largest["group"]]
        self.assertIn("main.leakHeavy", group["creator"]["function"])
        self.assertAlmostEqual(largest["bytes"], heavy, delta=2000)
        self.assertAlmostEqual(leaks["bytes"], heavy, delta=20000)

    def check_one(self, document, one, truth):
        stack = document["go_stacks"][one["stack"]]
        self.assertTrue(stack["complete"], stack["stop_reason"])
        calls = [call["function"] for call in stack["calls"]]
        self.assertIn(truth["function"], calls)
        if truth["kind"] == "none":
            self.assertIn(one["state"], ("running", "runnable", "preempted"))
            return
        self.assertEqual(one["state"], "waiting")
        self.assertIn(one["reason"], truth["reason"])
        self.assertEqual(one["wait"]["kind"], truth["kind"])
        objects = one["wait"]["objects"]
        self.assertEqual(sorted(each["address"] for each in objects),
                         sorted(truth["objects"] or []))
        if "type" in truth:
            self.assertEqual([each["element_type"] for each in objects], [truth["type"]])
        if truth["pattern"] == "select":
            sends = {each["address"]: each["sends"] for each in objects}
            self.assertEqual([sends[address] for address in truth["objects"]], [False, True])
        if "local" in truth:
            self.assertEqual(one["wait"]["name"], truth["local"])
            self.assertEqual(one["wait"]["peer"], truth.get("peer"))
            self.assertGreater(one["wait"]["fd"], 2)

    def check_program(self, *flags, cgo=False):
        with Program(compile_go("patterns", *flags, cgo=cgo), "spin", environment=CRASH) as program:
            program.settle()
            each_way(self, program, lambda arguments, way: self.check(
                corescan_json("goroutines", *arguments), program))

    def test_patterns(self):
        self.check_program()

    def test_position_independent(self):
        self.check_program("-buildmode=pie")

    def test_without_debug_information(self):
        self.check_program("-ldflags=-w")

    def test_stripped(self):
        self.check_program("-ldflags=-s -w")

    def test_stripped_position_independent(self):
        self.check_program("-buildmode=pie", "-ldflags=-s -w")

    def test_with_c(self):
        self.check_program(cgo=True)

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


class Resources(unittest.TestCase):
    def check(self, document, program):
        found = document["go_resources"]
        told = {key: value for line in program.truth for key, value in line.items()}
        minor = int(told["version"].split(".")[1].split("-")[0].split(" ")[0])
        files = [one for one in found["files"] if one["network"] is None]
        own = [one for one in files if one["name"] == told["path"]]
        self.assertEqual(len(own), told["files"])
        self.assertEqual(len({one["fd"] for one in own}), told["files"])
        connections = [one for one in found["files"] if one["network"] == "tcp"]
        self.assertEqual(len(connections), told["connections"])
        self.assertEqual(sum(one["peer"] == told["peer"] for one in connections), told["bodies"])
        self.assertEqual([body["peer"] for body in found["bodies"]],
                         [told["peer"]] * told["bodies"])
        self.assertEqual([one["count"] for one in found["defers"]], [told["defers"]])
        self.assertEqual(found["long_sleeps"], told["sleeps"])
        # Since Go 1.23 a ticker that nobody waits for is not set, unless the program is built as
        # one of a former version.
        kept = found["tickers_are_kept"]
        if not 23 <= minor < 27:
            self.assertEqual(kept, minor < 23)
        self.assertEqual(len(found["tickers"]), told["tickers"] if kept else told["awaited"])
        self.assertEqual(sum(one["awaited"] for one in found["tickers"]), told["awaited"])

    def test_resources(self):
        with Program(compile_go("resources"), environment=CRASH) as program:
            program.settle()
            each_way(self, program, lambda arguments, way: self.check(
                corescan_json("goroutines", *arguments), program))

    def test_resources_stripped(self):
        with Program(compile_go("resources", "-ldflags=-s -w"), environment=CRASH) as program:
            program.settle()
            each_way(self, program, lambda arguments, way: self.check(
                corescan_json("goroutines", *arguments), program))


if __name__ == "__main__":
    unittest.main()
