"""What the end-to-end tests share: test programs, cores of them, and corescan on both.

A test program (tests/programs) prints its own truth as JSON lines, then {"ready":true}, and stays
as it is. The tests compare what corescan says of the live process, of its kernel core and of
gcore's core with that truth.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import atexit
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
CORESCAN = Path(os.environ.get("CORESCAN", TOP / "build" / "corescan")).resolve()
SCHEMA = TOP / "share" / "corescan" / "report.schema.json"
WORK = Path(tempfile.mkdtemp(prefix="corescan-e2e-"))
# Where scripts/glibc-matrix runs the tests on another glibc: its compilers, and its debug files.
COMPILERS = os.environ.get("CORESCAN_TEST_COMPILERS")
DEBUG_DIRECTORY = os.environ.get("CORESCAN_TEST_DEBUG_DIR")
if DEBUG_DIRECTORY:
    os.environ["DEBUG_DIR"] = DEBUG_DIRECTORY  # for heap_dump and its like
# Without its debug files, glibc's local functions have no names (most of them; 2.31's libpthread
# has a symbol table).
LOCAL_NAMES = not COMPILERS or bool(DEBUG_DIRECTORY)
# Its programs are built once for all runs; what was compared is counted for its table.
PROGRAMS = Path(os.environ.get("CORESCAN_TEST_PROGRAMS", WORK))
COUNTS = os.environ.get("CORESCAN_TEST_COUNTS")
PATIENCE = 60  # seconds until a program that says nothing is given up

atexit.register(shutil.rmtree, WORK, ignore_errors=True)


def count(what, number=1):
    """Adds to what is told, in the end, of the things that were compared."""
    if COUNTS:
        with open(COUNTS, "a") as file:
            file.write(f"{what}\t{number}\n")


def compile_program(name, *flags, output=None, source=None):
    """Builds tests/programs/NAME.c (or .cc) once per set of flags; returns the executable."""
    directory = TOP / "tests" / "programs"
    path = directory / source if source else next(
        directory / (name + ending) for ending in (".c", ".cc")
        if (directory / (name + ending)).exists())
    compiler = "c++" if path.suffix == ".cc" else "cc"
    if COMPILERS:
        compiler = Path(COMPILERS) / compiler
    executable = PROGRAMS / (output or name + "".join(flags).replace("/", "_"))
    if not executable.exists():
        unfinished = WORK / executable.name
        subprocess.run([compiler, "-O1", "-g", "-pthread", "-Wall", *flags, "-o", unfinished, path,
                        "-ldl", "-lrt"], check=True)
        if PROGRAMS != WORK:
            here = PROGRAMS / f"{executable.name}.{os.getpid()}"
            shutil.copy(unfinished, here)
            try:
                os.link(here, executable)
            except FileExistsError:
                pass  # another run has built it at the same time, and perhaps started it
            here.unlink()
    return executable


# The Go that its tests are built with: that of scripts/fetch-go's folder, else the system's.
GO = Path(os.environ.get("CORESCAN_TEST_GO", "/usr/bin")) / "go"


def compile_go(name, *flags, cgo=False):
    """Builds tests/programs/go/NAME.go once per set of flags; returns the executable. Asks no
    network."""
    executable = WORK / (name + "".join(flags).replace("/", "_").replace(" ", "") +
                         ("cgo" if cgo else ""))
    if not executable.exists():
        environment = {**os.environ, "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOFLAGS": "",
                       "GO111MODULE": "auto", "CGO_ENABLED": "1" if cgo else "0"}
        environment.setdefault("GOCACHE", str(WORK / "go-cache"))
        subprocess.run([GO, "build", *flags, "-o", executable,
                        TOP / "tests" / "programs" / "go" / (name + ".go")],
                       check=True, env=environment, cwd=WORK)
    return executable


def kernel_writes_cores():
    return Path("/proc/sys/kernel/core_pattern").read_text().strip() == "core"


class Program:
    """A running test program, its truth, and its cores."""

    def __init__(self, executable, *arguments, environment=None, ready=True, ready_line=None,
                 limits=None, keep_input=False):
        """`limits`: of resource.RLIMIT_…, pairs of the soft and the hard one. With `keep_input` its
        standard input stays open."""
        limits = {resource.RLIMIT_CORE: (resource.RLIM_INFINITY, resource.RLIM_INFINITY),
                  **(limits or {})}
        self.directory = Path(tempfile.mkdtemp(dir=WORK))
        self.executable = executable
        self.truth = []
        self.log = open(self.directory / "output", "w+b")
        self.process = subprocess.Popen(
            [executable, *arguments], cwd=self.directory, stdout=self.log,
            stderr=subprocess.STDOUT,
            stdin=subprocess.PIPE if keep_input else subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
            preexec_fn=lambda: [resource.setrlimit(*limit) for limit in limits.items()])
        self.pid = self.process.pid
        if ready:
            self.wait_until_ready()

    def wait_until_ready(self):
        """Reads the truth."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            text = (self.directory / "output").read_text(errors="replace")
            if '{"ready":true}' in text:
                self.truth = [json.loads(line) for line in text.splitlines()
                              if line.startswith("{")]
                return
            if self.process.poll() is not None:
                raise RuntimeError(f"{self.executable} ended early: {text}")
            time.sleep(0.02)
        raise RuntimeError(f"{self.executable} did not get ready: {text}")

    def told(self, key):
        """The truth lines that have `key`."""
        return [line for line in self.truth if key in line]

    def settle(self, seconds=0.3):
        """Waits until threads that said they were about to wait do wait."""
        time.sleep(seconds)

    def gcore(self):
        """A core by gdb's gcore; the program runs on."""
        core = self.directory / f"gcore.{self.pid}"
        command = [Path(COMPILERS) / "gcore", str(self.pid), core] if COMPILERS else \
            ["gcore", "-o", self.directory / "gcore", str(self.pid)]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        if not core.exists():
            raise RuntimeError(f"gcore wrote no core of {self.executable}")
        return core

    def core(self, number=signal.SIGABRT):
        """A core by the kernel; ends the program. None: let it die by itself."""
        if not kernel_writes_cores():
            raise unittest.SkipTest("kernel.core_pattern is not \"core\"")
        if number is not None:
            self.process.send_signal(number)
        self.process.wait(timeout=PATIENCE)
        found = [path for path in self.directory.iterdir() if path.name.startswith("core")]
        if len(found) != 1:
            raise RuntimeError(f"no core of {self.executable} in {self.directory}")
        return found[0]

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.stop()


def corescan(*arguments, expect=(0, 1), environment=None, timeout=PATIENCE):
    """Runs corescan; its exit status must be one of `expect`."""
    arguments = [*arguments, *(["--debug-dir", DEBUG_DIRECTORY] if DEBUG_DIRECTORY else [])]
    result = subprocess.run([CORESCAN, *map(str, arguments)], capture_output=True, text=True,
                            env={**os.environ, "LC_ALL": "C.UTF-8", **(environment or {})},
                            timeout=timeout)
    if result.returncode not in expect:
        raise AssertionError(
            f"corescan {' '.join(map(str, arguments))}: exit status {result.returncode}, "
            f"not one of {expect}\n{result.stdout}\n{result.stderr}")
    return result


def corescan_json(*arguments, **options):
    """Runs corescan --json, validates the answer against the schema, and returns it."""
    import jsonschema
    document = json.loads(corescan(*arguments, "--json", **options).stdout)
    jsonschema.validate(document, json.loads(SCHEMA.read_text()))
    return document


def too_wide(lines):
    """The lines beyond 80 columns but for a path alone: paths stay whole, to be copied."""
    return [line for line in lines if len(line) > 80 and not line.strip().startswith("/")]


def each_way(test, program, look):
    """Calls look(arguments, way) on the live process, on gcore's core and on the kernel's core:
    `arguments` name the target on corescan's command line. Ends the program."""
    with test.subTest(way="live"):
        look(["-p", program.pid], "live")
    with test.subTest(way="gcore"):
        look([program.executable, program.gcore()], "gcore")
    with test.subTest(way="core"):
        look([program.executable, program.core()], "core")
