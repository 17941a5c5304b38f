"""A study and a run of training that are interrupted at a random time; run by `test_long_runs.py` in its own process.

Every line that is printed is a fact that must be true.
"""

from __future__ import annotations

import faulthandler
import json
import random
import signal
import sys
import threading
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from nntk_lib import Constant, GaussNewton, Newton, Shallow, interval, newton_step, train
from nntk_lib.linalg import streaming
from nntk_lib.studies.runner import Study, read, run

NET, DATA = Shallow("tanh"), interval(40, frequencies=(1, 3))
THETA = NET.init(3000, 1, rng=0)


def blas():
    return [library.get_num_threads() for library in streaming._pools()]


def say(what, holds):
    print(f"{what}: {bool(holds)}", flush=True)


def advance(point, state):
    """Five steps, each with threads and BLAS at work."""
    k, theta = state or (0, THETA)
    if k == 3:
        return None, {"sum": float(np.abs(theta).sum())}
    return (k + 1, theta + newton_step(NET, theta, DATA.X, DATA.y, 1.0 + point["seed"]).delta), None


STUDY = Study("interrupted", [{"seed": seed} for seed in range(4)], advance)


def interrupted(call, after):
    """What an interrupt after some seconds leaves: the error, or None where the call was faster.

    Python itself loses an interrupt that comes while an object is taken down: every second there is another one. No
    event tells the user of the end: its lock could be what an interrupt leaves behind.
    """
    ended = []

    def insist():
        next_one = time.monotonic() + after
        while not ended:
            if time.monotonic() >= next_one:
                signal.raise_signal(signal.SIGINT)
                next_one += 1.0
            time.sleep(1e-4)

    user = threading.Thread(target=insist, name="the user")
    try:
        user.start()
        try:
            call()
        finally:  # where the interrupt may still come
            ended.append(True)
            user.join()
    except KeyboardInterrupt as error:
        ended.append(True)
        user.join()
        return error


def duration(call):
    """Seconds."""
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def lifted():
    """Whether Ctrl+C comes through in the middle of putting BLAS back."""
    limit, real = streaming._LIMIT, streaming._LIMIT._set

    def once(numbers):
        limit._set = real
        raise KeyboardInterrupt

    try:
        with streaming.one_blas_thread():
            limit._set = once
    except KeyboardInterrupt:
        return True


def main(seed):
    rng, before = random.Random(seed), blas()
    with TemporaryDirectory() as folder, TemporaryDirectory() as other:
        whole, file = Path(folder) / "whole.jsonl", Path(folder) / "cut.jsonl"
        expected = [record["result"] for record in run(STUDY, whole)]
        seconds = duration(lambda: run(STUDY, Path(other) / "timed.jsonl"))  # the first run has loaded everything
        stopped = 0
        for _ in range(6):  # the first two cannot get to the end
            stopped += interrupted(lambda: run(STUDY, file), rng.uniform(0.0, 0.4) * seconds) is not None
            text = file.read_text() if file.exists() else ""
            say("every line of the file is whole", all(json.loads(line) for line in text.splitlines()))
            say("BLAS is as it was", blas() == before)
        say("the study was stopped at least twice", stopped >= 2)
        say("what was left to do gives the results", [record["result"] for record in run(STUDY, file)] == expected)
        say("no point was done twice", len(read(file)) == len(expected) == file.read_text().count('"point"'))
        say(
            "no state is left, and no lock",
            sorted(path.name for path in Path(folder).iterdir()) == ["cut.jsonl", "whole.jsonl"],
        )
    say("an interrupt while the limit is lifted leaves none", lifted() and blas() == before)
    right, found = newton_step(NET, THETA, DATA.X, DATA.y, 1.0).delta, 0
    for direction in (Newton(1.0), GaussNewton(Constant(1e-2))) * 4:
        few = duration(lambda step=direction: train(NET, THETA, DATA, step, 3))
        wait = few * rng.uniform(2.0, 10.0)  # some steps are done by then
        error = interrupted(lambda step=direction: train(NET, THETA, DATA, step, 10**6), wait)
        found += error is not None
        say(
            "the run has its history",
            (history := getattr(error, "history", None)) and len(history.loss) >= len(history.steps) > 0,
        )
        say("BLAS is as it was after a run", blas() == before)
    say("every run was stopped", found == 8)
    say(
        "the next step is the same to the last bit",
        np.array_equal(right, newton_step(NET, THETA, DATA.X, DATA.y, 1.0).delta),
    )
    say("no thread is left over", threading.enumerate() == [threading.main_thread()])  # the library's have no names


if __name__ == "__main__":
    faulthandler.dump_traceback_later(100, exit=True)  # says where, before the test's patience ends
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell started in the background
    main(int(sys.argv[1]))
