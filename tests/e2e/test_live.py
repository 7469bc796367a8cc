"""Live processes: looked at without a stop, as right as with one, and left as they were.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import random
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

from harness import CORESCAN, PATIENCE, Program, compile_program, corescan, corescan_json

# Of a wait, what is the same however often it is looked at.
SAME = ("tid", "activity", "kind", "object", "object_name", "owner_state", "owner", "fd", "fd_name",
        "target_pid", "syscall", "owner_inferred", "timed", "site", "idle")


def switches(pid, tid):
    """How often a thread has left the processor."""
    with open(f"/proc/{pid}/task/{tid}/status") as status:
        return sum(int(line.split()[1]) for line in status if "ctxt_switches" in line)


def tids_of(pid):
    return [int(tid) for tid in os.listdir(f"/proc/{pid}/task")]


def functions(thread):
    return [frame["function"] for frame in thread["frames"]]


def timeless(value):
    """Without the time left, which is less at each look."""
    return re.sub(r"expires in [0-9.]+ s", "expires", value) if isinstance(value, str) else value


class WithoutStop(unittest.TestCase):
    def check_same(self, executable, *arguments, **environment):
        with Program(executable, *arguments, environment=environment) as program:
            program.settle()
            before = {tid: switches(program.pid, tid) for tid in tids_of(program.pid)}
            seen = corescan_json("waits", "-p", program.pid)
            after = {tid: switches(program.pid, tid) for tid in tids_of(program.pid)}
            stopped = corescan_json("waits", "--stop", "-p", program.pid)
        self.assertEqual((seen["target"]["stopped"], stopped["target"]["stopped"]), (False, True))
        self.assertEqual(seen["target"]["stopped_us"], 0)
        self.assertGreater(stopped["target"]["stopped_us"], 0)
        self.assertEqual(before, after, "a thread was disturbed")
        self.assertEqual({thread["looked_at"] for thread in seen["threads"]}, {"asleep"})
        self.assertEqual({thread["looked_at"] for thread in stopped["threads"]}, {"stopped"})
        self.assertEqual(seen["gaps"], stopped["gaps"])
        for one, other in zip(seen["waits"], stopped["waits"], strict=True):
            with self.subTest(wait=other["text"]):
                self.assertEqual(*({key: timeless(look[key]) for key in SAME}
                                   for look in (one, other)))
                if other["timeout_ns"] is not None:
                    self.assertEqual(one["timeout_ns"], other["timeout_ns"])
        for one, other in zip(seen["threads"], stopped["threads"], strict=True):
            with self.subTest(thread=other["name"]):
                self.assertEqual(functions(one), functions(other))
                self.assertEqual(one["thread_pointer"], other["thread_pointer"])
        self.assertEqual([sorted(deadlock["tids"]) for deadlock in seen["deadlocks"]],
                         [sorted(deadlock["tids"]) for deadlock in stopped["deadlocks"]])

    def test_large_heap(self):
        """Of a heap that is not copied whole for the waits, what the threads point to is."""
        for name, *flags in (("waits_locks",), ("waits_descriptors",), ("waits_sleeps",),
                             ("waits_cxx", "-std=c++20")):
            with self.subTest(program=name):
                self.check_same(compile_program(name, *flags, "-D_GNU_SOURCE"), "plain",
                                BALLAST="40")

    def test_locks(self):
        self.check_same(compile_program("waits_locks", "-D_GNU_SOURCE"))

    def test_descriptors(self):
        self.check_same(compile_program("waits_descriptors", "-D_GNU_SOURCE"))

    def test_sleeps(self):
        self.check_same(compile_program("waits_sleeps", "-D_GNU_SOURCE"), "plain")

    def test_cxx(self):
        self.check_same(compile_program("waits_cxx", "-std=c++20", "-D_GNU_SOURCE"))

    def test_deadlocks(self):
        executable = compile_program("waits_deadlock", "-D_GNU_SOURCE")
        for case in ("2", "3", "5", "join", "rwlock", "stdio", "once", "self", "gone", "chain"):
            with self.subTest(case=case):
                self.check_same(executable, case)

    def look(self, case, *options, expect=(0,)):
        with Program(compile_program("live_threads", "-O0"), case) as program:
            program.settle(0.1)
            document = corescan_json("waits", *options, "-p", program.pid, expect=expect)
            by_name = {thread["name"]: thread for thread in document["threads"]}
            return document, by_name, {wait["tid"]: wait for wait in document["waits"]}

    def test_a_thread_that_runs_has_to_be_stopped(self):
        document, threads, waits = self.look("running")
        self.assertTrue(document["target"]["stopped"])
        self.assertIn(str(threads["runs"]["tid"]), document["target"]["stopped_because"])
        self.assertIn("run", functions(threads["runs"]))
        self.assertEqual(waits[threads["waits"]["tid"]]["kind"], "mutex")

    def test_a_thread_that_runs_is_a_gap_where_stops_are_forbidden(self):
        document, threads, waits = self.look("running", "--no-stop", expect=(1,))
        self.assertFalse(document["target"]["stopped"])
        self.assertIsNone(document["target"]["stopped_because"])
        self.assertEqual(threads["runs"]["looked_at"], "no")
        self.assertEqual(threads["runs"]["frames"], [])
        self.assertEqual(threads["waits"]["looked_at"], "asleep")
        wait = waits[threads["waits"]["tid"]]
        self.assertEqual((wait["kind"], wait["owner"]), ("mutex", document["target"]["pid"]))
        self.assertTrue(any("ran meanwhile" in gap["text"] for gap in document["gaps"]))

    def test_a_stack_that_needs_more_registers(self):
        document, threads, _ = self.look("frame_pointer")
        self.assertTrue(document["target"]["stopped"])
        self.assertIn("registers", document["target"]["stopped_because"])
        names = functions(document["threads"][0])
        self.assertIn("main", names)
        seen, _, _ = self.look("frame_pointer", "--no-stop", expect=(1,))
        known = functions(seen["threads"][0])
        self.assertEqual(known, names[:len(known)])
        self.assertIn("--stop", seen["threads"][0]["stop_reason"])

    def test_what_a_thread_did_that_ran_on_is_not_told(self):
        # It wakes up every 100 us: whatever was read of it is of no one moment.
        document, threads, waits = self.look("restless", "--no-stop", expect=(1,))
        self.assertIn(threads["wakes"]["looked_at"], ("moved", "no"))
        self.assertEqual(threads["wakes"]["frames"], [])
        self.assertIsNone(waits[threads["wakes"]["tid"]]["kind"])
        document, threads, _ = self.look("restless")
        self.assertEqual(threads["wakes"]["looked_at"], "stopped")

    def test_contention(self):
        with Program(compile_program("waits_healthy", "-D_GNU_SOURCE")) as program:
            for option in ["--no-stop", "--stop"] * 5:
                self.assertEqual(
                    corescan_json("waits", option, "-p", program.pid)["deadlocks"], [])

    def test_a_process_that_a_debugger_holds(self):
        with Program(compile_program("waits_deadlock", "-D_GNU_SOURCE"), "2") as program:
            program.settle()
            gdb = subprocess.Popen(["gdb", "-q", "-nx", "-p", str(program.pid)],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                   stderr=subprocess.DEVNULL, text=True)
            try:
                gdb.stdin.write("echo held\\n\n")
                gdb.stdin.flush()
                while "held" not in gdb.stdout.readline():
                    pass
                refused = corescan("waits", "--stop", "-p", program.pid, expect=(2,))
                self.assertIn("gdb", refused.stderr)
                seen = corescan_json("waits", "--no-stop", "-p", program.pid)
            finally:
                gdb.communicate("detach\nquit\n", timeout=30)
            self.assertEqual(sorted(seen["deadlocks"][0]["tids"]),
                             sorted(program.told("deadlock")[0]["deadlock"]))


class Uninterruptible(unittest.TestCase):
    """A thread that no stop reaches: what the kernel tells of it is told."""

    def test_parent_of_a_vfork(self):
        with Program(compile_program("live_vfork", "-D_GNU_SOURCE")) as program:
            truth = program.told("forks")[0]
            for option, status in (("--stop", 1), ("--no-stop", 0)):
                with self.subTest(option=option):
                    document = corescan_json("waits", option, "-p", program.pid, expect=(status,))
                    waits = {wait["tid"]: wait for wait in document["waits"]}
                    forks = waits[truth["forks"]]
                    self.assertEqual((forks["activity"], forks["kind"], forks["target_pid"]),
                                     ("blocked", "child", None))
                    self.assertIn("child of its vfork", forks["text"])
                    self.assertIn("in state D", forks["detail"])
                    if os.getuid() == 0:
                        self.assertIn("kernel_clone", forks["detail"])
                    thread = next(thread for thread in document["threads"]
                                  if thread["tid"] == truth["forks"])
                    self.assertEqual(thread["looked_at"], "asleep")
                    self.assertIn("run_vfork", functions(thread))
                    lock = waits[truth["waits"]]
                    self.assertEqual((lock["kind"], lock["owner"]), ("mutex", truth["main"]))
                    self.assertEqual(document["deadlocks"], [])
                    if option == "--stop":
                        self.assertIn("did not stop", document["gaps"][0]["text"])

    def test_nothing_is_stopped_for_it(self):
        """Its callers are found by registers that no stop tells."""
        with Program(compile_program("live_vfork", "-D_GNU_SOURCE",
                                     "-DBY_FRAME_POINTER")) as program:
            truth = program.told("forks")[0]
            document = corescan_json("waits", "-p", program.pid, expect=(1,))
            self.assertFalse(document["target"]["stopped"])
            self.assertEqual([gap["text"] for gap in document["gaps"]],
                             [f"the stack of thread {truth['forks']} ends early: its caller is "
                              "found by registers that are not known"])


class Killed(unittest.TestCase):
    """corescan dies while it holds a process: that goes on, and none of its calls fails."""

    TIMES = 200
    PATIENCE = 10  # seconds

    def words(self):
        return struct.unpack(f"{self.count + 1}Q", self.file.read_bytes()[:8 * (self.count + 1)])

    def check_goes_on(self):
        before, deadline = self.words(), time.monotonic() + self.PATIENCE
        while True:
            now = self.words()
            still = [i for i in range(1, self.count + 1) if now[i] == before[i]]
            if not still:
                break
            self.assertLess(time.monotonic(), deadline, f"threads {still} stand still")
            time.sleep(0.002)
        self.assertEqual(now[0], 0, (self.program.directory / "output").read_text())

    def check_free(self):
        for tid in tids_of(self.program.pid):
            status = Path(f"/proc/{self.program.pid}/task/{tid}/status").read_text()
            self.assertIn("TracerPid:\t0\n", status)

    def kill_at_random(self, chance, number, arguments):
        process = subprocess.Popen([CORESCAN, *arguments, "-p", str(self.program.pid)],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0, self.longest))
        process.send_signal(number)
        self.check_goes_on()
        # On its way to its end the kernel may let it wait for the lock of a library that all
        # processes map (i_mmap_rwsem), seconds long where the machine is busy.
        return process.wait(timeout=PATIENCE) == -number

    def test_the_process_goes_on(self):
        chance, hits = random.Random(4), 0
        with tempfile.TemporaryDirectory() as directory:
            self.file = Path(directory) / "words"
            with Program(compile_program("live_worker"), self.file) as self.program:
                self.count = self.program.told("threads")[0]["threads"]
                start = time.monotonic()
                stopped = corescan_json("report", "-p", self.program.pid)["target"]["stopped_us"]
                self.longest = min(time.monotonic() - start, 0.25)
                self.assertGreater(stopped, 0)
                for i in range(self.TIMES):
                    number = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)[i % 3]
                    hits += self.kill_at_random(chance, number, (["waits", "--stop"], ["report"],
                                                                 ["waits"])[i // 3 % 3])
                    self.check_goes_on()
                    self.check_free()
        self.assertGreater(hits, self.TIMES // 4, "hardly ever killed in time")

    def test_suspended_corescan_holds_nothing(self):
        # Ctrl-Z while the process is stopped comes into effect after it runs on.
        with tempfile.TemporaryDirectory() as directory:
            self.file = Path(directory) / "words"
            with Program(compile_program("live_worker"), self.file) as self.program:
                self.count = self.program.told("threads")[0]["threads"]
                for delay in range(20):
                    process = subprocess.Popen(
                        [CORESCAN, "waits", "--stop", "-p", str(self.program.pid)],
                        stdout=subprocess.DEVNULL, process_group=0)
                    time.sleep(delay * 0.002)
                    process.send_signal(signal.SIGTSTP)
                    self.check_goes_on()
                    process.send_signal(signal.SIGCONT)
                    self.assertEqual(process.wait(timeout=self.PATIENCE), 0)
                self.check_free()


class Bounds(unittest.TestCase):
    def test_max_pause(self):
        with Program(compile_program("live_heap"), "512") as program:
            # Half a GiB within 5 ms would take 100 GB/s: no machine copies it in time.
            document = corescan_json("leaks", "--max-pause", "5", "-p", program.pid,
                                     expect=(1,))
            self.assertTrue(document["target"]["stop_cut_short"])
            self.assertLess(document["target"]["stopped_us"], 250000)
            self.assertTrue(any("--max-pause" in gap["text"] for gap in document["gaps"]))
            # What was not read is neither damaged nor orphaned.
            for pause in ("5", "20", "60"):
                document = corescan_json("report", "--max-pause", pause, "-p", program.pid,
                                         "--fail-on=corruption,orphans")
                self.assertEqual(document["heap"]["findings"], [])
            for command in ("leaks", "heap"):
                text = corescan(command, "--max-pause", "5", "-p", program.pid, expect=(1,)).stdout
                self.assertNotIn("every chunk", text)
            whole = corescan_json("leaks", "--max-pause", "60000", "-p", program.pid, expect=(0,))
            self.assertFalse(whole["target"]["stop_cut_short"])
            self.assertEqual(whole["gaps"], [])

    def test_waits_need_no_heap(self):
        """Half a GiB of heap does not prolong a stop for the waits alone."""
        with Program(compile_program("live_heap"), "512") as program:
            def pause(*arguments):
                target = corescan_json(*arguments, "-p", program.pid)["target"]
                self.assertTrue(target["stopped"])
                return target["stopped_us"]

            self.assertLess(min(pause("waits", "--stop") for _ in range(5)),
                            min(pause("leaks") for _ in range(2)) / 3)

    def test_only_of_a_process(self):
        for arguments in (["--stop", "core"], ["--no-stop", "core"], ["--max-pause", "5", "core"],
                          ["--no-stop", "leaks", "-p", "1"], ["--max-pause", "0", "-p", "1"]):
            corescan(*arguments, expect=(64,))


# Runs its arguments and tells on standard error how much memory they had at most, in KiB. What ran
# in a process before exec counts for it too: so the tests, which grow, must not start it themselves.
LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stderr=subprocess.DEVNULL)
_, status, usage = os.wait4(process.pid, 0)
print(usage.ru_maxrss, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


class GeneratedCode(unittest.TestCase):
    """Of generated code as little is copied as of other memory: what the threads point to."""

    def test_little_is_copied(self):
        with Program(compile_program("live_code", "-D_GNU_SOURCE")) as program:
            truth = program.told("megabytes")[0]
            for arguments in (["threads", "--stop"], ["waits", "--stop"]):
                done = subprocess.run(
                    [sys.executable, "-c", LAUNCHER, CORESCAN, *arguments, "--json", "-p",
                     str(program.pid)], capture_output=True, text=True, timeout=PATIENCE)
                self.assertIn(done.returncode, (0, 1))
                document = json.loads(done.stdout)
                self.assertLess(int(done.stderr) / 1024, truth["megabytes"])
                thread = next(thread for thread in document["threads"]
                              if thread["tid"] == truth["waits"])
                functions = [frame["function"] for frame in thread["frames"]]
                below = functions.index("wait_below")
                self.assertIn("run", functions[below + 2:], functions)


class Elsewhere(unittest.TestCase):
    """A process in its own PID and mount namespace."""

    def test_namespaces(self):
        executable = compile_program("waits_deadlock", "-D_GNU_SOURCE")
        with tempfile.TemporaryDirectory() as directory:
            # The program's path exists in its own mount namespace only.
            os.mkdir(f"{directory}/inside")
            script = (f"mount -t tmpfs none {directory}/inside && "
                      f"cp {executable} {directory}/inside/app && cd {directory}/inside && "
                      "exec ./app 2 > output")
            # /tmp of the outside is not there inside: what it writes has to be on the old one.
            script = script.replace("> output", f"> {directory}/output")
            outer = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
                                      "sh", "-c", script])
            try:
                deadline = time.monotonic() + 20
                output = Path(directory) / "output"
                while not (output.exists() and "ready" in output.read_text()):
                    self.assertLess(time.monotonic(), deadline)
                    time.sleep(0.05)
                time.sleep(0.3)
                pid = int(Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text())
                truth = [json.loads(line) for line in output.read_text().splitlines()]
                inner = sorted(next(line for line in truth if "deadlock" in line)["deadlock"])
                for option in ("--stop", "--no-stop"):
                    with self.subTest(option=option):
                        self.check(corescan_json("waits", option, "-p", pid), pid, inner)
                text = " ".join(corescan("waits", "-p", pid).stdout.split())
                self.assertIn(f"process {pid} (1 in its own PID namespace)", text)
                for tid in tids_of(pid):
                    self.assertIn(f"{tid} ({inner_tid(pid, tid)} inside)", text)
            finally:
                outer.kill()
                outer.wait()

    def check(self, document, pid, inner):
        self.assertEqual(document["target"]["inner_pid"], 1)
        self.assertEqual({thread["tid"]: thread["inner_tid"] for thread in document["threads"]},
                         {tid: inner_tid(pid, tid) for tid in tids_of(pid)})
        self.assertEqual(len(document["deadlocks"]), 1)
        ours = document["deadlocks"][0]["tids"]
        self.assertEqual(sorted(inner_tid(pid, tid) for tid in ours), inner)
        for thread in document["threads"]:
            self.assertIsNone(thread["stop_reason"])
            self.assertTrue(any(frame["file"] for frame in thread["frames"]))


def inner_tid(pid, tid):
    status = Path(f"/proc/{pid}/task/{tid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("NSpid")).split()[-1])


class Deleted(unittest.TestCase):
    def test_a_deleted_program_is_named_by_its_path(self):
        executable = compile_program("waits_deadlock", "-D_GNU_SOURCE", output="to_delete")
        with Program(executable, "2") as program:
            program.settle()
            executable.unlink()
            document = corescan_json("waits", "-p", program.pid)
            text = corescan("waits", "-p", program.pid).stdout
        self.assertTrue(document["target"]["executable_deleted"])
        self.assertEqual(document["target"]["executable"], str(executable))
        self.assertIn(f"{executable} (deleted)", " ".join(text.split()))
        self.assertEqual(len(document["deadlocks"]), 1)


if __name__ == "__main__":
    unittest.main()
