"""Held locks, convoys, suspicions and the wait graph against what the programs planted.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import shutil
import subprocess
import unittest

import dot_graph
from harness import Program, compile_program, corescan, corescan_json, each_way


def address(text):
    return int(text, 16)


class HeldLocks(unittest.TestCase):
    def check_held(self, program, document):
        found = {address(lock["address"]): lock for lock in document["locks"]}
        for truth in program.told("held"):
            with self.subTest(truth=truth):
                self.assertIn(address(truth["object"]), found)
                lock = found.pop(address(truth["object"]))
                self.assertEqual((lock["kind"], lock["owner"], lock["waiters"]),
                                 (truth["held"], truth["owner"], []))
                self.assertIn("waits for a signal", lock["owner_does"])
        self.assertEqual(found, {}, "locks that nobody holds")

    def test_locks_that_nobody_waits_for(self):
        with Program(compile_program("waits_held", "-D_GNU_SOURCE"), "held") as program:
            self.assertEqual(len(program.told("held")), 12)
            self.assertEqual(len(program.told("free")), 13)

            def look(arguments, way):
                self.check_held(program, corescan_json("locks", "--all", *arguments))
                self.assertEqual(corescan_json("locks", *arguments)["locks"], [])

            each_way(self, program, look)

    def test_locks_that_are_waited_for(self):
        with Program(compile_program("waits_locks", "-D_GNU_SOURCE")) as program:
            waited = {}
            for truth in program.told("wait"):
                if truth["wait"] in ("mutex", "once", "stdio lock") or "rwlock" in truth["wait"]:
                    waited.setdefault(address(truth["object"]), []).append(truth)

            def look(arguments, way):
                document = corescan_json("locks", "--all", *arguments)
                found = {address(lock["address"]): lock for lock in document["locks"]}
                self.assertEqual(sorted(found), sorted(waited))
                for object_address, truths in waited.items():
                    lock = found[object_address]
                    self.assertEqual(lock["waiters"], sorted(truth["tid"] for truth in truths))
                    self.assertIn(lock["kind"], truths[0]["wait"])
                    self.assertFalse(lock["orphaned"])
                    if truths[0]["owner"] > 0:
                        self.assertEqual(lock["owner"], truths[0]["owner"])
                        self.assertIn("waits for a signal", lock["owner_does"])
                self.assertEqual(document["suspicions"], [])

            each_way(self, program, look)

    def test_locks_on_files(self):
        with Program(compile_program("waits_descriptors", "-D_GNU_SOURCE")) as program:
            planted = program.told("holder")
            locks = corescan_json("locks", "-p", program.pid)["locks"]
            self.assertEqual([lock["kind"] for lock in locks], ["file lock"] * 3)
            self.assertEqual(sorted(lock["owner"] or 0 for lock in locks),
                             sorted(truth["holder"] for truth in planted))
            self.assertEqual(sorted(tid for lock in locks for tid in lock["waiters"]),
                             sorted(truth["tid"] for truth in planted))
            self.assertFalse(any(lock["orphaned"] for lock in locks))

    def test_orphaned_lock(self):
        with Program(compile_program("waits_deadlock", "-D_GNU_SOURCE"), "gone") as program:
            truth = program.told("gone_owner")[0]

            def look(arguments, way):
                document = corescan_json("locks", *arguments)
                self.assertEqual(len(document["locks"]), 1)
                lock = document["locks"][0]
                self.assertTrue(lock["orphaned"])
                self.assertEqual((lock["owner"], lock["waiters"]),
                                 (truth["gone_owner"], [truth["waiter"]]))
                self.assertIn("ended without unlocking", lock["text"])
                self.assertIn("ended without unlocking", document["convoys"][0]["sentence"])
                self.assertIn("ORPHANED mutex", corescan("locks", *arguments).stdout)

            each_way(self, program, look)


class Convoys(unittest.TestCase):
    def test_who_is_at_the_head(self):
        executable = compile_program("waits_held", "-D_GNU_SOURCE")
        for case in ("convoy", "readers"):
            with self.subTest(case=case), Program(executable, case) as program:
                program.settle()
                truth = program.told("head")[0]

                def look(arguments, way):
                    document = corescan_json("waits", *arguments)
                    self.assertEqual(document["deadlocks"], [])
                    self.assertEqual(len(document["convoys"]), 1)
                    convoy = document["convoys"][0]
                    self.assertEqual(convoy["head"], truth["head"] or None)
                    self.assertEqual(address(convoy["object"]), address(truth["object"]))
                    self.assertEqual(len(convoy["behind"]), truth["count"])
                    self.assertTrue(convoy["sentence"].startswith(
                        f"{truth['count']} threads wait behind "), convoy)
                    if case == "convoy":
                        self.assertRegex(convoy["sentence"],
                                         r"and sleeps.* at convoy\(\) waits_held\.c:\d+\.$")
                        self.assert_owner_told(document, truth["head"])
                    else:
                        self.assertIn("held by 2 readers", convoy["sentence"])
                        reader = program.told("reader")[0]["reader"]
                        # A core has no names of threads.
                        self.assertRegex(convoy["sentence"], "its address is on the stack of "
                                         rf'{reader}( "reader")?\.$')
                    self.assertIn("HELD UP", corescan("report", *arguments).stdout)

                each_way(self, program, look)

    def assert_owner_told(self, document, head):
        held = [wait for wait in document["waits"] if wait["owner"] == head]
        self.assertEqual(len(held), 21)
        for wait in held:
            self.assertRegex(wait["text"], rf"held by {head} \"[^\"]+\", which sleeps")


class Suspicions(unittest.TestCase):
    def test_suspicions(self):
        executable = compile_program("waits_held", "-D_GNU_SOURCE")
        for case in ("stall", "idle", "writer", "reader", "handled", "unhandled", "timer",
                     "shared", "timed"):
            with self.subTest(case=case), Program(executable, case) as program:
                program.settle()

                def look(arguments, way):
                    planted = [(truth["suspicion"], truth["count"])
                               for truth in program.told("suspicion")
                               if way != "live" or not truth.get("core_only")]
                    document = corescan_json("report", *arguments)
                    self.assertEqual([(suspicion["kind"], len(suspicion["tids"]))
                                      for suspicion in document["suspicions"]], planted)
                    self.assertEqual("SUSPICION" in corescan("waits", *arguments).stdout,
                                     bool(planted))

                each_way(self, program, look)


class FileLocks(unittest.TestCase):
    """Who holds locks on files the kernel tells of the living only."""

    def look(self, case):
        with Program(compile_program("waits_files", "-D_GNU_SOURCE"), case) as program:
            program.settle(0.5)
            document = corescan_json("waits", "-p", program.pid)
            text = corescan("locks", "-p", program.pid).stdout
            with self.subTest(way="core"):
                core = corescan_json("locks", program.executable, program.core())
                self.assertEqual(core["suspicions"], [])
                self.assertEqual(core["deadlocks"], [])
            self.assertEqual(document["deadlocks"], [])
            return program, document, " ".join(text.split())

    def test_convoys(self):
        for case in ("convoy", "chain"):
            with self.subTest(case=case):
                program, document, text = self.look(case)
                truth = program.told("head_state")[0]
                self.assertEqual(len(document["convoys"]), 1)
                convoy = document["convoys"][0]
                self.assertEqual((convoy["head_state"], convoy["head"], len(convoy["behind"])),
                                 (truth["head_state"], truth["head"] or None, truth["count"]))
                self.assertIn(f"held by process {truth['process']} ", convoy["sentence"])
                self.assertIn(convoy["sentence"], text)
                self.assertIn(" behind file lock on fd " if case == "convoy" else
                              ", which holds mutex 0x", convoy["sentence"])

    def test_two_processes_that_wait_for_each_other(self):
        for case, back in (("two", True), ("chain", False)):
            with self.subTest(case=case):
                program, document, _ = self.look(case)
                waits = [wait for wait in document["waits"] if wait["kind"] == "file lock"]
                self.assertEqual(len(waits), 1)
                self.assertEqual("waits itself for a lock on a file that this process took"
                                 in waits[0]["text"], back, waits[0]["text"])
                for truth in program.told("waits_back"):
                    self.assertEqual(waits[0]["owner"], truth["waits_back"])

    def test_locks_of_the_process_itself(self):
        for case in ("crosswise", "at work", "own", "mixed"):
            with self.subTest(case=case):
                program, document, text = self.look(case)
                planted = program.told("suspicion")
                self.assertEqual([(suspicion["kind"], len(suspicion["tids"]))
                                  for suspicion in document["suspicions"]],
                                 [(truth["suspicion"], truth["count"]) for truth in planted])
                for truth in program.told("through"):
                    self.assertIn(f"holds itself, through fd {truth['through']}:",
                                  document["suspicions"][0]["sentence"])
                self.assertEqual("SUSPICION" in text, bool(planted))


class Graph(unittest.TestCase):
    def graph(self, command, program):
        text = corescan(command, "--dot", "-p", program.pid).stdout
        if shutil.which("dot"):
            subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True,
                           stdout=subprocess.DEVNULL)
        return dot_graph.parse(text)

    def test_deadlocks_are_red(self):
        with Program(compile_program("waits_deadlock", "-D_GNU_SOURCE"), "5") as program:
            red = {f"t{tid}" for tid in program.told("deadlock")[0]["deadlock"]}
            behind = {f"t{truth['behind']}" for truth in program.told("behind")}
            for command in ("waits", "report", "locks"):
                nodes, edges = self.graph(command, program)
                self.assertEqual({name for name, node in nodes.items()
                                  if node.get("color") == "red"}, red)
                self.assertLessEqual(behind, set(nodes))
                self.assertEqual(len([edge for edge in edges if edge[2].get("color") == "red"]),
                                 2 * len(red))
                self.assertEqual(len(edges), 2 * len(red) + len(behind))

    def test_crowds_are_one_node(self):
        with Program(compile_program("waits_held", "-D_GNU_SOURCE"), "convoy") as program:
            program.settle()
            nodes, _ = self.graph("waits", program)
            self.assertIn("20 threads", [node["label"] for node in nodes.values()])
            self.assertEqual(len(nodes), 8)

    def test_held_locks_are_in_the_graph(self):
        with Program(compile_program("waits_held", "-D_GNU_SOURCE"), "held") as program:
            text = corescan("locks", "--all", "--dot", "-p", program.pid).stdout
            _, edges = dot_graph.parse(text)
            self.assertEqual(len(edges), len(program.told("held")))

    def test_names_are_escaped(self):
        name = 'a"];}\\n<b>\u00e4'
        with Program(compile_program("waits_named", "-D_GNU_SOURCE"), name) as program:
            program.settle()
            nodes, _ = self.graph("waits", program)
            labels = " ".join(node["label"] for node in nodes.values())
            self.assertIn('a\\"];}\\\\n<b>\u00e4', labels)


if __name__ == "__main__":
    unittest.main()
