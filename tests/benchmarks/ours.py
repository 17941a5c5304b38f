"""The library's own methods."""

from __future__ import annotations

import re

import numpy as np
from problems import Problem, Run

import nntk_lib
from nntk_lib import newton_step


def newton(problem: Problem, **options) -> Run:
    """The exact step; `options` are those of `newton_step`."""
    net, theta, X, y = problem.net, problem.theta, problem.X, problem.y

    def info(step) -> dict:
        products = re.search(r"(\d+)( of at most \d+)? products", step.reason)
        found = {"solver": step.solver, "reason": step.reason} if "solver" in options else {}
        return found | ({"iterations": int(products[1])} if products else {})

    few = theta[: max(1, 10**7 // X.size)]  # enough to load libraries and compiled loops, and start threads
    return Run(
        lambda: newton_step(net, theta, X, y, problem.gamma, **options),
        warm=lambda: newton_step(net, few, X, y, 100.0, **options),
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
    H.reshape(m, p, m, p)[i, :, i, :] += nntk_lib.curvature_blocks(net, theta, X, r) + problem.damping * np.eye(p)
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

    def step():
        r, G = nntk_lib.residual(net, theta, X, y), nntk_lib.gram(net, theta, X)
        values, vectors = np.linalg.eigh(G)
        return -nntk_lib.jt_dot(net, theta, X, vectors @ ((vectors.T @ r) / (values + values[0])))

    return Run(step)


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

    clock = []

    def timed(*given, **options):
        start = time.perf_counter()
        step = newton_step(*given, **options)
        clock.append(time.perf_counter() - start)
        return step

    def call():
        clock.clear()
        given = problem.net, problem.theta, problem.X, problem.y
        return nntk_lib.train(*given, timed, steps=steps, gamma=problem.gamma, progress=True)

    def info(history) -> dict:
        return {"losses": history.loss.tolist(), "steps": list(clock)}

    return Run(call, warm=lambda: None, quantity=None, info=info)
