"""Orphans as corescan finds them, beside those of Valgrind's memcheck on the same programs.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import subprocess
import unittest

from harness import CORESCAN, TOP


class BesideMemcheck(unittest.TestCase):
    def test_heads_and_members_are_the_same(self):
        result = subprocess.run(
            [TOP / "scripts" / "compare-valgrind", "orphans_shapes", "orphans_objects"],
            capture_output=True, text=True, env={**os.environ, "CORESCAN": str(CORESCAN)})
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)


if __name__ == "__main__":
    unittest.main()
