"""A run, and what is kept of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...exceptions import Array
from ...features import hidden_weights, refit, weighted_cosine_distance
from ...linalg.streaming import ENTRIES, pieces
from .methods import gauss_newton, gradient_descent, one_pass
from .problems import Problem, problem, setting, start

# What a row of a run's curves has.
COLUMNS = ("step", "train", "valid", "test", "refit_valid", "refit_test", "wcd", "c", "w", "smallest")
# The steps after which it is taken; also at the end. The start is that of "random-features".
RECORDED = (1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, 30_000)
# Steps between two states of an unfinished run.
CHUNK = 50
# A run whose loss has grown by this factor is lost.
LOST = 1e3


@dataclass
class State:
    """An unfinished run.

    Attributes
    ----------
    theta : ndarray, shape (m, 2 + d)
        After k steps.
    k : int
    rows : tuple of list
        Its curves so far, rows of `COLUMNS`.
    first : float
        The loss at the start.
    """

    theta: Array
    k: int = 0
    rows: tuple[list, ...] = ()
    first: float = np.inf


def outputs(given: Problem, columns: Array, W: Array, X: Array) -> Array:
    """Outputs for several output weights, the columns, of shape (m, k), over input weights W; shape (n, k).

    Computed in slices of the samples, which takes less time than a pass for each column.
    """
    inputs = given.net.inputs(X)
    size = max(1, ENTRIES // len(W))
    return np.concatenate([given.net.act.f(inputs[part] @ W.T) @ columns for part in pieces(len(X), size)]) / len(W)


def measured(given: Problem, theta: Array, step: int, train: float, smallest: float | None) -> list:
    """A row of the curves.

    Parameters
    ----------
    given : Problem
    theta : ndarray, shape (m, 2 + d)
    step : int
    train : float
        Training loss.
    smallest : float or None
        Eigenvalue of the Gram matrix.

    Returns
    -------
    list
        Losses on the samples for choosing and for testing, as trained and after the output weights have been fitted
        again; weighted cosine distance; root mean squares of the output and the input weights.
    """
    new = refit(given.net, theta, given.train.X, given.train.y).theta
    columns, losses = np.column_stack([theta[:, 0], new[:, 0]]), []
    for part in (given.valid, given.test):
        r = outputs(given, columns, theta[:, 1:], part.X) - part.y[:, None]
        losses.append(0.5 * np.mean(r**2, axis=0))
    (valid, again_valid), (test, again_test) = losses
    teacher = given.train.teacher[:, 1:-1] if given.net.bias else given.train.teacher[:, 1:]
    wcd = weighted_cosine_distance(hidden_weights(given.net, theta), teacher)
    c, w = (np.sqrt(np.mean(part**2)) for part in (theta[:, 0], theta[:, 1:]))
    return rounded([step, train, valid, test, again_valid, again_test, wcd, c, w, smallest])


def rounded(row: list) -> list:
    """Four digits of what is not an integer."""
    return [value if value is None or isinstance(value, int) else float(f"{value:.4g}") for value in row]


def advance(point: dict, state: State | None) -> tuple[State, dict | None]:
    """Some steps of a run.

    Parameters
    ----------
    point : dict
        Its method, "gauss-newton", "gradient-descent" or "random-features"; alpha; seed; and what differs from `PAPER`.
        Random features are the start: their losses are the row's refit_valid and refit_test.
    state : State or None

    Returns
    -------
    State
    dict or None
        At the end: the steps, why it ended ("tol", "cap", or "lost"), and the curves, rows of `COLUMNS`.
    """
    told = setting(point)
    return steps(told, problem(told), State(start(told)) if state is None else state)


def steps(told: dict, given: Problem, state: State) -> tuple[State, dict | None]:
    """Some steps on given data; :func:`advance` without the drawing."""
    newton, X, y = told["method"] == "gauss-newton", given.train.X, given.train.y
    out = tuple(np.empty((2, len(state.theta), len(y))))

    def evaluate(theta: Array):
        at = one_pass(given.net, theta, X, newton, out)
        return at, float(0.5 * np.mean((at.f - y) ** 2))

    def step(at, ended: str):
        if newton:
            return gauss_newton(at, y, told["alpha"], told["floor"])
        return None if ended else gradient_descent(at, y, told["alpha"]), None

    row = lambda *now: measured(given, *now)
    return onward(told, state, CHUNK, evaluate, step, row)


def onward(
    told: dict, state: State, chunk: int, evaluate: Callable, step: Callable, row: Callable
) -> tuple[State, dict | None]:
    """Some steps of a run, whatever its network.

    Parameters
    ----------
    told : dict
        Its setting, with "method", "tol" and "cap".
    state : State
    chunk : int
        At most so many steps.
    evaluate : callable
        ``evaluate(theta)``: the network there, and the training loss.
    step : callable
        ``step(at, ended)``: the change of theta, which is not used where the run has ended, and what the row keeps as
        the smallest eigenvalue.
    row : callable
        ``row(theta, k, loss, smallest)``, one of the curves.

    Returns
    -------
    State
    dict or None
        As :func:`advance`.
    """
    cap = 0 if told["method"] == "random-features" else told["cap"]
    theta, k, rows, first = state.theta, state.k, state.rows, state.first
    with np.errstate(over="ignore", invalid="ignore"):  # a lost run says so
        for _ in range(chunk):
            at, loss = evaluate(theta)
            first = min(first, loss) if k == 0 else first
            if k and not loss < LOST * first:
                return State(theta, k, rows, first), {"steps": k, "end": "lost", "curves": list(rows)}
            ended = "tol" if loss <= told["tol"] else "cap" if k == cap else ""
            delta, smallest = step(at, ended)
            if ended or k in RECORDED:
                rows = (*rows, row(theta, k, loss, smallest))
            if ended:
                return State(theta, k, rows, first), {"steps": k, "end": ended, "curves": list(rows)}
            theta, k = theta + delta, k + 1
    return State(theta, k, rows, first), None
