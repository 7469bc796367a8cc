"""Damaged heaps: what was damaged is named, with its neighbours; the walk goes on behind it; and no
healthy heap is called corrupt.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import subprocess
import sys
import time
import unittest

from harness import WORK, Program, compile_program, corescan, corescan_json, each_way

# Each mode of corrupt_heap with the bytes that it may cost. None: the damaged chunk is as large as
# what is lost.
MODES = {
    "overflow-text": 96, "overflow-far": 384, "overflow-words": 96, "smashed-size": 96,
    "astray": 96, "covering": 0, "covering-cached": 0, "covering-free": 0,
    "one-byte": 0, "one-byte-size": 272, "stale": 2016, "free-size": 0,
    "cached-size": 96, "mark": 0, "top": 0, "top-zero": 0, "top-inside": 0, "top-size": 0,
    "ring": 0, "bin-forward": 0, "bin-back": 0, "prev-size": 0, "size-links": 0,
    "tcache-twice": 0, "tcache-link": 0, "tcache-plain": 0, "tcache-key": 0, "tcache-size": 0,
    "fastbin-twice": 0, "fastbin-link": 0, "thread": 96, "tcache-count": 0, "tcache-head": 0,
    "tcache-whole": 0, "bin-end": 0, "map-size": 0, "map-header": 0, "map-flags": 0,
    "map-grown": 0, "map-shrunk": 0, "map-aligned": 0, "heap-owner": 0, "heap-size": 0,
    "heap-whole": 0,
}
OF_ARENAS = ("top", "arenas")  # kinds whose address is the arena's
# Where the wrong word lies at the start of its mapping there is nothing before it to dump.
SHORT_DUMPS = ("heap-owner", "heap-size", "heap-whole")

# Whether libc's own debug files tell where malloc keeps the key of cached chunks.
KEY_KNOWN = ("CORESCAN_TEST_COMPILERS" not in os.environ or
             "CORESCAN_TEST_DEBUG_DIR" in os.environ)

# Not told yet for glibc 2.43, whose counters of mmapped chunks also fit what memalign left there.
NOT_ON_2_43 = ("map-aligned",)
IS_2_43 = os.environ.get("CORESCAN_TEST_COMPILERS", "").endswith("/sid")

# What malloc says when it ends the program; None: it faults; "": each version in other words.
DEATHS = {
    "die-top": "malloc(): corrupted top size",
    "die-assert": "",
    "die-next": "free(): invalid next size (normal)",
    "die-in-thread": "free(): invalid next size (normal)",
    "die-prev": None,
}

HEALTHY = (
    ("heap_arenas", "3"), ("heap_break", "foreign"), ("heap_break", "blocked"),
    ("heap_break", "both"), ("heap_mmapped", "plain"), ("heap_mmapped", "decoys"),
    ("many_threads", "20"), ("orphans_shapes",), ("orphans_objects",), ("waits_healthy",),
    ("waits_locks",),
)


def corruption(heap):
    return [finding for finding in heap["findings"] if not finding["in_flux"]]


class Corruption(unittest.TestCase):
    def check(self, heap, truth, mode, lost):
        found = corruption(heap)
        told = [(f["kind"], f["address"], f["text"]) for f in found]
        right = [f for f in found if f["kind"] == truth["kind"] and (
            truth["kind"] in OF_ARENAS or mode == "bin-end" or
            int(f["address"], 16) == truth["damaged"] or
            # A size that leads astray, or a header that is zero: both are told.
            (mode == "astray" and int(f["previous"]["address"], 16) == truth["damaged"]))]
        self.assertEqual(len(right), 1, told)
        self.assertEqual(len(found), 1, told)
        self.assertEqual(heap["corruption"], 1)
        self.assertLessEqual(heap["lost_bytes"], lost)
        self.assertEqual(right[0]["lost_bytes"], heap["lost_bytes"])
        if mode not in SHORT_DUMPS:
            self.assertGreaterEqual(len(right[0]["dump"]), 3)
        used = sum(arena["used_chunks"] for arena in heap["arenas"])
        self.assertGreaterEqual(used, 30)
        return right[0]

    def check_neighbours(self, finding, truth, mode):
        if truth["kind"] in OF_ARENAS or mode.startswith("covering") or mode in ("bin-end", "astray", "overflow-far", "tcache-size"):
            return
        for side in ("previous", "next"):
            if truth["kind"] != "top-size" and truth[side] != 0 and mode != "size-links":
                self.assertEqual(int(finding[side]["address"], 16), truth[side], side)
        if mode.startswith("overflow"):
            self.assertIn("written past its end", finding["overrun"])
            self.assertNotIn("perhaps", finding["overrun"])
        if mode.startswith("one-byte"):
            self.assertIn("one byte past its end", finding["overrun"])

    def check_labels(self, finding, mode):
        """What the rows of the hexdump are said to hold."""
        what = [row["what"] for row in finding["dump"]]
        if mode == "fastbin-twice":
            # The link that leads to the chunk for the second time lies in another.
            self.assertEqual(what, ["chunk before", "its header", "leads here", "memory"])
        elif mode == "tcache-twice":
            self.assertEqual(what, ["chunk before", "header", "link, key", "memory"])
        elif mode.startswith("heap-"):
            self.assertEqual(set(what), {"heap_info"})
        elif mode == "map-header":
            self.assertEqual(what[2:], ["header", "memory"])

    def check_freed(self, program, arguments):
        """What waits in a damaged tcache, or behind a broken link, is free all the same."""
        freed = {line["freed"] for line in program.told("freed")}
        if not freed:
            return
        free = {int(line.split()[0], 16) for line in corescan(
            "chunks", "--state=free", *arguments).stdout.splitlines()}
        if KEY_KNOWN or freed <= free:
            self.assertEqual(freed - free, set())
            return
        # Such chunks are known by malloc's key, for which few of them are no evidence.
        gaps = " ".join(gap["text"] for gap in corescan_json("heap", *arguments)["gaps"])
        self.assertIn("the chunks that they no longer lead to count as in use", gaps)

    def test_each_kind_of_damage(self):
        executable = compile_program("corrupt_heap")
        for mode, lost in MODES.items():
            if IS_2_43 and mode in NOT_ON_2_43:
                continue
            with self.subTest(mode=mode), Program(executable, mode) as program:
                if program.told("without"):
                    self.assertEqual(mode, "fastbin-twice")  # glibc 2.43 has no fastbins
                    continue
                truth = program.told("kind")[0]

                def look(arguments, way):
                    heap = corescan_json("heap", *arguments)["heap"]
                    finding = self.check(heap, truth, mode, lost)
                    self.check_neighbours(finding, truth, mode)
                    self.check_labels(finding, mode)
                    self.check_freed(program, arguments)

                each_way(self, program, look)

    def test_twice_in_a_large_heap(self):
        """A heap that two threads walk, damaged in its lower half: what lies between the damage."""
        with Program(compile_program("corrupt_twice")) as program:
            damaged = [line["damaged"] for line in program.told("damaged")]
            whole = {line["whole"] for line in program.told("whole")}

            def look(arguments, way):
                heap = corescan_json("heap", *arguments)["heap"]
                self.assertIn(damaged[0], [int(f["address"], 16) for f in corruption(heap)])
                found = {int(line.split()[0], 16) for line in corescan(
                    "chunks", *arguments).stdout.splitlines()}
                self.assertEqual(whole - found, set())
                self.assertEqual(corescan_json("leaks", *arguments)["orphans"]["chunks"], 0)

            each_way(self, program, look)

    def test_death_by_malloc(self):
        executable = compile_program("corrupt_heap")
        for mode, message in DEATHS.items():
            with self.subTest(mode=mode), Program(executable, mode) as program:
                core = program.core(None)
                document = corescan_json("report", executable, core)
                if message != "":
                    self.assertEqual(document["crash"]["message"], message)
                truth = program.told("kind")[0]
                self.check(document["heap"], truth, mode, 2016)
                text = corescan("report", executable, core).stdout
                self.assertIn("HEAP CORRUPTION", text)
                self.assertLess(text.index("SIG"), text.index("HEAP CORRUPTION"))

    def test_truncated_cores(self):
        """What was not dumped is a gap, not corruption; and chunks that are there are walked."""
        executable = compile_program("heap_arenas")
        with Program(executable, "2") as program:
            core = program.core()
            size = core.stat().st_size
            whole = corescan_json("heap", executable, core)["heap"]
            for share in (0.995, 0.9, 0.5, 0.2, 0.05, 0.01):
                os.truncate(core, int(size * share))
                with self.subTest(share=share):
                    heap = corescan_json("heap", executable, core, expect=(1,))["heap"]
                    self.assertEqual(corruption(heap), [])
                    text = corescan("heap", executable, core, expect=(1,)).stdout
                    self.assertNotIn("HEAP  0 chunks", text)
                    report = corescan("report", "--fail-on=corruption,orphans", executable, core,
                                      expect=(1,)).stdout
                    self.assertNotRegex(" ".join(report.split()), r"stack memory.*not dumped")
                    if share > 0.99:
                        found = sum(arena["used_chunks"] for arena in heap["arenas"])
                        self.assertGreaterEqual(
                            found, sum(arena["used_chunks"] for arena in whole["arenas"]))

    def test_exit_status(self):
        executable = compile_program("corrupt_heap")
        with Program(executable, "one-byte") as program:
            target = ("-p", program.pid)
            corescan("heap", *target, expect=(0,))
            corescan("heap", "--fail-on=corruption", *target, expect=(3,))
            corescan("threads", "--fail-on=corruption", *target, expect=(3,))
        with Program(executable, "overflow-text") as program:
            corescan("heap", "-p", program.pid, expect=(1,))
        with Program(compile_program("heap_arenas"), "1") as program:
            corescan("heap", "--fail-on=corruption", "-p", program.pid, expect=(0, 1))

    def test_healthy_programs(self):
        for name, *arguments in HEALTHY:
            executable = compile_program(name, "-D_GNU_SOURCE")
            with self.subTest(program=name, arguments=arguments), \
                    Program(executable, *arguments) as program:
                heap = corescan_json("heap", "-p", program.pid)["heap"]
                self.assertEqual(corruption(heap), [])
                self.assertEqual(heap["lost_bytes"], 0)

    def test_python(self):
        process = subprocess.Popen(
            [sys.executable, "-c", "import json, unittest, decimal, sys\n"
             "kept = [str(i) * (i % 300) for i in range(20000)]\n"
             "del kept[::3]\nprint(flush=True)\nsys.stdin.read()"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=WORK)
        try:
            process.stdout.readline()
            heap = corescan_json("heap", "-p", process.pid)["heap"]
            self.assertEqual(corruption(heap), [])
        finally:
            process.kill()
            process.communicate()

    def test_in_the_middle_of_malloc(self):
        executable = compile_program("heap_churn")
        for threads in ("0", "1", "4"):
            with self.subTest(threads=threads), Program(executable, threads) as program:
                for _ in range(12):
                    heap = corescan_json("heap", "-p", program.pid)["heap"]
                    self.assertEqual(corruption(heap), [])
                    self.assertEqual(heap["lost_bytes"], 0)
                    time.sleep(0.01)


if __name__ == "__main__":
    unittest.main()
