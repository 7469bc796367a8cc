#!/usr/bin/python3
"""How long corescan stops a process: bench_pause.py [MEGABYTES …] (1024 and 4096).

Runs tests/programs/live_heap with so much heap, and prints a line for each command: the pause that
corescan tells (least, middle, most of three), and the shortest whole run.
CORESCAN names the program to measure.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import sys
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import Program, compile_program, corescan  # noqa: E402

COMMANDS = (["waits"], ["waits", "--stop"], ["report"], ["leaks"], ["leaks", "--max-pause", "50"])


def measure(pid, arguments):
    start = time.monotonic()
    document = json.loads(corescan(*arguments, "--json", "-p", pid, timeout=600).stdout)
    return document["target"], time.monotonic() - start


def main():
    for size in [int(argument) for argument in sys.argv[1:]] or [1024, 4096]:
        with Program(compile_program("live_heap", "-O2"), str(size)) as program:
            for arguments in COMMANDS:
                runs = [measure(program.pid, arguments) for _ in range(3)]
                pauses = sorted(target["stopped_us"] / 1000 for target, _ in runs)
                print(f"{size:5} MB  {' '.join(arguments):24} stopped "
                      f"{'no ' if not runs[0][0]['stopped'] else 'yes'}  pause ms "
                      f"{pauses[0]:7.1f} {pauses[1]:7.1f} {pauses[2]:7.1f}  "
                      f"run {min(run for _, run in runs):5.1f} s", flush=True)


if __name__ == "__main__":
    main()
