"""Bad input: one clear line that says what and why and what to do, the right exit status, and
whatever could still be read.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import re
import signal
import struct
import subprocess
import time
import unittest
from pathlib import Path

from harness import (CORESCAN, PATIENCE, WORK, Program, compile_program, corescan,
                     corescan_json)


def damaged(core, name, change):
    """A copy of `core` as NAME, its bytes changed by change(bytearray)."""
    content = bytearray(Path(core).read_bytes())
    change(content)
    path = WORK / name
    path.write_bytes(content)
    return path


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.executable = compile_program("demo_server")
        with Program(cls.executable) as program:
            program.settle()
            cls.core = WORK / "core.whole"
            program.core().rename(cls.core)

    def refused(self, *arguments, status, says):
        """One line on standard error, nothing on standard output."""
        result = corescan(*arguments, expect=(status,))
        self.assertEqual(result.stdout, "")
        lines = result.stderr.strip().splitlines()
        message = lines[0] if lines else ""
        self.assertRegex(message, r"^\S*corescan: ")
        for words in says:
            self.assertIn(words, message)
        if status == 2:
            self.assertEqual(len(lines), 1, result.stderr)
        return message

    def test_no_such_file(self):
        self.refused("/nonexistent/core", status=2, says=["/nonexistent/core", "no such file"])

    def test_directory(self):
        self.refused(WORK, status=2, says=[str(WORK), "directory"])

    def test_empty_file(self):
        path = WORK / "empty"
        path.write_bytes(b"")
        self.refused(path, status=2, says=["empty"])

    def test_not_elf(self):
        path = WORK / "text"
        path.write_text("this is a text file\n" * 100)
        self.refused(path, status=2, says=["not an ELF"])

    def test_executable_instead_of_core(self):
        self.refused("/bin/true", status=2, says=["not a core"])

    def test_core_instead_of_executable(self):
        """The program is found by the core's own notes; the wrong file is said and not used."""
        result = corescan(self.core, self.core, expect=(1,))
        self.assertIn("is itself a core file", result.stderr)
        self.assertIn("DEADLOCK", result.stdout)

    def test_swapped(self):
        result = corescan(self.core, self.executable, expect=(0,))
        self.assertIn("is the core file", result.stderr)
        self.assertIn("DEADLOCK", result.stdout)

    def test_another_architecture(self):
        def to_arm(content):
            struct.pack_into("<H", content, 18, 183)
        path = damaged(self.core, "core.arm", to_arm)
        self.refused(path, status=2, says=["AArch64"])

    def test_usage(self):
        for arguments in ([], ["--frobnicate"], ["a", "b", "c"], ["-p", "abc"], ["-p", "0"],
                          ["--limit", "x", "core"], ["--color=mauve", "core"],
                          ["--fail-on=rain", "core"], ["-p", "1", "exe", "core"]):
            with self.subTest(arguments=arguments):
                self.refused(*arguments, status=64, says=[])

    def test_process_is_gone(self):
        process = os.spawnlp(os.P_NOWAIT, "true", "true")
        os.waitpid(process, 0)
        self.refused("-p", process, status=2, says=[str(process), "no process"])

    def test_kernel_thread(self):
        threads = [int(path.name) for path in Path("/proc").iterdir()
                   if path.name.isdigit() and (path / "comm").read_text() == "kthreadd\n"]
        if threads:
            self.refused("-p", threads[0], status=2, says=[str(threads[0])])

    def test_executable_of_another_build(self):
        other = compile_program("demo_server", "-DANOTHER_BUILD", "-O2")
        result = corescan(other, self.core, expect=(1,))
        self.assertRegex(result.stderr + result.stdout, r"build-id")
        self.assertIn("DEADLOCK", result.stdout)
        document = corescan_json(other, self.core, expect=(1,))
        self.assertTrue(any(gap["kind"] == "module" for gap in document["gaps"]), document["gaps"])

    def test_truncated_while_it_is_read(self):
        seen = 0
        for delay in range(0, 400, 5):
            if seen == 3:
                break
            path = damaged(self.core, "core.shrinking", lambda content: None)
            process = subprocess.Popen([CORESCAN, "--json", path], text=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            time.sleep(delay / 1000)
            process.send_signal(signal.SIGSTOP)
            os.truncate(path, 4096)
            process.send_signal(signal.SIGCONT)
            told = process.communicate(timeout=PATIENCE)[1]
            self.assertIn(process.returncode, (0, 1, 2), told)
            if "became shorter while it was read" in told:
                self.assertEqual(process.returncode, 2)
                self.assertEqual(len(told.strip().splitlines()), 1, told)
                seen += 1
        self.assertGreater(seen, 0, "never shrank in time")

    def test_truncated_everywhere(self):
        """Cut at many places, a core still gives its threads, or one line of refusal."""
        size = self.core.stat().st_size
        read = 0
        for part in range(1, 20):
            path = damaged(self.core, "core.cut", lambda content: content.__delitem__(
                slice(size * part // 20, None)))
            result = corescan(path, expect=(1, 2))
            if result.returncode == 2:
                self.assertEqual(len(result.stderr.strip().splitlines()), 1, result.stderr)
                continue
            read += 1
            self.assertIn("truncated", result.stdout)
        self.assertGreater(read, 15)

    def test_cut_within_the_notes(self):
        """Nothing is known of what happened, and nothing is claimed."""
        content = self.core.read_bytes()
        table, = struct.unpack_from("<Q", content, 0x20)
        kind, _, notes = struct.unpack_from("<IIQ", content, table)
        self.assertEqual(kind, 4, "the first program header is that of the notes")
        path = damaged(self.core, "core.notes", lambda content: content.__delitem__(
            slice(notes + 16, None)))
        result = corescan(self.executable, path, expect=(1,))
        self.assertIn("NOT KNOWN  the core holds no thread's notes", result.stdout)
        self.assertNotIn("NOT CRASHED", result.stdout)
        self.assertNotIn("THREADS", result.stdout)
        self.assertIn("could not be compared with the program of", result.stderr)
        self.assertNotIn("is not the program of", result.stderr)

    def test_unverified_files_are_one_gap(self):
        """The core without its file contents has no build-ids."""
        path = damaged(self.core, "core.half", lambda content: content.__delitem__(
            slice(len(content) // 20, None)))
        lines = [gap["text"] for gap in corescan_json(path, expect=(1,))["gaps"]
                 if "could not be verified" in gap["text"]]
        self.assertLessEqual(len(lines), 1, lines)

    def test_damaged_bytes(self):
        """Headers and notes overwritten: never a crash, never a hang."""
        for seed in range(60):
            def scribble(content):
                state = seed * 2654435761 + 12345
                for _ in range(40):
                    state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                    content[state % 16384] = (state >> 40) & 255
                content[0:6] = b"\x7fELF\x02\x01"  # else it is merely not an ELF file
            path = damaged(self.core, "core.scribbled", scribble)
            result = corescan(path, expect=(0, 1, 2), timeout=120)
            self.assertTrue(result.stdout or result.stderr)

    def test_no_raw_control_bytes(self):
        """What the target says cannot drive the reader's terminal."""
        result = corescan("-v", self.executable, self.core)
        self.assertIsNone(re.search(r"[\x00-\x08\x0b-\x1f\x7f]", result.stdout))


if __name__ == "__main__":
    unittest.main()
