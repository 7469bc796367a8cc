"""Waits, owners and deadlocks against what the programs planted.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from harness import (TOP, WORK, Program, compile_program, corescan, corescan_json, count, each_way,
                     too_wide)


def wait_of(document, tid):
    found = [wait for wait in document["waits"] if wait["tid"] == tid]
    assert len(found) == 1, f"{len(found)} waits of thread {tid}"
    return found[0]


class Rust(unittest.TestCase):
    """Locks of Rust's standard library: words that record no holder."""

    def test_standard_library(self):
        if shutil.which("rustc") is None:
            # Not a skip, which would count as a failure: rustc is no dependency of corescan's.
            print("no rustc: Rust's waits are not tested", file=sys.stderr)
            return
        for flags in (["-O"], []):
            executable = WORK / ("waits_rust" + "".join(flags))
            subprocess.run(["rustc", "-g", *flags, "-o", executable,
                            TOP / "tests" / "programs" / "waits_rust.rs"], check=True)
            with Program(executable) as program:
                planted = program.told("wait")
                self.assertEqual(len(planted), 6)

                def look(arguments, way):
                    document = corescan_json("waits", *arguments)
                    self.assertEqual(document["deadlocks"], [])
                    for truth in planted:
                        with self.subTest(truth=truth, way=way, flags=flags):
                            wait = wait_of(document, truth["tid"])
                            self.assertEqual(wait["kind"], truth["wait"])
                            site = next(thread["frames"][wait["site"]]
                                        for thread in document["threads"]
                                        if thread["tid"] == truth["tid"])
                            self.assertIn(truth["site"], site["function"])
                            self.assertIsNone(wait["owner"])
                            self.assertNotIn("which it is", wait["text"])

                each_way(self, program, look)


class Convoy(unittest.TestCase):
    def test_rows_that_matter_are_shown(self):
        """First the thread that all wait for, then those that wait for it; the rest is one row."""
        with Program(compile_program("waits_convoy")) as program:
            rows = [" ".join(line.split()) for line in
                    corescan("-p", program.pid).stdout.splitlines() if " × " in line]
            self.assertEqual(len(rows), 3, rows)
            self.assertRegex(rows[0], r"^1 × \d+ \"waits_convoy\" sleeps")
            self.assertRegex(rows[1], r"^10 × \"waits_convoy\" .* waits for mutex")
            self.assertRegex(rows[2], r"^80 × \"waits_convoy\" \(")
            # Where a line breaks depends on how the threads' numbers turn out.
            self.assertIn(" 10 mutexes",
                          " ".join(corescan("-p", program.pid).stdout.split()))


class Callers(unittest.TestCase):
    def test_a_row_tells_only_the_calls_that_its_threads_share(self):
        with Program(compile_program("waits_callers")) as program:
            for options in ([], ["-v"]):
                text = " ".join(corescan("-p", program.pid, *options).stdout.split())
                row = text[text.index("3 ×"):text.index("HEAP")]
                self.assertIn("take()", row)
                self.assertIn("shared_caller()", row)
                self.assertNotIn("first_caller()", row)
                if options:  # in one line only where there is room for it
                    self.assertIn("from where differs", row)


class Planted(unittest.TestCase):
    """Each line of truth that has "wait", against the wait of its thread."""

    def check_wait(self, wait, truth, way):
        self.assertEqual(wait["kind"], truth["wait"])
        if truth.get("object", "(nil)") != "(nil)":
            self.assertEqual(int(wait["object"], 16), int(truth["object"], 16))
        if truth.get("name"):
            self.assertIn(f"<{truth['name']}", wait["object_name"])
        if truth.get("called"):
            self.assertIn(truth["called"], wait["object_name"])
            self.assertIn(truth["called"], wait["text"])
        if truth.get("owner", 0) > 0:
            self.assertEqual(wait["owner"], truth["owner"])
        elif "owner" in truth:
            self.assertIsNone(wait["owner"])
            self.assertEqual(wait["owner_state"], "unknown" if truth["owner"] < 0 else "none")
        # Of a thread's stack with a guard made by madvise (glibc 2.42 on) gcore writes zeros, which
        # is told as a gap: the mutex is found by the stack.
        if "mutex_called" in truth and (way != "gcore" or wait["detail"]):
            self.assertIn(truth["mutex_called"], wait["detail"])
        if truth.get("fd", -1) >= 0:
            self.assertEqual(wait["fd"], truth["fd"])
        if truth.get("detail") == "left" and wait["timeout_ns"] is not None:
            # sleep(6000), seen before any stop made the kernel write what is left over it
            self.assertEqual(wait["timeout_ns"], 6000 * 10**9)
        elif truth.get("detail"):
            self.assertIn(truth["detail"], wait["detail"])
        if way == "live" and truth.get("live_detail"):
            self.assertIn(truth["live_detail"], wait["detail"])
        if "live_owner" in truth:
            self.assertEqual(wait["owner"], truth["live_owner"] if way == "live" else None)
        if truth.get("timeout_ns", -1) >= 0:
            self.assertEqual(wait["timeout_ns"], truth["timeout_ns"])
        if truth.get("target", 0) != 0:
            self.assertEqual(wait["target_pid"], truth["target"])
        if "pidfd_of" in truth:
            self.assertEqual(wait["target_pid"], truth["pidfd_of"] if way == "live" else None)
            self.assertIn(f"waits for child process {truth['pidfd_of']}, by pidfd {truth['fd']}"
                          if way == "live" else
                          f"waits for the child process of pidfd {truth['fd']}", wait["text"])
        if "fd_name" in truth and way == "live":
            self.assertIn(truth["fd_name"], wait["fd_name"])
        if "stream" in truth and way != "live":
            self.assertEqual(wait["fd_name"], f"of FILE {truth['stream']} of stdio")
        if "holder" in truth:
            self.check_file_lock(wait, truth, way)
        if "until" in truth:
            self.assertTrue(wait["timed"])
            if wait["timeout_ns"] is not None:
                # Up to glibc 2.31 some of them ask the kernel for a duration.
                self.assertIn("for at most 23 h 59 min", wait["text"])
            else:
                self.assertRegex(wait["text"], r"23 h 59 min left" if way == "live"
                                 else r"until 2\d{3}-\d\d-\d\d \d\d:\d\d:\d\d UTC")

    def check_file_lock(self, wait, truth, way):
        """Who holds a lock on a file the kernel tells of the living only."""
        if way != "live":
            self.assertEqual((wait["owner_state"], wait["owner"]), ("unknown", None))
            self.assertIn("not in a core", wait["text"])
        elif truth["holder"]:
            self.assertEqual((wait["owner_state"], wait["owner"], wait["owner_name"]),
                             ("process", truth["holder"], "waits_descripto"))
            self.assertIn(f"held by process {truth['holder']}", wait["text"])
            self.assertIn("for writing, bytes 200..200", wait["text"])
        else:
            self.assertEqual((wait["owner_state"], wait["owner"]), ("unknown", None))
            self.assertIn(f"held by this process itself, through fd {truth['through']}, "
                          "for writing", wait["text"])

    def check_program(self, executable, *arguments, least=8):
        with Program(executable, *arguments) as program:
            planted = program.told("wait")

            def look(arguments, way):
                document = corescan_json("waits", *arguments)
                self.assertEqual(document["deadlocks"], [])
                count("waits planted", len(planted))
                for truth in planted:
                    with self.subTest(truth=truth, way=way):
                        self.check_wait(wait_of(document, truth["tid"]), truth, way)
                        count("waits right")

            self.assertGreaterEqual(len(planted), least)
            each_way(self, program, look)

    def test_locks(self):
        self.check_program(compile_program("waits_locks", "-D_GNU_SOURCE"))

    def test_locks_of_a_stripped_program(self):
        # Names of variables are gone, kinds, objects and owners are not.
        with Program(compile_program("waits_locks", "-D_GNU_SOURCE", "-s")) as program:
            planted = program.told("wait")

            def look(arguments, way):
                document = corescan_json("waits", *arguments)
                count("waits planted", len(planted))
                for truth in planted:
                    with self.subTest(truth=truth, way=way):
                        self.check_wait(wait_of(document, truth["tid"]), {**truth, "name": ""},
                                        way)
                        count("waits right")

            each_way(self, program, look)

    def test_descriptors(self):
        self.check_program(compile_program("waits_descriptors", "-D_GNU_SOURCE"))

    def test_events(self):
        try:
            self.check_program(compile_program("waits_events", "-D_GNU_SOURCE"))
        finally:
            for left in Path("/dev/shm").glob("sem.waits-events-*"):
                left.unlink()

    def test_sleeps(self):
        self.check_program(compile_program("waits_sleeps", "-D_GNU_SOURCE"))

    def test_sleeps_in_words(self):
        with Program(compile_program("waits_sleeps", "-D_GNU_SOURCE")) as program:
            text = " ".join(corescan("waits", "-p", program.pid).stdout.split())
            self.assertRegex(text, r"sleeps for [\d.]+ (s|days)[, ]")
            self.assertNotRegex(text, r"sleeps for ,|left\d")

    def test_cxx(self):
        self.check_program(compile_program("waits_cxx", "-std=c++20", "-D_GNU_SOURCE"))

    def test_objects_in_all_kinds_of_memory(self):
        executable = compile_program("waits_objects", "-D_GNU_SOURCE")
        self.check_program(executable)
        with Program(executable) as program:
            # Whether stopped or not, with the heap walked or not.
            for arguments in (["waits", "--stop"], ["waits", "--no-stop"], ["report"], ["locks"],
                              ["locks", "--all"]):
                document = corescan_json(*arguments, "-p", program.pid)
                for truth in program.told("called"):
                    with self.subTest(truth=truth, arguments=arguments):
                        self.assertIn(truth["called"],
                                      wait_of(document, truth["tid"])["object_name"])

    def test_loader(self):
        plugin = compile_program("waits_loader", "-D_GNU_SOURCE", "-DPLUGIN", "-shared", "-fPIC",
                                 output="waits_plugin.so")
        self.check_program(compile_program("waits_loader", "-D_GNU_SOURCE"), plugin, least=1)


class Deadlocks(unittest.TestCase):
    CASES = ("2", "3", "5", "join", "rwlock", "stdio", "once", "onces", "oncer", "three", "kinds",
             "self", "signal", "timed", "two")
    HEALTHY = ("gone", "chain", "condition")

    def setUp(self):
        self.executable = compile_program("waits_deadlock", "-D_GNU_SOURCE")

    def check_deadlocks(self, document, program):
        planted = sorted(sorted(line["deadlock"]) for line in program.told("deadlock"))
        found = sorted(sorted(deadlock["tids"]) for deadlock in document["deadlocks"])
        count("deadlocks planted", len(planted))
        self.assertEqual(found, planted)
        count("deadlocks right", len(planted))
        behind = sorted(line["behind"] for line in program.told("behind"))
        self.assertEqual(sorted(tid for deadlock in document["deadlocks"]
                                for tid in deadlock["behind"]), behind)
        for deadlock in document["deadlocks"]:
            sentence = deadlock["sentence"]
            self.assertTrue(sentence.endswith("."), sentence)
            self.assertEqual(sentence.count("; ") + 1, len(deadlock["tids"]), sentence)
            for tid in deadlock["tids"]:
                self.assertIn(str(tid), sentence)
        timed = any(line["timed"] for line in program.told("deadlock"))
        self.assertEqual(any("until its timeout" in deadlock["sentence"]
                             for deadlock in document["deadlocks"]), timed)

    def check_case(self, case, executable=None, *arguments):
        with Program(executable or self.executable, case, *arguments) as program:
            program.settle()
            each_way(self, program, lambda arguments, way: self.check_deadlocks(
                corescan_json("waits", *arguments), program))

    def test_deadlocks(self):
        for case in self.CASES:
            with self.subTest(case=case):
                self.check_case(case)

    def test_the_report_fits_on_a_screen(self):
        with Program(self.executable, "8") as program:
            program.settle()
            lines = corescan("-p", program.pid).stdout.splitlines()
            self.assertGreater(len(corescan_json("waits", "-p", program.pid)["threads"]), 10)
        self.assertLessEqual(len(lines), 45, "\n".join(lines))
        self.assertEqual(too_wide(lines), [])

    def test_static_initialisation(self):
        for stripped in ([], ["-s"]):
            executable = compile_program("waits_deadlock_cxx", "-D_GNU_SOURCE", *stripped)
            for case in ("mutex", "two", "own", "three", "five"):
                with self.subTest(case=case, stripped=bool(stripped)):
                    self.check_case(case, executable)

    def test_loader_lock(self):
        plugin = compile_program("waits_loader", "-D_GNU_SOURCE", "-DPLUGIN", "-shared", "-fPIC",
                                 output="waits_plugin.so")
        for case in ("2", "3", "5"):
            with self.subTest(case=case):
                self.check_case(plugin, compile_program("waits_loader", "-D_GNU_SOURCE"), case)

    def test_what_only_looks_like_one(self):
        for case in self.HEALTHY:
            with self.subTest(case=case):
                self.check_case(case)

    def test_owner_that_has_exited(self):
        with Program(self.executable, "gone") as program:
            truth = program.told("gone_owner")[0]
            wait = wait_of(corescan_json("waits", "-p", program.pid), truth["waiter"])
            self.assertEqual((wait["kind"], wait["owner_state"], wait["owner"]),
                             ("mutex", "gone", truth["gone_owner"]))

    def test_contention_is_no_deadlock(self):
        with Program(compile_program("waits_healthy", "-D_GNU_SOURCE")) as program:
            for _ in range(25):
                self.assertEqual(corescan_json("waits", "-p", program.pid)["deadlocks"], [])


if __name__ == "__main__":
    unittest.main()
