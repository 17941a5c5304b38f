"""Named errors, and the checks that raise them.

A numerical library fails silently in three ways: a broadcast that hides a wrong shape, a NaN that
spreads, and a factorization of a matrix that is not what it should be. Every public function passes
its input through this module. A message says what was given, what was expected, and what to try.

NumPy's own exceptions are never relied on: under Pyodide ``numpy.linalg.cholesky`` returns NaN where it
should raise, so definiteness is always decided from bounds of the eigenvalues, or from these.
"""

from __future__ import annotations

import math
import sys
import warnings
from collections.abc import Iterable, Sequence
from numbers import Integral, Real

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


class DataTypeError(NNTKError):
    """An array holds something else than real numbers."""


class NonFiniteError(NNTKError):
    """An array holds NaN, an infinite or a masked value."""


class ParameterError(NNTKError):
    """A parameter lies outside the range where the method is defined, or is not of the kind that is asked for."""


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
        Smallest eigenvalue of the scaled blocks Dtilde, Riedl et al. (50); of conjugate gradients, the negative
        curvature that they met.
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


def real_array(name: str, value: ArrayLike) -> Array:
    """Return `value` as an array of single or double precision.

    Whole numbers become double precision, and so does what LAPACK has no routine for: half precision, in which the
    square of 256 overflows, and long double.

    Raises
    ------
    DataTypeError
        If it holds something else than real numbers: complex or boolean ones, text, objects such as None.
    NonFiniteError
        If a value is masked.
    """
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        where = tuple(int(i) for i in np.argwhere(np.ma.getmaskarray(value))[0])
        raise NonFiniteError(
            f"{name} has {int(np.ma.count_masked(value))} masked values, the first at index {where}. Leave these "
            "samples out, or fill them: what hides behind a mask is not used."
        )
    try:
        array = np.asarray(value)
    except (TypeError, ValueError):  # rows of different lengths, or an object that cannot be one
        array = np.empty(0, object)
    if array.dtype.kind not in "fiu":
        hint = {"b": f"{name}.astype(float)", "c": f"{name}.real, if the rest is 0"}.get(array.dtype.kind)
        given = f"dtype {array.dtype}" if array.size or array.dtype != object else type(value).__name__
        raise DataTypeError(
            f"{name} must hold real numbers, got {given}. Try {hint or 'np.array(..., dtype=float)'}"
            f"{'' if hint else ', or .to_numpy(float) of a table'}."
        )
    return array if array.dtype in (np.float32, np.float64) else array.astype(float)


def finite_array(name: str, value: ArrayLike, ndim: int | None) -> Array:
    """Return `value` as a finite array of single or double precision with `ndim` axes, one or more if that is None.

    Raises
    ------
    ShapeError
        If the number of axes differs from `ndim` or the array is empty.
    DataTypeError
        See :func:`real_array`.
    NonFiniteError
        If an entry is NaN, infinite or masked; the message gives the first one.
    """
    array = real_array(name, value)
    ndim = max(1, array.ndim) if ndim is None else ndim
    if array.ndim != ndim or array.size == 0:
        flat = array.ndim == ndim + 1 and array.shape[-1] == 1
        hint = f" Try {name}[:, None]." if (ndim, array.ndim) == (2, 1) else f" Try {name}[..., 0]." if flat else ""
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


def _real(value) -> float:
    """A real number as a float; NaN for everything else, flags included."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return math.nan
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _shown(value) -> str:
    """A value as a message gives it, in one line."""
    if isinstance(value, Real) and not isinstance(value, (bool, Integral)):
        return f"{float(value):g}"
    shape = getattr(value, "shape", ())
    return f"an array of shape {shape}" if shape else repr(value) if len(repr(value)) < 80 else type(value).__name__


def integer(name: str, value: int, least: int = 1) -> int:
    """Return `value` as an int if it is an integer of at least `least`, else raise `ParameterError`."""
    real = _real(value)
    if not math.isfinite(real) or real != int(real) or real < least:
        raise ParameterError(f"{name} = {_shown(value)} must be an integer, {least} or more.")
    return int(value)


def finite(name: str, value: float) -> float:
    """Return `value` as a float if it is a finite number, else raise `ParameterError`."""
    if not math.isfinite(_real(value)):
        raise ParameterError(f"{name} = {_shown(value)} must be a finite number.")
    return float(value)


def flag(name: str, value: bool) -> bool:
    """Return `value` as a bool if it is one, else raise `ParameterError`."""
    if not isinstance(value, (bool, np.bool_)):
        raise ParameterError(f"{name} = {_shown(value)} must be True or False.")
    return bool(value)


def one_of(name: str, value: str, known: Sequence[str]) -> str:
    """Return `value` if it is one of the known words, else raise `ParameterError`."""
    if not isinstance(value, str) or value not in known:
        words = f"{', '.join(map(repr, known[:-1]))} or {known[-1]!r}"
        raise ParameterError(f"{name} = {_shown(value)} is unknown; use {words}.")
    return value


def instance(name: str, value, kinds: type | tuple[type, ...], example: str):
    """Return `value` if it is of one of the kinds, else raise `ParameterError` with an example of what would be."""
    if not isinstance(value, kinds):
        raise ParameterError(f"{name} is {_shown(value)}, which is not what is needed here. Try {example}.")
    return value


def having(name: str, value, methods: Sequence[str], example: str):
    """Return `value` if it has the methods, else raise `ParameterError` with an example of what has them."""
    if isinstance(value, type) or not all(hasattr(value, method) for method in methods):
        raise ParameterError(f"{name} is {_shown(value)}, which has no {' or no '.join(methods)}. Try {example}.")
    return value


def function(name: str, value, example: str):
    """Return `value` if it can be called, else raise `ParameterError` with an example of what can."""
    if not callable(value) or isinstance(value, type):
        raise ParameterError(f"{name} is {_shown(value)}, which cannot be called. Try {example}.")
    return value


def generator(name: str, rng: np.random.Generator | int | Sequence[int]) -> np.random.Generator:
    """A generator from itself or from a seed, one integer or several.

    Raises
    ------
    ParameterError
        If it is anything else, such as None, which is not repeatable.
    """
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, (list, tuple)) and rng:
        return np.random.default_rng([integer(name, seed, 0) for seed in rng])
    return np.random.default_rng(integer(name, rng, 0))


def same_length(name: str, value: Array, expected: int, of: str) -> Array:
    """Return `value` if its first axis has length `expected`, else raise `ShapeError`."""
    if len(value) != expected:
        raise ShapeError(f"{name} has length {len(value)}, but {of} has {expected}. Pass one entry per row of {of}.")
    return value


def positive(name: str, value: float, allow_zero: bool = False) -> float:
    """Return `value` as a float if it is finite and positive, else raise `ParameterError`."""
    real = _real(value)
    if not (0 < real < math.inf or (allow_zero and real == 0)):
        wanted = "a finite number, at least 0" if allow_zero else "a finite number greater than 0"
        raise ParameterError(f"{name} = {_shown(value)} must be {wanted}.")
    return real


def positive_list(name: str, values: Sequence[float]) -> list[float]:
    """Return `values` as a list of positive numbers, at least one, else raise `ParameterError`."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise ParameterError(f"{name} = {_shown(values)} must be a sequence of numbers. Try [{_shown(values)}].")
    values = [positive(f"{name}[{i}]", value) for i, value in enumerate(values)]
    if not values:
        raise ParameterError(f"{name} is empty; give one number at least.")
    return values


def square_matrix(name: str, value: ArrayLike) -> Array:
    """Return `value` as a finite square matrix, else raise `ShapeError`, `DataTypeError` or `NonFiniteError`."""
    A = finite_array(name, value, 2)
    if A.shape[0] != A.shape[1]:
        raise ShapeError(f"{name} has the shape {A.shape}; a kernel on n samples is square.")
    return A


def kernel_matrix(name: str, value: ArrayLike) -> Array:
    """Return `value` as a symmetric matrix of double precision: a kernel on n samples.

    What is symmetric to 1e-6 of its largest entry, as a kernel from single precision or from sampling is, is made
    symmetric: the mean of A and its transpose.

    Raises
    ------
    ShapeError
        If it is not square, or not symmetric; the message gives the largest difference.
    NonFiniteError, DataTypeError
    """
    A = square_matrix(name, value).astype(float, copy=False)
    size, difference = np.abs(A).max(), np.abs(A - A.T).max()
    if difference > 1e-6 * size:
        raise ShapeError(
            f"{name} is not symmetric: entries across the diagonal differ by up to {difference:.2g}, the largest entry "
            f"being {size:.2g}. Pass a kernel, such as limit_ntk(net, X), or ({name} + {name}.T) / 2."
        )
    return A if difference == 0 else (A + A.T) / 2


def semidefinite(name: str, lam: Array) -> Array:
    """Return the eigenvalues of a kernel with what rounding has made negative set to 0.

    Raises
    ------
    SingularKernelError
        If one is more negative than rounding, or than single precision, makes it.
    """
    if lam.min() < -1e-6 * np.abs(lam).max():
        raise SingularKernelError(
            f"{name} is not a kernel: its smallest eigenvalue is {lam.min():.2g}, the largest {lam.max():.2g}, and "
            "none may be negative. Check its sign, and that it belongs to these samples."
        )
    return np.maximum(lam, 0)


def no_overflow(name: str, value: Array) -> Array:
    """Return `value`, which has been computed, if it is finite, else raise `NonFiniteError`.

    LAPACK is not asked what it does with NaN: its answer is an error of its own, or a wrong number.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        if not np.isfinite(value.sum()) and not np.isfinite(value).all():
            raise NonFiniteError(f"{name} overflow. Scale the samples, the targets and the parameters to order one.")
    return value


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


def warn(message: str, category: type[Warning]) -> None:
    """Warn, and point at the first line outside this library: the one that its user has written."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__", "").partition(".")[0] == __name__.partition(".")[0]:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def warn_a1(act) -> None:
    """Warn when an activation lies outside assumption A1 (bounded, with two bounded derivatives)."""
    if not act.satisfies_a1:
        s0, s1, s2 = act.sup
        warn(
            f"Activation {act.name!r} violates assumption A1: the suprema of |sigma|, |sigma'|, |sigma''| are "
            f"{s0:g}, {s1:g}, {s2:g} and must be finite. The step is computed; the convergence theorems of the "
            "Newton paper do not cover it.",
            AssumptionWarning,
        )
