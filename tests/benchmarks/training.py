"""Whole trainings on the clock: loss against time, for the methods a user would choose between.

The clock stops while a loss is evaluated that the method itself does not need. Learning rates and regularizations are
the best of a grid, each tried for a third of the time limit: the first to come to the smallest level wins, or else the
one that came lowest. The record says which, and what the others came to. The grids are so wide that the best lies
inside, and both second-order methods have the same two rules: a fixed gamma, and one in proportion to the residual.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from problems import Problem, Run

import nntk_lib
from nntk_lib import (
    AboveThreshold,
    Gamma,
    GaussNewton,
    Newton,
    NNTKError,
    ResidualNorm,
    Shallow,
    Square,
    circle,
    residual,
)
from nntk_lib.data import diabetes
from nntk_lib.methods import ConjugateGradients, Direct

LEVELS = (1e-2, 1e-4, 1e-6)  # of the initial loss
POINTS = 60
FLOOR = 1e-12  # of every gamma that follows the residual


class Done(Exception):
    """The time is over."""


def task(problem: Problem, data: str):
    """Network, start, and samples: several frequencies on the circle, or the diabetes table."""
    samples = circle(problem.n, frequencies=(1, 5, 9)) if data == "circle" else diabetes(problem.n)
    net = Shallow("tanh", beta=problem.beta, weight_std=2.0 if data == "circle" else 1.0, outputs="mirrored")
    return net, net.init(problem.m, samples.X.shape[1], rng=0), samples.X, samples.y


def loss_and_gradient(net, theta, X, y):
    at, squares = net.at(theta, X), Square()
    return squares.value(at.f, y), at.vjp(squares.gradient(at.f, y))


class Curve:
    """Seconds and losses of a training until `Done`."""

    def __init__(self, limit: float, floor: float):
        self.limit, self.floor = limit, floor
        self.seconds, self.losses, self.start = [], [], time.perf_counter()

    def known(self, value: float) -> None:
        """The loss that the method has come to, and computed itself."""
        self.seconds.append(time.perf_counter() - self.start)
        self.losses.append(float(value))
        if not self.floor < value < np.inf or self.seconds[-1] > self.limit:
            raise Done

    def at(self, net, theta, X, y) -> None:
        """The parameters that the method has come to: the clock stops while their loss is computed."""
        reached = time.perf_counter()
        value = nntk_lib.loss(residual(net, theta, X, y))
        self.start += time.perf_counter() - reached
        self.known(value)


def stepping(direction, given, curve: Curve) -> None:
    net, theta, X, y = given
    while True:
        theta = theta + direction(net.at(theta, X), Square(), y).delta
        curve.at(net, theta, X, y)


def gradient_descent(eta, given, curve: Curve) -> None:
    net, theta, X, y = given
    rate = eta * net.width_scale(len(theta))
    while True:
        value, g = loss_and_gradient(net, theta, X, y)
        curve.known(value)
        theta = theta - rate * g


def adam(lr, given, curve: Curve) -> None:
    import torch

    net, theta, X, y = given
    tensor = torch.tensor(theta)
    optimizer = torch.optim.Adam([tensor], lr=lr)
    while True:
        value, g = loss_and_gradient(net, tensor.numpy(), X, y)
        curve.known(value)
        tensor.grad = torch.from_numpy(g)
        optimizer.step()


def l_bfgs(memory, given, curve: Curve) -> None:
    from scipy.optimize import minimize

    net, theta, X, y = given

    def evaluated(flat):
        value, g = loss_and_gradient(net, flat.reshape(theta.shape), X, y)
        curve.known(value)
        return value, g.ravel()

    options = {"maxcor": memory, "maxiter": 10**9, "maxfun": 10**9, "ftol": 0.0, "gtol": 0.0}
    minimize(evaluated, theta.ravel(), jac=True, method="L-BFGS-B", options=options)


def decades(high: int, low: int) -> list[float]:
    return [10.0**k for k in range(high, low - 1, -1)]


def choices(method: str, given) -> tuple[str, dict]:
    """The name of what is chosen, and a training for each of its values, in order."""
    if method in ("newton-safe", "newton-cg"):
        route = ConjugateGradients(rtol=1e-3) if method == "newton-cg" else Direct()
        factors = (1.02, 1.1, 1.2, 1.5, 2.0, 4.0)
        return "factor", {f: partial(stepping, Newton(AboveThreshold(f, floor=FLOOR), route)) for f in factors}
    if method == "newton-fixed":  # below the threshold as well, where a step need not descend
        threshold, route = nntk_lib.safe_gamma(*given), Direct(indefinite="solve")
        factors = (0.1, 0.3, 0.6, 1.02, 1.2, 2.0, 4.0)
        return "gamma", {f * threshold: partial(stepping, Newton(f * threshold, route)) for f in factors}
    if method == "gauss-newton":
        return "gamma", {g: partial(stepping, GaussNewton(Gamma(g))) for g in decades(0, -14)}
    if method == "gauss-newton-residual":
        rules = {c: GaussNewton(ResidualNorm(c, FLOOR)) for c in decades(1, -10)}
        return "c", {c: partial(stepping, rule) for c, rule in rules.items()}
    if method == "gradient-descent":
        stable = 2 / np.linalg.eigvalsh(nntk_lib.empirical_ntk(*given[:3]))[-1]
        return "eta", {f * stable: partial(gradient_descent, f * stable) for f in (0.5, 0.9, 1.2, 1.5, 2.0, 3.0)}
    if method == "adam":
        return "lr", {lr: partial(adam, lr) for lr in (1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0, 10.0)}
    return "memory", {size: partial(l_bfgs, size) for size in (3, 10, 30, 100, 300, 1000)}


def follow(train, given, limit: float, floor: float) -> Curve:
    curve = Curve(limit, floor)
    try:
        train(given, curve)
    except (Done, NNTKError, np.linalg.LinAlgError):
        pass  # over, or diverged
    return curve


def curve(problem: Problem, method: str, data: str, limit: float) -> Run:
    """Train for `limit` seconds, or down to 1e-10 of the initial loss."""
    given = task(problem, data)
    first = nntk_lib.loss(residual(*given))
    what, trainings = choices(method, given)
    tried, runs = {}, []

    def score(found: Curve) -> tuple[float, float]:
        """Seconds to the smallest level, and the smallest loss: compared in this order."""
        seconds = times_to(found, first)[-1]
        lowest = min([loss for loss in found.losses if np.isfinite(loss)], default=np.inf) / first
        return (np.inf if seconds is None else seconds), lowest

    def search():
        for value, train in trainings.items():  # what is slower than the best so far need not end
            most = min([limit / 3, *(2 * seconds for seconds, _ in tried.values())])
            tried[value] = score(follow(train, given, most, 1e-10 * first))

    def call():
        runs.append(follow(trainings[min(tried, key=tried.get)], given, limit, 1e-10 * first))
        return runs[-1]

    def info(_) -> dict:
        """Of all runs so far: each one's times to the levels, their medians, and the curve of the first."""
        each = [times_to(run, first) for run in runs]
        reached = [float(np.median(times)) if None not in times else None for times in zip(*each, strict=True)]
        seconds, losses = np.array(runs[0].seconds), np.array(runs[0].losses) / first
        best = np.minimum.accumulate(losses)
        keep = np.unique(np.geomspace(1, len(seconds), POINTS).round().astype(int)) - 1
        return {
            "chosen": {what: min(tried, key=tried.get), "of": list(tried)},
            "tried": [[None if np.isinf(t) else t, None if np.isinf(low) else low] for t, low in tried.values()],
            "reached": dict(zip(map(str, LEVELS), reached, strict=True)),
            "times": dict(zip(map(str, LEVELS), zip(*each, strict=True), strict=True)),
            "steps": {str(e): int(np.argmax(best <= e)) + 1 if best[-1] <= e else None for e in LEVELS},
            "evaluations": len(seconds),
            "count": (keep + 1).tolist(),
            "curve": [seconds[keep].tolist(), losses[keep].tolist()],
        }

    return Run(call, warm=search, quantity=None, info=info)


def times_to(found: Curve, first: float) -> list[float | None]:
    """Seconds to each of the levels, None for those that were not reached."""
    best = np.minimum.accumulate(np.array([*found.losses, np.inf]) / first)
    seconds = [*found.seconds, np.inf]
    return [float(seconds[int(np.argmax(best <= e))]) if best[-1] <= e else None for e in LEVELS]
