"""Momentum, Adam and K-FAC against loops by hand and explicit Kronecker products."""

from dataclasses import replace

import numpy as np
import pytest

from nntk_lib.exceptions import NNTKError, ParameterError, ShapeError, SingularSystemError
from nntk_lib.losses import CrossEntropy, Logistic, Square
from nntk_lib.methods.baselines import KFAC, Adam, Momentum
from nntk_lib.methods.gauss_newton import Gradient
from nntk_lib.networks.deep import Deep
from nntk_lib.reference import methods as twin

from .tiny import Tiny, relative, targets

EPS = np.finfo(float).eps


def run(method, net, theta, X, y, loss, steps, alpha=1.0):
    """Steps of a method and the gradients on the way."""
    taken, gradients, step = [], [], None
    for _ in range(steps):
        at = net.at(theta, X)
        gradients.append(at.vjp(loss.gradient(at.f, y)))
        step = method(at, loss, y, step)
        assert step.slope == pytest.approx(float(np.vdot(gradients[-1], step.delta)), rel=1e-12)
        theta = theta + alpha * step.delta
        taken.append(step)
    return taken, gradients


def tiny():
    net, theta = Tiny.draw(n=6, P=10)
    return net, theta, None, targets(Square(), net.at(theta))


@pytest.mark.parametrize("nesterov", [False, True])
def test_momentum(nesterov):
    taken, gradients = run(Momentum(0.1, 0.8, nesterov), *tiny(), Square(), 20)
    for step, expected in zip(taken, twin.momentum(gradients, 0.1, 0.8, nesterov), strict=True):
        assert relative(step.delta, expected) <= 10 * EPS
    assert taken[-1].curvature == 0


def test_adam():
    taken, gradients = run(Adam(0.01, 0.8, 0.95, 1e-6), *tiny(), Square(), 20)
    for step, expected in zip(taken, twin.adam(gradients, 0.01, 0.8, 0.95, 1e-6), strict=True):
        assert relative(step.delta, expected) <= 10 * EPS
    assert np.abs(taken[0].delta) == pytest.approx(0.01, rel=1e-3)  # the first step is the sign of the gradient


def test_adam_does_not_move_what_has_no_gradient():
    net, theta, X, y = tiny()
    net.W[:, 3] = 0
    taken, _ = run(Adam(), net, theta, X, y, Square(), 3)
    assert all(step.delta[3] == 0 for step in taken)


# ---- K-FAC

X = np.random.default_rng(0).standard_normal((9, 3))
DEEP = {
    "square": (Deep("tanh", widths=(5, 4)), Square(), np.sin(X[:, 0])),
    "sum, 2 outputs": (Deep("tanh", widths=(4,), outputs=2), Square("sum"), np.sin(X[:, :2])),
    "logistic": (Deep("silu", widths=(4, 3)), Logistic(), np.sign(X[:, 0])),
    "cross-entropy": (Deep("silu", widths=(5, 4), outputs=3), CrossEntropy(), np.arange(9) % 3),
    "frozen": (Deep("tanh", widths=(5, 4), outputs=3, frozen=(1,)), CrossEntropy(), np.arange(9) % 3),
}


def literal(net, theta, loss, y, damping, keep, old):
    """The twin's step, factors and curvature."""
    at = net.at(theta, X)
    R, g = loss.factor(at.f, y)[0], net.layers(at.vjp(loss.gradient(at.f, y)), 3)
    C = net.outputs
    H = R @ np.swapaxes(R, 1, 2) if R.ndim == 3 else R.reshape(9, C, 1) ** 2 * np.eye(C)
    delta, factors, curvature = np.zeros_like(theta), {}, 0.0
    for l, part in enumerate(net.layers(delta, 3)):
        if l in net.frozen:
            continue
        A, S = twin.kfac_factors(at.inputs[l], at.back[l], H)
        if old:
            A, S = keep * old[l][0] + (1 - keep) * A, keep * old[l][1] + (1 - keep) * S
        part[...] = twin.kfac(A, S, g[l], damping)
        factors[l] = A, S
        curvature += part.ravel() @ np.kron(S, A) @ part.ravel()
    return delta, factors, curvature


@pytest.mark.parametrize("name", DEEP)
def test_kfac_is_the_explicit_kronecker_solve(name):
    net, loss, y = DEEP[name]
    theta, step, old = net.init(3, rng=1), None, None
    for k in range(1, 4):
        step = KFAC(damping=0.02, decay=0.6)(net.at(theta, X), loss, y, step)
        delta, old, curvature = literal(net, theta, loss, y, 0.02, min(1 - 1 / k, 0.6), old)
        assert relative(step.delta, delta) <= 1e-12
        assert step.curvature == pytest.approx(curvature, rel=1e-11) and step.a == 0.02
        assert step.is_descent and step.state.count == k
        theta = theta + 0.5 * step.delta


def test_kfac_is_exact_for_one_sample_and_one_layer():
    """A single outer product is a Kronecker product: without the damping K-FAC is Gauss-Newton."""
    net, x, y = Deep("tanh", widths=(), outputs=2), X[:1], np.array([[1.0, -2.0]])
    at = net.at(net.init(3, rng=0), x)
    step = KFAC(damping=1e-16)(at, Square(), y)
    assert at.jvp(step.delta) == pytest.approx(y - at.f, rel=1e-6)
    J = np.stack([at.vjp(e.reshape(1, 2)) for e in np.eye(2)])
    assert step.curvature == pytest.approx(float(((J @ step.delta) ** 2).sum()), rel=1e-10)


def test_kfac_with_momentum():
    net, loss, y = DEEP["square"]
    theta, last, velocity = net.init(3, rng=1), None, 0.0
    for _ in range(4):
        at = net.at(theta, X)
        bare = KFAC(rate=0.3, decay=0.9)(at, loss, y, None if last is None else replace(last, name="kfac"))
        still = replace(bare.state, velocity=np.zeros_like(theta))
        step = KFAC(rate=0.3, decay=0.9, momentum=0.7)(at, loss, y, last)
        velocity = 0.7 * velocity + bare.delta
        assert relative(step.delta, velocity) <= 1e-12
        assert still.count == step.state.count
        last, theta = step, theta + step.delta


def test_kfac_trains():
    net, loss, y = DEEP["cross-entropy"]
    theta, step, values = net.init(3, rng=1), None, []
    for _ in range(30):
        at = net.at(theta, X)
        values.append(loss.value(at.f, y))
        step = KFAC(damping=1e-2, rate=0.5)(at, loss, y, step)
        theta = theta + step.delta
    assert values[-1] < 0.05 * values[0]


# ---- memory and bad input


@pytest.mark.parametrize("method", [Momentum(), Adam()])
def test_a_run_that_begins_after_another_method_begins_anew(method):
    net, theta, X0, y = tiny()
    at = net.at(theta, X0)
    first = method(at, Square(), y)
    after = method(at, Square(), y, Gradient()(at, Square(), y))
    assert (first.delta == after.delta).all()


@pytest.mark.parametrize("method", [Momentum(), Adam()])
def test_lost_and_foreign_memory_are_refused(method):
    net, theta, X0, y = tiny()
    at = net.at(theta, X0)
    step = method(at, Square(), y)
    with pytest.raises(ParameterError, match="lost its state"):
        method(at, Square(), y, replace(step, state=None))
    other, small = Tiny.draw(n=6, P=4)
    with pytest.raises(ShapeError, match="previous=None"):
        method(other.at(small), Square(), y, step)
    kept = step.state.first.copy()
    method(at, Square(), y, replace(step, delta=None))  # its delta is not needed
    assert (step.state.first == kept).all()


def test_kfac_says_what_it_needs():
    net, theta, X0, y = tiny()
    with pytest.raises(ParameterError, match="Tiny"):
        KFAC()(net.at(theta), Square(), y)
    deep = Deep("tanh", widths=(5, 4))
    theta = deep.init(3, rng=0)
    deep.layers(theta, 3)[-1][...] = 0
    with pytest.raises(SingularSystemError, match="nonzero weights") as caught:
        KFAC()(deep.at(theta, X), Square(), np.ones(9))
    assert isinstance(caught.value, NNTKError)
    only = replace(deep, frozen=(0, 1))  # the advice
    assert KFAC()(only.at(theta, X), Square(), np.ones(9)).is_descent


def test_kfac_with_too_little_damping():
    net, loss, y = DEEP["cross-entropy"]
    at = net.at(net.init(3, rng=1), X)
    with pytest.raises(SingularSystemError, match="more damping"):
        KFAC(damping=1e-40)(at, loss, y)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Momentum(rate=0.0), "rate"),
        (lambda: Momentum(momentum=1.0), "[0, 1)"),
        (lambda: Adam(b2=1.0), "b2"),
        (lambda: Adam(eps=0.0), "eps"),
        (lambda: KFAC(damping=0.0), "damping"),
        (lambda: KFAC(decay=-0.1), "decay"),
    ],
)
def test_bad_parameters_are_named(make, word):
    with pytest.raises(ParameterError) as caught:
        make()
    assert word in str(caught.value)
