"""The trust-region twin: optimality conditions, other solvers, the steps of the library, and the hard case."""

import numpy as np
import pytest
from scipy.optimize import minimize

from nntk_lib import gauss_newton_step, newton_step, reference, safe_gamma

from ..cases import EPS, problem, relative

KINDS = ["indefinite", "definite", "negative", "low rank"]


def quadratic(kind, seed, N=None):
    """A symmetric matrix of the kind and a vector, sizes 2 to 30, scales over four decades."""
    rng = np.random.default_rng([seed, KINDS.index(kind)])
    N = N or int(rng.integers(2, 31))
    A = rng.standard_normal((N, N))
    H = {
        "indefinite": (A + A.T) / 2,
        "definite": A @ A.T / N + 0.1 * np.eye(N),
        "negative": -A @ A.T / N - 0.1 * np.eye(N),
        "low rank": A[:, : N // 2] @ A[:, : N // 2].T / N,
    }[kind]
    return H, 10 ** rng.uniform(-2, 2) * rng.standard_normal(N), rng


def model(H, g, p):
    return g @ p + p @ H @ p / 2


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(6))
def test_conditions_of_a_global_minimizer(kind, seed):
    """More and Sorensen: the shifted system, |p| <= radius, complementarity, and a semidefinite shifted matrix."""
    H, g, rng = quadratic(kind, seed)
    radius = 10 ** rng.uniform(-2, 1)
    p, multiplier = reference.trust_region(H, g, radius)
    shifted = H + multiplier * np.eye(len(g))
    size = np.linalg.norm(shifted, 2)
    cond = np.linalg.cond(shifted)
    assert multiplier >= 0
    assert np.linalg.norm(shifted @ p + g) <= 100 * EPS * (size * np.linalg.norm(p) + np.linalg.norm(g))
    assert np.linalg.eigvalsh(shifted)[0] >= -100 * EPS * size
    assert np.linalg.norm(p) <= radius * (1 + 100 * EPS * cond)
    if multiplier > 0:
        assert abs(np.linalg.norm(p) / radius - 1) <= 100 * EPS * cond < 1e-6


@pytest.mark.parametrize("kind", ["indefinite", "definite", "low rank"])
@pytest.mark.parametrize("seed", range(8))
def test_damping_and_radius_are_the_same_choice(kind, seed):
    """The damped step is recovered from its length alone, and its damping is the multiplier."""
    H, g, rng = quadratic(kind, seed + 100)
    damping = max(0.0, -np.linalg.eigvalsh(H)[0]) + 10 ** rng.uniform(-1, 2)
    step = -np.linalg.solve(H + damping * np.eye(len(g)), g)
    p, multiplier = reference.trust_region(H, g, np.linalg.norm(step))
    assert relative(p, step) < 1e-10
    assert multiplier == pytest.approx(damping, rel=1e-10)


@pytest.mark.parametrize("seed", range(10))
def test_steps_of_the_library(seed):
    net, theta, X, y = problem(m=4, n=5, d=2, seed=seed)
    y = 3 * y  # large residuals: indefinite Hessians
    g = reference.jacobian(net, theta, X).T @ (reference.forward(net, theta, X) - y) / len(y)
    J = reference.jacobian(net, theta, X)
    H = reference.hessian(net, theta, X, y)
    assert np.linalg.eigvalsh(H)[0] < 0
    gamma = 1.5 * safe_gamma(net, theta, X, y)
    for matrix, method in ((H, newton_step), (J.T @ J / len(y), gauss_newton_step)):
        step = method(net, theta, X, y, gamma).delta.ravel()
        p, multiplier = reference.trust_region(matrix, g, np.linalg.norm(step))
        assert relative(p, step) < 1e-10
        assert multiplier == pytest.approx(gamma / net.width_scale(4), rel=1e-10)


@pytest.mark.parametrize("kind", ["indefinite", "definite", "negative"])
@pytest.mark.parametrize("seed", range(4))
def test_scipy_finds_the_same_minimizer(kind, seed):
    """Lanczos instead of an eigenproblem. The radius is fixed by taking one step; its tolerance is about 1e-6."""
    H, g, _ = quadratic(kind, seed + 200, N=8)
    radius = 0.5
    first = minimize(
        lambda v: model(H, g, v),
        np.zeros(8),
        method="trust-krylov",
        jac=lambda v: g + H @ v,
        hess=lambda v: H,
        options={"initial_trust_radius": radius, "max_trust_radius": 10.0, "maxiter": 1, "inexact": False},
    ).x
    p, _ = reference.trust_region(H, g, radius)
    assert relative(first, p) < 1e-5
    assert model(H, g, p) <= model(H, g, first) + 1e-8 * abs(model(H, g, p))


def test_no_point_of_the_ball_is_lower():
    H, g, rng = quadratic("indefinite", 7, N=3)
    p, _ = reference.trust_region(H, g, 2.0)
    v = rng.standard_normal((20000, 3))
    v *= 2 * rng.random((20000, 1)) ** (1 / 3) / np.linalg.norm(v, axis=1, keepdims=True)
    values = v @ g + 0.5 * np.einsum("ki,ij,kj->k", v, H, v)
    assert model(H, g, p) < values.min() < model(H, g, p) + 0.1 * abs(model(H, g, p))


def test_interior():
    H, g, _ = quadratic("definite", 3)
    newton = -np.linalg.solve(H, g)
    p, multiplier = reference.trust_region(H, g, 1.01 * np.linalg.norm(newton))
    assert multiplier == 0.0
    np.testing.assert_array_equal(p, newton)
    p, multiplier = reference.trust_region(H, g, 0.99 * np.linalg.norm(newton))
    assert multiplier > 0 and np.linalg.norm(p) < np.linalg.norm(newton)


@pytest.mark.parametrize("N", [2, 5, 20])
def test_hard_case(N):
    """g orthogonal to the lowest eigenvector: the damped step is too short for any damping above -lambda_min."""
    rng = np.random.default_rng(N)
    Q, _ = np.linalg.qr(rng.standard_normal((N, N)))
    mu = np.r_[-2.0, rng.uniform(-1, 3, N - 1)]
    H, g = (Q * mu) @ Q.T, Q[:, 1:] @ rng.standard_normal(N - 1)
    rest = np.linalg.norm((Q[:, 1:].T @ g) / (mu[1:] - mu[0]))
    p, multiplier = reference.trust_region(H, g, 3 * rest)
    assert multiplier == pytest.approx(2.0, rel=1e-12)
    assert np.linalg.norm(p) == pytest.approx(3 * rest, rel=1e-12)
    assert relative(H @ p + multiplier * p, -g) <= 1000 * EPS
    below, easy = reference.trust_region(H, g, 0.5 * rest)  # a shorter radius is not hard
    assert easy > 2.0 and np.linalg.norm(below) == pytest.approx(0.5 * rest, rel=1e-10)


def test_at_a_saddle_the_gradient_is_zero_and_the_step_is_not():
    p, multiplier = reference.trust_region(np.diag([1.0, -3.0]), np.zeros(2), 0.5)
    assert multiplier == 3.0 and abs(p[1]) == 0.5 and p[0] == 0.0


def test_a_singular_matrix_whose_ball_does_not_bind():
    """Infinitely many minimizers, all with multiplier zero: the model's value decides."""
    H, g = np.diag([2.0, 0.0]), np.array([1.0, 0.0])
    p, multiplier = reference.trust_region(H, g, 5.0)
    assert multiplier == 0.0 and model(H, g, p) == -0.25 and np.linalg.norm(p) <= 5.0 * (1 + EPS)
