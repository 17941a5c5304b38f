r"""The Newton step of formula (8) where every block is positive definite, as fast as numpy and BLAS allow.

With the output weight last, the block of a neuron and its Cholesky factor are, d being the number of inputs,

    D = [[ M,   v       ],
         [ v^T, damping ]] = L L^T,
    M = damping I + c m^{-beta} sum_j a_j sigma''(z_j) x_j x_j^T,
    v = m^{-beta} sum_j a_j sigma'(z_j) x_j,

a being the gradient of the loss with respect to the outputs, r / n for the mean square.

The columns of J^T are m^{-beta} (c sigma'(z_j) x_j, sigma(z_j)). With R = L^{-1}, lower triangular, the p rows of

    U = R J^T:    m^{-beta} ( c sigma'(z_j) (R_a x_j)
                              + [a = d] R_dd sigma(z_j) ),    a = 0, ..., d,

need one product R X^T; they are added to C = J D^{-1} J^T = sum over neurons of U^T U, p n^2 multiplications a neuron,
which is most of the work. A second pass factors the blocks again and solves; keeping them would take p^2/2 floats a
neuron. The slow literal twin is :mod:`nntk_lib.linalg.structured`, by eigenvalues; it treats indefinite blocks as
well.

Neurons are on the last axis of the small matrices, so that each operation is one call for thousands of them: LAPACK's
loop over blocks takes 9 times as long at p = 3 and 4.5 times at p = 11, as long at p = 100. Closed forms for p = 2 and
3 would save 2 % of a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from ...exceptions import Array, no_overflow
from ...linalg.rank_update import rank_update, symmetric
from ...linalg.streaming import ENTRIES, NEURONS, ROWS, parallel, pieces, total
from ...linalg.structured import Reduction
from .curvature import curvature_product
from .spec import Shallow, preactivations, products

#: Blocks whose eigenvalues are computed at a time, the most promising first.
CANDIDATES = 16


class DefiniteBlocks:
    """The blocks of S = sum_j a_j Hess f_j for one network and one data set, and the two passes over them.

    Parameters
    ----------
    net : Shallow
    theta : ndarray, shape (m, p)
    X : ndarray, shape (n, d)
        As the neurons see it, see :func:`nntk_lib.networks.shallow.spec.prepare`.
    a : ndarray, shape (n,)
        Weights of the samples.
    memory : int, optional
        Bytes of temporaries, see :mod:`nntk_lib.linalg.streaming`.
    dtype : dtype
        Precision of the work on a slice; sums over the slices are in double precision.
    """

    def __init__(self, net: Shallow, theta: Array, X: Array, a: Array, memory: int | None, dtype=np.float64):
        (m, p), (n, d) = theta.shape, X.shape
        self.net, self.theta, self.X, self.dtype = net, theta, X.astype(dtype), np.dtype(dtype)
        self.given = X, a
        self.memory, self.most, self.XT = memory, NEURONS, np.ascontiguousarray(self.X.T)
        self.scale = m**-net.beta
        self.lower = np.tril_indices(d)
        weights = (self.scale * a)[:, None]
        self.outer = (X[:, self.lower[0]] * X[:, self.lower[1]] * weights).T.astype(dtype)
        self.inner = (X * weights).T.astype(dtype)
        self.sizes = m, n, 2 * n + 3 * p * p  # sigma, sigma', and the blocks
        self.few = 5 * n + 2 * p * n  # z and its derivatives, and U, for a few neurons at a time

    def _stream(self, work, make=lambda: None, fixed: int = 0) -> list:
        return parallel(*self.sizes, work, make, self.memory, self.most, fixed, self.few)

    def _neurons(self, part: slice) -> tuple:
        """c, a list of (sigma, sigma') for a few neurons at a time, and S packed: the lower triangle of M, and v."""
        rows = self.theta[part].astype(self.dtype, copy=False)
        c = np.ascontiguousarray(rows[:, 0])
        M, v = np.empty((len(self.outer), len(c)), self.dtype), np.empty((len(self.inner), len(c)), self.dtype)
        found = []
        for few in pieces(len(c), max(1, ENTRIES // len(self.X))):
            s, ds, d2s = self._rows(preactivations(rows[few], self.X))
            found.append((few, s, ds))
            M[:, few], v[:, few] = weighted(self.outer, d2s), weighted(self.inner, ds)
        M *= c
        return c, found, M, v

    def reduce(self, dampings: Sequence[float]) -> list[Reduction]:
        """First pass: C, and the smallest eigenvalue of the blocks, for every damping.

        Returns
        -------
        list of Reduction
            Where a block is not positive definite there is no capacitance, and the rest is right all the same.
        """
        n = len(self.X)

        def make():
            return SimpleNamespace(C=[np.zeros((n, n)) for _ in dampings], low=0.0, block=0)

        fixed = (len(dampings) + 2) * n * n
        states = self._stream(lambda part, state: self._reduce_slice(part, state, dampings), make, fixed)
        best = min(states, key=lambda state: state.low)
        found = []
        for i, damping in enumerate(dampings):
            definite = best.low + damping > 0
            C = symmetric(total([state.C[i] for state in states])) * self.scale**2 if definite else None
            found.append(Reduction(damping, C, best.low + damping, best.block, 0))
        return found

    def _reduce_slice(self, part: slice, state, dampings: Sequence[float]) -> None:
        c, found, M, v = self._neurons(part)
        self._smallest(M, v, part.start, state)
        p, n = len(v) + 1, len(self.X)
        size = max(1, ROWS // (p * n))
        U = np.empty((min(size, len(c)), p, n), self.dtype)
        for damping, C in zip(dampings, state.C, strict=True):
            if state.low + damping > 0:
                R = self._inverse_factors(M, v, damping, c)
                for few, s, ds in found:
                    for i in pieces(len(s), size):
                        u, at = U[: i.stop - i.start], slice(few.start + i.start, few.start + i.stop)
                        self._fill(u, R[at], s[i], ds[i])
                        rank_update(C, u.reshape(-1, n))

    def _smallest(self, M: Array, v: Array, start: int, state) -> None:
        """Smallest eigenvalue of the blocks of S seen so far, and its neuron, by branch and bound.

        An eigenvalue of M is at least mu = t/d - ((d-1)/d (|M|^2 - t^2/d))^{1/2} with t = trace M (Wolkowicz and Styan
        1980), and one of S at least (mu - (mu^2 + 4 |v|^2)^{1/2}) / 2. Few blocks need more than that: 1 in 80 at
        p = 11, 1 in 300 at p = 3.
        """
        bound = self._bounds(M, v) * (1 + 1e-6)  # and rounding
        bound[~np.isfinite(bound)] = -np.inf  # its squares have overflowed, which says nothing of the block
        left = np.flatnonzero(bound < state.low)
        left = left[np.argsort(bound[left])]
        while len(left):
            few, left = left[:CANDIDATES], left[CANDIDATES:]
            S = symmetric(np.moveaxis(regularized(M[:, few], v[:, few], 0.0), 2, 0))
            eigenvalues = np.linalg.eigvalsh(no_overflow("The blocks of the Hessian", S))[:, 0]
            i = int(np.argmin(eigenvalues))
            if eigenvalues[i] < state.low:
                state.low, state.block = float(eigenvalues[i]), start + int(few[i])
            left = left[bound[left] < state.low]

    def apply(self, v: Array, b: Array) -> Array:
        """S v + J^T b in one pass, in double precision, shape (m, p)."""
        X, a = self.given
        return curvature_product(self.net, self.theta, X, a, v, b, self.memory)

    def solve_range(self, reduction: Reduction, a: Array) -> Array:
        """Second pass: D^{-1} J^T a, shape (m, p)."""
        out = np.empty(self.theta.shape)
        a = (self.scale * a).astype(self.dtype)
        aX = a[:, None] * self.X
        self._stream(lambda part, _: self._solve_slice(part, reduction.shift, a, aX, out))
        return out

    def _solve_slice(self, part: slice, damping: float, a: Array, aX: Array, out: Array) -> None:
        c, found, M, v = self._neurons(part)
        b = np.empty((len(v) + 1, len(c)), self.dtype)
        for few, s, ds in found:
            b[:-1, few], b[-1, few] = (ds @ aX).T, s @ a
        b[:-1] *= c
        out[part] = self._solve(M, v, damping, b)

    # Five operations that :mod:`nntk_lib.networks.shallow.compiled` has as well.

    def _rows(self, z: Array) -> tuple[Array, ...]:
        """sigma, sigma', sigma''."""
        return self.net.act.rows(z)

    def _bounds(self, M: Array, v: Array) -> Array:
        """Lower bounds of the eigenvalues of the blocks of S, one a neuron; see `_smallest`."""
        d, diagonal = len(v), self.lower[0] == self.lower[1]
        with np.errstate(over="ignore", invalid="ignore"):
            norm2, trace = np.where(diagonal, 1, 2).astype(M.dtype) @ (M * M), diagonal.astype(M.dtype) @ M
            mu = trace / d - np.sqrt(np.maximum((d - 1) / d * (norm2 - trace**2 / d), 0))
            return (mu - np.sqrt(mu * mu + 4 * (v * v).sum(axis=0))) / 2

    def _inverse_factors(self, M: Array, v: Array, damping: float, c: Array) -> Array:
        """R = L^{-1} for every neuron, its columns but the last one times c; shape (neurons, p, p)."""
        R = inverse(factor(regularized(M, v, damping)))
        R[:, :-1] *= c
        return np.ascontiguousarray(R.transpose(2, 0, 1))

    def _fill(self, u: Array, R: Array, s: Array, ds: Array) -> None:
        """The rows U of a few neurons, without the factor m^{-beta}, into u of shape (neurons, p, n)."""
        k, p, n = u.shape
        products(np.ascontiguousarray(R[:, :, :-1]).reshape(-1, p - 1), self.X, out=u.reshape(-1, n))
        u *= ds[:, None]
        u[:, -1] += s * R[:, -1, -1, None]

    def _solve(self, M: Array, v: Array, damping: float, b: Array) -> Array:
        """D^{-1} b for b of shape (p, neurons), as rows of theta: the output weight first."""
        L = factor(np.concatenate([regularized(M, v, damping), b[None]]))
        x = L[-1]
        for j in range(len(x) - 1, -1, -1):
            x[j] = (x[j] - (L[j + 1 : -1, j] * x[j + 1 :]).sum(axis=0)) * L[j, j]
        return np.roll(x, 1, axis=0).T


def regularized(M: Array, v: Array, damping: float) -> Array:
    """Lower triangles of S + damping I, shape (p, p, neurons), from their packed parts."""
    d, k = v.shape
    D, start = np.empty((d + 1, d + 1, k), v.dtype), 0
    for a in range(d):
        D[a, : a + 1] = M[start : start + a + 1]
        D[a, a] += damping
        start += a + 1
    D[d, :d], D[d, d] = v, damping
    return D


def factor(D: Array) -> Array:
    """Cholesky factors L of the lower triangles D[:p], in place, with the inverse of the diagonal on the diagonal.

    Rows after the first p are right-hand sides b^T and become (L^{-1} b)^T. Shape (p + number of them, p, neurons).
    """
    with np.errstate(invalid="ignore", divide="ignore"):  # singular to rounding; C is not finite then, and is refused
        for j in range(D.shape[1]):
            column = D[j:, j]
            if j:
                column -= np.einsum("iak,ak->ik", D[j:, :j], D[j, :j])
            pivot = 1 / np.sqrt(column[0])
            column *= pivot
            column[0] = pivot
    return D


def weighted(W: Array, rows: Array) -> Array:
    """W rows^T, shape (q, neurons): sums over the samples with q weights.

    OpenBLAS is 2 to 3 times as fast the other way round if q is at most 3.
    """
    return W @ rows.T if len(W) > 3 else np.ascontiguousarray((rows @ np.ascontiguousarray(W.T)).T)


def inverse(L: Array) -> Array:
    """The inverses, lower triangular, of what `factor` returns; shape (p, p, neurons)."""
    R = np.zeros_like(L)
    for j in range(len(L)):
        R[j, j] = L[j, j]
        if j:
            np.einsum("ak,abk->bk", L[j, :j], R[:j, :j], out=R[j, :j])
            R[j, :j] *= -L[j, j]
    return R
