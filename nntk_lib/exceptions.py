"""Named errors, and the checks that raise them.

A numerical library fails silently in three ways: a broadcast that hides a wrong shape, a NaN that
spreads, and a factorization of a matrix that is not what it should be. Every public function passes
its input through this module. A message says what was given, what was expected, and what to try.

NumPy's own exceptions are never relied on: under Pyodide ``numpy.linalg.cholesky`` returns NaN where it
should raise, so definiteness is always decided from bounds of the eigenvalues, or from these.
"""

from __future__ import annotations

import warnings
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike

Array = np.ndarray


class NNTKError(ValueError):
    """Base class of every error raised by this library.

    Attributes
    ----------
    history : History or None
        What a training run had recorded before it failed; None outside :mod:`nntk_lib.training`.
    """

    history = None


class ShapeError(NNTKError):
    """An array has the wrong shape."""


class NonFiniteError(NNTKError):
    """An array holds NaN or an infinite value."""


class ParameterError(NNTKError):
    """A scalar parameter lies outside the range where the method is defined."""


class CollinearSamplesError(NNTKError):
    """Two samples on one line make the kernel singular: repeated ones do, opposite ones may."""


class SingularKernelError(NNTKError):
    """A kernel matrix is singular to working precision."""


class SingularSystemError(NNTKError):
    """A linear system has no unique solution to working precision."""


class NotConvergedError(NNTKError):
    """An iteration has used its steps up before it reached its tolerance."""


class NotPositiveDefiniteError(NNTKError):
    """A block of D, the block-diagonal part of the regularized Hessian (9), is not positive definite.

    Attributes
    ----------
    min_eig : float
        Smallest eigenvalue of the scaled blocks Dtilde, Riedl et al. (50).
    neuron : int or None
        The neuron whose block has it; None if conjugate gradients met the direction.
    sufficient_gamma : float
        Every gamma above this value makes all blocks positive definite.
    """

    def __init__(self, message: str, min_eig: float, neuron: int | None, sufficient_gamma: float):
        super().__init__(message, min_eig, neuron, sufficient_gamma)  # all of them: a process sends what is here
        self.min_eig = min_eig
        self.neuron = neuron
        self.sufficient_gamma = sufficient_gamma

    def __str__(self) -> str:
        return self.args[0]


class StepSizeError(NNTKError):
    """A step size lies outside the interval in which the iteration is stable."""


class ClaimError(NNTKError, AssertionError):
    """A claim of the ledger does not hold for the measured value."""


class AssumptionWarning(UserWarning):
    """The input violates an assumption of a theorem; the result is defined, the theorem is silent."""


def finite_array(name: str, value: ArrayLike, ndim: int) -> Array:
    """Return `value` as a finite float array with `ndim` axes.

    Raises
    ------
    ShapeError
        If the number of axes differs from `ndim` or the array is empty.
    NonFiniteError
        If an entry is NaN or infinite; the message gives the first one.
    """
    array = np.asarray(value)
    if array.dtype.kind not in "fiu":
        raise ShapeError(f"{name} must hold real numbers, got dtype {array.dtype}.")
    if array.dtype.kind != "f":
        array = array.astype(float)
    if array.ndim != ndim or array.size == 0:
        hint = f" Try {name}[:, None]." if (ndim, array.ndim) == (2, 1) else ""
        raise ShapeError(f"{name} must be a non-empty array with {ndim} axes, got shape {array.shape}.{hint}")
    with np.errstate(over="ignore", invalid="ignore"):
        total = array.sum()  # finite unless an entry is not, or the sum overflows; and it needs no memory
    bad = np.empty(0, bool) if np.isfinite(total) else ~np.isfinite(array)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        raise NonFiniteError(
            f"{name} holds {int(bad.sum())} NaN or infinite values, the first at index {where}. "
            "Remove or impute these samples; nothing is dropped silently."
        )
    return array


def shaped_like(name: str, value: ArrayLike, model: Array, of: str) -> Array:
    """Return `value` as a finite array of the shape of `model`, else raise `ShapeError` or `NonFiniteError`."""
    value = finite_array(name, value, model.ndim)
    if value.shape != model.shape:
        raise ShapeError(f"{name} has shape {value.shape}, but {of} has {model.shape}. Pass an array of that shape.")
    return value


def integer(name: str, value: int, least: int = 1) -> int:
    """Return `value` as an int if it is an integer of at least `least`, else raise `ParameterError`."""
    real = isinstance(value, Real) and not isinstance(value, bool) and np.isfinite(value)
    if not real or int(value) != value or value < least:
        raise ParameterError(f"{name} = {value!r} must be an integer, {least} or more.")
    return int(value)


def same_length(name: str, value: Array, expected: int, of: str) -> Array:
    """Return `value` if its first axis has length `expected`, else raise `ShapeError`."""
    if len(value) != expected:
        raise ShapeError(f"{name} has length {len(value)}, but {of} has {expected}. Pass one entry per row of {of}.")
    return value


def positive(name: str, value: float, allow_zero: bool = False) -> float:
    """Return `value` as a float if it is finite and positive, else raise `ParameterError`."""
    wanted = "a finite number, at least 0" if allow_zero else "a finite number greater than 0"
    if not isinstance(value, Real) or not np.isfinite(value) or value < 0 or (value == 0 and not allow_zero):
        shown = f"{value:g}" if isinstance(value, Real) else repr(value)
        raise ParameterError(f"{name} = {shown} must be {wanted}.")
    return float(value)


def collinear_pairs(X: Array, tol: float = 1e-7) -> list[tuple[int, int]]:
    """Pairs of rows of `X` that lie on one line through the origin, against assumption B2.

    Parameters
    ----------
    X : ndarray, shape (n, d)
        Samples as the network sees them, with the bias coordinate if there is one. A zero row lies on every line.
    tol : float
        Smallest admissible sine of the angle between two lines. Below about the square root of the machine precision
        two directions cannot be told apart in the Gram matrix.

    Returns
    -------
    list of pairs of int
        A zero row is listed as a pair with itself.
    """
    norms = np.linalg.norm(X, axis=1)
    zero = [(int(j), int(j)) for j in np.flatnonzero(norms == 0)]
    unit = X / np.where(norms == 0, 1, norms)[:, None]
    suspects = np.argwhere(np.triu(np.abs(unit @ unit.T) > 1 - 1e-10, k=1))
    sines = [np.linalg.norm(unit[i] - np.sign(unit[i] @ unit[j]) * unit[j]) for i, j in suspects]
    return zero + [(int(i), int(j)) for (i, j), sine in zip(suspects, sines, strict=True) if sine < tol]


def warn_a1(act) -> None:
    """Warn when an activation lies outside assumption A1 (bounded, with two bounded derivatives)."""
    if not act.satisfies_a1:
        s0, s1, s2 = act.sup
        warnings.warn(
            f"Activation {act.name!r} violates assumption A1: the suprema of |sigma|, |sigma'|, |sigma''| are "
            f"{s0:g}, {s1:g}, {s2:g} and must be finite. The step is computed; the convergence theorems of the "
            "Newton paper do not cover it.",
            AssumptionWarning,
            stacklevel=3,
        )
