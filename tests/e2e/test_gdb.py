"""corescan as a command of gdb's, with Python and without.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import (CORESCAN, PATIENCE, SCHEMA, WORK, Program, compile_program, corescan,
                     corescan_json)

MINIMAL = next((found for found in (
    shutil.which("gdb.minimal"), "/usr/local/lib/corescan-tests/gdb-minimal/usr/bin/gdb")
    if found and os.path.exists(found)), None)
DEBUGGERS = {"gdb": "gdb", "gdb-minimal": MINIMAL}
# Paths of further ones, with a colon between: of other releases.
DEBUGGERS.update({path: path for path in os.environ.get("CORESCAN_TEST_GDBS", "").split(":") if path})
COMMANDS = ("report", "threads", "waits", "locks", "heap", "leaks", "maps")
# What of a live process depends on who stopped it, and when.
OF_THE_MOMENT = ("stopped_us", "stopped_because", "stopped")


def run_gdb(debugger, *arguments, commands=(), environment=None):
    """Runs gdb in batch mode; returns what it and corescan printed."""
    words = [word for command in commands for word in ("-ex", command)]
    result = subprocess.run(
        [debugger, "-nx", "-batch", *words, *map(str, arguments)], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})})
    return result.stdout


def mappings(segments):
    """Whole mappings: a copy of a process has parts that come from files, the process has not."""
    whole = []
    for segment in segments:
        last = whole[-1] if whole else None
        if last and last[1] == segment["start"] and last[2:] == [segment["permissions"],
                                                                 segment["name"]]:
            last[1] = segment["end"]
        else:
            whole.append([segment[key] for key in ("start", "end", "permissions", "name")])
    return whole


def comparable(document):
    """Without what tells who stopped the process, and when."""
    document = json.loads(json.dumps(document))
    for key in OF_THE_MOMENT:
        document["target"].pop(key)
    for thread in document.get("threads", []):
        thread.pop("state")
    if "segments" in document:
        document["segments"] = mappings(document["segments"])
    return document


class Commands(unittest.TestCase):
    """The commands that `make install` gives gdb."""

    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(dir=WORK))
        cls.file = cls.directory / "corescan.gdb"
        cls.file.write_text(subprocess.run([CORESCAN, f"--gdb-commands={CORESCAN}"], check=True,
                                           capture_output=True, text=True).stdout)
        cls.source = f"source {cls.file}"
        nobody = cls.directory / "nobody"
        nobody.write_text("#!/bin/sh\nexec setpriv --reuid=65534 --clear-groups --regid=65534 "
                          f"{cls.directory}/corescan \"$@\"\n")
        nobody.chmod(0o755)
        shutil.copy(CORESCAN, cls.directory / "corescan")
        for path in (cls.directory, cls.directory.parent):
            path.chmod(0o755)
        cls.executable = compile_program("demo_server")
        with Program(cls.executable) as program:
            program.settle()
            cls.core = cls.directory / "core.demo"
            cls.leaked = program.told("leaked_list")[0]["leaked_list"]
            shutil.copy(program.core(), cls.core)

    def setUp(self):
        self.assertIsNotNone(MINIMAL, "no gdb-minimal: scripts/install-dependencies --tests")

    def ask(self, debugger, name, *arguments, commands=COMMANDS, before=()):
        """The JSON of each command, by one run of gdb, and what gdb printed."""
        lines = [self.source, *before]
        for number, command in enumerate(commands):
            out = self.directory / f"{name}-{number}"
            lines += [f"corescan {command} --json > {out}",
                      f"printf \"status {number} %d\\n\", $_shell_exitcode"]
        printed = run_gdb(debugger, *arguments, commands=lines)
        answers = []
        for number, command in enumerate(commands):
            text = (self.directory / f"{name}-{number}").read_text()
            self.assertTrue(text, f"corescan {command} in {name}: {printed}")
            status = re.search(rf"status {number} (\d+)", printed)
            self.assertIsNotNone(status, printed)
            answers.append((json.loads(text), int(status[1])))
        return answers, printed

    def test_core(self):
        """The answers are those outside, field by field, and so is the exit status."""
        outside = [(corescan_json(command, self.executable, self.core),
                    corescan(command, self.executable, self.core).returncode)
                   for command in COMMANDS]
        for name, debugger in DEBUGGERS.items():
            answers, _ = self.ask(debugger, name, self.executable, self.core)
            for command, inside, other in zip(COMMANDS, answers, outside, strict=True):
                with self.subTest(debugger=name, command=command):
                    self.assertEqual(inside, other)

    def test_every_subcommand(self):
        """The output of each is that outside to the byte, JSON, graphs and further options too."""
        asked = ("report --json", "report --dot", "threads --json --locals --source",
                 "waits --json", "locks --json --all", "heap --json --retained",
                 "leaks --json --limit 0 --group=size", "goroutines --json", "chunks --json",
                 "chunks --state=orphaned", "maps --json", "waits --limit 1", "threads -v",
                 "report --fail-on=deadlock --json")
        told = re.findall(r"^corescan (\w+) -- ",
                          run_gdb("gdb", commands=[self.source, "help corescan"]), re.M)
        self.assertGreater(len(told), len(COMMANDS))
        asked += tuple(view for view in told if view != "explain")
        outside = [corescan(*command.split(), self.executable, self.core, expect=(0, 1, 2, 3))
                   for command in asked]
        for name, debugger in DEBUGGERS.items():
            lines = [self.source]
            for number, command in enumerate(asked):
                lines += [f"corescan {command} > {self.directory}/every-{number}",
                          f"printf \"status {number} %d\\n\", $_shell_exitcode"]
            printed = run_gdb(debugger, self.executable, self.core, commands=lines)
            for number, (command, other) in enumerate(zip(asked, outside, strict=True)):
                with self.subTest(debugger=name, command=command):
                    self.assertEqual((self.directory / f"every-{number}").read_text(), other.stdout)
                    self.assertIn(f"status {number} {other.returncode}\n", printed)

    def test_live(self):
        with Program(self.executable) as program:
            program.settle()
            outside = {command: corescan_json(command, "--stop", "-p", program.pid)
                       for command in COMMANDS}
            for name, debugger in DEBUGGERS.items():
                # Registers are of the thread, whatever frame is selected.
                answers, _ = self.ask(debugger, f"{name}-live", "-p", program.pid, before=["up 2"])
                for command, (inside, _) in zip(COMMANDS, answers, strict=True):
                    with self.subTest(debugger=name, command=command):
                        self.check_live(inside, outside[command])
            self.assertIsNone(program.process.poll())

    def check_live(self, inside, outside):
        self.assertEqual(inside["target"]["stopped"], True)
        self.assertEqual(inside["target"]["stopped_because"], "a debugger holds it")
        self.assertEqual(comparable(inside), comparable(outside))

    def test_expressions(self):
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                plain = corescan_json("explain", self.leaked, self.executable, self.core)
                commands = [f"explain {self.leaked}", f"explain (struct request *) {self.leaked}",
                            f"explain &((struct request *){self.leaked})->next",
                            f"explain {self.leaked} + 8 - 8",
                            f"explain sizeof(\"a b\") == 4 ? {self.leaked} : 0",
                            "explain 'demo_server.c'::cache --limit 3", "explain &cache",
                            "explain cache", "explain $rsp", "explain cache->next --limit 3 -v"]
                answers, _ = self.ask(debugger, name, self.executable, self.core,
                                      commands=commands)
                for inside, _ in answers[:5]:
                    self.assertEqual(inside, plain)
                named, place, chunk, stack = (answer["explanation"] for answer, _ in answers[5:9])
                self.assertEqual(named["address"], chunk["address"])
                self.assertIn("cache", json.dumps(place))
                self.assertIn("cache", json.dumps(chunk))
                self.assertIn("stack", json.dumps(stack))
                self.assertNotEqual(place["address"], chunk["address"])

    def test_crash_under_gdb(self):
        """A process that is about to die under gdb has crashed, as its core would tell."""
        crashes = compile_program("crashes", "-fno-inline")
        for name, debugger, cause in (("gdb", "gdb", "null_read"),
                                      ("gdb-minimal", MINIMAL, "double_free"),
                                      ("gdb", "gdb", "sent")):
            with self.subTest(debugger=name, cause=cause):
                out = self.directory / "crash"
                run_gdb(debugger, "--args", crashes, cause, commands=[
                    self.source, "run", f"corescan report --json > {out}"])
                inside = json.loads(out.read_text())["crash"]
                with Program(crashes, cause, ready=False) as program:
                    outside = corescan_json("report", crashes, program.core(None))["crash"]
                for key in ("signal", "signal_name", "text", "message", "access"):
                    self.assertEqual(inside[key], outside[key])

    def test_help_and_completion(self):
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, commands=[self.source, "help corescan",
                                                      "complete corescan l", "help corescan leaks"])
                for command in (*COMMANDS, "explain"):
                    self.assertIn(f"corescan {command} -- ", printed)
                self.assertIn("corescan leaks\ncorescan locks\n", printed)
                self.assertIn("Usage: corescan leaks [OPTIONS]", printed)

    def test_sourced_twice(self):
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, self.executable, commands=[
                    self.source, self.source, f"core {self.core}", "corescan waits"])
                self.assertNotIn("Redefine", printed)
                self.assertNotIn("Ambiguous", printed)
                self.assertNotIn("already exists", printed)
                self.assertIn("DEADLOCK", printed)

    def test_what_cannot_be_looked_at(self):
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, self.executable, commands=[
                    self.source, "corescan", "print $_shell_exitcode", "corescan nonsense",
                    f"core {self.core}", "corescan explain", "corescan explain nosuch",
                    "corescan explain *cache"])
                self.assertIn("neither a core nor a process", printed)
                self.assertIn("= 2\n", printed)
                self.assertIn("'nonsense' is neither a command nor an option", printed)
                self.assertIn("the expression comes first", printed)
                self.assertIn('No symbol "nosuch"', printed)
                self.assertNotIn("DEADLOCK", printed)

    def test_gdb_outlives_it(self):
        """A gdb without Python dies of a pipe that nobody reads."""
        wrong = {"nonsense": 64, "--help": 0, "explain": 64, "explain --help": 0, "leaks |": 2,
                 "leaks 'open": 2, "chunks | true": 0}
        for name, debugger in DEBUGGERS.items():
            printed = run_gdb(debugger, self.executable, self.core, commands=[
                self.source, *(line for command in wrong for line in (
                    f"corescan {command}", "print $_shell_exitcode"))])
            with self.subTest(debugger=name):
                self.assertEqual([int(status) for status in re.findall(r"\$\d+ = (\d+)", printed)],
                                 list(wrong.values()), printed)

    def test_where_the_program_is(self):
        """Its path may hold anything; where it is gone, it is looked for as the shell does."""
        odd = self.directory / "it's \"here\" $HOME \\n"
        odd.mkdir()
        shutil.copy(CORESCAN, odd / "corescan")
        for program, path, found in ((odd / "corescan", "/usr/bin:/bin", True),
                                     ("/nowhere/corescan", f"{odd}:/usr/bin:/bin", True),
                                     ("/nowhere/corescan", "/usr/bin:/bin", False)):
            file = self.directory / "elsewhere.gdb"
            file.write_text(subprocess.run([CORESCAN, f"--gdb-commands={program}"], check=True,
                                           capture_output=True, text=True).stdout)
            printed = run_gdb(MINIMAL, self.executable, self.core, environment={"PATH": path},
                              commands=[f"source {file}", "corescan waits",
                                        "print $_shell_exitcode"])
            with self.subTest(program=program, path=path):
                self.assertEqual("DEADLOCK" in printed, found, printed)
                self.assertIn(f"= {0 if found else 127}\n", printed)
        self.assertIn("corescan: not found", printed)

    def test_what_only_gdb_may_read(self):
        """As under Yama, where a process's memory is its tracer's alone."""
        with Program(self.executable) as program:
            printed = run_gdb("gdb", "-p", program.pid, commands=[
                self.source, f"set var $_corescan_program = \"{self.directory}/nobody\"",
                "corescan waits", "print $_shell_exitcode"])
        self.assertIn("generate-core-file", printed)
        self.assertIn("= 2\n", printed)

    def test_other_language(self):
        """The commands work where a C expression would not, and leave the language alone."""
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, self.executable, self.core, commands=[
                    "set language rust", self.source, "corescan waits", "corescan explain &cache",
                    "show language"])
                self.assertIn("DEADLOCK", printed)
                self.assertIn("<cache>", printed)
                self.assertIn('language is "rust"', printed)
                plain = run_gdb(debugger, self.executable, self.core, commands=[
                    "set language rust", "print 1", "show language"])
                self.assertEqual(printed.count("does not match"), plain.count("does not match"),
                                 printed)

    def test_style_and_shell(self):
        """Colours go with gdb's own, and output can be piped on."""
        printed = run_gdb("gdb", self.executable, self.core, commands=[
            self.source, "set style enabled on", "corescan waits --color=always | grep -c DEADLOCK",
            "corescan leaks --limit 1 | wc -l"])
        self.assertRegex(printed, r"(?m)^1$")
        terminal = self.directory / "terminal"
        for style, colored in (("on", True), ("off", False)):
            words = " ".join(f"-ex '{command}'" for command in (
                self.source, f"set style enabled {style}", "corescan waits"))
            subprocess.run(
                ["script", "-qec", f"gdb -nx -batch {words} {self.executable} {self.core}",
                 terminal], check=True, stdout=subprocess.DEVNULL, timeout=PATIENCE,
                env={**os.environ, "TERM": "xterm"})
            text = terminal.read_text(errors="replace")
            deadlock = next(line for line in text.splitlines() if "DEADLOCK" in line)
            self.assertEqual("\x1b[" in deadlock, colored, deadlock)


if __name__ == "__main__":
    unittest.main()
