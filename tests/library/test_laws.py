"""The laws that every network, loss, direction and damping rule obeys together, on their product.

``python -m pytest tests/library/test_laws.py -s -k summary`` prints the number of cases and the worst error of each law
relative to its tolerance, and absolutely.
"""

from __future__ import annotations

from functools import cache
from itertools import product

import numpy as np
import pytest

from nntk_lib import (
    AboveThreshold,
    Constant,
    Convex,
    CrossEntropy,
    Data,
    Deep,
    GainRatio,
    Gamma,
    GaussNewton,
    Gradient,
    LevenbergMarquardt,
    LogCosh,
    Logistic,
    Newton,
    Residual,
    Shallow,
    Smallest,
    Square,
    WeightedSquare,
    flow,
)
from nntk_lib.exceptions import SingularSystemError
from nntk_lib.losses import times
from nntk_lib.methods import ConjugateGradients, Direct
from nntk_lib.methods.spring import Spring

from .cases import EPS, relative

N, D = 6, 3
RNG = np.random.default_rng(0)
POINTS, PIXELS = RNG.standard_normal((N, D)), RNG.standard_normal((N, 4, 4, 2))
WEIGHTS = RNG.uniform(0.5, 2, N)

# name: (network, start, samples); more parameters than outputs, and fewer
NETWORKS = {
    "shallow": (Shallow("tanh"), {"m": 12, "d": D}, POINTS),
    "shallow, mean field": (Shallow("silu", beta=1.0, bias=False), {"m": 10, "d": D}, POINTS),
    "shallow, inner": (Shallow("erf", beta=0.5, trains="inner"), {"m": 8, "d": D}, POINTS),
    "shallow, outer": (Shallow("sine", trains="outer"), {"m": 9, "d": D}, POINTS),
    "shallow, narrow": (Shallow("softplus", bias=False), {"m": 1, "d": D}, POINTS),
    "deep": (Deep("tanh", widths=(7, 5)), {"d": D}, POINTS),
    "deep, three outputs": (Deep("silu", widths=(6, 4), outputs=3), {"d": D}, POINTS),
    "deep, frozen": (Deep("erf", widths=(5, 5), outputs=2, frozen=(0,)), {"d": D}, POINTS),
    "linear, two outputs": (Deep("tanh", widths=(), outputs=2), {"d": D}, POINTS),
    "residual": (Residual("silu", channels=(4,), groups=2, blocks=1), {"shape": (4, 4, 2)}, PIXELS),
    "residual, three outputs": (
        Residual("tanh", channels=(2, 3), groups=None, blocks=1, outputs=3, frozen=(1,)),
        {"shape": (4, 4, 2)},
        PIXELS,
    ),
}
SIGNS, REALS = np.sign(POINTS[:, 0]), POINTS @ np.arange(1.0, D + 1) / 3
LOSSES = {
    "square": (Square(), REALS),
    "sum of squares": (Square("sum"), REALS),
    "weighted square": (WeightedSquare(WEIGHTS), REALS),
    "log cosh": (LogCosh(WEIGHTS, b=2.0), REALS),
    "logistic": (Logistic(ridge=0.1), SIGNS),
    "plain logistic": (Logistic(ridge=0.0), SIGNS),
}
COUPLED = {"square": Square(), "cross-entropy": CrossEntropy()}
DAMPINGS = {
    "constant": Constant(0.05),
    "weight": Constant(0.1, 0.9),
    "gamma": Gamma(0.3),
    "smallest": Smallest(0.5, 1e-3),
    "convex": Convex(r=1.0),
    "convex, plain kernel": Convex(r=0.5, kernel="plain"),
    "rho": Convex(rho=0.2),
    "gain ratio": GainRatio(start=0.2),
}


@cache
def point(name):
    net, start, X = NETWORKS[name]
    theta = net.init(**start, rng=1)
    return net.at(theta, X)


def cases_of(name):
    """The losses that fit the outputs of a network, with targets."""
    f = point(name).f
    if f.ndim == 1:
        return LOSSES
    targets = np.tanh(np.outer(REALS, np.arange(1.0, f.shape[1] + 1)))
    labels = np.arange(N) % f.shape[1]
    return {key: (loss, labels if key == "cross-entropy" else targets) for key, loss in COUPLED.items()}


@cache
def dense(name):
    """The Jacobian, from J v of unit vectors; shape (f.size, P)."""
    at = point(name)
    units = np.eye(at.theta.size).reshape(-1, *at.theta.shape)
    return np.stack([at.jvp(v).ravel() for v in units], axis=1)


@cache
def curvature(name):
    """D^2 f of unit vectors, shape (f.size, P, P), for the networks whose Hessian Newton's method takes."""
    at = point(name)
    units = np.eye(at.theta.size).reshape(-1, *at.theta.shape)
    return np.stack([[at.second(v, w).ravel() for w in units] for v in units]).transpose(2, 0, 1)


def hessian(loss, f, y):
    """The Hessian in output space as a matrix of order f.size."""
    H = loss.hessian(f, y)
    if H.shape == f.shape:
        return np.diag(H.ravel())
    full = np.zeros((len(f), f.shape[1], len(f), f.shape[1]))
    full[np.arange(len(f)), :, np.arange(len(f))] = H
    return full.reshape(f.size, f.size)


def directions(name):
    """(name, direction, whether residual curvature belongs to its system)."""
    found = [("gradient", Gradient(0.3), False)]
    for key, rule in DAMPINGS.items():
        found += [(f"gauss-newton, {key}", GaussNewton(rule), False)]
        found += [(f"gauss-newton, identity, {key}", GaussNewton(rule, metric="identity"), False)]
    found.append(("levenberg-marquardt", LevenbergMarquardt(GainRatio(start=0.7)), False))
    found.append(("spring, without a last step", Spring(Constant(0.05)), False))
    if name.startswith("shallow"):
        rules = {"constant": Constant(30.0), "gamma": Gamma(300.0), "threshold": AboveThreshold(2.0, 0.5)}
        for key, rule in rules.items():
            found.append((f"newton, {key}", Newton(rule), True))
            found.append((f"newton by eigenvalues, {key}", Newton(rule, Direct(definite=False)), True))
        found.append(("newton by conjugate gradients", Newton(300.0, ConjugateGradients(1e-13)), True))
        found.append(("newton, weighted", Newton(Constant(30.0, 0.8)), True))
        found.append(("newton, indefinite", Newton(0.02, Direct(indefinite="solve")), True))
    return found


PRODUCT = [(name, key, label) for name in NETWORKS for key, (label, *_) in product(cases_of(name), directions(name))]
pytestmark = pytest.mark.filterwarnings("ignore::nntk_lib.exceptions.AssumptionWarning")
every_network = pytest.mark.parametrize("name", NETWORKS)
WORST: dict[str, list[tuple[float, float]]] = {}
REFUSED: list[str] = []  # systems that are singular, and named so


def holds(law, error, tolerance):
    """Note an error beside its tolerance, and assert that it is smaller."""
    WORST.setdefault(law, []).append((float(error), float(error / tolerance)))
    assert error <= tolerance, f"{law}: error {error:.2e} exceeds {tolerance:.2e}"


@every_network
def test_adjoint_identity(name):
    at, rng = point(name), np.random.default_rng(2)
    for _ in range(4):
        a, v = rng.standard_normal(at.f.shape), rng.standard_normal(at.theta.shape)
        both = np.vdot(a, at.jvp(v)), np.vdot(at.vjp(a), v)
        scale = np.linalg.norm(a) * np.linalg.norm(at.jvp(v)) + np.linalg.norm(at.vjp(a)) * np.linalg.norm(v)
        holds("adjoint identity", abs(both[0] - both[1]) / scale, 50 * EPS)


@every_network
def test_jacobian_and_second_derivative_are_those_of_the_outputs(name):
    """Central differences along random directions: truncation h^2, cancellation eps / h."""
    at, rng, h = point(name), np.random.default_rng(3), 1e-5
    for _ in range(3):
        v, w = rng.standard_normal((2, *at.theta.shape))
        moved = [at.net.at(at.theta + s * h * free(at, v), at.X) for s in (1, -1)]
        exact = at.jvp(v)
        scale = np.abs(at.f).max() + np.abs(exact).max()
        differences = (moved[0].f - moved[1].f) / (2 * h)
        holds("J v against differences", np.abs(differences - exact).max() / scale, 300 * h**2 + 10 * EPS / h)
        if hasattr(at, "second"):
            found = (moved[0].jvp(w) - moved[1].jvp(w)) / (2 * h)
            scale = np.abs(at.jvp(w)).max() + np.abs(found).max()
            error = np.abs(found - at.second(v, w)).max() / scale
            holds("D^2 f against differences", error, 300 * h**2 + 10 * EPS / h)
            asymmetry = np.abs(at.second(w, v) - at.second(v, w)).max() / scale
            holds("D^2 f is symmetric", asymmetry, 100 * EPS)


def free(at, v):
    """A direction without what does not train: J J^T only sees what does."""
    J = dense(next(name for name in NETWORKS if point(name) is at))
    return v * (np.abs(J).max(axis=0) > 0).reshape(v.shape)


@every_network
def test_gram_is_the_product_of_jacobians(name):
    at, J = point(name), dense(name)
    rows = np.stack([at.vjp(e.reshape(at.f.shape)).ravel() for e in np.eye(at.f.size)])
    size = np.linalg.norm(J, 2) ** 2
    holds("J^T a against J v", np.abs(rows - J).max() / np.abs(J).max(), 50 * EPS)
    holds("Gram against J J^T", np.abs(at.gram() - J @ J.T).max() / size, 50 * EPS)
    assert np.array_equal(at.gram(), at.gram().T)
    if hasattr(at, "cross"):
        few = at.net.at(at.theta, at.X[:2])
        holds("cross Gram", np.abs(few.cross(at) - J[: few.f.size] @ J.T).max() / size, 50 * EPS)


def taken(direction, at, loss, y, J, where):
    """The step, or None where its system is singular and the direction refuses it."""
    try:
        return direction(at, loss, y)
    except SingularSystemError:
        sizes = np.linalg.svd(half(loss, at.f, y).T @ J, compute_uv=False) ** 2
        assert sizes[-1] <= 100 * EPS * sizes[0], where
        REFUSED.append(where)
        return None


def half(loss, f, y):
    """R with H = R R^T, as a matrix of order f.size."""
    R, _ = loss.factor(f, y)
    return np.stack([times(R, e.reshape(f.shape)).ravel() for e in np.eye(f.size)], axis=1)


@pytest.mark.parametrize("name", NETWORKS)
def test_steps_solve_their_systems(name):
    """delta against a dense solve in parameter space; its slope, curvature and predicted decrease; Euler's method."""
    at, J = point(name), dense(name)
    for (key, (loss, y)), (label, direction, curved) in product(cases_of(name).items(), directions(name)):
        where = f"{name}, {key}, {label}"
        step, g = taken(direction, at, loss, y, J, where), loss.gradient(at.f, y)
        if step is None:
            continue
        d, grad = step.delta.ravel(), J.T @ g.ravel()
        H = hessian(loss, at.f, y)
        model = J.T @ (np.eye(len(H)) if "identity" in label else H) @ J
        if curved:
            model = model + np.tensordot(g.ravel(), curvature(name), 1)
        if label == "gradient":
            holds("step against dense solve", relative(d, -0.3 * at.kernel_scale * grad), 50 * EPS)
            second = np.zeros_like(model)
        else:
            M = step.b * model + step.a * np.eye(len(model))
            if curved and step.b != 1:  # b (Hess L + a/b I)
                M = step.b * (model + step.a / step.b * np.eye(len(model)))
            D = M - step.b * J.T @ H @ J if curved else step.a * np.eye(len(M)) + 0 * M
            condition = np.linalg.cond(M) * (np.linalg.cond(D) if curved else 1.0)
            expected = -np.linalg.solve(M, grad)
            solved = 1e-13 * condition if "conjugate" in label else 0.0
            holds(
                f"step against dense solve{' (Newton)' if curved else ''}",
                relative(d, expected),
                200 * EPS * condition + solved,
            )
            second = model if "identity" not in label else J.T @ H @ J
        size = np.linalg.norm(grad) * np.linalg.norm(d)
        loose = 200 * EPS * (1 if label == "gradient" else condition) + (1e-11 if "conjugate" in label else 0.0)
        holds("slope is grad L . delta", abs(step.slope - grad @ d) / size, loose)
        terms = size + np.abs(d) @ np.abs(second) @ np.abs(d)
        holds("predicted decrease is the model's", abs(step.predicted + grad @ d + d @ second @ d / 2) / terms, loose)
        t = 0.37
        assert step.model(t) == pytest.approx(t * step.slope + t**2 * step.curvature / 2, rel=4 * EPS, abs=1e-300)
        if "indefinite" not in label:
            assert step.is_descent, where


@pytest.mark.parametrize("name", NETWORKS)
def test_both_sides_of_gauss_newton_agree(name):
    at = point(name)
    for (loss, y), rule in product(cases_of(name).values(), (Constant(0.05), Constant(0.2, 0.8), Gamma(0.3))):
        for metric in ("loss", "identity"):
            primal, dual = (GaussNewton(rule, metric, side)(at, loss, y) for side in ("primal", "dual"))
            K = np.linalg.norm(at.gram(), 2) * max(1.0, np.abs(loss.hessian(at.f, y)).max())
            condition = (primal.b * K + primal.a) / primal.a
            holds("primal is dual", relative(primal.delta, dual.delta), 50 * EPS * condition)
            assert primal.predicted == pytest.approx(dual.predicted, rel=1e3 * EPS * condition)


@pytest.mark.parametrize("name", NETWORKS)
def test_eulers_first_step_is_the_step(name):
    at = point(name)
    for (loss, y), (label, direction, _) in product(cases_of(name).values(), directions(name)):
        if taken(direction, at, loss, y, dense(name), label) is None:
            continue
        path = flow(at.net, at.theta, Data(at.X, y, "law"), direction, [0.0, 0.125], loss, method="euler")
        expected = at.theta + 0.125 * direction(at, loss, y).delta
        holds("Euler's step is the step", relative(path.theta, expected), 2 * EPS)


def test_summary_of_the_product():
    """Every network met every loss that fits it, every direction and every damping rule."""
    assert len(PRODUCT) == len(set(PRODUCT)) >= 900
    print(f"\n{len(NETWORKS)} networks, {len(PRODUCT)} combinations with losses, directions and damping rules")
    print(f"{len(set(REFUSED))} singular systems refused by name")
    for law, errors in WORST.items():
        error, share = np.max(errors, axis=0)
        print(f"{law:45} {len(errors):6} cases, worst {error:.1e}, {share:.2f} of its tolerance")
