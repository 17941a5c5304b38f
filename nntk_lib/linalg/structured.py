r"""Block-diagonal plus low-rank matrices, and the only home of the push-through identity.

    M = D + U^T U,    D = diag(D_1, ..., D_m) with blocks p x p,
                      U of shape (rank, m p).

For invertible D the push-through identity moves the inverse from size m p to size rank:

    (D + U^T U)^{-1} U^T = D^{-1} U^T (I + C)^{-1},        C = U D^{-1} U^T,

so that M x = U^T a is solved by x = D^{-1} U^T (I + C)^{-1} a, and a general right-hand side b by
x = D^{-1} (b - U^T (I + C)^{-1} U D^{-1} b). It holds whenever D and I + C are invertible, definite or not. If every
block is positive definite, C is positive semidefinite and nothing can break down.

M is never stored. A callable yields it in slices of the block axis; two passes solve a system (one accumulates C, one
applies D^{-1}), in O(m p^3 + m p^2 rank + m p rank^2 + rank^3) operations and memory of one slice. One
eigendecomposition of the blocks serves every shift D + s I, which is how many regularizations are tried at the price
of one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, SingularSystemError, finite, finite_array, no_overflow

Slices = Callable[[], Iterator[tuple[slice, Array, Array]]]

#: Largest order of a matrix that to_dense assembles: 2^13 squared doubles are 512 MiB.
DENSE_LIMIT = 2**13


@dataclass(frozen=True, eq=False)
class Reduction:
    """What one pass over the blocks tells about D + shift I.

    Attributes
    ----------
    shift : float
    capacitance : ndarray, shape (rank, rank), or None
        C = U (D + shift I)^{-1} U^T; None from a pass that is made for definite blocks and met another one.
    min_eig : float
        Smallest eigenvalue of the blocks of D + shift I.
    block : int
        The block that has it.
    negative : int
        Number of negative eigenvalues of D + shift I.
    """

    shift: float
    capacitance: Array | None = field(repr=False)
    min_eig: float
    block: int
    negative: int

    def weights(self, a: Array) -> Array:
        """Solve (I + C) z = a; raises `SingularSystemError` if that is impossible."""
        system = np.eye(len(self.capacitance)) + self.capacitance
        try:
            z = np.linalg.solve(system, a)
        except np.linalg.LinAlgError:
            z = np.full_like(a, np.nan)
        if not np.isfinite(z).all():
            raise SingularSystemError(
                f"I + U D^-1 U^T is singular at shift {self.shift:g} (smallest block eigenvalue {self.min_eig:.3e}). "
                "Increase the shift: above minus the smallest block eigenvalue the system is always solvable."
            )
        return z


@dataclass(frozen=True, eq=False)
class _Stored:
    """Blocks and a factor that are at hand, as one slice. An object, not a closure: it can be pickled."""

    blocks: Array
    columns: Array

    def __call__(self) -> Iterator[tuple[slice, Array, Array]]:
        yield slice(0, len(self.blocks)), self.blocks, self.columns


@dataclass(frozen=True, eq=False)
class BlockDiagPlusLowRank:
    """The symmetric matrix D + shift I + U^T U, applied and solved without being formed.

    Attributes
    ----------
    m, p, rank : int
        Number of blocks, order of a block, number of rows of U.
    slices : callable
        ``slices()`` iterates over ``(part, D[part], U[part])`` with shapes (k, p, p) and (k, p, rank).
    shift : float
        Multiple of the identity added to D.

    Examples
    --------
    >>> import numpy as np
    >>> blocks, U = np.stack([np.eye(2)] * 3), np.ones((1, 3, 2))
    >>> M = BlockDiagPlusLowRank.from_arrays(blocks, U)
    >>> M
    BlockDiagPlusLowRank(3 blocks 2 x 2 + rank 1, order 6)
    >>> b = np.arange(6.0).reshape(3, 2)
    >>> bool(np.allclose(M @ M.solve(b), b))
    True
    """

    m: int
    p: int
    rank: int
    slices: Slices = field(repr=False)
    shift: float = 0.0

    @classmethod
    def from_arrays(cls, blocks: ArrayLike, factor: ArrayLike, shift: float = 0.0) -> BlockDiagPlusLowRank:
        """Build the matrix from stored blocks (m, p, p) and a factor U of shape (rank, m, p)."""
        blocks, factor = finite_array("blocks", blocks, 3), finite_array("factor", factor, 3)
        m, p, q = blocks.shape
        if p != q or factor.shape[1:] != (m, p):
            raise ShapeError(
                f"blocks {blocks.shape} and factor {factor.shape} do not fit: expected (m, p, p) and (rank, m, p)."
            )
        return cls(m, p, len(factor), _Stored(blocks, np.moveaxis(factor, 0, 2)), finite("shift", shift))

    def __repr__(self) -> str:
        shift = f", shift {self.shift:g}" if self.shift else ""
        return (
            f"{type(self).__name__}({self.m} blocks {self.p} x {self.p} + rank {self.rank}, "
            f"order {self.m * self.p}{shift})"
        )

    def shifted(self, shift: float) -> BlockDiagPlusLowRank:
        """The same matrix with `shift` times the identity added."""
        return replace(self, shift=self.shift + finite("shift", shift))

    def _vector(self, name: str, v: ArrayLike) -> Array:
        v = finite_array(name, v, 2)
        if v.shape != (self.m, self.p):
            raise ShapeError(f"{name} has shape {v.shape}, expected ({self.m}, {self.p}): one row per block.")
        return v

    def __matmul__(self, v: ArrayLike) -> Array:
        """M v for v of shape (m, p)."""
        v = self._vector("v", v)
        out, low = self.shift * v, np.zeros(self.rank)
        for part, D, U in self.slices():
            out[part] += np.einsum("kab,kb->ka", D, v[part])
            low += np.einsum("kan,ka->n", U, v[part])
        for part, _, U in self.slices():
            out[part] += U @ low
        return out

    __array_ufunc__ = None  # of v @ M numpy asks this class, in place of making an array of it

    def __rmatmul__(self, v: ArrayLike) -> Array:
        """v M = M v: the matrix is symmetric."""
        return self @ v

    def apply(self, v: Array, b: Array) -> Array:
        """(D + shift I) v + U^T b for v of shape (m, p) and b of shape (rank,)."""
        out = self.shift * v
        for part, D, U in self.slices():
            out[part] += np.einsum("kab,kb->ka", D, v[part]) + U @ b
        return out

    def min_block_eig(self) -> float:
        """Smallest eigenvalue of the blocks of D + shift I."""
        return self.shift + min(
            float(np.linalg.eigvalsh(no_overflow("The blocks of D", D))[:, 0].min()) for _, D, _ in self.slices()
        )

    def reduce(self, shifts: Sequence[float] = (0.0,)) -> list[Reduction]:
        """One pass over the blocks: C and the smallest block eigenvalue for every extra shift.

        Parameters
        ----------
        shifts : sequence of float
            Added to ``self.shift``. A single eigendecomposition of the blocks serves all of them.

        Returns
        -------
        list of Reduction
        """
        totals = [self.shift + float(s) for s in shifts]
        C = [np.zeros((self.rank, self.rank)) for _ in totals]
        negative = [0] * len(totals)
        lowest, where = np.inf, 0
        for part, D, U in self.slices():
            lam, Q = np.linalg.eigh(no_overflow("The blocks of D", D))
            W = (np.swapaxes(Q, 1, 2) @ U).reshape(-1, self.rank)
            k = int(np.argmin(lam[:, 0]))
            if lam[k, 0] < lowest:
                lowest, where = float(lam[k, 0]), part.start + k
            for i, (total, Ci) in enumerate(zip(totals, C, strict=True)):
                d = lam.reshape(-1, 1) + total
                if (d == 0).any():
                    raise SingularSystemError(f"A block of D + {total:g} I is exactly singular. Change the shift.")
                V = W / np.sqrt(np.abs(d))
                below = int((d < 0).sum())
                negative[i] += below
                Ci += (V * np.sign(d)).T @ V if below else V.T @ V
        return [Reduction(t, Ci, lowest + t, where, k) for t, Ci, k in zip(totals, C, negative, strict=True)]

    def _block_solve(self, reduction: Reduction, b: Array | None, z: Array, sign: float) -> Array:
        """D^{-1} (b + sign U^T z), second pass; b = None means 0."""
        out = np.empty((self.m, self.p))
        for part, D, U in self.slices():
            rhs = sign * (U @ z) if b is None else b[part] + sign * (U @ z)
            try:
                out[part] = np.linalg.solve(D + reduction.shift * np.eye(self.p), rhs[:, :, None])[:, :, 0]
            except np.linalg.LinAlgError:
                raise SingularSystemError(
                    f"A block of D + {reduction.shift:g} I is singular to working precision. Change the shift."
                ) from None
        return out

    def solve_range(self, reduction: Reduction, z: Array) -> Array:
        """D^{-1} U^T z, which solves M x = U^T a for z = ``reduction.weights(a)``; shape (m, p)."""
        return self._block_solve(reduction, None, z, 1.0)

    def solve(self, b: ArrayLike) -> Array:
        """Solve M x = b by the push-through identity.

        Parameters
        ----------
        b : ndarray, shape (m, p)

        Returns
        -------
        ndarray, shape (m, p)
            Satisfies ``M @ x = b``; definiteness of the blocks is not required.

        Raises
        ------
        SingularSystemError
            If a block of D or the matrix I + C is singular.
        """
        b = self._vector("b", b)
        [reduction] = self.reduce()
        x = self._block_solve(reduction, b, np.zeros(self.rank), 0.0)
        low = np.zeros(self.rank)
        for part, _, U in self.slices():
            low += np.einsum("kan,ka->n", U, x[part])
        return self._block_solve(reduction, b, reduction.weights(low), -1.0)

    def to_dense(self) -> Array:
        """The (m p, m p) array, for tests and pictures.

        Raises
        ------
        ParameterError
            If the order m p exceeds `DENSE_LIMIT`.
        """
        order = self.m * self.p
        if order > DENSE_LIMIT:
            raise ParameterError(
                f"A dense matrix of order {order} needs {8 * order**2 / 2**30:.1f} GiB; the largest order allowed is "
                f"{DENSE_LIMIT}. Use M @ v and M.solve(b), which never form it."
            )
        dense = self.shift * np.eye(order)
        U = np.empty((self.m, self.p, self.rank))
        for part, D, Uk in self.slices():
            U[part] = Uk
            for i, block in zip(range(part.start, part.stop), D, strict=True):
                dense[i * self.p : (i + 1) * self.p, i * self.p : (i + 1) * self.p] += block
        U = U.reshape(order, self.rank)
        return dense + U @ U.T
