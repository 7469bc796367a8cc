"""Threads that are stopped inside malloc and free: what they have in their hands is no orphan.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import WORK, compile_program, corescan_json


class InMalloc(unittest.TestCase):
    def test_fastbins_taken_out(self):
        """gdb steps through malloc_consolidate, which holds a whole fastbin in a register."""
        executable = compile_program("consolidating")
        directory = Path(tempfile.mkdtemp(dir=WORK))
        steps = (5, 20, 25, 30, 40, 80, 160, 400)
        script = ["set pagination off", "set breakpoint pending on", f"cd {directory}",
                  "break malloc_consolidate", "run"]
        for number, count in enumerate(steps):
            script += [f"stepi {count}", f"gcore core.{number}"]
        command = [word for line in [*script, "kill"] for word in ("-ex", line)]
        subprocess.run(["gdb", "-nx", "-batch", *command, executable], cwd=directory,
                       capture_output=True, check=True, timeout=120)
        in_hand = 0
        for number in range(len(steps)):
            states = corescan_json("leaks", directory / f"core.{number}")["heap"]["states"]
            self.assertEqual(states["orphaned"]["chunks"], 0, f"after step {number}")
            in_hand += states["possible"]["chunks"]
        self.assertGreater(in_hand, 100, "no fastbin was seen in malloc's hands")


if __name__ == "__main__":
    unittest.main()
