r"""How fast the Jacobian of a shallow network can change, at a point and in a ball around it.

Neurons meet only in the sum over i. With H_j^i the Hessian of c_i sigma(w_i . x_j) in (c_i, w_i), the rows of the
derivative of J along v are m^{-beta} H_j^i v_i, and therefore

    |DJ[v]|_F^2 =  m^{-2 beta} sum_i sum_j |H_j^i v_i|^2
                <= m^{-2 beta} max_i |sum_j (H_j^i)^2| |v|^2,

with equality for a v in one neuron: the norm of v -> DJ[v] in the Frobenius norm is known exactly at a point. In the
ball of radius R, where |c_i| <= c = max_i |c_i| + R, it is at most m^{-beta} times the norm of the 2 x 2 matrix

    [ 0       s1 a   ]    a^2 = lambda_max(sum_j x_j x_j^T),
    [ s1 |X|  c s2 b ]    b^2 = lambda_max(sum_j |x_j|^2 x_j x_j^T),

with |X|^2 = sum_j |x_j|^2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import ParameterError, no_overflow, positive
from ..networks.shallow.spec import Shallow, shallow


def jacobian_change(net: Shallow, theta: ArrayLike, X: ArrayLike, radius: float | None = None) -> float:
    """The constant C_R of Arbel's Proposition 3: a bound of |DJ[v]|_F / |v| in the ball of radius R around theta.

    Parameters
    ----------
    net : Shallow
        Both layers train.
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    radius : float, optional
        R, at least 0. Without it the largest ratio at theta itself, which is attained.

    Returns
    -------
    float
        Infinite with a radius if the first or second derivative of the activation is not bounded.

    Raises
    ------
    ShapeError, NonFiniteError
    ParameterError
        If a layer is frozen, or the radius is negative.

    Examples
    --------
    >>> net, X = Shallow("tanh", beta=1.0), [[0.0], [0.5]]
    >>> theta = net.init(m=10, d=1, rng=0)
    >>> exact = jacobian_change(net, theta, X)
    >>> exact <= jacobian_change(net, theta, X, radius=0.0)
    True
    """
    if shallow(net).trains != "both":
        raise ParameterError(f"trains = {net.trains!r}: the constant is for networks of which both layers train.")
    at = net.at(theta, X)
    c, x = at.theta[:, 0], at.inputs
    if radius is None:
        _, ds, d2s = net.act.rows(at.theta[:, 1:] @ x.T, 2)
        squares = np.zeros((len(c), x.shape[1] + 1, x.shape[1] + 1))
        for j, xj in enumerate(x):  # the square of [0 u x'; u x  v x x'] with u = sigma', v = c sigma''
            u, v, norm = ds[:, j], c * d2s[:, j], xj @ xj
            squares[:, 0, 0] += u**2 * norm
            squares[:, 0, 1:] += (u * v * norm)[:, None] * xj
            squares[:, 1:, 1:] += (u**2 + v**2 * norm)[:, None, None] * np.outer(xj, xj)
        squares[:, 1:, 0] = squares[:, 0, 1:]
        return float(at.scale * np.sqrt(np.linalg.eigvalsh(no_overflow("The derivatives", squares))[:, -1].max()))
    _, s1, s2 = net.act.sup
    largest = np.abs(c).max() + positive("radius", radius, allow_zero=True)
    lengths = (x**2).sum(axis=1)
    squares = [no_overflow("The squares of the samples", (x.T * w) @ x) for w in (np.ones(len(x)), lengths)]
    a, b = (np.sqrt(np.linalg.eigvalsh(one)[-1]) for one in squares)
    if not np.isfinite(s1 + s2):
        return float("inf")
    block = np.array([[0.0, s1 * a], [s1 * np.sqrt(lengths.sum()), largest * s2 * b]])
    return float(at.scale * np.linalg.norm(block, 2))
