"""More programs from Debian's packages at work: servers under load from clients, compressors with
threads, and interpreters. Live and from a core there is no deadlock, and nothing is suspected.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

from harness import Program
from test_healthy import PROGRAMS, Looks, answers, wait_for
from test_real_programs import PYTHON


class Services(Looks):
    def setUp(self):
        self.directory = Path(tempfile.mkdtemp(prefix="corescan-service-"))
        self.directory.chmod(0o755)
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def write(self, name, text):
        path = self.directory / name
        path.write_text(text)
        return path

    def load(self, protocol, port):
        return [PYTHON, PROGRAMS / "service_load.py", protocol, str(port)]

    def serve(self, command, client, port=None, worker=lambda pid: pid):
        """Starts a server, and looks at it, or at a worker of it, while its client asks."""
        with Program(*command, ready=False) as program:
            if port is None:
                time.sleep(1)
            else:
                wait_for(lambda: answers(port), command[0])
            self.assertIsNone(program.process.poll(), "the server has ended")
            self.under_load(client, worker(program.pid))
            program.process.terminate()
            program.process.wait(timeout=20)

    def certificate(self):
        path = self.directory / "certificate.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj",
                        "/CN=localhost", "-days", "2", "-keyout", path, "-out",
                        self.directory / "public.pem"], check=True, capture_output=True)
        with open(path, "a") as joined:
            joined.write((self.directory / "public.pem").read_text())
        return path

    def test_apache(self):
        modules = "/usr/lib/apache2/modules"
        self.write("index.html", "x" * 20000)
        configuration = self.write("apache.conf", f"""
ServerRoot {self.directory}
ServerName localhost
PidFile {self.directory}/pid
Listen 127.0.0.1:54341
DocumentRoot {self.directory}
ErrorLog {self.directory}/log
LoadModule mpm_event_module {modules}/mod_mpm_event.so
LoadModule authz_core_module {modules}/mod_authz_core.so
LoadModule dir_module {modules}/mod_dir.so
User nobody
Group nogroup
StartServers 1
ServerLimit 1
ThreadsPerChild 16
MaxRequestWorkers 16
""")
        self.serve(["/usr/sbin/apache2", "-X", "-f", configuration],
                   [PYTHON, PROGRAMS / "http_load.py", "54341"], 54341)

    def test_haproxy(self):
        configuration = self.write("haproxy.conf", """
global
    nbthread 4
defaults
    mode http
    timeout client 10s
    timeout connect 10s
    timeout server 10s
frontend all
    bind 127.0.0.1:54342
    http-request return status 200 content-type text/plain string "here"
""")
        self.serve(["/usr/sbin/haproxy", "-db", "-f", configuration],
                   [PYTHON, PROGRAMS / "http_load.py", "54342"], 54342)

    def test_lighttpd(self):
        self.write("index.html", "x" * 20000)
        configuration = self.write("lighttpd.conf", f"""
server.port = 54343
server.bind = "127.0.0.1"
server.document-root = "{self.directory}"
index-file.names = ("index.html")
""")
        self.serve(["/usr/sbin/lighttpd", "-D", "-f", configuration],
                   [PYTHON, PROGRAMS / "http_load.py", "54343"], 54343)

    def test_dnsmasq(self):
        self.serve(["/usr/sbin/dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null",
                    "--no-resolv", "--no-hosts", "--bind-interfaces", "--listen-address=127.0.0.1",
                    "--port=54344", "--address=/host.test/192.0.2.1", "--user=root",
                    f"--pid-file={self.directory}/pid"], self.load("dns", 54344), 54344)

    def test_unbound(self):
        configuration = self.write("unbound.conf", f"""
server:
    directory: "{self.directory}"
    chroot: ""
    username: ""
    pidfile: "{self.directory}/pid"
    interface: 127.0.0.1
    port: 54345
    num-threads: 4
    use-syslog: no
    logfile: ""
    local-data: "host.test. A 192.0.2.1"
    module-config: "iterator"
""")
        self.serve(["/usr/sbin/unbound", "-d", "-c", configuration], self.load("dns", 54345), 54345)

    def test_mosquitto(self):
        configuration = self.write("mosquitto.conf", "listener 54346 127.0.0.1\n"
                                   "allow_anonymous true\nuser root\n")
        self.serve(["/usr/sbin/mosquitto", "-c", configuration], self.load("mqtt", 54346), 54346)

    def test_openssl(self):
        self.serve(["/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:54347", "-www", "-cert",
                    self.certificate(), "-quiet"], self.load("tls", 54347), 54347)

    def test_stunnel(self):
        with Program("/usr/bin/openssl", "s_server", "-accept", "127.0.0.1:54348", "-www", "-cert",
                     self.certificate(), "-quiet", ready=False):
            wait_for(lambda: answers(54348), "s_server")
            configuration = self.write("stunnel.conf", f"""
foreground = yes
pid =
[tls]
accept = 127.0.0.1:54349
connect = 127.0.0.1:54348
cert = {self.directory}/certificate.pem
""")
            self.serve(["/usr/bin/stunnel4", configuration], self.load("tls", 54349), 54349)

    def test_rsyslog(self):
        configuration = self.write("rsyslog.conf", f"""
global(workDirectory="{self.directory}")
module(load="imudp" threads="4")
input(type="imudp" address="127.0.0.1" port="54350")
main_queue(queue.workerThreads="4" queue.workerThreadMinimumMessages="10")
action(type="omfile" file="{self.directory}/messages")
""")
        self.serve(["/usr/sbin/rsyslogd", "-n", "-i", f"{self.directory}/pid", "-f",
                    configuration], self.load("syslog", 54350))

    def test_rsync(self):
        """The daemon's child that sends, under a client that fetches slowly."""
        source = self.directory / "source"
        source.mkdir()
        (source / "large").write_bytes(os.urandom(1 << 20) * 64)
        configuration = self.write("rsyncd.conf", f"""
use chroot = no
uid = root
[all]
path = {source}
read only = yes
""")
        def sender(pid):
            children = Path(f"/proc/{pid}/task/{pid}/children")
            wait_for(lambda: children.read_text().split(), "a client of rsync")
            return int(children.read_text().split()[0])

        with Program("/usr/bin/rsync", "--daemon", "--no-detach", "--port=54351",
                     f"--config={configuration}", ready=False) as program:
            wait_for(lambda: answers(54351), "rsync")
            client = subprocess.Popen(["rsync", "--bwlimit=500", "-a",
                                       "rsync://127.0.0.1:54351/all", self.directory / "copy"],
                                      stderr=subprocess.DEVNULL)
            try:
                time.sleep(1)
                for pid in (sender(program.pid), client.pid, program.pid):
                    self.look(pid, 3)
                    self.look_at_core(pid)
                self.assertIsNone(client.poll(), "the client has ended")
            finally:
                client.kill()
                client.wait()

    def compress(self, *command):
        """From an endless input to nowhere."""
        with open("/dev/urandom", "rb") as source:
            process = subprocess.Popen(command, stdin=source, stdout=subprocess.DEVNULL)
        try:
            time.sleep(1.5)
            self.look(process.pid)
            self.look_at_core(process.pid)
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.wait()

    def test_xz(self):
        self.compress("xz", "-0", "-T4", "-c")

    def test_zstd(self):
        self.compress("zstd", "-q", "-T4", "-c")

    def test_pigz(self):
        self.compress("pigz", "-1", "-p", "4", "-c")

    def test_perl(self):
        with Program("/usr/bin/perl", PROGRAMS / "healthy_threads.pl") as program:
            self.look(program.pid)
            self.look_at_core(program.pid)

    def test_sqlite(self):
        with Program(PYTHON, PROGRAMS / "healthy_sqlite.py",
                     self.directory / "database") as program:
            self.look(program.pid)
            self.look_at_core(program.pid)

    def test_make(self):
        self.write("Makefile", "all: " + " ".join(f"job{i}" for i in range(400)) +
                   "\njob%:\n\t@sleep 0.1; true\n")
        process = subprocess.Popen(["make", "-s", "-j4", "-C", self.directory])
        try:
            time.sleep(0.5)
            self.look(process.pid)
            self.look_at_core(process.pid)
            self.assertIsNone(process.poll())
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    import unittest
    unittest.main()
