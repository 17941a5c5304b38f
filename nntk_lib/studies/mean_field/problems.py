"""The data of a run, and its start."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from ... import Shallow
from ...data import Data, teacher_student
from ...exceptions import Array, ParameterError
from ...networks.activations import silu

# What a point does not say: the paper's sizes, and its start with output weights of zero.
PAPER = {
    "n": 500,  # samples
    "m": 5000,  # neurons
    "d": 10,
    "act": "relu",
    "s": 1e-3,  # standard deviation of the input weights at the start
    "c": 0.0,  # of the output weights: c and -c, in pairs of equal neurons
    "floor": 1e-7,  # of the damping
    "tol": 1e-6,  # training loss at which a run ends
    "cap": 10_000,  # steps at which it ends otherwise
    "checked": 10_000,  # samples of the test, and
    "chosen": 2_000,  # of the choice of a step
}
TEACHER, POOL = 5, 2000
SMOOTH = {"silu": silu(1.0), "silu 1e6": silu(1e6)}


@dataclass(frozen=True, eq=False)
class Problem:
    """A network with its samples.

    Attributes
    ----------
    net : Shallow
        In the mean-field scaling, beta = 1.
    train, valid, test : Data
        All have the same teacher.
    """

    net: Shallow
    train: Data
    valid: Data
    test: Data


def setting(point: dict) -> dict:
    """The point with what it does not say.

    Raises
    ------
    ParameterError
        If the point says what no run has.
    """
    known = {*PAPER, "method", "alpha", "seed"}
    if unknown := sorted(set(point) - known):
        raise ParameterError(f"A point has no {', '.join(unknown)}; it has {', '.join(sorted(known))}.")
    return PAPER | point


def problem(given: dict) -> Problem:
    """The data of a setting, as in the released configuration.

    Five neurons with a bias have made the labels, their sum divided by five; training sets of different n are nested.

    Parameters
    ----------
    given : dict
        Of :func:`setting`.

    Returns
    -------
    Problem

    Raises
    ------
    ParameterError
        If there are more samples than the pool has.
    """
    return drawn(*(given[name] for name in ("n", "d", "act", "seed", "chosen", "checked")))


@lru_cache(8)
def drawn(n: int, d: int, act: str, seed: int, chosen: int, checked: int) -> Problem:
    if n > POOL:
        raise ParameterError(f"n = {n} is more than the {POOL} samples of the pool. Take fewer.")
    net = Shallow(SMOOTH.get(act, act), beta=1.0, bias=True)
    law = {"act": net.act, "bias": True, "scale": "width", "task": seed}
    parts = [
        teacher_student(size, d, TEACHER, np.random.default_rng((seed, k)), **law)
        for k, size in enumerate((POOL, chosen, checked), 1)
    ]
    train = parts[0].split(n)[0] if n < POOL else parts[0]
    return Problem(net, train, *parts[1:])


def start(given: dict) -> Array:
    """Random parameters.

    Parameters
    ----------
    given : dict
        Of :func:`setting`: normal input weights of standard deviation s, and output weights of zero. If c is not zero,
        neurons come in pairs of equal input weights, with the output weights c and -c: the outputs are zero as well.

    Returns
    -------
    ndarray, shape (m, 2 + d)

    Raises
    ------
    ParameterError
        If m is odd and c is not zero.
    """
    m, c = given["m"], given["c"]
    if c and m % 2:
        raise ParameterError(f"m = {m} must be even for neurons in pairs.")
    W = given["s"] * np.random.default_rng((given["seed"], 0)).standard_normal((m // 2 if c else m, given["d"] + 1))
    if not c:
        return np.hstack([np.zeros((m, 1)), W])
    return np.vstack([np.hstack([np.full((m // 2, 1), sign * c), W]) for sign in (1, -1)])
