"""Threads that take locks, queues and conditions all the time, and never deadlock.

SPDX-License-Identifier: GPL-3.0-or-later
"""

import queue
import threading

jobs = queue.Queue(4)
first, second = threading.Lock(), threading.Lock()


def produce():
    while True:
        jobs.put(1)


def consume():
    while True:
        jobs.get()
        with first, second:
            sum(range(200))


for run in (produce, consume, produce, consume):
    threading.Thread(target=run, daemon=True).start()
print('{"ready":true}', flush=True)
threading.Event().wait()
