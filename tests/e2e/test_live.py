"""Live processes: looked at without a stop, as right as with one, and left as they were.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import random
import signal
import subprocess
import time
import unittest

from harness import CORESCAN, Program, compile_program, corescan, corescan_json

# Of a wait, what is the same however often it is looked at.
SAME = ("tid", "activity", "kind", "object", "object_name", "owner_state", "owner", "fd", "fd_name",
        "target_pid", "syscall", "owner_inferred", "timed", "site", "idle")


def switches(pid, tid):
    """How often a thread has left the processor."""
    with open(f"/proc/{pid}/task/{tid}/status") as status:
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def tids_of(pid):
    return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]


def functions(thread):
    return [frame["function"] for frame in thread["frames"]]


class WithoutStop(unittest.TestCase):
    def check_same(self, executable, *arguments):
        with Program(executable, *arguments) as program:
            program.settle()
            before = {tid: switches(program.pid, tid) for tid in tids_of(program.pid)}
            seen = corescan_json("waits", "-p", program.pid)
            after = {tid: switches(program.pid, tid) for tid in tids_of(program.pid)}
            stopped = corescan_json("waits", "--stop", "-p", program.pid)
        self.assertEqual((seen["target"]["stopped"], stopped["target"]["stopped"]), (False, True))
        self.assertEqual(seen["target"]["stopped_us"], 0)
        self.assertGreater(stopped["target"]["stopped_us"], 0)
        self.assertEqual(before, after, "a thread was disturbed")
        self.assertEqual({thread["looked_at"] for thread in seen["threads"]}, {"asleep"})
        self.assertEqual({thread["looked_at"] for thread in stopped["threads"]}, {"stopped"})
        self.assertEqual(seen["gaps"], stopped["gaps"])
        for one, other in zip(seen["waits"], stopped["waits"], strict=True):
            with self.subTest(wait=other["text"]):
                self.assertEqual({key: one[key] for key in SAME},
                                 {key: other[key] for key in SAME})
                if other["timeout_ns"] is not None:
                    self.assertEqual(one["timeout_ns"], other["timeout_ns"])
        for one, other in zip(seen["threads"], stopped["threads"], strict=True):
            with self.subTest(thread=other["name"]):
                self.assertEqual(functions(one), functions(other))
                self.assertEqual(one["thread_pointer"], other["thread_pointer"])
        self.assertEqual([sorted(deadlock["tids"]) for deadlock in seen["deadlocks"]],
                         [sorted(deadlock["tids"]) for deadlock in stopped["deadlocks"]])

    def test_locks(self):
        self.check_same(compile_program("waits_locks", "-D_GNU_SOURCE"))

    def test_descriptors(self):
        self.check_same(compile_program("waits_descriptors", "-D_GNU_SOURCE"))

    def test_sleeps(self):
        self.check_same(compile_program("waits_sleeps", "-D_GNU_SOURCE"))

    def test_cxx(self):
        self.check_same(compile_program("waits_cxx", "-std=c++20", "-D_GNU_SOURCE"))

    def test_deadlocks(self):
        executable = compile_program("waits_deadlock", "-D_GNU_SOURCE")
        for case in ("2", "3", "5", "join", "rwlock", "stdio", "once", "self", "gone", "chain"):
            with self.subTest(case=case):
                self.check_same(executable, case)

    def look(self, case, *options, expect=(0,)):
        with Program(compile_program("live_threads", "-O0"), case) as program:
            program.settle(0.1)
            document = corescan_json("waits", *options, "-p", program.pid, expect=expect)
            by_name = {thread["name"]: thread for thread in document["threads"]}
            return document, by_name, {wait["tid"]: wait for wait in document["waits"]}

    def test_a_thread_that_runs_has_to_be_stopped(self):
        document, threads, waits = self.look("running")
        self.assertTrue(document["target"]["stopped"])
        self.assertIn(str(threads["runs"]["tid"]), document["target"]["stopped_because"])
        self.assertIn("run", functions(threads["runs"]))
        self.assertEqual(waits[threads["waits"]["tid"]]["kind"], "mutex")

    def test_a_thread_that_runs_is_a_gap_where_stops_are_forbidden(self):
        document, threads, waits = self.look("running", "--no-stop", expect=(1,))
        self.assertFalse(document["target"]["stopped"])
        self.assertIsNone(document["target"]["stopped_because"])
        self.assertEqual(threads["runs"]["looked_at"], "no")
        self.assertEqual(threads["runs"]["frames"], [])
        self.assertEqual(threads["waits"]["looked_at"], "asleep")
        wait = waits[threads["waits"]["tid"]]
        self.assertEqual((wait["kind"], wait["owner"]), ("mutex", document["target"]["pid"]))
        self.assertTrue(any("ran meanwhile" in gap["text"] for gap in document["gaps"]))

    def test_a_stack_that_needs_more_registers(self):
        document, threads, _ = self.look("frame_pointer")
        self.assertTrue(document["target"]["stopped"])
        self.assertIn("registers", document["target"]["stopped_because"])
        names = functions(document["threads"][0])
        self.assertIn("main", names)
        seen, _, _ = self.look("frame_pointer", "--no-stop", expect=(1,))
        known = functions(seen["threads"][0])
        self.assertEqual(known, names[:len(known)])
        self.assertIn("--stop", seen["threads"][0]["stop_reason"])

    def test_what_a_thread_did_that_ran_on_is_not_told(self):
        # It wakes up every 100 us: whatever was read of it is of no one moment.
        document, threads, waits = self.look("restless", "--no-stop", expect=(1,))
        self.assertIn(threads["wakes"]["looked_at"], ("moved", "no"))
        self.assertEqual(threads["wakes"]["frames"], [])
        self.assertIsNone(waits[threads["wakes"]["tid"]]["kind"])
        document, threads, _ = self.look("restless")
        self.assertEqual(threads["wakes"]["looked_at"], "stopped")

    def test_contention(self):
        with Program(compile_program("waits_healthy", "-D_GNU_SOURCE")) as program:
            for option in ["--no-stop", "--stop"] * 5:
                self.assertEqual(
                    corescan_json("waits", option, "-p", program.pid)["deadlocks"], [])

    def test_a_process_that_a_debugger_holds(self):
        with Program(compile_program("waits_deadlock", "-D_GNU_SOURCE"), "2") as program:
            program.settle()
            gdb = subprocess.Popen(["gdb", "-q", "-nx", "-p", str(program.pid)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
            try:
                gdb.stdin.write("echo held\\n\n")
                gdb.stdin.flush()
                while "held" not in gdb.stdout.readline():
                    pass
                refused = corescan("waits", "--stop", "-p", program.pid, expect=(2,))
                self.assertIn("gdb", refused.stderr)
                seen = corescan_json("waits", "--no-stop", "-p", program.pid)
            finally:
                gdb.communicate("detach\nquit\n", timeout=30)
            self.assertEqual(sorted(seen["deadlocks"][0]["tids"]),
                             sorted(program.told("deadlock")[0]["deadlock"]))


if __name__ == "__main__":
    unittest.main()
