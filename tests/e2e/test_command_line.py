"""The options, the streams and the exit statuses, on a program with a deadlock and on its core.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import CORESCAN, Program, compile_program, corescan, corescan_json, too_wide


class CommandLine(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.program = Program(compile_program("demo_server"), ready=False)
        time.sleep(3)
        cls.core = cls.program.gcore()

    @classmethod
    def tearDownClass(cls):
        cls.program.stop()

    def test_report_is_one_screen(self):
        lines = corescan(self.core).stdout.splitlines()
        self.assertLessEqual(len(lines), 45)
        self.assertEqual(too_wide(lines), [])
        self.assertIn("DEADLOCK of 2 threads", lines)

    def test_core_and_process_say_the_same(self):
        def essence(document):
            return ([deadlock["sentence"] for deadlock in document["deadlocks"]],
                    [(wait["tid"], wait["kind"], wait["object"]) for wait in document["waits"]],
                    document["orphans"]["chunks"])

        live, core = corescan_json("-p", self.program.pid), corescan_json(self.core)
        strip = re.compile(r' "[^"]*"')  # a core has no names but main's
        for document in (live, core):
            for deadlock in document["deadlocks"]:
                deadlock["sentence"] = strip.sub("", deadlock["sentence"])
        self.assertEqual(essence(live), essence(core))

    def test_what_was_run(self):
        self.assertIsNone(corescan_json("-p", self.program.pid)["target"]["run_as"])
        with tempfile.TemporaryDirectory() as directory:
            link = Path(directory) / "another-name"
            link.symlink_to(shutil.which("sleep"))
            process = subprocess.Popen([link, "60"])
            try:
                time.sleep(0.3)
                self.assertEqual(corescan_json("threads", "-p", process.pid)["target"]["run_as"],
                                 str(link))
                self.assertIn(f"run as {link}", corescan("threads", "-p", process.pid).stdout)
            finally:
                process.kill()
                process.wait()

    def test_live_process_runs_on(self):
        document = corescan_json("-p", self.program.pid)
        self.assertGreater(document["target"]["stopped_us"], 0)
        self.assertIn("was stopped for ", corescan("-p", self.program.pid).stdout)
        for task in os.listdir(f"/proc/{self.program.pid}/task"):
            status = open(f"/proc/{self.program.pid}/task/{task}/status").read()
            self.assertIn("TracerPid:\t0", status)
            self.assertNotRegex(status, r"State:\t[tT]")

    def test_interrupted_while_the_process_is_stopped(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            for delay in (0.0, 0.005, 0.01, 0.02, 0.04):
                reader = subprocess.Popen([CORESCAN, "-p", str(self.program.pid)],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                time.sleep(delay)
                reader.send_signal(number)
                reader.wait(timeout=20)
                status = open(f"/proc/{self.program.pid}/status").read()
                self.assertIn("TracerPid:\t0", status)
                self.assertNotRegex(status, r"State:\t[tT]")

    def test_fail_on(self):
        for what, status in (("deadlock", 3), ("orphans", 3), ("deadlock,orphans", 3)):
            corescan(f"--fail-on={what}", self.core, expect=(status,))
        # Found although the command itself shows nothing of it.
        corescan("maps", "--fail-on=deadlock", self.core, expect=(3,))
        corescan("maps", self.core, expect=(0, 1))
        self.assertEqual(corescan_json("--fail-on=orphans", self.core,
                                       expect=(3,))["exit_status"], 3)

    def test_limit(self):
        one = corescan("waits", "--limit", "1", self.core).stdout
        self.assertRegex(one, r"… \d+ more threads: --limit 0")
        self.assertNotIn(" more ", corescan("threads", "--limit=0", self.core).stdout)

    def test_nothing_on_standard_error(self):
        for command in ("report", "threads", "waits", "heap", "leaks", "maps"):
            for json_option in ([], ["--json"]):
                self.assertEqual(corescan(command, *json_option, self.core).stderr, "")

    def test_json_of_every_command(self):
        for command in ("report", "threads", "waits", "heap", "leaks", "maps"):
            self.assertEqual(corescan_json(command, self.core)["view"], command)

    def test_ascii_where_the_locale_has_no_more(self):
        text = corescan(self.core, environment={"LC_ALL": "C"}).stdout
        self.assertTrue(text.isascii())
        self.assertIn(" x ", text)

    def test_output_that_cannot_be_written(self):
        with open("/dev/full", "w") as full:
            result = subprocess.run([CORESCAN, str(self.core)], stdout=full,
                                    stderr=subprocess.PIPE, text=True)
        self.assertEqual(result.returncode, 2)
        self.assertIn("cannot write to standard output: No space left", result.stderr)

    def test_reader_that_goes_away(self):
        read, write = os.pipe()
        os.close(read)
        result = subprocess.run([CORESCAN, str(self.core)], stdout=write,
                                stderr=subprocess.PIPE, text=True)
        os.close(write)
        self.assertEqual((result.returncode, result.stderr), (2, ""))

    def on_terminal(self, *arguments, environment=None):
        """What corescan writes to a terminal of 80 columns."""
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update({"TERM": "xterm", "LC_ALL": "C.UTF-8", **(environment or {})})
            os.execv(CORESCAN, [str(CORESCAN), *map(str, arguments)])
        text = b""
        while True:
            try:
                part = os.read(terminal, 65536)
            except OSError:
                break
            if not part:
                break
            text += part
        os.waitpid(pid, 0)
        os.close(terminal)
        return text.decode()

    def test_color(self):
        color = r"\033\[[0-9;]*m"
        self.assertRegex(self.on_terminal(self.core), color)
        self.assertNotRegex(self.on_terminal(self.core, environment={"NO_COLOR": "1"}), color)
        self.assertNotRegex(self.on_terminal("--color=never", self.core), color)
        self.assertNotRegex(corescan(self.core).stdout, color)
        self.assertRegex(corescan("--color=always", self.core).stdout, color)
        plain = re.sub(color, "", corescan("--color=always", self.core).stdout)
        self.assertEqual(plain, corescan(self.core).stdout)

    def test_version_and_help(self):
        self.assertRegex(corescan("--version", expect=(0,)).stdout, r"^corescan [0-9.]+\n$")
        text = corescan("--help", expect=(0,)).stdout
        for word in ("--sysroot", "--debug-dir", "--json", "Exit status:", "Examples:", "leaks"):
            self.assertIn(word, text)

    def test_json_survives_any_locale(self):
        output = corescan("--json", self.core, environment={"LC_ALL": "C"}).stdout
        self.assertEqual(json.loads(output)["schema"], 1)


if __name__ == "__main__":
    unittest.main()
