import numpy as np
import pytest

from nntk_lib.data import teacher_student
from nntk_lib.exceptions import NonFiniteError, ParameterError, ShapeError, SingularSystemError
from nntk_lib.features import features, hidden_weights, refit, weighted_cosine_distance
from nntk_lib.networks.deep import Deep
from nntk_lib.networks.shallow.spec import Shallow

EPS = np.finfo(float).eps


def literal_distance(W, teacher, chord):
    """Equation (9) with loops, and the variant of the released code."""
    total = sum(float(w @ w) for w in W)
    out = 0.0
    for w in W:
        if w @ w == 0:
            continue
        cos = max(float(w @ t / np.sqrt(w @ w) / np.sqrt(t @ t)) for t in teacher)
        out += (w @ w) / total * (np.sqrt(max(2 * (1 - cos), 0)) if chord else 2 * (1 - cos))
    return out


@pytest.mark.parametrize("chord", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_weighted_cosine_distance_is_the_literal_formula(chord, seed):
    rng = np.random.default_rng(seed)
    W, teacher = rng.standard_normal((40, 4)), rng.standard_normal((3, 4))
    W[7] = 0
    assert abs(weighted_cosine_distance(W, teacher, chord) - literal_distance(W, teacher, chord)) <= 64 * EPS
    # lengths of the teacher, order and a common factor do not matter
    same = weighted_cosine_distance(1e-150 * W[::-1], teacher * np.array([[1.0], [5.0], [1e-3]]), chord)
    assert same == pytest.approx(weighted_cosine_distance(W, teacher, chord), rel=64 * EPS)


def test_weighted_cosine_distance_at_its_ends():
    teacher = np.eye(3)
    assert weighted_cosine_distance(np.array([[0.0, 2, 0], [5, 0, 0]]), teacher) == 0
    assert weighted_cosine_distance([[-1.0, 0.0]], [[1.0, 0.0]]) == pytest.approx(4)
    assert weighted_cosine_distance([[-1.0, 0.0]], [[1.0, 0.0]], chord=True) == pytest.approx(2)
    tilted = [[1.0, 1e-9]]  # 1 - cos would be 0 in double precision
    assert weighted_cosine_distance(tilted, [[1.0, 0.0]]) == pytest.approx(1e-18, rel=1e-6)
    assert weighted_cosine_distance(tilted, [[1.0, 0.0]], chord=True) == pytest.approx(1e-9, rel=1e-6)


NETWORKS = {
    "shallow": (Shallow("tanh", beta=0.5, weight_std=2.0), 30),
    "mean field": (Shallow("relu", beta=1.0, bias=False), 30),
    "deep": (Deep("silu", widths=(8, 30)), None),
    "three outputs": (Deep("tanh", widths=(8, 30), outputs=3, scale=2.0), None),
    "centred": (Deep("tanh", widths=(30,), outputs=2, scale=5.0, frozen=(0,)), None),
}


def case(name, n=20, seed=0):
    net, m = NETWORKS[name]
    theta = net.init(d=2, rng=seed) if m is None else net.init(m=m, d=2, rng=seed)
    if name == "centred":
        net, theta = net.centred(theta), theta + 0.1 * np.random.default_rng(5).standard_normal(theta.shape)
    X = np.random.default_rng(seed + 1).standard_normal((n, 2))
    y = np.random.default_rng(seed + 2).standard_normal(net.at(theta, X).f.shape)
    return net, theta, X, y


def head(net, theta):
    """The output layer as a matrix (m, C), and the parameters without it."""
    if isinstance(net, Shallow):
        return theta[:, :1], theta[:, 1:]
    size = net.outputs * net.widths[-1]
    return theta[-size:].reshape(net.outputs, -1).T, theta[:-size]


@pytest.mark.parametrize("name", NETWORKS)
def test_features_give_the_outputs(name):
    net, theta, X, y = case(name)
    out = (features(net, theta, X) @ head(net, theta)[0]).reshape(y.shape)
    if name == "centred":
        out = out - (features(net, net.origin, X) @ head(net, net.origin)[0]).reshape(y.shape)
    assert np.abs(out - net.at(theta, X).f).max() <= 64 * EPS * max(1, np.abs(out).max())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("ridge, cut", [(0.0, 1e-5), (0.0, 1e-2), (1e-3, 0.0), (0.1, 1e-3)])
@pytest.mark.parametrize("n", [20, 60])
def test_refit_is_the_dense_formula(name, ridge, cut, n):
    net, theta, X, y = case(name, n)
    Phi, target = features(net, theta, X), y.reshape(n, -1)
    if name == "centred":
        target = target + features(net, net.origin, X) @ head(net, net.origin)[0]
    new = refit(net, theta, X, y, ridge=ridge, cut=cut)
    U, s, Vt = np.linalg.svd(Phi, full_matrices=False)
    assert new.rank == (s > cut * s[0]).sum() and np.abs(new.singular - s).max() <= 64 * EPS * s[0]
    kept = (U[:, : new.rank] * s[: new.rank]) @ Vt[: new.rank]
    if ridge:
        expected = np.linalg.solve(kept.T @ kept + ridge * np.eye(len(Vt.T)), kept.T @ target)
    else:
        expected = np.linalg.pinv(kept, rcond=cut / 2) @ target
    V, rest = head(net, new.theta)
    condition = (s[0] / s[new.rank - 1]) if not ridge else (s[0] ** 2 + ridge) / ridge
    assert np.abs(V - expected).max() <= 256 * EPS * condition * np.abs(expected).max()
    assert np.array_equal(rest, head(net, theta)[1])
    outputs = net.at(new.theta, X).f
    assert new.residual == pytest.approx(np.sqrt(((outputs - y) ** 2).mean()), abs=1e-9 * np.abs(V).max())
    if not ridge:  # the residual is orthogonal to the features that were used
        left = Vt[: new.rank] @ Phi.T @ (outputs - y).reshape(n, -1)
        assert np.abs(left).max() <= 1e3 * n * EPS * s[0] * max(1, np.abs(V).max()) * s[0]


def test_the_scale_of_the_features_does_not_matter():
    data, test = (teacher_student(40, 5, 3, rng, act="relu", scale="width", task=0) for rng in (0, 1))
    net = Shallow("relu", beta=1.0, bias=False)
    theta = net.init(m=100, d=5, rng=2)
    errors = []
    for scale in (1e-6, 1.0, 1e3):  # random features of ReLU do not depend on the size of the hidden weights
        small = theta * np.r_[1.0, np.full(5, scale)]
        new = refit(net, small, data.X, data.y)
        errors.append(np.mean((net.at(new.theta, test.X).f - test.y) ** 2))
        assert new.residual <= 1e-9
    assert errors == pytest.approx([errors[1]] * 3, rel=1e-6)


def test_the_teachers_own_features_are_refitted_to_the_teacher():
    data, test = (teacher_student(40, 5, 3, rng, act="relu", scale="width", task=0) for rng in (0, 1))
    net = Shallow("relu", beta=1.0, bias=False)
    start = data.teacher * np.r_[0.0, np.ones(5)]  # the directions of the teacher and no outputs
    new = refit(net, start, data.X, data.y, cut=0.0)
    assert np.abs(new.theta - data.teacher).max() <= 1e3 * EPS * np.abs(data.teacher).max()
    assert np.abs(net.at(new.theta, test.X).f - test.y).max() <= 1e3 * EPS
    assert weighted_cosine_distance(hidden_weights(net, new.theta), hidden_weights(net, data.teacher)) <= EPS


def test_hidden_weights_leave_out_bias_and_outputs():
    for bias in (False, True):
        net = Shallow("tanh", bias=bias)
        theta = net.init(m=4, d=3, rng=0)
        assert np.array_equal(hidden_weights(net, theta), theta[:, 1:4])


def test_bad_input_is_named():
    net, theta, X, y = case("shallow")
    with pytest.raises(ShapeError, match=r"W has 3 inputs and the teacher 2\. Leave out biases"):
        weighted_cosine_distance(np.ones((2, 3)), np.ones((2, 2)))
    for pair in ((np.zeros((2, 2)), np.ones((1, 2))), (np.ones((2, 2)), np.zeros((1, 2)))):
        with pytest.raises(ParameterError, match="no direction"):
            weighted_cosine_distance(*pair)
    with pytest.raises(NonFiniteError):
        weighted_cosine_distance([[np.nan]], [[1.0]])
    with pytest.raises(ParameterError, match="hidden_weights is for one hidden layer, got Deep"):
        hidden_weights(Deep(), np.ones(3))
    with pytest.raises(ShapeError, match="at least 3"):
        hidden_weights(net, np.ones((3, 2)))
    with pytest.raises(ParameterError, match="features of int are not known"):
        features(3, theta, X)
    with pytest.raises(ShapeError, match="y has shape"):
        refit(net, theta, X, y[:-1])
    for options in ({"ridge": -1.0}, {"cut": -1.0}, {"cut": 1.0}, {"ridge": np.nan}):
        with pytest.raises(ParameterError):
            refit(net, theta, X, y, **options)
    with pytest.raises(SingularSystemError, match="all zero"):
        refit(net, 0 * theta, X, y)
    twins = np.vstack([theta[:3], theta[:3]])
    with pytest.raises(SingularSystemError, match="rounding. Give a cut"):
        refit(net, twins, X, y, cut=0.0)
    assert refit(net, twins, X, y, cut=1e-5).rank == 3  # the advice
    assert refit(net, twins, X, y, cut=0.0, ridge=1e-6).rank == 6
