"""Profiles of Go programs, against those that the programs wrote of themselves, as pprof reads both.

CORESCAN_TEST_GO names the folder of another Go than Debian bookworm's (scripts/fetch-go).

SPDX-License-Identifier: GPL-3.0-or-later
"""

import gzip
import os
import signal
import subprocess
import time
import unittest

from harness import CORESCAN, GO, WORK, Program, compile_go, corescan, corescan_json, each_way

CRASH = {"GOTRACEBACK": "crash"}
NUMBERS = ("inuse_space", "inuse_objects", "alloc_space", "alloc_objects")


def pprof_top(path, numbers, *options):
    """The lines of the table that go tool pprof prints of a profile, nothing left out."""
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off",
                   "PPROF_TMPDIR": str(WORK)}
    environment.setdefault("GOCACHE", str(WORK / "go-cache"))
    text = subprocess.run(
        [GO, "tool", "pprof", "-top", "-nodefraction=0", "-edgefraction=0", "-nodecount=100000",
         f"-sample_index={numbers}", *options, path],
        check=True, capture_output=True, text=True, env=environment, timeout=300).stdout
    return table_of(text)


def table_of(text):
    lines = [line.rstrip() for line in text.splitlines()]
    heading = next(index for index, line in enumerate(lines) if line.split()[:2] ==
                   ["flat", "flat%"])
    table = lines[heading:]
    return table[:table.index("")] if "" in table else table


class HeapProfile(unittest.TestCase):
    def check(self, program, target, heap):
        for numbers in NUMBERS:
            for options in ((), ("-cum",)):
                with self.subTest(numbers=numbers, options=options):
                    told = pprof_top(heap, numbers, *options)
                    self.assertGreater(len(told), 5)
                    found = corescan("profile", *target, f"--sample={numbers}", "--limit", "0",
                                     *("-" + option for option in options), expect=(0,),
                                     environment={"COLUMNS": "400"})
                    self.assertEqual(table_of(found.stdout), told)
        ours = program.directory / "ours.pb.gz"
        corescan("profile", *target, "--pprof", ours, expect=(0,))
        for numbers in NUMBERS:
            with self.subTest(numbers=numbers, file=True):
                self.assertEqual(pprof_top(ours, numbers), pprof_top(heap, numbers))
                # Files and lines too, where inlined calls are lines of their own.
                self.assertEqual(pprof_top(ours, numbers, "-lines"),
                                 pprof_top(heap, numbers, "-lines"))
        document = corescan_json("profile", *target)["profile"]
        self.assertEqual(document["kind"], "heap")
        self.assertEqual(document["period"], program.told("rate")[0]["rate"])

    def check_program(self, *flags, rate="500"):
        with Program(compile_go("profile", *flags), "rate", rate, environment=CRASH) as program:
            program.settle()
            heap = program.directory / "heap.pb.gz"
            each_way(self, program, lambda target, way: self.check(program, target, heap))

    def test_every_allocation(self):
        self.check_program(rate="1")

    def test_some_sampled(self):
        self.check_program()

    def test_usual_rate(self):
        with Program(compile_go("profile"), environment=CRASH) as program:
            self.check(program, ["-p", program.pid], program.directory / "heap.pb.gz")

    def test_without_debug_information(self):
        self.check_program("-ldflags=-w")

    def test_stripped(self):
        self.check_program("-ldflags=-s -w")

    def test_stripped_position_independent(self):
        self.check_program("-buildmode=pie", "-ldflags=-s -w")

    def look_before_any_collection(self):
        """Our tables, and pprof's of what the program wrote right after."""
        with Program(compile_go("profile"), "rate", "5000", "unasked") as program:
            program.settle()
            heap = program.directory / "heap.pb.gz"
            table = {numbers: table_of(corescan(
                "profile", "-p", program.pid, f"--sample={numbers}", "--limit", "0", expect=(0,),
                environment={"COLUMNS": "400"}).stdout) for numbers in NUMBERS}
            program.process.send_signal(signal.SIGUSR1)
            deadline = time.monotonic() + 30
            while "written" not in (program.directory / "output").read_text():
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            return table, {numbers: pprof_top(heap, numbers) for numbers in NUMBERS}

    def test_before_any_collection(self):
        """Nothing is published yet: then all of it is told."""
        # Where the runtime starts a thread for the signal, that is in the later look alone.
        for _ in range(3):
            ours, pprofs = self.look_before_any_collection()
            if ours == pprofs:
                break
        for numbers in NUMBERS:
            with self.subTest(numbers=numbers):
                self.assertEqual(ours[numbers], pprofs[numbers])


class Unprofiled(unittest.TestCase):
    """A program that sampled nothing: what is alive stands in for it, and corescan says so."""

    def check(self, program, target):
        ours = program.directory / "ours.pb.gz"
        document = corescan_json("profile", *target, "--pprof", ours, expect=(0,))["profile"]
        self.assertIn("runtime.MemProfile is not linked in", document["instead_because"])
        self.assertEqual(document["kind"], "live")
        rows = {row["function"]: row for row in document["functions"]}
        minor = int(program.told("version")[0]["version"].split(".")[1].split("-")[0])
        told = program.told("records")[0]["records"]
        if minor >= 22:
            self.assertEqual(rows["main.record"]["flat"]["inuse_objects"], told)
        else:
            # The runtime itself has a few of that size, and nothing tells which is what.
            alike = rows["objects of 704 bytes with pointers"]["flat"]["inuse_objects"]
            self.assertIn(alike, range(told, told + 5))
        blocks = rows["objects of 3072 bytes without pointers"]
        self.assertEqual(blocks["flat"]["inuse_objects"], program.told("blocks")[0]["blocks"])
        self.assertEqual(blocks["flat"]["inuse_space"], 3072 * 1000)
        self.assertGreater(len(pprof_top(ours, "inuse_space")), 3)
        self.assertEqual(
            corescan("profile", *target, "--sample=alloc_space", expect=(1,)).stdout.count(
                "alloc_space is not known of what is alive"), 1)

    def check_program(self, *flags):
        with Program(compile_go("unprofiled", *flags), environment=CRASH) as program:
            program.settle()
            each_way(self, program, lambda target, way: self.check(program, target))

    def test_unprofiled(self):
        self.check_program()

    def test_stripped(self):
        self.check_program("-ldflags=-s -w")


class GoroutineProfile(unittest.TestCase):
    def test_goroutines(self):
        """As the program wrote them, but for main, which has gone on since."""
        def without_main(table):
            kept = {}
            for line in table[1:]:
                words = line.split()
                if words[5].startswith(("main.fill", "main.worker", "os/signal")):
                    kept[words[5]] = (words[0], words[3], words[6:])
            return kept

        with Program(compile_go("profile"), environment=CRASH) as program:
            program.settle()
            ours = program.directory / "ours.pb.gz"
            told = pprof_top(program.directory / "goroutine.pb.gz", "goroutine")
            self.assertEqual(len(without_main(told)), 4)

            def check(target, way):
                found = corescan("profile", *target, "--type=goroutine", "--limit", "0",
                                 "--pprof", ours, expect=(0,), environment={"COLUMNS": "400"})
                self.assertEqual(without_main(table_of(found.stdout)), without_main(told))
                self.assertEqual(without_main(pprof_top(ours, "goroutine")), without_main(told))
                leaked = corescan_json("profile", *target, "--type=leaked", "--pprof", ours)
                rows = {row["function"]: row for row in leaked["profile"]["functions"]}
                # Six goroutines, each with its 200,000 bytes.
                [lost] = [row for name, row in rows.items() if name.startswith("main.fill.func")]
                self.assertEqual(lost["cumulative"]["goroutineleak"], 6)
                self.assertAlmostEqual(lost["cumulative"]["retained_space"], 6 * 204800,
                                       delta=20000)
                self.assertEqual(leaked["profile"]["totals"]["goroutineleak"], 6)

            each_way(self, program, check)


class Writing(unittest.TestCase):
    def test_standard_output(self):
        with Program(compile_go("profile")) as program:
            path = program.directory / "ours.pb.gz"
            corescan("profile", "-p", program.pid, "--pprof", path, expect=(0,))
            text = corescan("profile", "-p", program.pid, "--pprof", path, "--json",
                            expect=(0,)).stdout
            self.assertTrue(text.startswith("{"))
            with gzip.open(path) as file:
                self.assertIn(b"inuse_space", file.read())
            with open(program.directory / "redirected", "wb") as file:
                subprocess.run([CORESCAN, "profile", "-p",
                                str(program.pid), "--pprof", "-"], check=True, stdout=file)
            with gzip.open(program.directory / "redirected") as file:
                self.assertIn(b"inuse_space", file.read())
            refused = corescan("profile", "-p", program.pid, "--pprof",
                               program.directory / "no" / "such", expect=(2,))
            self.assertIn("No such file", refused.stderr)


if __name__ == "__main__":
    unittest.main()
