"""Chunks whose pointers lie where corescan cannot look, or not always: in the kernel, in memory
that was not dumped.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import shutil
import struct
import unittest

from harness import WORK, Program, compile_program, corescan, corescan_json, each_way


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

    def check_caution(self, program, arguments):
        """A core has nothing of the kernel's: that is said, beside what counts as orphaned."""
        caution = f"thread {program.told('event')[0]['tid']} waits in epoll_wait: chunks that only"
        for view in ("leaks", "report", "heap"):
            document = corescan_json(view, *arguments, expect=(0,))
            self.assertIn(caution, document["heap"]["caution"])
            self.assertIsNone(document["heap"]["doubt"])
            self.assertIn(caution, " ".join(corescan(view, *arguments).stdout.split()))
        planted = {line["kernel"] for line in program.told("kernel")}
        orphaned = {address for address, state in states(*arguments).items()
                    if state == "orphaned"}
        self.assertLessEqual(planted, orphaned)

    def test_epoll_and_timers(self):
        with Program(compile_program("orphans_kernel", "-D_GNU_SOURCE")) as program:
            program.settle()
            self.assertEqual(len(program.told("kernel")), 23)
            self.assertEqual(len(program.told("event")), 4)

            def look(arguments, way):
                self.check_events(program, arguments)
                if way == "live":
                    self.check_live(program, arguments)
                else:
                    self.check_caution(program, arguments)

            each_way(self, program, look)


def copy_of(core):
    copy = WORK / (core.parent.name + "-cut")
    shutil.copy(core, copy)
    return copy


def segment_of(core, address):
    """Where the program header of the segment around `address` lies in a core, and its fields."""
    with open(core, "rb") as file:
        header = file.read(64)
        offset, = struct.unpack_from("<Q", header, 32)
        size, count = struct.unpack_from("<HH", header, 54)
        for at in range(offset, offset + size * count, size):
            file.seek(at)
            fields = struct.unpack("<IIQQQQQQ", file.read(56))
            if fields[0] == 1 and fields[3] <= address < fields[3] + fields[6]:
                return at, fields
    raise RuntimeError(f"{core} has no segment around {address:#x}")


def leave_out(core, start):
    """A copy of the core in which what its segment holds from `start` on was not dumped."""
    core = copy_of(core)
    at, fields = segment_of(core, start)
    with open(core, "r+b") as file:
        file.seek(at + 32)
        file.write(struct.pack("<Q", start - fields[3]))
    return core


def cut_off(core, address):
    """A copy of the core that ends where its bytes of `address` would stand."""
    core = copy_of(core)
    _, fields = segment_of(core, address)
    with open(core, "r+b") as file:
        file.truncate(fields[2] + address - fields[3])
    return core


class NotDumped(unittest.TestCase):
    def check_orphans(self, program, arguments, held):
        """The orphans are proven, and --fail-on says so; those of `held` are not orphaned."""
        state = states(*arguments)
        self.assertEqual({state[line["orphan"]] for line in program.told("orphan")}, {"orphaned"})
        for line in held:
            self.assertEqual(state[line], "reachable")
        document = corescan_json("leaks", "--fail-on=orphans", *arguments, expect=(3,))
        self.assertEqual(document["orphans"]["chunks"], len(program.told("orphan")))
        self.assertIsNone(document["possible_orphans"])
        self.assertIsNone(document["heap"]["doubt"])

    def check_doubt(self, program, arguments, possible, some=False):
        """Nothing is called orphaned, but the table of groups is there. `some`: the heap itself is
        not whole."""
        state = states(*arguments)
        planted = [line["orphan"] for line in program.told("orphan")]
        found = [address for address in planted if address in state]
        if not some:
            self.assertEqual(found, planted)
        for address in (*found, *possible):
            self.assertEqual(state[address], "possible")
        self.assertNotIn("orphaned", state.values())
        document = corescan_json("leaks", "--limit=0", "--fail-on=orphans", *arguments, expect=(1,))
        self.assertEqual(document["orphans"]["chunks"], 0)
        self.assertEqual(document["orphans"]["groups"], [])
        groups = document["possible_orphans"]["groups"]
        self.assertEqual(sum(group["chunks"] for group in groups),
                         document["possible_orphans"]["chunks"])
        self.assertGreaterEqual(document["possible_orphans"]["chunks"], len(found))
        self.assertEqual(document["heap"]["unheld"]["chunks"],
                         document["possible_orphans"]["chunks"])
        self.assertIn("of private memory", document["heap"]["doubt"])
        for view in ("leaks", "report", "heap"):
            self.assertIn("nothing that was read leads to them, but",
                          " ".join(corescan(view, *arguments).stdout.split()))
        found = corescan_json("explain", found[0], *arguments)["explanation"]
        self.assertIn("could not be read and may hold pointers to it", found["why"])
        self.assertIsNotNone(found["structure"])

    def test_what_holds_no_pointers_raises_no_doubt(self):
        with Program(compile_program("orphans_undumped", "-D_GNU_SOURCE")) as program:
            program.settle()
            local = program.told("local")[0]["local"]
            self.assertEqual(len(program.told("orphan")), 200)
            each_way(self, program, lambda arguments, way: self.check_orphans(
                program, arguments, [local]))

    def test_excluded_from_the_dump(self):
        with Program(compile_program("orphans_undumped", "-D_GNU_SOURCE"), "hide") as program:
            program.settle()
            local, hidden = program.told("local")[0]["local"], program.told("hidden")[0]["hidden"]
            self.check_orphans(program, ["-p", program.pid], [local, hidden])
            core = program.core()
            self.check_doubt(program, [program.executable, core], [hidden])
            self.assertEqual(states(core)[local], "reachable")

    def test_parts_of_a_core_are_missing(self):
        with Program(compile_program("orphans_undumped", "-D_GNU_SOURCE")) as program:
            program.settle()
            local = program.told("local")[0]["local"]
            stack = max(int(line.split("-")[0], 16) for line in open(f"/proc/{program.pid}/maps")
                        if line.rstrip().endswith("[stack]"))
            last = int(program.told("orphan")[100]["orphan"], 16)
            core = program.core()
            with self.subTest(missing="the stack"):
                self.check_doubt(program, [program.executable, cut_off(core, stack)], [local])
            with self.subTest(missing="half of the heap"):
                self.check_doubt(program, [program.executable, leave_out(core, last // 4096 * 4096)],
                                 [], some=True)


class Policy(unittest.TestCase):
    """What counts as a pointer and what does not, as corescan(1) says."""

    def check(self, program, arguments):
        state = states(*arguments)
        for line in program.told("policy"):
            with self.subTest(line=line):
                self.assertEqual(state[line["policy"]], line["state"])
        past, = [line["policy"] for line in program.told("policy")
                 if line["how"] == "one past the end"]
        found = corescan_json("explain", past, *arguments)["explanation"]
        self.assertEqual([int(word["value"], 16) - int(past, 16) for word in found["path"]], [72])
        self.assertIn("right behind it", found["why"])
        self.assertEqual(found["referrers"]["counts"]["root"], 1)

    def test_forms_of_pointers(self):
        with Program(compile_program("orphans_policy", "-D_GNU_SOURCE")) as program:
            program.settle()
            self.assertEqual(len(program.told("policy")), 25)
            each_way(self, program, lambda arguments, way: self.check(program, arguments))


if __name__ == "__main__":
    unittest.main()
