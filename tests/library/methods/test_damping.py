"""The rules give the (a, b) of their papers."""

from dataclasses import replace

import numpy as np
import pytest

from nntk_lib.exceptions import ParameterError
from nntk_lib.losses import LogCosh, Square, WeightedSquare
from nntk_lib.methods.base import Step
from nntk_lib.methods.damping import Constant, Convex, GainRatio, Gamma, Smallest, Spectrum
from nntk_lib.methods.gauss_newton import GaussNewton, spectrum

from .tiny import Tiny, relative, targets

EPS = np.finfo(float).eps


def never():
    raise AssertionError("a rule asked for eigenvalues that it does not need")


FAILS = Spectrum(never)
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
