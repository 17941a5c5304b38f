r"""Intervals: of a probability from counts, and of a mean over seeds.

If h of N independent trials hit, the interval of Clopper and Pearson (1934) holds every probability under which neither
so few nor so many hits would be rarer than (1 - level) / 2. With I_x(a, b) the regularized incomplete beta function its
ends solve

    I_low(h, N - h + 1) = (1 - level) / 2,
    I_high(h + 1, N - h) = (1 + level) / 2,

with low = 0 for h = 0 and high = 1 for h = N. It covers the true probability at least as often as it says.

The mean of N values of one normal law with the sample variance s^2 has Student's interval, +- t s / sqrt(N), with t the
quantile (1 + level) / 2 of the law with N - 1 degrees of freedom: 12.7 for two seeds, 4.3 for three, 2.8 for five.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betaincinv

from ..exceptions import Array, ParameterError, ShapeError, finite_array, positive


def proportion_interval(hits: ArrayLike, trials: ArrayLike, level: float = 0.95) -> Array:
    """The exact interval of Clopper and Pearson (1934) for a probability.

    Parameters
    ----------
    hits, trials : array_like of int
        Counts, broadcast against each other; 0 <= hits <= trials, and at least one trial.
    level : float
        Confidence level.

    Returns
    -------
    ndarray, shape (2, ...)
        The lower and the upper ends.

    Raises
    ------
    ParameterError
        If the counts are not integers in this order, or `level` is not in (0, 1).

    Examples
    --------
    >>> proportion_interval([0, 5], 10).round(3)
    array([[0.   , 0.187],
           [0.308, 0.813]])
    """
    try:
        h, N = np.broadcast_arrays(hits, trials)
    except ValueError:
        raise ShapeError("hits and trials must be one number or arrays that can be broadcast together.") from None
    counts = all(a.dtype.kind in "iu" for a in (h, N)) and not np.ma.is_masked(hits) and not np.ma.is_masked(trials)
    if not counts or (h < 0).any() or (h > N).any() or (N < 1).any():
        raise ParameterError(
            f"hits = {hits!r} of trials = {trials!r}: both must be integers, 0 <= hits <= trials, 1 <= trials. Count "
            "with `.sum()` of booleans."
        )
    level = confidence(level)
    low = np.where(h == 0, 0.0, betaincinv(np.maximum(h, 1), N - h + 1, (1 - level) / 2))
    high = np.where(h == N, 1.0, betaincinv(h + 1, np.maximum(N - h, 1), (1 + level) / 2))
    return np.array([low, high])


def mean_interval(values: ArrayLike, level: float = 0.95) -> Array:
    """The mean over seeds, with Student's interval.

    Parameters
    ----------
    values : array_like, shape (seeds, ...)
        Two seeds or more; logarithms of what varies by factors.
    level : float
        Confidence level.

    Returns
    -------
    ndarray, shape (3, ...)
        The mean, the lower and the upper ends.

    Raises
    ------
    ShapeError
        If there are fewer than two seeds.
    NonFiniteError
    ParameterError
        If `level` is not in (0, 1).

    Examples
    --------
    >>> mean_interval([1.0, 2.0, 3.0]).round(3)
    array([ 2.   , -0.484,  4.484])
    """
    from scipy.stats import t

    values, level = finite_array("values", values, None), confidence(level)
    if len(values) < 2:
        raise ShapeError("values of one seed have no interval. Run a second seed, or more.")
    mean = values.mean(axis=0)
    half = t.ppf((1 + level) / 2, len(values) - 1) * values.std(axis=0, ddof=1) / len(values) ** 0.5
    return np.array([mean, mean - half, mean + half])


def confidence(level: float) -> float:
    """A confidence level, between 0 and 1."""
    if not 0 < positive("level", level) < 1:
        raise ParameterError(f"level = {level:g} must lie between 0 and 1.")
    return level
