#!/usr/bin/python3
"""How fast corescan tells the threads of a core: bench_threads.py [THREADS …] (10000).

Runs tests/programs/many_threads with so many threads, takes a core, and measures on it corescan's
threads, waits and report beside gdb's "thread apply all bt". Ends with 1 where corescan does not
list every thread with its stack and its wait, or does not group them. CORESCAN names the program to
measure. scripts/bench has this as its part "threads".

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))

from harness import CORESCAN, Program, compile_program  # noqa: E402

SIZES = [10000]
COLUMNS = ("threads", "core", "command", "wall", "CPU", "gdb / wall")
COMMANDS = ("threads", "waits", "report")
ROUNDS = 3


def timed(command):
    """Wall and processor seconds, and the output."""
    start = time.monotonic()
    before = sum(resource_times())
    output = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, check=False).stdout
    return time.monotonic() - start, sum(resource_times()) - before, output


def resource_times():
    import resource
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime, usage.ru_stime


def check(core, executable, threads):
    document = json.loads(timed([CORESCAN, "waits", "--json", executable, core])[2])
    complete = [thread for thread in document["threads"]
                if thread["stop_reason"] is None and len(thread["frames"]) > 3]
    kinds = {}
    for wait in document["waits"]:
        kinds[wait["kind"]] = kinds.get(wait["kind"], 0) + 1
    # A third waits for a lock, a third for work, the others sleep, and main is paused.
    told = (len(complete), kinds["mutex"] + kinds["condition variable"] + kinds["sleep"],
            sum(map(len, document["wait_groups"])), len(document["wait_groups"]) < 10)
    if told != (threads + 1, threads, threads + 1, True):
        sys.exit(f"bench_threads: of {threads} threads were told {told}")


def measure(threads, directory):
    """The rows of the table for so many threads."""
    executable = compile_program("many_threads", "-O1")
    with Program(executable, str(threads)) as program:
        core = Path(shutil.move(program.core(), directory / "core"))
    size = core.stat().st_size
    check(core, executable, threads)
    gdb = timed(["gdb", "-nx", "-q", "-batch", "-ex", "thread apply all bt", executable, core])
    if gdb[2].count("\nThread ") != threads + 1:
        sys.exit("bench_threads: gdb did not tell of all threads")
    start = (f"{threads}", f"{size / 1e9:.2f} GB")
    for command in COMMANDS:
        runs = [timed([CORESCAN, command, "--limit", "0", executable, core])
                for _ in range(ROUNDS)]
        wall = min(run[0] for run in runs)
        yield (*start, command, f"{wall:.2f} s", f"{min(run[1] for run in runs):.2f} s",
               f"{gdb[0] / wall:.0f}")
    yield (*start, "gdb", f"{gdb[0]:.2f} s", f"{gdb[1]:.2f} s", "1")


def main():
    print("  ".join(COLUMNS))
    for size in [int(argument) for argument in sys.argv[1:]] or SIZES:
        with tempfile.TemporaryDirectory(prefix="corescan-bench-") as directory:
            for row in measure(size, Path(directory)):
                print("  ".join(row), flush=True)


if __name__ == "__main__":
    main()
