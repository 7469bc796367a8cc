"""The heap as corescan walks it, against what programs tell of themselves: malloc_info's totals for
each arena, and every pointer with its malloc_usable_size.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import shutil
import subprocess
import unittest
from pathlib import Path

from harness import CORESCAN, WORK, Program, compile_program, count, each_way

HEAP_DUMP = Path(os.environ.get("HEAP_DUMP", CORESCAN.parent / "heap_dump"))
SLACK = 4096  # of a thread arena: malloc_state, heap_infos, fenceposts


def heap_of(arguments):
    """What heap_dump says of the target that corescan's command line would name."""
    result = subprocess.run([HEAP_DUMP, str(arguments[-1]), "all"], capture_output=True, text=True,
                            check=True, timeout=60)
    return json.loads(result.stdout)


class Heap(unittest.TestCase):
    def compare_arenas(self, told, heap):
        arenas = [arena for arena in heap["arenas"] if arena["kind"] != "mmapped"]
        self.assertEqual(len(told), len(arenas))
        for truth, arena in zip(told, arenas):
            # Each binned chunk counts with its PREV_INUSE bit there; top is one of the "rest".
            binned = truth["rest_count"] - 1
            self.assertEqual(truth["fast_bytes"] + truth["rest_bytes"] - binned,
                             arena["free_bytes"] + arena["top_bytes"])
            self.assertEqual(truth["fast_count"] + binned, arena["free_chunks"])
            self.assertEqual(truth["system_bytes"], arena["system_bytes"])
            self.assertEqual(arena["lost_bytes"], 0)
            if arena["kind"] == "thread":
                self.assertEqual(truth["heaps"], arena["heaps"])
                accounted = sum(arena[kind + "_bytes"]
                                for kind in ("used", "cached", "free", "top"))
                self.assertLessEqual(arena["system_bytes"] - accounted, SLACK)

    def compare_mallinfo(self, told, heap):
        arenas = [arena for arena in heap["arenas"] if arena["kind"] != "mmapped"]
        free = sum(arena["free_bytes"] + arena["top_bytes"] for arena in arenas)
        self.assertEqual(told["mallinfo_system"], sum(arena["system_bytes"] for arena in arenas))
        self.assertEqual(told["free"], free)
        self.assertEqual(told["used"], told["mallinfo_system"] - free)
        self.assertEqual(told["keep"], arenas[0]["top_bytes"])

    def compare_pointers(self, program, heap):
        chunks = {chunk["address"]: chunk for chunk in heap["chunks"]}
        live = {}
        for truth in program.told("pointer"):
            live[truth["pointer"]] = truth["usable"]
        for address, usable in live.items():
            chunk = chunks.get(address)
            self.assertIsNotNone(chunk, f"no chunk at {address:#x}")
            self.assertTrue(chunk["used"], f"{address:#x} is in use")
            self.assertEqual(chunk["size"], usable, f"size of {address:#x}")
        for truth in program.told("freed"):
            address = truth["freed"]
            # A freed chunk may since have become a thread's tcache struct.
            if address not in live and address in chunks and address not in heap["internal"]:
                self.assertFalse(chunks[address]["used"], f"{address:#x} was freed")
        for truth in program.told("decoy"):
            self.assertNotIn(truth["decoy"], chunks)
        for address in heap["internal"]:
            self.assertIn(address, chunks)

    def compare(self, program, arguments, doubt=None):
        count("heaps told")
        heap = heap_of(arguments)
        self.compare_arenas(program.told("arena"), heap)
        mmapped = [arena for arena in heap["arenas"] if arena["kind"] == "mmapped"][0]
        for told in program.told("mmapped_count"):
            self.assertEqual(told["mmapped_count"], mmapped["used_chunks"])
            self.assertEqual(told["mmapped_bytes"], mmapped["used_bytes"])
        self.compare_mallinfo(program.told("mallinfo_system")[0], heap)
        self.compare_pointers(program, heap)
        self.assertEqual(heap["findings"], [])
        told = [gap["text"] for gap in heap["gaps"] if gap["kind"] == "heap"]
        # What was compared above is right with a doubt or without: the counters of 2.43, which grow
        # with each mremap, single out what those of older versions do not.
        self.assertLessEqual(len(told), 1 if doubt else 0, told)
        for text in told:
            self.assertIn(doubt, text)
        count("heaps walked as told")
        count("pointers", len(program.told("pointer")))
        return heap

    def run_and_compare(self, name, *arguments, flags=(), environment=None, doubt=None):
        executable = compile_program(name, *flags)
        with Program(executable, *arguments, environment=environment) as program:
            each_way(self, program, lambda way, _: self.compare(program, way, doubt))

    def test_arenas(self):
        self.run_and_compare("heap_arenas")

    def test_mmapped_chunks(self):
        for mode, doubt in (("plain", None), ("decoys", None),
                            ("twin", "pages look like mmapped chunks")):
            with self.subTest(mode=mode):
                self.run_and_compare("heap_mmapped", mode, doubt=doubt)

    def test_break(self):
        for mode in ("foreign", "blocked", "both"):
            with self.subTest(mode=mode):
                self.run_and_compare("heap_break", mode)

    def test_static(self):
        self.run_and_compare("heap_arenas", "2", flags=("-static",))
        self.run_and_compare("heap_break", "both", flags=("-static", "-s"))
        self.run_and_compare("heap_mmapped", "decoys", flags=("-static",))

    def test_tunables(self):
        for tunable in ("tcache_count=0", "tcache_count=100", "tcache_max=200000", "arena_max=1",
                        "mmap_max=0", "hugetlb=1", "hugetlb=2", "mxfast=0", "top_pad=8388608"):
            with self.subTest(tunable=tunable):
                self.run_and_compare("heap_arenas", "3", environment={
                    "GLIBC_TUNABLES": "glibc.malloc." + tunable})

    def test_without_debug_info(self):
        """The program's libc has no build-id and no debug link: nothing leads to a debug file."""
        executable = compile_program("heap_arenas")
        library = next(Path(line.split()[2]) for line in subprocess.run(
            [executable], env={"LD_TRACE_LOADED_OBJECTS": "1"}, capture_output=True, text=True,
            check=True).stdout.splitlines()
            if "libc.so.6" in line)
        directory = WORK / "bare"
        directory.mkdir(exist_ok=True)
        subprocess.run(["objcopy", "--remove-section", ".note.gnu.build-id", "--remove-section",
                        ".gnu_debuglink", library, directory / "libc.so.6"], check=True)
        try:
            with Program(executable, "3",
                         environment={"LD_PRELOAD": str(directory / "libc.so.6")}) as program:
                heap = self.compare(program, ["-p", program.pid])
                self.assertIn("built-in layout, found in memory", heap["evidence"])
                self.compare(program, [program.executable, program.core()])
        finally:
            shutil.rmtree(directory)


if __name__ == "__main__":
    unittest.main()
