"""Constants, safe gamma, certificates, error decomposition, rates, phase diagrams, and the laws of the start."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.optimize import curve_fit

from nntk_lib import (
    NotPositiveDefiniteError,
    ParameterError,
    Shallow,
    ShapeError,
    a_priori,
    certify,
    curvature_blocks,
    curvature_constant,
    curvature_level,
    empirical_ntk,
    fit_rate,
    forward,
    gauss_newton_step,
    init,
    jacobian,
    jacobian_constant,
    limit_ntk,
    loss,
    newton_kernel,
    newton_step,
    nntk,
    parameter_damping,
    path_error,
    phase_diagram,
    reference,
    relu,
    residual,
    safe_gamma,
    safe_newton_step,
    shifted,
    sine,
    softplus,
    tanh,
    train,
    trajectory,
)

from .cases import EPS, problem, random_cases

pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.AssumptionWarning")

cases = random_cases(["tanh", "sigmoid", "erf", "sine"], largest_beta=1.0)


def literal_blocks(net, theta, X, y):
    """Scaled blocks m^{beta - 1} (1/n) sum_j r_j H~_j^i by loops, shape (m, p, p)."""
    m, p = theta.shape
    r = reference.forward(net, theta, X) - y
    full = sum(rj * reference.network_hessian(net, theta, x) for rj, x in zip(r, X, strict=True)) / len(r)
    blocks = [full[i * p : (i + 1) * p, i * p : (i + 1) * p] for i in range(m)]
    return m ** (2 * net.beta - 1) * np.array(blocks)


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
    assert abs(exact + low) <= 100 * EPS * size
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
    level = curvature_level(net, theta, X, r)
    expected = 9**-0.25 * curvature_constant(net, X, c_max) * np.sqrt(np.mean(r**2))
    assert level == pytest.approx(expected, rel=1e-14)
    assert np.abs(np.linalg.eigvalsh(blocks)).max() <= level
    assert safe_gamma(net, theta, X, y, "bound") == level


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
    step = safe_newton_step(net, theta, X, y, 1.5)
    assert step.gamma == twin.gamma and np.array_equal(step.delta, twin.delta)
    assert step.min_eig == pytest.approx(step.gamma / 3, rel=1e-10)
    assert safe_newton_step(net, theta, X, y, floor=9.0).gamma == 9.0
    assert safe_newton_step(net, theta, X, y, method="bound").gamma == 2 * safe_gamma(net, theta, X, y, "bound")
    history = train(net, theta, X, y, safe_newton_step, 30)
    assert all(s.is_descent and s.min_eig > 0.49 * s.gamma for s in history.steps[:5])
    assert history.steps[-1].gamma < 1e-3 * history.steps[0].gamma
    with pytest.raises(ParameterError, match="greater than 1"):
        safe_newton_step(net, theta, X, y, factor=1.0)
    with pytest.raises(ParameterError, match="nothing is left to fit"):
        safe_newton_step(net, theta, X, forward(net, theta, X))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("gamma", [0.02, 0.2, 2.0])
def test_certificate_counts_what_the_dense_matrices_have(seed, gamma):
    net, theta, X, y = problem(m=11, n=4, d=1, seed=seed)
    damping = parameter_damping(gamma, len(theta), net.beta) * np.eye(theta.size)
    M = reference.hessian(net, theta, X, y) + damping
    J = reference.jacobian(net, theta, X)
    certificate = certify(net, theta, X, y, gamma)
    assert certificate.negative_blocks == (np.linalg.eigvalsh(M - J.T @ J / len(X)) < 0).sum()
    assert certificate.negative_hessian == (np.linalg.eigvalsh(M) < 0).sum()
    assert certificate.positive_definite == (certificate.negative_blocks == 0) == (certificate.min_eig > 0)
    assert 0 <= certificate.negative_blocks - certificate.negative_hessian <= len(X)
    assert certificate.safe_gamma == pytest.approx(safe_gamma(net, theta, X, y), rel=1e-10)


def test_certificates_see_repaired_directions():
    """Indefinite D, definite Hessian: Remark 3 of the paper has no converse."""
    net, theta, X = Shallow("tanh", bias=False), np.array([[3**0.5, 0.0]]), np.ones((1, 1))
    certificate = certify(net, theta, X, np.array([-1.5]), 1.0)
    assert (certificate.negative_blocks, certificate.negative_hessian) == (1, 0)
    assert certificate.min_eig == pytest.approx(-0.5)


@pytest.mark.parametrize("step", [newton_step, gauss_newton_step])
@pytest.mark.parametrize("alpha", [1.0, 0.5, 1.9])
def test_a_priori_bounds_hold_along_the_path(step, alpha):
    net, X = Shallow("tanh", beta=0.6), np.linspace(-1, 1, 6)[:, None]
    y, theta = np.sin(2 * X[:, 0]), init(Shallow("tanh"), 4000, 1, rng=1)
    r0, c0 = np.linalg.norm(residual(net, theta, X, y)), np.abs(theta[:, 0]).max()
    bounds = a_priori(net, X, 4000, 2.0, 4, r0, c0, alpha)
    history = train(net, theta, X, y, step, 4, alpha=alpha, gamma=2.0)
    assert (history.largest_update <= bounds.update).all() and (bounds.level < 2.0).all()
    assert (history.movement.max(axis=1) <= bounds.movement).all()
    assert (np.linalg.norm(history.residual, axis=1) <= bounds.residual * (1 + 10 * EPS)).all()
    assert np.abs(history.theta[:, 0]).max() <= bounds.c_max[-1]
    assert bounds.residual[0] == r0 and bounds.c_max[0] == c0 and bounds.movement[0] == 0
    assert bounds.level[0] == pytest.approx(curvature_level(net, theta, X, residual(net, theta, X, y)))


def test_a_priori_bounds_refuse_narrow_networks():
    net, X = Shallow("tanh"), np.linspace(-1, 1, 6)[:, None]
    with pytest.raises(ParameterError, match="At step 0 the curvature level") as caught:
        a_priori(net, X, 100, 0.1, 3, residual=2.0, c_max=1.0)
    gamma, m = re.search(r"be gamma = (.*), or m = (.*) \(", str(caught.value)).groups()
    for advice in ((100, float(gamma)), (float(m), 0.1)):  # rounded in the message, so with a little to spare
        a_priori(net, X, 1.1 * advice[0], 1.1 * advice[1], 3, residual=2.0, c_max=1.0)
    with pytest.raises(ParameterError, match=r"Enough would be gamma = \S+ \("):
        a_priori(Shallow("tanh", beta=1.0), X, 100, 0.1, 3, residual=2.0, c_max=1.0)
    with pytest.raises(ParameterError, match="exceeds 2"):
        a_priori(net, X, 10**8, 0.3, 3, residual=2.0, c_max=1.0, alpha=2.1)


@pytest.mark.parametrize("step", [newton_step, gauss_newton_step])
def test_path_error_is_the_literal_decomposition(step):
    net, theta, X, y = problem("tanh", m=60, n=5, d=1, seed=2)
    gamma, alpha, A = 2.0, 0.8, limit_ntk(*(problem("tanh", m=60, n=5, d=1, seed=2)[i] for i in (0, 2)))
    error = path_error(net, theta, X, y, gamma, 3, alpha=alpha, step=step)
    history = train(net, theta, X, y, step, 3, alpha=alpha, gamma=gamma)
    limit = trajectory(A, y, 3, gamma=gamma, alpha=alpha)
    assert np.abs(error.total - (history.residual - limit.residual)).max() <= 1000 * EPS
    parts = ["start", "sampling", "curvature", "drift", "remainder"]
    assert np.abs(sum(getattr(error, part) for part in parts) - error.total).max() <= 1000 * EPS
    # after one step every part is one matrix times one vector
    f, K, h = forward(net, theta, X), nntk(A, gamma), nntk(empirical_ntk(net, theta, X), gamma)
    Km = newton_kernel(net, theta, X, y, gamma) if step is newton_step else h
    assert error.start[1] == pytest.approx(f - alpha * K @ f, abs=100 * EPS)
    assert error.sampling[1] == pytest.approx(-alpha * (h - K) @ (f - y), abs=100 * EPS)
    assert error.curvature[1] == pytest.approx(-alpha * (Km - h) @ (f - y), abs=1000 * EPS)
    assert np.abs(error.drift[1]).max() <= 100 * EPS
    assert error.norm("drift", "start") == pytest.approx(np.linalg.norm(error.drift + error.start, axis=1))
    assert error.norm() == pytest.approx(np.linalg.norm(error.total, axis=1))
    with pytest.raises(ParameterError, match="'total' or one of"):
        error.norm("luck")


def test_orders_of_the_parts():
    """Start m^{1/2 - beta}, sampling m^{-1/2}, curvature and drift m^{beta - 1} where no symmetry cancels them."""
    net, X = Shallow(shifted(tanh, 1.0), beta=0.75), np.linspace(-1, 1, 6)[:, None]
    y, A, widths = np.sin(3 * X[:, 0]), limit_ntk(net, X), 4 ** np.arange(4, 8)
    norms = np.empty((3, len(widths), 24))
    for i, m in enumerate(widths):
        for seed in range(24):
            theta = init(net, int(m), 1, np.random.default_rng([seed, int(m)]), outputs="skewed")
            error = path_error(net, theta, X, y, 3.0, 2, A=A)
            norms[:, i, seed] = [error.norm(*p)[-1] for p in (["start"], ["sampling"], ["curvature", "drift"])]
    for values, exponent in zip(norms, (-0.25, -0.5, -0.25), strict=True):
        rate = fit_rate(widths, values)
        assert abs(rate.exponent - exponent) <= 0.1


def test_fit_rate_is_the_textbook_interval():
    rng = np.random.default_rng(0)
    m = np.geomspace(10, 1e5, 9)
    values = 3 * m**-0.4 * np.exp(0.1 * rng.standard_normal(9))
    rate = fit_rate(m, values)
    (slope, intercept), covariance = curve_fit(lambda x, a, b: a * x + b, np.log(m), np.log(values))
    assert rate.exponent == pytest.approx(slope, rel=1e-6)
    assert rate.prefactor == pytest.approx(np.exp(intercept), rel=1e-6)
    assert rate.half_width == pytest.approx(2.364624251592785 * covariance[0, 0] ** 0.5, rel=1e-6)  # t, 7 degrees
    assert rate.interval == (rate.exponent - rate.half_width, rate.exponent + rate.half_width)
    assert rate.around(-0.5) == (-0.5 - rate.half_width, -0.5 + rate.half_width)
    assert rate.power(m) == pytest.approx(rate.prefactor * m**rate.exponent)
    assert rate.local == pytest.approx(np.diff(np.log(values)) / np.diff(np.log(m)))
    assert str(rate).startswith("m^(-0.")
    assert fit_rate(m, values, level=0.5).half_width < rate.half_width


def test_intervals_cover_as_often_as_they_say():
    rng, m, hits = np.random.default_rng(1), np.geomspace(10, 1e4, 6), 0
    for _ in range(400):
        noisy = m[:, None] ** -0.5 * np.exp(0.3 * rng.standard_normal((6, 4)))
        low, high = fit_rate(m, noisy).interval
        hits += low <= -0.5 <= high
    assert abs(hits / 400 - 0.95) <= 4 * (0.95 * 0.05 / 400) ** 0.5


def test_fit_rate_names_bad_input():
    with pytest.raises(ParameterError, match="at least 3"):
        fit_rate([1, 1, 2], [1.0, 2, 3])
    with pytest.raises(ParameterError, match="positive"):
        fit_rate([1, 2, 3], [1.0, 0, 3])
    with pytest.raises(ParameterError, match="level"):
        fit_rate([1, 2, 3], [1.0, 2, 3], level=95)
    with pytest.raises(ShapeError, match="length 2"):
        fit_rate([1, 2, 3], [1.0, 2])


def test_phase_diagram_is_many_single_steps():
    net, X = Shallow("tanh"), np.linspace(-1, 1, 6)[:, None]
    y, widths, gammas = np.sin(4 * X[:, 0]), [20, 300], [0.01, 0.4, 5.0]
    diagram = phase_diagram(net, X, y, widths, gammas, seed=7)
    for i, m in enumerate(widths):
        theta = init(net, m, 1, np.random.default_rng([7, m]))
        before = loss(residual(net, theta, X, y))
        assert diagram.threshold[i] == safe_gamma(net, theta, X, y)
        assert diagram.bound[i] == safe_gamma(net, theta, X, y, "bound")
        for j, gamma in enumerate(gammas):
            step = newton_step(net, theta, X, y, gamma, indefinite="solve")
            after = loss(residual(net, theta + step.delta, X, y))
            found = diagram.min_eig[i, j], diagram.slope[i, j], diagram.loss_ratio[i, j]
            assert found == pytest.approx((step.min_eig, step.slope / (2 * before), after / before), rel=1e-9)
            assert (diagram.min_eig[i, j] > 0) == (gamma > diagram.threshold[i])
    definite = diagram.min_eig > 0
    assert definite.any() and not definite.all()
    assert ((diagram.slope > -1) & (diagram.slope < 0))[definite].all()
    with pytest.raises(ParameterError, match="integer widths"):
        phase_diagram(net, X, y, [10.5], gammas)


def test_phase_diagram_shows_progress(capsys):
    phase_diagram(Shallow("tanh"), np.ones((1, 1)), np.ones(1), [4], [1.0], progress=True)
    assert "phase diagram" in capsys.readouterr().err


def test_laws_of_the_output_weights():
    net, m = Shallow("tanh"), 200_000
    c = {law: init(net, m, 1, rng=0, outputs=law)[:, 0] for law in ("uniform", "skewed", "mirrored")}
    for law, values in c.items():
        assert abs(values.mean()) <= (5 * m**-0.5 if law != "mirrored" else 1e-12), law
        assert abs((values**2).mean() - 1) <= 5 * (values**2).std() * m**-0.5, law
    assert set(np.unique(c["skewed"])) == {-0.5, 2.0}
    assert (c["skewed"] ** 3).mean() == pytest.approx(1.5, abs=5 * (c["skewed"] ** 3).std() * m**-0.5)
    theta = init(net, 50, 2, rng=1, outputs="mirrored")
    assert np.array_equal(theta[:25, 1:], theta[25:, 1:]) and np.array_equal(theta[:25, 0], -theta[25:, 0])
    assert np.abs(forward(net, theta, np.ones((3, 2)))).max() <= 10 * EPS
    with pytest.raises(ParameterError, match="must be even"):
        init(net, 5, 1, rng=0, outputs="mirrored")
    with pytest.raises(ParameterError, match="'uniform', 'skewed' or 'mirrored'"):
        init(net, 4, 1, rng=0, outputs="normal")


def test_shifted_activation():
    z = np.linspace(-3, 3, 7)
    for whole, part in zip(shifted("tanh", 0.7).rows(z), tanh.rows(z + 0.7), strict=True):
        assert np.array_equal(whole, part)
    # E[sin(z + b) sin(z' + b)] = E[sin sin] cos^2 b + E[cos cos] sin^2 b, and E[cos cos] is the dual of the derivative
    X = np.array([[0.3], [-1.0], [0.8]])
    b, inner = 0.9, np.outer(X[:, 0], X[:, 0]) + 1
    exact = limit_ntk(Shallow(sine), X)
    q = np.diag(inner)
    sines = np.exp(-(q[:, None] + q) / 2) * np.sinh(inner)
    cosines = np.exp(-(q[:, None] + q) / 2) * np.cosh(inner)
    assert exact == pytest.approx((sines + cosines * inner) / 3, rel=1e-14)
    mixed = sines * np.cos(b) ** 2 + cosines * np.sin(b) ** 2
    slopes = cosines * np.cos(b) ** 2 + sines * np.sin(b) ** 2
    assert limit_ntk(Shallow(shifted(sine, b)), X) == pytest.approx((mixed + slopes * inner) / 3, rel=1e-13)


def test_tracked_neurons_and_largest_update():
    net, X = Shallow("tanh"), np.linspace(-1, 1, 5)[:, None]
    y, theta = X[:, 0] ** 2, init(net, 300, 1, rng=0)
    history = train(net, theta, X, y, newton_step, 3, alpha=0.5, gamma=0.5, track=[3, 299])
    step = newton_step(net, theta, X, y, 0.5)
    assert history.largest_update[0] == np.linalg.norm(step.delta, axis=1).max()
    assert history.paths.shape == (4, 2, 3)
    assert np.array_equal(history.paths[0], theta[[3, 299]])
    assert np.array_equal(history.paths[1], (theta + 0.5 * step.delta)[[3, 299]])
    assert np.array_equal(history.paths[-1], history.theta[[3, 299]])
    assert train(net, theta, X, y, newton_step, 0, gamma=0.5).largest_update.shape == (0,)
    blocks = curvature_blocks(net, theta, X, y)
    assert curvature_blocks(net, theta, X, y, memory=4000) == pytest.approx(blocks, rel=1e-13)
