"""SPRING in sample space is the damped least-squares problem that defines it."""

from __future__ import annotations

import numpy as np
import pytest

from nntk_lib import Constant, CrossEntropy, Deep, GaussNewton, Logistic, Shallow, Square
from nntk_lib.exceptions import ParameterError
from nntk_lib.methods.spring import Spring
from nntk_lib.networks.base import jacobian

EPS = np.finfo(float).eps
CASES = {
    "square": (Shallow("tanh", beta=0.5), dict(m=7, d=3), Square(), np.array([0.3, -1.0, 0.5, 2.0])),
    "logistic": (Deep("tanh", (5, 4)), dict(d=3), Logistic(), np.array([1.0, -1.0, 1.0, 1.0])),
    "cross-entropy": (Deep("tanh", (5,), outputs=3), dict(d=3), CrossEntropy(), np.eye(3)[[0, 2, 1, 0]]),
}


def two_steps(name: str, a: float, b: float, mu: float):
    """The second of two steps, with what a dense solution of it needs."""
    net, size, loss, y = CASES[name]
    X, theta = np.random.default_rng(1).standard_normal((4, 3)), net.init(**size, rng=0)
    spring = Spring(Constant(a, b), mu)
    first = spring(net.at(theta, X), loss, y)
    theta = theta + first.delta
    at = net.at(theta, X)
    return spring(at, loss, y, first), first.delta, at, jacobian(net, theta, X), loss, y


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("a, b, mu", [(0.1, 1.0, 0.0), (0.1, 1.0, 0.9), (1e-3, 0.5, 0.5)])
def test_is_the_minimizer(name, a, b, mu):
    """Of grad L . v + (b/2) v . J^T H J v + (a/2) |v - mu d|^2, solved in parameter space."""
    step, last, at, J, loss, y = two_steps(name, a, b, mu)
    R, q = loss.factor(at.f, y)
    wide = np.zeros((J.shape[0], q.size))  # R of all samples as one matrix
    for j, block in enumerate(np.reshape(R, (len(at.f), -1))):
        C = J.shape[0] // len(at.f)
        wide[j * C : (j + 1) * C, j * C : (j + 1) * C] = block.reshape(C, C)
    A = wide.T @ J
    system = b * A.T @ A + a * np.eye(J.shape[1])
    expected = np.linalg.solve(system, -A.T @ q.ravel() + a * mu * last.ravel())
    tolerance = 100 * EPS * np.linalg.cond(system) * np.linalg.norm(expected)
    assert np.linalg.norm(step.delta.ravel() - expected) <= tolerance
    assert step.slope == pytest.approx(float((A.T @ q.ravel()) @ expected), rel=1e-9)
    assert step.curvature == pytest.approx(float(np.sum((A @ expected) ** 2)), rel=1e-9)


def test_without_momentum_it_is_gauss_newton():
    net, size, loss, y = CASES["square"]
    X, theta = np.random.default_rng(1).standard_normal((4, 3)), net.init(**size, rng=0)
    at = net.at(theta, X)
    expected = GaussNewton(Constant(0.1))(at, loss, y).delta
    np.testing.assert_allclose(Spring(Constant(0.1), 0.0)(at, loss, y).delta, expected, 1e-12, 1e-14)


def test_without_damping_it_interpolates_the_batch_and_keeps_the_rest():
    """J delta = -r, and delta - mu d lies in the range of J^T."""
    step, last, at, J, _, y = two_steps("square", 0.0, 1.0, 0.9)
    rounding = 100 * EPS * np.linalg.cond(J @ J.T) * (np.linalg.norm(at.f - y) + np.linalg.norm(J @ last.ravel()))
    assert np.linalg.norm(J @ step.delta.ravel() + at.f - y) <= rounding
    rest = (step.delta - 0.9 * last).ravel()
    assert np.linalg.norm(rest - np.linalg.pinv(J) @ (J @ rest)) <= rounding


def test_momentum_is_a_share():
    with pytest.raises(ParameterError, match="momentum = 1 must lie in"):
        Spring(momentum=1.0)
