r"""Is the regularized Hessian positive definite, and from which gamma on?

The blocks of D, scaled as in equation (50) of the Newton paper, are

    Dtilde^i = gamma I + m^{beta - 1} (1/n) sum_j r_j Htilde_j^i,

so that they are all positive definite exactly when gamma exceeds

    gamma* = - m^{beta - 1} min_i lambda_min( (1/n) sum_j r_j Htilde_j^i ),

which one eigenvalue problem of size p a neuron gives. Lemma 20 bounds it from above by the curvature level
m^{beta - 1} C_H |r| / sqrt n of :mod:`nntk_lib.constants`, without looking at the neurons.

D > 0 is sufficient for Hess L + gamma m^{1 - 2 beta} I > 0, not necessary. By Haynsworth's inertia formula the numbers
nu of negative eigenvalues obey, for invertible D and I + B,

    nu(Hess L + gamma m^{1 - 2 beta} I) = nu(D) - nu(I + B),

which counts the directions that the low-rank part repairs (a correction to Remark 3 of the paper).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from .checks import NotPositiveDefiniteError, ParameterError, positive
from .constants import curvature_level
from .curvature import curvature_stream, hessian
from .damping import parameter_damping, width_for
from .shallow import Shallow, residual
from .structured import Reduction


def safe_gamma(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, method: str = "eigenvalues") -> float:
    """Smallest regularization at which every block of D is positive definite.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    method : {"eigenvalues", "bound"}
        The exact threshold gamma* from the eigenvalues of the blocks, enlarged by their rounding error; or the bound of
        Lemma 20, which costs one forward pass and is never smaller.

    Returns
    -------
    float
        In the units of gamma; zero if the residual is. :func:`nntk_lib.newton.newton_step` accepts it and every larger
        value. A step needs some distance: twice this value bounds every block's inverse by 2/gamma.

    Raises
    ------
    ParameterError
        If the method is unknown, or "bound" is asked of an activation with infinite s1 or s2.
    ShapeError, NonFiniteError

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import init
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> theta, y = init(net, m=1000, d=1, rng=0), np.sin(3 * X[:, 0])
    >>> exact, bound = (safe_gamma(net, theta, X, y, how) for how in ("eigenvalues", "bound"))
    >>> 0 < exact < bound
    True
    """
    r = residual(net, theta, X, y)
    if method == "bound":
        bound = curvature_level(net, theta, X, r)
        if not np.isfinite(bound):
            raise ParameterError(
                f"Lemma 20 gives no bound for activation {net.act.name!r}: s1 or s2 is infinite. Use "
                "method='eigenvalues'."
            )
        return bound
    if method != "eigenvalues":
        raise ParameterError(f"method = {method!r} is unknown; use 'eigenvalues' or 'bound'.")
    low, high = 0.0, 0.0
    for _, blocks in curvature_stream(net, theta, X, r):
        eigenvalues = np.linalg.eigvalsh(blocks)
        low, high = min(low, float(eigenvalues.min())), max(high, float(eigenvalues.max()))
    theta = np.asarray(theta)
    rounding = 4 * theta.shape[1] * np.finfo(float).eps * max(-low, high)
    return float(len(theta) ** (2 * net.beta - 1) * (rounding + abs(low)))


@dataclass(frozen=True)
class Certificate:
    """What is known about the definiteness of the regularized Hessian at one gamma.

    Attributes
    ----------
    gamma : float
    min_eig : float
        Smallest eigenvalue of the scaled blocks, Riedl et al. (50): gamma - gamma*.
    neuron : int
        The neuron whose block has it.
    negative_blocks : int
        Number of negative eigenvalues of D.
    negative_hessian : int
        Number of negative eigenvalues of Hess L + gamma m^{1 - 2 beta} I; at most `negative_blocks`, and smaller by at
        most n.
    """

    gamma: float
    min_eig: float
    neuron: int
    negative_blocks: int
    negative_hessian: int

    @property
    def positive_definite(self) -> bool:
        """Whether every block of D is positive definite, which makes the Newton step a descent direction."""
        return self.min_eig > 0

    @property
    def safe_gamma(self) -> float:
        """The threshold gamma*: D is positive definite exactly when gamma exceeds it."""
        return max(0.0, self.gamma - self.min_eig)


def certify(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, gamma: float) -> Certificate:
    """Definiteness of D and of the regularized Hessian, counted exactly without forming either.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    gamma : float

    Returns
    -------
    Certificate

    Raises
    ------
    SingularSystemError
        If a block of D is exactly singular.
    """
    gamma = positive("gamma", gamma)
    H = hessian(net, theta, X, y)
    [reduction] = H.reduce([parameter_damping(gamma, H.m, net.beta)])
    repaired = int((np.linalg.eigvalsh(np.eye(H.rank) + reduction.capacitance) < 0).sum())
    min_eig = scaled_min_eig(net, H.m, reduction)
    return Certificate(gamma, min_eig, reduction.block, reduction.negative, reduction.negative - repaired)


def scaled_min_eig(net: Shallow, m: int, reduction: Reduction) -> float:
    """Smallest eigenvalue of the blocks in the scaling of Riedl et al. (50), that is in the units of gamma."""
    return m ** (2 * net.beta - 1) * reduction.min_eig


def require_definite(net: Shallow, m: int, gamma: float, reduction: Reduction) -> None:
    """Raise `NotPositiveDefiniteError` unless every block of D is positive definite."""
    if reduction.min_eig > 0:
        return
    min_eig = scaled_min_eig(net, m, reduction)
    enough = gamma - min_eig
    width = width_for(m, enough / gamma, net.beta)
    width = f", or a width of about {width:.1e} at this gamma" if np.isfinite(width) else ""
    raise NotPositiveDefiniteError(
        f"gamma = {gamma:g} is too small for width m = {m}: the block of neuron {reduction.block} of D, the "
        f"block-diagonal part of the regularized Hessian, has smallest eigenvalue {min_eig:.3e} (scaled as in (50)). "
        "It must be positive, or the step need not be a descent direction. "
        f"Any gamma > {enough:.3e} suffices here{width}; safe_gamma(net, theta, X, y) finds it. "
        "indefinite='solve' takes the step all the same.",
        min_eig,
        reduction.block,
        enough,
    )
