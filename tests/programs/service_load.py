"""service_load.py PROTOCOL PORT: asks a server from four threads until it is killed.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import socket
import ssl
import struct
import sys
import threading

protocol, port = sys.argv[1], int(sys.argv[2])


def dns():
    """Asks for the address of host.test over and over."""
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    connection.connect(("127.0.0.1", port))
    connection.settimeout(1)
    question = b"".join(bytes([len(part)]) + part for part in (b"host", b"test")) + b"\0"
    for number in range(10 ** 9):
        connection.send(struct.pack(">6H", number % 65536, 0x0100, 1, 0, 0, 0) + question +
                        struct.pack(">2H", 1, 1))
        try:
            connection.recv(4096)
        except TimeoutError:
            pass


def mqtt():
    """Subscribes to a topic, publishes to it and reads what comes back."""
    connection = socket.create_connection(("127.0.0.1", port))
    name = b"client-%d" % threading.get_ident()
    variable = b"\0\4MQTT\4\2\0\x3c" + struct.pack(">H", len(name)) + name
    connection.sendall(b"\x10" + bytes([len(variable)]) + variable)
    connection.recv(4)
    topic = b"\0\4news"
    connection.sendall(b"\x82" + bytes([2 + len(topic) + 1]) + b"\0\1" + topic + b"\0")
    while True:
        connection.sendall(b"\x30" + bytes([len(topic) + 50]) + topic + b"x" * 50)
        connection.recv(4096)


def syslog():
    connection = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for number in range(10 ** 9):
        connection.sendto(b"<13>test: message %d" % number, ("127.0.0.1", port))


def tls():
    """A new session, a request, and its answer."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    while True:
        try:
            with socket.create_connection(("127.0.0.1", port)) as plain, \
                    context.wrap_socket(plain) as connection:
                connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
                while connection.recv(65536):
                    pass
        except OSError:
            pass


for _ in range(4):
    threading.Thread(target=globals()[protocol]).start()
