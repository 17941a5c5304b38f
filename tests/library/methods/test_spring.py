"""SPRING in sample space is the damped least-squares problem that defines it."""

from __future__ import annotations

import numpy as np
import pytest

from nntk_lib import Batches, Constant, CrossEntropy, Data, Deep, GaussNewton, Logistic, Shallow, Square, circle, train
from nntk_lib.exceptions import ParameterError, ShapeError, SingularSystemError
from nntk_lib.methods.spring import Spring
from nntk_lib.networks.base import jacobian
from nntk_lib.reference import methods as twin

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
    J = jacobian(net, theta, X).reshape(at.f.size, -1)
    return spring(at, loss, y, first), first.delta, at, J, loss, y


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("a, b, mu", [(0.1, 1.0, 0.0), (0.1, 1.0, 0.9), (1e-3, 0.5, 0.5)])
def test_is_the_minimizer_that_defines_it(name, a, b, mu):
    step, last, at, J, loss, y = two_steps(name, a, b, mu)
    R, q = loss.factor(at.f, y)
    expected, A = twin.spring(J, R, q, a, b, mu, last), twin.dense_factor(R).T @ J
    tolerance = 100 * EPS * (np.linalg.norm(A, 2) ** 2 + a) / a
    assert np.linalg.norm(step.delta.ravel() - expected) <= tolerance * np.linalg.norm(expected)
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


def test_without_damping_it_is_the_nearest_to_the_last_step():
    step, last, at, J, loss, y = two_steps("square", 0.0, 1.0, 0.9)
    expected = twin.spring(J, *loss.factor(at.f, y), 0.0, 1.0, 0.9, last)
    tolerance = 100 * EPS * np.linalg.cond(J) ** 2
    assert np.linalg.norm(step.delta.ravel() - expected) <= tolerance * np.linalg.norm(expected)


def test_train_hands_the_last_step_on_from_batch_to_batch():
    """Two epochs of two batches by hand, at half the step: what is remembered is the whole step."""
    net, size, loss, y = CASES["square"]
    X, theta = np.random.default_rng(1).standard_normal((4, 3)), net.init(**size, rng=0)
    by_hand, last = theta, np.zeros(theta.size)
    for part in 2 * [[0, 1], [2, 3]]:
        J, r = jacobian(net, by_hand, X[part]).reshape(2, -1), net.at(by_hand, X[part]).f - y[part]
        last = twin.spring(J, *loss.factor(r + y[part], y[part]), 0.1, 1.0, 0.7, last)
        by_hand = by_hand + 0.5 * last.reshape(theta.shape)
    how = {"loss": loss, "alpha": 0.5, "batches": Batches(2, order="cyclic")}
    run = train(net, theta, Data(X, y, "four points"), Spring(Constant(0.1), 0.7), 2, **how)
    np.testing.assert_allclose(run.theta, by_hand, rtol=1e-10, atol=1e-12)


def test_the_last_step_must_fit():
    net, size, loss, y = CASES["square"]
    X, spring = np.random.default_rng(1).standard_normal((4, 3)), Spring(Constant(0.1))
    first = spring(net.at(net.init(**size, rng=0), X), loss, y)
    wider = net.at(net.init(8, 3, rng=0), X)
    with pytest.raises(ShapeError, match="Start a new run"):
        spring(wider, loss, y, first)
    other = GaussNewton(Constant(0.1))(wider, loss, y)  # the step of another method is not remembered
    np.testing.assert_array_equal(spring(wider, loss, y, other).delta, spring(wider, loss, y).delta)


def test_a_singular_batch_is_refused_and_damping_mends_it():
    net, size, loss, y = CASES["square"]
    X = np.ones((2, 3))
    at = net.at(net.init(**size, rng=0), X)
    with pytest.raises(SingularSystemError):
        Spring(Constant(0.0))(at, loss, y[:2])
    assert np.isfinite(Spring(Constant(0.1))(at, loss, y[:2]).delta).all()


def test_momentum_is_a_share():
    with pytest.raises(ParameterError, match="momentum = 1 must lie in"):
        Spring(momentum=1.0)


def test_a_rule_that_leaves_no_system_is_named():
    net, data = Shallow("tanh", beta=0.5), circle(6, (1,))
    at = net.at(net.init(40, 2, rng=0), data.X)
    with pytest.raises(ParameterError, match="gave a = nan"):
        Spring(lambda spectrum, at, previous: (float("nan"), 1.0))(at, Square(), data.y)
