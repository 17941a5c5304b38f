"""The safe regularization and the rule that follows it, against literal blocks."""

import numpy as np
import pytest
from hypothesis import example, given, settings

from nntk_lib import (
    AboveThreshold,
    Data,
    Newton,
    Shallow,
    Square,
    forward,
    jacobian,
    newton_step,
    reference,
    residual,
    safe_gamma,
    train,
)
from nntk_lib.exceptions import NotPositiveDefiniteError, ParameterError
from nntk_lib.networks import curvature_level, relu, softplus
from nntk_lib.theory import curvature_constant, jacobian_constant

from ..cases import EPS, problem, random_cases, relative

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")

cases = random_cases(["tanh", "sigmoid", "erf", "sine"], largest_beta=1.0)


def literal_blocks(net, theta, X, y):
    """Scaled blocks m^{beta - 1} (1/n) sum_j r_j H~_j^i by loops, shape (m, p, p)."""
    m, p = theta.shape
    r = reference.forward(net, theta, X) - y
    full = sum(rj * reference.network_hessian(net, theta, x) for rj, x in zip(r, X, strict=True)) / len(r)
    blocks = [full[i * p : (i + 1) * p, i * p : (i + 1) * p] for i in range(m)]
    return m ** (2 * net.beta - 1) * np.array(blocks)


# The block is a sum over samples that cancels: 5e-4 from terms of .1.
@example({"act": "sigmoid", "m": 1, "n": 3, "d": 1, "beta": 1.0, "bias": False, "seed": 946})
@given(cases)
@settings(max_examples=80, deadline=None)
def test_property_safe_gamma_never_accepts_an_indefinite_block(case):
    net, theta, X, y = problem(**case)
    blocks = literal_blocks(net, theta, X, y)
    exact, bound = (safe_gamma(net, theta, X, y, method) for method in ("eigenvalues", "bound"))
    low = np.linalg.eigvalsh(blocks).min()
    r = residual(net, theta, X, y)
    cancelled = (np.abs(y).max() + np.abs(y + r).max()) / np.linalg.norm(r)  # digits lost in f - y, in both routes
    size = np.abs(blocks).max() * max(1, cancelled)
    assert low <= 0 < exact  # the first diagonal entry of every block is zero
    assert abs(exact + low) <= EPS * (100 * size + 2 * bound)
    assert bound >= exact * (1 - 100 * EPS)
    for gamma in (exact, 1.5 * exact, max(bound, exact)):
        assert newton_step(net, theta, X, y, gamma).min_eig >= 0
    if exact > 1e-3 * size:
        with pytest.raises(NotPositiveDefiniteError, match="safe_gamma"):
            newton_step(net, theta, X, y, 0.999 * exact)


@pytest.mark.parametrize("act", ["tanh", "sigmoid", "sine"])
def test_safe_gamma_and_constants(act):
    """The mutants' test, without hypothesis: literal blocks, Lemmas 16, 18, 19 and 20."""
    net, theta, X, y = problem(act, m=9, n=6, d=2, seed=3)
    blocks, c_max = literal_blocks(net, theta, X, y), np.abs(theta[:, 0]).max()
    assert safe_gamma(net, theta, X, y) == pytest.approx(-np.linalg.eigvalsh(blocks).min(), rel=1e-12)
    J = jacobian(net, theta, X) * len(theta) ** net.beta
    assert max(np.linalg.norm(J[:, i], 2) ** 2 for i in range(9)) <= len(X) * jacobian_constant(net, X, c_max)
    r = residual(net, theta, X, y)
    level = curvature_level(net.at(theta, X), r / len(r))
    expected = 9**-0.25 * curvature_constant(net, X, c_max) * np.sqrt(np.mean(r**2))
    assert level == pytest.approx(expected, rel=1e-14)
    assert np.abs(np.linalg.eigvalsh(blocks)).max() <= level
    assert safe_gamma(net, theta, X, y, "bound") == pytest.approx(level, rel=8 * EPS)


def test_constants_are_attained():
    """One neuron with z = 0 attains s0 = 0, s1 of C_J for tanh; a large z attains s0."""
    net, X = Shallow("tanh", bias=False), np.array([[2.0]])
    slope = jacobian(net, np.array([[3.0, 0.0]]), X)
    assert np.linalg.norm(slope) ** 2 == (3 * 2) ** 2 == jacobian_constant(net, X, 3.0) - 1
    assert curvature_constant(net, X, 3.0) == pytest.approx(2 + 3 * 4 * 4 / (3 * 3**0.5), rel=1e-15)


def test_safe_gamma_on_an_exact_fit_is_zero_and_errors_are_named():
    net, theta, X, _ = problem()
    assert safe_gamma(net, theta, X, forward(net, theta, X)) == 0
    with pytest.raises(ParameterError, match="'eigenvalues' or 'bound'"):
        safe_gamma(net, theta, X, np.zeros(5), "guess")
    net = Shallow(relu)
    with pytest.raises(ParameterError, match="no bound for activation 'relu'"):
        safe_gamma(net, theta, X, np.ones(5), "bound")
    assert safe_gamma(Shallow(softplus), theta, X, np.ones(5), "bound") > 0


def test_the_rule_follows_the_threshold():
    net, theta, X, y = problem(m=30, n=5, d=1)
    twin = newton_step(net, theta, X, y, 1.5 * safe_gamma(net, theta, X, y))
    rule, at = lambda *a, **k: Newton(AboveThreshold(*a, **k)), net.at(theta, X)
    step = rule(1.5)(at, Square(), y)
    assert step.gamma == pytest.approx(twin.gamma, rel=4 * EPS) and relative(step.delta, twin.delta) <= 1000 * EPS
    assert step.min_eig == pytest.approx(step.gamma / 3, rel=1e-10)
    assert rule(floor=9.0)(at, Square(), y).gamma == pytest.approx(9.0, rel=1e-15)
    history = train(net, theta, Data(X, y, "random"), rule(), 30)
    assert all(s.is_descent and s.min_eig > 0.49 * s.gamma for s in history.steps[:5])
    assert history.steps[-1].gamma < 1e-3 * history.steps[0].gamma
    with pytest.raises(ParameterError, match="greater than 1"):
        AboveThreshold(1.0)
    with pytest.raises(ParameterError, match="nothing is left to fit"):
        rule()(at, Square(), forward(net, theta, X))
