r"""Tangent-kernel Gram matrices by Hadamard products: J J^T without J.

With S = sigma(X W^T), B = sigma'(X W^T) diag(c), both of shape (n, m), the Jacobian of the outputs factors over
neurons and, within a neuron, over (sample) x (input):

    J J^T = m^{-2 beta} ( S S^T + (B B^T) o (X X^T) ),          o = entrywise product,
    J^T a = m^{-beta} ( S^T a,  (B o a 1^T)^T X ),

in O(n^2 m) time. Slices of the neuron axis are summed, so memory does not grow with the width. The matrix is the
Gram matrix of Cai et al. (21) with both layers trained; m^{2 beta - 1} J J^T / n tends to the kernel (15) of the
Newton paper.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .blas import rank_update, symmetric
from .checks import Array, finite_array, same_length
from .shallow import Shallow, preactivations, prepare, residual
from .streaming import stream


def cross_gram(net: Shallow, theta: ArrayLike, Xq: ArrayLike, X: ArrayLike, memory: int | None = None) -> Array:
    """Gram matrix between the Jacobian rows of two sets of samples, J(Xq) J(X)^T.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    Xq : ndarray, shape (q, d)
    X : ndarray, shape (n, d)
    memory : int, optional
        Bytes of temporaries; the result changes by rounding only.

    Returns
    -------
    ndarray, shape (q, n)

    Raises
    ------
    ShapeError, NonFiniteError
    """
    theta, X = prepare(net, theta, X)
    Xq = prepare(net, theta, Xq)[1]
    q, n = len(Xq), len(X)

    def work(part: slice, sums: Array) -> None:
        rows = theta[part]
        s, ds = net.act.rows(preactivations(rows, X), 1)
        sq, dsq = net.act.rows(preactivations(rows, Xq), 1)
        dsq *= rows[:, :1] ** 2
        sums[0] += sq.T @ s  # from the output weights c
        sums[1] += dsq.T @ ds  # from the input weights w

    outer, inner = sum(stream(len(theta), q + n, 4 * (q + n), work, lambda: np.zeros((2, q, n)), memory))
    return len(theta) ** (-2 * net.beta) * (outer + inner * (Xq @ X.T))


def gram(net: Shallow, theta: ArrayLike, X: ArrayLike, memory: int | None = None) -> Array:
    """Gram matrix J J^T of the Jacobian rows, symmetric positive semidefinite.

    Returns
    -------
    ndarray, shape (n, n)

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init, jacobian
    >>> net, X = Shallow("tanh"), np.array([[0.0], [1.0]])
    >>> theta = init(net, m=50, d=1, rng=0)
    >>> J = jacobian(net, theta, X).reshape(2, -1)
    >>> np.allclose(gram(net, theta, X), J @ J.T, rtol=1e-13)
    True
    """
    theta, X = prepare(net, theta, X)
    n = len(X)

    def work(part: slice, sums: Array) -> None:
        rows = theta[part]
        s, ds = net.act.rows(preactivations(rows, X), 1)
        b = ds * rows[:, :1]
        rank_update(sums[0], s)
        rank_update(sums[1], b)

    outer, inner = sum(stream(len(theta), n, 4 * n, work, lambda: np.zeros((2, n, n)), memory))
    return len(theta) ** (-2 * net.beta) * symmetric(outer + inner * (X @ X.T))


def jt_dot(net: Shallow, theta: ArrayLike, X: ArrayLike, a: ArrayLike, memory: int | None = None) -> Array:
    """J^T a without J: the parameter-space vector of sample weights `a`.

    Returns
    -------
    ndarray, shape (m, p)
    """
    theta, X = prepare(net, theta, X)
    a = same_length("a", finite_array("a", a, 1), len(X), "X")
    a = a * len(theta) ** -net.beta
    out, aX = np.empty_like(theta, dtype=np.result_type(theta, X, a)), a[:, None] * X

    def work(part: slice, _) -> None:
        s, ds = net.act.rows(preactivations(theta[part], X), 1)
        out[part, 0] = s @ a
        np.multiply(theta[part, :1], ds @ aX, out=out[part, 1:])

    stream(len(theta), len(X), 4 * len(X), work, memory=memory)
    return out


def j_dot(net: Shallow, theta: ArrayLike, X: ArrayLike, v: ArrayLike, memory: int | None = None) -> Array:
    """J v without J: first-order change of the outputs along `v` of shape (m, p).

    Returns
    -------
    ndarray, shape (n,)
    """
    theta, X = prepare(net, theta, X)
    v = same_length("v", finite_array("v", v, 2), len(theta), "theta")

    def work(part: slice, out: Array) -> None:
        s, ds = net.act.rows(preactivations(theta[part], X), 1)
        ds *= preactivations(v[part], X)
        out += v[part, 0] @ s + theta[part, 0] @ ds

    sums = stream(len(theta), len(X), 5 * len(X), work, lambda: np.zeros(len(X)), memory)
    return sum(sums) * len(theta) ** -net.beta


def gradient(net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of the loss, J^T r / n, Riedl et al. (32).

    Returns
    -------
    ndarray, shape (m, p)
    """
    r = residual(net, theta, X, y)
    return jt_dot(net, theta, X, r) / len(r)


def empirical_ntk(net: Shallow, theta: ArrayLike, X: ArrayLike, Xq: ArrayLike | None = None) -> Array:
    """Finite-width tangent kernel m^{2 beta - 1} J J^T / n, whose limit is Riedl et al. (15).

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
        Training samples; the factor 1/n of the loss sits inside the kernel.
    Xq : ndarray, shape (q, d), optional
        Points off the training set: their rows are returned instead.

    Returns
    -------
    ndarray, shape (n, n) or (q, n)
    """
    K = gram(net, theta, X) if Xq is None else cross_gram(net, theta, Xq, X)
    return K * (len(np.asarray(theta)) ** (2 * net.beta - 1) / K.shape[1])
