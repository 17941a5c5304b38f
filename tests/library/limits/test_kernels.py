import importlib.util
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from nntk_lib import Activation, Shallow, circle, empirical_ntk, limit_ntk, reference, silu
from nntk_lib.exceptions import AssumptionWarning, CollinearSamplesError, ParameterError, SingularKernelError
from nntk_lib.limits import dual_activation, nntk
from nntk_lib.limits.gaussian import TILE, dual_tiles
from nntk_lib.limits.kernels import angles
from nntk_lib.limits.quadrature import TERMS, HermiteSeries, trapezoid, trapezoid_nodes
from nntk_lib.networks import ACTIVATIONS, erf, shifted, sine, tanh

from ..cases import ALL, EPS, SMOOTH

HERE = Path(__file__).parent
TABLE = json.loads((HERE / "ntk_reference.json").read_text())["rows"]


def hermite(act, q1, q2, theta):
    """Mehler's formula for one pair in a block of its own."""
    values, bounds, *_ = HermiteSeries(act, np.append(q1, q2)).sums(np.array([0]), np.array([1]), np.cos(theta), 1e-14)
    return values, bounds


def one(f, act, q1, q2, theta):
    """A routine for pairs, applied to one pair; the values and errors of the two expectations."""
    args = (np.array([q1]), np.array([q2]), np.array([[theta]]))
    values, errors = f(act, *args) if f is not trapezoid else f(act, args[0], args[1], args[2][0])
    return np.ravel(values), np.ravel(errors)


@pytest.mark.parametrize("row", TABLE, ids=lambda r: "-".join(r[:4]))
def test_dual_activations_against_thirty_digits(row):
    name, exact = row[0], np.array([float(row[4]), float(row[5])])
    values, errors = one(dual_activation, ACTIVATIONS[name], *map(float, row[1:4]))
    assert np.abs(values - exact).max() <= 1e-13
    assert np.all(np.abs(values - exact) <= errors + 4 * EPS)  # the estimate is one


def test_the_reference_table_is_what_its_script_computes():
    spec = importlib.util.spec_from_file_location("make_ntk_reference", HERE / "make_ntk_reference.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    for row in (TABLE[2], next(r for r in TABLE if r[0] == "erf" and r[1] == "16")):
        assert [script.mp.nstr(e, 30) for e in script.dual(*row[:4])] == row[4:]
    assert {r[0] for r in TABLE} == {"tanh", "sigmoid", "erf"} and len(TABLE) == 3 * 4 * 6


@pytest.mark.parametrize("name", SMOOTH)
@pytest.mark.parametrize("theta", [1e-3, 0.4, 1.7, 2.9])
def test_hermite_expansion_and_trapezoidal_rule_agree(name, theta):
    act = ACTIVATIONS[name]
    (a, bound), (b, estimate) = one(hermite, act, 1.3, 0.6, theta), one(trapezoid, act, 1.3, 0.6, theta)
    assert np.all(np.abs(a - b) <= bound + estimate)
    assert estimate.max() < 1e-9 and np.abs(a - b).max() <= bound.max() + 1e-13
    values, _ = one(dual_activation, act, 1.3, 0.6, theta)
    assert np.abs(values - b).max() <= 1e-13 * max(1, np.abs(b).max())


@pytest.mark.parametrize("q1, q2, theta", [(120.0, 100.0, 1e-3), (150.0, 150.0, 1e-2), (90.0, 2.0, np.pi - 3e-3)])
def test_what_the_series_cannot_finish_goes_to_the_other_rule(q1, q2, theta):
    act = ACTIVATIONS["tanh"]
    *_, unfinished, exhausted = HermiteSeries(act, np.array([q1, q2])).sums(
        np.array([0]), np.array([1]), np.array([np.cos(theta)]), 1e-14
    )
    assert unfinished.all() and exhausted
    values, errors = one(dual_activation, act, q1, q2, theta)
    error = np.abs(values - reference.dual_activation(act, q1, q2, theta))
    assert np.all(error <= errors + 4 * EPS) and errors.max() < 1e-13


KINDS = {
    "tanh": ("tanh", False, lambda n, rng: rng.standard_normal((n, 10))),
    "sigmoid": ("sigmoid", False, lambda n, rng: 0.3 * rng.standard_normal((n, 3))),
    "no parity": (shifted("tanh", 0.7), True, lambda n, rng: rng.uniform(-1, 1, (n, 5))),
    "unnamed erf": (Activation("e", erf.rows, erf.sup, erf.strip), True, lambda n, rng: rng.uniform(-1, 1, (n, 2))),
    "line": ("tanh", True, lambda n, rng: np.linspace(-1, 1, n)[:, None]),  # a third of the pairs is nearly collinear
}


@pytest.mark.parametrize("kind", KINDS)
def test_all_blocks_and_lists_against_the_literal_rule(kind):
    act, bias, draw = KINDS[kind]
    n, rng = 400, np.random.default_rng(3)
    assert n * (n + 1) // 2 > TILE  # more than one block
    net, X = Shallow(act, bias=bias), draw(n, rng)
    A, error = limit_ntk(net, X, return_error=True)
    Z = net.inputs(X)
    theta, q, cosine = angles(Z, Z), (Z**2).sum(axis=1), Z @ Z.T
    closest = np.argsort(np.where(np.eye(n) > 0, 9.0, np.minimum(theta, np.pi - theta)), axis=None)[:20]
    diagonal = np.repeat(rng.integers(0, n, (10, 1)), 2, axis=1)
    for i, j in (*rng.integers(0, n, (40, 2)), *diagonal, *np.stack(divmod(closest, n), axis=1)):
        first, second = reference.dual_activation(net.act, q[i], q[j], theta[i, j])
        exact = first + second * cosine[i, j]
        assert abs(n * A[i, j] - exact) <= n * error[i, j] <= 1e-12 * (1 + abs(exact))
        assert A[i, j] == A[j, i] and error[i, j] == error[j, i]
    assert np.abs(limit_ntk(net, X, X[:3]) - A[:3]).max() <= 2 * error.max()


def test_memory_beyond_the_result_is_a_few_blocks_and_the_coefficients():
    n = 800
    X = np.random.default_rng(0).uniform(-1, 1, (n, 3))
    theta, q = angles(X, X), (X**2).sum(axis=1)
    nodes = len(HermiteSeries(ACTIVATIONS["tanh"], q)._z)
    tracemalloc.start()
    values, errors = dual_activation(ACTIVATIONS["tanh"], q, q, theta)
    beyond = tracemalloc.get_traced_memory()[1] - values.nbytes - errors.nbytes
    tracemalloc.stop()
    assert beyond <= 8 * (16 * TILE + 2 * n * (5 * nodes + TERMS))


def test_relu_closed_form_against_monte_carlo():
    rng = np.random.default_rng(0)
    u, t = rng.standard_normal((2, 10**6))
    v = 1.5 * (np.cos(0.8) * u + np.sin(0.8) * t)
    values, _ = one(dual_activation, ACTIVATIONS["relu"], 1.0, 2.25, 0.8)
    for value, draws in zip(values, (np.maximum(u, 0) * np.maximum(v, 0), (u > 0) * (v > 0)), strict=True):
        assert abs(value - draws.mean()) <= 5 * draws.std() / 1e3


def test_tiny_angles_keep_their_digits():
    a = np.array([[1.0, 0.0], [1.0, 1e-9]])
    assert angles(a, a)[0, 1] == pytest.approx(1e-9, rel=1e-12)
    assert angles(a, -a)[0, 1] == pytest.approx(np.pi - 1e-9, abs=EPS * 4)


@pytest.mark.parametrize("name", ALL)
def test_kernel_is_symmetric_positive_semidefinite_with_consistent_rows(name):
    net = Shallow(name, weight_std=1.5)
    X = np.random.default_rng(2).uniform(-1, 1, (12, 2))
    A, error = limit_ntk(net, X, return_error=True)
    assert np.array_equal(A, A.T) and error.max() < 1e-10
    lam = np.linalg.eigvalsh(A)
    assert lam[0] > -len(A) * error.max()
    np.testing.assert_allclose(limit_ntk(net, X, X[:4]), A[:4], rtol=1e-12)
    assert limit_ntk(net, X, X[:3] + 0.1).shape == (3, 12)


@pytest.mark.parametrize("name", ALL)
def test_kernel_against_monte_carlo(name):
    net, X = Shallow(name), np.random.default_rng(5).standard_normal((4, 2))
    mean, error = reference.limit_ntk_monte_carlo(net, X, 200_000, rng=1)
    assert np.all(np.abs(mean - limit_ntk(net, X)) <= 5 * error)


def test_kernel_counts_only_the_layers_that_train():
    X = np.random.default_rng(5).standard_normal((4, 2))
    both, inner, outer = (Shallow("silu", trains=layers) for layers in ("both", "inner", "outer"))
    parts = [limit_ntk(net, X, return_error=True) for net in (inner, outer)]
    whole = limit_ntk(both, X, return_error=True)
    for i in range(2):
        np.testing.assert_allclose(parts[0][i] + parts[1][i], whole[i], rtol=1e-12)
    for net, (kernel, _) in zip((inner, outer), parts, strict=True):
        mean, error = reference.limit_ntk_monte_carlo(net, X, 200_000, rng=2)
        assert np.all(np.abs(mean - kernel) <= 5 * error)


def test_empirical_kernel_converges_with_slope_minus_one_half():
    net, X = Shallow("tanh", beta=0.8), np.random.default_rng(0).standard_normal((6, 2))
    A = limit_ntk(net, X)
    widths = 2 ** np.arange(6, 17, 2)
    error = [
        np.sqrt(np.mean([np.linalg.norm(empirical_ntk(net, net.init(m, 2, rng=s), X) - A) ** 2 for s in range(20)]))
        for m in widths
    ]
    slope = np.polyfit(np.log(widths), np.log(error), 1)[0]
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_circle_kernel_is_circulant():
    A = limit_ntk(Shallow("tanh", weight_std=2.0), circle(24, (1, 3)).X)
    assert np.abs(A - np.roll(A, (1, 1), axis=(0, 1))).max() <= 1e-14
    np.testing.assert_allclose(np.sort(np.fft.fft(A[0]).real), np.linalg.eigvalsh(A), atol=1e-13)


def test_newton_kernel_eigenvalues():
    A = limit_ntk(Shallow("erf"), np.linspace(-1, 1, 6)[:, None])
    lam, Q = np.linalg.eigh(A)
    K = nntk(A, 0.01)
    np.testing.assert_allclose(K @ Q, Q * (lam / (lam + 0.01)), atol=1e-13)
    B = np.diag([1.0, 0.5])
    np.testing.assert_allclose(nntk(B, 0.0), np.eye(2), atol=EPS)


def test_assumption_b2_is_sufficient_but_not_necessary():
    X = np.array([[1.0, 0.5], [2.0, 1.0], [0.0, 1.0]])
    with pytest.warns(AssumptionWarning, match="Samples 0 and 1.*B2 fails.*not singular"):
        A = limit_ntk(Shallow("tanh", bias=False), X)
    assert np.linalg.eigvalsh(A)[0] > 1e-4
    with pytest.warns(AssumptionWarning, match="zero vector"):
        limit_ntk(Shallow("sigmoid", bias=False), np.array([[0.0, 0.0], [0.0, 1.0]]))


@pytest.mark.parametrize(
    "name, X",
    [
        ("sigmoid", circle(8, (1,)).X),
        ("sigmoid", np.array([[1.0], [-1.0], [2.0], [-2.0]])),
        ("sigmoid", np.array([[0.0, 0.0], [0.0, 0.0], [1.0, 0.0]])),
        ("relu", circle(8, (1,)).X),
    ],
)
def test_pairs_that_are_harmless_alone_may_not_be_together(name, X):
    """sigma(t) + sigma(-t) = 1, and relu(t) - relu(-t) = t: the spectrum decides, not the pairs."""
    with pytest.raises(CollinearSamplesError, match="singular"):
        limit_ntk(Shallow(name, bias=False), X)


def test_one_warning_for_many_pairs():
    with pytest.warns(AssumptionWarning, match="2 more of this kind") as caught:
        limit_ntk(Shallow(shifted("tanh", 0.5), bias=False), np.array([[1.0], [2.0], [3.0]]))
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["sine", "erf", "relu"])
def test_closed_forms_at_extremes_against_thirty_digits(name):
    """Variances from 1e-10 to 1e6, angles from 1e-6 to pi - 1e-6: within the error that is stated."""
    mp = pytest.importorskip("mpmath")
    mp.mp.dps = 40
    net = Shallow(name)
    worst = 0.0
    for q1 in (1e-10, 1e-6, 1e-3, 1.0, 1e4, 1e6):
        for q2 in (q1, 2 * q1, 1.0):
            for theta in (1e-6, 1e-3, 1.0, np.pi / 2, 3.0, np.pi - 1e-6):
                args = np.array([[q1]]), np.array([[q2]]), np.array([[theta]])
                ((_key, values, errors),) = dual_tiles(
                    net.act, args[0][0], args[1][0], lambda key, t=theta: np.cos([[t]]), lambda key, a=args: a[2], 1e-14
                )
                exact = closed_form(mp, name, q1, q2, theta)
                away = [float(abs(mp.mpf(float(v)) - e)) for v, e in zip(values.ravel(), exact, strict=True)]
                worst = max(worst, (away / errors.ravel()).max())
    assert worst <= 1


def closed_form(mp, name, q1, q2, theta):
    """E sigma(u) sigma(v) and E sigma'(u) sigma'(v), as published, with forty digits."""
    q1, q2, theta = mp.mpf(q1), mp.mpf(q2), mp.mpf(float(theta))
    q12 = mp.sqrt(q1 * q2) * mp.cos(theta)
    if name == "sine":
        return mp.exp(-(q1 + q2) / 2) * mp.sinh(q12), mp.exp(-(q1 + q2) / 2) * mp.cosh(q12)
    if name == "erf":
        det = (1 + 2 * q1) * (1 + 2 * q2)
        return 2 / mp.pi * mp.asin(2 * q12 / mp.sqrt(det)), 4 / mp.pi / mp.sqrt(det - 4 * q12**2)
    angle = (mp.pi - theta) / (2 * mp.pi)
    return mp.sqrt(q1 * q2) * (mp.sin(theta) / (2 * mp.pi) + angle * mp.cos(theta)), angle


def test_bad_input_is_named():
    net = Shallow("tanh")
    X = np.random.default_rng(0).standard_normal((4, 2))
    with pytest.raises(CollinearSamplesError, match="Samples 1 and 4"):
        limit_ntk(net, np.vstack([X, X[1]]))
    with pytest.raises(CollinearSamplesError, match="Samples 0 and 4.*tanh is singular.*bias=True"):
        limit_ntk(Shallow("tanh", bias=False), np.vstack([X, -X[0]]))  # tanh is odd
    with pytest.raises(CollinearSamplesError, match="Samples 0 and 4.*relu is singular"):
        limit_ntk(Shallow("relu", bias=False), np.vstack([X, 2 * X[0]]))  # ReLU is homogeneous
    with pytest.raises(CollinearSamplesError, match="zero vector"):
        limit_ntk(Shallow("tanh", bias=False), np.vstack([X, 0 * X[0]]))
    nearly = np.vstack([X, X[1] * (1 + 1e-5)])  # distinct directions thanks to the bias: allowed
    assert np.isfinite(limit_ntk(net, nearly)).all()
    with pytest.raises(SingularKernelError, match="gamma > 0"):
        nntk(np.ones((3, 3)), 0.0)
    with pytest.raises(ParameterError, match="quadrature nodes"):
        trapezoid_nodes(silu(1e6).strip, 1.0)
    with pytest.raises(ParameterError, match="gamma"):
        nntk(np.eye(2), -1.0)


def test_shifted_activation():
    z = np.linspace(-3, 3, 7)
    for whole, part in zip(shifted("tanh", 0.7).rows(z), tanh.rows(z + 0.7), strict=True):
        assert np.array_equal(whole, part)
    # E[sin(z + b) sin(z' + b)] = E[sin sin] cos^2 b + E[cos cos] sin^2 b, and E[cos cos] is the dual of the derivative
    X = np.array([[0.3], [-1.0], [0.8]])
    b, inner = 0.9, np.outer(X[:, 0], X[:, 0]) + 1
    exact = limit_ntk(Shallow(sine), X)
    q = np.diag(inner)
    sines = np.exp(-(q[:, None] + q) / 2) * np.sinh(inner)
    cosines = np.exp(-(q[:, None] + q) / 2) * np.cosh(inner)
    assert exact == pytest.approx((sines + cosines * inner) / 3, rel=1e-14)
    mixed = sines * np.cos(b) ** 2 + cosines * np.sin(b) ** 2
    slopes = cosines * np.cos(b) ** 2 + sines * np.sin(b) ** 2
    assert limit_ntk(Shallow(shifted(sine, b)), X) == pytest.approx((mixed + slopes * inner) / 3, rel=1e-13)
