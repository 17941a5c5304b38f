r"""Targets with several frequencies on a circle and on an interval.

On the circle, inputs are (cos t, sin t) at n equispaced angles. A kernel that depends on angles only is then a
circulant matrix, its eigenvectors are the sines and cosines of the grid, and "learning a frequency" is exact.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..exceptions import Array, ParameterError, ShapeError, finite_array, having, integer
from .base import Data


def _amplitudes(n: int, frequencies: Sequence[int], amplitudes: Sequence[float] | None) -> Array:
    try:
        top = max([integer("frequency", k) for k in frequencies])
    except (TypeError, ValueError):
        raise ParameterError(f"frequencies = {frequencies!r} must be positive integers, at least one.") from None
    if 2 * top >= integer("n", n):
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
    ShapeError
        If there is not one amplitude per frequency.

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
    ShapeError
        If there is not one amplitude per frequency.
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
    ShapeError
        If the residual does not have one entry per sample along its last axis.
    """
    if not having("data", data, ("frequencies", "t", "y"), "circle(64)").frequencies:
        raise ParameterError(f"The data set {data.name!r} has no frequencies; use circle(...) or interval(...).")
    residual = finite_array("residual", residual, None)
    if residual.shape[-1] != len(data.y):
        raise ShapeError(f"residual has {residual.shape[-1]} entries along its last axis, the data set {len(data.y)}.")
    scale = 1.0 if data.name == "circle" else np.pi
    waves = np.exp(-1j * scale * np.outer(data.t, data.frequencies))
    return 2 / len(data.y) * np.abs(residual @ waves)
