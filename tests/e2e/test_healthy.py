"""Programs from Debian's packages at work under their own clients: whenever they are looked at,
there is no deadlock, no orphaned lock, and nothing suspected.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import shutil
import socket
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import PATIENCE, TOP, Program, compile_program, corescan_json
import test_real_programs
from test_real_programs import PYTHON

PROGRAMS = TOP / "tests" / "programs"
LOOKS = 6


def wait_for(condition, what):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError(f"no sign of {what}")
        time.sleep(0.1)


def answers(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def children(pid):
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


class Looks(unittest.TestCase):
    """What has to hold whenever one looks at a program that is well."""

    def check(self, document):
        self.assertGreater(len(document["waits"]), 0)
        self.assertEqual(document["deadlocks"], [])
        self.assertEqual(document["suspicions"], [])
        self.assertEqual([lock for lock in document["locks"] if lock["orphaned"]], [])
        tids = {thread["tid"] for thread in document["threads"]}
        for lock in document["locks"]:
            if lock["owner"] is not None:
                self.assertIn(lock["owner"], tids, lock)

    def look(self, pid, times=LOOKS, *options):
        for _ in range(times):
            self.check(corescan_json("locks", *options, "-p", pid))

    def look_at_core(self, pid):
        with tempfile.TemporaryDirectory(prefix="corescan-healthy-") as directory:
            subprocess.run(["gcore", "-o", f"{directory}/core", str(pid)], check=True,
                           capture_output=True)
            self.check(corescan_json("locks", f"{directory}/core.{pid}"))

    def under_load(self, client, pid):
        """Looks while `client` runs, stopped, not, and at a core; it must be at work all the
        time."""
        load = subprocess.Popen(client, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            time.sleep(0.5)
            self.look(pid)
            self.look(pid, 2, "--all")
            self.look(pid, 2, "--stop")
            self.look_at_core(pid)
            self.assertIsNone(load.poll(), "the client has ended")
        finally:
            load.kill()
            load.wait()


class Healthy(Looks):
    def test_redis(self):
        with Program("/usr/bin/redis-server", "--port", "54331", "--save", "", "--io-threads",
                     "4", "--appendonly", "yes", ready=False) as program:
            wait_for(lambda: answers(54331), "redis")
            self.under_load(["redis-benchmark", "-p", "54331", "-l", "-q", "-t", "set,get,lpush",
                             "-P", "8"], program.pid)

    def test_memcached(self):
        with Program("/usr/bin/memcached", "-p", "54332", "-l", "127.0.0.1", "-t", "8", "-u", "nobody",
                     ready=False) as program:
            wait_for(lambda: answers(54332), "memcached")
            self.under_load([PYTHON, PROGRAMS / "memcached_load.py", "54332"], program.pid)

    def test_nginx(self):
        directory = Path(tempfile.mkdtemp(prefix="corescan-nginx-"))
        try:
            directory.chmod(0o755)
            (directory / "index.html").write_text("x" * 100000)
            (directory / "nginx.conf").write_text(
                f"daemon off; worker_processes 2; pid {directory}/pid; error_log stderr;"
                f"thread_pool default threads=4;"
                "events {} http { access_log off; aio threads; client_body_temp_path "
                f"{directory}/1; proxy_temp_path {directory}/2; fastcgi_temp_path {directory}/3;"
                f"uwsgi_temp_path {directory}/4; scgi_temp_path {directory}/5;"
                f"server {{ listen 127.0.0.1:54333; root {directory}; }} }}")
            with Program("/usr/sbin/nginx", "-p", directory, "-c", directory / "nginx.conf",
                         ready=False) as program:
                wait_for(lambda: answers(54333), "nginx")
                load = [PYTHON, PROGRAMS / "http_load.py", "54333"]
                workers = children(program.pid)
                self.assertEqual(len(workers), 2)
                self.under_load(load, workers[0])
                self.look(program.pid, 2)
                program.process.terminate()
                program.process.wait(timeout=PATIENCE)
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def test_python(self):
        with Program(PYTHON, PROGRAMS / "healthy_threads.py") as program:
            self.look(program.pid)
            self.look(program.pid, 2, "--all")
            self.look_at_core(program.pid)

    def test_java(self):
        if not shutil.which("java"):
            self.skipTest("no java")
        with Program(shutil.which("java"), "-Xmx64m",
                     PROGRAMS / "HealthyThreads.java") as program:
            self.look(program.pid, 3)
            self.look_at_core(program.pid)

    def test_gdb(self):
        with Program(compile_program("waits_held", "-D_GNU_SOURCE"), "convoy") as program:
            debugger = subprocess.Popen(["gdb", "-q", "-nx", program.executable],
                                        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
            try:
                time.sleep(1.5)
                self.look(debugger.pid, 3)
                self.look_at_core(debugger.pid)
            finally:
                debugger.stdin.close()
                debugger.wait(timeout=PATIENCE)

    def test_contention(self):
        with Program(compile_program("waits_healthy", "-D_GNU_SOURCE")) as program:
            self.look(program.pid, 10)
            self.look(program.pid, 4, "--all")
            for _ in range(3):
                self.look_at_core(program.pid)

    def test_postgresql(self):
        PostgreSQL = test_real_programs.PostgreSQL
        PostgreSQL.setUpClass()
        try:
            where = ["-h", PostgreSQL.directory, "-p", "54329"]
            bench = [*PostgreSQL.user, PostgreSQL.binaries / "pgbench", *where]
            subprocess.run([*bench, "-i", "-q", "postgres"], cwd=PostgreSQL.directory, check=True,
                           capture_output=True)
            load = subprocess.Popen([*bench, "-c", "8", "-j", "2", "-T", "60", "postgres"],
                                    cwd=PostgreSQL.directory, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL)
            try:
                time.sleep(1)
                processes = children(PostgreSQL.server.pid)
                self.assertGreater(len(processes), 8)
                for pid in processes:
                    self.look(pid, 1)
                self.look_at_core(processes[-1])
                self.look(load.pid, 3)
                self.look_at_core(load.pid)
                self.assertIsNone(load.poll(), "pgbench has ended")
            finally:
                load.kill()
                load.wait()
        finally:
            PostgreSQL.tearDownClass()


if __name__ == "__main__":
    unittest.main()
