r"""How many directions of negative curvature does the regularized Hessian have?

D > 0, that is gamma > gamma* of :mod:`nntk_lib.methods.threshold`, is sufficient for Hess L + gamma m^{1 - 2 beta} I >
0, not necessary. By Haynsworth's inertia formula the numbers nu of negative eigenvalues obey, for invertible D and I +
B,

    nu(Hess L + gamma m^{1 - 2 beta} I) = nu(D) - nu(I + B),

which counts the directions that the low-rank part repairs (a correction to Remark 3 of the Newton paper).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import no_overflow, positive
from ..networks.shallow.spec import Shallow, shallow
from ..verbs import hessian


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
    H = hessian(shallow(net), theta, X, y)
    scale = net.width_scale(H.m)
    [reduction] = H.reduce([positive("gamma", gamma) / scale])
    repaired = int(
        (
            np.linalg.eigvalsh(no_overflow("The products of derivatives", np.eye(H.rank) + reduction.capacitance)) < 0
        ).sum()
    )
    negative = reduction.negative
    return Certificate(gamma, scale * reduction.min_eig, reduction.block, negative, negative - repaired)
