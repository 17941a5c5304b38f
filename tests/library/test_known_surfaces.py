"""The geometry on surfaces whose formulas are known, with pymanopt as a witness that shares no line with the library.

Each surface is the image of a map with its first two derivatives written by hand: a sphere of any radius and dimension
(stereographic), the rotations of n dimensions (Cayley's map), a flat torus and an ellipsoid. A surface of pymanopt is
one of these with other formulas: projections, exponential map, distance, shape operator and Hessian.
"""

import numpy as np
import pytest
from pymanopt import manifolds

from nntk_lib import Data, GaussNewton, Gradient, Square, flow
from nntk_lib.geometry import best_function, exponential, geodesic, shortest_path, tangent_space

from .cases import Surface

EPS = np.finfo(float).eps
NO_DATA = np.zeros((1, 1))


def sphere(R=1.0, n=3):
    """The sphere of radius R in R^n but for its north pole, from R^{n-1}: R (2 q, |q|^2 - 1) / (|q|^2 + 1)."""

    def value(q):
        return R * np.append(2 * q, q @ q - 1) / (q @ q + 1)

    def first(q, v):
        c = 1 / (q @ q + 1)
        dc = -2 * (q @ v) * c**2
        return R * np.append(2 * c * v + 2 * dc * q, -2 * dc)

    def second(q, v, w):
        c = 1 / (q @ q + 1)
        dv, dw = -2 * (q @ v) * c**2, -2 * (q @ w) * c**2
        d2 = -2 * (v @ w) * c**2 + 8 * (q @ v) * (q @ w) * c**3
        return R * np.append(2 * (dw * v + dv * w + d2 * q), -2 * d2)

    return Surface(value, first, second)


def skew(n, q):
    A = np.zeros((n, n))
    A[np.triu_indices(n, 1)] = q
    return A - A.T


def rotations(n):
    """Rotations of R^n, points of R^{n n}: Cayley's map (I - A)^{-1} (I + A) = 2 M - I, A skew, M = (I - A)^{-1}."""

    def inverse(q):
        return np.linalg.inv(np.eye(n) - skew(n, q))

    def first(q, v):
        M = inverse(q)
        return (2 * M @ skew(n, v) @ M).ravel()

    def second(q, v, w):
        M, B, C = inverse(q), skew(n, v), skew(n, w)
        return (2 * M @ (B @ M @ C + C @ M @ B) @ M).ravel()

    return Surface(lambda q: (2 * inverse(q) - np.eye(n)).ravel(), first, second)


def torus():
    """Two circles of radius 1 in R^4: curved in space, flat within."""

    def value(q):
        return np.array([np.cos(q[0]), np.cos(q[1]), np.sin(q[0]), np.sin(q[1])])

    def first(q, v):
        return np.r_[-np.sin(q) * v, np.cos(q) * v]

    return Surface(value, first, lambda q, v, w: -value(q) * np.tile(v * w, 2))


AXES = np.array([1.0, 2.0, 0.5])


def ellipsoid():
    unit = sphere()
    return Surface(
        lambda q: AXES * unit.value(q),
        lambda q, v: AXES * unit.first(q, v),
        lambda q, v, w: AXES * unit.second(q, v, w),
    )


def draws(P, count=4, seed=0):
    rng = np.random.default_rng(seed)
    for _ in range(count):
        yield 0.7 * rng.standard_normal(P), rng.standard_normal(P), rng.standard_normal(P)


SPHERES = [(1.0, 3), (0.3, 3), (2.0, 6)]
every_sphere = pytest.mark.parametrize("R, n", SPHERES)
SURFACES = {
    "sphere": (sphere(1.5, 4), 3),
    "rotations": (rotations(3), 3),
    "torus": (torus(), 2),
    "ellipsoid": (ellipsoid(), 2),
}


@pytest.mark.parametrize("name", SURFACES)
def test_the_derivatives_written_by_hand_are_differences(name):
    net, P = SURFACES[name]
    for q, v, w in draws(P):
        errors = []
        for h in (1e-2, 1e-3):
            slope = (net.value(q + h * v) - net.value(q - h * v)) / (2 * h)
            bend = (net.first(q + h * w, v) - net.first(q - h * w, v)) / (2 * h)
            errors.append([np.abs(slope - net.first(q, v)).max(), np.abs(bend - net.second(q, v, w)).max()])
        assert (np.array(errors[1]) <= np.array(errors[0]) / 50 + 1e-11).all() and np.max(errors[0]) < 0.1


# The sphere
@every_sphere
def test_sphere_projection_and_shape_operator(R, n):
    net, witness = sphere(R, n), manifolds.Sphere(n)
    for q, v, w in draws(n - 1):
        at = net.at(q, NO_DATA)
        space, x = tangent_space(at), at.f / R
        u = np.random.default_rng(1).standard_normal(n)
        assert space.dimension == n - 1
        assert np.abs(space.project(u) - witness.projection(x, u)).max() <= 32 * EPS
        assert np.abs(at.jvp(space.pull(u)) - witness.projection(x, u)).max() <= 64 * EPS
        scale = 2 * R / (1 + q @ q)  # a conformal chart
        assert np.abs(space.metric - scale**2 * np.eye(n - 1)).max() <= 64 * EPS * scale**2
        II, a, b = space.curvature(v, w), at.jvp(v), at.jvp(w)
        assert np.abs(II + (a @ b) / R * x).max() <= 64 * EPS * np.linalg.norm(at.second(v, w))
        normal = (u @ x) * x
        turned = witness.weingarten(x, a / R, normal)  # of the unit sphere, to which II belongs divided by R
        assert normal @ II / R == pytest.approx(turned @ (b / R), abs=64 * EPS * np.linalg.norm(at.second(v, w)) / R)


@every_sphere
def test_sphere_exponential_map_logarithm_and_distance(R, n):
    net, witness = sphere(R, n), manifolds.Sphere(n)
    for q, v, w in draws(n - 1):
        at = net.at(q, NO_DATA)
        x, a = at.f / R, at.jvp(v) / R
        times = np.linspace(0, 1, 5)
        path = geodesic(net, q, NO_DATA, v, times, rtol=1e-12)
        exact = np.stack([witness.exp(x, t * a) for t in times])
        stretch = 1 + (path.theta**2).sum(axis=1).max()  # how far the chart pulls the sphere apart
        assert np.abs(path.f / R - exact).max() <= 1e-10 * stretch**2
        assert path.speed[0] / R == pytest.approx(witness.norm(x, a), rel=16 * EPS)
        other = net.at(w, NO_DATA).f / R
        log = witness.log(x, other)
        end = exponential(net, q, NO_DATA, tangent_space(at).pull(R * log), rtol=1e-12)
        assert np.abs(net.value(end) / R - other).max() <= 1e-9 * (1 + end @ end) ** 2
        path = shortest_path(net, q, w, NO_DATA, 12)
        angle = witness.dist(x, other)
        assert path.length / R == pytest.approx(24 * np.sin(angle / 24), rel=1e-9)
        assert np.abs(path.f[6] / R - witness.pair_mean(x, other)).max() <= 1e-6


@every_sphere
def test_sphere_gradient_and_hessian_of_the_square_loss(R, n):
    net, witness, loss = sphere(R, n), manifolds.Sphere(n), Square()
    y = np.random.default_rng(2).standard_normal(n)
    for q, v, w in draws(n - 1):
        at = net.at(q, NO_DATA)
        space, x = tangent_space(at), at.f / R
        g, a, b = loss.gradient(at.f, y), at.jvp(v) / R, at.jvp(w) / R
        assert np.abs(space.gradient(loss, y) - witness.euclidean_to_riemannian_gradient(x, g)).max() <= 64 * EPS
        # of x -> loss(R x) on the unit sphere: gradient R g, second derivative R^2 H
        exact = witness.euclidean_to_riemannian_hessian(x, R * g, R**2 * a / n, a) @ b
        ours = (space.Q.T @ at.jvp(v)) @ space.hessian(loss, y) @ (space.Q.T @ at.jvp(w))
        assert ours == pytest.approx(exact, rel=1e-12, abs=1e-12)


@every_sphere
def test_gauss_newton_on_the_sphere_runs_along_a_great_circle(R, n):
    # With the label at the distance D from the centre the angle phi to it obeys phi' = -(D / R) sin phi.
    net, D = sphere(R, n), 1.7
    rng = np.random.default_rng(3)
    q, pole = 0.5 * rng.standard_normal(n - 1), rng.standard_normal(n)
    pole /= np.linalg.norm(pole)
    times, witness = np.linspace(0, 2 * R / D, 9), manifolds.Sphere(n)
    data = Data(np.zeros((n, 1)), D * pole, "a label outside the sphere")
    path = flow(
        net, q, data, GaussNewton(metric="identity"), times, Square("sum"),
        record={"f": lambda theta, at: at.f / R}, rtol=1e-11, atol=1e-13,
    )  # fmt: skip
    x = path["f"][0]
    angle = witness.dist(x, pole)
    left = 2 * np.arctan(np.tan(angle / 2) * np.exp(-D / R * times))
    exact = np.stack([witness.exp(x, (1 - phi / angle) * witness.log(x, pole)) for phi in left])
    assert np.abs(path["f"] - exact).max() <= 1e-8
    best = best_function(net, path.theta, NO_DATA, data.y, Square("sum"), tol=1e-12)
    assert np.abs(best.f / R - pole).max() <= 1e-9
    assert np.abs(best.eigenvalues - D / R).max() <= 1e-8
    slow = flow(
        net, q, data, Gradient(), times, Square("sum"), record={"f": lambda theta, at: at.f / R}, rtol=1e-9,
    )  # fmt: skip
    away = np.abs(slow["f"] - exact).max(axis=1)
    assert away[4] > 1e-2  # in a conformal chart the same circle, at another speed
    normal = np.linalg.svd(np.stack([x, pole]))[2][2:]
    assert np.abs(slow["f"] @ normal.T).max() <= 1e-6


# The rotations
@pytest.mark.parametrize("n", [3, 4])
def test_rotations(n):
    net, witness, P = rotations(n), manifolds.SpecialOrthogonalGroup(n), n * (n - 1) // 2
    loss, y = Square(), np.random.default_rng(4).standard_normal(n * n)
    for q, v, w in draws(P, seed=5):
        q, v = q / 2, v / 2
        at = net.at(q, NO_DATA)
        space, x = tangent_space(at), at.f.reshape(n, n)
        u = np.random.default_rng(6).standard_normal((n, n))
        assert space.dimension == P
        assert np.abs(space.project(u.ravel()) - (x @ witness.projection(x, u)).ravel()).max() <= 64 * EPS
        # pymanopt's tangent vectors are x^T times ours
        A, B = (x.T @ at.jvp(e).reshape(n, n) for e in (v, w))
        size = np.linalg.norm(at.second(v, w))
        assert np.abs(space.curvature(v, w) - (x @ (A @ B + B @ A) / 2).ravel()).max() <= 256 * EPS * size
        end = exponential(net, q, NO_DATA, v, rtol=1e-12)
        assert np.abs(net.value(end).reshape(n, n) - witness.exp(x, A)).max() <= 1e-8
        other = net.value(q + v).reshape(n, n)
        path = shortest_path(net, q, q + v, NO_DATA, 8)
        logs = np.abs(np.linalg.eigvals(witness.log(x, other)).imag)  # angles of the rotation x^T other
        chords = 2 * np.sin(logs / 16)  # of an eighth of the way
        assert path.length == pytest.approx(8 * np.linalg.norm(chords), rel=1e-8)
        assert path.length == pytest.approx(witness.dist(x, other), rel=logs.max() ** 2 / 24 / 64 * 1.5)
        g = loss.gradient(at.f, y).reshape(n, n)
        exact = witness.euclidean_to_riemannian_hessian(x, g, x @ A / n**2, A)
        ours = (space.Q.T @ at.jvp(v)) @ space.hessian(loss, y) @ (space.Q.T @ at.jvp(w))
        assert ours == pytest.approx(float(np.vdot(exact, B)), rel=1e-11, abs=1e-12)


# A flat surface
def test_torus():
    net, witness = torus(), manifolds.Oblique(2, 2)
    loss, y = Square(), np.random.default_rng(7).standard_normal(4)
    for q, v, w in draws(2, seed=8):
        at = net.at(q, NO_DATA)
        space, x = tangent_space(at), at.f.reshape(2, 2)  # columns of length 1
        u = np.random.default_rng(9).standard_normal((2, 2))
        assert np.abs(space.project(u.ravel()) - witness.projection(x, u).ravel()).max() <= 16 * EPS
        a, b = (at.jvp(e).reshape(2, 2) for e in (v, w))
        end = net.value(exponential(net, q, NO_DATA, v, rtol=1e-12))
        assert np.abs(end - witness.exp(x, a).ravel()).max() <= 1e-10
        path = shortest_path(net, q, q + v, NO_DATA, 8)
        assert path.length == pytest.approx(8 * np.linalg.norm(2 * np.sin(v / 16)), rel=1e-9)
        g = loss.gradient(at.f, y).reshape(2, 2)
        exact = witness.euclidean_to_riemannian_hessian(x, g, a / 4, a)
        ours = (space.Q.T @ at.jvp(v)) @ space.hessian(loss, y) @ (space.Q.T @ at.jvp(w))
        assert ours == pytest.approx(float(np.vdot(exact, b)), rel=1e-12, abs=1e-13)
        assert np.linalg.norm(space.curvature(v, v)) >= 0.1 * (v @ v)


# Curvature within the surface, from the one in space: Gauss's equation
def sectional(space, v, w):
    """(II(v, v) . II(w, w) - |II(v, w)|^2) over the squared area of the outputs' velocities."""
    a, b = space.at.jvp(v), space.at.jvp(w)
    bend = space.curvature(v, w)
    return (space.curvature(v, v) @ space.curvature(w, w) - bend @ bend) / ((a @ a) * (b @ b) - (a @ b) ** 2)


def within(net, q, v, w, r=0.3, turn=1e-3):
    """The same from geodesics alone: the circle of radius r around q has the length 2 pi (r - K r^3 / 6 + ...).

    Mean over eight directions of the plane of v and w of the derivative of Exp with respect to the direction.
    """
    space = tangent_space(net.at(q, NO_DATA))
    a, b = space.at.jvp(v), space.at.jvp(w)
    e1 = a / np.linalg.norm(a)
    e2 = b - (b @ e1) * e1
    e2 /= np.linalg.norm(e2)

    def reach(angle):
        velocity = space.pull(np.cos(angle) * e1 + np.sin(angle) * e2)
        return geodesic(net, q, NO_DATA, velocity, [0.0, r / 2, r], rtol=1e-12).f[1:]

    pairs = [(reach(t + turn), reach(t - turn)) for t in np.arange(8) * np.pi / 4]
    wide = np.mean([np.linalg.norm(one - two, axis=1) / (2 * turn) for one, two in pairs], axis=0)
    radii = np.array([r / 2, r])
    K = 6 * (radii - wide) / radii**3
    return (4 * K[0] - K[1]) / 3


def test_gauss_equation():
    for q, v, w in draws(3, seed=10):
        assert sectional(tangent_space(sphere(1.5, 4).at(q, NO_DATA)), v, w) == pytest.approx(1 / 1.5**2, rel=1e-9)
        at = rotations(3).at(q, NO_DATA)  # 1/8 for every plane: a sphere of radius 2 sqrt(2), its antipodes identified
        assert sectional(tangent_space(at), v, w) == pytest.approx(1 / 8, rel=1e-9)
        at = rotations(4).at(np.r_[q, w], NO_DATA)
        x, (A, B) = at.f.reshape(4, 4), (np.r_[v, q], np.r_[w, v])
        U, V = (x.T @ at.jvp(e).reshape(4, 4) for e in (A, B))
        area = np.vdot(U, U) * np.vdot(V, V) - np.vdot(U, V) ** 2
        lie = np.linalg.norm(U @ V - V @ U) ** 2 / 4 / area
        assert sectional(tangent_space(at), A, B) == pytest.approx(lie, rel=1e-8)
    for q, v, w in draws(2, seed=11):
        space = tangent_space(torus().at(q, NO_DATA))
        assert abs(sectional(space, v, w)) <= 1e-12
        x = ellipsoid().at(q, NO_DATA).f
        gauss = 1 / (np.prod(AXES) * ((x / AXES**2) ** 2).sum()) ** 2
        assert sectional(tangent_space(ellipsoid().at(q, NO_DATA)), v, w) == pytest.approx(gauss, rel=1e-9)


@pytest.mark.parametrize("name", SURFACES)
def test_gauss_equation_against_small_circles(name):
    net, P = SURFACES[name]
    for q, v, w in draws(P, count=2, seed=12):
        K = sectional(tangent_space(net.at(q, NO_DATA)), v, w)
        size = 4.0 if name == "ellipsoid" else 1.0  # of the next coefficient
        assert within(net, q, v, w, r=0.3 if name != "ellipsoid" else 0.05) == pytest.approx(K, abs=1e-3 * size)
