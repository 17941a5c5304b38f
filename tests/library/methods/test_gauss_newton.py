"""The Gauss-Newton step of every loss: against stacked least squares, one side against the other, what it promises."""

import mpmath
import numpy as np
import pytest

from nntk_lib.exceptions import NNTKError, NonFiniteError, ParameterError, SingularSystemError
from nntk_lib.losses import CrossEntropy, LogCosh, Logistic, Square, WeightedSquare
from nntk_lib.methods.base import Step
from nntk_lib.methods.damping import Constant, Convex, Gamma, Smallest
from nntk_lib.methods.gauss_newton import (
    GaussNewton,
    Gradient,
    gauss_newton_step,
    gradient_step,
    jacobian_at,
    solve_definite,
    spectrum,
)
from nntk_lib.methods.levenberg import LevenbergMarquardt
from nntk_lib.networks.deep import Deep
from nntk_lib.networks.shallow.spec import Shallow
from nntk_lib.reference import methods as twin

from .tiny import Tiny, relative, targets

EPS = np.finfo(float).eps
WEIGHTS = 10.0 ** np.linspace(-2, 0, 6)
LOSSES = {
    "square": Square(),
    "sum": Square("sum"),
    "weighted": WeightedSquare(WEIGHTS),
    "log cosh": LogCosh(WEIGHTS, b=0.5),
    "logistic": Logistic(),
    "ridge": Logistic(0.1),
    "cross-entropy": CrossEntropy(),
}
SIZES = {"wide": dict(n=6, P=40), "tall": dict(n=6, P=4), "wide, 3 outputs": dict(n=6, C=3, P=40)}
SIZES["tall, 3 outputs"] = dict(n=6, C=3, P=8)
PAIRS = [(l, s) for l in LOSSES for s in SIZES if l != "cross-entropy" or "outputs" in s]
pairs = pytest.mark.parametrize(("loss", "size"), PAIRS)


def case(loss, size, **more):
    net, theta = Tiny.draw(**SIZES[size], **more)
    at, loss = net.at(theta), LOSSES[loss]
    return at, loss, targets(loss, at)


def model_tolerance(at, loss, y, a, b):
    """How far two backward stable solvers may be apart: eps times the condition of the least-squares problem."""
    A = twin.dense_factor(loss.factor(at.f, y)[0]).T @ at.J
    top = b * np.linalg.norm(A, 2) ** 2
    return 100 * EPS * np.sqrt((top + a) / a)


# ---- the step


@pairs
@pytest.mark.parametrize("damping", [(1e-2, 1.0), (1e-6, 1.0), (1e-10, 1.0), (0.1, 0.9), (1.0, 0.0)])
@pytest.mark.parametrize("side", ["dual", "primal"])
def test_step_is_the_stacked_least_squares_solution(loss, size, damping, side):
    at, loss, y = case(loss, size)
    a, b = damping
    if b == 0:
        expected = -at.vjp(loss.gradient(at.f, y)) / a
    else:
        expected = twin.gauss_newton(at.J, *loss.factor(at.f, y), a, b)
    step = GaussNewton(Constant(a, b), side=side)(at, loss, y)
    few = at.f.size > at.theta.size  # the dual side is then singular but for the damping, and loses its square root
    tol = model_tolerance(at, loss, y, a, b) * (1 / np.sqrt(a) if few and side == "dual" else 1)
    assert relative(step.delta, expected) <= tol
    assert (step.a, step.b, step.route) == (a, b, side)


@pairs
def test_both_sides_give_one_step_and_auto_takes_the_smaller(loss, size):
    at, loss, y = case(loss, size)
    dual, primal, auto = (GaussNewton(Constant(1e-3), side=side)(at, loss, y) for side in ("dual", "primal", "auto"))
    tol = model_tolerance(at, loss, y, 1e-3, 1.0) / np.sqrt(1e-3)
    assert relative(dual.delta, primal.delta) <= tol
    for name in ("slope", "curvature", "predicted"):
        assert getattr(dual, name) == pytest.approx(getattr(primal, name), rel=10 * tol)
    assert auto.route == ("primal" if at.theta.size < at.f.size else "dual")


@pytest.mark.parametrize("a", [1e-2, 1e-6, 1e-10])
@pytest.mark.parametrize("seed", range(5))
def test_cross_entropy_keeps_its_digits_and_the_published_forms_do_not(a, seed):
    """Symmetric form against stacked least squares: 1e-12, where H K + a I loses digits and L^T L is another step."""
    net, theta = Tiny.draw(n=8, C=5, P=120, hidden=200, seed=seed, scale=2.0)
    at, loss = net.at(theta), CrossEntropy()
    y = targets(loss, at)
    R, q = loss.factor(at.f, y)
    expected = twin.gauss_newton(at.J, R, q, a)
    assert relative(GaussNewton(Constant(a))(at, loss, y).delta, expected) <= 1e-12
    H, g, K = twin.dense_factor(loss.hessian(at.f, y)), loss.gradient(at.f, y).ravel(), at.gram()
    unsymmetric = -at.vjp(np.linalg.solve(H @ K + a * np.eye(len(K)), g))
    assert a > 1e-9 or relative(unsymmetric, expected) > 1e-9
    # a published code takes Cholesky's L with H + small = L L^T, and L^T L in the place of L L^T
    L = np.linalg.cholesky(H + 1e-9 * np.eye(len(H)))
    wrong = -at.vjp(L.T @ np.linalg.solve(L @ K @ L.T + a * np.eye(len(K)), np.linalg.solve(L.T, g)))
    assert relative(wrong, expected) > 0.1


def exact_cross_entropy_step(at, y, a):
    """-J^T (H K + a I)^{-1} g in 80 digits."""
    (n, C), N = at.f.shape, at.f.size
    with mpmath.workdps(80):
        H, g, J = mpmath.zeros(N), mpmath.matrix(N, 1), mpmath.matrix(at.J.tolist())
        for j in range(n):
            e = [mpmath.exp(mpmath.mpf(float(x))) for x in at.f[j]]
            p = [x / sum(e) for x in e]
            for c in range(C):
                g[j * C + c] = (p[c] - int(y[j] == c)) / n
                for k in range(C):
                    H[j * C + c, j * C + k] = p[c] * (int(c == k) - p[k]) / n
        z = mpmath.lu_solve(H * (J * J.T) + mpmath.mpf(a) * mpmath.eye(N), g)
        return np.array([float(x) for x in -(J.T * z)])


@pytest.mark.parametrize("a", [1e-2, 1e-6, 1e-10])
@pytest.mark.parametrize("scale", [20.0, 100.0, 500.0])
@pytest.mark.parametrize("P", [40, 6])
def test_a_softmax_that_is_sure_and_wrong(a, scale, P):
    """q is as large as e^{100}; the step is right all the same, on both sides, and so is what it promises."""
    net, theta = Tiny.draw(n=4, C=3, P=P, hidden=60, seed=3, scale=scale)
    at, loss = net.at(theta), CrossEntropy()
    y = at.f.argmin(axis=1)
    expected = exact_cross_entropy_step(at, y, a)
    assert np.abs(loss.factor(at.f, y)[1]).max() > 1e4
    for side, tol in (("dual", 1e-12), ("primal", 1e-9)):
        step = GaussNewton(Constant(a), side=side)(at, loss, y)
        assert relative(step.delta, expected) <= tol
        assert step.slope == pytest.approx(float(at.vjp(loss.gradient(at.f, y)) @ expected), rel=tol)


NETWORKS = {
    "shallow": (Shallow("tanh", beta=0.75), lambda net: net.init(m=9, d=2, rng=0)),
    "deep": (Deep("silu", widths=(6, 5)), lambda net: net.init(d=2, rng=0)),
    "deep, 3 outputs": (Deep("tanh", widths=(4,), outputs=3), lambda net: net.init(d=2, rng=0)),
    "deep, frozen": (Deep("tanh", widths=(4, 5), outputs=3, frozen=(0,)), lambda net: net.init(d=2, rng=0)),
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("side", ["dual", "primal"])
def test_networks_of_the_library(network, side):
    net, init = NETWORKS[network]
    at = net.at(init(net), np.random.default_rng(1).standard_normal((6, 2)))
    J = np.stack([at.vjp(e.reshape(at.f.shape)).ravel() for e in np.eye(at.f.size)])
    for loss in LOSSES.values():
        if isinstance(loss, CrossEntropy) and at.f.ndim == 1:
            continue
        y = targets(loss, at)
        step = GaussNewton(Constant(1e-3), side=side)(at, loss, y)
        expected = twin.gauss_newton(J, *loss.factor(at.f, y), 1e-3)
        assert step.delta.shape == at.theta.shape and relative(step.delta, expected) <= 1e-10
        assert step.gamma == step.min_eig == 1e-3 * at.kernel_scale
        g = Gradient(0.1)(at, loss, y).delta
        assert relative(g, -0.1 * at.kernel_scale * J.T @ loss.gradient(at.f, y).ravel()) <= 1e-12


@pytest.mark.parametrize("size", ["wide", "wide, 3 outputs"])
def test_undamped_step_is_the_shortest_interpolant(size):
    at, loss, y = case("square", size)
    for side in ("dual", "primal"):
        step = GaussNewton(side=side)(at, loss, y)
        assert relative(step.delta, np.linalg.pinv(at.J) @ (y - at.f).ravel()) <= 100 * EPS * np.linalg.cond(at.J) ** 2
        assert step.predicted == pytest.approx(loss.value(at.f, y), rel=1e-10)


def test_undamped_step_with_few_parameters_is_least_squares():
    at, loss, y = case("square", "tall, 3 outputs")
    step = GaussNewton()(at, loss, y)
    expected = np.linalg.lstsq(at.J, (y - at.f).ravel(), rcond=None)[0]
    assert relative(step.delta, expected) <= 100 * EPS * np.linalg.cond(at.J) and step.route == "primal"


@pairs
def test_identity_metric(loss, size):
    at, loss, y = case(loss, size)
    for side in ("dual", "primal"):
        step = GaussNewton(Constant(0.1, 0.5), metric="identity", side=side)(at, loss, y)
        expected = twin.gauss_newton(at.J, np.ones(at.f.shape), loss.gradient(at.f, y), 0.1, 0.5)
        assert relative(step.delta, expected) <= 1e-12
        # its model is that of the loss, not of the metric
        change = at.jvp(step.delta).ravel()
        H = twin.dense_factor(loss.hessian(at.f, y))
        assert step.curvature == pytest.approx(change @ H @ change, rel=1e-11)
        assert step.slope == pytest.approx(float(loss.gradient(at.f, y).ravel() @ change), rel=1e-11)


def test_metrics_of_the_mean_square_differ_by_n_at_the_kernel():
    at, loss, y = case("square", "wide")
    with_h = GaussNewton(Constant(0.3))(at, loss, y)
    without = GaussNewton(Constant(0.3, 1 / 6), metric="identity")(at, loss, y)
    assert relative(with_h.delta, without.delta) <= 1e-13


@pytest.mark.parametrize("parameters", [4, 30])
def test_a_parameter_without_effect_does_not_move(parameters):
    net, theta = Tiny.draw(n=6, P=parameters)
    net.W[:, 1] = 0
    at = net.at(theta)
    step = GaussNewton()(at, Square(), targets(Square(), at))
    assert step.delta[1] == 0 and np.abs(step.delta).max() > 0


# ---- what a step promises


@pairs
@pytest.mark.parametrize("a", [1e-12, 1e-6, 1.0, 1e6, 1e20])
def test_slope_and_curvature_do_not_cancel(loss, size, a):
    at, loss, y = case(loss, size)
    step = GaussNewton(Constant(a))(at, loss, y)
    change, H = (at.J @ step.delta), twin.dense_factor(loss.hessian(at.f, y))
    assert step.is_descent
    assert step.slope == pytest.approx(float(at.vjp(loss.gradient(at.f, y)) @ step.delta), rel=1e-9)
    assert step.curvature == pytest.approx(float(change @ H @ change), rel=1e-8)
    assert step.predicted > 0


def test_predicted_is_the_model_and_the_model_is_the_loss_for_a_linear_map():
    net, theta = Tiny.draw(n=5, P=9)
    net = type(net)(1e6 * net.V, 1e-6 * net.W, 1)  # so flat that it is linear
    at = net.at(theta)
    y = at.f + np.arange(5.0)
    for rule in (Constant(0.1), Constant(0.4, 0.6)):
        step = GaussNewton(rule)(at, Square(), y)
        for t in (0.3, 1.0, 2.0):
            change = Square().value(net.at(theta + t * step.delta).f, y) - Square().value(at.f, y)
            assert step.model(t) == pytest.approx(change, rel=1e-6)
        assert step.predicted == -step.model(1.0)


def test_gradient_step():
    at, loss, y = case("logistic", "wide")
    step, g = Gradient(0.5)(at, loss, y), at.J.T @ loss.gradient(at.f, y).ravel()
    assert relative(step.delta, -0.5 * g) <= 10 * EPS and step.slope == pytest.approx(-0.5 * g @ g)
    assert step.curvature == 0 and np.isnan(step.a) and step.name == "gradient-descent"
    scaled = Gradient(0.5)(type(at)(at.net, at.theta, kernel_scale=8.0), loss, y)
    assert relative(scaled.delta, -4 * g) <= 10 * EPS


def test_verbs_are_thin():
    net, theta = Tiny.draw(n=6, P=30)
    at, y = net.at(theta), np.arange(6.0)
    step = gauss_newton_step(net, theta, None, y, 0.3)
    assert (step.delta == GaussNewton(Gamma(0.3))(at, Square(), y).delta).all() and step.gamma == 0.3
    assert (gradient_step(net, theta, None, y, 2.0).delta == Gradient(2.0)(at, Square(), y).delta).all()


def test_step_is_compared_by_identity_and_printed_without_arrays():
    step = Step("newton", np.ones(3), -1.0)
    assert step == step and step != Step("newton", np.ones(3), -1.0) and "array" not in repr(step)


# ---- systems that cannot be solved


def repeated():
    net, theta = Tiny.draw(n=6, P=30)
    net.V[1] = net.V[0]
    return net.at(theta)


@pytest.mark.parametrize("side", ["dual", "primal"])
def test_singular_systems_are_refused_with_advice_that_works(side):
    at, y = repeated(), np.arange(6.0)
    with pytest.raises(SingularSystemError, match="repeated samples"):
        GaussNewton(side=side)(at, Square(), y)
    with pytest.raises(SingularSystemError, match="below the rounding"):
        GaussNewton(Constant(1e-300), side=side)(at, Square(), y)
    enough = 10 * 6 * EPS * np.linalg.eigvalsh(at.gram())[-1]
    assert GaussNewton(Constant(enough), side=side)(at, Square(), y).is_descent


def test_undamped_cross_entropy_is_singular_in_sample_space():
    at, loss, y = case("cross-entropy", "wide, 3 outputs")
    with pytest.raises(SingularSystemError, match="softmax"):
        GaussNewton(side="dual")(at, loss, y)
    tall, loss, y = case("cross-entropy", "tall, 3 outputs")
    assert GaussNewton()(tall, loss, y).is_descent
    with pytest.raises(SingularSystemError, match="side='primal'"):
        GaussNewton(side="dual")(tall, loss, y)


def test_a_network_that_does_not_move():
    net, theta = Tiny.draw(n=6, P=4)
    at = type(net)(net.V, 0 * net.W, 1).at(theta)
    with pytest.raises(SingularSystemError):
        GaussNewton()(at, Square(), np.ones(6))
    assert (GaussNewton(Constant(1.0))(at, Square(), np.ones(6)).delta == 0).all()


@pytest.mark.parametrize("P", [40, 4])
@pytest.mark.parametrize("rule", [Constant(1.0), Convex()])
def test_derivatives_that_overflow_are_named(P, rule):
    net, theta = Tiny.draw(n=6, P=P)
    net.W[0, 0] = np.inf
    at = net.at(np.where(np.arange(P) == 0, 1e-300, theta))
    with np.errstate(invalid="ignore"), pytest.raises(NonFiniteError, match="diverged"):
        GaussNewton(rule)(at, Square(), np.zeros(6))


def test_overflow_is_named():
    at, y = case("square", "wide")[0], np.full(6, 1e300)
    with pytest.raises(NonFiniteError, match="order one"):
        GaussNewton(Constant(1e-8))(at, Square("sum"), y)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: GaussNewton(0.1), "Constant(a)"),
        (lambda: GaussNewton(metric="fisher"), "'identity'"),
        (lambda: GaussNewton(side="both"), "'dual'"),
        (lambda: Gradient(0.0), "eta"),
        (lambda: gauss_newton_step(Tiny.draw()[0], Tiny.draw()[1], None, np.ones(5), -1.0), "gamma"),
        (lambda: LevenbergMarquardt(least=1.0), "least"),
        (
            lambda: GaussNewton(lambda *_: (-1.0, 1.0))(Tiny.draw()[0].at(Tiny.draw()[1]), Square(), np.ones(5)),
            "a = -1",
        ),
        (lambda: GaussNewton(lambda *_: (0.0, 0.0))(Tiny.draw()[0].at(Tiny.draw()[1]), Square(), np.ones(5)), "b = 0"),
    ],
)
def test_bad_parameters_are_named(make, word):
    with pytest.raises(ParameterError) as caught:
        make()
    assert word in str(caught.value) and isinstance(caught.value, NNTKError)


# ---- parts


def test_solve_definite_takes_columns_and_leaves_its_input():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((6, 9))
    M, q = B @ B.T, rng.standard_normal((6, 3))
    kept = M.copy()
    assert relative(solve_definite(M, q, 0.1, 2.0), np.linalg.solve(2 * M + 0.1 * np.eye(6), q)) <= 1e-13
    assert (M == kept).all()


@pytest.mark.parametrize("size", ["wide", "tall", "tall, 3 outputs"])
def test_jacobian(size):
    at, _, _ = case("square", size)
    assert relative(jacobian_at(at), at.J) <= 10 * EPS


@pairs
def test_rules_see_the_spectrum_of_the_loss_and_of_the_kernel(loss, size):
    at, loss, y = case(loss, size)
    A = twin.dense_factor(loss.factor(at.f, y)[0]).T @ at.J
    here = spectrum(at, loss, y)
    tol = 100 * EPS * np.linalg.norm(A, 2) ** 2
    assert here.smallest == pytest.approx(np.linalg.eigvalsh(A @ A.T)[0], abs=tol)
    assert here.largest == pytest.approx(np.linalg.norm(A, 2) ** 2, rel=1e-12)
    assert here.kernel.largest == pytest.approx(np.linalg.norm(at.J, 2) ** 2, rel=1e-12)
    wide = at.theta.size >= at.f.size
    for side in ("dual", "primal") if wide else ("primal",):
        singular = np.linalg.svd(A, compute_uv=False)[-1] ** 2
        plain = np.linalg.svd(at.J, compute_uv=False)[-1] ** 2
        if "outputs" not in size or not isinstance(loss, CrossEntropy):
            step = GaussNewton(Smallest(2.0, kernel="weighted"), side=side)(at, loss, y)
            assert step.a == pytest.approx(2 * singular, abs=tol, rel=1e-9)
        step = GaussNewton(Convex(3.0, kernel="plain"), side=side)(at, loss, y)
        assert step.a == pytest.approx(3 * plain / (1 + 3 * plain), rel=1e-9) and step.a + step.b == pytest.approx(1)


# ---- Levenberg-Marquardt


def test_levenberg_marquardt_fits_where_gauss_newton_overshoots():
    from dataclasses import replace

    net, theta = Tiny.draw(n=5, P=8, scale=3.0)
    y = net.at(np.random.default_rng(5).standard_normal(8)).f  # reachable
    method, loss, step = LevenbergMarquardt(), Square(), None
    at = net.at(theta)
    values, gains = [loss.value(at.f, y)], []
    for _ in range(60):
        step = method(at, loss, y, step)
        there = net.at(at.theta + step.delta)
        step = replace(step, gain=(values[-1] - loss.value(there.f, y)) / step.predicted)
        gains.append(step.gain)
        at = there if method.accept(step) else at
        values.append(loss.value(at.f, y))
    assert (np.diff(values) <= 0).all() and values[-1] < 1e-20 and min(gains[:20]) < 0.75
    assert step.name == "levenberg-marquardt"


def test_accept():
    accept = LevenbergMarquardt(least=0.1).accept
    gains = {0.2: True, 0.1: False, -1.0: False, np.nan: False, None: False, 5.0: True}
    assert all(accept(Step("levenberg-marquardt", None, -1.0, gain=gain)) is good for gain, good in gains.items())
