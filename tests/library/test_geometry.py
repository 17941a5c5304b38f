from dataclasses import dataclass

import numpy as np
import pytest
from scipy.optimize import minimize

from nntk_lib.exceptions import NNTKError, NotConvergedError, ParameterError, ShapeError, SingularSystemError
from nntk_lib.geometry import best_function, exponential, geodesic, jacobian_matrix, shortest_path, tangent_space
from nntk_lib.losses import LogCosh, Square, WeightedSquare
from nntk_lib.networks.deep import Deep
from nntk_lib.networks.shallow.spec import Shallow

from .cases import FOLD, Surface

EPS = np.finfo(float).eps
NO_DATA = np.zeros((1, 1))


def on_sphere(q):
    """The point of the unit sphere at a latitude and a longitude, its derivatives, and its second derivatives."""
    (ca, cb), (sa, sb) = np.cos(q), np.sin(q)
    first = np.array([[-sa * cb, -sa * sb, ca], [-ca * sb, ca * cb, 0]])
    twice, mixed = np.array([[-ca * cb, -ca * sb, -sa], [-ca * cb, -ca * sb, 0]]), np.array([sa * sb, -sa * cb, 0])
    return np.array([[ca * cb, ca * sb, sa]]), first, np.array([[twice[0], mixed], [mixed, twice[1]]])


SPHERE = Surface(
    lambda q: on_sphere(q)[0],
    lambda q, v: (v @ on_sphere(q)[1])[None],
    lambda q, v, w: np.einsum("i,ijk,j->k", v, on_sphere(q)[2], w)[None],
)
# The same surface with three parameters, of which one is too many: latitude = q_0 + q_2.
SUM = np.array([[1.0, 0, 1], [0, 1, 0]])
REDUNDANT = Surface(
    lambda q: SPHERE.value(SUM @ q),
    lambda q, v: SPHERE.first(SUM @ q, SUM @ v),
    lambda q, v, w: SPHERE.second(SUM @ q, SUM @ v, SUM @ w),
)


@dataclass(frozen=True)
class Quadratic:
    """f.A f / 2 - b.f for outputs of shape (1, 3)."""

    A: np.ndarray
    b: np.ndarray

    def value(self, f, y):
        return float(f[0] @ self.A @ f[0] / 2 - self.b @ f[0])

    def gradient(self, f, y):
        return (self.A @ f[0] - self.b)[None]

    def hessian(self, f, y):
        return self.A[None]

    def factor(self, f, y):
        R = np.linalg.cholesky(self.A)
        return R[None], np.linalg.solve(R, self.gradient(f, y)[0])[None]


def random_points(count=5, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        theta, v, w = np.r_[rng.uniform(-1, 1), rng.uniform(-3, 3)], rng.standard_normal(2), rng.standard_normal(2)
        yield theta, v, w


def test_tangent_space_and_metric_of_the_sphere():
    for theta, v, _ in random_points():
        at = SPHERE.at(theta, NO_DATA)
        space, x = tangent_space(at), at.f[0]
        assert space.dimension == 2 and not space.is_open
        assert np.abs(space.projector - (np.eye(3) - np.outer(x, x))).max() <= 8 * EPS
        assert np.abs(space.metric - np.diag([1, np.cos(theta[0]) ** 2])).max() <= 8 * EPS
        u = np.array([[0.3, -2.0, 1.0]])
        assert np.abs(space.normal(u) - (u[0] @ x) * x).max() <= 16 * EPS
        assert np.abs(at.jvp(space.pull(u)) - space.project(u)).max() <= 16 * EPS / np.cos(theta[0])
        assert np.abs(space.horizontal(v) - v).max() <= 8 * EPS and np.abs(space.vertical(v)).max() <= 8 * EPS


def test_second_fundamental_form_of_the_sphere():
    for theta, v, w in random_points():
        at = SPHERE.at(theta, NO_DATA)
        expected = -float(np.vdot(at.jvp(v), at.jvp(w))) * at.f
        assert np.abs(tangent_space(at).curvature(v, w) - expected).max() <= 32 * EPS


def test_geodesics_of_the_sphere_are_great_circles():
    times = np.linspace(0, 2.0, 41)
    for theta, v, _ in random_points():
        at = SPHERE.at(theta, NO_DATA)
        x, u = at.f[0], at.jvp(v)[0]
        c = np.linalg.norm(u)
        path = geodesic(SPHERE, theta, NO_DATA, v, times, rtol=1e-12)
        circle = np.outer(np.cos(c * times), x) + np.outer(np.sin(c * times), u / c)
        amplification = 1 / np.cos(path.theta[:, 0]).min() ** 3  # where the coordinates are stretched near the poles
        assert np.abs(path.f[:, 0] - circle).max() <= 1e-9 * amplification
        assert np.abs(path.speed - c).max() <= 1e-9 * amplification * c
        assert path.length == pytest.approx(2 * c, rel=(2 * c / 40) ** 2 / 20)
        end = SPHERE.at(exponential(SPHERE, theta, NO_DATA, v, rtol=1e-12), NO_DATA).f[0]
        assert np.abs(end - (np.cos(c) * x + np.sin(c) * u / c)).max() <= 1e-9 * amplification


def test_hessian_of_a_quadratic_on_the_sphere():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((3, 3))
    loss = Quadratic(A @ A.T, rng.standard_normal(3))
    for theta, _, _ in random_points():
        at = SPHERE.at(theta, NO_DATA)
        space, x = tangent_space(at), at.f[0]
        g = loss.gradient(at.f, None)[0]
        expected = space.Q.T @ loss.A @ space.Q - (g @ x) * np.eye(2)
        assert np.abs(space.hessian(loss, None) - expected).max() <= 64 * EPS * np.linalg.norm(loss.A, 2)
        assert np.abs(space.gradient(loss, None)[0] - (g - (g @ x) * x)).max() <= 32 * EPS * np.linalg.norm(g)


def test_best_function_on_the_sphere():
    rng = np.random.default_rng(2)
    A = rng.standard_normal((3, 3))
    A = A @ A.T + np.eye(3)
    lam, U = np.linalg.eigh(A)
    best = best_function(SPHERE, [0.3, 0.4], NO_DATA, None, Quadratic(A, np.zeros(3)), tol=1e-13)
    assert best.loss == pytest.approx(lam[0] / 2, rel=64 * EPS)  # the Rayleigh quotient
    assert abs(abs(best.f[0] @ U[:, 0]) - 1) <= 16 * EPS
    assert np.abs(best.eigenvalues - (lam[1:] - lam[0])).max() <= 1e-11 * lam[2]
    y = np.array([[0.2, -0.5, 3.0]])  # outside, near the pole: the residual is large
    best = best_function(SPHERE, [0.3, 0.4], NO_DATA, y, Square("sum"), tol=1e-13)
    assert np.abs(best.f - y / np.linalg.norm(y)).max() <= 1e-12
    assert np.abs(best.eigenvalues - np.linalg.norm(y)).max() <= 1e-10  # 1 - g.x with g = x - y


def test_shortest_path_on_the_sphere_is_an_arc():
    a, b = np.array([0.2, -0.5]), np.array([0.7, 1.1])
    x, z = (SPHERE.at(t, NO_DATA).f[0] for t in (a, b))
    angle, errors = np.arccos(x @ z), []
    for K in (8, 16):
        path = shortest_path(SPHERE, a, b, NO_DATA, K)
        weights = np.sin(angle * np.array([1 - path.times, path.times])) / np.sin(angle)
        assert np.abs(path.f[:, 0] - weights.T @ np.stack([x, z])).max() <= 1e-7  # equally spaced: on the arc exactly
        errors.append(angle - path.length)
        assert path.length == pytest.approx(2 * K * np.sin(angle / (2 * K)), rel=1e-12)
        assert np.ptp(path.speed) <= 1e-6
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def test_a_parameter_too_many_changes_nothing_on_the_surface():
    rng, loss = np.random.default_rng(3), Quadratic(np.diag([3.0, 2.0, 1.0]), np.array([0.1, 0.2, 0.3]))
    theta = np.array([0.2, 0.5, 0.1])
    at, inner = REDUNDANT.at(theta, NO_DATA), SPHERE.at([0.3, 0.5], NO_DATA)
    space, plain = tangent_space(at), tangent_space(inner)
    assert space.dimension == 2 and space.left_out <= 4 * EPS and space.V.shape == (3, 2)
    assert np.abs(space.projector - plain.projector).max() <= 8 * EPS
    spectrum = np.linalg.eigvalsh(space.hessian(loss, None)), np.linalg.eigvalsh(plain.hessian(loss, None))
    assert np.abs(spectrum[0] - spectrum[1]).max() <= 64 * EPS
    v, kernel = rng.standard_normal(3), np.array([1.0, 0.0, -1.0])
    assert np.abs(space.curvature(v + kernel, v) - space.curvature(v, v)).max() <= 32 * EPS
    assert np.abs(space.vertical(v) - (v @ kernel / 2) * kernel).max() <= 16 * EPS
    assert np.abs(at.jvp(space.vertical(v))).max() <= 16 * EPS
    path = geodesic(REDUNDANT, theta, NO_DATA, v, [0.0, 0.5, 1.0])
    same = geodesic(SPHERE, [0.3, 0.5], NO_DATA, [v[0] + v[2], v[1]], [0.0, 0.5, 1.0])
    assert np.abs(path.f - same.f).max() <= 1e-7
    with pytest.raises(SingularSystemError, match="rank 2 with 3 parameters"):
        shortest_path(REDUNDANT, theta, theta + 0.1, NO_DATA)


# Networks
def shallow(trains="both", n=30, m=2, seed=0):
    net = Shallow("silu", beta=0.5, trains=trains, weight_std=2.0)
    return net, net.init(m=m, d=2, rng=seed), np.random.default_rng(9).standard_normal((n, 2))


def deep(outputs=1, frozen=(), n=30):
    net = Deep("tanh", widths=(3, 2), outputs=outputs, frozen=frozen, scale=2.0)
    theta = net.init(d=2, rng=1)
    return net.centred(theta), theta + 0.1, np.random.default_rng(8).standard_normal((n, 2))


CASES = {
    "shallow": shallow(),
    "shallow, inner": shallow("inner"),
    "shallow, outer": shallow("outer"),
    "deep": deep(),
    "deep, frozen": deep(frozen=(0,)),
    "deep, two outputs": deep(outputs=2),
    "open": shallow(n=4),
    "deep, open": deep(outputs=2, n=5),
}
every = pytest.mark.parametrize("name", CASES)


def directions(theta, count, seed=4):
    return np.random.default_rng(seed).standard_normal((count, *theta.shape))


def gentle(space, seed=4):
    """A velocity along which the parameters of a geodesic turn by about a tenth of a radian in a unit of time."""
    v = space.horizontal(directions(space.at.theta, 1, seed)[0])
    size = np.linalg.norm(v)
    return v * 0.1 * size / max(np.linalg.norm(space.acceleration(v)), 0.1 * size)


@every
def test_projectors_metric_and_curvature_are_the_dense_formulas(name):
    net, theta, X = CASES[name]
    at = net.at(theta, X)
    space, J = tangent_space(at), jacobian_matrix(at)
    pinv, N = np.linalg.pinv(J, rcond=space.rtol), at.f.size
    tol = 64 * EPS * N * space.s[0] / space.s[-1]
    u, (v, w) = np.random.default_rng(5).standard_normal(at.f.shape), directions(theta, 2)
    assert space.is_open == ("open" in name) and (space.left_out <= space.rtol)
    assert np.abs(J @ J.T - at.gram()).max() <= 64 * EPS * N * space.s[0] ** 2
    assert np.abs(space.projector - J @ pinv).max() <= tol
    assert np.abs(space.projector @ space.projector - space.projector).max() <= 16 * EPS * N
    assert space.projector.trace() == pytest.approx(space.dimension, rel=N * EPS)
    assert np.abs(space.metric - J.T @ J).max() <= 64 * EPS * N * space.s[0] ** 2
    assert np.abs(space.pull(u).ravel() - pinv @ u.ravel()).max() <= tol * np.linalg.norm(u) / space.s[-1]
    assert np.abs(space.horizontal(v).ravel() - pinv @ J @ v.ravel()).max() <= tol * np.linalg.norm(v)
    assert np.abs(at.jvp(space.vertical(v))).max() <= tol * space.s[0] * np.linalg.norm(v)
    bend = space.curvature(v, w)
    D2 = at.second(v, w)
    assert np.abs(bend.ravel() - (np.eye(N) - J @ pinv) @ D2.ravel()).max() <= tol * np.linalg.norm(D2)
    # orthogonal to the tangent space, to rounding and not to rounding times the condition of J
    assert np.abs(space.Q.T @ bend.ravel()).max() <= 4 * EPS * max(np.linalg.norm(bend), EPS)
    if space.is_open:
        assert not bend.any() and not space.normal(u).any() and np.array_equal(space.project(u), u)


@every
def test_curvature_is_the_turning_of_the_tangent_space(name):
    net, theta, X = CASES[name]
    space, h = tangent_space(net.at(theta, X)), 1e-5
    v, w = (space.horizontal(d) for d in directions(theta, 2))
    ahead, behind = (tangent_space(net.at(theta + s * h * w, X)).projector for s in (1, -1))
    turned = ((ahead - behind) @ space.at.jvp(v).ravel() / (2 * h)).reshape(space.at.f.shape)
    scale = np.linalg.norm(space.at.second(v, w)) * space.s[0] / space.s[-1]
    assert np.abs(space.normal(turned) - space.curvature(v, w)).max() <= 1e-5 * scale


@every
def test_geodesics_keep_their_speed_and_have_a_normal_acceleration(name):
    net, theta, X = CASES[name]
    space = tangent_space(net.at(theta, X))
    v, h = gentle(space), 0.02
    path = geodesic(net, theta, X, v, h * np.arange(51))
    assert np.ptp(path.speed) <= 1e-8 * path.speed[0] * space.s[0] / space.s[-1]
    acceleration = (path.f[48] - 2 * path.f[49] + path.f[50]) / h**2
    there = tangent_space(net.at(path.theta[49], X))
    rounding = 64 * EPS * np.abs(path.f).max() / h**2
    assert np.linalg.norm(there.project(acceleration)) <= 1e-3 * np.linalg.norm(acceleration) + rounding
    frozen = ~jacobian_matrix(space.at).any(axis=0).reshape(theta.shape)
    assert np.array_equal(path.theta[-1][frozen], theta[frozen])
    if space.is_open:
        straight = path.f[0] + path.times.reshape(-1, *[1] * path.f[0].ndim) * space.at.jvp(v)
        assert np.abs(path.f - straight).max() <= 1e-8 * np.abs(path.f).max()


@pytest.mark.parametrize("name", ["shallow", "shallow, inner", "deep", "deep, two outputs", "deep, frozen", "open"])
@pytest.mark.parametrize(
    "make",
    [lambda n: Square(), lambda n: Square("sum"), lambda n: LogCosh(np.linspace(0.1, 1, n), b=0.5)],
    ids=["mean", "sum", "log cosh"],
)
def test_hessian_is_the_second_derivative_along_geodesics(name, make):
    net, theta, X = CASES[name]
    at, loss, h = net.at(theta, X), make(len(X)), 0.02
    space = tangent_space(at)
    v = gentle(space)
    c = space.Q.T @ at.jvp(v).ravel()
    away = space.normal(np.random.default_rng(6).standard_normal(at.f.shape))
    bend = np.vdot(away, space.curvature(v, v))
    y = at.f - (0 if space.is_open else 3 * c @ c / bend * away)  # so far that the curvature is most of the Hessian

    def slope(s):  # of the loss at the time h of the geodesic that leaves along s v
        path = geodesic(net, theta, X, s * v, [0.0, h], rtol=1e-13)
        return np.vdot(loss.gradient(path.f[-1], y), net.at(path.theta[-1], X).jvp(path.velocity[-1]))

    H = space.hessian(loss, y)
    flat = c @ space.Q.T @ (loss.hessian(at.f, y) * (space.Q @ c).reshape(at.f.shape)).ravel()
    assert np.array_equal(H, H.T) and (space.is_open or abs(c @ H @ c - flat) >= 0.2 * flat)
    assert (slope(1) + slope(-1)) / (2 * h) == pytest.approx(c @ H @ c, rel=1e-2)


@pytest.mark.parametrize("seed", range(3))
def test_best_function_is_scipys_minimum_nearby(seed):
    net, theta, X = shallow("inner")
    y = net.at(theta, X).f + 0.1 * np.random.default_rng(seed).standard_normal(len(X))
    theta = theta + np.r_[0.0, 0.1, 0.1, 0.1] * directions(theta, 1, seed)[0]
    loss = Square("sum")
    best = best_function(net, theta, X, y, loss)
    assert best.stationarity <= 1e-10 and best.eigenvalues[0] > 0

    def objective(t):
        at = net.at(t.reshape(theta.shape), X)
        return loss.value(at.f, y), at.vjp(loss.gradient(at.f, y)).ravel()

    start = best.theta + 1e-3 * np.r_[0.0, 1, 1, 1] * directions(theta, 1)[0]
    run = minimize(objective, start.ravel(), jac=True, method="BFGS", options={"gtol": 1e-9, "maxiter": 5000})
    assert run.fun == pytest.approx(best.loss, rel=1e-10)
    for move in directions(theta, 20):  # a minimum, also to the eye
        moved = net.at(best.theta + 1e-3 * move * np.r_[0.0, 1, 1, 1], X)
        assert Square("sum").value(moved.f, y) > best.loss
    assert np.linalg.norm(best.space.gradient(Square("sum"), y)) <= 1e-10 * np.linalg.norm(net.at(theta, X).f - y)
    again = best_function(net, best.theta, X, y, Square("sum"))
    assert again.steps <= 1 and again.loss == pytest.approx(best.loss, rel=1e-12)


def test_best_function_of_other_losses_and_frozen_layers():
    net, theta, X = shallow("inner")
    y = net.at(theta, X).f + 0.3 * np.random.default_rng(0).standard_normal(len(X))
    weights = np.linspace(0.1, 1, len(X))
    for loss in (Square(), LogCosh(weights), WeightedSquare(weights)):
        best = best_function(net, theta, X, y, loss)
        assert best.stationarity <= 1e-10 and np.array_equal(best.theta[:, 0], theta[:, 0])
        assert best.eigenvalues.shape == (6,) and best.loss < loss.value(net.at(theta, X).f, y)
    net, theta, X = deep(outputs=2)
    y = net.at(theta, X).f + 0.05 * np.random.default_rng(0).standard_normal((len(X), 2))
    best = best_function(net, theta, X, y)
    assert best.stationarity <= 1e-10 and best.eigenvalues.shape == (19,)


def test_where_the_manifold_is_open_the_best_function_fits_the_data():
    net, theta, X = shallow(n=4)
    y = np.array([0.3, -0.2, 0.1, 0.4])
    best = best_function(net, theta, X, y)
    assert best.space.is_open and best.loss <= 1e-20 and np.abs(best.f - y).max() <= 1e-9
    assert np.abs(best.eigenvalues - 1 / 4).max() <= 8 * EPS


def test_the_asymptotic_rate_of_gauss_newton_is_the_smallest_eigenvalue():
    net, theta, X = shallow("inner")
    y, loss = net.at(theta, X).f + np.random.default_rng(0).standard_normal(len(X)), Square("sum")
    best = best_function(net, theta, X, y, loss, tol=1e-13)
    assert 0.2 < best.eigenvalues[0] < 0.98 < 1.02 < best.eigenvalues[-1]
    theta, h, gaps = best.theta + 1e-3 * np.r_[0.0, 1, 1, 1] * directions(theta, 1)[0], 0.1, []
    for _ in range(400):
        space = tangent_space(net.at(theta, X))
        theta = theta - h * space.pull(loss.gradient(space.at.f, y))
        gaps.append(np.linalg.norm(space.gradient(loss, y)))
    k = int(np.argmax(np.array(gaps) < 1e-9)) or len(gaps) - 1
    rate = gaps[k] / gaps[k - 1]
    assert rate == pytest.approx(1 - h * best.eigenvalues[0], rel=1e-3)


def test_rank_is_decided_by_the_tolerance_that_was_given():
    net, theta, X = shallow()
    at = net.at(theta, X)
    full = tangent_space(at)
    cut = tangent_space(at, rtol=1.5 * full.s[-1] / full.s[0])
    assert cut.dimension < full.dimension and full.s[-1] / full.s[0] <= cut.left_out <= cut.rtol
    twins = np.vstack([theta, theta])
    doubled = tangent_space(net.at(twins, X))
    assert doubled.dimension == full.dimension and doubled.left_out <= doubled.rtol


def test_bad_input_is_named():
    net, theta, X = shallow()
    at = net.at(theta, X)
    space, y = tangent_space(at), np.ones(len(X))
    with pytest.raises(ShapeError, match="u has shape"):
        space.project(np.ones(3))
    with pytest.raises(ShapeError, match="v must be a non-empty array with 2 axes"):
        space.horizontal(np.ones(3))
    with pytest.raises(ParameterError, match="rtol"):
        tangent_space(at, rtol=0)
    with pytest.raises(SingularSystemError, match="J is 0"):
        tangent_space(net.at(0 * theta, X))
    for times in ([0.0], [1.0, 2.0], [0.0, 1.0, 0.5]):
        with pytest.raises(ParameterError, match="ascend from 0"):
            geodesic(net, theta, X, theta, times)
    with pytest.raises(ShapeError, match="v has shape"):
        geodesic(net, theta, X, theta[:1], [0.0, 1.0])
    with pytest.raises(ParameterError, match="segments = 1"):
        shortest_path(net, theta, theta + 0.1, X, 1)
    with pytest.raises(NotConvergedError, match=r"steps = 1 were not enough.*Allow more steps"):
        best_function(net, theta, X, y, steps=1)
    for options in ({"tol": 0.0}, {"steps": 0}, {"steps": 2.5}):
        with pytest.raises(ParameterError):
            best_function(net, theta, X, y, **options)
    inner = shallow("inner")[0]
    with pytest.raises(ParameterError, match="differ in parameters that do not train"):
        shortest_path(inner, theta, theta + 0.1, X)

    @dataclass(frozen=True)
    class NoCurvature:
        f, theta = at.f, at.theta

        def jvp(self, v):
            return at.jvp(v)

    with pytest.raises(ParameterError, match="has no method `second`"):
        tangent_space(NoCurvature()).curvature(theta, theta)


def test_a_fold_ends_a_geodesic():
    with pytest.raises(SingularSystemError, match=r"geodesic ends.*earlier"):
        geodesic(FOLD, [1.0, 0.0], NO_DATA, [-1.0, 0.2], [0.0, 1.0])
    assert issubclass(SingularSystemError, NNTKError)
