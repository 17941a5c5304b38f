r"""Geodesics of the manifold of functions: from a point along a velocity, and between two points.

In the parameters a geodesic solves theta'' = -J^+ D^2 f [theta', theta'], which says that the acceleration of its
outputs, J theta'' + D^2 f [theta', theta'], is normal to the manifold; its speed |f'| is constant.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp
from scipy.optimize import least_squares

from ..exceptions import Array, ParameterError, SingularSystemError, finite_array, integer, positive, shaped_like
from ..networks.base import Network, Tangent, tangent
from .space import jacobian_matrix, tangent_space


@dataclass(frozen=True, eq=False)
class Path:
    """A curve on the manifold of functions.

    Attributes
    ----------
    times : ndarray, shape (T,)
    theta : ndarray, shape (T, shape of theta)
    velocity : ndarray, shape (T, shape of theta)
        theta'; for a polygon the slopes of its sides, the last one twice.
    f : ndarray, shape (T, shape of f)
    speed : ndarray, shape (T,)
        |f'|, which a geodesic keeps: its changes measure the error.
    length : float
        Length of the polygon through the points f.
    """

    times: Array = field(repr=False)
    theta: Array = field(repr=False)
    velocity: Array = field(repr=False)
    f: Array = field(repr=False)
    speed: Array = field(repr=False)

    @property
    def length(self) -> float:
        steps = np.diff(self.f, axis=0).reshape(len(self.f) - 1, -1)
        return float(np.linalg.norm(steps, axis=1).sum())


def geodesic(net: Network, theta: ArrayLike, X: ArrayLike, v: ArrayLike, times: ArrayLike, rtol: float = 1e-10) -> Path:
    """The geodesic that leaves theta with the parameter velocity v: theta'' = -J^+ D^2 f [theta', theta'].

    Its outputs have an acceleration that is normal to the manifold at every time. Where the manifold is open they run
    along a straight line.

    Parameters
    ----------
    net : Network
        With second derivatives: Shallow or Deep.
    theta : ndarray
    X : ndarray
    v : ndarray of the shape of theta
    times : ndarray, shape (T,)
        Ascending from 0.
    rtol : float
        Relative tolerance of the integrator (an explicit Runge-Kutta method of order 8).

    Returns
    -------
    Path

    Raises
    ------
    ParameterError, ShapeError, NonFiniteError
        If an array does not fit, or the times do not ascend from 0.
    SingularSystemError
        If J loses rank on the way: the surface has a fold or a tip there, and the geodesic ends.
    """
    start = tangent_space(tangent(net, theta, X))
    theta, shape = start.at.theta, start.at.theta.shape
    v = shaped_like("v", v, theta, "theta")
    times = finite_array("times", times, 1)
    if times[0] != 0 or len(times) < 2 or not (np.diff(times) > 0).all():
        raise ParameterError("times must ascend from 0, such as np.linspace(0, 1, 50).")

    reached = 0.0

    def rates(t: float, state: Array) -> Array:
        nonlocal reached
        reached = t
        position, velocity = state.reshape(2, *shape)
        space = tangent_space(net.at(position, X), start.rtol)
        if space.dimension < start.dimension:
            raise SingularSystemError(
                f"The rank of J falls from {start.dimension} to {space.dimension} near t = {t:.3g}: the manifold of "
                "functions is not smooth there, and the geodesic ends. Stop earlier, or start along another velocity."
            )
        return np.concatenate([velocity.ravel(), space.acceleration(velocity).ravel()])

    state, size = np.stack([theta, v]).ravel(), max(np.abs(theta).max(), np.abs(v).max())
    run = solve_ivp(rates, (0.0, times[-1]), state, "DOP853", times, rtol=positive("rtol", rtol), atol=rtol * size)
    if not run.success:
        raise SingularSystemError(f"The geodesic ends at t = {reached:.3g}: {run.message} Stop earlier.")
    states = run.y.T.reshape(-1, 2, *shape)
    tangents = [net.at(position, X) for position in states[:, 0]]
    speed = [np.linalg.norm(at.jvp(w)) for at, w in zip(tangents, states[:, 1], strict=True)]
    return Path(times, states[:, 0], states[:, 1], np.stack([at.f for at in tangents]), np.array(speed))


def exponential(net: Network, theta: ArrayLike, X: ArrayLike, v: ArrayLike, rtol: float = 1e-10) -> Array:
    """Exp(v): where the geodesic that leaves theta with velocity v is at time 1; of the shape of theta.

    Parameters and errors are those of :func:`geodesic`. The output at Exp(v) is at the distance |J v| along the
    surface.
    """
    return geodesic(net, theta, X, v, [0.0, 1.0], rtol).theta[-1]


def shortest_path(net: Network, start: ArrayLike, end: ArrayLike, X: ArrayLike, segments: int = 16) -> Path:
    """A path of locally least length between two parameters, as a polygon with vertices on the manifold.

    The energy sum_k |f_{k+1} - f_k|^2 of the polygon is minimized over the inner vertices (nonlinear least squares),
    from a straight line in the parameters. The vertices end at equal distances; they are O(segments^{-2}) from a
    geodesic.

    Parameters
    ----------
    net : Network
    start, end : ndarray
        Parameters; where they do not train they must agree.
    X : ndarray
    segments : int
        At least 2.

    Returns
    -------
    Path
        times are k / segments.

    Raises
    ------
    ParameterError, ShapeError, NonFiniteError
    SingularSystemError
        If the parameters that train are more than the rank of J, so that the path is not determined by its outputs.
    """
    K, first = integer("segments", segments, 2), tangent(net, start, X)
    end = shaped_like("end", end, first.theta, "start")
    free = jacobian_matrix(first).any(axis=0)
    space, (a, b) = tangent_space(first), (first.theta.ravel(), end.ravel())
    if space.dimension < free.sum():
        raise SingularSystemError(
            f"J has rank {space.dimension} with {free.sum()} parameters, so that many paths in theta have the same "
            "outputs. Use fewer neurons or more samples."
        )
    if not np.array_equal(a[~free], b[~free]):
        raise ParameterError("start and end differ in parameters that do not train. Make them agree there.")
    line = a + (b - a) * np.linspace(0, 1, K + 1)[:, None]

    def tangents(x: Array) -> list[Tangent]:
        line[1:-1, free] = x.reshape(K - 1, -1)
        return [net.at(row.reshape(first.theta.shape), X) for row in line]

    def residual(x: Array) -> Array:
        return np.diff([at.f.ravel() for at in tangents(x)], axis=0).ravel()

    def slopes(x: Array) -> Array:
        out = np.zeros((K, first.f.size, K - 1, int(free.sum())))
        for k, at in enumerate(tangents(x)[1:-1]):
            out[k, :, k] = jacobian_matrix(at)[:, free]
            out[k + 1, :, k] = -out[k, :, k]
        return out.reshape(K * first.f.size, -1)

    run = least_squares(residual, line[1:-1, free].ravel(), slopes, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    points = tangents(run.x)
    theta, f = np.stack([at.theta for at in points]), np.stack([at.f for at in points])
    velocity, sides = (K * np.diff(np.concatenate([a, 2 * a[-1:] - a[-2:-1]]), axis=0) for a in (theta, f))
    return Path(np.arange(K + 1) / K, theta, velocity, f, np.linalg.norm(sides.reshape(K + 1, -1), axis=1))
