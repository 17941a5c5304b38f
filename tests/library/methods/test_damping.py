"""The rules give the (a, b) of their papers."""

from dataclasses import replace

import numpy as np
import pytest

from nntk_lib.data import interval
from nntk_lib.exceptions import ParameterError
from nntk_lib.losses import LogCosh, Square, WeightedSquare
from nntk_lib.methods.base import Step
from nntk_lib.methods.damping import Constant, Convex, GainRatio, Gamma, ResidualNorm, Smallest, Spectrum
from nntk_lib.methods.gauss_newton import GaussNewton, spectrum
from nntk_lib.methods.newton import Newton
from nntk_lib.networks.shallow.spec import Shallow
from nntk_lib.theory import convergence_order
from nntk_lib.training import train

from .tiny import Tiny, relative, targets

EPS = np.finfo(float).eps


def never():
    raise AssertionError("a rule asked for eigenvalues that it does not need")


FAILS = Spectrum(never, residual=2.0)
PAIR = Spectrum(lambda: np.diag([0.5, 2.0]), kernel=Spectrum(lambda: np.diag([4.0, 9.0])))
LAST = Step("gauss-newton", None, -1.0, a=0.3, b=0.7)


class At:
    kernel_scale = 25.0


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Constant(), (0, 1)),
        (Constant(0.1, 0.9), (0.1, 0.9)),
        (Gamma(5.0), (0.2, 1)),
        (ResidualNorm(5.0), (0.4, 1)),
        (ResidualNorm(5.0, floor=25.0), (1, 1)),
        (Smallest(0.0, 1e-7), (1e-7, 1)),
        (Convex(rho=0.25), (0.25, 0.75)),
        (Convex(2.0, lam=0.5), (0.5, 0.5)),
        (Convex(rho=1), (1, 0)),
        (GainRatio(start=3.0), (3, 1)),
    ],
)
def test_fixed_rules_ask_for_no_eigenvalue(rule, expected):
    assert rule(FAILS, At(), None) == pytest.approx(expected)
    assert hash(rule) == hash(replace(rule)) and rule == replace(rule)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Smallest(3.0), (12, 1)),
        (Smallest(3.0, kernel="weighted"), (1.5, 1)),
        (Smallest(3.0, 20.0), (20, 1)),
        (Convex(), (1 / 3, 2 / 3)),
        (Convex(4.0), (2 / 3, 1 / 3)),
        (Convex(0.25, kernel="plain"), (0.5, 0.5)),
    ],
)
def test_rules_from_the_smallest_eigenvalue(rule, expected):
    assert rule(PAIR, At(), None) == pytest.approx(expected)
    assert rule(PAIR, At(), LAST) == pytest.approx(expected)


def test_an_eigenvalue_that_rounding_made_negative_counts_as_zero():
    noise = Spectrum(lambda: np.diag([-1e-17, 1.0]))
    assert Convex()(noise, At()) == (0, 1) and Smallest(1.0, 1e-7)(noise, At()) == (1e-7, 1)


def test_the_spectrum_is_computed_once():
    calls = []
    lazy = Spectrum(lambda: calls.append(1) or np.diag([2.0, 1.0]))
    assert (lazy.smallest, lazy.largest, lazy.smallest, lazy.kernel is lazy) == (1, 2, 1, True) and len(calls) == 1


def test_the_start_of_the_run_is_in_the_last_step():
    rule = Convex(adaptive=False)
    assert rule(PAIR, At(), None) == Convex()(PAIR, At(), None)
    assert rule(FAILS, At(), LAST) == (0.3, 0.7)
    assert rule(PAIR, At(), Step("gradient-descent", None, -1.0)) == Convex()(PAIR, At(), None)  # it had no damping


def test_gain_ratio_sequence():
    rule, step, path = GainRatio(up=2.0, down=3.0, start=9.0, floor=0.5), None, []
    for gain in (0.9, 0.76, 0.75, 0.25, 0.24, np.nan, -5.0, None, 2.0, 1.0, 1.0, 1.0, 1.0):
        a, b = rule(FAILS, At(), step)
        path.append(a)
        step = Step("levenberg-marquardt", None, -1.0, a=a, b=b, gain=gain)
    assert path == pytest.approx([9, 3, 1, 1, 1, 2, 4, 8, 8, 8 / 3, 8 / 9, 0.5, 0.5])


@pytest.mark.parametrize("side", ["dual", "primal"])
def test_the_residual_is_that_of_the_step(side):
    """The mean square's |q| is the root mean square of the residual, whoever makes the spectrum."""
    net, theta = Tiny.draw(n=5, P=30)
    at = net.at(theta)
    y = targets(Square(), at)
    size = np.sqrt(np.mean((at.f - y) ** 2))
    assert spectrum(at, Square(), y).residual == pytest.approx(size, rel=1e-14)
    assert GaussNewton(ResidualNorm(0.5), side=side)(at, Square(), y).gamma == pytest.approx(0.5 * size, rel=1e-14)
    loss = LogCosh(np.ones(5), "sum")
    q = loss.factor(at.f, y)[1]
    assert GaussNewton(ResidualNorm(2.0))(at, loss, y).gamma == pytest.approx(2 * np.linalg.norm(q), rel=1e-14)
    plain = GaussNewton(ResidualNorm(2.0), metric="identity")(at, loss, y)
    assert plain.gamma == pytest.approx(2 * np.linalg.norm(loss.gradient(at.f, y)), rel=1e-14)
    with pytest.raises(ParameterError, match="give a floor"):
        GaussNewton(ResidualNorm(1.0))(at, Square(), at.f)
    assert GaussNewton(ResidualNorm(1.0, floor=0.1))(at, Square(), at.f).gamma == pytest.approx(0.1)
    with pytest.raises(ParameterError, match="Spectrum"):
        ResidualNorm(1.0)(PAIR, at)


def test_newton_with_the_residual_is_newton_with_that_gamma():
    net, data = Shallow("tanh"), interval(6, frequencies=(1,))
    at = net.at(net.init(200, 1, rng=0), data.X)
    step = Newton(ResidualNorm(3.0))(at, Square(), data.y)
    gamma = 3 * np.sqrt(np.mean((at.f - data.y) ** 2))
    assert step.gamma == pytest.approx(gamma, rel=1e-14)
    assert relative(step.delta, Newton(gamma)(at, Square(), data.y).delta) <= 1e-12


@pytest.mark.parametrize(
    ("rule", "order", "within"), [(ResidualNorm(0.3), 2, 0.35), (Gamma(1e-3), 1, 0.1)], ids=["residual", "fixed"]
)
def test_the_order_of_convergence_is_two(rule, order, within):
    """Fan and Yuan: quadratic; the same run with a fixed gamma is linear."""
    net, data = Shallow("tanh"), interval(6, frequencies=(1,))
    start = net.init(400, 1, rng=0)
    loss = train(net, start, data, GaussNewton(rule), 60, stop=lambda value: value < 1e-22).loss
    errors = np.sqrt(loss[loss > 1e-26])[-3:]
    assert abs(convergence_order(errors) - order) <= within


def test_convex_damping_is_additive_damping_with_a_longer_step():
    """Cayci (14) is Arbel (5) with the factor 1 + r lambda."""
    net, theta = Tiny.draw(n=5, P=30)
    at = net.at(theta)
    y = targets(Square(), at)
    lam = np.linalg.eigvalsh(at.gram())[0]
    convex = GaussNewton(Convex(0.7))(at, Square("sum"), y)
    additive = GaussNewton(Smallest(0.7))(at, Square("sum"), y)
    assert relative(convex.delta, (1 + 0.7 * lam) * additive.delta) <= 1e-12
    assert convex.a / convex.b == pytest.approx(additive.a, rel=1e-10)


@pytest.mark.parametrize("b", [0.0, 0.5])
def test_rates_of_caycis_theorem_10(b):
    """Bounds of the linearized rates that the proofs rest on: 1/(2 mu) for (16), 1/2 for both readings of (17)."""
    weights = np.logspace(-2, 0, 12)
    loss = LogCosh(weights, "sum", b) if b else WeightedSquare(weights, "sum")
    net, theta = Tiny.draw(n=12, P=60, hidden=100)
    at = net.at(theta)
    y = targets(loss, at)
    nu, mu = loss.curvature_bounds(y)
    K, H = at.gram(), np.diag(loss.hessian(at.f, y))
    for rule, root, least in (
        (Convex(mu, kernel="plain"), np.eye(12), 1 / (2 * mu)),
        (Convex(nu, kernel="plain"), np.sqrt(H), 0.5),
        (Convex(), np.sqrt(H), 0.5),
    ):
        rho, weight = rule(spectrum(at, loss, y), at)
        # d outputs/dt = -(rho K^{-1} + (1 - rho) H)^{-1} g, in the metric in which the proof measures
        rate = root @ np.linalg.inv(rho * np.linalg.inv(K) + weight * H) @ root
        assert np.linalg.eigvalsh((rate + rate.T) / 2)[0] >= least * (1 - 1e-10)


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: Constant(-1.0), "a = -1"),
        (lambda: Constant(np.nan), "a = nan"),
        (lambda: Constant(0.0, 0.0), "no system"),
        (lambda: Gamma(0.0), "gamma"),
        (lambda: ResidualNorm(0.0), "c = 0"),
        (lambda: ResidualNorm(1.0, floor=-1.0), "floor"),
        (lambda: Smallest(floor=-1.0), "floor"),
        (lambda: Smallest(kernel="loss"), "'plain'"),
        (lambda: Convex(r=-1.0), "r = -1"),
        (lambda: Convex(rho=1.5), "between 0"),
        (lambda: Convex(rho=-0.5), "rho"),
        (lambda: Convex(lam=1.0, rho=0.5), "one of them"),
        (lambda: Convex(kernel="x"), "'weighted'"),
        (lambda: GainRatio(low=0.8), "below high"),
        (lambda: GainRatio(up=1.0), "greater than 1"),
        (lambda: GainRatio(start=0.0), "start"),
    ],
)
def test_bad_parameters_are_named(make, word):
    with pytest.raises(ParameterError) as caught:
        make()
    assert word in str(caught.value)
