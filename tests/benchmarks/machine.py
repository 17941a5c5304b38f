"""What the machine can do, in numpy: matrix products, a sum, tanh; and a reference for the limit kernel of tanh."""

from __future__ import annotations

import numpy as np
from problems import Problem, Run


def rate(flops: float):
    """An entry `flops` of the record."""
    return lambda value: {"flops": flops}


def product(problem: Problem, size: int = 2000) -> Run:
    """A product of two square matrices, 2 size^3 operations."""
    A, B = np.random.default_rng(0).standard_normal((2, size, size))
    out = np.empty((size, size))
    return Run(lambda: np.matmul(A, B, out=out), quantity=None, info=rate(2 * size**3))


def rank_update(problem: Problem, symmetric: bool, entries: int = 2**17, times: int = 200) -> Run:
    """Products V^T U of tall matrices with n columns, a chunk of the step each; the symmetric one is U^T U.

    The operations of the symmetric product are counted as those that it needs, half of the other's.
    """
    n = problem.n
    U = np.random.default_rng(0).standard_normal((entries // n, n))
    V, out = U if symmetric else U.copy(), np.empty((n, n))

    def call():
        for _ in range(times):
            np.matmul(V.T, U, out=out)
        return out

    return Run(call, quantity=None, info=rate((1 if symmetric else 2) * times * len(U) * n**2))


def add(problem: Problem, size: int = 2**24) -> Run:
    """A sum of two long vectors: 24 bytes an entry pass through memory."""
    a, b, out = np.ones((3, size))
    return Run(lambda: np.add(a, b, out=out), quantity=None, info=lambda value: {"bytes": 24 * size})


def tanh(problem: Problem, size: int = 2**24) -> Run:
    """numpy's tanh of a long vector, one thread."""
    z, out = np.random.default_rng(0).standard_normal((2, size))
    return Run(lambda: np.tanh(z, out=out), quantity=None, info=lambda value: {"entries": size})


def trapezoid(problem: Problem, nodes: int, samples: int) -> Run:
    """E[s(u) s(v)] + E[s'(u) s'(v)] x.x', s = tanh, of the first samples by the two-dimensional trapezoidal rule.

    With h = 17.2 / (nodes - 1) its error is about exp(-2 pi b / h), b = pi / (2 |x|): 1e-20 for 401 nodes and |x| = 5.
    """
    X = problem.X[: min(samples, problem.n)]
    t = np.linspace(-8.6, 8.6, nodes)
    weights = np.exp(-(t**2) / 2)
    weights /= weights.sum()

    def pair(x, y):
        inner, size = x @ y, np.sqrt(x @ x)
        across = np.sqrt(max(0.0, y @ y - (inner / size) ** 2))
        u, v = np.tanh(size * t), np.tanh(inner / size * t[:, None] + across * t)
        v_mean, dv_mean = v @ weights, (1 - v * v) @ weights
        return weights @ (u * v_mean) + inner * (weights @ ((1 - u * u) * dv_mean))

    def call():
        K = np.empty((len(X), len(X)))
        for i, j in zip(*np.tril_indices(len(X)), strict=True):
            K[i, j] = K[j, i] = pair(X[i], X[j])
        return K

    return Run(call, warm=lambda: None, quantity="kernel")
