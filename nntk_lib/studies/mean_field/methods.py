r"""A step of Gauss-Newton and of gradient descent, in one pass over the neurons.

The library's own step makes three passes, each of which computes the activations anew, so that no array of the width
times the samples is kept. For Gauss-Newton two of them are kept here, 20 MB each at the sizes of the paper, and a step
takes less time. Gradient descent is faster without: slices that stay in the cache. A test compares the steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ... import Shallow
from ...exceptions import Array
from ...linalg.rank_update import rank_update, symmetric
from ...linalg.streaming import ENTRIES, pieces
from ...methods.gauss_newton import solve_definite


@dataclass(frozen=True, eq=False)
class Pass:
    """The network at theta.

    Attributes
    ----------
    net : Shallow
    theta : ndarray, shape (m, 2 + d)
    inputs : ndarray, shape (n, d + 1)
    f : ndarray, shape (n,)
        Outputs.
    gram : ndarray, shape (n, n), or None
        J J^T.
    kept : pair of ndarrays, shape (m, n), or None
        m J in the output weights, and before the multiplication by the inputs in the input weights.
    """

    net: Shallow
    theta: Array
    inputs: Array
    f: Array
    gram: Array | None = None
    kept: tuple[Array, Array] | None = None

    def vjp(self, a: Array) -> Array:
        """J^T a for a of shape (n,); shape (m, 2 + d)."""
        a, result = a / len(self.theta), np.empty_like(self.theta)
        right = a[:, None] * self.inputs
        if self.kept:
            result[:, 0], result[:, 1:] = self.kept[0] @ a, self.kept[1] @ right
            return result
        for part, s, ds in rows(self.net, self.theta, self.inputs):
            result[part, 0], result[part, 1:] = s @ a, ds @ right
        return result


def rows(net: Shallow, theta: Array, inputs: Array) -> Iterator[tuple[slice, Array, Array]]:
    """Slices of the neurons with their rows of m J, as they are kept; two arrays of a slice fit into a cache."""
    for part in pieces(len(theta), max(1, ENTRIES // (2 * len(inputs)))):
        s, ds = net.act.rows(theta[part, 1:] @ inputs.T, 1)
        ds *= theta[part, :1]
        yield part, s, ds


def one_pass(net: Shallow, theta: Array, X: Array, gram: bool, out: tuple[Array, Array] | None = None) -> Pass:
    """Outputs, and if asked for their derivatives with the Gram matrix.

    Parameters
    ----------
    net : Shallow
        With beta = 1.
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    gram : bool
    out : pair of ndarrays, shape (m, n), optional
        Where the derivatives go; fresh memory takes as long as the activations.

    Returns
    -------
    Pass
    """
    inputs, m, n = net.inputs(X), len(theta), len(X)
    f = np.zeros(n)
    if not gram:
        for part in pieces(m, max(1, ENTRIES // (4 * n))):  # several arrays of a slice fit into a cache
            f += theta[part, 0] @ net.act.f(theta[part, 1:] @ inputs.T)
        return Pass(net, theta, inputs, f / m)
    S, D = out or (np.empty((m, n)), np.empty((m, n)))
    for part, s, ds in rows(net, theta, inputs):
        f += theta[part, 0] @ s
        S[part], D[part] = s, ds
    K, inner = np.zeros((2, n, n))
    rank_update(K, S)
    rank_update(inner, D)
    inner *= inputs @ inputs.T
    return Pass(net, theta, inputs, f / m, symmetric(K + inner) / m**2, (S, D))


def gauss_newton(at: Pass, y: Array, alpha: float, floor: float) -> tuple[Array, float]:
    """The step -alpha J^T (J J^T + a I)^{-1} (f - y) / n with a = max(lambda, floor), lambda the smallest eigenvalue.

    Parameters
    ----------
    at : Pass
        With its Gram matrix.
    y : ndarray, shape (n,)
    alpha, floor : float

    Returns
    -------
    ndarray, shape (m, 2 + d)
        The step.
    float
        lambda.

    Raises
    ------
    SingularSystemError
        If the system is singular to working precision.
    """
    smallest = float(np.linalg.eigvalsh(at.gram)[0])
    z = solve_definite(at.gram, (at.f - y) / len(y), max(smallest, floor), 1.0)
    return -alpha * at.vjp(z), smallest


def gradient_descent(at: Pass, y: Array, alpha: float) -> Array:
    """The step -alpha J^T (f - y) / n, shape (m, 2 + d)."""
    return -alpha * at.vjp((at.f - y) / len(y))
