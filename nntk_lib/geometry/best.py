r"""The best function of a class: a stationary point of the loss on the manifold of functions, Pi g = 0."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, NonFiniteError, NotConvergedError, integer, positive
from ..losses import Loss, Square
from ..losses.base import require_loss
from ..networks.base import Network, Tangent, tangent
from .space import EPS, TangentSpace, second_derivative, tangent_space


@dataclass(frozen=True, eq=False)
class Best:
    """A stationary point of a loss on the manifold of functions.

    Attributes
    ----------
    theta : ndarray
    f : ndarray
    loss : float
    stationarity : float
        |Pi g| there as a fraction of |g| at the start.
    eigenvalues : ndarray, shape (r,)
        Of the Hessian of the loss on the manifold, ascending. All positive: a local minimum, to which the flow f' =
        -Pi g converges at these rates. Above 2, its Euler step of length 1 does not converge. (Gauss-Newton with the
        Hessian H = h I of the loss in the metric: divide by h, which is 1/n for the mean square.)
    steps : int
    space : TangentSpace
        There.
    """

    theta: Array = field(repr=False)
    f: Array = field(repr=False)
    loss: float
    stationarity: float
    eigenvalues: Array = field(repr=False)
    steps: int
    space: TangentSpace = field(repr=False)


def best_function(
    net: Network,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    loss: Loss | None = None,
    *,
    tol: float = 1e-10,
    steps: int = 500,
) -> Best:
    """The best function of the class near theta: iterations down to a stationary point of the loss on the manifold.

    Newton's steps with the Hessian on the manifold, taken along geodesics to second order (the geodesic acceleration of
    Transtrum and Sethna 2012). They are not damped where that halves |Pi g|; elsewhere the damping, in the parameters
    as Levenberg and Marquardt have it, follows the ratio of actual to predicted decrease. Gauss-Newton steps, which
    leave the curvature out, converge slowly where the residual is large, or not at all.

    Parameters
    ----------
    net : Network
        With second derivatives: Shallow or Deep.
    theta : ndarray
        The start; another start may lead to another local minimum.
    X, y : ndarray
    loss : Loss, optional
        The square loss by default.
    tol : float
        Stop when |Pi g| is at most this fraction of |g| at the start.
    steps : int
        At most so many accepted or rejected steps.

    Returns
    -------
    Best

    Raises
    ------
    NotConvergedError
        If `steps` are not enough, or a parameter is out of range.
    """
    loss, tol, steps = Square() if loss is None else loss, positive("tol", tol), integer("steps", steps)
    at = tangent(net, theta, X)
    require_loss(loss)
    value, scale, damping = loss.value(at.f, y), np.linalg.norm(loss.gradient(at.f, y)), 1e-3
    for k in range(steps + 1):
        space = tangent_space(at)
        g = space.Q.T @ loss.gradient(at.f, y).ravel()
        rest = float(np.linalg.norm(g) / scale) if scale else 0.0
        hessian = space.hessian(loss, y)
        lam, U = np.linalg.eigh(hessian)
        if rest <= tol:
            return Best(at.theta, at.f, value, rest, lam, k, space)
        if lam[0] > 0:  # Newton's step in the tangent space, which does not see the condition of J
            trial = _trial(net, space, -(U / lam) @ (U.T @ g), 0.0)
            if trial is not None and loss.value(trial.f, y) <= value * (1 + 64 * EPS):
                if np.linalg.norm(tangent_space(trial).gradient(loss, y)) <= rest * scale / 2:
                    at, value = trial, loss.value(trial.f, y)
                    continue
        lam, U = np.linalg.eigh(space.s[:, None] * hessian * space.s)  # the same in the parameters, damped there
        d = -U @ ((U.T @ (space.s * g)) / (np.abs(lam) + damping * space.s[0] ** 2))
        c = space.s * d
        trial, predicted = _trial(net, space, c, damping), -float(g @ c + c @ hessian @ c / 2)
        gain = -1.0 if trial is None else (value - loss.value(trial.f, y)) / predicted
        if gain > 1e-3:
            at, value = trial, loss.value(trial.f, y)
        damping *= 1 / 3 if gain > 0.7 else 3 if gain < 0.3 else 1
        if not damping < 1 / EPS:
            break
    stopped = f"steps = {steps} were not enough" if k == steps else f"After {k} steps rounding hides what is left"
    raise NotConvergedError(
        f"{stopped}: |Pi g| is {rest:.1e} of |g| at the start, and tol = {tol:g}. Allow more steps or a larger tol, or "
        "start elsewhere: the infimum over the class may lie at infinity."
    )


def _trial(net: Network, space: TangentSpace, c: Array, damping: float) -> Tangent | None:
    """The tangent after the step with the output velocity Q c, along a geodesic to second order.

    None if the second order is more than the first, or the outputs overflow.
    """
    at, v, s = space.at, space.lift(c), space.s
    bend = space.Q.T @ second_derivative(at, v, v).ravel()
    bend = -(space.V @ (s / (s**2 + damping * s[0] ** 2) * bend)).reshape(v.shape) / 2
    if np.linalg.norm(bend) > np.linalg.norm(v):
        return None
    try:
        trial = net.at(at.theta + v + bend, at.X)
        return trial if np.isfinite(trial.f).all() else None
    except NonFiniteError:
        return None
