"""The rooms under hypothesis: shapes, scales from 1e-200 to 1e200, types, repeated samples, batches, classes, flows.

What comes is a named error, or finite numbers that satisfy a law. An overflow may be visible, as an infinite loss; it
is not a wrong number. What was found is mended, and stays as an explicit example.
"""

from __future__ import annotations

import math
import warnings
from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nntk_lib as nn
from nntk_lib import geometry, methods
from nntk_lib.exceptions import NNTKError, NonFiniteError, ParameterError
from nntk_lib.losses import times
from nntk_lib.methods.spring import Spring
from nntk_lib.studies.runner import Study, read, run

EPS = np.finfo(float).eps
pytestmark = [
    pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]
few = settings(max_examples=80)

ACTS = st.sampled_from(["tanh", "sigmoid", "erf", "sine", "softplus", "silu", "relu"])
#: Powers of ten: mostly moderate ones, and the ends of the range.
SCALES = st.one_of(
    st.just(0), st.integers(-3, 3), st.integers(-200, 200), st.sampled_from([-200, -160, -40, 40, 160, 200])
)
SEEDS = st.integers(0, 10**6)
TYPES = st.sampled_from([np.float64, np.float32, np.float16, np.int32])


@contextmanager
def quiet():
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def scaled(array, power, dtype=np.float64):
    """The array times a power of ten, as far as the type has it."""
    with np.errstate(all="ignore"):
        out = np.asarray(array) * 10.0**power
        if dtype is np.int32:
            return np.clip(np.round(out), -(2**30), 2**30).astype(dtype)
        return np.clip(out, np.finfo(dtype).min, np.finfo(dtype).max).astype(dtype)


@st.composite
def points(draw, kinds=("shallow", "deep", "images"), most=4, outputs=(1, 2, 3), scales=SCALES):
    """A network, parameters, and samples: (net, theta, X)."""
    kind, rng = draw(st.sampled_from(kinds)), np.random.default_rng(draw(SEEDS))
    n, act = draw(st.integers(1, most)), draw(ACTS)
    if kind == "images":
        shape = draw(st.integers(1, 4)), draw(st.integers(1, 4)), draw(st.integers(1, 2))
        groups = draw(st.sampled_from([None, 1, 2]))
        net = nn.Residual(
            act, channels=(2,) * draw(st.integers(1, 2)), groups=groups, outputs=draw(st.sampled_from(outputs))
        )
        X, sizes = rng.standard_normal((n, *shape)), {"shape": shape}
    else:
        d = draw(st.integers(1, 3))
        X, sizes = rng.standard_normal((n, d)), {"d": d}
        if kind == "shallow":
            net = nn.Shallow(act, beta=draw(st.sampled_from([0.5, 0.75, 1.0])), bias=draw(st.booleans()))
            sizes["m"] = draw(st.integers(1, 6))
        else:
            widths = draw(st.lists(st.integers(1, 4), max_size=2))
            net = nn.Deep(act, widths, outputs=draw(st.sampled_from(outputs)), bias=draw(st.booleans()))
    if draw(st.booleans()):
        X[-1] = X[0]  # a sample twice, where there are two
    X = scaled(X, draw(scales), draw(TYPES))
    try:
        theta = net.init(**sizes, rng=rng)
    except NNTKError:  # images that cannot be pooled, or one number in a group
        net = nn.Residual(act, channels=(2,), groups=None)
        theta = net.init(**sizes, rng=rng)
    return net, scaled(theta, draw(scales), draw(st.sampled_from([np.float64, np.float32]))), X


def close(a, b, size, tolerance):
    """Whether two numbers agree relative to a size, which may be beyond all numbers."""
    return not np.isfinite(size) or size < 1e-290 or abs(a - b) <= tolerance * size


@few
@given(points(), SEEDS)
def test_the_adjoint_identity(point, seed):
    """<a, J v> = <J^T a, v>, and the Gram matrix is that of J."""
    net, theta, X = point
    rng = np.random.default_rng(seed)
    with quiet():
        try:
            at = net.at(theta, X)
            eps = max(np.finfo(array.dtype).eps for array in (at.theta, at.X))
            a, v = rng.standard_normal(at.f.shape), rng.standard_normal(at.theta.shape)
            Jv, JTa, K = at.jvp(v), at.vjp(a), at.gram()
        except NNTKError:
            return
        assert at.f.shape == Jv.shape == a.shape and JTa.shape == v.shape and K.shape == (a.size, a.size)
        # of sums that cancel in deep networks with large weights, which the result does not show
        loose = 1e4 * eps * np.clip(np.abs(at.theta).max(), 1.0, 1e5) ** 2
        if np.isfinite(at.f).all() and np.isfinite(Jv).all() and np.isfinite(JTa).all():
            size = np.linalg.norm(a) * np.linalg.norm(Jv) + np.linalg.norm(JTa) * np.linalg.norm(v)
            assert close(np.vdot(a, Jv), np.vdot(JTa, v), size, loose)
        if np.isfinite(K).all():
            J = np.stack([at.vjp(e.reshape(a.shape)).ravel() for e in np.eye(a.size)]).astype(float)
            assert np.array_equal(K, K.T)
            scale = np.abs(J).max()
            low = 1e-140 if eps < 1e-10 else 1e-15  # the square of which is still a normal number
            if low < scale < 1 / low:
                assert np.abs(K - J @ J.T).max() <= loose * np.abs(J @ J.T).max()


OUTPUTS = st.tuples(st.integers(1, 4), st.integers(1, 3), SEEDS, SCALES)


def loss_of(kind, n, C, rng, power):
    """(loss, outputs, targets) of a kind."""
    f = scaled(rng.standard_normal((n, C) if kind in ("classes", "law") else n), power)
    if kind == "square":
        return nn.Square("sum" if C == 1 else "mean"), f, rng.standard_normal(n)
    if kind == "weighted":
        return nn.WeightedSquare(rng.uniform(0, 1, n) + 1e-3), f, rng.standard_normal(n)
    if kind == "log cosh":
        return nn.LogCosh(rng.uniform(0, 1, n) + 1e-3, b=1.0), f, rng.standard_normal(n)
    if kind == "logistic":
        return nn.Logistic(), f, np.sign(rng.standard_normal(n))
    if kind == "ridge":
        return nn.Logistic(ridge=1e-3), f, -np.ones(n)  # one class only
    if kind == "classes":
        return nn.CrossEntropy(), f, rng.integers(0, C, n) if C > 2 else np.zeros(n, int)
    law = rng.uniform(0, 1, (n, C)) ** 8
    return nn.CrossEntropy(), f, law / law.sum(axis=1, keepdims=True)


LOSSES = ["square", "weighted", "log cosh", "logistic", "ridge", "classes", "law"]


@few
@given(st.sampled_from(LOSSES), OUTPUTS)
@example("logistic", (1, 1, 0, 156))  # 0 times infinity
@example("log cosh", (3, 1, 0, 200))
def test_losses_are_convex_and_factors_fit(kind, drawn):
    """L(h) >= L(f) + <g, h - f>, R q = g, R R^T = H."""
    n, C, seed, power = drawn
    rng = np.random.default_rng(seed)
    loss, f, y = loss_of(kind, n, C, rng, power)
    with quiet():
        try:
            value, g, H = loss.value(f, y), loss.gradient(f, y), loss.hessian(f, y)
        except NNTKError:
            return
        assert value >= 0 and not math.isnan(value)
        assert np.isfinite(g).all() and np.isfinite(H).all() and g.shape == f.shape
        for h in (f + rng.standard_normal(f.shape), f * 0.5):
            linear = np.vdot(g, h - f)
            above = loss.value(h, y) - value - linear
            size = abs(value) + abs(loss.value(h, y)) + abs(linear) + np.abs(f).max() / 4  # y sums to 1 up to eps
            assert not np.isfinite(size) or above >= -64 * f.size * EPS * size
        try:
            R, q = loss.factor(f, y)
        except NonFiniteError:
            return
        tolerance = 64 * EPS * (1 + min(np.abs(f).max(), 750.0))  # of the exponentials
        assert np.abs(times(R, q) - g).max() <= tolerance * max(np.abs(g).max(), np.abs(R).max() * np.abs(q).max())
        RRT = R * R if R.ndim < 3 else R @ np.swapaxes(R, 1, 2)
        assert np.abs(RRT - H).max() <= tolerance * max(1e-290, np.abs(H).max())


RULES = st.one_of(
    st.builds(nn.Constant, st.sampled_from([0.0, 1e-300, 1e-12, 1e-3, 1.0, 1e12, 1e300]), st.just(1.0)),
    st.builds(nn.Gamma, st.sampled_from([1e-200, 1e-6, 1.0, 1e20, 1e200])),
    st.builds(nn.Smallest, st.just(1.0), st.sampled_from([0.0, 1e-6])),
    st.builds(nn.Convex, st.sampled_from([1e-3, 1.0, 1e6])),
    st.just(nn.GainRatio()),
    st.builds(nn.ResidualNorm, st.sampled_from([1e-3, 1.0])),
)
ROUTES = st.sampled_from(
    [methods.Direct(), methods.Direct(definite=False), methods.ConjugateGradients(1e-8, 200), methods.Auto()]
)
DESCENTS = st.one_of(
    st.builds(
        nn.GaussNewton, RULES, st.sampled_from(["loss", "identity"]), st.sampled_from(["auto", "dual", "primal"])
    ),
    st.builds(methods.Gradient, st.sampled_from([1e-3, 1.0, 1e100])),
    st.builds(nn.LevenbergMarquardt),
    st.builds(nn.Newton, st.sampled_from([1e-6, 0.3, 30.0, 1e10, 1e100]), ROUTES),
    st.builds(nn.Newton, st.builds(nn.AboveThreshold, st.just(2.0), st.sampled_from([0.0, 1e-3])), ROUTES),
)
OTHERS = st.one_of(
    st.builds(nn.Momentum, st.sampled_from([1e-3, 1.0])),
    st.builds(nn.Adam),
    st.builds(nn.KFAC, st.sampled_from([1e-30, 1e-2, 1e10])),
    st.builds(Spring, RULES),
)


def problem_of(at, rng, power, kind):
    """A loss and targets that fit the outputs."""
    f, n = at.f, len(at.f)
    if f.ndim == 1:
        kind = ["square", "weighted", "log cosh", "logistic", "ridge"][kind % 5]
        loss, _, y = loss_of(kind, n, 1, rng, 0)
        return loss, y if kind in ("logistic", "ridge") else scaled(y, power)
    if f.shape[1] > 1 and kind % 2:
        return nn.CrossEntropy(), rng.integers(0, f.shape[1], n)
    return nn.Square(), scaled(rng.standard_normal(f.shape), power)


LARGE = np.array([[1.2e20, -1.3e20]], dtype=np.float32)  # the squares of which overflow in single precision
ONE = nn.Shallow("tanh", beta=0.5, bias=False), np.array([[-0.8, 0.6]]), np.array([[0.13]])


@few
@given(points(), st.one_of(DESCENTS, OTHERS), SCALES, st.integers(0, 9), SEEDS)
@example((ONE[0], np.array([[-1.59, 0.1, -0.54]]), LARGE), nn.Newton(1e-6), 0, 0, 0)  # LinAlgError
@example(ONE, nn.Adam(), 200, 0, 0)  # NaN
@example(ONE, Spring(nn.Constant(1e-300)), 200, 0, 0)  # "a holds NaN", of which its user knows nothing
def test_steps_descend(point, direction, power, kind, seed):
    """A step is finite; its slope is grad L . delta, and that of a damped method is not positive."""
    net, theta, X = point
    rng = np.random.default_rng(seed)
    with quiet():
        try:
            at = net.at(theta, X)
            loss, y = problem_of(at, rng, power, kind)
            step = direction(at, loss, y)
        except NNTKError:
            return
        assert step.delta.shape == at.theta.shape and np.isfinite(step.delta).all(), step
        assert not math.isnan(step.slope), step
        eps = max(np.finfo(array.dtype).eps for array in (at.theta, at.X))
        gradient = at.vjp(loss.gradient(at.f, y)).astype(float)
        size = np.linalg.norm(gradient) * np.linalg.norm(step.delta)
        if step.name in ("gradient-descent", "gauss-newton", "levenberg-marquardt", "newton"):
            assert step.slope <= 0, step
            assert not step.curvature < 0 or step.name == "newton", step
        route = getattr(direction, "route", None)
        loose = 1e-3 if isinstance(route, (methods.ConjugateGradients, methods.Auto)) else 1e-5
        if np.linalg.norm(gradient) > 1e-140:  # else its square has lost its digits
            assert close(step.slope, np.vdot(gradient, step.delta), size, max(loose, 1e4 * eps)), step


@few
@given(
    points(kinds=("shallow", "deep"), outputs=(1, 2)),
    st.one_of(DESCENTS, OTHERS),
    st.one_of(st.none(), st.integers(1, 6)),
    st.sampled_from([1e-3, 1.0, 1e3]),
    SEEDS,
)
@example(ONE, nn.LevenbergMarquardt(), None, 1e3, 0)  # a rise that was predicted counted as a gain
@example(ONE, nn.GaussNewton(nn.Constant(0.1)), 6, 1.0, 0)  # a batch larger than the data
def test_runs_end_or_keep_their_history(point, direction, size, alpha, seed):
    """Batches larger than the data, runs that diverge, methods that do not fit: named, with what there was."""
    net, theta, X = point
    rng = np.random.default_rng(seed)
    with quiet():
        try:
            at = net.at(theta, X)
            loss, y = problem_of(at, rng, 0, seed % 10)
        except NNTKError:
            return
        batches = None if size is None else nn.Batches(size, seed)
        try:
            history = nn.train(net, theta, nn.Data(X, y, "fuzz"), direction, 2, loss=loss, alpha=alpha, batches=batches)
        except NNTKError as error:
            history = error.history
            if history is None:
                return
        else:
            assert len(history.loss) == 3
        assert np.isfinite(history.loss).all() and np.isfinite(history.theta).all()
        if direction.name == "levenberg-marquardt" and size is None:
            assert (np.diff(history.loss) <= 1e-12 * np.abs(history.loss[:-1])).all()


@few
@given(
    points(kinds=("shallow", "deep"), most=3, outputs=(1,), scales=st.integers(-2, 2)),
    st.one_of(
        st.builds(nn.GaussNewton, st.sampled_from([nn.Constant(), nn.Constant(1e-12), nn.Constant(0.1)])),
        st.builds(methods.Gradient),
        st.builds(nn.Newton, st.just(30.0)),
    ),
    SEEDS,
)
def test_flows_descend_until_they_end(point, direction, seed):
    """Also into a singularity: the loss falls along what was recorded, and an error has the way up to there."""
    net, theta, X = point
    left = 300

    def field(*arguments):
        nonlocal left
        left -= 1
        if not left:
            raise NNTKError("a stiff flow, which takes long")
        return direction(*arguments)

    y = np.random.default_rng(seed).standard_normal(len(X))
    with quiet():
        try:
            path = nn.flow(net, theta, nn.Data(X, y, "fuzz"), field, [0.0, 0.1, 1.0], rtol=1e-5, atol=1e-8)
        except NNTKError as error:
            path = error.history
            if path is None:
                return
        else:
            assert len(path.loss) == 3
        if not len(path.loss):
            return
        assert len(path.times) == len(path.loss) and np.isfinite(path.loss).all() and np.isfinite(path.theta).all()
        assert (np.diff(path.loss) <= 1e-3 * path.loss[:-1] + 1e-4 * path.loss[0]).all()


@few
@given(points(kinds=("shallow", "deep")), SEEDS)
def test_projections(point, seed):
    """Pi is a projection, horizontal and vertical parts add up, and the curvature is normal to the tangent space."""
    net, theta, X = point
    rng = np.random.default_rng(seed)
    with quiet():
        try:
            at = net.at(theta.astype(float), X.astype(float))
            space = geometry.tangent_space(at)
            u, v = rng.standard_normal(at.f.shape), rng.standard_normal(at.theta.shape)
            along, across = space.project(u), space.normal(u)
            horizontal, bent, second = space.horizontal(v), space.curvature(v, v), at.second(v, v)
        except NNTKError:
            return
        size = np.linalg.norm(u)
        assert np.linalg.norm(along + across - u) <= 1e-12 * size
        assert np.linalg.norm(space.project(along) - along) <= 1e-12 * size
        assert abs(np.vdot(along, across)) <= 1e-12 * size**2
        assert np.linalg.norm(space.horizontal(horizontal) - horizontal) <= 1e-10 * np.linalg.norm(v)
        assert np.isfinite(bent).all() == np.isfinite(second).all()
        if np.isfinite(bent).all():
            assert np.linalg.norm(space.project(bent)) <= 1e-10 * max(np.linalg.norm(second), 1e-290)


VALUES = st.one_of(
    st.integers(), st.floats(), st.text(max_size=3), st.booleans(), st.none(), st.lists(st.integers(), max_size=2),
    st.just(np.int64(3)), st.just(np.float32(0.5)), st.just({1, 2}), st.just(np.ones(2)), st.tuples(st.integers()),
)  # fmt: skip


def echo(point, state):
    """Two steps, and the point as the result."""
    return (1, None) if state is None else (1, {"again": point})


@few
@example([{"a": np.int64(3)}])  # TypeError
@example([{"a": {1, 2}}])
@given(st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=2), max_size=3))
def test_a_study_gives_its_points_back(tmp_path_factory, given_points):
    """Points that JSON cannot say are named before anything runs; the others come back as they are read."""
    file = tmp_path_factory.mktemp("fuzz") / "fuzz.jsonl"
    try:
        study = Study("fuzz", given_points, echo)
    except ParameterError:
        return
    found = run(study, file)
    assert len(found) == len(given_points) == len(read(file))
    assert run(study, file) == found or "NaN" in file.read_text()
