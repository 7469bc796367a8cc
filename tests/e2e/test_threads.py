"""Stacks, and glibc's threads in every state, against what the programs tell of themselves.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import signal
import subprocess
import unittest
from pathlib import Path

from harness import CORESCAN, LOCAL_NAMES, Program, compile_program, corescan, corescan_json, each_way

PTHREAD_DUMP = Path(os.environ.get("PTHREAD_DUMP", CORESCAN.parent / "pthread_dump")).resolve()


def thread_of(document, tid):
    found = [thread for thread in document["threads"] if thread["tid"] == tid]
    assert len(found) == 1, f"{len(found)} threads {tid}"
    return found[0]


def local_name(frame, name):
    """The frame's function; `name`, which is local to glibc, also where that is not known."""
    return name if frame["function"] is None and not LOCAL_NAMES else frame["function"]


def own_functions(thread, program):
    """The program's own functions, generated code and signal frames, innermost first."""
    return [local_name(frame, "__restore_rt") if frame["signal_frame"] else frame["function"]
            for frame in thread["frames"]
            if frame["module"] in (None, program.executable.name) or frame["signal_frame"]]


class Stopped(unittest.TestCase):
    def test_stopped_before_we_came(self):
        """A process that somebody stopped does not run on, neither before nor after."""
        with Program(compile_program("stack_shapes")) as program:
            program.process.send_signal(signal.SIGSTOP)
            program.settle()
            text = corescan("-p", program.pid).stdout
            self.assertIn("STOPPED  by SIGSTOP or SIGTSTP", text)
            self.assertNotIn("runs on", text)
            self.assertIn("STOPPED  by SIGSTOP", corescan("threads", "-p", program.pid).stdout)
            program.process.send_signal(signal.SIGCONT)
            program.settle()
            self.assertIn("NOT CRASHED  the process runs on",
                          corescan("-p", program.pid).stdout)


class Shapes(unittest.TestCase):
    def check_shapes(self, document, program):
        told = program.told("functions")
        self.assertEqual(len(told), 4)
        for truth in told:
            thread = thread_of(document, truth["thread"])
            with self.subTest(functions=truth["functions"]):
                self.assertEqual(own_functions(thread, program), truth["functions"])
                self.assertIsNone(thread["stop_reason"])
                for frame in thread["frames"]:
                    if frame["function"] in truth["functions"][:1]:
                        self.assertTrue(frame["file"].endswith("stack_shapes.cc"))
                        self.assertGreater(frame["line"], 0)
        deep = thread_of(document, program.told("deep")[0]["deep"])
        self.assertEqual(len(deep["frames"]), 256)
        self.assertIsNone(deep["stop_reason"])
        self.assertGreater(deep["left_out"], 100)
        self.assertEqual(deep["left_out_before"], 240)
        functions = [frame["function"] for frame in deep["frames"]]
        self.assertEqual(set(functions[200:240]), {"descend"})
        self.assertEqual(functions[-4:-2], ["descend", "deep"])
        self.assertEqual(local_name(deep["frames"][-2], "start_thread"), "start_thread")

    def check_optimised(self, flag):
        executable = compile_program("stack_shapes", flag)
        with Program(executable) as program:
            program.settle()
            each_way(self, program, lambda arguments, way: self.check_shapes(
                corescan_json("threads", *arguments), program))

    def test_shapes(self):
        self.check_optimised("-O1")

    def test_shapes_not_optimised(self):
        self.check_optimised("-O0")

    def test_shapes_optimised(self):
        self.check_optimised("-O2")

    def test_guesses_are_marked(self):
        with Program(compile_program("stack_shapes")) as program:
            document = corescan_json("threads", "-p", program.pid)
            generated = [truth["thread"] for truth in program.told("functions")
                         if truth["functions"][-1] == "generated"]
            for thread in document["threads"]:
                marked = [frame["function"] for frame in thread["frames"] if frame["guessed"]]
                self.assertEqual(marked, ["generated"] if thread["tid"] in generated else [])


class Crashes(unittest.TestCase):
    """How the main thread of stack_shapes ends, by its argument."""

    def crashed(self, how):
        with Program(compile_program("stack_shapes"), how, ready=False) as program:
            document = corescan_json("threads", program.executable, program.core(None))
            thread = document["threads"][0]
            self.assertTrue(thread["crashed"])
            return thread, own_functions(thread, program)

    def test_calls_to_where_no_code_is(self):
        for how, first in ("null", None), ("wild", None), ("data", "end(char const*)::data"):
            with self.subTest(how=how):
                thread, functions = self.crashed(how)
                self.assertEqual(functions[:2], [first, "call_nowhere"])
                self.assertIn("main", functions)
                self.assertTrue(thread["frames"][1]["guessed"])
                self.assertIsNone(thread["stop_reason"])

    def test_handler_of_a_call_through_null(self):
        thread, functions = self.crashed("handler")
        at = functions.index("__restore_rt")
        self.assertEqual(functions[at + 1:at + 3], [None, "call_nowhere"])
        self.assertIn("main", functions)
        self.assertIsNone(thread["stop_reason"])

    def test_overwritten_stack(self):
        thread, functions = self.crashed("smash")
        self.assertEqual(functions, ["overwrite_return_address", None])
        self.assertEqual(thread["frames"][1]["pc"], "0x4141414141414141")
        self.assertIn("return address 0x4141414141414141 is not mapped", thread["stop_reason"])


class ManyThreads(unittest.TestCase):
    def test_thousand_threads_are_three_stacks_and_main(self):
        with Program(compile_program("many_threads"), "1000") as program:
            document = corescan_json("threads", program.executable, program.core())
        self.assertEqual(len(document["threads"]), 1001)
        self.assertEqual(sorted(len(group) for group in document["stack_groups"]),
                         [1, 333, 333, 334])
        for thread in document["threads"]:
            self.assertIsNone(thread["stop_reason"])


class MappedFiles(unittest.TestCase):
    def test_files_that_are_read_are_no_modules(self):
        """A debugger maps libraries, and files of debug information, to read them."""
        executable = compile_program("mapped_files", "-D_GNU_SOURCE")
        with Program(executable) as program:
            libc = next(module for module in corescan_json("maps", "-p", program.pid)["modules"]
                        if "/libc.so" in module["path"] or "/libc-2" in module["path"])
        build_id = libc["build_id"]
        debug = Path("/usr/lib/debug/.build-id") / build_id[:2] / f"{build_id[2:]}.debug"
        files = [path for path in (Path(libc["path"]), debug) if path.exists()]
        self.assertTrue(files)
        with Program(executable, *files) as program:
            def look(arguments, way):
                modules = [module["path"] for module in corescan_json("maps", *arguments)["modules"]]
                self.assertEqual(modules.count(libc["path"]), 1)
                self.assertNotIn(str(debug), modules)
                gaps = [gap["text"] for gap in corescan_json("heap", *arguments)["gaps"]]
                self.assertFalse([text for text in gaps if "malloc of its own" in text])

            each_way(self, program, look)


class PthreadStates(unittest.TestCase):
    def dump(self, target):
        return json.loads(subprocess.run([PTHREAD_DUMP, str(target)], check=True, timeout=60,
                                         capture_output=True, text=True).stdout)

    def check_states(self, document, program):
        found = {pthread["address"]: pthread for pthread in document["pthreads"]}
        told = program.told("pthread")
        self.assertEqual(sorted(found), sorted(int(truth["pthread"], 16) for truth in told))
        for truth in told:
            pthread = found[int(truth["pthread"], 16)]
            with self.subTest(truth=truth):
                self.assertEqual(pthread["state"], truth["state"])
                if "tid" in truth:
                    self.assertEqual(pthread["tid"], truth["tid"])
                if "result" in truth:
                    self.assertEqual(pthread["result"], int(truth["result"], 16))
        for truth in program.told("stack_of"):
            pthread = found[int(truth["stack_of"], 16)]
            self.assertEqual(pthread["stack_end"], int(truth["end"], 16))
            self.assertEqual(pthread["stack_start"], int(truth["start"], 16))
        detached = [address for address in found if found[address]["detached"]]
        self.assertEqual(detached, [int(truth["detached"], 16)
                                    for truth in program.told("detached")])

    def check_program(self, *flags):
        with Program(compile_program("pthread_states", *flags)) as program:
            each_way(self, program, lambda arguments, way: self.check_states(
                self.dump(arguments[-1]), program))

    def test_states(self):
        self.check_program()

    def test_states_in_a_static_program(self):
        self.check_program("-static")

    def test_states_in_a_stripped_static_program(self):
        self.check_program("-static", "-s")


if __name__ == "__main__":
    unittest.main()
