r"""The Hessian of the loss: a low-rank matrix plus one small block a neuron.

    Hess L = G + S,   G = J^T J / n,   S = (1/n) sum_j r_j Hess f(x_j)

Equations (36), (40), (41) of the Newton paper. Neurons meet only in the sum over i, so Hess f(x_j) has no entry
between two of them: it is block-diagonal with the blocks m^{-beta} H_j^i, (37) to (39), where with z = w_i . x_j

    H_j^i = [[ 0,              sigma'(z) x_j^T           ],
             [ sigma'(z) x_j,  c_i sigma''(z) x_j x_j^T  ]].

G couples all neurons but has rank at most n. That is the structure :mod:`nntk_lib.structured` solves with.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, finite_array, same_length
from .shallow import Shallow, preactivations, prepare, residual
from .streaming import sliced
from .structured import BlockDiagPlusLowRank


def _blocks(net: Shallow, theta: Array, X: Array, weights: Array, width: int, rows) -> Array:
    """Blocks of sum_j weights_j Hess f(x_j) for the neurons in `theta`; `width` sets the output scaling."""
    k, p = theta.shape
    _, ds, d2s = rows
    S = np.zeros((k, p, p))
    S[:, 0, 1:] = S[:, 1:, 0] = (ds * weights) @ X
    outer = (X[:, :, None] * X[:, None, :]).reshape(len(X), -1)
    S[:, 1:, 1:] = theta[:, 0, None, None] * ((d2s * weights) @ outer).reshape(k, p - 1, p - 1)
    return S * width**-net.beta


def curvature_stream(
    net: Shallow, theta: ArrayLike, X: ArrayLike, r: ArrayLike, memory: int | None = None
) -> Iterator[tuple[slice, Array]]:
    """The blocks of :func:`curvature_blocks` in slices of the neuron axis: pairs ``(part, S[part])``."""
    theta, X = prepare(net, theta, X)
    r = same_length("r", finite_array("r", r, 1), len(X), "X")
    for part in sliced(len(theta), len(X), 6 * len(X), memory):
        rows = net.act.rows(preactivations(theta[part], X))
        yield part, _blocks(net, theta[part], X, r / len(r), len(theta), rows)


def curvature_blocks(net: Shallow, theta: ArrayLike, X: ArrayLike, r: ArrayLike, memory: int | None = None) -> Array:
    """Blocks of the residual curvature S = (1/n) sum_j r_j Hess f(x_j), Riedl et al. (41).

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    r : ndarray, shape (n,)
        Residual f - y. A unit vector times n gives the Hessian of one output.

    Returns
    -------
    ndarray, shape (m, p, p)
        Symmetric blocks, including the factors 1/n and m^{-beta}.

    Raises
    ------
    ShapeError, NonFiniteError
    """
    return np.concatenate([blocks for _, blocks in curvature_stream(net, theta, X, r, memory)])


def hessian(
    net: Shallow, theta: ArrayLike, X: ArrayLike, y: ArrayLike, shift: float = 0.0, memory: int | None = None
) -> BlockDiagPlusLowRank:
    """Hessian of the loss plus `shift` times the identity, Riedl et al. (36), as a structured matrix.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    shift : float
        The damping in parameter space, gamma m^{1 - 2 beta} for the regularized Newton method.
    memory : int, optional
        Bytes of temporaries; the result changes by rounding only.

    Returns
    -------
    BlockDiagPlusLowRank
        ``H @ v`` is the Hessian-vector product, ``H.solve(b)`` a solve, ``H.to_dense()`` the matrix (small cases).

    Examples
    --------
    >>> import numpy as np
    >>> from nntk_lib import Shallow, init
    >>> net, X = Shallow("tanh"), np.linspace(-1, 1, 5)[:, None]
    >>> hessian(net, init(net, m=100, d=1, rng=0), X, X[:, 0] ** 2)
    BlockDiagPlusLowRank(100 blocks 3 x 3 + rank 5, order 300)
    """
    return structured_hessian(net, theta, X, residual(net, theta, X, y), shift, memory)


def structured_hessian(
    net: Shallow, theta: ArrayLike, X: ArrayLike, r: Array, shift: float = 0.0, memory: int | None = None
) -> BlockDiagPlusLowRank:
    """The same as :func:`hessian` for a residual that is already known, shape (n,)."""
    theta, X = prepare(net, theta, X)
    m, p = theta.shape
    scale = m**-net.beta / np.sqrt(len(X))

    def stream() -> Iterator[tuple[slice, Array, Array]]:
        for part in sliced(m, p * len(X), (6 + 2 * p) * len(X), memory):
            neurons = theta[part]
            rows = net.act.rows(preactivations(neurons, X))
            U = np.empty((len(neurons), p, len(X)))
            U[:, 0] = rows[0]
            U[:, 1:] = (neurons[:, :1] * rows[1])[:, None, :] * X.T
            yield part, _blocks(net, neurons, X, r / len(r), m, rows), scale * U

    return BlockDiagPlusLowRank(m, p, len(X), stream, shift)
