import pickle

import numpy as np
import pytest
from scipy.linalg import expm

from nntk_lib.exceptions import ParameterError, SingularKernelError, StepSizeError
from nntk_lib.limits.dynamics import METHODS, eigenmodes, mode_factor, trajectory
from nntk_lib.limits.filters import Cutoff, Filter, Flow, Iterated, Landweber, Tikhonov, get_filter

EPS = np.finfo(float).eps
LADDER = np.r_[0.0, np.geomspace(1e-12, 1, 49)]


def rotations(lam, seed=0):
    Q = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(lam), len(lam))))[0]
    A = (Q * lam) @ Q.T
    return (A + A.T) / 2


# Every filter with its literal twin: the matrix s(A) by solves and matrix exponentials.
eye = lambda A: np.eye(len(A))
FLOW = lambda A, t, a, b: np.linalg.solve(A, eye(A) - expm(-t * A @ np.linalg.inv(a * eye(A) + b * A)))
CASES = {
    "tikhonov": (Tikhonov(0.02), lambda A: np.linalg.inv(A + 0.02 * eye(A))),
    "newton with a step size": (Tikhonov(0.3, 0.7), lambda A: 0.7 * np.linalg.inv(A + 0.3 * eye(A))),
    "no regularization": (Tikhonov(0.0, 0.5), lambda A: 0.5 * np.linalg.inv(A)),
    "landweber": (Landweber(0.8), lambda A: 0.8 * eye(A)),
    "gradient flow": (Flow(3.0), lambda A: FLOW(A, 3.0, 1.0, 0.0)),
    "levenberg flow": (Flow(2.0, 0.1, 0.9), lambda A: FLOW(A, 2.0, 0.1, 0.9)),
    "cutoff": (Cutoff(0.2), lambda A: np.linalg.pinv(A, rcond=0.2 / np.linalg.norm(A, 2), hermitian=True)),
    "iterated": (
        Iterated(Tikhonov(0.1), 3),
        lambda A: np.linalg.solve(A, eye(A) - np.linalg.matrix_power(0.1 * np.linalg.inv(A + 0.1 * eye(A)), 3)),
    ),
    "iterated landweber": (
        Iterated(Landweber(1.5), 4),
        lambda A: 1.5 * sum(np.linalg.matrix_power(eye(A) - 1.5 * A, j) for j in range(4)),
    ),
}
every = pytest.mark.parametrize("name", CASES)


@every
def test_closed_form_is_the_recursion_with_matrices_on_and_off_the_samples(name):
    step, matrix = CASES[name]
    lam = np.array([1.0, 0.5, 0.25, 0.1, 0.03])
    A, rows = rotations(lam), np.random.default_rng(1).standard_normal((3, 5))
    y, S = np.random.default_rng(2).standard_normal(5), matrix(A)
    path = trajectory(A, y, 6, step, rows=rows)
    g, off = np.zeros(5), np.zeros(3)
    tol = 200 * EPS * np.linalg.cond(A) * np.linalg.norm(rows, 2) * np.linalg.norm(y)
    for k in range(7):
        assert np.abs(path.g[k] - g).max() <= tol and np.abs(path.g_test[k] - off).max() <= tol
        off = off - rows @ S @ (g - y)
        g = g - A @ S @ (g - y)


@every
def test_gain_and_factor_belong_together(name):
    step, _ = CASES[name]
    lam = LADDER[1:] if step.inverts else LADDER
    assert step.gain(lam).shape == step.factor(lam).shape == lam.shape
    assert np.abs(1 - lam * step.gain(lam) - step.factor(lam)).max() <= 8 * EPS
    assert step.gain(0.3).shape == step.factor(0.3).shape == ()


@every
def test_filters_are_values(name):
    step, _ = CASES[name]
    twin = pickle.loads(pickle.dumps(step))
    assert twin == step and hash(twin) == hash(step)


@pytest.mark.parametrize("base", [Tikhonov(1e-3), Tikhonov(0.1, 1.3), Landweber(0.5), Landweber(1.9), Flow(0.1)])
@pytest.mark.parametrize("times", [1, 2, 7, 100_000])
def test_iterated_steps_keep_their_digits(base, times):
    mpmath = pytest.importorskip("mpmath")
    step = Iterated(base, times)
    lam = np.r_[0.0, np.geomspace(1e-12, 1, 13)]
    with mpmath.workdps(50):
        for l, gain in zip(lam, step.gain(lam), strict=True):
            x = mpmath.mpf(l)
            if isinstance(base, Flow):
                exact = (1 - mpmath.exp(-mpmath.mpf(base.eta) * x * times)) / x if l else mpmath.mpf(base.eta) * times
            else:
                s = mpmath.mpf(base.alpha) / (x + base.gamma) if isinstance(base, Tikhonov) else mpmath.mpf(base.eta)
                exact = (1 - (1 - s * x) ** times) / x if l else s * times
            assert abs(gain - exact) <= 16 * EPS * exact
    with np.errstate(under="ignore"):
        assert np.array_equal(step.factor(lam), base.factor(lam) ** times)


def test_the_flow_without_small_damping_has_no_spectral_bias():
    flow = Flow(1.0, a=1e-6, b=1 - 1e-6)
    assert np.ptp(flow.factor(np.geomspace(1e-3, 1, 9))) <= 1e-3
    lam = np.geomspace(1e-3, 1, 9)
    assert np.array_equal(Flow(2.0).factor(lam), np.exp(-2.0 * lam))
    # Cai et al. (11): (lambda A + alpha I)^{-1} on the residual
    assert np.allclose(Tikhonov(0.3 / 4, 1 / 4).gain(lam), 1 / (4 * lam + 0.3), rtol=4 * EPS, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_names_are_the_filters(method):
    lam, options = LADDER[1:], {"gamma": 0.05, "alpha": 0.9, "eta": 0.7}
    step = (
        Tikhonov(0.05, 0.9)
        if "newton" in method
        else {"gradient-descent": Landweber, "gradient-flow": Flow}[method](0.7)
    )
    assert get_filter(method, **options) == step and get_filter(step) is step
    assert np.array_equal(mode_factor(lam, method, **options), step.factor(lam))
    assert np.array_equal(mode_factor(lam, method, 0.05, 0.9, 0.7), mode_factor(lam, step))
    A, y = rotations(LADDER[-5:]), np.ones(5)
    paths = trajectory(A, y, 3, method, **options), trajectory(A, y, 3, method=step)
    assert np.array_equal(paths[0].g, paths[1].g)


def test_bad_input_is_named():
    A, y = np.diag([1.0, 0.5, 0.1]), np.ones(3)
    for make in (
        lambda: Tikhonov(-0.1),
        lambda: Tikhonov(np.nan),
        lambda: Tikhonov(0.1, 0.0),
        lambda: Landweber(0),
        lambda: Flow(-1.0),
        lambda: Flow(1.0, 0.0, 1.0),
        lambda: Flow(1.0, 1.0, -1.0),
        lambda: Cutoff(0.0),
        lambda: Iterated(Landweber(0.1), 0),
        lambda: Iterated("newton", 3),
        lambda: trajectory(A, y, -1, Landweber(0.1)),
        lambda: trajectory(A, y, 2.5, Landweber(0.1)),
    ):
        with pytest.raises(ParameterError):
            make()
    with pytest.raises(ParameterError, match=r"'adam' is unknown; choose one of newton.*or a filter"):
        get_filter("adam")
    with pytest.raises(ParameterError, match=r"needs eta; pass eta="):
        get_filter("gradient-flow", gamma=1.0)
    with pytest.raises(NotImplementedError):
        Filter().gain(1.0)
    for step, text in (
        (Landweber(2.0), r"eta = 2 .*Landweber\(eta=2.0\).*Use eta < 2"),
        (Tikhonov(0.1, 2.3), "alpha = 2.3"),
    ):
        for wrapped in (step, Iterated(step, 4)):
            with pytest.raises(StepSizeError, match=text):
                trajectory(A, y, 2, wrapped)
    assert trajectory(A, y, 2, Landweber(1.99)).loss[-1] < 2
    singular = np.diag([1.0, 0.5, 0.0])
    for step in (Tikhonov(0.0), Iterated(Tikhonov(0.0), 2)):
        with pytest.raises(SingularKernelError):
            trajectory(singular, y, 2, step)
    for step in (Flow(1.0), Cutoff(0.2), Landweber(0.1), Iterated(Flow(1.0), 3)):
        path = trajectory(singular, y, 2, step)
        assert path.residual[-1][2] == -1 and np.isfinite(path.g).all()


def test_every_stable_filter_reaches_the_minimum_norm_interpolant():
    A, rows, y = np.diag([1.0, 0.6, 0.3]), np.array([[0.2, 0.1, -0.3]]), np.array([1.0, -2.0, 0.5])
    for step, _ in CASES.values():
        path = trajectory(A, y, 400, step, rows=rows)
        np.testing.assert_allclose(path.g_test[-1], rows @ np.linalg.solve(A, y), rtol=1e-12)
    assert eigenmodes(A).lam[0] == 1.0
