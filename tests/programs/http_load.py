"""http_load.py PORT: fetches / from eight connections until it is killed.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import http.client
import sys
import threading


def work():
    connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
    while True:
        connection.request("GET", "/")
        connection.getresponse().read()


for _ in range(8):
    threading.Thread(target=work).start()
