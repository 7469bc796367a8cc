"""healthy_sqlite.py FILE: threads that write to one SQLite database, each with its own connection.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import sqlite3
import sys
import threading


def work(number):
    connection = sqlite3.connect(sys.argv[1], timeout=60)
    for i in range(10 ** 9):
        with connection:
            connection.execute("replace into words values (?, ?)", (number * 100 + i % 100, "x" * 90))


with sqlite3.connect(sys.argv[1]) as setup:
    setup.execute("pragma synchronous = off")
    setup.execute("create table words (id integer primary key, text text)")
for number in range(4):
    threading.Thread(target=work, args=(number,), daemon=True).start()
print('{"ready":true}', flush=True)
threading.Event().wait()
