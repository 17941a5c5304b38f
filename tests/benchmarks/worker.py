"""One method in one process: it makes the arrays, warms up, and times each call itself.

The process reads pickled requests from its standard input and answers on its standard output:

    ("prepare", module, function, options, kind, problem)   the memory after the imports
    ("time",)                                         seconds of one call, and the peak memory during it
    ("check", folder)                                 the error of the last result, and what the method says of it
    ("tell", module, function)                        what a function without arguments returns
"""

from __future__ import annotations

import importlib
import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

MB = 1e6  # bytes


class WorkerError(RuntimeError):
    """The method failed in its process."""


class Worker:
    """The parent's end."""

    def __init__(self, python: str):
        # Every library at its defaults: OPENBLAS_NUM_THREADS=1 comes from the Makefile and serves the tests, and where
        # OPENBLAS_CORETYPE or OPENBLAS_L2_SIZE are set, OpenBLAS takes another processor's kernels (1.7 times slower).
        environment = {key: value for key, value in os.environ.items() if not key.startswith("OPENBLAS_")}
        self.process = subprocess.Popen(
            [python, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def ask(self, *request):
        """Send a request, wait, and return the answer; raises `WorkerError`."""
        try:
            pickle.dump(request, self.process.stdin)
            self.process.stdin.flush()
            good, answer = pickle.load(self.process.stdout)
        except (EOFError, BrokenPipeError):
            raise WorkerError(f"the process ended by itself (code {self.process.wait()}); out of memory?") from None
        if not good:
            raise WorkerError(answer)
        return answer

    def close(self) -> None:
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


def peak_mb() -> float | None:
    """Largest resident memory so far in MB, or None where there is no /proc."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return None
    return next(int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("VmHWM"))


def forget_peak() -> None:
    """The peak starts again from what is resident now."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        pass


class Method:
    """The child's end."""

    def prepare(self, module: str, function: str, options: dict, kind: str, problem: dict) -> dict:
        import problems

        make, given = getattr(importlib.import_module(module), function), getattr(problems, kind)(**problem)
        if getattr(given, "m", 1):
            given.net  # noqa: B018  imports the library
        base = peak_mb()
        self.value, self.run = None, make(given, **options)
        (self.run.warm or self.run.call)()
        return {"base_mb": base}

    def time(self) -> dict:
        self.value = None  # its memory is not counted twice
        forget_peak()
        start = time.perf_counter()
        self.value = self.run.call()
        return {"seconds": time.perf_counter() - start, "memory_mb": peak_mb()}

    def check(self, folder: str | None) -> dict:
        """The error is the largest difference from the reference, relative to its largest entry."""
        import numpy as np

        found = {"error": None} | self.run.info(self.value)
        if folder is None or self.run.quantity is None:
            return found
        path, result = Path(folder) / f"{self.run.quantity}.npy", np.asarray(self.run.array(self.value))
        if path.exists():
            wanted = np.load(path, mmap_mode="r")
            part = result[tuple(slice(0, size) for size in wanted.shape)]  # the reference may be a corner
            found["error"] = float(np.abs(part - wanted).max() / np.abs(wanted).max())
        else:
            np.save(path, result)
        return found

    def tell(self, module: str, function: str):
        return getattr(importlib.import_module(module), function)()


def serve() -> None:
    """Answer requests until the input ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print must not enter the channel
    method = Method()
    while True:
        try:
            name, *arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            answer = True, getattr(method, name)(*arguments)
        except Exception as error:  # the parent reports it
            answer = False, f"{type(error).__name__}: {error}"
        pickle.dump(answer, channel)
        channel.flush()


if __name__ == "__main__":
    serve()
