"""Compressed cores: the same answers as of the plain core, whatever their name is.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import CORESCAN, PATIENCE, WORK, Program, compile_program, corescan, corescan_json

FORMATS = {"zst": ["zstd", "-q", "-c"], "lz4": ["lz4", "-q", "-c"], "xz": ["xz", "-1", "-c"],
           "gz": ["gzip", "-c"], "bz2": ["bzip2", "-c"]}


def pack(path, command, packed):
    with open(path, "rb") as plain, open(packed, "wb") as out:
        subprocess.run(command, stdin=plain, stdout=out, check=True)
    return packed


def without_path(document):
    return {**document, "target": {**document["target"], "path": None}}


class Compressed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.executable = compile_program("waits_deadlock", "-D_GNU_SOURCE")
        cls.directory = Path(tempfile.mkdtemp(dir=WORK))
        cls.core = cls.directory / "plain"
        with Program(cls.executable, "3") as program:
            program.settle()
            shutil.copy(program.core(), cls.core)
        cls.packed = {name: pack(cls.core, command, cls.directory / f"packed-{name}")
                      for name, command in FORMATS.items()}

    def test_same_answers(self):
        for command in ("report", "maps"):
            plain = corescan_json(command, self.executable, self.core, expect=(0,))
            for name, packed in self.packed.items():
                with self.subTest(command=command, format=name):
                    document = corescan_json(command, self.executable, packed, expect=(0,))
                    self.assertEqual(without_path(document), without_path(plain))

    def test_twice(self):
        plain = corescan_json("maps", self.executable, self.core)
        twice = pack(self.packed["zst"], FORMATS["gz"], self.directory / "twice")
        self.assertEqual(without_path(corescan_json("maps", self.executable, twice)),
                         without_path(plain))

    def test_program_behind_core(self):
        result = corescan(self.packed["zst"], self.executable, expect=(0,))
        self.assertIn("is the core file", result.stderr)

    def test_nothing_is_left(self):
        directory = Path(tempfile.mkdtemp(dir=WORK))
        corescan("threads", self.packed["zst"], environment={"TMPDIR": str(directory)})
        self.assertEqual(os.listdir(directory), [])

    def test_cut_off(self):
        """What came before the cut is told, and that there is a cut."""
        for name, packed in self.packed.items():
            with self.subTest(format=name):
                content = packed.read_bytes()
                part = self.directory / "cut"
                part.write_bytes(content[:len(content) * 9 // 10])
                if name == "bz2":  # its first block is more than all of this core's threads
                    corescan("maps", self.executable, part, expect=(1, 2))
                    continue
                document = corescan_json("maps", self.executable, part, expect=(1,))
                self.assertTrue(document["target"]["truncated"])
                self.assertTrue(any("compressed core ends early" in gap["text"]
                                    for gap in document["gaps"]), document["gaps"])

    def test_damaged(self):
        content = bytearray(self.packed["xz"].read_bytes())
        middle = len(content) // 2
        content[middle:middle + 64] = bytes(64)
        part = self.directory / "damaged"
        part.write_bytes(content)
        corescan("maps", self.executable, part, expect=(1,))

    def refuse(self, path, says, environment=None):
        result = corescan("threads", path, expect=(2,), environment=environment)
        self.assertEqual(result.stdout, "")
        self.assertIn(says, result.stderr)

    def test_no_core_inside(self):
        text = self.directory / "text"
        text.write_text("this is a text file\n" * 10)
        for name, command in FORMATS.items():
            with self.subTest(format=name):
                self.refuse(pack(text, command, self.directory / "text.packed"), "not an ELF file")
        self.refuse(pack("/bin/true", FORMATS["gz"], self.directory / "true"), "not a core")

    def test_huge_but_no_core(self):
        """It is refused by its beginning, not after a gigabyte of it."""
        packed = self.directory / "zeros"
        with open(packed, "wb") as out:
            subprocess.run("head -c 4G /dev/zero | zstd -q -c", shell=True, stdout=out, check=True)
        before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
        self.refuse(packed, "not an ELF file")
        self.assertLess(resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before, 0.5)

    def test_behind_its_end(self):
        """What follows the core in the archive is not unpacked."""
        long = self.directory / "long"
        shutil.copy(self.core, long)
        with open(long, "ab") as out:
            out.write(b"x" * 1000000)
        plain = corescan_json("maps", self.executable, self.core)
        document = corescan_json("maps", self.executable,
                                 pack(long, FORMATS["zst"], self.directory / "long.packed"))
        self.assertEqual(without_path(document), without_path(plain))

    def test_no_room(self):
        self.refuse(self.packed["gz"], "TMPDIR", environment={"TMPDIR": "/nowhere"})

        def limit():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        result = subprocess.run([CORESCAN, "threads", self.packed["gz"]], capture_output=True,
                                text=True, preexec_fn=limit, restore_signals=False,
                                timeout=PATIENCE)
        self.assertEqual((result.returncode, result.stdout), (2, ""))
        self.assertIn("does not fit", result.stderr)
