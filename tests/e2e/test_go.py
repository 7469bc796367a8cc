"""Go programs: goroutines and what they wait for, against what the programs tell of themselves.

CORESCAN_TEST_GO names the folder of another Go than Debian bookworm's (scripts/fetch-go).

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import re
import resource
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from go_truth import BUILDS, CRASH, GoChecks, minor_version
from harness import PATIENCE, Program, compile_go, corescan, corescan_json, each_way


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

    def check_printed(self, program):
        core = program.core()
        printed = printed_goroutines((program.directory / "output").read_text())
        document = corescan_json("goroutines", program.executable, core)
        waiting = [one for one in document["goroutines"] if one["state"] == "waiting"]
        for one in waiting:
            with self.subTest(goroutine=one["id"]):
                truth = printed[one["id"]]
                self.assertEqual(one["reason"] or "", truth["reason"])
                calls = [[call["function"], call["line"]]
                         for call in document["go_stacks"][one["stack"]]["calls"]]
                # Go leaves out wrappers that the compiler made.
                told = [call for call in calls if call in truth["calls"] or
                        not re.search(r"\.(gowrap|deferwrap)\d+$", call[0])]
                self.assertEqual(told, truth["calls"])
        return document, waiting

    def test_same_as_go_printed(self):
        with Program(compile_go("patterns"), environment=CRASH) as program:
            program.settle()
            self.assertGreater(len(self.check_printed(program)[1]), 50)

    def test_program_made_by_others(self):
        """Debian's esbuild, stripped, while it serves."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            address = "127.0.0.1:%d" % free.getsockname()[1]
        with Program(Path("/usr/bin/esbuild"), "--serve=" + address, "--servedir=.",
                     environment=CRASH, ready=False, keep_input=True) as program:
            self.request("http://" + address)
            program.settle()
            document, waiting = self.check_printed(program)
        self.assertTrue(document["go"]["stripped"])
        self.assertEqual(document["goroutine_leaks"]["count"], 0)
        names = [one["wait"]["name"] for one in waiting if one["wait"]["kind"] == "IO"]
        self.assertIn(address, names)

    def request(self, address):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                with urllib.request.urlopen(address) as answer:
                    self.assertIn(b"<h1>Directory", answer.read())
                return
            except urllib.error.URLError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)


class Deadlocks(GoChecks):
    """Who holds a mutex is told by a deferred call to unlock it, and by nothing else."""

    def check_deadlocks(self, document, program):
        waits = {one["id"]: one["wait"] for one in document["goroutines"]}
        told = sorted(sorted(line["cycle"]) for line in program.told("cycle"))
        self.assertEqual(sorted(sorted(link["goroutine"] for link in cycle)
                                for cycle in document["go_deadlocks"]), told)
        for cycle in document["go_deadlocks"]:
            for link in cycle:
                self.assertEqual([each["address"] for each in waits[link["goroutine"]]["objects"]],
                                 [link["object"]])
        for line in program.told("waiter"):
            holders = [line["holder"]] if line["holder"] != 0 else []
            self.assertEqual(waits[line["waiter"]]["objects"][0]["holders"], holders)
        # Who waits for a Cond does not hold its lock, though it will unlock it.
        waiting = [wait["objects"][0] for wait in waits.values()
                   if wait and wait["kind"] == "mutex" and not wait["objects"][0]["holders"]]
        self.assertEqual(len(waiting), 2)

    def test_deadlocks(self):
        for build in BUILDS:
            with self.subTest(build=build):
                self.check_program(build, self.check_deadlocks, "deadlock")

    def test_every_goroutine_waits(self):
        """In a program with C the runtime itself does not notice."""
        with Program(compile_go("patterns", cgo=True), "hang", environment=CRASH) as program:
            program.settle()

            def check(target, way):
                leaks = corescan_json("goroutines", *target)["goroutine_leaks"]
                self.assertTrue(leaks["all_wait"])
                self.assertEqual(leaks["count"], 2)
                self.assertIn("DEADLOCK: every goroutine of the program waits",
                              corescan("report", *target).stdout)
            each_way(self, program, check)

    def test_sentences(self):
        with Program(compile_go("deadlock"), environment=CRASH) as program:
            program.settle()
            text = corescan("report", "-p", program.pid).stdout
            self.assertEqual(text.count("DEADLOCK:"), 3)
            words = " ".join(text.split())
            self.assertRegex(words, r"waits for the mutex 0x[0-9a-f]+ <main.second>, which "
                                    r"goroutine \d+ holds; goroutine \d+ waits for the mutex")
            self.assertRegex(words, r"waits for the RWMutex 0x[0-9a-f]+ <t.lock of "
                                    r"main.\(\*table\).write>, which it holds itself")


def delve_goroutines(executable, core):
    """The goroutines as Delve has them: id to reason, and calls with their lines."""
    text = subprocess.run(
        ["dlv", "core", executable, core, "--allow-non-terminal-interactive=true"],
        input="goroutines -t 100\nexit\n", capture_output=True, text=True, check=True,
        timeout=300).stdout
    found, one = {}, None
    for line in text.splitlines():
        heading = re.search(r"Goroutine (\d+) - User: .*?(?: \[(.*)\])?$", line)
        if heading:
            reason = re.sub(r" \d+$", "", heading[2] or "")
            one = found[int(heading[1])] = {"reason": reason, "calls": []}
        elif re.match(r"\t *\d+  0x", line):
            one["calls"].append([line.split(" in ")[1], 0])
        elif re.match(r"\t +at ", line):
            one["calls"][-1][1] = int(line.rsplit(":", 1)[1])
    return found


class Delve(unittest.TestCase):
    """The table of goroutines is Delve's, for a version that it knows. It tells the line of the
    innermost frame's PC, which in a goroutine that waits is a return address: Go's own dump and
    corescan tell the line of the call."""

    def test_same_as_delve(self):
        if "CORESCAN_TEST_GO" in os.environ:
            return  # Debian's Delve knows Debian's Go
        with Program(compile_go("patterns"), environment=CRASH) as program:
            program.settle()
            core = program.core()
            told = delve_goroutines(program.executable, core)
            document = corescan_json("goroutines", program.executable, core)
        self.assertEqual({one["id"] for one in document["goroutines"]}, set(told))
        for one in document["goroutines"]:
            if one["state"] != "waiting":
                continue
            with self.subTest(goroutine=one["id"]):
                self.assertEqual(one["reason"], told[one["id"]]["reason"])
                calls = [[call["function"], call["line"]]
                         for call in document["go_stacks"][one["stack"]]["calls"]]
                self.assertEqual(calls[0][0], told[one["id"]]["calls"][0][0])
                self.assertEqual(calls[1:], told[one["id"]]["calls"][1:])


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
                minor = minor_version(document["go"]["version"])
                known = way == "live" or minor >= 22
                limit = 63 if minor >= 24 else 64  # Go leaves one, to be told from others
                self.assertEqual(document["go_resources"]["files_limit"], limit if known else None)
                said = f"of {limit} that may be" in corescan("report", *target).stdout
                self.assertEqual(said, known)
            each_way(self, program, check)


if __name__ == "__main__":
    unittest.main()
