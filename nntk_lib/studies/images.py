"""Four methods, and two that add memory to Gauss-Newton, on image regression and on a table: chapter 3.3.

    python -m nntk_lib.studies images-tuning        every method on a grid of its own, one seed, chosen by validation
    python -m nntk_lib.studies images               the best point of each, five seeds

A task is data with a network; a point is a task, a method, two numbers of the method, and a seed, which draws the start
and the batches. Data are the same for all seeds. A run is EPOCHS passes; its result has the mean square errors on the
three parts after every epoch, of the parameters and of their mean over the last quarter of the passes so far ("mean").

task            data                                            network
digits-mlp      4,200 rotations of 1,400 digits, 8 x 8          Deep 64-128-128-1, SiLU
digits-conv     the same                                        Residual, channels (8, 16), group normalization
california-mlp  800 districts, 8 numbers, clipped at 4          Deep 8-64-64-1, SiLU

A fifth of the training samples is for validation; test samples are rotations of other digits, and other districts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from pathlib import Path

import numpy as np

from .. import Adam, Constant, Deep, GaussNewton, KFAC, Momentum, Residual, Square
from ..data import Data, california, rotated_digits
from ..methods.base import Step
from ..methods.spring import Spring
from ..training import Batches
from .runner import Study, read

EPOCHS, BATCH, SEEDS = 20, 128, (1, 2, 3, 4, 5)
TASKS = ("digits-mlp", "digits-conv", "california-mlp")
# Of each method: what makes it of two numbers, and their values; every grid has 15 points.
METHODS = {
    "momentum": lambda rate, mu: Momentum(rate, mu),
    "adam": lambda rate, b1: Adam(rate, b1),
    "kfac": lambda rate, damping: KFAC(damping, rate, momentum=0.9),
    "gram-gauss-newton": lambda rate, damping: GaussNewton(Constant(damping)),
    "averaged": lambda rate, damping: GaussNewton(Constant(damping)),
    "spring": lambda mu, damping: Spring(Constant(damping), mu),
}
GRIDS = {
    "momentum": ((0.03, 0.1, 0.3, 1.0, 3.0), (0.8, 0.9, 0.95)),
    "adam": ((1e-3, 3e-3, 1e-2, 3e-2, 1e-1), (0.8, 0.9, 0.95)),
    "kfac": ((0.03, 0.1, 0.3), (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)),
    "gram-gauss-newton": ((0.5, 1.0, 1.5), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
    "spring": ((0.5, 0.8, 0.9), (3e-4, 1e-3, 3e-3, 1e-2, 3e-2)),
}


@dataclass(frozen=True)
class Task:
    """A network with its samples."""

    net: Deep | Residual
    train: Data
    valid: Data
    test: Data

    def start(self, seed: int):
        shape = self.train.X.shape[1:]
        return self.net.init(shape, rng=seed) if len(shape) == 3 else self.net.init(shape[0], rng=seed)


@lru_cache(1)
def task(name: str) -> Task:
    """The task of a name."""
    if name == "california-mlp":
        train, test = california(clip=4).split(800)
        train, valid = train.split(640)
        return Task(Deep("silu", (64, 64)), train, valid, test)
    train, test = rotated_digits(4200, rng=0), rotated_digits(1191, rng=1, part="test")
    train, valid = train.split(3360)
    if name == "digits-conv":
        return Task(Residual("silu", channels=(8, 16)), train, valid, test)
    return Task(Deep("silu", (128, 128)), train.flat(), valid.flat(), test.flat())


def error(net, theta, data: Data) -> float:
    """Mean square error; the loss is half of it."""
    return 2 * Square().value(net.at(theta, data.X).f, data.y)


def advance(point: dict, state):
    """One pass over the training samples."""
    given = task(point["task"])
    if state is None:
        theta = given.start(point["seed"])
        state = {"theta": theta, "previous": None, "means": [], "curve": [], "mean": []}
    theta, previous, epoch = state["theta"], state["previous"], len(state["curve"])
    direction = METHODS[point["method"]](*point["numbers"])
    alpha = point["numbers"][0] if point["method"] == "gram-gauss-newton" else 1.0
    total, count = np.zeros_like(theta), 0
    for part in Batches(BATCH, point["seed"])(len(given.train.y), epoch):
        step: Step = direction(given.net.at(theta, given.train.X[part]), Square(), given.train.y[part], previous)
        theta, previous = theta + alpha * step.delta, replace(step, delta=None)
        total, count = total + theta, count + 1
    means = [*state["means"], total / count]
    tail = np.mean(means[-max(1, len(means) // 4) :], axis=0)
    parts = (given.train, given.valid, given.test)
    curve = [*state["curve"], [error(given.net, theta, part) for part in parts]]
    mean = [*state["mean"], [error(given.net, tail, part) for part in parts]]
    state = {"theta": theta, "previous": previous, "means": means[-EPOCHS // 4 :], "curve": curve, "mean": mean}
    if len(curve) < EPOCHS and curve[-1][0] < 1e3 * curve[0][0]:
        return state, None
    digits = lambda rows: [[float(f"{value:.4g}") for value in row] for row in rows]
    return state, {"curve": digits(curve), "mean": digits(mean)}
