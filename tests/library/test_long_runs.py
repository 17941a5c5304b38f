"""Long runs: memory stays flat, and what Ctrl+C stops leaves nothing behind.

That a study which is killed ends with the file that it would have had is in `studies/test_runner.py`.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tracemalloc
import weakref
from pathlib import Path

import pytest

from nntk_lib import (
    AboveThreshold,
    Adam,
    Constant,
    Convex,
    GaussNewton,
    LevenbergMarquardt,
    Momentum,
    Newton,
    Shallow,
    interval,
    train,
)
from nntk_lib.methods import ConjugateGradients, Direct, Gradient
from nntk_lib.methods.spring import Spring

ROOT = Path(__file__).parents[2]


NET, DATA = Shallow("tanh"), interval(4, frequencies=(1,))
THETA = NET.init(10, 1, rng=0)
DIRECTIONS = [
    *(GaussNewton(rule, side=side) for rule in (Constant(1e-2), Convex()) for side in ("dual", "primal")),
    *(Newton(1.0, route) for route in (Direct(), Direct(definite=False), ConjugateGradients())),
    *(
        Gradient(0.1),
        Adam(),
        Momentum(1e-3),
        LevenbergMarquardt(),
        Spring(Constant(0.1)),
        Newton(AboveThreshold(2.0, 0.1)),
    ),
]


@pytest.mark.parametrize("direction", DIRECTIONS, ids=str)
def test_no_tangent_outlives_its_step(direction):
    """A cycle of references would keep it, and its Gram matrix, until the collector comes; here it does not come."""
    alive = []
    gc.disable()
    try:
        train(NET, THETA, DATA, direction, 20, record={"at": lambda theta, at: alive.append(weakref.ref(at))})
        assert len(alive) == 21 and sum(one() is not None for one in alive) <= 2
    finally:
        gc.enable()


def test_memory_is_flat_over_two_thousand_steps():
    """What grows is the history: a loss and a step's diagnostics, less than 1 kB a step."""
    held = []
    note = lambda theta, at: held.append(tracemalloc.get_traced_memory())
    tracemalloc.start()
    try:
        history = train(NET, THETA, DATA, Gradient(0.1), 2000, record={"memory": note})
    finally:
        tracemalloc.stop()
    (early, _), (late, peak) = held[200], held[2000]
    assert len(history.steps) == 2000
    assert late - early < 1000 * 1800, "a step leaves more than its diagnostics"
    assert peak - late < 2**18


# Whether an interrupt came in time depends on the machine; what it leaves does not.
IN_TIME = ("the study was stopped at least twice", "the run has its history", "every run was stopped")


@pytest.mark.skipif(os.name != "posix", reason="interrupts by a signal")
def test_ctrl_c_leaves_nothing_behind():
    """No partial line, no state, no lock, no changed limit of threads; the history of the run is in the error.

    On a busy machine an interrupt may come too late or too early: one of three tries has to be in time.
    """
    limits, missed = {"OPENBLAS_NUM_THREADS": "2", "NNTK_THREADS": "2"}, []
    for seed in range(3):
        command = [sys.executable, "-m", "tests.library.interrupted", str(seed)]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | limits, capture_output=True, text=True, timeout=120)
        if done.stderr.rstrip().endswith("KeyboardInterrupt"):
            missed.append("the interrupt came between two calls")
            continue
        assert done.returncode == 0, done.stderr[-3000:]
        facts = done.stdout.splitlines()
        false = [fact for fact in facts if not fact.endswith(": True")]
        assert len(facts) == 36 and all(fact.startswith(IN_TIME) for fact in false), done.stdout + done.stderr[-2000:]
        if not false:
            return
        missed += false
    raise AssertionError(missed)
