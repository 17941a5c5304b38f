import numpy as np
import pytest

from nntk_lib.exceptions import NonFiniteError, ShapeError
from nntk_lib.limits.depth import deep_limit_ntk
from nntk_lib.limits.kernels import limit_ntk
from nntk_lib.networks.deep import Deep
from nntk_lib.networks.shallow.spec import Shallow
from nntk_lib.reference import deep as reference

EPS = np.finfo(float).eps
SMOOTH = ["tanh", "sigmoid", "erf", "sine", "softplus", "silu"]


def sphere(n, d, seed=0):
    X = np.random.default_rng(seed).standard_normal((n, d))
    return X / np.linalg.norm(X, axis=1, keepdims=True)


@pytest.mark.parametrize("act", SMOOTH)
@pytest.mark.parametrize("spec", [{}, {"frozen": (0, 2), "scale": 3.0}, {"bias": False, "gain": 0.7}])
def test_the_recursion_against_its_literal_twin(act, spec):
    net, X = Deep(act, widths=(1, 1, 1), **spec), 2 * sphere(5, 3)
    exact = np.array([[reference.limit_ntk(net, x, y) for y in X] for x in X])
    K = deep_limit_ntk(net, X)
    tol = 100 * EPS * np.abs(exact).max()  # the rules' own errors are 1e-14 of their size
    assert np.abs(K - exact).max() <= tol
    np.testing.assert_array_equal(K, K.T)
    rows = deep_limit_ntk(net, X[1:], X)
    assert rows.shape == (5, 4) and np.abs(rows - exact[:, 1:]).max() <= tol


def pooled(net, X, draws, seed):
    """Mean and standard error of J J^T over initial parameters."""
    rng = np.random.default_rng(seed)
    K = np.array([net.at(net.init(X.shape[1], rng), X).gram() for _ in range(draws)])
    return K.mean(axis=0), K.std(axis=0, ddof=1) / np.sqrt(draws)


@pytest.mark.parametrize(
    "spec",
    [
        {"act": "tanh", "widths": (512, 512)},
        {"act": "relu", "widths": (512, 512), "scale": 0.5, "bias": False},
        {"act": "silu", "widths": (512, 512), "frozen": (0, 2)},
        {"act": "sigmoid", "widths": (512, 384), "normalize_inputs": False, "gain": 2.0, "frozen": (1,)},
        {"act": "erf", "widths": (400, 400, 400), "frozen": (3,)},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_wide_networks_have_this_kernel(spec):
    net, X = Deep(**spec), 1.5 * sphere(4, 3, seed=1)
    mean, error = pooled(net, X, 128, seed=2)
    K = deep_limit_ntk(net, X)
    assert (error <= 0.02 * K.diagonal().max()).all()  # 2 % is seen
    assert (np.abs(mean - K) <= 4.5 * error).all()


def test_the_outputs_of_a_wide_network_have_independent_kernels():
    net, X = Deep("tanh", widths=(512, 512), outputs=2), sphere(3, 3)
    mean, error = pooled(net, X, 96, seed=0)
    exact = np.kron(deep_limit_ntk(net, X), np.eye(2))
    assert (np.abs(mean - exact) <= 4.5 * error).all() and error.max() <= 0.02 * exact.max()


def test_the_error_of_a_finite_width_falls_like_its_root():
    X, root = sphere(4, 3), []
    for m in (64, 1024):
        net = Deep("tanh", widths=(m, m))
        K, rng = deep_limit_ntk(net, X), np.random.default_rng(0)
        root.append(np.mean([np.linalg.norm(net.at(net.init(3, rng), X).gram() - K) ** 2 for _ in range(40)]) ** 0.5)
    assert np.log(root[0] / root[1]) / np.log(16) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("act", [*SMOOTH, "relu"])
@pytest.mark.parametrize("bias", [True, False])
def test_one_hidden_layer_is_n_times_the_kernel_of_the_newton_paper(act, bias):
    X = 0.8 * sphere(6, 2)
    net = Deep(act, widths=(9,), bias=bias, gain=1.0, normalize_inputs=False)
    exact = 6 * limit_ntk(Shallow(act, beta=0.5, bias=bias), X)
    assert np.abs(deep_limit_ntk(net, X) - exact).max() <= 200 * EPS * exact.max()


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_relu_against_the_arc_cosine_recursion(depth):
    X = sphere(7, 3)
    net = Deep("relu", widths=(1,) * depth, bias=False, normalize_inputs=False)
    rho = np.clip(X @ X.T, -1, 1)
    T = rho
    for _ in range(depth):  # Cho and Saul (2009): kappa_1 and kappa_0, on the unit sphere and with gain 2
        angle = np.arccos(rho)
        rho = (np.sin(angle) + (np.pi - angle) * rho) / np.pi
        T = T * (np.pi - angle) / np.pi + rho
    off = ~np.eye(7, dtype=bool)
    K = deep_limit_ntk(net, X)
    assert np.abs(K - T)[off].max() <= 100 * depth * EPS * depth / np.sqrt(1 - rho[off].max())
    np.testing.assert_allclose(K.diagonal(), depth + 1, rtol=16 * EPS)


def test_relu_is_exact_for_repeated_samples():
    X = np.random.default_rng(0).standard_normal((40, 3))
    net = Deep("relu", widths=(1, 1, 1))
    K, rows = deep_limit_ntk(net, X), deep_limit_ntk(net, X, X[[2, 0]])
    np.testing.assert_allclose(K.diagonal(), 4 * (net.inputs(X) ** 2).sum(axis=1), rtol=32 * EPS)
    np.testing.assert_allclose(rows[[0, 1], [2, 0]], K.diagonal()[[2, 0]], rtol=32 * EPS)
    np.testing.assert_allclose(rows, K[[2, 0]], rtol=1e-13)


def test_without_hidden_layers_it_is_the_linear_kernel():
    X = sphere(4, 3)
    net = Deep("tanh", widths=(), bias=False, scale=2.0)
    np.testing.assert_allclose(deep_limit_ntk(net, X), 4 * X @ X.T / 3, rtol=8 * EPS, atol=8 * EPS)


def test_the_zero_sample_without_a_bias():
    X = np.vstack([np.zeros(2), np.eye(2)])
    for act in ("relu", "tanh"):
        K = deep_limit_ntk(Deep(act, widths=(1, 1), bias=False), X)
        assert np.isfinite(K).all() and np.abs(K[0]).max() == 0
    net = Deep("sigmoid", widths=(1, 1), bias=False)  # sigmoid(0) = 1/2 goes on
    first = net.constant / 4
    s, ds = reference.dual_activation(net.act, first, first, 0.0)
    exact = net.constant * (first * ds + s)
    assert abs(deep_limit_ntk(net, X)[0, 0] - exact) <= 100 * EPS * exact


def test_bad_input_is_refused_by_name():
    net, X = Deep("tanh"), np.ones((3, 2))
    with pytest.raises(ShapeError, match="Xq has 1 inputs, but X has 2"):
        deep_limit_ntk(net, X, X[:, :1])
    with pytest.raises(ShapeError, match=r"Try X\[:, None\]"):
        deep_limit_ntk(net, X[:, 0])
    with pytest.raises(NonFiniteError):
        deep_limit_ntk(net, X * np.nan)
