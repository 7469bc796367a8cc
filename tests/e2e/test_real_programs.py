"""Programs from Debian's packages, which nobody here wrote, from the live process and from cores.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

from harness import PATIENCE, TOP, Program, corescan, corescan_json, each_way

PYTHON = "/usr/bin/python3"


def frames_of(document, tid):
    thread = next(thread for thread in document["threads"] if thread["tid"] == tid)
    return [frame["function"] or "" for frame in thread["frames"]]


class Python(unittest.TestCase):
    def test_threads_that_wait_for_each_other(self):
        """CPython's locks are semaphores or condition variables of its own: there is no owner to
        read, so corescan must show every thread blocked and claim no deadlock."""
        with Program(PYTHON, TOP / "tests" / "programs" / "python_threads.py") as program:
            program.settle()

            def look(arguments, way):
                document = corescan_json("report", *arguments)
                self.assertEqual(len(document["threads"]), 4)
                self.assertEqual(document["deadlocks"], [])
                for wait in document["waits"]:
                    if wait["activity"] == "crashed":
                        continue
                    self.assertEqual(wait["activity"], "blocked", wait)
                    self.assertIn(wait["kind"], ("semaphore", "condition variable"), wait)
                for thread in document["threads"]:
                    self.assertIsNone(thread["stop_reason"], thread)
                    self.assertIn("_PyEval_EvalFrameDefault",
                                  " ".join(frames_of(document, thread["tid"])))
                self.assertGreater(document["heap"]["states"]["reachable"]["chunks"], 300)
                self.assertLess(document["heap"]["states"]["orphaned"]["bytes"],
                                document["heap"]["states"]["reachable"]["bytes"] / 100)

            each_way(self, program, look)


class PostgreSQL(unittest.TestCase):
    """Clients that wait for a table lock: each is a backend process of its own."""

    @classmethod
    def setUpClass(cls):
        cls.binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        cls.directory = Path(tempfile.mkdtemp(prefix="corescan-postgres-"))
        cls.directory.chmod(0o755)
        cls.user = []
        if os.getuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(cls.directory, account.pw_uid, account.pw_gid)
            cls.user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}",
                        "--clear-groups"]
        data = cls.directory / "data"
        cls.run_as_user(cls.binaries / "initdb", "-D", data, "-A", "trust", "-N")
        cls.server = subprocess.Popen(
            [*cls.user, cls.binaries / "postgres", "-D", data, "-k", cls.directory, "-p", "54329",
             "-c", "listen_addresses=", "-c", "fsync=off"],
            cwd=cls.directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.clients = []
        cls.wait_for(lambda: cls.query("select 1") == "1", "the server to answer")
        cls.query("create table accounts (id int)")
        cls.start_client("begin; lock table accounts; select pg_sleep(600);")
        cls.wait_for(lambda: cls.query(
            "select count(*) from pg_stat_activity where wait_event = 'PgSleep'") == "1",
            "the holder of the lock")
        for _ in range(3):
            cls.start_client("select * from accounts;")
        blocked = "select pid from pg_stat_activity where wait_event_type = 'Lock'"
        cls.wait_for(lambda: len(cls.query(blocked).split()) == 3, "three blocked clients")
        cls.backends = [int(pid) for pid in cls.query(blocked).split()]

    @classmethod
    def tearDownClass(cls):
        for client in cls.clients:
            client.kill()
            client.wait()
        cls.server.send_signal(signal.SIGQUIT)
        cls.server.wait()
        shutil.rmtree(cls.directory, ignore_errors=True)

    @classmethod
    def run_as_user(cls, *command):
        return subprocess.run([*cls.user, *command], cwd=cls.directory, capture_output=True,
                              text=True, check=True).stdout.strip()

    @classmethod
    def psql(cls, text):
        return [*cls.user, cls.binaries / "psql", "-h", cls.directory, "-p", "54329", "-AtX",
                "-c", text, "postgres"]

    @classmethod
    def query(cls, text):
        return subprocess.run(cls.psql(text), cwd=cls.directory, capture_output=True,
                              text=True, check=False).stdout.strip()

    @classmethod
    def start_client(cls, text):
        cls.clients.append(subprocess.Popen(cls.psql(text), cwd=cls.directory,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))

    @classmethod
    def wait_for(cls, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise RuntimeError(f"no sign of {what}")
            time.sleep(0.1)

    def check(self, document):
        self.assertEqual(len(document["waits"]), 1)
        wait = document["waits"][0]
        self.assertEqual(wait["activity"], "blocked")
        self.assertEqual(wait["kind"], "epoll")
        self.assertIn("ProcSleep", frames_of(document, wait["tid"]))
        self.assertEqual(document["deadlocks"], [])
        states = document["heap"]["states"]
        self.assertGreater(states["reachable"]["bytes"], 500_000)
        self.assertLess(states["orphaned"]["bytes"], states["reachable"]["bytes"] / 20)

    def test_backend_blocked_on_a_lock(self):
        backend = self.backends[0]
        with self.subTest(way="live"):
            self.check(corescan_json("report", "-p", backend))
            text = corescan("-p", backend).stdout
            self.assertIn("ProcSleep", text)
        with self.subTest(way="gcore"):
            core = self.directory / "backend"
            subprocess.run(["gcore", "-o", core, str(backend)], check=True,
                           capture_output=True)
            self.check(corescan_json("report", f"{core}.{backend}"))
        # the one that was looked at is still alive, and still waits
        self.assertEqual(len(self.query(
            "select pid from pg_stat_activity where wait_event_type = 'Lock'").split()), 3)


class Redis(unittest.TestCase):
    def test_report(self):
        port = "54330"
        with Program("/usr/bin/redis-server", "--port", port, "--save", "",
                     "--unixsocket", "redis.sock", ready=False) as program:
            socket = program.directory / "redis.sock"

            def redis(*words):
                return subprocess.run(["redis-cli", "-s", socket, *words], capture_output=True,
                                      text=True, check=False).stdout.strip()

            deadline = time.monotonic() + PATIENCE
            while redis("ping") != "PONG":
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.1)
            redis("debug", "populate", "10000")

            def look(arguments, way):
                document = corescan_json("report", *arguments)
                self.assertGreaterEqual(len(document["threads"]), 4)
                self.assertEqual(document["deadlocks"], [])
                kinds = {wait["kind"] for wait in document["waits"]}
                self.assertIn("condition variable", kinds)

            with self.subTest(way="live"):
                look(["-p", program.pid], "live")
                self.assertEqual(redis("ping"), "PONG")
            with self.subTest(way="gcore"):
                look(["/usr/bin/redis-check-rdb", program.gcore()], "gcore")


if __name__ == "__main__":
    unittest.main()
