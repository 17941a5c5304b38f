r"""A step of a training method, and the two that need no second derivatives.

The gradient step is -eta m^{2 beta - 1} grad L. The regularized Gauss-Newton step drops the residual curvature S from
the Hessian, S = 0 in formula (8) of the Newton paper, so that the system can be solved in sample space,

    Delta = -J^T (J J^T + n gamma m^{1 - 2 beta} I)^{-1} r.

Each function returns a :class:`Step`; :mod:`nntk_lib.train` applies it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, positive
from .damping import parameter_damping, sample_damping
from .gram import gradient, gram, jt_dot
from .shallow import Shallow, residual
from .streaming import one_blas_thread


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
    solver, reason : str
        How the linear system was solved, and why.
    """

    method: str
    delta: Array | None = field(repr=False)
    slope: float
    predicted: float
    gamma: float | None = None
    min_eig: float | None = None
    solver: str = "direct"
    reason: str = ""

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
    with one_blas_thread():
        r = residual(net, theta, X, y)
        damping = parameter_damping(gamma, len(np.asarray(theta)), net.beta)
        shift = sample_damping(damping, len(r))
        a = np.linalg.solve(gram(net, theta, X) + shift * np.eye(len(r)), r)
        delta = jt_dot(net, theta, X, -a)
    slope = float(r @ (shift * a - r)) / len(r)  # J delta = shift a - r
    return Step("gauss-newton", delta, slope, predicted_decrease(slope, delta, damping), gamma, gamma)


def predicted_decrease(slope: float, delta: Array, damping: float) -> float:
    """-(g.delta + delta.H.delta/2) when (H + damping I) delta = -g."""
    return -0.5 * slope + 0.5 * damping * float(np.vdot(delta, delta))
