r"""Directions: gradient, regularized Gauss-Newton and the exact regularized Newton step.

With the damping gamma m^{1 - 2 beta} the Newton step Delta of equations (3), (4) of the Newton paper satisfies

    (Hess L + gamma m^{1 - 2 beta} I) Delta = - grad L.

The push-through identity turns it into formula (8): with D = S + gamma m^{1 - 2 beta} I and B = J D^{-1} J^T / n,

    Delta = - D^{-1} J^T (I + B)^{-1} r / n,

an n x n system and m small ones. Dropping the residual curvature (S = 0) gives the regularized Gauss-Newton step,
Delta = -J^T (J J^T + n gamma m^{1 - 2 beta} I)^{-1} r. To first order the outputs change by -K r with the finite-width
Newton neural tangent kernel K = B (I + B)^{-1}, equation (12).

Each function returns a :class:`Step`; :mod:`nntk_lib.train` applies it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, ParameterError, positive, warn_a1
from .curvature import hessian, structured_hessian
from .damping import parameter_damping, sample_damping
from .definiteness import require_definite, scaled_min_eig
from .gram import gradient, gram, jt_dot
from .shallow import Shallow, residual


@dataclass(frozen=True)
class Step:
    """A step of a training method and what is known about it.

    Attributes
    ----------
    method : str
    delta : ndarray, shape (m, p)
        The step before the factor alpha; None in a training history.
    slope : float
        Directional derivative grad L . delta.
    predicted : float
        Decrease of the loss in the method's own model: the quadratic one with the Hessian (Newton) or with J^T J / n
        (Gauss-Newton), the linear one for the gradient step.
    gamma : float or None
    min_eig : float or None
        Smallest eigenvalue of the scaled blocks Dtilde = m^{2 beta - 1} D, Riedl et al. (50).
    """

    method: str
    delta: Array | None = field(repr=False)
    slope: float
    predicted: float
    gamma: float | None = None
    min_eig: float | None = None

    @property
    def is_descent(self) -> bool:
        """Whether the loss decreases for small multiples of the step."""
        return self.slope < 0


def gradient_step(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, eta: float = 1.0) -> Step:
    """Gradient step -eta m^{2 beta - 1} grad L; in function space r becomes (I - eta A) r as m grows.

    Parameters
    ----------
    eta : float
        Learning rate in the units of the limit kernel A of (15): stable for eta below 2 / lambda_max(A).

    Returns
    -------
    Step
    """
    eta = positive("eta", eta)
    g = gradient(net, theta, X, y)
    rate = eta * len(g) ** (2 * net.beta - 1)
    slope = -rate * float(np.vdot(g, g))
    return Step("gradient-descent", -rate * g, slope, -slope)


def gauss_newton_step(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, gamma: float) -> Step:
    """Regularized Gauss-Newton step, formula (8) of the Newton paper with S = 0.

    Parameters
    ----------
    gamma : float
        Regularization; the damping in parameter space is gamma m^{1 - 2 beta}.

    Returns
    -------
    Step
        Satisfies (J^T J / n + gamma m^{1 - 2 beta} I) delta = -J^T r / n.

    Raises
    ------
    ParameterError
        If gamma is not positive.
    """
    gamma = positive("gamma", gamma)
    r = residual(net, theta, X, y)
    damping = parameter_damping(gamma, len(np.asarray(theta)), net.beta)
    shift = sample_damping(damping, len(r))
    a = np.linalg.solve(gram(net, theta, X) + shift * np.eye(len(r)), r)
    delta = -jt_dot(net, theta, X, a)
    slope = float(r @ (shift * a - r)) / len(r)  # J delta = shift a - r
    return Step("gauss-newton", delta, slope, _predicted(slope, delta, damping), gamma, gamma)


def _predicted(slope: float, delta: Array, damping: float) -> float:
    """-(g.delta + delta.H.delta/2) when (H + damping I) delta = -g."""
    return -0.5 * slope + 0.5 * damping * float(np.vdot(delta, delta))


def newton_steps(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gammas: Sequence[float],
    indefinite: str = "raise",
    chunk: int | None = None,
) -> list[Step]:
    """Exact regularized Newton steps for many gamma, from one eigendecomposition of the blocks.

    Parameters are those of :func:`newton_step`.

    Returns
    -------
    list of Step
        In the order of `gammas`.
    """
    if indefinite not in ("raise", "solve"):
        raise ParameterError(f"indefinite = {indefinite!r} is not known; use 'raise' or 'solve'.")
    gammas = [positive("gamma", g) for g in gammas]
    warn_a1(net.act)
    r = residual(net, theta, X, y)
    H = structured_hessian(net, theta, X, r, chunk=chunk)
    dampings = [parameter_damping(g, H.m, net.beta) for g in gammas]
    steps = []
    for gamma, damping, reduction in zip(gammas, dampings, H.reduce(dampings), strict=True):
        if indefinite == "raise":
            require_definite(net, H.m, gamma, reduction)
        a = reduction.weights(r)
        delta = -H.solve_range(reduction, a / np.sqrt(len(r)))
        slope = float(r @ (a - r)) / len(r)  # J delta = a - r
        min_eig = scaled_min_eig(net, H.m, reduction)
        steps.append(Step("newton", delta, slope, _predicted(slope, delta, damping), gamma, min_eig))
    return steps


def newton_step(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    gamma: float,
    indefinite: str = "raise",
    chunk: int | None = None,
) -> Step:
    """Exact regularized Newton step by formula (8) of the Newton paper, streamed over the width.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    gamma : float
        Regularization; the damping in parameter space is gamma m^{1 - 2 beta}.
    indefinite : {"raise", "solve"}
        What to do when a block of D is not positive definite: raise (default), or solve the linear system all the same,
        which need not give a descent direction; the diagnostics of the step then say so.
    chunk : int, optional
        Neurons handled at a time; the result changes by rounding only.

    Returns
    -------
    Step
        Satisfies (Hess L + gamma m^{1 - 2 beta} I) delta = -grad L. Time is linear in m, memory beyond theta and delta
        does not grow with m.

    Raises
    ------
    NotPositiveDefiniteError
        Carries the smallest eigenvalue, the neuron and a gamma that suffices.
    ShapeError, NonFiniteError, ParameterError

    Warns
    -----
    AssumptionWarning
        If the activation violates assumption A1.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init, forward, loss
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> y, theta = np.sin(3 * X[:, 0]), init(net, m=2000, d=1, rng=0)
    >>> step = newton_step(net, theta, X, y, gamma=0.3)
    >>> step.is_descent, step.min_eig > 0
    (True, True)
    """
    return newton_steps(net, theta, X, y, [gamma], indefinite, chunk)[0]


def newton_kernel(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, gamma: float) -> Array:
    """Finite-width Newton neural tangent kernel K = B (I + B)^{-1}, Riedl et al. (12).

    Returns
    -------
    ndarray, shape (n, n)
        Symmetric, eigenvalues in [0, 1) if all blocks are positive definite.

    Raises
    ------
    NotPositiveDefiniteError
    """
    gamma = positive("gamma", gamma)
    H = hessian(net, theta, X, y)
    [reduction] = H.reduce([parameter_damping(gamma, H.m, net.beta)])
    require_definite(net, H.m, gamma, reduction)
    K = reduction.weights(reduction.capacitance)
    return 0.5 * (K + K.T)
