r"""From which regularization on are the blocks of Newton's system positive definite?

The blocks of D = S + shift I, scaled as in equation (50) of the Newton paper, are

    Dtilde^i = gamma I + m^{beta - 1} sum_j a_j Htilde_j^i,
    a        = r / n for the mean square,

so that they are all positive definite exactly when gamma exceeds

    gamma* = - m^{beta - 1} min_i lambda_min( sum_j a_j Htilde_j^i ),

which one eigenvalue problem of size p a neuron gives. Lemma 20 bounds it from above by the curvature level, see
:mod:`nntk_lib.networks.shallow.curvature`, without looking at the neurons. The threshold is proportional to the
residual, so it falls during training, and the regularization may follow it down:

    gamma_k = max(floor, tau gamma*(theta_k)),     tau > 1.

Every block of D then has its inverse bounded by tau / ((tau - 1) gamma_k), which is 2 / gamma_k for tau = 2, and every
step is a direction of descent. With floor = 0 and alpha = 1 the order of convergence approaches two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, NotPositiveDefiniteError, ParameterError, no_overflow, one_of, positive
from ..linalg.caching import cached_property
from ..linalg.structured import Reduction
from ..losses import Square
from ..networks.base import Tangent, tangent
from ..networks.shallow.curvature import curvature_level, curvature_slices
from ..networks.shallow.spec import Shallow, shallow
from .base import Step


class BlockSpectrum:
    """Extreme eigenvalues of the blocks of S, which Newton's method damps; computed when they are asked for.

    Attributes
    ----------
    smallest, largest : float
        Over all blocks of S = sum_j a_j Hess f_j.
    residual : float
        The norm |q| of the right-hand side; see :class:`nntk_lib.methods.damping.Spectrum`.
    """

    def __init__(self, at: Tangent, a: Array, residual: float = np.nan):
        self.at, self.a, self.residual = at, a, residual

    @cached_property
    def _ends(self) -> tuple[float, float, float]:
        low, high, size = np.inf, -np.inf, 0.0
        for blocks, moduli in curvature_slices(self.at, self.a):
            eigenvalues = np.linalg.eigvalsh(no_overflow("The blocks of the Hessian", blocks))
            low, high = min(low, float(eigenvalues.min())), max(high, float(eigenvalues.max()))
            size = max(size, moduli)
        return low, high, size

    @property
    def smallest(self) -> float:
        return self._ends[0]

    @property
    def largest(self) -> float:
        return self._ends[1]

    @property
    def rounding(self) -> float:
        """How far apart two routes to the same block may be: sums with errors of either sign, eigenvalues of size p."""
        low, high, size = self._ends
        return np.finfo(float).eps * (2 * size + 4 * self.at.theta.shape[1] * max(-low, high))

    @property
    def threshold(self) -> float:
        """The damping above which every block of D is positive definite, enlarged by the rounding."""
        return abs(min(0.0, self.smallest)) + self.rounding


@dataclass(frozen=True)
class AboveThreshold:
    """The damping rule gamma_k = max(floor, tau gamma*(theta_k)) for :class:`nntk_lib.methods.newton.Newton`.

    Attributes
    ----------
    tau : float
        Greater than 1: at 1 a block of D is singular.
    floor : float
        Smallest gamma. Needed when there are fewer parameters than samples: formula (8) works in sample space and
        loses its digits there as gamma tends to zero.

    Raises
    ------
    ParameterError
        If tau is not greater than 1; when called, if there is no gamma because the residual and the floor are zero.

    Examples
    --------
    >>> from nntk_lib import Newton, interval, train
    >>> net, data = Shallow("tanh"), interval(8, frequencies=(1,))
    >>> theta = net.init(500, 1, rng=0)
    >>> history = train(net, theta, data, Newton(AboveThreshold()), 16)
    >>> bool(history.loss[-1] < 1e-2 * history.loss[0])
    True
    >>> all(step.is_descent for step in history.steps)
    True
    """

    tau: float = 2.0
    floor: float = 0.0

    def __post_init__(self):
        positive("floor", self.floor, allow_zero=True)
        if not positive("tau", self.tau) > 1:
            raise ParameterError(f"tau = {self.tau:g} must be greater than 1: at 1 a block of D is singular. Try 2.")

    def __call__(self, spectrum: BlockSpectrum, at: Tangent, previous: Step | None = None) -> tuple[float, float]:
        """The damping (a, 1) of S + a I."""
        if not hasattr(spectrum, "threshold"):
            raise ParameterError("AboveThreshold is a rule for Newton: J^T J has no negative eigenvalue. Use Smallest.")
        a = max(self.floor / at.kernel_scale, self.tau * spectrum.threshold)
        if a == 0:
            raise ParameterError("The residual and safe_gamma are zero: nothing is left to fit. Stop, or give a floor.")
        return a, 1.0


def safe_gamma(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, method: str = "eigenvalues") -> float:
    """Smallest regularization at which every block of D is positive definite, for the mean square.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    method : {"eigenvalues", "bound"}
        The exact threshold gamma* from the eigenvalues of the blocks, enlarged by the rounding error of the blocks and
        of their eigenvalues; or the bound of Lemma 20, which costs one forward pass.

    Returns
    -------
    float
        In the units of gamma; zero if the residual is. :class:`nntk_lib.methods.newton.Newton` accepts it and every
        larger value. A step needs some distance: twice this value bounds every block's inverse by 2/gamma.

    Raises
    ------
    ParameterError
        If the method is unknown, or "bound" is asked of an activation with infinite s1 or s2.
    ShapeError, NonFiniteError

    Examples
    --------
    >>> X = np.linspace(-1, 1, 8)[:, None]
    >>> net, y = Shallow("tanh"), np.sin(3 * X[:, 0])
    >>> theta = net.init(m=1000, d=1, rng=0)
    >>> exact = safe_gamma(net, theta, X, y, "eigenvalues")
    >>> bound = safe_gamma(net, theta, X, y, "bound")
    >>> 0 < exact < bound
    True
    """
    one_of("method", method, ("eigenvalues", "bound"))
    at = tangent(shallow(net), theta, X)
    a = Square().gradient(at.f, y)
    if method == "bound":
        bound = curvature_level(at, a)
        if not np.isfinite(bound):
            why = "it overflows" if np.isfinite(net.act.sup[1:]).all() else "s1 or s2 is infinite"
            raise ParameterError(
                f"Lemma 20 gives no bound for activation {net.act.name!r} on these samples: {why}. Use "
                "method='eigenvalues', or samples and targets of order one."
            )
        return bound
    return float(at.kernel_scale * BlockSpectrum(at, a).threshold)


def require_definite(at: Tangent, reduction: Reduction) -> None:
    """Raise `NotPositiveDefiniteError` unless every block of D is positive definite."""
    if reduction.min_eig > 0:
        return
    m, gamma, min_eig = len(at.theta), at.kernel_scale * reduction.shift, at.kernel_scale * reduction.min_eig
    enough = gamma - min_eig
    width = at.net.width_for(m, enough / gamma)
    width = f", or a width of about {width:.1e} at this gamma" if np.isfinite(width) else ""
    raise NotPositiveDefiniteError(
        f"gamma = {gamma:g} is too small for width m = {m}: the block of neuron {reduction.block} of D, the "
        f"block-diagonal part of the regularized Hessian, has smallest eigenvalue {min_eig:.3e} (scaled as in (50)). "
        "It must be positive, or the step need not be a descent direction. "
        f"Any gamma > {enough:.3e} suffices here{width}; safe_gamma(net, theta, X, y) finds it for the mean square. "
        "route=Direct(indefinite='solve') takes the step all the same.",
        min_eig,
        reduction.block,
        enough,
    )
