import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntk_lib import Shallow, empirical_ntk, forward, gradient, gram, jacobian, loss, reference, residual
from nntk_lib.exceptions import DataTypeError, NonFiniteError, ParameterError, ShapeError
from nntk_lib.networks import C_MAX
from nntk_lib.verbs import j_dot, jt_dot

from ..cases import ALL, EPS, SMOOTH, problem, relative

networks = st.fixed_dictionaries(
    {
        "act": st.sampled_from(ALL),
        "m": st.integers(1, 9),
        "n": st.integers(1, 6),
        "d": st.integers(1, 4),
        "beta": st.floats(0.5, 1),
        "bias": st.booleans(),
        "seed": st.integers(0, 10**6),
    }
)


@given(networks)
@settings(max_examples=60, deadline=None)
def test_property_every_fast_routine_equals_its_literal_twin(case):
    net, theta, X, y = problem(**case)
    m, n = len(theta), len(X)
    tol = 20 * EPS * m * n
    J = reference.jacobian(net, theta, X)
    size = np.abs(J).max() + 1
    a, v = np.sin(np.arange(n) + 1.0), np.cos(np.arange(theta.size)).reshape(theta.shape)
    np.testing.assert_allclose(forward(net, theta, X), reference.forward(net, theta, X), atol=tol * size * 10)
    np.testing.assert_allclose(jacobian(net, theta, X).reshape(n, -1), J, atol=tol * size)
    np.testing.assert_allclose(gram(net, theta, X), J @ J.T, atol=tol * size**2 * 10)
    np.testing.assert_allclose(net.at(theta, X[:2]).cross(net.at(theta, X)), J[:2] @ J.T, atol=tol * size**2 * 10)
    np.testing.assert_allclose(jt_dot(net, theta, X, a).ravel(), J.T @ a, atol=tol * size)
    np.testing.assert_allclose(j_dot(net, theta, X, v), J @ v.ravel(), atol=tol * size * 10)
    np.testing.assert_allclose(
        gradient(net, theta, X, y).ravel(), J.T @ residual(net, theta, X, y) / n, atol=tol * size * 10
    )


@pytest.mark.parametrize("act", SMOOTH)
def test_jacobian_by_the_complex_step(act):
    net, theta, X, _ = problem(act, m=6, n=5, d=3, seed=4)
    J = jacobian(net, theta, X).reshape(len(X), -1)
    exact = reference.complex_step_jacobian(net, theta, X)
    assert np.abs(J - exact).max() <= 16 * EPS * np.abs(exact).max()


@pytest.mark.parametrize("act", SMOOTH)
def test_gradient_by_central_differences_converges_with_order_two(act):
    net, theta, X, y = problem(act, m=6, n=5, seed=2)
    v = np.random.default_rng(1).standard_normal(theta.shape)
    exact = np.vdot(gradient(net, theta, X, y), v)

    def error(h):
        plus, minus = (loss(residual(net, theta + s * h * v, X, y)) for s in (1, -1))
        return abs((plus - minus) / (2 * h) - exact)

    assert np.log2(error(2e-3) / error(1e-3)) == pytest.approx(2, abs=0.1)


def test_streaming_over_the_width_changes_rounding_only():
    net, theta, X, y = problem(m=503, n=7, d=2, beta=0.6)
    a = np.arange(7.0)
    for f in (
        lambda c: net.at(theta, X, c).gram(),
        lambda c: net.at(theta, X[:3], c).cross(net.at(theta, X, c)),
        lambda c: net.at(theta, X, c).vjp(a),
        lambda c: net.at(theta, X, c).f,
        lambda c: net.at(theta, X, c).jvp(theta),
        lambda c: net.at(theta, X, c).second(theta, theta),
        lambda c: net.at(theta, X, c).curvature_blocks(a),
    ):
        for memory in (10**4, 10**5, 10**6):
            assert relative(f(memory), f(None)) <= 100 * EPS * np.sqrt(503)


def test_empirical_kernel_carries_its_scaling():
    net, theta, X, _ = problem(m=40, n=5, beta=0.8)
    J = reference.jacobian(net, theta, X)
    np.testing.assert_allclose(empirical_ntk(net, theta, X), 40**0.6 * J @ J.T / 5, rtol=1e-12, atol=1e-14)
    Xq = X[:2] + 1
    rows = 40**0.6 * reference.jacobian(net, theta, Xq) @ J.T / 5
    np.testing.assert_allclose(empirical_ntk(net, theta, X, Xq), rows, rtol=1e-12, atol=1e-14)


def test_initialization_satisfies_a2_and_repeats():
    net = Shallow("tanh", weight_std=2.0)
    theta = net.init(200_000, 2, rng=3)
    assert theta.tobytes() == net.init(200_000, 2, rng=np.random.default_rng(3)).tobytes()
    assert theta.shape == (200_000, 4) and np.abs(theta[:, 0]).max() <= C_MAX
    standard = theta / np.array([1, 2, 2, 2])
    assert np.abs(standard.mean(axis=0)).max() <= 5 / np.sqrt(200_000)
    assert np.abs(standard.T @ standard / 200_000 - np.eye(4)).max() <= 5 * np.sqrt(2 / 200_000)


def test_inputs_are_not_modified_and_lists_are_accepted():
    net, theta, X, y = problem()
    before = theta.copy(), X.copy(), y.copy()
    gradient(net, theta, X, y)
    for a, b in zip(before, (theta, X, y), strict=True):
        assert np.array_equal(a, b)
    assert np.array_equal(forward(net, theta.tolist(), X.tolist()), forward(net, theta, X))


def test_bad_input_is_named():
    net, theta, X, y = problem(d=2)
    with pytest.raises(ShapeError, match=r"2 axes, got shape \(5,\).*Try X\[:, None\]"):
        forward(net, theta, X[:, 0])
    with pytest.raises(ShapeError, match="2 inputs and a bias; X has 3"):
        forward(net, theta, np.ones((4, 3)))
    with pytest.raises(ShapeError, match=r"y has shape \(4,\), but the outputs have \(5,\)"):
        gradient(net, theta, X, y[:4])
    with pytest.raises(DataTypeError, match="dtype"):
        forward(net, theta, [["a", "b"]])
    with pytest.raises(ShapeError, match="non-empty"):
        forward(net, theta, np.empty((0, 2)))
    X[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"X holds 1 NaN.*\(3, 1\)"):
        forward(net, theta, X)
    for kw, name in (({"beta": 0.3}, "beta = 0.3"), ({"weight_std": -1}, "weight_std"), ({"act": "x"}, "Unknown")):
        with pytest.raises(ParameterError, match=name):
            Shallow(**{"act": "tanh", **kw})
    with pytest.raises(ParameterError, match="m = 2.5"):
        net.init(2.5, 1, rng=0)
    with pytest.raises(ParameterError, match="memory = 0"):
        gram(net, theta, np.ones((2, 2)), memory=0)


def test_laws_of_the_output_weights():
    m = 200_000
    c = {law: Shallow("tanh", outputs=law).init(m, 1, rng=0)[:, 0] for law in ("uniform", "skewed", "mirrored")}
    for law, values in c.items():
        assert abs(values.mean()) <= (5 * m**-0.5 if law != "mirrored" else 1e-12), law
        assert abs((values**2).mean() - 1) <= 5 * (values**2).std() * m**-0.5, law
    assert set(np.unique(c["skewed"])) == {-0.5, 2.0}
    assert (c["skewed"] ** 3).mean() == pytest.approx(1.5, abs=5 * (c["skewed"] ** 3).std() * m**-0.5)
    net = Shallow("tanh", outputs="mirrored")
    theta = net.init(50, 2, rng=1)
    assert np.array_equal(theta[:25, 1:], theta[25:, 1:]) and np.array_equal(theta[:25, 0], -theta[25:, 0])
    assert np.abs(forward(net, theta, np.ones((3, 2)))).max() <= 10 * EPS
    with pytest.raises(ParameterError, match="must be even"):
        net.init(5, 1, rng=0)
    with pytest.raises(ParameterError, match="use 'uniform', 'skewed' or 'mirrored'"):
        Shallow("tanh", outputs="normal")
