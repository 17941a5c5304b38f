r"""The wall from below: how deep the deepest block lies.

With the residual fixed, the scaled blocks are gamma I + m^{beta - 1} M(c, w) with

    M(c, w) = (1/n) sum_j r_j [[ 0,          sigma' x_j^T        ],
                               [ sigma' x_j, c sigma'' x_j x_j^T ]]  at w . x_j,

so that m^{1 - beta} gamma* tends to kappa(r) = max over the neurons that a start can draw of -lambda_min(M(c, w)). The
block is linear in c, so its depth is convex there and the ends of the law of c suffice; over w there are local maxima,
and the search starts from the best of a pool.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import minimize

from ..exceptions import Array, finite_array, integer, no_overflow, positive, same_length
from ..networks.activations import Activation
from ..networks.shallow.spec import C_MAX, Shallow, shallow


def wall_constant(
    net: Shallow, X: ArrayLike, r: ArrayLike, starts: int = 8, pool: int = 400, scale: float = 2.0
) -> float:
    """kappa(r), the limit of m^{1 - beta} gamma*, or a number below it if the search misses the deepest neuron.

    Parameters
    ----------
    net : Shallow
        With an activation of three derivatives; its output weights reach from -sqrt 3 to sqrt 3.
    X : ndarray, shape (n, d)
    r : ndarray, shape (n,)
        Residual.
    starts : int
        Neurons of the pool, the deepest ones, from which BFGS starts.
    pool : int
        Input weights in the pool, standard normal times `scale`, each with both ends of c; drawn from seed 0.
    scale : float

    Returns
    -------
    float

    Raises
    ------
    ParameterError, ShapeError

    Examples
    --------
    >>> import numpy as np
    >>> net, x = Shallow("tanh"), np.linspace(-1, 1, 9)[:, None]
    >>> r = np.sin(3 * x[:, 0])
    >>> kappa = wall_constant(net, x, r)
    >>> bool(kappa >= wall_constant(net, x, r, starts=1, pool=4))
    True
    """
    Z = shallow(net).inputs(X)
    r = same_length("r", finite_array("r", r, 1), len(Z), "X")
    integer("starts", starts), integer("pool", pool), positive("scale", scale)
    drawn = scale * np.random.default_rng(0).standard_normal((pool, Z.shape[1]))
    tries = sorted(
        ((w, c) for w in drawn for c in (C_MAX, -C_MAX)), key=lambda neuron: _block(*neuron, net.act, Z, r)[0]
    )
    found = [minimize(_block, w, (c, net.act, Z, r), method="BFGS", jac=True).fun for w, c in tries[:starts]]
    return -float(min(found))


def _block(w: Array, c: float, act: Activation, Z: Array, r: Array) -> tuple[float, Array]:
    """Smallest eigenvalue of M(c, w), and its gradient in w."""
    z, a = Z @ w, r / len(r)
    d1, d2, d3 = act.df(z), act.d2f(z), act.d3f(z)
    M = np.zeros((len(w) + 1, len(w) + 1))
    M[0, 1:] = M[1:, 0] = (a * d1) @ Z
    M[1:, 1:] = c * (Z.T * (a * d2)) @ Z
    values, vectors = np.linalg.eigh(no_overflow("The blocks of the Hessian", M))
    u, s = vectors[0, 0], Z @ vectors[1:, 0]
    return values[0], (a * (2 * u * d2 * s + c * d3 * s**2)) @ Z
