r"""A step of Gauss-Newton and of gradient descent, in one pass over the neurons.

The library's own step makes three passes, each of which computes the activations anew, so that no array of the width
times the samples is kept. Here two of them are, 20 MB each at the sizes of the paper, and a step takes less time.
A test compares the two steps.
"""

from __future__ import annotations

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
    f : ndarray, shape (n,)
        Outputs.
    gram : ndarray, shape (n, n), or None
        J J^T.
    s, ds : ndarray, shape (m, n)
        m J in the output weights, and before the multiplication by the inputs in the input weights.
    inputs : ndarray, shape (n, d + 1)
    """

    f: Array
    gram: Array | None
    s: Array
    ds: Array
    inputs: Array

    def vjp(self, a: Array) -> Array:
        """J^T a for a of shape (n,); shape (m, 2 + d)."""
        a = a / len(self.s)
        return np.column_stack([self.s @ a, self.ds @ (a[:, None] * self.inputs)])


def one_pass(net: Shallow, theta: Array, X: Array, gram: bool, out: tuple[Array, Array] | None = None) -> Pass:
    """Outputs and derivatives, and their Gram matrix if asked for.

    Parameters
    ----------
    net : Shallow
        With beta = 1.
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
    gram : bool
    out : pair of ndarrays, shape (m, n), optional
        Where the two large arrays go; fresh memory takes as long as the activations.

    Returns
    -------
    Pass
    """
    inputs, m, n = net.inputs(X), len(theta), len(X)
    S, D = out or (np.empty((m, n)), np.empty((m, n)))
    f, K = np.zeros(n), None
    for part in pieces(m, max(1, ENTRIES // n)):
        s, ds = net.act.rows(theta[part, 1:] @ inputs.T, 1)
        ds *= theta[part, :1]
        f += theta[part, 0] @ s
        S[part], D[part] = s, ds
    if gram:
        K, inner = np.zeros((2, n, n))
        rank_update(K, S)
        rank_update(inner, D)
        inner *= inputs @ inputs.T
        K = symmetric(K + inner) / m**2
    return Pass(f / m, K, S, D, inputs)


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
