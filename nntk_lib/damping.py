r"""Damping: one number, three scalings.

The regularization gamma does not depend on the width; the damping gamma m^{1 - 2 beta} multiplies the identity in
parameter space; n times that is added to the Gram matrix J J^T in sample space, because the loss carries 1/n.
"""

from __future__ import annotations

import math


def parameter_damping(gamma: float, m: int, beta: float) -> float:
    """Damping gamma m^{1 - 2 beta} that multiplies the identity in parameter space, Riedl et al. (4)."""
    return gamma * m ** (1 - 2 * beta)


def sample_damping(damping: float, n: int) -> float:
    """The same damping in sample space: (J^T J/n + s I)^{-1} J^T = n J^T (J J^T + n s I)^{-1} / n.

    The loss carries 1/n, so a damping `s` of the parameters is `n s` for the Gram matrix J J^T. This is the only
    function of the library that converts one into the other.

    Examples
    --------
    >>> sample_damping(0.1, n=50)
    5.0
    """
    return n * damping


def width_for(m: int, excess: float, beta: float) -> float:
    """Width at which a level of order m^{beta - 1} has fallen to gamma, if it is `excess` times gamma at width m.

    Returns
    -------
    float
        Infinite at beta = 1, where the level does not fall, and wherever the number overflows.

    Examples
    --------
    >>> round(width_for(100, excess=10.0, beta=0.5)), width_for(100, excess=10.0, beta=1.0)
    (10000, inf)
    """
    powers = math.log(excess) / (1 - beta) if beta < 1 else math.inf
    return m * math.exp(powers) if powers < 600 else math.inf
