r"""The constants of the finite-width theory, computed instead of called C.

The constants C_J and C_H of :mod:`nntk_lib.networks.shallow.curvature` bound the Jacobian and the curvature, and the
*curvature level* eps = m^{beta - 1} C_H |r| / sqrt n says how far the eigenvalues of the scaled blocks (50) may lie
from gamma. Along a path the three numbers bound one another, which is Lemma 9 with all its constants: as long as eps_k
< gamma,

    u_k     = m^{beta - 1} C_J(c_k)^{1/2} R_k / (sqrt n (gamma - eps_k))
              bounds every |Delta_k^i|,
    c_{k+1} = c_k + alpha u_k
              bounds every |c_{k+1}^i|,
    R_{k+1} = R_k + alpha^2 m^{beta - 1} C_H(c_k) R_k^2
                    / (8 sqrt n (gamma - eps_k))
              bounds |r_{k+1}|.

The constants are those at the start of a step: with a = Delta c and t = x . Delta w the remainder of a neuron is
c (sigma(z + t) - sigma(z) - sigma'(z) t) + a (sigma(z + t) - sigma(z)), which needs no bound of c after the step. The
residual hardly grows, because the Newton kernel contracts (its eigenvalues lie in [0, 1)) and only the remainder
of (13) remains; the paper's own recursion lets the bound grow geometrically in k.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, integer, positive
from ..networks.shallow.curvature import curvature_constant, jacobian_constant
from ..networks.shallow.spec import Shallow, shallow


@dataclass(frozen=True, eq=False)
class APriori:
    """Bounds along a Newton path of K steps, known before the first one.

    Attributes
    ----------
    update : ndarray, shape (K,)
        Bounds of every single neuron's step, max_i |Delta_k^i|.
    movement : ndarray, shape (K + 1,)
        Bounds of the distance of every neuron from its start.
    c_max : ndarray, shape (K + 1,)
        Bounds of all output weights.
    residual : ndarray, shape (K + 1,)
        Bounds of |r_k|.
    level : ndarray, shape (K,)
        Curvature levels eps_k, all below gamma.
    """

    update: Array
    movement: Array
    c_max: Array
    residual: Array
    level: Array


def a_priori(
    net: Shallow, X: ArrayLike, m: int, gamma: float, steps: int, residual: float, c_max: float, alpha: float = 1.0
) -> APriori:
    """A priori bounds of Lemma 9 of the Newton paper, with explicit constants.

    Parameters
    ----------
    net : Shallow
    X : ndarray, shape (n, d)
    m : int
        Width.
    gamma : float
        Regularization.
    steps : int
        Number of steps K.
    residual, c_max : float
        Bounds of |r_0| and of all |c_i| at the start.
    alpha : float
        Step size, at most 2.

    Returns
    -------
    APriori
        Satisfied by every Newton path from such a start, and by every Gauss-Newton path.

    Raises
    ------
    ParameterError
        If the curvature level reaches gamma before the last step: condition (20) fails, and nothing is claimed.

    Examples
    --------
    >>> import numpy as np
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 8)[:, None]
    >>> bounds = a_priori(net, X, 10**8, 0.3, 3, residual=2.0, c_max=3**0.5)
    >>> bounds.update.shape, bool(bounds.residual[-1] < 2.1)
    ((3,), True)
    """
    gamma, alpha, m, steps = (
        positive("gamma", gamma),
        positive("alpha", alpha),
        integer("m", m),
        integer("steps", steps, 0),
    )
    residual, c_max = positive("residual", residual, allow_zero=True), positive("c_max", c_max, allow_zero=True)
    shallow(net)
    if alpha > 2:
        raise ParameterError(f"alpha = {alpha:g} exceeds 2: the bounds need the eigenvalues of alpha K below 2.")
    bounds = _recursion(net, X, m, gamma, steps, residual, c_max, alpha)
    if isinstance(bounds, APriori):
        return bounds

    def holds(gamma, m):
        return isinstance(_recursion(net, X, m, gamma, steps, residual, c_max, alpha), APriori)

    powers = 2.0 ** np.arange(1, 200)
    more = next((f"gamma = {gamma * q:.2g}" for q in powers if holds(gamma * q, m)), "no gamma")
    wide = next((f", or m = {m * q:.1e}" for q in powers if net.beta < 1 and holds(gamma, m * q)), "")
    k, eps = bounds
    raise ParameterError(
        f"At step {k} the curvature level {eps:.3e} reaches gamma = {gamma:g}: condition (20) fails at width {m}, and "
        f"no bound holds for {steps} steps. Enough would be {more}{wide} (found by doubling)."
    )


def _recursion(net, X, m, gamma, steps, residual, c_max, alpha) -> APriori | tuple[int, float]:
    """The recursion of the module's text, or the step at which eps reaches gamma, and this eps."""
    n, scale = len(net.inputs(X)), float(m) ** (net.beta - 1)
    c, R, update, level = [float(c_max)], [float(residual)], [], []
    for k in range(steps):
        eps = scale * curvature_constant(net, X, c[-1]) * R[-1] / np.sqrt(n)
        if not eps < gamma:
            return k, eps
        level.append(eps)
        update.append(scale * np.sqrt(jacobian_constant(net, X, c[-1]) / n) * R[-1] / (gamma - eps))
        c.append(c[-1] + alpha * update[-1])
        R.append(R[-1] + alpha**2 * eps * R[-1] / (8 * (gamma - eps)))
    movement = alpha * np.concatenate([[0.0], np.cumsum(update)])
    return APriori(np.array(update), movement, np.array(c), np.array(R), np.array(level))
