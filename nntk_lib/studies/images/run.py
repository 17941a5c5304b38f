"""A pass of a run, and what is kept of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median
from time import perf_counter

import numpy as np

from ... import Square
from ...exceptions import Array
from ...training import Batches
from .methods import METHODS, STEPS
from .results import chosen
from .tasks import BATCH, EPOCHS, start, task


@dataclass
class State:
    """An unfinished run: what a pass leaves to the next one."""

    theta: Array
    velocity: Array
    previous: object = None
    means: tuple[Array, ...] = ()
    last: tuple[list[float], ...] = ()
    mean: tuple[list[float], ...] = ()


def one_pass(point: dict, state: State | None, epochs: int, every: int = 1) -> State:
    """One pass over the training samples; errors are taken at multiples of `every`."""
    given = task(point["task"])
    if state is None:
        theta = start(point["task"], point["seed"])
        first = given.errors(theta)
        state = State(theta, np.zeros_like(theta), last=(first,), mean=(first,))
    recipe = (METHODS | STEPS)[point["method"]](*point["numbers"])
    theta, velocity, previous = state.theta, state.velocity, state.previous
    total, epoch = np.zeros_like(theta), len(state.last) - 1
    train = given.parts[0]
    batches = Batches(BATCH, point["seed"])(len(train.y), epoch)
    with np.errstate(over="ignore", invalid="ignore"):
        for part in batches:
            step = recipe.direction(given.net.at(theta, train.X[part]), Square(), train.y[part], previous)
            alpha = 1.0 if epoch < recipe.warm else recipe.alpha
            velocity = recipe.momentum * velocity + alpha * step.delta
            theta, previous = theta + velocity, replace(step, delta=None)
            total += theta
    means = (*state.means, total / len(batches))[-max(1, epochs // 4) :]
    keep = max(1, (epoch + 1) // 4)
    wanted = (epoch + 1) % every == 0
    last = given.errors(theta) if wanted else [np.nan] * 3
    mean = given.errors(np.mean(means[-keep:], axis=0)) if wanted else [np.nan] * 3
    return State(theta, velocity, previous, means, (*state.last, last), (*state.mean, mean))


def rounded(values):
    """Four digits."""
    return [rounded(value) for value in values] if isinstance(values, (list, tuple)) else float(f"{values:.4g}")


def diverged(state: State) -> bool:
    """Whether the parameters or the errors are lost."""
    return not np.isfinite(state.theta).all() or not state.last[-1][0] < 1e3 * state.last[0][0]


def to_the_end(point: dict, state: State | None) -> tuple[State, dict | None]:
    """A pass of a run of the grid, of which only the end is kept."""
    epochs = EPOCHS[point["task"]]
    state = one_pass(point, state, epochs, every=epochs)
    ended = len(state.last) > epochs
    if not np.isfinite(state.theta).all() or (ended and diverged(state)):
        return state, {"error": "diverged"}
    if not ended:
        return state, None
    return state, {"last": rounded(state.last[-1]), "mean": rounded(state.mean[-1])}


def with_curves(point: dict, state: State | None) -> tuple[State, dict | None]:
    """A pass of a run whose errors are kept after every pass."""
    epochs = point.get("epochs", EPOCHS[point["task"]])
    state = one_pass(point, state, epochs)
    if diverged(state) or len(state.last) > epochs:
        return state, {kind: rounded([row[::2] for row in getattr(state, kind)]) for kind in ("last", "mean")}
    return state, None


def steps_timed(point: dict, state) -> tuple[None, dict]:
    """Seconds of a step of every method, in turns on the same batches: the medians, and their ratios to momentum's."""
    given, seconds = task(point["task"]), {}
    train = given.parts[0]
    methods = [m for m in METHODS if chosen(point["task"], m)]
    theta = {m: start(point["task"], 1) for m in methods}
    previous = dict.fromkeys(methods)
    for epoch in range(point["epochs"]):
        for part in Batches(BATCH, 1)(len(train.y), epoch):
            for m in methods:
                recipe = METHODS[m](*chosen(point["task"], m))
                begin = perf_counter()
                step = recipe.direction(given.net.at(theta[m], train.X[part]), Square(), train.y[part], previous[m])
                theta[m] = theta[m] + recipe.alpha * (1 - recipe.momentum) * step.delta
                seconds.setdefault(m, []).append(perf_counter() - begin)
                previous[m] = replace(step, delta=None)
    medians = {m: median(values[3:]) for m, values in seconds.items()}
    ratios = {m: median(np.divide(values[3:], seconds["momentum"][3:])) for m, values in seconds.items()}
    return None, {m: rounded([medians[m], float(ratios[m])]) for m in methods}
