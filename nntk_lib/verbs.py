r"""The formulas in one call each, as a chapter writes them.

Every function is a line over ``net.at(theta, X)``, the tangent of the network at a point, and where a loss enters it is
the mean square of the Newton paper, equation (2), with the residual r = f - y:

    L      = 1/(2n) sum_j r_j^2,
    grad L = J^T r / n,
    Hess L = J^T J / n + (1/n) sum_j r_j Hess f(x_j).

They serve every network with a tangent; those with second derivatives, a
:class:`~nntk_lib.networks.shallow.spec.Shallow` one. Code that needs two of them at one point takes the tangent, which
evaluates the network once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .exceptions import Array, finite_array, same_length
from .linalg.structured import BlockDiagPlusLowRank
from .losses import Square
from .networks.base import Network, tangent
from .networks.shallow.spec import Shallow


def forward(net: Network, theta: ArrayLike, X: ArrayLike) -> Array:
    """Outputs f on the samples, shape (n,), or (n, C) for C outputs; Riedl et al. (1) for a shallow network."""
    return tangent(net, theta, X).f


def residual(net: Network, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Residual r = f(X) - y, of the shape of the outputs; raises `ShapeError` if y has another one."""
    f = tangent(net, theta, X).f
    return f - same_length("y", finite_array("y", y, f.ndim), len(f), "X")


def loss(r: ArrayLike) -> float:
    """The mean square L = 1/(2n) sum_j r_j^2 of a residual, Riedl et al. (2)."""
    r = finite_array("r", r, None)
    return Square().value(r, np.zeros_like(r))


def gradient(net: Network, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of the mean square, J^T r / n, Riedl et al. (32), of the shape of theta."""
    at = tangent(net, theta, X)
    return at.vjp(Square().gradient(at.f, y))


def gram(net: Network, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> Array:
    """Gram matrix J J^T of the Jacobian rows, symmetric positive semidefinite, without J.

    Examples
    --------
    >>> from nntk_lib import Shallow, jacobian
    >>> net, X = Shallow("tanh"), np.array([[0.0], [1.0]])
    >>> theta = net.init(m=50, d=1, rng=0)
    >>> J = jacobian(net, theta, X).reshape(2, -1)
    >>> np.allclose(gram(net, theta, X), J @ J.T, rtol=1e-13)
    True
    """
    return tangent(net, theta, X, memory).gram()


def empirical_ntk(net: Network, theta: ArrayLike, X: ArrayLike, Xq: ArrayLike | None = None) -> Array:
    """Finite-width tangent kernel s J J^T / n, s = ``kernel_scale``, whose limit is Riedl et al. (15).

    Parameters
    ----------
    net : Network
    theta : ndarray
    X : ndarray, axis 0 the n training samples
        The factor 1/n of the loss sits inside the kernel.
    Xq : ndarray, optional
        Points off the training set: their rows are returned instead.

    Returns
    -------
    ndarray, shape (n, n) or (q, n)
    """
    at = tangent(net, theta, X)
    K = at.gram() if Xq is None else net.at(theta, Xq).cross(at)
    return K * (at.kernel_scale / len(at.X))


def j_dot(net: Network, theta: ArrayLike, X: ArrayLike, v: ArrayLike) -> Array:
    """J v: the first-order change of the outputs along v, which has the shape of theta."""
    return tangent(net, theta, X).jvp(v)


def jt_dot(net: Network, theta: ArrayLike, X: ArrayLike, a: ArrayLike) -> Array:
    """J^T a: the parameter-space vector of sample weights a."""
    return tangent(net, theta, X).vjp(a)


def curvature_blocks(net: Shallow, theta: ArrayLike, X: ArrayLike, r: ArrayLike) -> Array:
    """Blocks of the residual curvature S = (1/n) sum_j r_j Hess f(x_j), Riedl et al. (41), shape (m, p, p).

    Parameters
    ----------
    r : ndarray, shape (n,)
        Residual f - y. A unit vector times n gives the Hessian of one output.
    """
    at = tangent(net, theta, X)
    return at.curvature_blocks(finite_array("r", r, 1) / len(at.X))


def hessian(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, shift: float = 0.0) -> BlockDiagPlusLowRank:
    """Hessian of the mean square plus `shift` times the identity, Riedl et al. (36), as a structured matrix.

    Returns
    -------
    BlockDiagPlusLowRank
        ``H @ v`` is the Hessian-vector product, ``H.solve(b)`` a solve, ``H.to_dense()`` the matrix (small cases).

    Examples
    --------
    >>> from nntk_lib import Shallow
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 5)[:, None]
    >>> hessian(net, net.init(m=100, d=1, rng=0), X, X[:, 0] ** 2)
    BlockDiagPlusLowRank(100 blocks 3 x 3 + rank 5, order 300)
    """
    at, square = tangent(net, theta, X), Square()
    return at.structured(square.gradient(at.f, y), square.factor(at.f, y)[0], shift)
