import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntk_lib.exceptions import NNTKError, NonFiniteError, ParameterError, ShapeError
from nntk_lib.networks.activations import ACTIVATIONS, shifted, silu
from nntk_lib.networks.deep import Deep, second_moment
from nntk_lib.reference import deep as reference

EPS = np.finfo(float).eps
SMOOTH = ["tanh", "sigmoid", "erf", "sine", "softplus", "silu"]


def problem(n=5, d=3, seed=0, **spec):
    """A network, parameters, samples, two directions and weights of the outputs."""
    net = Deep(**{"act": "tanh", "widths": (6, 4), **spec})
    rng = np.random.default_rng(seed)
    theta = net.init(d, rng)
    v, w = rng.standard_normal((2, theta.size))
    a = rng.standard_normal(n if net.outputs == 1 else (n, net.outputs))
    return net, theta, rng.standard_normal((n, d)), v, w, a


def rounding(net, theta, d):
    """Relative rounding error allowed for a sum over layers: 8 eps for every term of the longest sums."""
    return 8 * EPS * sum(fan_in + 4 for _, fan_in in net.shapes(d))


def gap(value, exact):
    """Largest difference, over the largest exact entry."""
    return np.abs(np.ravel(value) - np.ravel(exact)).max() / max(np.abs(exact).max(), np.finfo(float).tiny)


networks = st.fixed_dictionaries(
    {
        "act": st.sampled_from([*SMOOTH, "relu"]),
        "widths": st.lists(st.integers(1, 5), max_size=3).map(tuple),
        "outputs": st.integers(1, 3),
        "bias": st.booleans(),
        "scale": st.floats(0.1, 10),
        "gain": st.sampled_from(["unit", 1.0, 0.3]),
        "normalize_inputs": st.booleans(),
        "n": st.integers(1, 4),
        "d": st.integers(1, 3),
        "seed": st.integers(0, 10**6),
    }
)


@given(networks, st.data())
@settings(max_examples=60, deadline=None)
def test_property_every_product_equals_its_literal_twin(case, data):
    depth = len(case["widths"])
    case["frozen"] = data.draw(st.sets(st.integers(0, depth), max_size=depth), label="frozen")
    net, theta, X, v, w, a = problem(**case)
    n, d = X.shape
    at, J = net.at(theta, X), reference.jacobian(net, theta, X)
    tol = rounding(net, theta, d)
    size = np.abs(J).max() + np.finfo(float).tiny  # sums of J may cancel; their rounding errors scale with its entries
    assert gap(at.f, reference.forward(net, theta, X)) <= 100 * tol
    assert np.abs(at.gram() - J @ J.T).max() <= tol * theta.size * size**2
    assert np.abs(at.vjp(a).ravel() - J.T @ a.ravel()).max() <= tol * n * size * np.abs(a).max()
    assert np.abs(at.jvp(v).ravel() - J @ v).max() <= tol * theta.size * size * np.abs(v).max()
    exact = reference.second(net, theta, X, v, w)
    terms = np.abs(exact).max() + np.abs(reference.jvp(net, theta, X, w)).max()  # the size of what may cancel
    assert np.abs(at.second(v, w).ravel() - exact.ravel()).max() <= 1e3 * tol * terms
    assert at.f.shape == at.jvp(v).shape == at.second(v, w).shape == ((n,) if net.outputs == 1 else (n, net.outputs))


@pytest.mark.parametrize("act", SMOOTH)
@pytest.mark.parametrize("outputs", [1, 3])
def test_gram_jvp_vjp_and_second_against_the_complex_step(act, outputs):
    net, theta, X, v, w, a = problem(n=6, act=act, widths=(7, 5, 6), outputs=outputs, scale=3.0)
    at, J = net.at(theta, X), reference.jacobian(net, theta, X)
    tol = rounding(net, theta, 3)
    assert gap(at.gram(), reference.gram(net, theta, X)) <= tol
    assert gap(at.jvp(v), J @ v) <= tol
    assert gap(at.vjp(a), J.T @ a.ravel()) <= tol
    assert gap(at.second(v, w), reference.second(net, theta, X, v, w)) <= tol
    np.testing.assert_array_equal(at.gram(), at.gram().T)
    assert at.gram() is at.gram() and at.kernel_scale == 1


@pytest.mark.parametrize("outputs", [1, 3])
def test_the_adjoint_identity(outputs):
    net, theta, X, v, _, a = problem(n=9, d=4, widths=(12, 7, 9), outputs=outputs)
    at = net.at(theta, X)
    terms = np.abs(a * at.jvp(v)).sum()
    assert abs(np.vdot(a, at.jvp(v)) - np.vdot(at.vjp(a), v)) <= rounding(net, theta, 4) * terms


@pytest.mark.parametrize("act", SMOOTH)
def test_central_differences_converge_with_order_two(act):
    net, theta, X, v, w, _ = problem(act=act, outputs=2)
    at = net.at(theta, X)

    def errors(h):
        plus, minus = (net.at(theta + s * h * w, X) for s in (1, -1))
        first = (plus.f - minus.f) / (2 * h) - at.jvp(w)
        return np.linalg.norm(first), np.linalg.norm((plus.jvp(v) - minus.jvp(v)) / (2 * h) - at.second(v, w))

    for rough, fine in zip(errors(2e-3), errors(1e-3), strict=True):
        assert np.log2(rough / fine) == pytest.approx(2, abs=0.1)


def test_the_second_derivative_is_symmetric_and_bilinear():
    net, theta, X, v, w, _ = problem(outputs=2)
    at, tol = net.at(theta, X), rounding(*problem(outputs=2)[:2], 3)
    assert gap(at.second(v, w), at.second(w, v)) <= tol
    assert gap(at.second(v + w, v + w), at.second(v, v) + 2 * at.second(v, w) + at.second(w, w)) <= 4 * tol


@pytest.mark.parametrize("outputs", [1, 3])
def test_cross_holds_the_rows_of_the_joint_gram_matrix(outputs):
    net, theta, X, *_ = problem(n=7, outputs=outputs, frozen=(1,))
    whole = net.at(theta, X).gram()
    first, rest = net.at(theta, X[:3]), net.at(theta, X[3:])
    k, tol = 3 * outputs, rounding(net, theta, 3)
    assert gap(first.cross(rest), whole[:k, k:]) <= tol
    assert gap(rest.cross(first), whole[k:, :k]) <= tol
    assert gap(first.cross(net.at(theta, X[:3])), whole[:k, :k]) <= tol
    assert first.cross(first) is first.gram()


@pytest.mark.parametrize("outputs", [1, 2])
def test_inputs_and_back_make_the_jacobian(outputs):
    net, theta, X, *_ = problem(outputs=outputs, scale=0.7)
    at, J = net.at(theta, X), reference.jacobian(net, theta, X)
    blocks = [np.einsum("cni,nj->ncij", b, a).reshape(len(J), -1) for a, b in zip(at.inputs, at.back, strict=True)]
    assert gap(np.hstack(blocks), J) <= rounding(net, theta, 3)
    for a, b, (rows, columns) in zip(at.inputs, at.back, net.shapes(3), strict=True):
        assert a.shape == (5, columns) and b.shape == (outputs, 5, rows)


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("frozen", [(), (0,), (1, 2)])
def test_vjp_is_the_same_before_and_after_the_gram_matrix(outputs, frozen):
    """After it the signals are there, and no back-propagation is made."""
    net = Deep("tanh", (6, 5), outputs, frozen=frozen, scale=0.7)
    theta, X = net.init(4, rng=0), np.random.default_rng(1).standard_normal((9, 4))
    at, a = net.at(theta, X), np.random.default_rng(2).standard_normal(net.at(theta, X).f.shape)
    before = at.vjp(a)
    at.gram()
    np.testing.assert_allclose(at.vjp(a), before, rtol=0, atol=50 * EPS * np.abs(before).max())


@pytest.mark.parametrize("frozen", [(0,), (2,), (0, 1), (1, 2), (0, 2)])
def test_frozen_layers_get_zeros_and_change_nothing_else(frozen):
    net, theta, X, v, w, a = problem(outputs=2)
    free, at = net.at(theta, X), replace(net, frozen=frozen).at(theta, X)
    mask = np.ones_like(theta)
    for l in frozen:
        net.layers(mask, 3)[l][...] = 0
    np.testing.assert_array_equal(at.f, free.f)
    np.testing.assert_array_equal(at.vjp(a), free.vjp(a) * mask)
    np.testing.assert_array_equal(at.jvp(v), free.jvp(v * mask))
    np.testing.assert_array_equal(at.second(v, w), free.second(v * mask, w * mask))
    lowest = min(set(range(3)) - set(frozen))
    assert [b is None for b in at.back] == [l < lowest for l in range(3)]


def test_the_layers_kernels_add_up():
    net, theta, X, *_ = problem(outputs=2)
    whole = net.at(theta, X).gram()
    parts = [replace(net, frozen=set(range(3)) - {l}).at(theta, X).gram() for l in range(3)]
    assert gap(sum(parts), whole) <= rounding(net, theta, 3)


def test_the_forms_of_the_papers():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((4, 3))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    cayci = Deep("tanh", widths=(8, 8), bias=False, normalize_inputs=False, scale=5.0)
    theta = cayci.init(3, rng, head="signs")
    W1, W2, c = cayci.layers(theta, 3)
    assert set(np.unique(c)) <= {-1.0, 1.0}
    a = cayci.constant
    x1 = np.sqrt(a / 8) * np.tanh(X @ W1.T)
    np.testing.assert_allclose(cayci.at(theta, X).f, 5 * np.sqrt(a / 8) * np.tanh(x1 @ W2.T) @ c[0], rtol=64 * EPS)
    tangent = Deep("tanh", widths=(8, 8), gain=1)  # sigma(W x / sqrt(fan-in)) throughout
    theta = tangent.init(3, rng)
    W1, W2, c = tangent.layers(theta, 3)
    x1 = np.tanh(np.column_stack([X, np.ones(4)]) @ W1.T / 2)
    exact = np.tanh(x1 @ W2.T / np.sqrt(8)) @ c[0] / np.sqrt(8)
    np.testing.assert_allclose(tangent.at(theta, X).f, exact, rtol=64 * EPS)


def test_the_unit_gain_keeps_the_length_of_what_passes():
    rng = np.random.default_rng(1)
    X = rng.standard_normal((3, 5))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    for gain, kept in (("unit", True), (1.0, False)):
        net = Deep("tanh", widths=(2000,) * 3, bias=False, normalize_inputs=False, gain=gain)
        square = (net.at(net.init(5, rng), X).inputs[-1] ** 2).sum(axis=1)
        assert (np.abs(square - 1) <= 6 * np.sqrt(3 / 2000)).all() == kept


@pytest.mark.parametrize("act", [*ACTIVATIONS.values(), silu(10.0), shifted("tanh", 0.7)], ids=lambda a: a.name)
def test_the_second_moment_against_an_adaptive_rule(act):
    from scipy.integrate import quad

    density = lambda z: float(act.f(z)) ** 2 * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    exact = sum(quad(density, *ends, epsabs=1e-14, epsrel=1e-14, limit=200)[0] for ends in ((-12, 0), (0, 12)))
    assert second_moment(act) == pytest.approx(exact, rel=1e-13)


def test_without_hidden_layers_it_is_a_linear_model():
    net, theta, X, v, w, _ = problem(widths=(), outputs=2)
    at = net.at(theta, X)
    np.testing.assert_array_equal(at.second(v, w), np.zeros((5, 2)))
    assert gap(at.gram(), np.kron(net.inputs(X) @ net.inputs(X).T, np.eye(2))) <= 4 * EPS
    assert gap(at.jvp(theta), at.f) <= 4 * EPS


def test_a_small_budget_changes_the_gram_matrix_by_rounding_only():
    net, theta, X, *_ = problem(n=40, outputs=3, widths=(20, 20))
    whole, tol = net.at(theta, X).gram(), rounding(net, theta, 3)
    for memory in (8 * 40 * 13, 8 * 40 * 13 * 7):  # one sample a slab, and seven
        sliced = net.at(theta, X, memory)
        assert gap(sliced.gram(), whole) <= tol
        np.testing.assert_array_equal(sliced.gram(), sliced.gram().T)
        assert gap(sliced.cross(net.at(theta, X[:9])), whole[:, :27]) <= tol


def test_the_budget_holds():
    n, C = 150, 4
    net, theta, X, *_ = problem(n=n, outputs=C, widths=(10, 10))
    at = net.at(theta, X, 2**19)
    at.back  # noqa: B018 - not a temporary of the matrix
    tracemalloc.start()
    at.gram()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= 8 * (n * C) ** 2 + 1.1 * 2**19


def test_single_precision_stays_single():
    net, theta, X, v, _, a = problem(outputs=2)
    at, exact = net.at(theta.astype(np.float32), X.astype(np.float32)), net.at(theta, X)
    for name, argument in (("gram", ()), ("jvp", (v,)), ("vjp", (a,)), ("second", (v, v))):
        value = getattr(at, name)(*(x.astype(np.float32) for x in argument))
        assert value.dtype == np.float32
        assert gap(value, getattr(exact, name)(*argument)) <= np.finfo(np.float32).eps / EPS * rounding(net, theta, 3)


def test_no_floating_point_exception_where_activations_saturate():
    with np.errstate(all="raise", under="ignore"):
        for act in SMOOTH:
            net, theta, X, v, w, a = problem(act=act, outputs=2)
            at = net.at(300 * theta, X)
            for value in (at.f, at.gram(), at.vjp(a), at.jvp(v), at.second(v, w)):
                assert np.isfinite(value).all()


def test_init_is_reproducible_and_normal():
    net = Deep("tanh", widths=(150, 100), outputs=2)
    theta = net.init(4, 7)
    np.testing.assert_array_equal(theta, net.init(4, np.random.default_rng(7)))
    assert theta.shape == (net.size(4),) == (150 * 5 + 100 * 150 + 2 * 100,)
    n = theta.size
    assert abs(theta.mean()) <= 4 / np.sqrt(n) and abs(theta.var() - 1) <= 4 * np.sqrt(2 / n)
    for W in net.layers(theta, 4):
        assert np.shares_memory(W, theta)


def test_a_centred_network_starts_at_zero_with_the_same_derivatives():
    net, theta, X, v, *_ = problem(outputs=3)
    centred = net.centred(theta)
    at = centred.at(theta + v, X)
    assert np.abs(centred.at(theta, X).f).max() == 0
    np.testing.assert_array_equal(at.f, net.at(theta + v, X).f - net.at(theta, X).f)
    np.testing.assert_array_equal(at.gram(), net.at(theta + v, X).gram())
    start = theta.copy()
    theta[:] = 0  # the origin is a copy
    assert np.abs(centred.at(start, X).f).max() == 0


def test_specifications_compare_and_hash():
    assert Deep("tanh", widths=[3, 4], frozen=[1, 0]) == Deep("tanh", widths=(3, 4), frozen=(0, 1))
    assert len({Deep("tanh", widths=[3, 4]), Deep("tanh", widths=(3, 4)), Deep("tanh", widths=(4, 3))}) == 2


net, theta, X, v, w, a = problem()
at = net.at(theta, X)
BAD = {
    "a width": (lambda: Deep(widths=(3, 0)), ParameterError, r"widths\[1\] = 0 must be an integer, 1 or more"),
    "one width": (lambda: Deep(widths=64), ParameterError, r"Try widths=\(64, 64\)"),
    "outputs": (lambda: Deep(outputs=0), ParameterError, "outputs = 0 must be an integer"),
    "activation": (lambda: Deep("swish"), ParameterError, "Unknown activation 'swish'"),
    "infinite scale": (lambda: Deep(scale=np.inf), ParameterError, "scale = inf must be"),
    "scale": (lambda: Deep(scale=0.0), ParameterError, "scale = 0 must be .*greater than 0"),
    "gain": (lambda: Deep(gain=-1.0), ParameterError, "gain = -1 must be .*greater than 0"),
    "name of a gain": (lambda: Deep(gain="he"), ParameterError, "Use 'unit' or a positive number"),
    "frozen": (lambda: Deep(frozen=(3,)), ParameterError, "layers are 0 to 2; the output layer is 2"),
    "frozen from the end": (lambda: Deep(frozen=(-1,)), ParameterError, r"frozen\[0\] = -1 must be an integer, 0 or"),
    "one frozen": (lambda: Deep(frozen=1), ParameterError, r"Try frozen=\(0,\)"),
    "all frozen": (lambda: Deep(frozen=(0, 1, 2)), ParameterError, "leaves no layer of 0 to 2 to train"),
    "head": (lambda: net.init(3, 0, head="zero"), ParameterError, "use 'normal' or 'signs'"),
    "d": (lambda: net.init(0, 0), ParameterError, "d = 0 must be an integer, 1 or more"),
    "wrong d": (lambda: net.at(theta, X[:, :2]), ShapeError, r"made for samples with 3 inputs.*Try net.init\(d=2"),
    "theta too long": (lambda: net.at(np.ones(99), X), ShapeError, r"theta has shape \(99,\). For samples with 3"),
    "theta a matrix": (lambda: net.at(np.ones((6, 4)), X), ShapeError, "theta must be a non-empty array with 1 axes"),
    "X a vector": (lambda: net.at(theta, X[:, 0]), ShapeError, r"Try X\[:, None\]"),
    "NaN in X": (lambda: net.at(theta, np.where(X == X[1, 2], np.nan, X)), NonFiniteError, r"index \(1, 2\)"),
    "NaN in theta": (lambda: net.at(theta * np.nan, X), NonFiniteError, "theta holds"),
    "memory": (lambda: net.at(theta, X, 100).gram(), ParameterError, "needs 120 bytes of temporaries. Try memory=120"),
    "no memory": (lambda: net.at(theta, X, 0), ParameterError, "memory = 0 must be an integer"),
    "a": (lambda: at.vjp(a[:, None]), ShapeError, "a must be a non-empty array with 1 axes"),
    "length of a": (lambda: at.vjp(a[1:]), ShapeError, "the array of outputs f has"),
    "NaN in a": (lambda: at.vjp(a * np.nan), NonFiniteError, "a holds 5 NaN"),
    "v": (lambda: at.jvp(v[1:]), ShapeError, "v has shape .* but theta has"),
    "w": (lambda: at.second(v, w[None]), ShapeError, "w must be a non-empty array with 1 axes"),
    "another network": (lambda: at.cross(Deep("erf", (6, 4)).at(theta, X)), ParameterError, "of the same network"),
    "other parameters": (lambda: at.cross(net.at(v, X)), ParameterError, "different theta"),
    "origin": (lambda: net.centred(v[1:]).at(theta, X).f, ShapeError, "theta has shape"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_refused_by_name(kind):
    act, error, message = BAD[kind]
    with pytest.raises(error, match=message) as caught:
        act()
    assert isinstance(caught.value, NNTKError)


def test_the_advice_can_be_followed():
    at.cross(at.net.at(at.theta, X[:2]))
    net.at(net.init(d=2, rng=0), X[:, :2])
    net.at(theta, X[:, 0][:, None].repeat(3, axis=1), 120).gram()
    Deep(widths=(64, 64)), Deep(frozen=(0,)), Deep(frozen=(2,)), Deep(gain="unit"), net.init(3, 0, head="signs")
