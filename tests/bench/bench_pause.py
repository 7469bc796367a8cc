#!/usr/bin/python3
"""How long corescan stops a process: bench_pause.py [MEGABYTES …] (1024 and 4096).

Runs tests/programs/live_heap with so much heap, and prints a line for each command: the pause that
corescan tells (least, middle, most of three), and the shortest whole run.
CORESCAN names the program to measure. scripts/bench has this as its part "pause".

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import Program, compile_program, corescan  # noqa: E402

SIZES = [1024, 4096]
COLUMNS = ("heap", "stopped", "command", "least", "middle", "most", "run")
COMMANDS = (["waits"], ["waits", "--stop"], ["report"], ["leaks"], ["leaks", "--max-pause", "50"])


def look(pid, arguments):
    start = time.monotonic()
    document = json.loads(corescan(*arguments, "--json", "-p", pid, timeout=600).stdout)
    return document["target"], time.monotonic() - start


def measure(megabytes, directory=None):
    """The rows of the table for so much heap."""
    with Program(compile_program("live_heap", "-O2"), str(megabytes)) as program:
        for arguments in COMMANDS:
            runs = [look(program.pid, arguments) for _ in range(3)]
            pauses = sorted(target["stopped_us"] / 1000 for target, _ in runs)
            yield (f"{megabytes} MB", "yes" if runs[0][0]["stopped"] else "no",
                   " ".join(arguments), *(f"{pause:.1f} ms" for pause in pauses),
                   f"{min(run for _, run in runs):.1f} s")


def main():
    print("  ".join(COLUMNS))
    for size in [int(argument) for argument in sys.argv[1:]] or SIZES:
        for row in measure(size):
            print("  ".join(row), flush=True)


if __name__ == "__main__":
    main()
