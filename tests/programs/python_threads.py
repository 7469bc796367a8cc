"""Two Python threads wait for each other's lock; a third waits on a queue."""
import queue
import threading

first, second = threading.Lock(), threading.Lock()
both = threading.Barrier(2)


def forward():
    with first:
        both.wait()
        with second:
            pass


def backward():
    with second:
        both.wait()
        with first:
            pass


threads = [threading.Thread(target=target) for target in
           (forward, backward, queue.Queue().get)]
for thread in threads:
    thread.start()
threading.Event().wait(1)
print('{"ready":true}', flush=True)
for thread in threads:
    thread.join()
