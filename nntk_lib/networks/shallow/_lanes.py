"""Loops over neurons for :mod:`nntk_lib.networks.shallow.compiled`.

The mathematics is in :mod:`nntk_lib.networks.shallow.definite`.

The small matrices have LANES neurons on their last axis, and every innermost loop runs over them. Numba compiles a
function when it is first called, for double and for single precision, and keeps it on disk if
it can.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from ...linalg.streaming import LANES

OPTIONS = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract"}}


def compiled(function):
    """The function, compiled; kept on disk, or made again by every process where there is no place to write."""
    try:
        return njit(cache=True, **OPTIONS)(function)
    except RuntimeError:  # neither beside this module nor in the home directory
        return njit(**OPTIONS)(function)


@compiled
def tanh_derivatives(s, ds, d2s):  # pragma: no cover
    """sigma' and sigma'' of tanh from its values, one axis."""
    for j in range(s.size):
        ds[j] = 1 - s[j] * s[j]
        d2s[j] = -2 * s[j] * ds[j]


@compiled
def bounds(M, v, bound):  # pragma: no cover
    """Lower bounds of the eigenvalues of the blocks of S, one a neuron."""
    d = len(v)
    for i in range(len(bound)):
        norm2, trace, v2 = 0.0, 0.0, 0.0
        t = 0
        for a in range(d):
            for b in range(a + 1):
                norm2 += (1 if a == b else 2) * M[t, i] * M[t, i]
                t += 1
            trace += M[t - 1, i]
            v2 += v[a, i] * v[a, i]
        mu = trace / d - np.sqrt(max((d - 1) / d * (norm2 - trace * trace / d), 0.0))
        bound[i] = (mu - np.sqrt(mu * mu + 4 * v2)) / 2


@compiled
def factor(M, v, damping, start, L):  # pragma: no cover
    """Cholesky factors of the blocks of LANES neurons; on the diagonal the inverses of the pivots."""
    d = len(v)
    t = 0
    for a in range(d):
        for b in range(a + 1):
            for i in range(LANES):
                L[a, b, i] = M[t, start + i]
            t += 1
        for i in range(LANES):
            L[a, a, i] += damping
            L[d, a, i] = v[a, start + i]
    L[d, d, :] = damping
    for j in range(d + 1):
        for a in range(j, d + 1):
            for b in range(j):
                for i in range(LANES):
                    L[a, j, i] -= L[a, b, i] * L[j, b, i]
        for i in range(LANES):
            L[j, j, i] = 1 / np.sqrt(L[j, j, i])
        for a in range(j + 1, d + 1):
            for i in range(LANES):
                L[a, j, i] *= L[j, j, i]


@compiled
def inverse_factors(M, v, damping, c, cR):  # pragma: no cover
    """c R for R = L^{-1}, its last column without the factor c; shape (neurons, p, p), lower triangles."""
    p = len(v) + 1
    L, R = np.empty((p, p, LANES), M.dtype), np.empty((p, p, LANES), M.dtype)
    for first in range(0, len(c), LANES):
        start = min(first, len(c) - LANES)  # some neurons twice, rather than an incomplete vector
        factor(M, v, damping, start, L)
        for j in range(p):
            for b in range(j):
                for i in range(LANES):
                    R[j, b, i] = 0
                for a in range(b, j):
                    for i in range(LANES):
                        R[j, b, i] += L[j, a, i] * R[a, b, i]
                for i in range(LANES):
                    R[j, b, i] *= -L[j, j, i]
            for i in range(LANES):
                R[j, j, i] = L[j, j, i]
        for i in range(LANES):
            for j in range(p):
                for b in range(j + 1):
                    cR[start + i, j, b] = R[j, b, i] * (c[start + i] if b < p - 1 else 1)


@compiled
def fill(cR, XT, s, ds, U):  # pragma: no cover
    """U = R J^T without the factor m^{-beta}: (c R_a x_j) sigma'(z_j), in the last row plus R_dd sigma(z_j)."""
    k, p, n = U.shape
    for i in range(k):
        for a in range(p):
            row = U[i, a]
            for j in range(n):
                row[j] = cR[i, a, 0] * XT[0, j]
            for b in range(1, min(a + 1, p - 1)):
                w = cR[i, a, b]
                for j in range(n):
                    row[j] += w * XT[b, j]
            for j in range(n):
                row[j] *= ds[i, j]
        w = cR[i, p - 1, p - 1]
        for j in range(n):
            U[i, p - 1, j] += w * s[i, j]


@compiled
def finish(cR, s, ds, U):  # pragma: no cover
    """What is left of `fill` when U holds c R X^T."""
    k, p, n = U.shape
    for i in range(k):
        for a in range(p - 1):
            for j in range(n):
                U[i, a, j] *= ds[i, j]
        w = cR[i, p - 1, p - 1]
        for j in range(n):
            U[i, p - 1, j] = U[i, p - 1, j] * ds[i, j] + w * s[i, j]


@compiled
def solve(M, v, damping, b, x):  # pragma: no cover
    """D^{-1} b for b of shape (p, neurons); x has shape (neurons, p), with the output weight first."""
    p = len(v) + 1
    L, y = np.empty((p, p, LANES), M.dtype), np.empty((p, LANES), M.dtype)
    for first in range(0, b.shape[1], LANES):
        start = min(first, b.shape[1] - LANES)
        factor(M, v, damping, start, L)
        for j in range(p):
            for i in range(LANES):
                y[j, i] = b[j, start + i]
            for a in range(j):
                for i in range(LANES):
                    y[j, i] -= L[j, a, i] * y[a, i]
            for i in range(LANES):
                y[j, i] *= L[j, j, i]
        for j in range(p - 1, -1, -1):
            for a in range(j + 1, p):
                for i in range(LANES):
                    y[j, i] -= L[a, j, i] * y[a, i]
            for i in range(LANES):
                y[j, i] *= L[j, j, i]
        for i in range(LANES):
            x[start + i, 0] = y[p - 1, i]
            for j in range(p - 1):
                x[start + i, j + 1] = y[j, i]
