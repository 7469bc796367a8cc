#!/usr/bin/python3
"""How long a debugger takes to its first prompt: bench_prompt.py [MB …] (1 3000).

Runs tests/programs/live_heap with so many MB of heap, takes a core, and opens it in gdb
itself and through corescan gdb-server: through a pipe, as the manual has it; with "set sysroot /",
which reads the program's files directly; and packed by zstd, which gdb itself cannot open. Ends
with 1 where gdb does not come to main in one of them. CORESCAN names the program to measure.
scripts/bench has this as its part "prompt".

SPDX-License-Identifier: GPL-3.0-or-later
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_threads import timed  # noqa: E402
from harness import CORESCAN, Program, compile_program  # noqa: E402

SIZES = [1, 3000]
COLUMNS = ("MB", "core", "opened by", "wall", "CPU", "CPU / gdb")
ROUNDS = 5


def gdb(*words):
    return ["gdb", "-nx", "-q", "-batch", *words]


def commands(executable, core, packed):
    """Each way to open the core, gdb's own first."""
    served = f"target remote | {CORESCAN} gdb-server {executable}"
    return {
        "gdb": gdb("-ex", "bt", executable, core),
        "gdb-server": gdb("-ex", f"{served} {core}", "-ex", "bt"),
        "…, set sysroot /": gdb("-ex", "set sysroot /", "-ex", f"{served} {core}", "-ex", "bt"),
        "…, core.zst": gdb("-ex", f"{served} {packed}", "-ex", "bt"),
    }


def measure(megabytes, directory):
    """The rows of the table for a core of so many MB."""
    executable = compile_program("live_heap", "-O2")
    with Program(executable, str(megabytes)) as program:
        core = Path(shutil.move(program.core(), directory / "core"))
    packed = directory / "core.zst"
    subprocess.run(["zstd", "-q", "-1", core, "-o", packed], check=True)
    start = (f"{megabytes}", f"{core.stat().st_size / 1e9:.2f} GB")
    # By turns: what else the machine does then falls on all of them.
    runs = {name: [] for name in commands(executable, core, packed)}
    for _ in range(ROUNDS):
        for name, command in commands(executable, core, packed).items():
            runs[name].append(timed(command))
            if " main (argc=" not in runs[name][-1][2]:
                sys.exit(f"bench_prompt: no way to main in {' '.join(map(str, command))}")
    own = min(run[1] for run in runs["gdb"])
    for name, times in runs.items():
        wall, processor = (min(run[i] for run in times) for i in (0, 1))
        yield (*start, name, f"{wall:.2f} s", f"{processor:.2f} s", f"{processor / own:.1f}")


def main():
    with tempfile.TemporaryDirectory(prefix="corescan-bench-") as name:
        for megabytes in [int(word) for word in sys.argv[1:]] or SIZES:
            directory = Path(name) / f"{megabytes}"
            directory.mkdir()
            for row in measure(megabytes, directory):
                print("  ".join(cell.rjust(16) for cell in row), flush=True)
            shutil.rmtree(directory)


if __name__ == "__main__":
    main()
