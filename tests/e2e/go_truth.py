"""What corescan says of a Go program against what the program told of itself (tests/programs/go),
and how such programs are built.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import re
import unittest

from harness import Program, compile_go, corescan_json, count, each_way

CRASH = {"GOTRACEBACK": "crash"}

# By CORESCAN_TEST_GO_BUILDS only some of them, by their names and a comma between.
ALL_BUILDS = {
    "DWARF": [],
    "no DWARF": ["-ldflags=-w"],
    "stripped": ["-ldflags=-s -w"],
    "PIE": ["-buildmode=pie"],
    "stripped PIE": ["-buildmode=pie", "-ldflags=-s -w"],
    "cgo": None,
}
BUILDS = [name for name in os.environ.get("CORESCAN_TEST_GO_BUILDS", "").split(",") if name] or \
    list(ALL_BUILDS)


def compile_build(program, build):
    flags = ALL_BUILDS[build]
    return compile_go(program, *(flags or []), cgo=flags is None)


def minor_version(version):
    return int(re.match(r"go1\.(\d+)", version)[1])


# Of patterns' objects, by debug information: the variable that leads to them.
NAMES = {
    "send": {"c of main.leakSend.func1"},
    "buffered send": {"c of main.leakBufferedSend.func1"},
    "receive": {"c of main.leakReceive.func1"},
    "select": {"a of main.leakSelect.func1", "b of main.leakSelect.func1"},
    "range": {"c of main.leakRange.func1"},
    "mutex": {"g.mutex of main.leakMutex.func1"},
    "read lock": {"r.lock of main.leakRead.func1"},
    "write lock": {"r.lock of main.leakWrite.func1"},
    "wait group": {"g.wait of main.leakGroup.func1"},
    "cond": {"c of main.leakCond.func1"},
    "global channel": {"main.globalChannel"},
    "global mutex": {"main.globalMutex"},
    "global lock": {"main.globalLock"},
    "global group": {"main.globalGroup"},
    "global cond": {"main.globalCond"},
    "worker": {"main.globalPool.workers[1].jobs"},
    "ticker": {"ticker.C of main.healthyTimers.func2"},
}
WITH_DWARF = "DWARF", "PIE", "cgo"


class GoChecks(unittest.TestCase):
    """Everything that is compared counts for the table of scripts/go-matrix, before it can fail."""

    def count(self, what, number=1):
        count(f"{self.build}: {self.way}: {what}", number)

    def check_program(self, build, look, name, *arguments):
        """Calls look(document, program) with what corescan says of the program, each way."""
        with Program(compile_build(name, build), *arguments, environment=CRASH) as program:
            program.settle()
            self.check_running(build, look, program)

    def check_running(self, build, look, program):
        def check(target, way):
            self.build, self.way = build, way
            look(corescan_json("goroutines", *target), program)
        each_way(self, program, check)

    # --- goroutines and leaks

    def check_patterns(self, document, program):
        self.assertEqual(document["gaps"], [])
        summary = program.told("gomaxprocs")[0]
        self.assertTrue(document["go"]["version"].startswith(summary["version"].split(" ")[0]))
        self.assertEqual(document["go"]["gomaxprocs"], summary["gomaxprocs"])
        found = {one["id"]: one for one in document["goroutines"]}
        own = [one for one in document["goroutines"] if not one["system"]]
        self.assertEqual(len(own), summary["goroutines"])
        for truth in program.told("goroutine"):
            with self.subTest(truth=truth):
                self.count("waits told")
                self.check_one(document, found[truth["goroutine"]], truth)
                self.count("waits right")
        self.check_leaks(document, program, found)
        grouped = [number for group in document["goroutine_groups"]
                   for number in group["goroutines"]]
        self.assertEqual(sorted(grouped), sorted(found))
        sizes = [group["count"] for group in document["goroutine_groups"]
                 if not found[group["goroutines"][0]]["system"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))

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
        if self.build in WITH_DWARF and truth["pattern"] in NAMES:
            self.assertEqual({each["name"] for each in objects}, NAMES[truth["pattern"]])
        if "type" in truth:
            self.assertEqual([each["element_type"] for each in objects], [truth["type"]])
        if truth["pattern"] == "select":
            sends = {each["address"]: each["sends"] for each in objects}
            self.assertEqual([sends[address] for address in truth["objects"]], [False, True])
        if "local" in truth:
            self.assertEqual(one["wait"]["name"], truth["local"])
            self.assertEqual(one["wait"]["peer"], truth.get("peer"))
            self.assertGreater(one["wait"]["fd"], 2)

    def check_leaks(self, document, program, found):
        leaks = document["goroutine_leaks"]
        told = {truth["goroutine"] for truth in program.told("goroutine") if truth["leaked"]}
        leaked = {one["id"] for one in found.values() if one["leaked"]}
        self.count("leaked planted", len(told))
        self.count("leaked found", len(leaked & told))
        self.count("healthy called leaked", len(leaked - told))
        self.assertEqual(leaked, told)
        self.assertEqual(leaks["count"], len(told))
        self.assertFalse(leaks["all_wait"])
        self.assertFalse(leaks["main_waits_forever"])
        heavy = program.told("heavy")[0]["heavy"]
        if heavy == 0:
            return
        largest = max(leaks["groups"], key=lambda group: group["bytes"])
        group = document["goroutine_groups"][largest["group"]]
        self.assertIn("main.leakHeavy", group["creator"]["function"])
        self.assertAlmostEqual(largest["bytes"], heavy, delta=2000)
        self.assertAlmostEqual(leaks["bytes"], heavy, delta=20000)

    # --- resources

    def check_same(self, what, found, told):
        self.count("resources told")
        self.assertEqual(found, told, what)
        self.count("resources right")

    def check_resources(self, document, program):
        found = document["go_resources"]
        told = {key: value for line in program.truth for key, value in line.items()}
        self.check_files(found, told)
        self.check_cycles(found, told)
        self.check_same("defers", [one["count"] for one in found["defers"]],
                        [told["defers"]] if "defers" in told else [])
        self.check_same("sleeps", found["long_sleeps"], told.get("sleeps", 0))
        self.check_tickers(found, told)

    def check_cycles(self, found, told):
        """Each of them is of two objects."""
        cycles = found["finalizer_cycles"]
        self.check_same("cycles", cycles["count"], 2 * told.get("cycles", 0))
        self.check_same("kept by cycles", cycles["bytes"], told.get("kept", 0))
        self.check_same("types of cycles", [one["type"] for one in cycles["types"]],
                        ["*main.entry"] if "cycles" in told else [])

    def check_files(self, found, told):
        files = [one for one in found["files"] if one["network"] is None]
        own = [one for one in files if one["name"] == told.get("path")]
        self.check_same("files", len(own), told.get("files", 0))
        self.check_same("descriptors", len({one["fd"] for one in own}), told.get("files", 0))
        connections = [one for one in found["files"] if one["network"] == "tcp"]
        self.check_same("connections", len(connections), told.get("connections", 0))
        bodies = [told["peer"]] * told["bodies"] if "bodies" in told else []
        self.check_same("peers", [one["peer"] for one in connections
                                  if one["peer"] == told.get("peer", "")], bodies)
        self.check_same("bodies", [body["peer"] for body in found["bodies"]], bodies)

    def check_tickers(self, found, told):
        # Since Go 1.23 a ticker that nobody waits for is not set, unless the program is built as
        # one of a former version.
        kept = found["tickers_are_kept"]
        minor = minor_version(told["version"])
        if "tickers" in told and not 23 <= minor < 27:
            self.check_same("tickers are kept", kept, minor < 23)
        self.check_same("tickers", len(found["tickers"]),
                        told.get("tickers" if kept else "awaited", 0))
        self.check_same("awaited tickers", sum(one["awaited"] for one in found["tickers"]),
                        told.get("awaited", 0))
