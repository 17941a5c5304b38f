"""The bounds of Lemma 9 along real paths."""

import re

import numpy as np
import pytest

from nntk_lib import (
    Data,
    Gamma,
    GaussNewton,
    Newton,
    Shallow,
    residual,
    train,
)
from nntk_lib.exceptions import ParameterError
from nntk_lib.networks import curvature_level
from nntk_lib.theory import (
    a_priori,
)
from nntk_lib.training import movement, residuals, updates

from ..cases import EPS

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


@pytest.mark.parametrize("method", [Newton, GaussNewton])
@pytest.mark.parametrize("alpha", [1.0, 0.5, 1.9])
def test_a_priori_bounds_hold_along_the_path(method, alpha):
    net, X = Shallow("tanh", beta=0.6), np.linspace(-1, 1, 6)[:, None]
    y, theta = np.sin(2 * X[:, 0]), Shallow("tanh").init(4000, 1, rng=1)
    r0, c0 = np.linalg.norm(residual(net, theta, X, y)), np.abs(theta[:, 0]).max()
    bounds = a_priori(net, X, 4000, 2.0, 4, r0, c0, alpha)
    at, record = net.at(theta, X), {"moved": movement(theta), "updates": updates(theta), "residual": residuals(y)}
    history = train(net, theta, Data(X, y, "sine"), method(Gamma(2.0)), 4, alpha=alpha, record=record)
    largest = history["updates"][1:].max(axis=1) / alpha
    assert (largest <= bounds.update).all() and (bounds.level < 2.0).all()
    assert (history["moved"].max(axis=1) <= bounds.movement).all()
    assert (np.linalg.norm(history["residual"], axis=1) <= bounds.residual * (1 + 10 * EPS)).all()
    assert np.abs(history.theta[:, 0]).max() <= bounds.c_max[-1]
    assert bounds.residual[0] == r0 and bounds.c_max[0] == c0 and bounds.movement[0] == 0
    assert bounds.level[0] == pytest.approx(curvature_level(at, (at.f - y) / len(y)))


@pytest.mark.parametrize("alpha", [0.5, 1.0, 1.9])
def test_bounds_are_those_of_a_literal_recursion(alpha):
    """The module's three lines, one after the other."""
    net, X = Shallow("tanh", beta=0.6), np.linspace(-1, 1, 6)[:, None]
    m, gamma, s0, s1, s2 = 4000, 2.0, *net.act.sup[:3]
    n, radius = len(X), np.sqrt((net.inputs(X) ** 2).sum(axis=1)).max()
    c, R, moved, found = 1.5, 2.0, 0.0, []
    for _ in range(4):
        C_J, C_H = s0**2 + c**2 * s1**2 * radius**2, s1 * radius + c * s2 * radius**2
        eps = m ** (0.6 - 1) * C_H * R / n**0.5
        u = m ** (0.6 - 1) * C_J**0.5 * R / (n**0.5 * (gamma - eps))
        R_next = R + alpha**2 * m ** (0.6 - 1) * C_H * R**2 / (8 * n**0.5 * (gamma - eps))
        moved += alpha * u
        found.append((u, moved, c + alpha * u, R_next, eps))
        c, R = c + alpha * u, R_next
    bounds = a_priori(net, X, m, gamma, 4, 2.0, 1.5, alpha)
    made = np.column_stack([bounds.update, bounds.movement[1:], bounds.c_max[1:], bounds.residual[1:], bounds.level])
    np.testing.assert_allclose(made, found, rtol=1e-14)


def test_a_priori_bounds_refuse_narrow_networks():
    net, X = Shallow("tanh"), np.linspace(-1, 1, 6)[:, None]
    with pytest.raises(ParameterError, match="At step 0 the curvature level") as caught:
        a_priori(net, X, 100, 0.1, 3, residual=2.0, c_max=1.0)
    gamma, m = re.search(r"be gamma = (.*), or m = (.*) \(", str(caught.value)).groups()
    for advice in ((100, float(gamma)), (float(m), 0.1)):  # rounded in the message, so with a little to spare
        a_priori(net, X, int(1.1 * advice[0]), 1.1 * advice[1], 3, residual=2.0, c_max=1.0)
    with pytest.raises(ParameterError, match=r"Enough would be gamma = \S+ \("):
        a_priori(Shallow("tanh", beta=1.0), X, 100, 0.1, 3, residual=2.0, c_max=1.0)
    with pytest.raises(ParameterError, match="exceeds 2"):
        a_priori(net, X, 10**8, 0.3, 3, residual=2.0, c_max=1.0, alpha=2.1)
