"""What a call of the library leaves behind in its process; run by `test_streaming.py` in a process of its own.

Every line that is printed is a fact that must be true.
"""

from __future__ import annotations

import atexit
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from nntk_lib import Shallow, newton_step
from nntk_lib.linalg import streaming
from nntk_lib.linalg.streaming import cores, one_blas_thread, one_thread, parallel

NET, X = Shallow("tanh"), np.linspace(-1, 1, 40)[:, None]
THETA, Y = NET.init(3000, 1, rng=0), np.sin(3 * X[:, 0])


def blas():
    return [library.get_num_threads() for library in streaming._pools()]


def step():
    return newton_step(NET, THETA, X, Y, 0.5).delta


def say(what, holds):
    print(f"{what}: {bool(holds)}", flush=True)


def in_child(job):
    """What a forked child finds, as the status with which it ends."""
    child = os.fork()
    if child == 0:
        os._exit(0 if job() else 1)
    return os.waitpid(child, 0)[1] == 0


EXPECTED = step()
BEFORE = blas()
say("BLAS has two threads", set(BEFORE) == {2})

with ThreadPoolExecutor(6) as users:
    found = list(users.map(lambda _: [step() for _ in range(15)][-1], range(6)))
say("six threads get the same step", all(np.array_equal(one, EXPECTED) for one in found))
say("overlapping steps leave BLAS as it was", blas() == BEFORE)


def failing(part, state):
    raise KeyboardInterrupt


for hurt in (lambda: parallel(10**5, 10, 1, failing), lambda: newton_step(NET, THETA, X, Y, 1e-9)):
    try:
        hurt()
    except (KeyboardInterrupt, ValueError):
        say("what raises leaves BLAS as it was", blas() == BEFORE)


def inner(part, state):
    state += part.stop - part.start


def outer(part, state):
    state += sum(float(count[0]) for count in parallel(4000, 100, 100, inner, make=lambda: np.zeros(1)))


counts = parallel(4000, 100, 100, outer, make=lambda: np.zeros(1), most=2000)
say("a call within a call is answered", sum(float(count[0]) for count in counts) == 8000)

stop = threading.Event()
busy = threading.Thread(target=lambda: [step() for _ in iter(stop.is_set, True)])
busy.start()
say("children of a busy process step", all(in_child(lambda: np.array_equal(step(), EXPECTED)) for _ in range(4)))
say("children of a busy process have BLAS as it was", all(in_child(lambda: blas() == BEFORE) for _ in range(4)))
stop.set()
busy.join()
with one_blas_thread():
    say("what a thread holds is held", set(blas()) == {1})
    with ThreadPoolExecutor(1) as another, one_blas_thread():
        say("by every thread", another.submit(step) and set(blas()) == {1} == set(another.submit(blas).result()))
    say("a child holds what its thread held", in_child(lambda: set(blas()) == {1}))
say("and nothing longer", blas() == BEFORE)

gate = threading.Barrier(2)


def alone(first):
    with one_thread():
        gate.wait()
        inside = cores()
        if first:
            gate.wait()
    if not first:
        gate.wait()
    return inside


with ThreadPoolExecutor(2) as users:
    say("runs that overlap have one thread", list(users.map(alone, (True, False))) == [1, 1])
say("and leave the others", cores() == 2 and blas() == BEFORE)


@atexit.register
def late():
    say("a step at the end of the process", np.array_equal(step(), EXPECTED))


def after_main():
    threading.main_thread().join()
    say("a late thread steps", np.array_equal(step(), EXPECTED))


threading.Thread(target=after_main).start()
