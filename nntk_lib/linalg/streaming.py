r"""Slices of the neuron axis, on every core, within a memory budget.

Everything the library computes for a network is a sum over neurons, or one row a neuron. So the neurons are cut into as
many ranges as there are cores, every range into slices, and `work` is called for one slice after the other. A slice is
as large as the caches and the budget allow; nothing that is allocated here grows with the width.

Threads share the work: numpy releases the interpreter's lock inside its loops. BLAS is held to one thread meanwhile,
because its own threads and ours would wait for each other. On two cores this is 1.7 times as fast as one thread with
BLAS on two, and it is not slowed down by a busy neighbour.
"""

from __future__ import annotations

import os
import sys
import threading
from _thread import start_new_thread
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar, copy_context
from functools import cache, partial
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from ..exceptions import ParameterError, integer

State = TypeVar("State")

#: Default budget for temporaries, in bytes; more where the smallest piece of the work needs more.
MEMORY = 2**27

#: Entries of one temporary of shape (neurons, samples): 2^17 doubles are 1 MiB. Larger ones leave the caches, smaller
#: ones cost calls.
ENTRIES = 2**17

#: Neurons whose small matrices are handled at a time. Two threads that make many short calls wait for the interpreter's
#: lock: with 512 neurons a step at p = 11, n = 100 takes 1.4 times as long.
NEURONS = 2**13

#: Entries of an array that one product writes and the next one reads: 2^17 doubles are 1 MiB, and stay in the cache.
ROWS = 2**17

#: Neurons that share a factorization in `nntk_lib/_lanes.py`: eight doubles are the longest vector of today's cores.
LANES = 8

#: Below this many entries a second thread costs more than it brings.
SMALL = 2**15

#: Whether this thread has been told to work alone, see `one_thread`; another thread of the process has not.
_ALONE: ContextVar[bool] = ContextVar("alone", default=False)


def cores() -> int:
    """Threads that share the work: NNTK_THREADS if set, else the cores this process may use (one in the browser)."""
    if sys.platform == "emscripten" or _ALONE.get():
        return 1
    if asked := os.environ.get("NNTK_THREADS"):
        if not asked.isdecimal() or int(asked) < 1:
            raise ParameterError(f"NNTK_THREADS = {asked!r} must be a positive integer. Unset it to use every core.")
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _pools() -> list:
    """The BLAS libraries of the process and their thread pools; called once, it also keeps freed memory there.

    glibc gives memory back as soon as twice the largest freed block is unused, and zeroes it again on its way in, which
    takes longer than the arithmetic (a gradient at m = 10^5, n = 100: 87 ms, then 25). Freeing one block of almost
    32 MiB sets that threshold to 64 MiB. Elsewhere nothing happens.
    """
    np.empty(2**25 - 2**16, np.uint8)
    import scipy.linalg.cython_blas  # noqa: F401 - its BLAS is to be found as well
    from threadpoolctl import ThreadpoolController

    found = ThreadpoolController().lib_controllers  # kept: looking for them takes longer than a small step
    return [library for library in found if library.user_api == "blas" and library.get_num_threads()]


class _Task:
    """A call for another thread, in the context of this one, which carries numpy's errstate.

    It is told to work alone: with tasks of its own it would wait for a thread that waits for one, too.
    """

    def __init__(self, call: Callable, *arguments):
        context = copy_context()
        context.run(_ALONE.set, True)
        self.call = partial(context.run, call, *arguments)
        self.given, self.done, self.lock = False, False, threading.Lock()
        self.error, self.result = None, None
        self.lock.acquire()

    def run(self) -> None:
        try:
            self.result = self.call()
        except BaseException as error:
            self.error = error
        finally:
            self.done = True
            self.lock.release()

    def wait(self) -> None:
        while self.given and not self.done:
            self.lock.acquire()

    def value(self) -> Any:
        self.wait()
        if self.error is not None:
            raise self.error
        return self.result


class _Threads:
    """Threads that wait for tasks; kept, since starting one takes as long as a gradient at m = 10^3.

    The executors of the standard library wait by conditions. An interrupt there can leave a lock for ever in the hands
    of the thread that was interrupted (Ctrl+C, once in some hundred interrupts), and the next step would hang.
    """

    def __init__(self):
        self.queue, self.started = SimpleQueue(), 0

    def take(self, tasks: list[_Task]) -> None:
        """Give tasks away, as far as there are threads."""
        try:
            while self.started < len(tasks):
                start_new_thread(self._work, ())
                self.started += 1
        except RuntimeError:  # none is to be had: at the end of the process, or beyond what the system allows
            pass
        for task in tasks[: self.started]:
            self.queue.put(task)
            task.given = True

    def _work(self) -> None:
        while True:
            self.queue.get().run()


@cache
def _threads() -> _Threads:
    return _Threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_threads.cache_clear)  # a child process has none of its parent's threads


class _Limit:
    """BLAS on one thread as long as somebody holds it so: the first one in limits it, the last one out restores.

    BLAS's number of threads belongs to the process, so that two calls which overlap, each of which put back what it had
    found, would leave it at one for good. A child process has the thread that forked and no other; what those held ends
    there.
    """

    def __init__(self):
        self.lock, self.holders, self.before = threading.RLock(), {}, []
        if hasattr(os, "register_at_fork"):
            release = self.lock.release  # held across a fork, so that no child finds BLAS's own locks taken
            os.register_at_fork(before=self.lock.acquire, after_in_parent=release, after_in_child=self._forked)

    def hold(self, token: object) -> None:
        with self.lock:
            self.holders[token] = threading.get_ident()
            self._settle()

    def release(self, token: object) -> None:
        with self.lock:
            self.holders.pop(token, None)
            self._settle()

    def _settle(self) -> None:
        if self.holders and not self.before:
            self.before = [(library, library.get_num_threads()) for library in _pools()]
            self._set([(library, 1) for library in _pools()])
        elif self.before and not self.holders:
            self._set(self.before)
            self.before = []

    def _set(self, numbers: list) -> None:
        for library, number in numbers:
            # threadpoolctl lets the first thread set it and no other, until that has put back what it had found
            own = getattr(library, "clear_controlling_thread", lambda force: None)
            own(force=True)
            library.set_num_threads(number)
            own(force=True)

    def _forked(self) -> None:
        me = threading.get_ident()
        self.holders = {token: thread for token, thread in self.holders.items() if thread == me}
        self._settle()
        self.lock.release()


_LIMIT = _Limit()


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Context (or decorator) that holds BLAS to one thread, as `parallel` does for its own part of a computation.

    A product on BLAS's own threads leaves them spinning for tens of milliseconds, in which `parallel` has one core
    less: a step at m = 10^5, n = 100 that solves its small system on two threads takes 140 ms, on one 90.
    """
    token = object()
    try:
        _LIMIT.hold(token)
        yield
    finally:
        try:
            _LIMIT.release(token)
        except BaseException:  # Ctrl+C in the middle of it: once more, from its start
            _LIMIT.release(token)
            raise


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread, of BLAS and of this library: runs that share the cores do not wait, and give the same bytes."""
    before = _ALONE.set(True)
    try:
        with one_blas_thread():
            yield
    finally:
        _ALONE.reset(before)


def slice_size(
    m: int,
    n: int,
    floats: int,
    memory: int | None = None,
    workers: int = 1,
    most: int = 0,
    fixed: int = 0,
    few: int = 0,
) -> int:
    """Number of neurons in a slice.

    Parameters
    ----------
    m, n : int
        Neurons, and samples.
    floats : int
        Floats that `work` keeps for one neuron.
    memory : int, optional
        Budget in bytes for all workers together; `MEMORY` if not given, or what one neuron needs if that is more.
    most : int, optional
        Largest size; by default arrays of shape (neurons, n) have `ENTRIES` entries.
    fixed : int
        Floats of the state of one worker, whatever the slices.
    few : int
        Floats for each of the neurons, of at most ENTRIES / n, that `work` takes at a time within a slice.

    Raises
    ------
    ParameterError
        If a budget that was given does not hold the temporaries of one neuron.
    """
    given, batch = memory, max(1, ENTRIES // n)
    memory = MEMORY if given is None else integer("memory", given)
    left = memory // (8 * workers) - fixed
    fit = max((left - few * batch) // floats, left // (floats + few))
    if fit < 1 and workers == 1:
        need = 8 * (floats + few + fixed)
        if given is not None:
            raise ParameterError(
                f"memory = {memory} bytes is too little: one neuron with {n} samples needs {need} bytes of "
                f"temporaries. Try memory={need}, or leave memory out."
            )
        fit = 1  # nobody has asked for less than what one neuron needs
    return min(fit, m, most or batch)


def budget(memory: int | None, least: int) -> int:
    """The bytes that were given; if none were, the default, or what is needed at least if that is more."""
    return max(MEMORY, least) if memory is None else memory


def total(states: list[np.ndarray]) -> np.ndarray:
    """The sum of the workers' states, in the first of them: no memory is taken."""
    for state in states[1:]:
        states[0] += state
    return states[0]


def sliced(m: int, n: int, floats: int, memory: int | None = None, fixed: int = 0) -> Iterator[slice]:
    """The slices of the neuron axis one after the other, for what is not worth threads."""
    return pieces(m, slice_size(m, n, floats, memory, fixed=fixed))


def pieces(k: int, size: int) -> Iterator[slice]:
    """Slices of at most `size` that cover ``range(k)``."""
    for start in range(0, k, size):
        yield slice(start, min(start + size, k))


def parallel(
    m: int,
    n: int,
    floats: int,
    work: Callable[[slice, State], None],
    make: Callable[[], State] = lambda: None,
    memory: int | None = None,
    most: int = 0,
    fixed: int = 0,
    few: int = 0,
) -> list[State]:
    """Call ``work(part, state)`` for slices `part` that cover ``range(m)``, on all cores.

    Parameters
    ----------
    m, n, floats, memory, most, fixed, few
        See :func:`slice_size`.
    work : callable
        Adds to `state`, or writes the rows `part` of an array.
    make : callable
        Makes the state of one worker: a sum that starts at zero, and its work space.

    Returns
    -------
    list
        The states of the workers, always in the order of their neurons: equal cores give equal results.
    """
    workers = cores() if m * n > SMALL else 1
    while workers > 1 and slice_size(m, n, floats, memory, workers, most, fixed, few) < 1:
        workers -= 1
    size = slice_size(m, n, floats, memory, workers, most, fixed, few)
    edges = [m * i // workers for i in range(workers + 1)]

    def run(i: int) -> State:
        state = make()
        for start in range(edges[i], edges[i + 1], size):
            work(slice(start, min(start + size, edges[i + 1])), state)
        return state

    with one_blas_thread():
        tasks = [_Task(run, i) for i in range(1, workers)]
        try:
            _threads().take(tasks)
            first = run(0)  # this thread takes the first range, and what nobody else does
            return [first, *(task.value() if task.given else run(i) for i, task in enumerate(tasks, 1))]
        finally:
            for task in tasks:
                task.wait()
