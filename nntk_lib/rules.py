r"""Rules that choose the regularization anew at every step.

The threshold gamma* of :mod:`nntk_lib.definiteness` is proportional to the residual, so it falls during training, and
gamma may follow it down:

    gamma_k = max(floor, tau gamma*(theta_k)),     tau > 1.

Every block of D then has its inverse bounded by tau / ((tau - 1) gamma_k), which is 2 / gamma_k for tau = 2, and every
step is a direction of descent. With floor = 0 and alpha = 1 the order of convergence approaches two.
"""

from __future__ import annotations

from numpy.typing import ArrayLike

from .checks import ParameterError, positive
from .definiteness import safe_gamma
from .newton import newton_step
from .shallow import Shallow
from .steps import Step


def safe_newton_step(
    net: Shallow,
    theta: ArrayLike,
    X: ArrayLike,
    y: ArrayLike,
    factor: float = 2.0,
    floor: float = 0.0,
    method: str = "eigenvalues",
) -> Step:
    """Exact Newton step with gamma = factor * safe_gamma, or `floor` if that is larger.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    factor : float
        tau above, greater than 1.
    floor : float
        Smallest gamma. Needed when there are fewer parameters than samples: formula (8) works in sample space and
        loses its digits there as gamma tends to zero.
    method : {"eigenvalues", "bound"}
        See :func:`nntk_lib.definiteness.safe_gamma`.

    Returns
    -------
    Step
        Satisfies (Hess L + gamma m^{1 - 2 beta} I) delta = -grad L with the gamma that it carries.

    Raises
    ------
    ParameterError
        If factor is not greater than 1, or there is no gamma because the residual and the floor are zero.

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init, train
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> history = train(net, init(net, 500, 1, rng=0), X, X[:, 0] ** 2, safe_newton_step, steps=12)
    >>> bool(history.loss[-1] < 1e-3 * history.loss[0]), all(step.is_descent for step in history.steps)
    (True, True)
    """
    floor = positive("floor", floor, allow_zero=True)
    if not positive("factor", factor) > 1:
        raise ParameterError(f"factor = {factor:g} must be greater than 1: at 1 a block of D is singular.")
    gamma = max(floor, factor * safe_gamma(net, theta, X, y, method))
    if gamma == 0:
        raise ParameterError("The residual and safe_gamma are zero: nothing is left to fit. Stop, or give a floor.")
    return newton_step(net, theta, X, y, gamma)
