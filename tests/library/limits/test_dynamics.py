import numpy as np
import pytest

from nntk_lib import Shallow, circle, interval, limit_ntk, reference, trajectory
from nntk_lib.exceptions import ParameterError, ShapeError, SingularKernelError, StepSizeError
from nntk_lib.limits import eigenmodes, interpolant, max_alpha, mode_factor, nntk

from ..cases import EPS, relative

METHOD_OPTIONS = [
    ("newton", {"gamma": 0.02, "alpha": 0.7}),
    ("newton", {"gamma": 0.02, "alpha": 1.0}),
    ("gauss-newton", {"gamma": 0.1, "alpha": 1.0}),
    ("gradient-descent", {"eta": 0.8}),
    ("gradient-flow", {"eta": 3.0}),
]


@pytest.fixture(scope="module")
def kernel():
    net, X = Shallow("erf", weight_std=2.0), np.random.default_rng(0).uniform(-1, 1, (7, 2))
    Xq = np.random.default_rng(1).uniform(-1, 1, (3, 2))
    return limit_ntk(net, X), np.random.default_rng(2).standard_normal(7), limit_ntk(net, X, Xq)


@pytest.mark.parametrize("method, options", METHOD_OPTIONS)
def test_closed_form_is_the_recursion_on_and_off_the_training_set(kernel, method, options):
    A, y, rows = kernel
    path = trajectory(A, y, 9, method, rows=rows, **options)
    g, g_test = reference.limit_recursion(A, y, 9, method, rows=rows, **options)
    tol = 1000 * EPS * np.linalg.cond(A) * np.abs(y).max()
    np.testing.assert_allclose(path.g, g, atol=tol)
    np.testing.assert_allclose(path.g_test, g_test, atol=tol)
    np.testing.assert_allclose(path.coefficients @ path.modes.Q.T, path.residual, atol=tol)
    np.testing.assert_allclose(path.loss, (path.residual**2).sum(axis=1) / 14, rtol=1e-12)
    factor = mode_factor(path.modes.lam, method, **options)
    np.testing.assert_allclose(path.coefficients[1:], path.coefficients[:-1] * factor, rtol=1e-10, atol=1e-300)


@pytest.mark.parametrize("method, options", METHOD_OPTIONS)
def test_every_method_reaches_the_same_interpolant(method, options):
    A, rows = np.diag([1.0, 0.6, 0.3]), np.array([[0.2, 0.1, -0.3]])
    y = np.array([1.0, -2.0, 0.5])
    path = trajectory(A, y, 400, method, rows=rows, **options)
    np.testing.assert_allclose(path.g_test[-1], interpolant(A, y, rows), rtol=1e-12)


def test_theorem_4_bound_and_its_worst_case():
    data = circle(16, (1, 3))
    A = limit_ntk(Shallow("tanh", weight_std=2.0), data.X)
    modes = eigenmodes(A)
    for gamma in (1e-3, 1e-2, 0.1):
        k = modes.lam / (modes.lam + gamma)
        for alpha in (0.3, 1.0, max_alpha(A, gamma)):
            bound = (1 - alpha * k[-1]) ** np.arange(6)
            path = trajectory(A, data.y, 5, gamma=gamma, alpha=alpha)
            error = np.linalg.norm(path.residual, axis=1) / np.linalg.norm(data.y)
            assert np.all(error <= bound * (1 + 50 * EPS))
            worst = trajectory(A, modes.Q[:, -1], 5, gamma=gamma, alpha=alpha)
            np.testing.assert_allclose(np.linalg.norm(worst.residual, axis=1), bound, rtol=1e-11)


def test_the_largest_step_size_is_the_largest():
    """A thousandth more, and the direction of the largest eigenvalue contracts more slowly than Theorem 4 says."""
    A = limit_ntk(Shallow("tanh", weight_std=2.0), circle(16, (1, 3)).X)
    modes = eigenmodes(A)
    for gamma in (1e-3, 1e-2, 0.1):
        k, alpha = modes.lam / (modes.lam + gamma), 1.001 * max_alpha(A, gamma)
        path = trajectory(A, modes.Q[:, 0], 1, gamma=gamma, alpha=alpha)
        assert np.linalg.norm(path.residual[1]) > 1 - alpha * k[-1]


def test_without_regularization_newton_takes_one_step(kernel):
    A, y, _ = kernel
    path = trajectory(A, y, 1, gamma=0.0)
    assert np.abs(path.residual[1]).max() <= 10 * EPS * np.abs(y).max()


def test_start_that_is_not_zero(kernel):
    A, y, _ = kernel
    path = trajectory(A, y, 3, gamma=0.1, g0=y + 1)
    np.testing.assert_allclose(path.residual[0], 1, rtol=1e-12)
    np.testing.assert_allclose(path.g[0], y + 1, rtol=1e-12)


def test_bad_input_is_named(kernel):
    A, y, _ = kernel
    top = eigenmodes(A).lam[0]
    with pytest.raises(StepSizeError, match=r"eta = .*outside the stable range of gradient-descent.*Use eta <"):
        trajectory(A, y, 2, "gradient-descent", eta=2.1 / top)
    assert trajectory(A, y, 2, "gradient-descent", eta=1.99 / top).loss[2] < np.inf
    with pytest.raises(StepSizeError, match="alpha = 2.5"):
        trajectory(A, y, 2, gamma=1e-3, alpha=2.5)
    with pytest.raises(ParameterError, match="needs gamma"):
        trajectory(A, y, 2)
    with pytest.raises(ParameterError, match="'adam' is unknown; choose"):
        trajectory(A, y, 2, "adam")
    with pytest.raises(ShapeError, match="square"):
        eigenmodes(A[:3])
    with pytest.raises(ShapeError, match="rows has 2 columns"):
        trajectory(A, y, 2, gamma=1.0, rows=np.ones((1, 2)))
    with pytest.raises(SingularKernelError, match="singular to working precision"):
        trajectory(np.ones((7, 7)), y, 2, gamma=0.0)
    with pytest.raises(SingularKernelError):
        interpolant(np.ones((7, 7)), y, np.ones((1, 7)))


def test_a_matrix_that_is_no_kernel_is_refused_and_a_rounded_one_is_taken():
    net, data = Shallow("tanh"), interval(8, (1, 3))
    A, y = limit_ntk(net, data.X), data.y
    for call in (lambda K: trajectory(K, y, 2, gamma=0.1), lambda K: nntk(K, 0.1), lambda K: max_alpha(K, 0.1)):
        with pytest.raises(SingularKernelError, match="not a kernel: its smallest eigenvalue is -"):
            call(-A)
        with pytest.raises(ShapeError, match=r"not symmetric: entries across the diagonal differ by up to"):
            call(np.triu(A))
    with pytest.raises(SingularKernelError):
        nntk(np.diag([-0.3, 1.0]), 0.3)
    noisy = A + 1e-8 * np.random.default_rng(0).standard_normal(A.shape)
    taken = trajectory(noisy, y, 3, gamma=0.1).residual
    assert relative(taken, trajectory((noisy + noisy.T) / 2, y, 3, gamma=0.1).residual) <= 1e-12
