"""Chunks whose pointers lie where corescan cannot look, or not always: in the kernel.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import unittest

from harness import Program, compile_program, corescan, corescan_json, each_way


def states(*arguments):
    """The state of every chunk, by address."""
    lines = corescan("chunks", *arguments).stdout.splitlines()
    return {line.split()[0]: line.split()[2] for line in lines}


class HeldByTheKernel(unittest.TestCase):
    def check_live(self, program, arguments):
        state = states(*arguments)
        for line in program.told("kernel"):
            self.assertEqual(state[line["kernel"]], "possible", line)
        for line in (program.told("kernel")[0], *program.told("kernel")[-3:]):
            found = corescan_json("explain", line["kernel"], *arguments)["explanation"]
            self.assertEqual(found["path"][0]["storage"]["kind"], "kernel")
            self.assertEqual(found["path"][0]["storage"]["text"], line["text"])
            self.assertIn("the kernel holds", found["why"])
        self.assertIn("weak root   " + line["text"],
                      corescan("explain", line["kernel"], *arguments).stdout)

    def check_events(self, program, arguments):
        state = states(*arguments)
        # Half of them are aligned in the array, which is on a stack.
        self.assertEqual(sorted(state[line["event"]] for line in program.told("event")),
                         ["possible", "possible", "reachable", "reachable"])
        for line in program.told("event"):
            found = corescan_json("explain", line["event"], *arguments)["explanation"]
            self.assertEqual(found["path"][0]["storage"]["tid"], line["tid"])
        for line in program.told("orphan"):
            self.assertEqual(state[line["orphan"]], "orphaned", line)
        return state

    def test_epoll_and_timers(self):
        with Program(compile_program("orphans_kernel", "-D_GNU_SOURCE")) as program:
            program.settle()
            self.assertEqual(len(program.told("kernel")), 23)
            self.assertEqual(len(program.told("event")), 4)

            def look(arguments, way):
                self.check_events(program, arguments)
                if way == "live":
                    self.check_live(program, arguments)

            each_way(self, program, look)


if __name__ == "__main__":
    unittest.main()
