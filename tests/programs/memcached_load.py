"""memcached_load.py PORT: sets and gets from eight connections until it is killed.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import socket
import sys
import threading


def work(number):
    connection = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    stream = connection.makefile("rb")
    value = b"v" * 1000
    for i in range(10 ** 9):
        key = b"key%d" % (i % 5000 + number)
        connection.sendall(b"set %s 0 0 1000\r\n%s\r\n" % (key, value))
        stream.readline()
        connection.sendall(b"get %s\r\n" % key)
        while stream.readline().strip() != b"END":
            pass


for number in range(8):
    threading.Thread(target=work, args=(number,)).start()
