r"""The passes of :mod:`nntk_lib.networks.shallow.definite` with loops compiled by Numba, if it is installed.

numpy makes about a hundred calls for a slice of neurons, each of which reads and writes arrays and takes the
interpreter's lock; here the Cholesky factors, their inverses and the rows of U = R J^T are one call each, and two
threads do not wait for each other. At m = 10^5, n = 100 a step takes two thirds of the time for one and two inputs.
:class:`~nntk_lib.networks.shallow.definite.DefiniteBlocks` is the twin in numpy, used without Numba (in the browser),
for small problems, or if NNTK_COMPILED=0.

Eight neurons share a factorization: the innermost loops run over them, so that they become vector instructions.
"""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec

import numpy as np

from ...exceptions import Array, warn
from ...linalg.streaming import LANES, SMALL
from ..activations import tanh
from .definite import DefiniteBlocks

#: Up to this many inputs the product in U is compiled as well; then BLAS is faster.
FILL = 4


@cache
def _works() -> bool:
    """Whether Numba is installed and compiles here; where it is and does not, a warning says why, once."""
    try:
        if find_spec("numba") is None:
            return False
        lanes().tanh_derivatives(*np.zeros((3, LANES)))
    except Exception as error:  # whatever it is: a NumPy that it refuses, half an installation, no memory to execute
        warn(
            f"Numba is installed but does not work here ({type(error).__name__}: {error}). The step is taken in numpy, "
            "which needs half as long again. Repair Numba or remove it, or set NNTK_COMPILED=0 to be told no more.",
            RuntimeWarning,
        )
        return False
    return True


def available() -> bool:
    """Whether Numba is installed, works, and is not switched off by NNTK_COMPILED=0."""
    return os.environ.get("NNTK_COMPILED") != "0" and _works()


def definite_blocks(net, theta: Array, X: Array, a: Array, memory: int | None, dtype=np.float64) -> DefiniteBlocks:
    """The compiled passes where they pay, else those in numpy; arguments as for `DefiniteBlocks`."""
    compiled = len(theta) * len(X) > SMALL and available()
    return (CompiledBlocks if compiled else DefiniteBlocks)(net, theta, X, a, memory, dtype)


class CompiledBlocks(DefiniteBlocks):
    """`DefiniteBlocks` with compiled loops; see there for the arguments and results of each."""

    def __init__(self, net, theta: Array, X: Array, a: Array, memory: int | None, dtype=np.float64):
        super().__init__(net, theta, X, a, memory, dtype)
        self.most = 0  # the small slices of `parallel`: with few calls they may fit the caches

    def _rows(self, z: Array) -> tuple[Array, ...]:
        if self.net.act != tanh:
            return tuple(np.ascontiguousarray(row) for row in super()._rows(z))
        s = np.tanh(z, out=z)
        ds, d2s = np.empty_like(s), np.empty_like(s)
        lanes().tanh_derivatives(s.ravel(), ds.ravel(), d2s.ravel())
        return s, ds, d2s

    def _bounds(self, M: Array, v: Array) -> Array:
        bound = np.empty(M.shape[1], self.dtype)
        lanes().bounds(M, v, bound)
        return bound

    def _inverse_factors(self, M: Array, v: Array, damping: float, c: Array) -> Array:
        if len(c) < LANES:
            return super()._inverse_factors(M, v, damping, c)
        R = np.zeros((len(c), len(v) + 1, len(v) + 1), self.dtype)
        lanes().inverse_factors(M, v, self.dtype.type(damping), c, R)
        return R

    def _fill(self, u: Array, R: Array, s: Array, ds: Array) -> None:
        if len(self.XT) <= FILL:
            lanes().fill(R, self.XT, s, ds, u)
        else:
            k, p, n = u.shape
            np.matmul(np.ascontiguousarray(R[:, :, :-1]).reshape(-1, p - 1), self.XT, out=u.reshape(-1, n))
            lanes().finish(R, s, ds, u)

    def _solve(self, M: Array, v: Array, damping: float, b: Array) -> Array:
        if b.shape[1] < LANES:
            return super()._solve(M, v, damping, b)
        x = np.empty(b.shape[::-1], self.dtype)
        lanes().solve(M, v, self.dtype.type(damping), b, x)
        return x


def lanes():
    """The compiled functions; importing them imports Numba."""
    from . import _lanes

    return _lanes
