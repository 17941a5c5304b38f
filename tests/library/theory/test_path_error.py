"""The five parts of the error at finite width."""

import numpy as np
import pytest

from nntk_lib import (
    Data,
    Gamma,
    GaussNewton,
    Newton,
    Shallow,
    empirical_ntk,
    forward,
    limit_ntk,
    newton_kernel,
    train,
    trajectory,
)
from nntk_lib.exceptions import ParameterError
from nntk_lib.limits import nntk
from nntk_lib.networks import shifted, tanh
from nntk_lib.theory import fit_rate, path_error
from nntk_lib.training import residuals

from ..cases import EPS, problem

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")


@pytest.mark.parametrize("method", [Newton, GaussNewton])
def test_path_error_is_the_literal_decomposition(method):
    net, theta, X, y = problem("tanh", m=60, n=5, d=1, seed=2)
    gamma, alpha, A = 2.0, 0.8, limit_ntk(*(problem("tanh", m=60, n=5, d=1, seed=2)[i] for i in (0, 2)))
    error = path_error(net, theta, X, y, gamma, 3, alpha=alpha, method=method)
    record = {"residual": residuals(y), "theta": lambda theta, at: theta.copy()}
    history = train(net, theta, Data(X, y, "random"), method(Gamma(gamma)), 3, alpha=alpha, record=record)
    limit = trajectory(A, y, 3, gamma=gamma, alpha=alpha)
    assert np.abs(error.total - (history["residual"] - limit.residual)).max() <= 1000 * EPS
    parts = ["start", "sampling", "curvature", "drift", "remainder"]
    assert np.abs(sum(getattr(error, part) for part in parts) - error.total).max() <= 1000 * EPS
    # every part by its definition: what each step adds, by kernels in place of the step, carried on by the limit's
    K, wanted = nntk(A, gamma), {part: np.zeros(5) for part in parts} | {"start": forward(net, theta, X)}
    for k in range(3):
        thetas, r = history["theta"], history["residual"][k]
        h0, h = (nntk(empirical_ntk(net, at, X), gamma) for at in (thetas[0], thetas[k]))
        Km = newton_kernel(net, thetas[k], X, y, gamma) if method is Newton else h
        after = forward(net, thetas[k + 1], X) - y
        added = [0, (K - h0) @ r, (h - Km) @ r, (h0 - h) @ r, (after - r) / alpha + Km @ r]
        for part, new in zip(parts, added, strict=True):
            wanted[part] = wanted[part] - alpha * K @ wanted[part] + alpha * new
            assert getattr(error, part)[k + 1] == pytest.approx(wanted[part], abs=1000 * EPS), (part, k)
    assert np.abs(error.drift[3]).max() > 1e-6  # all parts of the network's movement are there
    assert error.norm("drift", "start") == pytest.approx(np.linalg.norm(error.drift + error.start, axis=1))
    assert error.norm() == pytest.approx(np.linalg.norm(error.total, axis=1))
    with pytest.raises(ParameterError, match="'total' or one of"):
        error.norm("luck")


def test_orders_of_the_parts():
    """Start m^{1/2 - beta}, sampling m^{-1/2}, curvature and drift m^{beta - 1} where no symmetry cancels them."""
    net, X = Shallow(shifted(tanh, 1.0), beta=0.75, outputs="skewed"), np.linspace(-1, 1, 6)[:, None]
    y, A, widths = np.sin(3 * X[:, 0]), limit_ntk(net, X), 4 ** np.arange(4, 8)
    norms = np.empty((3, len(widths), 24))
    for i, m in enumerate(widths):
        for seed in range(24):
            theta = net.init(int(m), 1, np.random.default_rng([seed, int(m)]))
            error = path_error(net, theta, X, y, 3.0, 2, A=A)
            norms[:, i, seed] = [error.norm(*p)[-1] for p in (["start"], ["sampling"], ["curvature", "drift"])]
    for values, exponent in zip(norms, (-0.25, -0.5, -0.25), strict=True):
        rate = fit_rate(widths, values)
        assert abs(rate.exponent - exponent) <= 0.1
