"""Whole trainings on the clock: loss against time, for the methods a user would choose between.

The clock stops while a loss is evaluated that the method itself does not need. Learning rates and regularizations are
the best of a few, each tried for a tenth of the time limit; the record says which.
"""

from __future__ import annotations

import time
from functools import partial

import numpy as np
from problems import Problem, Run

import nntk_lib
from nntk_lib import AboveThreshold, Gamma, GaussNewton, Newton, NNTKError, Shallow, Square, circle, residual
from nntk_lib.data import diabetes

LEVELS = (1e-2, 1e-4, 1e-6)  # of the initial loss
POINTS = 60


class Done(Exception):
    """The time is over."""


def task(problem: Problem, data: str):
    """Network, start, and samples: several frequencies on the circle, or the diabetes table."""
    samples = circle(problem.n, frequencies=(1, 3, 5)) if data == "circle" else diabetes(problem.n)
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


def choices(method: str, given) -> tuple[str, dict]:
    """The name of what is chosen, and a training for each of its values."""
    if method == "newton-safe":
        factors = (1.2, 2.0, 4.0)
        return "factor", {f: partial(stepping, Newton(AboveThreshold(f, floor=1e-9))) for f in factors}
    if method == "newton-fixed":
        gammas = [factor * nntk_lib.safe_gamma(*given) for factor in (1.2, 2.0, 4.0)]
        return "gamma", {g: partial(stepping, Newton(g)) for g in gammas}
    if method == "gauss-newton":
        gammas = (1e-2, 1e-3, 1e-4, 1e-5, 1e-6)
        return "gamma", {g: partial(stepping, GaussNewton(Gamma(g))) for g in gammas}
    if method == "gradient-descent":
        stable = 2 / np.linalg.eigvalsh(nntk_lib.empirical_ntk(*given[:3]))[-1]
        return "eta", {eta: partial(gradient_descent, eta) for eta in (0.5 * stable, 0.9 * stable, 1.2 * stable)}
    if method == "adam":
        return "lr", {lr: partial(adam, lr) for lr in (3e-3, 1e-2, 3e-2, 1e-1, 3e-1)}
    return "memory", {size: partial(l_bfgs, size) for size in (10, 30, 100)}


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
    floor, tried = 1e-10 * first, {}

    def search():
        for value, train in trainings.items():
            found = follow(train, given, limit / 10, floor)
            last = found.losses[-1] if found.losses else np.inf
            tried[value] = (max(last, floor) if np.isfinite(last) else np.inf, found.seconds[-1:])

    def info(found: Curve) -> dict:
        seconds, losses = np.array(found.seconds), np.array(found.losses) / first
        best = np.minimum.accumulate(losses)
        reached = [float(seconds[best <= level][0]) if best[-1] <= level else None for level in LEVELS]
        keep = np.unique(np.geomspace(1, len(seconds), POINTS).round().astype(int)) - 1
        return {
            "chosen": {what: min(tried, key=tried.get), "of": list(tried)},
            "reached": dict(zip(map(str, LEVELS), reached, strict=True)),
            "evaluations": len(seconds),
            "curve": [seconds[keep].tolist(), losses[keep].tolist()],
        }

    def call():
        return follow(trainings[min(tried, key=tried.get)], given, limit, floor)

    return Run(call, warm=search, quantity=None, info=info)
