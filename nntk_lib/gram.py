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

from .checks import Array, finite_array, same_length
from .shallow import Shallow, chunks, prepare, residual


def cross_gram(net: Shallow, theta: ArrayLike, Xq: ArrayLike, X: ArrayLike, chunk: int | None = None) -> Array:
    """Gram matrix between the Jacobian rows of two sets of samples, J(Xq) J(X)^T.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    Xq : ndarray, shape (q, d)
    X : ndarray, shape (n, d)
    chunk : int, optional
        Neurons handled at a time; the result changes by rounding only.

    Returns
    -------
    ndarray, shape (q, n)

    Raises
    ------
    ShapeError, NonFiniteError
    """
    theta, X = prepare(net, theta, X)
    Xq = prepare(net, theta, Xq)[1]
    outer = np.zeros((len(Xq), len(X)))  # from the output weights c
    inner = np.zeros((len(Xq), len(X)))  # from the input weights w
    for part in chunks(len(theta), len(X) + len(Xq), chunk):
        c2, w = theta[part, 0] ** 2, theta[part, 1:]
        s, ds, _ = net.act.rows(X @ w.T)
        sq, dsq, _ = net.act.rows(Xq @ w.T)
        outer += sq @ s.T
        inner += (dsq * c2) @ ds.T
    return len(theta) ** (-2 * net.beta) * (outer + inner * (Xq @ X.T))


def gram(net: Shallow, theta: ArrayLike, X: ArrayLike, chunk: int | None = None) -> Array:
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
    outer = np.zeros((len(X), len(X)))
    inner = np.zeros((len(X), len(X)))
    for part in chunks(len(theta), len(X), chunk):
        s, ds, _ = net.act.rows(X @ theta[part, 1:].T)
        b = ds * theta[part, 0]
        outer += s @ s.T
        inner += b @ b.T
    return len(theta) ** (-2 * net.beta) * (outer + inner * (X @ X.T))


def jt_dot(net: Shallow, theta: ArrayLike, X: ArrayLike, a: ArrayLike, chunk: int | None = None) -> Array:
    """J^T a without J: the parameter-space vector of sample weights `a`.

    Returns
    -------
    ndarray, shape (m, p)
    """
    theta, X = prepare(net, theta, X)
    a = same_length("a", finite_array("a", a, 1), len(X), "X")
    out = np.empty_like(theta, dtype=np.result_type(theta, X, a))
    for part in chunks(len(theta), len(X), chunk):
        s, ds, _ = net.act.rows(theta[part, 1:] @ X.T)
        out[part, 0] = s @ a
        out[part, 1:] = theta[part, :1] * ((ds * a) @ X)
    return out * len(theta) ** -net.beta


def j_dot(net: Shallow, theta: ArrayLike, X: ArrayLike, v: ArrayLike, chunk: int | None = None) -> Array:
    """J v without J: first-order change of the outputs along `v` of shape (m, p).

    Returns
    -------
    ndarray, shape (n,)
    """
    theta, X = prepare(net, theta, X)
    v = same_length("v", finite_array("v", v, 2), len(theta), "theta")
    out = np.zeros(len(X))
    for part in chunks(len(theta), len(X), chunk):
        s, ds, _ = net.act.rows(X @ theta[part, 1:].T)
        out += s @ v[part, 0] + (ds * (X @ v[part, 1:].T)) @ theta[part, 0]
    return out * len(theta) ** -net.beta


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
