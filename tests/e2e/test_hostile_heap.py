"""Heaps whose structures lie: words of them overwritten at random, from one to thousands, end in
bounded time and memory, with what could be walked. scripts/fuzz heap goes on for longer.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import sys
import unittest

from harness import CORESCAN, TOP, Program, compile_program, corescan, corescan_json

sys.path.insert(0, str(TOP / "tests" / "fuzz"))
from fuzz_heap import Core, Layout, fuzz  # noqa: E402

CASES = 40
SEED = 20261


class HostileHeap(unittest.TestCase):
    def test_random_damage(self):
        executable = compile_program("hostile_heap")
        with Program(executable) as program:
            core = Core(program.core())
            target = (executable, core.path)
            layout = Layout(core, corescan, corescan_json, target)
            for name, places in layout.fields.items():
                self.assertTrue(places, name)
            wrong, told = fuzz(core, layout, CORESCAN, target, SEED, cases=CASES)
            self.assertEqual(wrong, [], told)
            # What was patched is whole again.
            self.assertEqual(corescan_json("heap", *target)["heap"]["findings"], [])


if __name__ == "__main__":
    unittest.main()
