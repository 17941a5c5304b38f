r"""Data sets: targets with several frequencies, teacher networks, and one real table.

On the circle, inputs are (cos t, sin t) at n equispaced angles. A kernel that depends on angles only is then a
circulant matrix, its eigenvectors are the sines and cosines of the grid, and "learning a frequency" is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from .checks import Array, ParameterError, ShapeError, finite_array, positive


@dataclass(frozen=True)
class Data:
    """Samples of a regression problem.

    Attributes
    ----------
    X : ndarray, shape (n, d)
    y : ndarray, shape (n,)
    name : str
    t : ndarray, shape (n,), or None
        Position along the circle (radians) or the interval.
    frequencies : tuple of int
        Frequencies present in the target, if it has any.
    """

    X: Array = field(repr=False)
    y: Array = field(repr=False)
    name: str
    t: Array | None = field(default=None, repr=False)
    frequencies: tuple[int, ...] = ()


def _amplitudes(n: int, frequencies: Sequence[int], amplitudes: Sequence[float] | None) -> Array:
    if len(frequencies) == 0 or any(int(k) != k or k < 1 for k in frequencies):
        raise ParameterError(f"frequencies = {tuple(frequencies)} must be positive integers.")
    top = max(frequencies)
    if 2 * top >= n:
        raise ParameterError(f"n = {n} samples do not resolve frequency {top}; use n > {2 * top}.")
    a = np.ones(len(frequencies)) if amplitudes is None else finite_array("amplitudes", amplitudes, 1)
    if len(a) != len(frequencies):
        raise ShapeError(f"Got {len(a)} amplitudes for {len(frequencies)} frequencies.")
    return a


def circle(n: int, frequencies: Sequence[int] = (1, 3, 7), amplitudes: Sequence[float] | None = None) -> Data:
    """Sum of cosines on n equispaced points of the unit circle: y = sum_k a_k cos(k t), x = (cos t, sin t).

    Parameters
    ----------
    n : int
        Samples; more than twice the largest frequency, so that none is aliased.
    frequencies : sequence of int
    amplitudes : sequence of float, optional
        Ones by default.

    Returns
    -------
    Data
        X of shape (n, 2). Use it with a bias: antipodal points are collinear otherwise.

    Raises
    ------
    ParameterError
        If a frequency is not resolved by n samples.

    Examples
    --------
    >>> data = circle(32, frequencies=(1, 5))
    >>> frequency_errors(data, -data.y).round(12).tolist()
    [1.0, 1.0]
    """
    a = _amplitudes(n, frequencies, amplitudes)
    t = 2 * np.pi * np.arange(n) / n
    y = np.cos(np.outer(t, frequencies)) @ a
    return Data(np.column_stack([np.cos(t), np.sin(t)]), y, "circle", t, tuple(int(k) for k in frequencies))


def interval(n: int, frequencies: Sequence[int] = (1, 3, 7), amplitudes: Sequence[float] | None = None) -> Data:
    """Sum of sines on n equispaced points of [-1, 1]: y = sum_k a_k sin(pi k x).

    Returns
    -------
    Data
        X of shape (n, 1), the midpoints of n equal cells.

    Raises
    ------
    ParameterError
        If a frequency is not resolved by n samples.
    """
    a = _amplitudes(n, frequencies, amplitudes)
    t = (2 * np.arange(n) + 1) / n - 1
    y = np.sin(np.pi * np.outer(t, frequencies)) @ a
    return Data(t[:, None], y, "interval", t, tuple(int(k) for k in frequencies))


def frequency_errors(data: Data, residual: ArrayLike) -> Array:
    """Amplitude of a residual at each frequency of the target.

    Parameters
    ----------
    data : Data
        From :func:`circle` or :func:`interval`.
    residual : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (..., number of frequencies)
        Modulus of the discrete Fourier coefficient, normalized so that cos(k t + phase) has amplitude 1.

    Raises
    ------
    ParameterError
        If the data set has no frequencies.
    """
    if not data.frequencies:
        raise ParameterError(f"The data set {data.name!r} has no frequencies; use circle(...) or interval(...).")
    residual = np.asarray(residual, dtype=float)
    if residual.shape[-1] != len(data.y):
        raise ShapeError(f"residual has {residual.shape[-1]} entries along its last axis, the data set {len(data.y)}.")
    scale = 1.0 if data.name == "circle" else np.pi
    waves = np.exp(-1j * scale * np.outer(data.t, data.frequencies))
    return 2 / len(data.y) * np.abs(residual @ waves)


def teacher_student(n: int, d: int, width: int, rng: np.random.Generator | int, noise: float = 0.0) -> Data:
    """Labels from a random tanh network with standard normal inputs and weights, scaled to unit variance, plus noise.

    Parameters
    ----------
    n, d, width : int
        Samples, inputs, and neurons of the teacher.
    rng : Generator or int
    noise : float
        Standard deviation of the label noise.

    Returns
    -------
    Data
    """
    rng = np.random.default_rng(rng)
    noise = positive("noise", noise, allow_zero=True)
    X = rng.standard_normal((n, d))
    c, W = rng.standard_normal(width), rng.standard_normal((width, d))
    clean = np.tanh(X @ W.T) @ c
    return Data(X, clean / clean.std() + noise * rng.standard_normal(n), "teacher-student")


def diabetes(n: int | None = None) -> Data:
    """The diabetes data of Efron et al. (2004): 442 patients, 10 measurements, disease progression after a year.

    The columns are standardized and divided by sqrt(10), so that a sample has squared norm 1 on average; the labels are
    standardized. The table ships with scikit-learn.

    Parameters
    ----------
    n : int, optional
        Keep the first n patients (the order in the file is arbitrary).

    Returns
    -------
    Data
        X of shape (442, 10) or (n, 10).
    """
    from sklearn.datasets import load_diabetes

    X, y = load_diabetes(return_X_y=True)
    if n is not None and not 2 <= n <= len(y):
        raise ParameterError(f"n = {n} must lie between 2 and {len(y)}.")
    X, y = X[:n], y[:n]
    X = (X - X.mean(axis=0)) / X.std(axis=0) / np.sqrt(X.shape[1])
    return Data(X, (y - y.mean()) / y.std(), "diabetes")
