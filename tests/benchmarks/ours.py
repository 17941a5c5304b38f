"""The library's own methods."""

from __future__ import annotations

import re

import numpy as np
from problems import Problem, Run

import nntk_lib
from nntk_lib import Data, GaussNewton, Newton, Smallest, Square, newton_step, train, verbs
from nntk_lib.methods import Auto, ConjugateGradients, Direct

ROUTES = {"direct": Direct, "cg": ConjugateGradients, "auto": Auto}


def newton(problem: Problem, route: str = "direct", **options) -> Run:
    """The exact step by one of `ROUTES`, with its options."""
    net, theta, X, y = problem.net, problem.theta, problem.X, problem.y
    way = ROUTES[route](**options)

    def info(step) -> dict:
        products = re.search(r"(\d+)( of at most \d+)? products", step.reason)
        found = {"solver": step.route, "reason": step.reason} if route != "direct" else {}
        return found | ({"iterations": int(products[1])} if products else {})

    few = theta[: max(1, 10**7 // X.size)]  # enough to load libraries and compiled loops, and start threads
    return Run(
        lambda: newton_step(net, theta, X, y, problem.gamma, way),
        warm=lambda: newton_step(net, few, X, y, 100.0, way),
        array=lambda step: step.delta,
        info=info,
    )


def gradient(problem: Problem) -> Run:
    given = problem.net, problem.theta, problem.X, problem.y
    return Run(lambda: nntk_lib.gradient(*given), quantity="gradient")


def assembled(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """The regularized Hessian as one matrix, and the gradient."""
    net, theta, X, y = problem.net, problem.theta, problem.X, problem.y
    m, p = theta.shape
    r = nntk_lib.residual(net, theta, X, y)
    J = nntk_lib.jacobian(net, theta, X).reshape(len(y), m * p)
    H = J.T @ J
    H /= len(y)
    i = np.arange(m)
    H.reshape(m, p, m, p)[i, :, i, :] += verbs.curvature_blocks(net, theta, X, r) + problem.damping * np.eye(p)
    return H, J.T @ r / len(y)


def dense(problem: Problem) -> Run:
    """The same step without its structure: a Cholesky solve with the whole matrix."""
    from scipy.linalg import cho_factor, cho_solve

    def step():
        H, g = assembled(problem)
        return -cho_solve(cho_factor(H.T, overwrite_a=True), g).reshape(problem.theta.shape)

    return Run(step, warm=lambda: None)


def gauss_newton(problem: Problem) -> Run:
    """-J^T (J J^T + lambda_min I)^{-1} r from the Gram matrix by Hadamard products."""
    net, theta, X, y = problem.net, problem.theta, problem.X, problem.y
    direction, squares = GaussNewton(Smallest(alpha=1.0), metric="identity"), Square("sum")
    return Run(lambda: direction(net.at(theta, X), squares, y), array=lambda step: step.delta)


def limit_kernel(problem: Problem) -> Run:
    """n times the kernel of the infinitely wide network, and the library's own estimate of its error."""

    def info(value) -> dict:
        return {"estimate": float(value[1].max() / np.abs(value[0]).max())}

    return Run(
        lambda: nntk_lib.limit_ntk(problem.net, problem.X, return_error=True),
        quantity="kernel",
        array=lambda value: problem.n * value[0],
        info=info,
    )


def training(problem: Problem, steps: int) -> Run:
    """Whole steps through the library's training loop, with its progress bar."""
    import time

    data, clock = Data(problem.X, problem.y, "problem"), {"clock": lambda theta, at: time.perf_counter()}

    def call():
        return train(problem.net, problem.theta, data, Newton(problem.gamma), steps, record=clock, progress=True)

    def info(history) -> dict:  # a step is timed with the outputs at the point it leads to
        return {"losses": history.loss.tolist(), "steps": np.diff(history["clock"]).tolist()}

    return Run(call, warm=lambda: None, quantity=None, info=info)
