#!/usr/bin/python3
"""fuzz_heap.py [SECONDS] [SEED]: damages the heap in a core of hostile_heap, word by word, and runs
corescan on it each time: it must end in bounded time and memory, with findings or without, and never
say that the heap has no chunks. CORESCAN names the program, best one with sanitizers.

With --silent it damages one word each time, and lists what was damaged where corescan tells nothing.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import random
import re
import resource
import struct
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "e2e"))

SECONDS_AT_MOST = 60
KILOBYTES_AT_MOST = 1 << 20  # of resident memory, with what AddressSanitizer keeps
PAGE = 4096
HEAP = 64 << 20  # the alignment of a thread arena's heaps
SANITIZED = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error|Sanitizer:")


class Core:
    """A core file, patched in place by address."""

    def __init__(self, path):
        self.path = path
        self.file = open(path, "r+b", buffering=0)
        header = self.file.read(64)
        table, = struct.unpack_from("<Q", header, 32)
        count, = struct.unpack_from("<H", header, 56)
        self.parts = []
        for i in range(count):
            self.file.seek(table + 56 * i)
            kind, _, offset, start, _, size = struct.unpack("<IIQQQQ", self.file.read(40))
            if kind == 1 and size:
                self.parts.append((start, start + size, offset))

    def place(self, address):
        for start, end, offset in self.parts:
            if start <= address and address + 8 <= end:
                return offset + address - start
        return None

    def word(self, address):
        place = self.place(address)
        return None if place is None else struct.unpack("<Q", os.pread(
            self.file.fileno(), 8, place))[0]

    def put(self, address, value):
        place = self.place(address)
        if place is not None:
            os.pwrite(self.file.fileno(), struct.pack("<Q", value & (1 << 64) - 1), place)


class Layout:
    """Where the heap's structures lie, as corescan tells of the whole core."""

    def __init__(self, core, corescan, corescan_json, arguments):
        heap = corescan_json("heap", *arguments)["heap"]
        if heap["findings"]:
            raise RuntimeError(f"the core is not whole: {heap['findings']}")
        self.chunks = []
        self.caches = []
        for line in corescan("chunks", *arguments).stdout.splitlines():
            address, size, state = line.split()[:3]
            self.chunks.append((int(address, 16), int(size), state))
            if int(size) in (0x288, 0x2f8) and state == "reachable":
                self.caches.append(int(address, 16))
        arenas = [int(arena["address"], 16) for arena in heap["arenas"] if arena["address"]]
        self.fields = {
            "header": [a - 8 for a, _, _ in self.chunks],
            "prev-size": [a - 16 for a, _, _ in self.chunks],
            "freed": [a + i for a, s, state in self.chunks if state == "free"
                      for i in range(0, min(s, 32), 8)],
            "footer": [a + s - 8 for a, s, state in self.chunks if state == "free"],
            "tcache": [a + i for a in self.caches for i in range(0, 128 + 64 * 8, 8)],
            "arena": [a + i for a in arenas for i in range(0, 2200, 8)],
            "arena-top": [a + i for a in arenas for i in (0, 8, 16, 24, 96, 2160, 2168, 2184)],
            "heap-info": [h + i for a in arenas[1:] for h in self.heaps(core, a)
                          for i in range(0, 48, 8)],
            "near-main": [arenas[0] + i for i in range(-2048, 4096, 8)],
            "mapped": [a + i for a, s, _ in self.chunks if s > 128 * 1024 for i in (-16, -8, 0)],
        }
        for name, places in self.fields.items():
            self.fields[name] = [at for at in places if core.word(at) is not None]
        self.interesting = [a - i for a, _, _ in self.chunks for i in (0, 16)] + arenas + [
            a - a % HEAP for a in arenas]

    def heaps(self, core, arena):
        found = [arena - arena % HEAP]
        for start, _, _ in core.parts:
            at = start + -start % HEAP
            if core.word(at) == arena and at not in found:
                found.append(at)
        return found

    def damaged(self, random_, old):
        choice = random_.randrange(12)
        size = random_.choice(self.chunks)[1] + 8
        return (0, (1 << 64) - 1, random_.getrandbits(64), 0x4141414141414141,
                old ^ 1 << random_.randrange(64), old + 16 * random_.randrange(-64, 64),
                random_.choice(self.interesting), old + size, old | random_.randrange(8),
                random_.randrange(1 << 20) * 16 | 1, old ^ 1 << random_.randrange(4),
                (1 << 63) + old)[choice]


def damage(core, layout, random_, words):
    """Returns what was done, to be undone."""
    done = []
    for _ in range(words):
        field = random_.choice([name for name, places in layout.fields.items() if places])
        at = random_.choice(layout.fields[field])
        old = core.word(at)
        new = layout.damaged(random_, old) & (1 << 64) - 1
        if new != old:
            core.put(at, new)
            done.append((field, at, old, new))
    return done


def undo(core, done):
    for _, at, old, _ in reversed(done):
        core.put(at, old)


def run(command):
    """The output, what is wrong with the run or None, and its seconds and kilobytes."""
    began = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               env={**os.environ, "LC_ALL": "C.UTF-8"},
                               preexec_fn=lambda: resource.setrlimit(
                                   resource.RLIMIT_CPU, (SECONDS_AT_MOST, SECONDS_AT_MOST)))
    output = process.stdout.read().decode(errors="replace")
    process.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    wrong = None
    if process.returncode not in (0, 1):
        wrong = f"exit status {process.returncode}"
    elif SANITIZED.search(output):
        wrong = "the sanitizers complain"
    elif usage.ru_maxrss > KILOBYTES_AT_MOST:
        wrong = f"{usage.ru_maxrss} KB"
    elif re.search(r"HEAP\s+0 chunks", output):
        wrong = "0 chunks"
    return output, wrong, time.monotonic() - began, usage.ru_maxrss


def commands(corescan, arguments, random_, layout):
    """What is run on a damaged core: of the slower ones, one."""
    address = random_.choice(layout.interesting)
    return [[corescan, "heap", *arguments],
            [corescan, *random_.choice((("leaks",), ("chunks",), ("heap", "--retained"),
                                        ("explain", hex(address)), ("report", "--json"))),
             *arguments]]


def fuzz(core, layout, corescan, arguments, seed, cases=None, seconds=None):
    """Runs so many cases, or for so long. Returns what went wrong, and the worst of the runs."""
    random_ = random.Random(seed)
    began, wrong, worst, most, number = time.monotonic(), [], 0, 0, 0
    while (cases is None or number < cases) and (
            seconds is None or time.monotonic() - began < seconds):
        words = random_.choice((1, 1, 1, 2, 3, 5, 10, 100, 2000))
        done = damage(core, layout, random_, words)
        try:
            for command in commands(str(corescan), [str(a) for a in arguments], random_, layout):
                output, what, took, size = run(command)
                worst, most = max(worst, took), max(most, size)
                if what is not None:
                    told = [(f, hex(a), hex(o), hex(n)) for f, a, o, n in done[:10]]
                    wrong.append((number, what, command, told, output[-4000:]))
        finally:
            undo(core, done)
        number += 1
    return wrong, f"{number} cases, {worst:.1f} s and {most} KB at most"


def silent(core, layout, corescan, arguments, seed, seconds):
    """Lists damage of one word of which corescan tells nothing, by field."""
    random_ = random.Random(seed)
    began, tally = time.monotonic(), {}
    before = {chunk[0]: chunk for chunk in layout.chunks}
    while time.monotonic() - began < seconds:
        done = damage(core, layout, random_, 1)
        if not done:
            continue
        field, at, old, new = done[0]
        output = run([str(corescan), "heap", *map(str, arguments)])[0]
        chunks = run([str(corescan), "chunks", *map(str, arguments)])[0]
        undo(core, done)
        told = "HEAP CORRUPTION" in output
        gap = "gap" in output.lower() or "could not" in output
        tally.setdefault(field, [0, 0, 0])
        tally[field][0] += 1
        tally[field][1] += told
        tally[field][2] += gap and not told
        if not told:
            after = {int(line.split()[0], 16): line.split() for line in chunks.splitlines()
                     if line.startswith("0x")}
            lost = [hex(a) for a in before if a not in after]
            changed = [hex(a) for a in before if a in after and (
                int(after[a][1]), after[a][2]) != before[a][1:]]
            print(f"{field} at {at:#x}: {old:#x} -> {new:#x}{' (gap)' if gap else ''}; lost "
                  f"{len(lost)} {lost[:3]}, changed {len(changed)} {changed[:3]}", flush=True)
    for field, counts in tally.items():
        print(field, "damaged %d, findings %d, gaps %d" % tuple(counts))


def main():
    from harness import CORESCAN, Program, compile_program, corescan, corescan_json
    arguments = [a for a in sys.argv[1:] if not a.startswith("--")]
    seconds = int(arguments[0]) if arguments else 600
    seed = int(arguments[1]) if len(arguments) > 1 else int(time.time())
    executable = compile_program("hostile_heap")
    with Program(executable) as program:
        core = Core(program.core())
        target = (executable, core.path)
        layout = Layout(core, corescan, corescan_json, target)
        print("seed", seed, {name: len(places) for name, places in layout.fields.items()},
              flush=True)
        if "--silent" in sys.argv:
            silent(core, layout, CORESCAN, target, seed, seconds)
            return 0
        wrong, told = fuzz(core, layout, CORESCAN, target, seed, seconds=seconds)
        for number, what, command, done, output in wrong:
            print(f"case {number}: {what}\n  {' '.join(command)}\n  {done}\n{output}\n")
        print(told, f"{len(wrong)} wrong")
        return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
