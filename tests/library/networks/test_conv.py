import tracemalloc
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nntk_lib.exceptions import NonFiniteError, ParameterError, ShapeError
from nntk_lib.linalg.streaming import ENTRIES
from nntk_lib.networks.base import Network, jacobian
from nntk_lib.networks.conv import Residual, gram, gram_cost
from nntk_lib.networks.conv.gram import folded, ghost
from nntk_lib.networks.conv.layers import Conv, Dense, Norm
from nntk_lib.reference import conv as reference

EPS = np.finfo(float).eps
SMALL = (4, 4, 2)


def problem(shape=SMALL, n=3, seed=0, **spec):
    """A network with parameters away from the initial ones, images, a direction, and weights of the outputs."""
    net = Residual(**{"channels": (4, 6), "groups": 2, **spec})
    rng = np.random.default_rng(seed)
    theta = net.init(shape, rng) + 0.2 * rng.standard_normal(net.size(shape))
    v = rng.standard_normal(theta.size)
    a = rng.standard_normal(n if net.outputs == 1 else (n, net.outputs))
    return net, theta, rng.standard_normal((n, *shape)), v, a


def rounding(net, theta, X):
    """Relative rounding error allowed: eps for every term of a layer's sums, summed over the layers.

    A normalization divides by sqrt(variance + floor), and its inputs are rounded before their mean is subtracted, so
    the error grows by the largest factor that is applied.
    """
    terms, shape, growth = 0, X.shape[1:], 1.0
    chain = net.check(shape)
    for layer, tape in leaves(chain, chain.forward(X, theta)[1]):
        terms += layer.fan_in if isinstance(layer, Dense) else prod(shape) ** 0.5
        growth = max(growth, tape[1].max()) if isinstance(layer, Norm) else growth
        shape = layer.out(shape)
    return EPS * terms * growth


def leaves(chain, tapes):
    """Every layer with what it has remembered."""
    for layer, tape in zip(chain.layers, tapes, strict=True):
        yield from leaves(layer.branch, tape) if hasattr(layer, "branch") else [(layer, tape)]


def gap(value, exact, size=None):
    """Largest difference, over the largest exact entry or another size."""
    return np.abs(np.ravel(value) - np.ravel(exact)).max() / (np.abs(exact).max() if size is None else size)


def trained(net, shape):
    """1 for the parameters that train, 0 for the others."""
    mask = np.zeros(net.size(shape))
    for i, part in enumerate(net.layers(mask, shape)):
        part[...] = i not in net.frozen
    return mask


def compare(net, theta, X, v, a):
    """All products against the dense Jacobian of the literal twin.

    Errors are relative to the sums without cancellation, with the layers that do not train: normalization makes some
    derivatives vanish, those of two numbers in a group for example.
    """
    full = reference.jacobian(net, theta, X)
    J, at, tol = full * trained(net, X.shape[1:]), net.at(theta, X), rounding(net, theta, X)
    f = reference.forward(net, theta, X)
    assert gap(at.f, f, 1 + np.abs(f).max()) <= tol
    assert gap(at.vjp(a), J.T @ a.ravel(), (np.abs(full).T @ np.abs(a.ravel())).max()) <= tol
    assert gap(at.jvp(v), J @ v, (np.abs(full) @ np.abs(v)).max()) <= tol
    for form in ("auto", "folded", "ghost"):
        K = at.gram(form)
        assert gap(K, J @ J.T, (full**2).sum(axis=1).max()) <= tol
        assert np.array_equal(K, K.T)
    return J, at


specs = st.fixed_dictionaries(
    {
        "act": st.sampled_from(["tanh", "sigmoid", "erf", "sine", "softplus", "silu"]),
        "channels": st.lists(st.sampled_from([2, 4]), min_size=1, max_size=2).map(tuple),
        "blocks": st.integers(1, 2),
        "outputs": st.integers(1, 3),
        "groups": st.sampled_from([None, 1, 2]),
        "affine": st.booleans(),
        "pool": st.integers(1, 2),
        "n": st.integers(1, 3),
        "shape": st.tuples(st.sampled_from([2, 4]), st.sampled_from([4, 6]), st.integers(1, 2)),
        "seed": st.integers(0, 10**6),
    }
)


@given(specs, st.data())
@settings(max_examples=15, deadline=None)
def test_property_every_product_equals_its_literal_twin(case, data):
    count = len(Residual(**{key: case[key] for key in ("channels", "blocks", "groups", "affine")})._weighted((1, 1, 1)))
    case["frozen"] = tuple(data.draw(st.sets(st.integers(0, count - 1), max_size=count - 1), label="frozen"))
    net, theta, X, v, a = problem(**case)
    _, at = compare(net, theta, X, v, a)
    assert at.f.shape == ((len(X),) if net.outputs == 1 else (len(X), net.outputs))


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize(("groups", "affine"), [(None, True), (2, True), (2, False)])
def test_both_gram_forms_equal_the_dense_jacobian(outputs, groups, affine):
    net, theta, X, v, a = problem(outputs=outputs, groups=groups, affine=affine)
    J, at = compare(net, theta, X, v, a)
    tol = rounding(net, theta, X)
    assert max(gap(at.gram(form), J @ J.T) for form in ("folded", "ghost")) <= 1e-14
    sizes = np.linalg.norm(J.T @ a.ravel()) * np.linalg.norm(v)
    assert abs(np.vdot(a, at.jvp(v)) - np.vdot(at.vjp(a), v)) <= tol * sizes
    assert gap(jacobian(net, theta, X), J) <= tol


def test_relu_has_a_jacobian_too():
    net, theta, X, v, _ = problem(act="relu")
    at, h = net.at(theta, X), 1e-6
    slope = (net.at(theta + h * v, X).f - net.at(theta - h * v, X).f) / (2 * h)
    assert gap(at.jvp(v), slope) <= 1e-8  # h^2 and eps / h
    J = jacobian(net, theta, X)
    assert gap(at.gram(), J @ J.T) <= rounding(net, theta, X)


@pytest.mark.parametrize("groups", [None, 2])
def test_every_output_is_a_function_of_its_own_sample(groups):
    net, theta, X, v, a = problem(n=5, outputs=2, groups=groups)
    at, part, tol = net.at(theta, X), net.at(theta, X[1:4]), rounding(*problem(n=5, outputs=2, groups=groups)[:3])
    assert gap(part.f, at.f[1:4]) <= tol
    assert gap(part.jvp(v), at.jvp(v)[1:4]) <= tol
    assert gap(part.gram(), at.gram()[2:8, 2:8]) <= tol
    changed = X.copy()
    changed[0] += 1.0
    assert gap(net.at(theta, changed).f[1:], at.f[1:]) <= tol
    assert gap(net.at(theta, changed).f[:1], at.f[:1]) > 0.01


def test_batch_normalization_mixes_the_samples():
    net, theta, X, v, a = problem(n=4, outputs=2, groups="batch")
    J, at, tol = reference.jacobian(net, theta, X), net.at(theta, X), rounding(net, theta, X)
    assert gap(at.f, reference.forward(net, theta, X)) <= tol
    assert gap(at.vjp(a), J.T @ a.ravel()) <= tol and gap(at.jvp(v), J @ v) <= tol
    with pytest.raises(ParameterError, match="depends on all samples.*Use groups=4"):
        at.gram()
    alone = np.concatenate([jacobian(net, theta, X[j : j + 1]) for j in range(4)])  # rows sample by sample
    assert gap(jacobian(net, theta, X), J) <= tol
    assert gap(alone @ alone.T, J @ J.T) > 0.1


@pytest.mark.parametrize("frozen", [(0,), (1, 2, 3), range(10), range(1, 11)])
def test_frozen_layers_do_not_move(frozen):
    net, theta, X, v, a = problem(channels=(4,), blocks=2, outputs=2, frozen=frozen)
    assert len(net.layers(theta, SMALL)) == 11
    _, at = compare(net, theta, X, v, a)
    stays = trained(net, SMALL) == 0
    assert stays.any() and not at.vjp(a)[stays].any() and at.vjp(a)[~stays].any()
    assert np.array_equal(at.jvp(np.where(stays, 7.0, v)), at.jvp(v))


def test_the_walk_stops_at_the_first_layer_that_trains(monkeypatch):
    pulled = []
    pull = Conv.pull
    monkeypatch.setattr(Conv, "pull", lambda self, *args: pulled.append(self) or pull(self, *args))
    net, theta, X, _, a = problem(channels=(4,), blocks=1, groups=None)
    net.at(theta, X).vjp(a)
    assert len(pulled) == 2  # of three convolutions: nobody asks for the derivative by the image
    replace(net, frozen=(0, 1, 2)).at(theta, X).vjp(a)
    assert len(pulled) == 2


def test_the_form_with_the_smaller_count_is_taken(monkeypatch):
    taken = []
    for name, form in (("folded", folded), ("ghost", ghost)):
        spy = lambda x, D, *rest, name=name, form=form: (
            taken.append((D.shape[2], D.shape[3], name)) or form(x, D, *rest)
        )
        monkeypatch.setattr(gram, name, spy)
    net, theta, X, _, _ = problem((8, 8, 1), n=4, channels=(4, 8, 32), blocks=1, outputs=3)
    net.at(theta, X).gram()
    plan = net.plan((8, 8, 1), n=4)
    assert [(row.places, row.outs, row.form) for row in plan] == taken[::-1]
    assert {row.form for row in plan} == {"folded", "ghost"}
    for row in plan:
        assert (row.folded, row.ghost) == gram_cost(4, 3, row.places, row.ins, row.outs)
        assert (row.form == "ghost") == (row.ghost <= row.folded)
    taken.clear()
    net.at(theta, X).gram("folded")
    assert {name for *_, name in taken} == {"folded"}


def test_counts_are_those_of_the_loops():
    n, q, S, u, o = 3, 2, 4, 5, 6
    rows = [(j, c) for j in range(n) for c in range(q)]
    assert gram_cost(n, q, S, u, o)[0] == sum(S * u * o for _ in rows) + len(rows) ** 2 * u * o / 2
    places = sum(S * S * u for _ in range(n) for _ in range(n)) / 2  # unordered pairs, the diagonal counted half
    assert gram_cost(n, q, S, u, o)[1] == places + sum(S * S * (o + 1) for _ in rows for _ in rows) / 2


def test_the_product_of_sums_is_not_the_gram_matrix():
    rng = np.random.default_rng(0)
    x, D = rng.standard_normal((4, 4, 4, 2)), rng.standard_normal((4, 1, 16, 3))
    U = Conv(2, 3).unfold(x)
    exact = np.einsum("jsu,ktu,jso,kto->jk", U, U, D[:, 0], D[:, 0])
    wrong = np.einsum("jsu,ksu->jk", U, U) * np.einsum("jso,kso->jk", D[:, 0], D[:, 0]) / 16
    for form in (folded, ghost):
        assert gap(form(x, D, Conv(2, 3).unfold, 18, 2**20), exact) <= 8 * EPS * 16 * 18
    assert gap(wrong, exact) > 0.1


@pytest.mark.parametrize("form", ["folded", "ghost"])
def test_a_small_budget_changes_rounding_only(form):
    net, theta, X, v, a = problem((8, 8, 1), n=6, outputs=2)
    at, tol = net.at(theta, X), rounding(net, theta, X)
    small = net.at(theta, X, memory=60_000 if form == "folded" else 250_000)
    assert small._samples < 6 or form == "ghost"
    assert gap(small.gram(form), at.gram(form)) <= tol
    assert gap(small.f, at.f) <= tol and gap(small.vjp(a), at.vjp(a)) <= tol and gap(small.jvp(v), at.jvp(v)) <= tol


@pytest.mark.parametrize("form", ["folded", "ghost"])
@pytest.mark.parametrize("memory", [2**21, 2**23])
def test_the_gram_matrix_of_a_layer_keeps_to_its_budget(form, memory):
    rng = np.random.default_rng(0)
    layer = Conv(32, 32)
    x, D = rng.standard_normal((48, 8, 8, 32)), rng.standard_normal((48, 2, 8, 8, 32))
    tracemalloc.start()
    K = layer.gram(D, x, form, memory)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak <= memory + 2 * K.nbytes + 2**15  # K is there twice when it is divided; and Python's own objects


@pytest.mark.parametrize("memory", [2**21, 2**22])
def test_outputs_and_products_keep_to_their_budget(memory):
    net, theta, X, v, a = problem((16, 16, 1), n=40, channels=(8,), blocks=1)
    for call in (lambda at: at.f, lambda at: at.vjp(a), lambda at: at.jvp(v)):
        at = net.at(theta, X, memory=memory)
        tracemalloc.start()
        call(at)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak <= memory + 2 * 8 * ENTRIES + 2 * theta.nbytes


def test_the_kernel_has_a_limit_as_the_channels_grow():
    X = np.random.default_rng(0).standard_normal((4, 4, 4, 1))

    def kernel(k, groups):
        net = Residual(channels=(k,), blocks=1, groups=groups)
        draws = [net.at(net.init((4, 4, 1), seed), X) for seed in range(16)]
        assert draws[0].kernel_scale == 1.0
        return np.mean([np.trace(at.gram()) for at in draws])

    for groups in (None, 4):
        assert kernel(96, groups) / kernel(32, groups) == pytest.approx(1, abs=0.25)  # 16 draws, each within about 30 %


@pytest.mark.parametrize(
    ("spec", "count"),
    [
        ({"channels": (16,), "blocks": 2, "groups": None}, 144 + 36 * 256 + 16),
        ({"channels": (16,), "blocks": 2}, 144 + 36 * 256 + 8 * 16 + 32 + 16),
        ({"channels": (8, 12), "blocks": 1, "outputs": 3}, 72 + 18 * (64 + 144) + 9 * 96 + 4 * 20 + 24 + 36),
    ],
)
def test_the_number_of_parameters_is_the_documented_one(spec, count):
    assert Residual(**spec).size((8, 8, 1)) == count


def test_layers_are_views_and_the_same_seed_gives_the_same_bytes():
    net = Residual(channels=(4, 8), blocks=1)
    theta = net.init((4, 4, 1), rng=3)
    assert theta.tobytes() == net.init((4, 4, 1), rng=np.random.default_rng(3)).tobytes()
    layers = net.layers(theta, (4, 4, 1))
    assert layers[0].shape == (4, 9) and layers[-1].shape == (1, 8) and all(np.shares_memory(L, theta) for L in layers)
    assert np.array_equal(layers[1], [np.ones(4), np.zeros(4)])
    at = net.at(theta, np.zeros((2, 4, 4, 1)))
    assert isinstance(net, Network)
    assert at.gram() is at.gram() and "2 images of 4 x 4 x 1" in repr(at)


def test_single_precision_stays_single():
    net, theta, X, v, a = problem(outputs=2)
    at, single = net.at(theta, X), net.at(theta.astype("f4"), X.astype("f4"))
    for value, exact in ((single.f, at.f), (single.gram(), at.gram()), (single.jvp(v.astype("f4")), at.jvp(v))):
        assert (
            value.dtype == np.float32 and gap(value, exact) <= 1e5 * np.finfo("f4").eps * rounding(net, theta, X) / EPS
        )


def test_bad_input_is_named():
    net, theta, X, v, a = problem()
    for arguments, error, message in (
        ((theta, X[..., 0]), ShapeError, r"4 axes \(n, h, w, c\), got shape \(3, 4, 4\).*X\[\.\.\., None\]"),
        ((theta, X[0, 0]), ShapeError, "4 axes"),
        ((theta[:-1], X), ShapeError, rf"\({theta.size - 1},\).*\({theta.size},\) parameters. Try net.init"),
        ((theta, X[:, :3]), ShapeError, "3 x 4 pixels do not divide into squares of 2 x 2. Crop or pad"),
        ((theta, np.where(X > 2, np.nan, X)), NonFiniteError, "X holds"),
        ((np.where(theta > 2, np.inf, theta), X), NonFiniteError, "theta holds"),
        ((theta, X, 100), ParameterError, "memory = 100 bytes is too little: the activations of one image"),
        ((theta, X, 0), ParameterError, "memory = 0"),
    ):
        with pytest.raises(error, match=message):
            net.at(*arguments).f  # noqa: B018
    at = net.at(theta, X)
    with pytest.raises(ShapeError, match="a has shape"):
        at.vjp(a[:-1])
    with pytest.raises(ShapeError, match="v has shape"):
        at.jvp(v[:-1])
    with pytest.raises(ParameterError, match="form = 'best' is unknown"):
        at.gram("best")
    for form in ("folded", "ghost"):
        with pytest.raises(ParameterError, match="memory = 20000 bytes is too little: a Gram matrix of order 30"):
            net.at(theta, np.repeat(X, 10, axis=0), memory=20000).gram(form)
    for spec, message in (
        ({"channels": (16, 6)}, r"6 channels do not divide into groups = 4.*here 2 or"),
        ({"channels": 16}, r"channels = 16 must be a sequence.*\(16,\)"),
        ({"channels": ()}, "has no stage"),
        ({"channels": (16.5,)}, r"channels\[0\] = 16.5"),
        ({"groups": "layer"}, "groups = 'layer'"),
        ({"groups": 0}, "groups = 0"),
        ({"blocks": 0}, "blocks = 0"),
        ({"outputs": 0}, "outputs = 0"),
        ({"pool": 0}, "pool = 0"),
        ({"act": "x"}, "Unknown"),
        ({"frozen": (20,)}, "layer 20, but the layers are 0 to"),
        ({"frozen": range(7)}, "no layer of 0 to"),
        ({"frozen": (-1,)}, r"frozen\[0\] = -1"),
    ):
        with pytest.raises(ParameterError, match=message):
            Residual(**spec)
    with pytest.raises(ShapeError, match="height, width and channels"):
        net.init((4, 4), 0)
    with pytest.raises(ParameterError, match=r"shape\[2\] = 0"):
        net.init((4, 4, 0), 0)
    with pytest.raises(ParameterError, match="one number in a group.*fewer groups"):
        Residual(channels=(4,), groups=4).init((1, 1, 1), 0)
