"""SciPy's optimizers, stopped after one step, with the library's derivatives.

The objective carries the damping as a proximal term, L(theta) + damping |theta - theta_0|^2 / 2, so that its Newton
step at theta_0 is the regularized one. The least-squares solver has no exact step to give: only its cost counts.
"""

from __future__ import annotations

import warnings

import numpy as np
from problems import Problem, Run
from scipy.optimize import least_squares, minimize

import nntk_lib


def trf(problem: Problem, tr_solver: str) -> Run:
    """least_squares(method="trf") with the dense Jacobian, two evaluations: the start and one step."""
    net, X, y, shape = problem.net, problem.X, problem.y, problem.theta.shape

    def residual(flat):
        return nntk_lib.residual(net, flat.reshape(shape), X, y)

    def jacobian(flat):
        return nntk_lib.jacobian(net, flat.reshape(shape), X).reshape(len(y), -1)

    def call():
        return least_squares(residual, problem.theta.ravel(), jacobian, method="trf", tr_solver=tr_solver, max_nfev=2)

    return Run(call, quantity=None)


def trust_region(problem: Problem, method: str) -> Run:
    """One iteration of minimize in a ball that the Newton step does not leave, with Hessian-vector products."""
    net, theta, X, y, damping = problem.net, problem.theta, problem.X, problem.y, problem.damping
    shape, start, squares = theta.shape, theta.ravel(), nntk_lib.Square()
    products = 0

    def value(flat):
        at, move = net.at(flat.reshape(shape), X), flat - start
        g = at.vjp(squares.gradient(at.f, y)).ravel()
        return squares.value(at.f, y) + damping / 2 * (move @ move), g + damping * move

    def product(flat, v):
        nonlocal products
        products += 1
        at, v = net.at(flat.reshape(shape), X), v.reshape(shape)
        Hv = at.blocks(squares.gradient(at.f, y)).apply(v, at.jvp(v) / len(y))
        return (Hv + damping * v).ravel()

    def call():
        nonlocal products
        products = 0
        radius = 1e3 * np.linalg.norm(start)
        options = {"maxiter": 1, "initial_trust_radius": radius, "max_trust_radius": 2 * radius}
        if method == "trust-krylov":
            options["inexact"] = False  # the inner system to rounding; trust-ncg has no such option
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that the iterations are at their limit
            return minimize(value, start, jac=True, hessp=product, method=method, options=options)

    return Run(call, array=lambda found: (found.x - start).reshape(shape), info=lambda found: {"iterations": products})
