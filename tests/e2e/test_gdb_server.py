"""corescan gdb-server, as gdb, gdb without Python and LLDB see it.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import pty
import re
import select
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import CORESCAN, PATIENCE, WORK, Program, compile_program, corescan, corescan_json
from test_gdb import DEBUGGERS, MINIMAL, run_gdb

SERVER = f"{CORESCAN} gdb-server"
# Debian's usual LLDB, and one that knows the thread pointer (from 17 on), with its libraries.
NEWER = "/usr/local/lib/corescan-tests/lldb-19/usr"
LLDBS = {
    "lldb": ("lldb", os.environ),
    "lldb-19": (f"{NEWER}/lib/llvm-19/bin/lldb", os.environ | {
        "LD_LIBRARY_PATH": f"{NEWER}/lib/x86_64-linux-gnu:{NEWER}/lib/llvm-19/lib"}),
}


def lines_of(text, first):
    """The lines between "BEGIN first" and "END"."""
    return text.split(f"BEGIN {first}\n")[1].split("END\n")[0]


def framed(name, *commands):
    return [f"echo BEGIN {name}\\n", *commands, "echo END\\n"]


class Client:
    """A debugger of our own, for what real ones do not send."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([CORESCAN, "gdb-server", *map(str, arguments)],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL)
        self.buffer = b""

    def raw(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def send(self, packet):
        self.raw(b"$" + packet + b"#%02x" % (sum(packet) & 255))

    def receive(self):
        """The next packet, acknowledgements passed over."""
        while True:
            found = re.match(rb"[+-]*\$([^#]*)#([0-9a-f]{2})", self.buffer)
            if found:
                self.buffer = self.buffer[found.end():]
                assert sum(found[1]) & 255 == int(found[2], 16)
                return found[1]
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError
            data = os.read(self.process.stdout.fileno(), 65536)
            if not data:
                raise EOFError
            self.buffer += data

    def ask(self, packet):
        self.send(packet)
        return self.receive()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()


class Terminal:
    """A program on a terminal, and its user."""

    def __init__(self, *words):
        self.pid, self.file = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "dumb"
            os.environ["LC_ALL"] = "C.UTF-8"
            os.execvp(words[0], words)
        self.text = ""

    def send(self, text):
        os.write(self.file, text.encode())

    def until(self, pattern):
        """What is shown up to what matches."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.text)):
            ready = select.select([self.file], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                raise AssertionError(f"no {pattern!r} in {self.text!r}")
            try:
                self.text += os.read(self.file, 65536).decode(errors="replace").replace("\r", "")
            except OSError as error:
                raise AssertionError(f"ended without {pattern!r}: {self.text!r}") from error
        shown, self.text = self.text[:found.end()], self.text[found.end():]
        return shown

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        try:
            os.kill(self.pid, signal.SIGKILL)
        finally:
            os.waitpid(self.pid, 0)
            os.close(self.file)


class Server(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = Path(tempfile.mkdtemp(dir=WORK))
        cls.executable = compile_program("demo_server")
        cls.core = cls.directory / "core.demo"
        with Program(cls.executable) as program:
            program.settle()
            cls.leaked = program.told("leaked_list")[0]["leaked_list"]
            shutil.copy(program.core(), cls.core)
        cls.remote = f"target remote | {SERVER} {cls.executable} {cls.core}"

    def test_same_as_gdb_itself(self):
        """Stacks, registers, memory and mappings are those that gdb reads in the core."""
        self.assertIsNotNone(MINIMAL, "no gdb-minimal: scripts/install-dependencies --tests")
        questions = [
            *framed("stacks", "thread apply all -q bt"),
            *framed("registers", "thread apply all -q info registers rip rsp rbx eflags cs fs_base "
                    "orig_rax st0 mxcsr fctrl ftag"),
            *framed("vectors", "thread apply all -q -s output/x $xmm0.v2_int64",
                    "thread apply all -q -s output/x $xmm5.v2_int64",
                    "thread apply all -q -s output/x $ymm3.v4_int64"),
            *framed("memory", "x/32xb &cache_lock", "x/8xg $rsp", "print *cache", "x/s cache->key",
                    "print errno", "info symbol malloc"),
            *framed("auxv", "info auxv"),
        ]
        for name, debugger in DEBUGGERS.items():
            plain = run_gdb(debugger, self.executable, self.core, commands=questions)
            served = run_gdb(debugger, commands=[self.remote, *questions])
            for part in ("stacks", "registers", "vectors", "memory", "auxv"):
                with self.subTest(debugger=name, part=part):
                    self.assertTrue(lines_of(plain, part))
                    # The loader and the kernel may call a library by different paths.
                    inside, outside = (re.sub("(target:)?(/usr)?/lib/", "/lib/",
                                              lines_of(printed, part))
                                       for printed in (served, plain))
                    self.assertEqual(inside, outside)

    def test_threads_tell_their_waits(self):
        waits = corescan_json("waits", self.executable, self.core)["waits"]
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, commands=[
                    self.remote, *framed("threads", "info threads"), "info sharedlibrary",
                    "info proc mappings", "info proc exe"])
                threads = lines_of(printed, "threads")
                for wait in waits:
                    self.assertIn(f"({wait['text']})", threads)
                self.assertRegex(printed, r"Yes .*libc\.so\.6")
                self.assertRegex(printed, r"0x[0-9a-f]+ +0x[0-9a-f]+ .* rw-p +\[heap\]")
                self.assertIn(f"exe = '{self.executable}'", printed)

    def test_monitor(self):
        """What monitor says is what corescan says outside."""
        commands = ("report", "threads", "waits", "locks", "heap", "leaks --limit 3", "maps",
                    f"explain {self.leaked}", "waits --json", "threads --locals")
        asked = [line for number, command in enumerate(commands)
                 for line in framed(number, f"monitor {command}")]
        served = run_gdb(MINIMAL, commands=[self.remote, *asked])
        for number, command in enumerate(commands):
            with self.subTest(command=command):
                outside = corescan(*command.split(), self.executable, self.core)
                self.assertEqual(lines_of(served, number), outside.stdout)

    def test_monitor_refuses(self):
        served = run_gdb("gdb", commands=[
            self.remote, "monitor help", "monitor nonsense", "monitor leaks --limit x",
            "monitor explain", "monitor gdb-server", "monitor leaks core", "monitor waits"])
        self.assertIn("monitor leaks ", served)
        self.assertIn("'nonsense' is no command", served)
        self.assertIn("'x'", served)
        self.assertIn("no address to explain", served)
        self.assertIn("'gdb-server' is no command", served)
        self.assertIn("'core' is no command", served)
        self.assertIn("DEADLOCK", served)

    def test_os_tables(self):
        groups = corescan_json("leaks", self.executable, self.core)["orphans"]["groups"]
        served = run_gdb("gdb", commands=[self.remote, "info os", "info os corescan-leaks",
                                          "info os corescan-waits"])
        self.assertIn("corescan-leaks", served)
        for group in groups:
            self.assertRegex(served, rf"(?m)^{group['bytes']} +{group['chunks']} +")
        self.assertIn("waits for mutex", served)

    def test_thread_local(self):
        source = self.directory / "tls.c"
        source.write_text("""
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
static __thread int mine = 5;
static void *run(void *value) { mine = *(int *)value; pause(); return NULL; }
int main(void) {
	static int values[] = { 11, 12 };
	pthread_t threads[2];
	for (int i = 0; i < 2; i++) pthread_create(&threads[i], NULL, run, &values[i]);
	sleep(1); write(1, "{\\"ready\\":true}\\n", 15); pause(); return mine; }
""")
        built = self.directory / "tls"
        subprocess.run(["cc", "-g", "-pthread", "-o", built, source], check=True)
        with Program(built) as program:
            core = program.core()
            for name, debugger in DEBUGGERS.items():
                with self.subTest(debugger=name):
                    printed = run_gdb(debugger, commands=[
                        f"target remote | {SERVER} {built} {core}",
                        *framed("values", "thread apply all -q print mine")])
                    self.assertEqual(sorted(re.findall(r" = (\d+)", lines_of(printed, "values"))),
                                     ["11", "12", "5"])
            printed = self.run_lldb("lldb-19", built, core, *(
                command for thread in (1, 2, 3)
                for command in (f"thread select {thread}", "target variable mine")))
            self.assertEqual(sorted(re.findall(r"mine = (\d+)", printed)), ["11", "12", "5"])

    def test_refused_politely(self):
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                printed = run_gdb(debugger, commands=[
                    self.remote, "continue", "stepi", "next", "set var cache = 0", "break main",
                    "continue", "delete", "set $rax = 1", "call (int)getpid()", "kill", "finish",
                    *framed("after", "print cache != 0", "info threads"), "detach"])
                self.assertIn("This is a core: nothing in it can run.", printed)
                after = lines_of(printed, "after")
                self.assertIn("= 1\n", after)
                self.assertIn("waits for mutex", after)
                self.assertIn("Can't kill process", printed)
                self.assertIn("detached", printed)

    def test_compressed_and_truncated(self):
        packed = self.directory / "core.zst"
        with open(packed, "wb") as out:
            subprocess.run(["zstd", "-q", "-c", self.core], stdout=out, check=True)
        printed = run_gdb(MINIMAL, commands=[f"target remote | {SERVER} {self.executable} {packed}",
                                             "monitor waits", "bt"])
        self.assertIn("DEADLOCK", printed)
        self.assertIn("main () at ", printed)
        cut = self.directory / "core.cut"
        cut.write_bytes(self.core.read_bytes()[:self.core.stat().st_size // 2])
        printed = run_gdb(MINIMAL, commands=[f"target remote | {SERVER} {self.executable} {cut}",
                                             "monitor maps", "info threads",
                                             "info sharedlibrary"])
        self.assertIn("the core is truncated", printed)
        self.assertIn("Thread ", printed)
        # The loader's list is gone, but the mappings tell of libraries.
        self.assertRegex(printed, r"Yes .*libc\.so\.6")
        self.assertRegex(printed, r"lll_lock_wait|futex_wait")

    def test_live(self):
        """A process is served as it was in one moment, and runs on."""
        with Program(self.executable) as program:
            program.settle()
            for name, debugger in DEBUGGERS.items():
                with self.subTest(debugger=name):
                    printed = run_gdb(debugger, commands=[
                        f"target remote | {SERVER} -p {program.pid}", "info threads", "bt",
                        "print cache->key", "monitor leaks", "set var cache = 0", "continue",
                        f"shell grep Tracer /proc/{program.pid}/status", "detach"])
                    self.assertIn("waits for mutex", printed)
                    self.assertIn("main () at ", printed)
                    self.assertIn('= "key-499"', printed)
                    self.assertIn("ORPHANED", printed)
                    self.assertIn("TracerPid:\t0", printed)
            outside = corescan("leaks", "-p", program.pid).stdout
            self.assertIsNone(program.process.poll())
            self.assertIn("ORPHANED", outside)

    def test_sockets(self):
        path = self.directory / "socket"
        for address in ("0", str(path)):
            with self.subTest(address=address):
                server = subprocess.Popen(
                    [CORESCAN, "gdb-server", "--listen", address, self.executable, self.core],
                    stderr=subprocess.PIPE, text=True)
                try:
                    line = server.stderr.readline()
                    where = line.split()[-1]
                    self.assertTrue(where == str(path) or where.startswith("127.0.0.1:"), line)
                    if where == str(path):
                        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
                    for _ in range(2):
                        printed = run_gdb(MINIMAL, commands=[f"target remote {where}", "bt 1"])
                        self.assertIn("futex_wait", printed)
                finally:
                    server.terminate()
                    server.communicate(timeout=PATIENCE)
        for address in ("x", "1:2:x", "/nowhere/socket", "999999"):
            corescan("gdb-server", "--listen", address, self.core, expect=(2,))
        corescan("waits", "--listen", "0", self.core, expect=(64,))

    def test_interrupted_commands(self):
        """gdb's Ctrl-C leaves the rest of an answer unread: what follows must not be taken for it."""
        for name, debugger in DEBUGGERS.items():
            with self.subTest(debugger=name):
                with Terminal(debugger, "-nx", "-q", "-ex", "set pagination off", "-ex",
                              self.remote) as terminal:
                    terminal.until(r"7 threads|main \(\) at|\(gdb\) $")
                    terminal.send("monitor chunks --json\n")
                    terminal.until(r'"address"')
                    terminal.send("\x03")
                    terminal.send("monitor waits\necho after\\n\n")
                    said = terminal.until(r"\nafter").split("monitor waits")[-1]
                    self.assertIn("DEADLOCK", said)
                    self.assertNotIn("usable", said)
                    terminal.send("kill\ny\nquit\ny\n")
                    left = terminal.until(r"\) detached\]|Broken pipe")
                    self.assertIn("Can't kill process", left)
                    self.assertIn(") detached]", left)

    def test_abandoned_command(self):
        with Client(self.executable, self.core) as client:
            client.ask(b"qSupported")
            client.send(b"qRcmd," + b"chunks --json".hex().encode())
            self.assertEqual(client.receive()[:1], b"O")
            client.buffer = b""
            client.send(b"qC")
            # As gdb does, whatever comes before the acknowledgement is thrown away.
            rest = b""
            while not rest.endswith(b"#" + rest[-2:]) or b"+$QC" not in rest:
                rest += os.read(client.process.stdout.fileno(), 1 << 20)
            self.assertEqual(len(re.findall(rb"\+\$QC[0-9a-f]+#[0-9a-f]{2}$", rest)), 1)
            self.assertRegex(client.ask(b"?"), rb"^T06")

    def test_slow_command(self):
        """A command that says nothing for a while does not look dead, and Ctrl-C ends it."""
        with Client(self.executable, self.core) as client:
            client.ask(b"qSupported")
            children = Path(f"/proc/{client.process.pid}/task/{client.process.pid}/children")
            for _ in range(100):
                client.send(b"qRcmd," + b"heap --retained".hex().encode())
                child = []
                for _ in range(10000):
                    child = children.read_text().split()
                    if child:
                        break
                try:
                    os.kill(int(child[0]), signal.SIGSTOP)
                    break
                except (IndexError, ProcessLookupError):
                    while client.receive() != b"OK":
                        pass
            self.assertEqual([client.receive(), client.receive()], [b"O", b"O"])
            client.raw(b"\x03")
            os.kill(int(child[0]), signal.SIGCONT)
            while client.receive() != b"OK":
                pass
            self.assertRegex(client.ask(b"qC"), rb"^QC")

    def test_slow_to_open(self):
        """gdb waits for a core that takes long to be opened, as a large compressed one does."""
        script = self.directory / "slow"
        script.write_text(f"""#!/bin/sh
# Halts corescan between its start and its first answer.
exec 3<&0 # what runs beside has no standard input
{CORESCAN} gdb-server "$@" <&3 &
server=$!
until grep -q "$2" /proc/$server/maps; do kill -0 $server || exit 1; done
kill -STOP $server
sleep 9
kill -CONT $server
wait $server
""")
        script.chmod(0o755)
        printed = run_gdb("gdb", commands=[f"target remote | {script} {self.executable} {self.core}",
                                           "bt", "info threads"])
        self.assertIn("main () at ", printed)
        self.assertIn("waits for mutex", printed)
        self.assertNotIn("unexpectedly", printed)

    def test_files(self):
        """The program comes through whole, in whatever pieces."""
        whole = self.executable.read_bytes()
        with Client(self.executable, self.core) as client:
            name = str(self.executable).encode().hex().encode()
            self.assertEqual(client.ask(b"vFile:open:" + name + b",0,0"), b"F0")
            for start in (0, 5000):
                read, sizes = b"", []
                while not sizes or sizes[-1]:
                    at = start + len(read)
                    head, _, data = client.ask(b"vFile:pread:0,10000,%x" % at).partition(b";")
                    data = re.sub(rb"}(.)", lambda found: bytes([found[1][0] ^ 0x20]), data,
                                  flags=re.DOTALL)
                    self.assertEqual(int(head[1:], 16), len(data))
                    sizes.append(len(data))
                    read += data
                self.assertEqual(read, whole[start:])
                self.assertGreater(sizes[1], sizes[0])

    def test_machine_interface(self):
        """What editors speak with gdb: threads with their waits, stacks, variables, a console."""
        commands = ["-gdb-set mi-async off", f"-target-select remote | {SERVER} {self.executable} "
                    f"{self.core}", "-thread-info", "-stack-list-frames",
                    "-data-evaluate-expression cache->key", '-interpreter-exec console "monitor waits"',
                    "-exec-continue", "-thread-info", "-gdb-exit"]
        printed = subprocess.run(["gdb", "-nx", "-q", "-i=mi"], input="\n".join(commands) + "\n",
                                 capture_output=True, text=True, timeout=PATIENCE).stdout
        self.assertIn("^connected", printed)
        self.assertEqual(len(re.findall(r"\^done,threads=", printed)), 2, printed)
        self.assertIn('details="waits for mutex', printed)
        self.assertIn('func="main"', printed)
        self.assertIn("key-499", printed)
        self.assertIn("DEADLOCK", printed)

    def run_lldb(self, name, executable, core, *commands):
        """What that LLDB prints of a core that is served."""
        debugger, environment = LLDBS[name]
        self.assertIsNotNone(shutil.which(debugger),
                             f"no {name}: scripts/install-dependencies --tests")
        server = subprocess.Popen([CORESCAN, "gdb-server", "--listen", "0", executable, core],
                                  stderr=subprocess.PIPE, text=True)
        try:
            where = server.stderr.readline().split()[-1]
            words = [word for command in (f"target create {executable}", f"gdb-remote {where}",
                                          *commands, "detach") for word in ("-o", command)]
            return subprocess.run([debugger, "--batch", "-x", *words], capture_output=True,
                                  stdin=subprocess.DEVNULL, text=True, timeout=PATIENCE,
                                  env=environment).stdout
        finally:
            server.terminate()
            server.communicate(timeout=PATIENCE)

    def check_lldb(self, name):
        printed = self.run_lldb(
            name, self.executable, self.core, "thread list", "bt all",
            "register read rip rsp ymm3", "image list",
            "process plugin packet monitor leaks --limit 1", "target variable cache",
            "memory region 0x0")
        for thread in corescan_json("threads", self.executable, self.core)["threads"]:
            self.assertIn(f"tid = {thread['tid']}", printed)
        self.assertIn("signal SIGABRT", printed)
        self.assertIn("`main", printed)
        self.assertIn("ORPHANED", printed)
        self.assertRegex(printed, r"cache = 0x[0-9a-f]+")
        self.assertIn("libc.so.6", printed)

    def test_lldb(self):
        for name in LLDBS:
            with self.subTest(debugger=name):
                self.check_lldb(name)

    def test_odd_packets(self):
        """Whatever is sent, there is one answer to each packet, and the server stays."""
        odd = (b"", b"m", b"m,", b"mzz,1", b"m0,1", b"m0,ffffffffffffffff", b"mffffffffffffffff,40",
               b"p", b"pffffffff", b"H", b"Hg", b"Hgp1", b"Hg99999999999", b"T", b"Tp1.1", b"qXfer:",
               b"qXfer:features", b"qXfer:features:read", b"qXfer:features:read:x:0,1",
               b"qXfer:auxv:read::ffffffffffffffff,1", b"qXfer:threads:write::0,1",
               b"qXfer:osdata:read:" + b"x" * 300 + b":0,10", b"qGetTLSAddr:", b"qGetTLSAddr:1,2",
               b"qGetTLSAddr:1,2,3", b"qRcmd,", b"qRcmd,6", b"qRcmd,zz", b"qRcmd,00", b"vFile:",
               b"vFile:open:", b"vFile:open:2f6574632f706173737764,0,0", b"vFile:pread:0,10,0",
               b"vFile:pread:ffffffffffff,1,1", b"vFile:close:7", b"vFile:fstat:x",
               b"qMemoryRegionInfo:x", b"\xff\xfe}\x03", b"}", b"q" * 5000, b"X0,1:x", b"z0,1,1",
               b"vRun;x", b"!", b"R00", b"G00", b"P1=2", b"qThreadExtraInfo,zz", b"qThreadStopInfo")
        with Client(self.executable, self.core) as client:
            for packet in odd:
                with self.subTest(packet=packet[:40]):
                    answer = client.ask(packet)
                    while answer[:1] == b"O" and answer != b"OK":  # text comes before it
                        answer = client.receive()
            self.assertEqual(client.ask(b"vFile:open:2f6574632f706173737764,0,0"), b"F-1,2")
            client.raw(b"$g#00" + b"garbage" * 50 + b"$unfinished$m0,1#fd\x03-")
            client.send(b"$" + b"m" * 70000)
            client.buffer = b""
            client.send(b"qSupported:multiprocess+")
            answers = [client.receive()]
            while not answers[-1].startswith(b"PacketSize"):
                answers.append(client.receive())
            self.assertIn(b"multiprocess+", answers[-1])
            stop = client.ask(b"?")
            self.assertRegex(stop, rb"^T06thread:p[0-9a-f]+\.[0-9a-f]+;$")
            for packet in (b"c", b"vCont;s:1;c"):
                said = client.ask(packet)
                self.assertTrue(said.startswith(b"O"))
                self.assertEqual(client.receive(), stop)
            self.assertEqual(client.ask(b"D"), b"OK")


if __name__ == "__main__":
    unittest.main()
