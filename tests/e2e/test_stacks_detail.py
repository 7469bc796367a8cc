"""What stacks tell beyond their functions: how they end, code without symbols, who killed a thread,
the faulting instruction, locals and source lines.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import TOP, WORK, Program, compile_program, corescan, corescan_json, each_way


def functions_of(thread):
    return [frame["function"] for frame in thread["frames"]]


class Ends(unittest.TestCase):
    def test_overflow_shows_what_began_the_recursion(self):
        with Program(compile_program("stack_ends"), "overflow", ready=False) as program:
            core = program.core(None)
            document = corescan_json("threads", program.executable, core, expect=(0,))
            thread = document["threads"][0]
            self.assertIsNone(thread["stop_reason"])
            self.assertEqual(document["gaps"], [])
            functions = functions_of(thread)
            at = functions.index("parse_document")
            self.assertEqual(functions[at - 1], "descend")
            self.assertEqual(functions[at + 1], "main")
            self.assertGreater(thread["left_out"], 1000)
            text = corescan("report", program.executable, core, expect=(0,)).stdout
            self.assertIn("parse_document", text)
            number = len(functions) + thread["left_out"] - (len(functions) - at)
            self.assertIn(f"#{number} parse_document", text)
            self.assertRegex(text, r"… [\d,]+ frames left out: the stack is very deep")

    def test_threads_that_are_just_being_born(self):
        """A thread stopped in clone3 has no unwind information, and no caller."""
        seen = 0
        with Program(compile_program("stack_ends"), "spawn") as program:
            for _ in range(60):
                document = corescan_json("threads", "-p", program.pid)
                for thread in document["threads"]:
                    if functions_of(thread)[:1] in (["clone3"], ["__clone3"], ["clone"]):
                        seen += 1
                        self.assertIsNone(thread["stop_reason"], thread)
        self.assertGreater(seen, 0)


class Places(unittest.TestCase):
    def test_generated_code_is_marked(self):
        with Program(compile_program("stack_ends"), "code", ready=False) as program:
            core = program.core(None)
            thread = corescan_json("threads", program.executable, core)["threads"][0]
            self.assertEqual([frame["generated"] for frame in thread["frames"][:3]],
                             [False, True, False])
            self.assertIn("JIT or generated code",
                          corescan("threads", program.executable, core).stdout)

    def test_stripped_module_is_told_for_addr2line(self):
        executable = compile_program("stack_ends")
        stripped = executable.with_name("stack_ends_stripped")
        shutil.copy(executable, stripped)
        subprocess.run(["strip", stripped], check=True)
        with Program(stripped, "code", ready=False) as program:
            core = program.core(None)
            thread = corescan_json("threads", stripped, core)["threads"][0]
            frame = thread["frames"][0]
            self.assertIsNone(frame["function"])
            told = subprocess.run(["addr2line", "-f", "-e", executable, frame["module_address"]],
                                  check=True, capture_output=True, text=True).stdout
            self.assertEqual(told.splitlines()[0], "called_back")
            self.assertIn(f"stack_ends_stripped+{frame['module_address']}",
                          corescan("threads", stripped, core).stdout)


class KilledFromOutside(unittest.TestCase):
    def test_it_waits_and_did_not_crash(self):
        with Program(compile_program("stack_ends"), "wait") as program:
            program.settle()
            owner = program.told("owner")[0]["owner"]
            core = program.core(signal.SIGABRT)
            document = corescan_json("report", program.executable, core)
            thread = document["threads"][0]
            self.assertTrue(thread["crashed"])
            self.assertTrue(thread["killed_from_outside"])
            wait = next(wait for wait in document["waits"] if wait["tid"] == thread["tid"])
            self.assertEqual((wait["activity"], wait["kind"], wait["owner"]),
                             ("blocked", "mutex", owner))
            self.assertEqual(document["crash"]["sender"], os.getpid())
            text = corescan("report", program.executable, core,
                            environment={"COLUMNS": "200"}).stdout
            self.assertIn("1 killed by SIGABRT from outside", text)
            self.assertRegex(text, r'"stack_ends", killed by SIGABRT from outside, waits for mutex')
            self.assertNotIn("1 crashed", text)

    def test_its_own_abort_is_its_own(self):
        with Program(compile_program("stack_ends"), "overflow", ready=False) as program:
            document = corescan_json("threads", program.executable, program.core(None))
            self.assertFalse(document["threads"][0]["killed_from_outside"])


class Locals(unittest.TestCase):
    """What programs tell of their variables, against what corescan shows of them."""

    def check_values(self, document, program, all_known):
        thread = document["threads"][0]
        known = 0
        truths = program.told("function")
        for truth in truths:
            frames = [frame for frame in thread["frames"]
                      if frame["function"] == truth["function"]]
            with self.subTest(variable=f"{truth['function']}:{truth['name']}"):
                self.assertEqual(len(frames), 1, functions_of(thread))
                found = [variable for variable in frames[0]["variables"]
                         if variable["name"] == truth["name"]]
                self.assertEqual(len(found), 1, frames[0]["variables"])
                known += found[0]["known"]
                if all_known or found[0]["known"]:
                    self.assertTrue(found[0]["known"], found[0])
                    self.assertTrue(found[0]["value"].startswith(truth["value"]),
                                    f"{found[0]} is not {truth}")
                else:
                    self.assertRegex(found[0]["value"], "^(optimized out|not known: .*)$")
        return known, len(truths)

    def check_program(self, name, flag, least=None):
        with Program(compile_program(name, flag)) as program:
            program.settle(0.1)

            def look(arguments, way):
                document = corescan_json("threads", "--locals", *arguments)
                known, told = self.check_values(document, program, least is None)
                self.assertGreater(told, 5)
                self.assertGreaterEqual(known, least or told)

            each_way(self, program, look)

    def test_not_optimised(self):
        self.check_program("locals", "-O0")

    def test_optimised(self):
        self.check_program("locals", "-O2", 20)

    def test_objects_not_optimised(self):
        self.check_program("locals_objects", "-O0")

    def test_objects_optimised(self):
        self.check_program("locals_objects", "-O2", 8)

    def test_without_debug_information(self):
        with Program(compile_program("locals", "-O1", "-g0")) as program:
            document = corescan_json("threads", "--locals", "-p", program.pid)
            own = [frame for frame in document["threads"][0]["frames"]
                   if frame["module"] == program.executable.name]
            self.assertGreater(len(own), 1)
            for frame in own:
                self.assertNotIn("variables", frame)

    def test_off_unless_asked_for(self):
        with Program(compile_program("locals", "-O0")) as program:
            document = corescan_json("threads", "-p", program.pid)
            self.assertNotIn("variables", document["threads"][0]["frames"][1])

    def test_of_a_group_one_is_shown(self):
        with Program(compile_program("many_threads"), "20") as program:
            text = corescan("threads", "--locals", "-p", program.pid).stdout
            self.assertRegex(text, r"\n  the values are those of \d+\n +#0 ")

    def test_as_gdb_has_them(self):
        """Every integer that gdb and corescan both know is the same, in optimised code, too."""
        compared = 0
        for flag in "-O1", "-O2", "-O3":
            with Program(compile_program("locals", flag)) as program:
                core = program.core()
                thread = corescan_json("threads", "--locals", program.executable,
                                       core)["threads"][0]
                for frame in thread["frames"]:
                    if frame["inlined"] or not frame.get("variables"):
                        continue
                    told = subprocess.run(
                        ["gdb", "-nx", "-batch", "-ex", f"frame function {frame['function']}",
                         "-ex", "info args", "-ex", "info locals", program.executable, core],
                        capture_output=True, text=True).stdout
                    for variable in frame["variables"]:
                        gdb = re.findall(rf"^{variable['name']} = (-?\d+)$", told, re.M)
                        if variable["known"] and len(gdb) == 1:
                            self.assertEqual(variable["value"], gdb[0], (flag, frame, variable))
                            compared += 1
        self.assertGreater(compared, 9)


class Sources(unittest.TestCase):
    """A program whose source lies beside it, compiled by a relative name."""

    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(dir=WORK))
        self.lines = (TOP / "tests" / "programs" / "stack_ends.c").read_text().splitlines()
        shutil.copytree(TOP / "tests" / "programs", self.directory / "src")
        os.utime(self.directory / "src" / "stack_ends.c", (1, 1))

    def crashed(self, *flags):
        executable = self.directory / "program"
        subprocess.run(["gcc", "-O1", "-g", "-w", "-pthread", *flags, "-o", executable,
                        "src/stack_ends.c"], check=True, cwd=self.directory)
        with Program(executable, "code", ready=False) as program:
            core = shutil.copy(program.core(None), self.directory / "core")
        return executable, core

    def check_frames(self, document):
        frames = [frame for frame in document["threads"][0]["frames"]
                  if (frame["file"] or "").endswith("stack_ends.c")]
        self.assertEqual(frames[0]["function"], "called_back")
        self.assertEqual(frames[-1]["function"], "main")
        for frame in frames:
            source = frame["source"]
            self.assertIsNone(source["doubt"])
            self.assertIn(frame["line"], range(source["first"],
                                               source["first"] + len(source["lines"])))
            first = source["first"] - 1
            self.assertEqual(source["lines"],
                             [line.expandtabs() for line in
                              self.lines[first:first + len(source["lines"])]])
        self.assertEqual([len(frame["source"]["lines"]) for frame in frames],
                         [5] + [1] * (len(frames) - 1))

    def test_lines(self):
        for flag in "-gdwarf-4", "-gdwarf-5":
            executable, core = self.crashed(flag)
            self.check_frames(corescan_json("threads", "--source", executable, core))
        text = corescan("report", "--source", executable, core).stdout
        self.assertRegex(text, r"> +\d+  +\*\(volatile int \*\)nothing = 1;")
        self.assertNotIn("source", corescan_json("threads", executable,
                                                 core)["threads"][0]["frames"][0])

    def test_newer_source_is_doubted(self):
        executable, core = self.crashed()
        os.utime(self.directory / "src" / "stack_ends.c", (4e9, 4e9))
        frame = corescan_json("threads", "--source", executable, core)["threads"][0]["frames"][0]
        self.assertIn("newer than program", frame["source"]["doubt"])
        self.assertIn("newer than program",
                      corescan("threads", "--source", executable, core).stdout)

    def test_missing_source_is_no_error(self):
        executable, core = self.crashed()
        shutil.rmtree(self.directory / "src")
        document = corescan_json("threads", "--source", executable, core, expect=(0,))
        self.assertNotIn("source", document["threads"][0]["frames"][0])

    def test_what_is_no_regular_file_is_left_alone(self):
        executable, core = self.crashed()
        (self.directory / "src" / "stack_ends.c").unlink()
        os.mkfifo(self.directory / "src" / "stack_ends.c")
        document = corescan_json("threads", "--source", executable, core, expect=(0,), timeout=20)
        self.assertNotIn("source", document["threads"][0]["frames"][0])

    def test_below_a_sysroot(self):
        executable, core = self.crashed()
        root = self.directory / "root"
        there = root / str(self.directory).lstrip("/")
        there.mkdir(parents=True)
        (self.directory / "src").rename(there / "src")
        shutil.copy2(executable, there / "program")
        document = corescan_json("threads", "--source", "--sysroot", root, executable, core)
        self.check_frames(document)
        (there / "src" / "stack_ends.c").rename(self.directory / "outside.c")
        (there / "src" / "stack_ends.c").symlink_to(self.directory / "outside.c")
        document = corescan_json("threads", "--source", "--sysroot", root, executable, core)
        self.assertNotIn("source", document["threads"][0]["frames"][0])


if __name__ == "__main__":
    unittest.main()
