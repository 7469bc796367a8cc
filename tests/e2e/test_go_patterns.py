"""Go programs that have one thing wrong each: scripts/go-matrix runs them with every Go.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import contextlib
import subprocess
import unittest

from go_truth import BUILDS, CRASH, GoChecks, compile_build, minor_version
from harness import GO, Program

LEAKS = ["send", "buffered-send", "receive", "nil-receive", "nil-send", "empty-select", "select",
         "range", "mutex", "read-lock", "write-lock", "wait-group", "cond", "heavy"]
HEALTHY = ["globals", "sleeper", "chain", "timers", "network", "finaliser", "pending"]
RESOURCES = ["files", "bodies", "tickers", "defers", "sleeps", "cycles"]


def go_minor_version():
    text = subprocess.run([GO, "env", "GOVERSION"], check=True, capture_output=True, text=True).stdout
    return minor_version(text)


class Patterns(GoChecks):
    def check_each(self, name, patterns, look):
        """All of them run at the same time, and are looked at one after the other."""
        for build in BUILDS:
            executable = compile_build(name, build)
            with contextlib.ExitStack() as stack:
                running = [(pattern, stack.enter_context(
                    Program(executable, pattern, environment=CRASH, ready=False)))
                    for pattern in patterns]
                for pattern, program in running:
                    program.wait_until_ready()
                for pattern, program in running:
                    with self.subTest(build=build, pattern=pattern):
                        self.assertGreater(len(program.truth), 1)
                        self.check_running(build, look, program)
                    program.stop()  # gdb's cores have more than a gigabyte

    def test_leaked(self):
        self.check_each("patterns", LEAKS, self.check_patterns)

    def test_healthy(self):
        self.check_each("patterns", HEALTHY, self.check_patterns)

    def test_healthy_that_runs(self):
        self.check_each("patterns", ["spinner"], self.check_patterns)

    def test_pending_cleanup(self):
        """What a cleanup that is due leads to is not leaked. The queue is as it is since Go 1.25."""
        if go_minor_version() >= 25:
            self.check_each("cleanup", ["pending"], self.check_patterns)

    def test_resources(self):
        self.check_each("resources", RESOURCES, self.check_resources)


if __name__ == "__main__":
    unittest.main()
