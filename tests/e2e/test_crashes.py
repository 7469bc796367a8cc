"""What killed a program, against what the program said before it died.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import subprocess
import unittest

from harness import Program, compile_program, corescan, corescan_json


class Crashes(unittest.TestCase):
    CAUSES = ("null_read", "wild_read", "write_constant", "jump_null", "jump_heap",
              "stack_overflow", "no_access", "past_file", "zero_division", "assertion",
              "double_free", "exception", "own_exception", "thrown_again", "not_joined",
              "not_joined_in_handler", "broken_promise", "sent")

    def check_cause(self, executable, cause):
        with Program(executable, cause) as program:
            truth = program.told("signal")[0]
            core = program.core(number=None)
            crash = corescan_json("report", executable, core)["crash"]
            self.assertEqual(crash["signal_name"], truth["signal"])
            self.assertEqual(crash["tid"], truth["tid"])
            self.assertEqual(crash["access"], truth["access"])
            self.assertIn(truth["words"], crash["text"] + (crash["message"] or ""))
            if truth["address"] != "(nil)":
                self.assertEqual(int(crash["fault"]["address"], 16), int(truth["address"], 16))
            self.check_instruction(executable, core, crash)
            text = corescan("report", executable, core).stdout
            self.assertIn(f"\n{truth['signal']}  ", text)
            self.assertIn(truth["function"], text.split("\n\n")[1])

    def check_instruction(self, executable, core, crash):
        """gdb disassembles the same, where code lies at the pc and the pc still at the fault."""
        if crash["code"] <= 0 or crash["access"] == "jump":
            self.assertIsNone(crash["instruction"])
            return
        told = subprocess.run(["gdb", "-nx", "-batch", "-ex", "x/i $pc", executable, core],
                              capture_output=True, text=True).stdout
        gdb = " ".join(told.strip().splitlines()[-1].split(":", 1)[1].split())
        self.assertEqual(crash["instruction"]["text"].split(" <")[0], gdb.split(" <")[0])
        self.assertEqual(crash["instruction"]["address"], crash["registers"]["rip"])
        for name, value in crash["instruction"]["registers"].items():
            self.assertEqual(value, crash["registers"][name])

    def test_causes(self):
        executable = compile_program("crashes", "-std=c++20", "-D_GNU_SOURCE")
        for cause in self.CAUSES:
            with self.subTest(cause=cause):
                self.check_cause(executable, cause)


if __name__ == "__main__":
    unittest.main()
