"""scripts/bench go: goroutines, and the verdict over a heap of many objects.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import shutil
import sys
from pathlib import Path

from harness import CORESCAN, Program, compile_go

# Millions of objects; each with as many goroutines, of which every second one is leaked.
SIZES = [0, 20]
GOROUTINES = 100000
ROUNDS = 3
COLUMNS = ("goroutines", "objects", "command", "core", "wall", "CPU", "own memory")
COMMANDS = {
    "goroutines": ["goroutines"],
    "goroutines --json": ["goroutines", "--json"],
    "report": ["report"],
}


def check(output):
    leaks = json.loads(output.read_text())["goroutine_leaks"]
    if leaks["count"] != GOROUTINES // 2:
        sys.exit(f"bench: {leaks['count']} leaked goroutines were found, planted were "
                 f"{GOROUTINES // 2}")


def measure(millions, directory, run):
    """The rows of the table; run(command, output) runs a command and tells of its time."""
    executable = compile_go("load")
    with Program(executable, str(GOROUTINES), str(millions * 1000000)) as program:
        core = Path(shutil.move(program.core(), directory / "core"))
    size, output = core.stat().st_size, directory / "output"
    for name, arguments in COMMANDS.items():
        runs = [run([CORESCAN, *arguments, executable, core], output) for _ in range(ROUNDS)]
        if "--json" in arguments:
            check(output)
        yield (f"{GOROUTINES}", f"{millions} M", name, f"{size / 1e9:.2f} GB",
               f"{min(one.wall for one in runs):.2f} s",
               f"{min(one.processors for one in runs):.2f} s",
               f"{max(one.peak for one in runs) / 1e6:.0f} MB")
